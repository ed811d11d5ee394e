/** REFER of others outside calls (RFC 3515), over the real core: nobody is called unasked, and who asked hears how it goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from './support/clock.ts';
import { type Sip, all, one } from './support/far_end.ts';
import { CONTACT, Scene, contactOf, options } from './support/scene.ts';
import { sdp } from './support/webrtc.ts';

const MEDIA = { mediaConstraints: { audio: true, video: false } };

/** Bob asks alice to call carol. */
async function asked(listen: ((event: any) => void) | undefined, lines: string[] = [], referTo = '<sip:carol@example.com>') {
  const scene = await new Scene().start();
  if (listen !== undefined) {
    scene.ua.on('newRefer', listen);
  }
  scene.far.ask('REFER', contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', 'To: <sip:alice@example.com>', 'Call-ID: refer@far', 'CSeq: 7 REFER', CONTACT,
    ...(referTo === '' ? [] : [`Refer-To: ${referTo}`]), ...lines,
  ]);
  await settle();
  const answer = scene.far.take('REFER');
  return { scene, answer };
}

/** Takes the next NOTIFY, answers it, and gives what it says. */
function told(scene: Scene, status = 200): string {
  const notify = scene.far.take('NOTIFY');
  scene.far.respond(notify, status, 'Whatever');
  return `${notify.body.trim()} ${one(notify, 'Subscription-State')}`;
}

function within(scene: Scene, answer: Sip, method: string, lines: string[]): Sip {
  scene.far.ask(method, contactOf(scene.ua), [
    'From: <sip:bob@example.com>;tag=bobs', `To: ${one(answer, 'To')}`, 'Call-ID: refer@far', `CSeq: 8 ${method}`, CONTACT, ...lines,
  ]);
  return scene.far.take(method);
}

test('A REFER that the page accepts is answered 202, calls the target, and tells how that goes', options, async () => {
  const { scene, answer } = await asked(
    ({ accept }) => accept(undefined, MEDIA),
    ['Referred-By: <sip:bob@example.com>'],
    '<sip:carol@example.com?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=no>',
  );
  assert.equal(answer.start, 'SIP/2.0 202 Accepted');
  assert.ok(one(answer, 'Contact'));
  assert.equal(told(scene), 'SIP/2.0 100 Trying active;expires=180');
  const invite = scene.far.take('INVITE');
  assert.equal(invite.start, 'INVITE sip:carol@example.com SIP/2.0');
  assert.equal(one(invite, 'Replaces'), 'x;to-tag=1;from-tag=2');
  assert.equal(one(invite, 'Referred-By'), '<sip:bob@example.com>');
  assert.deepEqual(all(invite, 'Subject'), [], 'a stranger writes no other headers of ours');
  scene.far.respond(invite, 180, 'Ringing', [CONTACT], '', 'carols');
  await settle();
  assert.equal(told(scene), 'SIP/2.0 180 Ringing active;expires=180');
  scene.far.respond(invite, 200, 'OK', [CONTACT], sdp(), 'carols');
  await settle();
  assert.equal(told(scene), 'SIP/2.0 200 OK terminated;reason=noresource');
  assert.equal(within(scene, answer, 'SUBSCRIBE', ['Event: refer']).start, 'SIP/2.0 481 Call/Transaction Does Not Exist');
});

test('The NOTIFYs of a REFER are in its dialog and name it', options, async () => {
  const { scene, answer } = await asked(() => undefined);
  const notify = scene.far.take('NOTIFY');
  assert.match(notify.start, /^NOTIFY sip:bob@far\.example/);
  assert.equal(one(notify, 'Call-ID'), 'refer@far');
  assert.equal(one(notify, 'From'), one(answer, 'To'));
  assert.equal(one(notify, 'To'), '<sip:bob@example.com>;tag=bobs');
  assert.equal(one(notify, 'Event'), 'refer;id=7');
  assert.match(one(notify, 'Content-Type'), /^message\/sipfrag/);
});

test('A REFER that the page does not decide at once is answered 202, and nobody is called before it has', options, async () => {
  let event: any;
  const { scene, answer } = await asked((each) => (event = each));
  assert.equal(answer.start, 'SIP/2.0 202 Accepted');
  told(scene);
  assert.equal(scene.far.inbox.length, 0);
  event.accept(undefined, MEDIA);
  await settle();
  assert.equal(scene.far.take('INVITE').start, 'INVITE sip:carol@example.com SIP/2.0');
  event.reject();
  assert.equal(scene.far.inbox.length, 0, 'it is decided');
});

test('A REFER is refused with 603 or the status that the page says, later by a NOTIFY', options, async () => {
  assert.equal((await asked(({ reject }) => reject())).answer.start, 'SIP/2.0 603 Decline');
  const { scene, answer } = await asked(({ reject }) => reject({ status_code: 480, extraHeaders: ['Retry-After: 9'] }));
  assert.equal(`${answer.start} ${one(answer, 'Retry-After')}`, 'SIP/2.0 480 Temporarily Unavailable 9');
  assert.equal(scene.far.inbox.length, 0, 'what is refused has no news');

  let later: any;
  const second = await asked((event) => (later = event));
  told(second.scene);
  later.reject();
  assert.equal(told(second.scene), 'SIP/2.0 603 Decline terminated;reason=noresource');
});

test('A REFER that nobody listens to is refused, and nobody is called', options, async () => {
  const { scene, answer } = await asked(undefined);
  assert.equal(answer.start, 'SIP/2.0 603 Decline');
  assert.equal(scene.far.inbox.length, 0);
});

test('A REFER to what cannot be called is no request', options, async () => {
  const shown: unknown[] = [];
  for (const referTo of ['', '<https://example.com/>']) {
    assert.equal((await asked((event) => shown.push(event), [], referTo)).answer.start, 'SIP/2.0 400 Bad Request');
  }
  assert.deepEqual(shown, []);
});

test('Who says Refer-Sub: false hears that there will be no news, and there is none', options, async () => {
  const { scene, answer } = await asked(({ accept }) => accept(undefined, MEDIA), ['Refer-Sub: false', 'Require: norefersub']);
  assert.equal(answer.start, 'SIP/2.0 202 Accepted');
  assert.equal(one(answer, 'Refer-Sub'), 'false');
  const invite = scene.far.take('INVITE');
  scene.far.respond(invite, 486, 'Busy Here');
  await settle();
  assert.deepEqual(scene.far.inbox.map(({ method }) => method), ['ACK']);
});

test('A call that fails is told to who asked for it', options, async () => {
  const { scene } = await asked(({ accept }) => accept(undefined, MEDIA));
  told(scene);
  scene.far.respond(scene.far.take('INVITE'), 486, 'Busy Here');
  await settle();
  assert.equal(told(scene), 'SIP/2.0 486 Busy Here terminated;reason=noresource');
});

test('When time is up the last NOTIFY says so, and the REFER cannot be accepted any more', options, async () => {
  let event: any;
  const { scene } = await asked((each) => (event = each));
  told(scene);
  await scene.clock.advance(180_000);
  assert.equal(told(scene), 'SIP/2.0 100 Trying terminated;reason=timeout');
  event.accept(undefined, MEDIA);
  await settle();
  assert.equal(scene.far.inbox.length, 0);
});

test('Who asked may hear no more of it, or hear it again', options, async () => {
  const { scene, answer } = await asked(() => undefined);
  told(scene);
  const again = within(scene, answer, 'SUBSCRIBE', ['Event: refer', 'Expires: 60']);
  assert.equal(`${again.start} ${one(again, 'Expires')}`, 'SIP/2.0 200 OK 60');
  assert.equal(told(scene), 'SIP/2.0 100 Trying active;expires=60');
});

test('A NOTIFY that nobody takes any more is the last', options, async () => {
  let event: any;
  const { scene } = await asked((each) => (event = each));
  told(scene, 481);
  event.accept(undefined, MEDIA);
  await settle();
  scene.far.respond(scene.far.take('INVITE'), 486, 'Busy Here');
  await settle();
  assert.deepEqual(scene.far.inbox.map(({ method }) => method), ['ACK']);
});
