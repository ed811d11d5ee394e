/** Events and options of calls. */

import type { DTMF } from './dtmf.js';
import type { EventHandlers } from './events.js';
import type { Info } from './info.js';
import type { NegotiationStep } from './media.js';
import type { RemoteReoffer } from './renegotiation.js';
import type { RTCSession } from './session.js';
import type { IncomingRequest, IncomingResponse, OutgoingRequest } from './sip_message.js';

/** Who did it: this page, the other side, or nobody (a timer, the connection). */
export type CallOriginator = 'local' | 'remote' | 'system';

/** How a call ended or failed. */
export interface EndEvent {
  /** Who ended it. */
  originator: CallOriginator;
  /** The request or response that did it, if one did. */
  message: IncomingRequest | IncomingResponse | null;
  /** One of `C.causes`. */
  cause: string;
}

/** What was muted or unmuted. */
export interface MediaKinds {
  /** The sound. */
  audio?: boolean;
  /** The picture. */
  video?: boolean;
}

/** A transfer that the peer asks for. It has been answered 202. */
export interface ReferEvent {
  /** The REFER. */
  request: IncomingRequest;
  /** Calls the target. `initCallback` gets the new call before it starts. */
  accept(initCallback?: (session: RTCSession) => void, options?: CallOptions): void;
  /** Tells the peer that it will not be done (NOTIFY with 603). */
  reject(): void;
}

/** A new call that is to take the place of this one. */
export interface ReplacesEvent {
  /** The INVITE with Replaces (RFC 3891). */
  request: IncomingRequest;
  /** Takes the new call; this one ends when the new one stands. `initCallback` gets the new call first. */
  accept(initCallback?: (session: RTCSession) => void): void;
  /** Refuses the new call with 486; this one goes on. */
  reject(): void;
}

/** A description about to be sent or applied; `sdp` may be replaced. */
export interface SdpEvent {
  /** Whose description it is. */
  originator: 'local' | 'remote';
  /** Its part in the negotiation (RFC 3264). */
  type: 'offer' | 'answer';
  /** The text, which may be changed here. */
  sdp: string;
}

/** Events of a call, in the order in which they usually come. */
export type RTCSessionEvents = {
  /** The peer connection has been made: inside `ua.call`, or inside `answer`. */
  peerconnection: [event: { peerconnection: RTCPeerConnection }];
  /** The local media are there; ICE candidates are gathered next. */
  connecting: [event: { request: IncomingRequest | OutgoingRequest }];
  /** The INVITE is about to leave: the last chance to change its headers or its body. */
  sending: [event: { request: OutgoingRequest }];
  /** It rings: a provisional response above 100 came, or was sent. */
  progress: [event: { originator: 'local' | 'remote'; response: IncomingResponse | null }];
  /** The call was answered. */
  accepted: [event: { originator: 'local' | 'remote'; response: IncomingResponse | null }];
  /** The answer was acknowledged: the call stands on both sides. */
  confirmed: [event: { originator: 'local' | 'remote'; ack: IncomingRequest | null }];
  /** A call that had been answered is over. */
  ended: [event: EndEvent];
  /** A call ended before it was answered. */
  failed: [event: EndEvent];
  /** Keypad tones, received or about to be sent. */
  newDTMF: [event: { originator: 'local' | 'remote'; dtmf: DTMF; request: IncomingRequest | null }];
  /** An INFO, received or about to be sent. */
  newInfo: [event: { originator: 'local' | 'remote'; info: Info; request: IncomingRequest | null }];
  /** One side holds the other. */
  hold: [event: { originator: 'local' | 'remote' }];
  /** One side has taken the other back. */
  unhold: [event: { originator: 'local' | 'remote' }];
  /** What of ours is silent now. */
  muted: [event: MediaKinds];
  /** What of ours is heard or seen again. */
  unmuted: [event: MediaKinds];
  /** The peer offers other media by re-INVITE. */
  reinvite: [event: RemoteReoffer];
  /** The peer offers other media by UPDATE (RFC 3311). */
  update: [event: RemoteReoffer];
  /** A re-offer of ours (hold, unhold, renegotiate) had no effect; the call goes on as it was. Not in JsSIP. */
  reofferfailed: [event: { cause: string; response: IncomingResponse | null }];
  /** The peer sends us to somebody else; without a listener it is refused. */
  refer: [event: ReferEvent];
  /** Somebody's new call is to take the place of this one; without a listener it does. */
  replaces: [event: ReplacesEvent];
  /** Before each description is sent or applied. */
  sdp: [event: SdpEvent];
  /** A candidate of ours; `ready()` ends the wait for more. */
  icecandidate: [event: { candidate: RTCIceCandidate; ready: () => void }];
  /** The microphone or camera was refused or is missing. */
  getusermediafailed: [error: unknown];
} & { [Step in NegotiationStep]: [error: unknown] };

interface MediaOptions {
  /** Headers of the INVITE or of its 200, `Name: value`. */
  extraHeaders?: readonly string[];
  /** What to ask of `getUserMedia`: audio and video by default; in `answer`, what the offer has. */
  mediaConstraints?: MediaStreamConstraints;
  /** A stream of the page's own: it is not stopped at the end of the call. A second call with it sends copies of its tracks. */
  mediaStream?: MediaStream | null;
  /** Configuration of the peer connection. Without `iceServers` of its own: those that the server told when we registered, if any. */
  pcConfig?: RTCConfiguration;
  /** Taken for compatibility; browsers know it no more. */
  rtcConstraints?: unknown;
  /** For `createOffer`, also of later offers in this call. */
  rtcOfferConstraints?: RTCOfferOptions;
  /** For `createAnswer`, also of later answers in this call. */
  rtcAnswerConstraints?: RTCAnswerOptions;
  /** Seconds; below 60 means the default of 90. */
  sessionTimersExpires?: number;
  /** Anything that the page wants to find again in `session.data`. */
  data?: Record<string, unknown>;
  /** Milliseconds to wait for further ICE candidates after the first, unless the peer takes them later, too (RFC 8840). */
  iceGatheringTimeout?: number;
}

/** Options of `ua.call` and `session.connect`. */
export interface CallOptions extends MediaOptions {
  /** Listeners that are there before the first event; `peerconnection` fires inside `ua.call`. */
  eventHandlers?: EventHandlers<RTCSessionEvents>;
  /** Calls as `sip:anonymous@anonymous.invalid` and asks for privacy (RFC 3323, RFC 3325). */
  anonymous?: boolean;
  /** User in From instead of ours; the registered identity then goes into P-Preferred-Identity. */
  fromUserName?: string;
  /** Display name in From instead of ours. */
  fromDisplayName?: string;
}

/** Options of `session.answer`. */
export type AnswerOptions = MediaOptions;

/** Options of `session.terminate`. */
export interface TerminateOptions {
  /** Goes into the final response, or into the Reason header of CANCEL or BYE. */
  status_code?: number;
  /** The usual one of the status by default. */
  reason_phrase?: string;
  /** What `ended` or `failed` says here. */
  cause?: string;
  /** Headers of the request or response that ends the call, `Name: value`. */
  extraHeaders?: readonly string[];
  /** Its body. */
  body?: string;
}

/** Handlers of `session.sendRequest`. */
export interface RequestHandlers {
  /** A 2xx. */
  onSuccessResponse?: (response: IncomingResponse) => void;
  /** Any other final response. */
  onErrorResponse?: (response: IncomingResponse) => void;
  /** The connection was lost. */
  onTransportError?: () => void;
  /** No response came. */
  onRequestTimeout?: () => void;
  /** The call had ended. */
  onDialogError?: () => void;
  /** The request went out again, with credentials. */
  onAuthenticated?: (request: unknown) => void;
}

/** Options of `session.sendRequest`. */
export interface RequestOptions {
  /** Headers of the request, `Name: value`; a body needs its Content-Type here. */
  extraHeaders?: readonly string[];
  /** Body of the request. */
  body?: string;
  /** What to call when it is answered, or not. */
  eventHandlers?: RequestHandlers;
}
