// A STUN server (RFC 8489) that takes its time: everybody seems to be at one address, and hears so late.
import { createSocket } from 'node:dgram';

const BINDING = 0x0001;
const SUCCESS = 0x0101;
const XOR_MAPPED_ADDRESS = 0x0020;
const COOKIE = 0x2112a442;

/** Starts one that is deaf for so many milliseconds to each who asks, as behind a lossy link, and returns its URL. */
export async function lateStun(test, { after, address }) {
  const socket = createSocket('udp4');
  const since = new Map();
  socket.on('message', (request, { port, address: from }) => {
    if (request.length < 20 || request.readUInt16BE(0) !== BINDING) return;
    if (!since.has(port)) since.set(port, Date.now());
    if (Date.now() - since.get(port) < after) return;
    const answer = Buffer.alloc(32);
    answer.writeUInt16BE(SUCCESS, 0);
    answer.writeUInt16BE(12, 2);
    request.copy(answer, 4, 4, 20);
    answer.writeUInt16BE(XOR_MAPPED_ADDRESS, 20);
    answer.writeUInt16BE(8, 22);
    answer.writeUInt16BE(0x0001, 24);
    answer.writeUInt16BE(port ^ (COOKIE >>> 16), 26);
    const octets = address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0);
    answer.writeUInt32BE((octets ^ COOKIE) >>> 0, 28);
    socket.send(answer, port, from);
  });
  await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
  test.after(() => socket.close());
  return `stun:127.0.0.1:${socket.address().port}`;
}
