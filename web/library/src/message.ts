/** Text messages (RFC 3428). */

import type { IncomingRequest, OutgoingRequest } from './sip_message.js';
import { StandaloneRequest } from './standalone_request.js';

/** A text message, sent or received. */
export class Message extends StandaloneRequest {
  protected readonly method = 'MESSAGE';
  protected readonly defaultType = 'text/plain';

  protected announce(originator: 'local' | 'remote', request: IncomingRequest | OutgoingRequest): void {
    this.userAgent.emit('newMessage', { originator, message: this, request });
  }
}
