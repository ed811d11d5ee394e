// A call between a page and a plain phone, while the page's machine goes from one network to another.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { besideMovingNetworks, MovingNetwork, STANDS_AT } from '../harness/network.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { timed, until } from '../harness/wait.mjs';

besideMovingNetworks(import.meta.filename);

const ALICE = 440;
const BOB = 660;
/** Milliseconds in which both must hear each other again. */
const BOUND = 40_000;

const talking = async (t) => {
  const network = await MovingNetwork.make(t);
  const server = await Server.start(t, { addresses: [STANDS_AT] });
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE, network, address: server.securePage });
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB, address: STANDS_AT });
  await alice.call('bob');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await alice.phase('talking');
  await alice.hears(BOB);
  await bob.hears(ALICE);
  return { network, server, alice, bob };
};

/** The candidates between which the page's sound goes, as the browser tells it. */
const path = (phone) => phone.page.evaluate(async () => {
  const stats = [...(await window.sipwebPhone.session.connection.getStats()).values()];
  const transport = stats.find((one) => one.type === 'transport');
  const pair = stats.find((one) => one.id === transport.selectedCandidatePairId);
  const of = (id) => stats.find((one) => one.id === id)?.address;
  return { local: of(pair?.localCandidateId), remote: of(pair?.remoteCandidateId) };
});

const talkOn = async ({ network, alice, bob }) => {
  await until('sound from the new address', async () => {
    const found = await path(alice);
    return found.local === network.address(network.link) || assert.fail(JSON.stringify(found));
  }, { within: BOUND });
  await alice.registered();
  await alice.hears(BOB);
  await bob.hears(ALICE);
};

describe('a page and a phone talk through the gateway', () => {
  test('the page goes to another network: both hear each other again, and the phone goes on as before', async (t) => {
    const call = await talking(t);
    const { network, alice, bob } = call;
    assert.equal((await path(alice)).local, network.address(0));
    const from = bob.events.length;
    const before = await bob.path();
    network.move();
    await timed(t, 'alice and bob hear each other again', () => talkOn(call));
    assert.deepEqual(await bob.path(), before, 'the phone sends where it sent');
    assert.ok(!bob.events.slice(from).some(({ type }) => type === 'CALL_CLOSED'), 'the phone talks on');
    await alice.hangUp();
    await bob.event('CALL_CLOSED', { from });
    alice.unharmed();
  });
});
