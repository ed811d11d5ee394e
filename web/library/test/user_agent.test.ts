/** The user agent: connection, registration, settings, what it tells the core. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page, request, response, sdp, settle } from './support/page.ts';
import { UA } from './support/library.ts';

const OK = () => response(200, 'OK', { method: 'REGISTER' });

function diaryOf(page: Page): string[] {
  const diary: string[] = [];
  for (const name of ['connecting', 'connected', 'disconnected', 'registered', 'unregistered', 'registrationFailed'] as const) {
    page.ua.on(name, (event: any) => {
      diary.push([name, event.cause, event.attempts].filter((word) => word !== undefined && word !== null).join(' '));
    });
  }
  return diary;
}

test('Start connects and registers', () => {
  const page = new Page();
  const diary = diaryOf(page);
  page.connect();
  assert.deepEqual(diary, ['connecting 0', 'connected']);
  assert.equal(page.core.told('register').length, 1);
  assert.deepEqual(page.core.told('connected'), [['WS', 0]]);
  assert.equal(page.ua.status, UA.C.STATUS_READY);
  page.core.fire({ type: 'registered', response: OK(), first: true, expires: 600, pubGruu: '', tempGruu: '' });
  assert.equal(diary.at(-1), 'registered');
  assert.equal(page.ua.isRegistered(), true);
});

test('With register: false nothing is registered until the page asks', () => {
  const page = new Page({ register: false }).connect();
  assert.equal(page.core.told('register').length, 0);
  page.ua.register();
  assert.equal(page.core.told('register').length, 1);
});

test('Refreshes are not told as registrations', () => {
  const page = new Page().connect();
  const diary = diaryOf(page);
  page.core.fire({ type: 'registered', response: OK(), first: true, expires: 600, pubGruu: '', tempGruu: '' });
  page.core.fire({ type: 'registered', response: OK(), first: false, expires: 600, pubGruu: '', tempGruu: '' });
  assert.deepEqual(diary, ['registered']);
});

test('A wrong password: registrationFailed with the response', () => {
  const page = new Page().connect();
  let seen: any;
  page.ua.on('registrationFailed', (event) => { seen = event; });
  page.core.fire({
    type: 'registrationFailed', response: response(403, 'Forbidden', { method: 'REGISTER' }), cause: 'Rejected', retryIn: null,
  });
  assert.equal(seen.cause, 'Rejected');
  assert.equal(seen.response.status_code, 403);
  assert.equal(page.ua.isRegistered(), false);
});

test('A lost connection: disconnected, unregistered, back by itself, registered again', async () => {
  const page = new Page().connect();
  page.core.fire({ type: 'registered', response: OK(), first: true, expires: 600, pubGruu: '', tempGruu: '' });
  const diary = diaryOf(page);
  page.core.disconnected = () => {
    page.core.fire({ type: 'unregistered', response: null, cause: null });
  };
  page.socket.ondisconnect?.(true, 1006, 'gone');
  assert.deepEqual(diary, ['disconnected', 'unregistered']);
  assert.equal(page.ua.status, UA.C.STATUS_NOT_READY);
  assert.equal(page.ua.isRegistered(), false);
  await page.clock.advance(4_000);
  page.socket.onconnect?.();
  assert.deepEqual(diary.slice(2), ['connecting 1', 'connected']);
  assert.equal(page.ua.status, UA.C.STATUS_READY);
});

test('A call survives a lost connection', async () => {
  const page = new Page().connect();
  await page.establish();
  page.socket.ondisconnect?.(true, 1006, 'gone');
  await page.clock.advance(4_000);
  page.socket.onconnect?.();
  assert.equal(page.session?.isEstablished(), true);
  assert.equal(page.session?.hold(), true);
});

test('A media path that broke with the network is repaired when signalling is back', async () => {
  const page = new Page().connect();
  await page.establish();
  page.socket.ondisconnect?.(true, 1006, 'gone');
  page.connection.ice('failed');
  await settle();
  assert.equal(page.core.told('reinvite').length, 0);
  await page.clock.advance(4_000);
  page.socket.onconnect?.();
  await settle();
  assert.equal(page.core.told('reinvite').length, 1);
});

test('Stop takes the registration back, ends the calls, and closes after 2 s at most', async () => {
  const page = new Page().connect();
  page.core.fire({ type: 'registered', response: OK(), first: true, expires: 600, pubGruu: '', tempGruu: '' });
  await page.establish();
  const diary = diaryOf(page);
  page.ua.stop();
  assert.equal(page.core.told('unregister').length, 1);
  assert.equal(page.core.told('bye').length, 1);
  assert.equal(page.ua.status, UA.C.STATUS_USER_CLOSED);
  assert.deepEqual(diary, []);
  await page.clock.advance(2_000);
  assert.deepEqual(diary, ['disconnected']);
  await page.clock.advance(60_000);
  assert.equal(page.socket.attempts, 1);
});

test('Stop with nothing to say closes at once, and start works again', async () => {
  const page = new Page({ register: false }).connect();
  page.ua.stop();
  assert.equal(page.ua.isConnected(), false);
  page.ua.start();
  page.socket.onconnect?.();
  assert.equal(page.ua.isConnected(), true);
  assert.equal(page.ua.status, UA.C.STATUS_READY);
});

test('Start during the good-bye keeps the connection', async () => {
  const page = new Page().connect();
  await page.establish();
  page.ua.stop();
  page.ua.start();
  await page.clock.advance(5_000);
  assert.equal(page.ua.isConnected(), true);
  assert.equal(page.ua.status, UA.C.STATUS_READY);
  assert.equal(page.core.told('register').length, 2);
});

test('A page that goes away says good-bye without waiting; one that is only frozen does not', async () => {
  const page = new Page().connect();
  await page.establish();
  page.events.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true }));
  assert.equal(page.core.told('bye').length, 0);
  page.events.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }));
  assert.equal(page.core.told('bye').length, 1);
});

test('The core is told what the page listens to, before a message is handed to it', () => {
  const page = new Page().connect();
  page.ua.on('newMessage', () => {});
  page.ua.on('registrationExpiring', () => {});
  page.socket.ondata?.('MESSAGE ...');
  const names = page.core.commands.map((command) => command.name);
  assert.deepEqual(names.slice(-2), ['configure', 'receive']);
  assert.deepEqual(page.core.told('configure').at(-1)?.[0], {
    listens: { calls: true, messages: true, options: false, subscriptions: false, refers: false }, refreshesRegistration: false,
  });
});

test('Messages of the core go to the connection', () => {
  const page = new Page().connect();
  page.core.host.send('REGISTER ...', 0);
  assert.deepEqual(page.socket.sent, ['REGISTER ...']);
});

test('Parameters that may change are changed in the core; others are not', () => {
  const page = new Page().connect();
  assert.equal(page.ua.set('display_name', 'Alice'), true);
  assert.equal(page.core.told('configure').at(-1)?.[0].displayName, 'Alice');
  assert.equal(page.ua.get('display_name'), 'Alice');
  assert.equal(page.ua.set('uri', 'sip:mallory@example.com'), false);
  assert.equal(page.ua.get('password'), undefined);
  assert.equal(page.ua.set('ha1', '00112233445566778899aabbccddeeff'), true);
  assert.equal(page.core.told('configure').at(-1)?.[0].password, null);
});

test('Headers and Contact parameters of REGISTER', () => {
  const page = new Page();
  page.ua.registrator().setExtraHeaders(['X-One: 1']);
  page.ua.registrator().setExtraContactParams({ q: 0.5, flag: null });
  assert.deepEqual(page.core.told('configure'), [[{ registerExtraHeaders: ['X-One: 1'] }], [{ registerContactParameters: ';q=0.5;flag' }]]);
});

test('Headers and Contact parameters of REGISTER that cannot be written are refused where they are given', () => {
  const page = new Page();
  const registrator = page.ua.registrator();
  for (const line of ['no colon', 'X One: 1', ': 1', 'X(1): 1', 'X-One: 1\r\nX-Two: 2', 'X-One: \0', 7]) {
    assert.throws(() => registrator.setExtraHeaders(['X-Good: 1', line as string]), { name: 'TypeError', message: /^Invalid header: / }, String(line));
  }
  for (const [name, value] of [['a b', 1], ['a', '1\r\nX: 2'], ['a', '1,<sip:mallory@example.com>'], ['a', 'two words'], ['a', '"open']] as const) {
    assert.throws(() => registrator.setExtraContactParams({ [name]: value }), { name: 'TypeError', message: /^Invalid Contact parameter: / }, String(value));
  }
  assert.deepEqual(page.core.told('configure'), []);
  registrator.setExtraContactParams({ methods: '"INVITE, BYE"', q: '0.5', audio: '', video: false, automata: true });
  assert.deepEqual(page.core.told('configure'), [[{ registerContactParameters: ';methods="INVITE, BYE";q=0.5;audio;video;automata=true' }]]);
});

test('The contact shows the GRUU that the registrar gave', () => {
  const page = new Page({ contact_uri: 'sip:me@here.invalid;transport=ws' }).connect();
  assert.equal(page.ua.contact.toString(), '<sip:me@here.invalid;transport=ws>');
  page.core.pubGruu = 'sip:alice@example.com;gr=urn:uuid:1';
  page.core.tempGruu = 'sip:t@example.com;gr';
  assert.equal(page.ua.contact.toString(), '<sip:alice@example.com;gr=urn:uuid:1>');
  assert.equal(page.ua.contact.toString({ anonymous: true, outbound: true }), '<sip:t@example.com;gr;ob>');
});

test('The core gets the configuration', () => {
  const page = new Page({
    uri: 'alice@example.com:5080', display_name: 0, instance_id: 'uuid:8f1fa16a-1165-4a96-8341-785b1ef24f12', register_expires: 0,
    no_answer_timeout: 30, use_preloaded_route: true, session_timers_refresh_method: 'invite', extra_headers: ['X-All: 1'],
  });
  const { config } = page.core;
  assert.equal(config.uri, 'sip:alice@example.com:5080');
  assert.equal(config.registrarServer, 'sip:example.com:5080');
  assert.equal(config.displayName, '0');
  assert.equal(config.instanceId, '8f1fa16a-1165-4a96-8341-785b1ef24f12');
  assert.equal(config.registerExpires, 0);
  assert.equal(config.noAnswerTimeout, 30);
  assert.equal(config.preloadedRoute, 'sip:server.example;transport=ws;lr');
  assert.equal(config.sessionTimersRefreshMethod, 'INVITE');
  assert.deepEqual(config.extraHeaders, ['X-All: 1']);
  assert.match(config.viaHost ?? '', /^[0-9a-v]{12}\.invalid$/);
  assert.equal(config.contactUri?.endsWith(`@${config.viaHost};transport=ws`), true);
});

test('A text message: succeeded or failed, with the response', async () => {
  const page = new Page().connect();
  const told: string[] = [];
  const eventHandlers = {
    succeeded: (event: any) => told.push(`succeeded ${event.response.status_code}`),
    failed: (event: any) => told.push(`failed ${event.originator} ${event.cause}`),
  };
  page.ua.on('newMessage', ({ originator, message }) => told.push(`newMessage ${originator} ${message.remote_identity?.uri}`));
  page.ua.sendMessage('bob', 'hello', { eventHandlers, extraHeaders: ['X-One: 1'] });
  assert.deepEqual(page.core.told('request')[0], [
    'MESSAGE', 'sip:bob@example.com', { extraHeaders: ['X-One: 1'], body: 'hello', contentType: 'text/plain' },
  ]);
  page.respond(1, 200, 'OK', '', 'MESSAGE');
  page.ua.sendMessage('bob', '<b>', { eventHandlers, contentType: 'text/html' });
  page.respond(2, 404, 'Not Found', '', 'MESSAGE');
  page.ua.sendMessage('bob', 'lost', { eventHandlers });
  page.core.fire({ type: 'requestFailed', number: 3, call: null, cause: 'Request Timeout' });
  const announced = told.filter((line) => line.startsWith('newMessage'));
  assert.deepEqual(announced, Array(3).fill('newMessage local sip:bob@example.com'));
  assert.deepEqual(told.filter((line) => !line.startsWith('newMessage')), [
    'succeeded 200', 'failed remote Not Found', 'failed system Request Timeout',
  ]);
});

test('A received message is answered 200 unless the page answers in the event', () => {
  const page = new Page().connect();
  let text = '';
  page.ua.on('newMessage', ({ request: received }) => { text = (received as any).body; });
  const message = request('MESSAGE', { body: 'hi', type: 'text/plain' });
  page.core.fire({ type: 'incomingRequest', transaction: 4, method: 'MESSAGE', request: message });
  assert.equal(text, 'hi');
  assert.deepEqual(page.core.told('respond')[0], [4, 200, { extraHeaders: [], reason: 'OK' }]);
});

test('A received message can be refused, and a body of the answer has its own type', () => {
  const page = new Page().connect();
  page.ua.on('newMessage', ({ message }) => {
    message.reject({ status_code: 603, extraHeaders: ['Content-Type: text/html'], body: '<p>no' });
    assert.throws(() => message.accept());
  });
  page.core.fire({ type: 'incomingRequest', transaction: 4, method: 'MESSAGE', request: request('MESSAGE') });
  assert.deepEqual(page.core.told('respond'), [
    [4, 603, { extraHeaders: [], body: '<p>no', contentType: 'text/html', reason: 'Decline' }],
  ]);
});

test('OPTIONS goes both ways', () => {
  const page = new Page().connect();
  page.ua.on('newOptions', () => {});
  page.ua.sendOptions('bob', sdp());
  assert.equal(page.core.told('request')[0]?.[2].contentType, 'application/sdp');
  page.core.fire({ type: 'incomingRequest', transaction: 5, method: 'OPTIONS', request: request('OPTIONS') });
  assert.deepEqual(page.core.told('respond')[0]?.slice(0, 2), [5, 200]);
});

test('A NOTIFY outside calls is told', () => {
  const page = new Page().connect();
  let event: any;
  page.ua.on('sipEvent', (given) => { event = given.event; });
  page.core.fire({ type: 'notify', request: request('NOTIFY', { headers: ['Event: Message-Summary;id=2'] }) });
  assert.deepEqual(event, { event: 'message-summary', params: { id: '2' } });
});
