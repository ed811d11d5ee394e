/**
 * Candidates that are found after a description has left (Trickle ICE: RFC 8838, over SIP RFC 8840): they follow by INFO, where the
 * peer takes that. Who does not say so gets descriptions that are whole, as ever.
 */

import type { CallNumber, SipMessage } from './core.js';
import type { Endpoint } from './endpoint.js';
import type { Media } from './media.js';
import type { RTCSession } from './session.js';
import type { IncomingRequest, IncomingResponse } from './sip_message.js';

/** The Info package (RFC 6086). */
export const PACKAGE = 'trickle-ice';

/** What is needed of the call around. */
interface TricklingCall {
  readonly endpoint: Endpoint;
  readonly media: Media;
  readonly call: CallNumber;
  readonly session: RTCSession;
}

export class Trickle {
  readonly #around: TricklingCall;
  /** Whether the peer takes INFOs, and whether a dialog is there to send them in. */
  #taken = false;
  #open = false;
  /** The peer's tag, and what that one was told last. */
  #tag = '';
  #told = '';
  #sending = false;

  constructor(around: TricklingCall) {
    this.#around = around;
  }

  /**
   * Whether candidates may follow. A page that sees to its descriptions itself may have taken candidates out of them: it gets them
   * whole, and nothing is told behind its back.
   */
  get taken(): boolean {
    return this.#taken && this.#around.session.listenerCount('sdp') === 0;
  }

  /** What a message of the peer says of it. Browsers write `trickle` into descriptions whatever carries them, hence both. */
  learn(message: SipMessage): void {
    if (message.method === 'UPDATE' && message.body === '') {
      return; // It refreshes the session and says nothing of media.
    }
    const tag = message.isRequest ? message.fromTag : message.toTag;
    const packages = message.headers('Recv-Info').join().split(/\s*[,;]\s*/);
    this.#taken =
      packages.includes(PACKAGE) && (message.body === '' || /^a=ice-options:(.* )?trickle\b/m.test(message.body));
    if (tag !== this.#tag) {
      this.#tag = tag;
      this.#told = '';
    }
  }

  /** There is a dialog, since that response or an ACK, and the peer knows of it: from now on what is found is told. */
  open(response?: IncomingResponse): void {
    if (response !== undefined) {
      this.learn(response.message);
    }
    this.#open = true;
    this.tell();
  }

  /** Tells what is new, one INFO at a time. Each says all that is known (RFC 8840 §4.4). */
  tell(): void {
    const { endpoint, media, call } = this.#around;
    const body = media.candidates;
    if (!this.taken || !this.#open || this.#sending || body === media.described || body === this.#told) {
      return;
    }
    this.#told = body;
    const extraHeaders = [`Info-Package: ${PACKAGE}`, 'Content-Disposition: Info-Package'];
    const contentType = 'application/trickle-ice-sdpfrag';
    this.#sending = endpoint.attempt(() =>
      endpoint.request((core) => core.dialogRequest(call, 'INFO', { extraHeaders, contentType, body }), {
        responded: ({ status }) => {
          this.#sending = false;
          this.#taken &&= status < 300;
          this.tell();
        },
        failed: () => {
          this.#sending = false;
          this.#told = '';
        },
      }),
    );
  }

  /** The peer's INFO. */
  receive(request: IncomingRequest): void {
    request.reply(200);
    void this.#around.media.addCandidates(request.body);
  }
}

/** What a description says of candidates, as INFOs say it (RFC 8840 §9). `complete`: there will be no others. */
export function fragmentOf(sdp: string, complete: boolean): string {
  const [, ...media] = sdp.split(/^(?=m=)/m);
  const lines = (text: string, name: string) => text.match(new RegExp(`^a=${name}:.*$`, 'gm')) ?? [];
  const sections = media.map((section) => {
    // In the order of the grammar: browsers have another one.
    const found = ['mid', 'candidate', 'ice-pwd', 'ice-ufrag'].flatMap((name) => lines(section, name));
    return found.length > 0 ? [`${/^m=\w+/.exec(section)?.[0]} 9 RTP/AVP 0`, ...found, ...(complete ? ['a=end-of-candidates'] : [])] : [];
  });
  const session = ['ice-pwd', 'ice-ufrag'].flatMap((name) => lines(sdp, name).slice(0, 1));
  return [...session, ...sections.flat(), ''].join('\r\n');
}

/** The candidates in such a text; one without text is the end of its section, or of all of them. */
export function candidatesIn(fragment: string): (RTCIceCandidateInit & { usernameFragment: string })[] {
  const [session = '', ...media] = `\n${fragment}`.split(/^(?=m=)/m);
  const value = (text: string, name: string) => new RegExp(`^a=${name}:(\\S+)`, 'm').exec(text)?.[1];
  return [...media, session].flatMap((section) => {
    const usernameFragment = value(section, 'ice-ufrag') ?? value(session, 'ice-ufrag') ?? '';
    const sdpMid = value(section, 'mid') ?? null;
    const found = section.match(/^a=(candidate:.*|end-of-candidates)/gm) ?? [];
    return found.map((line) => ({ candidate: line.slice(2).replace('end-of-candidates', ''), sdpMid, usernameFragment }));
  });
}
