// Who is called on several devices at a time, browsers and phones; and calls between devices of one kind, with which
// the media gateway has nothing to do.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { ALICE, BOB, CAROL, pageAndPhone } from '../harness/page_and_phone.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';

describe('bob has a page and a plain phone', () => {
  const three = async (t, options) => {
    const { server, alice, bob } = await pageAndPhone(t, options);
    return { server, alice, phone: bob, page: await PhonePage.open(t, server, 'bob', { tone: CAROL }) };
  };

  test('alice calls from her page, the phone answers: they hear each other, and the page is told that it was answered elsewhere', async (t) => {
    const { alice, phone, page } = await three(t);
    await alice.call('bob');
    await phone.event('CALL_INCOMING');
    await page.phase('incoming');
    phone.accept();
    await alice.phase('talking');
    await alice.hears(BOB);
    await phone.hears(ALICE);
    await page.phase('ended');
    await page.says(/another device/);
    await alice.hangUp();
    await phone.event('CALL_CLOSED');
  });

  test('alice calls from her page, the page answers: they hear each other without us, and the phone stops', async (t) => {
    const { alice, phone, page } = await three(t);
    await alice.call('bob');
    await phone.event('CALL_INCOMING');
    await page.phase('incoming');
    await page.answer();
    await alice.phase('talking');
    await alice.hears(CAROL);
    await page.hears(ALICE);
    await phone.event('CALL_CLOSED');
    await alice.hangUp();
    await page.phase('ended');
  });

  for (const winner of ['phone', 'page']) {
    test(`alice hears the phone before an answer, and then the ${winner} answers`, async (t) => {
      const server = await Server.start(t);
      const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
      const phone = await SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
      const page = await PhonePage.open(t, server, 'bob', { tone: CAROL });
      await alice.call('bob');
      const call = await phone.incoming();
      call.progress();
      await alice.hears(BOB);
      await alice.phase('early');
      await page.phase('incoming');
      if (winner === 'phone') await call.answer();
      else await page.answer();
      await alice.phase('talking');
      await alice.hears(winner === 'phone' ? BOB : CAROL);
      await (winner === 'phone' ? call : page).hears(ALICE);
      await (winner === 'phone' ? page.phase('ended') : call.receives('CANCEL'));
      await alice.hangUp();
      await (winner === 'phone' ? call.receives('BYE') : page.phase('ended'));
      alice.unharmed();
    });
  }

  for (const winner of ['phone', 'page']) {
    test(`carol calls from a phone, and the ${winner} answers: they hear each other`, async (t) => {
      const server = await Server.start(t, { users: ['bob', 'carol'] });
      const carol = await Baresip.start(t, { user: 'carol', port: server.ports.sip, tone: ALICE });
      const phone = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
      const page = await PhonePage.open(t, server, 'bob', { tone: CAROL });
      carol.dial('sip:bob@127.0.0.1');
      await phone.event('CALL_INCOMING');
      await page.phase('incoming');
      if (winner === 'phone') phone.accept();
      else await page.answer();
      await carol.event('CALL_ESTABLISHED');
      await carol.hears(winner === 'phone' ? BOB : CAROL);
      await (winner === 'phone' ? phone : page).hears(ALICE);
      carol.hangUp();
      await (winner === 'phone' ? phone.event('CALL_CLOSED') : page.phase('ended'));
    });
  }
});

test('bob is sought on one phone after the other; the first one announces that he is not there, and both hear each other on the second', async (t) => {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const away = await SipPhone.start(t, { user: 'bob', port: server.ports.sip, q: 0.9, tone: CAROL });
  const phone = await SipPhone.start(t, { user: 'bob', port: server.ports.sip, q: 0.5, tone: BOB });
  await alice.call('bob');
  const announcement = await away.incoming();
  announcement.progress();
  await alice.hears(CAROL);
  announcement.refuse(480);
  const call = await phone.incoming();
  await call.answer();
  await alice.phase('talking');
  await alice.hears(BOB);
  await call.hears(ALICE);
  await alice.hangUp();
  await call.receives('BYE');
  alice.unharmed();
});

test('two phones talk without the gateway', async (t) => {
  const server = await Server.start(t);
  const alice = await Baresip.start(t, { user: 'alice', port: server.ports.sip, tone: ALICE });
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  alice.dial('sip:bob@127.0.0.1');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await alice.hears(BOB);
  await bob.hears(ALICE);
  const [one, other] = [await alice.path(), await bob.path()];
  assert.deepEqual([one.remote, other.remote], [other.local, one.local], 'straight from phone to phone');
  alice.hangUp();
  await bob.event('CALL_CLOSED');
});
