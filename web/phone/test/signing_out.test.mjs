// Signing out on a computer that others use, too: what is asked, what is deleted, and what the next person finds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anotherTab, gone, id, see, signIn, signInToStay, talk } from './support/page.mjs';

/** A contact and a message. */
const leaveTraces = (page) => page.evaluate(() => {
  phone.contacts.keep({ uri: 'sip:carmen@example.com', name: 'Carmen' });
  fake.agent.message('sip:bob@example.com', 'Bob', 'The code is 4711');
});

async function missCall(page) {
  await page.evaluate(() => { fake.agent.ring('sip:dora@example.com').emit('failed', { originator: 'remote', cause: 'Canceled' }); });
  await see(page, 'call-state', 'stopped calling');
}

async function askToSignOut(page) {
  await page.click(id('tab-settings'));
  await page.click(id('sign-out'));
  await see(page, 'sign-out-question', 'Contacts, messages and calls of alice are kept in this browser.');
}

/** Names of what the browser has of Alice beyond this tab. */
const stored = (page) => page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('alice')));

test('who wants it deleted leaves no contact, message or call behind, neither in the browser nor on the page', async (t) => {
  const page = await signIn(t);
  await leaveTraces(page);
  await missCall(page);
  await askToSignOut(page);
  await page.click(id('sign-out-erase'));
  await see(page, 'sign-in-form', 'User name');
  assert.deepEqual(await stored(page), []);
  const left = await page.evaluate(() => document.documentElement.textContent);
  for (const word of ['Carmen', '4711', 'dora']) assert.ok(!left.includes(word), word);
});

test('who keeps it finds it at the next sign-in; meanwhile nothing of it is on the page', async (t) => {
  const page = await signIn(t);
  await leaveTraces(page);
  await missCall(page);
  let badge;
  await page.exposeFunction('badged', (count) => { badge = count; });
  await page.evaluate(() => {
    navigator.setAppBadge = async (count) => { await badged(count); };
    navigator.clearAppBadge = async () => { await badged(0); };
  });
  await askToSignOut(page);
  await page.click(id('sign-out-keep'));
  await see(page, 'sign-in-form', 'User name');
  const left = await page.evaluate(() => document.documentElement.textContent);
  for (const word of ['Carmen', '4711', 'dora']) assert.ok(!left.includes(word), word);
  await page.waitForFunction(() => document.title === 'Sipweb');
  assert.equal(badge, 0, 'the number on the icon');
  await page.evaluate(() => { location.hash = '#alice:secret'; });
  await see(page, 'registration', 'Ready');
  await see(page, 'recents', 'dora');
  assert.deepEqual(await page.evaluate(() => [phone.contacts.list.length, phone.conversations.unread]), [1, 1]);
});

test('a call that signing out ends does not come back into a list that was deleted', async (t) => {
  const page = await signIn(t);
  await leaveTraces(page);
  await talk(page);
  await askToSignOut(page);
  await page.click(id('sign-out-erase'));
  await see(page, 'sign-in-form', 'User name');
  assert.deepEqual(await stored(page), []);
});

test('from another tab it is deleted in the tab that is the phone, too', async (t) => {
  const page = await signIn(t);
  await leaveTraces(page);
  await talk(page);
  await page.evaluate(() => localStorage.setItem('sipweb.account', sessionStorage.getItem('sipweb.account')));
  const other = await anotherTab(page);
  await other.click(id('other-tab-sign-out'));
  await see(other, 'other-tab-sign-out-question', 'of alice');
  await other.click(id('other-tab-sign-out-erase'));
  await see(other, 'sign-in-form', 'User name');
  await see(page, 'sign-in-form', 'User name');
  assert.deepEqual(await stored(page), []);
});

test('who has nothing to lose is not asked', async (t) => {
  const page = await signIn(t);
  await page.click(id('tab-settings'));
  await page.click(id('sign-out'));
  await see(page, 'sign-in-form', 'User name');
});

test('by keyboard: Escape takes the question back, and does not hang up', async (t) => {
  const page = await signIn(t);
  await leaveTraces(page);
  await talk(page);
  await page.click(id('tab-settings'));
  await page.focus(id('sign-out'));
  await page.keyboard.press('Enter');
  await see(page, 'sign-out-question', 'of alice');
  await page.keyboard.press('Escape');
  await gone(page, 'sign-out-question');
  assert.deepEqual(await page.evaluate(() => [document.activeElement.dataset.testid, phone.call.phase]), ['sign-out', 'talking']);
});

test('the next person finds an empty form, and an empty dial field', async (t) => {
  const page = await signInToStay(t);
  await page.type(id('dial-field'), '4711');
  await page.click(id('tab-settings'));
  await page.click(id('sign-out'));
  await see(page, 'sign-in-form', 'User name');
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('#sign-in-user, #sign-in-password, #dial-field')].map((field) => field.value)), ['', '', '']);
  assert.equal(await page.$eval(id('sign-in-stay'), (box) => box.checked), false);
});
