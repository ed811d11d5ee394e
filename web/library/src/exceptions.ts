/** Errors that the library throws at its caller. `name` and `code` are those that users of JsSIP test for. */

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

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
