/** The list of recent calls of one account. */
import { keep, readKept } from './kept.ts';
import type { Peer } from './peer.ts';
import type { Outcome } from './reason.ts';

export type RecentKind = 'outgoing' | 'incoming' | 'missed' | 'notReached';

export interface Recent {
  readonly peer: Peer;
  readonly kind: RecentKind;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Seconds of talking. */
  readonly seconds: number;
  readonly video: boolean;
  readonly outcome?: Outcome;
}

const KEPT = 100;

export class History {
  entries: readonly Recent[] = [];
  /** Missed calls since the list was last looked at. */
  missed = 0;
  #account = '';
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  open(account: string): void {
    this.#account = account;
    this.entries = readKept<Recent[]>('recents', account) ?? [];
    this.missed = readKept<number>('missed', account) ?? 0;
    this.#changed();
  }

  add(recent: Recent): void {
    this.entries = [recent, ...this.entries].slice(0, KEPT);
    this.#count(this.missed + (recent.kind === 'missed' ? 1 : 0));
    keep('recents', this.#account, this.entries);
    this.#changed();
  }

  seen(): void {
    if (this.missed === 0) return;
    this.#count(0);
    this.#changed();
  }

  remove(recent: Recent): void {
    this.entries = this.entries.filter((each) => each !== recent);
    keep('recents', this.#account, this.entries);
    this.#changed();
  }

  clear(): void {
    this.entries = [];
    this.#count(0);
    keep('recents', this.#account, []);
    this.#changed();
  }

  /** Whom the user called last, for redialling. */
  get lastCalled(): Peer | undefined {
    return this.entries.find((each) => each.kind === 'outgoing' || each.kind === 'notReached')?.peer;
  }

  /** The count outlives the page: who closes it has still missed the calls. */
  #count(missed: number): void {
    this.missed = missed;
    keep('missed', this.#account, missed);
  }

  /** Everybody in the list, once, latest first. */
  get peers(): readonly Peer[] {
    const known = new Map<string, Peer>();
    for (const { peer } of this.entries) {
      if (!known.has(peer.uri)) known.set(peer.uri, peer);
    }
    return [...known.values()];
  }
}
