// A page and an ordinary SIP phone, plain RTP and G.711: they hear each other, with no configuration.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

const ALICE = 440;
const BOB = 660;

async function pair(t, { transport = 'udp', tone = BOB, ...more } = {}) {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const port = transport === 'tls' ? server.ports.tls : server.ports.sip;
  const bob = await Baresip.start(t, { user: 'bob', transport, port, tone, ...more });
  return { server, alice, bob };
}

for (const transport of ['udp', 'tcp', 'tls']) {
  describe(`a page and a plain phone over ${transport.toUpperCase()}`, () => {
    test('the phone calls: both hear each other, and the page hangs up', async (t) => {
      const { alice, bob } = await pair(t, { transport });
      bob.dial('sip:alice@127.0.0.1');
      await alice.phase('incoming');
      await alice.answer();
      await alice.phase('talking');
      await alice.hears(BOB);
      await bob.hears(ALICE);
      await alice.hangUp();
      await bob.event('CALL_CLOSED');
    });

    test('the page calls: both hear each other, and the phone hangs up', async (t) => {
      const { alice, bob } = await pair(t, { transport });
      await alice.call('bob');
      await bob.event('CALL_INCOMING');
      bob.accept();
      await alice.phase('talking');
      await alice.hears(BOB);
      await bob.hears(ALICE);
      bob.hangUp();
      await alice.phase('ended');
      alice.unharmed();
    });
  });
}

for (const codecs of ['PCMA/8000/1', 'G722/16000/1', 'opus/48000/2']) {
  test(`a phone that speaks ${codecs.split('/')[0]} only and a page hear each other`, async (t) => {
    const { alice, bob } = await pair(t, { codecs });
    await alice.call('bob');
    await bob.event('CALL_INCOMING');
    bob.accept();
    await alice.phase('talking');
    await alice.hears(BOB);
    await bob.hears(ALICE);
    bob.hangUp();
    await alice.phase('ended');
  });
}

test('a digit pressed on the page reaches the phone', async (t) => {
  const { alice, bob } = await pair(t);
  bob.dial('sip:alice@127.0.0.1');
  await alice.phase('incoming');
  await alice.answer();
  await alice.phase('talking');
  await alice.hears(BOB);
  await alice.press('call-keypad');
  await alice.press('call-key-5');
  const digit = await bob.event('CALL_DTMF_START');
  assert.equal(digit.param, '5');
  await alice.hangUp();
  await bob.event('CALL_CLOSED');
});

test('the page holds and resumes: the phone hears silence and then alice again', async (t) => {
  const { alice, bob } = await pair(t);
  await alice.call('bob');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await alice.phase('talking');
  await bob.hears(ALICE);
  await alice.press('call-hold');
  await alice.says(/hold/i);
  await alice.press('call-hold');
  await alice.hears(BOB);
  await bob.hears(ALICE);
  await alice.hangUp();
  await bob.event('CALL_CLOSED');
});

describe('bob has a page and a plain phone, and alice calls from her page', () => {
  const three = async (t) => {
    const { server, alice, bob } = await pair(t);
    return { alice, phone: bob, page: await PhonePage.open(t, server, 'bob', { tone: 880 }) };
  };

  test('the phone answers: alice and the phone hear each other', async (t) => {
    const { alice, phone, page } = await three(t);
    await alice.call('bob');
    await phone.event('CALL_INCOMING');
    await page.phase('incoming');
    phone.accept();
    await alice.phase('talking');
    await alice.hears(BOB);
    await phone.hears(ALICE);
    await page.phase('ended');
    await alice.hangUp();
    await phone.event('CALL_CLOSED');
  });

  test('the page answers: alice and the page hear each other without us', async (t) => {
    const { alice, phone, page } = await three(t);
    await alice.call('bob');
    await phone.event('CALL_INCOMING');
    await page.phase('incoming');
    await page.answer();
    await alice.phase('talking');
    await alice.hears(880);
    await page.hears(ALICE);
    await phone.event('CALL_CLOSED');
    await alice.hangUp();
    await page.phase('ended');
  });
});

test('a call that is over has given its ports back', async (t) => {
  const { server, alice, bob } = await pair(t);
  await alice.call('bob');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await alice.phase('talking');
  await alice.hears(BOB);
  await alice.hangUp();
  await bob.event('CALL_CLOSED');
  const [, report] = await server.says(/media of call .*: (.*)$/m);
  assert.match(report, /PCM[UA]|Opus|opus/);
});
