// A page and an ordinary SIP phone, plain RTP: they hear each other, with no configuration.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  BOB, bothHold, hearEachOther, pageAndPhone, pageCalls, pageHangsUp, pageHolds, pagePressesDigit, phoneCalls, phoneHangsUp, phoneHolds,
} from '../harness/page_and_phone.mjs';

for (const transport of ['udp', 'tcp', 'tls']) {
  describe(`a page and a plain phone over ${transport.toUpperCase()}`, () => {
    test('the phone calls twice: both hear each other, the page hangs up, and then the phone', async (t) => {
      const both = await pageAndPhone(t, { transport });
      await phoneCalls(both);
      await hearEachOther(both);
      await pageHangsUp(both);
      await phoneCalls(both);
      await phoneHangsUp(both);
    });

    test('the page calls: both hear each other, and the phone hangs up', async (t) => {
      const both = await pageAndPhone(t, { transport });
      await pageCalls(both);
      await hearEachOther(both);
      await phoneHangsUp(both);
    });
  });
}

for (const codecs of ['PCMA/8000/1', 'G722/16000/1', 'opus/48000/2']) {
  test(`a phone that speaks ${codecs.split('/')[0]} only and a page hear each other; a digit arrives; both hold and resume`, async (t) => {
    const both = await pageAndPhone(t, { codecs });
    await pageCalls(both);
    await hearEachOther(both);
    await pagePressesDigit(both);
    await pageHolds(both);
    await phoneHolds(both);
    await phoneHangsUp(both);
  });
}

test('a digit, then a hold from each side, in a call of the phone', async (t) => {
  const both = await pageAndPhone(t);
  await phoneCalls(both);
  await hearEachOther(both);
  await pagePressesDigit(both);
  await phoneHolds(both);
  await pageHolds(both);
  await bothHold(both);
  await pageHangsUp(both);
});

test('a call that is over has given its ports back', async (t) => {
  const { server, alice, bob } = await pageAndPhone(t);
  await pageCalls({ alice, bob });
  await alice.hears(BOB);
  await pageHangsUp({ alice, bob });
  const [, report] = await server.says(/media of call .*: (.*)$/m);
  assert.match(report, /PCM[UA]|Opus|opus/);
});
