/** Promises beside the events: what they give, and that they change nothing for pages that only listen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakePeerConnection, Page, response, settle } from './support/page.ts';
import { C, Exceptions } from './support/library.ts';

const OK = () => response(200, 'OK', { method: 'REGISTER' });
const registered = (page: Page) => page.core.fire({ type: 'registered', response: OK(), first: true, expires: 600, pubGruu: '', tempGruu: '' });
const AUDIO = { mediaConstraints: { audio: true } };

/** What has become of a promise by now. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  await settle();
  return Promise.race([promise.then((value) => ({ value }), (error) => ({ error })), settle().then(() => 'pending')]);
}

test('dial gives the session when the call is accepted, not when it rings', async () => {
  const page = new Page().connect();
  const dialled = page.ua.dial('bob', AUDIO);
  await settle();
  page.core.fire({ type: 'progress', call: 1, response: response(180, 'Ringing'), body: '', fork: 'theirs' });
  assert.equal(await stateOf(dialled), 'pending');
  page.answered();
  const session = await dialled;
  assert.equal(session, page.session);
  assert.equal(session.isEstablished(), true);
  assert.equal(await session.accepted, session, 'also for those who ask late');
});

test('dial rejects with the cause and the response of a refused call', async () => {
  const page = new Page().connect();
  const dialled = page.ua.dial('bob', AUDIO);
  await settle();
  page.core.fire({ type: 'failed', call: 1, originator: 'remote', message: response(486, 'Busy Here'), cause: 'Busy' });
  await assert.rejects(dialled, (error: InstanceType<typeof Exceptions.FailedError>) => {
    assert.ok(error instanceof Exceptions.FailedError);
    assert.equal(error.message, 'the call failed: Busy (486 Busy Here)');
    assert.deepEqual([error.cause, error.originator, (error.response as any).status_code], [C.causes.BUSY, 'remote', 486]);
    return true;
  });
});

test('dial rejects, and does not throw, when the target is no address', async () => {
  const dialled = new Page().connect().ua.dial('');
  await assert.rejects(dialled, TypeError);
});

test('A dialled call is taken back by its signal', async () => {
  const page = new Page().connect();
  const control = new AbortController();
  const dialled = page.ua.dial('bob', { ...AUDIO, signal: control.signal });
  await settle();
  control.abort();
  await assert.rejects(dialled, { cause: 'Canceled', originator: 'local' });
  assert.equal(page.core.told('cancel').length, 1);
});

test('A session is no promise: an async function can hand it out before it is answered', async () => {
  const page = new Page().connect();
  const session = await (async () => page.ua.call('bob', AUDIO))();
  assert.equal(session, page.session);
  assert.equal('then' in session, false);
  assert.equal(session.isInProgress(), true);
});

test('answer resolves with the session once 200 has gone out; terminate and over with how it ended', async () => {
  const page = new Page().connect();
  page.ring();
  const session = page.session!;
  assert.equal(await session.answer(), session);
  assert.equal(page.core.told('accept').length, 1);
  const over = session.over;
  assert.deepEqual(await session.terminate(), { originator: 'local', message: null, cause: 'Terminated' });
  assert.deepEqual(await over, await session.over);
});

test('A call that the page ends as soon as it is accepted was accepted', async () => {
  const page = new Page().connect();
  const dialled = page.ua.dial('bob', { ...AUDIO, eventHandlers: { accepted: () => void page.session!.terminate() } });
  await settle();
  page.answered();
  assert.equal(await dialled, page.session);
  assert.equal(page.session!.isEnded(), true);
  const other = new Page().connect();
  other.ring();
  other.session!.on('accepted', () => void other.session!.terminate());
  assert.equal(await other.session!.answer(), other.session);
});

test('answer still throws at once where JsSIP does', async () => {
  const page = new Page().connect();
  page.ring();
  page.session!.terminate();
  assert.throws(() => page.session!.answer(), Exceptions.InvalidStateError);
});

test('A failure that only listeners hear is no unhandled rejection', async (context) => {
  let unhandled = 0;
  const count = () => { unhandled += 1; };
  process.on('unhandledRejection', count);
  context.after(() => process.off('unhandledRejection', count));
  const page = new Page().connect();
  page.ring();
  FakePeerConnection.failing.add('createAnswer');
  page.session!.answer();
  await settle();
  page.ua.register();
  page.core.fire({ type: 'registrationFailed', response: null, cause: 'Request Timeout', retryIn: null });
  page.ua.sendMessage('bob', 'hello');
  page.core.fire({ type: 'requestFailed', number: 2, call: null, cause: 'Request Timeout' });
  page.ua.stop();
  await settle();
  assert.equal(page.last.failed.cause, 'WebRTC Error');
  assert.equal(unhandled, 0);
});

test('start resolves when registered; register, unregister and stop when they are done', async () => {
  const page = new Page();
  const started = page.ua.start();
  page.socket.onconnect?.();
  assert.equal(await stateOf(started), 'pending', 'connected is not registered');
  registered(page);
  assert.deepEqual(await stateOf(started), { value: undefined });
  const again = page.ua.register();
  page.core.fire({ type: 'registered', response: OK(), first: false, expires: 600, pubGruu: '', tempGruu: '' });
  assert.equal((await again).status_code, 200);
  const removed = page.ua.unregister();
  assert.equal(await stateOf(removed), 'pending');
  page.core.fire({ type: 'unregistered', response: OK(), cause: null });
  await removed;
  await page.ua.unregister();
  const stopped = page.ua.stop();
  page.socket.ondisconnect?.(false);
  await stopped;
  await page.ua.stop();
});

test('Without registration start resolves when connected', async () => {
  const page = new Page({ register: false });
  const started = page.ua.start();
  assert.equal(await stateOf(started), 'pending');
  page.socket.onconnect?.();
  await started;
});

test('start rejects when the registrar refuses, and when stop is called meanwhile', async () => {
  const page = new Page();
  const started = page.ua.start();
  page.socket.onconnect?.();
  page.core.fire({ type: 'registrationFailed', response: response(403, 'Forbidden', { method: 'REGISTER' }), cause: 'Rejected', retryIn: null });
  await assert.rejects(started, { message: 'the registration failed: Rejected (403 Forbidden)' });
  const other = new Page();
  const waiting = other.ua.start();
  void other.ua.stop();
  await assert.rejects(waiting, { cause: 'Canceled' });
});

test('start goes on waiting when the connection is lost before the registrar has answered', async () => {
  const page = new Page();
  const started = page.ua.start();
  page.socket.onconnect?.();
  page.core.fire({ type: 'registrationFailed', response: null, cause: 'Connection Error', retryIn: null });
  page.socket.ondisconnect?.(true, 1006);
  assert.equal(await stateOf(started), 'pending');
  await page.clock.advance(3000);
  page.socket.onconnect?.();
  registered(page);
  await started;
});

test('What is taken back before the registrar has answered rejects, and unregister waits for the answer', async () => {
  const page = new Page();
  const started = page.ua.start();
  page.socket.onconnect?.();
  const removed = page.ua.unregister();
  await assert.rejects(started, { cause: 'Canceled' });
  assert.equal(await stateOf(removed), 'pending');
  page.core.fire({ type: 'unregistered', response: OK(), cause: null });
  await removed;
});

test('A message has a promise of its response', async () => {
  const page = new Page().connect();
  const message = page.ua.sendMessage('bob', 'hello');
  const { answered } = message;
  const number = page.core.told('request').length;
  assert.equal(number, 1);
  page.core.fire({
    type: 'response', number: 1, call: null, status: 200, response: response(200, 'OK', { method: 'MESSAGE' }), body: '',
  });
  assert.equal((await answered).status_code, 200);
  assert.equal((await message.answered).status_code, 200);
});

test('start during the farewell: stop resolves, for nothing will be closed, and start too', async () => {
  const page = new Page({ register: false }).connect();
  await page.establish();
  const stopped = page.ua.stop();
  assert.equal(await stateOf(stopped), 'pending');
  const started = page.ua.start();
  assert.deepEqual(await stateOf(stopped), { value: undefined });
  assert.deepEqual(await stateOf(started), { value: undefined });
  await page.clock.advance(10_000);
  assert.equal(page.ua.isConnected(), true);
});
