// A SIP message as the page reads it. The core in the wasm has checked it: here it is only split.

/**
 * A received or sent SIP message, read lazily. Header names are given in any case, in long form; compact forms in
 * the message are found by their long name.
 */
export class SipMessage {
  #bytes: Uint8Array | undefined;
  readonly #text: string | undefined;
  #parts: MessageParts | undefined;

  /** @internal Made of its bytes; or of its text, where that is all ASCII. */
  constructor(source: Uint8Array | string) {
    if (typeof source === 'string') this.#text = source;
    else this.#bytes = source;
  }

  /** The bytes as they were on the wire (of a request being prepared: as they would be). */
  get bytes(): Uint8Array { return (this.#bytes ??= ENCODER.encode(this.#text)); }

  /** The whole message as text (UTF-8; octets that are not UTF-8 become U+FFFD). */
  get text(): string { return this.#text ?? UTF8.decode(this.bytes); }
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
  get fields(): ReadonlyArray<readonly [name: string, value: string]> { return this.#read().head.split('\r\n').slice(1).map(field); }
  /** The first field of that name. */
  header(name: string): string | undefined { return this.#read().first.get(longName(name)); }
  /** Every field of that name (a field may itself be a comma list). */
  headers(name: string): string[] {
    const key = longName(name);
    const first = this.#read().first.get(key);
    return first === undefined ? [] : [first, ...(this.#read().further?.get(key) ?? [])];
  }
  /** Call-ID; '' if absent. */
  get callId(): string { return this.header('Call-ID') ?? ''; }
  /** The number of CSeq; 0 if absent. */
  get cseq(): number { return Number.parseInt(this.header('CSeq') ?? '', 10) || 0; }
  /** Tag of From; '' if absent. */
  get fromTag(): string { return tagOf(this.header('From')); }
  /** Tag of To; '' if absent. */
  get toTag(): string { return tagOf(this.header('To')); }
  /** Body as text; '' if empty. */
  get body(): string { return this.#read().body; }
  /** Body as octets. */
  get bodyBytes(): Uint8Array { return this.bytes.subarray(bodyStart(this.bytes)); }
  /** Media type of the body in lower case without parameters; '' if absent. */
  get contentType(): string { return (this.header('Content-Type') ?? '').split(';')[0]!.trim().toLowerCase(); }

  #read(): MessageParts {
    return (this.#parts ??= readParts(this.text));
  }
}

interface MessageParts {
  method: string;
  uri: string;
  status: number;
  reason: string;
  /** Start line and fields as they are, unfolded. */
  head: string;
  /** The first value of each field, by long name. */
  first: Map<string, string>;
  /** The values of those that stand there more than once. */
  further: Map<string, string[]> | undefined;
  body: string;
}

/** Octets as text; what is no UTF-8 becomes U+FFFD. */
export const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** To the octets that go over the wire. */
export const ENCODER = new TextEncoder();

/** RFC 3261 §7.3.3 and the registry of compact forms. */
const COMPACT_NAMES: Record<string, string> = {
  v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', l: 'content-length', c: 'content-type',
  e: 'content-encoding', k: 'supported', s: 'subject', o: 'event', u: 'allow-events', r: 'refer-to',
  b: 'referred-by', x: 'session-expires', a: 'accept-contact', j: 'reject-contact', d: 'request-disposition',
  y: 'identity',
};

/** Names that have been seen, and what they are: every message has the same few. */
const longNames = new Map<string, string>();

/** Long, in lower case, with hyphens: `Call_ID`, which JsSIP's `parseHeader` takes too, is `call-id`. */
export function longName(name: string): string {
  const known = longNames.get(name);
  if (known !== undefined) return known;
  const lower = name.trim().toLowerCase().replaceAll('_', '-');
  const long = lower.length === 1 ? (COMPACT_NAMES[lower] ?? lower) : lower;
  if (longNames.size < 200) longNames.set(name, long);
  return long;
}

/** The tag of a From or To value: a parameter after the URI, never one inside it or inside the display name. */
function tagOf(value: string | undefined): string {
  if (value === undefined) return '';
  const end = value.lastIndexOf('>');
  const plain = !value.includes('"', end + 1);
  const outside = plain ? value.slice(end + 1) : value.replace(/"(?:[^"\\]|\\.)*"/g, '').replace(/<[^>]*>/, '');
  return /;\s*tag\s*=\s*([^\s;,]+)/i.exec(outside)?.[1] ?? '';
}

/** Splits a message that the core has already accepted. Pages read some header of every message: this is a hot path. */
function readParts(text: string): MessageParts {
  const end = text.indexOf('\r\n\r\n');
  let head = end < 0 ? text : text.slice(0, end);
  if (head.includes('\n ') || head.includes('\n\t')) head = unfold(head.split('\r\n')).join('\r\n');
  const first = new Map<string, string>();
  let further: Map<string, string[]> | undefined;
  let at = head.indexOf('\r\n');
  const start = at < 0 ? head : head.slice(0, at);
  while (at >= 0) {
    const begin = at + 2;
    at = head.indexOf('\r\n', begin);
    const colon = head.indexOf(':', begin);
    const key = longName(head.slice(begin, colon));
    const value = head.slice(colon + 1, at < 0 ? head.length : at).trim();
    if (!first.has(key)) first.set(key, value);
    else if ((further ??= new Map()).get(key)?.push(value) === undefined) further.set(key, [value]);
  }
  const response = /^SIP\/2\.0 +(\d{3}) ?(.*)$/i.exec(start);
  const [method = '', uri = ''] = response ? [] : start.split(' ', 2);
  return {
    method, uri, status: Number(response?.[1] ?? 0), reason: response?.[2] ?? '', head, first, further, body: end < 0 ? '' : text.slice(end + 4),
  };
}

function field(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

/** RFC 3261 §7.3.1: a line that begins with white space goes on with the field before it. */
function unfold(lines: string[]): string[] {
  const begins = (line: string): boolean => line[0] !== ' ' && line[0] !== '\t';
  const whole: string[] = [];
  for (const line of lines) {
    if (begins(line) || whole.length === 0) whole.push(line);
    else whole.push(`${whole.pop()!} ${line.trimStart()}`);
  }
  return whole;
}

/** Where the body begins. Counted in octets: the text has fewer characters where it is not ASCII. */
function bodyStart(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(13); at >= 0 && at + 3 < bytes.length; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return bytes.length;
}
