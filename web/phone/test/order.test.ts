// Who calls names himself: what he writes is read in the order in which it stands, and so is what stands around it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filled } from '../../element/src/texts.ts';
import { linkTarget } from '../src/model/links.ts';
import { addressLine, dial, initials, nameOf, userOf } from '../src/model/peer.ts';
import { text } from '../src/text/index.ts';

/** Left and right of a letter that turns the order. */
const TURNING = ['\u061c', '\u200e', '\u200f', '\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069'];

/** A name in Hebrew, with a digit. */
const AVI = '\u05d0\u05d1\u05d9 2';

test('a name is shown without the letters that turn its order', () => {
  for (const letter of TURNING) assert.equal(nameOf({ uri: 'sip:eve@evil.example', name: `${letter}Bob ${letter}Martin` }), 'Bob Martin');
  assert.equal(initials({ uri: 'sip:eve@evil.example', name: '\u202eBob' }), 'B');
});

test('a name of which nothing is left is none', () => {
  assert.equal(nameOf({ uri: 'sip:eve@evil.example', name: '\u202e \u202c' }), 'eve');
});

test('an address with such letters is shown as it is written in the message, and is nobody else', () => {
  const peer = { uri: 'sip:%E2%80%AEbob@example.com' };
  assert.equal(userOf(peer.uri), '%E2%80%AEbob');
  assert.equal(addressLine(peer, 'example.com'), '%E2%80%AEbob');
  assert.equal(nameOf(peer), '%E2%80%AEbob');
});

test('a number that was copied together with such letters is the number', () => {
  assert.deepEqual(dial('\u202a+34 911 234 567\u202c', 'example.com'), { peer: { uri: 'sip:+34911234567@example.com' } });
});

test('a link calls what it shows', () => {
  assert.equal(linkTarget(new URL('https://page.example/?call=bob%E2%80%AE')), 'bob');
});

test('in a sentence a name that is read from the right is a piece of its own, and other names stand as they are', () => {
  assert.equal(text('waitingCall', { peer: AVI }), `\u2068${AVI}\u2069 is calling`);
  assert.equal(text('waitingCall', { peer: 'Bob\u202e' }), 'Bob is calling');
  assert.equal(filled('{peer} is calling', { peer: `${AVI}\u202e` }), `\u2068${AVI}\u2069 is calling`);
  assert.equal(text('waitingCall', { peer: `\u2067${AVI}` }), `\u2068${AVI}\u2069 is calling`);
});
