/** Name-addresses: the value of From, To, Contact and similar headers (RFC 3261 §20.10). */

import { quote, unquote } from './escape.js';
import { type Parameters, Parameterized, URI, halves } from './uri.js';

/** A display name, a URI and parameters: the value of From, To, Contact. */
export class NameAddrHeader extends Parameterized {
  readonly #uri: URI;
  #displayName: string | undefined;

  /** Reads a header value: a name-address with brackets, or a bare URI whose parameters belong to the header. */
  static parse(text: string): NameAddrHeader | undefined {
    return parseNameAddress(String(text).trim());
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

const BRACKETED = /^((?:"(?:[^"\\]|\\.)*"|[^"<]*)\s*)<([^>]*)>(.*)$/s;

function parseNameAddress(text: string): NameAddrHeader | undefined {
  const match = BRACKETED.exec(text);
  // RFC 3261 §20.10: without brackets every parameter is the header's, not the URI's.
  const [bare, bareParameters] = match === null ? splitAtSemicolon(text) : ['', ''];
  const uri = URI.parse(match === null ? bare : (match[2] ?? ''));
  if (uri === undefined) {
    return undefined;
  }
  const header = new NameAddrHeader(uri, displayName(match?.[1]));
  for (const parameter of splitOutsideQuotes(match === null ? bareParameters : (match[3] ?? ''), ';')) {
    const [key, value] = halves(parameter, '=');
    header.setParam(key, value);
  }
  return header;
}

function displayName(text: string | undefined): string | undefined {
  const name = text ? unquote(text.trim()) : '';
  return name === '' ? undefined : name;
}

function splitAtSemicolon(text: string): [string, string] {
  const index = text.indexOf(';', text.indexOf('@') + 1);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index)];
}

/** Splits at `separator` where it stands outside quoted strings and angle brackets; empty parts are left out. */
export function splitOutsideQuotes(text: string, separator: string): string[] {
  if (!text.includes(separator)) {
    const whole = text.trim();
    return whole === '' ? [] : [whole];
  }
  const parts: string[] = [];
  if (!text.includes('"') && !text.includes('<')) {
    for (const part of text.split(separator)) {
      const trimmed = part.trim();
      if (trimmed !== '') parts.push(trimmed);
    }
    return parts;
  }
  let quoted = false;
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (quoted) {
      if (character === '\\') {
        index += 1;
      } else if (character === '"') {
        quoted = false;
      }
    } else if (character === '"') {
      quoted = true;
    } else if (character === '<') {
      depth += 1;
    } else if (character === '>') {
      depth = Math.max(0, depth - 1);
    } else if (character === separator && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}
