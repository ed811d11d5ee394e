// The border between the page and the wasm of the SIP core: bytes in both directions.
//
// The other side is crates/wasm. Numbers are little-endian and have 32 bits; texts have their length before them.

import embedded from '../generated/sipweb_wasm.wasm';
import { causes } from './causes.js';
import { ENCODER, SipMessage } from './core_message.js';
import { CoreError, RELIABILITY } from './core_types.js';
import { wholeModule } from './wasm_streams.js';
import type {
  Cause, CoreConfig, CoreEvent, CoreSettings, OriginOptions, Originator, Payload, ViaTransport,
} from './core_types.js';

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What crates/wasm exports. Times are microseconds. */
export interface Exports {
  memory: WebAssembly.Memory;
  /** Where the last input stands, and maybe more behind it: it is kept, for making one takes as long as filling it. */
  room: Uint8Array;
  input(length: number): number;
  output(): number;
  output_length(): number;
  create(length: number, now: number): number;
  command(length: number, now: number): number;
  receive(length: number, flow: number, now: number): void;
  check(length: number): number;
  timeout(now: number): void;
  poll(): number;
  deadline(): number;
}

let compiled: WebAssembly.Module | undefined;
/** Random octets drawn in advance: the core asks for a few at a time, and asking the platform is what takes time. */
const chance = new Uint8Array(1024);
let drawn = chance.length;

/** Fills `target` with random octets; each is given out once. */
function draw(target: Uint8Array): void {
  if (drawn + target.length > chance.length) {
    crypto.getRandomValues(chance);
    drawn = 0;
  }
  target.set(chance.subarray(drawn, drawn + target.length));
  chance.fill(0, drawn, drawn + target.length);
  drawn += target.length;
}

export function instantiate(): Exports {
  compiled ??= new WebAssembly.Module(wholeModule(embedded));
  let memory: WebAssembly.Memory | undefined;
  const entropy = (at: number, length: number): void => {
    // Never more than a few dozen; but a promise is a promise.
    for (let done = 0; done < length; done += chance.length) {
      draw(new Uint8Array(memory!.buffer, at + done, Math.min(length - done, chance.length)));
    }
  };
  const { exports } = new WebAssembly.Instance(compiled, { sipweb: { entropy } });
  memory = exports['memory'] as WebAssembly.Memory;
  return { ...exports, room: new Uint8Array() } as unknown as Exports;
}

export const NONE = 0xff;
const ABSENT = 0xffff_ffff;
export const FIRST_ERROR = 0xffff_fff0;
export const SDP = 'application/sdp';
export const PLAIN = 'text/plain';
/** The order is that of `error_code` in crates/wasm. */
export const ERRORS = ['unknown', 'state', 'uri', 'header', 'closed'] as const;
export const ERROR_TEXTS: Record<CoreError['code'], string> = {
  unknown: 'no such call, request or transaction',
  state: 'the state of the call does not allow this',
  uri: 'not a SIP URI',
  header: 'a header, method or reason has forbidden characters',
  closed: 'the core is closed',
};

/** The order is that of `Transport::ALL` in crates/sip. */
export const VIA_TRANSPORTS: readonly ViaTransport[] = ['UDP', 'TCP', 'TLS', 'WS', 'WSS'];

/** The order of `causes` is that of `Cause::ALL` in crates/agent. */
export const CAUSES: readonly Cause[] = Object.values(causes);
const ORIGINATORS: readonly Originator[] = ['local', 'remote', 'system'];

/** The numbers are those of crates/wasm/src/command.rs. */
export const enum Op {
  configure = 1, connected, disconnected, register, unregister, createCall, invite, acknowledge, end, ring, accept,
  reinvite, canReinvite = 14, dialogRequest, dialogIdentity, createSubscription, acceptSubscription,
  closeSubscription, request, respond, identity,
}
export const enum Ending { any, cancel, reject }

/** Writes a command: little-endian numbers, texts with their length before them. */
export class Writer {
  #bytes = new Uint8Array(512);
  #length = 0;

  bytes(): Uint8Array { return this.#bytes.subarray(0, this.#length); }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
    return this;
  }
  flag(value: boolean | undefined): this { return this.byte(value ? 1 : 0); }
  number(value: number): this {
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setUint32(this.#length, value, true);
    this.#length += 4;
    return this;
  }
  text(value: string): this {
    const bytes = ENCODER.encode(value);
    this.number(bytes.length).#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }
  optional(value: string | null | undefined): this {
    return value === null || value === undefined ? this.number(ABSENT) : this.text(value);
  }
  headers(lines: readonly string[] | undefined): this {
    this.number(lines?.length ?? 0);
    for (const line of lines ?? []) {
      const colon = line.indexOf(':');
      if (colon < 1) throw new CoreError('header', `"${line}" is not of the form "Name: value"`);
      this.text(line.slice(0, colon).trim()).text(line.slice(colon + 1).trim());
    }
    return this;
  }
  payload(payload: Payload, contentType: string): this {
    this.headers(payload.extraHeaders).optional(payload.body || undefined);
    return payload.body ? this.text(payload.contentType ?? contentType) : this;
  }
  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.bytes());
    this.#bytes = larger;
  }
}

export function writeConfig(words: Writer, config: CoreConfig): void {
  words.text(config.uri).optional(config.contactUri).optional(config.viaHost).optional(config.instanceId)
    .optional(config.registrarServer).number(config.registerExpires ?? 600).text(config.registerFromTagTrail ?? '')
    .optional(config.preloadedRoute).flag(config.sessionTimers ?? true)
    .flag(config.sessionTimersRefreshMethod === 'INVITE').flag(config.sessionTimersForceRefresher)
    .byte(RELIABILITY.indexOf(config.reliableProvisional ?? 'unsupported'))
    .number(config.noAnswerTimeout ?? 60).text(config.userAgent ?? 'Sipweb');
  writeSettings(words, config);
  words.byte(config.flows ?? 1);
}

export function writeSettings(words: Writer, settings: CoreSettings): void {
  const { calls, messages, options, subscriptions, others, refers } = settings.listens ?? {};
  const listens = [calls, messages, options, subscriptions, others, refers].reduce((sum, on, bit) => sum | (on ? 1 << bit : 0), 0);
  words.optional(settings.authorizationUser).optional(settings.password).optional(settings.ha1).optional(settings.realm)
    .optional(settings.authorizationJwt).optional(settings.displayName).headers(settings.extraHeaders)
    .headers(settings.registerExtraHeaders).text(settings.registerContactParameters ?? '').byte(listens)
    .flag(settings.refreshesRegistration ?? true);
}

export function writeOrigin(words: Writer, origin: OriginOptions): void {
  words.headers(origin.extraHeaders).flag(origin.anonymous).optional(origin.fromUserName)
    .optional(origin.fromDisplayName).optional(origin.fromUri).optional(origin.toUri).optional(origin.toDisplayName);
}

export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return STRICT_UTF8.decode(bytes);
  } catch {
    return bytes;
  }
}

/** The numbers are those of crates/wasm/src/event.rs. */
export function readEvent(bytes: Uint8Array): CoreEvent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const originator = ORIGINATORS[view.getUint8(1)] ?? 'system';
  const maybeCause = CAUSES[view.getUint8(2)] ?? null;
  const cause = maybeCause ?? 'Internal Error';
  const flag = view.getUint8(3) !== 0;
  const first = view.getUint32(4, true);
  const number = view.getUint32(8, true);
  const value = view.getUint32(12, true);
  const message = new SipMessage(bytes.subarray(16));
  const maybeMessage = bytes.length > 16 ? message : null;
  const call = first;
  const maybeCall = first || null;
  switch (view.getUint8(0)) {
    case 1: return { type: 'registered', response: message, first: flag, expires: value, pubGruu: '', tempGruu: '' };
    case 2: return { type: 'registrationFailed', response: maybeMessage, cause, retryIn: value === ABSENT ? null : value };
    case 3: return { type: 'unregistered', response: maybeMessage, cause: maybeCause };
    case 4: return { type: 'registrationExpiring' };
    case 5: return { type: 'incomingCall', call, request: message, body: message.body, replaces: number || null };
    case 7: return { type: 'progress', call, response: message, body: message.body, fork: message.toTag };
    case 8: return { type: 'authenticated', call: maybeCall, number: number || null, request: message };
    case 9: return { type: 'accepted', call, response: message, body: message.body, fork: message.toTag };
    case 10: return { type: 'confirmed', call, originator, request: maybeMessage, body: maybeMessage?.body ?? '' };
    case 11: return { type: 'failed', call, originator, message: maybeMessage, cause };
    case 12: return { type: 'ended', call, originator, message: maybeMessage, cause };
    case 13: return {
      type: 'reoffer', call, transaction: number, method: message.method as 'INVITE' | 'UPDATE', request: message, body: message.body,
    };
    case 14: return { type: 'reofferAcknowledged', call, transaction: number, request: message, body: message.body };
    case 15: return { type: 'sessionRefresh', call };
    case 16: return { type: 'dialogRequest', call, transaction: number, method: message.method, request: message };
    case 17: return { type: 'incomingRequest', transaction: number, method: message.method, request: message };
    case 18: return { type: 'notify', request: message };
    case 19: return {
      type: 'response', number, call: maybeCall, status: message.status, response: message, body: message.body,
    };
    default: return { type: 'requestFailed', number, call: maybeCall, cause };
  }
}
