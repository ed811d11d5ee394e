/** Events and options of calls. */

import type { DTMF } from './dtmf.js';
import type { EventHandlers } from './events.js';
import type { Info } from './info.js';
import type { NegotiationStep } from './media.js';
import type { RemoteReoffer } from './renegotiation.js';
import type { RTCSession } from './session.js';
import type { IncomingRequest, IncomingResponse, OutgoingRequest } from './sip_message.js';

export type CallOriginator = 'local' | 'remote' | 'system';

/** How a call ended or failed. */
export interface EndEvent {
  originator: CallOriginator;
  /** The request or response that did it, if one did. */
  message: IncomingRequest | IncomingResponse | null;
  cause: string;
}

/** What was muted or unmuted. */
export interface MediaKinds {
  audio?: boolean;
  video?: boolean;
}

/** A transfer that the peer asks for. It has been answered 202. */
export interface ReferEvent {
  request: IncomingRequest;
  /** Calls the target. `initCallback` gets the new call before it starts. */
  accept(initCallback?: (session: RTCSession) => void, options?: CallOptions): void;
  reject(): void;
}

/** A new call that is to take the place of this one. */
export interface ReplacesEvent {
  request: IncomingRequest;
  accept(initCallback?: (session: RTCSession) => void): void;
  reject(): void;
}

/** A description about to be sent or applied; `sdp` may be replaced. */
export interface SdpEvent {
  originator: 'local' | 'remote';
  type: 'offer' | 'answer';
  sdp: string;
}

export type RTCSessionEvents = {
  peerconnection: [event: { peerconnection: RTCPeerConnection }];
  connecting: [event: { request: IncomingRequest | OutgoingRequest }];
  sending: [event: { request: OutgoingRequest }];
  progress: [event: { originator: 'local' | 'remote'; response: IncomingResponse | null }];
  accepted: [event: { originator: 'local' | 'remote'; response: IncomingResponse | null }];
  confirmed: [event: { originator: 'local' | 'remote'; ack: IncomingRequest | null }];
  ended: [event: EndEvent];
  failed: [event: EndEvent];
  newDTMF: [event: { originator: 'local' | 'remote'; dtmf: DTMF; request: IncomingRequest | null }];
  newInfo: [event: { originator: 'local' | 'remote'; info: Info; request: IncomingRequest | null }];
  hold: [event: { originator: 'local' | 'remote' }];
  unhold: [event: { originator: 'local' | 'remote' }];
  muted: [event: MediaKinds];
  unmuted: [event: MediaKinds];
  reinvite: [event: RemoteReoffer];
  update: [event: RemoteReoffer];
  /** A re-offer of ours (hold, unhold, renegotiate) had no effect; the call goes on as it was. Not in JsSIP. */
  reofferfailed: [event: { cause: string; response: IncomingResponse | null }];
  refer: [event: ReferEvent];
  replaces: [event: ReplacesEvent];
  sdp: [event: SdpEvent];
  icecandidate: [event: { candidate: RTCIceCandidate; ready: () => void }];
  getusermediafailed: [error: unknown];
} & { [Step in NegotiationStep]: [error: unknown] };

interface MediaOptions {
  extraHeaders?: readonly string[];
  mediaConstraints?: MediaStreamConstraints;
  /** A stream of the page's own: it is not stopped at the end of the call. */
  mediaStream?: MediaStream | null;
  pcConfig?: RTCConfiguration;
  /** Taken for compatibility; browsers know it no more. */
  rtcConstraints?: unknown;
  rtcOfferConstraints?: RTCOfferOptions;
  rtcAnswerConstraints?: RTCAnswerOptions;
  /** Seconds; below 60 means the default of 90. */
  sessionTimersExpires?: number;
  /** Anything that the page wants to find again in `session.data`. */
  data?: Record<string, unknown>;
  /** Milliseconds to wait for further ICE candidates after the first. */
  iceGatheringTimeout?: number;
}

/** Options of `ua.call` and `session.connect`. */
export interface CallOptions extends MediaOptions {
  eventHandlers?: EventHandlers<RTCSessionEvents>;
  anonymous?: boolean;
  fromUserName?: string;
  fromDisplayName?: string;
}

/** Options of `session.answer`. */
export type AnswerOptions = MediaOptions;

/** Options of `session.terminate`. */
export interface TerminateOptions {
  /** Goes into the final response, or into the Reason header of CANCEL or BYE. */
  status_code?: number;
  reason_phrase?: string;
  cause?: string;
  extraHeaders?: readonly string[];
  body?: string;
}

/** Handlers of `session.sendRequest`. */
export interface RequestHandlers {
  onSuccessResponse?: (response: IncomingResponse) => void;
  onErrorResponse?: (response: IncomingResponse) => void;
  onTransportError?: () => void;
  onRequestTimeout?: () => void;
  onDialogError?: () => void;
  onAuthenticated?: (request: unknown) => void;
}

/** Options of `session.sendRequest`. */
export interface RequestOptions {
  extraHeaders?: readonly string[];
  body?: string;
  eventHandlers?: RequestHandlers;
}
