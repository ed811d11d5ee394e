/** Candidates that are found late (RFC 8838, RFC 8840), over the real core: told by INFO to who takes them, and taken. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidatesIn, fragmentOf } from '../src/trickle.ts';
import { settle } from './support/clock.ts';
import { type Sip, one } from './support/far_end.ts';
import { CONTACT, Scene, contactOf, options } from './support/scene.ts';
import { FakePeerConnection, sdp } from './support/webrtc.ts';

const TAKES = 'Recv-Info: trickle-ice';
const TRICKLES = `${sdp()}a=mid:0\r\na=ice-ufrag:far\r\na=ice-pwd:theirs\r\na=ice-options:trickle\r\n`;

/** Alice calls; her INVITE leaves when time is up, with one candidate. */
async function calling(listen: (scene: Scene) => void = () => undefined) {
  const scene = await new Scene().start();
  FakePeerConnection.gathering = 'one';
  listen(scene);
  scene.ua.call('bob', { mediaConstraints: { audio: true, video: false } });
  await settle();
  assert.deepEqual(scene.far.inbox, [], 'nothing is known of bob: as much as possible is said at once');
  await scene.clock.advance(2000);
  const invite = scene.far.take('INVITE');
  return { scene, invite };
}

async function answered(scene: Scene, invite: Sip, lines = [TAKES], body = TRICKLES, tag = 'bobs') {
  scene.far.respond(invite, 200, 'OK', [CONTACT, ...lines], body, tag);
  await settle();
  scene.far.take('ACK');
}

/** Bob calls, and alice answers while she has one candidate. */
async function answering(lines = [TAKES], body = TRICKLES) {
  const scene = await new Scene().start();
  FakePeerConnection.gathering = 'one';
  scene.ring(body, lines);
  await settle();
  scene.far.inbox.length = 0;
  scene.session.answer({ mediaConstraints: { audio: true, video: false } });
  await scene.clock.advance(0);
  return scene;
}

function inCall(scene: Scene, to: string, method: string, cseq: number, lines: string[] = [], body = ''): void {
  scene.far.ask(method, contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', `To: ${to}`, 'Call-ID: theirs@far', `CSeq: ${cseq} ${method}`, CONTACT, ...lines,
  ], body);
}

const FRAGMENT = (ufrag: string, ...more: string[]) =>
  ['a=ice-pwd:theirs', `a=ice-ufrag:${ufrag}`, 'm=audio 9 RTP/AVP 0', 'a=mid:0', ...more, ''].join('\r\n');
const INFO = ['Info-Package: trickle-ice', 'Content-Disposition: Info-Package', 'Content-Type: application/trickle-ice-sdpfrag'];

test('A caller tells who takes it what it finds after the INVITE, all of it each time, and the end', options, async () => {
  const { scene, invite } = await calling();
  assert.equal(one(invite, 'Recv-Info'), 'trickle-ice');
  await answered(scene, invite);
  assert.deepEqual(scene.far.inbox, [], 'nothing is new');
  FakePeerConnection.last.finds('candidate:2');
  const first = scene.far.take('INFO');
  assert.equal(one(first, 'Info-Package'), 'trickle-ice');
  assert.equal(one(first, 'Content-Disposition'), 'Info-Package');
  assert.equal(one(first, 'Content-Type'), 'application/trickle-ice-sdpfrag');
  const known = ['a=ice-pwd:secret', 'a=ice-ufrag:own0', 'm=audio 9 RTP/AVP 0', 'a=mid:0', 'a=candidate:1', 'a=candidate:2', 'a=ice-pwd:secret', 'a=ice-ufrag:own0'];
  assert.deepEqual(first.body.split('\r\n'), [...known, '']);
  FakePeerConnection.last.finds(null);
  assert.deepEqual(scene.far.inbox, [], 'one at a time');
  scene.far.respond(first, 200, 'OK');
  const last = scene.far.take('INFO');
  assert.deepEqual(last.body.split('\r\n'), [...known, 'a=end-of-candidates', '']);
  scene.far.respond(last, 200, 'OK');
  assert.deepEqual(scene.far.inbox, []);
});

test('A caller tells it while it rings, and again to another branch that answers', options, async () => {
  const { scene, invite } = await calling();
  FakePeerConnection.last.finds('candidate:2');
  scene.far.respond(invite, 180, 'Ringing', [CONTACT, TAKES], '', 'carols');
  await settle();
  scene.far.respond(scene.far.take('INFO'), 200, 'OK');
  await answered(scene, invite);
  const again = scene.far.take('INFO');
  assert.match(one(again, 'To'), /tag=bobs/);
  assert.match(again.body, /a=candidate:2/);
});

test('Nothing is told to a peer that does not take it: it is a phone, or a gateway has joined the call', options, async () => {
  for (const [lines, body] of [[[], TRICKLES], [[TAKES], sdp()], [['Recv-Info: foo'], TRICKLES]] as const) {
    const { scene, invite } = await calling();
    await answered(scene, invite, [...lines], body);
    FakePeerConnection.last.finds('candidate:2');
    assert.deepEqual(scene.far.inbox, []);
  }
});

test('Nothing more is told to a peer that refuses it', options, async () => {
  const { scene, invite } = await calling();
  await answered(scene, invite);
  FakePeerConnection.last.finds('candidate:2');
  scene.far.respond(scene.far.take('INFO'), 469, 'Bad Info Package');
  FakePeerConnection.last.finds(null);
  assert.deepEqual(scene.far.inbox, []);
  assert.deepEqual(scene.news(), ['accepted remote', 'confirmed local'], 'and the call goes on');
});

test('A page that listens to sdp sends its candidates itself: whole descriptions, and no INFO', options, async () => {
  const { scene, invite } = await calling((each) => {
    each.ua.on('newRTCSession', ({ session }) => session.on('sdp', () => undefined));
  });
  await answered(scene, invite);
  FakePeerConnection.last.finds('candidate:2');
  assert.deepEqual(scene.far.inbox, []);
});

test('A callee answers who takes it with its first candidates, and tells the others after the ACK', options, async () => {
  const scene = await answering();
  const ok = scene.far.take('INVITE');
  assert.equal(ok.start, 'SIP/2.0 200 OK');
  FakePeerConnection.last.finds('candidate:2');
  await settle();
  assert.deepEqual(scene.far.inbox, [], 'the answer may still be on its way');
  inCall(scene, one(ok, 'To'), 'ACK', 1);
  await settle();
  assert.match(scene.far.take('INFO').body, /a=candidate:2/);
});

test('A callee answers a peer that does not take it when it has waited for its candidates', options, async () => {
  const scene = await answering([]);
  assert.deepEqual(scene.far.inbox, []);
  await scene.clock.advance(2000);
  assert.equal(scene.far.take('INVITE').start, 'SIP/2.0 200 OK');
});

test('Candidates of the peer are taken, each once, when the description that they belong to is there', options, async () => {
  const scene = await answering();
  const to = one(scene.far.take('INVITE'), 'To');
  inCall(scene, to, 'ACK', 1);
  const candidate = { candidate: 'candidate:7 1 udp 1 192.0.2.7 7 typ host', sdpMid: '0', usernameFragment: 'far' };
  inCall(scene, to, 'INFO', 2, INFO, FRAGMENT('far', `a=${candidate.candidate}`));
  await settle();
  assert.equal(scene.far.take('INFO').start, 'SIP/2.0 200 OK');
  inCall(scene, to, 'INFO', 3, INFO, FRAGMENT('far', `a=${candidate.candidate}`, 'a=end-of-candidates'));
  await settle();
  assert.deepEqual(FakePeerConnection.last.added, [candidate, { ...candidate, candidate: '' }]);
  inCall(scene, to, 'INFO', 4, INFO, FRAGMENT('next', 'a=candidate:8'));
  await settle();
  assert.equal(FakePeerConnection.last.added.length, 2, 'of a restart that is still to come');
  FakePeerConnection.last.iceGatheringState = 'complete';
  inCall(scene, to, 'INVITE', 5, [TAKES], TRICKLES.replace('a=ice-ufrag:far', 'a=ice-ufrag:next'));
  await settle();
  assert.deepEqual(FakePeerConnection.last.added[2], { candidate: 'candidate:8', sdpMid: '0', usernameFragment: 'next' });
});

test('Candidates that come while it rings wait for the answer', options, async () => {
  const scene = await new Scene().start();
  scene.ring(TRICKLES, [TAKES]);
  await settle();
  const to = one(scene.far.inbox.find(({ start }) => start.startsWith('SIP/2.0 180'))!, 'To');
  inCall(scene, to, 'INFO', 2, INFO, FRAGMENT('far', 'a=candidate:7'));
  await settle();
  assert.equal(scene.far.take('INFO').start, 'SIP/2.0 200 OK');
  scene.session.answer({ mediaConstraints: { audio: true, video: false } });
  await settle();
  assert.deepEqual(FakePeerConnection.last.added, [{ candidate: 'candidate:7', sdpMid: '0', usernameFragment: 'far' }]);
});

test('Names and passwords of the peer may stand in each section only', () => {
  const section = 'm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ice-pwd:theirs\r\na=ice-ufrag:far\r\na=candidate:7\r\n';
  assert.deepEqual(candidatesIn(section), [{ candidate: 'candidate:7', sdpMid: '0', usernameFragment: 'far' }]);
});

test('The lines are said in the order of RFC 8840, whatever the order of the browser', () => {
  const browsers = 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=candidate:7\r\na=ice-ufrag:own\r\na=ice-pwd:secret\r\na=setup:active\r\na=mid:0\r\n';
  assert.deepEqual(fragmentOf(browsers, true).split('\r\n'), [
    'a=ice-pwd:secret', 'a=ice-ufrag:own', 'm=audio 9 RTP/AVP 0', 'a=mid:0', 'a=candidate:7', 'a=ice-pwd:secret', 'a=ice-ufrag:own', 'a=end-of-candidates', '',
  ]);
});

test('The peer may say once for all media that there will be no others', () => {
  const found = candidatesIn('a=ice-pwd:theirs\r\na=ice-ufrag:far\r\na=end-of-candidates\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:7\r\n');
  assert.deepEqual(found, [
    { candidate: 'candidate:7', sdpMid: '0', usernameFragment: 'far' },
    { candidate: '', sdpMid: null, usernameFragment: 'far' },
  ]);
});

test('An INFO of a package that nobody knows is refused, unless the page listens to INFO', options, async () => {
  const scene = await answering();
  const to = one(scene.far.take('INVITE'), 'To');
  inCall(scene, to, 'ACK', 1);
  const foo = ['Info-Package: foo', 'Content-Type: text/plain'];
  inCall(scene, to, 'INFO', 2, foo, 'x');
  await settle();
  const refusal = scene.far.take('INFO');
  assert.equal(`${refusal.start} ${one(refusal, 'Recv-Info')}`, 'SIP/2.0 469 Bad Info Package trickle-ice');
  scene.session.on('newInfo', () => undefined);
  inCall(scene, to, 'INFO', 3, foo, 'x');
  await settle();
  assert.equal(scene.far.take('INFO').start, 'SIP/2.0 200 OK');
});

test('An offer in a call whose peer takes it leaves with its first candidates', options, async () => {
  const { scene, invite } = await calling();
  await answered(scene, invite);
  scene.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
  await scene.clock.advance(0);
  const reinvite = scene.far.take('INVITE');
  FakePeerConnection.last.finds('candidate:2');
  const info = scene.far.take('INFO');
  assert.match(info.body, /a=ice-ufrag:own1\r\n/, 'of the new generation');
  assert.match(reinvite.body, /a=candidate:1\r\n/);
});
