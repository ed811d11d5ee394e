// An application that was written for JsSIP, by others: with one import changed it runs over our library.
import { describe, test } from 'node:test';
import { chromium, hears, openPage } from '../harness/browser.mjs';
import { kamailioAlone } from '../harness/kamailio_alone.mjs';
import { servePage } from '../harness/library_page.mjs';
import { PASSWORD, Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const SIPWEB = new URL('../../web/dist/library/sipweb.js', import.meta.url).pathname;

/** The application signed in as a user; `alias` says what it gets when it imports `jssip`. */
async function application(t, address, user, { tone, alias }) {
  const page = await openPage(await chromium(t, { tone }), await servePage(t, 'react_sip.mjs', alias));
  await page.evaluate((...words) => window.phone.start(...words), address, user, PASSWORD);
  page.shows = (words) => until(`${user}'s application to show "${words}"`, async () => {
    const shown = await page.evaluate(() => window.phone.shows());
    if (shown.startsWith(words)) return true;
    throw new Error(`${shown}\n${page.faults.join('\n')}`);
  });
  await page.shows('sipStatus/REGISTERED');
  return page;
}

const connection = () => window.phone.connection();

const SERVERS = {
  'our server': async (t) => {
    const server = await Server.start(t);
    return `wss://127.0.0.1:${server.ports.https}/sip`;
  },
  'a Kamailio with nobody of ours beside it': kamailioAlone,
};

for (const [name, start] of Object.entries(SERVERS)) {
  describe(`react-sip at ${name}`, () => {
    test('over our library calls itself over JsSIP and is called back: both hear each other, either hangs up', async (t) => {
      const address = await start(t);
      const alice = await application(t, address, 'alice', { tone: 440, alias: { jssip: SIPWEB } });
      const bob = await application(t, address, 'bob', { tone: 880 });
      for (const [caller, callee, name] of [[alice, bob, 'bob'], [bob, alice, 'alice']]) {
        await caller.evaluate((target) => window.phone.call(target), `sip:${name}@127.0.0.1`);
        await callee.shows('sipStatus/REGISTERED callStatus/STARTING callDirection/INCOMING');
        await callee.evaluate(() => window.phone.answer());
        for (const page of [caller, callee]) await page.shows('sipStatus/REGISTERED callStatus/ACTIVE');
        await hears(alice, connection, 880);
        await hears(bob, connection, 440);
        await callee.evaluate(() => window.phone.hangUp());
        for (const page of [caller, callee]) await page.shows('sipStatus/REGISTERED callStatus/IDLE');
      }
    });
  });
}
