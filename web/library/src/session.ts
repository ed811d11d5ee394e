/**
 * One call: the SIP session of the core and the peer connection of the browser, kept in step.
 *
 *     outgoing:  NULL -> INVITE_SENT -> 1XX_RECEIVED -> CONFIRMED -> TERMINATED
 *                  '----------'---------------'-> CANCELED
 *     incoming:  NULL -> INVITE_RECEIVED -> WAITING_FOR_ANSWER -> ANSWERED -> WAITING_FOR_ACK -> CONFIRMED -> TERMINATED
 *
 * Names, payloads and order of events are those of JsSIP. Known differences, all on purpose: a failed re-offer does not end
 * the call, the cause of a failure is the true one, the loser of a fork is hung up instead of the winner, candidates are
 * waited for a bounded time, and a broken media path is repaired before the call is given up.
 */

import { causes } from './causes.js';
import { type CallNumber, CoreError, type DialogRequestEvent, type IncomingCallEvent, type SipMessage } from './core.js';
import { REASON_PHRASE } from './constants.js';
import { DTMF, type DTMFOptions, ToneQueue, checkTones, playTones } from './dtmf.js';
import type { CallEvent, CallListener, Endpoint } from './endpoint.js';
import { EventEmitter } from './events.js';
import { InvalidStateError, NotSupportedError } from './exceptions.js';
import { IceRepair } from './ice_repair.js';
import { Info } from './info.js';
import { Media, MediaClosed } from './media.js';
import type { NameAddrHeader } from './name_address.js';
import { payloadOf } from './payload.js';
import { ReferNotifier, type ReferOptions, ReferSubscriber, ReferSubscribers, referTarget } from './refer.js';
import { type RemoteReoffer, type RenegotiateOptions, Renegotiation, ReofferError } from './renegotiation.js';
import { Sequence } from './sequence.js';
import { offers } from './session_description.js';
import type {
  AnswerOptions,
  CallOptions,
  CallOriginator,
  MediaKinds,
  RTCSessionEvents,
  RequestHandlers,
  TerminateOptions,
} from './session_events.js';
import { IncomingRequest, IncomingResponse, OutgoingRequest } from './sip_message.js';
import type { URI } from './uri.js';
import type { UA } from './user_agent.js';

const STATUS = {
  STATUS_NULL: 0,
  STATUS_INVITE_SENT: 1,
  STATUS_1XX_RECEIVED: 2,
  STATUS_INVITE_RECEIVED: 3,
  STATUS_WAITING_FOR_ANSWER: 4,
  STATUS_ANSWERED: 5,
  STATUS_WAITING_FOR_ACK: 6,
  STATUS_CANCELED: 7,
  STATUS_TERMINATED: 8,
  STATUS_CONFIRMED: 9,
} as const;

/** The page could not or may not use microphone or camera. */
class MediaDenied extends Error {
  override readonly name = 'MediaDenied';
}

export class RTCSession extends EventEmitter<RTCSessionEvents> implements CallListener {
  static readonly C = STATUS;

  /** Free for the page. */
  data: Record<string, unknown> = {};

  readonly #ua: UA;
  readonly #endpoint: Endpoint;
  readonly #media: Media;
  readonly #renegotiation: Renegotiation;
  readonly #repair: IceRepair;
  readonly #tones: ToneQueue;
  readonly #transfers = new ReferSubscribers();
  /** Remote events whose descriptions take time to apply keep their order. */
  readonly #remote = new Sequence();
  readonly #hold = { local: false, remote: false };
  #call: CallNumber = 0;
  #status: number = STATUS.STATUS_NULL;
  #direction: 'incoming' | 'outgoing' | null = null;
  #id: string | null = null;
  #request: IncomingRequest | OutgoingRequest | null = null;
  #localIdentity: NameAddrHeader | null = null;
  #remoteIdentity: NameAddrHeader | null = null;
  #startTime: Date | null = null;
  #endTime: Date | null = null;
  #offerBody = '';
  #lateOffer = false;
  #unacknowledged = false;
  #earlyAnswer: string | null = null;
  #mediaOptions: AnswerOptions = {};

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
      iceState: (state) => this.#repair.state(state),
    });
    this.#repair = new IceRepair(
      this.#endpoint.environment,
      () => this.#restartIce(),
      () => this.#giveUpMedia(),
    );
    this.#tones = new ToneQueue(
      this.#endpoint,
      () => this.#call,
      (dtmf) => this.emit('newDTMF', { originator: 'local', dtmf, request: null }),
    );
    this.#renegotiation = new Renegotiation(this.#negotiatingCall());
  }

  get C(): typeof STATUS {
    return STATUS;
  }

  get causes(): typeof causes {
    return causes;
  }

  /** Call-ID and From tag of the INVITE. */
  get id(): string | null {
    return this.#id;
  }

  get connection(): RTCPeerConnection | null {
    return this.#media.connection ?? null;
  }

  get contact(): string | null {
    return this.#direction === null ? null : this.#ua.contact.toString();
  }

  get direction(): 'incoming' | 'outgoing' | null {
    return this.#direction;
  }

  get local_identity(): NameAddrHeader | null {
    return this.#localIdentity;
  }

  get remote_identity(): NameAddrHeader | null {
    return this.#remoteIdentity;
  }

  get start_time(): Date | null {
    return this.#startTime;
  }

  get end_time(): Date | null {
    return this.#endTime;
  }

  get status(): number {
    return this.#status;
  }

  isInProgress(): boolean {
    return this.#status <= STATUS.STATUS_WAITING_FOR_ANSWER;
  }

  isEstablished(): boolean {
    return (
      this.#status === STATUS.STATUS_ANSWERED ||
      this.#status === STATUS.STATUS_WAITING_FOR_ACK ||
      this.#status === STATUS.STATUS_CONFIRMED
    );
  }

  isEnded(): boolean {
    return this.#status === STATUS.STATUS_CANCELED || this.#status === STATUS.STATUS_TERMINATED;
  }

  /** Whether hold, unhold and renegotiate are possible now. */
  isReadyToReOffer(): boolean {
    return this.#stands && this.#renegotiation.isReady;
  }

  isMuted(): { audio: boolean; video: boolean } {
    return this.#media.muted;
  }

  isOnHold(): { local: boolean; remote: boolean } {
    return { ...this.#hold };
  }

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
    const uri = this.#ua.normalizeTarget(target);
    if (uri === undefined) {
      throw new TypeError(`Invalid target: ${String(target)}`);
    }
    this.#requireWebRTC();
    this.addHandlers(options.eventHandlers);
    this.#takeOptions(options);
    const { anonymous, fromUserName, fromDisplayName, sessionTimersExpires } = options;
    const connection = this.#media.open(options.pcConfig ?? { iceServers: [] });
    this.#direction = 'outgoing';
    this.emit('peerconnection', { peerconnection: connection });
    let created: { number: CallNumber; message: SipMessage };
    try {
      created = this.#endpoint.core.createCall(uri.toString(), {
        ...(anonymous === undefined ? {} : { anonymous }),
        ...(fromUserName === undefined ? {} : { fromUserName }),
        ...(fromDisplayName === undefined ? {} : { fromDisplayName }),
        ...(sessionTimersExpires === undefined ? {} : { sessionExpires: sessionTimersExpires }),
      });
    } catch (error) {
      this.#media.close();
      this.#status = STATUS.STATUS_TERMINATED;
      throw new TypeError(`Invalid target: ${String(target)}`, { cause: error });
    }
    const request = new OutgoingRequest(created.message, options.extraHeaders);
    this.#begin(created.number, request);
    this.#localIdentity = request.from ?? null;
    this.#remoteIdentity = request.to ?? null;
    initCallback?.(this);
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
    this.#begin(event.call, request);
    this.#status = STATUS.STATUS_INVITE_RECEIVED;
    this.#localIdentity = request.to;
    this.#remoteIdentity = request.from;
    if (!this.#acceptable(event)) {
      return;
    }
    this.#offerBody = event.body;
    this.#lateOffer = event.body === '';
    this.#status = STATUS.STATUS_WAITING_FOR_ANSWER;
    initCallback?.(this);
    this.#ua.announceSession('remote', this, request);
    if (this.#status === STATUS.STATUS_WAITING_FOR_ANSWER) {
      this.#endpoint.attempt((core) => core.ring(event.call));
      this.emit('progress', { originator: 'local', response: null });
    }
  }

  /**
   * Answers an incoming call.
   *
   * @throws NotSupportedError for an outgoing call, InvalidStateError if it does not ring any more.
   */
  answer(options: AnswerOptions = {}): void {
    if (this.#direction !== 'incoming') {
      throw new NotSupportedError('only an incoming call can be answered');
    }
    if (this.#status !== STATUS.STATUS_WAITING_FOR_ANSWER) {
      throw new InvalidStateError(this.#status);
    }
    const connection = this.#media.open(options.pcConfig ?? { iceServers: [] });
    this.#takeOptions(options);
    this.#status = STATUS.STATUS_ANSWERED;
    this.emit('peerconnection', { peerconnection: connection });
    void this.#answerCall(options);
  }

  /**
   * Ends the call in whatever way its state asks for: CANCEL, a refusal, or BYE.
   *
   * @throws InvalidStateError if it has ended, TypeError if the status code does not fit.
   */
  terminate(options: TerminateOptions = {}): void {
    if (this.isEnded()) {
      throw new InvalidStateError(this.#status);
    }
    if (this.#direction === 'incoming' && !this.#stands) {
      this.#refuse(options);
    } else if (this.#stands) {
      const reason = reasonHeader(options, 200);
      this.#hangUp(options.cause ?? causes.BYE, reason, options);
    } else {
      const reason = reasonHeader(options, 200);
      this.#status = STATUS.STATUS_CANCELED;
      this.#leave();
      this.#endpoint.attempt((core) => core.cancel(this.#call, reason === undefined ? {} : { reason }));
      this.#finish('failed', 'local', null, options.cause ?? causes.CANCELED);
    }
  }

  /** Sends keypad tones: one string, in order. @throws InvalidStateError, TypeError. */
  sendDTMF(tones: string | number, options: DTMFOptions = {}): void {
    const checked = checkTones(tones, options);
    this.#requireDialog();
    // A peer that takes no telephone events gets INFO all the same: better late than a dead keypad.
    const sender = options.transportType === 'RFC2833' ? this.#media.toneSender : undefined;
    if (sender !== undefined) {
      playTones(sender, checked);
    } else {
      this.#tones.add(checked, options);
    }
  }

  /** Sends an INFO. @throws InvalidStateError. */
  sendInfo(contentType: string, body?: string, options: { extraHeaders?: readonly string[] } = {}): void {
    this.#requireDialog();
    const info = new Info(contentType, body ?? '');
    this.emit('newInfo', { originator: 'local', info, request: null });
    info.send(this.#endpoint, this.#call, {
      extraHeaders: options.extraHeaders ?? [],
      ...(body ? { contentType, body } : {}),
    });
  }

  /** Silences what is sent; only the audio by default. */
  mute(kinds: MediaKinds = { audio: true, video: false }): void {
    const changed = this.#media.setMuted(kinds, true);
    if (changed.audio || changed.video) {
      this.emit('muted', changed);
    }
  }

  /** Takes mute back; audio and video by default. */
  unmute(kinds: MediaKinds = { audio: true, video: true }): void {
    const changed = this.#media.setMuted(kinds, false);
    if (changed.audio || changed.video) {
      this.emit('unmuted', changed);
    }
  }

  /** Puts the peer on hold. `done` is called when it has agreed. Returns false if it is not possible now. */
  hold(options: RenegotiateOptions = {}, done?: () => void): boolean {
    return !this.#hold.local && this.isReadyToReOffer() && this.#changeHold(true, options, done);
  }

  /** Takes the peer back. */
  unhold(options: RenegotiateOptions = {}, done?: () => void): boolean {
    return this.#hold.local && this.isReadyToReOffer() && this.#changeHold(false, options, done);
  }

  /** Offers the present state of the peer connection, for instance after tracks were added. */
  renegotiate(options: RenegotiateOptions = {}, done?: () => void): boolean {
    if (!this.isReadyToReOffer()) {
      return false;
    }
    void this.#reoffer(options).then((changed) => changed && done?.());
    return true;
  }

  /** Asks the peer to call `target` in place of us. `options.replaces` is the call that is to be replaced there. */
  refer(target: string | URI, options: ReferOptions & { replaces?: RTCSession } = {}): ReferSubscriber | false {
    if (!this.#stands) {
      return false;
    }
    const uri = this.#ua.normalizeTarget(target);
    if (uri === undefined) {
      throw new TypeError(`Invalid target: ${String(target)}`);
    }
    const subscriber = new ReferSubscriber();
    const { localIdentity, replaces } = { localIdentity: this.#localIdentity, replaces: options.replaces };
    const referredBy = `<${localIdentity?.uri ?? this.#endpoint.settings.uri}>`;
    subscriber.send(this.#endpoint, this.#call, uri, replaces?.replacesValue(), referredBy, options);
    this.#transfers.add(subscriber);
    return subscriber;
  }

  /** @internal What an INVITE must say to take the place of this call (RFC 3891): tags as the peer of this call has them. */
  replacesValue(): string {
    const { callId, localTag, remoteTag } = this.#endpoint.core.dialogIdentity(this.#call);
    return `${callId};to-tag=${remoteTag};from-tag=${localTag}`;
  }

  /** Sends any request inside the call. */
  sendRequest(
    method: string,
    options: { extraHeaders?: readonly string[]; body?: string; eventHandlers?: RequestHandlers } = {},
  ): OutgoingRequest {
    const handlers = options.eventHandlers ?? {};
    const payload = payloadOf(options.extraHeaders, options.body);
    const message = this.#endpoint.request((core) => core.dialogRequest(this.#call, method, payload), {
      responded: ({ status, response }) => {
        const handler = status < 300 ? handlers.onSuccessResponse : handlers.onErrorResponse;
        handler?.(new IncomingResponse(response));
      },
      failed: (cause) => {
        if (cause === causes.CONNECTION_ERROR) {
          handlers.onTransportError?.();
        } else if (cause === causes.REQUEST_TIMEOUT) {
          handlers.onRequestTimeout?.();
        } else {
          handlers.onDialogError?.();
        }
      },
      authenticated: (request) => handlers.onAuthenticated?.(request),
    });
    return new OutgoingRequest(message, options.extraHeaders, options.body ?? null);
  }

  /** @internal Signalling works again after a break. */
  signallingBack(): void {
    this.#repair.signallingBack();
  }

  /** @internal A new call wants to take the place of this one. Returns false if the page does not care. */
  receiveReplaces(request: IncomingRequest): boolean {
    let open = true;
    const event = {
      request,
      accept: (initCallback?: (session: RTCSession) => void) => {
        if (open) {
          open = false;
          const session = new RTCSession(this.#ua);
          session.on('confirmed', () => this.#endIfOpen());
          session.init_incoming(request, initCallback);
        }
      },
      reject: () => {
        if (open) {
          open = false;
          request.reply(486);
        }
      },
    };
    return this.emit('replaces', event);
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
        this.#remote.run(() => this.#over(event.originator, event.message, event.cause));
        break;
      case 'reoffer':
        this.#renegotiation.receive(event);
        break;
      case 'reofferAcknowledged':
        this.#renegotiation.acknowledged(event);
        break;
      case 'sessionRefresh':
        this.renegotiate();
        break;
      case 'dialogRequest':
        this.#requested(event);
        break;
      default:
        break;
    }
  }

  /** Whether there is a dialog that both sides have agreed to. */
  get #stands(): boolean {
    return this.#status === STATUS.STATUS_WAITING_FOR_ACK || this.#status === STATUS.STATUS_CONFIRMED;
  }

  // ------------------------------------------------------------------------------------------------ calling

  async #startCall(request: OutgoingRequest): Promise<void> {
    try {
      await this.#addLocalMedia({ audio: true, video: true });
      this.emit('connecting', { request });
      request.body = await this.#media.createLocal('offer', this.#mediaOptions.rtcOfferConstraints);
      this.#status = STATUS.STATUS_INVITE_SENT;
      this.emit('sending', { request });
      if (this.isEnded()) {
        return;
      }
      const payload = payloadOf(request.extraHeaders, request.body, 'application/sdp');
      request.sent(this.#endpoint.core.invite(this.#call, payload));
    } catch (error) {
      this.#mediaFailed(error, (core) => core.cancel(this.#call));
    }
  }

  async #progressed(response: IncomingResponse, body: string): Promise<void> {
    if (this.isEnded() || this.#stands) {
      return;
    }
    this.#status = STATUS.STATUS_1XX_RECEIVED;
    if (body !== '' && body !== this.#earlyAnswer) {
      try {
        await this.#applyAnswer(body, true);
        this.#earlyAnswer = body;
      } catch {
        // Early media is a courtesy: the call may still be answered with a description that works.
      }
    }
    if (!this.isEnded()) {
      this.emit('progress', { originator: 'remote', response });
    }
  }

  async #accepted(response: IncomingResponse, body: string): Promise<void> {
    if (this.isEnded()) {
      return;
    }
    try {
      await this.#applyAnswer(body, false);
    } catch (error) {
      if (!this.isEnded() && !(error instanceof MediaClosed)) {
        this.#refuseAnswer(response);
      }
      return;
    }
    this.#status = STATUS.STATUS_CONFIRMED;
    this.#startTime = new Date();
    this.emit('accepted', { originator: 'remote', response });
    this.#acknowledge();
  }

  /** Applies the answer of the callee; early ones may be followed by others. */
  async #applyAnswer(body: string, early: boolean): Promise<void> {
    if (this.#media.isStable) {
      if (body === this.#earlyAnswer) {
        return;
      }
      await this.#media.reopenOffer();
    }
    await this.#media.applyRemote('answer', body, early);
  }

  /** The 2xx carries an answer that WebRTC does not take: the call cannot be. */
  #refuseAnswer(response: IncomingResponse): void {
    this.#leave();
    this.#acknowledge();
    const extraHeaders = ['Reason: SIP;cause=488;text="Not Acceptable Here"'];
    this.#endpoint.attempt((core) => core.bye(this.#call, { extraHeaders, cause: causes.BAD_MEDIA_DESCRIPTION }));
    this.#finish('failed', 'remote', response, causes.BAD_MEDIA_DESCRIPTION);
  }

  /** RFC 3261 §13.2.2.4: every 2xx is acknowledged, even if the next thing is BYE. */
  #acknowledge(): void {
    if (this.#unacknowledged) {
      this.#unacknowledged = false;
      this.#endpoint.attempt((core) => core.acknowledge(this.#call));
    }
  }

  // ------------------------------------------------------------------------------------------------ being called

  #acceptable(event: IncomingCallEvent): boolean {
    const refuse = (status: number, extraHeaders: string[]) => {
      this.#leave();
      this.#endpoint.attempt((core) => core.reject(event.call, status, { extraHeaders }));
      this.#status = STATUS.STATUS_TERMINATED;
      return false;
    };
    if (event.body !== '' && event.request.contentType !== 'application/sdp') {
      return refuse(415, ['Accept: application/sdp']);
    }
    return this.#endpoint.environment.RTCPeerConnection === undefined ? refuse(488, []) : true;
  }

  async #answerCall(options: AnswerOptions): Promise<void> {
    try {
      const body = this.#offerBody;
      await this.#addLocalMedia(
        this.#lateOffer
          ? { audio: true, video: true }
          : { audio: offers(body, 'audio'), video: offers(body, 'video') },
      );
      if (!this.#lateOffer) {
        await this.#media.applyRemote('offer', body);
      }
      if (this.#request !== null) {
        this.emit('connecting', { request: this.#request });
      }
      const sdp = this.#lateOffer
        ? await this.#media.createLocal('offer', this.#mediaOptions.rtcOfferConstraints)
        : await this.#media.createLocal('answer', this.#mediaOptions.rtcAnswerConstraints);
      if (this.isEnded()) {
        return;
      }
      const expires = options.sessionTimersExpires;
      this.#endpoint.core.accept(this.#call, {
        ...payloadOf(options.extraHeaders, sdp, 'application/sdp'),
        ...(expires === undefined ? {} : { sessionExpires: expires }),
      });
      this.#status = STATUS.STATUS_WAITING_FOR_ACK;
      this.#startTime = new Date();
      this.emit('accepted', { originator: 'local', response: null });
    } catch (error) {
      const status = error instanceof MediaDenied ? 480 : this.#media.connection?.remoteDescription ? 500 : 488;
      this.#mediaFailed(error, (core) => core.reject(this.#call, status));
    }
  }

  async #confirmed(message: SipMessage | null, body: string): Promise<void> {
    if (this.isEnded()) {
      return;
    }
    const originator = this.#direction === 'outgoing' ? 'local' : 'remote';
    if (this.#lateOffer) {
      try {
        if (body === '') {
          throw new ReofferError(causes.MISSING_SDP);
        }
        await this.#media.applyRemote('answer', body);
      } catch (error) {
        const missing = error instanceof ReofferError;
        const reason = `SIP;cause=${missing ? 400 : 488};text="${missing ? 'Missing session description' : 'Not Acceptable Here'}"`;
        if (!this.isEnded()) {
          this.#hangUp(missing ? causes.MISSING_SDP : causes.BAD_MEDIA_DESCRIPTION, reason, {});
        }
        return;
      }
    }
    this.#status = STATUS.STATUS_CONFIRMED;
    this.emit('confirmed', { originator, ack: message === null ? null : new IncomingRequest(message) });
  }

  #refuse(options: TerminateOptions): void {
    const status = options.status_code ?? 480;
    if (!Number.isInteger(status) || status < 300 || status > 699) {
      throw new TypeError(`Invalid status_code: ${status}`);
    }
    const reason = options.reason_phrase ?? REASON_PHRASE[status];
    this.#leave();
    this.#endpoint.attempt((core) =>
      core.reject(this.#call, status, {
        ...payloadOf(options.extraHeaders, options.body),
        ...(reason === undefined ? {} : { reason }),
      }),
    );
    this.#finish('failed', 'local', null, options.cause ?? causes.REJECTED);
  }

  // ------------------------------------------------------------------------------------------------ media

  /** Adds the page's stream, or microphone and camera. `usual` is what is asked for when the page says nothing. */
  async #addLocalMedia(usual: { audio: boolean; video: boolean }): Promise<void> {
    const { mediaStream, mediaConstraints } = this.#mediaOptions;
    if (mediaStream) {
      if (this.#direction === 'incoming') {
        withoutRefused(mediaStream, mediaConstraints);
      }
      this.#media.addStream(mediaStream);
      await Promise.resolve();
      return;
    }
    const constraints = this.#direction === 'incoming' ? offered(mediaConstraints, usual) : (mediaConstraints ?? usual);
    if (!constraints.audio && !constraints.video) {
      await Promise.resolve();
      return;
    }
    let stream: MediaStream;
    try {
      stream = await this.#media.acquire(constraints);
    } catch (error) {
      if (error instanceof MediaClosed) {
        throw error;
      }
      if (this.#media.closed) {
        throw new MediaClosed();
      }
      this.emit('getusermediafailed', error);
      throw new MediaDenied('no access to microphone or camera', { cause: error });
    }
    this.#media.addStream(stream);
  }

  /** The call cannot start: `drop` tells the peer. */
  #mediaFailed(error: unknown, drop: (core: Endpoint['core']) => void): void {
    if (this.isEnded() || error instanceof MediaClosed) {
      return;
    }
    this.#leave();
    try {
      this.#endpoint.attempt(drop);
    } finally {
      if (error instanceof MediaDenied) {
        this.#finish('failed', 'local', null, causes.USER_DENIED_MEDIA_ACCESS);
      } else {
        this.#finish('failed', 'local', null, error instanceof CoreError ? causes.INTERNAL_ERROR : causes.WEBRTC_ERROR);
      }
    }
  }

  #changeHold(hold: boolean, options: RenegotiateOptions, done?: () => void): boolean {
    const apply = (value: boolean) => {
      this.#hold.local = value;
      this.#media.setHold(value);
      this.#media.setSilent(this.#hold.local || this.#hold.remote);
      this.emit(value ? 'hold' : 'unhold', { originator: 'local' });
    };
    apply(hold);
    void this.#reoffer(options).then((changed) => {
      if (changed) {
        done?.();
      } else if (!this.isEnded()) {
        apply(!hold);
      }
    });
    return true;
  }

  /** Offers, and says whether the peer agreed. A failure changes nothing but is told. */
  async #reoffer(options: RenegotiateOptions): Promise<boolean> {
    const rtcOfferConstraints = options.rtcOfferConstraints ?? this.#mediaOptions.rtcOfferConstraints;
    try {
      await this.#renegotiation.offer({ ...options, ...(rtcOfferConstraints ? { rtcOfferConstraints } : {}) });
      return true;
    } catch (error) {
      if (!this.isEnded()) {
        const known = error instanceof ReofferError ? error : new ReofferError(causes.WEBRTC_ERROR);
        this.emit('reofferfailed', { cause: known.cause, response: known.response });
      }
      return false;
    }
  }

  #restartIce(): void {
    if (this.isReadyToReOffer() && this.#ua.isConnected()) {
      void this.#reoffer({ rtcOfferConstraints: { iceRestart: true } });
    }
  }

  #giveUpMedia(): void {
    if (!this.isEnded()) {
      this.terminate({ cause: causes.RTP_TIMEOUT, status_code: 408, reason_phrase: causes.RTP_TIMEOUT });
    }
  }

  #negotiatingCall(): ConstructorParameters<typeof Renegotiation>[0] {
    const session: RTCSession = this;
    return {
      endpoint: this.#endpoint,
      media: this.#media,
      get call() {
        return session.#call;
      },
      get ownsCallId() {
        return session.#direction === 'outgoing';
      },
      get answerOptions() {
        return session.#mediaOptions.rtcAnswerConstraints;
      },
      announce: (method: 'INVITE' | 'UPDATE', reoffer: RemoteReoffer) =>
        this.emit(method === 'INVITE' ? 'reinvite' : 'update', reoffer),
      remoteHold: (hold: boolean) => {
        if (this.#hold.remote !== hold && !this.isEnded()) {
          this.#hold.remote = hold;
          this.#media.setSilent(this.#hold.local || this.#hold.remote);
          this.emit(hold ? 'hold' : 'unhold', { originator: 'remote' });
        }
      },
    };
  }

  // ------------------------------------------------------------------------------------------------ inside the call

  #requested(event: DialogRequestEvent): void {
    const respond = (status: number, reason?: string, extraHeaders?: readonly string[], body?: string) => {
      const payload = payloadOf(extraHeaders, body);
      const phrase = reason ?? REASON_PHRASE[status];
      this.#endpoint.attempt((core) =>
        core.respond(event.transaction, status, { ...payload, ...(phrase === undefined ? {} : { reason: phrase }) }),
      );
    };
    const request = new IncomingRequest(event.request, respond);
    switch (event.method) {
      case 'INFO':
        this.#informed(request);
        break;
      case 'REFER':
        this.#referred(event, request);
        break;
      case 'NOTIFY':
        request.reply(this.#transfers.notified(request) ? 200 : 481);
        break;
      case 'OPTIONS':
        request.reply(200);
        break;
      default:
        // RFC 3261 §8.2.1; MESSAGE inside a call is not offered by this API.
        request.reply(405);
    }
  }

  #informed(request: IncomingRequest): void {
    const { message } = request;
    const dtmf = message.contentType === 'application/dtmf-relay' ? DTMF.received(request) : undefined;
    if (dtmf !== undefined) {
      request.reply(200);
      this.emit('newDTMF', { originator: 'remote', dtmf, request });
    } else if (message.contentType === 'application/dtmf-relay') {
      request.reply(400);
    } else if (message.contentType !== '') {
      request.reply(200);
      const info = new Info(request.getHeader('Content-Type') ?? message.contentType, request.body);
      this.emit('newInfo', { originator: 'remote', info, request });
    } else {
      request.reply(415);
    }
  }

  #referred(event: DialogRequestEvent, request: IncomingRequest): void {
    const destination = referTarget(request);
    if (destination === undefined) {
      request.reply(400);
      return;
    }
    if (this.listenerCount('refer') === 0) {
      request.reply(603);
      return;
    }
    request.reply(202);
    const notifier = new ReferNotifier(this.#endpoint, event);
    let open = true;
    this.emit('refer', {
      request,
      accept: (initCallback, options = {}) => {
        if (!open) {
          return;
        }
        open = false;
        notifier.notify(100, 'Trying');
        const extraHeaders = [...(options.extraHeaders ?? []), ...destination.extraHeaders];
        const session = new RTCSession(this.#ua);
        followTransfer(session, notifier);
        session.connect(destination.target, { ...options, extraHeaders }, initCallback);
      },
      reject: () => {
        if (open) {
          open = false;
          notifier.notify(603, 'Decline');
        }
      },
    });
  }

  // ------------------------------------------------------------------------------------------------ beginning and end

  #begin(call: CallNumber, request: IncomingRequest | OutgoingRequest): void {
    this.#call = call;
    this.#request = request;
    this.#id = `${request.call_id}${request.from_tag}`;
    this.#endpoint.attach(call, this);
    this.#ua.sessionBegan(this);
  }

  #takeOptions(options: AnswerOptions): void {
    this.#mediaOptions = options;
    this.#media.gatheringTimeout = options.iceGatheringTimeout ?? this.#endpoint.settings.ice_gathering_timeout;
    this.data = options.data ?? this.data;
  }

  #requireWebRTC(): void {
    if (this.#endpoint.environment.RTCPeerConnection === undefined) {
      throw new NotSupportedError('WebRTC is not available');
    }
  }

  #requireDialog(): void {
    if (!this.#stands && this.#status !== STATUS.STATUS_1XX_RECEIVED) {
      throw new InvalidStateError(this.#status);
    }
  }

  #hangUp(cause: string, reason: string | undefined, options: TerminateOptions): void {
    const headers = [...(options.extraHeaders ?? []), ...(reason === undefined ? [] : [`Reason: ${reason}`])];
    this.#leave();
    this.#acknowledge();
    this.#endpoint.attempt((core) => core.bye(this.#call, payloadOf(headers, options.body)));
    this.#finish('ended', 'local', null, cause);
  }

  #endIfOpen(): void {
    if (!this.isEnded()) {
      this.terminate();
    }
  }

  /** The core says that it is over. */
  #over(originator: CallOriginator, message: SipMessage | null, cause: string): void {
    if (!this.isEnded()) {
      const established = this.#startTime !== null;
      this.#leave();
      const wrapped =
        message === null ? null : message.isRequest ? new IncomingRequest(message) : new IncomingResponse(message);
      this.#finish(established ? 'ended' : 'failed', originator, wrapped, cause);
    }
  }

  /** From here on the core's events of this call are not heard: its end is told by `finish`. */
  #leave(): void {
    this.#endpoint.detach(this.#call);
  }

  #finish(
    how: 'ended' | 'failed',
    originator: CallOriginator,
    message: IncomingRequest | IncomingResponse | null,
    cause: string,
  ): void {
    this.#status = STATUS.STATUS_TERMINATED;
    this.#endTime = new Date();
    this.#repair.stop();
    this.#tones.clear();
    this.#media.close();
    this.#ua.sessionOver(this);
    this.emit(how, { originator, message, cause });
  }
}

/** The value of a Reason header (RFC 3326), if a status was given. */
function reasonHeader(options: TerminateOptions, lowest: number): string | undefined {
  const status = options.status_code;
  if (status === undefined) {
    return undefined;
  }
  if (!Number.isInteger(status) || status < lowest || status > 699) {
    throw new TypeError(`Invalid status_code: ${status}`);
  }
  const text = options.reason_phrase ?? REASON_PHRASE[status] ?? '';
  return `SIP;cause=${status};text="${text.replace(/[\\"\r\n]/g, ' ')}"`;
}

/** Constraints of an answer: nothing is asked for that was not offered. */
function offered(
  constraints: MediaStreamConstraints | undefined,
  offer: { audio: boolean; video: boolean },
): MediaStreamConstraints {
  return {
    audio: offer.audio && (constraints?.audio ?? true),
    video: offer.video && (constraints?.video ?? true),
  };
}

/** Takes the tracks out of a stream that the page does not want to answer with. */
function withoutRefused(stream: MediaStream, constraints: MediaStreamConstraints | undefined): void {
  const refused = [
    ...(constraints?.audio === false ? stream.getAudioTracks() : []),
    ...(constraints?.video === false ? stream.getVideoTracks() : []),
  ];
  for (const track of refused) {
    stream.removeTrack(track);
  }
}

/** Reports the fate of a call to the peer that asked for it. */
function followTransfer(session: RTCSession, notifier: ReferNotifier): void {
  session.on('progress', ({ response }) => {
    if (response !== null) {
      notifier.notify(response.status_code, response.reason_phrase);
    }
  });
  session.on('accepted', ({ response }) => notifier.notify(response?.status_code ?? 200, response?.reason_phrase || 'OK'));
  session.on('failed', ({ message, cause }) => {
    if (message instanceof IncomingResponse) {
      notifier.notify(message.status_code, message.reason_phrase);
    } else {
      notifier.notify(487, cause);
    }
  });
}
