/** OPTIONS outside calls: what can the peer do (RFC 3261 §11). */

import type { IncomingRequest, OutgoingRequest } from './sip_message.js';
import { StandaloneRequest } from './standalone_request.js';

/** An OPTIONS request, sent or received. */
export class Options extends StandaloneRequest {
  protected readonly method = 'OPTIONS';
  protected readonly defaultType = 'application/sdp';

  protected announce(originator: 'local' | 'remote', request: IncomingRequest | OutgoingRequest): void {
    this.userAgent.emit('newOptions', { originator, message: this, request });
  }
}
