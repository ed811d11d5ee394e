/** What happens inside a call: hold, mute, re-offers, keypad, INFO, transfer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Media } from '../src/media.ts';
import { Clock } from './support/clock.ts';
import { FakePeerConnection, Page, request, response, sdp, settle } from './support/page.ts';
import { Exceptions } from './support/library.ts';
import { FakeTrack } from './support/webrtc.ts';

const REOFFER = 2; // The call is the first thing that the core creates, the re-offer the second.

function reoffer(page: Page, body: string, method: 'INVITE' | 'UPDATE' = 'INVITE'): void {
  page.core.fire({ type: 'reoffer', call: 1, transaction: 50, method, request: request(method, { body }), body });
}

function asked(page: Page, method: string, headers: string[], body = '', type = ''): void {
  const message = request(method, { headers, body, type });
  page.core.fire({ type: 'dialogRequest', call: 1, transaction: 60, method, request: message });
}

test('Hold: the offer says that we only send, nothing is sent, and done is called when the peer agrees', async () => {
  const page = new Page().connect();
  await page.establish();
  let done = 0;
  assert.equal(page.session?.hold({}, () => { done += 1; }), true);
  assert.deepEqual(page.news(), ['hold local']);
  assert.deepEqual(page.session?.isOnHold(), { local: true, remote: false });
  await settle();
  const [, method, payload] = page.core.told('reinvite')[0] ?? [];
  assert.equal(method, 'INVITE');
  assert.match(payload.body, /a=sendonly/);
  assert.equal(page.devices.given[0]?.getTracks()[0]?.enabled, false);
  assert.equal(done, 0);
  page.respond(REOFFER, 200, 'OK', sdp('recvonly'));
  await settle();
  assert.equal(done, 1);
});

test('Unhold brings the direction and the sound back', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  await settle();
  page.respond(REOFFER, 200, 'OK', sdp('recvonly'));
  await settle();
  page.news();
  assert.equal(page.session?.unhold({ useUpdate: true }), true);
  assert.deepEqual(page.news(), ['unhold local']);
  await settle();
  const [, method, payload] = page.core.told('reinvite')[1] ?? [];
  assert.equal(method, 'UPDATE');
  assert.match(payload.body, /a=sendrecv/);
  page.respond(3, 200, 'OK', sdp(), 'UPDATE');
  await settle();
  assert.equal(page.devices.given[0]?.getTracks()[0]?.enabled, true);
});

test('Tracks that come during a hold are held too, and taken back with the rest', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  await settle();
  page.respond(REOFFER, 200, 'OK', sdp('recvonly'));
  await settle();
  page.connection.addTrack(new FakeTrack('video'));
  page.session?.renegotiate();
  await settle();
  assert.deepEqual(page.connection.getTransceivers().map((each) => each.direction), ['sendonly', 'sendonly']);
  page.respond(3, 200, 'OK', sdp('recvonly'));
  await settle();
  page.session?.unhold();
  assert.deepEqual(page.connection.getTransceivers().map((each) => each.direction), ['sendrecv', 'sendrecv']);
});

test('Hold and unhold where they make no sense return false', async () => {
  const page = new Page().connect();
  await page.establish();
  assert.equal(page.session?.unhold(), false);
  page.core.readyForReoffer = false;
  assert.equal(page.session?.hold(), false);
  assert.deepEqual(page.news(), []);
});

test('A second hold while the first is under way returns false', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  assert.equal(page.session?.unhold(), false);
  assert.equal(page.session?.isReadyToReOffer(), false);
});

test('A hold that the peer refuses keeps the call, and tells that it is off again', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  await settle();
  page.news();
  page.respond(REOFFER, 488, 'Not Acceptable Here');
  await settle();
  assert.deepEqual(page.news(), ['reofferfailed Incompatible SDP', 'unhold local']);
  assert.equal(page.session?.isEstablished(), true);
  assert.equal(page.connection.signalingState, 'stable', 'the offer was rolled back');
  assert.equal(page.connection.getTransceivers()[0]?.direction, 'sendrecv');
  assert.equal(page.session?.isReadyToReOffer(), true);
});

test('After a refused hold the browser is told by an offer that nobody sees to receive again', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  await settle();
  const before = page.connection.done.length;
  page.respond(REOFFER, 488, 'Not Acceptable Here');
  await settle();
  assert.deepEqual(page.connection.done.slice(before), [
    'setLocalDescription rollback',
    'createOffer',
    'setLocalDescription offer',
    'setLocalDescription rollback',
  ]);
  assert.match(page.connection.localDescription?.sdp ?? '', /a=sendrecv/);
  assert.equal(page.core.told('reinvite').length, 1);
});

test('A connection lost during a hold keeps the call too', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  await settle();
  page.core.fire({ type: 'requestFailed', number: REOFFER, call: 1, cause: 'Connection Error' });
  await settle();
  assert.equal(page.session?.isEstablished(), true);
  assert.deepEqual(page.session?.isOnHold(), { local: false, remote: false });
});

test('After 491 the offer is made again when the wait of RFC 3261 is over', async () => {
  const page = new Page().connect();
  await page.establish();
  let done = 0;
  page.session?.hold({}, () => { done += 1; });
  await settle();
  page.respond(REOFFER, 491, 'Request Pending');
  await page.clock.advance(2090);
  assert.equal(page.core.told('reinvite').length, 1);
  await page.clock.advance(2000);
  assert.equal(page.core.told('reinvite').length, 2);
  page.respond(3, 200, 'OK', sdp('recvonly'));
  await settle();
  assert.equal(done, 1);
});

test('A call that ends leaves no timer behind: not while candidates are gathered, nor after a glare, nor between tones', async () => {
  for (const found of ['none', 'one'] as const) {
    const page = new Page().connect();
    FakePeerConnection.gathering = found;
    page.ua.call('bob', { mediaConstraints: { audio: true, video: false } });
    await settle();
    assert.ok(page.clock.waiting > 0);
    page.session?.terminate();
    await settle();
    assert.equal(page.clock.waiting, 0, found);
  }
  const page = new Page().connect();
  await page.establish();
  page.session?.sendDTMF('1,2');
  page.session?.hold();
  await settle();
  page.respond(REOFFER + 1, 491, 'Request Pending');
  await settle();
  assert.equal(page.clock.waiting, 2);
  page.session?.terminate();
  await settle();
  assert.equal(page.clock.waiting, 0);
  await page.clock.advance(5000);
  assert.equal(page.core.told('reinvite').length, 1);
});

test('A wait that is over leaves nothing behind for the end of the call', async () => {
  const clock = new Clock();
  const cleared: unknown[] = [];
  const clearTimeout = (timer: unknown) => void cleared.push(timer);
  const media = new Media({ setTimeout: clock.setTimeout, clearTimeout } as any, {} as any);
  const waits = [media.wait(10), media.wait(20)];
  await clock.advance(20);
  await Promise.all(waits);
  cleared.length = 0;
  media.close();
  assert.deepEqual(cleared, []);
});

test('The peer puts us on hold and takes us back', async () => {
  const page = new Page().connect();
  await page.establish();
  reoffer(page, sdp('sendonly'));
  await settle();
  assert.deepEqual(page.news(), ['reinvite', 'sdp remote offer', 'sdp local answer', 'hold remote']);
  assert.equal(page.core.told('respond')[0]?.[1], 200);
  assert.equal(page.devices.given[0]?.getTracks()[0]?.enabled, false);
  reoffer(page, sdp('sendrecv'), 'UPDATE');
  await settle();
  assert.deepEqual(page.news(), ['update', 'sdp remote offer', 'sdp local answer', 'unhold remote']);
  assert.equal(page.devices.given[0]?.getTracks()[0]?.enabled, true);
});

test('The peer re-offers while we make an offer: 491, and the peer connection is not touched', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  const before = page.connection.done.length;
  reoffer(page, sdp('sendonly'));
  assert.deepEqual(page.core.told('respond')[0]?.slice(0, 2), [50, 491]);
  await settle();
  assert.ok(!page.connection.done.slice(before).includes('setRemoteDescription offer'));
  assert.equal(page.core.told('reinvite').length, 1);
});

test('A re-offer that WebRTC does not take: 488, and the call goes on', async () => {
  const page = new Page().connect();
  await page.establish();
  reoffer(page, sdp('sendrecv', 'broken'));
  await settle();
  assert.equal(page.core.told('respond')[0]?.[1], 488);
  assert.equal(page.session?.isEstablished(), true);
  assert.equal(page.session?.isReadyToReOffer(), true);
});

test('The page refuses a re-offer', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.on('reinvite', (event) => event.reject());
  reoffer(page, sdp());
  await settle();
  assert.deepEqual(page.core.told('respond').map((args) => args[1]), [403]);
  assert.ok(!page.connection.done.includes('setRemoteDescription offer'));
});

test('A re-INVITE without an offer gets ours, and its ACK brings the answer', async () => {
  const page = new Page().connect();
  await page.establish();
  reoffer(page, '');
  await settle();
  assert.match(page.core.told('respond')[0]?.[2].body, /s=offer/);
  assert.equal(page.session?.isReadyToReOffer(), false);
  const ack = request('ACK', { body: sdp('sendonly') });
  page.core.fire({ type: 'reofferAcknowledged', call: 1, transaction: 50, request: ack, body: sdp('sendonly') });
  await settle();
  assert.equal(page.connection.signalingState, 'stable');
  assert.deepEqual(page.session?.isOnHold(), { local: false, remote: true });
});

test('A re-INVITE without an offer that meets ours while it is being made gets 491, and ours goes on', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.hold();
  reoffer(page, '');
  await settle();
  assert.deepEqual(page.core.told('respond').map((args) => args[1]), [491]);
  page.respond(REOFFER, 200, 'OK', sdp('recvonly'));
  await settle();
  assert.equal(page.connection.signalingState, 'stable');
  assert.equal(page.session?.isReadyToReOffer(), true);
});

test('Renegotiation offers what the page has changed', async () => {
  const page = new Page().connect();
  await page.establish();
  let done = 0;
  assert.equal(page.session?.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, () => { done += 1; }), true);
  await settle();
  page.respond(REOFFER, 200, 'OK', sdp());
  await settle();
  assert.equal(done, 1);
  assert.ok(page.connection.done.includes('iceRestart'));
});

test('Mute tells what changed, and only that', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.mute();
  assert.deepEqual(page.last.muted, { audio: true, video: false });
  assert.equal(page.devices.given[0]?.getAudioTracks()[0]?.enabled, false);
  page.session?.mute();
  assert.deepEqual(page.news(), ['muted'], 'nothing changed the second time');
  assert.deepEqual(page.session?.isMuted(), { audio: true, video: false });
  page.session?.unmute();
  assert.deepEqual(page.last.unmuted, { audio: true, video: false });
  assert.equal(page.devices.given[0]?.getAudioTracks()[0]?.enabled, true);
});

test('A call that was muted before the hold is still muted after it', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.mute();
  page.session?.hold();
  await settle();
  page.respond(REOFFER, 200, 'OK', sdp('recvonly'));
  await settle();
  page.session?.unhold();
  assert.equal(page.devices.given[0]?.getAudioTracks()[0]?.enabled, false);
});

test('Keypad by INFO: one tone after the other, a comma is a pause', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.sendDTMF('1,#', { duration: 200, interToneGap: 300 });
  const bodies = () => page.core.told('dialogRequest').map(([, method, payload]) => `${method} ${payload.body}`);
  assert.deepEqual(bodies(), ['INFO Signal=1\r\nDuration=200']);
  assert.equal(page.core.told('dialogRequest')[0]?.[2].contentType, 'application/dtmf-relay');
  await page.clock.advance(500);
  await page.clock.advance(1900);
  assert.equal(bodies().length, 1);
  await page.clock.advance(200);
  assert.deepEqual(bodies()[1], 'INFO Signal=#\r\nDuration=200');
  assert.deepEqual(page.news(), ['newDTMF local', 'newDTMF local']);
});

test('A keypad INFO that fails takes the rest with it', async () => {
  const page = new Page().connect();
  await page.establish();
  const told: string[] = [];
  page.session?.sendDTMF('123', { eventHandlers: { failed: ({ cause }) => told.push(cause) } });
  page.respond(2, 415, 'Unsupported Media Type', '', 'INFO');
  await page.clock.advance(10_000);
  assert.equal(page.core.told('dialogRequest').length, 1);
  assert.deepEqual(told, ['SIP Failure Code']);
});

test('Keypad as telephone events goes to the audio sender and appends to what it still plays', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.sendDTMF('12', { transportType: 'RFC2833' });
  page.session?.sendDTMF(3, { transportType: 'RFC2833', duration: 10, interToneGap: 0 });
  assert.deepEqual(page.connection.getSenders()[0]?.dtmf?.played, [['12', 100, 500], ['123', 70, 500]]);
  assert.deepEqual(page.core.told('dialogRequest'), []);
});

test('Tones that are none are refused', async () => {
  const page = new Page().connect();
  await page.establish();
  assert.throws(() => page.session?.sendDTMF('5x'), TypeError);
  assert.throws(() => page.session?.sendDTMF('5', { duration: 'long' }), TypeError);
  assert.throws(() => (page.session as any).sendInfo(), TypeError);
  assert.throws(() => page.session?.sendDTMF(''), TypeError);
  assert.throws(() => page.session?.sendDTMF(',12', { extraHeaders: ['X-Why: one\r\ntwo'] }), { name: 'TypeError', message: /^Invalid header: "X-Why: one/ });
});

test('Keypad and INFO need a dialog', () => {
  const page = new Page().connect();
  const session = page.ua.call('bob', { mediaConstraints: { audio: true } });
  assert.throws(() => session.sendDTMF('1'), Exceptions.InvalidStateError);
  assert.throws(() => session.sendInfo('text/plain', 'x'), Exceptions.InvalidStateError);
});

test('A tone of the peer is answered 200 and told', async () => {
  const page = new Page().connect();
  await page.establish();
  asked(page, 'INFO', [], 'Signal=5\r\nDuration=160\r\n', 'application/dtmf-relay');
  assert.deepEqual(page.news(), ['newDTMF remote']);
  assert.equal(page.last.newDTMF.dtmf.tone, '5');
  assert.equal(page.last.newDTMF.dtmf.duration, 160);
  assert.deepEqual(page.core.told('respond')[0]?.slice(0, 2), [60, 200]);
});

test('INFO goes both ways', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.sendInfo('text/plain', 'hello', { extraHeaders: ['X-One: 1'] });
  assert.deepEqual(page.core.told('dialogRequest')[0], [1, 'INFO', { extraHeaders: ['X-One: 1'], contentType: 'text/plain', body: 'hello' }]);
  asked(page, 'INFO', [], 'back', 'text/plain');
  assert.deepEqual(page.news(), ['newInfo local', 'newInfo remote']);
  assert.equal(page.last.newInfo.info.body, 'back');
});

test('INFO works before the answer, where JsSIP throws', async () => {
  const page = new Page().connect();
  page.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  page.core.fire({ type: 'progress', call: 1, response: response(180, 'Ringing'), body: '', fork: 'a' });
  await settle();
  page.session?.sendInfo('text/plain', 'early');
  assert.equal(page.core.told('dialogRequest').length, 1);
});

test('Blind transfer: REFER goes out, and its progress comes back', async () => {
  const page = new Page().connect();
  await page.establish();
  const told: string[] = [];
  const subscriber = page.session?.refer('carol', {
    eventHandlers: {
      requestSucceeded: () => told.push('requestSucceeded'),
      trying: () => told.push('trying'),
      progress: ({ status_line }) => told.push(`progress ${status_line.status_code}`),
      accepted: ({ status_line }) => told.push(`accepted ${status_line.status_code}`),
    },
  });
  const [, method, payload] = page.core.told('dialogRequest')[0] ?? [];
  assert.equal(method, 'REFER');
  assert.deepEqual(payload.extraHeaders, ['Refer-To: <sip:carol@example.com>', 'Referred-By: <sip:alice@example.com>']);
  page.respond(2, 202, 'Accepted', '', 'REFER');
  const state = 'Subscription-State: active;expires=60';
  for (const line of ['SIP/2.0 100 Trying', 'SIP/2.0 180 Ringing', 'SIP/2.0 200 OK']) {
    asked(page, 'NOTIFY', [`Event: refer;id=${subscriber && subscriber.id}`, state], `${line}\r\n`, 'message/sipfrag');
  }
  assert.deepEqual(told, ['requestSucceeded', 'trying', 'progress 180', 'accepted 200']);
  assert.deepEqual(page.core.told('respond').map((args) => args[1]), [200, 200, 200]);
});

test('A NOTIFY of a transfer may leave the reason phrase out, and say more than the status line', async () => {
  const page = new Page().connect();
  await page.establish();
  const told: unknown[] = [];
  page.session?.refer('carol', { eventHandlers: { accepted: ({ status_line }) => told.push(status_line) } });
  page.respond(2, 202, 'Accepted', '', 'REFER');
  asked(page, 'NOTIFY', ['Event: refer', 'Subscription-State: terminated'], 'SIP/2.0 200\r\nContact: <sip:carol@far>\r\n', 'message/sipfrag');
  assert.deepEqual(told, [{ status_code: 200, reason_phrase: '' }]);
});

test('Attended transfer names the other call as its peer knows it', async () => {
  const page = new Page().connect();
  await page.establish();
  const session = page.session;
  session?.refer('bob', { replaces: session });
  assert.match(page.core.told('dialogRequest')[0]?.[2].extraHeaders[0], /Replaces=call%40own%3Bto-tag%3Dtheirs%3Bfrom-tag%3Dmine/);
});

test('The peer asks for a transfer: 202, a new call, and NOTIFYs about it', async () => {
  const page = new Page().connect();
  await page.establish();
  const first = page.session;
  first?.on('refer', ({ accept }) => accept(undefined, { mediaConstraints: { audio: true, video: false } }));
  asked(page, 'REFER', ['Refer-To: <sip:carol@example.com?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>']);
  assert.equal(page.core.told('respond')[0]?.[1], 202);
  await settle();
  assert.equal(page.core.told('createCall')[1]?.[0], 'sip:carol@example.com');
  assert.deepEqual(page.core.told('invite')[1]?.[1].extraHeaders, ['Replaces: x;to-tag=1;from-tag=2']);
  const call = page.core.told('invite')[1]?.[0];
  page.core.fire({ type: 'failed', call, originator: 'remote', message: response(486, 'Busy Here'), cause: 'Busy' });
  const notifies = page.core.told('dialogRequest').map(([, method, payload]) => `${method} ${payload.body.trim()}`);
  assert.deepEqual(notifies, ['NOTIFY SIP/2.0 100 Trying', 'NOTIFY SIP/2.0 486 Busy Here']);
});

test('A transfer that nobody listens for is declined', async () => {
  const page = new Page().connect();
  await page.establish();
  page.session?.removeAllListeners('refer');
  asked(page, 'REFER', ['Refer-To: <sip:carol@example.com>']);
  assert.equal(page.core.told('respond')[0]?.[1], 603);
});

test('Any request can be sent inside the call', async () => {
  const page = new Page().connect();
  await page.establish();
  const told: string[] = [];
  page.session?.sendRequest('OPTIONS', {
    eventHandlers: { onSuccessResponse: () => told.push('success'), onTransportError: () => told.push('transport') },
  });
  page.respond(2, 200, 'OK', '', 'OPTIONS');
  page.session?.sendRequest('OPTIONS', { eventHandlers: { onTransportError: () => told.push('transport') } });
  page.core.fire({ type: 'requestFailed', number: 3, call: 1, cause: 'Connection Error' });
  assert.deepEqual(told, ['success', 'transport']);
});

test('A listener that throws does not stop the call', async () => {
  const page = new Page().connect();
  const seen: unknown[] = [];
  const reportError = globalThis.reportError;
  globalThis.reportError = (error) => seen.push(error);
  page.ua.call('bob', { mediaConstraints: { audio: true }, eventHandlers: { connecting: () => { throw new Error('page'); } } });
  await settle();
  globalThis.reportError = reportError;
  assert.equal(seen.length, 1);
  assert.equal(page.core.told('invite').length, 1);
  assert.equal(FakePeerConnection.last.closed, false);
});
