/** Headers as pages give them, `Name: value` each: what can be written as one line of a message (RFC 3261 §7.3.1). */

/** The characters of a token (RFC 3261 §25.1). */
export const TOKEN = "[\\w.!%*+`'~-]+";

const LINE = new RegExp(`^${TOKEN}[ \\t]*:[^\\r\\n\\0]*$`);

export function isHeaderLine(value: unknown): value is string {
  return typeof value === 'string' && LINE.test(value);
}

/** The headers to be sent, none for nothing. @throws TypeError that says which one cannot be written. */
export function headerLines(given: readonly string[] | null | undefined): readonly string[] {
  const lines = given ?? [];
  if (!Array.isArray(lines)) {
    throw new TypeError('extraHeaders must be a list of strings');
  }
  const bad = lines.find((line) => !isHeaderLine(line));
  if (bad !== undefined) {
    throw new TypeError(`Invalid header: ${JSON.stringify(bad)} is not one line of the form "Name: value"`);
  }
  return [...lines];
}
