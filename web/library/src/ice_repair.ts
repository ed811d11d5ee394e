/**
 * What happens when the media path of a standing call breaks (the network changed, a NAT forgot us): new candidates are
 * offered (ICE restart, RFC 8445 §9), now and again whenever signalling comes back, and only if nothing helps for a while
 * is the call given up.
 */

import type { Environment } from './environment.js';

/** Milliseconds that a call without media is kept. */
const PATIENCE = 30_000;
/** Milliseconds that a path may be without checks before it counts as broken: a moment of bad radio is none. */
const HESITATION = 2000;

export class IceRepair {
  readonly #environment: Environment;
  /** Says whether it was possible. */
  readonly #restart: () => boolean;
  readonly #giveUp: () => void;
  #deadline: unknown;
  /** Runs while checks are missed and nothing is done about it yet. */
  #doubt: unknown;
  /** Rings when a repair that was not possible is tried again. */
  #again: unknown;
  /** Whether the checks said last that there is a path. */
  #connected = false;

  constructor(environment: Environment, restart: () => boolean, giveUp: () => void) {
    this.#environment = environment;
    this.#restart = restart;
    this.#giveUp = giveUp;
  }

  /** The state of the connectivity checks changed. */
  state(state: RTCIceConnectionState): void {
    this.#connected = state === 'connected' || state === 'completed';
    if (this.#connected) {
      this.stop();
    } else if (state === 'failed') {
      this.#broken();
    } else if (state === 'disconnected') {
      // Toward an ICE-lite peer, as a gateway is, Chromium gets no further than this.
      this.#doubt ??= this.#environment.setTimeout(() => this.#broken(), HESITATION);
    }
  }

  /** Signalling works again. From another network (`moved`) the old path is dead, though its checks have yet to notice. */
  signallingBack(moved: boolean): void {
    if (this.#deadline !== undefined) {
      this.#repair();
    } else if (moved || this.#doubt !== undefined) {
      this.#broken();
    }
  }

  stop(): void {
    this.#environment.clearTimeout(this.#deadline);
    this.#environment.clearTimeout(this.#doubt);
    this.#environment.clearTimeout(this.#again);
    this.#deadline = undefined;
    this.#doubt = undefined;
  }

  #broken(): void {
    if (this.#deadline === undefined) {
      this.#deadline = this.#environment.setTimeout(() => this.#outOfPatience(), PATIENCE);
      this.#repair();
    }
  }

  /** Another offer may be under way, of either side. */
  #repair(): void {
    this.#environment.clearTimeout(this.#again);
    if (!this.#restart()) {
      this.#again = this.#environment.setTimeout(() => this.#repair(), HESITATION);
    }
  }

  #outOfPatience(): void {
    this.stop();
    // A path that nobody found broken has told of no repair either.
    if (!this.#connected) {
      this.#giveUp();
    }
  }
}
