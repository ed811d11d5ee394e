// A page and a phone whose packets are protected by SRTP, with the keys in its descriptions (SDES).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

const ALICE = 440;
const BOB = 660;

async function pair(t, { transport = 'tls', media = '', ...more } = {}) {
  const server = await Server.start(t, { more: media && `[media]\n${media}\n` });
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const port = transport === 'tls' ? server.ports.tls : server.ports.sip;
  const bob = await Baresip.start(t, { user: 'bob', transport, port, tone: BOB, ...more });
  return { server, alice, bob };
}

async function pageCalls({ alice, bob }) {
  await alice.call('bob');
  await bob.event('CALL_INCOMING', { within: 20_000 });
  bob.accept();
  await alice.phase('talking');
}

async function hearEachOther({ alice, bob }) {
  await alice.hears(BOB);
  await bob.hears(ALICE);
}

const protectedBy = (bob, suite) => bob.program.says(new RegExp(`SRTP is Enabled \\(cryptosuite=${suite}\\)`));

const calls = (bob) => bob.events.filter((event) => event.type === 'CALL_INCOMING').length;

for (const encryption of ['srtp', 'srtp-mand']) {
  describe(`a page and a phone over TLS with ${encryption}`, () => {
    test('the phone calls: both hear each other, under SRTP', async (t) => {
      const call = await pair(t, { encryption });
      call.bob.dial('sip:alice@127.0.0.1');
      await call.alice.phase('incoming');
      await call.alice.answer();
      await call.alice.phase('talking');
      await hearEachOther(call);
      await protectedBy(call.bob, 'AES_CM_128_HMAC_SHA1_80');
      await call.alice.hangUp();
      await call.bob.event('CALL_CLOSED');
    });

    test('the page calls: both hear each other, under SRTP, after a hold too', async (t) => {
      const call = await pair(t, { encryption });
      await pageCalls(call);
      await hearEachOther(call);
      await protectedBy(call.bob, 'AES_CM_128_HMAC_SHA1_80');
      await call.alice.press('call-hold');
      await call.alice.says(/hold/i);
      await call.alice.press('call-hold');
      await call.alice.hears(BOB);
      call.bob.hangUp();
      await call.alice.phase('ended');
      call.alice.unharmed();
    });
  });
}

for (const suite of ['AES_CM_128_HMAC_SHA1_32', 'AEAD_AES_128_GCM', 'AEAD_AES_256_GCM']) {
  test(`a page and a phone hear each other under ${suite}`, async (t) => {
    const call = await pair(t, { encryption: 'srtp-mand', media: `sdes_suites = ["${suite}"]` });
    await pageCalls(call);
    await hearEachOther(call);
    await protectedBy(call.bob, suite);
    call.bob.hangUp();
    await call.alice.phase('ended');
  });
}

describe('a phone that refuses what it is offered first is reached in the same call', () => {
  test('one over TLS without SRTP is offered RTP', async (t) => {
    const call = await pair(t);
    await pageCalls(call);
    await hearEachOther(call);
    call.bob.hangUp();
    await call.alice.phase('ended');
    assert.equal(calls(call.bob), 1);
  });

  test('one over UDP that insists on SRTP is offered SRTP where the configuration lets keys be read', async (t) => {
    const call = await pair(t, { transport: 'udp', encryption: 'srtp-mand', media: 'sdes = "always"' });
    await pageCalls(call);
    await hearEachOther(call);
    await protectedBy(call.bob, 'AES_CM_128_HMAC_SHA1_80');
    call.bob.hangUp();
    await call.alice.phase('ended');
    assert.equal(calls(call.bob), 1);
  });
});

describe('a phone over UDP that insists on SRTP, whose keys everybody could read', () => {
  test('is not reached by the page, and the log says why', async (t) => {
    const { server, alice } = await pair(t, { transport: 'udp', encryption: 'srtp-mand' });
    await alice.call('bob');
    await alice.phase('ended');
    await server.says(/SDP-KEYS-IN-CLEAR: the phone refuses RTP in clear/);
  });

  test('does not reach the page, and the log says why', async (t) => {
    const { server, bob } = await pair(t, { transport: 'udp', encryption: 'srtp-mand' });
    bob.dial('sip:alice@127.0.0.1');
    await bob.event('CALL_CLOSED');
    await server.says(/SDP-KEYS-IN-CLEAR: the phone demands SRTP/);
  });
});
