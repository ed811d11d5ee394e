/**
 * Telling a presence server our state (RFC 3903): PUBLISH, kept alive and changed under the server's SIP-ETag.
 *
 *     (nothing) --publish--> published --refresh, publish--> published --remove--> (nothing)
 *                 412: the server has forgotten; published anew, with the whole state
 */

import { causeOfStatus, causes } from './causes.js';
import { later } from './clock.js';
import { type EventName, USUAL_EXPIRES, eventHeader, eventName, refreshDelay } from './event_package.js';
import { EventEmitter } from './events.js';
import { FailedError } from './exceptions.js';
import { Outcome } from './outcome.js';
import { payloadOf } from './payload.js';
import { type PresenceState, presenceDocument } from './presence.js';
import { IncomingResponse } from './sip_message.js';
import type { URI } from './uri.js';
import type { UA } from './user_agent.js';

/** Seconds until a refresh that failed is tried again. */
const RETRY = 30;

/** Events of a publisher. */
export type PublisherEvents = {
  /** Published, changed or refreshed. */
  published: [event: { response: IncomingResponse; etag: string }];
  /** The server has no state of ours any more. */
  removed: [event: { response: IncomingResponse | null }];
  /** The server does not have our state, or not the new one. */
  failed: [event: { originator: 'remote' | 'system'; response: IncomingResponse | null; cause: string }];
};

/** Options of `ua.publisher`. */
export interface PublishOptions {
  /** Seconds to ask for; 900 by default. The server decides. */
  expires?: number;
  /** Type of the bodies. */
  contentType?: string;
  /** Headers of each PUBLISH, `Name: value`. */
  extraHeaders?: readonly string[];
}

/** What is to be sent next: a state, or its removal. */
type Wish = { body: string } | 'remove';

/** A state of ours, kept at a server for others to see. */
export class Publisher extends EventEmitter<PublisherEvents> {
  readonly #ua: UA;
  readonly #target: string;
  readonly #event: EventName;
  readonly #options: PublishOptions;
  readonly #publishing = new Outcome<IncomingResponse>();
  readonly #removing = new Outcome<void>();
  #expires: number;
  /** The server's name for what it has of us (§4.1); undefined: nothing. */
  #etag: string | undefined;
  #body = '';
  /** §4.1: one PUBLISH at a time; what is wished meanwhile waits, and only the last of it. */
  #busy = false;
  #next: Wish | undefined;
  #stopRefresh = (): void => undefined;

  /** @internal @throws TypeError if target or event cannot be used. */
  constructor(ua: UA, target: string | URI, event: string, options: PublishOptions = {}) {
    super();
    const uri = ua.normalizeTarget(target);
    if (uri === undefined) {
      throw new TypeError(`Invalid target: ${String(target)}`);
    }
    this.#ua = ua;
    this.#target = uri.toString();
    this.#event = eventName(event);
    this.#options = options;
    this.#expires = options.expires ?? USUAL_EXPIRES;
  }

  /** The server's name for the state that it has, or null. */
  get etag(): string | null {
    return this.#etag ?? null;
  }

  /**
   * Publishes a state, or changes it: what a person does, or a document of the page's own. Resolves with the 2xx; rejects with a
   * `FailedError`. @throws TypeError without a state.
   */
  publish(state: string | PresenceState): Promise<IncomingResponse> {
    const body = state && typeof state === 'object' ? presenceDocument(this.#target, state) : state;
    if (typeof body !== 'string' || body === '') {
      throw new TypeError('a state must be published');
    }
    if (this.#next === 'remove') {
      this.#removing.reject(new FailedError('PUBLISH', { originator: 'local', response: null, cause: causes.CANCELED }));
    }
    const published = this.#publishing.next();
    this.#wish({ body });
    return published;
  }

  /** Takes the state back. The promise resolves when the server has none. */
  remove(): Promise<void> {
    if (this.#etag === undefined && !this.#busy) {
      return Promise.resolve();
    }
    const removed = this.#removing.next();
    this.#wish('remove');
    return removed;
  }

  #wish(wish: Wish): void {
    this.#next = wish;
    if (!this.#busy) {
      this.#goOn();
    }
  }

  #goOn(): void {
    const wish = this.#next;
    this.#next = undefined;
    if (wish === undefined) {
      return;
    }
    if (wish !== 'remove') {
      this.#body = wish.body;
      this.#send(wish.body, this.#expires);
    } else if (this.#etag === undefined) {
      this.#removed(null);
    } else {
      this.#send(undefined, 0);
    }
  }

  /** Without a body it refreshes, or removes (RFC 3903 §4.1, table 1). */
  #send(body: string | undefined, expires: number): void {
    this.#stopRefresh();
    this.#busy = true;
    this.#ua.statePublished(this, true);
    const headers = [
      `Event: ${eventHeader(this.#event)}`,
      `Expires: ${expires}`,
      ...(this.#etag === undefined ? [] : [`SIP-If-Match: ${this.#etag}`]),
      ...(this.#options.extraHeaders ?? []),
    ];
    const payload = payloadOf(headers, body, this.#options.contentType ?? 'application/pidf+xml');
    try {
      this.#ua.endpoint.request((core) => core.request('PUBLISH', this.#target, payload), {
        responded: ({ status, response }) => this.#responded(status, new IncomingResponse(response), body, expires),
        failed: (cause) => this.#failed(null, cause, body, expires),
      });
    } catch (error) {
      this.#busy = false;
      this.#ua.statePublished(this, this.#etag !== undefined);
      throw error;
    }
  }

  #responded(status: number, response: IncomingResponse, body: string | undefined, expires: number): void {
    const number = (name: string): number => Number.parseInt(response.getHeader(name) ?? '', 10);
    if (status >= 200 && status < 300) {
      if (expires === 0) {
        this.#removed(response);
      } else {
        this.#published(response, number('Expires') || expires);
      }
    } else if (status === 412 && this.#etag !== undefined) {
      // §4.1: the server has forgotten us. What is wished goes there as if it were the first time.
      this.#etag = undefined;
      if (expires === 0) {
        this.#removed(response);
      } else if (this.#next === undefined) {
        this.#send(this.#body, this.#expires);
      } else {
        if (this.#next === 'remove') {
          this.#publishing.reject(new FailedError('PUBLISH', { originator: 'remote', response, cause: causeOfStatus(status) }));
        }
        this.#idle();
      }
    } else if (status === 423 && expires > 0 && number('Min-Expires') > expires) {
      this.#expires = number('Min-Expires');
      this.#send(body, this.#expires);
    } else {
      this.#failed(response, causeOfStatus(status), body, expires);
    }
  }

  #published(response: IncomingResponse, granted: number): void {
    const etag = response.getHeader('SIP-ETag');
    if (etag === undefined) {
      // §6: every 2xx has one; without it nothing could be refreshed.
      this.#etag = undefined;
      this.#failed(response, causes.SIP_FAILURE_CODE, undefined, granted);
      return;
    }
    this.#etag = etag;
    this.#refreshIn(refreshDelay(granted));
    this.emit('published', { response, etag });
    if (this.#next === undefined || this.#next === 'remove') {
      this.#publishing.resolve(response);
    }
    this.#idle();
  }

  #refreshIn(milliseconds: number): void {
    this.#stopRefresh();
    this.#stopRefresh = later(this.#ua.endpoint.environment, () => this.#send(undefined, this.#expires), milliseconds);
  }

  #removed(response: IncomingResponse | null): void {
    this.#etag = undefined;
    this.emit('removed', { response });
    this.#removing.resolve();
    this.#idle();
  }

  #failed(response: IncomingResponse | null, cause: string, body: string | undefined, expires: number): void {
    const retry = (Number.parseInt(response?.getHeader('Retry-After') ?? '', 10) || RETRY) * 1000;
    const status = response?.status_code ?? 503;
    const refreshing = body === undefined && expires > 0 && this.#etag !== undefined;
    if (refreshing && status >= 500 && status < 600) {
      // The server still has our state; or, after a while, will say that it has not (412), and get it anew.
      this.#refreshIn(retry);
      this.#idle();
      return;
    }
    const originator = response === null ? 'system' : 'remote';
    if (body === undefined) {
      // Neither refreshed nor taken back: it runs out by itself.
      this.#etag = undefined;
    } else if (this.#etag !== undefined) {
      // Not changed, but what the server has stays alive.
      this.#refreshIn(retry);
    }
    const error = new FailedError('PUBLISH', { originator, response, cause });
    this.emit('failed', { originator, response, cause });
    if (expires === 0) {
      this.#removing.reject(error);
    } else if (this.#next === undefined || this.#next === 'remove') {
      this.#publishing.reject(error);
    }
    this.#idle();
  }

  #idle(): void {
    this.#busy = false;
    this.#ua.statePublished(this, this.#etag !== undefined);
    this.#goOn();
  }
}
