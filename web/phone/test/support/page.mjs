// The page in a real browser, over a double of the library: opened for one test, looked at, used.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchBrowser, servePage } from '../fake/server.mjs';

let browser;
let served;

before(async () => {
  served = await servePage();
  browser = await launchBrowser(['--use-fake-ui-for-media-stream', '--auto-select-desktop-capture-source=Entire screen']);
});

after(async () => {
  await browser?.close();
  served?.close();
});

export const server = () => served;

/** Opens the page in a browser profile of its own; whatever the browser complains about fails the test. */
export async function open(t, { hash = '', query = '', prepare, viewport = { width: 1100, height: 800 } } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const complaints = [];
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints, [], 'errors in the console');
  });
  page.complaints = complaints;
  await prepareTab(page, viewport);
  if (prepare) await page.evaluateOnNewDocument(prepare);
  await page.goto(served.url + query + hash);
  await page.evaluate(() => window.ready);
  return page;
}

/** A further tab of the same browser. */
export async function anotherTab(page, where = '') {
  const other = await page.browserContext().newPage();
  other.complaints = page.complaints;
  await prepareTab(other, { width: 1100, height: 800 });
  await other.goto(served.url + where);
  await other.evaluate(() => window.ready);
  return other;
}

/** Milliseconds that a step may take; a busy machine needs more. */
const PATIENCE = Number(process.env.PATIENCE ?? 30_000);

async function prepareTab(page, viewport) {
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && page.complaints.push(message.text()));
  await page.setViewport(viewport);
  await page.evaluateOnNewDocument(() => localStorage.getItem('sipweb.language') ?? localStorage.setItem('sipweb.language', '"en"'));
}

export const id = (name) => `[data-testid="${name}"]`;

/** A page on which alice has signed in by its form, to stay so. */
export async function signInToStay(t) {
  const page = await open(t);
  await page.type(id('sign-in-user'), 'alice');
  await page.type(id('sign-in-password'), 'secret');
  await page.click(id('sign-in-stay'));
  await page.click(id('sign-in-submit'));
  await see(page, 'registration', 'Ready');
  return page;
}

export async function signIn(t, more) {
  const page = await open(t, { hash: '#alice:secret', ...more });
  await page.waitForSelector(`${id('registration')}[data-state=registered]`);
  return page;
}

/** Asked for by the clock: a tab behind another one draws no frames. */
const ASKED = { polling: 30 };

export const see = (page, name, words) => page.waitForFunction((selector, wanted) => {
  const element = document.querySelector(selector);
  return element?.checkVisibility() && element.textContent.includes(wanted);
}, ASKED, id(name), words);

export const gone = (page, name) => page.waitForFunction((selector) => !document.querySelector(selector)?.checkVisibility(), ASKED, id(name));

/** Runs `act` with the latest session of the double. */
export const inSession = (page, act, ...values) => inSessionOf(page, -1, act, ...values);

export const inSessionOf = (page, at, act, ...values) =>
  page.evaluate(`((...values) => (${act})(fake.agent.sessions.at(${at}), ...values))(${values.map((each) => JSON.stringify(each)).join()})`);

/** The latest session is answered by the other side. */
export const answered = (page) => inSession(page, '(session) => { session.emit("accepted", {}); session.emit("confirmed", {}); }');

/** A call to Bob that stands. */
export async function talk(page) {
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length > 0);
  await answered(page);
  await page.waitForSelector(`${id('call')}[data-phase=talking]`);
}
