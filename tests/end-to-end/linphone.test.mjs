// A page and linphone's telephone, with its own codecs in its own order: they hear each other through the gateway.
import { test } from 'node:test';
import { Linphone } from '../harness/linphone.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

const ALICE = 440;
const BOB = 660;

async function pair(t) {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const bob = await Linphone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  return { alice, bob };
}

test('linphone calls the page: heard both ways, held and resumed by linphone, one digit a key, hung up by the page', async (t) => {
  const { alice, bob } = await pair(t);
  bob.dial('sip:alice@127.0.0.1');
  await alice.phase('incoming');
  await alice.answer();
  await alice.phase('talking');
  await alice.hears(BOB);
  await bob.hears(ALICE);

  bob.hold();
  await alice.says(/bob put you on hold/);
  await alice.hearsNothing();
  bob.resume();
  await alice.hears(BOB);
  await bob.hears(ALICE);

  await alice.press('call-keypad');
  for (const key of ['7', '7', '3']) await alice.press(`call-key-${key}`);
  await bob.receivesDigits('773');
  await alice.hangUp();
  await bob.says(/Call 1 with .* ended/);
  alice.unharmed();
});

test('the page calls linphone: heard both ways, held and resumed by the page, hung up by linphone', async (t) => {
  const { alice, bob } = await pair(t);
  await alice.call('bob');
  await bob.says(/new incoming call/);
  bob.accept();
  await alice.phase('talking');
  await alice.hears(BOB);
  await bob.hears(ALICE);

  await alice.press('call-hold');
  await alice.says(/You put/);
  await alice.hearsNothing();
  await alice.press('call-hold');
  await alice.hears(BOB);
  await bob.hears(ALICE);

  bob.hangUp();
  await alice.phase('ended');
  alice.unharmed();
});
