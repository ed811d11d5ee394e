/** Requests inside a call, ours and the peer's: keypad, INFO, transfer, anything else. */

import { causes } from './causes.js';
import type { CallNumber, DialogRequestEvent, SipMessage } from './core.js';
import { DTMF, type DTMFOptions, ToneQueue, type Tones, playTones } from './dtmf.js';
import type { Endpoint } from './endpoint.js';
import { Info } from './info.js';
import { Message } from './message.js';
import { Options } from './options.js';
import { payloadOf } from './payload.js';
import { type ReferOptions, ReferSubscriber, ReferSubscribers } from './refer.js';
import { ReferNotifier, once, referTarget, takeRefer, transfer } from './refer_incoming.js';
import type { RTCSession } from './session.js';
import type { RequestOptions } from './session_events.js';
import { IncomingRequest, IncomingResponse, OutgoingRequest } from './sip_message.js';
import { PACKAGE, type Trickle } from './trickle.js';
import type { URI } from './uri.js';
import type { UA } from './user_agent.js';

/** What is needed of the call around. */
export interface SurroundingCall {
  readonly session: RTCSession;
  readonly ua: UA;
  readonly endpoint: Endpoint;
  readonly call: CallNumber;
  /** A further call of the same user agent. */
  another(): RTCSession;
}

export class InsideCall {
  readonly #around: SurroundingCall;
  readonly #trickle: Trickle;
  readonly #tones: ToneQueue;
  readonly #transfers = new ReferSubscribers();

  constructor(around: SurroundingCall, trickle: Trickle) {
    this.#around = around;
    this.#trickle = trickle;
    this.#tones = new ToneQueue(
      around.endpoint,
      () => around.call,
      (dtmf) => around.session.emit('newDTMF', { originator: 'local', dtmf, request: null }),
    );
  }

  /** Sends tones through `sender`, or by INFO without one. */
  sendTones(tones: Tones, options: DTMFOptions, sender: RTCDTMFSender | undefined): void {
    if (sender !== undefined) {
      playTones(sender, tones);
    } else {
      this.#tones.add(tones, options);
    }
  }

  sendInfo(contentType: string, body: string, extraHeaders: readonly string[]): void {
    const { session, endpoint, call } = this.#around;
    const info = new Info(contentType, body);
    session.emit('newInfo', { originator: 'local', info, request: null });
    info.send(endpoint, call, { extraHeaders, ...(body ? { contentType, body } : {}) });
  }

  /** Sends any request. */
  send(method: string, options: RequestOptions): OutgoingRequest | undefined {
    const { endpoint, call } = this.#around;
    const handlers = options.eventHandlers ?? {};
    const payload = payloadOf(options.extraHeaders, options.body);
    let message: SipMessage | undefined;
    const send = () => (message = endpoint.request((core) => core.dialogRequest(call, method, payload), {
      responded: ({ status, response }) => {
        const handler = status < 300 ? handlers.onSuccessResponse : handlers.onErrorResponse;
        handler?.(new IncomingResponse(response));
      },
      failed: (cause) => {
        if (cause === causes.CONNECTION_ERROR) {
          handlers.onTransportError?.();
        } else if (cause === causes.REQUEST_TIMEOUT) {
          handlers.onRequestTimeout?.();
        } else {
          handlers.onDialogError?.();
        }
      },
      authenticated: (request) => handlers.onAuthenticated?.(request),
    }));
    if (!endpoint.attempt(send)) {
      queueMicrotask(() => handlers.onDialogError?.());
    }
    return message && new OutgoingRequest(message, options.extraHeaders, options.body ?? null);
  }

  /** Asks the peer to call `target`. `replaces` is the value of a Replaces header. */
  refer(target: URI, replaces: string | undefined, options: ReferOptions): ReferSubscriber {
    const { session, endpoint, call } = this.#around;
    const subscriber = new ReferSubscriber();
    const referredBy = `<${session.local_identity?.uri ?? endpoint.settings.uri}>`;
    subscriber.send(endpoint, call, target, replaces, referredBy, options);
    this.#transfers.add(subscriber);
    return subscriber;
  }

  /** What an INVITE must say to take the place of this call (RFC 3891): tags as the peer of this call has them. */
  replacesValue(): string {
    const { callId, localTag, remoteTag } = this.#around.endpoint.core.dialogIdentity(this.#around.call);
    return `${callId};to-tag=${remoteTag};from-tag=${localTag}`;
  }

  /** A request of the peer. */
  receive(event: DialogRequestEvent): void {
    const { endpoint } = this.#around;
    const request = new IncomingRequest(event.request, (status, reason, extraHeaders, body) => {
      const options = { ...payloadOf(extraHeaders, body), reason };
      endpoint.attempt((core) => core.respond(event.transaction, status, options));
    });
    switch (event.method) {
      case 'INFO':
        this.#informed(request);
        break;
      case 'REFER':
        this.#referred(event, request);
        break;
      case 'NOTIFY':
        request.reply(this.#transfers.notified(request) ? 200 : 481);
        break;
      case 'PRACK':
        // A further offer before the call is answered (RFC 3262 §5): WebRTC has nothing yet that could answer it.
        request.reply(488);
        break;
      case 'MESSAGE':
      case 'OPTIONS':
        this.#standalone(event, request);
        break;
      default:
        request.reply(405); // RFC 3261 §8.2.1
    }
  }

  /** A request that might as well come outside of the call: the user agent tells it. */
  #standalone({ method, transaction }: DialogRequestEvent, request: IncomingRequest): void {
    const { ua } = this.#around;
    if (ua.listenerCount(method === 'MESSAGE' ? 'newMessage' : 'newOptions') > 0) {
      new (method === 'MESSAGE' ? Message : Options)(ua).init_incoming(request, transaction);
    } else {
      request.reply(method === 'MESSAGE' ? 405 : 200);
    }
  }

  /** A new call wants to take the place of this one. Returns false if the page does not care. */
  receiveReplaces(request: IncomingRequest): boolean {
    const { session } = this.#around;
    const decide = once();
    return session.emit('replaces', {
      request,
      accept: (initCallback) =>
        decide(() => {
          const successor = this.#around.another();
          successor.on('confirmed', () => {
            if (!session.isEnded()) {
              session.terminate();
            }
          });
          successor.init_incoming(request, initCallback);
        }),
      reject: () => decide(() => request.reply(486)),
    });
  }

  /** Forgets what waits. */
  stop(): void {
    this.#tones.clear();
  }

  #informed(request: IncomingRequest): void {
    const { session } = this.#around;
    const type = request.message.contentType;
    const name = request.getHeader('Info-Package')?.split(';')[0]?.trim();
    if (name === PACKAGE) {
      this.#trickle.receive(request);
      return;
    }
    if (name !== undefined && session.listenerCount('newInfo') === 0) {
      // RFC 6086 §4.2.2. A page that listens may have announced packages of its own.
      request.reply(469, undefined, [`Recv-Info: ${PACKAGE}`]);
      return;
    }
    const dtmf = type === 'application/dtmf-relay' ? DTMF.received(request) : undefined;
    if (dtmf !== undefined) {
      request.reply(200);
      session.emit('newDTMF', { originator: 'remote', dtmf, request });
    } else if (type === 'application/dtmf-relay') {
      request.reply(400);
    } else if (type !== '') {
      request.reply(200);
      const info = new Info(request.getHeader('Content-Type') ?? type, request.body);
      session.emit('newInfo', { originator: 'remote', info, request });
    } else {
      request.reply(415);
    }
  }

  #referred(event: DialogRequestEvent, request: IncomingRequest): void {
    const { session, endpoint } = this.#around;
    const destination = referTarget(request);
    if (destination === undefined) {
      request.reply(400);
      return;
    }
    if (session.listenerCount('refer') === 0) {
      request.reply(603);
      return;
    }
    takeRefer(request);
    const notifier = new ReferNotifier(endpoint, event.call, request);
    const decide = once();
    session.emit('refer', {
      request,
      accept: (initCallback, options = {}) =>
        decide(() => {
          notifier.notify(100, 'Trying');
          const extraHeaders = [...(options.extraHeaders ?? []), ...destination.extraHeaders];
          const successor = this.#around.another();
          transfer(successor, notifier, destination.target, { ...options, extraHeaders }, initCallback);
        }),
      reject: () => decide(() => notifier.notify(603, 'Decline')),
    });
  }
}
