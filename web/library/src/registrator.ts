/** The registration of one user agent, as the page steers it. The core sends, refreshes and retries. */

import type { Core } from './core.js';

/** The registration of a user agent. */
export class Registrator {
  readonly #core: Core;
  /** @internal */
  isRegistered = false;

  /** @internal */
  constructor(core: Core) {
    this.#core = core;
  }

  /** Whether the registrar knows us. */
  get registered(): boolean {
    return this.isRegistered;
  }

  /** Headers that every REGISTER carries from now on. @throws TypeError if it is no list. */
  setExtraHeaders(extraHeaders: readonly string[] | null | undefined): void {
    if (extraHeaders !== null && extraHeaders !== undefined && !Array.isArray(extraHeaders)) {
      throw new TypeError('extraHeaders must be a list of strings');
    }
    this.#core.configure({ registerExtraHeaders: [...(extraHeaders ?? [])] });
  }

  /** Parameters of the Contact of every REGISTER from now on. */
  setExtraContactParams(parameters: Record<string, string | number | null | undefined> | null | undefined): void {
    if (parameters !== null && parameters !== undefined && typeof parameters !== 'object') {
      throw new TypeError('extraContactParams must be an object');
    }
    const text = Object.entries(parameters ?? {})
      .map(([name, value]) => (value === null || value === undefined || value === '' ? `;${name}` : `;${name}=${value}`))
      .join('');
    this.#core.configure({ registerContactParameters: text });
  }

  /** Registers, or refreshes. */
  register(): void {
    this.#core.register();
  }

  /** Takes the registration back, also one that is under way. Does nothing if there is none. */
  unregister(options: { all?: boolean } = {}): void {
    this.#core.unregister(options);
  }

  /** Takes the registration back if there is one. */
  close(): void {
    this.unregister();
  }
}
