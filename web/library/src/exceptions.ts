/** Errors that the library throws at its caller. `name` and `code` are those that users of JsSIP test for. */

import type { IncomingRequest, IncomingResponse } from './sip_message.js';

/** A configuration parameter is missing or has a value that cannot be used. */
export class ConfigurationError extends Error {
  readonly code = 1;
  override readonly name = 'CONFIGURATION_ERROR';
  readonly parameter: string;
  readonly value: unknown;

  constructor(parameter: string, value?: unknown) {
    super(
      value === undefined || value === null
        ? `Missing parameter: ${parameter}`
        : `Invalid value ${describe(value)} for parameter "${parameter}"`,
    );
    this.parameter = parameter;
    this.value = value;
  }
}

/** The method cannot be used in the present state. */
export class InvalidStateError extends Error {
  readonly code = 2;
  override readonly name = 'INVALID_STATE_ERROR';
  readonly status: unknown;

  constructor(status: unknown) {
    super(`Invalid status: ${String(status)}`);
    this.status = status;
  }
}

/** The method cannot be used on this kind of object. */
export class NotSupportedError extends Error {
  readonly code = 3;
  override readonly name = 'NOT_SUPPORTED_ERROR';
}

/** Something that the method needs is not there yet. */
export class NotReadyError extends Error {
  readonly code = 4;
  override readonly name = 'NOT_READY_ERROR';
}

/** What was asked for did not happen: promises are rejected with it. */
export class FailedError extends Error {
  readonly code = 5;
  override readonly name = 'FAILED_ERROR';
  /** One of `C.causes`. */
  override readonly cause: string;
  readonly originator: 'local' | 'remote' | 'system';
  /** The request or response that did it, if one did. */
  readonly response: IncomingRequest | IncomingResponse | null;

  /** `what` failed: "the call". */
  constructor(what: string, event: { cause: string; originator?: 'local' | 'remote' | 'system'; response?: FailedError['response'] }) {
    const { cause, originator = 'system', response = null } = event;
    const status = response !== null && 'status_code' in response ? ` (${response.status_code} ${response.reason_phrase})` : '';
    super(`${what} failed: ${cause}${status}`);
    this.cause = cause;
    this.originator = originator;
    this.response = response;
  }
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
