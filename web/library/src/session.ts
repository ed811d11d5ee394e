/**
 * One call: the SIP session of the core and the peer connection of the browser, kept in step.
 *
 *     outgoing:  NULL -> INVITE_SENT -> 1XX_RECEIVED -> CONFIRMED -> TERMINATED
 *                  '----------'---------------'-> CANCELED
 *     incoming:  NULL -> INVITE_RECEIVED -> WAITING_FOR_ANSWER -> ANSWERED -> WAITING_FOR_ACK -> CONFIRMED -> TERMINATED
 *
 * Names, payloads and order of events are JsSIP's. Different on purpose: a failed re-offer does not end the call, causes are
 * true, the loser of a fork is hung up, candidates are waited for a bounded time, a broken media path is repaired first.
 */

import { causes } from './causes.js';
import { type CallNumber, type Core, CoreError, type EndedEvent, type FailedEvent, type IncomingCallEvent, type ReofferEvent, type SipMessage } from './core.js';
import { type DTMFOptions, checkTones } from './dtmf.js';
import { EarlyAnswers } from './early_answers.js';
import type { CallEvent, Endpoint } from './endpoint.js';
import { EventEmitter, guarded } from './events.js';
import { InvalidStateError, NotSupportedError } from './exceptions.js';
import { Fate } from './fate.js';
import { InsideCall } from './inside_call.js';
import { leave, refuse, sayBye } from './last_words.js';
import { MediaDenied, firstAnswer, firstOffer } from './local_media.js';
import { Media, MediaClosed } from './media.js';
import type { NameAddrHeader } from './name_address.js';
import { payloadOf } from './payload.js';
import { reason, reasonOf, refusalOf } from './reason.js';
import type { ReferOptions, ReferSubscriber } from './refer.js';
import type { RenegotiateOptions } from './renegotiation.js';
import { Sequence } from './sequence.js';
import type {
  AnswerOptions, CallOptions, CallOriginator, EndEvent, MediaKinds, RTCSessionEvents, RequestOptions, TerminateOptions,
} from './session_events.js';
import { IncomingRequest, IncomingResponse, OutgoingRequest, received } from './sip_message.js';
import { STATUS } from './session_status.js';
import { StandingMedia } from './standing_media.js';
import { Trickle } from './trickle.js';
import type { URI } from './uri.js';
import type { UA } from './user_agent.js';

/** One call. */
export class RTCSession extends EventEmitter<RTCSessionEvents> {
  /** The numbers of `status`. */
  static readonly C = STATUS;

  /** Free for the page. */
  data: Record<string, unknown> = {};

  readonly #ua: UA;
  readonly #endpoint: Endpoint;
  readonly #media: Media;
  readonly #standing: StandingMedia;
  readonly #inside: InsideCall;
  readonly #trickle: Trickle;
  readonly #answers: EarlyAnswers;
  /** The description of the INVITE; a callee without one offers. */
  #offerBody = '';
  #lateOffer = false;
  #mediaOptions: AnswerOptions = {};
  /** Remote events whose descriptions take time to apply keep their order. */
  readonly #remote = new Sequence();
  #call: CallNumber = 0;
  #status: number = STATUS.STATUS_NULL;
  #direction: 'incoming' | 'outgoing' | null = null;
  #id: string | null = null;
  #request: IncomingRequest | OutgoingRequest | null = null;
  #localIdentity: NameAddrHeader | null = null;
  #remoteIdentity: NameAddrHeader | null = null;
  #startTime: Date | null = null;
  #endTime: Date | null = null;
  #unacknowledged = false;
  readonly #fate = new Fate<RTCSession>();

  /** A call to be; `ua.call` makes one and connects it. */
  constructor(ua: UA) {
    super();
    this.#ua = ua;
    this.#endpoint = ua.endpoint;
    this.#media = new Media(this.#endpoint.environment, {
      description: (originator, type, sdp) => {
        const event = { originator, type, sdp };
        this.emit('sdp', event);
        return event.sdp;
      },
      candidate: (candidate, ready) => this.emit('icecandidate', { candidate, ready }),
      stepFailed: (step, error) => this.emit(step, error),
      iceState: (state) => this.#standing.iceState(state),
      trickles: () => this.#trickle.taken,
      gathered: () => this.#trickle.tell(),
    });
    const session: RTCSession = this;
    const around = {
      session,
      ua,
      endpoint: this.#endpoint,
      media: this.#media,
      get call() { return session.#call; },
      get options() { return session.#mediaOptions; },
      isConnected: () => ua.isConnected(),
      another: () => new RTCSession(ua),
    };
    this.#standing = new StandingMedia(around);
    this.#trickle = new Trickle(around);
    this.#inside = new InsideCall(around, this.#trickle);
    this.#answers = new EarlyAnswers(this.#media);
  }
  /** The same as `RTCSession.C`. */
  get C(): typeof STATUS { return STATUS; }
  /** The same as `C.causes`. */
  get causes(): typeof causes { return causes; }

  /** Call-ID and From tag of the INVITE. */
  get id(): string | null { return this.#id; }
  /** The peer connection, once there is one. */
  get connection(): RTCPeerConnection | null { return this.#media.connection ?? null; }
  /** Our Contact in this call. */
  get contact(): string { return this.#ua.contact.toString(); }
  /** Who calls; null before `connect`. */
  get direction(): 'incoming' | 'outgoing' | null { return this.#direction; }
  /** Our side of the call. */
  get local_identity(): NameAddrHeader | null { return this.#localIdentity; }
  /** The other side. */
  get remote_identity(): NameAddrHeader | null { return this.#remoteIdentity; }
  /** When it was answered. */
  get start_time(): Date | null { return this.#startTime; }
  /** When it ended. */
  get end_time(): Date | null { return this.#endTime; }
  /** One of `RTCSession.C`. */
  get status(): number { return this.#status; }

  /**
   * Resolves with this session once the call has been answered, by whichever side; rejects with a `FailedError` if it ends before.
   * Not in JsSIP.
   */
  get accepted(): Promise<RTCSession> { return this.#fate.accepted; }

  /** Resolves when the call is over, with the payload of `ended` or `failed`. Never rejects. Not in JsSIP. */
  get over(): Promise<EndEvent> { return this.#fate.over; }
  /** Whether it has not been answered yet. */
  isInProgress(): boolean { return this.#status <= STATUS.STATUS_WAITING_FOR_ANSWER; }
  /** Whether it has been answered and is not over. */
  isEstablished(): boolean { return this.#status === STATUS.STATUS_ANSWERED || this.#stands; }
  /** Whether it is over. */
  isEnded(): boolean { return this.#status === STATUS.STATUS_CANCELED || this.#status === STATUS.STATUS_TERMINATED; }

  /** Whether hold, unhold and renegotiate are possible now. */
  isReadyToReOffer(): boolean { return this.#stands && this.#standing.renegotiation.isReady; }
  /** What of ours is silent. */
  isMuted(): { audio: boolean; video: boolean } { return this.#media.muted; }
  /** Whether we hold the peer, and the peer us. */
  isOnHold(): { local: boolean; remote: boolean } { return this.#standing.onHold; }

  /**
   * Calls `target`.
   *
   * @throws TypeError if the target is no address or an option cannot be used.
   * @throws InvalidStateError if this session has been used.
   * @throws NotSupportedError if there is no WebRTC.
   */
  connect(target: string | URI, options: CallOptions = {}, initCallback?: (session: RTCSession) => void): void {
    if (this.#direction !== null) {
      throw new InvalidStateError(this.#status);
    }
    const uri = this.#target(target);
    if (this.#endpoint.environment.RTCPeerConnection === undefined) {
      throw new NotSupportedError('WebRTC is not available');
    }
    this.addHandlers(options.eventHandlers);
    this.#takeOptions(options);
    const { anonymous, fromUserName, fromDisplayName, sessionTimersExpires } = options;
    const connection = this.#media.open(options.pcConfig ?? {}, () => this.#endpoint.iceServers);
    this.#direction = 'outgoing';
    this.emit('peerconnection', { peerconnection: connection });
    if (this.isEnded()) {
      return; // The page hung up in its listener.
    }
    let created: { number: CallNumber; message: SipMessage };
    try {
      const origin = { anonymous, fromUserName, fromDisplayName, sessionExpires: sessionTimersExpires };
      created = this.#endpoint.core.createCall(uri.toString(), origin);
    } catch (error) {
      this.#media.close();
      this.#status = STATUS.STATUS_TERMINATED;
      throw new TypeError(`Invalid target: ${String(target)}`, { cause: error });
    }
    const request = new OutgoingRequest(created.message, options.extraHeaders);
    this.#begin(created.number, request, request.from, request.to);
    guarded(() => initCallback?.(this));
    this.#ua.announceSession('local', this, request);
    void this.#startCall(request);
  }

  /** @internal A call that arrived. `callOf` the request must be known to the core. */
  init_incoming(request: IncomingRequest, initCallback?: (session: RTCSession) => void): void {
    const event = this.#ua.takeIncoming(request);
    if (this.#direction !== null || event === undefined) {
      throw new InvalidStateError(this.#status);
    }
    this.#direction = 'incoming';
    this.#begin(event.call, request, request.to, request.from);
    this.#status = STATUS.STATUS_INVITE_RECEIVED;
    if (!this.#acceptable(event)) {
      return;
    }
    this.#trickle.learn(request.message);
    this.#offerBody = event.body;
    this.#lateOffer = event.body === '';
    this.#status = STATUS.STATUS_WAITING_FOR_ANSWER;
    guarded(() => initCallback?.(this));
    this.#ua.announceSession('remote', this, request);
    if (this.#status === STATUS.STATUS_WAITING_FOR_ANSWER && this.#endpoint.attempt((core) => core.ring(event.call))) {
      this.emit('progress', { originator: 'local', response: null });
    }
  }

  /**
   * Answers an incoming call. The promise is `accepted`.
   *
   * @throws NotSupportedError for an outgoing call, InvalidStateError if it does not ring any more.
   */
  answer(options: AnswerOptions = {}): Promise<RTCSession> {
    if (this.#direction !== 'incoming') {
      throw new NotSupportedError('only an incoming call can be answered');
    }
    if (this.#status !== STATUS.STATUS_WAITING_FOR_ANSWER) {
      throw new InvalidStateError(this.#status);
    }
    const connection = this.#media.open(options.pcConfig ?? {}, () => this.#endpoint.iceServers);
    this.#takeOptions(options);
    this.#status = STATUS.STATUS_ANSWERED;
    // From now on the time is the browser's, which may have to ask for the microphone.
    this.#endpoint.attempt((core) => core.ring(this.#call, { status: 100 }));
    this.emit('peerconnection', { peerconnection: connection });
    void this.#answerCall(options);
    return this.accepted;
  }

  /**
   * Ends the call in whatever way its state asks for: CANCEL, a refusal, or BYE. The promise is `over`.
   *
   * @throws InvalidStateError if it has ended, TypeError if the status code does not fit.
   */
  terminate(options: TerminateOptions = {}): Promise<EndEvent> {
    if (this.isEnded()) {
      throw new InvalidStateError(this.#status);
    }
    if (this.#direction === 'incoming' && !this.#stands) {
      this.#refuse(options);
    } else if (this.#stands) {
      this.#hangUp(options.cause ?? causes.BYE, reasonOf(options), options);
    } else {
      const why = reasonOf(options);
      this.#status = STATUS.STATUS_CANCELED;
      if (this.#unacknowledged) {
        // The 2xx is there, and its answer is just being applied: CANCEL comes too late.
        this.#sayBye(why, options);
      } else {
        leave(this.#endpoint, this.#call, (core, call) => core.cancel(call, { reason: why }));
      }
      this.#finish('failed', 'local', null, options.cause ?? causes.CANCELED);
    }
    return this.over;
  }

  /** Sends keypad tones: one string, in order. @throws InvalidStateError, TypeError. */
  sendDTMF(tones: string | number, options: DTMFOptions = {}): void {
    const checked = checkTones(tones, options);
    this.#requireDialog();
    // A peer that takes no telephone events gets INFO all the same: better late than a dead keypad.
    const sender = options.transportType === 'RFC2833' ? this.#media.toneSender : undefined;
    this.#inside.sendTones(checked, options, sender);
  }

  /** Sends an INFO. @throws InvalidStateError, or TypeError without a type. */
  sendInfo(contentType: string, body?: string, options: { extraHeaders?: readonly string[] } = {}): void {
    this.#requireDialog();
    if (!contentType) {
      throw new TypeError('an INFO needs a content type');
    }
    this.#inside.sendInfo(contentType, body ?? '', options.extraHeaders ?? []);
  }

  /** Silences what is sent; only the audio by default. */
  mute(kinds: MediaKinds = { audio: true, video: false }): void {
    this.#standing.changeMute(kinds, true);
  }

  /** Takes mute back; audio and video by default. */
  unmute(kinds: MediaKinds = { audio: true, video: true }): void {
    this.#standing.changeMute(kinds, false);
  }

  /** Puts the peer on hold. `done` is called when it has agreed. Returns false if it is not possible now. */
  hold(options: RenegotiateOptions = {}, done?: () => void): boolean {
    return this.#changeHold(true, options, done);
  }

  /** Takes the peer back. */
  unhold(options: RenegotiateOptions = {}, done?: () => void): boolean {
    return this.#changeHold(false, options, done);
  }

  /** Offers the present state of the peer connection, for instance after tracks were added. */
  renegotiate(options: RenegotiateOptions = {}, done?: () => void): boolean {
    if (!this.isReadyToReOffer()) {
      return false;
    }
    void this.#standing.reoffer(options).then((changed) => changed && done?.());
    return true;
  }

  /** Asks the peer to call `target` in place of us. `options.replaces` is the call that is to be replaced there. */
  refer(target: string | URI, options: ReferOptions & { replaces?: RTCSession } = {}): ReferSubscriber | false {
    return this.#stands && this.#inside.refer(this.#target(target), options.replaces?.replacesValue(), options);
  }

  /** @internal What an INVITE must say to take the place of this call (RFC 3891): tags as the peer of this call has them. */
  replacesValue(): string {
    return this.#inside.replacesValue();
  }

  /** Sends any request inside the call; where there is none (any more), `onDialogError` is called, and nothing returned. */
  sendRequest(method: string, options: RequestOptions = {}): OutgoingRequest | undefined {
    return this.#inside.send(method, options);
  }

  /** @internal Signalling works again after a break; `moved`: from another network. */
  signallingBack(moved: boolean): void {
    this.#standing.signallingBack(moved);
  }

  /** @internal A new call wants to take the place of this one. Returns false if the page does not care. */
  receiveReplaces(request: IncomingRequest): boolean {
    return this.#inside.receiveReplaces(request);
  }

  /** @internal */
  receive(event: CallEvent): void {
    switch (event.type) {
      case 'progress':
        this.#remote.run(() => this.#progressed(new IncomingResponse(event.response), event.body));
        break;
      case 'accepted':
        this.#unacknowledged = true;
        this.#remote.run(() => this.#accepted(new IncomingResponse(event.response), event.body));
        break;
      case 'confirmed':
        this.#remote.run(() => this.#confirmed(event.request, event.body));
        break;
      case 'failed':
      case 'ended':
        this.#remote.run(() => this.#over(event));
        break;
      case 'reoffer':
        this.#trickle.learn(event.request);
        if (this.#status === STATUS.STATUS_1XX_RECEIVED) {
          this.#remote.run(() => this.#offeredEarly(event));
        } else {
          void this.#standing.renegotiation.receive(event);
        }
        break;
      case 'reofferAcknowledged':
        this.#standing.renegotiation.acknowledged(event);
        break;
      case 'sessionRefresh':
        this.renegotiate();
        break;
      case 'dialogRequest':
        this.#inside.receive(event);
        break;
    }
  }

  /** Whether there is a dialog that both sides have agreed to. */
  get #stands(): boolean {
    return this.#status === STATUS.STATUS_WAITING_FOR_ACK || this.#status === STATUS.STATUS_CONFIRMED;
  }

  async #startCall(request: OutgoingRequest): Promise<void> {
    try {
      request.body = await firstOffer(this.#media, this.#mediaOptions, () => this.emit('connecting', { request }));
      this.#status = STATUS.STATUS_INVITE_SENT;
      this.emit('sending', { request });
      if (this.isEnded()) {
        return;
      }
      const payload = payloadOf(request.extraHeaders, request.body, 'application/sdp');
      request.sent(this.#endpoint.core.invite(this.#call, payload));
    } catch (error) {
      this.#mediaFailed(error, (core, call) => core.cancel(call));
    }
  }

  async #progressed(response: IncomingResponse, body: string): Promise<void> {
    if (this.isEnded() || this.#stands) {
      return;
    }
    this.#status = STATUS.STATUS_1XX_RECEIVED;
    if (body !== '') {
      await this.#answers.early(response, body);
    }
    if (!this.isEnded()) {
      this.#trickle.open(response);
      this.emit('progress', { originator: 'remote', response });
    }
  }

  /** UPDATE of a callee that has not answered the call, but our offer, reliably. */
  async #offeredEarly(event: ReofferEvent): Promise<void> {
    try {
      if (event.body !== '') {
        await this.#answers.final(event.request.fromTag, '');
      }
    } catch {
      this.#endpoint.respond(event.transaction, 488, {});
      return;
    }
    await this.#standing.renegotiation.receive(event);
  }

  async #accepted(response: IncomingResponse, body: string): Promise<void> {
    if (this.isEnded()) {
      return;
    }
    try {
      await this.#answers.final(response.to_tag, body);
    } catch (error) {
      if (!this.isEnded() && !(error instanceof MediaClosed)) {
        this.#refuseAnswer(response);
      }
      return;
    }
    this.#status = STATUS.STATUS_CONFIRMED;
    this.#startTime = new Date();
    this.#fate.accept(this); // Also where the page hangs up in its listener.
    this.emit('accepted', { originator: 'remote', response });
    this.#acknowledge();
    this.#trickle.open(response);
  }

  /** The 2xx carries an answer that WebRTC does not take: the call cannot be. */
  #refuseAnswer(response: IncomingResponse): void {
    this.#sayBye(reason(488, 'Not Acceptable Here'), {});
    this.#finish('failed', 'remote', response, causes.BAD_MEDIA_DESCRIPTION);
  }

  /** RFC 3261 §13.2.2.4: every 2xx is acknowledged, even if the next thing is BYE. */
  #acknowledge(): void {
    if (this.#unacknowledged) {
      this.#unacknowledged = false;
      this.#endpoint.attempt((core) => core.acknowledge(this.#call));
    }
  }

  /** Refuses what could not be answered whatever the user says. */
  #acceptable(event: IncomingCallEvent): boolean {
    const foreign = event.body !== '' && event.request.contentType !== 'application/sdp';
    if (!foreign && this.#endpoint.environment.RTCPeerConnection !== undefined) {
      return true;
    }
    const extraHeaders = foreign ? ['Accept: application/sdp'] : [];
    leave(this.#endpoint, this.#call, (core, call) => core.reject(call, foreign ? 415 : 488, { extraHeaders }));
    this.#status = STATUS.STATUS_TERMINATED;
    this.#ua.sessionOver(this);
    return false;
  }

  async #answerCall(options: AnswerOptions): Promise<void> {
    try {
      const sdp = await firstAnswer(this.#media, this.#mediaOptions, this.#offerBody, () => this.#request !== null && this.emit('connecting', { request: this.#request }));
      if (this.isEnded()) {
        return;
      }
      const payload = payloadOf(options.extraHeaders, sdp, 'application/sdp');
      this.#endpoint.core.accept(this.#call, { ...payload, sessionExpires: options.sessionTimersExpires });
      this.#status = STATUS.STATUS_WAITING_FOR_ACK;
      this.#startTime = new Date();
      this.#fate.accept(this);
      this.emit('accepted', { originator: 'local', response: null });
    } catch (error) {
      const status = error instanceof MediaDenied ? 480 : this.#media.connection?.remoteDescription ? 500 : 488;
      this.#mediaFailed(error, (core, call) => core.reject(call, status));
    }
  }

  async #confirmed(message: SipMessage | null, body: string): Promise<void> {
    if (this.isEnded()) {
      return;
    }
    const originator = this.#direction === 'outgoing' ? 'local' : 'remote';
    if (this.#lateOffer && body === '') {
      this.#hangUp(causes.MISSING_SDP, reason(400, 'Missing session description'), {});
      return;
    }
    if (this.#lateOffer) {
      try {
        await this.#media.applyRemote('answer', body);
      } catch {
        if (!this.isEnded()) {
          this.#hangUp(causes.BAD_MEDIA_DESCRIPTION, reason(488, 'Not Acceptable Here'), {});
        }
        return;
      }
    }
    this.#status = STATUS.STATUS_CONFIRMED;
    this.#trickle.open();
    this.emit('confirmed', { originator, ack: message === null ? null : new IncomingRequest(message) });
  }

  #refuse(options: TerminateOptions): void {
    const { status, phrase } = refusalOf(options, 480);
    refuse(this.#endpoint, this.#call, status, phrase, options);
    this.#finish('failed', 'local', null, options.cause ?? causes.REJECTED);
  }

  /** The call cannot start: `drop` tells the peer. */
  #mediaFailed(error: unknown, drop: (core: Core, call: CallNumber) => void): void {
    if (this.isEnded() || error instanceof MediaClosed) {
      return;
    }
    const denied = error instanceof MediaDenied;
    leave(this.#endpoint, this.#call, drop);
    const cause = denied ? causes.USER_DENIED_MEDIA_ACCESS : error instanceof CoreError ? causes.INTERNAL_ERROR : causes.WEBRTC_ERROR;
    this.#finish('failed', denied || this.#direction === 'outgoing' ? 'local' : 'system', null, cause);
    if (denied) {
      this.emit('getusermediafailed', error.cause);
    }
  }

  #changeHold(hold: boolean, options: RenegotiateOptions, done: (() => void) | undefined): boolean {
    if (this.isOnHold().local === hold || !this.isReadyToReOffer()) {
      return false;
    }
    this.#standing.changeHold(hold, options, done);
    return true;
  }

  #begin(call: CallNumber, request: IncomingRequest | OutgoingRequest, local?: NameAddrHeader, remote?: NameAddrHeader): void {
    this.#call = call;
    this.#request = request;
    this.#localIdentity = local ?? null;
    this.#remoteIdentity = remote ?? null;
    this.#id = `${request.call_id}${request.from_tag}`;
    this.#endpoint.attach(call, this);
    this.#ua.sessionBegan(this);
  }

  #takeOptions(options: AnswerOptions): void {
    this.#mediaOptions = options;
    this.#media.gatheringTimeout = options.iceGatheringTimeout ?? this.#endpoint.settings.ice_gathering_timeout;
    this.data = options.data ?? this.data;
  }

  #target(target: string | URI): URI {
    const uri = this.#ua.normalizeTarget(target);
    if (uri === undefined) {
      throw new TypeError(`Invalid target: ${String(target)}`);
    }
    return uri;
  }

  #requireDialog(): void {
    if (!this.#stands && this.#status !== STATUS.STATUS_1XX_RECEIVED) {
      throw new InvalidStateError(this.#status);
    }
  }

  #hangUp(cause: string, why: string | undefined, options: TerminateOptions): void {
    this.#sayBye(why, options);
    this.#finish('ended', 'local', null, cause);
  }

  #sayBye(why: string | undefined, options: TerminateOptions): void {
    leave(this.#endpoint, this.#call);
    this.#acknowledge();
    sayBye(this.#endpoint, this.#call, why, options);
  }

  /** The core says that it is over. */
  #over({ originator, message, cause }: FailedEvent | EndedEvent): void {
    if (!this.isEnded()) {
      const established = this.#startTime !== null;
      leave(this.#endpoint, this.#call);
      this.#finish(established ? 'ended' : 'failed', originator, message && received(message), cause);
    }
  }

  #finish(how: 'ended' | 'failed', originator: CallOriginator, message: EndEvent['message'], cause: string): void {
    this.#status = STATUS.STATUS_TERMINATED;
    this.#endTime = new Date();
    this.#standing.stop();
    this.#inside.stop();
    this.#media.close();
    this.#ua.sessionOver(this);
    const event = { originator, message, cause };
    this.emit(how, event);
    this.#fate.end(event);
  }
}
