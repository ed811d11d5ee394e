/** The media of a call that stands: hold, mute, re-offers, and the repair of a broken path. */

import { causes } from './causes.js';
import type { CallNumber } from './core.js';
import type { Endpoint } from './endpoint.js';
import { IceRepair } from './ice_repair.js';
import type { Media } from './media.js';
import { type NegotiatingCall, type RemoteReoffer, type RenegotiateOptions, Renegotiation, ReofferError } from './renegotiation.js';
import type { RTCSession } from './session.js';
import type { AnswerOptions, MediaKinds } from './session_events.js';

/** What is needed of the call around. */
export interface CallWithMedia {
  readonly session: RTCSession;
  readonly endpoint: Endpoint;
  readonly media: Media;
  readonly call: CallNumber;
  readonly options: AnswerOptions;
  /** Whether requests can be sent at all. */
  isConnected(): boolean;
}

export class StandingMedia implements NegotiatingCall {
  readonly renegotiation: Renegotiation;
  readonly #around: CallWithMedia;
  readonly #repair: IceRepair;
  readonly #hold = { local: false, remote: false };

  constructor(around: CallWithMedia) {
    this.#around = around;
    this.#repair = new IceRepair(
      around.endpoint.environment,
      () => this.#restartIce(),
      () => this.#giveUp(),
    );
    this.renegotiation = new Renegotiation(this);
  }

  get endpoint(): Endpoint {
    return this.#around.endpoint;
  }

  get media(): Media {
    return this.#around.media;
  }

  get call(): CallNumber {
    return this.#around.call;
  }

  get ownsCallId(): boolean {
    return this.#around.session.direction === 'outgoing';
  }

  get answerOptions(): RTCAnswerOptions | undefined {
    return this.#around.options.rtcAnswerConstraints;
  }

  get onHold(): { local: boolean; remote: boolean } {
    return { ...this.#hold };
  }

  announce(method: 'INVITE' | 'UPDATE', reoffer: RemoteReoffer): void {
    this.#around.session.emit(method === 'INVITE' ? 'reinvite' : 'update', reoffer);
  }

  remoteHold(hold: boolean): void {
    const { session } = this.#around;
    if (this.#hold.remote !== hold && !session.isEnded()) {
      this.#hold.remote = hold;
      this.media.setSilent(this.#hold.local || this.#hold.remote);
      session.emit(hold ? 'hold' : 'unhold', { originator: 'remote' });
    }
  }

  /** Holds or takes back, and undoes it if the peer does not agree. */
  changeHold(hold: boolean, options: RenegotiateOptions, done: (() => void) | undefined): void {
    const { session } = this.#around;
    const apply = (value: boolean) => {
      this.#hold.local = value;
      this.media.setHold(value);
      this.media.setSilent(this.#hold.local || this.#hold.remote);
      session.emit(value ? 'hold' : 'unhold', { originator: 'local' });
    };
    apply(hold);
    void this.reoffer(options).then(async (changed) => {
      if (changed) {
        done?.();
        return;
      }
      this.media.setHold(!hold);
      await this.renegotiation.obeyDirections();
      if (!session.isEnded()) {
        apply(!hold);
      }
    });
  }

  /** Offers, and says whether the peer agreed. A failure changes nothing but is told. */
  async reoffer(options: RenegotiateOptions): Promise<boolean> {
    const { session } = this.#around;
    const rtcOfferConstraints = options.rtcOfferConstraints ?? this.#around.options.rtcOfferConstraints;
    try {
      await this.renegotiation.offer({ ...options, ...(rtcOfferConstraints ? { rtcOfferConstraints } : {}) });
      return !session.isEnded();
    } catch (error) {
      if (!session.isEnded()) {
        const known = error instanceof ReofferError ? error : new ReofferError(causes.WEBRTC_ERROR);
        session.emit('reofferfailed', { cause: known.cause, response: known.response });
      }
      return false;
    }
  }

  changeMute(kinds: MediaKinds, muted: boolean): void {
    const changed = this.media.setMuted(kinds, muted);
    if (changed.audio || changed.video) {
      this.#around.session.emit(muted ? 'muted' : 'unmuted', changed);
    }
  }

  /** The connectivity checks say something. */
  iceState(state: RTCIceConnectionState): void {
    this.#repair.state(state);
    if (state === 'disconnected' || state === 'failed') {
      // The connection to the server may have gone the same way, and then the repair with it.
      this.endpoint.verifyConnection();
    }
  }

  /** Signalling works again after a break; `moved`: from another network. */
  signallingBack(moved: boolean): void {
    this.#repair.signallingBack(moved);
  }

  stop(): void {
    this.#repair.stop();
  }

  /** Returns whether it is possible now. */
  #restartIce(): boolean {
    const possible = this.#around.session.isReadyToReOffer() && this.#around.isConnected();
    if (possible) {
      void this.reoffer({ rtcOfferConstraints: { ...this.#around.options.rtcOfferConstraints, iceRestart: true } });
    }
    return possible;
  }

  #giveUp(): void {
    const { session } = this.#around;
    if (!session.isEnded()) {
      session.terminate({ cause: causes.RTP_TIMEOUT, status_code: 408, reason_phrase: causes.RTP_TIMEOUT });
    }
  }
}
