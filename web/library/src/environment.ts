/**
 * What the library takes from the page around it. Everything is looked up when it is used, so the library can be loaded in
 * Node or in a worker, and tests can hand in their own.
 */

import { steadyClock } from './clock.js';

/** The browser's interfaces that calls need. Each one may be absent. */
export interface Environment {
  /** Makes peer connections. Without it incoming calls with media are refused with 488 (RFC 3261 §21.4.26). */
  RTCPeerConnection?: (new (configuration?: RTCConfiguration) => RTCPeerConnection) | undefined;
  /** The devices. A page that is not a secure context has none. */
  mediaDevices?: Pick<MediaDevices, 'getUserMedia'> | undefined;
  /** Where `online`, `offline` and `pagehide` are heard. */
  events?: Pick<EventTarget, 'addEventListener' | 'removeEventListener'> | undefined;
  /** Calls back later; gives what `clearTimeout` takes. */
  setTimeout: (callback: () => void, milliseconds: number) => unknown;
  /** Takes a `setTimeout` back. */
  clearTimeout: (timer: unknown) => void;
  /** Milliseconds that never run backwards and count the sleep of the machine. */
  now: () => number;
}

/** The environment of the page, with the parts of `given` in place of its own. */
export function environmentOf(given: Partial<Environment> | undefined): Environment {
  return {
    get RTCPeerConnection() {
      return given?.RTCPeerConnection ?? globalThis.RTCPeerConnection;
    },
    get mediaDevices() {
      return given?.mediaDevices ?? globalThis.navigator?.mediaDevices;
    },
    get events() {
      return given?.events ?? (typeof globalThis.addEventListener === 'function' ? globalThis : undefined);
    },
    // Browsers run at once what they are to run later than this.
    setTimeout: given?.setTimeout ?? ((callback, milliseconds) => globalThis.setTimeout(callback, Math.min(milliseconds, 2 ** 31 - 1))),
    clearTimeout: given?.clearTimeout ?? ((timer) => globalThis.clearTimeout(timer as number | undefined)),
    now: given?.now ?? steadyClock(),
  };
}
