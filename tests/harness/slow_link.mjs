// A link on which every datagram takes its time, in front of a UDP port of loopback: each peer has a port of its own
// there, as behind a NAT.
import { createSocket } from 'node:dgram';

export class SlowLink {
  /** In front of `port`; each direction takes `delay` milliseconds. */
  static async open(test, { port, delay }) {
    const link = new SlowLink();
    const peers = new Map();
    const sockets = [];
    const bound = async (receive) => {
      const socket = createSocket('udp4');
      socket.on('message', receive);
      socket.on('error', () => {});
      await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
      sockets.push(socket);
      return socket;
    };
    const later = (send) => setTimeout(() => link.open && send(), delay);
    const outerOf = async (from) => {
      const outer = await bound((bytes) => {
        link.carried += 1;
        later(() => front.send(bytes, from.port, from.address));
      });
      return outer;
    };
    const front = await bound(async (bytes, from) => {
      if (!peers.has(from.port)) peers.set(from.port, outerOf(from));
      const outer = await peers.get(from.port);
      link.carried += 1;
      later(() => outer.send(bytes, port, '127.0.0.1'));
    });
    link.open = true;
    /** How many datagrams it has taken. */
    link.carried = 0;
    link.port = front.address().port;
    test.after(() => {
      link.open = false;
      for (const socket of sockets) socket.close();
    });
    return link;
  }
}
