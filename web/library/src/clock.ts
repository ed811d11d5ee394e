/** The time of a machine that may sleep. */

import type { Environment } from './environment.js';

/** Milliseconds after which a timer rings at the latest: while the machine sleeps its timers stand still, and go on afterwards. */
export const STRETCH = 20_000;

/** Calls back in so many milliseconds, or soon after the machine has woken up if it sleeps over them. Gives what takes it back. */
export function later({ setTimeout, clearTimeout, now }: Environment, run: () => void, milliseconds: number): () => void {
  const due = now() + milliseconds;
  let timer: unknown;
  const wait = (): void => {
    const left = Math.max(due - now(), 0);
    timer = left > STRETCH ? setTimeout(wait, STRETCH) : setTimeout(run, left);
  };
  wait();
  return () => clearTimeout(timer);
}

/**
 * Milliseconds that never run backwards and count the sleep of the machine: the page's own clock may stand still
 * while a laptop sleeps, the wall clock may be set back. Takes the larger step of the two.
 */
export function steadyClock(): () => number {
  let steady = performance.now();
  let wall = Date.now();
  let now = 0;
  return () => {
    const steadyNow = performance.now();
    const wallNow = Date.now();
    now += Math.max(steadyNow - steady, wallNow - wall, 0);
    steady = steadyNow;
    wall = wallNow;
    return now;
  };
}
