// A shop's page with `<sipweb-phone>` buttons, and what its visitor does and sees.
import { createServer } from 'node:http';
import { PASSWORD } from './server.mjs';

/** The shop's own web server, with a button for each of these targets; `more` is further attributes. Returns its address. */
export async function shop(test, server, targets, more = '') {
  const buttons = targets.map((target) =>
    `<sipweb-phone server="${server.webSocket}" user="guest" password="${PASSWORD}" target="${target}" label="Call ${target}" id="${target}" ${more}></sipweb-phone>`);
  const script = new URL('/library/sipweb-phone.js', server.page);
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title><script type="module" src="${script}"></script><h1>Shop</h1>${buttons.join('')}`;
  const http = createServer((request, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  test.after(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${http.address().port}/`;
}

export const press = async (page, target, part) => (await page.waitForSelector(`#${target} >>> [part=${part}]`, { visible: true })).click();

/** Waits for these words as the state of the call. */
export const sees = (page, target, words) => page.waitForFunction((id, wanted) => {
  const state = document.getElementById(id).shadowRoot.querySelector('[part=state]');
  return state?.checkVisibility() && state.textContent.includes(wanted);
}, { timeout: 15_000 }, target, words);
