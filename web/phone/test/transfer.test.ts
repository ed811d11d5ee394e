// A transfer whose other side says how it goes, or does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handlers, Session } from '../src/model/library.ts';
import { Transfer } from '../src/model/transfer.ts';

/** A transfer that was asked for, and what its NOTIFYs and responses call. */
function asked(): { transfer: Transfer; told: string[]; say: Handlers } {
  const told: string[] = [];
  let say: Handlers = {};
  const transfer: Transfer = new Transfer({ uri: 'sip:carmen@example.com' }, () => told.push(transfer.state));
  transfer.ask({ refer: (_target: string, { eventHandlers }: { eventHandlers: Handlers }) => { say = eventHandlers; } } as unknown as Session);
  return { transfer, told, say };
}

test('a transfer of which nothing is heard for a minute is no longer said to be under way', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { transfer, told, say } = asked();
  t.mock.timers.tick(20_000);
  say.requestSucceeded!({});
  t.mock.timers.tick(59_999);
  assert.equal(transfer.state, 'asked');
  t.mock.timers.tick(1);
  assert.deepEqual(told, ['silent']);
});

test('as long as news come of a transfer it is under way', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { transfer, say } = asked();
  for (let at = 0; at < 5; at += 1) {
    t.mock.timers.tick(50_000);
    say.progress!({});
  }
  assert.equal(transfer.state, 'asked');
});

test('what comes late of a transfer counts all the same', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const [event, state] of [['accepted', 'done'], ['failed', 'failed']] as const) {
    const { told, say } = asked();
    t.mock.timers.tick(60_000);
    say[event]!({});
    assert.deepEqual(told, ['silent', state]);
  }
});

test('a transfer that has ended stays so', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { told, say } = asked();
  say.failed!({});
  say.progress!({});
  t.mock.timers.tick(600_000);
  assert.deepEqual(told, ['failed']);
});
