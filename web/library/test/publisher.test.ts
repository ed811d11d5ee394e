/** PUBLISH (RFC 3903), over the real core. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from './support/clock.ts';
import { type Sip, one } from './support/far_end.ts';
import { Scene, options } from './support/scene.ts';

async function publishing() {
  const scene = await new Scene().start();
  const told: string[] = [];
  const publisher = scene.ua.publisher('alice', 'presence', { expires: 600 });
  publisher.on('published', ({ etag }) => told.push(`published ${etag}`));
  publisher.on('removed', () => told.push('removed'));
  publisher.on('failed', ({ originator, cause }) => told.push(`failed ${originator} ${cause}`));
  const take = () => scene.far.take('PUBLISH');
  const granted = (request: Sip, etag: string, expires = 600) =>
    scene.far.respond(request, 200, 'OK', [`SIP-ETag: ${etag}`, `Expires: ${expires}`]);
  /** The next PUBLISH, which comes by itself after some time. */
  const later = async () => {
    while (scene.far.inbox.length === 0) {
      await scene.clock.advance(5_000);
    }
    return take();
  };
  return { scene, publisher, told, take, granted, later };
}

/** What a PUBLISH asks for: its If-Match, its Expires, its body. */
function asked(request: Sip): string {
  return [one(request, 'SIP-If-Match') || 'new', one(request, 'Expires'), request.body || 'no body'].join(', ');
}

test('A state is published, refreshed without a body, changed and taken back, each under the last SIP-ETag', options, async () => {
  const { scene, publisher, told, take, granted, later } = await publishing();
  const published = publisher.publish('<one/>');
  const first = take();
  assert.equal(first.start, 'PUBLISH sip:alice@example.com SIP/2.0');
  assert.deepEqual([one(first, 'Event'), one(first, 'Content-Type')], ['presence', 'application/pidf+xml']);
  assert.equal(asked(first), 'new, 600, <one/>');
  granted(first, 'a');
  assert.equal((await published).status_code, 200);

  const refresh = await later();
  assert.equal(asked(refresh), 'a, 600, no body');
  granted(refresh, 'b');

  void publisher.publish('<two/>');
  const change = take();
  assert.equal(asked(change), 'b, 600, <two/>');
  granted(change, 'c');

  const removed = publisher.remove();
  const removal = take();
  assert.equal(asked(removal), 'c, 0, no body');
  scene.far.respond(removal, 200, 'OK', ['SIP-ETag: d', 'Expires: 0']);
  await removed;
  assert.equal(publisher.etag, null);
  assert.deepEqual(told, ['published a', 'published b', 'published c', 'removed']);
  await scene.clock.advance(900_000);
  assert.deepEqual(scene.far.inbox, [], 'what is taken back is not refreshed');
});

test('412: the server has forgotten the state, and gets the whole of it anew', options, async () => {
  const { scene, publisher, told, take, granted, later } = await publishing();
  void publisher.publish('<one/>');
  granted(take(), 'a');
  scene.far.respond(await later(), 412, 'Conditional Request Failed');
  const anew = take();
  assert.equal(asked(anew), 'new, 600, <one/>');
  granted(anew, 'b');
  assert.deepEqual(told, ['published a', 'published b']);
});

test('412 to a removal: there is nothing to remove', options, async () => {
  const { scene, publisher, told, take, granted } = await publishing();
  void publisher.publish('<one/>');
  granted(take(), 'a');
  const removed = publisher.remove();
  scene.far.respond(take(), 412, 'Conditional Request Failed');
  await removed;
  assert.deepEqual(told, ['published a', 'removed']);
});

test('412 to a change that is to be taken back: the change has failed, and there is nothing to remove', options, async () => {
  const { scene, publisher, told, take, granted } = await publishing();
  void publisher.publish('<one/>');
  granted(take(), 'a');
  const changed = publisher.publish('<two/>');
  const removed = publisher.remove();
  scene.far.respond(take(), 412, 'Conditional Request Failed');
  await assert.rejects(changed, { name: 'FAILED_ERROR', originator: 'remote', message: /412/ });
  await removed;
  assert.deepEqual(told, ['published a', 'removed']);
});

test('423: asked for again with the time that the server wants, and no less', options, async () => {
  const { scene, publisher, told, take, granted } = await publishing();
  void publisher.publish('<one/>');
  scene.far.respond(take(), 423, 'Interval Too Brief', ['Min-Expires: 1800']);
  const longer = take();
  assert.equal(asked(longer), 'new, 1800, <one/>');
  granted(longer, 'a', 1800);
  void publisher.publish('<two/>');
  const broken = take();
  assert.equal(asked(broken), 'a, 1800, <two/>');
  scene.far.respond(broken, 423, 'Interval Too Brief', ['Min-Expires: 5']);
  assert.deepEqual(told, ['published a', 'failed remote SIP Failure Code']);
});

test('One PUBLISH at a time: of what is wished meanwhile only the last is sent', options, async () => {
  const { scene, publisher, take, granted } = await publishing();
  const results: string[] = [];
  for (const state of ['<one/>', '<two/>', '<three/>']) {
    void publisher.publish(state).then(() => results.push(state));
  }
  const first = take();
  assert.deepEqual(scene.far.inbox, []);
  granted(first, 'a');
  await settle();
  assert.deepEqual(results, []);
  const last = take();
  assert.equal(asked(last), 'a, 600, <three/>');
  granted(last, 'b');
  await settle();
  assert.equal(results.length, 3);
});

test('A PUBLISH gives the password that is asked for', options, async () => {
  const { scene, publisher, told, take, granted } = await publishing();
  void publisher.publish('<one/>');
  scene.far.respond(take(), 401, 'Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']);
  const second = take();
  assert.match(one(second, 'Authorization'), /username="alice"/);
  granted(second, 'a');
  assert.deepEqual(told, ['published a']);
});

test('A refusal rejects, and says why', options, async () => {
  const { scene, publisher, told, take } = await publishing();
  const published = publisher.publish('<one/>');
  scene.far.respond(take(), 489, 'Bad Event');
  await assert.rejects(published, { name: 'FAILED_ERROR', message: /489 Bad Event/ });
  assert.deepEqual(told, ['failed remote SIP Failure Code']);
  assert.throws(() => publisher.publish(''), TypeError);
  assert.throws(() => scene.ua.publisher('', 'presence'), TypeError);
});

test('A 200 without SIP-ETag is a failure: nothing could be refreshed', options, async () => {
  const { scene, publisher, told, take } = await publishing();
  void publisher.publish('<one/>');
  scene.far.respond(take(), 200, 'OK', ['Expires: 600']);
  assert.deepEqual(told, ['failed remote SIP Failure Code']);
  assert.equal(publisher.etag, null);
});

test('A refresh that the server is too busy for is tried again before the state runs out', options, async () => {
  const { scene, publisher, told, take, granted, later } = await publishing();
  void publisher.publish('<one/>');
  granted(take(), 'a', 1800);
  scene.far.respond(await later(), 503, 'Service Unavailable', ['Retry-After: 7']);
  await scene.clock.advance(7_000);
  const again = take();
  assert.equal(asked(again), 'a, 600, no body');
  granted(again, 'b');
  assert.deepEqual(told, ['published a', 'published b']);
});

test('A server that is away for longer than it would have kept the state gets the whole of it when it is back', options, async () => {
  const { scene, publisher, told, take, granted } = await publishing();
  void publisher.publish('<one/>');
  granted(take(), 'a', 600);
  scene.far.reachable = false;
  scene.far.drop();
  await scene.clock.advance(1_000_000);
  scene.far.reachable = true;
  // When it refreshes and when it connects was drawn by lot.
  while (!scene.far.inbox.some(({ method }) => method === 'PUBLISH')) {
    await scene.clock.advance(1000);
  }
  scene.far.respond(take(), 412, 'Conditional Request Failed');
  const again = take();
  assert.equal(asked(again), 'new, 600, <one/>');
  granted(again, 'b');
  assert.deepEqual(told, ['published a', 'published b']);
});

test('A change that fails leaves the old state alive', options, async () => {
  const { scene, publisher, told, take, granted } = await publishing();
  void publisher.publish('<one/>');
  granted(take(), 'a');
  void publisher.publish('<two/>');
  scene.far.respond(take(), 500, 'Server Internal Error');
  assert.deepEqual(told, ['published a', 'failed remote SIP Failure Code']);
  await scene.clock.advance(30_000);
  assert.equal(asked(take()), 'a, 600, no body');
});

test('stop() takes what is published back before the connection goes, also when the server asks for the password', options, async () => {
  const { scene, publisher, told, take, granted } = await publishing();
  void publisher.publish('<one/>');
  granted(take(), 'a');
  const stopped = scene.ua.stop();
  const removal = take();
  assert.equal(asked(removal), 'a, 0, no body');
  scene.far.respond(removal, 401, 'Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']);
  const second = take();
  assert.match(one(second, 'Authorization'), /username="alice"/);
  scene.far.respond(second, 200, 'OK', ['Expires: 0']);
  assert.deepEqual(told, ['published a', 'removed']);
  await scene.clock.advance(2500);
  await stopped;
  assert.equal(scene.ua.isConnected(), false);
});

test('stop() while a state is on its way to the server: it is taken back as soon as it is there', options, async () => {
  const { scene, publisher, take, granted } = await publishing();
  void publisher.publish('<one/>');
  void scene.ua.stop();
  granted(take(), 'a');
  assert.equal(asked(take()), 'a, 0, no body');
});

test('stop() says nothing of a state that the server does not have any more', options, async () => {
  const { scene, publisher, take, granted } = await publishing();
  void publisher.publish('<one/>');
  granted(take(), 'a');
  void publisher.remove();
  scene.far.respond(take(), 200, 'OK');
  void scene.ua.stop();
  await settle();
  assert.deepEqual(scene.far.inbox, []);
  assert.equal(scene.ua.isConnected(), false, 'nothing is owed, so nothing is waited for');
});

test('What a person does is published as a document: there, away or busy, and a note', options, async () => {
  const { publisher, take, granted } = await publishing();
  void publisher.publish({ state: 'online' });
  const online = take();
  assert.match(online.body, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<presence [^>]*entity="sip:alice@example\.com"/);
  assert.match(online.body, /<basic>open<\/basic>/);
  assert.doesNotMatch(online.body, /activities|note/);
  granted(online, 'a');
  void publisher.publish({ state: 'away', note: 'Café <"&">' });
  const away = take();
  assert.equal(one(away, 'SIP-If-Match'), 'a');
  assert.match(away.body, /<basic>open<\/basic><\/status><note>Café &#60;&#34;&#38;&#34;&#62;<\/note>/);
  assert.match(away.body, /<r:activities><r:away\/><\/r:activities>/);
  granted(away, 'b');
  void publisher.publish({ state: 'busy' });
  assert.match(take().body, /<r:busy\/>/);
});

test('What is to be taken back and is published again before that stays, and remove rejects', options, async () => {
  const { publisher, told, take, granted } = await publishing();
  void publisher.publish('<one/>');
  const removed = publisher.remove();
  const changed = publisher.publish('<two/>');
  await assert.rejects(removed, { cause: 'Canceled', originator: 'local' });
  granted(take(), 'a');
  const second = take();
  assert.equal(asked(second), 'a, 600, <two/>');
  granted(second, 'b');
  await changed;
  assert.deepEqual(told, ['published a', 'published b']);
});
