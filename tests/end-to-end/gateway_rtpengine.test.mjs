// A page and an ordinary SIP phone, joined by a fleet of rtpengine instead of the server's own gateway.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { ALICE, BOB, hearEachOther, pageCalls, pageHangsUp, phoneCalls, phoneHangsUp, phoneHolds } from '../harness/page_and_phone.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Rtpengine } from '../harness/rtpengine.mjs';
import { Server } from '../harness/server.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';

const PAGE = 880;

async function serverWith(t, ...engines) {
  const nodes = engines.map((engine) => `"${engine.address}"`).join(', ');
  const server = await Server.start(t, { more: `[media]\nrtpengine = [${nodes}]\n` });
  for (const engine of engines) await server.says(new RegExp(`rtpengine at 127.0.0.1:${engine.port} answers`));
  return server;
}

async function joinedBy(t, ...engines) {
  const server = await serverWith(t, ...engines);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  return { server, alice, bob };
}

test('a page and a phone hear each other, whoever calls, and either can hold', async (t) => {
  const engine = await Rtpengine.start(t);
  const { server, alice, bob } = await joinedBy(t, engine);
  await phoneCalls({ alice, bob });
  await hearEachOther({ alice, bob });
  assert.equal((await engine.calls()).length, 1);
  await pageHangsUp({ alice, bob });
  await engine.isEmpty();
  const [, report] = await server.says(/media of call .*: (.*)$/m);
  assert.match(report, /^PCM[UA] for \d+ s; browser [1-9]\d* packets in .*; phone [1-9]\d* packets in/);

  await pageCalls({ alice, bob });
  await hearEachOther({ alice, bob });
  await alice.press('call-hold');
  await alice.says(/You put the call on hold/);
  await alice.hearsNothing();
  await alice.press('call-hold');
  await alice.hears(BOB);
  await bob.receives();
  await phoneHolds({ alice, bob });
  await phoneHangsUp({ alice, bob });
  await engine.isEmpty();
});

test('bob has a page and a phone: whichever answers, alice and bob hear each other', async (t) => {
  const engine = await Rtpengine.start(t);
  const { server, alice, bob } = await joinedBy(t, engine);
  const page = await PhonePage.open(t, server, 'bob', { tone: PAGE });

  let from = bob.events.length;
  await alice.call('bob');
  await bob.event('CALL_INCOMING', { from });
  await page.phase('incoming');
  await page.answer();
  await alice.phase('talking');
  await alice.hears(PAGE);
  await page.hears(ALICE);
  await bob.event('CALL_CLOSED', { from });
  await engine.isEmpty();
  await alice.hangUp();
  await page.phase('ended');

  from = bob.events.length;
  await alice.call('bob');
  await bob.event('CALL_INCOMING', { from });
  await page.phase('incoming');
  bob.accept();
  await alice.phase('talking');
  await hearEachOther({ alice, bob });
  await page.phase('ended');
  await alice.hangUp();
  await bob.event('CALL_CLOSED', { from });
  await engine.isEmpty();
});

test('early media, a late offer, and a hold are what they are with our own gateway', async (t) => {
  const engine = await Rtpengine.start(t);
  const server = await serverWith(t, engine);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const bob = await SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });

  await alice.call('bob');
  let call = await bob.incoming();
  call.progress();
  await alice.hears(BOB);
  await alice.phase('early');
  await call.answer();
  await alice.phase('talking');
  await call.hears(ALICE);
  assert.equal((await call.reinvite({ hold: 'inactive' })).status, 200);
  await call.audio.hearsNothing();
  assert.equal((await call.reinvite()).status, 200);
  await alice.hears(BOB);
  await call.hears(ALICE);
  assert.equal((await call.bye()).status, 200);
  await alice.phase('ended');
  await engine.isEmpty();

  call = await bob.dial('sip:alice@127.0.0.1', { sdp: null });
  await alice.phase('incoming');
  await alice.answer();
  assert.equal((await call.invited).status, 200);
  await alice.phase('talking');
  await alice.hears(BOB);
  await call.hears(ALICE);
  assert.equal((await call.bye()).status, 200);
  await alice.phase('ended');
  await engine.isEmpty();
});

test('of two nodes one dies: calls go on over the other; without any the caller is told why', async (t) => {
  const engines = [await Rtpengine.start(t), await Rtpengine.start(t)];
  const server = await serverWith(t, ...engines);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const bob = await SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });
  const talk = async () => {
    await alice.call('bob');
    const call = await bob.incoming();
    call.ring();
    await call.answer();
    await alice.phase('talking');
    await alice.hears(BOB);
    await call.hears(ALICE);
    return call;
  };
  const first = await talk();
  const used = (await engines[0].calls()).length === 1;
  assert.equal((await first.bye()).status, 200);
  await alice.phase('ended');
  const [dead, living] = used ? engines : [...engines].reverse();
  await dead.kill();

  // Two calls: at least one of them would have gone to the dead node, or the server knows of it by then.
  for (let calls = 0; calls < 2; calls++) {
    const call = await talk();
    assert.equal((await living.calls()).length, 1);
    assert.equal((await call.bye()).status, 200);
    await alice.phase('ended');
  }
  await living.isEmpty();

  await living.kill();
  const call = await bob.dial('sip:alice@127.0.0.1');
  const refused = await call.invited;
  assert.equal(refused.status, 500);
  assert.match(refused.get('warning'), /RTPENGINE-NONE: no rtpengine answers/);
});
