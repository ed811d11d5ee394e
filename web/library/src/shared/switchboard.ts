/**
 * One connection for many tabs. Each tab has a whole user agent; this passes their messages on, and makes one phone of them:
 *
 *  - the phone is registered while one tab is: further registrations are answered here with what is left of the first;
 *  - what begins outside reaches every registered tab, and the first that decides decides for all ({@link Ringing});
 *  - everything else finds its tab by Call-ID and our tag;
 *  - what a tab leaves behind when it goes is ended: its calls, its attempts, and with the last tab the registration.
 *
 * Messages that pass are not changed. Sans I/O: sockets, tabs, time are handed in.
 */

import type { SipMessage } from '../core_message.js';
import type { SocketData } from '../websocket_interface.js';
import { type Ringable, Ringing } from './ringing.js';
import {
  type Dialog, acknowledgement, calleeDialog, callerDialog, cancellation, inDialog, isKeepAlive, isOwn, listOf, reading, registeredAgain,
  response, topVia, transactionOf, unregistration, uriIn,
} from './wire.js';

/** A tab, as the switchboard sees it. */
export interface Tab extends Ringable {
  opened(): void;
  closed(error: boolean, code?: number, reason?: string): void;
  data(data: SocketData): void;
}

/** The connection to the server. `Socket` of the library is one. */
export interface Line {
  connect(): void;
  disconnect(): void;
  send(data: string | Uint8Array<ArrayBuffer>): boolean;
}

export interface Clock {
  now: () => number;
  setTimeout: (run: () => void, milliseconds: number) => unknown;
  clearTimeout: (timer: unknown) => void;
}

interface Registration {
  request: SipMessage;
  granted: SipMessage;
  cseq: number;
  seconds: number;
  /** When it runs out. */
  until: number;
}

/** Milliseconds that a request from outside is remembered after it began: RFC 3261 timers B, H and a caller's patience. */
const RINGING_LIMIT = 300_000;
/** Milliseconds that the connection waits for a next tab, or for the answer to a good-bye. */
const LINGER = 2000;
/** Ends of transactions and dialogs that are remembered; the oldest are forgotten first, standing calls never. */
const ENDS = 4096;
/** Milliseconds after which a sign of life that a tab has asked for is late. */
const SIGN_OF_LIFE = 1500;

export class Switchboard<Peer extends Tab = Tab> {
  readonly #line: Line;
  readonly #clock: Clock;
  readonly #tabs = new Set<Peer>();
  readonly #registered = new Set<Peer>();
  /** By Call-ID and our tag. */
  readonly #ends = new Map<string, Peer>();
  readonly #dialogs = new Map<string, { tab: Peer; dialog: Dialog }>();
  readonly #attempts = new Map<string, { tab: Peer; invite: SipMessage; rings: boolean; orphan: boolean }>();
  readonly #ringing = new Map<string, Ringing<Peer>>();
  readonly #registers = new Map<string, SipMessage>();
  /** What tabs that went while there was no connection have left to say. */
  readonly #owed: string[] = [];
  #state: 'closed' | 'opening' | 'open' = 'closed';
  #registration: Registration | undefined;
  /** What our requests have for Via. */
  #via = '';
  #asked: number | undefined;
  #linger: unknown;

  constructor(line: Line, clock: Clock) {
    this.#line = line;
    this.#clock = clock;
  }

  /** The tab wants the connection. */
  attach(tab: Peer): void {
    this.#clock.clearTimeout(this.#linger);
    this.#tabs.add(tab);
    if (this.#state === 'open') {
      tab.opened();
    } else if (this.#state === 'closed') {
      this.#state = 'opening';
      this.#asked = this.#clock.now();
      this.#line.connect();
    }
  }

  /** The tab does without the connection; its calls go on, for it may come back. */
  detach(tab: Peer): void {
    const isDead = this.#asked !== undefined && this.#clock.now() - this.#asked >= SIGN_OF_LIFE;
    if (!this.#tabs.delete(tab)) {
      return;
    }
    this.#registered.delete(tab);
    for (const ringing of this.#ringing.values()) {
      ringing.left(tab);
    }
    if (isDead) {
      // It has waited in vain for the server: the connection is of no use to the others either.
      this.#line.disconnect();
      this.lineClosed(true, 1006, 'the server is not heard any more');
    } else if (this.#tabs.size === 0) {
      this.#hangUpLine();
    }
  }

  /** The tab is gone for good. */
  leave(tab: Peer): void {
    for (const [key, attempt] of this.#attempts) {
      if (attempt.tab === tab && !attempt.orphan) {
        attempt.orphan = true;
        if (attempt.rings) {
          this.#send(cancellation(attempt.invite)); // RFC 3261 §9.1: not before something was heard.
        }
        this.#ends.delete(key);
      }
    }
    for (const [key, standing] of this.#dialogs) {
      if (standing.tab === tab) {
        this.#dialogs.delete(key);
        const bye = inDialog('BYE', standing.dialog);
        if (!this.#line.send(bye)) {
          this.#owed.push(bye);
        }
      }
    }
    for (const [key, owner] of this.#ends) {
      if (owner === tab) {
        this.#ends.delete(key);
      }
    }
    this.#registered.delete(tab);
    if (this.#registered.size === 0 && this.#registration !== undefined) {
      this.#send(unregistration(this.#registration.request, this.#registration.cseq + 1));
      this.#registration = undefined;
    }
    this.detach(tab);
  }

  lineOpened(): void {
    this.#state = 'open';
    this.#asked = undefined;
    this.#owed.splice(0).forEach((bye) => this.#send(bye));
    for (const tab of [...this.#tabs]) {
      tab.opened();
    }
  }

  lineClosed(error: boolean, code?: number, reason?: string): void {
    this.#state = 'closed';
    this.#asked = undefined;
    this.#registration = undefined;
    this.#registered.clear();
    this.#registers.clear();
    this.#ringing.clear();
    this.#attempts.clear();
    const tabs = [...this.#tabs];
    this.#tabs.clear();
    for (const tab of tabs) {
      tab.closed(error, code, reason);
    }
  }

  /** From a tab. */
  fromTab(tab: Peer, data: string | Uint8Array<ArrayBuffer>): void {
    if (isKeepAlive(data)) {
      this.#asked ??= this.#clock.now();
      this.#line.send(data);
      return;
    }
    const message = reading(data);
    if (message.isRequest) {
      this.#requested(tab, message, data);
    } else {
      this.#responded(tab, message, data);
    }
  }

  /** From the server. */
  fromLine(data: SocketData): void {
    this.#asked = undefined;
    if (isKeepAlive(data)) {
      if (data === '\r\n\r\n') {
        this.#line.send('\r\n'); // RFC 5626 §3.5.1: once for all tabs.
      } else {
        this.#tabs.forEach((tab) => tab.data(data));
      }
      return;
    }
    const message = reading(data);
    if (!message.isRequest) {
      this.#answerCame(message, data);
    } else if (message.toTag === '') {
      this.#begins(message);
    } else {
      this.#continues(message, data);
    }
  }

  #requested(tab: Peer, message: SipMessage, data: string | Uint8Array<ArrayBuffer>): void {
    const key = endOf(message.callId, message.fromTag);
    this.#via = topVia(message);
    this.#remember(key, tab);
    const { method } = message;
    if (method === 'REGISTER' && this.#registersHere(tab, message)) {
      return;
    }
    if (method === 'INVITE' && message.toTag === '') {
      this.#attempts.set(key, { tab, invite: message, rings: false, orphan: false });
    }
    const standing = this.#dialogs.get(key);
    if (standing !== undefined && method !== 'ACK') {
      standing.dialog.cseq = Math.max(standing.dialog.cseq, message.cseq);
    }
    if (method === 'BYE' && standing !== undefined && isWith(standing.dialog, message.toTag)) {
      this.#dialogs.delete(key); // Of another fork it says nothing.
    }
    this.#line.send(data);
  }

  /** Whether the registration of another tab will do. */
  #registersHere(tab: Peer, message: SipMessage): boolean {
    const contact = listOf(message, 'Contact')[0] ?? '';
    const asked = secondsIn(message, contact, 1);
    const { now } = this.#clock;
    if (asked === 0) {
      this.#registered.delete(tab);
      if (contact.trim() !== '*' && this.#registered.size > 0) {
        tab.data(response(message, 200, 'OK'));
        return true;
      }
    } else if (this.#registration !== undefined) {
      const { until, seconds, granted, request } = this.#registration;
      const left = until - now();
      if (left >= seconds * 500 && uriIn(contact) === uriIn(request.header('Contact'))) {
        if (request.callId === message.callId) {
          this.#registration.cseq = Math.max(this.#registration.cseq, message.cseq);
        }
        this.#registered.add(tab);
        tab.data(registeredAgain(message, granted, Math.floor(left / 1000)));
        return true;
      }
    }
    this.#registers.set(`${message.callId} ${message.cseq}`, message);
    return false;
  }

  #responded(tab: Peer, message: SipMessage, data: string | Uint8Array<ArrayBuffer>): void {
    if (isOwn(message)) {
      return;
    }
    const key = endOf(message.callId, message.toTag);
    if (message.toTag !== '' && message.status !== 481) {
      this.#remember(key, tab);
    }
    const ringing = this.#ringing.get(transactionOf(message));
    if (ringing === undefined || !ringing.has(tab)) {
      this.#line.send(data);
    } else if (ringing.answered(tab, message)) {
      this.#dialogs.set(key, { tab, dialog: calleeDialog(ringing.request, message, this.#via) });
    }
  }

  #answerCame(message: SipMessage, data: SocketData): void {
    if (isOwn(message)) {
      return;
    }
    const key = endOf(message.callId, message.fromTag);
    const { method, status } = message;
    if (method === 'REGISTER') {
      this.#registrationAnswered(key, message);
    }
    const attempt = method === 'INVITE' ? this.#attempts.get(key) : undefined;
    if (attempt !== undefined) {
      if (status >= 200 && attempt.invite.cseq === message.cseq) {
        this.#attempts.delete(key);
      }
      if (attempt.orphan) {
        this.#endOrphan(attempt, message);
        return;
      }
      attempt.rings = true;
    }
    const tab = this.#ends.get(key);
    if (method === 'INVITE' && status >= 200 && status < 300 && tab !== undefined) {
      const standing = this.#dialogs.get(key);
      if (standing === undefined) {
        this.#dialogs.set(key, { tab, dialog: callerDialog(message) });
      } else if (message.header('Contact') !== undefined && isWith(standing.dialog, message.toTag)) {
        standing.dialog.target = uriIn(message.header('Contact')); // RFC 3261 §12.2.1.2
      }
    }
    tab?.data(data);
  }

  /** An answer to somebody who is gone. */
  #endOrphan(attempt: { invite: SipMessage; rings: boolean }, message: SipMessage): void {
    if (message.status < 200) {
      if (!attempt.rings) {
        attempt.rings = true;
        this.#send(cancellation(attempt.invite));
      }
    } else if (message.status < 300) {
      const dialog = callerDialog(message);
      this.#send(inDialog('ACK', dialog));
      this.#send(inDialog('BYE', dialog));
    } else {
      this.#send(acknowledgement(attempt.invite, message));
    }
  }

  #registrationAnswered(key: string, message: SipMessage): void {
    const asked = `${message.callId} ${message.cseq}`;
    const request = this.#registers.get(asked);
    const tab = this.#ends.get(key);
    if (request === undefined || message.status < 200) {
      return;
    }
    this.#registers.delete(asked);
    if (message.status >= 300) {
      if (tab !== undefined && ![401, 407, 423].includes(message.status)) {
        this.#registered.delete(tab);
      }
      return;
    }
    const own = request.header('Contact');
    // RFC 5626 §4.2.1: by the instance. What stands between us and the registrar may have changed the address.
    const instance = instanceIn(own);
    const bound = listOf(message, 'Contact').find((each) => uriIn(each) === uriIn(own) || (instance && instanceIn(each) === instance));
    const wanted = secondsIn(request, own, 1);
    const seconds = wanted && secondsIn(message, bound, wanted);
    if (seconds === 0) {
      this.#registration = undefined;
    } else {
      this.#registration = { request, granted: message, cseq: request.cseq, seconds, until: this.#clock.now() + seconds * 1000 };
      if (tab !== undefined) {
        this.#registered.add(tab);
      }
    }
  }

  /** A request outside of dialogs. */
  #begins(message: SipMessage): void {
    if (message.method === 'ACK') {
      return; // To a refusal: the tab has been told.
    }
    if (message.method === 'CANCEL') {
      if (!this.#takenBack(message)) {
        this.#send(response(message, 481, 'Call/Transaction Does Not Exist'));
      }
      return;
    }
    const forAll = ['INVITE', 'MESSAGE', 'NOTIFY'].includes(message.method);
    const tabs = [...this.#registered].slice(0, forAll ? undefined : 1);
    if (tabs.length === 0) {
      this.#send(response(message, 480, 'Temporarily Unavailable'));
      return;
    }
    this.#ring(message, tabs);
  }

  /** Whether the CANCEL is of something that several tabs were given: it is answered for all. */
  #takenBack(cancel: SipMessage): boolean {
    const ringing = this.#ringing.get(transactionOf(cancel));
    if (ringing !== undefined) {
      this.#send(response(cancel, 200, 'OK'));
      ringing.canceled(cancel.text);
    }
    return ringing !== undefined;
  }

  #ring(message: SipMessage, tabs: readonly Peer[]): void {
    const key = transactionOf(message);
    const begun = new Ringing(message, tabs, (text) => this.#send(text));
    this.#ringing.set(key, begun);
    this.#clock.setTimeout(() => this.#ringing.delete(key), RINGING_LIMIT);
    begun.ring(message.text);
  }

  #continues(message: SipMessage, data: SocketData): void {
    if (message.method === 'CANCEL' && this.#takenBack(message)) {
      return;
    }
    const key = endOf(message.callId, message.toTag);
    const tab = this.#ends.get(key) ?? this.#dialogs.get(key)?.tab;
    const standing = this.#dialogs.get(key);
    if (message.method === 'BYE' && standing !== undefined && isWith(standing.dialog, message.fromTag)) {
      this.#dialogs.delete(key);
    }
    if (tab !== undefined) {
      tab.data(data);
    } else if (message.method === 'ACK' || message.method === 'CANCEL') {
      this.#tabs.forEach((each) => each.data(data));
    } else if (this.#tabs.size === 0) {
      this.#send(response(message, 481, 'Call/Transaction Does Not Exist'));
    } else {
      // The calls of a tab outlive the worker that knew of them: whose this one is, is told by who does not answer 481.
      this.#ring(message, [...this.#tabs]);
    }
  }

  #remember(key: string, tab: Peer): void {
    this.#ends.delete(key);
    this.#ends.set(key, tab);
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= ENDS) {
        break;
      }
      this.#ends.delete(oldest);
    }
  }

  #hangUpLine(): void {
    this.#linger = this.#clock.setTimeout(() => {
      if (this.#tabs.size === 0) {
        this.#line.disconnect();
        this.lineClosed(false);
      }
    }, LINGER);
  }

  #send(text: string): void {
    this.#line.send(text);
  }
}

/** The time that a REGISTER asks for, or its answer grants, for one of its contacts. */
function secondsIn(message: SipMessage, contact: string | undefined, usual: number): number {
  return Number(/;\s*expires\s*=\s*(\d+)/i.exec(contact ?? '')?.[1] ?? message.header('Expires') ?? usual);
}

function instanceIn(contact: string | undefined): string | undefined {
  return /;\s*\+sip\.instance\s*=\s*("[^"]*")/i.exec(contact ?? '')?.[1];
}

function isWith(dialog: Dialog, tag: string): boolean {
  return dialog.remote.includes(`;tag=${tag}`);
}

function endOf(callId: string, tag: string): string {
  return `${callId} ${tag}`;
}
