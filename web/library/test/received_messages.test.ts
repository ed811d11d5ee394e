/** What pages read of a message: fields under all their names, addresses, whatever the octets. Needs the WebAssembly module. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { library, options } from './support/scene.ts';

/** A request with these further lines and this body. */
function request(lines: string[], body = ''): string {
  return [
    'MESSAGE sip:alice@example.com SIP/2.0', 'Via: SIP/2.0/WS far.example;branch=z9hG4bK1', 'Max-Forwards: 70', 'From: <sip:bob@example.com>;tag=b',
    'To: <sip:alice@example.com>', 'Call-ID: log@far', 'CSeq: 1 MESSAGE', ...lines, `Content-Length: ${new TextEncoder().encode(body).length}`, '', body,
  ].join('\r\n');
}

function read(text: string | Uint8Array) {
  const message = library!.parseMessage(text);
  assert.ok(message !== undefined && 'ruri' in message);
  return message;
}

test('A field is found in any case, long or compact, and with an underscore for its hyphen', options, () => {
  const message = read(request(['sUBJECT: one', 's: two', 'Subject : three', 'X_Shop: four']));
  assert.equal(message.getHeader('subject'), 'one');
  assert.deepEqual(message.getHeaders('S'), ['one', 'two', 'three']);
  assert.equal(message.getHeader('x-shop'), 'four');
  assert.equal(message.parseHeader('CALL_ID'), 'log@far');
});

test('A name that begins or ends as another one is another name', options, () => {
  const message = read(request(['X-Subject: one', 'Subject-X: two', 'Sub: three']));
  assert.equal(message.getHeader('Subject'), undefined);
  assert.deepEqual([message.getHeader('X-Subject'), message.getHeader('Subject-X'), message.getHeader('Sub')], ['one', 'two', 'three']);
});

test('Names with the same hash are told apart', options, () => {
  const message = read(request(['X-as: one', 'X-cs: two']));
  assert.deepEqual([message.getHeader('X-as'), message.getHeader('X-cs')], ['one', 'two']);
  assert.deepEqual(read(request(['X-as: one'])).getHeaders('X-cs'), []);
});

test('A folded field is one line, wherever it is folded', options, () => {
  const message = read(request(['Subject: one', '\t two ', '  three', 'Contact:', ' <sip:bob@far.example>'], 'a\r\n b'));
  assert.equal(message.getHeader('Subject'), 'one two  three');
  assert.equal(message.getHeader('Contact'), '<sip:bob@far.example>');
  assert.equal(message.getHeader('To'), '<sip:alice@example.com>', 'one before it');
  assert.equal(message.body, 'a\r\n b', 'the body is no field');
});

test('Several values in one field and in several are one list, in order', options, () => {
  const message = read(request(['Contact: "A, B" <sip:a@h;x=1,2>;q=1, <sip:b@h>', 'Subject: between', 'm: sip:c@h']));
  assert.deepEqual(message.getHeaders('Contact'), ['"A, B" <sip:a@h;x=1,2>;q=1', '<sip:b@h>', 'sip:c@h']);
  assert.equal(message.countHeader('m'), 3);
  assert.deepEqual(message.message.headers('Contact'), ['"A, B" <sip:a@h;x=1,2>;q=1, <sip:b@h>', 'sip:c@h'], 'fields as they came');
});

test('Text that is not ASCII moves nothing, and octets that are no UTF-8 are shown as such', options, () => {
  const text = request(['Subject: Grüße 🙂', 'X-Last: ü'], 'Tschüß');
  for (const form of [text, new TextEncoder().encode(text)]) {
    const message = read(form);
    assert.deepEqual([message.getHeader('Subject'), message.getHeader('X-Last'), message.body], ['Grüße 🙂', 'ü', 'Tschüß']);
  }
  const bytes = Uint8Array.from(request(['Subject: \u00fc', 'X-Last: 1']), (letter) => letter.charCodeAt(0));
  assert.deepEqual([read(bytes).getHeader('Subject'), read(bytes).getHeader('X-Last')], ['\ufffd', '1']);
});

test('Messages of all lengths follow each other, whatever their octets', options, () => {
  for (const body of ['x'.repeat(5000), 'é', '', 'x'.repeat(40), '☎'.repeat(3000), '☎', 'x'.repeat(60_000), 'é'.repeat(30_000), 'x']) {
    assert.equal(read(request(['Subject: é'], body)).body, body);
    assert.equal(read(request([], body)).body, body);
    assert.equal(read(new TextEncoder().encode(request([], body))).body, body);
  }
});

test('Octets that are read are those of that time', options, () => {
  const octets = Buffer.from(request([], 'before'));
  const message = read(octets);
  octets.fill('x');
  read(request([], 'behind'));
  assert.equal(message.body, 'before');
});

test('Values may be empty, and have no space or much of it around them', options, () => {
  const message = read(request(['Subject:', 'X-One:one', 'X-Two: \t two\t ']));
  assert.deepEqual(['Subject', 'X-One', 'X-Two'].map((name) => message.getHeader(name)), ['', 'one', 'two']);
});

test('What stands around a message in a log is no part of it', options, () => {
  const plain = read(`\r\n\r\n${request([], 'text')}more`);
  assert.deepEqual([plain.method, plain.call_id, plain.body], ['MESSAGE', 'log@far', 'text']);
  const other = read(`\r\n${request([], 'töxt')}more`);
  assert.deepEqual([other.method, other.body, other.data.length], ['MESSAGE', 'töxt', request([], 'töxt').length]);
});

test('Tag and branch are found however they are written, and never in a name or a URI', options, () => {
  const from = (value: string) => read(request([]).replace('<sip:bob@example.com>;tag=b', value)).from_tag;
  assert.deepEqual(
    ['<sip:bob@h>;x=1;tag=b;y', '<sip:bob@h>; TAG = b ;y', '"b;tag=n" <sip:bob@h;tag=u>;tag=b', '<sip:bob@h>;my-tag=c;tag=b', 'sip:bob@h;tag=b'].map(from),
    ['b', 'b', 'b', 'b', 'b'],
  );
  assert.equal(from('<sip:bob@h;tag=u>;tagged=1'), '', 'a request of RFC 2543 has none');
  const via = (value: string) => read(request([]).replace('far.example;branch=z9hG4bK1', value)).via_branch;
  assert.deepEqual(['h;branch=z9hG4bK1, SIP/2.0/WS i;branch=z9hG4bK2', 'h;rport ;\tBranch=z9hG4bK1;x'].map(via), ['z9hG4bK1', 'z9hG4bK1']);
});

test('The parameters of a received address can be read, changed and copied', options, () => {
  const from = read(request(['Contact: "B" <sip:b@h:5070;Transport=WS;lr>;+x="a;b";q=1'])).parseHeader('Contact') as { uri: any } & any;
  assert.equal(from.getParam('+X'), '"a;b"');
  assert.equal(from.uri.getParam('transport'), 'WS');
  from.uri.setParam('x', '1');
  from.deleteParam('q');
  assert.equal(String(from.clone()), '"B" <sip:b@h:5070;transport=WS;lr;x=1>;+x="a;b"');
  from.uri.clearParams();
  assert.equal(String(from.uri), 'sip:b@h:5070');
});

test('A caller who is a number has a name, a number and a host to call back at', options, () => {
  const from = (value: string) => read(request([]).replace('<sip:bob@example.com>;tag=b', value)).from;
  const anna = from('"Anna" <tel:+49-89-777;ext=1>;tag=x');
  assert.deepEqual([anna.display_name, String(anna.uri), anna.getParam('tag')], ['Anna', 'sip:+4989777@example.com;user=phone', 'x']);
  const bare = from('tel:+49;tag=x');
  assert.deepEqual([String(bare.uri), bare.getParam('tag')], ['sip:+49@example.com', 'x']);
});
