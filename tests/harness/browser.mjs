// Real browsers: headless Chromium, with a tone of its own as microphone.
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { temporaryFolder } from './folder.mjs';
import { heardInPage, writeTone } from './tone.mjs';
import { until } from './wait.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--ignore-certificate-errors',
];

/** Where Debian and other systems put it. */
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** A browser whose microphone hears one tone for ever; `network` is one of its own that it runs in. */
export async function chromium(test, { tone = 440, flags = [], network } = {}) {
  const folder = temporaryFolder('browser');
  const microphone = join(folder, 'microphone.wav');
  writeTone(microphone, tone);
  const browser = await puppeteer.launch({
    executablePath: network ? network.wrap(CHROMIUM) : CHROMIUM,
    // No port of another network is reached from here.
    pipe: Boolean(network),
    headless: true,
    userDataDir: join(folder, 'profile'),
    args: [...FLAGS, `--use-file-for-fake-audio-capture=${microphone}`, ...flags],
  });
  test.after(() => browser.close());
  return browser;
}

/** A page that reports what goes wrong inside it. */
export async function openPage(browser, url) {
  const page = await browser.newPage();
  page.faults = [];
  page.said = [];
  page.on('pageerror', (error) => page.faults.push(error.message));
  page.on('console', (message) => page.said.push(message.text()));
  await page.goto(url, { waitUntil: 'load' });
  return page;
}

/** What is heard from the peer connection that `find` (a function run in the page) returns. */
export async function heard(page, find, milliseconds = 300) {
  const found = await page.evaluate(`(${heardInPage.toString()})(${JSON.stringify(find.toString())}, ${milliseconds})`);
  // Perfect silence is minus infinity, which does not survive the way here.
  return { ...found, level: found.level ?? -Infinity };
}

/** Waits until the page hears a tone within 3 % of a frequency. */
export async function hears(page, find, hertz, options) {
  return until(`a tone of ${hertz} Hz`, async () => {
    const found = await heard(page, find);
    if (found.level > -60 && Math.abs(found.hertz - hertz) < hertz * 0.03) return found;
    throw new Error(`heard ${Math.round(found.hertz)} Hz at ${Math.round(found.level)} dB`);
  }, options);
}

/** Waits until the page hears nothing. */
export async function hearsNothing(page, find, options) {
  return until('silence', async () => {
    const found = await heard(page, find);
    if (found.level < -70) return found;
    throw new Error(`heard ${Math.round(found.hertz)} Hz at ${Math.round(found.level)} dB`);
  }, options);
}
