/** Bodies and their types, as pages give them: the type may hide among the extra headers. */

import type { Payload } from './core.js';
import { halves } from './split.js';

/** Headers and body for the core. A Content-Type among the headers wins over `defaultType`. */
export function payloadOf(
  extraHeaders: readonly string[] | null | undefined,
  body: string | null | undefined,
  defaultType?: string,
): Payload {
  const headers = [...(extraHeaders ?? [])];
  const index = headers.findIndex((line) => /^(content-type|c)$/i.test(halves(line, ':')[0]));
  const given = index < 0 ? undefined : halves(headers.splice(index, 1)[0] ?? '', ':')[1];
  const contentType = given || defaultType;
  return {
    extraHeaders: headers,
    ...(body ? { body, ...(contentType ? { contentType } : {}) } : {}),
  };
}
