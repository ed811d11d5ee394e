// A SIP message as the page reads it. The core in the wasm has checked it: here it is only split.

/**
 * A received or sent SIP message, read lazily. Header names are given in any case, in long form; compact forms in
 * the message are found by their long name.
 */
export class SipMessage {
  /** The bytes as they were on the wire (of a request being prepared: as they would be). */
  readonly bytes: Uint8Array;
  #parts: MessageParts | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The whole message as text (UTF-8; octets that are not UTF-8 become U+FFFD). */
  get text(): string { return UTF8.decode(this.bytes); }
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
  get fields(): ReadonlyArray<readonly [name: string, value: string]> { return this.#read().fields; }
  /** The first field of that name. */
  header(name: string): string | undefined { return this.headers(name)[0]; }
  /** Every field of that name (a field may itself be a comma list). */
  headers(name: string): string[] {
    const wanted = longName(name);
    return this.#read().fields.filter(([found]) => longName(found) === wanted).map(([, value]) => value);
  }
  get callId(): string { return this.header('Call-ID') ?? ''; }
  get cseq(): number { return Number.parseInt(this.header('CSeq') ?? '', 10) || 0; }
  /** Tag of From; '' if absent. */
  get fromTag(): string { return tagOf(this.header('From')); }
  /** Tag of To; '' if absent. */
  get toTag(): string { return tagOf(this.header('To')); }
  /** Body as text; '' if empty. */
  get body(): string { return UTF8.decode(this.bodyBytes); }
  get bodyBytes(): Uint8Array { return this.bytes.subarray(this.#read().bodyStart); }
  /** Media type of the body in lower case without parameters; '' if absent. */
  get contentType(): string { return (this.header('Content-Type') ?? '').split(';')[0]!.trim().toLowerCase(); }

  #read(): MessageParts {
    return (this.#parts ??= readParts(this.bytes));
  }
}

interface MessageParts {
  method: string;
  uri: string;
  status: number;
  reason: string;
  fields: Array<readonly [string, string]>;
  bodyStart: number;
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

function longName(name: string): string {
  const lower = name.toLowerCase();
  return COMPACT_NAMES[lower] ?? lower;
}

/** The tag of a From or To value: a parameter after the URI, never one inside it or inside the display name. */
function tagOf(value: string | undefined): string {
  if (value === undefined) return '';
  const outside = value.replace(/"(?:[^"\\]|\\.)*"/g, '').replace(/<[^>]*>/, '');
  return /;\s*tag\s*=\s*([^\s;,]+)/i.exec(outside)?.[1] ?? '';
}

/** Splits a message that the core has already accepted. */
function readParts(bytes: Uint8Array): MessageParts {
  let head = bytes.length;
  for (let i = 0; i + 3 < bytes.length; i += 1) {
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) {
      head = i;
      break;
    }
  }
  const lines = UTF8.decode(bytes.subarray(0, head)).replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  const start = lines[0] ?? '';
  const fields = lines.slice(1).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const;
  });
  const parts = { method: '', uri: '', status: 0, reason: '', fields, bodyStart: Math.min(head + 4, bytes.length) };
  const response = /^SIP\/2\.0 +(\d{3}) ?(.*)$/i.exec(start);
  if (response) return { ...parts, status: Number(response[1]), reason: response[2] ?? '' };
  const [method = '', uri = ''] = start.split(' ');
  return { ...parts, method, uri };
}
