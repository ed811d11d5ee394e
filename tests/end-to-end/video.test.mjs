// Two pages with cameras see each other: the server passes their descriptions untouched.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FilmPage } from '../harness/film_page.mjs';
import { Server } from '../harness/server.mjs';

describe('two pages with cameras', () => {
  test('with our library and with JsSIP, see and hear each other', async (t) => {
    const server = await Server.start(t);
    const alice = await FilmPage.open(t, 'Sipweb', server, 'alice', { tone: 440 });
    const bob = await FilmPage.open(t, 'JsSIP', server, 'bob', { tone: 660 });
    await alice.call('sip:bob@127.0.0.1');
    await bob.logged('session remote');
    await bob.answer();
    await alice.logged('confirmed');
    const [offer, answer] = [await alice.description('local'), await bob.description('local')];
    assert.deepEqual([offer.type, answer.type], ['offer', 'answer']);
    assert.equal((await bob.description('remote')).sdp, offer.sdp, 'the offer as it was written');
    assert.equal((await alice.description('remote')).sdp, answer.sdp, 'the answer as it was written');
    await alice.sees();
    await bob.sees();
    await alice.hears(660);
    await bob.hears(440);
    await bob.hangUp();
    await alice.logged('ended');
  });
});
