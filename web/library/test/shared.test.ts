/** Many tabs, one phone: user agents of several tabs over one connection in a worker. Needs the WebAssembly module. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, settle } from './support/clock.ts';
import { all, one } from './support/far_end.ts';
import { options } from './support/scene.ts';
import { Browser, TabOf } from './support/tabs.ts';
import { sdp } from './support/webrtc.ts';

/** Lets time pass and grants every REGISTER. Returns how many came. */
async function refreshes(browser: Browser, seconds: number): Promise<number> {
  let count = 0;
  for (let passed = 0; passed < seconds; passed += 10) {
    await browser.clock.advance(10_000);
    while (await browser.grant()) {
      count += 1;
    }
  }
  return count;
}

async function two(): Promise<[Browser, TabOf, TabOf]> {
  const browser = new Browser();
  const [first, second] = [await browser.tab(), await browser.tab()];
  first.news();
  second.news();
  browser.sent();
  return [browser, first, second];
}

test('Two tabs share one connection and one registration', options, async () => {
  const browser = new Browser();
  const first = await browser.tab();
  assert.deepEqual(first.news(), ['connected', 'registered']);
  const second = await browser.tab();
  assert.deepEqual(second.news(), ['connected', 'registered']);
  assert.equal(browser.connections, 1);
  assert.deepEqual(browser.sent(), [], 'the second registration reached the server');
  assert.equal(second.ua.contact.pub_gruu, 'sip:alice@example.com;gr=urn:uuid:1');
});

test('What is no socket is refused as a UA refuses it', options, () => {
  for (const sockets of [{}, [{}], ['wss://far.example'], [], null]) {
    assert.throws(() => new TabOf(new Clock(), () => assert.fail('no worker is asked for'), { sockets }), { name: 'CONFIGURATION_ERROR' }, JSON.stringify(sockets));
  }
});

test('The registration is kept alive once, by whichever tab is first', options, async () => {
  const [browser, first, second] = await two();
  const alone = new Browser();
  await alone.tab();
  // When a tab refreshes is drawn by lot, so few say nothing: in five hours two tabs on their own would make twice as many.
  const [ofTwo, ofOne] = [await refreshes(browser, 18_000), await refreshes(alone, 18_000)];
  assert.ok(ofTwo < 1.5 * ofOne, `${ofTwo} refreshes of two tabs, ${ofOne} of one`);
  assert.deepEqual([first.ua.isRegistered(), second.ua.isRegistered()], [true, true]);
  await first.close();
  assert.ok(await refreshes(browser, 600) >= 1, 'nobody refreshes after the first tab has gone');
  assert.deepEqual([first.news(), second.news()], [[], []]);
});

test('A call rings in all tabs, to the caller as one phone; one answers, and the others are told "elsewhere" without a word to anybody', options, async () => {
  const [browser, first, second] = await two();
  await browser.ring(first);
  assert.deepEqual([first.news(), second.news()], [['remote call'], ['remote call']]);
  assert.deepEqual(browser.sent(), ['100 Trying', '180 Ringing']);
  await second.answer();
  const ok = browser.answer();
  assert.deepEqual(first.news(), ['failed remote Canceled']);
  assert.match(first.ended.message.getHeader('Reason'), /^SIP;cause=200;text="Call completed elsewhere"$/);
  assert.deepEqual(browser.sent(), []);
  await browser.ask(second, 'ACK', ok);
  assert.deepEqual(second.news(), ['accepted local', 'confirmed remote']);
  await browser.ask(second, 'BYE', ok, 2);
  assert.deepEqual(second.news(), ['ended remote Terminated']);
  assert.deepEqual(browser.sent(), ['200 OK']);
});

test('Two tabs answer in the same moment: the first has the call, the second is told, the caller hears of one answer', options, async () => {
  const [browser, first, second] = await two();
  await browser.ring(first);
  browser.sent();
  first.session.answer({ mediaConstraints: { audio: true } });
  second.session.answer({ mediaConstraints: { audio: true } });
  await settle();
  assert.equal(browser.far.inbox.filter(({ start }) => start === 'SIP/2.0 200 OK').length, 1);
  const winner = first.session.isEnded() ? second : first;
  const loser = winner === first ? second : first;
  assert.equal(loser.session.isEnded(), true);
  await browser.ask(winner, 'ACK', browser.answer());
  assert.equal(winner.session.isEstablished(), true);
  await browser.clock.advance(60_000);
  assert.equal(winner.session.isEstablished(), true);
  assert.deepEqual(browser.sent().filter((line) => line !== 'REGISTER'), []);
});

test('Declined in one tab, a call rings in none', options, async () => {
  const [browser, first, second] = await two();
  await browser.ring(first);
  browser.sent();
  first.session.terminate({ status_code: 486 });
  await settle();
  assert.deepEqual(browser.sent(), ['486 Busy Here']);
  assert.match(second.ended.message.getHeader('Reason'), /cause=486/);
});

test('A tab that cannot take a call leaves it to the others', options, async () => {
  const [browser, first, second] = await two();
  first.ua.removeAllListeners('newRTCSession');
  await browser.ring(first);
  assert.deepEqual(browser.sent(), ['100 Trying', '180 Ringing']);
  await second.answer();
  assert.deepEqual(browser.sent(), ['200 OK']);
});

test('Where no tab can take it, the caller hears that once', options, async () => {
  const [browser, first, second] = await two();
  first.ua.removeAllListeners('newRTCSession');
  second.ua.removeAllListeners('newRTCSession');
  await browser.ring(first);
  assert.deepEqual(browser.sent().filter((line) => !line.startsWith('100')), ['405 Method Not Allowed']);
});

test('The caller gives up: every tab stops ringing, the caller hears one end', options, async () => {
  const [browser, first, second] = await two();
  await browser.ring(first);
  const via = one(browser.far.take('INVITE'), 'Via');
  browser.sent();
  browser.far.say([
    `CANCEL ${first.contact} SIP/2.0`, `Via: ${via}`, 'From: <sip:bob@example.com>;tag=bobs', 'To: <sip:alice@example.com>',
    'Call-ID: theirs@far', 'CSeq: 1 CANCEL',
  ]);
  await settle();
  assert.deepEqual([first.news().at(-1), second.news().at(-1)], ['failed remote Canceled', 'failed remote Canceled']);
  assert.deepEqual(browser.sent(), ['200 OK', '487 Request Terminated']);
});

test('Each tab calls for itself; answers find the tab that asked', options, async () => {
  const [browser, first, second] = await two();
  second.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  const invite = browser.far.take('INVITE');
  browser.far.respond(invite, 200, 'OK', ['Contact: <sip:bob@far.example>'], sdp(), 'bobs');
  await settle();
  assert.ok(browser.far.take('ACK'));
  assert.deepEqual([first.news(), second.news()], [[], ['local call', 'accepted remote', 'confirmed local']]);
});

test('A tab that is closed ends its call; the other tab stays registered', options, async () => {
  const [browser, first, second] = await two();
  await browser.ring(first);
  await second.answer();
  const ok = browser.answer();
  await browser.ask(second, 'ACK', ok);
  browser.sent();
  await second.close();
  assert.deepEqual(browser.sent(), ['BYE']);
  assert.equal(first.ua.isRegistered(), true);
});

for (const [how, begin] of [
  ['answered', async (browser: Browser, tab: TabOf) => {
    await browser.ring(tab);
    await tab.answer();
    await browser.ask(tab, 'ACK', browser.answer());
  }],
  ['made', async (browser: Browser, tab: TabOf) => {
    tab.ua.call('bob', { mediaConstraints: { audio: true } });
    await settle();
    browser.far.respond(browser.far.take('INVITE'), 200, 'OK', ['Contact: <sip:bob@far.example;transport=ws>', 'Record-Route: <sip:edge.example;lr>'], sdp(), 'bobs');
    await settle();
  }],
] as const) {
  test(`A tab that crashes ends the call that it ${how}: the worker says BYE for it, by the route of the call`, options, async () => {
    const [browser, , second] = await two();
    await begin(browser, second);
    browser.far.inbox.length = 0;
    await second.crash();
    const bye = browser.far.take('BYE');
    assert.equal(bye.start, 'BYE sip:bob@far.example;transport=ws SIP/2.0');
    assert.equal(one(bye, 'Route'), '<sip:edge.example;lr>');
    assert.match(one(bye, 'To'), /tag=bobs$/);
    browser.far.respond(bye, 200, 'OK');
    assert.deepEqual(browser.sent(), []);
  });
}

test('A tab that crashes while it calls: CANCEL once that may be sent; an answer that came all the same is hung up', options, async () => {
  const [browser, first, second] = await two();
  second.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  const invite = browser.far.take('INVITE');
  await second.crash();
  assert.deepEqual(browser.sent(), [], 'RFC 3261 §9.1: nothing was heard yet');
  browser.far.respond(invite, 180, 'Ringing', [], '', 'bobs');
  assert.equal(one(browser.far.take('CANCEL'), 'Via'), one(invite, 'Via'));
  browser.far.respond(invite, 200, 'OK', ['Contact: <sip:bob@far.example>'], sdp(), 'bobs');
  assert.deepEqual(browser.sent(), ['ACK', 'BYE']);
  assert.deepEqual(first.news(), []);
});

test('A tab that crashes while it rings is not waited for', options, async () => {
  const [browser, first, second] = await two();
  await browser.ring(first);
  await first.crash();
  browser.sent();
  await second.close();
  assert.deepEqual(browser.sent(), ['480 Temporarily Unavailable', 'REGISTER']);
});

test('The last tab takes the registration with it, and then the connection', options, async () => {
  const [browser, first, second] = await two();
  await first.close();
  assert.deepEqual(browser.sent(), []);
  await second.close();
  const register = browser.far.take('REGISTER');
  assert.match(one(register, 'Contact'), /sip:phone@this\.invalid.*;expires=0$/);
  assert.deepEqual(all(register, 'Expires').filter((value) => value !== '0'), []);
  browser.far.respond(register, 200, 'OK');
  await browser.clock.advance(3000);
  assert.equal(browser.far.send('anything'), false, 'the connection is still there');
});

test('stop() in one tab leaves the others registered; in the last one it takes the registration back', options, async () => {
  const [browser, first, second] = await two();
  void first.ua.stop();
  await browser.clock.advance(2500);
  assert.deepEqual(first.news(), ['unregistered', 'disconnected']);
  assert.deepEqual(browser.sent(), []);
  await browser.ring(second);
  assert.deepEqual([first.news(), second.news()], [[], ['remote call']]);
  second.session.terminate();
  await settle();
  browser.sent();
  void second.ua.stop();
  await settle();
  assert.ok(await browser.grant());
  await browser.clock.advance(5000);
  assert.equal(second.news().at(-1), 'disconnected');
});

test('A call outlives a break of the connection, in the tab that has it', options, async () => {
  const [browser, first, second] = await two();
  await browser.ring(first);
  await second.answer();
  const ok = browser.answer();
  await browser.ask(second, 'ACK', ok);
  browser.far.drop();
  await settle();
  assert.equal(second.news().includes('disconnected'), true);
  await browser.clock.advance(5000);
  await browser.grant();
  await browser.grant();
  assert.equal(browser.connections, 2);
  assert.equal(second.session.isEstablished(), true);
  browser.sent();
  await browser.ask(second, 'BYE', ok, 2);
  assert.deepEqual(browser.sent(), ['200 OK']);
  assert.equal(second.session.isEnded(), true);
});

test('A tab that goes while the connection is broken: its call is ended as soon as there is another', options, async () => {
  const [browser, first, second] = await two();
  await browser.ring(first);
  await second.answer();
  await browser.ask(second, 'ACK', browser.answer());
  browser.far.drop();
  await settle();
  await second.crash();
  browser.sent();
  await browser.clock.advance(5000);
  assert.deepEqual(browser.sent(), ['BYE', 'REGISTER']);
  assert.equal(first.ua.isConnected(), true);
});

test('A worker that dies without a word: the tabs connect and register over another, and their calls go on', options, async () => {
  const [browser, first, second] = await two();
  const told: any[] = [];
  first.ua.on('disconnected', (event) => told.push(event));
  await browser.ring(first);
  await second.answer();
  const ok = browser.answer();
  await browser.ask(second, 'ACK', ok);
  second.news();
  await browser.killWorker();
  assert.deepEqual([told[0].error, told[0].reason], [true, 'the shared worker is gone']);
  assert.deepEqual(second.news(), ['disconnected', 'unregistered']);
  browser.sent();
  await browser.clock.advance(3000);
  await browser.grant();
  await browser.clock.advance(3000);
  await browser.grant();
  assert.equal(browser.connections, 2);
  assert.deepEqual([first.ua.isRegistered(), second.ua.isRegistered()], [true, true]);
  assert.equal(second.session.isEstablished(), true);
  browser.sent();
  // The new worker has never heard of that call.
  await browser.ask(second, 'BYE', ok, 2);
  assert.deepEqual(browser.sent(), ['200 OK']);
  assert.equal(second.session.isEnded(), true);
});

test('After the death of a worker a re-INVITE is taken back: its CANCEL is answered, and so is the re-INVITE', options, async () => {
  const [browser, , second] = await two();
  await browser.ring(second);
  await second.answer();
  const ok = browser.answer();
  await browser.ask(second, 'ACK', ok);
  await browser.killWorker();
  await browser.clock.advance(3000);
  await browser.grant();
  await browser.clock.advance(3000);
  await browser.grant();
  browser.sent();
  for (const method of ['INVITE', 'CANCEL']) {
    const body = method === 'INVITE' ? sdp('sendonly') : '';
    browser.far.say([
      `${method} ${second.contact} SIP/2.0`, 'Via: SIP/2.0/WS far.example;branch=z9hG4bKwithdrawn', 'Max-Forwards: 70',
      'From: <sip:bob@example.com>;tag=bobs', `To: ${one(ok, 'To')}`, 'Call-ID: theirs@far', `CSeq: 2 ${method}`,
      'Contact: <sip:bob@far.example;transport=ws>',
    ], body);
  }
  await settle();
  const answers = browser.far.inbox.map(({ start, method }) => `${start.slice(8)} to ${method}`);
  assert.ok(answers.includes('200 OK to CANCEL'), answers.join(', '));
  assert.ok(answers.includes('487 Request Terminated to INVITE'), answers.join(', '));
  assert.equal(second.session.isEstablished(), true);
});

test('A message reaches every tab, and is answered once', options, async () => {
  const [browser, first, second] = await two();
  browser.far.ask('MESSAGE', first.contact, [
    'From: <sip:bob@example.com>;tag=m', 'To: <sip:alice@example.com>', 'Call-ID: m@far', 'CSeq: 1 MESSAGE', 'Content-Type: text/plain',
  ], '¿Comemos?');
  await settle();
  assert.deepEqual([first.messages, second.messages], [['¿Comemos?'], ['¿Comemos?']]);
  assert.deepEqual(browser.sent(), ['200 OK']);
});

test('A tab that is not registered is not rung; what belongs to no tab is refused', options, async () => {
  const browser = new Browser();
  const tab = await browser.tab({ register: false });
  await browser.ring(tab);
  assert.deepEqual(browser.sent(), ['480 Temporarily Unavailable']);
  browser.far.ask('BYE', tab.contact, ['From: <sip:bob@example.com>;tag=b', 'To: <sip:alice@example.com>;tag=nobody', 'Call-ID: x', 'CSeq: 2 BYE']);
  await settle();
  assert.deepEqual(browser.sent(), ['481 Call/Transaction Does Not Exist']);
});

test('A connection that does not open is given up for all tabs by the first that has waited long enough', options, async () => {
  const [browser, first, second] = await two();
  browser.far.connect = () => undefined; // Neither opened nor refused: packets are lost.
  const before = browser.connections;
  browser.far.drop();
  await browser.clock.advance(10_000);
  assert.equal(browser.connections, before + 1);
  await browser.clock.advance(20_000);
  assert.ok(browser.connections > before + 1, 'the tabs keep each other waiting for the same socket');
  void Promise.all([first.ua.stop(), second.ua.stop()]);
});

test('A tab is rung also where a server on the way has rewritten its address, or the registrar tells no contacts', options, async () => {
  for (const contacts of [['Contact: <sip:phone@192.0.2.7:4711;transport=ws;alias=1>;+sip.instance="<urn:uuid:8f1fa16a-1165-4a96-8341-785b1ef24f12>";expires=600'], []]) {
    const browser = new Browser();
    browser.grant = async () => {
      browser.far.respond(browser.far.take('REGISTER'), 200, 'OK', contacts);
      await settle();
      return undefined;
    };
    const tab = await browser.tab();
    assert.equal(tab.ua.isRegistered(), true);
    await browser.ring(tab);
    assert.ok(tab.news().includes('remote call'), String(contacts));
  }
});

test('A worker that cannot be loaded is said at once, in words that help, and tried again', options, async () => {
  const workers: any[] = [];
  (globalThis as any).SharedWorker = class {
    port = { postMessage: () => undefined, onmessage: null };
    onerror: any;
    constructor(readonly address: string) {
      workers.push(this);
    }
  };
  try {
    const clock = new Clock();
    const tab = new TabOf(clock, () => undefined, { worker: '/elsewhere/sipweb-worker.js' });
    const told: any[] = [];
    tab.ua.on('disconnected', (event) => told.push(event));
    void tab.ua.start();
    await settle();
    assert.equal(String(workers[0].address), '/elsewhere/sipweb-worker.js');
    workers[0].onerror(new Event('error'));
    assert.match(told[0].reason, /sipweb-worker\.js/);
    await clock.advance(5000);
    assert.equal(workers.length, 2);
    void tab.ua.stop();
  } finally {
    delete (globalThis as any).SharedWorker;
  }
});
