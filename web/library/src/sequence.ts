/** Steps that must not overtake each other. A step runs at once when nothing is under way. */

import { reportUncaught } from './events.js';

export class Sequence {
  readonly #waiting: (() => Promise<void> | void)[] = [];
  #busy = false;

  /** Runs `step` when all earlier ones have ended. */
  run(step: () => Promise<void> | void): void {
    this.#waiting.push(step);
    if (!this.#busy) {
      this.#next();
    }
  }

  #next(): void {
    for (let step = this.#waiting.shift(); step !== undefined; step = this.#waiting.shift()) {
      this.#busy = true;
      try {
        const pending = step();
        if (pending !== undefined) {
          void pending.catch(reportUncaught).finally(() => {
            this.#busy = false;
            this.#next();
          });
          return;
        }
      } catch (error) {
        reportUncaught(error);
      }
      this.#busy = false;
    }
  }
}
