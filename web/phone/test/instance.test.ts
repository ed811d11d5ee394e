import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceOf } from '../src/instance.ts';

const URI = 'sip:alice@example.com';

/** A tab with this in its storage, in place of the one before. Says what happens to it. */
function tab(kept: Map<string, string>): (event: string, more?: object) => void {
  const listeners: [string, (event: object) => void][] = [];
  Object.assign(globalThis, {
    sessionStorage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
      removeItem: (key: string) => kept.delete(key),
    },
    addEventListener: (name: string, listener: (event: object) => void) => listeners.push([name, listener]),
  });
  return (event, more = {}) => listeners.filter(([name]) => name === event).forEach(([, listener]) => listener(more));
}

test('a tab that is loaded anew is the same device, and one of another user is not', () => {
  const kept = new Map<string, string>();
  const happens = tab(kept);
  const instance = instanceOf(URI);
  happens('pagehide');
  tab(kept);
  assert.equal(instanceOf(URI), instance);
  assert.notEqual(instanceOf('sip:bob@example.com'), instance);
});

test('a tab that is doubled is another device', () => {
  const kept = new Map<string, string>();
  const happens = tab(kept);
  const instance = instanceOf(URI);
  happens('pagehide');
  happens('pageshow', { persisted: true });
  tab(new Map(kept));
  assert.notEqual(instanceOf(URI), instance);
});
