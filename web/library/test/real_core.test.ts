/** The library over the real core: what goes over the wire, and what comes of it. Needs the WebAssembly module. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from './support/clock.ts';
import { all, one } from './support/far_end.ts';
import { CONTACT, Scene, contactOf, library, options } from './support/scene.ts';
import { FakePeerConnection, sdp } from './support/webrtc.ts';

test('Registration with digest, and its refresh', options, async () => {
  const scene = new Scene({ register: true });
  await scene.start();
  const first = scene.far.take('REGISTER');
  assert.equal(first.start, 'REGISTER sip:example.com SIP/2.0');
  scene.far.respond(first, 401, 'Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"']);
  const second = scene.far.take('REGISTER');
  assert.match(one(second, 'Authorization'), /username="alice".*realm="r"/);
  scene.far.respond(second, 200, 'OK', [`Contact: ${one(second, 'Contact')};expires=600`]);
  assert.deepEqual(scene.news(), ['registered']);
  assert.equal(scene.ua.isRegistered(), true);
  await scene.clock.advance(600_000);
  assert.ok(scene.far.take('REGISTER'));
});

test('A wrong password is told once', options, async () => {
  const scene = new Scene({ register: true });
  await scene.start();
  for (let round = 0; round < 2; round += 1) {
    const register = scene.far.take('REGISTER');
    scene.far.respond(register, 401, 'Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']);
  }
  assert.deepEqual(scene.news(), ['registrationFailed Authentication Error']);
});

test('An outgoing call, from INVITE to BYE', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  assert.match(invite.body, /m=audio/);
  assert.equal(one(invite, 'Content-Type'), 'application/sdp');
  assert.deepEqual(scene.news(), ['progress remote', 'accepted remote', 'confirmed local']);
  scene.session.terminate();
  assert.deepEqual(scene.news(), ['ended local Terminated']);
  scene.far.respond(scene.far.take('BYE'), 200, 'OK');
});

test('The far end hangs up', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  scene.far.ask('BYE', contactOf(scene.ua), [
    `From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, 'CSeq: 1 BYE',
  ]);
  assert.equal(scene.far.take('BYE').start, 'SIP/2.0 200 OK');
  assert.equal(scene.news().at(-1), 'ended remote Terminated');
});

test('Cancelling: CANCEL goes out after the first response, and the call has failed at once', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  const invite = scene.far.take('INVITE');
  scene.session.terminate({ status_code: 603, reason_phrase: 'No' });
  assert.deepEqual(scene.news(), ['failed local Canceled']);
  scene.far.respond(invite, 100, 'Trying');
  const cancel = scene.far.take('CANCEL');
  assert.match(one(cancel, 'Reason'), /cause=603/);
});

test('Hanging up while the answer is being applied: the 2xx is acknowledged, and BYE follows', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  scene.far.respond(scene.far.take('INVITE'), 200, 'OK', [CONTACT], sdp(), 'bobs');
  scene.session.terminate({ status_code: 486 });
  await settle();
  assert.ok(scene.far.take('ACK'));
  assert.match(one(scene.far.take('BYE'), 'Reason'), /cause=486/);
  assert.deepEqual(scene.news(), ['failed local Canceled']);
});

test('A call that is to replace ours and was taken back meanwhile does not ring when it is accepted', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  const { session } = scene;
  let accept = () => {};
  session.on('replaces', (event: any) => { accept = event.accept; });
  const replaces = `${one(invite, 'Call-ID')};to-tag=${one(invite, 'From').split('tag=')[1]};from-tag=bobs`;
  scene.ring(sdp(), [`Replaces: ${replaces}`]);
  const trying = scene.far.take('INVITE');
  scene.far.say([
    `CANCEL ${contactOf(scene.ua)} SIP/2.0`, `Via: ${one(trying, 'Via')}`, 'Max-Forwards: 70',
    `From: ${one(trying, 'From')}`, 'To: <sip:alice@example.com>', 'Call-ID: theirs@far', 'CSeq: 1 CANCEL',
  ]);
  assert.throws(() => accept(), { name: 'INVALID_STATE_ERROR' });
  assert.equal(scene.session, session, 'no call was announced');
});

test('A busy callee', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  scene.far.respond(scene.far.take('INVITE'), 486, 'Busy Here');
  assert.deepEqual(scene.news(), ['failed remote Busy']);
  assert.ok(scene.far.take('ACK'));
});

test('A callee that never answers a word: Request Timeout, not Canceled', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', { mediaConstraints: { audio: true } });
  await scene.clock.advance(33_000);
  assert.match(scene.news().join(), /failed \w+ Request Timeout/);
});

test('A connection that breaks before the answer: Connection Error, not Canceled', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  scene.far.drop();
  assert.match(scene.news().join(), /failed \w+ Connection Error/);
});

test('Two branches answer: the second is hung up, the first goes on', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  scene.far.respond(invite, 200, 'OK', ['Contact: <sip:bob@other.example>'], sdp(), 'other');
  assert.match(one(scene.far.take('ACK'), 'To'), /tag=other/);
  assert.match(one(scene.far.take('BYE'), 'To'), /tag=other/);
  assert.equal(scene.session.isEstablished(), true);
});

test('A refusal whose headers cannot be written refuses all the same', options, async () => {
  const scene = await new Scene().start();
  scene.ring();
  scene.far.inbox.length = 0;
  scene.news();
  scene.session.terminate({ status_code: 486, extraHeaders: ['X-Why: one\r\ntwo'] });
  assert.equal(scene.far.take('INVITE').start, 'SIP/2.0 486 Busy Here');
  assert.deepEqual(scene.news(), ['failed local Rejected']);
});

test('A call is hung up also where the headers of its BYE cannot be written', options, async () => {
  const scene = await new Scene().start();
  await scene.call();
  scene.news();
  void scene.session.terminate({ extraHeaders: ['no header'] });
  assert.ok(scene.far.take('BYE'));
  assert.deepEqual(scene.news(), ['ended local Terminated']);
});

test('A refusal of a re-INVITE or MESSAGE whose headers cannot be written refuses all the same', options, async () => {
  const scene = await new Scene().start();
  const unwritable = { status_code: 480, extraHeaders: ['X-Why: one\r\ntwo'] };
  const invite = await scene.call();
  scene.session.on('reinvite', (event: any) => event.reject(unwritable));
  scene.far.ask('INVITE', contactOf(scene.ua), [
    `From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, 'CSeq: 1 INVITE', CONTACT,
  ], sdp());
  await settle();
  assert.deepEqual(scene.far.inbox.splice(0).map(({ start }) => start), ['SIP/2.0 100 Trying', 'SIP/2.0 480 Temporarily Unavailable']);
  scene.ua.on('newMessage', ({ message }) => message.reject(unwritable));
  scene.far.ask('MESSAGE', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=m', 'To: <sip:alice@example.com>', 'Call-ID: m@far', 'CSeq: 1 MESSAGE', 'Content-Type: text/plain',
  ], 'hello');
  await settle();
  assert.equal(scene.far.take('MESSAGE').start, 'SIP/2.0 480 Temporarily Unavailable');
});

test('An incoming call, answered and hung up', options, async () => {
  const scene = await new Scene().start();
  scene.ring();
  assert.equal(scene.far.take('INVITE').start, 'SIP/2.0 100 Trying');
  assert.equal(scene.far.take('INVITE').start, 'SIP/2.0 180 Ringing');
  scene.session.answer();
  await settle();
  const ok = scene.far.take('INVITE');
  assert.equal(ok.start, 'SIP/2.0 200 OK');
  assert.match(ok.body, /m=audio/);
  scene.far.ask('ACK', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', `To: ${one(ok, 'To')}`, 'Call-ID: theirs@far', 'CSeq: 1 ACK',
  ]);
  await settle();
  assert.deepEqual(scene.news(), ['progress local', 'accepted local', 'confirmed remote']);
  scene.session.terminate();
  assert.equal(scene.far.take('BYE').start.split(' ')[1], 'sip:bob@far.example;transport=ws');
});

test('A call that is answered in the last second waits for the microphone, however long the user is asked for it', options, async () => {
  const scene = await new Scene().start();
  scene.ring();
  await scene.clock.advance(59_000);
  scene.far.inbox.length = 0;
  let granted = () => undefined as void;
  scene.devices.answer = new Promise((resolve) => { granted = resolve; });
  scene.session.answer({ mediaConstraints: { audio: true, video: false } });
  await scene.clock.advance(5000);
  granted();
  await settle();
  assert.equal(scene.far.take('INVITE').start, 'SIP/2.0 200 OK');
});

test('An incoming call is rejected', options, async () => {
  const scene = await new Scene().start();
  scene.ring();
  scene.far.take('INVITE');
  scene.far.take('INVITE');
  scene.session.terminate({ status_code: 486 });
  assert.equal(scene.far.take('INVITE').start, 'SIP/2.0 486 Busy Here');
  assert.deepEqual(scene.news(), ['progress local', 'failed local Rejected']);
});

test('A call to a page that does not listen is refused with 405', options, async () => {
  const scene = await new Scene().start();
  scene.ua.removeAllListeners('newRTCSession');
  scene.ring();
  assert.match(scene.far.inbox.map((message) => message.start).join(), /405/);
});

test('Hold and resume by re-INVITE', options, async () => {
  const scene = await new Scene().start();
  await scene.call();
  scene.news();
  assert.equal(scene.session.hold(), true);
  await settle();
  const hold = scene.far.take('INVITE');
  assert.match(hold.body, /a=sendonly/);
  scene.far.respond(hold, 200, 'OK', [CONTACT], sdp('recvonly'));
  await settle();
  scene.far.take('ACK');
  assert.equal(scene.session.unhold({ useUpdate: true }), true);
  await settle();
  const resume = scene.far.take('UPDATE');
  assert.match(resume.body, /a=sendrecv/);
  scene.far.respond(resume, 200, 'OK', [CONTACT], sdp());
  await settle();
  assert.deepEqual(scene.news(), ['hold local', 'unhold local']);
  assert.equal(scene.session.isReadyToReOffer(), true);
});

test('A refused hold keeps the call', options, async () => {
  const scene = await new Scene().start();
  await scene.call();
  scene.news();
  scene.session.hold();
  await settle();
  scene.far.respond(scene.far.take('INVITE'), 488, 'Not Acceptable Here');
  await settle();
  assert.deepEqual(scene.news(), ['hold local', 'reofferfailed Incompatible SDP', 'unhold local']);
  assert.equal(scene.session.isEstablished(), true);
});

test('The far end holds and resumes', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  scene.news();
  const dialog = [`From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, CONTACT];
  scene.far.ask('UPDATE', contactOf(scene.ua), [...dialog, 'CSeq: 5 UPDATE'], sdp('sendonly'));
  await settle();
  const held = scene.far.take('UPDATE');
  assert.equal(held.start, 'SIP/2.0 200 OK');
  assert.match(held.body, /s=answer/);
  scene.far.ask('UPDATE', contactOf(scene.ua), [...dialog, 'CSeq: 6 UPDATE'], sdp());
  await settle();
  assert.deepEqual(scene.news(), ['hold remote', 'unhold remote']);
});

test('Keypad by INFO', options, async () => {
  const scene = await new Scene().start();
  await scene.call();
  scene.session.sendDTMF('5');
  const info = scene.far.take('INFO');
  assert.equal(one(info, 'Content-Type'), 'application/dtmf-relay');
  assert.equal(info.body, 'Signal=5\r\nDuration=100');
});

test('Text messages both ways', options, async () => {
  const scene = await new Scene().start();
  const told: string[] = [];
  scene.ua.sendMessage('bob', 'hello', { eventHandlers: { succeeded: () => told.push('succeeded') } });
  const message = scene.far.take('MESSAGE');
  assert.equal(message.body, 'hello');
  assert.equal(one(message, 'Content-Type'), 'text/plain');
  scene.far.respond(message, 200, 'OK');
  scene.ua.on('newMessage', ({ originator, request }) => told.push(`${originator} ${(request as any).body}`));
  scene.far.ask('MESSAGE', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=x', 'To: <sip:alice@example.com>', 'Call-ID: m@far', 'CSeq: 1 MESSAGE', 'Content-Type: text/plain',
  ], 'hi');
  assert.equal(scene.far.take('MESSAGE').start, 'SIP/2.0 200 OK');
  assert.deepEqual(told, ['succeeded', 'remote hi']);
});

test('MESSAGE and OPTIONS inside a call are told by the user agent, as those outside are', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  const dialog = (method: string, cseq: number) => [
    `From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, `CSeq: ${cseq} ${method}`, CONTACT,
  ];
  scene.far.ask('MESSAGE', contactOf(scene.ua), [...dialog('MESSAGE', 1), 'Content-Type: text/plain'], 'hi');
  scene.far.ask('OPTIONS', contactOf(scene.ua), dialog('OPTIONS', 2));
  assert.deepEqual(scene.far.inbox.splice(0).map(({ start }) => start), ['SIP/2.0 405 Method Not Allowed', 'SIP/2.0 200 OK'], 'nobody listens');
  const told: string[] = [];
  scene.ua.on('newMessage', ({ originator, message, request }) => {
    told.push(`${originator} ${message.direction} ${request.body}`);
  });
  scene.ua.on('newOptions', ({ message }) => message.reject({ status_code: 486 }));
  scene.far.ask('MESSAGE', contactOf(scene.ua), [...dialog('MESSAGE', 3), 'Content-Type: text/plain'], 'hi');
  scene.far.ask('OPTIONS', contactOf(scene.ua), dialog('OPTIONS', 4));
  assert.deepEqual(scene.far.inbox.map(({ start }) => start), ['SIP/2.0 200 OK', 'SIP/2.0 486 Busy Here']);
  assert.deepEqual(told, ['remote incoming hi']);
});

test('A request in a call that is over, or has no dialog yet, throws nothing: its handler is told', options, async () => {
  const scene = await new Scene().start();
  const told: string[] = [];
  const eventHandlers = { onDialogError: () => told.push('dialog error') };
  const early = scene.ua.call('carol', { mediaConstraints: { audio: true } });
  assert.equal(early.sendRequest('INFO', { eventHandlers }), undefined);
  early.terminate();
  await scene.call();
  scene.session.terminate();
  assert.equal(scene.session.sendRequest('INFO', { eventHandlers }), undefined);
  await settle();
  assert.deepEqual(told, ['dialog error', 'dialog error']);
});

test('A message without a body is none', options, async () => {
  const scene = await new Scene().start();
  assert.throws(() => (scene.ua as any).sendMessage('bob'), TypeError);
  assert.deepEqual(scene.far.inbox, []);
});

test('What the page adds to registrations in the event connected is in the first one, and it may write already', options, async () => {
  const scene = new Scene({ register: true });
  scene.ua.on('connected', () => {
    scene.ua.registrator().setExtraHeaders(['X-Device: 7']);
    scene.ua.sendMessage('bob', 'here');
  });
  await scene.start();
  assert.deepEqual(scene.far.inbox.map(({ method }) => method), ['MESSAGE', 'REGISTER']);
  assert.equal(one(scene.far.take('REGISTER'), 'X-Device'), '7');
});

test('Who stops in the event connected is not registered', options, async () => {
  const scene = new Scene({ register: true });
  scene.ua.on('connected', () => void scene.ua.stop());
  await scene.start();
  assert.deepEqual(scene.far.inbox, []);
});

test('A dropped connection comes back by itself, registers again, and the call can be hung up', options, async () => {
  const scene = new Scene({ register: true });
  await scene.start();
  const register = scene.far.take('REGISTER');
  scene.far.respond(register, 200, 'OK', [`Contact: ${one(register, 'Contact')};expires=600`]);
  await scene.call();
  scene.news();
  scene.far.drop();
  assert.deepEqual(scene.news(), ['disconnected', 'unregistered']);
  await scene.clock.advance(3_000);
  const again = scene.far.take('REGISTER');
  scene.far.respond(again, 200, 'OK', [`Contact: ${one(again, 'Contact')};expires=600`]);
  assert.deepEqual(scene.news(), ['connected', 'registered']);
  assert.equal(scene.session.isEstablished(), true);
  scene.session.terminate();
  assert.ok(scene.far.take('BYE'));
});

test('Stop: the binding is taken back, the call ended, the connection closed', options, async () => {
  const scene = new Scene({ register: true });
  await scene.start();
  const register = scene.far.take('REGISTER');
  scene.far.respond(register, 200, 'OK', [`Contact: ${one(register, 'Contact')};expires=600`]);
  await scene.call();
  scene.ua.stop();
  assert.match(all(scene.far.take('REGISTER'), 'Contact')[0] ?? '', /expires=0/);
  assert.ok(scene.far.take('BYE'));
  await scene.clock.advance(2_000);
  assert.equal(scene.ua.isConnected(), false);
});

test('A connection lost during a re-INVITE: the hold is undone, the call goes on and can be hung up', options, async () => {
  const scene = await new Scene().start();
  await scene.call();
  scene.news();
  scene.session.hold();
  await settle();
  scene.far.take('INVITE');
  scene.far.drop();
  await settle();
  assert.deepEqual(scene.news(), ['hold local', 'disconnected', 'reofferfailed Connection Error', 'unhold local']);
  await scene.clock.advance(3_000);
  assert.equal(scene.session.isReadyToReOffer(), true);
  scene.session.terminate();
  assert.ok(scene.far.take('BYE'));
});

test('The far end re-offers while our re-INVITE is under way: 491, and ours goes on', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  scene.news();
  scene.session.hold();
  await settle();
  const ours = scene.far.take('INVITE');
  scene.far.ask('INVITE', contactOf(scene.ua), [
    `From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, CONTACT, 'CSeq: 5 INVITE',
  ], sdp('sendonly'));
  await settle();
  assert.match(scene.far.inbox.map((message) => message.start).join(), /491/);
  scene.far.respond(ours, 200, 'OK', [CONTACT], sdp('recvonly'));
  await settle();
  assert.deepEqual(scene.news(), ['hold local']);
  assert.deepEqual(scene.session.isOnHold(), { local: true, remote: false });
});

test('The far end takes its re-INVITE back while the answer is made: it gets 487, and our own offer of what holds now', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  scene.news();
  const dialog = [`From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, CONTACT];
  const taken = (cseq: number, body: string) => {
    const via = `Via: SIP/2.0/WS far.example;branch=z9hG4bKtaken${cseq}`;
    scene.far.say([`INVITE ${contactOf(scene.ua)} SIP/2.0`, via, ...dialog, `CSeq: ${cseq} INVITE`], body);
    scene.far.say([`CANCEL ${contactOf(scene.ua)} SIP/2.0`, via, ...dialog, `CSeq: ${cseq} CANCEL`]);
  };
  taken(5, sdp('sendonly'));
  await settle();
  assert.deepEqual(scene.far.inbox.splice(0).map(({ start }) => start.replace(/ sip:.*/, '')), [
    'SIP/2.0 100 Trying', 'SIP/2.0 200 OK', 'SIP/2.0 487 Request Terminated', 'INVITE',
  ]);
  assert.deepEqual(scene.news(), [], 'nobody holds anybody');
});

test('The far end takes back that it wants an offer: nothing is changed, and it may ask again', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  const dialog = [`From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, CONTACT];
  const ask = (method: string, cseq: number) =>
    scene.far.say([`${method} ${contactOf(scene.ua)} SIP/2.0`, `Via: SIP/2.0/WS far.example;branch=z9hG4bKlate${cseq}`, ...dialog, `CSeq: ${cseq} ${method}`]);
  ask('INVITE', 5);
  ask('CANCEL', 5);
  await settle();
  assert.equal(FakePeerConnection.last.signalingState, 'stable');
  scene.far.inbox.length = 0;
  ask('INVITE', 6);
  await settle();
  assert.deepEqual(scene.far.inbox.map(({ start }) => start), ['SIP/2.0 100 Trying', 'SIP/2.0 200 OK']);
});

test('Early media, and then the answer', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  const invite = scene.far.take('INVITE');
  scene.far.respond(invite, 183, 'Session Progress', [CONTACT], sdp('sendrecv', 'early'), 'bobs');
  await settle();
  assert.equal(FakePeerConnection.last.signalingState, 'have-remote-pranswer');
  scene.far.respond(invite, 200, 'OK', [CONTACT], sdp('sendrecv', 'final'), 'bobs');
  await settle();
  assert.deepEqual(scene.news(), ['progress remote', 'accepted remote', 'confirmed local']);
  assert.match(FakePeerConnection.last.remoteDescription?.sdp ?? '', /s=final/);
});

test('A call without an offer: ours is in the 200, the answer in the ACK', options, async () => {
  const scene = await new Scene().start();
  scene.ring('');
  scene.far.take('INVITE');
  scene.far.take('INVITE');
  scene.session.answer();
  await settle();
  const ok = scene.far.take('INVITE');
  assert.match(ok.body, /s=offer/);
  scene.far.ask('ACK', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', `To: ${one(ok, 'To')}`, 'Call-ID: theirs@far', 'CSeq: 1 ACK',
  ], sdp());
  await settle();
  assert.deepEqual(scene.news(), ['progress local', 'accepted local', 'confirmed remote']);
});

test('A caller that gives up: CANCEL, 487, and the call has failed', options, async () => {
  const scene = await new Scene().start();
  scene.ring();
  const via = one(scene.far.take('INVITE'), 'Via');
  scene.far.say([
    `CANCEL ${contactOf(scene.ua)} SIP/2.0`, `Via: ${via}`, 'Max-Forwards: 70', 'From: <sip:bob@example.com>;tag=bobs',
    'To: <sip:alice@example.com>', 'Call-ID: theirs@far', 'CSeq: 1 CANCEL', 'Reason: SIP;cause=200;text="Call completed elsewhere"',
  ]);
  assert.deepEqual(scene.news(), ['progress local', 'failed remote Canceled']);
  assert.match(scene.far.inbox.map((message) => message.start).join(), /180 Ringing.*(200 OK.*487|487.*200 OK)/);
});

test('Nobody answers: 408 after the configured time', options, async () => {
  const scene = await new Scene({ no_answer_timeout: 20 }).start();
  scene.ring();
  await scene.clock.advance(20_000);
  assert.equal(scene.news().at(-1), 'failed local No Answer');
  assert.match(scene.far.inbox.map((message) => message.start).join(), /408/);
});

test('A blind transfer, from REFER to the last NOTIFY', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  const told: string[] = [];
  scene.session.refer('carol', { eventHandlers: { requestSucceeded: () => told.push('requested'), accepted: () => told.push('accepted') } });
  const refer = scene.far.take('REFER');
  assert.equal(one(refer, 'Refer-To'), '<sip:carol@example.com>');
  scene.far.respond(refer, 202, 'Accepted', [CONTACT]);
  scene.far.ask('NOTIFY', contactOf(scene.ua), [
    `From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, CONTACT, 'CSeq: 5 NOTIFY',
    'Event: refer', 'Subscription-State: terminated;reason=noresource', 'Content-Type: message/sipfrag',
  ], 'SIP/2.0 200 OK\r\n');
  assert.equal(scene.far.take('NOTIFY').start, 'SIP/2.0 200 OK');
  assert.deepEqual(told, ['requested', 'accepted']);
});

/** The far end calls in the place of `first`, which began with this INVITE of ours, and is answered. */
async function takePlace(scene: Scene, invite: ReturnType<Scene['far']['take']>, first: Scene['session']): Promise<void> {
  const tag = /tag=([^;]+)/.exec(one(invite, 'From'))?.[1];
  scene.ring(sdp(), [`Replaces: ${one(invite, 'Call-ID')};to-tag=${tag};from-tag=bobs`]);
  assert.notEqual(scene.session, first);
  scene.session.answer();
  await settle();
  const answer = scene.far.inbox.find((message) => message.start === 'SIP/2.0 200 OK');
  scene.far.ask('ACK', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', `To: ${answer ? one(answer, 'To') : ''}`, 'Call-ID: theirs@far', 'CSeq: 1 ACK',
  ]);
  await settle();
  assert.equal(first.isEnded(), true);
}

test('An attended transfer takes the place of a standing call', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  const first = scene.session;
  await takePlace(scene, invite, first);
  assert.ok(scene.far.take('BYE'));
});

test('A call that rings at the far end can be replaced: the INVITE of ours is taken back when the new call stands', options, async () => {
  const scene = await new Scene().start();
  scene.ua.call('bob', { mediaConstraints: { audio: true, video: false } });
  await settle();
  const [first, invite] = [scene.session, scene.far.take('INVITE')];
  scene.far.respond(invite, 180, 'Ringing', [CONTACT], '', 'bobs');
  await takePlace(scene, invite, first);
  assert.equal(scene.session.isEstablished(), true);
  assert.ok(scene.far.take('CANCEL'));
});

test('A subscription over the wire, with a NOTIFY that overtakes the 200', options, async () => {
  const scene = await new Scene().start();
  const told: string[] = [];
  const subscriber = scene.ua.subscribe('bob', 'presence', 'application/pidf+xml');
  subscriber.on('active', () => told.push('active'));
  subscriber.on('notify', (_isFinal, _request, body) => told.push(body));
  subscriber.on('terminated', (code) => told.push(`terminated ${code}`));
  subscriber.subscribe();
  const subscribe = scene.far.take('SUBSCRIBE');
  assert.equal(one(subscribe, 'Event'), 'presence');
  const notify = (state: string, cseq: number) => scene.far.ask('NOTIFY', contactOf(scene.ua), [
    `From: ${one(subscribe, 'To')};tag=bobs`, `To: ${one(subscribe, 'From')}`, `Call-ID: ${one(subscribe, 'Call-ID')}`, CONTACT,
    `CSeq: ${cseq} NOTIFY`, 'Event: presence', `Subscription-State: ${state}`, 'Content-Type: application/pidf+xml',
  ], '<presence/>');
  notify('active;expires=900', 1);
  assert.equal(scene.far.take('NOTIFY').start, 'SIP/2.0 200 OK');
  scene.far.respond(subscribe, 200, 'OK', [CONTACT, 'Expires: 900'], '', 'bobs');
  subscriber.terminate();
  const leaving = scene.far.take('SUBSCRIBE');
  assert.equal(one(leaving, 'Expires'), '0');
  scene.far.respond(leaving, 200, 'OK', [CONTACT, 'Expires: 0']);
  notify('terminated;reason=timeout', 2);
  assert.deepEqual(told, ['active', '<presence/>', '<presence/>', 'terminated 6']);
});

test('Somebody subscribes to us', options, async () => {
  const scene = await new Scene().start();
  scene.ua.on('newSubscribe', ({ request }) => {
    const notifier = scene.ua.notify(request, 'application/pidf+xml');
    notifier.on('subscribe', () => notifier.notify('<presence/>'));
    notifier.start();
  });
  scene.far.ask('SUBSCRIBE', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', 'To: <sip:alice@example.com>', 'Call-ID: s@far', 'CSeq: 1 SUBSCRIBE', CONTACT,
    'Event: presence', 'Expires: 60',
  ]);
  const ok = scene.far.take('SUBSCRIBE');
  assert.equal(ok.start, 'SIP/2.0 200 OK');
  assert.equal(one(ok, 'Expires'), '60');
  const notify = scene.far.take('NOTIFY');
  assert.equal(one(notify, 'Subscription-State'), 'active;expires=60');
  assert.equal(notify.start.split(' ')[1], 'sip:bob@far.example;transport=ws');
});

test('A registrar that is not there: retried, and registered in the end', options, async () => {
  const scene = new Scene({ register: true });
  await scene.start();
  scene.far.respond(scene.far.take('REGISTER'), 503, 'Service Unavailable', ['Retry-After: 5']);
  assert.match(scene.news().join(), /registrationFailed/);
  await scene.clock.advance(6_000);
  const again = scene.far.take('REGISTER');
  scene.far.respond(again, 200, 'OK', [`Contact: ${one(again, 'Contact')};expires=600`]);
  assert.deepEqual(scene.news(), ['registered']);
});

test('Every header that the page adds to all messages is in all messages', options, async () => {
  const scene = await new Scene({ extra_headers: ['X-All: yes'] }).start();
  const invite = await scene.call();
  assert.equal(one(invite, 'X-All'), 'yes');
  scene.session.terminate();
  assert.equal(one(scene.far.take('BYE'), 'X-All'), 'yes');
});

test('An anonymous call tells no name', options, async () => {
  const scene = await new Scene({ display_name: 'Alice' }).start();
  scene.ua.call('bob', { mediaConstraints: { audio: true }, anonymous: true });
  await settle();
  const invite = scene.far.take('INVITE');
  assert.match(one(invite, 'From'), /anonymous@anonymous\.invalid/);
  assert.equal(one(invite, 'Privacy'), 'id');
  assert.doesNotMatch(one(invite, 'From'), /Alice/);
});

test('Wrong header lines are refused before anything is sent', options, async () => {
  const scene = await new Scene().start();
  assert.throws(() => scene.ua.sendMessage('bob', 'x', { extraHeaders: ['X-One: 1\r\nX-Two: 2'] }));
  assert.throws(() => scene.ua.sendMessage('bob', 'x', { extraHeaders: ['no colon'] }));
  assert.deepEqual(scene.far.inbox, []);
});

test('A message from a log is read as one from the network, and what is none is not read', options, () => {
  const lines = [
    'INVITE sip:alice@example.com SIP/2.0', 'v: SIP/2.0/WS far.example;branch=z9hG4bK1', 'Max-Forwards: 70', 'f: "Böb" <sip:bob@example.com>;tag=b',
    'To: <sip:alice@example.com>', 'Call-ID: log@far', 'CSeq: 1 INVITE', 'm: <sip:bob@far.example>, <sip:bob@other.example>', 'Subject: one',
    '\ttwo', 'Content-Length: 7', '', 'hello\r\n',
  ];
  const request = library!.parseMessage(lines.join('\r\n'));
  assert.ok(request !== undefined && 'ruri' in request);
  assert.equal(request.from.display_name, 'Böb');
  assert.equal(request.via_branch, 'z9hG4bK1');
  assert.deepEqual(request.getHeaders('contact'), ['<sip:bob@far.example>', '<sip:bob@other.example>']);
  assert.equal(request.getHeader('Subject'), 'one two');
  assert.equal(request.getHeader('constructor'), undefined);
  assert.equal(request.body, 'hello\r\n');
  assert.equal(new TextDecoder().decode(request.message.bodyBytes), 'hello\r\n');
  assert.deepEqual(request.message.fields.slice(-2), [['Subject', 'one two'], ['Content-Length', '7']]);
  const plain = library!.parseMessage(lines.join('\r\n').replace('ö', 'o'));
  assert.equal(plain?.from.display_name, 'Bob');
  assert.equal(new TextDecoder().decode(plain?.message.bodyBytes), 'hello\r\n', 'of one that came as ASCII too');
  assert.equal(library!.parseMessage('not a message'), undefined);
  assert.equal(library!.parseMessage(lines.filter((line) => !line.startsWith('Call-ID')).join('\r\n')), undefined, 'no Call-ID');
});

test('Tags are found behind names and addresses that look like them', options, () => {
  const from = (value: string) => library!.parseMessage([
    'OPTIONS sip:alice@example.com SIP/2.0', 'Via: SIP/2.0/WS far.example;branch=z9hG4bK1', 'Max-Forwards: 70', `From: ${value}`,
    'To: <sip:alice@example.com>', 'Call-ID: log@far', 'CSeq: 1 OPTIONS', 'Content-Length: 0', '', '',
  ].join('\r\n'))?.from_tag;
  assert.equal(from('"<;tag=a>" <sip:b@example.com;tag=b>;tag=c'), 'c');
  assert.equal(from('<sip:b@example.com>;x="> ;tag=d";tag=e'), 'e');
  assert.equal(from('sip:b@example.com;tag=f'), 'f');
});

test('100rel: the caller sends PRACK, and takes a 200 without the description that a reliable 183 had', options, async () => {
  const scene = await new Scene({ extension_100rel: 'supported' }).start();
  scene.ua.call('bob', { mediaConstraints: { audio: true } });
  await settle();
  const invite = scene.far.take('INVITE');
  assert.match(one(invite, 'Supported'), /100rel/);
  scene.far.respond(invite, 183, 'Session Progress', [CONTACT, 'Require: 100rel', 'RSeq: 12'], sdp(), 'bobs');
  const prack = scene.far.take('PRACK');
  assert.equal(one(prack, 'RAck'), `12 ${one(invite, 'CSeq')}`);
  scene.far.respond(prack, 200, 'OK');
  scene.far.respond(invite, 200, 'OK', [CONTACT], '', 'bobs');
  await settle();
  assert.ok(scene.far.take('ACK'));
  assert.deepEqual(scene.news(), ['progress remote', 'accepted remote', 'confirmed local']);
  assert.equal(FakePeerConnection.last.signalingState, 'stable');
});

/** Alice calls; bob's 183 answers, reliably or not, and bob offers anew in an UPDATE while it rings. */
async function offeredWhileItRings(reliable: boolean) {
  const scene = await new Scene({ extension_100rel: 'supported' }).start();
  scene.ua.call('bob', { mediaConstraints: { audio: true, video: false } });
  await settle();
  const invite = scene.far.take('INVITE');
  scene.far.respond(invite, 183, 'Session Progress', [CONTACT, ...(reliable ? ['Require: 100rel', 'RSeq: 12'] : [])], sdp(), 'bobs');
  scene.far.ask('UPDATE', contactOf(scene.ua), [
    `From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`, 'CSeq: 1 UPDATE', CONTACT,
  ], sdp('sendonly', 'ringback'));
  await settle();
  return { scene, invite, answer: scene.far.take('UPDATE') };
}

test('100rel: the callee may offer anew while it rings, and the 200 does not bring the old answer back', options, async () => {
  for (const body of ['', sdp()]) {
    const { scene, invite, answer } = await offeredWhileItRings(true);
    assert.equal(answer.start, 'SIP/2.0 200 OK');
    assert.match(answer.body, /s=answer/);
    assert.match(FakePeerConnection.last.remoteDescription?.sdp ?? '', /s=ringback/);
    assert.deepEqual(scene.news(), ['progress remote', 'hold remote']);
    scene.far.respond(invite, 200, 'OK', [CONTACT], body, 'bobs');
    await settle();
    scene.far.take('ACK');
    assert.match(FakePeerConnection.last.remoteDescription?.sdp ?? '', /s=ringback/);
    assert.deepEqual(scene.news(), ['accepted remote', 'confirmed local']);
  }
});

test('100rel: after an offer while it rang, another branch may answer', options, async () => {
  const { scene, invite } = await offeredWhileItRings(true);
  scene.far.respond(invite, 200, 'OK', [CONTACT], sdp('sendrecv', 'carol'), 'carols');
  await settle();
  scene.far.take('ACK');
  assert.match(FakePeerConnection.last.remoteDescription?.sdp ?? '', /s=carol/);
});

test('An offer of the callee while ours has no answer that counts is put off with 491', options, async () => {
  const { answer } = await offeredWhileItRings(false);
  assert.match(answer.start, / 491 /);
});

test('100rel: the callee rings reliably and repeats it until PRACK', options, async () => {
  const scene = await new Scene({ extension_100rel: 'supported' }).start();
  scene.ring(sdp(), ['Supported: 100rel']);
  await settle();
  scene.far.take('INVITE');
  const ringing = scene.far.take('INVITE');
  assert.deepEqual([ringing.start, one(ringing, 'Require')], ['SIP/2.0 180 Ringing', '100rel']);
  await scene.clock.advance(500);
  assert.equal(one(scene.far.take('INVITE'), 'RSeq'), one(ringing, 'RSeq'));
  scene.far.ask('PRACK', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', `To: ${one(ringing, 'To')}`, 'Call-ID: theirs@far', 'CSeq: 2 PRACK', `RAck: ${one(ringing, 'RSeq')} 1 INVITE`,
  ]);
  assert.equal(scene.far.take('PRACK').start, 'SIP/2.0 200 OK');
  await scene.clock.advance(20_000);
  assert.throws(() => scene.far.take('INVITE'));
  scene.session.answer();
  await settle();
  assert.equal(scene.far.take('INVITE').start, 'SIP/2.0 200 OK');
});

test('100rel: not used unless asked for, as in JsSIP; a caller who requires it gets 420', options, async () => {
  const scene = await new Scene().start();
  scene.ring(sdp(), ['Require: 100rel']);
  const refused = scene.far.take('INVITE');
  assert.deepEqual([refused.start, one(refused, 'Unsupported')], ['SIP/2.0 420 Bad Extension', '100rel']);
  assert.throws(() => new Scene({ extension_100rel: 'perhaps' }), { name: 'CONFIGURATION_ERROR' });
});
