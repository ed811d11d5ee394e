/** The answers of callees before one of them accepts the call (RFC 3261 §13.2.1, RFC 3262 §5). */

import type { Media } from './media.js';
import type { IncomingResponse } from './sip_message.js';

export class EarlyAnswers {
  readonly #media: Media;
  /** Those of reliable provisional responses, by To tag: a 2xx need not say them again. */
  readonly #reliable = new Map<string, string>();
  /** The To tag of the branch that has offered anew since: what its 2xx says is old. */
  #agreed = '';

  constructor(media: Media) {
    this.#media = media;
  }

  /** A provisional response with a description. */
  async early(response: IncomingResponse, body: string): Promise<void> {
    if (response.hasHeader('RSeq')) {
      this.#reliable.set(response.to_tag, body);
    }
    try {
      await this.#media.applyAnswer(body, true);
    } catch {
      // Early media is a courtesy: the call may still be answered with a description that works.
    }
  }

  /** The answer counts, and is the last one: that of a 2xx, or the reliable one of a callee that offers anew (RFC 3311 §5.2). */
  async final(tag: string, body: string): Promise<void> {
    if (this.#agreed !== tag) {
      await this.#media.applyAnswer(body || (this.#reliable.get(tag) ?? ''), false);
      this.#agreed = tag;
    }
  }
}
