/** A laptop that sleeps: its clock goes on meanwhile, its timers do not. With the real core. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { steadyClock } from '../src/clock.ts';
import { settle } from './support/clock.ts';
import { type Sip, one } from './support/far_end.ts';
import { Scene, options } from './support/scene.ts';

const AN_HOUR = 3_600_000;
/** So long after waking up a timer rings at the latest. */
const STRETCH = 20_000;

function grant(scene: Scene, register: Sip): void {
  scene.far.respond(register, 200, 'OK', [`Contact: ${one(register, 'Contact')};expires=600`]);
}

async function registered(): Promise<Scene> {
  const scene = await new Scene({ register: true }).start();
  grant(scene, scene.far.take('REGISTER'));
  scene.news();
  return scene;
}

const isPing = ({ start, headers }: Sip) => start === '' && headers.length === 0;

test('A registration that ran out meanwhile is renewed over a connection that still stands', options, async () => {
  const scene = await registered();
  scene.clock.sleep(AN_HOUR);
  await scene.clock.advance(STRETCH);
  assert.equal(scene.far.inbox.filter(isPing).length, 1);
  scene.far.ondata?.('\r\n');
  grant(scene, scene.far.take('REGISTER'));
  await scene.clock.advance(10_000);
  assert.deepEqual(scene.news(), ['unregistered Expires', 'registered']);
});

test('A connection that gives no sign of life is replaced, and the page is registered over the new one', options, async () => {
  const scene = await registered();
  scene.clock.sleep(AN_HOUR);
  await scene.clock.advance(STRETCH + 2_500);
  assert.deepEqual(scene.news().slice(-2), ['disconnected', 'connected']);
  const register = scene.far.inbox.filter(({ method }) => method === 'REGISTER').at(-1);
  grant(scene, register!);
  await settle();
  assert.equal(scene.ua.isRegistered(), true);
});

test('What was published and what was subscribed to is asked for soon after waking, not when the time that was left has passed', options, async () => {
  const scene = await registered();
  void scene.ua.publisher('alice', 'presence').publish({ state: 'busy' });
  scene.far.respond(scene.far.take('PUBLISH'), 200, 'OK', ['SIP-ETag: a', 'Expires: 900']);
  scene.ua.subscribe('bob', 'presence', 'application/pidf+xml').subscribe();
  scene.far.respond(scene.far.take('SUBSCRIBE'), 200, 'OK', ['Expires: 900', 'Contact: <sip:bob@far.example>']);
  await settle();
  scene.clock.sleep(AN_HOUR);
  await scene.clock.advance(STRETCH);
  assert.equal(one(scene.far.take('PUBLISH'), 'SIP-If-Match'), 'a');
  assert.ok(scene.far.take('SUBSCRIBE'));
});

test('Half a minute is no sleep: a hidden page may have to wait so long for its timers', options, async () => {
  const scene = await registered();
  scene.clock.sleep(30_000);
  await scene.clock.advance(STRETCH);
  assert.deepEqual(scene.far.inbox, []);
});

test('The clock counts the sleep of the machine and is never set back', (context) => {
  let [steady, wall] = [5_000, 1_700_000_000_000];
  context.mock.method(performance, 'now', () => steady);
  context.mock.method(Date, 'now', () => wall);
  const now = steadyClock();
  steady += 1_000;
  wall += 1_000;
  assert.equal(now(), 1_000);
  wall += AN_HOUR;
  assert.equal(now(), 1_000 + AN_HOUR, 'it slept');
  wall -= 2 * AN_HOUR;
  steady += 500;
  assert.equal(now(), 1_500 + AN_HOUR, 'it was set back');
});
