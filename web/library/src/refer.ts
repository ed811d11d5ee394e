/** Call transfer inside a call (RFC 3515, RFC 3891, RFC 3892): our REFER and its progress. */

import { causeOfStatus } from './causes.js';
import type { CallNumber } from './core.js';
import type { Endpoint } from './endpoint.js';
import { EventEmitter, type EventHandlers } from './events.js';
import { type IncomingRequest, IncomingResponse } from './sip_message.js';
import type { URI } from './uri.js';

/** How a transfer goes on at the peer. */
export interface ReferProgress {
  /** The NOTIFY that says it. */
  request: IncomingRequest;
  /** The response that the peer got. */
  status_line: { status_code: number; reason_phrase: string };
}

/** Events of a transfer. */
export type ReferEvents = {
  /** The REFER was accepted. */
  requestSucceeded: [event: { response: IncomingResponse }];
  /** The REFER was refused, or not answered. */
  requestFailed: [event: { response: IncomingResponse | null; cause: string }];
  /** The REFER went out again, with credentials. */
  authenticated: [event: { request: unknown }];
  /** The peer begins to call. */
  trying: [event: ReferProgress];
  /** It rings there. */
  progress: [event: ReferProgress];
  /** The call that was asked for was answered. */
  accepted: [event: ReferProgress];
  /** The call that was asked for failed. */
  failed: [event: ReferProgress];
  /** Outside calls only: nobody will say how it went. */
  expired: [];
};

/** Options of `session.refer` and `ua.refer`. */
export interface ReferOptions {
  /** Headers of the REFER, `Name: value`. */
  extraHeaders?: readonly string[];
  /** Listeners that are there before the first event. */
  eventHandlers?: EventHandlers<ReferEvents>;
}

/** A transfer that we asked for. */
export class ReferSubscriber extends EventEmitter<ReferEvents> {
  #id: number | null = null;
  #done = false;

  /** CSeq of the REFER: its NOTIFYs carry it. */
  get id(): number | null {
    return this.#id;
  }

  /** @internal */
  get done(): boolean {
    return this.#done;
  }

  /** @internal `replaces` is the value of a Replaces header. */
  send(
    endpoint: Endpoint,
    call: CallNumber,
    target: URI,
    replaces: string | undefined,
    referredBy: string,
    options: ReferOptions,
  ): void {
    this.addHandlers(options.eventHandlers);
    const to = target.clone();
    if (replaces !== undefined) {
      to.setHeader('Replaces', replaces);
    }
    const headers = [...(options.extraHeaders ?? [])];
    if (!headers.some((line) => /^referred-by\s*:/i.test(line))) {
      headers.push(`Referred-By: ${referredBy}`);
    }
    const message = endpoint.request(
      (core) => core.dialogRequest(call, 'REFER', { extraHeaders: [`Refer-To: <${to}>`, ...headers] }),
      {
        responded: ({ status, response }) => this.#responded(status, new IncomingResponse(response)),
        failed: (cause) => {
          this.#done = true;
          this.emit('requestFailed', { response: null, cause });
        },
        authenticated: (request) => {
          this.#id = request.cseq;
          this.emit('authenticated', { request });
        },
      },
    );
    this.#id = message.cseq;
  }

  /** @internal A NOTIFY of this transfer. */
  notified(request: IncomingRequest): void {
    const line = /^SIP\/2\.0 (\d{3}) *(.*)/m.exec(request.body);
    if (line === null || this.#done) {
      return;
    }
    const status = Number(line[1]);
    const event = { request, status_line: { status_code: status, reason_phrase: line[2]?.trim() ?? '' } };
    if (status >= 200) {
      this.#done = true;
    }
    this.emit(status === 100 ? 'trying' : status < 200 ? 'progress' : status < 300 ? 'accepted' : 'failed', event);
  }

  #responded(status: number, response: IncomingResponse): void {
    if (status >= 200 && status < 300) {
      this.emit('requestSucceeded', { response });
    } else {
      this.#done = true;
      this.emit('requestFailed', { response, cause: causeOfStatus(status) });
    }
  }
}

/** The transfers that we asked for in one call. */
export class ReferSubscribers {
  #list: ReferSubscriber[] = [];

  add(subscriber: ReferSubscriber): void {
    this.#list.push(subscriber);
  }

  /** Gives a NOTIFY to its transfer. Returns whether there is one. */
  notified(request: IncomingRequest): boolean {
    const id = request.event?.params.id;
    const open = this.#list.filter((each) => !each.done);
    // RFC 3515 §2.4.6: the first REFER's NOTIFYs may leave the id out.
    const subscriber = id ? this.#list.find((each) => String(each.id) === id) : (open[0] ?? this.#list.at(-1));
    subscriber?.notified(request);
    if (/^terminated/i.test(request.getHeader('Subscription-State') ?? '')) {
      this.#list = this.#list.filter((each) => each !== subscriber || !each.done);
    }
    return subscriber !== undefined;
  }
}
