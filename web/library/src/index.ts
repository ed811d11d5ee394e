/**
 * Sipweb: a complete SIP phone for web pages. The API has the shape of JsSIP's.
 *
 * ```js
 * const ua = new UA({
 *   sockets: [new WebSocketInterface('wss://example.com/sip')],
 *   uri: 'sip:alice@example.com',
 *   password: 'secret',
 * });
 * ua.on('newRTCSession', ({ originator, session }) => originator === 'remote' && session.answer());
 * ua.start();
 * ```
 */

import * as Exceptions from './exceptions.js';
import * as Utils from './utils.js';
import { parse } from './grammar.js';

export { UA } from './user_agent.js';
export { WebSocketInterface } from './websocket_interface.js';
export { RTCSession } from './session.js';
export { C, name, version } from './constants.js';
export { URI } from './uri.js';
export { NameAddrHeader } from './name_address.js';
export { debug } from './debug.js';
export { callQuality } from './quality.js';
export { parseMessage } from './sip_message.js';
export { Exceptions, Utils };

/** Values of single headers. */
export const Grammar = { parse };

export type { Contact, UAEvents } from './user_agent.js';
export type { Settings, Sockets, UAConfiguration } from './configuration.js';
export type { Environment } from './environment.js';
export type { EventEmitter, EventHandlers, EventMap, Listener } from './events.js';
export type { Socket, SocketData, WebSocketConstructor } from './websocket_interface.js';
export type { Disconnection, Transport, WeightedSocket } from './transport.js';
export type { Registrator } from './registrator.js';
export type { Message } from './message.js';
export type { Notifier, NotifierEvents, NotifyOptions } from './notifier.js';
export type { SubscribeOptions, Subscriber, SubscriberEvents } from './subscriber.js';
export type { Options } from './options.js';
export type { AcceptOptions, RejectOptions, SendOptions, StandaloneEvents, StandaloneRequest } from './standalone_request.js';
export type { DTMF, DTMFOptions } from './dtmf.js';
export type { DialogRequestEvents, InfoRequest } from './dialog_request.js';
export type { Info } from './info.js';
export type { CallQuality } from './quality.js';
export type { ReferEvents, ReferOptions, ReferProgress, ReferSubscriber } from './refer.js';
export type { NewReferEvent } from './refer_incoming.js';
export type { OutOfDialogRefer } from './refer_outside.js';
export type { PresenceState } from './presence.js';
export type { Publisher, PublisherEvents, PublishOptions } from './publisher.js';
export type { RemoteReoffer, RenegotiateOptions } from './renegotiation.js';
export type { IncomingRequest, IncomingResponse, OutgoingRequest, ReceivedMessage } from './sip_message.js';
export type { SipMessage } from './core_message.js';
export type { Reliability } from './core_types.js';
export type { Direction, MediaSection, SessionDescription } from './session_description.js';
export type { HostType, ParsedReplaces, ParsedVia } from './grammar.js';
export type { Parameterized, Parameters, ParameterValue, UriHeaders } from './uri.js';
export type {
  AnswerOptions,
  CallOptions,
  CallOriginator,
  EndEvent,
  MediaKinds,
  ReferEvent,
  ReplacesEvent,
  RTCSessionEvents,
  RequestHandlers,
  RequestOptions,
  SdpEvent,
  TerminateOptions,
} from './session_events.js';
