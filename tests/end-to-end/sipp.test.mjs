// What sipp says and hears, message by message: races, forks, failover and bad links.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aloneOnLoopback, losing } from '../harness/network.mjs';
import { freePort } from '../harness/ports.mjs';
import { Server } from '../harness/server.mjs';
import { SIPP_PASSWORD, Sipp, callee } from '../harness/sipp.mjs';
import { KEEP_INVITE, answer, answerInvite, hopByHop, invite, keep, linger, looksLike, pause, request, response, within } from '../harness/sipp_messages.mjs';
import { SlowLink } from '../harness/slow_link.mjs';

aloneOnLoopback(import.meta.filename);

async function serverFor(t, more = '') {
  const server = await Server.prepare(t, { users: [], more: `[authentication]\nalgorithms = ["MD5"]\n\n[peers]\ntrusted = ["127.0.0.1"]\n\n${more}` });
  server.addUser('alice', SIPP_PASSWORD);
  await server.start();
  return server;
}

const TALK = pause(50);

/** How a call begins at the caller, and how it ends at once when it is answered; and the same at the callee. */
const INVITES = [invite(), response(100, { optional: true })];
const HANGS_UP = [within('ACK', 1), within('BYE', 2), response(200)];
const HUNG_UP = [request('ACK'), request('BYE'), answer(200, 'OK')];

/** A callee that rings and answers after a while, and is hung up. */
const ANSWERS = [
  request('INVITE', { actions: KEEP_INVITE }),
  answerInvite(180, 'Ringing'),
  pause(50),
  answerInvite(200, 'OK', { retransmit: true }),
  ...HUNG_UP,
];

/** A caller that is rung (where no datagram is lost), answered, and hangs up. */
const CALLS = [
  invite(),
  response(100, { optional: true }),
  response(180, { optional: true }),
  response(200, { routes: true }),
  within('ACK', 1),
  TALK,
  within('BYE', 2),
  response(100, { optional: true }),
  response(200),
];

/** Two sipps play a call out, and both must come to their end. */
async function bothPass(...sipps) {
  await Promise.all(sipps.map((sipp) => sipp.passes()));
}

test('a CANCEL that comes after the 200: the call stands, and is hung up', async (t) => {
  const server = await serverFor(t);
  const alice = await callee(t, server, 'alice', [
    request('INVITE', { actions: KEEP_INVITE }),
    answerInvite(180, 'Ringing'),
    answerInvite(200, 'OK', { retransmit: true }),
    ...HUNG_UP,
  ]);
  const caller = await Sipp.start(t, [
    ...INVITES,
    response(180),
    response(200, { routes: true, actions: [keep('to', 'To', { must: true })] }),
    hopByHop('CANCEL', 4),
    response(200, { actions: [keep('cancelled', 'CSeq', { pattern: 'CANCEL', must: true })] }),
    within('ACK', 1, { to: 'To:[$to]' }),
    within('BYE', 2, { to: 'To:[$to]' }),
    response(200),
  ], { server: server.ports.sip });
  await bothPass(caller, alice);
});

test('a CANCEL that meets the 200 on its way: the 200 reaches the caller', async (t) => {
  const server = await serverFor(t);
  const alice = await callee(t, server, 'alice', [
    request('INVITE', { actions: KEEP_INVITE }),
    answerInvite(180, 'Ringing'),
    request('CANCEL'),
    answer(200, 'OK', { tag: 'callee' }),
    answerInvite(200, 'OK', { retransmit: true }),
    ...HUNG_UP,
  ]);
  const caller = await Sipp.start(t, [
    ...INVITES,
    response(180),
    hopByHop('CANCEL', 3),
    response(200, { actions: [keep('cancelled', 'CSeq', { pattern: 'CANCEL', must: true })] }),
    response(200, { routes: true, actions: [keep('answered', 'CSeq', { pattern: 'INVITE', must: true })] }),
    ...HANGS_UP,
  ], { server: server.ports.sip });
  await bothPass(caller, alice);
});

/** The dialog with the phone whose tag this is: what a caller keeps of its 200, and how its requests name it. */
const remember = (tag) => [keep(tag, 'To', { pattern: `.*tag=${tag}.*`, must: true }), keep(`${tag}Contact`, 'Contact', { pattern: 'sip:[^>]*', must: true })];
const toward = (tag) => ({ uri: `[$${tag}Contact]`, to: `To:[$${tag}]` });

test('two phones answer at once: both 200s reach the caller, who hangs one up', async (t) => {
  const server = await serverFor(t);
  const quick = await callee(t, server, 'alice', [
    request('INVITE', { actions: KEEP_INVITE }),
    pause(300),
    answerInvite(200, 'OK', { tag: 'quick', retransmit: true }),
    ...HUNG_UP,
  ]);
  const slow = await callee(t, server, 'alice', [
    request('INVITE', { actions: KEEP_INVITE }),
    answerInvite(180, 'Ringing', { tag: 'slow' }),
    request('CANCEL'),
    answer(200, 'OK', { tag: 'slow' }),
    answerInvite(200, 'OK', { tag: 'slow', retransmit: true }),
    ...HUNG_UP,
  ]);
  const caller = await Sipp.start(t, [
    ...INVITES,
    response(180, { actions: [keep('ringing', 'To', { pattern: 'tag=slow', must: true })] }),
    response(200, { routes: true, actions: remember('quick') }),
    within('ACK', 1, toward('quick')),
    response(200, { actions: remember('slow') }),
    within('ACK', 1, toward('slow')),
    within('BYE', 2, toward('slow')),
    response(200),
    within('BYE', 2, toward('quick')),
    response(200),
  ], { server: server.ports.sip });
  await bothPass(caller, quick, slow);
});

test('two phones ring: the caller has two early dialogs, and who did not answer is told that somebody did', async (t) => {
  const server = await serverFor(t);
  const answers = await callee(t, server, 'alice', [
    request('INVITE', { actions: KEEP_INVITE }),
    pause(100),
    answerInvite(180, 'Ringing', { tag: 'answers' }),
    pause(300),
    answerInvite(200, 'OK', { tag: 'answers', retransmit: true }),
    ...HUNG_UP,
  ]);
  const rings = await callee(t, server, 'alice', [
    request('INVITE', { actions: KEEP_INVITE }),
    answerInvite(180, 'Ringing', { tag: 'rings' }),
    request('CANCEL', { actions: [keep('why', 'Reason', { pattern: 'SIP.*cause=200', must: true })] }),
    answer(200, 'OK', { tag: 'rings' }),
    answerInvite(487, 'Request Terminated', { tag: 'rings', retransmit: true }),
    request('ACK'),
  ]);
  const caller = await Sipp.start(t, [
    ...INVITES,
    response(180, { actions: [keep('one', 'To', { pattern: 'tag=rings', must: true })] }),
    response(180, { actions: [keep('other', 'To', { pattern: 'tag=answers', must: true })] }),
    response(200, { routes: true, actions: [keep('answered', 'To', { pattern: 'tag=answers', must: true })] }),
    ...HANGS_UP,
  ], { server: server.ports.sip });
  await bothPass(caller, answers, rings);
});

test('a request that has gone far enough: 483', async (t) => {
  const server = await serverFor(t);
  const steps = [
    invite({ retransmit: false }).replace('Max-Forwards: 70', 'Max-Forwards: 0'),
    response(483, { actions: [keep('to', 'To', { must: true })] }),
    hopByHop('ACK', 2),
  ];
  await bothPass(await Sipp.start(t, steps, { server: server.ports.sip }));
});

test('a strict router before us: its Request-URI of ours is put right (RFC 3261 §16.4)', async (t) => {
  const server = await serverFor(t);
  const alice = await callee(t, server, 'alice', [
    ...ANSWERS.slice(0, 5),
    request('BYE', { actions: [looksLike('line', 'BYE sip:callee@127.0.0.1:[0-9]* SIP/2.0')] }),
    answer(200, 'OK'),
  ]);
  const caller = await Sipp.start(t, [
    ...CALLS.slice(0, 3),
    response(200, { routes: true, actions: [keep('ours', 'Record-Route', { pattern: 'sip:[^>]*', must: true })] }),
    within('ACK', 1),
    within('BYE', 2, { uri: '[$ours]', routes: 'Route: <[next_url]>' }),
    response(200),
  ], { server: server.ports.sip });
  await bothPass(caller, alice);
});

test('a strict router behind us: it finds itself in the Request-URI, and the target last among the Routes (§16.6)', async (t) => {
  const server = await serverFor(t);
  const router = await Sipp.start(t, [
    request('OPTIONS', {
      actions: [looksLike('line', 'OPTIONS sip:127.0.0.1:[0-9]* SIP/2.0'), keep('last', 'Route', { pattern: 'sip:target@elsewhere.invalid', must: true })],
    }),
    answer(200, 'OK', { tag: 'router' }),
  ]);
  const text = (routes) => within('OPTIONS', 1, { uri: 'sip:target@elsewhere.invalid', routes }).replace('[last_To:]', 'To: <sip:target@elsewhere.invalid>');
  const caller = await Sipp.start(t, [
    text(`Route: <sip:[remote_ip]:[remote_port];lr>, <sip:127.0.0.1:${router.port}>`),
    response(200),
  ], { server: server.ports.sip });
  await bothPass(caller, router);
});

test('a server that says 503: the call goes to the next one, and the caller hears only of that', async (t) => {
  const [busy, next] = [await freePort(), await freePort()];
  const server = await serverFor(t, `[upstreams.pbx]\nservers = ["sip:127.0.0.1:${busy};transport=udp", "sip:127.0.0.1:${next};transport=udp;priority=2"]\nprobe = "0s"\n\n[[routes]]\nprefix = ["1"]\nto = "upstream:pbx"\n`);
  const refuses = await Sipp.start(t, [
    request('INVITE'),
    answer(503, 'Service Unavailable', { tag: 'busy', more: ['Retry-After: 60'], retransmit: true }),
    request('ACK'),
  ], { port: busy });
  const takes = await Sipp.start(t, ANSWERS, { port: next });
  const caller = await Sipp.start(t, CALLS, { server: server.ports.sip, service: '1000' });
  await bothPass(caller, refuses, takes);
  // For the minute that it asked for, it is spared.
  const again = await Sipp.start(t, ANSWERS, { port: next });
  await bothPass(await Sipp.start(t, CALLS, { server: server.ports.sip, service: '1000' }), again);
});

test('a tenth of all datagrams is lost: every call comes to its good end, once', async (t) => {
  const server = await serverFor(t);
  const CALLS_MADE = 40;
  // sipp aborts a call in which an INVITE comes again after two responses, and answers no copy once its call is over.
  const answers = [
    request('INVITE', { actions: KEEP_INVITE }),
    answerInvite(200, 'OK', { retransmit: true }),
    request('ACK', { optional: true }),
    request('BYE'),
    answer(200, 'OK'),
    linger(40_000),
  ];
  // An ACK that is lost comes again when the 200 does: the caller waits for that.
  const calls = CALLS.map((step) => (step === TALK ? pause(3000) : step));
  const alice = await callee(t, server, 'alice', answers, { calls: CALLS_MADE + 1, within: 40 });
  const lost = losing(t, 0.1);
  const caller = await Sipp.start(t, calls, { server: server.ports.sip, calls: CALLS_MADE, rate: 40, within: 40 });
  await caller.passes();
  assert.equal(alice.calls.size, CALLS_MADE);
  assert.ok(lost() > 20, `only ${lost()} datagrams were lost`);
});

test('every datagram takes a tenth of a second, to the caller and to the callee', async (t) => {
  const server = await serverFor(t);
  const link = await SlowLink.open(t, { port: server.ports.sip, delay: 100 });
  const alice = await callee(t, server, 'alice', ANSWERS, { through: link.port, calls: 10 });
  const before = link.carried;
  const caller = await Sipp.start(t, CALLS, { server: link.port, calls: 10 });
  await bothPass(caller, alice);
  // INVITE, 180, 200, ACK, BYE, 200, at each end of each call.
  assert.ok(link.carried - before >= 120, `only ${link.carried - before} datagrams took that way`);
});
