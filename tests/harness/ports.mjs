// Free ports on loopback, for servers that must come back on the same ones.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

// Below the range from which systems take ports for outgoing connections, so that nobody takes one between our look
// and its use; and none of them is among the ports that browsers refuse.
const FIRST = 11_000;
const LAST = 15_998;

const given = new Set();

function isFreeForStreams(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isFreeForDatagrams(port) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}

/**
 * A port that is free for TCP and for UDP, and so is the next: a phone takes that for TLS by itself. Neither was given
 * before.
 */
export async function freePort() {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = FIRST + 2 * Math.floor((Math.random() * (LAST - FIRST)) / 2);
    if (given.has(port)) continue;
    given.add(port);
    const free = [port, port + 1].flatMap((each) => [isFreeForStreams(each), isFreeForDatagrams(each)]);
    if ((await Promise.all(free)).every(Boolean)) return port;
  }
  throw new Error('no free port on loopback');
}
