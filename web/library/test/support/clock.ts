/** Time that stands still until it is told to go on. */
export class Clock {
  now = 0;
  #timers: { at: number; run: () => void }[] = [];

  setTimeout = (run: () => void, milliseconds: number): unknown => {
    const timer = { at: this.now + milliseconds, run };
    this.#timers.push(timer);
    return timer;
  };

  clearTimeout = (timer: unknown): void => {
    this.#timers = this.#timers.filter((each) => each !== timer);
  };

  get waiting(): number {
    return this.#timers.length;
  }

  /** The machine sleeps: its clock goes on, its timers do not. */
  sleep(milliseconds: number): void {
    this.now += milliseconds;
    for (const timer of this.#timers) {
      timer.at += milliseconds;
    }
  }

  /** Lets time pass, and everything happen that was to happen meanwhile. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      await settle();
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) {
        break;
      }
      this.clearTimeout(due);
      this.now = Math.max(this.now, due.at);
      due.run();
    }
    this.now = end;
    await settle();
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
