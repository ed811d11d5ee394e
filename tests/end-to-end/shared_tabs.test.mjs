// Many tabs, one phone: two tabs of one browser share a connection in a worker, through our server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium, hears } from '../harness/browser.mjs';
import { firefox } from '../harness/firefox.mjs';
import { insideANetwork } from '../harness/network.mjs';
import { Server } from '../harness/server.mjs';
import { sharedSite, sharedTab } from '../harness/shared_tabs.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';
import { until } from '../harness/wait.mjs';

insideANetwork(import.meta.filename);

const ALICE = 440;
const BOB = 660;
const connection = () => window.phone.session.connection;

async function scene(t, launch, options) {
  const server = await Server.start(t);
  const site = await sharedSite(t, { tone: ALICE, launch });
  const [first, second] = [await sharedTab(site, server, 'alice'), await sharedTab(site, server, 'alice', options)];
  const bob = await SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  await Promise.all([first.forgets(), second.forgets()]);
  return { server, site, first, second, bob };
}

/** Bob calls; the second tab answers. */
async function talking({ first, second, bob }) {
  const call = await bob.dial('sip:alice@127.0.0.1');
  await Promise.all([first.logged('remote call'), second.logged('remote call')]);
  await second.bringToFront();
  await second.evaluate(() => void window.phone.answer());
  assert.equal((await call.invited).status, 200);
  await second.logged('confirmed');
  return call;
}

for (const [name, launch] of [['Chromium', chromium], ['Firefox', firefox]]) {
  test(`${name}: a call rings in both tabs, one answers and is heard; the other hears that it was answered elsewhere, and the caller one answer`, async (t) => {
    const tabs = await scene(t, launch);
    const call = await talking(tabs);
    await tabs.first.logged('failed Canceled SIP;cause=200;text="Call completed elsewhere"');
    await hears(tabs.second, connection, BOB);
    await call.hears(ALICE);
    const bye = call.receives('BYE');
    await tabs.second.evaluate(() => void window.phone.session.terminate());
    await bye;
    assert.deepEqual([...tabs.first.faults, ...tabs.second.faults], []);
  });

  for (const [how, options] of [['is closed', {}], ['goes without a word', { silent: true }]]) {
    test(`${name}: the tab that talks ${how}: the call ends for the other side, and the next one rings in the tab that is left`, async (t) => {
      const tabs = await scene(t, launch, options);
      const call = await talking(tabs);
      const bye = call.receives('BYE');
      await tabs.second.close();
      await bye;
      await tabs.first.forgets();
      const next = await tabs.bob.dial('sip:alice@127.0.0.1');
      await tabs.first.logged('remote call');
      await tabs.first.evaluate(() => void window.phone.answer());
      await next.invited;
      await next.hears(ALICE);
    });
  }

  test(`${name}: when the last tab is closed, nobody is registered any more`, async (t) => {
    const { site, first, second, bob } = await scene(t, launch);
    // A browser without a page would end.
    await site.browser.newPage();
    await second.close();
    await first.close();
    await until('the server to have nobody to ring', async () => {
      const call = await bob.dial('sip:alice@127.0.0.1');
      const { status } = await call.invited;
      return status === 480 || assert.fail(`a call was answered ${status}`);
    });
  });
}

test('Chromium: the worker is killed: both tabs are registered over another one, the call goes on, and hanging up reaches the tab', async (t) => {
  const tabs = await scene(t, chromium);
  const call = await talking(tabs);
  await Promise.all([tabs.first.forgets(), tabs.second.forgets()]);
  const worker = await tabs.site.browser.waitForTarget((target) => target.type() === 'shared_worker');
  await (await worker.worker()).close();
  for (const tab of [tabs.first, tabs.second]) {
    await until('a tab to be registered again', async () => {
      const log = await tab.evaluate(() => window.phone.log);
      return log.includes('registered') || assert.fail(log.join());
    });
  }
  await hears(tabs.second, connection, BOB);
  await call.hears(ALICE);
  assert.equal((await call.bye()).status, 200);
  await tabs.second.logged('ended');
});
