/** INFO with any body (RFC 6086, legacy use without packages). */

import { InfoRequest } from './dialog_request.js';

/** An INFO in a call. */
export class Info extends InfoRequest {
  /** Type of the body. */
  readonly contentType: string;
  /** The body as text. */
  readonly body: string;

  /** @internal */
  constructor(contentType: string, body: string) {
    super();
    this.contentType = contentType;
    this.body = body;
  }
}
