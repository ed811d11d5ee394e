// A page with a camera: what it sees, and what its connection counts.
import { chromium, hears, openPage } from './browser.mjs';
import { servePage } from './library_page.mjs';
import { PASSWORD } from './server.mjs';
import { until } from './wait.mjs';

const PAGES = { JsSIP: 'film_jssip.mjs', Sipweb: 'film_sipweb.mjs' };

export class FilmPage {
  /** A page with this library, signed in as a user of the server. */
  static async open(test, library, server, user, { tone = 440 } = {}) {
    const film = new FilmPage();
    film.user = user;
    film.page = await openPage(await chromium(test, { tone }), await servePage(test, PAGES[library]));
    await film.page.evaluate((...words) => void window.phone.start(...words), server.webSocket, user, PASSWORD);
    await film.logged('registered');
    return film;
  }

  /** Waits for a word in its log, after those seen so far. */
  async logged(word) {
    return until(`${this.user}'s page to log "${word}"`, async () => {
      const log = await this.page.evaluate(() => window.phone.log);
      const found = log.slice(this.read ?? 0).findIndex((line) => line.includes(word));
      if (found < 0) throw new Error(`${log.join(', ')} ${this.page.faults.join('; ')}`);
      this.read = (this.read ?? 0) + found + 1;
      return true;
    }, { within: 15_000 });
  }

  call(target, video = true) {
    return this.page.evaluate((...words) => window.phone.call(...words), target, video);
  }

  answer(video = true) {
    return this.page.evaluate((...words) => void window.phone.answer(...words), video);
  }

  hangUp() {
    return this.page.evaluate(() => void window.phone.hangUp());
  }

  /** The first description that this page wrote (`local`) or got (`remote`), octet for octet. */
  description(originator) {
    return this.page.evaluate((which) => window.phone.descriptions.find((one) => one.originator === which), originator);
  }

  look() {
    return this.page.evaluate(() => window.phone.look());
  }

  hears(hertz, options) {
    return hears(this.page, () => window.phone.session.connection, hertz, options);
  }

  /** Waits until a picture that is not dark changes before its eyes, and new frames are decoded. */
  async sees({ within = 20_000 } = {}) {
    const first = await this.look();
    const seen = new Set([first.picture]);
    return until(`living pictures in ${this.user}'s page`, async () => {
      const now = await this.look();
      seen.add(now.picture);
      if (now.decoded >= first.decoded + 10 && now.mean > 20 && seen.size > 2) return now;
      throw new Error(`${now.decoded - first.decoded} frames, mean ${now.mean}, ${seen.size} different pictures, codec ${now.codec}`);
    }, { within, every: 100 });
  }
}
