// Time that goes on only when it is told to: whoever keeps a transaction for 32 seconds need not be waited for.

let now = 0;
let numbers = 0;
let timers = new Map();

/** Puts this clock in the place of the process's timers. The real ones are returned. */
export function takeTimers() {
  const real = { setTimeout, clearTimeout, setInterval, clearInterval };
  globalThis.setTimeout = (run, wait = 0, ...rest) => add(run, wait, rest, undefined);
  globalThis.setInterval = (run, wait = 0, ...rest) => add(run, wait, rest, wait);
  globalThis.clearTimeout = (timer) => void timers.delete(Number(timer));
  globalThis.clearInterval = globalThis.clearTimeout;
  const [performanceNow, dateNow] = [performance.now.bind(performance), Date.now];
  performance.now = () => performanceNow() + now;
  Date.now = () => dateNow() + now;
  return real;
}

function add(run, wait, rest, every) {
  numbers += 1;
  timers.set(numbers, { at: now + Math.max(Number(wait) || 0, 1), run: () => run(...rest), every });
  return numbers;
}

/** Lets milliseconds pass. */
export async function pass(milliseconds) {
  const end = now + milliseconds;
  for (;;) {
    const due = [...timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
    if (due === undefined) break;
    const [number, timer] = due;
    now = Math.max(now, timer.at);
    if (timer.every === undefined) timers.delete(number);
    else timer.at += Math.max(timer.every, 1);
    timer.run();
    await turns();
  }
  now = end;
  await turns();
}

/** Lets everything happen that waits only for its turn. */
export async function turns() {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
