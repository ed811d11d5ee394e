/**
 * One phone in many tabs: only the tab that has the seat is registered and rings.
 *
 *     free --take--> here <--handed over, or the other tab closed-- elsewhere
 *                     '------------------ another tab asks -------------^
 *
 * The others are told what call there is, and can have it answered and ended: only its sound is in the tab that has the seat.
 *
 * Built on the Web Locks API; where a browser or an insecure page has none, or forbids it, every tab is a phone of its own.
 */

import type { Phase } from './call.ts';

export type SeatState = 'free' | 'here' | 'elsewhere';

/** The call of the tab that has the seat, as the others show it. */
export interface CallThere {
  readonly peer: string;
  readonly phase: Phase;
  readonly at: number;
}

export interface SeatEvents {
  /** The seat is ours. */
  taken(): void;
  /** Another tab has it now. */
  lost(): void;
  /** Whether the seat cannot be given away now. */
  busy(): boolean;
  /** The user signed out in another tab, and wants everything of the account erased. */
  signedOut(erase: boolean): void;
  /** Another tab was opened by a link that wants to call. */
  call(target: string): void;
  /** What the other tabs are to show. */
  there(): CallThere | undefined;
  /** A button was pressed in another tab for the call that began `at` that time. */
  press(at: number, answer: boolean): void;
  changed(): void;
}

/** Milliseconds for the other tab to say that it is busy; a sleeping one says nothing. */
const ANSWER = 600;

type Word = { readonly kind: 'ask' | 'busy' | 'free' | 'look' } | { readonly kind: 'there'; readonly call: CallThere | undefined }
  | { readonly kind: 'press'; readonly at: number; readonly answer: boolean } | { readonly kind: 'out'; readonly erase: boolean } | { readonly kind: 'call'; readonly target: string };

export class Seat {
  state: SeatState = 'free';
  /** The other tab said that it is in a call. */
  refused = false;
  /** The call in the other tab. */
  there: CallThere | undefined;
  #told = '';
  readonly #events: SeatEvents;
  #channel: BroadcastChannel | undefined;
  #name = '';
  #release: (() => void) | undefined;
  #queue: AbortController | undefined;

  constructor(events: SeatEvents) {
    this.#events = events;
  }

  /** Takes the seat of `account` if no other tab has it; else waits until that one is closed. */
  async take(account: string): Promise<void> {
    this.leave();
    this.#name = `sipweb.seat.${account}`;
    if (!navigator.locks) {
      this.#take();
      return;
    }
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Word>) => this.#heard(data);
    const name = this.#name;
    const ours = await this.#request({ ifAvailable: true });
    if (!ours && this.#name === name && this.state !== 'here') this.#wait();
  }

  /** Asks the other tab for the seat. */
  async takeOver(): Promise<void> {
    this.refused = false;
    if (this.state !== 'elsewhere') return;
    this.#say({ kind: 'ask' });
    await new Promise((resolve) => setTimeout(resolve, ANSWER));
    if (this.refused || this.state !== 'elsewhere') return;
    this.#queue?.abort();
    await this.#request({ steal: true });
  }

  /** Shows the other tabs what call there is, if that is news. */
  tell(): void {
    if (this.state !== 'here') return;
    const call = this.#events.there();
    const key = JSON.stringify(call) ?? '';
    if (key === this.#told) return;
    this.#told = key;
    this.#say({ kind: 'there', call });
  }

  /** Answers or ends the call in the other tab. */
  press(answer: boolean): void {
    if (this.there) this.#say({ kind: 'press', at: this.there.at, answer });
  }

  #say(word: Word): void {
    this.#channel?.postMessage(word);
  }

  /** Hands a link's wish to the tab that has the seat. */
  pass(target: string): void {
    this.#say({ kind: 'call', target });
  }

  /** The user signs out: in all tabs. */
  signOut(erase: boolean): void {
    this.#say({ kind: 'out', erase });
    this.leave();
  }

  /** Gives the seat up and waits for nothing. */
  leave(): void {
    this.#queue?.abort();
    this.#queue = undefined;
    this.#channel?.close();
    this.#channel = undefined;
    this.#name = '';
    this.#release?.();
    this.#release = undefined;
    this.refused = false;
    this.state = 'free';
  }

  /** Resolves with whether the lock was had; the lock itself is kept until `leave`, or until it is stolen. */
  #request(options: LockOptions): Promise<boolean> {
    const name = this.#name;
    let had = false;
    return new Promise((resolve) => {
      navigator.locks.request(name, options, (lock) => {
        if (!lock || this.#name !== name) {
          resolve(false);
          return undefined;
        }
        had = true;
        this.#take();
        resolve(true);
        return new Promise<void>((release) => { this.#release = release; });
      }).catch((error: unknown) => {
        const ours = this.#name === name;
        // A browser that keeps nothing for pages forbids locks, too.
        const forbidden = !had && !(error instanceof DOMException && error.name === 'AbortError');
        if (ours && forbidden) this.#take();
        resolve(forbidden);
        if (ours && had) this.#lost(); // Stolen.
      });
    });
  }

  #wait(): void {
    this.state = 'elsewhere';
    this.there = undefined;
    this.#say({ kind: 'look' });
    this.#queue = new AbortController();
    void this.#request({ signal: this.#queue.signal });
    this.#events.changed();
  }

  #take(): void {
    this.state = 'here';
    this.#told = '';
    this.refused = false;
    this.#events.taken();
  }

  #lost(): void {
    this.#release = undefined;
    this.#wait();
    this.#events.lost();
  }

  #heard(word: Word): void {
    if (word.kind === 'busy') {
      this.refused = this.state === 'elsewhere';
      this.#events.changed();
    } else if (word.kind === 'there') {
      this.there = word.call;
      if (!word.call) this.refused = false;
      this.#events.changed();
    } else if (word.kind === 'out') {
      this.leave();
      this.#events.signedOut(word.erase);
    } else if (this.state === 'here' && word.kind === 'ask') {
      this.#say({ kind: this.#events.busy() ? 'busy' : 'free' });
    } else if (this.state === 'here' && word.kind === 'look') {
      this.#told = '';
      this.tell();
    } else if (this.state === 'here' && word.kind === 'press') {
      this.#events.press(word.at, word.answer);
    } else if (this.state === 'here' && word.kind === 'call') {
      this.#events.call(word.target);
    }
  }
}
