/** What a user agent shares with its calls and messages: the core, the settings, and who waits for which event. */

import type { CallNumber, Cause, Core, CoreEvent, Payload, RequestNumber, ResponseEvent, SipMessage, TransactionNumber } from './core.js';
import { CoreError } from './core.js';
import type { Settings } from './configuration.js';
import type { Environment } from './environment.js';

/** The events of the core that belong to one call. */
export type CallEvent = Extract<CoreEvent, { call: CallNumber }>;

/** Something that lives on a call number. */
export interface CallListener {
  receive(event: CallEvent): void;
}

/** How a request of ours ended. Exactly one of `responded` and `failed` is called. */
export interface RequestListener {
  responded(event: ResponseEvent): void;
  failed(cause: Cause): void;
  authenticated?(request: SipMessage): void;
}

/** How a request is made; it gives the number under which its response comes. */
type Make = (core: Core) => { number: RequestNumber; message: SipMessage };

export class Endpoint {
  readonly core: Core;
  readonly settings: Settings;
  readonly environment: Environment;
  /** STUN and TURN servers that the server told when we registered last. */
  iceServers: RTCIceServer[] = [];
  /** Called when the network may have changed: the user agent then finds out whether its connection is alive. */
  verifyConnection: () => void = () => undefined;
  readonly #calls = new Map<CallNumber, CallListener>();
  readonly #requests = new Map<RequestNumber, RequestListener>();

  constructor(core: Core, settings: Settings, environment: Environment) {
    this.core = core;
    this.settings = settings;
    this.environment = environment;
  }

  /** From now on the events of `call` go to `listener`. */
  attach(call: CallNumber, listener: CallListener): void {
    this.#calls.set(call, listener);
  }

  detach(call: CallNumber): void {
    this.#calls.delete(call);
  }

  listenerOf(call: CallNumber): CallListener | undefined {
    return this.#calls.get(call);
  }

  /** Makes a request, and tells `listener` how it ended. Returns the request as it was sent. */
  request(make: Make, listener: RequestListener): SipMessage {
    const { number, message } = make(this.core);
    this.#requests.set(number, listener);
    return message;
  }

  /** Uses the core for a call or transaction that may be gone meanwhile; then nothing happens and `false` is returned. */
  attempt(use: (core: Core) => void): boolean {
    try {
      use(this.core);
      return true;
    } catch (error) {
      if (error instanceof CoreError && (error.code === 'unknown' || error.code === 'state' || error.code === 'closed')) {
        return false;
      }
      throw error;
    }
  }

  /** Answers a request of the peer. A header that cannot be written must not keep the peer waiting: then the status goes alone. */
  respond(transaction: TransactionNumber, status: number, words: Payload & { reason?: string | undefined }): boolean {
    try {
      return this.attempt((core) => core.respond(transaction, status, words));
    } catch {
      return this.attempt((core) => core.respond(transaction, status));
    }
  }

  /** Hands an event to whom it belongs, if there is somebody. */
  dispatch(event: CoreEvent): void {
    switch (event.type) {
      case 'response':
        this.#take(event.number)?.responded(event);
        break;
      case 'requestFailed':
        this.#take(event.number)?.failed(event.cause);
        break;
      case 'authenticated':
        if (event.number !== null) {
          this.#requests.get(event.number)?.authenticated?.(event.request);
        }
        break;
      default:
        if ('call' in event) {
          this.#calls.get(event.call)?.receive(event as CallEvent);
        }
    }
  }

  #take(number: RequestNumber): RequestListener | undefined {
    const listener = this.#requests.get(number);
    this.#requests.delete(number);
    return listener;
  }
}
