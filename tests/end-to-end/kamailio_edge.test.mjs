// A Kamailio in front of us: it is the edge that keeps the browser's connection, we are the registrar behind it.
import { test } from 'node:test';
import { hears } from '../harness/browser.mjs';
import { kamailioEdge } from '../harness/kamailio_edge.mjs';
import { connectionOf, telephone } from '../harness/library_page.mjs';
import { Server } from '../harness/server.mjs';

// Who is behind somebody else's edge counts as what that edge is, a server with plain RTP: pages there talk to pages
// without our gateway.
const BEHIND_AN_EDGE = '[peers]\ntrusted = ["127.0.0.1"]\n\n[media]\ngateway = false\n';

test('a page that registers through a Kamailio, by Path and outbound: a page of ours calls it, it calls back, both hear each other', async (t) => {
  const server = await Server.start(t, { more: BEHIND_AN_EDGE });
  const edge = await kamailioEdge(t, server.ports.sip);
  const alice = await telephone(t, 'JsSIP', { webSocket: `ws://127.0.0.1:${edge.port}` }, 'alice', { tone: 440 });
  await edge.says(/ARRIVED REGISTER from alice over ws/);
  await alice.logged('registered');
  const bob = await telephone(t, 'JsSIP', server, 'bob', { tone: 880 });
  await bob.logged('registered');

  await bob.evaluate(() => void window.phone.call('sip:alice@127.0.0.1'));
  await alice.logged('session remote');
  await edge.says(/DELIVERED INVITE to .* over ws/);
  await alice.evaluate(() => void window.phone.answer());
  await bob.logged('confirmed');
  await hears(alice, connectionOf.JsSIP, 880);
  await hears(bob, connectionOf.JsSIP, 440);
  await bob.evaluate(() => void window.phone.hangUp());
  await alice.logged('ended');

  await bob.evaluate(() => window.phone.log.splice(0));
  await alice.evaluate(() => void window.phone.call('sip:bob@127.0.0.1'));
  await bob.logged('session remote');
  await bob.evaluate(() => void window.phone.answer());
  await hears(alice, connectionOf.JsSIP, 880);
  await alice.evaluate(() => void window.phone.hangUp());
  await bob.logged('ended');
});
