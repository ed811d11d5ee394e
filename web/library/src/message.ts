/** Text messages (RFC 3428). */

import type { IncomingRequest, OutgoingRequest } from './sip_message.js';
import { type SendOptions, StandaloneRequest } from './standalone_request.js';
import type { URI } from './uri.js';

/** A text message, sent or received. */
export class Message extends StandaloneRequest {
  protected readonly method = 'MESSAGE';
  protected readonly defaultType = 'text/plain';

  /** Sends the message. Can be used once. @throws TypeError if the target is no address, or there is nothing to say. */
  override send(target: string | URI, body: string, options: SendOptions = {}): void {
    if (body === undefined) {
      throw new TypeError('a message needs a body');
    }
    super.send(target, body, options);
  }

  protected announce(originator: 'local' | 'remote', request: IncomingRequest | OutgoingRequest): void {
    this.userAgent.emit('newMessage', { originator, message: this, request });
  }
}
