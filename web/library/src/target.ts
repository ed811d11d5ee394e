/** From what a person types to the URI that is called. */

import { URI } from './uri.js';

/**
 * A URI, a SIP address with or without `sip:`, a `tel:` URI, a user name or a number becomes a SIP URI; what has no host is
 * looked for in `domain`. `undefined` if nothing can be made of it.
 */
export function normalizeTarget(target: string | URI | undefined | null, domain?: string): URI | undefined {
  if (target instanceof URI) {
    return target;
  }
  if (typeof target !== 'string' || target.trim() === '') {
    return undefined;
  }
  const text = target.trim();
  const at = text.lastIndexOf('@');
  const user = (at < 0 ? text : text.slice(0, at)).replace(/^(sips?|tel):/i, '');
  const host = at < 0 ? domain : text.slice(at + 1);
  if (user === '' || !host) {
    return undefined;
  }
  const uri = URI.parse(`sip:placeholder@${host}`);
  if (uri === undefined) {
    return undefined;
  }
  // RFC 3966 §5.1.1: visual separators of a telephone number mean nothing.
  const number = /^[-.()\s+0-9]+$/.test(user) ? user.replace(/[-.()\s]/g, '') : user;
  try {
    uri.user = decodeURIComponent(number);
  } catch {
    uri.user = number;
  }
  return uri;
}
