/** SIP over the browser's WebSocket (RFC 7118), and the interface that any other socket must have. */

import { URI } from './uri.js';
import { log } from './debug.js';

const debug = log('WebSocketInterface');

/** What a socket hands to the library: one SIP message each. */
export type SocketData = string | ArrayBuffer | Uint8Array;

/** A connection over which whole SIP messages travel. */
export interface Socket {
  /** The transport token of Via: `WS`, `WSS`, `TCP`, `TLS`. */
  via_transport: string;
  /** For messages to people only. */
  readonly url: string;
  /** The URI of a preloaded Route. */
  readonly sip_uri: string;
  /** Opens the connection; `onconnect` or `ondisconnect` follows. */
  connect(): void;
  /** Closes the connection, at once. */
  disconnect(): void;
  /** Sends one message. Returns whether it was handed to the connection. */
  send(message: string | Uint8Array<ArrayBuffer>): boolean;
  // The library sets these.
  /** It is open. */
  onconnect?: (() => void) | undefined;
  /** It closed, or could not be opened; `error` unless that was orderly. */
  ondisconnect?: ((error: boolean, code?: number, reason?: string) => void) | undefined;
  /** One whole message came. */
  ondata?: ((data: SocketData) => void) | undefined;
}

/** The part of the browser's WebSocket that is used. */
export type WebSocketConstructor = new (url: string, protocols: string) => WebSocket;

/** SIP over a WebSocket (RFC 7118): what `sockets` usually holds. */
export class WebSocketInterface implements Socket {
  /** Set by the user agent. */
  onconnect: (() => void) | undefined;
  /** Set by the user agent. */
  ondisconnect: ((error: boolean, code?: number, reason?: string) => void) | undefined;
  /** Set by the user agent. */
  ondata: ((data: SocketData) => void) | undefined;

  readonly #url: string;
  readonly #sipUri: string;
  readonly #WebSocketClass: WebSocketConstructor | undefined;
  #viaTransport: string;
  #socket: WebSocket | undefined;
  #opened = false;

  /**
   * @param url `ws:` or `wss:` address of the server.
   * @param WebSocketClass for programs outside a browser; the global `WebSocket` by default.
   * @throws TypeError if `url` is no WebSocket address.
   */
  constructor(url: string, WebSocketClass?: WebSocketConstructor) {
    const { protocol, hostname, port } = webSocketUrl(url);
    this.#url = url;
    this.#WebSocketClass = WebSocketClass;
    this.#viaTransport = protocol.slice(0, -1).toUpperCase();
    // RFC 7118 §5.2: `transport=ws` for both schemes.
    this.#sipUri = `sip:${hostname}${port === '' ? '' : `:${port}`};transport=ws`;
  }

  /** What Via says: `WS`, `WSS`, or what the page sets for a server that needs another word. */
  get via_transport(): string {
    return this.#viaTransport;
  }

  set via_transport(value: string) {
    this.#viaTransport = value.toUpperCase();
  }

  /** The address that was given. */
  get url(): string {
    return this.#url;
  }

  /** The server as a SIP URI. */
  get sip_uri(): string {
    return this.#sipUri;
  }

  /** Opens it. The user agent does so. */
  connect(): void {
    if (this.isConnected() || this.isConnecting()) {
      return;
    }
    this.#forget();
    const WebSocketClass = this.#WebSocketClass ?? globalThis.WebSocket;
    try {
      // RFC 7118 §4.1: the subprotocol is `sip`.
      this.#open(new WebSocketClass(this.#url, 'sip'));
    } catch (error) {
      debug('cannot open', this.#url, error);
      // As any other failure: told after `connect` has returned.
      queueMicrotask(() => this.ondisconnect?.(true, 1006, String(error)));
    }
  }

  /** Closes it. The user agent does so. */
  disconnect(): void {
    const socket = this.#socket;
    if (socket === undefined) {
      return;
    }
    this.#forget();
    try {
      socket.close();
    } catch (error) {
      debug('close failed', error);
    }
  }

  /** Sends one message. Returns whether the socket took it. */
  send(message: string | Uint8Array<ArrayBuffer>): boolean {
    if (!this.isConnected()) {
      return false;
    }
    try {
      this.#socket?.send(message);
      return true;
    } catch (error) {
      debug('send failed', error);
      return false;
    }
  }

  /** Whether it is open. */
  isConnected(): boolean {
    return this.#socket?.readyState === 1;
  }

  /** Whether it is being opened. */
  isConnecting(): boolean {
    return this.#socket?.readyState === 0;
  }

  #open(socket: WebSocket): void {
    this.#socket = socket;
    this.#opened = false;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#opened = true;
      this.onconnect?.();
    };
    socket.onclose = (event) => {
      this.#forget();
      // A connection that never opened, or that broke, is an error; an orderly close by the server is not.
      this.ondisconnect?.(!this.#opened || !event.wasClean, event.code, event.reason);
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.ondata?.(event.data);
    socket.onerror = (event) => debug('error', this.#url, event);
  }

  /** Leaves a socket to itself: whatever it still says is not heard. */
  #forget(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) {
      socket.onopen = null;
      socket.onclose = null;
      socket.onmessage = null;
      socket.onerror = null;
    }
  }
}

/** Whether `value` can be used as a socket. */
export function isSocket(value: unknown): value is Socket {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const socket = value as Partial<Socket>;
  return (
    typeof socket.via_transport === 'string' &&
    typeof socket.url === 'string' &&
    typeof socket.sip_uri === 'string' &&
    URI.parse(socket.sip_uri) !== undefined &&
    [socket.connect, socket.disconnect, socket.send].every((method) => typeof method === 'function')
  );
}

function webSocketUrl(url: string): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new TypeError(`Invalid WebSocket address: ${url}`);
  }
  if (parsed.protocol !== 'ws:' && parsed.protocol !== 'wss:') {
    throw new TypeError(`Not a WebSocket address: ${url}`);
  }
  return parsed;
}
