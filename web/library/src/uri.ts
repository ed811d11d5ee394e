/** SIP URIs (RFC 3261 §19.1), with the interface of JsSIP's `URI`. */

import { escapeUser } from './escape.js';
import { halves, splitOutsideQuotes, trimmed } from './split.js';

/** A parameter value: `null` for a parameter without one (`;lr`). */
export type ParameterValue = string | null;

/** Parameters as given to a constructor. Numbers are written in decimal. */
export type Parameters = Record<string, string | number | null | undefined>;

/** Headers as given to a constructor: one value or several. */
export type UriHeaders = Record<string, string | number | readonly string[]>;

/** Parameters that keep their order; names are compared without regard to case. */
export class Parameterized {
  /** As they were received. Most addresses that are read have none, or nobody asks: they are taken apart when it is needed. */
  #received = '';
  #parameters: Map<string, ParameterValue> | undefined;

  protected get parameters(): Map<string, ParameterValue> {
    if (this.#parameters === undefined) {
      this.#parameters = new Map();
      for (const parameter of splitOutsideQuotes(this.#received, ';')) {
        const [key, value] = halves(parameter, '=');
        this.setParam(key, value);
      }
    }
    return this.#parameters;
  }

  /** @internal Takes the parameters of a text that was received. */
  read(parameters: string): this {
    this.#received = parameters;
    return this;
  }

  /** Sets a parameter; `null` or nothing makes one without a value. */
  setParam(key: string, value?: string | number | null): void {
    if (key) {
      this.parameters.set(key.toLowerCase(), value === undefined || value === null ? null : String(value));
    }
  }

  /** The value of a parameter, `null` if it has none, `undefined` if it is absent. */
  getParam(key: string): ParameterValue | undefined {
    return key ? this.parameters.get(key.toLowerCase()) : undefined;
  }

  /** Whether there is such a parameter. */
  hasParam(key: string): boolean {
    return key !== undefined && key !== null && this.parameters.has(key.toLowerCase());
  }

  /** Takes a parameter away and returns the value it had. */
  deleteParam(key: string): ParameterValue | undefined {
    const value = this.getParam(key);
    this.parameters.delete(key.toLowerCase());
    return value;
  }

  /** Takes all parameters away. */
  clearParams(): void {
    this.parameters.clear();
  }

  protected setParameters(parameters: Parameters | undefined): void {
    for (const key in parameters) {
      this.setParam(key, parameters[key]);
    }
  }

  protected writeParameters(): string {
    let text = '';
    if (this.#parameters === undefined && this.#received === '') {
      return text;
    }
    for (const [key, value] of this.parameters) {
      text += value === null ? `;${key}` : `;${key}=${value}`;
    }
    return text;
  }
}

/** A SIP or SIPS URI. */
export class URI extends Parameterized {
  #scheme: string;
  #user: string | null;
  #host: string;
  #port: number | null;
  /** Few URIs have headers: those that have none need no map. */
  #headers: Map<string, string[]> | undefined;

  /** Reads a SIP or SIPS URI. `undefined` if it is none. */
  static parse(text: string): URI | undefined {
    return parseUri(trimmed(String(text)));
  }

  /** @throws TypeError without a host. */
  constructor(
    scheme: string | null | undefined,
    user: string | null | undefined,
    host: string,
    port?: number | string | null,
    parameters?: Parameters,
    headers?: UriHeaders,
  ) {
    super();
    if (!host) {
      throw new TypeError('a URI needs a host');
    }
    this.#scheme = (scheme || 'sip').toLowerCase();
    this.#user = user ?? null;
    this.#host = String(host).toLowerCase();
    this.#port = portOf(port);
    this.setParameters(parameters);
    for (const key in headers) {
      this.setHeader(key, headers[key] as string);
    }
  }

  /** `sip` or `sips`. */
  get scheme(): string {
    return this.#scheme;
  }

  set scheme(value: string) {
    this.#scheme = value.toLowerCase();
  }

  /** The user part without its escapes. */
  get user(): string | null {
    return this.#user;
  }

  set user(value: string | null) {
    this.#user = value;
  }

  /** The host in lower case; IPv6 in brackets. */
  get host(): string {
    return this.#host;
  }

  set host(value: string) {
    this.#host = value.toLowerCase();
  }

  /** The port, or null. */
  get port(): number | null {
    return this.#port;
  }

  set port(value: number | string | null) {
    this.#port = portOf(value);
  }

  /** Sets a header of the URI (`?name=value`), as it is or with escapes already. */
  setHeader(key: string, value: string | number | readonly string[]): void {
    this.#headers ??= new Map();
    this.#headers.set(headerKey(key), Array.isArray(value) ? value.map(String) : [String(value)]);
  }

  /** The values of a header of the URI. */
  getHeader(key: string): string[] | undefined {
    return key ? this.#headers?.get(headerKey(key)) : undefined;
  }

  /** Whether there is such a header. */
  hasHeader(key: string): boolean {
    return this.getHeader(key) !== undefined;
  }

  /** Takes a header away and returns its values. */
  deleteHeader(key: string): string[] | undefined {
    const value = this.getHeader(key);
    this.#headers?.delete(headerKey(key));
    return value;
  }

  /** Takes all headers away. */
  clearHeaders(): void {
    this.#headers = undefined;
  }

  /** Another one, to be changed by itself. */
  clone(): URI {
    return new URI(
      this.#scheme,
      this.#user,
      this.#host,
      this.#port,
      Object.fromEntries(this.parameters),
      Object.fromEntries(this.#headers ?? []),
    );
  }

  /** The URI as text. */
  override toString(): string {
    let query = '';
    this.#headers?.forEach((values, key) => {
      for (const value of values) {
        query += `${query === '' ? '?' : '&'}${encodeURIComponent(key)}=${encodeURIComponent(decode(value) ?? value)}`;
      }
    });
    return `${this.toAor(true)}${this.writeParameters()}${query}`;
  }

  /** Scheme, user and host; the port only if asked for. */
  toAor(showPort = false): string {
    const user = this.#user ? `${escapeUser(this.#user)}@` : '';
    const port = showPort && this.#port !== null ? `:${this.#port}` : '';
    return `${this.#scheme}:${user}${this.#host}${port}`;
  }
}

/** `x-subject` becomes `X-Subject`: URI header names are compared without regard to case. */
function headerKey(key: string): string {
  return key.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

function portOf(value: number | string | null | undefined): number | null {
  if (value === undefined || value === null || value === '') {
    return null;
  }
  const port = Number(value);
  return Number.isInteger(port) && port >= 0 && port <= 65535 ? port : null;
}

function parseUri(text: string): URI | undefined {
  const colon = text.indexOf(':');
  const scheme = colon === 3 && text.startsWith('sip') ? 'sip' : text.slice(0, Math.max(colon, 0)).toLowerCase();
  if ((scheme !== 'sip' && scheme !== 'sips') || /[\s<>"]/.test(text)) {
    return undefined;
  }
  const at = text.indexOf('@', colon);
  // An `@` may stand in a parameter, too.
  let place = at < 0 ? undefined : placeAt(text, at + 1);
  const user = place && decode(text.slice(colon + 1, at));
  place ??= placeAt(text, colon + 1);
  if (place === undefined || user === '' || user === null || Number(place.port) > 65535) {
    return undefined;
  }
  const uri = new URI(scheme, user, place.host, place.port);
  const query = text.indexOf('?', place.end);
  if (query < 0) {
    return uri.read(text.slice(place.end));
  }
  for (const header of text.slice(query + 1).split('&')) {
    const [key, value] = halves(header, '=');
    const name = decode(key);
    const content = decode(value ?? '');
    if (name && content !== null) {
      uri.setHeader(name, [...(uri.getHeader(name) ?? []), content]);
    }
  }
  return uri.read(text.slice(place.end, query));
}

// RFC 3261 §25.1 SIP-URI. Tolerant where real peers need it: any visible character but the delimiters in the user part
// (a raw `#`), and host labels that start with a digit.
const COLON = 58;
const SEMICOLON = 59;
const QUESTION_MARK = 63;
const HOST = /^(?:\[[\da-f:.]+\]|[\da-z](?:[\w.-]*\w)?\.?)$/i;

/** Host, port and where they end, from `begin` on; `undefined` if there is no host. */
function placeAt(text: string, begin: number): { host: string; port: string; end: number } | undefined {
  let end = begin;
  let colon = -1;
  for (; end < text.length; end += 1) {
    const code = text.charCodeAt(end);
    if (code === SEMICOLON || code === QUESTION_MARK) break;
    if (code === COLON) colon = end;
  }
  // Those of an IPv6 address stand in brackets.
  if (text[end - 1] === ']') colon = -1;
  const host = text.slice(begin, colon < 0 ? end : colon);
  const port = colon < 0 ? '' : text.slice(colon + 1, end);
  return HOST.test(host) && (colon < 0 || /^\d{1,5}$/.test(port)) ? { host, port, end } : undefined;
}

/** `null` if the escapes are not well formed. */
function decode(text: string): string | null {
  if (!text.includes('%')) {
    return text;
  }
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
