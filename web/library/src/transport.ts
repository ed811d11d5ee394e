/**
 * One connection out of a list of servers, kept up.
 *
 * The socket with the highest weight is tried first, a random one among equals. A socket that fails is passed over until all
 * have failed. The wait before the n-th attempt is a random time between 1 s and 2^n s, held between the configured minimum
 * and maximum (RFC 5626 §4.5 asks for a randomised, growing wait), so that clients do not come back all at once after a
 * restart of the server. When the browser says that the network is back, the wait is cut short.
 *
 * A machine that went to another network has left its connections behind, and neither the browser nor the system says so for
 * minutes. So a connection that is in doubt is asked for a sign of life, and replaced at once if none comes.
 *
 *     idle --connect--> connecting --open--> connected --close--> waiting --time/online--> connecting
 *       |                                        '----------no sign of life----------------^
 *       ^--------------------------- disconnect, from anywhere --------------------------------'
 */

import { log } from './debug.js';
import type { Environment } from './environment.js';
import type { Socket, SocketData } from './websocket_interface.js';

const debug = log('Transport');

/** A socket and how much it is preferred; 0 if nothing is said. */
export interface WeightedSocket {
  /** The socket. */
  socket: Socket;
  /** The highest is tried first. */
  weight: number;
}

/** Waits between attempts, in seconds. */
export interface RecoveryOptions {
  min_interval: number;
  max_interval: number;
  /** Seconds of silence after which the server is asked for a sign of life; 0 or nothing: never. */
  keep_alive_interval?: number;
  /** Where it is one of several flows: whether another one stands. */
  beside?: () => boolean;
}

/** A connection that ended or did not come about. */
export interface Disconnection {
  /** The connection. */
  socket: Transport;
  /** Whether it broke, or could not be made. */
  error: boolean;
  /** The close code of the WebSocket (RFC 6455 §7.4). */
  code?: number;
  /** In words. */
  reason?: string;
  /** Milliseconds until the next attempt, so that a page can count them down; absent after `disconnect`. Not in JsSIP. */
  retry_in?: number;
}

/** How long a socket may take to open, in milliseconds. Browsers alone would wait for minutes. */
const OPENING_TIMEOUT = 10_000;
/** How long a connection in doubt has for a sign of life, in milliseconds. */
const SIGN_OF_LIFE = 2000;
/** What a server answers with a line end (RFC 5626 §3.5.1, RFC 7118 §6). */
const PING = '\r\n\r\n';

interface Candidate extends WeightedSocket {
  failed: boolean;
}

type State = 'idle' | 'connecting' | 'connected' | 'waiting';

/** The connection of a user agent, over one socket or another. Its state can be read; the user agent steers it. */
export class Transport {
  /** Set by the user agent. */
  onconnecting: ((event: { socket: Transport; attempts: number }) => void) | undefined;
  /** Set by the user agent. `moved`: the network is another than the one before. */
  onconnect: ((transport: Transport, moved: boolean) => void) | undefined;
  /** Set by the user agent. */
  ondisconnect: ((event: Disconnection) => void) | undefined;
  /** Set by the user agent. */
  ondata: ((event: { transport: Transport; message: SocketData }) => void) | undefined;

  readonly #candidates: Candidate[];
  readonly #recovery: RecoveryOptions;
  readonly #environment: Environment;
  readonly #online = () => this.#networkBack();
  #current: Candidate;
  #state: State = 'idle';
  #attempts = 0;
  /** How many connections have been lost or could not be made since one was open. */
  #recoveries = 0;
  /** Whether the network may be another than the one of the last connection. */
  #moved = false;
  #timer: unknown;
  /** Rings when the server has been silent for long. */
  #silence: unknown;

  /** @internal `sockets` must not be empty. */
  constructor(sockets: readonly WeightedSocket[], recovery: RecoveryOptions, environment: Environment) {
    this.#candidates = sockets.map((each) => ({ ...each, failed: false }));
    this.#recovery = recovery;
    this.#environment = environment;
    this.#current = this.#choose();
  }

  /** The socket in use or to be tried next. */
  get socket(): Socket {
    return this.#current.socket;
  }

  /** Address of the socket, for messages to people. */
  get url(): string {
    return this.socket.url;
  }

  /** The server as a SIP URI. */
  get sip_uri(): string {
    return this.socket.sip_uri;
  }

  /** What Via says: `WS`, `WSS`. */
  get via_transport(): string {
    return this.socket.via_transport;
  }

  /** Whether messages can be sent. */
  isConnected(): boolean {
    return this.#state === 'connected';
  }

  /** Whether an attempt is under way. */
  isConnecting(): boolean {
    return this.#state === 'connecting';
  }

  /** Connects, and stays connected until `disconnect`. */
  connect(): void {
    if (this.#state === 'connecting' || this.#state === 'connected') {
      return;
    }
    if (this.#state === 'idle') {
      this.#attempts = 0;
      this.#recoveries = 0;
      this.#moved = false;
      this.#environment.events?.addEventListener('online', this.#online);
      this.#attempt();
    } else {
      this.#retryNow();
    }
  }

  /** Disconnects and stays so. */
  disconnect(): void {
    if (this.#state === 'idle') {
      return;
    }
    this.#state = 'idle';
    this.#stopTimer();
    this.#environment.events?.removeEventListener('online', this.#online);
    this.#release();
    this.ondisconnect?.({ socket: this, error: false });
  }

  /** Sends one message. Returns whether the connection took it. */
  send(message: string | Uint8Array<ArrayBuffer>): boolean {
    return this.#state === 'connected' && this.socket.send(message);
  }

  /** Asks the server for a sign of life, and connects anew if none comes. */
  verify(): void {
    if (this.#state === 'connected' && this.#timer === undefined) {
      this.#timer = this.#environment.setTimeout(() => this.#replace(), SIGN_OF_LIFE);
      this.socket.send(PING);
    }
  }

  /** The server does not hear us over this connection any more. */
  #replace(): void {
    debug('no sign of life', this.url);
    this.#moved = true;
    this.#recoveries += 1;
    this.#state = 'waiting';
    this.#stopTimer();
    this.#release();
    this.ondisconnect?.({ socket: this, error: true, code: 1006, reason: 'the server is not heard any more', retry_in: 0 });
    this.#retryNow();
  }

  #networkBack(): void {
    this.#moved = true;
    this.#retryNow();
    this.verify();
  }

  #attempt(): void {
    this.#stopTimer();
    this.#state = 'connecting';
    this.#attempts += 1;
    this.#current = this.#choose();
    debug('connecting', this.url, 'attempt', this.#attempts);
    this.onconnecting?.({ socket: this, attempts: this.#recoveries });
    if (this.#state !== 'connecting') {
      return; // The page disconnected in its listener.
    }
    const socket = this.socket;
    socket.onconnect = () => this.#opened(socket);
    socket.ondisconnect = (error, code, reason) => this.#closed(socket, error, code, reason);
    socket.ondata = (data) => this.#received(socket, data);
    this.#timer = this.#environment.setTimeout(() => this.#openingTimedOut(socket), OPENING_TIMEOUT);
    socket.connect();
  }

  #opened(socket: Socket): void {
    if (socket !== this.socket || this.#state !== 'connecting') {
      return;
    }
    this.#stopTimer();
    this.#state = 'connected';
    this.#attempts = 0;
    this.#recoveries = 0;
    for (const candidate of this.#candidates) {
      candidate.failed = false;
    }
    const moved = this.#moved;
    this.#moved = false;
    this.#listen();
    this.onconnect?.(this, moved);
  }

  #closed(socket: Socket, error: boolean, code?: number, reason?: string): void {
    if (socket !== this.socket || (this.#state !== 'connecting' && this.#state !== 'connected')) {
      return;
    }
    debug('disconnected', this.url, code, reason);
    this.#current.failed = true;
    this.#recoveries += 1;
    this.#release();
    const retry_in = this.#wait();
    this.ondisconnect?.({
      socket: this,
      error,
      retry_in,
      ...(code === undefined ? {} : { code }),
      ...(reason === undefined ? {} : { reason }),
    });
  }

  #received(socket: Socket, data: SocketData): void {
    if (socket === this.socket && this.#state === 'connected') {
      this.#stopTimer();
      this.#moved = false;
      this.#listen();
      this.ondata?.({ transport: this, message: data });
    }
  }

  #openingTimedOut(socket: Socket): void {
    socket.disconnect();
    this.#closed(socket, true, 1006, 'the connection took too long to open');
  }

  /** Returns how long, in milliseconds. */
  #wait(): number {
    this.#state = 'waiting';
    this.#stopTimer();
    const wait = this.#delay() * 1000;
    this.#timer = this.#environment.setTimeout(() => this.#attempt(), wait);
    return wait;
  }

  /** Seconds until the next attempt: JsSIP's where it is the only connection, those of RFC 5626 §4.5 where it is one of several flows. */
  #delay(): number {
    const { min_interval: minimum, max_interval: maximum, beside } = this.#recovery;
    const ceiling = 2 ** Math.min(this.#attempts, 30);
    if (!beside) {
      return Math.min(Math.max(1 + Math.random() * (ceiling - 1), minimum), maximum);
    }
    const least = beside() ? 3 * minimum : minimum;
    return Math.min(least * ceiling, maximum) * (0.5 + Math.random() / 2);
  }

  #retryNow(): void {
    if (this.#state === 'waiting') {
      this.#attempt();
    }
  }

  /** A proxy on the way drops what says nothing, often after a minute, and a server that is gone says nothing either. */
  #listen(): void {
    const { keep_alive_interval: seconds = 0 } = this.#recovery;
    this.#environment.clearTimeout(this.#silence);
    if (seconds > 0) {
      this.#silence = this.#environment.setTimeout(() => this.verify(), seconds * 1000);
    }
  }

  #release(): void {
    this.#environment.clearTimeout(this.#silence);
    const socket = this.socket;
    socket.onconnect = undefined;
    socket.ondisconnect = undefined;
    socket.ondata = undefined;
    socket.disconnect();
  }

  #stopTimer(): void {
    this.#environment.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #choose(): Candidate {
    if (this.#candidates.every((each) => each.failed)) {
      for (const candidate of this.#candidates) {
        candidate.failed = false;
      }
    }
    const usable = this.#candidates.filter((each) => !each.failed);
    const weight = Math.max(...usable.map((each) => each.weight));
    const best = usable.filter((each) => each.weight === weight);
    const chosen = best[Math.floor(Math.random() * best.length)];
    if (chosen === undefined) {
      throw new TypeError('a transport needs a socket');
    }
    return chosen;
  }
}
