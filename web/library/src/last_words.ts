/** How a call is left: CANCEL, a refusal, or BYE (RFC 3261 §9.1, §13.3.1.3, §15). The core's events of it are not heard after that. */

import type { CallNumber, Core, Payload } from './core.js';
import type { Endpoint } from './endpoint.js';
import { payloadOf } from './payload.js';
import type { TerminateOptions } from './session_events.js';

type Say = (core: Core, call: CallNumber) => void;

/** Leaves a call, which may be gone already, with one word or none. */
export function leave(endpoint: Endpoint, call: CallNumber, say?: Say): void {
  endpoint.detach(call);
  if (say !== undefined) {
    endpoint.attempt((core) => say(core, call));
  }
}

export function refuse(endpoint: Endpoint, call: CallNumber, status: number, reason: string, { extraHeaders, body }: TerminateOptions): void {
  part(endpoint, call, (words) => (core) => core.reject(call, status, words), { ...payloadOf(extraHeaders, body), reason });
}

/** Every 2xx must have been acknowledged before. `why` is the value of a Reason header. */
export function sayBye(endpoint: Endpoint, call: CallNumber, why: string | undefined, { extraHeaders, body }: TerminateOptions): void {
  const headers = [...(extraHeaders ?? []), ...(why === undefined ? [] : [`Reason: ${why}`])];
  part(endpoint, call, (words) => (core) => core.bye(call, words), payloadOf(headers, body));
}

/** A header that cannot be written must not keep the peer waiting. */
function part(endpoint: Endpoint, call: CallNumber, say: (words: Payload) => Say, words: Payload & { reason?: string }): void {
  try {
    leave(endpoint, call, say(words));
  } catch {
    leave(endpoint, call, say({}));
  }
}
