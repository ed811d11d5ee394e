// Contacts with their lamps, voicemail, the list of calls, links that call.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anotherTab, gone, id, open, see, signIn, talk } from './support/page.mjs';

async function keep(page, name, address) {
  await page.click(id('tab-contacts'));
  await page.click(id('contact-new'));
  await page.type(id('contact-name'), name);
  await page.type(id('contact-address'), address);
  await page.click(id('contact-save'));
  await see(page, 'contacts', name);
}

const subscriptions = (page) => page.evaluate(() => fake.agent.subscriptions.filter((each) => each.asked).map(({ target, event }) => [target, event]));

test('a contact is added, found, called by name, changed and deleted, and kept over a reload', async (t) => {
  const page = await signIn(t);
  await keep(page, 'Carmen Ruiz', '+34 911 234 567');
  await keep(page, 'Bob Martin', 'bob');
  await page.type(id('contact-find'), 'carm');
  await see(page, 'contacts', 'Carmen Ruiz');
  assert.equal((await page.$$(id('contact'))).length, 1);
  await page.reload();
  await see(page, 'registration', 'Ready');
  await page.type(id('dial-field'), 'Carmen Ruiz');
  await page.keyboard.press('Enter');
  await see(page, 'call-peer', 'Carmen Ruiz');
  await page.waitForFunction(() => fake.agent.sessions.length > 0);
  assert.equal(await page.evaluate(() => phone.call.peer.uri), 'sip:+34911234567@example.com');
  await page.click(id('tab-contacts'));
  await page.click(id('contact-edit'));
  await page.click(id('contact-delete'));
  await see(page, 'contacts', 'Carmen Ruiz');
  assert.equal((await page.$$(id('contact'))).length, 1);
});

test('a contact without a name or with an address that is none is not kept, and the field says so', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-contacts'));
  await page.click(id('contact-new'));
  await page.click(id('contact-save'));
  await see(page, 'contact-error', 'Enter a name.');
  await page.type(id('contact-name'), 'Bob');
  await page.type(id('contact-address'), 'two words');
  await page.click(id('contact-save'));
  await see(page, 'contact-error', 'This is not a name');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'contact-address');
});

test('however many contacts there are, none is lost for a new one', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => {
    const many = Array.from({ length: 600 }, (_, at) => ({ uri: `sip:${at}@example.com`, name: `Zoe ${at}` }));
    localStorage.setItem('sipweb.contacts.sip:alice@example.com', JSON.stringify(many));
  });
  await page.reload();
  await see(page, 'registration', 'Ready');
  await keep(page, 'Adam', 'adam');
  assert.equal(await page.evaluate(() => phone.contacts.list.length), 601);
});

test('a contact that gets another name keeps his address as it was', async (t) => {
  const page = await signIn(t);
  await keep(page, 'Carmen', 'sips:carmen@example.org;transport=tcp');
  await page.click(id('contact-edit'));
  await page.type(id('contact-name'), ' Ruiz');
  await page.click(id('contact-save'));
  await see(page, 'contacts', 'Carmen Ruiz');
  assert.equal(await page.evaluate(() => phone.contacts.list[0].uri), 'sips:carmen@example.org;transport=tcp');
});

test('who calls is shown by the name under which we keep him', async (t) => {
  const page = await signIn(t);
  await keep(page, 'Grandmother', '+34911234567');
  await page.evaluate(() => { fake.agent.ring('sip:+34911234567@example.com', 'ACME GATEWAY'); });
  await see(page, 'call-peer', 'Grandmother');
});

test('a caller is kept as a contact from the list of calls', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com', 'Carmen').emit('failed', { originator: 'remote', cause: 'Canceled' }); });
  await see(page, 'recents', 'Carmen');
  await page.click(id('keep-contact'));
  await page.click(id('contact-save'));
  await see(page, 'contacts', 'Carmen');
  await page.click(id('tab-recents'));
  await gone(page, 'keep-contact');
});

test('a contact has a lamp: not there, free, being called, in a call; without a state there is none', async (t) => {
  const page = await signIn(t);
  await keep(page, 'Bob', 'bob');
  await page.waitForFunction(() => fake.agent.subscriptions.length > 0);
  assert.deepEqual(await subscriptions(page), [['sip:bob@example.com', 'dialog'], ['sip:bob@example.com', 'presence']]);
  const tell = (state) => page.evaluate((word) => {
    fake.agent.subscriptions[0].notify(`<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:bob@example.com">${word && `<dialog id="1"><state>${word}</state></dialog>`}</dialog-info>`);
  }, state);
  assert.equal(await page.$('[data-testid=contact] .lamp'), null);
  for (const [state, words] of [['', 'Available'], ['early', 'Being called'], ['confirmed', 'In a call'], ['terminated', 'Available']]) {
    await tell(state);
    await see(page, 'contact', words);
  }
  const be = (basic) => page.evaluate((word) => {
    fake.agent.subscriptions[1].notify(`<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.com"><tuple id="1"><status><basic>${word}</basic></status></tuple></presence>`);
  }, basic);
  await be('closed');
  await see(page, 'contact', 'Not reachable');
  // A call that he makes from elsewhere is one.
  await tell('confirmed');
  await see(page, 'contact', 'In a call');
  await tell('terminated');
  await be('open');
  await see(page, 'contact', 'Available');
});

test('a lamp changes under the keyboard without taking the focus away', async (t) => {
  const page = await signIn(t);
  await keep(page, 'Bob', 'bob');
  await page.waitForFunction(() => fake.agent.subscriptions.length > 0);
  await page.focus(id('contact-call'));
  await page.evaluate(() => fake.agent.subscriptions[0].notify('<state>confirmed</state>'));
  await see(page, 'contact', 'In a call');
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'contact-call');
});

test('who refuses to tell his state is not asked again', async (t) => {
  const page = await signIn(t);
  await keep(page, 'Bob', 'bob');
  await page.waitForFunction(() => fake.agent.subscriptions.length > 0);
  await page.evaluate(() => { for (const each of [...fake.agent.subscriptions]) each.refuse(); });
  await keep(page, 'Eve', 'eve');
  await page.waitForFunction(() => fake.agent.subscriptions.length > 3);
  const asked = await page.evaluate(() => fake.agent.subscriptions.map((each) => `${each.target} ${each.event}`));
  assert.deepEqual(asked, ['sip:bob@example.com dialog', 'sip:bob@example.com presence', 'sip:eve@example.com dialog', 'sip:eve@example.com presence']);
});

test('a lamp comes back when the server was started anew and has forgotten who watches', async (t) => {
  const page = await signIn(t);
  await keep(page, 'Bob', 'bob');
  await page.waitForFunction(() => fake.agent.subscriptions.length > 0);
  const tell = () => page.evaluate(() => fake.agent.subscriptions.findLast((each) => each.event === 'dialog').notify('<dialog-info><dialog id="1"><state>confirmed</state></dialog></dialog-info>'));
  await tell();
  await see(page, 'contact', 'In a call');
  await page.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() + 60_000;
    fake.agent.subscriptions[0].refuse();
  });
  await page.waitForFunction(() => fake.agent.subscriptions.length === 3);
  await tell();
  await see(page, 'contact', 'In a call');
});

test('the lamps are renewed when the line is back', async (t) => {
  const page = await signIn(t);
  await keep(page, 'Bob', 'bob');
  await page.waitForFunction(() => fake.agent.subscriptions.length > 0);
  const asked = () => page.evaluate(() => fake.agent.subscriptions[0].asked);
  assert.equal(await asked(), 1);
  await page.evaluate(() => { fake.agent.emit('disconnected', { error: true, retry_in: 9000 }); });
  await page.waitForFunction(() => document.querySelector('[data-testid=registration]').dataset.state === 'reconnecting');
  await page.evaluate(() => { fake.agent.emit('registered', {}); });
  await page.waitForFunction(() => fake.agent.subscriptions[0].asked === 2);
});

test('new voice messages are told of once a mailbox is set, with the way to hear them', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-settings'));
  await page.type(id('settings-voicemail'), '*97');
  await page.keyboard.press('Tab');
  await page.waitForFunction(() => fake.agent.subscriptions.some((each) => each.event === 'message-summary'));
  await page.evaluate(() => fake.agent.subscriptions.at(-1).notify('Messages-Waiting: yes\r\nVoice-Message: 3/1 (0/0)\r\n'));
  await see(page, 'notice', '3 new voice messages');
  await page.click(id('notice-voicemail-action'));
  await see(page, 'call-peer', '*97');
});

test('the number of the voicemail is that of one account: whoever signs in next has none until he sets his own', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-settings'));
  await page.type(id('settings-voicemail'), '*97');
  await page.keyboard.press('Tab');
  await page.evaluate(() => { location.hash = '#bob:word'; });
  await see(page, 'account', 'bob');
  await see(page, 'registration', 'Ready');
  const field = async () => {
    await page.click(id('tab-settings'));
    return page.$eval(id('settings-voicemail'), (each) => each.value);
  };
  assert.deepEqual([await field(), await page.evaluate(() => fake.agent.subscriptions.length)], ['', 0]);
  await page.evaluate(() => { location.hash = '#alice:secret'; });
  await see(page, 'account', 'alice');
  await page.waitForFunction(() => fake.agent.subscriptions.some((each) => each.event === 'message-summary'));
  assert.equal(await field(), '*97');
});

test('the time of a call is written as in the country of the user', async (t) => {
  for (const [languages, written] of [[['en-GB', 'en'], /^\d{1,2}:\d\d$/], [['de-DE', 'en-US'], / [AP]M$/]]) {
    const page = await signIn(t, { prepare: `Object.defineProperty(navigator, 'languages', { value: ${JSON.stringify(languages)} })` });
    await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com').emit('failed', { originator: 'remote', cause: 'Canceled' }); });
    await see(page, 'recents', 'carmen');
    assert.match(await page.$eval(`${id('recent')} time`, (time) => time.textContent), written);
  }
});

test('the number of missed calls outlives the page', async (t) => {
  const page = await signIn(t, { viewport: { width: 360, height: 740 } });
  await page.evaluate(() => { fake.agent.ring('sip:carmen@example.com').emit('failed', { originator: 'remote', cause: 'Canceled' }); });
  await see(page, 'badge-recents', '1');
  await page.reload();
  await see(page, 'badge-recents', '1');
});

test('the empty dial field brings back whom one called last, after a reload too', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.keyboard.press('Escape');
  await page.reload();
  await see(page, 'registration', 'Ready');
  await page.focus(id('dial-field'));
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#dial-field').value === 'bob');
});

test('an address that is secured stays so when it is brought back or picked from the list', async (t) => {
  const page = await signIn(t);
  await page.keyboard.type('sips:dora@example.com');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 1);
  await page.keyboard.press('Escape');
  await see(page, 'call-state', 'You');
  await page.keyboard.press('Escape');
  await page.focus(id('dial-field'));
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  const uris = () => page.evaluate(() => fake.agent.sessions.map((each) => each.remote_identity.uri));
  assert.deepEqual(await uris(), ['sips:dora@example.com', 'sips:dora@example.com']);
  await page.keyboard.press('Escape');
  await see(page, 'call-state', 'You');
  await page.evaluate(() => phone.callTyped('bob'));
  await page.waitForFunction(() => fake.agent.sessions.length === 3);
  await page.evaluate(() => { fake.agent.sessions[2].emit('accepted', {}); fake.agent.sessions[2].emit('confirmed', {}); });
  await see(page, 'call-state', 'In call');
  await page.click(id('call-add'));
  await page.click(id('add-person'));
  await page.click(id('add-go'));
  await page.waitForFunction(() => fake.agent.sessions.length === 4);
  assert.equal((await uris()).at(-1), 'sips:dora@example.com');
});

test('a link proposes a call, and only a press makes it', async (t) => {
  const page = await signIn(t, { query: '?call=tel:%2B34911234567' });
  await see(page, 'notice', 'A link wants to call tel:+34911234567.');
  assert.equal(new URL(page.url()).search, '');
  assert.equal(await page.evaluate(() => fake.agent.sessions.length), 0);
  await page.click(id('notice-link-action'));
  await see(page, 'call-peer', '+34911234567');
});

test('however long the address in a link is, all of it is read before the call', async (t) => {
  const page = await signIn(t, { query: `?call=sip:the.bank.example.${'x'.repeat(150)}@evil.example`, viewport: { width: 390, height: 780 } });
  await see(page, 'notice', '@evil.example');
  const [words, right] = await page.$eval(`${id('notice')} p`, (each) => [each.textContent, Math.max(...Array.from({ length: each.firstChild.firstChild.length }, (_, at) => { const range = document.createRange(); range.setStart(each.firstChild.firstChild, at); range.setEnd(each.firstChild.firstChild, at + 1); return range.getBoundingClientRect().right; }))]);
  assert.ok(words.includes('x'.repeat(150)) && right <= 390, `${words} ends at ${right}`);
});

test('a link that finds nobody signed in says what it wants, and proposes the call after that', async (t) => {
  const page = await open(t, { query: '?call=dora', viewport: { width: 390, height: 780 } });
  await see(page, 'notice', 'A link wants to call dora.');
  await gone(page, 'notice-link-action');
  await page.type(id('sign-in-user'), 'alice');
  await page.type(id('sign-in-password'), 'secret');
  await page.keyboard.press('Enter');
  await page.waitForSelector(id('notice-link-action'));
  await page.click(id('notice-link-action'));
  await see(page, 'call-peer', 'dora');
});

test('a link waits while a call is on its way, and is not lost', async (t) => {
  const page = await signIn(t);
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 1);
  await page.evaluate(() => { phone.linkTarget = 'dora'; phone.change.signal(); });
  await see(page, 'notice', 'A link wants to call dora.');
  await gone(page, 'notice-link-action');
  await page.click(id('call-hangup'));
  await page.click(id('notice-link-action'));
  await see(page, 'call-peer', 'dora');
});

/** The installed page is open, and a link leads to it: the browser brings it to the front and tells it the address. */
const launch = (page, where) => page.evaluate((path) => launchQueue.consumer({ targetURL: new URL(path, location.href).href }), where);

async function installed(t, more = {}) {
  const page = await signIn(t, { ...more, prepare: () => {
    Object.defineProperty(window, 'launchQueue', { value: {
      setConsumer(consumer) {
        this.consumer = consumer;
        consumer({ targetURL: location.href }); // What the page was opened with.
      },
    } });
  } });
  await page.waitForFunction(() => performance.now() > 3000);
  return page;
}

test('a link that leads to the installed page while it is open proposes its call, in a call too', async (t) => {
  const page = await installed(t);
  await launch(page, './?call=tel%3A%2B34911234567');
  await see(page, 'notice', 'A link wants to call tel:+34911234567.');
  await page.click(id('notice-link-close'));
  await talk(page);
  await launch(page, './?call=dora');
  await see(page, 'notice', 'A link wants to call dora.');
  await page.click(id('notice-link-action'));
  await see(page, 'call-peer', 'dora');
  await see(page, 'other-call', 'bob');
});

test('a link that signs in leads to the installed page while it is open, and only once to the one that it opened', async (t) => {
  const page = await installed(t);
  assert.equal(await page.evaluate(() => fake.agents), 1);
  await launch(page, './#bob:word');
  await see(page, 'account', 'bob');
});

test('a link that names nobody is told so in a call, too', async (t) => {
  const page = await signIn(t, { query: '?call=two%20words' });
  await talk(page);
  await page.click(id('notice-link-action'));
  await see(page, 'notice', 'This is not a name, a number or a SIP address.');
  await page.click(id('notice-dial-close'));
  await gone(page, 'notice');
});

test('a call that comes in is not given the blame for what was dialled before', async (t) => {
  const page = await signIn(t);
  await page.keyboard.type('two words');
  await page.keyboard.press('Enter');
  await see(page, 'dial-error', 'This is not a name');
  await page.evaluate(() => { fake.agent.ring('sip:bob@example.com', 'Bob'); });
  await see(page, 'call-peer', 'Bob');
  await gone(page, 'notice');
});

test('on a narrow screen a link that names nobody is told so where one looks', async (t) => {
  const page = await signIn(t, { query: '?call=two%20words', viewport: { width: 360, height: 740 } });
  await page.click(id('tab-messages'));
  await page.click(id('notice-link-action'));
  await see(page, 'dial-error', 'This is not a name');
});

for (const [screen, viewport] of [['wide', undefined], ['narrow', { width: 360, height: 740 }]]) {
  test(`on a ${screen} screen, who wants to call somebody while another call rings is told to settle that one first`, async (t) => {
    const page = await signIn(t, viewport && { viewport });
    await keep(page, 'Bob', 'bob');
    await page.evaluate(() => { fake.agent.ring('sip:dora@example.com', 'Dora'); });
    await see(page, 'call-state', 'Incoming call');
    await page.click(id('tab-contacts'));
    await page.click(id('contact-call'));
    await see(page, 'notice', 'Another call can be made once the one with Dora is answered or ended.');
    await see(page, 'call-state', 'Incoming call');
    await page.click(id('call-answer'));
    await gone(page, 'notice');
    await page.click(id('tab-contacts'));
    await page.click(id('contact-call'));
    await see(page, 'call-peer', 'Bob');
    await see(page, 'other-call', 'Dora');
  });
}

test('a second tab does not ring: it says where the phone is, takes it over on request, and hands links to it', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => sessionStorage.getItem('sipweb.account')).then((account) => page.evaluate((kept) => localStorage.setItem('sipweb.account', kept), account));
  const other = await anotherTab(page, '?call=dora');
  await see(other, 'other-tab', 'open in another tab');
  assert.equal(await other.evaluate(() => fake.agents), 0);
  await see(page, 'notice', 'A link wants to call dora.');
  await other.click(id('use-here'));
  await see(other, 'registration', 'Ready');
  await see(page, 'other-tab', 'open in another tab');
  assert.equal(await page.evaluate(() => fake.agent.stopped), true);
  await other.close();
  await see(page, 'registration', 'Ready');
});

test('a tab whose sign-in was refused is not taken for the phone', async (t) => {
  const page = await open(t);
  await page.evaluate(() => { fake.onstart = (agent) => queueMicrotask(() => agent.emit('registrationFailed', { cause: 'Authentication Error', response: { status_code: 401 } })); });
  const enter = async (tab, password) => {
    await tab.type(id('sign-in-user'), 'alice');
    await tab.type(id('sign-in-password'), password);
    await tab.keyboard.press('Enter');
  };
  await enter(page, 'wrong');
  await see(page, 'sign-in-error', 'User name or password is wrong.');
  const other = await anotherTab(page);
  await enter(other, 'secret');
  await see(other, 'registration', 'Ready');
});

test('the number on the icon is that of the tab that is the phone', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => localStorage.setItem('sipweb.account', sessionStorage.getItem('sipweb.account')));
  const other = await anotherTab(page);
  await see(other, 'other-tab', 'open in another tab');
  await other.evaluate(() => {
    window.badges = 0;
    navigator.clearAppBadge = async () => { window.badges += 1; };
    phone.change.signal();
  });
  assert.equal(await other.evaluate(() => badges), 0);
});

test('a tab with a call does not give the phone away', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.evaluate(() => localStorage.setItem('sipweb.account', sessionStorage.getItem('sipweb.account')));
  const other = await anotherTab(page);
  await other.click(id('use-here'));
  await see(other, 'other-tab-busy', 'There is a call in the other tab');
  await page.bringToFront();
  await see(page, 'call-state', 'In call');
});
