// Where UDP is blocked on the way, a page's media comes over TCP, with no configuration.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { freePort } from '../harness/ports.mjs';
import { Server } from '../harness/server.mjs';

const ALICE = 440;
const BOB = 660;
/** Chromium then sends no datagram that is not through a proxy, as in a network that lets none out. */
const WITHOUT_UDP = ['--webrtc-ip-handling-policy=disable_non_proxied_udp'];

const talk = async (alice, bob) => {
  await alice.call('bob');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await alice.phase('talking');
  await alice.hears(BOB);
  await bob.hears(ALICE);
};

/** The protocol of the pair that carries the sound, as the browser tells it. */
const protocol = (phone) => phone.page.evaluate(async () => {
  const stats = [...(await window.sipwebPhone.session.connection.getStats()).values()];
  const transport = stats.find((one) => one.type === 'transport');
  const pair = stats.find((one) => one.id === transport.selectedCandidatePairId);
  return stats.find((one) => one.id === pair.remoteCandidateId).protocol;
});

const bothWays = async (t, options) => {
  const server = await Server.start(t, options);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE, flags: options.flags });
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  return { server, alice, bob };
};

describe('a page from which no UDP gets out, and a plain phone', () => {
  test('both hear each other over TCP, whoever calls, and the log says so', async (t) => {
    const { server, alice, bob } = await bothWays(t, { flags: WITHOUT_UDP });
    await talk(alice, bob);
    assert.equal(await protocol(alice), 'tcp');
    await alice.hangUp();
    await bob.event('CALL_CLOSED');
    await server.says(/media of call .*browser over TCP/);

    const from = bob.events.length;
    bob.dial('sip:alice@127.0.0.1');
    await alice.phase('incoming');
    await alice.answer();
    await alice.phase('talking');
    await alice.hears(BOB);
    await bob.hears(ALICE);
    bob.hangUp();
    await bob.event('CALL_CLOSED', { from });
    await alice.phase('ended');
    alice.unharmed();
  });
});

test('a page that could use both uses UDP', async (t) => {
  const { alice, bob } = await bothWays(t, {});
  await talk(alice, bob);
  assert.equal(await protocol(alice), 'udp');
});

test('a server told to do without UDP talks over TCP; who connects and proves nothing is sent away', async (t) => {
  const port = await freePort();
  const { alice, bob } = await bothWays(t, { more: `[media]\nport = ${port}\nbrowser_udp = false\n` });
  const stranger = (bytes) => new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => bytes && socket.write(bytes));
    socket.on('data', () => reject(new Error('a stranger was answered'))).on('close', resolve).on('error', resolve);
  });
  const silent = stranger(null);
  await stranger(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await talk(alice, bob);
  assert.equal(await protocol(alice), 'tcp');
  await silent;
  await alice.hears(BOB);
  await bob.hears(ALICE);
});
