// Pages that hold somebody else's SIP library, unmodified, as their users would bundle it.
import { createServer } from 'node:http';
import { build } from 'esbuild';
import { chromium, openPage } from './browser.mjs';
import { PASSWORD } from './server.mjs';
import { until } from './wait.mjs';

async function bundle(entry, alias = {}) {
  const made = await build({
    entryPoints: [new URL(`../pages/${entry}`, import.meta.url).pathname],
    bundle: true,
    format: 'iife',
    write: false,
    alias,
    define: { global: 'window', 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  });
  return made.outputFiles[0].text;
}

/** Serves `pages/<entry>` on loopback and returns the page's address. `alias` puts packages in the place of others. */
export async function servePage(test, entry, alias) {
  const script = await bundle(entry, alias);
  const server = createServer((request, response) => {
    if (request.url === '/page.js') return response.setHeader('content-type', 'text/javascript').end(script);
    if (request.url !== '/') return response.writeHead(404).end();
    return response
      .setHeader('content-type', 'text/html; charset=utf-8')
      .end('<!doctype html><meta charset="utf-8"><title>library</title><audio id="remote" autoplay></audio><div id="app"></div><script src="/page.js"></script>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.after(() => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  }));
  return `http://127.0.0.1:${server.address().port}/`;
}

/** The published libraries. */
export const LIBRARIES = ['JsSIP', 'SIP.js'];

const PAGES = { JsSIP: 'jssip.mjs', 'SIP.js': 'sipjs.mjs' };

/**
 * A page with a library, signed in as a user of the server. `more` is for its configuration, `cookie` makes one for its browser,
 * `alias` puts packages in the place of others.
 */
export async function telephone(t, library, server, user, { tone = 440, password = PASSWORD, more, cookie, alias } = {}) {
  const browser = await chromium(t, { tone });
  const page = await openPage(browser, await servePage(t, PAGES[library], alias));
  if (cookie) await page.setCookie(cookie());
  await page.evaluate((...words) => void window.phone.start(...words), server.webSocket, user, password, more);
  page.logged = (word, patience) => until(`${library} (${user}) to log "${word}"`, async () => {
    const log = await page.evaluate(() => window.phone.log);
    if (log.some((line) => line.includes(word))) return true;
    throw new Error(log.join(', '));
  }, patience);
  return page;
}

/** Where the peer connection of a page is found; run inside the page. */
export const connectionOf = {
  JsSIP: () => window.phone.session.connection,
  'SIP.js': () => window.phone.session.sessionDescriptionHandler.peerConnection,
};
