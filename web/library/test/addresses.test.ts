/** URIs, name-addresses, targets, single headers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C, Grammar, NameAddrHeader, URI, Utils } from './support/library.ts';

test('A SIP URI is read and written', () => {
  const uri = URI.parse('SIP:Al%69ce@Example.COM:5080;Transport=TCP;lr?x-one=1&X-One=2');
  assert.equal(uri?.scheme, 'sip');
  assert.equal(uri?.user, 'Alice');
  assert.equal(uri?.host, 'example.com');
  assert.equal(uri?.port, 5080);
  assert.equal(uri?.getParam('TRANSPORT'), 'TCP');
  assert.equal(uri?.getParam('lr'), null);
  assert.equal(uri?.getParam('absent'), undefined);
  assert.deepEqual(uri?.getHeader('X-ONE'), ['1', '2']);
  assert.equal(uri?.toString(), 'sip:Alice@example.com:5080;transport=TCP;lr?X-One=1&X-One=2');
  assert.equal(uri?.toAor(), 'sip:Alice@example.com');
  assert.equal(uri?.toAor(true), 'sip:Alice@example.com:5080');
});

test('What real peers write is read: a raw # in the user, labels that start with a digit, IPv6', () => {
  assert.equal(URI.parse('sip:12#34@10.0.0.1')?.user, '12#34');
  assert.equal(URI.parse('sip:1@4f5a2b')?.host, '4f5a2b');
  assert.equal(URI.parse('sips:[2001:db8::1]:5061')?.port, 5061);
});

test('What is no SIP URI is undefined', () => {
  for (const text of ['', 'alice', 'sip:', 'sip:@example.com', 'tel:+34', 'sip:a b@c', 'sip:a@b:99999', 'sip:a@b>', 'sip:%zz@b', 'sip:a@b\r\nX: 1']) {
    assert.equal(URI.parse(text), undefined, text);
  }
});

test('An @ may stand in a parameter of a URI without user, or in a user', () => {
  assert.equal(URI.parse('sip:example.com;x=a@')?.host, 'example.com');
  assert.equal(URI.parse('sip:a;x=1@b')?.user, 'a;x=1');
  assert.equal(URI.parse('sip:a?b@c')?.user, 'a?b');
});

test('Hosts end with a letter, a digit, or one dot', () => {
  for (const host of ['a', 'a.', 'a_', 'a-b.c', '1.2.3.4', '[::1]']) assert.equal(URI.parse(`sip:u@${host}:5060;lr`)?.host, host);
  for (const host of ['a-', 'a..', '.a', '-a', '[::1', '[g]', 'ä']) assert.equal(URI.parse(`sip:u@${host}:5060;lr`), undefined, host);
  for (const port of ['', 'x', '123456', '65536']) assert.equal(URI.parse(`sip:u@h:${port}`), undefined, port);
});

test('A name that is not closed, or stands where none may stand, makes no name-address', () => {
  for (const text of ['"Bob <sip:a@b>', '"Bob" x <sip:a@b>', 'Bob "x" <sip:a@b>', '<sip:a@b', '"\\" <sip:a@b>', '']) {
    assert.equal(NameAddrHeader.parse(text), undefined, text);
  }
  assert.equal(NameAddrHeader.parse('"\\\\"<sip:a@b>')?.display_name, '\\');
  assert.equal(NameAddrHeader.parse('Bob Builder  <sip:a@b>')?.display_name, 'Bob Builder');
});

test('A URI is built, changed and cloned', () => {
  const uri = new URI(null, 'bob smith', 'Example.com', 0, { lr: null, q: 5 });
  assert.equal(uri.toString(), 'sip:bob%20smith@example.com:0;lr;q=5');
  const clone = uri.clone();
  clone.user = null;
  clone.deleteParam('LR');
  clone.setHeader('subject', 'a b');
  assert.equal(clone.toString(), 'sip:example.com:0;q=5?Subject=a%20b');
  clone.setHeader('Replaces', 'a%3Bto-tag%3D1');
  assert.equal(clone.toString(), 'sip:example.com:0;q=5?Subject=a%20b&Replaces=a%3Bto-tag%3D1', 'escaped once, as pages of JsSIP have it');
  assert.equal(uri.hasParam('lr'), true);
  assert.throws(() => new URI('sip', 'a', ''), TypeError);
});

test('A name-address is read and written', () => {
  const header = NameAddrHeader.parse('"Al \\"x\\" <1>" <sip:alice@example.com;lr>;tag=a;b="c;d"');
  assert.equal(header?.display_name, 'Al "x" <1>');
  assert.equal(header?.uri.hasParam('lr'), true);
  assert.equal(header?.getParam('tag'), 'a');
  assert.equal(header?.toString(), '"Al \\"x\\" <1>" <sip:alice@example.com;lr>;tag=a;b="c;d"');
});

test('Without brackets the parameters belong to the header', () => {
  const header = NameAddrHeader.parse('sip:alice@example.com;tag=a');
  assert.equal(header?.uri.toString(), 'sip:alice@example.com');
  assert.equal(header?.getParam('tag'), 'a');
  assert.equal(NameAddrHeader.parse('nobody'), undefined);
});

test('What a person dials becomes a URI', () => {
  const dial = (text: string) => Utils.normalizeTarget(text, 'example.com')?.toString();
  assert.equal(dial('bob'), 'sip:bob@example.com');
  assert.equal(dial('sip:bob@other.org;x=1'), 'sip:bob@other.org;x=1');
  assert.equal(dial('tel:+1-(23) 4.5'), 'sip:+12345@example.com');
  assert.equal(dial('bob@other.org:5080'), 'sip:bob@other.org:5080');
  assert.equal(dial('a@b@other.org'), 'sip:a%40b@other.org');
  assert.equal(dial('  '), undefined);
  assert.equal(Utils.normalizeTarget('bob'), undefined);
});

test('Single headers are taken apart', () => {
  const via = Grammar.parse('SIP/2.0/WS x.invalid:5060;branch=z9hG4bK1;rport=3;received=10.0.0.1', 'Via');
  assert.ok(via !== -1);
  assert.deepEqual([via.transport, via.host_type, via.port, via.branch, via.rport], ['WS', 'domain', 5060, 'z9hG4bK1', 3]);
  const contacts = Grammar.parse('"A, B" <sip:a@b>;q=1, <sip:c@d>', 'Contact');
  assert.ok(contacts !== -1);
  assert.deepEqual(contacts.map((each) => each.parsed.uri.user), ['a', 'c']);
  assert.deepEqual(Grammar.parse('7 INVITE', 'CSeq'), { value: 7, method: 'INVITE' });
  assert.deepEqual(Grammar.parse('x@y;to-tag=1;from-tag=2;early-only', 'Replaces'), { call_id: 'x@y', to_tag: '1', from_tag: '2', early_only: true });
  const reason = Grammar.parse('SIP ;cause=200;text="Call completed elsewhere"', 'Reason');
  assert.ok(reason !== -1);
  assert.deepEqual([reason.protocol, reason.cause, reason.text], ['sip', 200, 'Call completed elsewhere']);
  const challenge = Grammar.parse('Digest realm="a, b", nonce="c", qop="auth,auth-int", algorithm=md5, stale=TRUE', 'WWW_Authenticate');
  assert.ok(challenge !== -1);
  assert.deepEqual([challenge.realm, challenge.qop, challenge.algorithm, challenge.stale], ['a, b', ['auth', 'auth-int'], 'MD5', true]);
  assert.deepEqual(Grammar.parse('SIP/2.0 180 Ringing', 'Status_Line'), { status_code: 180, reason_phrase: 'Ringing' });
  assert.equal(Grammar.parse('nonsense', 'CSeq'), -1);
  assert.equal(Grammar.parse('x', 'No_Such_Rule' as 'CSeq'), -1);
});

test('Statuses have the causes that JsSIP gives them', () => {
  const { causes } = C;
  assert.equal(Utils.sipErrorCause(486), causes.BUSY);
  assert.deepEqual(C.SIP_ERROR_CAUSES.BUSY, [486, 600]);
  assert.deepEqual(Utils.cloneObject(undefined, { a: 1 }), { a: 1 });
  assert.equal(Utils.sipErrorCause(603), causes.REJECTED);
  assert.equal(Utils.sipErrorCause(480), causes.UNAVAILABLE);
  assert.equal(Utils.sipErrorCause(407), causes.AUTHENTICATION_ERROR);
  assert.equal(Utils.sipErrorCause(500), causes.SIP_FAILURE_CODE);
});

test('Random names are of the asked size and kind', () => {
  assert.match(Utils.createRandomToken(12), /^[0-9a-v]{12}$/);
  assert.match(Utils.createRandomToken(9, 10), /^[0-9]{9}$/);
  assert.match(Utils.newUUID(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('Utils.isDecimal knows whole numbers, as JsSIP does', () => {
  assert.deepEqual([7, '7', '7.0', ' 7', -1].map(Utils.isDecimal), Array(5).fill(true));
  assert.deepEqual([1.5, '1.5', 'a', '', null, undefined, Infinity].map(Utils.isDecimal), Array(7).fill(false));
});

test('Of several reasons in one header (RFC 3326) the first is read, with nothing of the others', () => {
  const read: any = Grammar.parse('Q.850;cause=16;text="Normal, clearing", SIP;cause=200', 'Reason');
  assert.deepEqual([read.protocol, read.cause, read.text], ['q.850', 16, 'Normal, clearing']);
});
