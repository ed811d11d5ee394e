/** Why a call is refused or ended, as SIP says it. */

import { REASON_PHRASE } from './constants.js';
import type { TerminateOptions } from './session_events.js';

/** The value of a Reason header (RFC 3326), if the page gave a status. @throws TypeError if it is no final status. */
export function reasonOf(options: TerminateOptions): string | undefined {
  const status = options.status_code;
  if (status === undefined) {
    return undefined;
  }
  if (!Number.isInteger(status) || status < 200 || status > 699) {
    throw new TypeError(`Invalid status_code: ${status}`);
  }
  return reason(status, options.reason_phrase ?? REASON_PHRASE[status] ?? '');
}

/** The value of a Reason header. */
export function reason(status: number, text: string): string {
  return `SIP;cause=${status};text="${text.replace(/[\\"\r\n]/g, ' ')}"`;
}

/** Status and phrase of a refusal. @throws TypeError if the status is none. */
export function refusalOf(
  options: { status_code?: number; reason_phrase?: string },
  usual: number,
): { status: number; phrase: string } {
  const status = options.status_code ?? usual;
  if (!Number.isInteger(status) || status < 300 || status > 699) {
    throw new TypeError(`Invalid status_code: ${status}`);
  }
  return { status, phrase: options.reason_phrase ?? REASON_PHRASE[status] ?? '' };
}
