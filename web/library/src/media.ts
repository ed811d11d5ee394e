/**
 * The peer connection of one call: tracks, descriptions, gathering of candidates, direction changes for hold.
 *
 * It knows nothing of SIP. Descriptions go out whole, with their candidates: phones know nothing else. Only where the peer takes
 * candidates later, too, they go out with the first.
 */

import { log } from './debug.js';
import type { Environment } from './environment.js';
import { candidatesIn, fragmentOf } from './trickle.js';

const debug = log('Media');

/** Milliseconds after which a description goes out even if not one candidate was found. */
const GATHERING_LIMIT = 10_000;
/** The same, where the candidates may follow. */
const TRICKLE_LIMIT = 100;

/** A step of the negotiation that can fail, by the name of its event. */
export type NegotiationStep =
  | 'peerconnection:createofferfailed'
  | 'peerconnection:createanswerfailed'
  | 'peerconnection:setlocaldescriptionfailed'
  | 'peerconnection:setremotedescriptionfailed';

/** What a call hears of its media. */
export interface MediaListener {
  /** A description is about to be sent or applied. Returns it, as the page may have changed it. */
  description(originator: 'local' | 'remote', type: 'offer' | 'answer', sdp: string): string;
  candidate(candidate: RTCIceCandidate, ready: () => void): void;
  stepFailed(step: NegotiationStep, error: unknown): void;
  iceState(state: RTCIceConnectionState): void;
  /** Whether candidates may follow the description. */
  trickles(): boolean;
  /** A candidate was found, or the last one. */
  gathered(): void;
}

/** What is silenced. */
export interface Muted {
  audio: boolean;
  video: boolean;
}

/** The call ended while a step of its negotiation was under way. */
export class MediaClosed extends Error {
  override readonly name = 'MediaClosed';
}

/** Stops every track of a stream. */
export function closeMediaStream(stream: MediaStream | null | undefined): void {
  for (const track of stream?.getTracks() ?? []) {
    track.stop();
  }
}

/** Tracks that calls send. One track cannot be silent in one call, muted or held, and heard in another. */
const SENT = new WeakSet<MediaStreamTrack>();

export class Media {
  readonly #environment: Environment;
  readonly #listener: MediaListener;
  readonly #muted: Muted = { audio: false, video: false };
  /** Directions before the hold, to come back to. */
  readonly #heldDirections = new Map<RTCRtpTransceiver, RTCRtpTransceiverDirection>();
  #connection: RTCPeerConnection | undefined;
  /** Where the servers of an ICE restart come from, unless the page has said its own. */
  #servers: (() => RTCIceServer[]) | undefined;
  /** Those that are not the page's own. */
  readonly #tracks: MediaStreamTrack[] = [];
  #held = false;
  #silent = false;
  /** The answer to our first offer that was applied last. */
  #lastAnswer: string | undefined;
  #closed = false;
  /** Ends what waits: nothing waits longer than the call lasts. */
  readonly #waits = new Set<() => void>();
  /** What the peer has said last of its late candidates, and those of them that the connection has. */
  #late = '';
  readonly #added = new Set<string>();
  /** Milliseconds to wait for further candidates after the first. */
  gatheringTimeout = 2000;
  /** `candidates` when the last description was made. */
  described = '';

  constructor(environment: Environment, listener: MediaListener) {
    this.#environment = environment;
    this.#listener = listener;
  }

  get connection(): RTCPeerConnection | undefined {
    return this.#connection;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a new offer can be made. */
  get isStable(): boolean {
    return this.#connection?.signalingState === 'stable';
  }

  /**
   * Makes the peer connection, with `servers` unless the configuration names its own.
   *
   * @throws what its constructor throws on a bad configuration.
   */
  open(configuration: RTCConfiguration, servers: () => RTCIceServer[]): RTCPeerConnection {
    const PeerConnection = this.#environment.RTCPeerConnection;
    if (PeerConnection === undefined) {
      throw new TypeError('WebRTC is not available');
    }
    this.#servers = configuration.iceServers === undefined ? servers : undefined;
    const connection = new PeerConnection({ iceServers: servers(), ...configuration });
    this.#connection = connection;
    // Toward an ICE-lite peer Chromium's checks never fail, they are only disconnected for ever; the connection says so.
    connection.addEventListener('connectionstatechange', () => {
      if (!this.#closed && connection.connectionState === 'failed') {
        this.#listener.iceState('failed');
      }
    });
    connection.addEventListener('iceconnectionstatechange', () => {
      if (!this.#closed) {
        this.#listener.iceState(connection.iceConnectionState);
      }
    });
    for (const event of ['icecandidate', 'icegatheringstatechange']) {
      connection.addEventListener(event, () => !this.#closed && this.#listener.gathered());
    }
    return connection;
  }

  /** Our candidates so far, as an INFO says them (RFC 8840 §9). */
  get candidates(): string {
    const sdp = this.#connection?.localDescription?.sdp;
    return sdp ? fragmentOf(sdp, this.#connection?.iceGatheringState === 'complete') : '';
  }

  /** Takes candidates of the peer. Those of a description that is still to come wait for it. */
  async addCandidates(fragment: string): Promise<void> {
    this.#late = fragment;
    for (const candidate of candidatesIn(fragment)) {
      const key = JSON.stringify(candidate);
      const connection = this.#connection;
      if (this.#added.has(key) || !connection?.remoteDescription?.sdp.includes(`a=ice-ufrag:${candidate.usernameFragment}\r\n`)) {
        continue;
      }
      this.#added.add(key);
      try {
        await connection.addIceCandidate(candidate);
      } catch (error) {
        debug('candidate refused', error);
      }
    }
  }

  /** Asks for microphone and camera. What it gets is stopped when the call ends. */
  async acquire(constraints: MediaStreamConstraints): Promise<MediaStream> {
    this.#open();
    const devices = this.#environment.mediaDevices;
    if (typeof devices?.getUserMedia !== 'function') {
      // Browsers hide the devices from pages that are not a secure context.
      throw namedError('NotSupportedError', 'no media devices: the page is not a secure context');
    }
    const stream = await devices.getUserMedia(constraints);
    if (this.#closed) {
      closeMediaStream(stream);
      throw new MediaClosed();
    }
    this.#tracks.push(...stream.getTracks());
    return stream;
  }

  /** Sends the tracks of a stream. */
  addStream(stream: MediaStream): void {
    for (const track of stream.getTracks()) {
      let own = track;
      if (SENT.has(track)) {
        this.#tracks.push((own = track.clone()));
        own.enabled = true;
      }
      SENT.add(own);
      this.#connection?.addTrack(own, stream);
    }
    // A track that the page has switched off stays so.
    this.#sent((one, silent) => (one.enabled &&= !silent));
  }

  /** Makes an offer or answer, waits for candidates, and returns what is to be sent. */
  async createLocal(type: 'offer' | 'answer', options?: RTCOfferOptions | RTCAnswerOptions): Promise<string> {
    const connection = this.#open();
    if (this.#held) {
      // Tracks that came during the hold are held too.
      this.setHold(true);
    }
    const restarting = type === 'offer' && Boolean((options as RTCOfferOptions | undefined)?.iceRestart);
    if (restarting && this.#servers !== undefined) {
      // The passwords of the first ones may have ended meanwhile.
      connection.setConfiguration({ ...connection.getConfiguration(), iceServers: this.#servers() });
    }
    const description = await this.#step(
      type === 'offer' ? 'peerconnection:createofferfailed' : 'peerconnection:createanswerfailed',
      () => (type === 'offer' ? connection.createOffer(options) : connection.createAnswer(options)),
    );
    const gathered = this.#gathering(connection, restarting);
    try {
      await this.#step('peerconnection:setlocaldescriptionfailed', () => connection.setLocalDescription(description));
      gathered.watch();
      await gathered.done;
    } finally {
      gathered.stop();
    }
    this.#open();
    this.described = this.candidates;
    const sdp = connection.localDescription?.sdp ?? description.sdp ?? '';
    return this.#listener.description('local', type, sdp);
  }

  /** Applies what the peer sent. `provisional` leaves the offer open for another answer. */
  async applyRemote(type: 'offer' | 'answer', sdp: string, provisional = false): Promise<void> {
    const connection = this.#open();
    const text = this.#listener.description('remote', type, sdp);
    await this.#step('peerconnection:setremotedescriptionfailed', async () => {
      if (provisional) {
        try {
          await connection.setRemoteDescription({ type: 'pranswer', sdp: text });
          return;
        } catch (error) {
          // Firefox has no provisional answers.
          debug('no provisional answer', error);
        }
      }
      await connection.setRemoteDescription({ type, sdp: text });
    });
    void this.addCandidates(this.#late);
  }

  /** Applies the answer of a callee. Early ones may be followed by others, from other branches too. */
  async applyAnswer(sdp: string, early: boolean): Promise<void> {
    if (this.isStable) {
      if (sdp === this.#lastAnswer) {
        return;
      }
      await this.#reopenOffer();
    }
    if (!early || sdp !== this.#lastAnswer) {
      await this.applyRemote('answer', sdp, early);
    }
    this.#lastAnswer = sdp;
  }

  /**
   * Makes room for another answer where an early one had to be final: a new offer that nobody sees. Works as far as
   * browsers let the peer's transport change.
   */
  async #reopenOffer(): Promise<void> {
    const connection = this.#open();
    await connection.setLocalDescription(await connection.createOffer());
  }

  /** Takes back an offer that was not answered, ours or the peer's. */
  async rollback(): Promise<void> {
    const connection = this.#connection;
    try {
      if (connection?.signalingState === 'have-local-offer') {
        await connection.setLocalDescription({ type: 'rollback' });
      } else if (connection?.signalingState === 'have-remote-offer') {
        await connection.setRemoteDescription({ type: 'rollback' });
      }
    } catch (error) {
      debug('rollback failed', error);
    }
  }

  /** Sets the directions of the next offer: nothing is received while held (RFC 3264 §8.4), and nothing is sent. */
  setHold(hold: boolean): void {
    this.#held = hold;
    for (const transceiver of this.#connection?.getTransceivers?.() ?? []) {
      const before = this.#heldDirections.get(transceiver);
      if (hold && before === undefined && transceiver.currentDirection !== 'stopped') {
        this.#heldDirections.set(transceiver, transceiver.direction);
        transceiver.direction = withoutReceiving(transceiver.direction);
      } else if (!hold && before !== undefined && transceiver.currentDirection !== 'stopped') {
        transceiver.direction = before;
      }
    }
    if (!hold) {
      this.#heldDirections.clear();
    }
  }

  /**
   * Undoes what an offer with other directions did although it was refused: Chromium stops receiving when it makes an
   * offer, and does not begin again when that is rolled back. Another offer that nobody sees tells it what holds.
   */
  async obeyDirections(): Promise<void> {
    const connection = this.#connection;
    if (connection?.signalingState !== 'stable') {
      return;
    }
    try {
      await connection.setLocalDescription(await connection.createOffer());
    } catch (error) {
      debug('directions stay as they were', error);
    }
    await this.rollback();
  }

  /** Keeps the tracks from sending, apart from mute: on hold by either side. */
  setSilent(silent: boolean): void {
    this.#silent = silent;
    this.#sent((track, off) => (track.enabled = !off));
  }

  /** Mutes or unmutes, and returns what changed. */
  setMuted(kinds: Partial<Muted>, muted: boolean): Muted {
    const changed: Muted = { audio: false, video: false };
    for (const kind of ['audio', 'video'] as const) {
      if (kinds[kind] && this.#muted[kind] !== muted) {
        this.#muted[kind] = muted;
        changed[kind] = true;
      }
    }
    this.#sent((track, silent) => {
      if (changed[track.kind as keyof Muted]) {
        track.enabled = !silent;
      }
    });
    return changed;
  }

  get muted(): Muted {
    return { ...this.#muted };
  }

  /** The sender of DTMF by RFC 4733, if the peer takes it. */
  get toneSender(): RTCDTMFSender | undefined {
    const senders = this.#connection?.getSenders?.() ?? [];
    return senders.map((sender) => sender.dtmf).find((dtmf): dtmf is RTCDTMFSender => dtmf?.canInsertDTMF === true);
  }

  /** Waits so many milliseconds, or until the end. */
  async wait(milliseconds: number): Promise<void> {
    const { setTimeout, clearTimeout } = this.#environment;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#waits.delete(end);
        resolve();
      };
      const timer = setTimeout(end, this.#closed ? 0 : milliseconds);
      this.#waits.add(end);
    });
  }

  /** Ends everything. The page's own stream is left as it is. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    for (const track of this.#tracks) {
      track.stop();
    }
    // The page's own are as they were.
    this.#sent((track, silent) => {
      SENT.delete(track);
      track.enabled ||= silent;
    });
    try {
      this.#connection?.close();
    } catch (error) {
      debug('close failed', error);
    }
    this.#waits.forEach((end) => end());
  }

  /** Each track that is sent, and whether nothing of it may be heard or seen. */
  #sent(apply: (track: MediaStreamTrack, silent: boolean) => void): void {
    for (const { track } of this.#connection?.getSenders?.() ?? []) {
      if (track) {
        apply(track, this.#silent || this.#muted[track.kind as keyof Muted]);
      }
    }
  }

  #open(): RTCPeerConnection {
    if (this.#closed || this.#connection === undefined) {
      throw new MediaClosed();
    }
    return this.#connection;
  }

  async #step<Value>(step: NegotiationStep, action: () => Promise<Value>): Promise<Value> {
    let value: Value;
    try {
      value = await action();
    } catch (error) {
      this.#open();
      debug(step, error);
      this.#listener.stepFailed(step, error);
      throw error;
    }
    this.#open();
    return value;
  }

  /** A wait for candidates that is sure to end. It listens from the start, and may end once `watch` was called. */
  #gathering(connection: RTCPeerConnection, restarting: boolean) {
    const { setTimeout, clearTimeout } = this.#environment;
    let finish: () => void = () => undefined;
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.#waits.add(finish);
    let afterFirst: unknown;
    let limit: unknown;
    const onCandidate = (event: RTCPeerConnectionIceEvent) => {
      if (event.candidate === null) {
        finish();
        return;
      }
      if (event.candidate.candidate === '') {
        return; // Firefox's word for the end of one generation; null follows.
      }
      this.#listener.candidate(event.candidate, finish);
      afterFirst ??= setTimeout(finish, this.#listener.trickles() ? 0 : this.gatheringTimeout);
    };
    const onState = () => {
      if (connection.iceGatheringState === 'complete' || this.#closed) {
        finish();
      }
    };
    const stillComplete = connection.iceGatheringState === 'complete' && !restarting;
    connection.addEventListener('icecandidate', onCandidate);
    connection.addEventListener('icegatheringstatechange', onState);
    connection.addEventListener('signalingstatechange', onState);
    return {
      done,
      watch: () => {
        if (stillComplete && connection.iceGatheringState === 'complete') {
          finish();
        } else {
          limit = setTimeout(finish, this.#listener.trickles() ? TRICKLE_LIMIT : GATHERING_LIMIT);
          if (!restarting) {
            onState();
          }
        }
      },
      stop: () => {
        this.#waits.delete(finish);
        clearTimeout(afterFirst);
        clearTimeout(limit);
        connection.removeEventListener('icecandidate', onCandidate);
        connection.removeEventListener('icegatheringstatechange', onState);
        connection.removeEventListener('signalingstatechange', onState);
      },
    };
  }
}

function withoutReceiving(direction: RTCRtpTransceiverDirection): RTCRtpTransceiverDirection {
  switch (direction) {
    case 'sendrecv':
      return 'sendonly';
    case 'recvonly':
      return 'inactive';
    default:
      return direction;
  }
}

function namedError(name: string, message: string): Error {
  return typeof DOMException === 'function'
    ? new DOMException(message, name)
    : Object.assign(new Error(message), { name });
}
