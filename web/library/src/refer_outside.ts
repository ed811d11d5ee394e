/**
 * REFER outside calls (RFC 3515 §2.4.1): "call them", said to somebody we have no call with. It makes a dialog of its own,
 * in which NOTIFYs say how that goes.
 */

import { causes } from './causes.js';
import type { CallNumber } from './core.js';
import type { CallEvent } from './endpoint.js';
import { NOTIFY_WAIT } from './event_package.js';
import { FailedError, InvalidStateError } from './exceptions.js';
import { Outcome, quietly } from './outcome.js';
import { type ReferOptions, type ReferProgress, ReferSubscriber } from './refer.js';
import type { RTCSession } from './session.js';
import { IncomingRequest } from './sip_message.js';
import type { URI } from './uri.js';
import type { UA } from './user_agent.js';

/** A REFER of ours outside calls. Its events are those of a transfer; `expired` when no more news will come. */
export class OutOfDialogRefer extends ReferSubscriber {
  readonly #ua: UA;
  readonly #call: CallNumber;
  readonly #outcome = new Outcome<ReferProgress>();
  #ended: ReferProgress | FailedError | undefined;
  #wait: unknown;

  /** @internal @throws TypeError if an address cannot be used. */
  constructor(ua: UA, target: string | URI, referTo: string | URI, options: ReferOptions & { replaces?: RTCSession }) {
    super();
    const { replaces } = options;
    if (replaces !== undefined && !replaces.isEstablished()) {
      throw new InvalidStateError(replaces.status);
    }
    this.#ua = ua;
    const [uri, to] = [ua.normalizeTarget(target), ua.normalizeTarget(referTo)];
    if (uri === undefined || to === undefined) {
      throw new TypeError(`Invalid target: ${String(uri === undefined ? target : referTo)}`);
    }
    const { endpoint } = ua;
    this.#call = endpoint.core.createSubscription(uri.toString(), {}).number;
    endpoint.attach(this.#call, this);
    this.on('requestSucceeded', ({ response }) => {
      if (this.#wait === undefined) {
        // RFC 4488 §4: who answers so sends no NOTIFY.
        this.#expireIn(/^false/i.test(response.getHeader('Refer-Sub') ?? '') ? 0 : NOTIFY_WAIT);
      }
    });
    this.on('requestFailed', ({ response, cause }) => {
      this.#end(new FailedError('REFER', { originator: response ? 'remote' : 'system', response, cause }));
    });
    this.on('accepted', (progress) => this.#end(progress));
    this.on('failed', ({ request, status_line }) => {
      this.#end(new FailedError(`the call that was asked for (${status_line.status_code} ${status_line.reason_phrase})`, {
        originator: 'remote', response: request, cause: causes.SIP_FAILURE_CODE,
      }));
    });
    try {
      this.send(endpoint, this.#call, to, replaces?.replacesValue(), `<${ua.configuration.uri}>`, options);
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Resolves when the call that was asked for is answered; rejects with a `FailedError` if it is not, or nobody tells. */
  get over(): Promise<ReferProgress> {
    if (this.#ended === undefined) {
      return this.#outcome.next();
    }
    return quietly(this.#ended instanceof FailedError ? Promise.reject(this.#ended) : Promise.resolve(this.#ended));
  }

  /** @internal */
  receive(event: CallEvent): void {
    if (event.type !== 'dialogRequest') {
      return;
    }
    const request = new IncomingRequest(event.request, (status, reason, extraHeaders) => {
      this.#ua.endpoint.attempt((core) => core.respond(event.transaction, status, { reason, extraHeaders }));
    });
    if (event.method !== 'NOTIFY' || request.event?.event !== 'refer') {
      request.reply(event.method === 'NOTIFY' ? 489 : 405);
      return;
    }
    request.reply(200);
    const state = request.parseHeader('Subscription-State') as { state: string; expires?: number } | undefined;
    this.notified(request);
    if (this.#ended === undefined) {
      if (state?.state === 'terminated') {
        this.#expire();
      } else {
        this.#expireIn((state?.expires ?? 0) * 1000 + NOTIFY_WAIT);
      }
    }
  }

  #expireIn(milliseconds: number): void {
    const { setTimeout, clearTimeout } = this.#ua.endpoint.environment;
    clearTimeout(this.#wait);
    this.#wait = setTimeout(() => this.#expire(), milliseconds);
  }

  #expire(): void {
    if (this.#ended === undefined) {
      this.#end(new FailedError('REFER', { cause: causes.EXPIRES }));
      this.emit('expired');
    }
  }

  #end(outcome: ReferProgress | FailedError): void {
    if (this.#ended !== undefined) {
      return;
    }
    this.#ended = outcome;
    this.#close();
    if (outcome instanceof FailedError) {
      this.#outcome.reject(outcome);
    } else {
      this.#outcome.resolve(outcome);
    }
  }

  #close(): void {
    const { endpoint } = this.#ua;
    endpoint.environment.clearTimeout(this.#wait);
    endpoint.detach(this.#call);
    endpoint.attempt((core) => core.closeSubscription(this.#call));
  }
}
