// Several calls at once: call waiting, hold and swap, asking before a transfer, conference.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answered, gone, id, inSessionOf, see, signIn, talk } from './support/page.mjs';

const ended = (page) => page.evaluate(() => fake.agent.sessions.map((session) => session.ended));
const held = (page) => page.evaluate(() => fake.agent.sessions.map((session) => session.held));
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
  await see(page, 'call-state', 'In call');
  await gone(page, 'conference-member');
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
