/** A tab's socket: its other end is in the worker, where all tabs meet. */

import type { Socket, SocketData } from '../websocket_interface.js';
import { newUUID } from '../random.js';
import type { FromTab, Port, ToTab } from './ports.js';

/** What the tab takes from its page. */
export interface Page {
  events: Pick<EventTarget, 'addEventListener' | 'removeEventListener'> | undefined;
  locks: Pick<LockManager, 'request'> | undefined;
}

export class SharedSocket implements Socket {
  onconnect: (() => void) | undefined;
  ondisconnect: ((error: boolean, code?: number, reason?: string) => void) | undefined;
  ondata: ((data: SocketData) => void) | undefined;

  readonly #own: Socket;
  readonly #open: (failed: () => void) => Port;
  readonly #page: Page;
  #port: Port | undefined;
  #connected = false;
  readonly #onPageHide = (event: Event) => {
    if (!(event as PageTransitionEvent).persisted) {
      this.#say({ kind: 'leave' });
    }
  };

  /** In place of `own`, which says where to connect; `open` makes a port to the worker, and calls `failed` if that cannot be loaded. */
  constructor(own: Socket, open: (failed: () => void) => Port, page: Page) {
    this.#own = own;
    this.#open = open;
    this.#page = page;
  }

  get via_transport(): string {
    return this.#own.via_transport;
  }

  get url(): string {
    return this.#own.url;
  }

  get sip_uri(): string {
    return this.#own.sip_uri;
  }

  connect(): void {
    try {
      this.#port ??= this.#enter();
    } catch (error) {
      queueMicrotask(() => this.ondisconnect?.(true, 1006, String(error)));
      return;
    }
    // Behind the user agent's own listener: what it says good-bye with is on its way when this is said.
    this.#page.events?.removeEventListener('pagehide', this.#onPageHide);
    this.#page.events?.addEventListener('pagehide', this.#onPageHide);
    this.#say({ kind: 'connect', url: this.url });
  }

  disconnect(): void {
    this.#connected = false;
    this.#say({ kind: 'disconnect' });
  }

  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#connected) {
      this.#say({ kind: 'send', data });
    }
    return this.#connected;
  }

  #enter(): Port {
    const port = this.#open(() => this.#lost('the shared worker could not be loaded: is sipweb-worker.js there, on this origin, and allowed by worker-src?'));
    port.onmessage = ({ data }: { data: ToTab }) => {
      if (data.kind === 'lock') {
        // Free when the worker is gone, however it went: a port says nothing of that.
        void this.#page.locks?.request(data.lock, { mode: 'shared' }, () => {
          if (port === this.#port) {
            this.#lost('the shared worker is gone');
          }
        });
      } else if (port === this.#port) {
        this.#heard(data);
      }
    };
    // Held until the tab is gone, however it goes. The worker may wait for it only once we have it.
    const lock = `sipweb-tab-${newUUID()}`;
    void this.#page.locks?.request(lock, () => {
      port.postMessage({ kind: 'lock', lock } satisfies FromTab);
      return new Promise(() => undefined);
    });
    return port;
  }

  /** The next attempt loads it again. */
  #lost(why: string): void {
    this.#port = undefined;
    this.#connected = false;
    this.ondisconnect?.(true, 1006, why);
  }

  #heard(word: Exclude<ToTab, { kind: 'lock' }>): void {
    switch (word.kind) {
      case 'opened':
        this.#connected = true;
        this.onconnect?.();
        break;
      case 'closed':
        this.#connected = false;
        this.ondisconnect?.(word.error, word.code, word.reason);
        break;
      case 'data':
        if (this.#connected) {
          this.ondata?.(word.data);
        }
        break;
    }
  }

  #say(word: FromTab): void {
    this.#port?.postMessage(word);
  }
}
