import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountFrom, fragmentCredentials, loadDefaults, uriOf, webSocketAddress } from '../src/model/account.ts';

const PAGE = new URL('http://127.0.0.1:8080/');
const SECURE = new URL('https://phone.example.com/');
const DEFAULTS = { domain: 'example.com', server: 'ws://127.0.0.1:8080/sip' };

const answers = (status: number, body: string) => (async () => new Response(body, { status })) as typeof fetch;

test('the server says domain and WebSocket path in /config.json', async () => {
  const defaults = await loadDefaults(SECURE, answers(200, '{"domain":"example.com","websocket":"/sip"}'));
  assert.deepEqual(defaults, { domain: 'example.com', server: 'wss://phone.example.com/sip' });
});

for (const [name, load] of [
  ['is not there', answers(404, 'no')],
  ['is not JSON', answers(200, '<html>')],
  ['has values of the wrong kind', answers(200, '{"domain":7,"websocket":null}')],
  ['cannot be fetched', (async () => Promise.reject(new TypeError('network'))) as typeof fetch],
] as const) {
  test(`when /config.json ${name}, the page's own address is used`, async () => {
    assert.deepEqual(await loadDefaults(PAGE, load), { domain: '127.0.0.1', server: 'ws://127.0.0.1:8080/sip' });
  });
}

test('a full WebSocket address is kept, an http one translated', () => {
  assert.equal(webSocketAddress('wss://edge.example.com:8443/ws', PAGE), 'wss://edge.example.com:8443/ws');
  assert.equal(webSocketAddress('https://edge.example.com/ws', PAGE), 'wss://edge.example.com/ws');
});

test('a user name alone takes the default domain and server', () => {
  assert.deepEqual(accountFrom({ user: ' alice ', password: 'x' }, DEFAULTS, PAGE), { user: 'alice', domain: 'example.com', password: 'x', server: DEFAULTS.server });
});

test('a whole address brings its own domain', () => {
  const account = accountFrom({ user: 'sip:alice@other.example', password: 'x', domain: 'ignored.example' }, DEFAULTS, PAGE);
  assert.equal(typeof account === 'string' ? account : uriOf(account), 'sip:alice@other.example');
});

for (const [what, fields, error] of [
  ['no user', { user: '', password: 'x' }, 'errorUser'],
  ['a user with a blank', { user: 'a b', password: 'x' }, 'errorUser'],
  ['no password', { user: 'alice', password: '' }, 'errorPassword'],
  ['a server that is no WebSocket', { user: 'alice', password: 'x', server: 'http://example.com' }, 'errorServer'],
  ['a server that is no address', { user: 'alice', password: 'x', server: 'ws://' }, 'errorServer'],
] as const) {
  test(`${what} is told at once`, () => assert.equal(accountFrom(fields, DEFAULTS, PAGE), error));
}

test('a page that came by https cannot use a plain WebSocket, and says so', () => {
  assert.equal(accountFrom({ user: 'alice', password: 'x', server: 'ws://example.com/sip' }, DEFAULTS, SECURE), 'errorMixedContent');
});

for (const [hash, credentials] of [
  ['#alice:secret', { user: 'alice', password: 'secret' }],
  ['#alice%40example.com:s%3Acret%23', { user: 'alice@example.com', password: 's:cret#' }],
  ['#alice:a:b', { user: 'alice', password: 'a:b' }],
  ['#sip:alice:secret', { user: 'alice', password: 'secret' }],
  ['#alice', undefined],
  ['#alice:', undefined],
  ['#:secret', undefined],
  ['#alice:%', undefined],
  ['', undefined],
] as const) {
  test(`the fragment "${hash}" ${credentials ? `signs in ${credentials.user}` : 'signs in nobody'}`, () => {
    assert.deepEqual(fragmentCredentials(hash), credentials);
  });
}
