/** Name-addresses: the value of From, To, Contact and similar headers (RFC 3261 §20.10). */

import { quote, unquote } from './escape.js';
import { trimmed } from './split.js';
import { type Parameters, Parameterized, URI } from './uri.js';

/** A display name, a URI and parameters: the value of From, To, Contact. */
export class NameAddrHeader extends Parameterized {
  readonly #uri: URI;
  #displayName: string | undefined;

  /** Reads a header value: a name-address with brackets, or a bare URI whose parameters belong to the header. */
  static parse(text: string): NameAddrHeader | undefined {
    return parseNameAddress(trimmed(String(text)));
  }

  /** @throws TypeError without a `URI`. */
  constructor(uri: URI, displayName?: string | number | null, parameters?: Parameters) {
    super();
    if (!(uri instanceof URI)) {
      throw new TypeError('a name-address needs a URI');
    }
    this.#uri = uri;
    this.display_name = displayName;
    this.setParameters(parameters);
  }

  /** The address. */
  get uri(): URI {
    return this.#uri;
  }

  /** The name for people, without quotes. */
  get display_name(): string | undefined {
    return this.#displayName;
  }

  set display_name(value: string | number | null | undefined) {
    this.#displayName = value === undefined || value === null ? undefined : String(value);
  }

  /** Another one, to be changed by itself. */
  clone(): NameAddrHeader {
    return new NameAddrHeader(this.#uri.clone(), this.#displayName, Object.fromEntries(this.parameters));
  }

  /** The header value as text. */
  override toString(): string {
    const name = this.#displayName ? `${quote(this.#displayName)} ` : '';
    return `${name}<${this.#uri}>${this.writeParameters()}`;
  }
}

function parseNameAddress(text: string): NameAddrHeader | undefined {
  const open = openingBracket(text);
  const close = text.indexOf('>', open);
  if (open >= 0 && close >= 0) {
    return nameAddress(text.slice(0, open), text.slice(open + 1, close), text.slice(close + 1));
  }
  // RFC 3261 §20.10: without brackets every parameter is the header's, not the URI's.
  const semicolon = text.indexOf(';', text.indexOf('@') + 1);
  return semicolon < 0 ? nameAddress('', text, '') : nameAddress('', text.slice(0, semicolon), text.slice(semicolon));
}

function nameAddress(name: string, address: string, parameters: string): NameAddrHeader | undefined {
  const uri = URI.parse(address);
  return uri && new NameAddrHeader(uri, unquote(trimmed(name)) || undefined).read(parameters);
}

/** Where the bracket opens behind the display name, which may be quoted; -1 if there is none. */
function openingBracket(text: string): number {
  if (text[0] !== '"') {
    const open = text.indexOf('<');
    return text.slice(0, Math.max(open, 0)).includes('"') ? -1 : open;
  }
  let end = 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  const open = text.indexOf('<', end);
  return text.slice(end + 1, Math.max(open, 0)).trim() === '' ? open : -1;
}
