/** What the switchboard of a shared connection writes by itself. Everything else it passes on as it is. */

import { SipMessage } from '../core_message.js';
import { createRandomToken } from '../random.js';
import { splitOutsideQuotes } from '../split.js';

/** The branches of requests that the switchboard makes for a tab begin so: their responses go nowhere. */
const OWN_BRANCH = 'z9hG4bK-switchboard-';

/** What ends in a tab because of another one: RFC 3326, and RFC 3261 §9 for those who ring no more. */
export function elsewhere(status: number): string {
  return status < 300 ? 'SIP;cause=200;text="Call completed elsewhere"' : `SIP;cause=${status};text="Declined elsewhere"`;
}

/** A message as it was received, to be read. */
export function reading(data: string | ArrayBuffer | Uint8Array): SipMessage {
  return new SipMessage(typeof data === 'string' ? data : data instanceof ArrayBuffer ? new Uint8Array(data) : data);
}

export function isKeepAlive(data: string | ArrayBuffer | Uint8Array): boolean {
  return typeof data === 'string' && data.trim() === '';
}

/** The transaction that a message belongs to on its sender's side (RFC 3261 §17.2.3), CANCEL and ACK with their INVITE. */
export function transactionOf(message: SipMessage): string {
  return /;\s*branch\s*=\s*([^\s;,]+)/i.exec(topVia(message))?.[1] ?? '';
}

export function isOwn(message: SipMessage): boolean {
  return transactionOf(message).startsWith(OWN_BRANCH);
}

/** The elements of a header that may be a list. */
export function listOf(message: SipMessage, name: string): string[] {
  return message.headers(name).flatMap((value) => splitOutsideQuotes(value, ','));
}

/** The URI of a name-address. */
export function uriIn(value: string | undefined): string {
  return /<([^>]*)>/.exec(value ?? '')?.[1] ?? (value ?? '').split(';')[0]?.trim() ?? '';
}

/** A response to `request`, which the sender of the request takes for the far end's. */
export function response(request: SipMessage, status: number, reason: string, extra: readonly string[] = []): string {
  const to = request.header('To') ?? '';
  return text([
    `SIP/2.0 ${status} ${reason}`,
    ...request.headers('Via').map((via) => `Via: ${via}`),
    `From: ${request.header('From')}`,
    `To: ${request.toTag === '' ? `${to};tag=${createRandomToken(10)}` : to}`,
    `Call-ID: ${request.callId}`,
    `CSeq: ${request.header('CSeq')}`,
    ...extra,
  ]);
}

/** The ACK to a final response above 299 (RFC 3261 §17.1.1.3): `invite` is the request that was sent. */
export function acknowledgement(invite: SipMessage, final: SipMessage): string {
  return sameTransaction('ACK', invite, final.header('To'), []);
}

/** RFC 3261 §9.1. */
export function cancellation(invite: SipMessage, extra: readonly string[] = []): string {
  return sameTransaction('CANCEL', invite, invite.header('To'), extra);
}

function sameTransaction(method: string, invite: SipMessage, to: string | undefined, extra: readonly string[]): string {
  return text([
    `${method} ${invite.requestUri} SIP/2.0`,
    `Via: ${topVia(invite)}`,
    'Max-Forwards: 70',
    ...invite.headers('Route').map((route) => `Route: ${route}`),
    `From: ${invite.header('From')}`,
    `To: ${to}`,
    `Call-ID: ${invite.callId}`,
    `CSeq: ${invite.cseq} ${method}`,
    ...extra,
  ]);
}

/** What is needed to end a call for a tab that is gone (RFC 3261 §12.1), from what has passed. */
export interface Dialog {
  callId: string;
  /** From and To of our requests, tags included. */
  local: string;
  remote: string;
  /** The peer's Contact. */
  target: string;
  route: readonly string[];
  /** The last CSeq number on our side. */
  cseq: number;
  /** Our Via without its branch. */
  via: string;
}

/** Our dialog after a 2xx to an INVITE of ours. */
export function callerDialog(final: SipMessage): Dialog {
  return {
    callId: final.callId, local: final.header('From') ?? '', remote: final.header('To') ?? '', target: uriIn(final.header('Contact')),
    route: listOf(final, 'Record-Route').reverse(), cseq: final.cseq, via: withoutBranch(topVia(final)),
  };
}

/** Our dialog after our 2xx to an INVITE. `via` is what our requests have. */
export function calleeDialog(invite: SipMessage, final: SipMessage, via: string): Dialog {
  return {
    callId: invite.callId, local: final.header('To') ?? '', remote: invite.header('From') ?? '', target: uriIn(invite.header('Contact')),
    route: listOf(invite, 'Record-Route'), cseq: 0, via: withoutBranch(via),
  };
}

export function withoutBranch(via: string): string {
  return via.replace(/;\s*(branch|rport|received)(\s*=\s*[^\s;,]+)?/gi, '');
}

export function topVia(message: SipMessage): string {
  return splitOutsideQuotes(message.header('Via') ?? '', ',')[0] ?? '';
}

/** A request inside the dialog; with `cseq` the ACK of that INVITE. */
export function inDialog(method: 'ACK' | 'BYE', dialog: Dialog, extra: readonly string[] = []): string {
  if (method !== 'ACK') {
    dialog.cseq += 1;
  }
  return text([
    `${method} ${dialog.target} SIP/2.0`,
    `Via: ${dialog.via};branch=${OWN_BRANCH}${createRandomToken(12)}`,
    'Max-Forwards: 70',
    ...dialog.route.map((route) => `Route: ${route}`),
    `From: ${dialog.local}`,
    `To: ${dialog.remote}`,
    `Call-ID: ${dialog.callId}`,
    `CSeq: ${dialog.cseq} ${method}`,
    ...extra,
  ]);
}

/** The far end's ACK or BYE, made up for a tab whose answer came too late. */
export function toLoser(method: 'ACK' | 'BYE', invite: SipMessage, final: SipMessage, extra: readonly string[] = []): string {
  const dialog: Dialog = {
    callId: invite.callId, local: invite.header('From') ?? '', remote: final.header('To') ?? '', target: uriIn(final.header('Contact')),
    route: [], cseq: invite.cseq, via: withoutBranch(topVia(invite)),
  };
  return inDialog(method, dialog, extra);
}

/** Takes a registration back: the REGISTER that made it, with nothing asked for (RFC 3261 §10.2.2). */
export function unregistration(register: SipMessage, cseq: number): string {
  const fields = register.fields.map(([name, value]): string => {
    switch (name.toLowerCase()) {
      case 'via':
        return `Via: ${withoutBranch(value)};branch=${OWN_BRANCH}${createRandomToken(12)}`;
      case 'cseq':
        return `CSeq: ${cseq} REGISTER`;
      case 'contact':
      case 'm':
        return `Contact: ${value.replace(/;\s*expires\s*=\s*\d+/gi, '')};expires=0`;
      default:
        return `${name}: ${/^expires$/i.test(name) ? '0' : value}`;
    }
  });
  return `${[`REGISTER ${register.requestUri} SIP/2.0`, ...fields].join('\r\n')}\r\n\r\n`;
}

/** A 2xx to REGISTER again, for another tab, with what is left of it. */
export function registeredAgain(request: SipMessage, granted: SipMessage, seconds: number): string {
  const copied = granted.fields
    .filter(([name]) => !/^(via|v|from|f|to|t|call-id|i|cseq|content-length|l|expires)$/i.test(name))
    .map(([name, value]) => `${name}: ${/^(contact|m)$/i.test(name) ? value.replace(/;(\s*)expires\s*=\s*\d+/gi, `;expires=${seconds}`) : value}`);
  return response(request, granted.status, granted.reason, [...copied, `Expires: ${seconds}`]);
}

function text(lines: readonly string[]): string {
  return `${[...lines, 'Content-Length: 0'].join('\r\n')}\r\n\r\n`;
}
