/**
 * Promises beside the events.
 *
 * JsSIP's methods keep what they return, and no session is a promise itself: one with a `then` could not be handed out of an
 * async function without being waited for. So a session has promises (`accepted`, `over`), and `ua.dial` gives the first of them.
 */

import { FailedError } from './exceptions.js';

interface Waiting<Value> {
  resolve(value: Value): void;
  reject(error: FailedError): void;
}

/** Something that will happen or fail, once or again and again, and those who wait for it. */
export class Outcome<Value> {
  #waiting: Waiting<Value>[] = [];

  get awaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** The next outcome. A failure that nobody looks at is no uncaught error: pages with listeners never ask for the promise. */
  next(): Promise<Value> {
    return quietly(new Promise<Value>((resolve, reject) => this.#waiting.push({ resolve, reject })));
  }

  resolve(value: Value): void {
    for (const each of this.#waiting.splice(0)) {
      each.resolve(value);
    }
  }

  reject(error: FailedError): void {
    for (const each of this.#waiting.splice(0)) {
      each.reject(error);
    }
  }
}

/** The promise, of which nobody needs to hear. */
export function quietly<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}
