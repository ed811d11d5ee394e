// Real browsers: headless Firefox, driven over WebDriver BiDi, with a tone of its own as microphone.
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { temporaryFolder } from './folder.mjs';

/** Where Debian and other systems put it. */
const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** A browser whose microphone hears one tone for ever. */
export async function firefox(test, { tone = 440 } = {}) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    userDataDir: join(temporaryFolder('firefox'), 'profile'),
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.audio.fake_frequency': tone,
      'media.navigator.permission.disabled': true,
      // Without a loudspeaker an AudioContext never runs, and nothing could be measured.
      'media.cubeb.force_mock_context': true,
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
      'media.autoplay.block-webaudio': false,
      'intl.accept_languages': 'en',
    },
  });
  test.after(() => browser.close());
  return browser;
}
