/**
 * `Grammar.parse(text, rule)`: values of single headers, in the shapes that JsSIP's users know.
 *
 * Messages from the network are read by the core. This module serves pages that take a header apart, and `parseHeader`.
 */

import { unquote } from './escape.js';
import { NameAddrHeader } from './name_address.js';
import { halves, splitOutsideQuotes } from './split.js';
import { URI } from './uri.js';

/** One element of a header that is a list. */
export interface ListElement<Value> {
  possition: number;
  offset: number;
  parsed: Value;
}

/** A Via header (RFC 3261 §20.42). */
export interface ParsedVia {
  /** `SIP/2.0`'s first half: `SIP`. */
  protocol: string;
  /** `WS`, `WSS`, `UDP` and so on. */
  transport: string;
  /** Who sent it, by its own words. */
  host: string;
  /** What kind of host that is. */
  host_type: HostType;
  /** The port beside it. */
  port: number | undefined;
  /** The transaction (RFC 3261 §8.1.1.7). */
  branch: string | undefined;
  /** The port from which it came (RFC 3581). */
  rport: number | undefined;
  /** The address from which it came. */
  received: string | undefined;
  /** Time to live, of multicast. */
  ttl: number | undefined;
  /** Address to which responses go instead. */
  maddr: string | undefined;
  /** All parameters. */
  params: Record<string, string | null>;
}

export interface ParsedChallenge {
  realm: string | undefined;
  nonce: string | undefined;
  qop: string[] | undefined;
  algorithm: string | undefined;
  stale: boolean | undefined;
  opaque: string | undefined;
}

/** A Replaces header (RFC 3891). */
export interface ParsedReplaces {
  /** Call-ID of the call to be replaced. */
  call_id: string;
  /** Its tag on the side of who reads this. */
  to_tag: string | undefined;
  /** Its tag on the other side. */
  from_tag: string | undefined;
  /** Whether only a call that still rings may be replaced. */
  early_only: boolean;
}

export interface ParsedReason {
  protocol: string;
  cause: number | undefined;
  text: string | undefined;
  params: Record<string, string | null>;
}

/** What stands where a host stands. */
export type HostType = 'IPv4' | 'IPv6' | 'domain';

/** What each rule makes of its text; `undefined` if the text is not of that form. */
const rules = {
  SIP_URI: (text: string) => URI.parse(text),
  absoluteURI: absoluteUri,
  host: (text: string) => {
    const type = hostType(text);
    return type && { host: text, host_type: type };
  },
  Name_Addr_Header: (text: string) => NameAddrHeader.parse(text),
  From: (text: string) => NameAddrHeader.parse(text),
  To: (text: string) => NameAddrHeader.parse(text),
  Refer_To: (text: string) => NameAddrHeader.parse(text),
  Referred_By: (text: string) => NameAddrHeader.parse(text),
  Contact: nameAddressList,
  Route: nameAddressList,
  Record_Route: nameAddressList,
  Path: nameAddressList,
  P_Asserted_Identity: nameAddressList,
  Via: via,
  CSeq: cseq,
  Event: event,
  Subscription_State: subscriptionState,
  Session_Expires: sessionExpires,
  Reason: reason,
  Replaces: replaces,
  challenge,
  WWW_Authenticate: challenge,
  Proxy_Authenticate: challenge,
  Expires: decimal,
  Min_Expires: decimal,
  Max_Forwards: decimal,
  Content_Length: decimal,
  Content_Type: (text: string) => (/^[^\s/;]+\s*\/\s*[^\s/;]+/.test(text) ? text : undefined),
  Status_Line: statusLine,
  uuid: (text: string) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text : undefined),
};

export type GrammarRule = keyof typeof rules;

/** What a rule gives. */
export type Parsed<Rule extends GrammarRule> = NonNullable<ReturnType<(typeof rules)[Rule]>>;

/** The value of `text` by `rule`, or -1 if it is not of that form. */
export function parse<Rule extends GrammarRule>(text: string, rule: Rule): Parsed<Rule> | -1 {
  const read = rules[rule] as ((text: string) => unknown) | undefined;
  const value = read?.(text.trim());
  return value === undefined ? -1 : (value as Parsed<Rule>);
}

/** The rule that reads a header, if there is one: `Record-Route` is read by `Record_Route`. */
export function ruleOf(header: string): GrammarRule | undefined {
  return RULES.get(header.toLowerCase().replaceAll('_', '-'));
}

const RULES = new Map((Object.keys(rules) as GrammarRule[]).map((rule) => [rule.toLowerCase().replaceAll('_', '-'), rule]));

/** The kind of a host; `undefined` if it is none. Labels that start with a digit are accepted. */
export function hostType(host: string): HostType | undefined {
  const parts = host.split('.');
  if (parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) {
    return 'IPv4';
  }
  if (/^\[[0-9a-f:.]+\]$/i.test(host) && host.includes(':')) {
    return 'IPv6';
  }
  return /^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?\.?$/i.test(host) ? 'domain' : undefined;
}

function absoluteUri(text: string) {
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/)?(?:[^@/?]*@)?(\[[0-9a-f:.]+\]|[^:/?;]+)(?::(\d+))?/i.exec(text);
  const type = match?.[2] === undefined ? undefined : hostType(match[2]);
  if (match === null || type === undefined) {
    return undefined;
  }
  return {
    scheme: (match[1] ?? '').toLowerCase(),
    host: match[2] ?? '',
    port: match[3] === undefined ? undefined : Number(match[3]),
    host_type: type,
  };
}

function nameAddressList(text: string): ListElement<NameAddrHeader>[] | undefined {
  const list: ListElement<NameAddrHeader>[] = [];
  let offset = 0;
  for (const part of splitOutsideQuotes(text, ',')) {
    const parsed = NameAddrHeader.parse(part);
    if (parsed === undefined) {
      return undefined;
    }
    offset = text.indexOf(part, offset);
    list.push({ possition: offset, offset, parsed });
    offset += part.length;
  }
  return list.length > 0 ? list : undefined;
}

function via(text: string): ParsedVia | undefined {
  const match = /^(SIP\s*\/\s*2\.0)\s*\/\s*(\S+)\s+(\[[0-9a-f:.]+\]|[^\s:;]+)\s*(?::\s*(\d+))?\s*((?:;.*)?)$/is.exec(text);
  const host = match?.[3];
  const type = host === undefined ? undefined : hostType(host);
  if (match === null || host === undefined || type === undefined) {
    return undefined;
  }
  const params = parameters(match[5] ?? '');
  return {
    protocol: 'SIP',
    transport: (match[2] ?? '').toUpperCase(),
    host,
    host_type: type,
    port: numberOf(match[4]),
    branch: params.branch ?? undefined,
    rport: numberOf(params.rport),
    received: params.received ?? undefined,
    ttl: numberOf(params.ttl),
    maddr: params.maddr ?? undefined,
    params,
  };
}

function cseq(text: string) {
  const match = /^(\d{1,10})\s+([A-Za-z0-9.!%*_+`'~-]+)$/.exec(text);
  return match === null ? undefined : { value: Number(match[1]), method: match[2] ?? '' };
}

function event(text: string) {
  const [name] = halves(text, ';');
  return name === '' ? undefined : { event: name.toLowerCase(), params: parameters(text.slice(name.length)) };
}

function subscriptionState(text: string) {
  const [state] = halves(text, ';');
  if (state === '') {
    return undefined;
  }
  const params = parameters(text.slice(state.length));
  return {
    state: state.toLowerCase(),
    expires: numberOf(params.expires),
    reason: params.reason ?? undefined,
    params,
  };
}

function sessionExpires(text: string) {
  const [seconds] = halves(text, ';');
  const expires = decimal(seconds);
  if (expires === undefined) {
    return undefined;
  }
  return { expires, refresher: parameters(text.slice(seconds.length)).refresher?.toLowerCase() };
}

function reason(text: string): ParsedReason | undefined {
  const [first = ''] = splitOutsideQuotes(text, ',');
  const [protocol] = halves(first, ';');
  if (protocol === '') {
    return undefined;
  }
  const params = parameters(first.slice(protocol.length));
  return {
    protocol: protocol.toLowerCase(),
    cause: numberOf(params.cause),
    text: params.text ?? undefined,
    params,
  };
}

function replaces(text: string): ParsedReplaces | undefined {
  const [callId] = halves(text, ';');
  if (callId === '') {
    return undefined;
  }
  const params = parameters(text.slice(callId.length));
  return {
    call_id: callId,
    to_tag: params['to-tag'] ?? undefined,
    from_tag: params['from-tag'] ?? undefined,
    early_only: 'early-only' in params,
  };
}

function challenge(text: string): ParsedChallenge | undefined {
  const match = /^Digest\s+(.*)$/is.exec(text);
  if (match === null) {
    return undefined;
  }
  const params = parameters(splitOutsideQuotes(match[1] ?? '', ',').join(';'));
  return {
    realm: params.realm ?? undefined,
    nonce: params.nonce ?? undefined,
    qop: params.qop?.split(',').map((each) => each.trim().toLowerCase()),
    algorithm: params.algorithm?.toUpperCase(),
    stale: params.stale === undefined ? undefined : params.stale?.toLowerCase() === 'true',
    opaque: params.opaque ?? undefined,
  };
}

function statusLine(text: string) {
  const request = /^([A-Z]+)\s+(\S+)\s+SIP\/2\.0$/i.exec(text);
  if (request !== null) {
    return { method: request[1] ?? '', uri: request[2] ?? '' };
  }
  const response = /^SIP\/2\.0\s+(\d{3})(?:\s+(.*))?$/i.exec(text);
  return response === null ? undefined : { status_code: Number(response[1]), reason_phrase: response[2] ?? '' };
}

function decimal(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function numberOf(text: string | null | undefined): number | undefined {
  return text === null || text === undefined ? undefined : decimal(text);
}

/** `;a=1;b="x";c` as an object; names in lower case. */
function parameters(text: string): Record<string, string | null> {
  const result: Record<string, string | null> = {};
  for (const part of splitOutsideQuotes(text, ';')) {
    const [key, value] = halves(part, '=');
    if (key !== '') {
      result[key.toLowerCase()] = value === null ? null : unquote(value);
    }
  }
  return result;
}
