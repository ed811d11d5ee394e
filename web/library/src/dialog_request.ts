/** INFO inside a call, whatever it carries: sent with an outcome, or received. */

import { causeOfStatus } from './causes.js';
import type { CallNumber, Payload } from './core.js';
import { CoreError } from './core.js';
import type { Endpoint } from './endpoint.js';
import { EventEmitter } from './events.js';
import { IncomingResponse } from './sip_message.js';

/** Events of an INFO of ours. */
export type DialogRequestEvents = {
  /** The peer has taken it. */
  succeeded: [event: { originator: 'remote'; response: IncomingResponse }];
  /** The peer refused it, or did not answer. */
  failed: [event: { originator: 'local' | 'remote' | 'system'; response: IncomingResponse | null; cause: string }];
};

/** What `DTMF` and `Info` have in common: the outcome of what we sent. */
export abstract class InfoRequest extends EventEmitter<DialogRequestEvents> {
  /** @internal Sends the INFO. The outcome is told once, by `succeeded` or `failed`. */
  send(endpoint: Endpoint, call: CallNumber, payload: Payload): void {
    const failed = (cause: string) => this.emit('failed', { originator: 'system', response: null, cause });
    try {
      endpoint.request((core) => core.dialogRequest(call, 'INFO', payload), {
        responded: ({ status, response }) => {
          const answer = new IncomingResponse(response);
          if (status >= 200 && status < 300) {
            this.emit('succeeded', { originator: 'remote', response: answer });
          } else {
            this.emit('failed', { originator: 'remote', response: answer, cause: causeOfStatus(status) });
          }
        },
        failed,
      });
    } catch (error) {
      if (!(error instanceof CoreError) || error.code === 'header') {
        throw error;
      }
      // The call is gone in the same moment.
      queueMicrotask(() => failed('Dialog Error'));
    }
  }
}
