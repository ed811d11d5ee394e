// Two pages with cameras see each other: the server passes their descriptions untouched.
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
    await alice.sees();
    await bob.sees();
    await alice.hears(660);
    await bob.hears(440);
    await bob.hangUp();
    await alice.logged('ended');
  });
});
