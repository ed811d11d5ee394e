// Two ordinary phones whose media goes through the server, as phones behind NAT need it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { temporaryFolder } from '../harness/folder.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { ALICE, BOB, CAROL } from '../harness/page_and_phone.mjs';
import { Rtpengine } from '../harness/rtpengine.mjs';
import { Server } from '../harness/server.mjs';
import { openPorts } from '../harness/strangers.mjs';
import { until } from '../harness/wait.mjs';

const mediaPorts = (server) => openPorts(server.program.child.pid).map(({ port }) => port);

async function twoPhones(t, { media = 'anchor = "phones"', more = '', alice = {}, bob = {}, transport = 'udp' } = {}) {
  const server = await Server.start(t, { more: `[media]\n${media}\n${more}` });
  const port = transport === 'tls' ? server.ports.tls : server.ports.sip;
  const phones = {
    alice: await Baresip.start(t, { user: 'alice', port, transport, tone: ALICE, ...alice }),
    bob: await Baresip.start(t, { user: 'bob', port, transport, tone: BOB, ...bob }),
  };
  return { server, ...phones };
}

async function call({ alice, bob }) {
  alice.dial('sip:bob@127.0.0.1');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await alice.event('CALL_ESTABLISHED');
  await bob.event('CALL_ESTABLISHED');
  await bob.hears(ALICE);
  await alice.hears(BOB);
}

/** One holds the other, and resumes: both hear each other again. */
async function holdAndResume(one, other) {
  for (const step of ['hold', 'resume']) {
    const from = [one.events.length, other.events.length];
    one[step]();
    await other.event('CALL_REMOTE_SDP', { from: from[1] });
    await one.event('CALL_REMOTE_SDP', { from: from[0] });
  }
  await one.receives();
  await other.receives();
}

async function hangUp({ alice, bob }) {
  const from = alice.events.length;
  bob.hangUp();
  await alice.event('CALL_CLOSED', { from });
}

test('two phones hear each other through ports of the server, hold, and hang up; the ports are returned', async (t) => {
  const calls = join(temporaryFolder('calls'), 'calls.jsonl');
  const phones = await twoPhones(t, { more: `[log]\ncalls = "${calls}"\n` });
  const { server, alice, bob } = phones;
  const before = mediaPorts(server);
  await call(phones);
  const during = mediaPorts(server).filter((port) => !before.includes(port));
  assert.equal(during.length, 4, 'RTP and RTCP toward either phone');
  const remotes = [(await alice.path()).remote, (await bob.path()).remote];
  assert.ok(remotes.every((port) => during.includes(port)), `${remotes} are of ${during}`);
  assert.notEqual(remotes[0], remotes[1]);
  await holdAndResume(alice, bob);
  await holdAndResume(bob, alice);
  await hangUp(phones);
  await until('the ports to be returned', () => mediaPorts(server).length === before.length);
  await server.says(/media of call .*: PCMU for \d+ s; caller [1-9]\d* packets in .*; callee [1-9]\d* packets in/);
  const record = JSON.parse(readFileSync(calls, 'utf8').trim());
  assert.ok(record.caller.packets_in > 0 && record.callee.packets_in > 0);
  assert.deepEqual([record.browser, record.phone, record.cause], [null, null, null]);
});

test('phones that protect their sound keep their own keys', async (t) => {
  const phones = await twoPhones(t, { transport: 'tls', alice: { encryption: 'srtp-mand' }, bob: { encryption: 'srtp-mand' } });
  await call(phones);
  for (const phone of [phones.alice, phones.bob]) await phone.program.says(/SRTP is Enabled/);
  await hangUp(phones);
});

test('a page and a phone ring for a phone: whichever answers, they hear each other', async (t) => {
  const phones = await twoPhones(t);
  const { server, alice, bob } = phones;
  const before = mediaPorts(server);
  const page = await PhonePage.open(t, server, 'bob', { tone: CAROL });
  for (const answering of ['page', 'phone']) {
    const from = [alice.events.length, bob.events.length];
    alice.dial('sip:bob@127.0.0.1');
    await bob.event('CALL_INCOMING', { from: from[1] });
    await page.phase('incoming');
    if (answering === 'page') {
      await page.answer();
      await page.phase('talking');
      await alice.hears(CAROL);
      await page.hears(ALICE);
    } else {
      bob.accept();
      await bob.event('CALL_ESTABLISHED', { from: from[1] });
      await alice.hears(BOB);
      await bob.hears(ALICE);
    }
    alice.hangUp();
    await bob.event('CALL_CLOSED', { from: from[1] });
    await page.phase('ended');
    await until('the ports to be returned', () => mediaPorts(server).length === before.length);
  }
});

test('without the line two phones talk directly', async (t) => {
  const phones = await twoPhones(t, { media: '' });
  await call(phones);
  assert.equal((await phones.alice.path()).remote, (await phones.bob.path()).local);
});

test('rtpengine carries what two phones say as well, and what two pages say if it always should', async (t) => {
  const engine = await Rtpengine.start(t);
  const phones = await twoPhones(t, { media: `anchor = "always"\nrtpengine = ["${engine.address}"]` });
  const { server, alice, bob } = phones;
  await server.says(/rtpengine at .* answers/);
  await call(phones);
  assert.equal((await engine.calls()).length, 1);
  assert.notEqual((await alice.path()).remote, (await bob.path()).local);
  await holdAndResume(alice, bob);
  await hangUp(phones);
  await engine.isEmpty();
  await server.says(/media of call .*: PCMU for \d+ s; caller [1-9]\d* packets in .*; callee [1-9]\d* packets in/);
  await alice.stop();
  await bob.stop();

  const [one, other] = [await PhonePage.open(t, server, 'alice', { tone: ALICE }), await PhonePage.open(t, server, 'bob', { tone: BOB })];
  await one.call('bob');
  await other.phase('incoming');
  await other.answer();
  await one.phase('talking');
  await other.hears(ALICE);
  await one.hears(BOB);
  assert.equal((await engine.calls()).length, 1);
  await one.hangUp();
  await other.phase('ended');
  await engine.isEmpty();
});
