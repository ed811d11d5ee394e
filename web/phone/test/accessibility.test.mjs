// axe-core looks at every state of the page, in light and dark: nothing serious may be wrong.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { answered, id, inSession, open, see, signIn, talk } from './support/page.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const SCREENS = {
  'the sign-in form with an error': { run: async (page) => { await page.click(id('sign-in-submit')); await see(page, 'sign-in-error', 'Enter'); } },
  'the keypad beside the recent calls': { signedIn: true },
  'a wrong number': { signedIn: true, run: async (page) => { await page.keyboard.type('two words'); await page.keyboard.press('Enter'); } },
  'contacts': { signedIn: true, run: async (page) => { await contact(page); } },
  'a new contact': { signedIn: true, run: async (page) => { await page.click(id('tab-contacts')); await page.click(id('contact-new')); await page.click(id('contact-save')); } },
  'messages': { signedIn: true, run: async (page) => { await page.evaluate(() => { fake.agent.message('sip:bob@example.com', 'Bob', 'Hello'); }); await page.click(id('tab-messages')); } },
  'a conversation': { signedIn: true, run: async (page) => { await page.evaluate(() => { fake.agent.message('sip:bob@example.com', 'Bob', 'Hello'); }); await page.click(id('tab-messages')); await page.click(id('conversation-row')); await page.type(id('message-field'), 'Hi'); await page.keyboard.press('Enter'); } },
  'settings': { signedIn: true, run: (page) => page.click(id('tab-settings')) },
  'an incoming call': { signedIn: true, run: (page) => page.evaluate(() => { fake.agent.ring('sip:carmen@example.com', 'Carmen', 'm=audio 9 X\r\nm=video 9 X'); }) },
  'a call': { signedIn: true, run: talk },
  'the keypad of a call': { signedIn: true, run: async (page) => { await talk(page); await page.click(id('call-keypad')); } },
  'devices in a call': { signedIn: true, run: async (page) => { await talk(page); await page.click(id('call-audio')); } },
  'whom to transfer to': { signedIn: true, run: async (page) => { await page.evaluate(() => { fake.agent.message('sip:eve@example.com', 'Eve', 'Hello'); }); await talk(page); await page.click(id('call-transfer')); } },
  'more to do in a call': { signedIn: true, run: async (page) => { await talk(page); await page.click(id('call-more')); } },
  'the diagnosis': { signedIn: true, run: async (page) => { await talk(page); await page.click(id('call-more')); await page.click(id('call-diagnosis')); } },
  'two calls and a third caller': { signedIn: true, run: async (page) => { await two(page); await page.evaluate(() => { fake.agent.ring('sip:dora@example.com', 'Dora'); }); await see(page, 'waiting', 'Dora'); } },
  'a conference': { signedIn: true, run: async (page) => { await two(page); await page.click(id('others-merge')); await see(page, 'call-peer', 'Conference'); } },
  'a call that failed': { signedIn: true, run: async (page) => { await page.keyboard.type('bob'); await page.keyboard.press('Enter'); await page.waitForFunction(() => fake.agent.sessions.length > 0); await inSession(page, '(session) => session.fail(486, "Busy Here", "Busy")'); } },
  'a call in the other tab': { signedIn: true, run: async (page) => { await page.evaluate(() => { phone.seat.state = 'elsewhere'; phone.seat.there = { peer: 'Carmen', phase: 'incoming', at: 0 }; phone.change.signal(); }); await see(page, 'other-tab-call', 'Carmen'); } },
  'no connection': { signedIn: true, run: (page) => page.evaluate(() => { fake.agent.emit('disconnected', { error: true, retry_in: 9000 }); }) },
};

async function contact(page) {
  await page.click(id('tab-contacts'));
  await page.click(id('contact-new'));
  await page.type(id('contact-name'), 'Bob');
  await page.type(id('contact-address'), 'bob');
  await page.click(id('contact-save'));
  await page.waitForFunction(() => fake.agent.subscriptions.length > 0);
  await page.evaluate(() => fake.agent.subscriptions[0].notify('<state>confirmed</state>'));
}

async function two(page) {
  await talk(page);
  await page.click(id('call-add'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await answered(page);
  await see(page, 'other-call', 'bob');
}

/** Runs in the page: a colour half-way through a change is nobody's. */
function whenStill() {
  return Promise.all(document.getAnimations().filter((each) => Number.isFinite(each.effect.getComputedTiming().endTime)).map((each) => each.finished.catch(() => undefined)));
}

for (const [name, { signedIn, run }] of Object.entries(SCREENS)) {
  test(`${name}: nothing that keeps people out`, async (t) => {
    const page = await (signedIn ? signIn(t, {}) : open(t, {}));
    await run?.(page);
    for (const theme of ['light', 'dark']) {
      await page.evaluate((wanted) => { document.documentElement.dataset.theme = wanted; }, theme);
      const { violations } = await page.evaluate(`${AXE}; (${whenStill})().then(() => axe.run(document, { resultTypes: ['violations'] }))`);
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id: rule, nodes }) => `${theme}: ${rule}: ${nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join('; ')}`);
      assert.deepEqual(serious, []);
    }
  });
}
