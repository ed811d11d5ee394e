// Tabs of one browser that share a phone: a page of somebody else's site, with a strict policy, that imports `SharedUA`.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { chromium, openPage } from './browser.mjs';
import { PASSWORD } from './server.mjs';
import { until } from './wait.mjs';

const LIBRARY = new URL('../../web/dist/library/', import.meta.url);
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src ws:; media-src blob:; img-src data:";
const PAGE = '<!doctype html><meta charset="utf-8"><title>shared</title><link rel="icon" href="data:,"><audio id="remote" autoplay></audio><script type="module" src="/page.js"></script>';

/** What the page does, but for its import it is what a page with `UA` does. */
const SCRIPT = `
import { WebSocketInterface } from './sipweb.js';
import { SharedUA } from './sipweb-shared.js';
// A page that goes without a word: nobody hears that it goes.
if (location.search === '?silent') addEventListener('pagehide', (event) => event.stopImmediatePropagation());
const phone = (window.phone = { log: [], session: undefined });
phone.start = (server, user, password) => {
  phone.ua = new SharedUA({ sockets: [new WebSocketInterface(server)], uri: 'sip:' + user + '@127.0.0.1', password });
  for (const name of ['connected', 'registered', 'unregistered', 'registrationFailed']) phone.ua.on(name, () => phone.log.push(name));
  phone.ua.on('newRTCSession', ({ originator, session }) => {
    phone.session = session;
    phone.log.push(originator + ' call');
    session.on('peerconnection', ({ peerconnection }) => peerconnection.addEventListener('track', ({ streams }) => { document.querySelector('#remote').srcObject = streams[0]; }));
    for (const name of ['confirmed', 'ended', 'failed']) session.on(name, ({ cause, message }) => phone.log.push([name, cause, message?.getHeader?.('Reason')].filter(Boolean).join(' ')));
  });
  phone.ua.start();
};
phone.answer = () => phone.session.answer({ mediaConstraints: { audio: true, video: false } });
`;

/** A browser, and the page's address on a site of its own. */
export async function sharedSite(test, { tone = 440, launch = chromium } = {}) {
  const site = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://site');
    response.setHeader('content-security-policy', POLICY);
    if (pathname === '/') return response.setHeader('content-type', 'text/html').end(PAGE);
    const script = pathname === '/page.js' ? SCRIPT : await readFile(new URL(basename(pathname), LIBRARY)).catch(() => undefined);
    return script === undefined ? response.writeHead(404).end() : response.setHeader('content-type', 'text/javascript').end(script);
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  test.after(() => new Promise((resolve) => {
    site.closeAllConnections();
    site.close(resolve);
  }));
  const browser = await launch(test, { tone });
  return { browser, url: `http://127.0.0.1:${site.address().port}/` };
}

/** A tab in which `user` is signed in; a `silent` one is gone without a word when it is closed. */
export async function sharedTab({ browser, url }, server, user, { silent = false } = {}) {
  const page = await openPage(browser, `${url}${silent ? '?silent' : ''}`);
  await page.waitForFunction(() => window.phone);
  await page.evaluate((...words) => window.phone.start(...words), server.webSocket, user, PASSWORD);
  page.logged = (word) => until(`the tab to log "${word}"`, async () => {
    const log = await page.evaluate(() => window.phone.log);
    if (log.some((line) => line.includes(word))) return true;
    throw new Error(`${log.join(', ')} ${page.faults.join()} ${page.said.join()}`);
  });
  page.forgets = () => page.evaluate(() => void (window.phone.log.length = 0));
  await page.logged('registered');
  return page;
}
