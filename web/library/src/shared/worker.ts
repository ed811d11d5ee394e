/** `sipweb-worker.js`: a shared worker that holds the connection of all tabs with one account. */

import { steadyClock } from '../clock.js';
import { Exchange } from './exchange.js';
import type { Port } from './ports.js';

const exchange = new Exchange({
  now: steadyClock(),
  setTimeout: (run, milliseconds) => setTimeout(run, milliseconds),
  clearTimeout: (timer) => clearTimeout(timer as number | undefined),
  whenFree: (lock, gone) => void navigator.locks?.request(lock, gone),
  lock: new Promise((held) => {
    const lock = `sipweb-worker-${Math.random()}`;
    void navigator.locks?.request(lock, () => {
      held(lock);
      return new Promise(() => undefined);
    });
  }),
});

(globalThis as unknown as { onconnect: (event: { ports: readonly Port[] }) => void }).onconnect = ({ ports }) => {
  for (const port of ports) {
    exchange.add(port);
  }
};
