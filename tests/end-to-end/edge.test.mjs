// Our edge in front of a real Kamailio: the demo of 2011 with today's means.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { Kamailio } from '../harness/kamailio.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

async function edge(t) {
  const kamailio = await Kamailio.start(t);
  const server = await Server.start(t, { users: [], more: `[edge]\nupstream = "sip:127.0.0.1:${kamailio.port}"\n` });
  const alice = await PhonePage.open(t, server, 'alice');
  const bob = await Baresip.start(t, { user: 'bob', port: kamailio.port });
  return { kamailio, server, alice, bob };
}

describe('a page registered through our edge at a Kamailio', () => {
  test('arrives there with Path', async (t) => {
    const { kamailio } = await edge(t);
    const [, toward, back] = await kamailio.says(/ARRIVED REGISTER from alice over \w+ Path=(\S+) Then=(\S+)/);
    // Two, because the transport changes: how the Kamailio reaches us, and by which connection we reach the page.
    assert.match(toward, /^<sip:127\.0\.0\.1:\d+;[^>]*\blr\b/);
    assert.match(back, /^<sip:[^@>]+@127\.0\.0\.1:\d+;transport=ws;[^>]*\blr\b[^>]*\bob\b/);
  });

  test('is called by a phone that is registered at the Kamailio, and either side hangs up', async (t) => {
    const { alice, bob } = await edge(t);
    bob.dial('sip:alice@127.0.0.1');
    await alice.phase('incoming');
    await alice.answer();
    await bob.event('CALL_ESTABLISHED');
    await alice.phase('talking');
    await alice.hangUp();
    await bob.event('CALL_CLOSED');

    const seen = bob.events.length;
    bob.dial('sip:alice@127.0.0.1');
    await alice.phase('incoming');
    await alice.answer();
    await bob.event('CALL_ESTABLISHED', { from: seen });
    bob.hangUp();
    await alice.phase('ended');
  });

  test('calls that phone, and either side hangs up', async (t) => {
    const { alice, bob } = await edge(t);
    await alice.call('bob');
    await bob.event('CALL_INCOMING');
    bob.accept();
    await alice.phase('talking');
    bob.hangUp();
    await alice.phase('ended');

    const seen = bob.events.length;
    await alice.press('call-close');
    await alice.call('bob');
    await bob.event('CALL_INCOMING', { from: seen });
    bob.accept();
    await alice.phase('talking');
    await alice.hangUp();
    await bob.event('CALL_CLOSED', { from: seen });
  });

  test('calls another page behind the same edge: the call passes us twice, and both hear each other', async (t) => {
    const { server, alice } = await edge(t);
    const carol = await PhonePage.open(t, server, 'carol', { tone: 880 });
    await alice.call('carol');
    await carol.phase('incoming');
    await carol.answer();
    await alice.phase('talking');
    await alice.hears(880);
    await carol.hears(440);
    await carol.hangUp();
    await alice.phase('ended');
  });
});
