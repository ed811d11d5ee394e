// Three pages: asking before a transfer, and a conference mixed in one of them.
import { describe, test } from 'node:test';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

const ALICE = 440;
const BOB = 660;
const CAROL = 880;

/** Alice talks with bob, who is on hold while she talks with carol. */
async function twoCalls(t) {
  const server = await Server.start(t, { users: ['alice', 'bob', 'carol'] });
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const bob = await PhonePage.open(t, server, 'bob', { tone: BOB });
  const carol = await PhonePage.open(t, server, 'carol', { tone: CAROL });
  await alice.call('bob');
  await bob.phase('incoming');
  await bob.answer();
  await alice.phase('talking');
  await alice.hears(BOB);
  await alice.press('call-transfer');
  await alice.type('transfer-field', 'carol');
  await alice.press('transfer-ask');
  await carol.phase('incoming');
  await carol.answer();
  await alice.phase('talking');
  await bob.says(/hold/i);
  await alice.hears(CAROL);
  return { alice, bob, carol };
}

describe('alice has bob on hold and asks carol', () => {
  test('she connects the two: they talk without her, and her page says that she passed bob on', async (t) => {
    const { alice, bob, carol } = await twoCalls(t);
    await alice.press('others-connect');
    await alice.phase('ended');
    await alice.says(/You transferred bob/);
    await bob.phase('talking');
    await carol.phase('talking');
    await bob.hears(CAROL);
    await carol.hears(BOB);
    for (const page of [alice, bob, carol]) page.unharmed();
  });

  test('carol hangs up: bob is back at once', async (t) => {
    const { alice, bob, carol } = await twoCalls(t);
    await carol.hangUp();
    await alice.hears(BOB);
    await bob.hears(ALICE);
    for (const page of [alice, bob, carol]) page.unharmed();
  });

  test('she joins them: all three hear each other, and two still do when carol leaves', async (t) => {
    const { alice, bob, carol } = await twoCalls(t);
    await alice.press('others-merge');
    // With two tones in the mix either may be the louder one; alice mutes herself, so that one is left.
    await alice.press('call-mute');
    await bob.hears(CAROL);
    await carol.hears(BOB);
    await alice.press('call-mute');
    await carol.hangUp();
    await bob.hears(ALICE);
    await alice.hears(BOB);
    for (const page of [alice, bob, carol]) page.unharmed();
  });

  test('muted, she joins them and carol leaves: bob hears nothing of her until she speaks again', async (t) => {
    const { alice, bob, carol } = await twoCalls(t);
    await alice.press('call-mute');
    await alice.press('others-merge');
    await bob.hears(CAROL);
    await carol.hears(BOB);
    await carol.hangUp();
    await bob.hearsNothing();
    await alice.press('call-mute');
    await bob.hears(ALICE);
    for (const page of [alice, bob, carol]) page.unharmed();
  });
});
