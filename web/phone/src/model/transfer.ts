/**
 * A transfer: one side of a call asks the other to call somebody else in its place (RFC 3515, RFC 5589 §6), or to take its
 * place in another call (RFC 5589 §7).
 *
 *     asked -> done       the other side talks to the target
 *           -> failed     it said why not; the call goes on
 *           -> silent     nothing was heard of it for a while: the call goes on; news bring it back to the others
 */
import type { Payload, Session } from './library.ts';
import { plainUri, type Peer } from './peer.ts';

export type TransferState = 'asked' | 'done' | 'failed' | 'silent';

/** Milliseconds between two news of a transfer. RFC 3515 §2.4.4 demands a NOTIFY at once and one at the end; not every phone sends them. */
const PATIENCE = 60_000;

/** A transfer that we asked for. */
export class Transfer {
  state: TransferState = 'asked';

  constructor(readonly peer: Peer, private readonly changed: () => void) {}

  /** Asks; `place` is the call to take over. Returns false if the call cannot do it now. */
  ask(session: Session, place?: Session): boolean {
    const failed = (): void => this.#settle('failed');
    const news = (): void => this.#wait();
    const eventHandlers = { requestSucceeded: news, trying: news, progress: news, accepted: () => this.#settle('done'), failed, requestFailed: failed };
    this.#wait();
    try {
      return session.refer(this.peer.uri, { eventHandlers, ...(place ? { replaces: place } : {}) }) !== false;
    } catch {
      return false;
    }
  }

  fail(): void {
    this.#settle('failed');
  }

  #timer: ReturnType<typeof setTimeout> | undefined;

  #wait(): void {
    this.#settle('asked');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle('silent'), PATIENCE);
  }

  #settle(state: TransferState): void {
    if (this.state === state || this.state === 'done' || this.state === 'failed') return;
    this.state = state;
    this.changed();
  }
}

/** Whom the other side wants us to call. */
export function referredTo(event: Payload): Peer | undefined {
  const address = String(event.request?.getHeader?.('Refer-To') ?? '');
  const [, name, uri] = /^\s*(?:"([^"]*)"\s*)?<([^<>]+)>/.exec(address) ?? /^\s*()([^\s<>;]+)/.exec(address) ?? [];
  if (!uri || !/^sips?:/i.test(uri)) return undefined;
  const plain = plainUri(uri.replace(/\?.*$/, ''));
  return name ? { uri: plain, name } : { uri: plain };
}
