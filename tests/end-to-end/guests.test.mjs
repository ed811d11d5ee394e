// A shop's page with a "call us" button, and the account of its visitors, whose password everybody can read.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { chromium, openPage } from '../harness/browser.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { PASSWORD, Server } from '../harness/server.mjs';

/** The shop's own web server, with a button for each of these targets. */
async function shop(t, server, targets) {
  const buttons = targets.map((target) =>
    `<sipweb-phone server="${server.webSocket}" user="guest" password="${PASSWORD}" target="${target}" label="Call ${target}" id="${target}"></sipweb-phone>`);
  const script = new URL('/library/sipweb-phone.js', server.page);
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title><script type="module" src="${script}"></script><h1>Shop</h1>${buttons.join('')}`;
  const http = createServer((request, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${http.address().port}/`;
}

const press = async (page, target, part) => (await page.waitForSelector(`#${target} >>> [part=${part}]`, { visible: true })).click();
const sees = (page, target, words) => page.waitForFunction((id, wanted) => {
  const state = document.getElementById(id).shadowRoot.querySelector('[part=state]');
  return state?.checkVisibility() && state.textContent.includes(wanted);
}, { timeout: 15_000 }, target, words);

test('a visitor calls the shop, which answers; and nobody else', async (t) => {
  const server = await Server.start(t, { users: ['bob', 'carol', 'guest'], more: '[guests]\naccounts = ["guest"]\nmay_call = ["bob"]\n' });
  const bob = await PhonePage.open(t, server, 'bob', { tone: 880 });
  const carol = await PhonePage.open(t, server, 'carol');
  const visitor = await openPage(await chromium(t), await shop(t, server, ['bob', 'carol']));

  await press(visitor, 'bob', 'launch');
  await bob.phase('incoming');
  await bob.answer();
  await sees(visitor, 'bob', 'In call');
  await bob.hears(440);
  await press(visitor, 'bob', 'hang-up');
  await bob.phase('ended');

  await press(visitor, 'carol', 'launch');
  await sees(visitor, 'carol', 'This call is not allowed');
  await server.says(/guests may not call there/);
  assert.equal(await carol.text('call-state'), '');
});
