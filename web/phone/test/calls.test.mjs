// Several calls at once: call waiting, hold and swap, asking before a transfer, conference.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answered, gone, id, inSession, inSessionOf, see, signIn, talk } from './support/page.mjs';

const ended = (page) => page.evaluate(() => fake.agent.sessions.map((session) => session.ended));
const held = (page) => page.evaluate(() => fake.agent.sessions.map((session) => session.held));
const silent = (page) => page.evaluate(() => fake.agent.sessions.map((session) => session.silent));
const ring = (page, user, name) => page.evaluate((uri, called) => { fake.agent.ring(uri, called); }, `sip:${user}@example.com`, name);

/** Talks with Bob, then calls Carmen besides, who answers. */
async function twoCalls(page) {
  await talk(page);
  await page.click(id('call-add'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await answered(page);
  await see(page, 'call-peer', 'carmen');
  await see(page, 'call-state', 'In call');
}

test('a second caller waits; the first call is held for the answer, and both can be switched', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await ring(page, 'dora', 'Dora');
  await see(page, 'waiting', 'Dora is calling');
  await page.click(id('waiting-answer'));
  await see(page, 'call-peer', 'Dora');
  await page.waitForSelector(`${id('call')}[data-phase=talking]`);
  assert.deepEqual([await ended(page), await held(page)], [[false, false], [true, false]]);
  await see(page, 'other-call', 'bob');
  await see(page, 'other-call', 'On hold');
  await page.click(id('other-switch'));
  await see(page, 'call-peer', 'bob');
  assert.deepEqual(await held(page), [false, true]);
});

test('the first call can be ended for the second', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await ring(page, 'dora', 'Dora');
  await page.waitForSelector(id('waiting-end'));
  await page.click(id('waiting-end'));
  await see(page, 'call-peer', 'Dora');
  await page.waitForSelector(`${id('call')}[data-phase=talking]`);
  assert.deepEqual(await ended(page), [true, false]);
});

test('a second caller who gives up leaves the first call as it was, and is counted as missed', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await ring(page, 'dora', 'Dora');
  await see(page, 'waiting', 'Dora is calling');
  await inSessionOf(page, -1, '(session) => session.emit("failed", { originator: "remote", cause: "Canceled" })');
  await gone(page, 'waiting');
  await see(page, 'call-peer', 'bob');
  await see(page, 'badge-recents', '1');
});

test('while one is talked to and one waits, a third caller hears busy', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await ring(page, 'dora');
  await ring(page, 'eve');
  await see(page, 'waiting', 'dora is calling');
  assert.deepEqual(await ended(page), [false, false, true]);
});

const HEARD = { audio: false, video: false };
const AWAY = { audio: true, video: true };

test('whoever cannot be held neither hears nor sees what is said to somebody else, and does again when it is his turn', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await inSessionOf(page, 0, '(session) => session.emit("unhold", { originator: "local" })'); // He refused it.
  assert.deepEqual(await silent(page), [AWAY, HEARD]);
  await page.click(id('other-switch'));
  await see(page, 'call-peer', 'bob');
  assert.deepEqual(await silent(page), [HEARD, AWAY]);
});

test('a hold that never comes about is no reason to be heard by both', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await inSession(page, '(session) => { session.hold = () => false; }');
  await ring(page, 'dora', 'Dora');
  await page.waitForSelector(id('waiting-answer'));
  await page.click(id('waiting-answer'));
  await see(page, 'call-peer', 'Dora');
  assert.deepEqual(await silent(page), [AWAY, HEARD]);
});

test('who answers after we went back to the other call does not hear us', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.click(id('call-add'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await page.click(id('other-switch'));
  await see(page, 'call-peer', 'bob');
  await answered(page);
  await see(page, 'other-call', 'On hold');
  assert.deepEqual(await silent(page), [HEARD, AWAY]);
});

test('a microphone that is off is still off after the way to another call and back', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('call-mute'));
  await page.click(id('other-switch'));
  await see(page, 'call-peer', 'bob');
  await page.click(id('other-switch'));
  await see(page, 'call-peer', 'carmen');
  assert.deepEqual(await silent(page), [AWAY, { audio: true, video: false }]);
});

test('when the call on the screen ends, the one on hold comes back, and the reason is still told', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await inSessionOf(page, 1, '(session) => session.bye()');
  await see(page, 'call-peer', 'bob');
  await see(page, 'call-news', 'carmen hung up.');
  await see(page, 'call-state', 'You put the call on hold');
  await page.click(id('call-hold'));
  await see(page, 'call-state', 'In call');
});

test('when both the one for whom we asked and the one whom we asked are gone, the call on hold comes back', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('call-transfer'));
  await page.keyboard.type('dora');
  await page.click(id('transfer-ask'));
  await page.waitForFunction(() => fake.agent.sessions.length === 3);
  await answered(page);
  await inSessionOf(page, 1, '(session) => session.bye()');
  await inSessionOf(page, 2, '(session) => session.bye()');
  await see(page, 'call-peer', 'bob');
});

test('people that we know are picked from a list', async (t) => {
  const page = await signIn(t);
  await page.evaluate(() => { fake.agent.message('sip:dora@office.example.org', 'Dora Lindqvist', 'Hello'); });
  await talk(page);
  await page.click(id('call-transfer'));
  await page.keyboard.type('lind');
  await see(page, 'transfer-person', 'Dora Lindqvist');
  await page.click(id('transfer-person'));
  assert.equal(await page.$eval(id('transfer-field'), (field) => field.value), 'dora@office.example.org');
  await page.click(id('transfer-go'));
  assert.equal(await inSessionOf(page, 0, '(session) => session.referred.target'), 'sip:dora@office.example.org');
});

test('asking first: the other side waits, and is then connected with whom we asked; both our calls end', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.click(id('call-transfer'));
  await page.keyboard.type('carmen');
  await page.click(id('transfer-ask'));
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  assert.deepEqual(await held(page), [true, false]);
  await gone(page, 'others-connect');
  await answered(page);
  await see(page, 'others-connect', 'Connect the two');
  await page.click(id('others-connect'));
  const referred = await inSessionOf(page, 0, '(session) => [session.referred.target, session.referred.replaces === fake.agent.sessions[1]]');
  assert.deepEqual(referred, ['sip:carmen@example.com', true]);
  await inSessionOf(page, 0, '(session) => session.referred.handlers.accepted({})');
  await see(page, 'call-state', 'You transferred bob.');
  assert.deepEqual(await ended(page), [true, true]);
});

test('the two cannot be connected: that is told, and both calls are as they were', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('others-connect'));
  await inSessionOf(page, 0, '(session) => session.referred.handlers.failed({})');
  await see(page, 'other-call', 'carmen was not reached. bob is still here.');
  assert.deepEqual([await ended(page), await held(page)], [[false, false], [true, false]]);
});

test('while the other side is being passed on, a second wish is not swallowed: the field says why it waits', async (t) => {
  const page = await signIn(t);
  await talk(page);
  const wish = async (target, button) => {
    await page.click(id('call-transfer'));
    await page.keyboard.type(target);
    await page.click(id(button));
  };
  await wish('carmen', 'transfer-go');
  await see(page, 'call-state', 'Passing bob on to carmen');
  await wish('dora', 'transfer-go');
  await see(page, 'transfer-error', 'The other side is being passed on already.');
  await page.click(id('transfer-ask'));
  await see(page, 'transfer-error', 'The other side is being passed on already.');
  assert.equal(await page.evaluate(() => fake.agent.sessions.length), 1);
  await inSessionOf(page, 0, '(session) => session.referred.handlers.failed({})');
  await page.click(id('transfer-go'));
  await see(page, 'call-state', 'Passing bob on to dora');
});

test('who is being passed on is not offered to be connected as well', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('others-connect'));
  await see(page, 'other-call', 'Passing bob on to carmen');
  await gone(page, 'others-connect');
  await inSessionOf(page, 0, '(session) => session.referred.handlers.failed({})');
  await see(page, 'others-connect', 'Connect the two');
});

test('after a transfer that failed one still sees that the microphone is off', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.click(id('call-transfer'));
  await page.keyboard.type('carmen');
  await page.click(id('transfer-go'));
  await inSessionOf(page, 0, '(session) => session.referred.handlers.failed({})');
  await see(page, 'call-state', 'carmen was not reached.');
  await page.click(id('call-mute'));
  await see(page, 'call-state', 'Your microphone is off');
});

test('without the line nobody can be asked or called besides, and the field says so', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.evaluate(() => { fake.agent.emit('disconnected', { error: true, retry_in: 9000 }); });
  await page.click(id('call-add'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await see(page, 'add-error', 'Not connected to the server yet.');
  assert.deepEqual(await held(page), [false]);
});

test('whom we asked says no: the other side is back at once', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.click(id('call-transfer'));
  await page.keyboard.type('carmen');
  await page.click(id('transfer-ask'));
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await inSessionOf(page, 1, '(session) => session.fail(486, "Busy Here", "Busy")');
  await see(page, 'call-peer', 'bob');
  await see(page, 'call-news', 'carmen is busy.');
  await see(page, 'call-state', 'In call');
  assert.deepEqual(await held(page), [false, false]);
});

test('somebody takes the place of the other side: the call goes on with him, without a question', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.evaluate(() => { fake.agent.replace(fake.agent.sessions[0], 'sip:dora@example.com', 'Dora'); });
  await see(page, 'call-peer', 'Dora');
  await see(page, 'call-state', 'In call');
  assert.deepEqual(await ended(page), [true, false]);
});

test('two calls become a conference, one mutes for both, and a member leaves', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('others-merge'));
  await see(page, 'call-peer', 'Conference');
  await see(page, 'call-state', '3 people hear each other');
  assert.equal((await page.$$(id('conference-member'))).length, 2);
  assert.deepEqual(await held(page), [false, false]);
  await page.click(id('call-mute'));
  await see(page, 'call-state', 'Your microphone is off');
  assert.equal(await page.evaluate(() => phone.calls.muted && !phone.call.muted), true);
  await page.click(id('member-hangup'));
  await gone(page, 'conference-member');
  await see(page, 'call-state', 'Your microphone is off');
  assert.equal(await page.evaluate(() => fake.agent.sessions.find((session) => !session.ended).muted), true);
});

test('who is muted stays so when the calls are joined', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('call-mute'));
  await page.click(id('others-merge'));
  await see(page, 'call-peer', 'Conference');
  await see(page, 'call-state', 'Your microphone is off');
});

test('in a conference everybody is heard, and after it only who is on the screen', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('others-merge'));
  await see(page, 'call-peer', 'Conference');
  assert.deepEqual(await silent(page), [HEARD, HEARD]);
  await inSessionOf(page, 0, '(session) => { session.hold = () => false; }');
  await page.click(id('conference-split'));
  await see(page, 'call-peer', 'carmen');
  assert.deepEqual(await silent(page), [AWAY, HEARD]);
});

/** Bob and Carmen are in a conference; Dora calls, and is talked to meanwhile. */
async function awayFromConference(t) {
  const page = await signIn(t, { prepare: () => {
    window.microphones = [];
    window.GainNode = class extends GainNode {
      constructor(context, options) {
        super(context, options);
        if (!options) window.microphones.push(this.gain);
      }
    };
  } });
  await twoCalls(page);
  await page.click(id('others-merge'));
  await see(page, 'call-peer', 'Conference');
  await ring(page, 'dora', 'Dora');
  await page.waitForSelector(id('waiting-answer'));
  await page.click(id('waiting-answer'));
  await see(page, 'call-peer', 'Dora');
  return page;
}

const heardByConference = (page) => page.evaluate(() => microphones.at(-1).value);

test('a conference does not hear what is said to somebody else, and hears us again after that', async (t) => {
  const page = await awayFromConference(t);
  assert.equal(await heardByConference(page), 0);
  await inSessionOf(page, 2, '(session) => session.bye()');
  await see(page, 'call-peer', 'Conference');
  assert.equal(await heardByConference(page), 1);
});

test('who stays alone in a conference while we talk to somebody else waits on hold', async (t) => {
  const page = await awayFromConference(t);
  await inSessionOf(page, 0, '(session) => session.bye()');
  await see(page, 'other-call', 'On hold');
  await see(page, 'call-peer', 'Dora');
  assert.deepEqual((await held(page)).slice(1), [true, false]);
});

test('a conference is ended as a whole for a further caller', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('others-merge'));
  await see(page, 'call-peer', 'Conference');
  await ring(page, 'dora', 'Dora');
  await page.waitForSelector(id('waiting-end'));
  await page.click(id('waiting-end'));
  await see(page, 'call-peer', 'Dora');
  assert.deepEqual([await ended(page), await held(page)], [[true, true, false], [false, false, false]]);
});

test('a conference of which one leaves goes on as a call, also while somebody else is on hold', async (t) => {
  const page = await awayFromConference(t);
  await page.$$eval(id('other-switch'), ([, carmen]) => carmen.click());
  await see(page, 'call-peer', 'Conference');
  await inSessionOf(page, 1, '(session) => session.bye()');
  await see(page, 'call-peer', 'bob');
  await see(page, 'call-state', 'In call');
  await see(page, 'other-call', 'Dora');
});

test('who answers after we went back to the other call waits on hold', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.click(id('call-add'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await page.click(id('other-switch'));
  await see(page, 'call-peer', 'bob');
  await answered(page);
  await see(page, 'other-call', 'On hold');
  assert.deepEqual(await held(page), [false, true]);
});

test('who still rings when the other call ends is talked to once he answers', async (t) => {
  const page = await signIn(t);
  await talk(page);
  await page.click(id('call-add'));
  await page.keyboard.type('carmen');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => fake.agent.sessions.length === 2);
  await page.click(id('other-switch'));
  await see(page, 'call-peer', 'bob');
  await inSessionOf(page, 0, '(session) => session.bye()');
  await see(page, 'call-peer', 'carmen');
  await answered(page);
  await see(page, 'call-state', 'In call');
  assert.equal((await held(page))[1], false);
});

test('a caller whom we let ring for a while, to go back to a call on hold, is talked to once we answer', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await ring(page, 'dora', 'Dora');
  await see(page, 'waiting', 'Dora');
  await inSessionOf(page, 1, '(session) => session.bye()');
  await page.waitForSelector(`${id('call')}[data-phase=incoming]`);
  await page.click(id('other-switch'));
  await see(page, 'call-peer', 'bob');
  await page.click(id('waiting-answer'));
  await see(page, 'call-peer', 'Dora');
  await see(page, 'call-state', 'In call');
  assert.deepEqual(await held(page), [true, false, false]);
});

test('somebody takes the place of one who is on hold: he is, too', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.evaluate(() => { fake.agent.replace(fake.agent.sessions[0], 'sip:dora@example.com', 'Dora'); });
  await see(page, 'other-call', 'Dora');
  await see(page, 'call-peer', 'carmen');
  assert.deepEqual((await held(page)).slice(1), [false, true]);
});

test('hanging up a conference ends all its calls; splitting it holds all but one', async (t) => {
  const page = await signIn(t);
  await twoCalls(page);
  await page.click(id('others-merge'));
  await see(page, 'call-peer', 'Conference');
  await page.click(id('conference-split'));
  await see(page, 'other-call', 'On hold');
  assert.deepEqual([await ended(page), await held(page)], [[false, false], [true, false]]);
  await page.click(id('others-merge'));
  await see(page, 'call-peer', 'Conference');
  await page.click(id('call-hangup'));
  await page.waitForFunction(() => fake.agent.sessions.every((session) => session.ended));
});
