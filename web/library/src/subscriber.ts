/**
 * A subscription of ours (RFC 6665): asked for, refreshed, and its notifications.
 *
 *     INIT --subscribe--> WAITING_NOTIFY --NOTIFY--> PENDING <--> ACTIVE --NOTIFY terminated, failure--> TERMINATED
 */

import { causes } from './causes.js';
import { later } from './clock.js';
import type { CallNumber, SipMessage } from './core.js';
import type { CallEvent, Endpoint } from './endpoint.js';
import {
  type EventName,
  NOTIFY_WAIT,
  SUBSCRIPTION_STATES,
  USUAL_EXPIRES,
  eventHeader,
  eventName,
  refreshDelay,
} from './event_package.js';
import { EventEmitter } from './events.js';
import { InvalidStateError } from './exceptions.js';
import { payloadOf } from './payload.js';
import { IncomingRequest } from './sip_message.js';
import type { URI } from './uri.js';
import type { UA } from './user_agent.js';

const C = {
  SUBSCRIBE_RESPONSE_TIMEOUT: 0,
  SUBSCRIBE_TRANSPORT_ERROR: 1,
  SUBSCRIBE_NON_OK_RESPONSE: 2,
  SUBSCRIBE_WRONG_OK_RESPONSE: 3,
  SUBSCRIBE_AUTHENTICATION_FAILED: 4,
  UNSUBSCRIBE_TIMEOUT: 5,
  FINAL_NOTIFY_RECEIVED: 6,
  WRONG_NOTIFY_RECEIVED: 7,
  ...SUBSCRIPTION_STATES,
} as const;

/** Events of a subscription. */
export type SubscriberEvents = {
  /** The server took the SUBSCRIBE. */
  accepted: [];
  /** It waits for somebody's decision. */
  pending: [];
  /** It is granted. */
  active: [];
  /** The state, now and at each change. */
  notify: [isFinal: boolean, request: IncomingRequest, body: string, contentType: string];
  /** It is over; `code` is one of `Subscriber.C`, `retryAfter` in seconds. */
  terminated: [code: number, reason: string | undefined, retryAfter: number | undefined];
};

/** Options of `ua.subscribe`. */
export interface SubscribeOptions {
  /** Seconds; 900 by default. */
  expires?: number;
  /** Type of the bodies that `subscribe` and `terminate` send. */
  contentType?: string;
  /** Value of Allow-Events. */
  allowEvents?: string;
  /** From and To instead of ours and the target's. */
  params?: { from_uri?: string | URI; from_display_name?: string; to_uri?: string | URI; to_display_name?: string };
  /** Headers of each SUBSCRIBE, `Name: value`. */
  extraHeaders?: readonly string[];
}

/** A subscription of ours to somebody's state. */
export class Subscriber extends EventEmitter<SubscriberEvents> {
  /** States and the codes of `terminated`. */
  static readonly C = C;

  /** Free for the page. */
  data: Record<string, unknown> = {};

  readonly #endpoint: Endpoint;
  readonly #event: EventName;
  readonly #accept: string;
  readonly #options: SubscribeOptions;
  readonly #expires: number;
  readonly #call: CallNumber;
  readonly #id: string;
  #state: number = C.STATE_INIT;
  #accepted = false;
  #leaving = false;
  #stopRefresh = (): void => undefined;
  #wait: unknown;

  /** @throws TypeError if target or event cannot be used. */
  constructor(ua: UA, target: string | URI, event: string, accept: string, options: SubscribeOptions = {}) {
    super();
    const uri = ua.normalizeTarget(target);
    if (uri === undefined) {
      throw new TypeError(`Invalid target: ${String(target)}`);
    }
    if (typeof accept !== 'string' || accept === '') {
      throw new TypeError('accept must name a media type');
    }
    this.#endpoint = ua.endpoint;
    this.#event = eventName(event);
    this.#accept = accept;
    this.#options = options;
    this.#expires = options.expires ?? USUAL_EXPIRES;
    const { from_uri, from_display_name, to_uri, to_display_name } = options.params ?? {};
    const { number, message } = this.#endpoint.core.createSubscription(uri.toString(), {
      fromUri: from_uri?.toString(),
      fromDisplayName: from_display_name,
      toUri: to_uri?.toString(),
      toDisplayName: to_display_name,
    });
    this.#call = number;
    this.#id = `${message.callId}${message.fromTag}${eventHeader(this.#event)}`;
    this.#endpoint.attach(number, this);
  }

  /** The same as `Subscriber.C`. */
  get C(): typeof C {
    return C;
  }

  /** One of `C.STATE_INIT`, `C.STATE_WAITING_NOTIFY`, `C.STATE_PENDING`, `C.STATE_ACTIVE`, `C.STATE_TERMINATED`. */
  get state(): number {
    return this.#state;
  }

  /** Call-ID, From tag and event. */
  get id(): string {
    return this.#id;
  }

  /** Subscribes, or refreshes. Does nothing when it is over. */
  subscribe(body?: string): void {
    if (this.#state === C.STATE_TERMINATED || this.#leaving) {
      return;
    }
    if (this.#state === C.STATE_INIT) {
      this.#state = C.STATE_WAITING_NOTIFY;
    }
    this.#send(this.#expires, body);
  }

  /** Ends the subscription. The peer says good-bye with a last NOTIFY. @throws InvalidStateError before subscribe. */
  terminate(body?: string): void {
    if (this.#state === C.STATE_INIT) {
      throw new InvalidStateError(this.#state);
    }
    if (this.#state === C.STATE_TERMINATED || this.#leaving) {
      return;
    }
    this.#leaving = true;
    this.#stopTimers();
    this.#wait = this.#endpoint.environment.setTimeout(() => this.#over(C.UNSUBSCRIBE_TIMEOUT), NOTIFY_WAIT);
    this.#send(0, body);
  }

  /** @internal */
  receive(event: CallEvent): void {
    if (event.type === 'dialogRequest') {
      const request = new IncomingRequest(event.request, (status, reason, extraHeaders) => {
        this.#endpoint.attempt((core) => core.respond(event.transaction, status, { reason, extraHeaders }));
      });
      this.#notified(event.method, request);
    }
  }

  #send(expires: number, body: string | undefined): void {
    const { allowEvents, contentType } = this.#options;
    const headers = [
      `Event: ${eventHeader(this.#event)}`,
      `Accept: ${this.#accept}`,
      `Expires: ${expires}`,
      ...(allowEvents === undefined ? [] : [`Allow-Events: ${allowEvents}`]),
      ...(this.#options.extraHeaders ?? []),
    ];
    this.#endpoint.request((core) => core.dialogRequest(this.#call, 'SUBSCRIBE', payloadOf(headers, body, contentType)), {
      responded: ({ status, response }) => this.#responded(status, response),
      failed: (cause) =>
        this.#over(cause === causes.REQUEST_TIMEOUT ? C.SUBSCRIBE_RESPONSE_TIMEOUT : C.SUBSCRIBE_TRANSPORT_ERROR),
    });
  }

  #responded(status: number, response: SipMessage): void {
    if (this.#state === C.STATE_TERMINATED) {
      return;
    }
    if (status >= 300) {
      const refused = status === 401 || status === 407;
      this.#over(refused ? C.SUBSCRIBE_AUTHENTICATION_FAILED : C.SUBSCRIBE_NON_OK_RESPONSE);
      return;
    }
    // RFC 6665 §4.1.2.1: the response says for how long.
    const expires = Number.parseInt(response.header('Expires') ?? '', 10);
    if (Number.isNaN(expires)) {
      this.#over(C.SUBSCRIBE_WRONG_OK_RESPONSE);
      return;
    }
    if (!this.#leaving) {
      this.#refreshIn(expires);
      if (this.#state === C.STATE_WAITING_NOTIFY) {
        this.#endpoint.environment.clearTimeout(this.#wait);
        this.#wait = this.#endpoint.environment.setTimeout(() => this.#over(C.SUBSCRIBE_RESPONSE_TIMEOUT), NOTIFY_WAIT);
      }
    }
    if (!this.#accepted) {
      this.#accepted = true;
      this.emit('accepted');
    }
  }

  #notified(method: string, request: IncomingRequest): void {
    if (method !== 'NOTIFY') {
      request.reply(405);
      return;
    }
    const event = request.event;
    const state = request.parseHeader('Subscription-State') as
      | { state: string; expires?: number; reason?: string; params: Record<string, string | null> }
      | undefined;
    // RFC 6665 §8.2.1 compares names octet by octet; some peers change the case.
    if (event?.event !== this.#event.event.toLowerCase() || (event.params.id ?? undefined) !== this.#event.id) {
      request.reply(489);
      return;
    }
    if (state === undefined) {
      request.reply(400);
      this.#over(C.WRONG_NOTIFY_RECEIVED);
      return;
    }
    request.reply(200);
    const isFinal = state.state === 'terminated';
    this.#change(state.state, state.expires);
    if (request.body !== '') {
      this.emit('notify', isFinal, request, request.body, request.getHeader('Content-Type') ?? '');
    }
    if (isFinal) {
      const retryAfter = Number.parseInt(state.params['retry-after'] ?? '', 10);
      this.#over(C.FINAL_NOTIFY_RECEIVED, state.reason, Number.isNaN(retryAfter) ? undefined : retryAfter);
    }
  }

  #change(word: string, expires: number | undefined): void {
    if (!this.#leaving && word !== 'terminated') {
      this.#endpoint.environment.clearTimeout(this.#wait);
      if (expires !== undefined) {
        this.#refreshIn(expires);
      }
    }
    const state = word === 'active' ? C.STATE_ACTIVE : word === 'pending' ? C.STATE_PENDING : this.#state;
    if (state !== this.#state) {
      this.#state = state;
      this.emit(state === C.STATE_ACTIVE ? 'active' : 'pending');
    }
  }

  #refreshIn(seconds: number): void {
    this.#stopRefresh();
    this.#stopRefresh = later(this.#endpoint.environment, () => this.#send(this.#expires, undefined), refreshDelay(seconds));
  }

  #stopTimers(): void {
    this.#stopRefresh();
    this.#endpoint.environment.clearTimeout(this.#wait);
  }

  #over(code: number, reason?: string, retryAfter?: number): void {
    if (this.#state === C.STATE_TERMINATED) {
      return;
    }
    this.#state = C.STATE_TERMINATED;
    this.#stopTimers();
    this.#endpoint.detach(this.#call);
    this.#endpoint.attempt((core) => core.closeSubscription(this.#call));
    this.emit('terminated', code, reason, retryAfter);
  }
}
