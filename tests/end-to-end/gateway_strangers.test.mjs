// Somebody who is no party of a call sends to every port that the server has open while a page and a phone talk.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { Stranger, check, clientHello, goodbye, isAnswer, openPorts, rtp, senderReport } from '../harness/strangers.mjs';
import { until } from '../harness/wait.mjs';

const ALICE = 440;
const BOB = 660;

const pair = async (t) => {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB, flags: ['-s'] });
  return { server, alice, bob };
};

/** What the page knows of its connection: ICE credentials of both ends, and what arrived. */
const known = (phone) => phone.page.evaluate(async () => {
  const { connection } = window.sipwebPhone.session;
  const of = ({ sdp }, name) => sdp.match(new RegExp(`a=${name}:(\\S+)`))[1];
  const inbound = [...(await connection.getStats()).values()].find((one) => one.type === 'inbound-rtp');
  return {
    ours: { fragment: of(connection.remoteDescription, 'ice-ufrag'), password: of(connection.remoteDescription, 'ice-pwd') },
    theirs: of(connection.localDescription, 'ice-ufrag'),
    address: connection.remoteDescription.sdp.match(/candidate:\S+ 1 udp \d+ (127\.\S+) (\d+)/).slice(1),
    ssrc: inbound.ssrc,
  };
});

const answered = async ({ alice, bob }) => {
  await alice.phase('talking');
  await alice.hears(BOB);
  await bob.hears(ALICE);
};

test('during a call nothing of theirs is heard, nothing comes to them, and the call goes on', async (t) => {
  const { server, alice, bob } = await pair(t);
  await alice.call('bob');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await answered({ alice, bob });

  const ports = openPorts(server.program.child.pid);
  const media = ports.filter(({ port }) => port !== server.ports.sip);
  assert.ok(media.length >= 3, 'one for browsers, two for the phone');
  const { ours, theirs, address, ssrc } = await known(alice);
  const browserPort = { address: address[0], port: Number(address[1]) };
  const phoneSource = Number(bob.program.output.match(/a=ssrc:(\d+)/)[1]);
  const user = `${ours.fragment}:${theirs}`;

  const stranger = await Stranger.open(t);
  const everything = [
    ...[0, 8, 9, 96, 101, 127].flatMap((payloadType) => [phoneSource, ssrc, 7].map((source) => ({ payloadType, ssrc: source })))
      .flatMap((packet) => Array.from({ length: 17 }, (_, step) => rtp({ ...packet, sequence: step * 4096, timestamp: step * 160 }))),
    ...[phoneSource, ssrc, 7].flatMap((source) => [senderReport(source), goodbye(source)]),
    check(), check({ user }), check({ user, password: 'x'.repeat(32) }), check({ user: `nobody:${theirs}`, password: ours.password }),
    check({ user, password: 'x'.repeat(32), nominates: true }),
    clientHello(), Buffer.from([22]), Buffer.alloc(0), Buffer.alloc(1500, 0xff), Buffer.alloc(20, 0x01),
  ];
  for (const bytes of everything) for (const place of ports) await stranger.send(bytes, place);

  // A true check that somebody overheard comes again from elsewhere: it proves nothing there.
  const overheard = check({ user, password: ours.password });
  const browser = await Stranger.open(t);
  await browser.send(overheard, browserPort);
  await until('an answer to a true check', () => browser.got.some(({ bytes }) => isAnswer(bytes)));
  for (let time = 0; time < 10; time++) await stranger.send(overheard, browserPort);
  await stranger.send(clientHello(), browserPort);

  const loudly = await Stranger.open(t);
  let sequence = 0;
  loudly.keepSending(media, () => rtp({ ssrc: phoneSource, sequence: ++sequence, timestamp: sequence * 160 }));
  await answered({ alice, bob });
  loudly.stop();
  await answered({ alice, bob });
  assert.deepEqual([stranger, loudly].flatMap((each) => each.gotFrom(media)), [], 'nothing came to strangers');
  assert.ok(browser.got.every(({ bytes }) => isAnswer(bytes)), 'a pair that the browser did not choose gets no sound');

  await alice.hangUp();
  await bob.event('CALL_CLOSED');
  const [, dropped] = await server.says(/media of call .*; phone [^;]*, (\d+) dropped/);
  assert.ok(Number(dropped) > 300, `${dropped} dropped`);
  await server.says(/media of call .*; browser [^;]*, \d+ dropped/);
});

test('who is quicker than the phone, from the same address, loses as soon as the phone is heard', async (t) => {
  const { server, alice, bob } = await pair(t);
  const before = openPorts(server.program.child.pid).map(({ port }) => port);
  await alice.call('bob');
  await bob.event('CALL_INCOMING');
  const phones = openPorts(server.program.child.pid).filter(({ port }) => !before.includes(port));
  assert.equal(phones.length, 2, 'two ports for the phone');
  const stranger = await Stranger.open(t);
  let sequence = 0;
  stranger.keepSending(phones, () => rtp({ sequence: ++sequence, timestamp: sequence * 160 }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  bob.accept();
  await answered({ alice, bob });
  const early = stranger.got.length;
  await answered({ alice, bob });
  assert.equal(stranger.got.length, early, 'nothing comes to the stranger any more');
});
