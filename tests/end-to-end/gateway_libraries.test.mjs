// Published JsSIP and SIP.js as the page's library, and an ordinary phone: the gateway is none of their business.
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { hears, hearsNothing } from '../harness/browser.mjs';
import { connectionOf, telephone } from '../harness/library_page.mjs';
import { Server } from '../harness/server.mjs';

const ALICE = 440;
const BOB = 660;

for (const library of ['JsSIP', 'SIP.js']) {
  describe(`a page with ${library} and a plain phone`, () => {
    const pair = async (t) => {
      const server = await Server.start(t);
      const alice = await telephone(t, library, server, 'alice', { tone: ALICE });
      await alice.logged('registered');
      return { alice, bob: await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB }) };
    };

    /** Held from each side, one after the other. */
    const hold = async ({ alice, bob }) => {
      await alice.evaluate(() => window.phone.hold());
      await hearsNothing(alice, connectionOf[library]);
      await alice.evaluate(() => window.phone.resume());
      await hears(alice, connectionOf[library], BOB);
      await bob.receives();
      bob.hold();
      await hearsNothing(alice, connectionOf[library]);
      bob.resume();
      await hears(alice, connectionOf[library], BOB);
      await bob.receives();
    };

    test('the page calls, both hear each other, hold and resume', async (t) => {
      const { alice, bob } = await pair(t);
      await alice.evaluate(() => window.phone.call('sip:bob@127.0.0.1'));
      await bob.event('CALL_INCOMING');
      bob.accept();
      await hears(alice, connectionOf[library], BOB);
      await bob.hears(ALICE);
      if (library === 'JsSIP') {
        for (const key of '4*') {
          bob.press(key);
          await alice.logged(`digit remote ${key}`);
        }
      }
      await hold({ alice, bob });
      bob.hangUp();
      await alice.logged(library === 'JsSIP' ? 'ended' : 'session Terminated');
    });

    test('the phone calls, both hear each other, hold and resume', async (t) => {
      const { alice, bob } = await pair(t);
      bob.dial('sip:alice@127.0.0.1');
      await alice.logged(library === 'JsSIP' ? 'session remote' : 'session incoming');
      await alice.evaluate(() => void window.phone.answer());
      await bob.event('CALL_ESTABLISHED');
      await hears(alice, connectionOf[library], BOB);
      await bob.hears(ALICE);
      await hold({ alice, bob });
      await alice.evaluate(() => void window.phone.hangUp());
      await bob.event('CALL_CLOSED');
    });
  });
}
