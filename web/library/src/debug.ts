/**
 * Log lines for developers, by namespace.
 *
 * Namespaces are `Sipweb:UA`, `Sipweb:Transport`, `Sipweb:RTCSession` and so on. `JsSIP:*` is understood as `Sipweb:*`,
 * so that a page that switches from JsSIP keeps its line. Nothing is written until `enable` is called.
 */

let patterns: RegExp[] = [];

/** Log lines for developers: `debug.enable('Sipweb:*')`. */
export const debug = {
  /** Writes the lines of the namespaces in `list`: names separated by commas or spaces, `*` stands for anything. */
  enable(list: string): void {
    patterns = list
      .split(/[\s,]+/)
      .filter((each) => each !== '')
      .map((each) => each.replace(/^JsSIP(?=:|$)/, 'Sipweb').replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .map((each) => new RegExp(`^${each.replaceAll('*', '.*')}$`));
  },

  /** Writes nothing any more. */
  disable(): void {
    patterns = [];
  },

  /** Whether the lines of `namespace` are written. */
  enabled(namespace: string): boolean {
    return patterns.some((pattern) => pattern.test(namespace));
  },
};

/** Writes one line, cheap when its namespace is not enabled. */
export type Log = (...parts: unknown[]) => void;

/** The log of one namespace below `Sipweb:`. */
export function log(subject: string): Log {
  const namespace = `Sipweb:${subject}`;
  return (...parts) => {
    if (patterns.length > 0 && debug.enabled(namespace)) {
      console.debug(namespace, ...parts);
    }
  };
}
