/**
 * Lamps of the contacts, from whether they are in a call (RFC 4235) and whether they are there (RFC 3856), and the voicemail
 * lamp (RFC 3842): one subscription each, as long as the line is registered. Who does not answer with a state has no lamp; nothing is asked a second time where it was refused. A server
 * that was started anew has forgotten who watches: a subscription that worked and ends is begun again, and all are renewed
 * when the line is back.
 */
import type { Agent, Subscription } from './library.ts';
import { plainUri, type Peer } from './peer.ts';
import { readPresence, type Said, type There } from './pidf.ts';

/** `away` is not to be reached; the last three are what somebody says of himself. */
export type Lamp = 'away' | 'free' | 'ringing' | 'busy' | 'absent' | 'occupied' | 'closed';

export const SAID_LAMPS: Record<Said, Lamp> = { available: 'free', away: 'absent', busy: 'occupied', doNotDisturb: 'closed' };

/** What ends sooner than this, in milliseconds, is not begun again. */
const LASTING = 10_000;

/** The code of a subscription that ends because its request found no connection. */
const LINE_LOST = 1;

/** More contacts than these would be more subscriptions than a server likes. */
const WATCHED = 60;

/** A subscription, and how what it told is forgotten. */
interface Watch {
  readonly subscription: Subscription;
  readonly forget: () => void;
}

export class Lamps {
  /** New voice messages, by mailbox: there is one at the most. */
  readonly #voicemails = new Map<string, number>();
  /** In a call or not, by address. */
  readonly #calls = new Map<string, Lamp>();
  /** There or not, and doing what, by address. */
  readonly #there = new Map<string, There>();
  /** By event package and address. */
  readonly #subscriptions = new Map<string, Watch>();
  /** Who refused, and with which code: not asked again before the next sign-in, or where the line was lost, until it is back. */
  readonly #refused = new Map<string, number | undefined>();
  readonly #changed: () => void;
  #agent: Agent | undefined;
  /** Whether the line was away since the subscriptions were last asked for. */
  #away = false;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** New voice messages, if there is a mailbox that tells. */
  get voicemail(): number | undefined {
    return this.#voicemails.values().next().value;
  }

  of(peer: Peer): Lamp | undefined {
    const uri = plainUri(peer.uri);
    const call = this.#calls.get(uri);
    if (call === 'busy' || call === 'ringing') return call;
    const there = this.#there.get(uri);
    // Nobody is free where nobody is; a server that tells of calls only is taken at its word.
    return there === undefined ? call : there.gone ? 'away' : SAID_LAMPS[there.said];
  }

  /** What somebody has written beside his state. */
  noteOf(peer: Peer): string {
    return this.#there.get(plainUri(peer.uri))?.note ?? '';
  }

  /** Watches `contacts`, and the mailbox of `mailbox` (our own address), over `agent`; without one nothing is known. */
  follow(agent: Agent | undefined, contacts: readonly Peer[], mailbox: string | undefined): void {
    if (agent !== this.#agent) this.#forget();
    this.#agent = agent;
    if (!agent) return;
    if (this.#away) this.#renew();
    const watched = new Set(contacts.slice(0, WATCHED).map((contact) => plainUri(contact.uri)));
    const wanted = new Set([...watched].flatMap((uri) => [keyOf('dialog', uri), keyOf('presence', uri)]));
    if (mailbox) wanted.add(keyOf('message-summary', mailbox));
    for (const key of this.#subscriptions.keys()) if (!wanted.has(key)) this.#end(key);
    for (const uri of watched) {
      this.#begin(agent, uri, 'dialog', 'application/dialog-info+xml', this.#calls, lampOf);
      this.#begin(agent, uri, 'presence', 'application/pidf+xml', this.#there, readPresence);
    }
    if (mailbox) this.#begin(agent, mailbox, 'message-summary', 'application/simple-message-summary', this.#voicemails, newMessages);
  }

  /** The line is away: what is known may be old when it comes back. */
  lost(): void {
    this.#away = true;
  }

  #renew(): void {
    this.#away = false;
    for (const [key, code] of this.#refused) if (code === LINE_LOST) this.#refused.delete(key);
    for (const { subscription } of this.#subscriptions.values()) {
      try {
        subscription.subscribe();
      } catch {
        // It ends by itself, and says so.
      }
    }
  }

  /** What `read` finds out of a notification stands in `known` until the subscription ends. */
  #begin<T>(agent: Agent, uri: string, event: string, accept: string, known: Map<string, T>, read: (body: string) => T): void {
    const key = keyOf(event, uri);
    if (this.#subscriptions.has(key) || this.#refused.has(key)) return;
    try {
      const subscription = agent.subscribe(uri, event, accept);
      const begun = Date.now();
      let told = false;
      const watch = { subscription, forget: () => void known.delete(uri) };
      this.#subscriptions.set(key, watch);
      subscription.on('notify', (_final: boolean, _request: unknown, body: string) => {
        if (this.#subscriptions.get(key) !== watch) return;
        told = true;
        if (body) known.set(uri, read(body));
        this.#changed();
      });
      subscription.on('terminated', (code: number) => {
        if (this.#subscriptions.get(key) !== watch) return;
        this.#subscriptions.delete(key);
        watch.forget();
        if (code !== LINE_LOST && told && agent === this.#agent && Date.now() - begun >= LASTING) this.#begin(agent, uri, event, accept, known, read);
        else this.#refused.set(key, code);
        this.#changed();
      });
      subscription.subscribe();
    } catch {
      this.#refused.set(key, undefined); // An address that no subscription can have.
    }
  }

  #end(key: string): void {
    const watch = this.#subscriptions.get(key);
    this.#subscriptions.delete(key);
    watch?.forget();
    try {
      watch?.subscription.terminate();
    } catch {
      // It has ended by itself.
    }
  }

  #forget(): void {
    this.#away = false;
    this.#subscriptions.clear();
    for (const known of [this.#calls, this.#there, this.#voicemails]) known.clear();
    this.#refused.clear();
  }
}

const keyOf = (event: string, uri: string): string => `${event} ${uri}`;

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
