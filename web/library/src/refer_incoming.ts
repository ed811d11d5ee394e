/**
 * REFER of others (RFC 3515): somebody asks us to call somebody, inside a call or outside, and is told how that goes.
 *
 * Nobody is called before the page has said so: what stands in a REFER is a stranger's wish.
 */

import type { CallNumber, TransactionNumber } from './core.js';
import type { CallEvent, Endpoint } from './endpoint.js';
import { NameAddrHeader } from './name_address.js';
import { refusalOf } from './reason.js';
import { RTCSession } from './session.js';
import type { CallOptions, ReferEvent } from './session_events.js';
import { IncomingRequest, IncomingResponse } from './sip_message.js';
import type { RejectOptions } from './standalone_request.js';
import type { URI } from './uri.js';
import type { UA } from './user_agent.js';

/** Seconds that somebody outside of calls is told how it goes: a person decides, and then it rings. */
const EXPIRES = 180;

/**
 * Somebody asks us to call somebody, and there is no call between us. What the event leaves open is answered 202 after it: the
 * decision may take its time.
 */
export interface NewReferEvent extends Omit<ReferEvent, 'reject'> {
  /** Always the other side: `ua.refer` returns what it sends. */
  originator: 'remote';
  /** Will not do it: a refusal (603 by default) inside the event, later a NOTIFY with 603. */
  reject(options?: Omit<RejectOptions, 'body'>): void;
}

/** Tells who asked for a call how it goes. */
export class ReferNotifier {
  readonly #endpoint: Endpoint;
  readonly #call: CallNumber;
  readonly #headers: string[];
  readonly #silent: boolean;
  readonly #left: () => number;
  readonly #ended: () => void;
  #line = '100 Trying';
  #final = false;

  /** In `call`, about `request`, for `left` seconds. `ended` when there is nothing more to tell. */
  constructor(endpoint: Endpoint, call: CallNumber, request: IncomingRequest, left = () => 60, ended = () => {}) {
    this.#endpoint = endpoint;
    this.#call = call;
    this.#headers = [`Event: refer;id=${request.cseq}`];
    this.#silent = wantsSilence(request);
    this.#left = left;
    this.#ended = ended;
  }

  notify(status: number, reason: string): void {
    if (!this.#final) {
      this.#line = `${status} ${reason}`;
      this.tell(status < 200 ? undefined : 'noresource');
    }
  }

  /** Says what was last said again; for the last time if there is a reason to end. */
  tell(end?: string): void {
    if (this.#final || this.#silent) {
      return;
    }
    this.#final = end !== undefined;
    const over = (status?: number) => (this.#final || status === 481) && this.#ended();
    const state = end === undefined ? `active;expires=${this.#left()}` : `terminated;reason=${end}`;
    this.#endpoint.attempt(() =>
      this.#endpoint.request(
        (core) =>
          core.dialogRequest(this.#call, 'NOTIFY', {
            extraHeaders: [...this.#headers, `Subscription-State: ${state}`],
            contentType: 'message/sipfrag;version=2.0',
            body: `SIP/2.0 ${this.#line}\r\n`,
          }),
        { responded: ({ status }) => over(status), failed: () => over() },
      ),
    );
  }
}

/** RFC 4488: who asks does not want to hear how it goes. */
export function wantsSilence(request: IncomingRequest): boolean {
  return /^false\b/i.test(request.getHeader('Refer-Sub') ?? '');
}

/** Takes a REFER: 202, and no more than that if nothing is to be told. */
export function takeRefer(request: IncomingRequest): void {
  request.reply(202, undefined, wantsSilence(request) ? ['Refer-Sub: false'] : []);
}

/** Where a REFER sends us, and the headers of that call: those that its URI asks for, and who sends us (RFC 3892 §2.2). */
export function referTarget(request: IncomingRequest): { target: URI; extraHeaders: string[] } | undefined {
  const address = NameAddrHeader.parse(request.getHeader('Refer-To') ?? '');
  if (address === undefined) {
    return undefined;
  }
  const target = address.uri.clone();
  // RFC 3515 §2.1: `method` is how to reach the target; we know INVITE only. Of the headers only Replaces is followed:
  // a peer must not be able to put any header into our requests.
  const replaces = target.getHeader('Replaces')?.[0];
  target.clearHeaders();
  target.deleteParam('method');
  const extraHeaders = [];
  for (const [name, value] of [['Replaces', replaces], ['Referred-By', request.getHeader('Referred-By')]]) {
    if (value !== undefined && !/[\r\n]/.test(value)) {
      extraHeaders.push(`${name}: ${value}`);
    }
  }
  return { target, extraHeaders };
}

/** Runs the first of several decisions only. */
export function once(): (decision: () => void) => void {
  let open = true;
  return (decision) => {
    if (open) {
      open = false;
      decision();
    }
  };
}

/** Makes the call that a peer asked for, and reports its fate to that peer. @throws what `connect` throws. */
export function transfer(
  session: RTCSession,
  notifier: ReferNotifier | undefined,
  target: URI,
  options: CallOptions,
  initCallback?: (session: RTCSession) => void,
): void {
  if (notifier !== undefined) {
    followTransfer(session, notifier);
  }
  try {
    session.connect(target, options, initCallback);
  } catch (error) {
    notifier?.notify(500, 'Server Internal Error');
    throw error;
  }
}

function followTransfer(session: RTCSession, notifier: ReferNotifier): void {
  session.on('progress', ({ response }) => {
    if (response !== null) {
      notifier.notify(response.status_code, response.reason_phrase);
    }
  });
  session.on('accepted', ({ response }) => notifier.notify(response?.status_code ?? 200, response?.reason_phrase || 'OK'));
  session.on('failed', ({ message, cause }) => {
    if (message instanceof IncomingResponse) {
      notifier.notify(message.status_code, message.reason_phrase);
    } else {
      notifier.notify(487, cause);
    }
  });
}

/** A REFER outside calls: it is shown to the page, and makes a dialog in which is told what comes of it. */
export function receiveRefer(ua: UA, request: IncomingRequest, transaction: TransactionNumber): void {
  const destination = referTarget(request);
  if (destination === undefined) {
    request.reply(400);
    return;
  }
  const decide = once();
  const answer = once();
  let notifier: ReferNotifier | undefined;
  const take = () => (notifier = accepted(ua.endpoint, request, transaction, decide));
  ua.emit('newRefer', {
    originator: 'remote',
    request,
    accept: (initCallback, options = {}) =>
      decide(() => {
        answer(take);
        const session = new RTCSession(ua);
        const extraHeaders = [...(options.extraHeaders ?? []), ...destination.extraHeaders];
        transfer(session, notifier, destination.target, { ...options, extraHeaders }, initCallback);
      }),
    reject: (options = {}) => {
      const { status, phrase } = refusalOf(options, 603);
      decide(() => {
        answer(() => request.reply(status, phrase, options.extraHeaders));
        notifier?.notify(603, 'Decline');
      });
    },
  });
  answer(take);
}

/** Answers 202 and opens the dialog of the NOTIFYs, if they are wanted. When time is up, nothing can be decided any more. */
function accepted(
  endpoint: Endpoint,
  request: IncomingRequest,
  transaction: TransactionNumber,
  decide: (decision: () => void) => void,
): ReferNotifier | undefined {
  const { setTimeout, clearTimeout, now } = endpoint.environment;
  let call: CallNumber = 0;
  if (wantsSilence(request)) {
    takeRefer(request);
    return undefined;
  }
  if (!endpoint.attempt((core) => (call = core.acceptSubscription(transaction)))) {
    // RFC 3515 §2.2: a REFER has a Contact.
    request.reply(400);
    return undefined;
  }
  let end = 0;
  let timer: unknown;
  const expireIn = (seconds: number): void => {
    clearTimeout(timer);
    end = now() + seconds * 1000;
    timer = setTimeout(() => {
      decide(() => undefined);
      notifier.tell('timeout');
    }, seconds * 1000);
  };
  const notifier = new ReferNotifier(endpoint, call, request, () => Math.round((end - now()) / 1000), () => {
    clearTimeout(timer);
    endpoint.detach(call);
    endpoint.attempt((core) => core.closeSubscription(call));
  });
  endpoint.attach(call, {
    receive: (event: CallEvent) => {
      if (event.type !== 'dialogRequest') {
        return;
      }
      // RFC 3515 §2.4.4: who asked may want to hear longer, or no more.
      const subscribes = event.method === 'SUBSCRIBE';
      const asked = new IncomingRequest(event.request).parseHeader('Expires') as number | undefined;
      const seconds = Math.min(asked ?? EXPIRES, EXPIRES);
      const extraHeaders = subscribes ? [`Expires: ${seconds}`] : [];
      endpoint.attempt((core) => core.respond(event.transaction, subscribes ? 200 : 405, { extraHeaders }));
      if (subscribes) {
        expireIn(seconds);
        notifier.tell(seconds === 0 ? 'timeout' : undefined);
      }
    },
  });
  takeRefer(request);
  expireIn(EXPIRES);
  notifier.tell();
  return notifier;
}
