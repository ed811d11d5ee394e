// A stream of RTP with G.711: sends a tone or digits, and measures what arrives.
import { createSocket } from 'node:dgram';
import { randomInt } from 'node:crypto';
import { freePort } from './ports.mjs';
import { until } from './wait.mjs';

const FRAME = 160;
const RATE = 8000;
const KEYS = '0123456789*#ABCD';

function toUlaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), 32_635) + 0x84;
  const exponent = Math.max(0, Math.floor(Math.log2(magnitude)) - 7);
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

function fromUlaw(octet) {
  const bits = ~octet & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return bits & 0x80 ? -magnitude : magnitude;
}

function toAlaw(sample) {
  const positive = sample >= 0;
  const magnitude = Math.min(positive ? sample : -sample - 1, 32_767);
  const exponent = magnitude < 256 ? 0 : Math.floor(Math.log2(magnitude)) - 7;
  const mantissa = (magnitude >> (exponent === 0 ? 4 : exponent + 3)) & 0x0f;
  return ((exponent << 4) | mantissa | (positive ? 0x80 : 0)) ^ 0x55;
}

function fromAlaw(octet) {
  const bits = octet ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}

const WRITE = { PCMU: toUlaw, PCMA: toAlaw };
const READ = { PCMU: fromUlaw, PCMA: fromAlaw };

export class RtpAudio {
  /** A stream on an even port of loopback, which sends `tone` as soon as it is told where to. */
  static async open(test, { tone = 660 } = {}) {
    const audio = new RtpAudio();
    audio.tone = tone;
    audio.port = await freePort();
    audio.socket = createSocket('udp4');
    audio.socket.on('message', (bytes, from) => audio.#receive(bytes, from));
    audio.socket.on('error', () => {});
    await new Promise((resolve) => audio.socket.bind(audio.port, '127.0.0.1', resolve));
    test.after(() => audio.close());
    return audio;
  }

  constructor() {
    /** Where to send, and what: [{ payload type, codec }]. */
    this.remote = null;
    this.codec = 'PCMU';
    this.payloadType = 0;
    this.eventType = null;
    this.sending = true;
    /** Payload types that are read as G.711. */
    this.readable = { 0: 'PCMU', 8: 'PCMA' };
    /** Every packet that arrived, without its payload. */
    this.arrived = [];
    /** Every telephone-event packet that arrived. */
    this.events = [];
    this.sequence = randomInt(65_536);
    this.timestamp = randomInt(2 ** 31);
    this.ssrc = randomInt(2 ** 32);
    this.heard = [];
    this.phase = 0;
    this.keys = [];
  }

  /** Sends to `remote` ({ address, port }) from now on; what is not given stays. */
  use({ remote = this.remote, codec = this.codec, payloadType = this.payloadType, eventType = this.eventType, sending = this.sending }) {
    Object.assign(this, { remote, codec, payloadType, eventType, sending });
    if (this.timer || this.closed) return;
    let due = performance.now();
    this.timer = setInterval(() => {
      for (let burst = 0; performance.now() >= due && burst < 10; burst++, due += 20) this.#frame();
      due = Math.max(due, performance.now() - 200);
    }, 10);
  }

  /** Plays digits as telephone events (RFC 4733), one after the other, instead of the tone. */
  async press(digits) {
    if (this.eventType === null) throw new Error('no telephone-event was negotiated');
    for (const digit of digits) this.keys.push({ event: KEYS.indexOf(digit), frames: 0 });
    await until('the digits to be played', () => this.keys.length === 0);
  }

  #frame() {
    const key = this.keys[0];
    if (key) this.#key(key);
    else if (this.remote?.port && this.sending) this.#send(this.payloadType, Buffer.from(this.#samples(), 0), this.timestamp, this.started !== true);
    this.started = true;
    this.timestamp = (this.timestamp + FRAME) >>> 0;
  }

  #samples() {
    return Array.from({ length: FRAME }, () => {
      const sample = this.tone === null ? 0 : Math.round(9000 * Math.sin((2 * Math.PI * this.tone * this.phase) / RATE));
      this.phase += 1;
      return WRITE[this.codec](sample);
    });
  }

  #key(key) {
    key.begun ??= this.timestamp;
    key.frames += 1;
    const end = key.frames > 6;
    const packet = Buffer.from([key.event, end ? 0x8a : 0x0a, 0, 0]);
    packet.writeUInt16BE(Math.min(key.frames, 7) * FRAME, 2);
    for (let copy = 0; copy < (end ? 3 : 1); copy++) this.#send(this.eventType, packet, key.begun, key.frames === 1);
    // A pause after each, so that the next is a digit of its own.
    if (end) this.keys.shift();
  }

  #send(payloadType, payload, timestamp, marker) {
    const head = Buffer.alloc(12);
    head[0] = 0x80;
    head[1] = payloadType | (marker ? 0x80 : 0);
    head.writeUInt16BE(this.sequence, 2);
    head.writeUInt32BE(timestamp, 4);
    head.writeUInt32BE(this.ssrc, 8);
    this.sequence = (this.sequence + 1) & 0xffff;
    this.socket.send(Buffer.concat([head, payload]), this.remote.port, this.remote.address);
  }

  #receive(bytes, from) {
    if (bytes.length < 12 || bytes[0] >> 6 !== 2) return;
    const packet = {
      at: performance.now(),
      from: from.port,
      payloadType: bytes[1] & 0x7f,
      marker: bytes[1] > 0x7f,
      sequence: bytes.readUInt16BE(2),
      timestamp: bytes.readUInt32BE(4),
      ssrc: bytes.readUInt32BE(8),
    };
    this.arrived.push(packet);
    const payload = bytes.subarray(12);
    if (packet.payloadType === this.eventType && payload.length >= 4) {
      this.events.push({ ...packet, event: payload[0], key: KEYS[payload[0]], end: payload[1] > 0x7f, duration: payload.readUInt16BE(2) });
      return;
    }
    const codec = this.readable[packet.payloadType];
    if (!codec) return;
    this.heard.push(...Array.from(payload, READ[codec]));
    this.heard.splice(0, this.heard.length - RATE / 2);
  }

  /** How strong a frequency is in the last half second (0 to 1). */
  #level(hertz) {
    let real = 0;
    let imaginary = 0;
    this.heard.forEach((sample, index) => {
      real += sample * Math.cos((2 * Math.PI * hertz * index) / RATE);
      imaginary += sample * Math.sin((2 * Math.PI * hertz * index) / RATE);
    });
    return (2 * Math.hypot(real, imaginary)) / Math.max(1, this.heard.length) / 32_768;
  }

  /** Waits until a tone is heard, and not the others that are around, in what arrives from now on. */
  async hears(hertz, { within = 10_000, others = [440, 660, 880] } = {}) {
    this.heard = [];
    return until(`a tone of ${hertz} Hz at the scripted phone`, () => {
      const level = this.#level(hertz);
      const next = Math.max(...others.filter((other) => other !== hertz).map((other) => this.#level(other)));
      if (this.heard.length >= RATE / 4 && level > 0.02 && level > 10 * next) return { level };
      throw new Error(`${this.heard.length} samples, ${level} of it, ${next} of others, ${this.arrived.length} packets`);
    }, { within });
  }

  /** Waits until nothing, or only silence, is heard in what arrives from now on. */
  async hearsNothing({ within = 10_000, span = 600 } = {}) {
    return until('silence at the scripted phone', async () => {
      this.heard = [];
      await new Promise((resolve) => setTimeout(resolve, span));
      const loudest = Math.max(0, ...this.heard.map(Math.abs)) / 32_768;
      if (loudest < 0.01) return true;
      throw new Error(`loudest ${loudest}`);
    }, { within });
  }

  /** The digits that were heard as telephone events: each once, when its end came. */
  get digits() {
    const ended = new Map(this.events.filter((event) => event.end).map((event) => [event.timestamp, event.key]));
    return [...ended.values()].join('');
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.timer);
    this.socket.close();
  }
}
