// The pictures of a scripted phone: ffmpeg encodes what it shows and decodes what it is shown; every packet passes
// through here, so that the phone has one address for both ways, as phones have.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.mjs';
import { freePort } from './ports.mjs';
import { readDescription } from './sdp_text.mjs';
import { until } from './wait.mjs';

const RTP = 'pkt_size=1100';
const CODECS = {
  VP8: {
    encoder: ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8'],
    lines: (type) => [`a=rtpmap:${type} VP8/90000`],
    /** RFC 7741 §4.2 and §4.3: the first packet of a frame whose first bit is 0. */
    isKeyFrame(payload) {
      const [first] = payload;
      if (!(first & 0x10) || first & 0x07) return false;
      let at = 1;
      if (first & 0x80) {
        const extension = payload[at++];
        if (extension & 0x80) at += payload[at] & 0x80 ? 2 : 1;
        if (extension & 0x40) at += 1;
        if (extension & 0x30) at += 1;
      }
      return (payload[at] & 1) === 0;
    },
  },
  H264: {
    encoder: ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-profile:v', 'baseline', '-level', '3.1', '-pix_fmt', 'yuv420p', '-x264-params', 'repeat-headers=1'],
    lines: (type) => [`a=rtpmap:${type} H264/90000`, `a=fmtp:${type} profile-level-id=42e01f;packetization-mode=1`],
    /** RFC 6184 §5.4: a slice of an IDR picture, in a packet of its own, in one with others, or the first of its parts. */
    isKeyFrame(payload) {
      const kind = payload[0] & 0x1f;
      if (kind === 28) return (payload[1] & 0x9f) === 0x85;
      if (kind !== 24) return kind === 5;
      for (let at = 1; at + 2 < payload.length; at += 2 + payload.readUInt16BE(at)) {
        if ((payload[at + 2] & 0x1f) === 5) return true;
      }
      return false;
    },
  },
};

/** The small grey pictures that a decoder hands out. */
const WIDTH = 32;
const HEIGHT = 24;

function bound(port, hear) {
  const socket = createSocket('udp4');
  socket.on('message', hear);
  socket.on('error', () => {});
  return new Promise((resolve) => socket.bind(port, '127.0.0.1', () => resolve(socket)));
}

export class Film {
  /** Pictures in this codec, on an even port of loopback. */
  static async open(test, { codec = 'VP8', payloadType = 99, lines = [], every = 30 } = {}) {
    const film = new Film();
    Object.assign(film, { codec, payloadType, lines, every, folder: temporaryFolder('film') });
    film.port = await freePort();
    film.feed = await freePort();
    film.shown = await freePort();
    film.media = await bound(film.port, (bytes) => film.#receive(bytes));
    film.control = await bound(film.port + 1, (bytes) => film.#report(bytes));
    film.encoded = await bound(film.feed, (bytes) => film.#send(bytes));
    test.after(() => film.close());
    return film;
  }

  constructor() {
    /** What arrived: { payloadType, marker, keyFrame }. */
    this.arrived = [];
    /** How often the other side asked for a whole picture, and in which ways. */
    this.asked = [];
    /** Grey pictures that ffmpeg decoded of what arrived: { mean, sum }. */
    this.pictures = [];
    this.remote = null;
    this.programs = [];
    this.toDrop = 0;
    /** What the packets of the phone are numbered by, whichever encoder made them. */
    this.own = { ssrc: randomInt(2 ** 32), sequence: randomInt(2 ** 15), timestamp: 0, behind: 0 };
  }

  /** The lines of the section of a description. */
  section({ direction = 'sendrecv' } = {}) {
    return [`m=video ${this.port} RTP/AVP ${this.payloadType}`, ...CODECS[this.codec].lines(this.payloadType), ...this.lines, `a=${direction}`];
  }

  /** A description of the phone, its refused pictures replaced by these. */
  into(sdp, options) {
    return sdp.replace(/^m=video 0 .*\r\n/m, `${this.section(options).join('\r\n')}\r\n`);
  }

  /** Shows and is shown what was agreed with this description of the other side. */
  agree(theirs) {
    const section = readDescription(theirs).sections.find(({ kind }) => kind === 'video');
    if (!section?.port) throw new Error(`no pictures in ${theirs}`);
    this.remote = { address: section.address, port: section.port };
    if (this.programs.length === 0) this.#start();
  }

  #start() {
    const sdp = join(this.folder, 'film.sdp');
    const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', `m=video ${this.shown} RTP/AVP ${this.payloadType}`];
    writeFileSync(sdp, `${[...lines, ...CODECS[this.codec].lines(this.payloadType)].join('\r\n')}\r\n`);
    this.#encode();
    this.#decode(sdp);
  }

  /** Begins with a whole picture; the next comes after `every` others, or when the other side asks. */
  #encode() {
    this.encoder?.kill('SIGKILL');
    this.own.replaced = this.own.encoder;
    this.begun = performance.now();
    this.encoder = this.#run([
      '-re', '-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=15', ...CODECS[this.codec].encoder, '-b:v', '300k', '-g', String(this.every),
      '-f', 'rtp', '-payload_type', String(this.payloadType), `rtp://127.0.0.1:${this.feed}?${RTP}`,
    ]);
  }

  #decode(sdp) {
    let rest = Buffer.alloc(0);
    this.#run([
      '-protocol_whitelist', 'file,udp,rtp', '-analyzeduration', '500000', '-i', sdp, '-an',
      '-vf', `scale=${WIDTH}:${HEIGHT}`, '-pix_fmt', 'gray', '-f', 'rawvideo', 'pipe:1',
    ]).stdout.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (; rest.length >= WIDTH * HEIGHT; rest = rest.subarray(WIDTH * HEIGHT)) {
        const picture = rest.subarray(0, WIDTH * HEIGHT);
        const mean = picture.reduce((sum, grey) => sum + grey, 0) / picture.length;
        this.pictures.push({ mean, sum: picture.toString('base64') });
      }
    });
  }

  #run(options) {
    const program = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
    program.said = '';
    program.stderr.on('data', (text) => {
      program.said += text;
    });
    program.on('error', (error) => {
      program.said += error.message;
    });
    program.stdout.resume();
    this.programs.push(program);
    return program;
  }

  #send(bytes) {
    const { own } = this;
    const timestamp = bytes.readUInt32BE(4);
    const encoder = bytes.readUInt32BE(8);
    // What is left of an encoder that was replaced goes nowhere.
    if (encoder === own.replaced) return;
    if (encoder !== own.encoder) own.behind = own.timestamp + 6000 - timestamp;
    own.encoder = encoder;
    own.timestamp = (timestamp + own.behind) >>> 0;
    own.sequence = (own.sequence + 1) & 0xffff;
    bytes.writeUInt16BE(own.sequence, 2);
    bytes.writeUInt32BE(own.timestamp, 4);
    bytes.writeUInt32BE(own.ssrc, 8);
    if (this.toDrop > 0) {
      this.toDrop -= 1;
    } else if (this.remote) this.media.send(bytes, this.remote.port, this.remote.address);
  }

  /** The next packets that the phone shows are lost. */
  drop(packets) {
    this.toDrop = packets;
  }

  #receive(bytes) {
    if (bytes.length < 13 || bytes[0] !== 0x80) return;
    this.ssrc = bytes.readUInt32BE(8);
    const payload = bytes.subarray(12);
    this.arrived.push({ payloadType: bytes[1] & 0x7f, marker: bytes[1] > 0x7f, keyFrame: CODECS[this.codec].isKeyFrame(payload) });
    this.media.send(bytes, this.shown, '127.0.0.1');
  }

  #report(bytes) {
    for (let at = 0; at + 8 <= bytes.length; at += 4 * (1 + bytes.readUInt16BE(at + 2))) {
      const [format, kind] = [bytes[at] & 0x1f, bytes[at + 1]];
      if (kind !== 206 || ![1, 4].includes(format)) continue;
      this.asked.push(format === 1 ? 'loss' : 'intra');
      // An encoder that is asked again before it has shown anything would never show anything.
      if (performance.now() - this.begun > 1000) this.#encode();
    }
  }

  #tell(words) {
    const bytes = Buffer.alloc(4 * words.length);
    words.forEach((word, index) => bytes.writeUInt32BE(word >>> 0, 4 * index));
    this.control.send(bytes, this.remote.port + 1, this.remote.address);
  }

  /** Tells that packets were lost, as phones without feedback do (RFC 3550 §6.4.2). */
  tellLost(packets) {
    this.#tell([0x81c90007, 9, this.ssrc, packets, 0, 0, 0, 0]);
  }

  /** Asks for a whole picture (RFC 4585 §6.3.1). */
  ask() {
    this.#tell([0x81ce0002, 9, this.ssrc]);
  }

  get keyFrames() {
    return this.arrived.filter(({ keyFrame }) => keyFrame).length;
  }

  /** Waits until another whole picture arrives than those so far. */
  async keyFrame({ within = 15_000 } = {}) {
    const before = this.keyFrames;
    return until('a whole picture at the scripted phone', () => this.keyFrames > before, { within });
  }

  /** Waits until ffmpeg decodes pictures that are not dark and change, of what arrives from now on. */
  async sees({ pictures = 10, within = 20_000 } = {}) {
    const from = this.pictures.length;
    return until('living pictures at the scripted phone', () => {
      const seen = this.pictures.slice(from);
      const different = new Set(seen.map(({ sum }) => sum)).size;
      if (seen.length >= pictures && different > 3 && seen.at(-1).mean > 20) return seen;
      throw new Error(`${this.arrived.length} packets, ${this.keyFrames} whole pictures, ${seen.length} decoded, ${different} different; ${this.programs.map(({ said }) => said).join(' ')}`);
    }, { within });
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    for (const program of this.programs) program.kill('SIGKILL');
    for (const socket of [this.media, this.control, this.encoded]) socket.close();
  }
}
