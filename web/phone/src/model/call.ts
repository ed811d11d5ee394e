/**
 * One call, from dialling or ringing to the reason of its end.
 *
 *     outgoing: microphone -> calling -> ringing | early -> talking -> ended
 *     incoming: incoming -> connecting -> talking -> ended
 */
import { MediaError, type Devices, type MediaProblem } from '../media/devices.ts';
import type { Agent, CallOptions, Payload, Quality, Session } from './library.ts';
import { CallVideo, type VideoSource } from './call_video.ts';
import { plainUri, type Peer } from './peer.ts';
import type { Trouble } from './quality.ts';
import { callOutcome, type Outcome } from './reason.ts';
import { referredTo, Transfer } from './transfer.ts';

export type Phase = 'microphone' | 'calling' | 'ringing' | 'early' | 'incoming' | 'connecting' | 'talking' | 'ending' | 'ended';

export interface CallEvents {
  changed(): void;
  ended(call: Call): void;
  /** The other side asks us to call somebody else in its place: `follow` makes that call. */
  referred(call: Call, follow: () => Call, refuse: () => void): void;
  /** Somebody who may take the place of the other side calls (RFC 3891). */
  replaced(call: Call, event: Payload): void;
  /** The microphone or camera could not be had. */
  media(problem: MediaProblem): void;
}

/** How often, and how many milliseconds apart, a hold is tried while another offer is under way. */
const HOLD_ATTEMPTS = 20;
const HOLD_PAUSE = 250;

export class Call {
  phase: Phase;
  outcome: Outcome | undefined;
  /** When the two sides could talk; milliseconds since the epoch. */
  talkingSince: number | undefined;
  readonly startedAt = Date.now();
  endedAt: number | undefined;
  muted = false;
  readonly held = { local: false, remote: false };
  /** Keys pressed during the call. */
  digits = '';
  /** Keys that the other side pressed. */
  received = '';
  /** The last transfer that we asked for. */
  transfer: Transfer | undefined;
  local: MediaStream | undefined;
  readonly remote = new MediaStream();
  session: Session | undefined;
  /** As it was at the last look. */
  quality: Quality | undefined;
  /** What has been wrong with the sound for a while. */
  trouble: Trouble | undefined;

  readonly picture: CallVideo;
  /** The user was not asked. */
  turnedAway = false;

  private constructor(
    readonly peer: Peer,
    readonly incoming: boolean,
    /** With video, as wanted (outgoing) or offered (incoming). */
    readonly video: boolean,
    private readonly devices: Devices,
    private readonly events: CallEvents,
    /** The call for which this one asks, before a transfer. */
    readonly consultFor?: Call,
  ) {
    this.phase = incoming ? 'incoming' : 'microphone';
    this.picture = new CallVideo(devices, () => this.session, () => this.local, () => this.#away, events.changed);
  }

  static outgoing(agent: Pick<Agent, 'call'>, peer: Peer, video: boolean, devices: Devices, events: CallEvents, consultFor?: Call): Call {
    const call = new Call(peer, false, video, devices, events, consultFor);
    void call.#dial(agent);
    return call;
  }

  static incoming(session: Session, request: Payload | undefined, devices: Devices, events: CallEvents, known: (peer: Peer) => Peer): Call {
    const name = session.remote_identity?.display_name;
    const peer = known({ uri: plainUri(session.remote_identity?.uri), ...(name ? { name } : {}) });
    const video = /^m=video [1-9]/m.test(String(request?.body ?? ''));
    const call = new Call(peer, true, video, devices, events);
    call.session = session;
    for (const [event, react] of Object.entries(call.#handlers())) session.on(event, react);
    return call;
  }

  /** The call that a transfer of `event` leads to. */
  static #referred(event: Payload, peer: Peer, devices: Devices, events: CallEvents): Call {
    const call = new Call(peer, false, false, devices, events);
    void call.#open((options) => event.accept((session: Session) => (call.session = session), options), event.reject);
    return call;
  }

  get over(): boolean {
    return this.phase === 'ended';
  }

  /** Whole seconds of talking. */
  get seconds(): number {
    if (this.talkingSince === undefined) return 0;
    return Math.floor(((this.endedAt ?? Date.now()) - this.talkingSince) / 1000);
  }

  get remoteHasVideo(): boolean {
    return this.remote.getVideoTracks().some((track) => track.readyState === 'live' && !track.muted);
  }

  get localHasVideo(): boolean {
    return this.local?.getVideoTracks().some((track) => track.readyState === 'live') ?? false;
  }

  async answer(video: boolean): Promise<void> {
    if (this.phase !== 'incoming') return;
    this.#enter('connecting');
    const options = await this.#openMedia(video && this.video);
    if (!options) {
      // Without a microphone the call still rings: the notice says what to do, and the user may try again.
      if (!this.over) this.#enter('incoming');
      return;
    }
    try {
      this.session?.answer(options);
    } catch {
      this.#finish({ originator: 'local', cause: 'WebRTC Error' });
    }
  }

  reject(): void {
    this.#terminate({ status_code: 486, reason_phrase: 'Busy Here' });
  }

  /** Tells the caller that we are busy, and the user only afterwards. */
  turnAway(): void {
    this.turnedAway = true;
    this.reject();
  }

  hangUp(): void {
    if (this.phase === 'incoming') this.reject();
    else this.#terminate();
  }

  toggleMute(): void {
    this.#forgetTransfer();
    this.muted = !this.muted;
    this.#obey();
    this.events.changed();
  }

  /** While the user is away the other side neither hears nor sees him, even where it cannot be held. */
  setAway(away: boolean): void {
    this.#away = away;
    this.#obey();
  }

  #away = false;

  #obey(): void {
    this.session?.[this.muted || this.#away ? 'mute' : 'unmute']({ audio: true });
    this.session?.[this.#away ? 'mute' : 'unmute']({ video: true });
  }

  toggleHold(): void {
    this.#forgetTransfer();
    this.setHold(!this.held.local);
  }

  /** Who goes on with the call knows what became of the transfer, and wants to see what he does now. */
  #forgetTransfer(): void {
    if (this.transferable) this.transfer = undefined;
  }

  /** Holds the other side or takes it back, as soon as the call can. */
  setHold(on: boolean): void {
    this.#wantsHold = on;
    this.#tryHold(HOLD_ATTEMPTS);
  }

  #wantsHold = false;

  #tryHold(attempts: number): void {
    const wanted = this.#wantsHold;
    if (this.phase !== 'talking' || this.held.local === wanted || attempts === 0) return;
    const begun = wanted ? this.session?.hold() : this.session?.unhold();
    if (!begun) setTimeout(() => { if (this.#wantsHold === wanted) this.#tryHold(attempts - 1); }, HOLD_PAUSE);
  }

  /** Whether the other side can be passed on now: it has not been asked to call somebody else already. */
  get transferable(): boolean {
    return this.phase === 'talking' && this.transfer?.state !== 'asked';
  }

  /** Asks the other side to call `peer` in our place; our call ends when that call stands. */
  transferTo(peer: Peer): void {
    this.#transfer(peer, undefined);
  }

  /** Asks the other side to take our place in `call` (RFC 5589 §7); both our calls end when the two talk. */
  transferToCall(call: Call): void {
    if (call.phase !== 'talking' || call === this || !this.transferable) return;
    call.#passedOn = true;
    this.#transfer(call.peer, call);
  }

  /** The call in which somebody else has taken our place. */
  #passedOn = false;

  #transfer(peer: Peer, place: Call | undefined): void {
    if (!this.session || !this.transferable) return;
    const transfer = new Transfer(peer, () => {
      if (transfer.state === 'done') {
        this.transfer = transfer;
        place?.hangUp();
        this.hangUp();
      } else if (transfer.state === 'failed' && place) {
        place.#passedOn = false;
      }
      this.events.changed();
    });
    this.transfer = transfer;
    if (!transfer.ask(this.session, place?.session)) transfer.fail();
    this.events.changed();
  }

  /** Sends a key as RFC 4733 telephone-event, or by INFO where the other side did not agree to that. */
  sendDigit(key: string): void {
    const transportType = this.#soundSender?.dtmf?.canInsertDTMF ? 'RFC2833' : 'INFO';
    try {
      this.session?.sendDTMF(key, { transportType });
      this.digits += key;
    } catch {
      // Not in a state to send: the key is not shown as sent.
    }
    this.events.changed();
  }

  /** Begins or ends sending the camera or the screen. */
  async toggleVideo(source: VideoSource): Promise<void> {
    if (this.phase === 'talking') await this.#picture(() => this.picture.toggle(source));
  }

  /** Changes the camera while it is on. */
  async changeCamera(): Promise<void> {
    await this.#picture(() => this.picture.changeCamera());
  }

  async #picture(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      this.events.media(error instanceof MediaError ? error.problem : 'busy');
    }
  }

  /** Whether the microphone was unplugged. */
  get lostMicrophone(): boolean {
    return this.local?.getAudioTracks()[0]?.readyState === 'ended';
  }

  /** Changes the microphone while talking. */
  async changeMicrophone(): Promise<void> {
    const { local } = this;
    const sender = this.#soundSender;
    if (!local || !sender) return;
    try {
      const fresh = (await this.devices.open(false)).getAudioTracks()[0];
      const old = local.getAudioTracks()[0];
      if (!fresh || !old || this.local !== local) {
        fresh?.stop(); // The call ended meanwhile.
        return;
      }
      fresh.enabled = old.enabled;
      local.removeTrack(old);
      local.addTrack(fresh);
      if (sender.track === old) await sender.replaceTrack(fresh).catch(() => undefined); // It ended just now.
      old.stop();
    } catch (error) {
      if (error instanceof MediaError) this.events.media(error.problem);
    }
    this.events.changed();
  }

  /** Sends `track` in place of the microphone; `undefined` brings the microphone back. */
  async sendSound(track: MediaStreamTrack | undefined): Promise<void> {
    const sender = this.#soundSender;
    const own = this.local?.getAudioTracks()[0];
    const next = track ?? own;
    if (!sender || !next) return;
    const { track: old } = sender;
    const obey = (): void => { next.enabled = old?.enabled ?? true; };
    obey(); // On hold nobody is heard, whatever is sent.
    await sender.replaceTrack(next).catch(() => undefined); // The call ended just now.
    obey(); // The old one may have been silenced meanwhile.
  }

  get #soundSender(): RTCRtpSender | undefined {
    return this.session?.connection?.getSenders().find((each) => each.track?.kind === 'audio');
  }

  async #dial(agent: Pick<Agent, 'call'>): Promise<void> {
    await this.#open((options) => {
      const session = agent.call(this.peer.uri, options);
      this.session ??= session;
      this.#watch(session.connection);
    });
  }

  /** Opens the microphone and calls. `never` is told when it does not come to that. */
  async #open(connect: (options: CallOptions) => void, never?: () => void): Promise<void> {
    const options = await this.#openMedia(this.video);
    if (this.over || !options) {
      this.#releaseMedia();
      never?.();
      this.#finish({ originator: 'local', cause: 'User Denied Media Access' });
      return;
    }
    this.#enter('calling');
    try {
      connect({ ...options, eventHandlers: this.#handlers() });
    } catch {
      this.#finish({ originator: 'local', cause: 'Connection Error' });
    }
  }

  async #openMedia(video: boolean): Promise<CallOptions | undefined> {
    try {
      this.local = await this.devices.open(video);
      this.picture.adopt(this.local.getVideoTracks()[0]);
      if (this.over) this.#releaseMedia(); // The other side hung up while the browser asked the user.
    } catch (error) {
      this.events.media(error instanceof MediaError ? error.problem : 'busy');
      return undefined;
    }
    return this.local && { mediaStream: this.local, mediaConstraints: { audio: true, video } };
  }

  #handlers(): Record<string, (event: Payload) => void> {
    return {
      peerconnection: (event) => this.#watch(event.peerconnection),
      progress: (event) => this.#progressed(event),
      accepted: () => (this.incoming ? this.#enter('connecting') : this.#talk()),
      confirmed: () => this.#talk(),
      hold: (event) => this.#hold(event, true),
      unhold: (event) => this.#hold(event, false),
      newDTMF: (event) => this.#pressed(event),
      refer: (event) => this.#refer(event),
      replaces: (event) => this.events.replaced(this, event),
      ended: (event) => this.#finish(event),
      failed: (event) => this.#finish(event),
    };
  }

  #progressed(event: Payload): void {
    if (this.incoming || this.over || this.phase === 'talking') return;
    const early = typeof event.response?.body === 'string' && event.response.body.includes('m=audio');
    this.#enter(early ? 'early' : this.phase === 'early' ? 'early' : 'ringing');
  }

  #talk(): void {
    if (this.over || this.phase === 'ending') return;
    this.talkingSince ??= Date.now();
    this.#watch(this.session?.connection);
    this.#enter('talking');
    // The user went to another call before this one was answered.
    if (this.#wantsHold) this.#tryHold(HOLD_ATTEMPTS);
  }

  #hold(event: Payload, on: boolean): void {
    this.held[event.originator === 'local' ? 'local' : 'remote'] = on;
    this.events.changed();
  }

  #pressed(event: Payload): void {
    if (event.originator !== 'remote') return;
    this.received += event.dtmf.tone;
    this.events.changed();
  }

  #refer(event: Payload): void {
    const peer = referredTo(event);
    const refuse = (): void => event.reject();
    if (!peer || this.phase !== 'talking') refuse();
    else this.events.referred(this, () => Call.#referred(event, peer, this.devices, this.events), refuse);
  }

  #watched: RTCPeerConnection | undefined;

  #watch(connection: RTCPeerConnection | null | undefined): void {
    if (!connection || connection === this.#watched) return;
    this.#watched = connection;
    for (const { track } of connection.getReceivers()) this.#addRemote(track);
    connection.addEventListener('track', ({ track }) => this.#addRemote(track));
  }

  #addRemote(track: MediaStreamTrack | null): void {
    if (!track || this.remote.getTrackById(track.id)) return;
    this.remote.addTrack(track);
    // A track starts muted and tells when the first packet came: then its video is worth showing.
    for (const event of ['mute', 'unmute', 'ended']) track.addEventListener(event, this.events.changed);
    this.events.changed();
  }

  #terminate(options?: { status_code: number; reason_phrase: string }): void {
    if (this.over) return;
    if (!this.session) {
      this.#finish({ originator: 'local', cause: 'Canceled' });
      return;
    }
    this.#enter('ending');
    try {
      this.session.terminate(options);
    } catch {
      this.#finish({ originator: 'local', cause: 'Terminated' });
    }
  }

  #finish(event: Payload): void {
    if (this.over) return;
    this.endedAt = Date.now();
    this.outcome = callOutcome(event ?? {}, this.incoming, this.trouble);
    // Who was passed on may hang up before it has said that it talks.
    const passedOn = this.transfer && this.transfer.state !== 'failed' && this.outcome.normal;
    if ((passedOn && (this.transfer?.state === 'done' || event?.originator === 'remote')) || (this.#passedOn && this.outcome.normal)) {
      this.outcome = { key: 'endedTransferred', normal: true };
    }
    this.#releaseMedia();
    this.#enter('ended');
    this.events.ended(this);
  }

  #releaseMedia(): void {
    this.picture.stop();
    for (const track of this.local?.getTracks() ?? []) track.stop();
    this.local = undefined;
  }

  #enter(phase: Phase): void {
    if (this.over || (this.phase === 'ending' && phase !== 'ended')) return;
    this.phase = phase;
    this.events.changed();
  }
}
