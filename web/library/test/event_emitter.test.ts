/** Listeners, with all the methods that Node's emitter has: pages of JsSIP use them on user agents and calls. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventEmitter } from '../src/events.ts';

type Events = { rang: [times: number]; over: [] };

test('Listeners are called in the order in which they stand, and those put in front first', () => {
  const emitter = new EventEmitter<Events>();
  const heard: string[] = [];
  emitter.on('rang', (times) => heard.push(`second ${times}`));
  emitter.prependListener('rang', () => heard.push('first'));
  emitter.prependOnceListener('rang', () => heard.push('once'));
  assert.equal(emitter.emit('rang', 1), true);
  assert.equal(emitter.emit('rang', 2), true);
  assert.equal(emitter.emit('over'), false);
  assert.deepEqual(heard, ['once', 'first', 'second 1', 'first', 'second 2']);
});

test('What is listened to can be asked; there may be as many listeners as the page likes', () => {
  const emitter = new EventEmitter<Events>();
  const listener = (): void => undefined;
  assert.equal(emitter.setMaxListeners(1), emitter);
  assert.equal(emitter.getMaxListeners(), Infinity);
  emitter.on('over', listener).once('over', listener).on('rang', listener).off('rang', listener);
  assert.deepEqual(emitter.eventNames(), ['over']);
  assert.deepEqual(emitter.rawListeners('over'), [listener, listener]);
});
