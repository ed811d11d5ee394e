/**
 * Many tabs, one phone: `SharedUA` is a `UA` whose connection lives in a shared worker.
 *
 * ```js
 * import { WebSocketInterface } from './sipweb.js';
 * import { SharedUA } from './sipweb-shared.js';
 * const ua = new SharedUA({
 *   sockets: [new WebSocketInterface('wss://example.com/sip')],
 *   uri: 'sip:alice@example.com',
 *   password: 'secret',
 * });
 * ua.start();
 * ```
 */

import { ConfigurationError } from '../exceptions.js';
import { UA } from '../index.js';
import type { Socket, Sockets, UAConfiguration, WeightedSocket } from '../index.js';
import { newUUID } from '../random.js';
import type { Port } from './ports.js';
import { SharedSocket } from './shared_socket.js';

export type { Port } from './ports.js';

/** The parameters of a `UA`, and where the worker is. */
export interface SharedUAConfiguration extends UAConfiguration {
  /**
   * Address of `sipweb-worker.js`, on the page's own origin; beside this module by default. A function makes the port itself:
   * `(name) => new SharedWorker(new URL('sipweb/worker', import.meta.url), { name }).port`.
   */
  worker?: string | URL | ((name: string) => Port);
}

/**
 * A user agent that shares its connection, its registration and its ringing with those of the same account in other tabs. Calls,
 * messages and everything else are those of a `UA`; a call belongs to the tab that made or answered it.
 *
 * Where the browser has no shared workers, or the page may not use its storage, it is a `UA` like any other.
 */
export class SharedUA extends UA {
  /** @throws ConfigurationError if a parameter is missing or cannot be used. */
  constructor(configuration: SharedUAConfiguration) {
    super(shared(configuration));
  }

  /** Whether this browser has shared workers. */
  static get supported(): boolean {
    return typeof SharedWorker === 'function';
  }
}

function shared(configuration: SharedUAConfiguration): UAConfiguration {
  const { worker, ...own } = configuration;
  if ((own.flows ?? 1) !== 1) {
    // All tabs speak over one connection.
    throw new ConfigurationError('flows', own.flows);
  }
  const identity = typeof worker === 'function' || SharedUA.supported ? identityOf(own) : undefined;
  if (identity === undefined || own.sockets === undefined) {
    return own;
  }
  const name = `sipweb ${own.uri}`;
  const open = (failed: () => void): Port => {
    if (typeof worker === 'function') {
      return worker(name);
    }
    const address = worker ?? new URL('./sipweb-worker.js', import.meta.url);
    const made = new SharedWorker(address, { name });
    made.onerror = failed;
    return made.port as unknown as Port;
  };
  const page = { events: own.environment?.events ?? globalThis, locks: globalThis.navigator?.locks };
  // What is no socket stays what it is: the UA refuses it.
  const isSocket = (socket: Socket | undefined): boolean => typeof socket?.connect === 'function';
  const sockets = listed(own.sockets).map(({ socket, weight }) => ({ socket: isSocket(socket) ? new SharedSocket(socket, open, page) : socket, weight }));
  return { ...own, ...identity, sockets };
}

/** All tabs must choose the same server first: among equals the one that was named first. */
function listed(sockets: Sockets): WeightedSocket[] {
  const list = (Array.isArray(sockets) ? sockets : [sockets]) as readonly (Socket | { socket: Socket; weight?: number })[];
  return list.map((each, place) => {
    const { socket, weight } = typeof each === 'object' && each !== null && 'socket' in each ? each : { socket: each, weight: 0 };
    return { socket, weight: (Number(weight) || 0) + (list.length - place) / (list.length + 1) };
  });
}

/** One device (RFC 5626 §4.1) with one Contact, whichever tab speaks. `undefined` if the tabs cannot agree. */
function identityOf({ uri, contact_uri, instance_id }: UAConfiguration): Pick<UAConfiguration, 'contact_uri' | 'instance_id'> | undefined {
  if (contact_uri && instance_id) {
    return { contact_uri, instance_id };
  }
  try {
    const key = `sipweb.shared.${uri}`;
    const kept = localStorage.getItem(key) ?? newUUID();
    localStorage.setItem(key, kept);
    const [user, host] = [kept.slice(0, 8), kept.slice(24)];
    return { contact_uri: contact_uri || `sip:${user}@${host}.invalid;transport=ws`, instance_id: instance_id || kept };
  } catch {
    return undefined;
  }
}
