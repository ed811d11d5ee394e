/** Parameters of the user agent, events, messages: what a page hands in and reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeSetting, loadConfiguration } from '../src/configuration.ts';
import { environmentOf } from '../src/environment.ts';
import { EventEmitter } from '../src/events.ts';
import { FakeSocket, request } from './support/page.ts';
import { Exceptions, UA, debug } from './support/library.ts';

const MINIMUM = () => ({ sockets: new FakeSocket() as any, uri: 'alice@example.com' });

test('Two parameters are enough; the rest has JsSIP\'s defaults', () => {
  const { settings, sockets } = loadConfiguration(MINIMUM());
  assert.equal(sockets.length, 1);
  assert.equal(settings.uri.toString(), 'sip:alice@example.com');
  assert.equal(settings.authorization_user, 'alice');
  assert.equal(settings.register, true);
  assert.equal(settings.register_expires, 600);
  assert.equal(settings.no_answer_timeout, 60_000);
  assert.equal(settings.session_timers, true);
  assert.equal(settings.session_timers_refresh_method, 'UPDATE');
  assert.equal(settings.registrar_server.toString(), 'sip:example.com');
  assert.equal(settings.connection_recovery_min_interval, 2);
  assert.equal(settings.connection_recovery_max_interval, 30);
  assert.equal(settings.hostport_params, 'example.com');
});

test('A parameter that is missing or wrong is named', () => {
  const bad: [string, unknown][] = [
    ['sockets', undefined], ['sockets', []], ['sockets', {}], ['sockets', [{ socket: {} }]], ['uri', ''], ['uri', 'example.com'], ['uri', 5],
    ['contact_uri', 'nonsense'], ['instance_id', 'x'], ['session_timers', 'yes'], ['session_timers_refresh_method', 'BYE'],
    ['no_answer_timeout', -1], ['no_answer_timeout', 0.5], ['register_expires', 1.5], ['register_expires', 'soon'], ['registrar_server', 'sip:user@example.com'],
    ['connection_recovery_min_interval', 0], ['extra_headers', 'X: 1'], ['extra_headers', ['no colon']], ['extra_headers', ['X: 1\r\nY: 2']], ['extra_headers', ['X(1): 1']],
    ['display_name', 'a\r\nX: 1'], ['user_agent', 'a\nb'],
    ['authorization_user', 'a"b'], ['connection_recovery_max_interval', 1],
  ];
  for (const [name, value] of bad) {
    assert.throws(
      () => new UA({ ...MINIMUM(), [name]: value }),
      (error: any) => error instanceof Exceptions.ConfigurationError && error.parameter === name && error.code === 1 && error.name === 'CONFIGURATION_ERROR',
      name,
    );
  }
});

test('Empty values mean: use the default', () => {
  const { settings } = loadConfiguration({ ...MINIMUM(), display_name: null, register_expires: '', extra_headers: [], no_answer_timeout: Number.NaN });
  assert.equal(settings.display_name, null);
  assert.equal(settings.register_expires, 600);
  assert.equal(settings.extra_headers, null);
  assert.equal(settings.no_answer_timeout, 60_000);
});

test('Sockets come with or without weights', () => {
  const [one, two] = [new FakeSocket(), new FakeSocket()] as any[];
  const { sockets } = loadConfiguration({ ...MINIMUM(), sockets: [one, { socket: two, weight: 10 }] });
  assert.deepEqual(sockets.map((each) => each.weight), [0, 10]);
});

test('A loaded configuration cannot be changed, but for what UA.set changes', () => {
  const { settings } = loadConfiguration(MINIMUM());
  assert.throws(() => { (settings as any).no_answer_timeout = 5; }, TypeError);
  settings.display_name = 'Alice';
});

test('Headers that cannot be used leave those that are there', () => {
  const { settings } = loadConfiguration({ ...MINIMUM(), extra_headers: ['X-All: 1'] });
  for (const value of ['X: 1', ['no colon'], ['X: 1\r\nY: 2'], [7]]) {
    assert.equal(changeSetting(settings, 'extra_headers', value), false, String(value));
    assert.deepEqual(settings.extra_headers, ['X-All: 1']);
  }
  assert.equal(changeSetting(settings, 'extra_headers', null), true);
  assert.equal(settings.extra_headers, null);
});

test('HA1 takes the place of the password', () => {
  const { settings } = loadConfiguration({ ...MINIMUM(), password: 'secret', ha1: 'abc', realm: 'r' });
  assert.equal(settings.password, null);
  changeSetting(settings, 'password', 'secret');
  changeSetting(settings, 'ha1', null);
  assert.deepEqual([settings.password, settings.ha1], ['secret', null], 'and gives it back');
});

test('Listeners: order, once, off, and one that is added meanwhile', () => {
  const emitter = new EventEmitter<{ a: [value: number] }>();
  const seen: string[] = [];
  const second = (value: number) => seen.push(`second ${value}`);
  emitter.once('a', (value) => {
    seen.push(`first ${value}`);
    emitter.on('a', (later) => seen.push(`late ${later}`));
  });
  emitter.on('a', second);
  assert.equal(emitter.emit('a', 1), true);
  emitter.off('a', second);
  emitter.emit('a', 2);
  assert.deepEqual(seen, ['first 1', 'second 1', 'late 2']);
  assert.equal(emitter.listeners('a').length, 1);
  emitter.removeAllListeners();
  assert.equal(emitter.emit('a', 3), false);
});

test('A received request is read by header, whatever the spelling', async () => {
  const { IncomingRequest } = await import('../src/sip_message.ts');
  const message = new IncomingRequest(request('INVITE', { headers: ['Contact: <sip:a@b>, <sip:c@d>', 'x-thing: 1', 'X-Thing: 2'] }));
  assert.equal(message.getHeader('X-THING'), '1');
  assert.deepEqual(message.getHeaders('x-thing'), ['1', '2']);
  assert.equal(message.hasHeader('Y'), false);
  assert.equal(message.countHeader('Contact'), 2);
  assert.equal((message.parseHeader('contact', 1) as any).uri.user, 'c');
  assert.equal(message.from.display_name, 'Alice');
  assert.equal(message.from_tag, 'mine');
  assert.equal(message.via_branch, 'z9hG4bK1');
  assert.equal(message.ruri?.user, 'alice');
  assert.equal(message.headers['X-Thing']?.length, 2);
  message.setHeader('x-thing', '3');
  assert.equal(message.s('X-Thing'), '3');
});

test('Log lines come by namespace, JsSIP\'s pattern included', () => {
  debug.enable('JsSIP:*');
  assert.equal(debug.enabled('Sipweb:UA'), true);
  debug.enable('Sipweb:UA');
  assert.equal(debug.enabled('Sipweb:Transport'), false);
  debug.disable();
  assert.equal(debug.enabled('Sipweb:UA'), false);
});

test('A time beyond what timers of browsers can hold is waited for as long as they can', (context) => {
  const waits: unknown[] = [];
  context.mock.method(globalThis, 'setTimeout', (_: unknown, milliseconds: unknown) => waits.push(milliseconds));
  environmentOf(undefined).setTimeout(() => {}, 4_294_967_295_000);
  assert.deepEqual(waits, [2 ** 31 - 1]);
});
