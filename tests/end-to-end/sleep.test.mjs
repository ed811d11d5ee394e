// A laptop that sleeps while its page is in a call: its programs stand still, and its clock goes on.
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ALICE, BOB, hearEachOther, pageAndPhone, pageCalls } from '../harness/page_and_phone.mjs';
import { timed } from '../harness/wait.mjs';

const talking = async (t) => {
  const pair = await pageAndPhone(t);
  await pageCalls(pair);
  await hearEachOther(pair);
  return pair;
};

/** All of the browser's processes stand still for so many seconds. */
const sleep = async (phone, seconds) => {
  const group = -phone.browser.process().pid;
  process.kill(group, 'SIGSTOP');
  try {
    await pause(seconds * 1000);
  } finally {
    process.kill(group, 'SIGCONT');
  }
};

describe('a laptop sleeps in a call', () => {
  test('for ten seconds: both hear each other again', async (t) => {
    const { alice, bob } = await talking(t);
    await sleep(alice, 10);
    await timed(t, 'alice hears bob again', () => alice.hears(BOB));
    await bob.hears(ALICE);
    await alice.phase('talking');
    await alice.hangUp();
    await bob.event('CALL_CLOSED');
  });

  test('until nobody waits any more: the phone is hung up meanwhile, and the page says why and can be called again', async (t) => {
    const { alice, bob } = await talking(t);
    const asleep = sleep(alice, 50);
    await bob.event('CALL_CLOSED', { within: 60_000 });
    await asleep;
    await timed(t, 'the page says that the call is over', () => alice.phase('ended', { within: 30_000 }));
    await timed(t, 'and is registered', () => alice.registered({ within: 30_000 }));
    bob.dial('alice');
    await alice.phase('incoming');
  });

  test('and its clock is an hour ahead: the page registers anew, and the call that is still there goes on', async (t) => {
    const { alice, bob } = await talking(t);
    await alice.page.evaluate(() => {
      const before = Date.now.bind(Date);
      Date.now = () => before() + 3_600_000;
      const socket = WebSocket.prototype;
      const send = socket.send;
      window.registers = 0;
      socket.send = function (data) {
        if (/^REGISTER/.test(data)) window.registers += 1;
        return send.call(this, data);
      };
    });
    await timed(t, 'a REGISTER goes out', () => alice.page.waitForFunction(() => window.registers > 0, { timeout: 40_000 }));
    await alice.registered();
    await alice.phase('talking');
    await alice.hears(BOB);
    await bob.hears(ALICE);
  });
});
