/**
 * Offers and answers inside a standing call (RFC 3261 §14, RFC 3311, RFC 3264), one at a time.
 *
 * A re-offer that fails leaves the call as it was (RFC 3261 §14.1: the session continues with the parameters in force):
 * our offer is rolled back and the caller of `offer` is told. Glare is answered 491 without a touch of the peer connection.
 */

import { causeOfStatus } from './causes.js';
import type { CallNumber, ReofferAcknowledgedEvent, ReofferEvent, ResponseEvent, TransactionNumber } from './core.js';
import type { Endpoint } from './endpoint.js';
import { guarded } from './events.js';
import { type Media, MediaClosed } from './media.js';
import { payloadOf } from './payload.js';
import { refusalOf } from './reason.js';
import { isHold } from './session_description.js';
import { IncomingRequest, IncomingResponse } from './sip_message.js';

/** Options of `hold`, `unhold` and `renegotiate`. */
export interface RenegotiateOptions {
  /** UPDATE in place of re-INVITE. */
  useUpdate?: boolean;
  /** Headers of the request, `Name: value`. */
  extraHeaders?: readonly string[];
  /** For `createOffer`. */
  rtcOfferConstraints?: RTCOfferOptions;
}

/** A re-INVITE or UPDATE of the peer, as the page sees it before it is answered. */
export interface RemoteReoffer {
  /** The re-INVITE or UPDATE. */
  request: IncomingRequest;
  /** Set it to be called once the request has been answered 200. */
  callback: (() => void) | undefined;
  /** Refuses it; must be called in the event. 403 by default. */
  reject(options?: { status_code?: number; reason_phrase?: string; extraHeaders?: readonly string[] }): void;
}

/** What a negotiation needs to know of its call. */
export interface NegotiatingCall {
  readonly endpoint: Endpoint;
  readonly media: Media;
  readonly call: CallNumber;
  /** Whether we made the Call-ID. */
  readonly ownsCallId: boolean;
  readonly answerOptions: RTCAnswerOptions | undefined;
  announce(method: 'INVITE' | 'UPDATE', reoffer: RemoteReoffer): void;
  remoteHold(hold: boolean): void;
}

/** Why a re-offer of ours had no effect. */
export class ReofferError extends Error {
  override readonly name = 'ReofferError';
  override readonly cause: string;
  readonly response: IncomingResponse | null;

  constructor(cause: string, response: IncomingResponse | null = null) {
    super(`the call was not changed: ${cause}`);
    this.cause = cause;
    this.response = response;
  }
}

/** Gives the first final response. Returns whether the peer still waits for it. */
type Respond = (status: number, reason?: string, extraHeaders?: readonly string[], body?: string) => boolean;

/** How often an offer is sent again after a glare. */
const GLARE_RETRIES = 3;

export class Renegotiation {
  readonly #owner: NegotiatingCall;
  /** An offer of ours is wanted, be it that it waits after a glare. */
  #offering = false;
  /** Whose offer the peer connection is busy with. */
  #busy: 'local' | 'remote' | undefined;
  /** Our 200 to a re-INVITE without an offer, until its ACK brings the answer. */
  #awaitedAck: { transaction: TransactionNumber; done: () => void } | undefined;

  constructor(owner: NegotiatingCall) {
    this.#owner = owner;
  }

  /** Whether an offer can be made now. */
  get isReady(): boolean {
    return !this.#offering && this.#canOffer;
  }

  /** Offers the present state of the peer connection. @throws ReofferError, or what WebRTC throws. */
  async offer(options: RenegotiateOptions): Promise<void> {
    this.#offering = true;
    try {
      for (let attempt = 0; ; attempt += 1) {
        const response = this.#canOffer ? await this.#offerOnce(options) : undefined;
        if (response !== undefined && response.status !== 491) {
          return;
        }
        if (attempt === GLARE_RETRIES) {
          throw new ReofferError(causeOfStatus(491), response ? new IncomingResponse(response.response) : null);
        }
        await this.#afterGlare();
      }
    } finally {
      this.#offering = false;
    }
  }

  /** An offer was refused, and the directions are those of before: lets the peer connection know. */
  async obeyDirections(): Promise<void> {
    if (this.#busy === undefined) {
      this.#busy = 'local';
      await this.#owner.media.obeyDirections();
      this.#busy = undefined;
    }
  }

  /** A re-INVITE or UPDATE of the peer. The promise: it has been answered. */
  async receive(event: ReofferEvent): Promise<void> {
    const { endpoint } = this.#owner;
    let open = true;
    const respond: Respond = (status, reason, extraHeaders, body) => {
      const first = open;
      open = false;
      const options = { ...payloadOf(extraHeaders, body, 'application/sdp'), reason };
      return first && endpoint.respond(event.transaction, status, options);
    };
    const request = new IncomingRequest(event.request, respond);
    if (this.#busy !== undefined && (event.body !== '' || event.method === 'INVITE')) {
      // RFC 3261 §14.2: our own offer is being made, though the core has not seen it yet.
      respond(this.#busy === 'local' ? 491 : 500, undefined, this.#busy === 'local' ? [] : ['Retry-After: 1']);
      return;
    }
    const reoffer = this.#announce(event, request, respond);
    if (!open) {
      return;
    }
    if (event.body === '' && event.method === 'UPDATE') {
      respond(200);
      reoffer.callback?.();
    } else if (event.body !== '' && event.request.contentType !== 'application/sdp') {
      respond(415, undefined, ['Accept: application/sdp']);
    } else {
      await this.#answer(event, respond, reoffer);
    }
  }

  /** The ACK to our 200 of a re-INVITE. */
  acknowledged(event: ReofferAcknowledgedEvent): void {
    const awaited = this.#awaitedAck;
    if (awaited?.transaction !== event.transaction) {
      return;
    }
    this.#awaitedAck = undefined;
    void this.#applyLateAnswer(event.body).finally(awaited.done);
  }

  get #canOffer(): boolean {
    const { endpoint, media, call } = this.#owner;
    let possible = false;
    endpoint.attempt((core) => {
      possible = core.canReinvite(call);
    });
    return possible && this.#busy === undefined && media.isStable;
  }

  async #offerOnce(options: RenegotiateOptions): Promise<ResponseEvent> {
    const { endpoint, media, call } = this.#owner;
    this.#busy = 'local';
    try {
      const sdp = await media.createLocal('offer', options.rtcOfferConstraints);
      const response = await new Promise<ResponseEvent>((resolve, reject) => {
        endpoint.request(
          (core) =>
            core.reinvite(call, options.useUpdate ? 'UPDATE' : 'INVITE', payloadOf(options.extraHeaders, sdp, 'application/sdp')),
          { responded: resolve, failed: (cause) => reject(new ReofferError(cause)) },
        );
      });
      if (response.status >= 300 && response.status !== 491) {
        throw new ReofferError(causeOfStatus(response.status), new IncomingResponse(response.response));
      }
      if (response.status < 300) {
        await this.#applyAnswer(response);
      } else {
        await media.rollback();
      }
      return response;
    } catch (error) {
      await media.rollback();
      throw error;
    } finally {
      this.#busy = undefined;
    }
  }

  async #applyAnswer(response: ResponseEvent): Promise<void> {
    if (response.body === '') {
      throw new ReofferError('Missing SDP', new IncomingResponse(response.response));
    }
    await this.#owner.media.applyRemote('answer', response.body);
  }

  /** RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other side 0 to 2 s, in steps of 10 ms. */
  async #afterGlare(): Promise<void> {
    const { media, ownsCallId } = this.#owner;
    const steps = ownsCallId ? 210 + Math.floor(Math.random() * 191) : Math.floor(Math.random() * 201);
    await media.wait(steps * 10);
    if (media.closed) {
      throw new MediaClosed();
    }
  }

  #announce(
    event: ReofferEvent,
    request: IncomingRequest,
    respond: Respond,
  ): RemoteReoffer {
    const reoffer: RemoteReoffer = {
      request,
      callback: undefined,
      reject: (options = {}) => {
        const { status, phrase } = refusalOf(options, 403);
        respond(status, phrase, options.extraHeaders);
      },
    };
    this.#owner.announce(event.method, reoffer);
    return reoffer;
  }

  async #answer(
    event: ReofferEvent,
    respond: Respond,
    reoffer: RemoteReoffer,
  ): Promise<void> {
    const { media, answerOptions } = this.#owner;
    const late = event.body === '';
    this.#busy = 'remote';
    let waiting = false;
    let withdrawn = false;
    try {
      if (!late) {
        await media.applyRemote('offer', event.body);
      }
      const sdp = await (late ? media.createLocal('offer') : media.createLocal('answer', answerOptions));
      if (!respond(200, undefined, undefined, sdp)) {
        withdrawn = !late;
        await media.rollback();
        return;
      }
      if (late) {
        waiting = true;
        this.#awaitedAck = { transaction: event.transaction, done: () => (this.#busy = undefined) };
      } else {
        this.#owner.remoteHold(isHold(event.body));
      }
      guarded(() => reoffer.callback?.());
    } catch {
      await media.rollback();
      // RFC 3261 §14.2: the call goes on as it was.
      respond(late ? 500 : 488);
    } finally {
      if (!waiting) {
        this.#busy = undefined;
      }
      if (withdrawn) {
        // RFC 3261 §9: the peer has taken back what our side obeys already. We offer that, so that both do the same.
        void this.offer({}).catch(() => undefined);
      }
    }
  }

  async #applyLateAnswer(body: string): Promise<void> {
    const { media } = this.#owner;
    try {
      if (body === '') {
        await media.rollback();
      } else {
        await media.applyRemote('answer', body);
        this.#owner.remoteHold(isHold(body));
      }
    } catch {
      await media.rollback();
    }
  }
}
