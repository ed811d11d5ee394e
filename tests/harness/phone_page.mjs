// Our own phone page, used as a person uses it: by its buttons and fields.
import assert from 'node:assert/strict';
import { chromium, heard, hears, hearsNothing, openPage } from './browser.mjs';
import { PASSWORD } from './server.mjs';
import { until } from './wait.mjs';

const connection = () => window.sipwebPhone.session.connection;

export class PhonePage {
  /** A browser of its own (`browser` starts it) with a tone as microphone, signed in as a user. `flags` and `network` are Chromium's. */
  static async open(test, server, user, { browser = chromium, tone = 440, password = PASSWORD, signIn = true, flags = [], network, address = server.page } = {}) {
    const phone = new PhonePage();
    phone.user = user;
    phone.browser = await browser(test, { tone, flags: ['--lang=en', ...flags], ...(network ? { network } : {}) });
    phone.page = await openPage(phone.browser, address);
    await phone.page.setViewport({ width: 1280, height: 800 });
    if (signIn) {
      await phone.signIn(user, password);
      await phone.registered();
    }
    return phone;
  }

  #selector(name) {
    return `[data-testid="${name}"]`;
  }

  /** The text of a part of the page, '' if it is not there or not shown. */
  async text(name) {
    return this.page.evaluate((selector) => {
      const element = document.querySelector(selector);
      return element && element.checkVisibility() ? element.textContent.trim() : '';
    }, this.#selector(name));
  }

  /** Presses a button once it is shown and enabled. */
  async press(name, { within = 10_000 } = {}) {
    await until(`the button ${name}`, () => this.page.evaluate((selector) => {
      const button = document.querySelector(selector);
      return Boolean(button) && button.checkVisibility() && !button.disabled;
    }, this.#selector(name)), { within });
    await this.page.click(this.#selector(name));
  }

  async type(name, words) {
    const selector = this.#selector(name);
    await this.page.waitForSelector(selector, { visible: true });
    await this.page.$eval(selector, (field) => {
      field.value = '';
    });
    await this.page.type(selector, words);
  }

  async signIn(user, password) {
    await this.type('sign-in-user', user);
    await this.type('sign-in-password', password);
    await this.press('sign-in-submit');
  }

  async registered(options) {
    await this.chip('registered', options);
  }

  /** Waits for a registration state: connecting, registered, reconnecting, failed, off. */
  async chip(state, { within = 15_000 } = {}) {
    await until(`${this.user}'s page to be ${state}`, async () => {
      const found = await this.page.$eval(this.#selector('registration'), (chip) => chip.dataset.state).catch(() => 'signed out');
      if (found === state) return true;
      throw new Error(`${found} ${await this.text('sign-in-error')}`);
    }, { within });
  }

  async call(target) {
    await this.type('dial-field', target);
    await this.press('dial-call');
  }

  /** Waits until the call on the screen is in a phase: incoming, calling, ringing, early, talking, ended. */
  async phase(wanted, { within = 15_000 } = {}) {
    const names = [wanted].flat();
    return until(`${this.user}'s call to be ${names.join(' or ')}`, async () => {
      const found = await this.page.$eval(this.#selector('call'), (call) => call.dataset.phase ?? '').catch(() => '');
      if (names.includes(found)) return found;
      throw new Error(`${found || 'no call'}: ${await this.text('call-state')} ${await this.text('call-detail')} ${this.page.faults.join('; ')}`);
    }, { within });
  }

  answer() {
    return this.press('call-answer');
  }

  hangUp() {
    return this.press('call-hangup');
  }

  /** What the page says of the call. */
  state() {
    return this.text('call-state');
  }

  async says(pattern, { within = 10_000 } = {}) {
    return until(`${this.user}'s page to say ${pattern}`, async () => {
      const words = `${await this.text('call-state')} ${await this.text('call-detail')}`;
      if (pattern.test(words)) return words;
      throw new Error(words);
    }, { within });
  }

  hears(hertz, options) {
    return hears(this.page, connection, hertz, options);
  }

  hearsNothing(options) {
    return hearsNothing(this.page, connection, options);
  }

  heard(milliseconds) {
    return heard(this.page, connection, milliseconds);
  }

  /** No uncaught error so far. */
  unharmed() {
    assert.deepEqual(this.page.faults, []);
  }
}
