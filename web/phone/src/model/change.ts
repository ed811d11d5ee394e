/** Tells listeners, once for all changes of one turn of the event loop, that something changed. */
export class Change {
  readonly #listeners = new Set<() => void>();
  #pending = false;

  listen(listener: () => void): void {
    this.#listeners.add(listener);
  }

  readonly signal = (): void => {
    if (this.#pending) return;
    this.#pending = true;
    // A microtask, not an animation frame: frames stop while the page is in the background, and calls come in just then.
    queueMicrotask(() => {
      this.#pending = false;
      for (const listener of this.#listeners) listener();
    });
  };
}
