/** The worker's side: a switchboard for each server, and a port for each tab. */

import { type Socket, type WebSocketConstructor, WebSocketInterface } from '../websocket_interface.js';
import type { FromTab, Port, ToTab } from './ports.js';
import { type Clock, Switchboard, type Tab } from './switchboard.js';

/** What the worker takes from its surroundings. */
export interface ExchangeHost extends Clock {
  WebSocketClass?: WebSocketConstructor;
  /** Calls back when the holder of that lock is gone. */
  whenFree?: (lock: string, gone: () => void) => void;
  /** The lock that the worker holds, when it has it. */
  lock?: Promise<string>;
}

export class Exchange {
  readonly #host: ExchangeHost;
  readonly #boards = new Map<string, Switchboard<PortTab>>();

  constructor(host: ExchangeHost) {
    this.#host = host;
  }

  /** A tab has come. */
  add(port: Port): void {
    const tab = new PortTab(port);
    void this.#host.lock?.then((lock) => port.postMessage({ kind: 'lock', lock } satisfies ToTab));
    port.onmessage = ({ data }: { data: FromTab }) => this.#heard(tab, data);
  }

  #heard(tab: PortTab, word: FromTab): void {
    switch (word.kind) {
      case 'connect':
        tab.board = this.#boardOf(word.url);
        tab.board.attach(tab);
        break;
      case 'lock':
        this.#host.whenFree?.(word.lock, () => tab.board?.leave(tab));
        break;
      case 'send':
        tab.board?.fromTab(tab, word.data);
        break;
      case 'disconnect':
        tab.board?.detach(tab);
        break;
      case 'leave':
        tab.board?.leave(tab);
        break;
    }
  }

  #boardOf(url: string): Switchboard<PortTab> {
    const known = this.#boards.get(url);
    if (known !== undefined) {
      return known;
    }
    const line: Socket = new WebSocketInterface(url, this.#host.WebSocketClass);
    const board = new Switchboard<PortTab>(line as ConstructorParameters<typeof Switchboard>[0], this.#host);
    line.onconnect = () => board.lineOpened();
    line.ondisconnect = (error, code, reason) => board.lineClosed(error, code, reason);
    line.ondata = (data) => board.fromLine(data);
    this.#boards.set(url, board);
    return board;
  }
}

class PortTab implements Tab {
  board: Switchboard<PortTab> | undefined;
  readonly #port: Port;

  constructor(port: Port) {
    this.#port = port;
  }

  opened(): void {
    this.#say({ kind: 'opened' });
  }

  closed(error: boolean, code?: number, reason?: string): void {
    this.#say({ kind: 'closed', error, code, reason });
  }

  data(data: string | ArrayBuffer | Uint8Array): void {
    this.#say({ kind: 'data', data });
  }

  #say(word: ToTab): void {
    this.#port.postMessage(word);
  }
}
