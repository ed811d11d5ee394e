// A real rtpengine in user space, and a hand on its ng port: what it has in its lists.
import { createSocket } from 'node:dgram';
import assert from 'node:assert/strict';
import { Program } from './program.mjs';
import { freePort } from './ports.mjs';
import { until } from './wait.mjs';

// Below the ports that systems give away, and away from those of the other harnesses; each daemon has its own.
const FIRST_PORT = 22_000;
const PORTS = 200;
let started = 0;

function bencode(value) {
  if (typeof value === 'number') return `i${value}e`;
  if (typeof value === 'string') return `${Buffer.byteLength(value)}:${value}`;
  return `d${Object.entries(value).map(([name, entry]) => bencode(name) + bencode(entry)).join('')}e`;
}

function bdecode(text) {
  let at = 0;
  const through = (end) => {
    const from = at;
    at = text.indexOf(end, from) + 1;
    return Number(text.slice(from, at - 1));
  };
  const value = () => {
    const kind = text[at];
    if (/\d/.test(kind)) {
      const length = through(':');
      at += length;
      return text.slice(at - length, at);
    }
    at += 1;
    if (kind === 'i') return through('e');
    const values = [];
    while (text[at] !== 'e') values.push(value());
    at += 1;
    if (kind === 'l') return values;
    return Object.fromEntries(values.flatMap((name, index) => (index % 2 ? [] : [[name, values[index + 1]]])));
  };
  return value();
}

export class Rtpengine {
  /** A daemon on loopback. `options` are its own, such as `--max-sessions=1`. */
  static async start(test, options = []) {
    const engine = new Rtpengine();
    engine.port = await freePort();
    const first = FIRST_PORT + PORTS * started++;
    engine.program = new Program(`rtpengine on port ${engine.port}`, 'rtpengine', [
      '--config-file=none',
      '--foreground',
      '--table=-1',
      '--interface=127.0.0.1',
      `--listen-ng=127.0.0.1:${engine.port}`,
      '--log-stderr',
      '--log-level=6',
      `--port-min=${first}`,
      `--port-max=${first + PORTS - 1}`,
      ...options,
    ]);
    test.after(() => engine.program.stop('SIGTERM', 2000));
    await until(`an answer of ${engine.program.name}`, async () => (await engine.ask('ping')).result === 'pong');
    return engine;
  }

  /** The line for the server's configuration. */
  get address() {
    return `udp:127.0.0.1:${this.port}`;
  }

  async ask(command, more = {}) {
    const socket = createSocket('udp4');
    try {
      const answer = new Promise((resolve, reject) => {
        socket.once('message', (message) => resolve(message.toString('latin1')));
        socket.once('error', reject);
        setTimeout(() => reject(new Error(`${this.program.name} does not answer`)), 1000).unref();
      });
      socket.connect(this.port, '127.0.0.1');
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.send(`test${Math.random()} ${bencode({ command, ...more })}`);
      const text = await answer;
      return bdecode(text.slice(text.indexOf(' ') + 1));
    } finally {
      socket.close();
    }
  }

  /** The Call-IDs of its calls. */
  async calls() {
    return (await this.ask('list')).calls;
  }

  /** Waits until it has no call and has given every port back. */
  async isEmpty() {
    await until(`${this.program.name} to have no call`, async () => (await this.calls()).length === 0);
    const [{ ports }] = (await this.ask('statistics')).statistics.interfaces;
    assert.equal(ports.used, 0, 'every port was given back');
  }

  /** Ends it without a warning. */
  async kill() {
    this.program.child.kill('SIGKILL');
    await this.program.ended;
  }
}
