// The page in a real browser, over a double of the library. What users do, and what they see.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gone, id, inSession, open, see, server, signIn, signInToStay, talk } from './support/page.mjs';

test('signing in by the form, with the defaults that the server tells', async (t) => {
  const page = await open(t);
  await page.type(id('sign-in-user'), 'alice');
  await page.type(id('sign-in-password'), 'secret');
  await page.keyboard.press('Enter');
  await see(page, 'registration', 'Ready');
  const { server: address, uri, password } = await page.evaluate(() => fake.agent.options);
  assert.deepEqual([address, uri, password], [`${server().url.replace('http', 'ws')}sip`, 'sip:alice@example.com', 'secret']);
});

test('a sign-in link leaves no password in the address bar', async (t) => {
  const page = await signIn(t);
  assert.equal(page.url(), server().url);
  assert.equal(await page.evaluate(() => fake.agent.options.password), 'secret');
});

test('a reload in the same tab stays signed in; another tab does not', async (t) => {
  const page = await signIn(t);
  await page.reload();
  await see(page, 'registration', 'Ready');
  const other = await page.browserContext().newPage();
  await other.goto(server().url);
  await see(other, 'sign-in-form', 'User name');
});

test('"stay signed in" keeps the account for other tabs, and signing out forgets it', async (t) => {
  const page = await signInToStay(t);
  const other = await page.browserContext().newPage();
  await other.goto(server().url);
  await other.waitForSelector(id('other-tab'));
  await other.click(id('use-here'));
  await see(other, 'registration', 'Ready');
  await other.click(id('tab-settings'));
  await other.click(id('sign-out'));
  await see(other, 'sign-in-form', 'User name');
  assert.equal(await other.evaluate(() => JSON.stringify(localStorage).includes('secret')), false);
});

test('a browser that keeps nothing for pages has a phone all the same', async (t) => {
  const page = await open(t, { prepare: () => {
    const forbidden = () => { throw new DOMException('', 'SecurityError'); };
    for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get: forbidden });
    navigator.locks.request = async () => forbidden();
  } });
  await page.type(id('sign-in-user'), 'alice');
  await page.type(id('sign-in-password'), 'secret');
  await page.keyboard.press('Enter');
  await see(page, 'registration', 'Ready');
});

test('a wrong password is told at the form, and the agent is stopped', async (t) => {
  const page = await open(t);
  await page.evaluate(() => { fake.onstart = (agent) => agent.emit('registrationFailed', { cause: 'Authentication Error', response: { status_code: 401 } }); });
  await page.type(id('sign-in-user'), 'alice');
  await page.type(id('sign-in-password'), 'wrong');
  await page.keyboard.press('Enter');
  await see(page, 'sign-in-error', 'User name or password is wrong.');
  assert.equal(await page.evaluate(() => fake.agent.stopped), true);
});

test('a server that does not answer is named; for wss the certificate is mentioned, with a link to see it', async (t) => {
  const page = await open(t);
  await page.evaluate(() => { fake.onstart = (agent) => agent.emit('disconnected', { error: true }); });
  await page.type(id('sign-in-user'), 'alice');
  await page.type(id('sign-in-password'), 'secret');
  await page.click(id('sign-in-submit'));
  await see(page, 'sign-in-error', 'The server does not answer at ws://127.0.0.1');
  await page.type(id('sign-in-server'), 'wss://edge.example.com:8443/sip');
  await page.click(id('sign-in-submit'));
  await see(page, 'sign-in-error', 'does not trust its certificate');
  assert.equal(await page.$eval(`${id('sign-in-error')} a`, (link) => link.href), 'https://edge.example.com:8443/');
});

test('a call from dialling to hanging up', async (t) => {
  const page = await signIn(t);
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await see(page, 'call-state', 'Calling');
  await page.waitForFunction(() => fake.agent.sessions.length > 0);
  assert.equal(await page.evaluate(() => String(window.sipwebPhone.session.remote_identity.uri)), 'sip:bob@example.com');
  await inSession(page, '(session) => session.emit("progress", { originator: "remote", response: { status_code: 180 } })');
  await see(page, 'call-state', 'Ringing');
  await inSession(page, '(session) => { session.emit("accepted", {}); session.emit("confirmed", {}); }');
  await see(page, 'call-timer', '00:0');
  await page.click(id('call-hangup'));
  await see(page, 'call-state', 'You hung up.');
  await page.keyboard.press('Escape');
  await gone(page, 'call');
  await see(page, 'recents', 'Outgoing');
});

test('a call is passed on: asked for, refused, asked for again, and over when the other two talk', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.click(id('call-transfer'));
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'transfer-field');
  await page.keyboard.type('two words');
  await page.keyboard.press('Enter');
  await see(page, 'transfer-error', 'This is not a name');
  await page.$eval(id('transfer-field'), (field) => field.select());
  await page.keyboard.type('carmen');
  await page.click(id('transfer-go'));
  await see(page, 'call-state', 'Passing bob on to carmen');
  await gone(page, 'transfer-field');
  assert.equal(await inSession(page, '(session) => session.referred.target'), 'sip:carmen@example.com');
  await inSession(page, '(session) => session.referred.handlers.failed({})');
  await see(page, 'call-state', 'carmen was not reached. bob is still here.');
  await page.click(id('call-transfer'));
  await page.keyboard.type('dora');
  await page.keyboard.press('Enter');
  await inSession(page, '(session) => session.referred.handlers.accepted({})');
  await see(page, 'call-state', 'You transferred bob.');
});

test('a transfer of which nothing is heard is told so: the call goes on, can be passed on again, and ends when the other two talk after all', async (t) => {
  const page = await signIn(t, { prepare: () => {
    // Whatever waits for a minute waits for the test.
    window.late = [];
    const { setTimeout } = window;
    window.setTimeout = (run, time, ...more) => (time === 60_000 ? late.push(run) : setTimeout(run, time, ...more));
  } });
  await talk(page);
  await page.click(id('call-transfer'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await see(page, 'call-state', 'Passing bob on to carmen');
  await page.evaluate(() => late.forEach((run) => run()));
  await see(page, 'call-state', 'bob does not say whether carmen was reached.');
  assert.equal(await page.evaluate(() => phone.call.transferable), true);
  await page.click(id('call-mute'));
  await see(page, 'call-state', 'Your microphone is off');
  await inSession(page, '(session) => session.referred.handlers.accepted({})');
  await see(page, 'call-state', 'You transferred bob.');
});

test('the keyboard goes into what is opened over a call, and back to its button', async (t) => {
  const page = await signIn(t);
  await talk(page);
  const focus = () => page.evaluate(() => document.activeElement.dataset.testid);
  for (const [button, inside] of [['call-transfer', 'transfer-field'], ['call-add', 'add-field'], ['call-audio', 'call-microphone'], ['call-more', 'call-screen']]) {
    await page.focus(id(button));
    await page.keyboard.press('Enter');
    await page.waitForFunction((name) => document.activeElement.dataset.testid === name, {}, inside);
    await page.keyboard.press('Escape');
    await gone(page, inside);
    assert.equal(await focus(), button);
  }
  await page.click(id('call-transfer'));
  await page.keyboard.type('car');
  await inSession(page, '(session) => session.bye()');
  await see(page, 'call-state', 'bob hung up.');
  assert.equal(await focus(), 'call');
});

/** The other side of the call asks for a call to Dora. Returns nothing; `window.referral` tells what became of it. */
const refer = (page) => inSession(page, `(session) => {
  window.referral = [];
  const request = { getHeader: () => '"Dora Lindqvist" <sip:dora@example.com;transport=udp>' };
  session.emit('refer', { request, reject: () => referral.push('rejected'), accept: (init, options) => {
    referral.push('accepted');
    init(fake.agent.call('sip:dora@example.com', options));
  } });
}`);

test('the other side passes us on: the call it wants is made, and the first one ends when that stands', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await refer(page);
  await see(page, 'call-peer', 'Dora Lindqvist');
  await see(page, 'call-state', 'Calling');
  await page.waitForFunction(() => referral.includes('accepted') && fake.agent.sessions.length === 2);
  assert.equal(await page.evaluate(() => fake.agent.sessions[0].ended), false);
  await inSession(page, '(session) => { session.emit("accepted", {}); session.emit("confirmed", {}); }');
  await see(page, 'call-state', 'In call');
  assert.equal(await page.evaluate(() => fake.agent.sessions[0].ended), true);
  await see(page, 'call-peer', 'Dora Lindqvist');
});

test('the call to which we are passed on fails: the first one is back', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await refer(page);
  await page.waitForFunction(() => referral.includes('accepted') && fake.agent.sessions.length === 2);
  await inSession(page, '(session) => session.fail(486, "Busy Here", "Busy")');
  await see(page, 'call-peer', 'bob');
  await see(page, 'call-state', 'In call');
  assert.equal(await page.evaluate(() => fake.agent.sessions[0].ended), false);
});

test('an incoming call is answered; mute and hold are shown', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com', 'Carmen Ruiz'); });
  await see(page, 'call-peer', 'Carmen Ruiz');
  await see(page, 'call-state', 'Incoming call');
  await page.waitForFunction(() => document.title.includes('Carmen Ruiz is calling'));
  await page.click(id('call-answer'));
  await page.waitForSelector(`${id('call')}[data-phase=talking]`);
  await page.click(id('call-mute'));
  await see(page, 'call-state', 'Your microphone is off');
  await page.click(id('call-mute'));
  await page.click(id('call-hold'));
  await see(page, 'call-state', 'You put the call on hold');
  await inSession(page, '(session) => session.emit("hold", { originator: "remote" })');
  await see(page, 'call-state', 'Both sides hold the call');
  await page.click(id('call-hold'));
  await see(page, 'call-state', 'Carmen Ruiz put you on hold');
  assert.equal(await page.$eval(id('call-hold'), (button) => button.getAttribute('aria-pressed')), 'false');
});

test('declining says busy to this caller only', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com'); });
  await see(page, 'call-state', 'Incoming call');
  await page.click(id('call-reject'));
  await see(page, 'call-state', 'You declined the call.');
});

test('by keyboard alone: Enter answers, Escape hangs up, and neither does so out of a message being written', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.agent.message('sip:bob@example.com', 'Bob', 'Hello'); });
  await page.click(id('tab-messages'));
  await page.click(id('conversation-row'));
  await page.type(id('message-field'), 'I am wri');
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com'); });
  await see(page, 'call-state', 'Incoming call');
  await page.keyboard.type('ting');
  await page.keyboard.press('Enter');
  await see(page, 'conversation', 'I am writing');
  assert.equal(await page.evaluate(() => phone.call.phase), 'incoming');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => Date.now() - phone.call.startedAt > 1000);
  await page.keyboard.press('Enter');
  await page.waitForSelector(`${id('call')}[data-phase=talking]`);
  await page.keyboard.press('Escape');
  await see(page, 'call-state', 'You hung up.');
});

test('Escape leaves the field that one types in, and only the next one hangs up', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => phone.contacts.keep({ uri: 'sip:carmen@example.com', name: 'Carmen' }));
  await talk(page);
  await page.click(id('tab-contacts'));
  await page.type(id('contact-find'), 'carm');
  await page.keyboard.press('Escape');
  await see(page, 'call-state', 'In call');
  await page.keyboard.press('Escape');
  await see(page, 'call-state', 'You hung up.');
});

test('a missed call is counted until the list is looked at', async (t) => {
  const page = await signIn(t, { viewport: { width: 360, height: 740 } });
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com').emit('failed', { originator: 'remote', cause: 'Canceled' }); });
  await see(page, 'call-state', 'stopped calling');
  await see(page, 'badge-recents', '1');
  await page.click(id('tab-recents'));
  await see(page, 'recents', 'Missed');
  await gone(page, 'badge-recents');
});

test('keys are sent as RFC 4733 events or by INFO, from the keypad and the keyboard', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.click(id('call-keypad'));
  await page.click(id('call-key-4'));
  await page.click(id('call-key-hash'));
  await page.keyboard.press('7');
  await see(page, 'call-digits', '4#7');
  assert.deepEqual(await inSession(page, '(session) => session.digits'), [['4', 'INFO'], ['#', 'INFO'], ['7', 'INFO']]);
  await page.keyboard.press('Escape');
  await gone(page, 'call-digits');
  await page.keyboard.press('Escape');
  await see(page, 'call-state', 'You hung up.');
});

test('keys that the other side presses are shown, in Spanish too', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await gone(page, 'call-received');
  for (const [originator, tone] of [['remote', '7'], ['local', '1'], ['remote', '#']]) {
    await inSession(page, '(session, originator, tone) => session.emit("newDTMF", { originator, dtmf: { tone } })', originator, tone);
  }
  await see(page, 'call-received', 'Digits received: 7#');
  await page.click(id('language'));
  await see(page, 'call-received', 'Dígitos recibidos: 7#');
});

test('a call that takes the focus is named as a call in Spanish, not as the button that makes one', async (t) => {
  const page = await signIn(t);
  await page.click(id('language'));
  await page.waitForFunction(() => document.documentElement.lang === 'es');
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com'); });
  await page.waitForSelector(`${id('call')}[data-phase=incoming]`);
  assert.equal(await page.$eval(id('call'), (call) => call.getAttribute('aria-label')), 'Llamada');
});

test('why a call failed is said in words, with the code below, and in Spanish too', async (t) => {
  const page = await signIn(t);
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length > 0);
  await inSession(page, '(session) => session.fail(486, "Busy Here", "Busy")');
  await see(page, 'call-state', 'bob is busy.');
  await see(page, 'call-detail', 'SIP 486 · Busy Here');
  await page.click(id('language'));
  await see(page, 'call-state', 'La línea de bob está ocupada.');
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  await page.click(id('call-again'));
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
});

test('messages go out, come in, are counted, and failed ones can be sent again', async (t) => {
  const page = await signIn(t, { viewport: { width: 360, height: 740 } });
  await page.evaluate(() => { fake.agent.message('sip:bob@example.com', 'Bob', 'Hello'); });
  await see(page, 'badge-messages', '1');
  await page.click(id('tab-messages'));
  await page.click(id('conversation-row'));
  await gone(page, 'badge-messages');
  await page.evaluate(() => { fake.onmessage = (handlers) => handlers.failed({ originator: 'remote', cause: 'Unavailable', response: { status_code: 480 } }); });
  await page.type(id('message-field'), 'Hi Bob');
  await page.keyboard.press('Enter');
  await see(page, 'conversation', 'Not sent: Bob is not reachable now.');
  await page.evaluate(() => { fake.onmessage = (handlers) => handlers.succeeded({}); });
  await page.click(id('message-again'));
  await page.waitForSelector(`${id('message')}[data-direction=outgoing][data-state=done]`);
  assert.deepEqual(await page.evaluate(() => fake.agent.sent.map(({ target, body }) => [target, body])), [['sip:bob@example.com', 'Hi Bob'], ['sip:bob@example.com', 'Hi Bob']]);
});

test('a message that comes while its conversation is behind another tab is counted until it is looked at', async (t) => {
  const page = await signIn(t);
  const write = (words) => page.evaluate((body) => { fake.agent.message('sip:bob@example.com', 'Bob', body); }, words);
  await write('Hello');
  await page.click(id('tab-messages'));
  await page.click(id('conversation-row'));
  await page.click(id('tab-settings'));
  await write('Are you there?');
  await see(page, 'badge-messages', '1');
  await page.click(id('tab-messages'));
  await gone(page, 'badge-messages');
  await see(page, 'conversation', 'Are you there?');
});

test('a conversation is not said again at each message, nor are the notices', async (t) => {
  const page = await signIn(t);
  const write = (words) => page.evaluate((body) => { fake.agent.message('sip:bob@example.com', 'Bob', body); }, words);
  await write('Hello');
  await page.click(id('tab-messages'));
  await page.click(id('conversation-row'));
  await page.evaluate(() => { phone.mediaProblem = 'missing'; phone.change.signal(); });
  await see(page, 'notice', 'No microphone was found');
  await page.evaluate((selectors) => {
    window.said = [];
    new MutationObserver((changes) => said.push(...changes.flatMap(({ addedNodes }) => [...addedNodes].map((node) => node.textContent))))
      .observe(document.body, { childList: true, subtree: true });
    document.querySelector(selectors).focus();
  }, id('notice-microphone-missing-action'));
  await write('Are you there?');
  await page.evaluate(() => { fake.agent.emit('disconnected', { error: true, retry_in: 9000 }); });
  await see(page, 'conversation', 'Are you there?');
  await page.waitForSelector('[data-notice=connection]');
  const said = await page.evaluate(() => window.said.join('|'));
  assert.deepEqual(['Hello', 'Are you there?', 'No microphone', 'Connection to the server lost'].map((words) => said.includes(words)), [false, true, false, true]);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'notice-microphone-missing-action');
});

test('the list of conversations stays as it is while a call changes', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.agent.message('sip:carmen@example.com', 'Carmen', 'Hello'); });
  await talk(page);
  await page.click(id('tab-messages'));
  await page.focus(id('conversation-row'));
  await page.evaluate(() => phone.change.signal());
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'conversation-row');
});

test('what is written to one is not sent to another, and is still there when one comes back', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.agent.message('sip:bob@example.com', 'Bob', 'Hello'); fake.agent.message('sip:carmen@example.com', 'Carmen', 'Hola'); });
  const written = () => page.$eval(id('message-field'), (field) => field.value);
  const openThat = (name) => page.evaluate((wanted) => phone.writeTo(phone.conversations.list.find(({ peer }) => peer.name === wanted).peer), name);
  await page.click(id('tab-messages'));
  await openThat('Bob');
  await page.type(id('message-field'), 'For Bob alone');
  await openThat('Carmen');
  assert.equal(await written(), '');
  await openThat('Bob');
  assert.equal(await written(), 'For Bob alone');
  await page.click(id('language'));
  assert.equal(await written(), 'For Bob alone');
});

test('long messages do not keep later ones from being kept', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => {
    for (let sent = 0; sent < 120; sent += 1) fake.agent.message('sip:eve@example.com', 'Eve', 'x'.repeat(60_000));
    fake.agent.message('sip:bob@example.com', 'Bob', 'Hello');
  });
  await page.reload();
  await see(page, 'registration', 'Ready');
  assert.deepEqual(await page.evaluate(() => phone.conversations.list.map(({ peer, messages }) => [peer.name, messages.length > 10])), [['Bob', false], ['Eve', true]]);
});

test('what comes from the network is text, never markup', async (t) => {
  const page = await signIn(t);
  const evil = '<img src=x onerror="document.title=1"><b>bold</b>';
  await page.evaluate((words) => { fake.agent.message('sip:eve@example.com', words, words); fake.agent.ring('sip:eve@example.com', words); }, evil);
  await see(page, 'call-peer', '<b>bold</b>');
  await page.click(id('tab-messages'));
  await page.click(id('conversation-row'));
  await see(page, 'conversation', '<img src=x');
  assert.equal(await page.$$eval('b, img[src=x]', (found) => found.length), 0);
});

test('a refused microphone is told across the page, and the call is not made', async (t) => {
  const page = await signIn(t, { prepare: () => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')); } });
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await see(page, 'notice', 'The microphone is blocked for this page.');
  assert.equal(await page.evaluate(() => fake.agent.sessions.length), 0);
});

test('without a secure context the page says why it cannot call, and still sends messages', async (t) => {
  const page = await signIn(t, { prepare: () => Object.defineProperty(navigator, 'mediaDevices', { value: undefined }) });
  await see(page, 'notice', 'was not opened securely');
  assert.equal(await page.$eval(id('dial-call'), (button) => button.disabled), true);
});

test('a lost connection counts down, keeps the call, and comes back', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.evaluate(() => { fake.agent.emit('disconnected', { error: true, retry_in: 9000 }); });
  await see(page, 'notice', 'Connection to the server lost');
  await see(page, 'registration', 'Reconnecting in 9 s');
  await page.waitForSelector(`${id('call')}[data-phase=talking]`);
  await page.evaluate(() => fake.agent.accept());
  await see(page, 'registration', 'Ready');
  await gone(page, 'notice');
});

test('"Try again" registers where there is a connection already', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => {
    fake.agent.emit('disconnected', { error: true, retry_in: 9000 });
    fake.agent.emit('connected');
    fake.agent.start = () => undefined; // Who is connected has nothing to start.
  });
  await see(page, 'notice', 'Connection to the server lost');
  await page.click(id('notice-connection-action'));
  await see(page, 'registration', 'Ready');
});

test('wrong input in the dial field is explained and nothing is called', async (t) => {
  const page = await signIn(t);
  await page.keyboard.type('two words');
  await page.keyboard.press('Enter');
  await see(page, 'dial-error', 'This is not a name');
  await page.keyboard.press('Escape');
  await gone(page, 'dial-error');
  assert.equal(await page.$eval(id('dial-field'), (field) => field.value), '');
});

const SMALL = { width: 320, height: 568 };

test('on the smallest screens nothing is wider than the screen', async (t) => {
  const page = await signIn(t, { viewport: SMALL });
  for (const tab of ['keypad', 'recents', 'messages', 'settings']) {
    await page.click(id(`tab-${tab}`));
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, tab);
  }
});

test('on the lowest screens everything can be scrolled to', async (t) => {
  const page = await signIn(t, { viewport: { width: 320, height: 400 } });
  /** Whether `name` can be brought wholly into what is seen of `frame`. */
  const reached = (name, frame) => page.evaluate((inner, outer) => {
    const element = document.querySelector(inner);
    element.scrollIntoView({ block: 'nearest' });
    const [its, seen] = [element, document.querySelector(outer)].map((each) => each.getBoundingClientRect());
    return its.top >= seen.top - 1 && its.bottom <= Math.min(seen.bottom, document.querySelector('.tabs').getBoundingClientRect().top) + 1;
  }, id(name), frame);
  await page.evaluate(() => { phone.contacts.keep({ uri: 'sip:bob@example.com', name: 'Bob' }); fake.agent.emit('disconnected', { error: true, retry_in: 9000 }); });
  await see(page, 'notice', 'Connection to the server lost');
  assert.equal(await reached('dial-field', '.dial'), true, 'the dial field');
  assert.equal(await reached('dial-call', '.dial'), true, 'the button that calls');
  await page.click(id('tab-contacts'));
  assert.equal(await reached('contact', '.panels'), true, 'the contact');
  await page.click(id('contact-edit'));
  assert.equal(await reached('contact-delete', '.panels'), true, 'the button that deletes the contact');
});

test('on the smallest screens the state of the line stands beside the logo, in both languages', async (t) => {
  const page = await signIn(t, { viewport: SMALL });
  await page.evaluate(() => { fake.agent.emit('disconnected', { error: true, retry_in: 29_000 }); });
  await see(page, 'registration', 'Reconnecting in');
  for (const language of ['en', 'es']) {
    await page.evaluate((wanted) => { if (document.documentElement.lang !== wanted) document.querySelector('[data-testid=language]').click(); }, language);
    const [logo, state, tools] = await page.evaluate(() => ['.brand img', '.chip', '.top-tools'].map((each) => document.querySelector(each).getBoundingClientRect()).map(({ left, right }) => ({ left, right })));
    assert.equal(logo.right <= state.left && state.right <= tools.left && tools.right <= SMALL.width, true, `${language}: ${JSON.stringify([logo, state, tools])}`);
  }
});

test('on the smallest screens the words under the tabs are whole, in both languages', async (t) => {
  const page = await signIn(t, { viewport: { width: 320, height: 568 } });
  for (const language of ['en', 'es']) {
    await page.waitForFunction((wanted) => document.documentElement.lang === wanted, {}, language);
    assert.deepEqual(await page.$$eval('.tab-label', (labels) => labels.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent)), []);
    await page.click(id('language'));
  }
});

test('on the smallest screens the letters of the keypad stand on its keys, in a call too', async (t) => {
  const page = await signIn(t, { viewport: { width: 320, height: 568 } });
  const beside = (keypad) => page.$$eval(`${keypad} .key-letters`, (all) => all.filter((each) => each.getBoundingClientRect().bottom > each.parentElement.getBoundingClientRect().bottom - 2).map((each) => each.textContent));
  assert.deepEqual(await beside('.dial'), []);
  await talk(page);
  await page.click(id('call-keypad'));
  assert.deepEqual(await beside('.sheet'), []);
});

for (const viewport of [{ width: 390, height: 780 }, SMALL]) {
  test(`however long names are, calls are taken and ended without a search on ${viewport.width} by ${viewport.height}`, async (t) => {
    const page = await signIn(t, { viewport });
    const beyond = () => page.$$eval('[data-testid=call-reject], [data-testid=call-answer], [data-testid=call-hangup], .waiting button, .others button', (buttons) => buttons.filter((each) => each.checkVisibility())
      .map((each) => [each.textContent, (each.querySelector('.button-face') ?? each).getBoundingClientRect(), document.querySelector('.call').getBoundingClientRect()])
      .filter(([, { left, right, bottom }, call]) => left < call.left || right > call.right || bottom > call.bottom).map(([words]) => words));
    const ring = (name) => page.evaluate((called, at) => { fake.agent.ring(`sip:caller${at}@example.com`, called); }, name, name.length);
    await ring('Maximiliane '.repeat(150));
    await see(page, 'call-state', 'Incoming call');
    assert.deepEqual(await beyond(), [], 'while it rings');
    await page.click(id('call-answer'));
    await page.waitForSelector(`${id('call')}[data-phase=talking]`);
    await inSession(page, '(session) => session.emit("hold", { originator: "remote" })');
    await see(page, 'call-state', 'put you on hold');
    assert.ok(await page.$eval(id('call-state'), ({ textContent }) => textContent.length) < 80, 'the name in a sentence');
    await inSession(page, '(session) => session.emit("unhold", { originator: "remote" })');
    await ring('Donaudampfschifffahrt'.repeat(30));
    await see(page, 'waiting', 'is calling');
    assert.deepEqual(await beyond(), [], 'while a second one rings');
    await page.click(id('waiting-answer'));
    await page.waitForSelector(id('other-call'));
    assert.deepEqual(await beyond(), [], 'with two calls');
  });
}

test('on the smallest screens what can be done after a call stands on one line, in both languages', async (t) => {
  const page = await signIn(t, { viewport: SMALL });
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length > 0);
  await inSession(page, '(session) => session.fail(486, "Busy Here", "Busy")');
  await see(page, 'call-state', 'bob is busy.');
  for (const language of ['en', 'es']) {
    await page.evaluate((wanted) => { if (document.documentElement.lang !== wanted) document.querySelector('[data-testid=language]').click(); }, language);
    const tops = await page.$$eval('.end-controls .button', (buttons) => buttons.map((each) => each.getBoundingClientRect().top));
    assert.equal(new Set(tops).size, 1, `${language}: ${tops}`);
  }
});

test('the cards of the settings stand apart', async (t) => {
  const page = await signIn(t, { viewport: { width: 390, height: 780 } });
  await page.click(id('tab-settings'));
  const gaps = await page.$$eval('.card + .card', (cards) => cards.map((card) => card.getBoundingClientRect().top - card.previousElementSibling.getBoundingClientRect().bottom));
  assert.ok(gaps.length > 0 && gaps.every((gap) => gap >= 8), `${gaps}`);
});

test('on the smallest screens the number of an unknown caller is there to the last digit', async (t) => {
  const page = await signIn(t, { viewport: SMALL });
  await page.evaluate(() => { fake.agent.ring('sip:+34911234567@example.com').emit('failed', { originator: 'remote', cause: 'Canceled' }); });
  await page.click(id('tab-recents'));
  await see(page, 'recent', '+34911234567');
  assert.equal(await page.$eval(`${id('recent')} strong`, (number) => number.scrollWidth <= number.clientWidth), true);
});

test('on the smallest screens the longest number is there to the last digit, and how long a call was stays on one line', async (t) => {
  const page = await signIn(t, { viewport: SMALL });
  await page.evaluate(() => {
    const call = { kind: 'outgoing', at: Date.now(), seconds: 63, video: false };
    phone.history.add({ ...call, peer: { uri: 'sip:600123456789012345678901234567890@example.com' } });
    phone.history.add({ ...call, peer: { uri: 'sip:bob@example.com' }, kind: 'notReached', seconds: 0 });
  });
  for (const words of ['Outgoing', 'Saliente']) {
    await page.click(id('tab-recents'));
    await see(page, 'recents', words);
    const rows = await page.$$eval(id('recent'), (all) => all.map((row) => {
      const [number, line] = ['strong', '.ellipsis'].map((each) => row.querySelector(each));
      return [number.scrollHeight <= number.clientHeight + 1, line.getClientRects().length, line.scrollWidth <= line.clientWidth, line.offsetHeight < 24];
    }));
    assert.deepEqual(rows, [[true, 1, true, true], [true, 1, true, true]]);
    await page.click(id('language'));
  }
});

test('on the smallest screens a notice is closed at its corner, not on a line of its own', async (t) => {
  const page = await signIn(t, { viewport: SMALL, prepare: () => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')); } });
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForSelector(id('notice'));
  const bottom = (name) => page.$eval(id(`notice-microphone-refused-${name}`), (button) => button.getBoundingClientRect().bottom);
  assert.equal(await bottom('close') < await bottom('action'), true);
});

test('the settings show the face of the account, and that of the next one', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-settings'));
  const face = () => page.$eval('.account-card', (card) => card.querySelector('.avatar')?.textContent);
  assert.equal(await face(), 'A');
  await page.click(id('sign-out'));
  await page.evaluate(() => { location.hash = '#bob:word'; });
  await see(page, 'account', 'bob');
  await page.click(id('tab-settings'));
  await see(page, 'sign-out', 'Sign out');
  assert.equal(await face(), 'B');
});

test('every control has a name for screen readers', async (t) => {
  const page = await signIn(t);
  await talk(page);
  const nameless = await page.$$eval('button, input, select, textarea', (controls) => controls
    .filter((each) => each.checkVisibility())
    .filter((each) => !(each.getAttribute('aria-label') || each.labels?.length || each.textContent.trim()))
    .map((each) => each.outerHTML));
  assert.deepEqual(nameless, []);
});

/** Looks at the sound of the running call as if it were so. */
const heard = (page, quality, looks = 1) => page.evaluate(async (found, times) => {
  fake.quality = { score: 'good', codec: 'opus', received: { packets: 50, lost: 1, jitter: 4 }, sent: { packets: 51, lost: 0 }, roundTrip: 38, pair: { local: '192.0.2.1:1', remote: '192.0.2.2:2', protocol: 'udp' }, at: 0, ...found };
  fake.agent.sessions.at(-1).connection ??= new RTCPeerConnection();
  for (let look = 0; look < times; look += 1) await phone.quality.look();
}, quality, looks);

test('when the system turns dark, the page does, and what is begun on it stays', async (t) => {
  const page = await signIn(t);
  const scheme = (value) => page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
  await scheme('light');
  await page.click(id('tab-contacts'));
  await page.click(id('contact-new'));
  await page.type(id('contact-name'), 'Carmen');
  await scheme('dark');
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
  assert.equal(await page.$eval(id('contact-name'), (field) => field.value), 'Carmen');
  await page.click(id('theme'));
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light');
  await page.click(id('tab-settings'));
  assert.equal(await page.$eval(id('settings-theme'), (select) => select.value), 'light');
});

test('another language loses nothing that is half typed, closes nothing, and leaves the keyboard where it was', async (t) => {
  const page = await signIn(t);
  const values = (...names) => page.evaluate((wanted) => wanted.map((name) => document.querySelector(`[data-testid="${name}"]`).value), names);
  await page.click(id('tab-contacts'));
  await page.click(id('contact-new'));
  await page.type(id('contact-name'), 'Carmen Ru');
  await page.type(id('contact-address'), 'carm');
  await page.click(id('language'));
  await see(page, 'contact-save', 'Guardar');
  assert.deepEqual(await values('contact-name', 'contact-address'), ['Carmen Ru', 'carm']);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'language');
  await page.click(id('tab-messages'));
  await page.type(id('conversation-target'), 'dor');
  await page.focus(id('dial-field'));
  await talk(page);
  await page.click(id('call-transfer'));
  await page.keyboard.type('eve');
  await page.click(id('language'));
  await see(page, 'transfer-go', 'Transfer now');
  assert.deepEqual(await values('transfer-field', 'conversation-target'), ['eve', 'dor']);
  await page.click(id('transfer-go'));
  await see(page, 'call-state', 'Passing bob on to eve');
});

test('the quality of the sound is a word, and figures for those who open them', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await heard(page, {});
  await see(page, 'quality-word', 'Good sound');
  await gone(page, 'quality-figures');
  await page.click(id('quality'));
  await see(page, 'quality-figures', '50 packets, 1 lost');
  await see(page, 'quality-figures', '192.0.2.1:1 → 192.0.2.2:2 UDP');
  assert.equal(await page.$eval(id('quality'), (button) => button.ariaExpanded), 'true');
  await heard(page, { score: 'poor', received: { packets: 80, lost: 9, jitter: 40 } });
  await see(page, 'quality-word', 'Poor sound');
  await see(page, 'quality-figures', '80 packets, 9 lost');
});

test('a phone that stays silent is told of after a while, not at every pause, and not while somebody holds', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await heard(page, { score: 'none', trouble: 'nothingIn' }, 2);
  await gone(page, 'call-trouble');
  await heard(page, { score: 'none', trouble: 'nothingIn' });
  await see(page, 'call-trouble', 'No sound arrives from bob');
  await heard(page, {});
  await gone(page, 'call-trouble');
  await inSession(page, '(session) => session.emit("hold", { originator: "remote" })');
  await heard(page, { score: 'none', trouble: 'nothingIn' }, 4);
  await gone(page, 'call-trouble');
});

test('a call that ended badly stays on the screen with the cause', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await inSession(page, '(session) => session.bye({ Reason: [\'SIP;cause=480;text="ICE-LOST: the browser stopped answering"\'] })');
  await see(page, 'call-state', 'The server ended the call.');
  await see(page, 'call-trouble', 'could not be reached any more');
  await see(page, 'call-detail', 'ICE-LOST');
});
