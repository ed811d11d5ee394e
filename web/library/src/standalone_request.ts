/** What MESSAGE (RFC 3428) and OPTIONS (RFC 3261 §11) outside calls have in common: one request, one answer. */

import { causeOfStatus } from './causes.js';
import type { TransactionNumber } from './core.js';
import { REASON_PHRASE } from './constants.js';
import { EventEmitter, type EventHandlers } from './events.js';
import { FailedError, NotSupportedError } from './exceptions.js';
import type { NameAddrHeader } from './name_address.js';
import { Outcome, quietly } from './outcome.js';
import { payloadOf } from './payload.js';
import { refusalOf } from './reason.js';
import { IncomingRequest, IncomingResponse, OutgoingRequest } from './sip_message.js';
import type { URI } from './uri.js';
import type { UA } from './user_agent.js';

/** Events of a `Message` or `Options` that we sent; of one that arrived, the page gives the answer itself. */
export type StandaloneEvents = {
  /** A 2xx came. */
  succeeded: [event: { originator: 'remote'; response: IncomingResponse }];
  /** Another response came, or none. */
  failed: [event: { originator: 'remote' | 'system'; response: IncomingResponse | null; cause: string }];
};

/** Options of `ua.sendMessage` and `ua.sendOptions`. */
export interface SendOptions {
  /** Type of the body; `text/plain` for messages, `application/sdp` for OPTIONS by default. */
  contentType?: string;
  /** Headers of the request, `Name: value`. */
  extraHeaders?: readonly string[];
  /** Listeners of `succeeded` and `failed`. */
  eventHandlers?: EventHandlers<StandaloneEvents>;
  /** User in From instead of ours; the registered identity then goes into P-Preferred-Identity. */
  fromUserName?: string;
  /** Display name in From instead of ours. */
  fromDisplayName?: string;
}

/** Options of `accept` of a received MESSAGE or OPTIONS. */
export interface AcceptOptions {
  /** Headers of the response, `Name: value`. */
  extraHeaders?: readonly string[];
  /** Body of the response. */
  body?: string;
}

/** Options of `reject` of a received MESSAGE or OPTIONS. */
export interface RejectOptions extends AcceptOptions {
  /** 300 to 699; 480 by default. */
  status_code?: number;
  /** The usual one of the status by default. */
  reason_phrase?: string;
}

/** What `Message` and `Options` have in common. */
export abstract class StandaloneRequest extends EventEmitter<StandaloneEvents> {
  protected abstract readonly method: string;
  protected abstract readonly defaultType: string;
  readonly #ua: UA;
  #direction: 'incoming' | 'outgoing' | null = null;
  #localIdentity: NameAddrHeader | null = null;
  #remoteIdentity: NameAddrHeader | null = null;
  #transaction: TransactionNumber | null = null;
  #ended: { response: IncomingResponse } | FailedError | undefined;
  readonly #outcome = new Outcome<IncomingResponse>();

  /** @internal */
  constructor(ua: UA) {
    super();
    this.#ua = ua;
  }

  /** Whose request it is; null before it is sent. */
  get direction(): 'incoming' | 'outgoing' | null {
    return this.#direction;
  }

  /** Our side: From of what is sent, To of what arrived. */
  get local_identity(): NameAddrHeader | null {
    return this.#localIdentity;
  }

  /** The other side. */
  get remote_identity(): NameAddrHeader | null {
    return this.#remoteIdentity;
  }

  /** Resolves with the 2xx to a request of ours; rejects with a `FailedError` if there is none. Not in JsSIP. */
  get answered(): Promise<IncomingResponse> {
    if (this.#ended === undefined) {
      return this.#outcome.next();
    }
    return quietly(this.#ended instanceof FailedError ? Promise.reject(this.#ended) : Promise.resolve(this.#ended.response));
  }

  /** Sends the request. Can be used once. @throws TypeError if the target is no address. */
  send(target: string | URI, body?: string | null, options: SendOptions = {}): void {
    const uri = this.#ua.normalizeTarget(target);
    if (uri === undefined) {
      throw new TypeError(`Invalid target: ${String(target)}`);
    }
    if (this.#direction !== null) {
      throw new NotSupportedError('this request has been sent');
    }
    this.addHandlers(options.eventHandlers);
    const payload = payloadOf(options.extraHeaders, body, options.contentType ?? this.defaultType);
    const { fromUserName, fromDisplayName } = options;
    this.#direction = 'outgoing';
    const sent = this.#ua.endpoint.request(
      (core) =>
        core.request(this.method, uri.toString(), {
          ...payload,
          ...(fromUserName === undefined ? {} : { fromUserName }),
          ...(fromDisplayName === undefined ? {} : { fromDisplayName }),
        }),
      {
        responded: ({ status, response }) => this.#answered(status, new IncomingResponse(response)),
        failed: (cause) => this.#fail('system', null, cause),
      },
    );
    const request = new OutgoingRequest(sent, payload.extraHeaders, body ?? null);
    this.#localIdentity = request.from ?? null;
    this.#remoteIdentity = request.to ?? null;
    this.announce('local', request);
  }

  /** @internal A request that arrived. The page may answer in the event; if it does not, it is accepted. */
  init_incoming(request: IncomingRequest, transaction: TransactionNumber): void {
    this.#direction = 'incoming';
    this.#transaction = transaction;
    this.#localIdentity = request.to;
    this.#remoteIdentity = request.from;
    this.announce('remote', request);
    if (this.#transaction !== null) {
      this.accept();
    }
  }

  /** Answers 200. */
  accept(options: AcceptOptions = {}): void {
    this.#respond(200, REASON_PHRASE[200], options);
  }

  /** Answers with a refusal. */
  reject(options: RejectOptions = {}): void {
    const { status, phrase } = refusalOf(options, 480);
    this.#respond(status, phrase, options);
  }

  /** Tells the page of this request. */
  protected abstract announce(originator: 'local' | 'remote', request: IncomingRequest | OutgoingRequest): void;

  protected get userAgent(): UA {
    return this.#ua;
  }

  #respond(status: number, reason: string | undefined, options: AcceptOptions): void {
    if (this.#direction !== 'incoming') {
      throw new NotSupportedError('only a received request can be answered');
    }
    const transaction = this.#transaction;
    if (transaction === null) {
      throw new Error('this request has been answered');
    }
    this.#transaction = null;
    const payload = payloadOf(options.extraHeaders, options.body, this.defaultType);
    this.#ua.endpoint.respond(transaction, status, { ...payload, reason });
  }

  #answered(status: number, response: IncomingResponse): void {
    if (status >= 200 && status < 300) {
      if (this.#ended === undefined) {
        this.#ended = { response };
        this.emit('succeeded', { originator: 'remote', response });
        this.#outcome.resolve(response);
      }
    } else {
      this.#fail('remote', response, causeOfStatus(status));
    }
  }

  #fail(originator: 'remote' | 'system', response: IncomingResponse | null, cause: string): void {
    if (this.#ended === undefined) {
      this.#ended = new FailedError(this.method, { originator, response, cause });
      this.emit('failed', { originator, response, cause });
      this.#outcome.reject(this.#ended);
    }
  }
}
