// A tab that is not the phone: what it shows of the call in the tab that is, and what can be done from it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anotherTab, gone, id, see, signIn, talk } from './support/page.mjs';

/** The tab that is the phone, and another one of the same account, which is in front. */
async function twoTabs(t) {
  const page = await signIn(t);
  await page.evaluate(() => localStorage.setItem('sipweb.account', sessionStorage.getItem('sipweb.account')));
  const open = () => anotherTab(page);
  return { page, open };
}

const ring = (page) => page.evaluate(() => { fake.agent.ring('sip:carmen@example.com', 'Carmen Ruiz'); });

test('who calls is shown in the other tabs, answered from there, and hung up', async (t) => {
  const { page, open } = await twoTabs(t);
  const other = await open();
  await see(other, 'other-tab', 'open in another tab');
  await gone(other, 'other-tab-call');
  await ring(page);
  await see(other, 'other-tab-call', 'Carmen Ruiz is calling');
  await other.click(id('other-tab-answer'));
  await page.waitForFunction(() => phone.call.phase === 'talking');
  await see(other, 'other-tab-call', 'Carmen Ruiz · In call');
  await gone(other, 'other-tab-answer');
  assert.equal(await other.evaluate(() => document.activeElement.dataset.testid), 'other-tab-end');
  await see(other, 'other-tab-end', 'Hang up');
  await other.keyboard.press('Enter');
  await page.waitForFunction(() => phone.call.over);
  await gone(other, 'other-tab-call');
});

test('who calls is declined from another tab, and only he', async (t) => {
  const { page, open } = await twoTabs(t);
  await talk(page);
  const other = await open();
  await see(other, 'other-tab-call', 'bob · In call');
  await ring(page);
  await see(other, 'other-tab-call', 'Carmen Ruiz is calling');
  await other.click(id('other-tab-end'));
  await see(other, 'other-tab-call', 'bob · In call');
  assert.deepEqual(await page.evaluate(() => fake.agent.sessions.map((each) => each.ended)), [false, true]);
});

test('a tab that was told to end the call before it can be the phone may be that once the call is over', async (t) => {
  const { page, open } = await twoTabs(t);
  await talk(page);
  const other = await open();
  await other.click(id('use-here'));
  await see(other, 'other-tab-busy', 'There is a call in the other tab');
  await other.click(id('other-tab-end'));
  await gone(other, 'other-tab-busy');
  await other.click(id('use-here'));
  await see(other, 'registration', 'Ready');
  await see(page, 'other-tab', 'open in another tab');
  await ring(other);
  await see(page, 'other-tab-call', 'Carmen Ruiz is calling');
});
