// Names and words that are read from the right, on the page in a real browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { id, open, see, signIn, talk } from './support/page.mjs';

/** A name in Hebrew. */
const AVI = '\u05d0\u05d1\u05d9';

/** Where `words` stand in the first element of `selector`. */
const placeOf = (page, selector, words) => page.$eval(selector, (element, wanted) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const at = node.data.indexOf(wanted);
    if (at < 0) continue;
    const range = document.createRange();
    range.setStart(node, at);
    range.setEnd(node, at + wanted.length);
    const { left, right } = range.getBoundingClientRect();
    return { left, right };
  }
  return undefined;
}, words);

test('a caller cannot turn what is read of him', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.agent.ring('sip:eve@evil.example', '\u202enitraM boB\u202c 200'); });
  await see(page, 'call-peer', 'nitraM boB 200');
  await page.waitForFunction(() => document.title.includes('nitraM boB 200 is calling'));
});

test('the time of a call stands after the name, also where that is read from the right', async (t) => {
  const page = await signIn(t, { viewport: { width: 390, height: 780 } });
  await page.evaluate((name) => phone.contacts.keep({ uri: 'sip:bob@example.com', name }), AVI);
  await talk(page);
  await page.click(id('tab-messages'));
  await see(page, 'return-to-call', '00:0');
  const [name, time] = await Promise.all([AVI, '00:0'].map((words) => placeOf(page, id('return-to-call'), words)));
  assert.ok(name.right <= time.left + 1, JSON.stringify([name, time]));
});

test('a message that is read from the right begins at the right, and the one before it at the left', async (t) => {
  const page = await open(t, { hash: '#alice:secret' });
  await see(page, 'registration', 'Ready');
  await page.evaluate((words) => { for (const body of ['An English message that is long enough to have room beside it\nyes', `${words} ${words} ${words} ${words} ${words}\n\u05d3\u05df`]) fake.agent.message('sip:bob@example.com', 'Bob', body); }, AVI);
  await page.click(id('tab-messages'));
  await page.click(id('conversation-row'));
  const ends = (at, words) => page.$$eval(`${id('message')} p`, (all, place) => { all[place].id = `p${place}`; }, at).then(async () => {
    const box = await page.$eval(`#p${at}`, (each) => { const { left, right } = each.getBoundingClientRect(); return { left, right }; });
    const word = await placeOf(page, `#p${at}`, words);
    return [Math.abs(word.left - box.left) < 1, Math.abs(word.right - box.right) < 1];
  });
  assert.deepEqual(await ends(0, 'yes'), [true, false]);
  assert.deepEqual(await ends(1, '\u05d3\u05df'), [false, true]);
});
