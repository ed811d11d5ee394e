// What somebody says of himself, as a document and back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPresence, STATES, writePresence } from '../src/model/pidf.ts';

test('what one page writes the other one reads: each state, and a note with letters that XML keeps for itself', () => {
  for (const said of STATES) {
    for (const note of ['', 'At lunch', '<b>"Tom" & Jerry\'s</b> ñ 🍝']) {
      assert.deepEqual(readPresence(writePresence('sip:bob@example.com', said, note)), { gone: false, said, note });
    }
  }
});

test('a watcher who knows nothing of what people do reads whether they take calls', () => {
  const basic = (said: (typeof STATES)[number]) => /<basic>(\w+)</.exec(writePresence('sip:bob@example.com', said, ''))?.[1];
  assert.deepEqual(STATES.map(basic), ['open', 'open', 'open', 'closed']);
});

test('a server or a phone that says only open or closed is understood', () => {
  assert.deepEqual(readPresence('<presence><tuple id="1"><status><basic>open</basic></status></tuple></presence>'), { gone: false, said: 'available', note: '' });
  assert.deepEqual(readPresence('<presence><tuple id="1"><status><basic>closed</basic></status></tuple></presence>'), { gone: true, said: 'available', note: '' });
  assert.deepEqual(readPresence(''), { gone: true, said: 'available', note: '' });
});

test('who is closed and away is gone, whatever his reason', () => {
  assert.equal(readPresence('<p:basic>closed</p:basic><r:activities><r:vacation/></r:activities>').gone, true);
});

test('activities of other phones are told as away or busy, under any prefix', () => {
  const doing = (what: string) => readPresence(`<basic>open</basic><r:activities from="x"><r:${what}/></r:activities>`).said;
  assert.deepEqual(['meal', 'vacation', 'meeting', 'on-the-phone', 'worship'].map(doing), ['away', 'away', 'busy', 'busy', 'available']);
});

test('a word in a note is not an activity', () => {
  assert.equal(readPresence('<basic>open</basic><note>&lt;busy/&gt; <busy/></note>').said, 'available');
});

test('a note of another phone is one short line', () => {
  const { note } = readPresence(`<basic>open</basic><note xml:lang="en">\n  In   room&#32;&#x37;&amp;8 ${'x'.repeat(200)}</note>`);
  assert.equal(note.length, 80);
  assert.ok(note.startsWith('In room 7&8 x'));
  assert.equal(readPresence('<basic>open</basic><note>&#0;&#x110000;&unknown;</note>').note, '&#0;&#x110000;&unknown;');
});
