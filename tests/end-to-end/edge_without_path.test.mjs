// Our edge in front of a real Kamailio that knows neither Path nor outbound, as a plain PBX stands somewhere.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { Kamailio } from '../harness/kamailio.mjs';
import { plain } from '../harness/kamailio_plain.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

async function edge(t) {
  const kamailio = await Kamailio.start(t, plain);
  const server = await Server.start(t, { users: [], more: `[edge]\nupstream = "sip:127.0.0.1:${kamailio.port}"\nkeeps_path = false\n` });
  const alice = await PhonePage.open(t, server, 'alice');
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip });
  return { kamailio, server, alice, bob };
}

/** How many contacts a user had after each of his registrations. */
const counts = (kamailio, user) => [...kamailio.program.output.matchAll(new RegExp(`CONTACTS of ${user}: (\\d+)`, 'g'))].map(([, count]) => Number(count));

async function calledBy(alice, bob, from = 0) {
  bob.dial('sip:alice@127.0.0.1');
  await alice.phase('incoming');
  await alice.answer();
  await bob.event('CALL_ESTABLISHED', { from });
  await alice.phase('talking');
}

describe('a page and a phone behind our edge, registered at a Kamailio without Path', () => {
  test('are contacts of the edge there, one each', async (t) => {
    const { kamailio, server } = await edge(t);
    for (const user of ['alice', 'bob']) {
      const [, contact] = await kamailio.says(new RegExp(`CONTACTS of ${user}: 1 (\\S+)`));
      assert.match(contact, new RegExp(`^sip:[\\w-]+@127\\.0\\.0\\.1:${server.ports.sip};transport=udp$`));
    }
  });

  test('call each other, both ways, and both hear each other', async (t) => {
    const { alice, bob } = await edge(t);
    await calledBy(alice, bob);
    await alice.hears(660);
    await bob.hears(440);
    await alice.hangUp();
    await bob.event('CALL_CLOSED');

    const seen = bob.events.length;
    await alice.press('call-close');
    await alice.call('bob');
    await bob.event('CALL_INCOMING', { from: seen });
    bob.accept();
    await alice.phase('talking');
    await alice.hears(660);
    bob.hangUp();
    await alice.phase('ended');
  });

  test('the page is loaded anew: it is called as before, and the Kamailio has one contact of it', async (t) => {
    const { kamailio, alice, bob } = await edge(t);
    await alice.page.reload();
    await alice.registered();
    await calledBy(alice, bob);
    bob.hangUp();
    await alice.phase('ended');
    const all = counts(kamailio, 'alice');
    assert.ok(all.length >= 2 && all.every((count) => count === 1), `the contacts of alice: ${all}`);
  });
});
