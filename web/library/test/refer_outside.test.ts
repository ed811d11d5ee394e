/** REFER outside calls (RFC 3515), over the real core. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { one } from './support/far_end.ts';
import { CONTACT, Scene, contactOf, options } from './support/scene.ts';

/** Asks bob to call carol. */
async function referred() {
  const scene = await new Scene().start();
  const told: string[] = [];
  const refer = scene.ua.refer('bob', 'carol');
  for (const name of ['requestSucceeded', 'requestFailed', 'trying', 'progress', 'accepted', 'failed', 'expired'] as const) {
    refer.on(name as 'trying', () => told.push(name));
  }
  const outcome = refer.over.then(
    ({ status_line }) => `over ${status_line.status_code}`,
    (error) => `${error.name} ${error.cause}`,
  );
  const request = scene.far.take('REFER');
  let cseq = 0;
  const notify = (status: string, state = 'active;expires=60', event = 'refer') => {
    scene.far.ask('NOTIFY', contactOf(scene.ua), [
      `From: ${one(request, 'To')};tag=bobs`, `To: ${one(request, 'From')}`, `Call-ID: ${one(request, 'Call-ID')}`, CONTACT,
      `CSeq: ${(cseq += 1)} NOTIFY`, `Event: ${event}`, `Subscription-State: ${state}`, 'Content-Type: message/sipfrag',
    ], `SIP/2.0 ${status}\r\n`);
    return scene.far.take('NOTIFY').start;
  };
  return { scene, refer, request, told, outcome, notify };
}

test('REFER outside a call names whom to call and who asks, and its NOTIFYs say how that goes', options, async () => {
  const { scene, request, told, outcome, notify } = await referred();
  assert.equal(request.start, 'REFER sip:bob@example.com SIP/2.0');
  assert.equal(one(request, 'Refer-To'), '<sip:carol@example.com>');
  assert.equal(one(request, 'Referred-By'), '<sip:alice@example.com>');
  assert.ok(one(request, 'Contact'));
  scene.far.respond(request, 202, 'Accepted', [CONTACT], '', 'bobs');
  assert.equal(notify('100 Trying'), 'SIP/2.0 200 OK');
  notify('180 Ringing');
  notify('200 OK', 'terminated;reason=noresource');
  assert.deepEqual(told, ['requestSucceeded', 'trying', 'progress', 'accepted']);
  assert.equal(await outcome, 'over 200');
  assert.equal(notify('200 OK', 'terminated'), 'SIP/2.0 481 Call/Transaction Does Not Exist', 'the dialog is gone');
});

test('REFER outside a call may name a call of ours that the new one replaces, by the tags that its peer has', options, async () => {
  const scene = await new Scene().start();
  const invite = await scene.call();
  scene.ua.refer('carol', 'bob', { replaces: scene.session });
  const [, to = '', header = ''] = /^<([^?]*)\?Replaces=([^>]*)>$/.exec(one(scene.far.take('REFER'), 'Refer-To')) ?? [];
  assert.equal(to, 'sip:bob@example.com');
  const ours = /;tag=(\S+)/.exec(one(invite, 'From'))?.[1];
  assert.equal(decodeURIComponent(header), `${one(invite, 'Call-ID')};to-tag=bobs;from-tag=${ours}`);
});

test('REFER outside a call does not name a call that is over', options, async () => {
  const scene = await new Scene().start();
  await scene.call();
  scene.session.terminate();
  assert.throws(() => scene.ua.refer('carol', 'bob', { replaces: scene.session }), { name: 'INVALID_STATE_ERROR' });
  assert.equal(scene.far.inbox.some(({ method }) => method === 'REFER'), false);
});

test('A NOTIFY that overtakes the 202 to a REFER is taken', options, async () => {
  const { scene, request, told, notify } = await referred();
  assert.equal(notify('100 Trying'), 'SIP/2.0 200 OK');
  scene.far.respond(request, 202, 'Accepted', [CONTACT], '', 'bobs');
  notify('200 OK', 'terminated');
  assert.deepEqual(told, ['trying', 'requestSucceeded', 'accepted']);
});

test('A REFER outside a call gives the password that is asked for', options, async () => {
  const { scene, request, told } = await referred();
  scene.far.respond(request, 401, 'Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']);
  const second = scene.far.take('REFER');
  assert.match(one(second, 'Authorization'), /username="alice"/);
  scene.far.respond(second, 202, 'Accepted', [CONTACT], '', 'bobs');
  assert.deepEqual(told, ['requestSucceeded']);
});

test('A REFER that is refused, and a call that is', options, async () => {
  const refused = await referred();
  refused.scene.far.respond(refused.request, 603, 'Decline');
  assert.deepEqual(refused.told, ['requestFailed']);
  assert.equal(await refused.outcome, 'FAILED_ERROR Rejected');

  const busy = await referred();
  busy.scene.far.respond(busy.request, 202, 'Accepted', [CONTACT], '', 'bobs');
  busy.notify('486 Busy Here', 'terminated;reason=noresource');
  assert.deepEqual(busy.told, ['requestSucceeded', 'failed']);
  assert.equal(await busy.outcome, 'FAILED_ERROR SIP Failure Code');
});

test('Nobody says how the call went: it is over when time is up, when the last NOTIFY says nothing, or at Refer-Sub: false', options, async () => {
  const silent = await referred();
  silent.scene.far.respond(silent.request, 202, 'Accepted', [CONTACT], '', 'bobs');
  await silent.scene.clock.advance(32_000);
  assert.deepEqual(silent.told, ['requestSucceeded', 'expired']);
  assert.equal(await silent.outcome, 'FAILED_ERROR Expires');

  const left = await referred();
  left.scene.far.respond(left.request, 202, 'Accepted', [CONTACT], '', 'bobs');
  left.notify('100 Trying');
  await left.scene.clock.advance(60_000);
  assert.deepEqual(left.told, ['requestSucceeded', 'trying']);
  left.notify('100 Trying', 'terminated;reason=giveup');
  assert.deepEqual(left.told.slice(2), ['trying', 'expired']);

  const none = await referred();
  none.scene.far.respond(none.request, 200, 'OK', [CONTACT, 'Refer-Sub: false'], '', 'bobs');
  await none.scene.clock.advance(0);
  assert.deepEqual(none.told, ['requestSucceeded', 'expired']);
});

test('What is no news of a REFER is refused', options, async () => {
  const { scene, request, told, notify } = await referred();
  scene.far.respond(request, 202, 'Accepted', [CONTACT], '', 'bobs');
  assert.equal(notify('200 OK', 'active', 'presence'), 'SIP/2.0 489 Bad Event');
  assert.deepEqual(told, ['requestSucceeded']);
  assert.throws(() => scene.ua.refer('', 'carol'), TypeError);
  assert.throws(() => scene.ua.refer('bob', ''), TypeError);
});
