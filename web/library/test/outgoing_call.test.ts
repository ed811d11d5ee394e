/** Calls that this page makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakePeerConnection, Page, response, sdp, settle } from './support/page.ts';
import { FakeStream } from './support/webrtc.ts';
import { Exceptions, RTCSession } from './support/library.ts';

const AUDIO = { mediaConstraints: { audio: true, video: false } };

test('A call that is answered: the events come in JsSIP\'s order', async () => {
  const page = new Page().connect();
  page.ua.call('bob', { ...AUDIO, eventHandlers: { peerconnection: (event) => page.note('peerconnection', event) } });
  await settle();
  assert.deepEqual(page.news(), ['peerconnection', 'newRTCSession local', 'connecting', 'sdp local offer', 'sending']);

  page.core.fire({ type: 'progress', call: 1, response: response(180, 'Ringing'), body: '', fork: 'a' });
  await settle();
  assert.deepEqual(page.news(), ['progress remote']);
  assert.equal(page.session?.status, RTCSession.C.STATUS_1XX_RECEIVED);
  assert.equal(page.session?.isInProgress(), true);

  page.answered();
  await settle();
  assert.deepEqual(page.news(), ['sdp remote answer', 'accepted remote']);
  assert.equal(page.core.told('acknowledge').length, 1);

  page.core.fire({ type: 'confirmed', call: 1, originator: 'local', request: null, body: '' });
  assert.deepEqual(page.news(), ['confirmed local']);
  assert.equal(page.last.confirmed.ack, null);
  assert.equal(page.session?.isEstablished(), true);
  assert.ok(page.session?.start_time instanceof Date);
});

test('The ACK waits until the page has seen accepted', async () => {
  const page = new Page().connect();
  page.ua.call('bob', { ...AUDIO, eventHandlers: { accepted: () => assert.equal(page.core.told('acknowledge').length, 0) } });
  await settle();
  page.answered();
  await settle();
  assert.equal(page.core.told('acknowledge').length, 1);
});

test('The target is completed with the domain of the account', async () => {
  const page = new Page().connect();
  page.ua.call('+34 600-100-200', AUDIO);
  assert.equal(page.core.told('createCall')[0]?.[0], 'sip:+34600100200@example.com');
});

test('A target that is no address is refused at once, and nothing is left behind', () => {
  const page = new Page().connect();
  assert.throws(() => page.ua.call(''), TypeError);
  assert.throws(() => page.ua.call('bob@<host>'), TypeError);
  assert.deepEqual(page.core.told('createCall'), []);
});

test('In the event sending the page may still change headers and body', async () => {
  const page = new Page().connect();
  page.ua.call('bob', {
    ...AUDIO,
    extraHeaders: ['X-One: 1'],
    eventHandlers: {
      sending: ({ request }) => {
        request.setHeader('X-Two', '2');
        request.body = `${request.body}a=mine\r\n`;
      },
    },
  });
  await settle();
  const [, payload] = page.core.told('invite')[0] ?? [];
  assert.deepEqual(payload.extraHeaders, ['X-One: 1', 'X-Two: 2']);
  assert.match(payload.body, /a=mine/);
  assert.equal(payload.contentType, 'application/sdp');
});

test('What the page writes into an sdp event is what is sent and what is applied', async () => {
  const page = new Page().connect();
  page.ua.call('bob', { ...AUDIO, eventHandlers: { sdp: (event) => { event.sdp = event.sdp.replace('s=', 's=changed-'); } } });
  await settle();
  assert.match(page.core.told('invite')[0]?.[1].body, /s=changed-offer/);
  page.answered();
  await settle();
  assert.match(page.connection.remoteDescription?.sdp ?? '', /s=changed-far/);
});

test('Early media is applied before progress is told, and the answer that follows is applied too', async () => {
  const page = new Page().connect();
  page.ua.call('bob', AUDIO);
  await settle();
  page.news();
  const body = sdp('sendrecv', 'early');
  page.core.fire({ type: 'progress', call: 1, response: response(183, 'Session Progress', { body }), body, fork: 'a' });
  await settle();
  assert.deepEqual(page.news(), ['sdp remote answer', 'progress remote']);
  assert.equal(page.connection.signalingState, 'have-remote-pranswer');
  page.answered(sdp('sendrecv', 'final'));
  await settle();
  assert.equal(page.connection.signalingState, 'stable');
  assert.match(page.connection.remoteDescription?.sdp ?? '', /s=final/);
});

test('Early media works where the browser knows no provisional answers', async () => {
  const page = new Page().connect();
  FakePeerConnection.provisionalAnswers = false;
  page.ua.call('bob', AUDIO);
  await settle();
  const early = sdp('sendrecv', 'early');
  page.core.fire({ type: 'progress', call: 1, response: response(183, 'Session Progress'), body: early, fork: 'a' });
  await settle();
  assert.equal(page.connection.signalingState, 'stable');
  page.answered(early);
  await settle();
  assert.equal(page.session?.status, RTCSession.C.STATUS_CONFIRMED, 'the same description needs no second answer');
});

test('A different answer after final early media is applied over a silent offer', async () => {
  const page = new Page().connect();
  FakePeerConnection.provisionalAnswers = false;
  page.ua.call('bob', AUDIO);
  await settle();
  page.core.fire({ type: 'progress', call: 1, response: response(183, 'Session Progress'), body: sdp('sendrecv', 'early'), fork: 'a' });
  page.answered(sdp('sendrecv', 'final'));
  await settle();
  assert.match(page.connection.remoteDescription?.sdp ?? '', /s=final/);
  assert.equal(page.session?.status, RTCSession.C.STATUS_CONFIRMED);
});

test('An answer that WebRTC does not take: ACK, BYE, and failed with the reason', async () => {
  const page = new Page().connect();
  page.ua.call('bob', AUDIO);
  await settle();
  page.news();
  page.answered(sdp('sendrecv', 'broken'));
  await settle();
  assert.deepEqual(page.news(), ['sdp remote answer', 'peerconnection:setremotedescriptionfailed', 'failed remote Bad Media Description']);
  assert.equal(page.core.told('acknowledge').length, 1);
  assert.match(page.core.told('bye')[0]?.[1].extraHeaders[0], /Reason: SIP;cause=488/);
});

test('The callee is busy: failed with the cause of the status and the response', async () => {
  const page = new Page().connect();
  page.ua.call('bob', AUDIO);
  await settle();
  page.news();
  page.core.fire({ type: 'failed', call: 1, originator: 'remote', message: response(486, 'Busy Here'), cause: 'Busy' });
  assert.deepEqual(page.news(), ['failed remote Busy']);
  assert.equal(page.last.failed.message.status_code, 486);
  assert.equal(page.session?.isEnded(), true);
});

test('A connection that breaks before the answer is called by its name', async () => {
  const page = new Page().connect();
  page.ua.call('bob', AUDIO);
  await settle();
  page.news();
  page.core.fire({ type: 'failed', call: 1, originator: 'system', message: null, cause: 'Connection Error' });
  assert.deepEqual(page.news(), ['failed system Connection Error']);
});

test('Hanging up while it rings cancels the call, once', async () => {
  const page = new Page().connect();
  page.ua.call('bob', AUDIO);
  await settle();
  page.news();
  page.session?.terminate({ status_code: 480, reason_phrase: 'Changed my mind' });
  assert.deepEqual(page.news(), ['failed local Canceled']);
  assert.deepEqual(page.core.told('cancel'), [[1, { reason: 'SIP;cause=480;text="Changed my mind"' }]]);
  assert.throws(() => page.session?.terminate(), Exceptions.InvalidStateError);
  assert.equal(page.connection.closed, true);
});

test('Hanging up before the microphone is granted sends nothing and releases it', async () => {
  const page = new Page().connect();
  let grant = () => {};
  page.devices.answer = new Promise((resolve) => { grant = resolve; });
  page.ua.call('bob', AUDIO);
  await settle();
  page.session?.terminate();
  grant();
  await settle();
  assert.deepEqual(page.core.told('invite'), []);
  assert.equal(page.devices.given[0]?.getTracks()[0]?.readyState, 'ended');
  assert.deepEqual(page.news(), ['newRTCSession local', 'failed local Canceled']);
});

for (const event of ['peerconnection', 'newRTCSession']) {
  test(`Hanging up in the event ${event} asks nobody for the microphone, and leaves no call behind`, async () => {
    const page = new Page().connect();
    const hangUp = (session: any) => session.terminate();
    page.ua.on('newRTCSession', ({ session }) => event === 'newRTCSession' && hangUp(session));
    const session: any = new RTCSession(page.ua);
    session.on('peerconnection', () => event === 'peerconnection' && hangUp(session));
    let failures = 0;
    session.on('failed', () => { failures += 1; });
    session.connect('bob', AUDIO);
    await settle();
    assert.equal(page.devices.asked.length, 0);
    assert.equal(failures, 1);
    page.ua.stop();
    assert.equal(page.ua.isConnected(), false, 'nothing is waited for');
  });
}

test('Hanging up in the event sending sends nothing', async () => {
  const page = new Page().connect();
  const session = page.ua.call('bob', { ...AUDIO, eventHandlers: { sending: () => session.terminate() } });
  await settle();
  assert.deepEqual(page.core.told('invite'), []);
});

test('Hanging up in the event accepted: the 2xx is acknowledged before the BYE', async () => {
  const page = new Page().connect();
  const session = page.ua.call('bob', { ...AUDIO, eventHandlers: { accepted: () => session.terminate() } });
  await settle();
  page.answered();
  await settle();
  const names = page.core.commands.map((command) => command.name).filter((name) => name === 'acknowledge' || name === 'bye');
  assert.deepEqual(names, ['acknowledge', 'bye']);
});

test('The microphone is refused: no throw, getusermediafailed, and failed with the true cause', async () => {
  const page = new Page().connect();
  page.devices.refusal = new DOMException('Permission denied', 'NotAllowedError');
  page.ua.call('bob', AUDIO);
  await settle();
  assert.deepEqual(page.news(), ['newRTCSession local', 'failed local User Denied Media Access', 'getusermediafailed']);
  assert.equal(page.last.getusermediafailed.name, 'NotAllowedError');
  assert.deepEqual(page.core.told('invite'), []);
});

test('A page that is no secure context fails in the same way', async () => {
  const page = new Page({ environment: undefined });
  const { UA } = await import('./support/library.ts').then((module) => module.library);
  const { clock, socket } = page;
  const ua = new UA({
    sockets: socket as any, uri: 'alice@example.com',
    environment: { RTCPeerConnection: FakePeerConnection as any, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout },
  });
  const told: string[] = [];
  ua.start();
  socket.onconnect?.();
  ua.call('bob', {
    ...AUDIO,
    eventHandlers: {
      getusermediafailed: (error) => told.push((error as Error).name),
      failed: ({ cause }) => told.push(cause),
    },
  });
  await settle();
  assert.deepEqual(told, ['User Denied Media Access', 'NotSupportedError']);
});

test('An offer that cannot be made: failed with WebRTC Error', async () => {
  const page = new Page().connect();
  FakePeerConnection.failing.add('createOffer');
  page.ua.call('bob', AUDIO);
  await settle();
  assert.deepEqual(page.news(), ['newRTCSession local', 'connecting', 'peerconnection:createofferfailed', 'failed local WebRTC Error']);
});

test('Candidates are waited for: 2 s after the first one at most', async () => {
  const page = new Page().connect();
  FakePeerConnection.gathering = 'one';
  page.ua.call('bob', AUDIO);
  await page.clock.advance(1900);
  assert.equal(page.core.told('invite').length, 0);
  await page.clock.advance(200);
  assert.equal(page.core.told('invite').length, 1);
});

test('The wait for candidates can be set, and ended by ready()', async () => {
  const page = new Page().connect();
  FakePeerConnection.gathering = 'one';
  page.ua.call('bob', { ...AUDIO, iceGatheringTimeout: 500 });
  await page.clock.advance(600);
  assert.equal(page.core.told('invite').length, 1);
  page.ua.call('carol', { ...AUDIO, eventHandlers: { icecandidate: ({ ready }) => ready() } });
  await settle();
  assert.equal(page.core.told('invite').length, 2);
});

test('Without a single candidate the offer goes out after 10 s', async () => {
  const page = new Page().connect();
  FakePeerConnection.gathering = 'none';
  page.ua.call('bob', AUDIO);
  await page.clock.advance(10_001);
  assert.equal(page.core.told('invite').length, 1);
});

test('The peer hangs up: tracks that the library acquired are stopped, those of the page are not', async () => {
  const page = new Page().connect();
  await page.establish();
  page.core.fire({ type: 'ended', call: 1, originator: 'remote', message: null, cause: 'Terminated' });
  assert.deepEqual(page.news(), ['ended remote Terminated']);
  assert.equal(page.devices.given[0]?.getTracks()[0]?.readyState, 'ended');

  const other = new Page().connect();
  const own = new FakeStream('audio');
  other.ua.call('bob', { mediaStream: own as any });
  await settle();
  other.session?.terminate();
  assert.equal(own.getTracks()[0]?.readyState, 'live');
});

test('Hanging up a standing call sends BYE with the reason that the page gives', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.terminate({ status_code: 500, reason_phrase: 'Oops', extraHeaders: ['X-Why: test'] });
  assert.deepEqual(page.news(), ['ended local Terminated']);
  assert.deepEqual(page.core.told('bye')[0]?.[1].extraHeaders, ['X-Why: test', 'Reason: SIP;cause=500;text="Oops"']);
  assert.ok(page.session?.end_time instanceof Date);
});

test('A session is used once', () => {
  const page = new Page().connect();
  const session = page.ua.call('bob', AUDIO);
  assert.throws(() => session.connect('carol'), Exceptions.InvalidStateError);
  assert.throws(() => session.answer(), Exceptions.NotSupportedError);
});

test('An answer and a BYE that arrive together are told in order', async () => {
  const page = new Page().connect();
  page.ua.call('bob', AUDIO);
  await settle();
  page.news();
  page.answered();
  page.core.fire({ type: 'ended', call: 1, originator: 'remote', message: null, cause: 'Terminated' });
  await settle();
  assert.deepEqual(page.news(), ['sdp remote answer', 'accepted remote', 'ended remote Terminated']);
});

test('A broken media path is offered again with new candidates, and given up only after 30 s', async () => {
  const page = new Page().connect();
  await page.establish();
  page.connection.ice('failed');
  await settle();
  assert.equal(page.core.told('reinvite').length, 1);
  assert.ok(page.connection.done.includes('iceRestart'));
  await page.clock.advance(30_000);
  assert.deepEqual(page.news().at(-1), 'ended local RTP Timeout');
});

test('A connection that failed while its checks are only disconnected is a broken media path too', async () => {
  const page = new Page().connect();
  await page.establish();
  page.connection.ice('disconnected');
  await settle();
  assert.equal(page.core.told('reinvite').length, 0);
  page.connection.connected('failed');
  await settle();
  assert.equal(page.core.told('reinvite').length, 1);
  await page.clock.advance(30_000);
  assert.deepEqual(page.news().at(-1), 'ended local RTP Timeout');
});

test('A path that has been without checks for two seconds is repaired, a shorter moment is not', async () => {
  const page = new Page().connect();
  await page.establish();
  page.connection.ice('disconnected');
  await page.clock.advance(1900);
  page.connection.ice('connected');
  await page.clock.advance(60_000);
  assert.equal(page.core.told('reinvite').length, 0);
  page.connection.ice('disconnected');
  await page.clock.advance(2000);
  assert.equal(page.core.told('reinvite').length, 1);
  assert.ok(page.connection.done.includes('iceRestart'));
});

test('From another network the media path is offered again at once, and a path that never broke ends no call', async () => {
  const page = new Page().connect();
  await page.establish();
  page.connection.ice('connected');
  page.socket.alive = false;
  page.events.dispatchEvent(new Event('online'));
  await page.clock.advance(2000);
  assert.equal(page.core.told('reinvite').length, 0);
  page.socket.onconnect?.();
  await settle();
  assert.equal(page.core.told('reinvite').length, 1);
  assert.ok(page.connection.done.includes('iceRestart'));
  page.respond(2, 200, 'OK', sdp());
  await page.clock.advance(60_000);
  assert.equal(page.session?.isEstablished(), true);
});

test('A broken media path puts the connection to the server in doubt, and is repaired over the next one', async () => {
  const page = new Page().connect();
  await page.establish();
  page.socket.alive = false;
  page.connection.ice('disconnected');
  assert.deepEqual(page.socket.sent.at(-1), '\r\n\r\n');
  await page.clock.advance(1999);
  assert.equal(page.socket.attempts, 1);
  await page.clock.advance(1);
  assert.equal(page.socket.attempts, 2);
  page.socket.onconnect?.();
  await settle();
  assert.equal(page.core.told('reinvite').length, 1);
});

test('A media path that breaks while a hold waits for its answer is repaired after that', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  await settle();
  page.connection.ice('failed');
  await page.clock.advance(3000);
  assert.ok(!page.connection.done.includes('iceRestart'));
  page.respond(2, 200, 'OK', sdp('recvonly'));
  await page.clock.advance(2000);
  assert.equal(page.core.told('reinvite').length, 2);
  assert.ok(page.connection.done.includes('iceRestart'));
  page.respond(3, 200, 'OK', sdp('recvonly'));
  await page.clock.advance(10_000);
  assert.equal(page.core.told('reinvite').length, 2, 'once is enough');
});

test('A repaired media path keeps the call', async () => {
  const page = new Page().connect();
  await page.establish();
  page.connection.ice('failed');
  await settle();
  assert.equal(page.core.told('reinvite').length, 1);
  page.respond(2, 200, 'OK', sdp());
  await settle();
  page.connection.ice('connected');
  await page.clock.advance(60_000);
  assert.equal(page.session?.isEstablished(), true);
});
