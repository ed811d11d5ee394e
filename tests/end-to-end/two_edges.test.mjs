// A page registered over two edges at the same time (RFC 5626), as docs/two-edges.md has it: either edge may die.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hears } from '../harness/browser.mjs';
import { connectionOf, telephone } from '../harness/library_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const SIPWEB = new URL('../../web/dist/library/sipweb.js', import.meta.url).pathname;
const NO_GATEWAY = '[media]\ngateway = false\n';

async function twoEdges(t) {
  const core = await Server.start(t, { more: `[peers]\ntrusted = ["127.0.0.1"]\n\n${NO_GATEWAY}` });
  const edge = () => Server.start(t, { users: [], more: `[edge]\nupstream = "sip:127.0.0.1:${core.ports.sip}"\n\n${NO_GATEWAY}` });
  const edges = [await edge(), await edge()];
  const more = { flows: 2, connection_recovery_min_interval: 0.2, connection_recovery_max_interval: 0.5 };
  const alice = await telephone(t, 'JsSIP', { webSocket: edges.map((each) => each.webSocket) }, 'alice', { tone: 440, more, alias: { jssip: SIPWEB } });
  await alice.logged('registered');
  const bob = await telephone(t, 'JsSIP', core, 'bob', { tone: 880 });
  await bob.logged('registered');
  return { core, edges, alice, bob };
}

/** Counts the registrations that the page is granted over connections that it opens from now on. */
async function grants(page) {
  const counter = { count: 0 };
  const inspector = await page.createCDPSession();
  await inspector.send('Network.enable');
  inspector.on('Network.webSocketFrameReceived', ({ response: { payloadData } }) => {
    if (/^SIP\/2\.0 200 [^]*\nCSeq: *\d+ REGISTER\r\n/i.test(payloadData)) counter.count += 1;
  });
  return counter;
}

/** Forgets what the page has logged, but not that it was without connection or registration. */
const forget = (page) => page.evaluate(() => {
  const losses = window.phone.log.filter((line) => /unregistered|registrationFailed|disconnected/.test(line));
  window.phone.log.splice(0, Infinity, ...losses);
});

/** Bob calls alice, who answers; returns the milliseconds until it rang at hers. */
async function called(alice, bob) {
  await forget(alice);
  await forget(bob);
  const began = Date.now();
  await bob.evaluate(() => void window.phone.call('sip:alice@127.0.0.1'));
  await alice.logged('session remote');
  const rang = Date.now() - began;
  await alice.evaluate(() => void window.phone.answer());
  await bob.logged('confirmed');
  await alice.logged('confirmed');
  return rang;
}

test('an edge is killed: its call goes on, the next one arrives within 2 s, and the page is never without registration', async (t) => {
  const { core, edges, alice, bob } = await twoEdges(t);

  // Alice calls: the call goes by the flow that was there first.
  await alice.evaluate(() => void window.phone.call('sip:bob@127.0.0.1'));
  await bob.logged('session remote');
  await bob.evaluate(() => void window.phone.answer());
  await alice.logged('confirmed');
  await hears(alice, connectionOf.JsSIP, 880);
  const used = await alice.evaluate(() => window.phone.ua.transport.url);
  const dead = edges.find((each) => each.webSocket === used);

  await dead.kill();
  await until('the page to speak over the other edge', () => alice.evaluate((url) => window.phone.ua.transport.url !== url, used));
  await hears(bob, connectionOf.JsSIP, 440);
  await alice.evaluate(() => void window.phone.hold());
  await bob.logged('hold');
  await alice.evaluate(() => void window.phone.hangUp());
  await bob.logged('ended');

  assert.ok(await called(alice, bob) < 2000);
  await hears(alice, connectionOf.JsSIP, 880);
  await bob.evaluate(() => void window.phone.hangUp());
  await alice.logged('ended');

  // The edge comes back: the page registers there again, by itself; then the other one may die.
  await forget(alice);
  const granted = await grants(alice);
  await dead.start();
  await until('the page to be registered over the edge that is back', () => granted.count > 0);
  await edges.find((each) => each !== dead).kill();
  assert.ok(await called(alice, bob) < 2000);
  await alice.evaluate(() => void window.phone.hangUp());
  await bob.logged('ended');

  // The core restarts: whom it knew it knows.
  const isRegistered = () => bob.evaluate(() => window.phone.ua.isRegistered());
  await core.kill();
  await until('bob to miss the core', async () => !(await isRegistered()));
  await core.start();
  await until('bob to be back', isRegistered, { within: 20_000 });
  assert.ok(await called(alice, bob) < 2000);
  assert.equal(await alice.evaluate(() => window.phone.ua.isRegistered()), true);
  const log = await alice.evaluate(() => window.phone.log);
  assert.deepEqual(log.filter((line) => /unregistered|registrationFailed|disconnected/.test(line)), []);
});
