/**
 * Busy lamps of the contacts (RFC 4235) and the voicemail lamp (RFC 3842): one subscription each, as long as the line is
 * registered. Who does not answer with a state has no lamp; nothing is asked a second time where it was refused. A server
 * that was started anew has forgotten who watches: a subscription that worked and ends is begun again, and all are renewed
 * when the line is back.
 */
import type { Agent, Subscription } from './library.ts';
import { plainUri, type Peer } from './peer.ts';

export type Lamp = 'free' | 'ringing' | 'busy';

/** What ends sooner than this, in milliseconds, is not begun again. */
const LASTING = 10_000;

/** More contacts than these would be more subscriptions than a server likes. */
const WATCHED = 60;

export class Lamps {
  /** New voice messages, if there is a mailbox that tells. */
  voicemail: number | undefined;
  readonly #states = new Map<string, Lamp>();
  readonly #subscriptions = new Map<string, Subscription>();
  /** Who refused: not asked again before the next sign-in. */
  readonly #refused = new Set<string>();
  readonly #changed: () => void;
  #agent: Agent | undefined;
  /** Whether the line was away since the subscriptions were last asked for. */
  #away = false;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  of(peer: Peer): Lamp | undefined {
    return this.#states.get(plainUri(peer.uri));
  }

  /** Watches `contacts`, and the mailbox of `mailbox` (our own address), over `agent`; without one nothing is known. */
  follow(agent: Agent | undefined, contacts: readonly Peer[], mailbox: string | undefined): void {
    if (agent !== this.#agent) this.#forget();
    this.#agent = agent;
    if (!agent) return;
    if (this.#away) this.#renew();
    const wanted = new Set(contacts.slice(0, WATCHED).map((contact) => plainUri(contact.uri)));
    for (const key of this.#subscriptions.keys()) if (key !== mailbox && !wanted.has(key)) this.#end(key);
    for (const uri of wanted) {
      this.#begin(agent, uri, 'dialog', 'application/dialog-info+xml', (body) => { this.#states.set(uri, lampOf(body)); });
    }
    if (mailbox) this.#begin(agent, mailbox, 'message-summary', 'application/simple-message-summary', (body) => { this.voicemail = newMessages(body); });
  }

  /** The line is away: what is known may be old when it comes back. */
  lost(): void {
    this.#away = true;
  }

  #renew(): void {
    this.#away = false;
    for (const subscription of this.#subscriptions.values()) {
      try {
        subscription.subscribe();
      } catch {
        // It ends by itself, and says so.
      }
    }
  }

  #begin(agent: Agent, uri: string, event: string, accept: string, read: (body: string) => void): void {
    if (this.#subscriptions.has(uri) || this.#refused.has(uri)) return;
    try {
      const subscription = agent.subscribe(uri, event, accept);
      const begun = Date.now();
      let told = false;
      this.#subscriptions.set(uri, subscription);
      subscription.on('notify', (_final: boolean, _request: unknown, body: string) => {
        if (this.#subscriptions.get(uri) !== subscription) return;
        told = true;
        if (body) read(body);
        this.#changed();
      });
      subscription.on('terminated', () => {
        if (this.#subscriptions.get(uri) !== subscription) return;
        this.#subscriptions.delete(uri);
        this.#states.delete(uri);
        if (told && agent === this.#agent && Date.now() - begun >= LASTING) this.#begin(agent, uri, event, accept, read);
        else this.#refused.add(uri);
        this.#changed();
      });
      subscription.subscribe();
    } catch {
      this.#refused.add(uri); // An address that no subscription can have.
    }
  }

  #end(uri: string): void {
    const subscription = this.#subscriptions.get(uri);
    this.#subscriptions.delete(uri);
    this.#states.delete(uri);
    try {
      subscription?.terminate();
    } catch {
      // It has ended by itself.
    }
  }

  #forget(): void {
    this.#away = false;
    this.#subscriptions.clear();
    this.#states.clear();
    this.#refused.clear();
    this.voicemail = undefined;
  }
}

/** RFC 4235 §4.1: any dialog that stands means busy, any that is on its way there means ringing. */
export function lampOf(body: string): Lamp {
  const states = [...body.matchAll(/<(?:\w+:)?state(?:\s[^>]*)?>\s*(\w+)\s*</g)].map(([, state]) => state);
  if (states.includes('confirmed')) return 'busy';
  return states.some((state) => state === 'trying' || state === 'proceeding' || state === 'early') ? 'ringing' : 'free';
}

/** RFC 3842 §5.2: `Voice-Message: new/old (urgent)`; a mailbox may say only that something waits. */
export function newMessages(body: string): number {
  const counted = /^voice-message\s*:\s*(\d+)\s*\//im.exec(body)?.[1];
  if (counted !== undefined) return Number(counted);
  return /^messages-waiting\s*:\s*yes/im.test(body) ? 1 : 0;
}
