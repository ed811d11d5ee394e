/** Lamps at a server that serves `dialog` but knows no `presence` (RFC 6665 §7.3.2: 489), over the real core. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { all, one } from '../../library/test/support/far_end.ts';
import { CONTACT, Scene, contactOf, options } from '../../library/test/support/scene.ts';
import { Lamps } from '../src/model/lamps.ts';

const BOB = { uri: 'sip:bob@example.com' } as any;

/** The lamp of bob is asked for; `presence` is refused with 489. */
async function watching() {
  const scene = await new Scene().start();
  const lamps = new Lamps(() => undefined);
  lamps.follow(scene.ua as any, [BOB], undefined);
  const [first, second] = [scene.far.take('SUBSCRIBE'), scene.far.take('SUBSCRIBE')];
  const [dialog, presence] = one(first, 'Event') === 'dialog' ? [first, second] : [second, first];
  scene.far.respond(presence, 489, 'Bad Event', ['Allow-Events: dialog']);
  scene.far.respond(dialog, 200, 'OK', [CONTACT, 'Expires: 900'], '', 'bobs');
  let cseq = 0;
  const says = (state: string) => {
    scene.far.ask('NOTIFY', contactOf(scene.ua), [
      `From: ${one(dialog, 'To')};tag=bobs`, `To: ${one(dialog, 'From')}`, `Call-ID: ${one(dialog, 'Call-ID')}`, CONTACT,
      `CSeq: ${(cseq += 1)} NOTIFY`, 'Event: dialog', 'Subscription-State: active;expires=900', 'Content-Type: application/dialog-info+xml',
    ], `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${cseq}" state="full" entity="sip:bob@example.com">` +
      `${state && `<dialog id="1"><state>${state}</state></dialog>`}</dialog-info>`);
    return scene.far.take('NOTIFY').start;
  };
  return { scene, lamps, says };
}

test('a server that refuses presence has lamps that tell of calls', options, async () => {
  const { lamps, says } = await watching();
  assert.equal(says(''), 'SIP/2.0 200 OK');
  assert.equal(lamps.of(BOB), 'free');
  says('early');
  assert.equal(lamps.of(BOB), 'ringing');
  says('confirmed');
  assert.equal(lamps.of(BOB), 'busy');
  says('');
  assert.equal(lamps.of(BOB), 'free');
});

test('a lamp that was to be asked for while there was no connection is asked for when there is one, and presence is not', options, async () => {
  const { scene, lamps, says } = await watching();
  says('');
  scene.far.reachable = false;
  scene.far.drop();
  lamps.lost();
  await scene.clock.advance(1_000_000);
  assert.equal(lamps.of(BOB), undefined);
  scene.far.reachable = true;
  while (!scene.ua.isConnected()) await scene.clock.advance(1000);
  lamps.follow(scene.ua as any, [BOB], undefined);
  assert.equal(one(scene.far.take('SUBSCRIBE'), 'Event'), 'dialog');
  assert.deepEqual(scene.far.inbox, []);
});

test('presence that was refused is not asked for again', options, async () => {
  const { scene, lamps, says } = await watching();
  says('');
  lamps.follow(scene.ua as any, [BOB], undefined);
  lamps.lost();
  lamps.follow(scene.ua as any, [BOB], undefined);
  await scene.clock.advance(60_000);
  assert.deepEqual(scene.far.inbox.flatMap((message) => all(message, 'Event')).filter((event) => event !== 'dialog'), []);
});
