/** What tabs and worker say to each other. */

import type { SocketData } from '../websocket_interface.js';

/** A tab to the worker. */
export type FromTab =
  /** Connect to `url`. */
  | { kind: 'connect'; url: string }
  /** The tab holds this lock as long as it lives. */
  | { kind: 'lock'; lock: string }
  | { kind: 'send'; data: string | Uint8Array<ArrayBuffer> }
  | { kind: 'disconnect' }
  /** The page goes away. */
  | { kind: 'leave' };

/** The worker to a tab. */
export type ToTab =
  | { kind: 'opened' }
  /** The worker holds this lock as long as it lives. */
  | { kind: 'lock'; lock: string }
  | { kind: 'closed'; error: boolean; code: number | undefined; reason: string | undefined }
  | { kind: 'data'; data: SocketData };

/** The part of a `MessagePort` that is used. */
export interface Port {
  /** Sends a message to the other end. */
  postMessage(message: unknown): void;
  /** Set by the library. */
  onmessage: ((event: { data: never }) => void) | null;
}
