// Blind transfer: one side of a call sends the other to somebody else.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { ALICE, BOB, CAROL, hearEachOther, pageAndPhone, pageCalls, phoneCalls } from '../harness/page_and_phone.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';

const phoneOf = (t, server) => Baresip.start(t, { user: 'carol', port: server.ports.sip, tone: CAROL });

describe('alice talks from her page with bob on a phone', () => {
  test('bob transfers her to a phone: she talks with that, and bob is out of the call', async (t) => {
    const { server, alice, bob } = await pageAndPhone(t);
    const carol = await phoneOf(t, server);
    await pageCalls({ alice, bob });
    await hearEachOther({ alice, bob });
    bob.transfer('sip:carol@127.0.0.1');
    await carol.event('CALL_INCOMING');
    carol.accept();
    await bob.event('CALL_CLOSED');
    await alice.phase('talking');
    await alice.hears(CAROL);
    await carol.hears(ALICE);
    await alice.hangUp();
    await carol.event('CALL_CLOSED');
    alice.unharmed();
  });

  test('bob transfers her to somebody who declines: he is told, and they talk as before', async (t) => {
    const server = await Server.start(t, { users: ['alice', 'bob', 'carol'] });
    const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
    // A scripted phone: baresip hangs up when its transfer fails.
    const bob = await SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
    const carol = await phoneOf(t, server);
    await alice.call('bob');
    const call = await bob.incoming();
    await call.answer();
    await alice.phase('talking');
    const response = await call.request('REFER', { headers: [['refer-to', '<sip:carol@127.0.0.1>']] });
    assert.equal(response.status, 202);
    await carol.event('CALL_INCOMING');
    carol.hangUp();
    await carol.event('CALL_CLOSED');
    const told = await call.receives('NOTIFY', { where: (notify) => /terminated/.test(notify.get('subscription-state')) });
    assert.match(told.body, /^SIP\/2\.0 (486|603)/);
    await alice.phase('talking');
    await alice.hears(BOB);
    await call.hears(ALICE);
    await alice.hangUp();
    await call.receives('BYE');
    alice.unharmed();
  });

  test('she transfers him to a phone: the two talk, and her page says that she passed him on', async (t) => {
    const { server, alice, bob } = await pageAndPhone(t);
    const carol = await phoneOf(t, server);
    await pageCalls({ alice, bob });
    await hearEachOther({ alice, bob });
    await alice.press('call-transfer');
    await alice.type('transfer-field', 'carol');
    await alice.press('transfer-go');
    await carol.event('CALL_INCOMING');
    carol.accept();
    await alice.phase('ended');
    await alice.says(/You transferred bob/);
    await carol.hears(BOB);
    alice.unharmed();
  });

  test('she transfers him to a page: the two talk', async (t) => {
    const { server, alice, bob } = await pageAndPhone(t);
    const carol = await PhonePage.open(t, server, 'carol', { tone: CAROL });
    await phoneCalls({ alice, bob });
    await alice.press('call-transfer');
    await alice.type('transfer-field', 'carol');
    await alice.press('transfer-go');
    await carol.phase('incoming');
    await carol.answer();
    await carol.phase('talking');
    await carol.hears(BOB);
    await alice.phase('ended');
    await carol.hangUp();
  });
});
