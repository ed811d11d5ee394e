/** SIP messages as pages see them: readers over what the core received, and requests that are about to be sent. */

import { type SipMessage, parseMessage as readMessage } from './core.js';
import { type GrammarRule, type ParsedReplaces, type ParsedVia, parse, ruleOf } from './grammar.js';
import { longName } from './message_head.js';
import { NameAddrHeader } from './name_address.js';
import { type SessionDescription, parseSessionDescription } from './session_description.js';
import { halves, parameterIn, splitOutsideQuotes } from './split.js';
import { URI } from './uri.js';

/** Headers whose fields may be lists: `getHeaders` gives their elements one by one. */
const LISTS = new Set(['contact', 'route', 'record-route', 'path', 'service-route', 'via', 'p-asserted-identity']);

const UNUSUAL_NAMES = new Map(
  ['Call-ID', 'CSeq', 'Min-SE', 'RAck', 'RSeq', 'WWW-Authenticate'].map((name) => [name.toLowerCase(), name]),
);

/** RFC 3261 §19.1.6: the number of a tel URI as a user of `host`. */
function numberAsSip(value: string, host: string): string {
  return value.replace(
    /^((?:"(?:[^"\\]|\\.)*"\s*|[^"<]*)<)?tel:([^;>]+)(?:;[^>]*(?=>))?/i,
    (_, before: string | undefined, number: string) => `${before ?? ''}sip:${number.replace(/[-.()]/g, '')}@${host}${before ? ';user=phone' : ''}`,
  );
}

/** `call-id` becomes `Call-ID`, `x-my-header` becomes `X-My-Header`. */
export function headerize(name: string): string {
  const lower = name.toLowerCase().replaceAll('_', '-');
  return UNUSUAL_NAMES.get(lower) ?? lower.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** What requests and responses have in common. */
export abstract class ReceivedMessage {
  /** The message as the core has it. */
  readonly message: SipMessage;
  /** Headers that the page has put over the received ones. */
  #overlay: Map<string, string[]> | undefined;
  #from: NameAddrHeader | undefined;
  #to: NameAddrHeader | undefined;

  /** @internal */
  constructor(message: SipMessage) {
    this.message = message;
  }

  /** INVITE, MESSAGE and so on; of a response, that of its request. */
  get method(): string {
    return this.message.method;
  }

  /** The text as it was on the wire. */
  get data(): string {
    return this.message.text;
  }

  /** The body as text; '' if there is none. */
  get body(): string {
    return this.message.body;
  }

  /** The Call-ID. */
  get call_id(): string {
    return this.message.callId;
  }

  /** The number of CSeq. */
  get cseq(): number {
    return this.message.cseq;
  }

  /** From, taken apart. */
  get from(): NameAddrHeader {
    return (this.#from ??= this.#nameAddress('From'));
  }

  /** To, taken apart. */
  get to(): NameAddrHeader {
    return (this.#to ??= this.#nameAddress('To'));
  }

  /** The tag of From. */
  get from_tag(): string {
    return this.message.fromTag;
  }

  /** '' if there is none. */
  get to_tag(): string {
    return this.message.toTag;
  }

  /** The topmost Via. */
  get via(): ParsedVia | undefined {
    return this.parseHeader('Via') as ParsedVia | undefined;
  }

  /** The branch of the topmost Via. */
  get via_branch(): string | undefined {
    return parameterIn(this.getHeader('Via') ?? '', ';branch=');
  }

  /** All headers by name, in the way JsSIP keeps them: a list of `{raw}` each. */
  get headers(): Record<string, { raw: string }[]> {
    const result: Record<string, { raw: string }[]> = {};
    for (const [name] of this.message.fields) {
      const key = headerize(name);
      result[key] ??= this.getHeaders(key).map((raw) => ({ raw }));
    }
    for (const [key, values] of this.#overlay ?? []) {
      result[headerize(key)] = values.map((raw) => ({ raw }));
    }
    return result;
  }

  /** The first value of a header. */
  getHeader(name: string): string | undefined {
    const first = this.#overlay?.get(longName(name))?.[0] ?? this.message.header(name);
    return first?.includes(',') && LISTS.has(longName(name)) ? splitOutsideQuotes(first, ',')[0] : first;
  }

  /** All values of a header; list headers are taken apart. */
  getHeaders(name: string): string[] {
    const key = longName(name);
    const values = [...(this.#overlay?.get(key) ?? this.message.headers(key))];
    return LISTS.has(key) ? values.flatMap((value) => splitOutsideQuotes(value, ',')) : values;
  }

  /** Whether there is such a header. */
  hasHeader(name: string): boolean {
    return this.getHeaders(name).length > 0;
  }

  /** How many values a header has. */
  countHeader(name: string): number {
    return this.getHeaders(name).length;
  }

  /** The `index`-th value of a header, taken apart. `undefined` if it is absent or malformed. */
  parseHeader(name: string, index = 0): unknown {
    const text = index === 0 ? this.getHeader(name) : this.getHeaders(name)[index];
    if (text === undefined) {
      return undefined;
    }
    const rule = ruleOf(name);
    if (rule === undefined) {
      return text;
    }
    if (LISTS.has(longName(name)) && rule !== 'Via') {
      // One element was asked for.
      return NameAddrHeader.parse(text);
    }
    const parsed: unknown = parse(text, rule satisfies GrammarRule);
    return parsed === -1 ? undefined : parsed;
  }

  /** The same as `parseHeader`. */
  s(name: string, index = 0): unknown {
    return this.parseHeader(name, index);
  }

  /** Replaces a header for readers of this object; the received message stays as it is. */
  setHeader(name: string, value: string): void {
    (this.#overlay ??= new Map()).set(longName(name), [value]);
  }

  /** Adds a header for readers of this object. */
  addHeader(name: string, value: string): void {
    const key = longName(name);
    (this.#overlay ??= new Map()).set(key, [...(this.#overlay?.get(key) ?? this.message.headers(key)), value]);
  }

  /** The parts of the session description in the body. */
  parseSDP(): SessionDescription {
    return parseSessionDescription(this.body);
  }

  /** The text as it was on the wire. */
  toString(): string {
    return this.data;
  }

  #nameAddress(name: 'From' | 'To'): NameAddrHeader {
    const value = this.message.header(name) ?? '';
    const parsed = NameAddrHeader.parse(value);
    if (parsed) return parsed;
    // A number has no host: that of the other side has a way to it, if anybody has. Other URIs have nothing to show.
    const other = NameAddrHeader.parse(this.message.header(name === 'From' ? 'To' : 'From') ?? '')?.uri.host ?? 'unknown.invalid';
    return NameAddrHeader.parse(numberAsSip(value, other)) ?? new NameAddrHeader(new URI('sip', null, 'unknown.invalid'));
  }
}

/** Answers a request: status, phrase, headers, body. */
export type Respond = (status: number, reason?: string, extraHeaders?: readonly string[], body?: string) => void;

/** A request that arrived. */
export class IncomingRequest extends ReceivedMessage {
  readonly #respond: Respond | undefined;

  /** @internal */
  constructor(message: SipMessage, respond?: Respond) {
    super(message);
    this.#respond = respond;
  }

  /** The Request-URI; `undefined` if it is no SIP URI. */
  get ruri(): URI | undefined {
    return URI.parse(this.message.requestUri);
  }

  /** The Event header, taken apart. */
  get event(): { event: string; params: Record<string, string | null> } | undefined {
    return this.parseHeader('Event') as { event: string; params: Record<string, string | null> } | undefined;
  }

  /** The Refer-To header, taken apart. */
  get refer_to(): NameAddrHeader | undefined {
    return this.parseHeader('Refer-To') as NameAddrHeader | undefined;
  }

  /** The Replaces header (RFC 3891), taken apart. */
  get replaces(): ParsedReplaces | undefined {
    return this.parseHeader('Replaces') as ParsedReplaces | undefined;
  }

  /** Seconds of Session-Expires (RFC 4028). */
  get session_expires(): number | undefined {
    return (this.parseHeader('Session-Expires') as { expires: number } | undefined)?.expires;
  }

  /** Who refreshes: `uac` or `uas`. */
  get session_expires_refresher(): string | undefined {
    return (this.parseHeader('Session-Expires') as { refresher?: string } | undefined)?.refresher;
  }

  /** Answers the request. Does nothing once it has been answered. */
  reply(status: number, reason?: string | null, extraHeaders?: readonly string[] | null, body?: string | null): void {
    this.#respond?.(status, reason ?? undefined, extraHeaders ?? undefined, body ?? undefined);
  }

  /** The same as `reply`: there is always a transaction here. */
  reply_sl(status: number, reason?: string | null): void {
    this.reply(status, reason);
  }
}

/** A response that arrived. */
export class IncomingResponse extends ReceivedMessage {
  /** 100 to 699. */
  get status_code(): number {
    return this.message.status;
  }

  /** What stands beside the status; for people only. */
  get reason_phrase(): string {
    return this.message.reason;
  }
}

/**
 * Reads a whole message out of a log, a push notification or a test. `undefined` if it is none, or one that a user agent would
 * refuse. What it gives is for reading: `reply` has nobody to answer.
 */
export function parseMessage(data: string | Uint8Array): IncomingRequest | IncomingResponse | undefined {
  const message = readMessage(data);
  return message && received(message);
}

/** The reader that fits the message. */
export function received(message: SipMessage): IncomingRequest | IncomingResponse {
  return message.isRequest ? new IncomingRequest(message) : new IncomingResponse(message);
}

/**
 * A request of ours. Until it is sent, `body` and `extraHeaders` can be changed (event `sending`); the headers that the
 * protocol owns (Via, From, To, Call-ID, CSeq, Route) are the core's and can only be read.
 */
export class OutgoingRequest {
  /** The body, or null. */
  body: string | null;
  /** Headers that are added, `Name: value`. */
  extraHeaders: string[];
  #message: SipMessage;

  /** @internal */
  constructor(message: SipMessage, extraHeaders: readonly string[] = [], body: string | null = null) {
    this.#message = message;
    this.extraHeaders = [...extraHeaders];
    this.body = body;
  }

  /** @internal The request as it went out. */
  sent(message: SipMessage): void {
    this.#message = message;
  }

  /** INVITE, MESSAGE and so on. */
  get method(): string {
    return this.#message.method;
  }

  /** The Request-URI. */
  get ruri(): URI | undefined {
    return URI.parse(this.#message.requestUri);
  }

  /** The number of CSeq. */
  get cseq(): number {
    return this.#message.cseq;
  }

  /** The Call-ID. */
  get call_id(): string {
    return this.#message.callId;
  }

  /** The tag of From. */
  get from_tag(): string {
    return this.#message.fromTag;
  }

  /** The tag of To; '' before there is a dialog. */
  get to_tag(): string {
    return this.#message.toTag;
  }

  /** From, taken apart. */
  get from(): NameAddrHeader | undefined {
    return NameAddrHeader.parse(this.#message.header('From') ?? '');
  }

  /** To, taken apart. */
  get to(): NameAddrHeader | undefined {
    return NameAddrHeader.parse(this.#message.header('To') ?? '');
  }

  /** Puts a header in place of those of the same name that were added before. */
  setHeader(name: string, value: string | number | readonly string[]): void {
    const key = headerize(name);
    const values = Array.isArray(value) ? value.map(String) : [String(value)];
    this.extraHeaders = this.extraHeaders.filter((line) => headerize(halves(line, ':')[0]) !== key);
    this.extraHeaders.push(...values.map((each) => `${key}: ${each}`));
  }

  /** The first value of a header: of those added, else of those that the core writes. */
  getHeader(name: string): string | undefined {
    return this.getHeaders(name)[0];
  }

  /** All values of a header. */
  getHeaders(name: string): string[] {
    const key = headerize(name);
    const added = this.extraHeaders.map((line) => halves(line, ':')).filter(([each]) => headerize(each) === key);
    return added.length > 0 ? added.map(([, value]) => value ?? '') : this.#message.headers(key);
  }

  /** Whether there is such a header. */
  hasHeader(name: string): boolean {
    return this.getHeaders(name).length > 0;
  }

  /** The parts of the session description in the body. */
  parseSDP(): SessionDescription {
    return parseSessionDescription(this.body ?? '');
  }

  /** Another one, to be changed by itself. */
  clone(): OutgoingRequest {
    return new OutgoingRequest(this.#message, this.extraHeaders, this.body);
  }

  /** The request as text, as it went or would go out. */
  toString(): string {
    return this.#message.text;
  }
}
