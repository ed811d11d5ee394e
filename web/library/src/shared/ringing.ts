/**
 * One request from outside that all tabs get: the first tab that decides decides for all. To the caller it is one phone.
 *
 *     ringing --2xx, or a refusal that a person may have meant--> decided     the other tabs are told, nobody else is
 *        '------every tab has failed: the best of their responses------^
 */

import { SipMessage } from '../core_message.js';
import { acknowledgement, cancellation, elsewhere, response as respond, toLoser, transactionOf } from './wire.js';

/** Somebody who can be rung. */
export interface Ringable {
  data(data: string): void;
}

/** What a tab says for itself alone: it has no media, does not listen, is busy with itself. No person has said no. */
const OF_ONE_TAB = new Set([404, 405, 415, 416, 420, 481, 482, 488, 489, 500, 501, 503]);

type Progress = 'open' | 'canceled' | 'final';

export class Ringing<Tab extends Ringable> {
  readonly request: SipMessage;
  readonly #pass: (data: string) => void;
  readonly #tabs = new Map<Tab, Progress>();
  #decider: Tab | undefined;
  #decided = false;
  #best: SipMessage | undefined;
  readonly #passed = new Set<string>();

  /** `pass` sends to the caller. */
  constructor(request: SipMessage, tabs: Iterable<Tab>, pass: (data: string) => void) {
    this.request = request;
    this.#pass = pass;
    for (const tab of tabs) {
      this.#tabs.set(tab, 'open');
    }
  }

  get key(): string {
    return transactionOf(this.request);
  }

  has(tab: Tab): boolean {
    return this.#tabs.has(tab);
  }

  ring(text: string): void {
    for (const tab of [...this.#tabs.keys()]) {
      tab.data(text);
    }
  }

  /** The caller takes it back. */
  canceled(text: string): void {
    for (const [tab, progress] of this.#tabs) {
      if (progress === 'open') {
        this.#tabs.set(tab, 'canceled');
        tab.data(text);
      }
    }
  }

  /** A tab's response. Returns whether it is the one that takes the call. */
  answered(tab: Tab, response: SipMessage): boolean {
    const { status } = response;
    if (response.method !== this.request.method) {
      return false; // To a CANCEL: the switchboard has answered the caller's.
    }
    if (status < 200) {
      this.#progress(response);
      return false;
    }
    const again = this.#tabs.get(tab) === 'final';
    this.#tabs.set(tab, 'final');
    const isInvite = this.request.method === 'INVITE';
    if (isInvite && status >= 300) {
      tab.data(acknowledgement(this.request, response));
    }
    if (tab === this.#decider && status < 300) {
      // RFC 3261 §13.3.1.4: said again until the ACK is there.
      this.#pass(response.text);
      return false;
    }
    if (again) {
      return false;
    }
    if (this.#decided) {
      if (isInvite && status < 300) {
        tab.data(toLoser('ACK', this.request, response));
        tab.data(toLoser('BYE', this.request, response, [`Reason: ${elsewhere(200)}`]));
      }
      return false;
    }
    if (status < 300 || !OF_ONE_TAB.has(status)) {
      this.#decide(response, status < 300 ? tab : undefined);
      return status < 300 && isInvite;
    }
    this.#best ??= response;
    this.#failWhenAllHave();
    return false;
  }

  /** The tab is gone. */
  left(tab: Tab): void {
    if (this.#tabs.delete(tab)) {
      this.#failWhenAllHave();
    }
  }

  #progress(response: SipMessage): void {
    // What must be acknowledged (RFC 3262) cannot be kept back; of the rest, the caller hears each kind once.
    if (this.#decided) {
      return;
    }
    if (response.header('RSeq') !== undefined || response.body !== '') {
      this.#pass(response.text);
    } else {
      this.#once(String(response.status), response);
    }
  }

  #once(kind: string, response: SipMessage): void {
    if (!this.#passed.has(kind)) {
      this.#passed.add(kind);
      this.#pass(response.text);
    }
  }

  #decide(response: SipMessage, decider: Tab | undefined): void {
    this.#decided = true;
    this.#decider = decider;
    this.#pass(response.text);
    if (this.request.method !== 'INVITE') {
      return;
    }
    for (const [tab, progress] of this.#tabs) {
      if (progress === 'open') {
        this.#tabs.set(tab, 'canceled');
        tab.data(cancellation(this.request, [`Reason: ${elsewhere(response.status)}`]));
      }
    }
  }

  #failWhenAllHave(): void {
    if (!this.#decided && [...this.#tabs.values()].every((progress) => progress === 'final')) {
      this.#decided = true;
      this.#pass(this.#best?.text ?? respond(this.request, 480, 'Temporarily Unavailable'));
    }
  }
}
