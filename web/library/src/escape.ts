/** Escapes of URIs and quoted strings. */

/**
 * Escapes a user part. `:`, `+`, `?` and `/` are allowed there (RFC 3261 §25.1, `user-unreserved` and the password's colon)
 * and stay as they are, since peers compare user parts as text. Escapes already in the text are not doubled.
 */
export function escapeUser(user: string): string {
  if (/^[\w.+:?/-]*$/.test(user)) {
    return user;
  }
  let plain: string;
  try {
    plain = decodeURIComponent(user);
  } catch {
    plain = user;
  }
  return encodeURIComponent(plain).replace(/%(3A|2B|3F|2F)/gi, decodeURIComponent);
}

/** Writes a quoted string (RFC 3261 §25.1): quote and backslash are escaped. */
export function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** Reads the inside of a quoted string. */
export function unquote(text: string): string {
  if (!text.includes('"') && !text.includes('\\')) {
    return text;
  }
  const inside = text.startsWith('"') && text.endsWith('"') && text.length >= 2 ? text.slice(1, -1) : text;
  return inside.includes('\\') ? inside.replace(/\\(.)/gs, '$1') : inside;
}
