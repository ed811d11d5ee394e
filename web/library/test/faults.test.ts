/**
 * The faults that JsSIP and SIP.js are known for, one test each, over the real core. What other files of this folder show already
 * (glare, refused holds, forks that answer twice, ICE that never ends, SHA-256 ..) is not repeated here.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from './support/clock.ts';
import { type Sip, all, one } from './support/far_end.ts';
import { CONTACT, Scene, contactOf, library, options } from './support/scene.ts';
import { FakePeerConnection, FakeDevices, sdp } from './support/webrtc.ts';

const AUDIO = { mediaConstraints: { audio: true, video: false } };
const challenge = (realm: string, name = 'WWW-Authenticate') => [`${name}: Digest realm="${realm}", nonce="n-${realm}", qop="auth", algorithm=MD5`];

/** Registered, with a public GRUU. */
async function registered(configuration: Record<string, unknown> = {}): Promise<Scene> {
  const scene = await new Scene({ register: true, ...configuration }).start();
  grant(scene, scene.far.take('REGISTER'));
  scene.news();
  return scene;
}

function grant(scene: Scene, register: Sip): void {
  const gruu = 'pub-gruu="sip:alice@example.com;gr=urn:uuid:ABC"';
  scene.far.respond(register, 200, 'OK', [`Contact: ${one(register, 'Contact')};expires=600;${gruu}`]);
}

/** Lines of a request of bob's inside the call that `invite` began. */
function inside(invite: Sip, method: string, cseq = 1): string[] {
  return [
    `From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, `CSeq: ${cseq} ${method}`,
  ];
}

test('JsSIP: a GRUU that the server writes in other letters is refused with 404', options, async () => {
  const scene = await registered();
  const lines = ['From: <sip:bob@example.com>;tag=b', 'To: <sip:alice@example.com>', 'CSeq: 1 INVITE', CONTACT];
  scene.far.ask('INVITE', 'sip:alice@EXAMPLE.com;gr=urn:uuid:abc', [...lines, 'Call-ID: one@far'], sdp());
  assert.equal(scene.far.take('INVITE').start, 'SIP/2.0 100 Trying');
  assert.equal(scene.session.direction, 'incoming');
});

test('JsSIP: one odd address drops the whole message (raw # in a user, a host that begins with a digit)', options, async () => {
  const scene = await new Scene().start();
  const odd = 'sip:*67#123@0d1f2a.internal';
  scene.far.ask('INVITE', contactOf(scene.ua), [
    `From: <${odd}>;tag=b`, 'To: <sip:alice@example.com>', 'Call-ID: odd@far', 'CSeq: 1 INVITE', `Contact: <${odd}>`,
  ], sdp());
  assert.equal(scene.session.remote_identity.uri.user, '*67#123');
  assert.equal(scene.session.remote_identity.uri.host, '0d1f2a.internal');
});

test('JsSIP: compact forms of Supported and Subject are not found by their long names', options, () => {
  const message = library!.parseMessage([
    'OPTIONS sip:a@b SIP/2.0', 'v: SIP/2.0/WS a;branch=z9hG4bK1', 'Max-Forwards: 1', 'f: <sip:a@b>;tag=1', 't: <sip:a@b>', 'i: 1', 'CSeq: 1 OPTIONS',
    'k: 100rel, timer', 's: hello', 'l: 0', '', '',
  ].join('\r\n'));
  assert.equal(message?.getHeader('Supported'), '100rel, timer');
  assert.equal(message?.getHeader('Subject'), 'hello');
  assert.equal(message?.countHeader('supported'), 1, 'countHeader is documented, and missing there');
});

test('JsSIP: an answer to MESSAGE that has a type of its own gets application/sdp as well', options, async () => {
  const scene = await new Scene().start();
  scene.ua.on('newMessage', ({ message }) => message.accept({ body: '{}', extraHeaders: ['Content-Type: application/json'] }));
  scene.far.ask('MESSAGE', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=b', 'To: <sip:alice@example.com>', 'Call-ID: m@far', 'CSeq: 1 MESSAGE', 'Content-Type: text/plain',
  ], 'hello');
  assert.deepEqual(all(scene.far.take('MESSAGE'), 'Content-Type'), ['application/json']);
});

test('JsSIP: a proxy that challenges and then a registrar end in Authentication Error', options, async () => {
  const scene = await new Scene({ register: true }).start();
  scene.far.respond(scene.far.take('REGISTER'), 407, 'Proxy Authentication Required', challenge('edge', 'Proxy-Authenticate'));
  scene.far.respond(scene.far.take('REGISTER'), 401, 'Unauthorized', challenge('home'));
  const third = scene.far.take('REGISTER');
  assert.match(one(third, 'Proxy-Authorization'), /realm="edge"/);
  assert.match(one(third, 'Authorization'), /realm="home"/);
  grant(scene, third);
  assert.deepEqual(scene.news(), ['registered']);
});

test('JsSIP: of several challenges only the last one is seen', options, async () => {
  const scene = await new Scene({ register: true }).start();
  scene.far.respond(scene.far.take('REGISTER'), 401, 'Unauthorized', [
    ...challenge('home'), 'WWW-Authenticate: Digest realm="home", nonce="n", qop="auth", algorithm=SHA-256', ...challenge('other'),
    'WWW-Authenticate: Digest realm="home", nonce="n", qop="auth", algorithm=UNHEARD-OF',
  ]);
  const answers = all(scene.far.take('REGISTER'), 'Authorization');
  assert.equal(answers.length, 2);
  assert.match(answers[0]!, /realm="home".*algorithm=SHA-256/);
  assert.match(answers[1]!, /realm="other".*algorithm=MD5/);
});

test('JsSIP: after the first success the password is forgotten, and a second realm fails', options, async () => {
  const scene = await new Scene({ register: true }).start();
  scene.far.respond(scene.far.take('REGISTER'), 401, 'Unauthorized', challenge('home'));
  grant(scene, scene.far.take('REGISTER'));
  scene.ua.call('bob', AUDIO);
  await settle();
  scene.far.respond(scene.far.take('INVITE'), 407, 'Proxy Authentication Required', challenge('trunk', 'Proxy-Authenticate'));
  assert.match(one(scene.far.take('INVITE'), 'Proxy-Authorization'), /realm="trunk"/);
});

test('JsSIP: a registrar that answers 423 again and again is asked without end', options, async () => {
  const scene = await new Scene({ register: true }).start();
  let asked = 0;
  for (; asked < 20 && scene.far.inbox.some(({ method }) => method === 'REGISTER'); asked += 1) {
    scene.far.respond(scene.far.take('REGISTER'), 423, 'Interval Too Brief', [`Min-Expires: ${1000 * (asked + 1)}`]);
  }
  assert.equal(asked, 4, 'once, and three times as the registrar wants it');
  assert.deepEqual(scene.news(), ['registrationFailed SIP Failure Code']);
});

test('JsSIP: a registration that failed is never tried again', options, async () => {
  const scene = await new Scene({ register: true }).start();
  scene.far.respond(scene.far.take('REGISTER'), 503, 'Service Unavailable', ['Retry-After: 90']);
  assert.deepEqual(scene.news(), ['registrationFailed SIP Failure Code']);
  await scene.clock.advance(89_000);
  assert.throws(() => scene.far.take('REGISTER'));
  await scene.clock.advance(5_000);
  grant(scene, scene.far.take('REGISTER'));
  assert.deepEqual(scene.news(), ['registered']);
});

test('A registration that was refused is tried again over the next connection', options, async () => {
  const scene = await new Scene({ register: true }).start();
  scene.far.respond(scene.far.take('REGISTER'), 403, 'Forbidden');
  assert.deepEqual(scene.news(), ['registrationFailed Rejected']);
  scene.far.drop();
  await scene.clock.advance(3_000);
  grant(scene, scene.far.take('REGISTER'));
  assert.deepEqual(scene.news(), ['disconnected', 'connected', 'registered']);
});

test('JsSIP: the session is refreshed by UPDATE though the peer does not allow it', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', AUDIO);
  await settle();
  const invite = scene.far.take('INVITE');
  scene.far.respond(invite, 200, 'OK', [CONTACT, 'Allow: INVITE, ACK, BYE, CANCEL', 'Session-Expires: 90;refresher=uac', 'Require: timer'], sdp(), 'bobs');
  await settle();
  await scene.clock.advance(46_000);
  assert.throws(() => scene.far.take('UPDATE'));
  const refresh = scene.far.take('INVITE');
  assert.match(one(refresh, 'To'), /tag=bobs/);
  scene.far.respond(refresh, 200, 'OK', [CONTACT, 'Session-Expires: 90;refresher=uac', 'Require: timer'], sdp());
  await settle();
  assert.equal(scene.session.isEstablished(), true);
});

test('JsSIP: a session interval that is too short for somebody on the way ends the call (422)', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', AUDIO);
  await settle();
  scene.far.respond(scene.far.take('INVITE'), 422, 'Session Interval Too Small', ['Min-SE: 1800']);
  const again = scene.far.take('INVITE');
  assert.match(one(again, 'Session-Expires'), /^1800/);
  assert.equal(one(again, 'Min-SE'), '1800');
  assert.notEqual(again.body, '');
});

test('JsSIP: the attended transfer of a call that came in names its tags the wrong way round', options, async () => {
  const scene = await new Scene().start();
  scene.ring();
  scene.session.answer(AUDIO);
  await settle();
  const consulted = scene.session;
  const answer = scene.far.inbox.find(({ start }) => start.startsWith('SIP/2.0 200'))!;
  scene.far.ask('ACK', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', `To: ${one(answer, 'To')}`, 'Call-ID: theirs@far', 'CSeq: 1 ACK',
  ]);
  await settle();
  scene.far.inbox.length = 0;
  await scene.call();
  scene.session.refer('sip:bob@example.com', { replaces: consulted });
  const referTo = decodeURIComponent(one(scene.far.take('REFER'), 'Refer-To'));
  const ours = /tag=([^;]+)/.exec(one(answer, 'To'))?.[1];
  // RFC 3891 §3: to-tag is the local tag of whoever receives the INVITE, which is bob.
  assert.match(referTo, new RegExp(`Replaces=theirs@far;to-tag=bobs;from-tag=${ours}`));
});

test('JsSIP: the last early description wins, whichever branch answers', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', AUDIO);
  await settle();
  const invite = scene.far.take('INVITE');
  scene.far.respond(invite, 183, 'Session Progress', [CONTACT], sdp('sendrecv', 'first'), 'one');
  scene.far.respond(invite, 183, 'Session Progress', [CONTACT], sdp('sendrecv', 'second'), 'two');
  scene.far.respond(invite, 200, 'OK', [CONTACT], sdp('sendrecv', 'first'), 'one');
  await settle();
  assert.match(FakePeerConnection.last.remoteDescription!.sdp, /s=first/);
  assert.deepEqual(scene.news(), ['progress remote', 'progress remote', 'accepted remote', 'confirmed local']);
});

test('JsSIP: a CANCEL that crosses the 200 leaves a call that nobody sees', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', AUDIO);
  await settle();
  const invite = scene.far.take('INVITE');
  scene.far.respond(invite, 180, 'Ringing', [CONTACT], '', 'bobs');
  scene.session.terminate();
  scene.far.respond(invite, 200, 'OK', [CONTACT], sdp(), 'bobs');
  await settle();
  assert.ok(scene.far.take('CANCEL'));
  assert.ok(scene.far.take('ACK'));
  assert.ok(scene.far.take('BYE'));
});

test('JsSIP: a peer that has forgotten the call (481) is not told of', options, async () => {
  const scene = await new Scene().start();
  await scene.call();
  scene.news();
  scene.session.sendInfo('text/plain', 'hello');
  scene.far.respond(scene.far.take('INFO'), 481, 'Call/Transaction Does Not Exist');
  assert.deepEqual(scene.news(), ['ended remote Dialog Error']);
});

test('JsSIP: a socket with async methods is refused', options, () => {
  const socket = { via_transport: 'WS', url: 'ws://a.example', sip_uri: 'sip:a.example;transport=ws', async connect() {}, async disconnect() {}, send: () => true };
  const ua = new library!.UA({ sockets: socket as never, uri: 'sip:alice@example.com' });
  assert.equal(ua.isConnected(), false);
});

test('JsSIP: a wrong member of the list of sockets is dropped without a word', options, () => {
  assert.throws(() => new library!.UA({ sockets: [{}] as never, uri: 'sip:alice@example.com' }), { parameter: 'sockets' });
});

test('JsSIP: branches are one of ten million, tags are guessable', options, async () => {
  const scene = await new Scene().start();
  const seen = new Set<string>();
  for (let count = 0; count < 300; count += 1) {
    scene.ua.sendMessage('bob', 'hello');
    const message = scene.far.take('MESSAGE');
    scene.far.respond(message, 200, 'OK');
    const branch = /branch=z9hG4bK([^;]+)/.exec(one(message, 'Via'))![1]!;
    const tag = /tag=([^;]+)/.exec(one(message, 'From'))![1]!;
    assert.ok(branch.length >= 16 && tag.length >= 10, `${branch} ${tag}`);
    seen.add(branch).add(tag).add(one(message, 'Call-ID'));
  }
  assert.equal(seen.size, 900);
});

test('JsSIP: calls need a global window', options, async () => {
  assert.equal('window' in globalThis, false);
  const scene = await new Scene().start();
  await scene.call();
  assert.equal(scene.session.isEstablished(), true);
});

test('JsSIP: after a long sleep the registration is gone and nobody notices', options, async () => {
  const scene = await registered();
  // Timers stand still while the machine sleeps; what was due rings on waking.
  scene.clock.now += 7_200_000;
  await scene.clock.advance(0);
  assert.ok(scene.far.take('REGISTER'));
});

test('SIP.js: after a reconnection requests of the server do not reach the call', options, async () => {
  const scene = await registered();
  const invite = await scene.call();
  const contact = one(invite, 'Contact');
  scene.news();
  scene.far.drop();
  await scene.clock.advance(31_000);
  const again = scene.far.take('REGISTER');
  assert.equal(one(again, 'Contact').split(';expires')[0]?.includes(contactOf(scene.ua)), false, 'REGISTER has the Contact itself, never the GRUU');
  grant(scene, again);
  scene.far.ask('BYE', /<(.*?)>/.exec(contact)![1]!, inside(invite, 'BYE'));
  assert.equal(scene.far.take('BYE').start, 'SIP/2.0 200 OK');
  assert.equal(scene.news().at(-1), 'ended remote Terminated');
});

test('SIP.js: an ACK that the dying connection swallowed costs the call', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', AUDIO);
  await settle();
  const invite = scene.far.take('INVITE');
  scene.far.respond(invite, 200, 'OK', [CONTACT], sdp(), 'bobs');
  await settle();
  scene.far.take('ACK');
  scene.far.drop();
  await scene.clock.advance(5_000);
  assert.ok(scene.far.take('ACK'), 'once more over the new connection');
  assert.equal(scene.session.isEstablished(), true);
});

test('SIP.js: a server that is not there at the start is not tried again', options, async () => {
  const scene = new Scene();
  scene.far.reachable = false;
  await scene.start();
  scene.far.reachable = true;
  await scene.clock.advance(31_000);
  assert.equal(scene.ua.isConnected(), true);
});

test('SIP.js: there are no session timers, and a peer that asks for them hangs up', options, async () => {
  const scene = await new Scene().start();
  scene.ring(sdp(), ['Supported: timer', 'Session-Expires: 120;refresher=uas']);
  scene.session.answer(AUDIO);
  await settle();
  const answer = scene.far.inbox.find(({ start }) => start.startsWith('SIP/2.0 200'))!;
  assert.equal(one(answer, 'Session-Expires'), '120;refresher=uas');
  scene.far.ask('ACK', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', `To: ${one(answer, 'To')}`, 'Call-ID: theirs@far', 'CSeq: 1 ACK',
  ]);
  scene.far.inbox.length = 0;
  await scene.clock.advance(61_000);
  const refresh = scene.far.inbox.find(({ method, start }) => ['UPDATE', 'INVITE'].includes(method) && !start.startsWith('SIP/2.0'));
  assert.match(one(refresh!, 'Session-Expires'), /^120/);
});

test('SIP.js: an early description without 100rel is lost, or races with the answer', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', AUDIO);
  await settle();
  const invite = scene.far.take('INVITE');
  // Both at once: no turn of the event loop lies between them.
  scene.far.respond(invite, 183, 'Session Progress', [CONTACT], sdp('sendrecv', 'early'), 'bobs');
  scene.far.respond(invite, 200, 'OK', [CONTACT], sdp('sendrecv', 'final'), 'bobs');
  await settle();
  assert.deepEqual(scene.news(), ['progress remote', 'accepted remote', 'confirmed local']);
  assert.match(FakePeerConnection.last.remoteDescription!.sdp, /s=final/);
});

test('SIP.js: a page without a microphone cannot take a call that only sends', options, async () => {
  const scene = await new Scene().start();
  scene.devices.refusal = new Error('no device');
  scene.ring(sdp('sendonly'));
  scene.session.answer({ mediaConstraints: { audio: false, video: false } });
  await settle();
  assert.equal(scene.session.isEstablished(), true);
  assert.ok(scene.devices instanceof FakeDevices && scene.devices.asked.length === 0);
});

test('JsSIP: a server that is gone without a word is noticed when the next request fails', options, async () => {
  const scene = await new Scene({ keep_alive_interval: 25 }).start();
  const pings = () => scene.far.inbox.splice(0).filter(({ start, headers }) => start === '' && headers.length === 0).length;
  await scene.clock.advance(25_000);
  assert.equal(pings(), 1);
  scene.far.ondata?.('\r\n');
  await scene.clock.advance(24_000);
  assert.equal(pings(), 0, 'silence counts from the last sign of life');
  await scene.clock.advance(3_500);
  assert.deepEqual(scene.news(), ['disconnected', 'connected'], 'no answer in two seconds');
  scene.ua.stop();
  await scene.clock.advance(60_000);
  assert.equal(scene.clock.waiting, 0);
});

test('SIP.js: CRLF goes to servers that take it for a broken message', options, async () => {
  const scene = await new Scene().start();
  await scene.clock.advance(3_600_000);
  assert.deepEqual(scene.far.inbox, [], 'nothing unless it is asked for');
});
