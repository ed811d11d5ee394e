// A shop's page with a "call us" button, and the account of its visitors, whose password everybody can read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium, openPage } from '../harness/browser.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { press, sees, shop } from '../harness/shop.mjs';

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
