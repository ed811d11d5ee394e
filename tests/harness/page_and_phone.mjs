// What a page and an ordinary phone do together: the steps of calls that several files of tests share.
import assert from 'node:assert/strict';
import { Baresip } from './baresip.mjs';
import { PhonePage } from './phone_page.mjs';
import { Server } from './server.mjs';

/** The tones by which they are known. */
export const ALICE = 440;
export const BOB = 660;
export const CAROL = 880;

/**
 * Alice's page and bob's phone at a server of their own, which listens at `addresses`. `browser` starts the page's browser,
 * `pageAt` is the address where it finds the server, and the rest is the phone's.
 */
export async function pageAndPhone(t, { browser, transport = 'udp', tone = BOB, users = ['alice', 'bob', 'carol'], addresses, pageAt, ...phone } = {}) {
  const server = await Server.start(t, { users, ...(addresses && { addresses }) });
  const address = pageAt && `http://${pageAt}:${server.ports.http}/`;
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE, ...(browser && { browser }), ...(address && { address }) });
  const port = transport === 'tls' ? server.ports.tls : server.ports.sip;
  const bob = await Baresip.start(t, { user: 'bob', transport, port, tone, ...phone });
  return { server, alice, bob };
}

/** Both hear each other. */
export async function hearEachOther({ alice, bob }) {
  await alice.hears(BOB);
  await bob.hears(ALICE);
}

/** Bob's phone calls, and alice answers. */
export async function phoneCalls({ alice, bob }) {
  const from = bob.events.length;
  bob.dial('sip:alice@127.0.0.1');
  await alice.phase('incoming');
  await bob.event('CALL_RINGING', { from });
  await alice.answer();
  await bob.event('CALL_ESTABLISHED', { from });
  await alice.phase('talking');
}

/** Alice's page calls, and bob answers. */
export async function pageCalls({ alice, bob }) {
  const from = bob.events.length;
  await alice.call('bob');
  await bob.event('CALL_INCOMING', { from });
  await alice.phase('ringing');
  bob.accept();
  await bob.event('CALL_ESTABLISHED', { from });
  await alice.phase('talking');
}

export async function pageHangsUp({ alice, bob }) {
  const from = bob.events.length;
  await alice.hangUp();
  await bob.event('CALL_CLOSED', { from });
  await alice.phase('ended');
  alice.unharmed();
}

export async function phoneHangsUp({ alice, bob }) {
  const from = bob.events.length;
  bob.hangUp();
  await alice.phase('ended');
  await bob.event('CALL_CLOSED', { from });
  alice.unharmed();
}

/** Alice presses 5, and the phone knows it. */
export async function pagePressesDigit({ alice, bob }) {
  const from = bob.events.length;
  await alice.press('call-keypad');
  await alice.press('call-key-5');
  const digit = await bob.event('CALL_DTMF_START', { from });
  assert.equal(digit.param, '5');
  await alice.press('call-keypad');
}

/** Alice holds: the phone is sent silence. She resumes: both talk again. */
export async function pageHolds({ alice, bob }) {
  await alice.press('call-hold');
  await alice.says(/You put the call on hold/);
  await alice.hearsNothing();
  await bob.receives();
  await alice.press('call-hold');
  await alice.hears(BOB);
  await bob.receives();
}

/** The phone holds and resumes. */
export async function phoneHolds({ alice, bob }) {
  bob.hold();
  await alice.says(/bob put you on hold/);
  await alice.hearsNothing();
  bob.resume();
  await alice.says(/In call/);
  await alice.hears(BOB);
  await bob.receives();
}

/** Both hold at a time, and each resumes for itself. */
export async function bothHold({ alice, bob }) {
  bob.hold();
  await alice.says(/bob put you on hold/);
  await alice.press('call-hold');
  await alice.says(/Both sides hold/);
  await alice.hearsNothing();
  bob.resume();
  await alice.says(/You put the call on hold/);
  await alice.hearsNothing();
  await alice.press('call-hold');
  await alice.says(/In call/);
  await alice.hears(BOB);
  await bob.receives();
}
