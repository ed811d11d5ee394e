// Links that sign in, where somebody is signed in already.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anotherTab, gone, id, see, signIn, signInToStay, talk } from './support/page.mjs';

const openLink = (page, hash) => page.evaluate((wanted) => { location.hash = wanted; }, hash);
const kept = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('sipweb.account'))?.user);

test('a link that signs in somebody else leaves the account that stays signed in on the device', async (t) => {
  const page = await signInToStay(t);
  const other = await anotherTab(page, '#bob:word');
  await see(other, 'registration', 'Ready');
  assert.equal(await kept(other), 'alice');
  await other.reload();
  await see(other, 'account', 'bob');
  assert.equal(await kept(other), 'alice');
  await other.click(id('tab-settings'));
  await other.click(id('sign-out'));
  await see(other, 'sign-in-form', 'User name');
  assert.equal(await kept(other), 'alice');
});

test('in the tab of the account that stays, the link signs in its own for this tab only', async (t) => {
  const page = await signInToStay(t);
  const other = await anotherTab(page);
  await see(other, 'other-tab', 'open in another tab');
  await openLink(page, '#bob:word');
  await see(page, 'account', 'bob');
  await see(other, 'account', 'alice');
  assert.equal(await kept(page), 'alice');
});

test('the link of the account that stays brings a new password, and the account still stays', async (t) => {
  const page = await signInToStay(t);
  await openLink(page, '#alice:new');
  await page.waitForFunction(() => JSON.parse(localStorage.getItem('sipweb.account'))?.password === 'new');
  await see(page, 'registration', 'Ready');
});

test('a link that signs in does not end a call: the user decides', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await openLink(page, '#bob:word');
  await see(page, 'notice', 'A link wants to sign in bob here. Your call ends with that.');
  assert.equal(new URL(page.url()).hash, '');
  assert.deepEqual(await page.evaluate(() => [phone.call.phase, fake.agents]), ['talking', 1]);
  await page.click(id('notice-sign-in-link-close'));
  await gone(page, 'notice');
  await openLink(page, '#bob:word');
  await page.click(id('notice-sign-in-link-action'));
  await see(page, 'account', 'bob');
  assert.deepEqual(await page.evaluate(() => [fake.agent.options.password, phone.call === undefined]), ['word', true]);
});

test('a link that signs in who is signed in already changes nothing in a call', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await openLink(page, '#alice:secret');
  await page.waitForFunction(() => location.hash === '');
  assert.deepEqual(await page.evaluate(() => [phone.call.phase, fake.agents, phone.linkAccount === undefined]), ['talking', 1, true]);
});

test('a link without a password that can be read changes nothing', async (t) => {
  const page = await signIn(t);
  await openLink(page, '#a%20b:word');
  await page.waitForFunction(() => location.hash === '');
  await see(page, 'registration', 'Ready');
  assert.equal(await page.evaluate(() => fake.agents), 1);
});
