// What somebody who is no party of a call may send to the ports of a server: RTP, RTCP, STUN and DTLS, true and false.
import { createSocket } from 'node:dgram';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** The UDP ports on which a process has sockets, with the address to reach each: what Linux tells. */
export function openPorts(pid) {
  const sockets = new Set();
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const [, inode] = readlinkSync(`/proc/${pid}/fd/${descriptor}`).match(/^socket:\[(\d+)\]$/) ?? [];
      if (inode) sockets.add(inode);
    } catch {
      // Closed meanwhile.
    }
  }
  const rows = readFileSync(`/proc/${pid}/net/udp`, 'utf8').trim().split('\n').slice(1);
  return rows.map((row) => row.trim().split(/\s+/)).filter((fields) => sockets.has(fields[9])).map((fields) => {
    const [ip, port] = fields[1].split(':');
    const octets = ip.match(/../g).reverse().map((octet) => parseInt(octet, 16));
    const address = octets.every((octet) => octet === 0) ? '127.0.0.1' : octets.join('.');
    return { address, port: parseInt(port, 16) };
  });
}

/** A socket of a stranger: what it sends, and all that it got. */
export class Stranger {
  static async open(test) {
    const stranger = new Stranger();
    stranger.got = [];
    stranger.socket = createSocket('udp4');
    stranger.socket.on('message', (bytes, from) => stranger.got.push({ bytes, from }));
    stranger.socket.on('error', () => {});
    await new Promise((resolve) => stranger.socket.bind(0, '127.0.0.1', resolve));
    test.after(() => {
      clearInterval(stranger.timer);
      stranger.socket.close();
    });
    return stranger;
  }

  send(bytes, { address, port }) {
    return new Promise((resolve) => this.socket.send(bytes, port, address, () => resolve()));
  }

  /** Sends again and again what `make` returns, to all places. */
  keepSending(places, make) {
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      for (const place of places) this.socket.send(make(), place.port, place.address, () => {});
    }, 20);
  }

  stop() {
    clearInterval(this.timer);
  }

  /** What came from one of these ports. */
  gotFrom(ports) {
    return this.got.filter(({ from }) => ports.some((each) => each.port === from.port));
  }
}

/** A packet of sound. */
export function rtp({ payloadType = 0, sequence = 1, timestamp = 160, ssrc = 0x66666666, payload = loud() }) {
  const head = Buffer.alloc(12);
  head[0] = 0x80;
  head[1] = payloadType;
  head.writeUInt16BE(sequence & 0xffff, 2);
  head.writeUInt32BE(timestamp >>> 0, 4);
  head.writeUInt32BE(ssrc >>> 0, 8);
  return Buffer.concat([head, payload]);
}

/** Twenty milliseconds of PCMU that nobody could miss: a square wave of 1000 Hz. */
export function loud() {
  return Buffer.from(Array.from({ length: 160 }, (_, index) => (index % 8 < 4 ? 0x80 : 0x00)));
}

/** A sender report about nothing. */
export function senderReport(ssrc) {
  const bytes = Buffer.alloc(28);
  bytes.set([0x80, 200, 0, 6]);
  bytes.writeUInt32BE(ssrc >>> 0, 4);
  return bytes;
}

/** An empty report and a goodbye (RFC 3550 §6.6). */
export function goodbye(ssrc) {
  const bytes = Buffer.alloc(16);
  bytes.set([0x80, 201, 0, 1]);
  bytes.writeUInt32BE(ssrc >>> 0, 4);
  bytes.set([0x81, 203, 0, 1], 8);
  bytes.writeUInt32BE(ssrc >>> 0, 12);
  return bytes;
}

function crc32(bytes) {
  let crc = ~0;
  for (const octet of bytes) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A binding request (RFC 8489) as a browser's check (RFC 8445 §7.1); without a password it has no integrity. */
export function check({ user, password, nominates = false } = {}) {
  const attribute = (type, value) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(value.length, 2);
    return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
  };
  const header = Buffer.concat([Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), randomBytes(12)]);
  let bytes = Buffer.concat([
    header,
    ...(user ? [attribute(0x0006, Buffer.from(user))] : []),
    attribute(0x0024, Buffer.from([0x6e, 0, 0xff, 0xff])),
    attribute(0x802a, randomBytes(8)),
    ...(nominates ? [attribute(0x0025, Buffer.alloc(0))] : []),
  ]);
  const withLength = (length) => bytes.writeUInt16BE(length, 2);
  if (password) {
    withLength(bytes.length - 20 + 24);
    bytes = Buffer.concat([bytes, attribute(0x0008, createHmac('sha1', password).update(bytes).digest())]);
  }
  withLength(bytes.length - 20 + 8);
  const fingerprint = Buffer.alloc(4);
  fingerprint.writeUInt32BE((crc32(bytes) ^ 0x5354554e) >>> 0);
  return Buffer.concat([bytes, attribute(0x8028, fingerprint)]);
}

/** The beginning of a DTLS 1.2 handshake (RFC 6347 §4.2): a ClientHello with one suite. */
export function clientHello() {
  const body = Buffer.concat([
    Buffer.from([0xfe, 0xfd]), randomBytes(32), Buffer.from([0, 0]), Buffer.from([0, 2, 0xc0, 0x2b]), Buffer.from([1, 0]),
    Buffer.from([0, 46]),
    // supported_groups, ec_point_formats, signature_algorithms, use_srtp, extended_master_secret, renegotiation_info
    Buffer.from('000a00040002001d' + '000b00020100' + '000d00080006040308040401' + '000e000700040001000700' + '00170000' + 'ff01000100', 'hex'),
  ]);
  const handshake = Buffer.alloc(12);
  handshake[0] = 1;
  handshake.writeUIntBE(body.length, 1, 3);
  handshake.writeUIntBE(body.length, 9, 3);
  const record = Buffer.from([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  record.writeUInt16BE(handshake.length + body.length, 11);
  return Buffer.concat([record, handshake, body]);
}

/** Whether a datagram is an answer to a check: success or refusal. */
export function isAnswer(bytes) {
  return bytes.length >= 20 && bytes[0] === 1 && (bytes[1] === 1 || bytes[1] === 0x11);
}
