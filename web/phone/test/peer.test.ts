import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressLine, dial, fieldText, hueOf, initials, nameOf, plainUri } from '../src/model/peer.ts';

const KNOWN = [{ uri: 'sip:200@example.com', name: 'Front Desk' }];

/** What is typed, and whom it calls in the domain example.com. */
const DIALLED: [string, string][] = [
  ['bob', 'sip:bob@example.com'],
  [' bob ', 'sip:bob@example.com'],
  ['200', 'sip:200@example.com'],
  ['+34 911-23 (45) 67', 'sip:+34911234567@example.com'],
  ['tel:+34 911 234 567', 'sip:+34911234567@example.com'],
  ['tel:+34-911-234;phone-context=example.org', 'sip:+34911234@example.com'],
  ['TEL:%2B34911', 'sip:+34911@example.com'],
  ['sip:bob@example.com;transport=tcp?Replaces=a&Subject=b', 'sip:bob@example.com;transport=tcp'],
  ['sip:bob@example.com?Route=%3Csip:evil.example%3E', 'sip:bob@example.com'],
  ['*97#', 'sip:*97%23@example.com'],
  ['bob@other.example', 'sip:bob@other.example'],
  ['sip:bob@192.0.2.7:5080', 'sip:bob@192.0.2.7:5080'],
  ['SIP:bob@[2001:db8::1]', 'sip:bob@[2001:db8::1]'],
  ['sips:bob@example.com;transport=tcp', 'sips:bob@example.com;transport=tcp'],
  ['josé', 'sip:jos%C3%A9@example.com'],
  ['front desk', 'sip:200@example.com'],
];

for (const [typed, uri] of DIALLED) {
  test(`dialling "${typed}" calls ${uri}`, () => {
    const found = dial(typed, 'example.com', KNOWN);
    assert.deepEqual('peer' in found ? found.peer.uri : found.error, uri);
  });
}

for (const typed of ['', 'tel:bob', 'tel:', '   ', 'two words', 'bob@', 'sip:', 'sip:bob@exa mple', '<bob>@example.com', 'bob@example.com\r\nEvil: 1']) {
  test(`dialling ${JSON.stringify(typed)} is refused before anything is sent`, () => {
    assert.deepEqual(dial(typed, 'example.com'), { error: 'errorTarget' });
  });
}

test('nobody calls himself', () => {
  assert.deepEqual(dial('alice', 'example.com', [], 'sip:alice@example.com'), { error: 'errorSelf' });
});

test('a known number is shown by its name', () => {
  assert.deepEqual(dial('200', 'example.com', KNOWN), { peer: KNOWN[0] });
});

test('parameters and the case of the host do not make another person', () => {
  assert.equal(plainUri('sip:bob@Example.COM;transport=ws;gr=urn:uuid:1'), 'sip:bob@example.com');
});

test('the second line leaves out our own domain', () => {
  assert.equal(addressLine({ uri: 'sip:bob@example.com' }, 'example.com'), 'bob');
  assert.equal(addressLine({ uri: 'sip:bob@other.example' }, 'example.com'), 'bob@other.example');
});

/** Who is chosen, and what then stands in the field. */
const CHOSEN: [string, string][] = [
  ['sip:bob@example.com', 'bob'],
  ['sip:bob@other.example', 'bob@other.example'],
  ['sips:bob@example.com', 'sips:bob@example.com'],
  ['sip:bob@example.com;user=phone', 'sip:bob@example.com;user=phone'],
  // The name of somebody else is his.
  ['sip:front%20desk@example.com', 'sip:front%20desk@example.com'],
  ['sip:example.com', 'sip:example.com'],
];

for (const [uri, words] of CHOSEN) {
  test(`who is ${uri} stands in a field as "${words}", and is called as that`, () => {
    assert.equal(fieldText({ uri }, 'example.com', KNOWN), words);
    assert.deepEqual(dial(words, 'example.com', KNOWN), { peer: { uri } });
  });
}

test('people without a name are called by their user part, as people write it', () => {
  assert.equal(nameOf({ uri: 'sip:jos%C3%A9@example.com' }), 'josé');
  assert.equal(nameOf({ uri: 'sip:pbx.example.com' }), 'pbx.example.com');
});

test('the round picture shows one or two letters, and # for numbers', () => {
  assert.equal(initials({ uri: 'sip:x@y', name: 'Bob Martin' }), 'BM');
  assert.equal(initials({ uri: 'sip:bob@example.com' }), 'B');
  assert.equal(initials({ uri: 'sip:+34911@example.com' }), '#');
});

test('the colour of a person never changes', () => {
  assert.equal(hueOf({ uri: 'sip:bob@example.com' }), hueOf({ uri: 'sip:bob@EXAMPLE.com;transport=ws', name: 'Bob' }));
});

for (const user of ['+4989777;verstat=TN-Validation-Passed', '+4989777%3Bverstat%3DNo-TN-Validation']) {
  test(`what a server has found out about a number is no part of it: ${user}`, () => {
    const uri = plainUri(`sip:${user}@c.example;user=phone`);
    assert.equal(uri, 'sip:+4989777@c.example');
    assert.equal(nameOf({ uri }), '+4989777');
  });
}
