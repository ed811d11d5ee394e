/**
 * A small typed event emitter.
 *
 * It keeps the names that listeners of the Node emitter know. One thing differs on purpose: a listener that throws does not
 * unwind the library. Its error is reported to the page as an uncaught error and the next listener runs, so that a fault in
 * the page never leaves a call half way through a state change.
 */

/** The events of an emitter: name to the tuple of listener arguments. */
export type EventMap<Events> = { [Name in keyof Events]: unknown[] };

/** A listener that takes the arguments of one event. */
export type Listener<Arguments extends unknown[]> = (...args: Arguments) => void;

/** Listeners by event name, as the `eventHandlers` options take them. */
export type EventHandlers<Events extends EventMap<Events>> = {
  [Name in keyof Events]?: Listener<Events[Name]>;
};

interface Registration {
  listener: Listener<never[]>;
  once: boolean;
}

/** What can be listened to: user agents, calls, messages, subscriptions. */
export class EventEmitter<Events extends EventMap<Events>> {
  readonly #registrations = new Map<keyof Events, Registration[]>();

  /** Calls `listener` at every `name` event. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    return this.#add(name, listener, false);
  }

  /** The same as `on`, but before those that are there. */
  prependListener<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    return this.#add(name, listener, false, true);
  }

  /** The same as `once`, but before those that are there. */
  prependOnceListener<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    return this.#add(name, listener, true, true);
  }

  /** Calls `listener` at the next `name` event only. */
  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    return this.#add(name, listener, true);
  }

  /** Takes away the last registration of `listener`. */
  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    const registrations = this.#registrations.get(name) ?? [];
    const index = registrations.findLastIndex((each) => (each.listener as unknown) === listener);
    if (index >= 0) {
      this.#registrations.set(name, registrations.toSpliced(index, 1));
    }
    return this;
  }

  /** The same as `on`. */
  addListener<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    return this.on(name, listener);
  }

  /** The same as `off`. */
  removeListener<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    return this.off(name, listener);
  }

  /** Takes away all listeners of `name`, or of every event. */
  removeAllListeners(name?: keyof Events): this {
    if (name === undefined) {
      this.#registrations.clear();
    } else {
      this.#registrations.delete(name);
    }
    return this;
  }

  /** Calls the listeners of `name` in the order in which they were added. Returns whether there was one. */
  emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): boolean {
    const registrations = this.#registrations.get(name) ?? [];
    for (const registration of registrations) {
      if (registration.once) {
        this.off(name, registration.listener as unknown as Listener<Events[Name]>);
      }
      guarded(() => (registration.listener as unknown as Listener<Events[Name]>).apply(this, args));
    }
    return registrations.length > 0;
  }

  /** The listeners of `name`. */
  listeners<Name extends keyof Events>(name: Name): Listener<Events[Name]>[] {
    return (this.#registrations.get(name) ?? []).map((each) => each.listener as unknown as Listener<Events[Name]>);
  }

  /** The same as `listeners`: there is nothing around them here. */
  rawListeners<Name extends keyof Events>(name: Name): Listener<Events[Name]>[] {
    return this.listeners(name);
  }

  /** The events that have listeners. */
  eventNames(): (keyof Events)[] {
    return [...this.#registrations.keys()].filter((name) => this.listenerCount(name) > 0);
  }

  /** Taken for compatibility: there may be as many listeners as the page likes, and nobody is warned. */
  setMaxListeners(_count: number): this {
    return this;
  }

  /** No bound. */
  getMaxListeners(): number {
    return Infinity;
  }

  /** How many listeners `name` has. */
  listenerCount(name: keyof Events): number {
    return (this.#registrations.get(name) ?? []).length;
  }

  /** Adds every listener of `handlers`. */
  protected addHandlers(handlers: EventHandlers<Events> | undefined): void {
    for (const name of Object.keys(handlers ?? {}) as (keyof Events)[]) {
      const listener = handlers?.[name];
      if (typeof listener === 'function') {
        this.on(name, listener);
      }
    }
  }

  #add<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>, once: boolean, first = false): this {
    if (typeof listener !== 'function') {
      throw new TypeError('an event listener must be a function');
    }
    const registrations = this.#registrations.get(name) ?? [];
    // A new list each time: a listener added while an event is being emitted is called from the next event on.
    const added = { listener: listener as unknown as Listener<never[]>, once };
    this.#registrations.set(name, first ? [added, ...registrations] : [...registrations, added]);
    return this;
  }
}

/** Runs what is the page's, and may throw. */
export function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    reportUncaught(error);
  }
}

/** Hands an error of the page's own code to the page, after the library has finished its step. */
export function reportUncaught(error: unknown): void {
  if (typeof globalThis.reportError === 'function') {
    globalThis.reportError(error);
  } else {
    queueMicrotask(() => {
      throw error;
    });
  }
}
