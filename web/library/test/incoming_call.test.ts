/** Calls that arrive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakePeerConnection, Page, request, sdp, settle } from './support/page.ts';
import { FakeStream } from './support/webrtc.ts';
import { Exceptions, RTCSession } from './support/library.ts';

const VIDEO = `${sdp()}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendrecv\r\n`;

function acknowledge(page: Page, body = ''): void {
  const ack = request('ACK', { body });
  page.core.fire({ type: 'confirmed', call: 7, originator: 'remote', request: ack, body });
}

test('A call that is answered: the events come in JsSIP\'s order', async () => {
  const page = new Page().connect();
  page.ring();
  assert.deepEqual(page.news(), ['newRTCSession remote', 'progress local']);
  assert.deepEqual(page.core.told('ring'), [[7]]);
  assert.equal(page.session?.remote_identity?.uri.toString(), 'sip:bob@example.com');
  assert.equal(page.session?.remote_identity?.display_name, 'Bob');
  assert.equal(page.session?.status, RTCSession.C.STATUS_WAITING_FOR_ANSWER);

  page.session?.answer({ extraHeaders: ['X-One: 1'] });
  assert.deepEqual(page.news(), ['peerconnection']);
  await settle();
  assert.deepEqual(page.news(), ['sdp remote offer', 'connecting', 'sdp local answer', 'accepted local']);
  assert.equal(page.session?.status, RTCSession.C.STATUS_WAITING_FOR_ACK);
  const [call, payload] = page.core.told('accept')[0] ?? [];
  assert.equal(call, 7);
  assert.deepEqual(payload.extraHeaders, ['X-One: 1']);
  assert.match(payload.body, /s=answer/);

  acknowledge(page);
  assert.deepEqual(page.news(), ['confirmed remote']);
  assert.equal(page.last.confirmed.ack.method, 'ACK');
  assert.equal(page.session?.status, RTCSession.C.STATUS_CONFIRMED);
});

test('The answer asks for what was offered and no more', async () => {
  const page = new Page().connect();
  page.ring();
  page.session?.answer();
  await settle();
  assert.deepEqual(page.devices.asked, [{ audio: true, video: false }]);

  const other = new Page().connect();
  other.ring(VIDEO);
  other.session?.answer();
  await settle();
  assert.deepEqual(other.devices.asked, [{ audio: true, video: true }]);

  const shy = new Page().connect();
  shy.ring(VIDEO);
  shy.session?.answer({ mediaConstraints: { audio: true, video: false } });
  await settle();
  assert.deepEqual(shy.devices.asked, [{ audio: true, video: false }]);
});

test('A stream of the page loses the tracks that the page does not want to send', async () => {
  const page = new Page().connect();
  const stream = new FakeStream('audio', 'video');
  page.ring(VIDEO);
  page.session?.answer({ mediaStream: stream as any, mediaConstraints: { video: false } });
  await settle();
  assert.deepEqual(stream.getTracks().map((track) => track.kind), ['audio']);
  assert.deepEqual(page.devices.asked, []);
});

test('A call may be answered in the event that tells of it', async () => {
  const page = new Page().connect();
  page.ua.on('newRTCSession', ({ session }) => session.answer());
  page.ring();
  await settle();
  assert.deepEqual(page.core.told('ring'), [[7, { status: 100 }]], 'no 180');
  assert.equal(page.core.told('accept').length, 1);
});

test('Rejecting: 480 by default, or what the page says', () => {
  const page = new Page().connect();
  page.ring();
  page.news();
  page.session?.terminate();
  assert.deepEqual(page.news(), ['failed local Rejected']);
  assert.equal(page.core.told('reject')[0]?.[1], 480);

  const busy = new Page().connect();
  busy.ring();
  busy.session?.terminate({ status_code: 486 });
  assert.deepEqual(busy.core.told('reject')[0], [7, 486, { extraHeaders: [], reason: 'Busy Here' }]);
});

test('A status code that is no refusal is refused itself', () => {
  const page = new Page().connect();
  page.ring();
  assert.throws(() => page.session?.terminate({ status_code: 200 }), TypeError);
  assert.equal(page.session?.isEnded(), false);
});

test('The caller gives up', () => {
  const page = new Page().connect();
  page.ring();
  page.news();
  page.core.fire({ type: 'failed', call: 7, originator: 'remote', message: request('CANCEL'), cause: 'Canceled' });
  assert.deepEqual(page.news(), ['failed remote Canceled']);
  assert.throws(() => page.session?.answer(), Exceptions.InvalidStateError);
});

test('The caller gives up while the user is asked for the microphone: told at once, and nothing is accepted', async () => {
  const page = new Page().connect();
  let grant = () => {};
  page.devices.answer = new Promise((resolve) => { grant = resolve; });
  page.ring();
  page.session?.answer();
  page.news();
  page.core.fire({ type: 'failed', call: 7, originator: 'remote', message: request('CANCEL'), cause: 'Canceled' });
  assert.deepEqual(page.news(), ['failed remote Canceled']);
  grant();
  await settle();
  assert.deepEqual(page.core.told('accept'), []);
  assert.equal(page.devices.given[0]?.getTracks()[0]?.readyState, 'ended');
});

test('Nobody answers', () => {
  const page = new Page().connect();
  page.ring();
  page.news();
  page.core.fire({ type: 'failed', call: 7, originator: 'local', message: null, cause: 'No Answer' });
  assert.deepEqual(page.news(), ['failed local No Answer']);
});

test('The microphone is refused: the caller gets 480, the page the true cause', async () => {
  const page = new Page().connect();
  page.devices.refusal = new DOMException('Permission denied', 'NotAllowedError');
  page.ring();
  page.session?.answer();
  await settle();
  assert.deepEqual(page.news().slice(-2), ['failed local User Denied Media Access', 'getusermediafailed']);
  assert.equal(page.core.told('reject')[0]?.[1], 480);
});

test('An offer that WebRTC does not take is refused with 488', async () => {
  const page = new Page().connect();
  page.ring(sdp('sendrecv', 'broken'));
  page.session?.answer();
  await settle();
  assert.equal(page.news().at(-1), 'failed system WebRTC Error');
  assert.equal(page.core.told('reject')[0]?.[1], 488);
});

test('A body that is no session description is refused with 415, and the page is not bothered', () => {
  const page = new Page().connect();
  const message = request('INVITE', { body: '<x/>', type: 'application/xml' });
  page.core.fire({ type: 'incomingCall', call: 7, request: message, body: '<x/>', replaces: null });
  assert.deepEqual(page.news(), []);
  assert.deepEqual(page.core.told('reject')[0], [7, 415, { extraHeaders: ['Accept: application/sdp'] }]);
});

test('Without WebRTC a call is refused with 488', () => {
  const page = new Page({ environment: { events: new EventTarget() } }).connect();
  page.ring();
  assert.equal(page.core.told('reject')[0]?.[1], 488);
});

test('A late offer: ours goes out in the 200, the answer comes in the ACK', async () => {
  const page = new Page().connect();
  page.ring('');
  page.session?.answer();
  await settle();
  assert.deepEqual(page.news(), ['newRTCSession remote', 'progress local', 'peerconnection', 'connecting', 'sdp local offer', 'accepted local']);
  acknowledge(page, sdp());
  await settle();
  assert.deepEqual(page.news(), ['sdp remote answer', 'confirmed remote']);
});

test('A late offer whose ACK has no answer is hung up', async () => {
  const page = new Page().connect();
  page.ring('');
  page.session?.answer();
  await settle();
  acknowledge(page);
  await settle();
  assert.equal(page.news().at(-1), 'ended local Missing SDP');
  assert.match(page.core.told('bye')[0]?.[1].extraHeaders[0], /cause=400/);
});

test('An ACK that never comes ends the call with its cause', async () => {
  const page = new Page().connect();
  page.ring();
  page.session?.answer();
  await settle();
  page.core.fire({ type: 'ended', call: 7, originator: 'remote', message: null, cause: 'No ACK' });
  assert.equal(page.news().at(-1), 'ended remote No ACK');
});

test('A call that wants to replace another: the page decides', async () => {
  const page = new Page().connect();
  page.ring();
  const first = page.session;
  first?.answer();
  await settle();
  acknowledge(page);
  page.news();
  const message = request('INVITE', { body: sdp(), headers: ['Replaces: call@own;to-tag=a;from-tag=b'] });
  page.core.fire({ type: 'incomingCall', call: 9, request: message, body: sdp(), replaces: 7 });
  assert.deepEqual(page.news(), ['replaces']);
  page.last.replaces.accept((session: any) => session.on('newDTMF', () => {}));
  assert.deepEqual(page.news(), ['newRTCSession remote', 'progress local']);
  page.session?.answer();
  await settle();
  page.core.fire({ type: 'confirmed', call: 9, originator: 'remote', request: request('ACK'), body: '' });
  assert.equal(first?.isEnded(), true);
});

test('A broken WebRTC answer leaves the caller a 500', async () => {
  const page = new Page().connect();
  FakePeerConnection.failing.add('createAnswer');
  page.ring();
  page.session?.answer();
  await settle();
  assert.equal(page.core.told('reject')[0]?.[1], 500);
});
