/** STUN and TURN servers that the server tells who has registered: `Ice-Server: <turn:host>;username="..";credential=".."`. */

import { unquote } from './escape.js';
import { halves, splitOutsideQuotes } from './split.js';

const SERVER = /^<((?:stun|turn)s?:[^<>\s]+)>(.*)$/is;

/** The servers of these header values. What a browser would not take is left out, so that no call fails because of it. */
export function iceServersOf(values: readonly string[]): RTCIceServer[] {
  return values.flatMap((value) => splitOutsideQuotes(value, ',')).flatMap((value): RTCIceServer[] => {
    const [, urls, rest] = SERVER.exec(value) ?? [];
    if (urls === undefined) {
      return [];
    }
    const parameters = new Map(splitOutsideQuotes(rest ?? '', ';').map((parameter) => halves(parameter, '=')));
    const [username, credential] = [parameters.get('username'), parameters.get('credential')];
    if (username && credential) {
      return [{ urls, username: unquote(username), credential: unquote(credential) }];
    }
    return /^stun/i.test(urls) ? [{ urls }] : [];
  });
}
