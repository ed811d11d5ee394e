/** INFO with any body (RFC 6086, legacy use without packages). */

import { InfoRequest } from './dialog_request.js';

export class Info extends InfoRequest {
  readonly contentType: string;
  readonly body: string;

  constructor(contentType: string, body: string) {
    super();
    this.contentType = contentType;
    this.body = body;
  }
}
