/** STUN and TURN servers that the server tells with a registration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page, response, settle } from './support/page.ts';

const AUDIO = { mediaConstraints: { audio: true, video: false } };
const STUN = { urls: 'stun:stun.example.com' };

const turn = (end: number) => ({ urls: 'turns:turn.example.com:443?transport=tcp', username: `${end}:alice@example.com`, credential: `a+/${end}=` });
const written = (end: number) => `Ice-Server: <${turn(end).urls}>;username="${turn(end).username}";credential="${turn(end).credential}"`;

function registered(page: Page, ...headers: string[]): void {
  const granted = response(200, 'OK', { method: 'REGISTER', headers } as any);
  page.core.fire({ type: 'registered', response: granted, first: true, expires: 600, pubGruu: '', tempGruu: '' });
}

test('A call has the servers that the last registration told', async () => {
  const page = new Page().connect();
  registered(page, 'Ice-Server: <stun:stun.example.com>', written(1));
  page.ua.call('bob', AUDIO);
  await settle();
  assert.deepEqual(page.connection.configuration?.iceServers, [STUN, turn(1)]);
});

test('Without such a header, and before a registration, there are none', async () => {
  const page = new Page().connect();
  page.ua.call('bob', AUDIO);
  await settle();
  assert.deepEqual(page.connection.configuration?.iceServers, []);
  registered(page, written(1));
  registered(page);
  page.ua.call('bob', AUDIO);
  await settle();
  assert.deepEqual(page.connection.configuration?.iceServers, []);
});

test('The page\'s own servers go before; other settings of the page stand beside those that were told', async () => {
  const page = new Page().connect();
  registered(page, written(1));
  page.ua.call('bob', { ...AUDIO, pcConfig: { iceServers: [STUN] } });
  await settle();
  assert.deepEqual(page.connection.configuration, { iceServers: [STUN] });
  page.ua.call('bob', { ...AUDIO, pcConfig: { iceTransportPolicy: 'relay' } });
  await settle();
  assert.deepEqual(page.connection.configuration, { iceServers: [turn(1)], iceTransportPolicy: 'relay' });
});

test('A path that is repaired in a long call has the newest password', async () => {
  const page = new Page().connect();
  registered(page, written(1));
  await page.establish();
  registered(page, written(2));
  page.connection.ice('failed');
  await settle();
  assert.ok(page.connection.done.includes('iceRestart'));
  assert.deepEqual(page.connection.configuration?.iceServers, [turn(2)]);
});

test('What is no server that a browser takes is left out', async () => {
  const page = new Page().connect();
  registered(page, 'Ice-Server: <https://example.com>', 'Ice-Server: <turn:turn.example.com>', 'Ice-Server: turn', 'Ice-Server: <stun:stun.example.com>');
  page.ua.call('bob', AUDIO);
  await settle();
  assert.deepEqual(page.connection.configuration?.iceServers, [STUN]);
});
