// Two pages in two browsers call each other: what a person would try first.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const ALICE = 440;
const BOB = 880;

async function twoPages(t) {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  const bob = await PhonePage.open(t, server, 'bob', { tone: BOB });
  t.after(() => {
    alice.unharmed();
    bob.unharmed();
  });
  return { server, alice, bob };
}

async function inCall(caller, callee) {
  await caller.call(callee.user);
  await callee.phase('incoming');
  await callee.answer();
  await caller.phase('talking');
  await callee.phase('talking');
}

describe('alice and bob on their pages', () => {
  test('hear each other, hold and resume, mute and unmute, and alice hangs up', async (t) => {
    const { alice, bob } = await twoPages(t);
    await inCall(alice, bob);
    await alice.hears(BOB);
    await bob.hears(ALICE);

    await alice.press('call-hold');
    await bob.says(/hold/i);
    await bob.hearsNothing();
    await alice.hearsNothing();
    await alice.press('call-hold');
    await bob.hears(ALICE);
    await alice.hears(BOB);

    await bob.press('call-hold');
    await alice.says(/hold/i);
    await alice.hearsNothing();
    await bob.press('call-hold');
    await alice.hears(BOB);

    await alice.press('call-mute');
    await bob.hearsNothing();
    await alice.hears(BOB);
    await alice.press('call-mute');
    await bob.hears(ALICE);

    await alice.hangUp();
    await alice.phase('ended');
    await bob.phase('ended');
  });

  test('bob, who was called, hangs up', async (t) => {
    const { alice, bob } = await twoPages(t);
    await inCall(alice, bob);
    await alice.hears(BOB);
    await bob.hangUp();
    await alice.phase('ended');
    await bob.phase('ended');
  });

  test('bob rejects and alice reads why', async (t) => {
    const { alice, bob } = await twoPages(t);
    await alice.call('bob');
    await bob.phase('incoming');
    await bob.press('call-reject');
    await alice.phase('ended');
    await alice.says(/48[06]|603/);
  });

  test('alice gives up before bob answers and his page stops ringing', async (t) => {
    const { alice, bob } = await twoPages(t);
    await alice.call('bob');
    await bob.phase('incoming');
    await alice.phase('ringing');
    await alice.hangUp();
    await alice.phase('ended');
    await bob.phase('ended');
  });

  test('digits pressed in the call arrive as digits', async (t) => {
    const { alice, bob } = await twoPages(t);
    await inCall(alice, bob);
    await alice.hears(BOB);
    await bob.page.evaluate(() => {
      window.digits = [];
      window.sipwebPhone.session.on('newDTMF', ({ originator, dtmf }) => window.digits.push(`${originator} ${dtmf.tone}`));
    });
    await alice.page.evaluate(() => {
      window.sent = [];
      const sender = window.sipwebPhone.session.connection.getSenders().find((each) => each.dtmf);
      sender.dtmf.addEventListener('tonechange', ({ tone }) => window.sent.push(tone));
    });
    await alice.press('call-keypad');
    await alice.press('call-key-5');
    await until('the digit shown', async () => (await alice.text('call-digits')).includes('5'));
    // The keypad sends RFC 4733 events, which a browser plays out and does not report to its page; so the sender is asked.
    await until('the digit sent in the media', async () => (await alice.page.evaluate(() => window.sent)).includes('5'));
    await alice.page.evaluate(() => window.sipwebPhone.session.sendDTMF('7', { transportType: 'INFO' }));
    await until('the digit in an INFO', async () => (await bob.page.evaluate(() => window.digits)).includes('remote 7'));
    await alice.hangUp();
    await bob.phase('ended');
  });

  test('a text message arrives', async (t) => {
    const { alice, bob } = await twoPages(t);
    await alice.press('tab-messages');
    await alice.type('conversation-target', 'bob');
    await alice.press('conversation-start');
    await alice.type('message-field', '¿Comemos? ☎ <b>no HTML</b>');
    await alice.press('message-send');
    await bob.press('tab-messages');
    await bob.press('conversation-row');
    const read = await until('the words', () => bob.text('conversation'));
    assert.match(read, /¿Comemos\? ☎ <b>no HTML<\/b>/);
  });
});

describe('a call that finds nobody', () => {
  test('to a user who does not exist says so', async (t) => {
    const server = await Server.start(t);
    const alice = await PhonePage.open(t, server, 'alice');
    await alice.call('nobody');
    await alice.phase('ended');
    await alice.says(/404/);
  });

  test('to a user who is not signed in says so', async (t) => {
    const server = await Server.start(t);
    const alice = await PhonePage.open(t, server, 'alice');
    await alice.call('bob');
    await alice.phase('ended');
    await alice.says(/480/);
  });
});

test('a wrong password is explained on the sign-in card', async (t) => {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { signIn: false });
  await alice.signIn('alice', 'wrong');
  const words = await until('the explanation', () => alice.text('sign-in-error'));
  assert.match(words, /password/i);
});

test('a sign-in link signs in and leaves no password in the address bar', async (t) => {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { signIn: false, address: `${server.page}#alice:${encodeURIComponent('correct horse')}` });
  await alice.registered();
  assert.equal(await alice.page.evaluate(() => location.hash), '');
});
