/** The time of a machine that may sleep. */

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
