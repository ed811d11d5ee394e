// What becomes of a call between a page and a phone when the server stops, and when the page's network changes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const ALICE = 440;
const BOB = 660;

const talking = async (t) => {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  await alice.call('bob');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await alice.phase('talking');
  await alice.hears(BOB);
  await bob.hears(ALICE);
  return { server, alice, bob };
};

describe('a page and a phone talk through the gateway', () => {
  test('the server is stopped: both are hung up before it goes', async (t) => {
    const { server, alice, bob } = await talking(t);
    await server.stop();
    await bob.event('CALL_CLOSED');
    await alice.phase('ended');
    alice.unharmed();
  });

  test('the server is killed and comes back: the page joins the call anew, and both hear each other', async (t) => {
    const { server, alice, bob } = await talking(t);
    const from = bob.events.length;
    await server.kill();
    await server.start();
    await alice.registered();
    await alice.hears(BOB, { within: 40_000 });
    await bob.hears(ALICE);
    assert.ok(!bob.events.slice(from).some(({ type }) => type === 'CALL_CLOSED'), 'the phone talks on');
    await alice.hangUp();
    await bob.event('CALL_CLOSED', { from });
    alice.unharmed();
  });

  test("the page's network changes: ICE starts anew at the gateway, and the phone talks on", async (t) => {
    const { alice, bob } = await talking(t);
    const from = bob.events.length;
    const credentials = () => alice.page.evaluate(() => {
      const { connection } = window.sipwebPhone.session;
      const of = ({ sdp }) => sdp.match(/a=ice-ufrag:(\S+)/)[1];
      return [of(connection.localDescription), of(connection.remoteDescription), connection.remoteDescription.sdp.match(/a=fingerprint:(.*)/)[1]];
    });
    const before = await credentials();
    await alice.page.evaluate(() => window.sipwebPhone.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }));
    const after = await until('new credentials on both sides', async () => {
      const found = await credentials();
      return found[0] !== before[0] && found[1] !== before[1] && found;
    });
    assert.equal(after[2], before[2], 'the association goes on');
    await alice.hears(BOB);
    await bob.hears(ALICE);
    assert.ok(!bob.events.slice(from).some(({ type }) => type === 'CALL_CLOSED'));
    await alice.hangUp();
    await bob.event('CALL_CLOSED', { from });
    alice.unharmed();
  });
});
