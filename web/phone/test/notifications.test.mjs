// What the system shows while the page is in the background, where only the page's worker may show it, as on telephones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gone, id, see, server, signIn, talk } from './support/page.mjs';

/** A page in the background, whose worker is at work. */
async function inBackground(t) {
  const page = await signIn(t, { prepare: () => {
    Object.defineProperty(document, 'hidden', { get: () => window.away === true });
    const Allowed = class { constructor() { throw new TypeError('Illegal constructor. Use ServiceWorkerRegistration.showNotification() instead.'); } };
    Object.defineProperty(window, 'Notification', { value: Object.assign(Allowed, { permission: 'granted' }) });
  } });
  await page.browserContext().overridePermissions(server().url, ['notifications', 'microphone', 'camera']);
  await page.evaluate(async () => {
    installWorker(() => undefined);
    await navigator.serviceWorker.ready;
    window.away = true;
  });
  return page;
}

const shown = (page) => page.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(({ title, body, tag, actions }) => [title, body, tag, actions.map(({ action, title: words }) => `${action}: ${words}`)]));

async function waitShown(page, count) {
  await page.waitForFunction(async (wanted) => (await (await navigator.serviceWorker.ready).getNotifications()).length === wanted, { polling: 50 }, count);
}

/** The user presses a notification, or a button on it. */
async function press(page, action = '') {
  const target = await page.browser().waitForTarget((each) => each.type() === 'service_worker' && each.browserContext() === page.browserContext());
  const worker = await target.worker();
  await worker.evaluate(async (pressed) => {
    const [notification] = await registration.getNotifications();
    dispatchEvent(new NotificationEvent('notificationclick', { notification, action: pressed }));
  }, action);
}

const ring = (page, user, name) => page.evaluate((uri, called) => { fake.agent.ring(uri, called); }, `sip:${user}@example.com`, name);

test('a call in the background is shown by the worker, with the ways to take it, until it rings no more', async (t) => {
  const page = await inBackground(t);
  await ring(page, 'bob', 'Bob');
  await waitShown(page, 1);
  assert.deepEqual(await shown(page), [['Bob is calling', '', 'sipweb-call', ['answer: Answer', 'reject: Decline']]]);
  await page.evaluate(() => { fake.agent.sessions.at(-1).emit('failed', { originator: 'remote', cause: 'Canceled' }); });
  await page.waitForFunction(async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(({ title }) => title).join() === 'Missed call from Bob', { polling: 50 });
});

test('a call is answered from its notification', async (t) => {
  const page = await inBackground(t);
  await ring(page, 'bob', 'Bob');
  await waitShown(page, 1);
  await press(page, 'answer');
  await page.waitForSelector(`${id('call')}[data-phase=talking]`);
  await waitShown(page, 0);
});

test('a second caller is answered from the notification while the first one is held', async (t) => {
  const page = await inBackground(t);
  await talk(page);
  await ring(page, 'dora', 'Dora');
  await waitShown(page, 1);
  await press(page, 'answer');
  await see(page, 'call-peer', 'Dora');
  await see(page, 'other-call', 'bob');
});

test('a call is declined from its notification', async (t) => {
  const page = await inBackground(t);
  await talk(page);
  await ring(page, 'dora', 'Dora');
  await waitShown(page, 1);
  await press(page, 'reject');
  await gone(page, 'waiting');
  await see(page, 'call-peer', 'bob');
});

test('a press on the notification of a message leads to the conversation', async (t) => {
  const page = await inBackground(t);
  await page.evaluate(() => { fake.agent.message('sip:bob@example.com', 'Bob', 'Hello'); });
  await waitShown(page, 1);
  await press(page);
  await see(page, 'conversation', 'Hello');
});
