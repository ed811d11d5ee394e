/** Taking header values apart. */

/** The text without white space around it. Mostly there is none, and asking the engine to look takes longer than looking. */
export function trimmed(text: string): string {
  return isPlain(text.charCodeAt(0)) && isPlain(text.charCodeAt(text.length - 1)) ? text : text.trim();
}

function isPlain(code: number): boolean {
  return code > 32 && code < 127;
}

/** Text before and after the first `separator`; the second is `null` if there is no separator. */
export function halves(text: string, separator: string): [string, string | null] {
  const index = text.indexOf(separator);
  return index < 0 ? [text.trim(), null] : [text.slice(0, index).trim(), text.slice(index + separator.length).trim()];
}

/** Splits at `separator` where it stands outside quoted strings and angle brackets; empty parts are left out. */
export function splitOutsideQuotes(text: string, separator: string): string[] {
  if (!text.includes(separator)) {
    const whole = text.trim();
    return whole === '' ? [] : [whole];
  }
  const parts: string[] = [];
  if (!text.includes('"') && !text.includes('<')) {
    for (const part of text.split(separator)) {
      const trimmed = part.trim();
      if (trimmed !== '') parts.push(trimmed);
    }
    return parts;
  }
  let quoted = false;
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (quoted) {
      if (character === '\\') {
        index += 1;
      } else if (character === '"') {
        quoted = false;
      }
    } else if (character === '"') {
      quoted = true;
    } else if (character === '<') {
      depth += 1;
    } else if (character === '>') {
      depth = Math.max(0, depth - 1);
    } else if (character === separator && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/**
 * The value of a parameter, given as it is mostly written, such as `;tag=`; `undefined` if there is none. The text has no quoted
 * string and no URI with parameters of its own. This is a hot path.
 */
export function parameterIn(text: string, written: string): string | undefined {
  const begin = text.indexOf(written) + written.length;
  if (begin >= written.length) {
    const end = text.indexOf(';', begin);
    const value = end < 0 ? text.slice(begin) : text.slice(begin, end);
    if (/^[^\s,]+$/.test(value)) return value;
  }
  // In capitals, or with white space, or with another header value behind it.
  return text.includes(';') ? new RegExp(`;\\s*${written.slice(1, -1)}\\s*=\\s*([^\\s;,]+)`, 'i').exec(text)?.[1] : undefined;
}
