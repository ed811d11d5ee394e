// SIP messages as text: read, written, and the digest that a challenge asks for.
import { createHash, randomBytes } from 'node:crypto';

const COMPACT = { v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', l: 'content-length', c: 'content-type', k: 'supported' };

export const token = (octets = 8) => randomBytes(octets).toString('hex');

/** Splits at commas that stand outside quotes and angle brackets. */
function listed(value) {
  const parts = [];
  let part = '';
  let quoted = false;
  let angled = false;
  for (const letter of value) {
    if (letter === '"') quoted = !quoted;
    if (!quoted && letter === '<') angled = true;
    if (!quoted && letter === '>') angled = false;
    if (letter === ',' && !quoted && !angled) {
      parts.push(part.trim());
      part = '';
    } else part += letter;
  }
  return [...parts, part.trim()].filter(Boolean);
}

export class SipText {
  constructor(start, headers, body = '') {
    this.start = start;
    this.headers = headers;
    this.body = body;
    const response = start.match(/^SIP\/2\.0 (\d{3}) ?(.*)$/);
    this.status = response ? Number(response[1]) : null;
    this.reason = response?.[2] ?? '';
    [this.method, this.uri] = response ? [null, null] : start.split(' ');
  }

  /** The message in a datagram; undefined for keep-alives and the like. */
  static parse(bytes) {
    const text = bytes.toString('utf8');
    const edge = text.indexOf('\r\n\r\n');
    if (edge < 0) return undefined;
    const [start, ...lines] = text.slice(0, edge).split('\r\n');
    const headers = lines.map((line) => {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).trim().toLowerCase();
      return [COMPACT[name] ?? name, line.slice(colon + 1).trim()];
    });
    return new SipText(start, headers, text.slice(edge + 4));
  }

  /** The first value of a header. */
  get(name) {
    return this.headers.find(([known]) => known === name.toLowerCase())?.[1];
  }

  /** All values of a header that is a list. */
  all(name) {
    return this.headers.filter(([known]) => known === name.toLowerCase()).flatMap(([, value]) => listed(value));
  }

  /** The number and the method of CSeq. */
  get sequence() {
    const [number, method] = (this.get('cseq') ?? '').split(/\s+/);
    return { number: Number(number), method };
  }

  get branch() {
    return this.all('via')[0]?.match(/;branch=([^;]+)/)?.[1];
  }

  /** The description, '' when there is none. */
  get sdp() {
    return /^application\/sdp/i.test(this.get('content-type') ?? '') ? this.body : '';
  }

  write() {
    const lines = this.headers.filter(([name]) => name !== 'content-length').map(([name, value]) => `${name}: ${value}`);
    return Buffer.from([this.start, ...lines, `content-length: ${Buffer.byteLength(this.body)}`, '', this.body].join('\r\n'));
  }
}

export const tagOf = (address) => address?.match(/;tag=([^;>\s]+)/)?.[1];
export const uriOf = (address) => address?.match(/<([^>]+)>/)?.[1] ?? address?.split(';')[0];

/** The value of Authorization for a challenge (RFC 7616). */
export function credentials(challenge, { user, password, method, uri }) {
  const field = (name) => challenge.match(new RegExp(`[ ,]${name}="?([^",]+)"?`, 'i'))?.[1];
  const algorithm = field('algorithm') ?? 'MD5';
  const hash = (text) => createHash(/sha-256/i.test(algorithm) ? 'sha256' : 'md5').update(text).digest('hex');
  const [realm, nonce, cnonce] = [field('realm'), field('nonce'), token()];
  const first = hash(`${user}:${realm}:${password}`);
  const response = hash(`${first}:${nonce}:00000001:${cnonce}:auth:${hash(`${method}:${uri}`)}`);
  return (
    `Digest username="${user}",realm="${realm}",nonce="${nonce}",uri="${uri}",response="${response}",` +
    `algorithm=${algorithm},qop=auth,nc=00000001,cnonce="${cnonce}"`
  );
}
