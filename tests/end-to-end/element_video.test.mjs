// A shop's "call us" button with pictures: who shows himself decides that, and the other one sees it.
import { test } from 'node:test';
import { chromium, openPage } from '../harness/browser.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { press, sees, shop } from '../harness/shop.mjs';

/** Waits until a picture is shown and moves on. */
const moves = (page, find) => page.waitForFunction(`(() => {
  const video = (${find})();
  return Boolean(video?.checkVisibility()) && video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 10;
})()`, { timeout: 20_000 });
const hidden = (page, find) => page.waitForFunction(`!(${find})()?.checkVisibility()`, { timeout: 20_000 });

const AT_THE_SHOP = `() => document.querySelector('[data-testid=remote-video]')`;
const IN_THE_PANEL = `() => document.querySelector('sipweb-phone').shadowRoot.querySelector('[part=picture]')`;

async function opened(t, attribute) {
  const server = await Server.start(t, { users: ['bob', 'guest'], more: '[guests]\naccounts = ["guest"]\nmay_call = ["bob"]\n' });
  const bob = await PhonePage.open(t, server, 'bob', { tone: 880 });
  const visitor = await openPage(await chromium(t), await shop(t, server, ['bob'], attribute));
  await press(visitor, 'bob', 'launch');
  await bob.phase('incoming');
  return { bob, visitor };
}

test('a visitor who keeps his camera for later sees the shop, shows himself, and stops showing himself', async (t) => {
  const { bob, visitor } = await opened(t, 'video="later"');
  await bob.press('call-answer-video');
  await sees(visitor, 'bob', 'In call');
  await moves(visitor, IN_THE_PANEL);
  await hidden(bob.page, AT_THE_SHOP);
  await press(visitor, 'bob', 'camera');
  await moves(bob.page, AT_THE_SHOP);
  await press(visitor, 'bob', 'camera');
  await hidden(bob.page, AT_THE_SHOP);
  await moves(visitor, IN_THE_PANEL);
  await bob.hears(440);
  await press(visitor, 'bob', 'hang-up');
  await bob.phase('ended');
  bob.unharmed();
});

test('a visitor whose button offers the camera is seen by a shop that answers with its own, and by one that does not', async (t) => {
  const { bob, visitor } = await opened(t, 'video');
  await bob.answer();
  await sees(visitor, 'bob', 'In call');
  await moves(bob.page, AT_THE_SHOP);
  await hidden(visitor, IN_THE_PANEL);
  await bob.press('call-video');
  await moves(visitor, IN_THE_PANEL);
  await bob.hangUp();
  await sees(visitor, 'bob', 'The call has ended');
  bob.unharmed();
});
