/** How a call goes, for those who wait for it: it is accepted, or not, and at some time over. */

import { FailedError } from './exceptions.js';
import { Outcome, quietly } from './outcome.js';
import type { EndEvent } from './session_events.js';

export class Fate<Session> {
  readonly #acceptance = new Outcome<Session>();
  readonly #ending = new Outcome<EndEvent>();
  #accepted: Session | undefined;
  #end: EndEvent | undefined;

  get accepted(): Promise<Session> {
    if (this.#accepted !== undefined) {
      return Promise.resolve(this.#accepted);
    }
    return this.#end === undefined ? this.#acceptance.next() : quietly(Promise.reject(failure(this.#end)));
  }

  get over(): Promise<EndEvent> {
    return this.#end === undefined ? this.#ending.next() : Promise.resolve(this.#end);
  }

  accept(session: Session): void {
    this.#accepted = session;
    this.#acceptance.resolve(session);
  }

  end(event: EndEvent): void {
    this.#end = event;
    this.#acceptance.reject(failure(event));
    this.#ending.resolve(event);
  }
}

function failure({ originator, message, cause }: EndEvent): FailedError {
  return new FailedError('the call', { originator, cause, response: message });
}
