// The phone page in Firefox: with an ordinary SIP phone through the media gateway, and with the page in Chromium.
//
// Firefox offers no way to itself without an address beside loopback and a default route.
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { chromium } from '../harness/browser.mjs';
import { firefox } from '../harness/firefox.mjs';
import { insideANetwork } from '../harness/network.mjs';
import {
  ALICE, BOB, bothHold, hearEachOther, pageAndPhone, pageCalls, pageHangsUp, pageHolds, pagePressesDigit, phoneCalls, phoneHangsUp, phoneHolds,
} from '../harness/page_and_phone.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

insideANetwork(import.meta.filename);

describe('alice in Firefox and bob with a plain phone', () => {
  test('alice calls: both hear each other, a digit arrives, both hold and resume, and alice hangs up', async (t) => {
    const both = await pageAndPhone(t, { browser: firefox });
    await pageCalls(both);
    await hearEachOther(both);
    await pagePressesDigit(both);
    await pageHolds(both);
    await phoneHolds(both);
    await pageHangsUp(both);
  });

  test('bob calls: both hear each other, a digit arrives, both hold at a time, and bob hangs up', async (t) => {
    const both = await pageAndPhone(t, { browser: firefox });
    await phoneCalls(both);
    await hearEachOther(both);
    await pagePressesDigit(both);
    await bothHold(both);
    await phoneHangsUp(both);
  });
});

const names = new Map([[firefox, 'Firefox'], [chromium, 'Chromium']]);

for (const [calling, called] of [[firefox, chromium], [chromium, firefox], [firefox, firefox]]) {
  describe(`alice in ${names.get(calling)} calls bob in ${names.get(called)}`, () => {
    const inCall = async (t) => {
      const server = await Server.start(t);
      const alice = await PhonePage.open(t, server, 'alice', { browser: calling, tone: ALICE });
      const bob = await PhonePage.open(t, server, 'bob', { browser: called, tone: BOB });
      await alice.call('bob');
      await bob.phase('incoming');
      await bob.answer();
      await alice.phase('talking');
      await bob.phase('talking');
      await alice.hears(BOB);
      await bob.hears(ALICE);
      return { alice, bob };
    };

    test('they hear each other, hold and resume, and alice hangs up', async (t) => {
      const { alice, bob } = await inCall(t);
      await alice.press('call-hold');
      await bob.says(/hold/i);
      await bob.hearsNothing();
      await alice.hearsNothing();
      await alice.press('call-hold');
      await bob.hears(ALICE);
      await alice.hears(BOB);
      await alice.hangUp();
      await alice.phase('ended');
      await bob.phase('ended');
      alice.unharmed();
      bob.unharmed();
    });

    test('they hear each other, and bob hangs up', async (t) => {
      const { alice, bob } = await inCall(t);
      await bob.hangUp();
      await alice.phase('ended');
      await bob.phase('ended');
      alice.unharmed();
      bob.unharmed();
    });
  });
}

test('a page in Firefox is back by itself within 5 s of a restart, and can be called', async (t) => {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { browser: firefox, tone: ALICE });
  await server.kill();
  await alice.chip('reconnecting');
  await server.start();
  await alice.registered({ within: 5000 });
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  bob.dial('sip:alice@127.0.0.1');
  await alice.phase('incoming');
  await alice.press('call-reject');
  await bob.event('CALL_CLOSED');
  alice.unharmed();
});
