/** Errors in the page's own code: they are reported as uncaught, and the library goes on. Over the real core. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { settle } from './support/clock.ts';
import { type Sip, one } from './support/far_end.ts';
import { CONTACT, Scene, contactOf, options } from './support/scene.ts';
import { sdp } from './support/webrtc.ts';

const FAULT = new Error('of the page');

/** What is reported as an uncaught error during the test. */
function reported(context: TestContext): unknown[] {
  const seen: unknown[] = [];
  const before = globalThis.reportError;
  globalThis.reportError = (error) => seen.push(error);
  context.after(() => { globalThis.reportError = before; });
  return seen;
}

test('A handler of sendRequest that throws does not hide the end of the call', options, async (context) => {
  const errors = reported(context);
  const scene = await new Scene().start();
  await scene.call();
  scene.news();
  scene.session.sendRequest('INFO', { eventHandlers: { onErrorResponse: () => { throw FAULT; } } });
  scene.far.respond(scene.far.take('INFO'), 481, 'Call/Transaction Does Not Exist');
  assert.deepEqual(scene.news(), ['ended remote Dialog Error']);
  assert.deepEqual(errors, [FAULT]);
});

for (const body of ['', sdp('sendonly')]) {
  test(`A callback of a re-INVITE ${body ? 'with' : 'without'} an offer that throws does not cost the answer`, options, async (context) => {
    const errors = reported(context);
    const scene = await new Scene().start();
    const invite = await scene.call();
    scene.session.on('reinvite', (event: any) => { event.callback = () => { throw FAULT; }; });
    const dialog = [`From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`];
    scene.far.ask('INVITE', contactOf(scene.ua), [...dialog, 'CSeq: 1 INVITE', CONTACT], body);
    await settle();
    scene.far.ask('ACK', contactOf(scene.ua), [...dialog, 'CSeq: 1 ACK'], body ? '' : sdp('sendonly'));
    await settle();
    assert.deepEqual(scene.session.isOnHold(), { local: false, remote: true });
    assert.deepEqual(errors, [FAULT]);
  });
}

/** The REFER of bob's, in the call that `invite` began, to `target`. */
function refer(scene: Scene, invite: Sip, target: string): void {
  const dialog = [`From: ${one(invite, 'To')};tag=bobs`, `To: ${one(invite, 'From')}`, `Call-ID: ${one(invite, 'Call-ID')}`];
  scene.far.ask('REFER', contactOf(scene.ua), [...dialog, 'CSeq: 1 REFER', CONTACT, `Refer-To: <${target}>`]);
  assert.match(scene.far.take('REFER').start, / 202 /);
}

test('An initCallback that throws does not keep the call that was asked for from being made', options, async (context) => {
  const errors = reported(context);
  const scene = await new Scene().start();
  const invite = await scene.call();
  scene.session.on('refer', ({ accept }: any) => accept(() => { throw FAULT; }, { mediaConstraints: { audio: true } }));
  refer(scene, invite, 'sip:carol@example.com');
  await settle();
  assert.match(scene.far.take('INVITE').start, /sip:carol@example.com/);
  assert.deepEqual(errors, [FAULT]);
});

test('Who asks for a call that cannot be made is told so', options, async (context) => {
  const errors = reported(context);
  const scene = await new Scene().start();
  const invite = await scene.call();
  scene.session.on('refer', ({ accept }: any) => accept(undefined, { fromUserName: '<' }));
  refer(scene, invite, 'sip:carol@example.com');
  await settle();
  assert.match(scene.far.take('NOTIFY').body, /^SIP\/2.0 100 /);
  const last = scene.far.take('NOTIFY');
  assert.match(last.body, /^SIP\/2.0 500 /);
  assert.match(one(last, 'Subscription-State'), /^terminated/);
  assert.equal(errors.length, 1);
});
