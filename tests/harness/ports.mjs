// Free ports on loopback, for servers that must come back on the same ones.
import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';

const given = new Set();

async function tcp(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => {
      const found = server.address().port;
      server.close(() => resolve(found));
    });
  });
}

async function udp(port) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}

/** A port that is free for TCP and for UDP, and was not given before. */
export async function freePort() {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = await tcp(0);
    if (port !== null && !given.has(port) && (await udp(port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error('no free port on loopback');
}
