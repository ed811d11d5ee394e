// A SIP message as the page reads it. The core in the wasm has checked it: here it is only split.

import { Head } from './message_head.js';
import { parameterIn } from './split.js';

/**
 * A received or sent SIP message, read lazily. Header names are given in any case, in long form; compact forms in
 * the message are found by their long name.
 */
export class SipMessage {
  #bytes: Uint8Array | undefined;
  #text: string | undefined;
  #head: Head | undefined;

  /** @internal Made of its bytes; or of its text, where that is all ASCII. */
  constructor(source: Uint8Array | string) {
    if (typeof source === 'string') this.#text = source;
    else this.#bytes = source;
  }

  /** The bytes as they were on the wire (of a request being prepared: as they would be). */
  get bytes(): Uint8Array { return (this.#bytes ??= ENCODER.encode(this.#text)); }

  /** The whole message as text (UTF-8; octets that are not UTF-8 become U+FFFD). */
  get text(): string { return (this.#text ??= UTF8.decode(this.#bytes)); }
  /** True for a request, false for a response. */
  get isRequest(): boolean { return this.#read().status === 0; }
  /** Method: of a response, that of its CSeq. */
  get method(): string {
    const { method } = this.#read();
    return method || (this.header('CSeq') ?? '').replace(/^\s*\d+\s+/, '');
  }
  /** Request-URI; '' in responses. */
  get requestUri(): string { return this.#read().uri; }
  /** Status code; 0 in requests. */
  get status(): number { return this.#read().status; }
  /** Reason phrase; '' in requests. */
  get reason(): string { return this.#read().reason; }
  /** Every header field in order, names as written, values unfolded and trimmed. */
  get fields(): ReadonlyArray<readonly [name: string, value: string]> { return this.#read().fields(); }
  /** The first field of that name. */
  header(name: string): string | undefined { return this.#read().first(name); }
  /** Every field of that name (a field may itself be a comma list). */
  headers(name: string): string[] { return this.#read().all(name); }
  /** Call-ID; '' if absent. */
  get callId(): string { return this.header('Call-ID') ?? ''; }
  /** The number of CSeq; 0 if absent. */
  get cseq(): number { return Number.parseInt(this.header('CSeq') ?? '', 10) || 0; }
  /** Tag of From; '' if absent. */
  get fromTag(): string { return tagOf(this.header('From')); }
  /** Tag of To; '' if absent. */
  get toTag(): string { return tagOf(this.header('To')); }
  /** Body as text; '' if empty. */
  get body(): string { return this.text.slice(this.#read().bodyStart); }
  /** Body as octets. */
  get bodyBytes(): Uint8Array { return this.bytes.subarray(bodyStart(this.bytes)); }
  /** Media type of the body in lower case without parameters; '' if absent. */
  get contentType(): string { return (this.header('Content-Type') ?? '').split(';')[0]!.trim().toLowerCase(); }

  #read(): Head {
    return (this.#head ??= new Head(this.text));
  }
}

/** Octets as text; what is no UTF-8 becomes U+FFFD. */
export const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** To the octets that go over the wire. */
export const ENCODER = new TextEncoder();

/** The tag of a From or To value: a parameter after the URI, never one inside it or inside the display name. */
function tagOf(value: string | undefined): string {
  if (value === undefined) return '';
  const end = value.lastIndexOf('>');
  const plain = !value.includes('"', end + 1);
  const outside = plain ? value.slice(end + 1) : value.replace(/"(?:[^"\\]|\\.)*"/g, '').replace(/<[^>]*>/, '');
  return parameterIn(outside, ';tag=') ?? '';
}

/** Where the body begins. Counted in octets: the text has fewer characters where it is not ASCII. */
function bodyStart(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(13); at >= 0 && at + 3 < bytes.length; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return bytes.length;
}
