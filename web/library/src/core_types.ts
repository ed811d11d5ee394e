// What the page asks of the SIP core, and what it hears from it.

import type { SipMessage } from './core_message.js';

/** A call (INVITE session) or another dialog (subscription). Never 0, never reused within one Core. */
export type CallNumber = number;
/** A request that we sent, outside or inside a dialog. Never 0, never reused. */
export type RequestNumber = number;
/** A request that we received and must answer with {@link Core.respond}. Never 0, never reused. */
export type TransactionNumber = number;

/** Who made it happen: this page, the peer, or nobody (a timer, the connection). */
export type Originator = 'local' | 'remote' | 'system';

/** Why something failed or ended: the texts of JsSIP's causes. */
export type Cause =
  | 'Connection Error' | 'Request Timeout' | 'SIP Failure Code' | 'Internal Error' | 'Busy' | 'Rejected'
  | 'Redirected' | 'Unavailable' | 'Not Found' | 'Address Incomplete' | 'Incompatible SDP' | 'Missing SDP'
  | 'Authentication Error' | 'Terminated' | 'WebRTC Error' | 'Canceled' | 'No Answer' | 'Expires' | 'No ACK'
  | 'Dialog Error' | 'User Denied Media Access' | 'Bad Media Description' | 'RTP Timeout';

/** What is made of 100rel (RFC 3262). */
export const RELIABILITY = ['unsupported', 'supported', 'required'] as const;
/** What is made of reliable provisional responses (RFC 3262). */
export type Reliability = (typeof RELIABILITY)[number];

/** Via transport tokens. `WS` and `WSS` are what a browser speaks; the others please servers that need a white lie. */
export type ViaTransport = 'WS' | 'WSS' | 'TCP' | 'TLS' | 'UDP';

// ------------------------------------------------------------------------------------------------- configuration

/** What can be changed while the Core runs ({@link Core.configure}). */
export interface CoreSettings {
  /** User name for digest; default: the user part of `uri`. */
  authorizationUser?: string | null;
  password?: string | null;
  /** HA1 for MD5 (32 hex digits), used instead of a password when the challenge's realm is `realm`. */
  ha1?: string | null;
  realm?: string | null;
  /** Put verbatim into Authorization of every request (JsSIP's authorization_jwt). */
  authorizationJwt?: string | null;
  /** Display name in From. */
  displayName?: string | null;
  /** `Name: value` strings added to every request and response. */
  extraHeaders?: readonly string[];
  /** `Name: value` strings added to REGISTER. */
  registerExtraHeaders?: readonly string[];
  /** Parameters added to the Contact of REGISTER, ready to append: `;name=value;flag`. */
  registerContactParameters?: string;
  /**
   * What the page listens to; the Core answers the rest by itself, by JsSIP's rules: no calls -> INVITE 405, no
   * messages -> MESSAGE 405, no subscriptions -> SUBSCRIBE 405, no options -> OPTIONS 200, no refers -> REFER 603.
   * Unknown methods: 405 unless `others`. Out-of-dialog NOTIFY is answered 200 by the Core and surfaced as
   * `notify` whatever stands here. Default: everything false.
   */
  listens?: { calls?: boolean; messages?: boolean; options?: boolean; subscriptions?: boolean; refers?: boolean; others?: boolean };
  /**
   * Refresh the registration without being told (default true). False: `registrationExpiring` fires instead and the
   * page calls {@link Core.register}.
   */
  refreshesRegistration?: boolean;
}

/** Fixed for the life of a Core, beside the settings. */
export interface CoreConfig extends CoreSettings {
  /** Address of record, `sip:user@domain`. The user part is required. */
  uri: string;
  /** Own Contact, `sip:user@host;transport=ws`; default: a random user at `viaHost` with `;transport=ws`. */
  contactUri?: string;
  /** sent-by of Via; default: the host of `contactUri`, else 12 random characters and `.invalid`. */
  viaHost?: string;
  /** UUID without `urn:uuid:`; keep it between visits (RFC 5626 §4.1). Default: a random one. */
  instanceId?: string;
  /** Where REGISTER goes: a SIP URI without user. Default: `sip:` and the domain of `uri`. */
  registrarServer?: string;
  /** Seconds asked for in REGISTER; 0 sends no Expires. Default 600. */
  registerExpires?: number;
  /** Appended to the From tag of REGISTER (JsSIP's register_from_tag_trail). */
  registerFromTagTrail?: string;
  /** Route put on requests without a route set: a SIP URI (the Core adds `;lr` if missing). Default: none. */
  preloadedRoute?: string;
  /** RFC 4028. Default true. */
  sessionTimers?: boolean;
  /** Default UPDATE; INVITE is used by itself when the peer's Allow lacks UPDATE. */
  sessionTimersRefreshMethod?: 'UPDATE' | 'INVITE';
  sessionTimersForceRefresher?: boolean;
  /** 100rel. Default unsupported; what comes reliably all the same is acknowledged. */
  reliableProvisional?: Reliability;
  /** Seconds that an incoming call rings before the Core answers 408 (failed, local, No Answer). Default 60. */
  noAnswerTimeout?: number;
  /** User-Agent header. Default 'Sipweb'. */
  userAgent?: string;
  /** Connections that are kept registered at the same time, counted from 0 in commands. Default 1, at most 4. */
  flows?: number;
}

/** What the page gives the Core. */
export interface CoreHost {
  /**
   * Put one SIP message on the connection: a string, or bytes if it is not UTF-8 (RFC 7118 §4.2: then a binary
   * frame). Called only between {@link Core.connected} and {@link Core.disconnected}; may be called inside any
   * command.
   */
  send(data: string | Uint8Array, flow: number): void;
  /** One event. Called in order, never inside a command that returns a number (there: in a microtask). */
  event(event: CoreEvent): void;
  /** Milliseconds that never run backwards and count the sleep of the machine. Default: made of Date.now and performance.now. */
  now?(): number;
  /** The machine has slept for a minute or more: nobody knows whether the connection still stands. */
  woke?(): void;
  setTimeout?(action: () => void, milliseconds: number): unknown;
  clearTimeout?(handle: unknown): void;
}

// ------------------------------------------------------------------------------------------------------ commands

/** Options shared by everything that starts outside a dialog. */
export interface OriginOptions {
  /** `Name: value` strings. */
  extraHeaders?: readonly string[];
  /** From sip:anonymous@anonymous.invalid, P-Preferred-Identity, Privacy: id, anonymous Contact (temp-gruu). */
  anonymous?: boolean;
  /** User part of From instead of ours; adds P-Preferred-Identity. */
  fromUserName?: string;
  fromDisplayName?: string;
  /** Whole From and To instead of ours (Subscriber's params). */
  fromUri?: string;
  toUri?: string;
  toDisplayName?: string;
}

export interface CallOptions extends OriginOptions {
  /** Session-Expires in seconds; below 60 or absent: 90. Only with session timers on. */
  sessionExpires?: number;
  /** Seconds after which an unanswered outgoing call is cancelled (failed, local, No Answer). Default 0: never. */
  noAnswerTimeout?: number;
}

export interface Payload {
  extraHeaders?: readonly string[];
  /** Default for SDP-carrying commands: application/sdp. */
  contentType?: string;
  body?: string;
}

/** What {@link Core.createCall} and the request commands give back. */
export interface Created<N> {
  number: N;
  /** The request as it is (createCall: as it would be sent now, without SDP). */
  message: SipMessage;
}

// -------------------------------------------------------------------------------------------------------- events

/** 2xx to REGISTER with our binding in it. Fires after every success, refreshes included; `first` on a transition. */
export interface RegisteredEvent {
  type: 'registered'; response: SipMessage; first: boolean;
  /** Seconds granted. */ expires: number;
  /** '' if the registrar gave none. */ pubGruu: string; tempGruu: string;
}
/**
 * REGISTER failed for good or for now. `retryIn` is the number of seconds after which the Core tries again by
 * itself (Retry-After, or a growing back-off after 408, 5xx and time-outs), or null when it will not (403, 404,
 * wrong password): then call {@link Core.register} again. 'Connection Error' (the connection went while REGISTER was
 * on its way) is tried again after {@link Core.connected}. Fires once per attempt, after digest has been tried.
 */
export interface RegistrationFailedEvent {
  type: 'registrationFailed'; response: SipMessage | null; cause: Cause; retryIn: number | null;
}
/**
 * The registration is gone: unregister answered or timed out (then `cause` may be set), a refresh failed, or the
 * connection was lost (response and cause null: it comes back by itself after {@link Core.connected} if
 * {@link Core.register} was the last wish). Fires only if we were registered.
 */
export interface UnregisteredEvent { type: 'unregistered'; response: SipMessage | null; cause: Cause | null; }
/** Time to refresh, when `refreshesRegistration` is false. */
export interface RegistrationExpiringEvent { type: 'registrationExpiring'; }

/**
 * An INVITE for us arrived; 100 has been sent. Next: ring, accept or reject. `replaces` is the call that the
 * caller asks to replace (RFC 3891), if it is one of ours: accept the new one, then bye the old.
 * `body` is '' for a late offer: accept with an offer, the answer comes in `confirmed`.
 */
export interface IncomingCallEvent {
  type: 'incomingCall'; call: CallNumber; request: SipMessage; body: string; replaces: CallNumber | null;
}
/**
 * A 1xx above 100 with a To tag. `body` is the SDP in it ('' if none). `fork` is the To tag: different tags are
 * different early dialogs of one forked call. Also fires again for each new 1xx.
 */
export interface ProgressEvent {
  type: 'progress'; call: CallNumber; response: SipMessage; body: string; fork: string;
}
/** The INVITE was challenged (401/407) and goes out again with credentials. */
export interface AuthenticatedEvent {
  type: 'authenticated'; call: CallNumber | null; number: RequestNumber | null; request: SipMessage;
}
/**
 * First 2xx to our INVITE. Now call {@link Core.acknowledge}. A 2xx without SDP to our offer never gets here: the Core
 * sends ACK and BYE and the call fails with 'Bad Media Description'. Losing forks are ACKed and BYEd silently.
 */
export interface AcceptedEvent {
  type: 'accepted'; call: CallNumber; response: SipMessage; body: string; fork: string;
}
/**
 * The three-way handshake is done. Outgoing: right after {@link Core.acknowledge} (originator local, request null).
 * Incoming: the ACK arrived (remote; `body` is its SDP: the answer to our offer of a late-offer call, else '').
 */
export interface ConfirmedEvent {
  type: 'confirmed'; call: CallNumber; originator: Originator; request: SipMessage | null; body: string;
}
/**
 * The call ended before it was established. The last event of this call. Fires also for our own cancel and reject
 * (originator local), at once, and for the peer's CANCEL (remote, 'Canceled', message: the CANCEL). An established
 * call gets `ended` instead; a call is established once `accepted` fired (outgoing) or accept was called (incoming).
 */
export interface FailedEvent {
  type: 'failed'; call: CallNumber; originator: Originator; message: SipMessage | null; cause: Cause;
}
/**
 * An established call ended. The last event of this call. Our own bye: at once, (local, null, 'Terminated').
 * Peer's BYE: (remote, the BYE, 'Terminated'). 'No ACK' (remote), 'Request Timeout' and 'Dialog Error' (system or
 * remote: 408 and 481 within the dialog), session timer run out: (local, null, 'Request Timeout').
 */
export interface EndedEvent {
  type: 'ended'; call: CallNumber; originator: Originator; message: SipMessage | null; cause: Cause;
}
/**
 * re-INVITE or UPDATE from the peer. Answer with {@link Core.respond}(transaction, 200, {body: answer}) or refuse
 * (488, 403). `body` '' and INVITE: the peer wants our offer; its answer comes in `reofferAcknowledged`. `body` ''
 * and UPDATE: a session refresh: respond 200 without body. Glare (491) and overlapping offers (500) never get here.
 */
export interface ReofferEvent {
  type: 'reoffer'; call: CallNumber; transaction: TransactionNumber; method: 'INVITE' | 'UPDATE';
  request: SipMessage; body: string;
}
/** ACK to our 2xx of a re-INVITE; `body` is its SDP or ''. */
export interface ReofferAcknowledgedEvent {
  type: 'reofferAcknowledged'; call: CallNumber; transaction: TransactionNumber; request: SipMessage; body: string;
}
/**
 * Time to refresh the session by re-INVITE (method INVITE configured, or the peer does not allow UPDATE): call
 * {@link Core.reinvite} with the current SDP. Refreshes by UPDATE are done by the Core and show nothing.
 */
export interface SessionRefreshEvent { type: 'sessionRefresh'; call: CallNumber; }
/**
 * Any other request inside a call or subscription: INFO, MESSAGE, REFER, NOTIFY, OPTIONS, SUBSCRIBE, unknown ones.
 * Answer with {@link Core.respond}, now or later.
 */
export interface DialogRequestEvent {
  type: 'dialogRequest'; call: CallNumber; transaction: TransactionNumber; method: string; request: SipMessage;
}
/** A request outside dialogs that the page listens to (`listens`): MESSAGE, OPTIONS, SUBSCRIBE, REFER, others. Respond. */
export interface IncomingRequestEvent {
  type: 'incomingRequest'; transaction: TransactionNumber; method: string; request: SipMessage;
}
/** An out-of-dialog NOTIFY, already answered 200 by the Core. */
export interface NotifyEvent { type: 'notify'; request: SipMessage; }
/**
 * Final response to a request of ours: {@link Core.request}, {@link Core.dialogRequest} or {@link Core.reinvite}.
 * 401/407 comes here only after digest was tried. For a re-INVITE the Core has already sent ACK. 491 to a
 * re-INVITE/UPDATE: try again later. 408 and 481 in a call are followed by `ended`.
 */
export interface ResponseEvent {
  type: 'response'; number: RequestNumber; call: CallNumber | null; status: number; response: SipMessage; body: string;
}
/** No final response will come: 'Request Timeout', 'Connection Error', or 'Dialog Error' (the call ended first). */
export interface RequestFailedEvent { type: 'requestFailed'; number: RequestNumber; call: CallNumber | null; cause: Cause; }

export type CoreEvent =
  | RegisteredEvent | RegistrationFailedEvent | UnregisteredEvent | RegistrationExpiringEvent
  | IncomingCallEvent | ProgressEvent | AuthenticatedEvent | AcceptedEvent | ConfirmedEvent | FailedEvent
  | EndedEvent | ReofferEvent | ReofferAcknowledgedEvent | SessionRefreshEvent | DialogRequestEvent
  | IncomingRequestEvent | NotifyEvent | ResponseEvent | RequestFailedEvent;

/** Wrong use of the Core. */
export class CoreError extends Error {
  override name = 'CoreError';
  constructor(readonly code: 'unknown' | 'state' | 'uri' | 'header' | 'closed', message: string) {
    super(message);
  }
}
