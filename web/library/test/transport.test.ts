/** One connection out of several servers, kept up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Transport, type WeightedSocket } from '../src/transport.ts';
import { environmentOf } from '../src/environment.ts';
import { WebSocketInterface } from '../src/websocket_interface.ts';
import { Clock, FakeSocket } from './support/page.ts';

function connection(sockets: FakeSocket[], weights: number[] = [], beside?: () => boolean) {
  const clock = new Clock();
  const events = new EventTarget();
  const list = sockets.map((socket, index) => ({ socket, weight: weights[index] ?? 0 }));
  const environment = environmentOf({ setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout, events });
  const transport = new Transport(list as unknown as WeightedSocket[], { min_interval: 2, max_interval: 30, ...(beside && { beside }) }, environment);
  const diary: string[] = [];
  transport.onconnecting = ({ attempts }) => diary.push(`connecting ${attempts}`);
  transport.onconnect = () => diary.push('connected');
  transport.ondisconnect = ({ error, code }) => diary.push(`disconnected ${error} ${code}`);
  return { clock, events, transport, diary };
}

test('The socket with the highest weight is used', () => {
  const [low, high] = [new FakeSocket(), new FakeSocket()];
  const { transport } = connection([low, high], [1, 9]);
  transport.connect();
  assert.deepEqual([low.attempts, high.attempts], [0, 1]);
});

test('A socket that fails is passed over until all have failed', async () => {
  const [low, high] = [new FakeSocket(), new FakeSocket()];
  const { transport, clock } = connection([low, high], [1, 9]);
  transport.connect();
  high.ondisconnect?.(true, 1006);
  await clock.advance(2_000);
  assert.equal(low.attempts, 1);
  low.ondisconnect?.(true, 1006);
  await clock.advance(4_000);
  assert.equal(high.attempts, 2);
});

/** The seconds until each further attempt of a connection that fails again and again. */
async function waits({ clock, transport }: ReturnType<typeof connection>, socket: FakeSocket): Promise<number[]> {
  transport.connect();
  const found: number[] = [];
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const attempts = socket.attempts;
    const start = clock.now;
    socket.ondisconnect?.(true, 1006);
    while (socket.attempts === attempts) {
      await clock.advance(100);
    }
    found.push(Math.round((clock.now - start) / 1000));
  }
  return found;
}

test('The wait grows from the least to the greatest interval, and starts anew after success', async (context) => {
  context.mock.method(Math, 'random', () => 0.999);
  const socket = new FakeSocket();
  const connected = connection([socket]);
  const { clock, diary } = connected;
  assert.deepEqual(await waits(connected, socket), [2, 4, 8, 16, 30, 30]);
  socket.onconnect?.();
  socket.ondisconnect?.(false, 1001);
  await clock.advance(2_100);
  assert.equal(diary.at(-1), 'connecting 1');
});

test('One of several flows waits between the half and the whole of a time that doubles, longer while another flow stands (RFC 5626 4.5)', async (context) => {
  let random = 0;
  context.mock.method(Math, 'random', () => random);
  const seconds = (beside: boolean) => {
    const socket = new FakeSocket();
    return waits(connection([socket], [], () => beside), socket);
  };
  assert.deepEqual(await seconds(false), [2, 4, 8, 15, 15, 15]);
  assert.deepEqual(await seconds(true), [6, 12, 15, 15, 15, 15]);
  random = 0.999;
  assert.deepEqual(await seconds(false), [4, 8, 16, 30, 30, 30]);
  assert.deepEqual(await seconds(true), [12, 24, 30, 30, 30, 30]);
});

test('The network is back: the wait is cut short', () => {
  const socket = new FakeSocket();
  const { transport, events } = connection([socket]);
  transport.connect();
  socket.ondisconnect?.(true, 1006);
  events.dispatchEvent(new Event('online'));
  assert.equal(socket.attempts, 2);
  events.dispatchEvent(new Event('online'));
  assert.equal(socket.attempts, 2, 'an attempt is under way');
});

test('The network is back: a connection that gives no sign of life is replaced at once', async () => {
  const socket = new FakeSocket();
  socket.alive = false;
  const { transport, clock, events, diary } = connection([socket]);
  const moves: boolean[] = [];
  transport.onconnect = (_, moved) => moves.push(moved);
  transport.connect();
  socket.onconnect?.();
  events.dispatchEvent(new Event('online'));
  assert.deepEqual(socket.sent, ['\r\n\r\n']);
  await clock.advance(1_900);
  assert.equal(socket.attempts, 1);
  await clock.advance(100);
  assert.deepEqual(diary, ['connecting 0', 'disconnected true 1006', 'connecting 1']);
  assert.equal(socket.disconnects, 1);
  socket.onconnect?.();
  assert.deepEqual(moves, [false, true]);
});

test('The network is back: a connection that is alive stays', async () => {
  const socket = new FakeSocket();
  const { transport, clock, events, diary } = connection([socket]);
  const moves: boolean[] = [];
  transport.onconnect = (_, moved) => moves.push(moved);
  transport.connect();
  socket.onconnect?.();
  events.dispatchEvent(new Event('online'));
  await clock.advance(60_000);
  assert.deepEqual(diary, ['connecting 0']);
  socket.ondisconnect?.(true, 1006);
  await clock.advance(2_000);
  socket.onconnect?.();
  assert.deepEqual(moves, [false, false], 'that the server went away is no other network');
});

test('The network is back while the wait for a new connection runs: the next connection comes from another network', () => {
  const socket = new FakeSocket();
  const { transport, events } = connection([socket]);
  const moves: boolean[] = [];
  transport.onconnect = (_, moved) => moves.push(moved);
  transport.connect();
  socket.onconnect?.();
  socket.ondisconnect?.(true, 1006);
  events.dispatchEvent(new Event('online'));
  socket.onconnect?.();
  assert.deepEqual(moves, [false, true]);
});

test('A socket that does not open in 10 s has failed', async () => {
  const socket = new FakeSocket();
  const { transport, clock, diary } = connection([socket]);
  transport.connect();
  await clock.advance(10_000);
  assert.deepEqual(diary, ['connecting 0', 'disconnected true 1006']);
});

test('After disconnect nothing happens any more', async () => {
  const socket = new FakeSocket();
  const { transport, clock, events, diary } = connection([socket]);
  transport.connect();
  socket.onconnect?.();
  transport.disconnect();
  events.dispatchEvent(new Event('online'));
  await clock.advance(60_000);
  assert.deepEqual(diary, ['connecting 0', 'connected', 'disconnected false undefined']);
  assert.equal(clock.waiting, 0);
  assert.equal(transport.send('x'), false);
});

class FakeWebSocket {
  static last: FakeWebSocket;
  readyState = 0;
  binaryType = '';
  onopen: (() => void) | null = null;
  onclose: ((event: unknown) => void) | null = null;
  onmessage: ((event: unknown) => void) | null = null;
  onerror: (() => void) | null = null;
  sent: unknown[] = [];
  closed = false;
  constructor(readonly url: string, readonly protocol: string) {
    FakeWebSocket.last = this;
  }
  send(data: unknown): void {
    this.sent.push(data);
  }
  close(): void {
    this.closed = true;
  }
}

test('A WebSocket asks for the subprotocol sip, and has the URI of RFC 7118', () => {
  const socket = new WebSocketInterface('wss://example.com:8443/sip', FakeWebSocket as any);
  assert.equal(socket.via_transport, 'WSS');
  assert.equal(socket.sip_uri, 'sip:example.com:8443;transport=ws');
  socket.connect();
  assert.equal(FakeWebSocket.last.protocol, 'sip');
  socket.via_transport = 'tcp';
  assert.equal(socket.via_transport, 'TCP');
});

test('A WebSocket sends only when open, and tells how it closed', () => {
  const socket = new WebSocketInterface('ws://example.com', FakeWebSocket as any);
  const told: unknown[] = [];
  socket.onconnect = () => told.push('open');
  socket.ondisconnect = (error, code, reason) => told.push([error, code, reason]);
  socket.ondata = (data) => told.push(data);
  socket.connect();
  const inner = FakeWebSocket.last;
  assert.equal(socket.send('x'), false);
  inner.readyState = 1;
  inner.onopen?.();
  assert.equal(socket.send('x'), true);
  inner.onmessage?.({ data: 'y' });
  inner.onclose?.({ wasClean: true, code: 1001, reason: 'bye' });
  assert.deepEqual(told, ['open', 'y', [false, 1001, 'bye']]);
});

test('A WebSocket that was given up is not heard any more', () => {
  const socket = new WebSocketInterface('ws://example.com', FakeWebSocket as any);
  const told: unknown[] = [];
  socket.ondisconnect = () => told.push('closed');
  socket.connect();
  const inner = FakeWebSocket.last;
  socket.disconnect();
  assert.equal(inner.closed, true);
  assert.equal(inner.onclose, null);
  assert.deepEqual(told, []);
});

test('Only WebSocket addresses are taken', () => {
  for (const url of ['http://example.com', 'example.com', '', 'wss://']) {
    assert.throws(() => new WebSocketInterface(url), TypeError, url);
  }
});
