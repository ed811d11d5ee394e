/** The other side of a subscription (RFC 6665 §4.2): somebody wants to know something of us. */

import { causes } from './causes.js';
import type { CallNumber, TransactionNumber } from './core.js';
import type { CallEvent, Endpoint } from './endpoint.js';
import { SUBSCRIPTION_STATES, USUAL_EXPIRES } from './event_package.js';
import { EventEmitter } from './events.js';
import { InvalidStateError, NotSupportedError } from './exceptions.js';
import { payloadOf } from './payload.js';
import { IncomingRequest } from './sip_message.js';
import type { UA } from './user_agent.js';

const C = {
  NOTIFY_RESPONSE_TIMEOUT: 0,
  NOTIFY_TRANSPORT_ERROR: 1,
  NOTIFY_NON_OK_RESPONSE: 2,
  NOTIFY_AUTHENTICATION_FAILED: 3,
  FINAL_NOTIFY_SENT: 4,
  UNSUBSCRIBE_RECEIVED: 5,
  SUBSCRIPTION_EXPIRED: 6,
  ...SUBSCRIPTION_STATES,
} as const;

/** Events of a notifier. */
export type NotifierEvents = {
  /** Subscribed, refreshed or given up: the state is to be told now, by `notify`. */
  subscribe: [isUnsubscribe: boolean, request: IncomingRequest, body: string, contentType: string];
  /** The subscriber did not refresh in time. */
  expired: [];
  /** It is over; `code` is one of `Notifier.C`. */
  terminated: [code: number];
};

/** Options of `ua.notify`. */
export interface NotifyOptions {
  /** Headers of each NOTIFY, `Name: value`. */
  extraHeaders?: readonly string[];
  /** Value of Allow-Events. */
  allowEvents?: string;
  /** Whether the subscription waits for a decision until `setActiveState`. */
  pending?: boolean;
  /** Seconds when the subscriber does not say; 900 by default. */
  defaultExpires?: number;
}

/** Somebody's subscription to our state, from `ua.notify`. */
export class Notifier extends EventEmitter<NotifierEvents> {
  /** States and the codes of `terminated`. */
  static readonly C = C;

  /** Free for the page. */
  data: Record<string, unknown> = {};

  readonly #endpoint: Endpoint;
  readonly #first: IncomingRequest;
  readonly #transaction: TransactionNumber;
  readonly #contentType: string;
  readonly #options: NotifyOptions;
  readonly #call: CallNumber;
  #state: number;
  #started = false;
  #end: number = C.FINAL_NOTIFY_SENT;
  #expiresAt = 0;
  #timer: unknown;

  /** @throws NotSupportedError if the request is no SUBSCRIBE that waits for an answer. */
  constructor(ua: UA, subscribe: IncomingRequest, contentType: string, options: NotifyOptions = {}) {
    super();
    const transaction = ua.takeSubscribe(subscribe);
    if (transaction === undefined) {
      throw new NotSupportedError('this is no SUBSCRIBE that waits for an answer');
    }
    this.#endpoint = ua.endpoint;
    this.#first = subscribe;
    this.#transaction = transaction;
    this.#contentType = contentType;
    this.#options = options;
    this.#state = options.pending ? C.STATE_PENDING : C.STATE_ACTIVE;
    this.#call = this.#endpoint.core.acceptSubscription(transaction);
    this.#endpoint.attach(this.#call, this);
  }

  /** The same as `Notifier.C`. */
  get C(): typeof C {
    return C;
  }

  /** One of `C.STATE_PENDING`, `C.STATE_ACTIVE`, `C.STATE_TERMINATED`. */
  get state(): number {
    return this.#state;
  }

  /** Call-ID and From tag of the SUBSCRIBE. */
  get id(): string {
    return `${this.#first.call_id}${this.#first.from_tag}`;
  }

  /** Answers the SUBSCRIBE; then `subscribe` fires, in which the page should notify. */
  start(): void {
    if (!this.#started) {
      this.#started = true;
      this.#subscribed(this.#first, this.#transaction);
    }
  }

  /** The subscription is granted. */
  setActiveState(): void {
    if (this.#state === C.STATE_PENDING) {
      this.#state = C.STATE_ACTIVE;
    }
  }

  /** Tells the subscriber. @throws InvalidStateError when it is over or not started. */
  notify(body?: string): void {
    if (this.#state === C.STATE_TERMINATED || !this.#started) {
      throw new InvalidStateError(this.#state);
    }
    const left = Math.max(Math.round((this.#expiresAt - this.#endpoint.environment.now()) / 1000), 0);
    const word = this.#state === C.STATE_PENDING ? 'pending' : 'active';
    this.#send(`${word};expires=${left}`, body);
  }

  /** Tells the subscriber for the last time. */
  terminate(body?: string, reason?: string, retryAfter?: number): void {
    if (this.#state === C.STATE_TERMINATED) {
      return;
    }
    const parts = ['terminated'];
    if (reason !== undefined) {
      parts.push(`reason=${reason}`);
    }
    if (retryAfter !== undefined) {
      parts.push(`retry-after=${retryAfter}`);
    }
    this.#state = C.STATE_TERMINATED;
    this.#send(parts.join(';'), body);
    this.#over(this.#end);
  }

  /** @internal */
  receive(event: CallEvent): void {
    if (event.type !== 'dialogRequest') {
      return;
    }
    if (event.method === 'SUBSCRIBE') {
      this.#subscribed(new IncomingRequest(event.request), event.transaction);
    } else {
      this.#endpoint.attempt((core) => core.respond(event.transaction, 405));
    }
  }

  #subscribed(request: IncomingRequest, transaction: TransactionNumber): void {
    const asked = request.parseHeader('Expires') as number | undefined;
    const expires = asked ?? this.#options.defaultExpires ?? USUAL_EXPIRES;
    const { environment } = this.#endpoint;
    this.#endpoint.attempt((core) =>
      core.respond(transaction, 200, {
        reason: 'OK',
        extraHeaders: [`Expires: ${expires}`, ...(this.#options.extraHeaders ?? [])],
      }),
    );
    environment.clearTimeout(this.#timer);
    this.#expiresAt = environment.now() + expires * 1000;
    if (expires === 0) {
      this.#end = C.UNSUBSCRIBE_RECEIVED;
    } else {
      this.#timer = environment.setTimeout(() => this.#expired(), expires * 1000);
    }
    this.emit('subscribe', expires === 0, request, request.body, request.getHeader('Content-Type') ?? '');
    if (expires === 0) {
      // RFC 6665 §4.2.1.4: there is a last NOTIFY, whatever the page does.
      this.terminate();
    }
  }

  #expired(): void {
    this.emit('expired');
    this.#end = C.SUBSCRIPTION_EXPIRED;
    this.terminate(undefined, 'timeout');
  }

  #send(state: string, body: string | undefined): void {
    const headers = [
      `Event: ${this.#first.getHeader('Event') ?? ''}`,
      `Subscription-State: ${state}`,
      ...(this.#options.allowEvents === undefined ? [] : [`Allow-Events: ${this.#options.allowEvents}`]),
      ...(this.#options.extraHeaders ?? []),
    ];
    this.#endpoint.request(
      (core) => core.dialogRequest(this.#call, 'NOTIFY', payloadOf(headers, body, this.#contentType)),
      {
        responded: ({ status }) => {
          if (status >= 300) {
            const refused = status === 401 || status === 407;
            this.#over(refused ? C.NOTIFY_AUTHENTICATION_FAILED : C.NOTIFY_NON_OK_RESPONSE);
          }
        },
        failed: (cause) =>
          this.#over(cause === causes.REQUEST_TIMEOUT ? C.NOTIFY_RESPONSE_TIMEOUT : C.NOTIFY_TRANSPORT_ERROR),
      },
    );
  }

  /** Told once. */
  #over(code: number): void {
    if (this.#endpoint.listenerOf(this.#call) !== this) {
      return;
    }
    this.#state = C.STATE_TERMINATED;
    this.#endpoint.environment.clearTimeout(this.#timer);
    this.#endpoint.detach(this.#call);
    this.#endpoint.attempt((core) => core.closeSubscription(this.#call));
    this.emit('terminated', code);
  }
}
