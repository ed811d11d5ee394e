/** The `Utils` namespace that JsSIP exports, for pages that use it. The library itself uses the modules behind it. */

export { createRandomToken, newTag, newUUID } from './random.js';
export { causeOfStatus as sipErrorCause } from './causes.js';
export { escapeUser } from './escape.js';
export { normalizeTarget } from './target.js';
export { hostType } from './grammar.js';
export { closeMediaStream } from './media.js';
export { headerize } from './sip_message.js';

/** Octets of the text in UTF-8. */
export function str_utf8_length(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Whether the value is a function. */
export function isFunction(value: unknown): value is (...args: never[]) => unknown {
  return typeof value === 'function';
}

/** Whether the value is a string. */
export function isString(value: unknown): value is string {
  return typeof value === 'string';
}

/** Whether the value is a whole number, or text that is one. */
export function isDecimal(value: unknown): boolean {
  const text = String(value);
  return Number.isFinite(Number(value)) && Number.parseFloat(text) === Number.parseInt(text, 10);
}

/** Whether the value stands for "not given": null, undefined, '', [] or NaN. */
export function isEmpty(value: unknown): boolean {
  return (
    value === null ||
    value === undefined ||
    value === '' ||
    (Array.isArray(value) && value.length === 0) ||
    (typeof value === 'number' && Number.isNaN(value))
  );
}

/** Whether the object has all the methods. */
export function hasMethods(object: object, ...names: string[]): boolean {
  return names.every((name) => typeof (object as Record<string, unknown>)[name] === 'function');
}

/** A random address of 192.0.2.0/24 (RFC 5737), for tests. */
export function getRandomTestNetIP(): string {
  return `192.0.2.${1 + (crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) % 254}`;
}

/** A copy; of nothing, an empty one. */
export function cloneArray<Item>(array: readonly Item[] | undefined | null): Item[] {
  return [...(array ?? [])];
}

/** A copy, one level deep; of nothing, `fallback`, which is empty by default. */
export function cloneObject<Value extends object>(object: Value | undefined | null, fallback: Partial<Value> = {}): Partial<Value> {
  return object ? { ...object } : fallback;
}
