/**
 * What the user says of himself: available, away, busy, not to be disturbed, and a note. It is kept in the browser for each
 * account and published (RFC 3903) while the line is registered. Who says nothing publishes nothing: the server tells by itself
 * whether he is there.
 */
import type { Agent, Payload, Publication } from './library.ts';
import { type Said, STATES, writePresence } from './pidf.ts';
import { keep, readKept } from './kept.ts';

/** Seconds; a browser that broke down says no longer than this what its user was doing. */
const EXPIRES = 300;

export class Presence {
  said: Said = 'available';
  note = '';
  /** The server does not take what is published: nobody hears it. */
  refused = false;

  readonly #changed: () => void;
  #agent: Agent | undefined;
  #publication: Publication | undefined;
  #account = '';
  /** What was handed to the publication last; '' for nothing. */
  #published = '';
  /** Whether the line was away since then. */
  #away = false;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Calls are turned away without ringing. */
  get undisturbed(): boolean {
    return this.said === 'doNotDisturb';
  }

  /** What `account` said of itself in this browser before. */
  open(account: string): void {
    this.#account = account;
    const kept = readKept<{ said?: Said; note?: unknown }>('presence', account);
    this.said = STATES.find((each) => each === kept?.said) ?? 'available';
    this.note = typeof kept?.note === 'string' ? kept.note : '';
  }

  say(said: Said, note: string): void {
    this.said = said;
    this.note = note.trim();
    keep('presence', this.#account, { said, note: this.note });
    this.#tell();
    this.#changed();
  }

  /** Publishes over `agent` from now on; without one, nothing. The agent takes back what it published when it stops. */
  follow(agent: Agent | undefined): void {
    const renewed = this.#away && this.#published !== '' && !this.refused;
    this.#away = false;
    if (agent === this.#agent) {
      if (renewed) this.#renew();
      return;
    }
    this.#agent = agent;
    this.#publication = undefined;
    this.#published = '';
    this.refused = false;
    if (agent) this.#tell();
  }

  /** The line is away. */
  lost(): void {
    this.#away = true;
  }

  /** The page goes away. */
  leave(): void {
    this.#published = '';
    void this.#publication?.remove().catch(() => undefined);
  }

  /** A server that was started anew has forgotten what it was told. */
  #renew(): void {
    this.#published = '';
    this.#tell();
  }

  #tell(): void {
    const wanted = this.said === 'available' && !this.note ? '' : writePresence(this.#account, this.said, this.note);
    if (!this.#agent || wanted === this.#published) return;
    this.#published = wanted;
    if (!wanted) this.refused = false;
    try {
      this.#publication ??= this.#newPublication(this.#agent);
      const done: Promise<unknown> = wanted ? this.#publication.publish(wanted) : this.#publication.remove();
      done.catch(() => undefined); // Its events say so.
    } catch {
      this.refused = true; // A library without publications, or an address that none can be of.
    }
  }

  #newPublication(agent: Agent): Publication {
    const publication = agent.publisher(this.#account, 'presence', { expires: EXPIRES });
    publication.on('published', () => this.#answered(publication, false));
    publication.on('failed', ({ response }: Payload) => {
      const status: number = response?.status_code ?? 503;
      // Without an answer the connection is at fault: it is told anew when the line is back.
      if (status < 500 || status === 501) this.#answered(publication, true);
    });
    return publication;
  }

  #answered(publication: Publication, refused: boolean): void {
    if (publication !== this.#publication || refused === this.refused) return;
    this.refused = refused;
    this.#changed();
  }
}
