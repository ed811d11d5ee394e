/** Start line and header fields of a message, and the names of fields. Pages read some header of every message: this is a hot path. */

import { trimmed } from './split.js';

/** RFC 3261 §7.3.3 and the registry of compact forms. */
const COMPACT_NAMES: Record<string, string> = {
  v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', l: 'content-length', c: 'content-type',
  e: 'content-encoding', k: 'supported', s: 'subject', o: 'event', u: 'allow-events', r: 'refer-to',
  b: 'referred-by', x: 'session-expires', a: 'accept-contact', j: 'reject-contact', d: 'request-disposition',
  y: 'identity',
};

/** A header name as somebody writes it, and what it is compared by. */
interface HeaderName {
  readonly written: string;
  readonly long: string;
  readonly hash: number;
  /** That of the compact form, or of the long one where there is none. */
  readonly compactHash: number;
}

/** Names that have been asked for: pages ask for the same few. */
const names = new Map<string, HeaderName>();

function headerName(written: string): HeaderName {
  let name = names.get(written);
  if (name === undefined) {
    const lower = written.trim().toLowerCase().replaceAll('_', '-');
    const long = lower.length === 1 ? (COMPACT_NAMES[lower] ?? lower) : lower;
    const compact = Object.keys(COMPACT_NAMES).find((letter) => COMPACT_NAMES[letter] === long) ?? long;
    name = { written, long, hash: hashOf(long, 0, long.length), compactHash: hashOf(compact, 0, compact.length) };
    if (names.size < 200) names.set(written, name);
  }
  return name;
}

/** Long, in lower case, with hyphens: `Call_ID`, which JsSIP's `parseHeader` takes too, is `call-id`. */
export function longName(name: string): string {
  return headerName(name).long;
}

const SPACE = 32;
const COLON = 58;

/** A number that most other names do not have: of the length, and the letters at both ends in either case. It has the 30 bits that engines handle best. */
function hashOf(text: string, begin: number, end: number): number {
  return ((end - begin) << 16) + ((text.charCodeAt(begin) | 32) << 8) + (text.charCodeAt(end - 1) | 32);
}

/** Where everything is before the body. Fields are told by their position in {@link Head.find}; values are cut out when they are asked for. */
export class Head {
  readonly method: string;
  readonly uri: string;
  readonly status: number;
  readonly reason: string;
  readonly bodyStart: number;
  /** The text that has the fields: that of the message, or, where a field is folded, the head without folds. */
  readonly #text: string;
  /** Three numbers a field: the hash of its name, where it begins, where its colon is. Then where a further field would begin. */
  readonly #places: number[];

  constructor(message: string) {
    const end = message.indexOf('\r\n\r\n');
    this.bodyStart = end < 0 ? message.length : end + 4;
    let text = message;
    let places = placesIn(text, end < 0 ? text.length : end);
    if (places === undefined) {
      // RFC 3261 §7.3.1: a line that begins with white space goes on with the field before it.
      text = (end < 0 ? text : text.slice(0, end)).replace(/\r\n[ \t]+/g, ' ');
      places = placesIn(text, text.length) ?? [];
    }
    this.#text = text;
    this.#places = places;
    const start = text.slice(0, places[1]! - 2);
    const response = start[3] === '/' ? /^SIP\/2\.0 +(\d{3}) ?(.*)$/i.exec(start) : null;
    const method = response ? 0 : start.indexOf(' ');
    this.method = start.slice(0, method);
    this.uri = response ? '' : start.slice(method + 1, start.lastIndexOf(' '));
    this.status = Number(response?.[1] ?? 0);
    this.reason = response?.[2] ?? '';
  }

  /** The value of the first field of that name. */
  first(wanted: string): string | undefined {
    const field = this.#find(headerName(wanted), 0);
    return field < 0 ? undefined : this.#value(field);
  }

  /** The values of all fields of that name. */
  all(wanted: string): string[] {
    const name = headerName(wanted);
    const values: string[] = [];
    for (let field = this.#find(name, 0); field >= 0; field = this.#find(name, field + 3)) values.push(this.#value(field));
    return values;
  }

  /** Every field in order, names as written. */
  fields(): Array<readonly [name: string, value: string]> {
    const fields: Array<readonly [string, string]> = [];
    for (let field = 0; field < this.#places.length - 2; field += 3) fields.push([this.#name(field).trim(), this.#value(field)]);
    return fields;
  }

  /** Where the first field of that name has its numbers, not before `from`; -1 if there is none. */
  #find({ written, long, hash, compactHash }: HeaderName, from: number): number {
    const places = this.#places;
    for (let field = from; field < places.length - 2; field += 3) {
      if (places[field] !== hash && places[field] !== compactHash) continue;
      // Other names may have the same hash.
      const begin = places[field + 1]!;
      const asWritten = written.length === places[field + 2]! - begin && this.#text.startsWith(written, begin);
      if (asWritten || longName(this.#name(field)) === long) return field;
    }
    return -1;
  }

  #name(field: number): string {
    return this.#text.slice(this.#places[field + 1]!, this.#places[field + 2]!);
  }

  #value(field: number): string {
    const begin = this.#places[field + 2]! + 1;
    // Nearly always one space stands there, and then there is nothing to do.
    return trimmed(this.#text.slice(this.#text.charCodeAt(begin) === SPACE ? begin + 1 : begin, this.#places[field + 4]! - 2));
  }
}

/** Where the numbers are collected: a list that grows is copied again and again, and this one has grown. */
const room: number[] = [];

/** The numbers of the fields of a text that is a head up to `end`; `undefined` where a field is folded. */
function placesIn(text: string, end: number): number[] | undefined {
  const places = room;
  let count = 0;
  // A CR is a line end here: the core lets none in that is not, and one octet is found sooner than two.
  for (let line = text.indexOf('\r'); line >= 0 && line < end; line = text.indexOf('\r', line + 2)) {
    const begin = line + 2;
    if (text.charCodeAt(begin) <= SPACE) return undefined;
    let at = begin;
    while (text.charCodeAt(at) !== COLON && at < end) at += 1;
    let last = at;
    while (text.charCodeAt(last - 1) <= SPACE) last -= 1;
    places[count] = hashOf(text, begin, last);
    places[count + 1] = begin;
    places[count + 2] = at;
    count += 3;
  }
  places[count] = -1;
  places[count + 1] = end + 2;
  return places.slice(0, count + 2);
}
