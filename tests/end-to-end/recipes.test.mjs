// What docs/recipes tells people to copy, in Chromium through our server, with a phone at the other end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium, openPage } from '../harness/browser.mjs';
import { serveRecipe } from '../harness/recipes.mjs';
import { Server } from '../harness/server.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';
import { until } from '../harness/wait.mjs';

const ALICE = 440;
const BOB = 660;

const RECIPES = [
  ['plain-page', undefined],
  ['react', ['use_phone.js', 'phone.jsx', 'main.jsx']],
  ['vue', ['use_phone.js', 'Phone.vue', 'main.js']],
];

/** The page of a recipe with a server, a phone for Bob, and what is done and seen in it. */
async function opened(t, recipe, names) {
  const server = await Server.start(t);
  const page = await openPage(await chromium(t, { tone: ALICE }), await serveRecipe(t, recipe, server, names));
  const bob = await SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  const text = () => page.$eval('[role=status]', (state) => state.textContent);
  return {
    server, page, bob, text,
    says: (words) => until(`the page to say "${words}"`, async () => (await text()).includes(words) || assert.fail(`"${await text()}" ${page.faults.join()}`)),
    press: async (label) => (await page.waitForSelector(`button::-p-text(${label})`, { visible: true })).click(),
  };
}

for (const [recipe, names] of RECIPES) {
  test(`${recipe}: the page is called and answers, calls and is answered, and both are heard`, async (t) => {
    const { page, bob, says, press } = await opened(t, recipe, names);
    const playing = () => until('sound to arrive', () => page.$eval('audio', (audio) => audio.srcObject?.getAudioTracks()[0]?.muted === false));

    await says('Ready');
    const call = await bob.dial('sip:alice@127.0.0.1');
    await says('Call from bob');
    await press('Answer');
    assert.equal((await call.invited).status, 200);
    await says('In call');
    await call.hears(ALICE);
    await playing();
    await press('Hang up');
    await call.receives('BYE');
    await says('Ended: Terminated');

    await page.type('[aria-label="Whom to call"]', 'bob');
    await press('Call');
    const incoming = await bob.incoming();
    await incoming.answer();
    await says('In call');
    await incoming.hears(ALICE);
    await playing();
    await incoming.bye();
    await says('Ended: Terminated');
    assert.deepEqual(page.faults, []);
  });

  test(`${recipe}: the page does not say "Ready" while its server is gone, and a call that stands is still shown`, async (t) => {
    const { server, page, bob, text, says, press } = await opened(t, recipe, names);
    await says('Ready');
    await server.kill();
    await says('Connecting');
    await server.start();
    await says('Ready');

    await page.type('[aria-label="Whom to call"]', 'bob');
    await press('Call');
    const call = await bob.incoming();
    await call.answer();
    await says('In call');
    await server.kill();
    await server.start();
    await until('the page to be there again, and in its call', async () => {
      const { status } = await (await bob.dial('sip:alice@127.0.0.1')).invited;
      return status === 486 || assert.fail(String(status));
    });
    assert.equal(await text(), 'In call');
    assert.deepEqual(page.faults, []);
  });
}
