// What takes a minute because people do: these scenarios mostly wait, so they run beside each other and beside the others.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hearEachOther, pageAndPhone, pageCalls, pageHangsUp } from '../harness/page_and_phone.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

describe('for a minute', { concurrency: true }, () => {
  test('the page is muted for a minute: the phone is sent silence all the time, and then hears alice again', async (t) => {
    const { alice, bob } = await pageAndPhone(t);
    await pageCalls({ alice, bob });
    await hearEachOther({ alice, bob });
    await alice.press('call-mute');
    await bob.hearsNothing();
    const muted = Date.now();
    let before = await bob.received();
    await until('a minute to pass', async () => {
      const now = await bob.received();
      // As many as no exchange takes for a dead line: half of what flows at 20 ms a packet.
      assert.ok(now - before >= 50, `${now - before} packets in two seconds`);
      before = now;
      return Date.now() - muted > 60_000;
    }, { within: 70_000, every: 2000 });
    await bob.hearsNothing();
    await alice.press('call-mute');
    await hearEachOther({ alice, bob });
    await pageHangsUp({ alice, bob });
  });

  test('a call that nobody answers rings, ends by itself and says so', async (t) => {
    const server = await Server.start(t);
    const alice = await PhonePage.open(t, server, 'alice');
    const bob = await PhonePage.open(t, server, 'bob');
    await alice.call('bob');
    await bob.phase('incoming');
    await alice.phase('ended', { within: 75_000 });
    await bob.phase('ended');
    await alice.says(/408|480|no answer|did not answer/i);
    alice.unharmed();
    bob.unharmed();
  });
});
