/** Somebody to call or write to, and how what people type becomes a SIP address. */
import { unturned } from '../text/order.ts';

export interface Peer {
  /** Without parameters, so that it names the person, not the device. */
  readonly uri: string;
  readonly name?: string;
}

export type Dialled = { readonly peer: Peer } | { readonly error: 'errorTarget' | 'errorSelf' };

/** Digits and the marks that people put between them. */
const NUMBER = /^\+?[\d\s().\-/*#]*[\d*#][\d\s().\-/*#]*$/;
// RFC 3261 §25.1: what may stand in a user part unescaped.
const USER_UNSAFE = /[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/g;
const ADDRESS = /^(sips?):(?:([^@\s<>"]+)@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?([;?][^\s<>"]*)?$/;

/**
 * What the user means by `typed`: a number, an address, somebody already known by name, or a user of our own domain.
 * `self` is the user's own address.
 */
export function dial(typed: string, domain: string, known: readonly Peer[] = [], self?: string): Dialled {
  const input = unturned(typed).trim(); // What is copied out of a page brings such letters along.
  if (!input) return { error: 'errorTarget' };
  const uri = withoutHeaders(addressOf(input, domain, known));
  if (!uri) return { error: 'errorTarget' };
  if (self && sameUri(uri, self)) return { error: 'errorSelf' };
  const name = known.find((peer) => sameUri(peer.uri, uri))?.name;
  return { peer: name ? { uri, name } : { uri } };
}

/** RFC 3261 §19.1.5: what a link wants to have written into the request is nothing that the user asked for. */
function withoutHeaders(uri = ''): string | undefined {
  const found = ADDRESS.exec(uri);
  const more = found?.[5] ?? '';
  return found ? uri.slice(0, uri.length - more.length) + more.replace(/\?.*$/, '') : undefined;
}

function addressOf(input: string, domain: string, known: readonly Peer[]): string | undefined {
  if (/^sips?:/i.test(input)) return input.replace(/^sips?/i, (scheme) => scheme.toLowerCase());
  // RFC 3966 §3: escaped, and followed by parameters that say where the number is from.
  const linked = /^tel:([^;?]*)/i.exec(input)?.[1];
  const number = linked === undefined ? input : unescape(linked);
  if (linked !== undefined && !NUMBER.test(number)) return undefined;
  if (NUMBER.test(number)) return `sip:${escapeUser(number.replace(/[\s().\-/]/g, ''))}@${domain}`;
  if (input.includes('@')) return `sip:${input}`;
  const named = known.find((peer) => peer.name && nameOf(peer).toLowerCase() === input.toLowerCase());
  if (named) return named.uri;
  // A host name alone is an address only with its scheme; a word with spaces is nobody that we know.
  return /\s/.test(input) ? undefined : `sip:${escapeUser(input)}@${domain}`;
}

export function escapeUser(user: string): string {
  return user.replace(USER_UNSAFE, (character) => encodeURIComponent(character).replace(/'/g, '%27'));
}

/** What a server has found out about a number: it is no part of it. */
const VERSTAT = /(?:;|%3B)verstat(?:(?:=|%3D)[\w.-]*)?(?=;|%3B|$)/gi;

/** The address of record: scheme, user and host; no port of a device, no parameters. */
export function plainUri(uri: unknown): string {
  const found = ADDRESS.exec(String(uri).trim());
  if (!found) return String(uri);
  const [, scheme, written, host, port] = found;
  const user = written?.replace(VERSTAT, '');
  return `${scheme}:${user ? `${user}@` : ''}${host!.toLowerCase()}${port ?? ''}`;
}

export function sameUri(one: string, other: string): boolean {
  return plainUri(one) === plainUri(other);
}

export function userOf(uri: string): string {
  const user = ADDRESS.exec(uri)?.[2]?.split(';')[0];
  return user === undefined ? '' : unescape(user.split(':')[0]!);
}

/** What to call somebody: the name, else the user, else the whole address. */
export function nameOf(peer: Peer): string {
  return unturned(peer.name ?? '').trim() || userOf(peer.uri) || peer.uri.replace(/^sips?:/, '');
}

/** The second line under the name; the user alone where the domain is our own. */
export function addressLine(peer: Peer, domain: string): string {
  const bare = unescape(plainUri(peer.uri).replace(/^sips?:/, ''));
  const own = `@${domain.toLowerCase()}`;
  return bare.endsWith(own) ? bare.slice(0, -own.length) : bare;
}

/** What stands in a field for `peer`: the line where `dial` takes it for him, else his whole address. */
export function fieldText(peer: Peer, domain: string, known: readonly Peer[]): string {
  const line = addressLine(peer, domain);
  const found = dial(line, domain, known);
  return 'peer' in found && found.peer.uri === peer.uri ? line : peer.uri;
}

/** Where that would turn the order of letters, they stand as they are written: so nobody looks like somebody else. */
function unescape(value: string): string {
  try {
    const letters = decodeURIComponent(value);
    return unturned(letters) === letters ? letters : value;
  } catch {
    return value;
  }
}

/** One or two letters for the round picture. */
export function initials(peer: Peer): string {
  const name = nameOf(peer);
  if (/^[+\d*#]/.test(name)) return '#';
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const first = words[0] ?? '?';
  const last = words.length > 1 ? words[words.length - 1]! : '';
  return ((Array.from(first)[0] ?? '?') + (Array.from(last)[0] ?? '')).toUpperCase();
}

/** Degrees on the colour wheel on which white letters read well. */
const HUES = [152, 168, 184, 200, 214, 232, 256, 276, 300];

/** A colour of their own for everybody, the same each time. */
export function hueOf(peer: Peer): number {
  let sum = 7;
  for (const character of plainUri(peer.uri)) sum = (sum * 31 + character.codePointAt(0)!) % 9973;
  return HUES[sum % HUES.length]!;
}
