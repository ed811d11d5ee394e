// A server behind a NAT, as in a cloud: the address of its machine is not the one at which others find it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { BEHIND, behindNat, IN_FRONT, MovingNetwork } from '../harness/network.mjs';
import { ALICE, BOB, hearEachOther, pageCalls, pageHangsUp, phoneCalls, phoneHangsUp } from '../harness/page_and_phone.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

behindNat(import.meta.filename);

test('a page outside and a phone inside hear each other, whoever calls', async (t) => {
  const network = await MovingNetwork.make(t);
  const server = await Server.start(t, { addresses: [BEHIND], more: `[media]\npublic_address = ["${IN_FRONT}"]\n` });
  const address = `https://${IN_FRONT}:${server.ports.https}/`;
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE, network, address });
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB, address: BEHIND });
  const both = { server, alice, bob };
  await pageCalls(both);
  await hearEachOther(both);
  const told = await alice.page.evaluate(() => window.sipwebPhone.session.connection.remoteDescription.sdp);
  assert.ok(told.includes(` ${IN_FRONT} `) && !told.includes(BEHIND), told);
  await phoneHangsUp(both);
  await phoneCalls(both);
  await hearEachOther(both);
  await pageHangsUp(both);
});
