// Links that call, and what becomes of them while the user cannot follow them yet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gone, id, open, see, signIn } from './support/page.mjs';

async function enter(page) {
  await page.type(id('sign-in-user'), 'alice');
  await page.type(id('sign-in-password'), 'secret');
  await page.keyboard.press('Enter');
  await see(page, 'registration', 'Ready');
}

test('a link that waits for the sign-in outlives a reload, until it is followed', async (t) => {
  const page = await open(t, { query: '?call=dora' });
  await see(page, 'notice', 'A link wants to call dora.');
  await page.reload();
  await see(page, 'notice', 'A link wants to call dora.');
  await enter(page);
  await page.click(id('notice-link-action'));
  await see(page, 'call-peer', 'dora');
  await page.click(id('call-hangup'));
  await page.reload();
  await see(page, 'registration', 'Ready');
  await gone(page, 'notice');
});

test('a link that was put aside stays so after a reload', async (t) => {
  const page = await signIn(t, { query: '?call=dora' });
  await page.click(id('notice-link-close'));
  await page.reload();
  await see(page, 'registration', 'Ready');
  await gone(page, 'notice');
});

test('who wants links to open here is told that the browser asks, or that it does not allow it', async (t) => {
  const page = await signIn(t, { prepare: () => { navigator.registerProtocolHandler = (...asked) => { (window.asked ??= []).push(asked); }; } });
  await page.click(id('tab-settings'));
  await page.click(id('settings-links'));
  await see(page, 'settings-links-hint', 'Your browser asks now');
  assert.deepEqual(await page.evaluate(() => asked.map(([scheme]) => scheme)), ['tel', 'sip']);
  await page.evaluate(() => { navigator.registerProtocolHandler = () => { throw new DOMException('', 'SecurityError'); }; });
  await page.click(id('settings-links'));
  await see(page, 'settings-links-hint', 'Your browser does not allow it.');
});
