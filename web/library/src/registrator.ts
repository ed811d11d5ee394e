/** The registration of one user agent, as the page steers it. The core sends, refreshes and retries. */

import type { Core } from './core.js';
import { TOKEN, headerLines } from './header_lines.js';

/** What may follow the name of a parameter: nothing that ends it, or the Contact, or the line (RFC 3261 §25.1). */
const PARAMETER = new RegExp(`^;${TOKEN}(=("([^"\\\\\\0\\r\\n]|\\\\[^\\r\\n])*"|[^\\s\\0",;<>]+))?$`);

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

  /** Headers that every REGISTER carries from now on. @throws TypeError if it is no list, or a header cannot be written. */
  setExtraHeaders(extraHeaders: readonly string[] | null | undefined): void {
    this.#core.configure({ registerExtraHeaders: headerLines(extraHeaders) });
  }

  /** Parameters of the Contact of every REGISTER from now on. @throws TypeError if one cannot be written. */
  setExtraContactParams(parameters: Record<string, string | number | boolean | null | undefined> | null | undefined): void {
    if (parameters !== null && parameters !== undefined && typeof parameters !== 'object') {
      throw new TypeError('extraContactParams must be an object');
    }
    const written = Object.entries(parameters ?? {})
      .map(([name, value]) => (value === null || value === undefined || value === '' || value === false ? `;${name}` : `;${name}=${value}`));
    const bad = written.find((each) => !PARAMETER.test(each));
    if (bad !== undefined) {
      throw new TypeError(`Invalid Contact parameter: ${JSON.stringify(bad.slice(1))} (what is no word goes between quotation marks)`);
    }
    this.#core.configure({ registerContactParameters: written.join('') });
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
