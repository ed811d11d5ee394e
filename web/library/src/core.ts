// The SIP core for web pages: typed commands in, typed events out.
//
// All of SIP lives in WebAssembly (crates/agent behind crates/wasm): messages, transactions, dialogs, digest,
// registration and its refreshes, sessions and their timers. The page owns the socket, the RTCPeerConnection and
// the user interface. `Core` owns the one timer that the protocol needs.
//
// How the wasm gets in: `cargo xtask` builds it to `web/library/generated/sipweb_wasm.wasm` (not in git) by
//   cargo build --profile browser -p sipweb-wasm --target wasm32-unknown-unknown
//   wasm-opt -Oz --all-features (binaryen) on the result
// and esbuild inlines it: `loader: { '.wasm': 'binary' }` makes the import below a Uint8Array. It is compiled
// synchronously (`new WebAssembly.Module`), so that `new Core(..)` works at once, also in a worker.

import embedded from '../generated/sipweb_wasm.wasm';

// ---------------------------------------------------------------------------------------------------- vocabulary

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

/** Via transport tokens. `WS` and `WSS` are what a browser speaks; the others please servers that need a white lie. */
export type ViaTransport = 'WS' | 'WSS' | 'TCP' | 'TLS' | 'UDP';

/**
 * A received or sent SIP message, read lazily. Header names are given in any case, in long form; compact forms in
 * the message are found by their long name.
 */
export class SipMessage {
  /** The bytes as they were on the wire (of a request being prepared: as they would be). */
  readonly bytes: Uint8Array;
  #parts: MessageParts | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The whole message as text (UTF-8; octets that are not UTF-8 become U+FFFD). */
  get text(): string { return UTF8.decode(this.bytes); }
  /** True for a request, false for a response. */
  get isRequest(): boolean { return this.#read().status === 0; }
  /** Method: of a response, that of its CSeq. */
  get method(): string {
    const { method } = this.#read();
    return method || (this.header('CSeq') ?? '').replace(/^\s*\d+\s+/, '');
  }
  /** Request-URI; '' in responses. */
  get requestUri(): string { return this.#read().uri; }
  /** Status code; 0 in requests. */
  get status(): number { return this.#read().status; }
  /** Reason phrase; '' in requests. */
  get reason(): string { return this.#read().reason; }
  /** Every header field in order, names as written, values unfolded and trimmed. */
  get fields(): ReadonlyArray<readonly [name: string, value: string]> { return this.#read().fields; }
  /** The first field of that name. */
  header(name: string): string | undefined { return this.headers(name)[0]; }
  /** Every field of that name (a field may itself be a comma list). */
  headers(name: string): string[] {
    const wanted = longName(name);
    return this.#read().fields.filter(([found]) => longName(found) === wanted).map(([, value]) => value);
  }
  get callId(): string { return this.header('Call-ID') ?? ''; }
  get cseq(): number { return Number.parseInt(this.header('CSeq') ?? '', 10) || 0; }
  /** Tag of From; '' if absent. */
  get fromTag(): string { return tagOf(this.header('From')); }
  /** Tag of To; '' if absent. */
  get toTag(): string { return tagOf(this.header('To')); }
  /** Body as text; '' if empty. */
  get body(): string { return UTF8.decode(this.bodyBytes); }
  get bodyBytes(): Uint8Array { return this.bytes.subarray(this.#read().bodyStart); }
  /** Media type of the body in lower case without parameters; '' if absent. */
  get contentType(): string { return (this.header('Content-Type') ?? '').split(';')[0]!.trim().toLowerCase(); }

  #read(): MessageParts {
    return (this.#parts ??= readParts(this.bytes));
  }
}

interface MessageParts {
  method: string;
  uri: string;
  status: number;
  reason: string;
  fields: Array<readonly [string, string]>;
  bodyStart: number;
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** RFC 3261 §7.3.3 and the registry of compact forms. */
const COMPACT_NAMES: Record<string, string> = {
  v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', l: 'content-length', c: 'content-type',
  e: 'content-encoding', k: 'supported', s: 'subject', o: 'event', u: 'allow-events', r: 'refer-to',
  b: 'referred-by', x: 'session-expires', a: 'accept-contact', j: 'reject-contact', d: 'request-disposition',
  y: 'identity',
};

function longName(name: string): string {
  const lower = name.toLowerCase();
  return COMPACT_NAMES[lower] ?? lower;
}

/** The tag of a From or To value: a parameter after the URI, never one inside it or inside the display name. */
function tagOf(value: string | undefined): string {
  if (value === undefined) return '';
  const outside = value.replace(/"(?:[^"\\]|\\.)*"/g, '').replace(/<[^>]*>/, '');
  return /;\s*tag\s*=\s*([^\s;,]+)/i.exec(outside)?.[1] ?? '';
}

/** Splits a message that the core has already accepted. */
function readParts(bytes: Uint8Array): MessageParts {
  let head = bytes.length;
  for (let i = 0; i + 3 < bytes.length; i += 1) {
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) {
      head = i;
      break;
    }
  }
  const lines = UTF8.decode(bytes.subarray(0, head)).replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  const start = lines[0] ?? '';
  const fields = lines.slice(1).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const;
  });
  const parts = { method: '', uri: '', status: 0, reason: '', fields, bodyStart: Math.min(head + 4, bytes.length) };
  const response = /^SIP\/2\.0 +(\d{3}) ?(.*)$/i.exec(start);
  if (response) return { ...parts, status: Number(response[1]), reason: response[2] ?? '' };
  const [method = '', uri = ''] = start.split(' ');
  return { ...parts, method, uri };
}

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
   * messages -> MESSAGE 405, no subscriptions -> SUBSCRIBE 405, no options -> OPTIONS 200. Out-of-dialog REFER and
   * unknown methods: 405 unless `others`. Out-of-dialog NOTIFY is answered 200 by the Core and surfaced as
   * `notify` whatever stands here. Default: everything false.
   */
  listens?: { calls?: boolean; messages?: boolean; options?: boolean; subscriptions?: boolean; others?: boolean };
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
  /** Seconds that an incoming call rings before the Core answers 408 (failed, local, No Answer). Default 60. */
  noAnswerTimeout?: number;
  /** User-Agent header. Default 'Sipweb'. */
  userAgent?: string;
}

/** What the page gives the Core. */
export interface CoreHost {
  /**
   * Put one SIP message on the connection: a string, or bytes if it is not UTF-8 (RFC 7118 §4.2: then a binary
   * frame). Called only between {@link Core.connected} and {@link Core.disconnected}; may be called inside any
   * command.
   */
  send(data: string | Uint8Array): void;
  /** One event. Called in order, never inside a command that returns a number (there: in a microtask). */
  event(event: CoreEvent): void;
  /** Milliseconds, never running backwards. Default: made of Date.now and performance.now. */
  now?(): number;
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
 * wrong password): then call {@link Core.register} again. Fires once per attempt, after digest has been tried.
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
export interface ProgressEvent { type: 'progress'; call: CallNumber; response: SipMessage; body: string; fork: string; }
/** 100 or a 1xx without To tag. */
export interface TryingEvent { type: 'trying'; call: CallNumber; response: SipMessage; }
/** The INVITE was challenged (401/407) and goes out again with credentials. */
export interface AuthenticatedEvent {
  type: 'authenticated'; call: CallNumber | null; number: RequestNumber | null; request: SipMessage;
}
/**
 * First 2xx to our INVITE. Now call {@link Core.acknowledge}: with the answer if `offered` (we sent no SDP and
 * `body` is the peer's offer), else without. A 2xx without SDP to our offer never gets here: the Core sends ACK
 * and BYE and the call fails with 'Bad Media Description'. Losing forks are ACKed and BYEd silently.
 */
export interface AcceptedEvent {
  type: 'accepted'; call: CallNumber; response: SipMessage; body: string; offered: boolean; fork: string;
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
 * Peer's BYE: (remote, the BYE, 'Terminated'). 'No ACK' (local), 'Request Timeout' and 'Dialog Error' (system or
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
/** A request outside dialogs that the page listens to (`listens`): MESSAGE, OPTIONS, SUBSCRIBE, others. Respond. */
export interface IncomingRequestEvent {
  type: 'incomingRequest'; transaction: TransactionNumber; method: string; request: SipMessage;
}
/** An out-of-dialog NOTIFY, already answered 200 by the Core. */
export interface NotifyEvent { type: 'notify'; request: SipMessage; }
/**
 * Final response to a request of ours: {@link Core.request}, {@link Core.dialogRequest} or {@link Core.reinvite}.
 * 401/407 comes here only after digest was tried. For a re-INVITE the Core has already sent ACK, unless
 * `needsAcknowledge`: then we offered nothing and must answer with {@link Core.acknowledgeReinvite}. 491 to a
 * re-INVITE/UPDATE: try again later. 408 and 481 in a call are followed by `ended`.
 */
export interface ResponseEvent {
  type: 'response'; number: RequestNumber; call: CallNumber | null; status: number; response: SipMessage; body: string;
  needsAcknowledge: boolean;
}
/** 101 to 199 to a request of ours other than the initial INVITE. */
export interface ProvisionalEvent {
  type: 'provisional'; number: RequestNumber; call: CallNumber | null; response: SipMessage;
}
/** No final response will come: 'Request Timeout', 'Connection Error', or 'Dialog Error' (the call ended first). */
export interface RequestFailedEvent { type: 'requestFailed'; number: RequestNumber; call: CallNumber | null; cause: Cause; }

export type CoreEvent =
  | RegisteredEvent | RegistrationFailedEvent | UnregisteredEvent | RegistrationExpiringEvent
  | IncomingCallEvent | TryingEvent | ProgressEvent | AuthenticatedEvent | AcceptedEvent | ConfirmedEvent | FailedEvent
  | EndedEvent | ReofferEvent | ReofferAcknowledgedEvent | SessionRefreshEvent | DialogRequestEvent
  | IncomingRequestEvent | NotifyEvent | ResponseEvent | ProvisionalEvent | RequestFailedEvent;

// ---------------------------------------------------------------------------------------------------------- Core

/**
 * One SIP user agent. Errors of use (an unknown call number, a call in the wrong state, a URI that does not parse)
 * throw CoreError; errors of the network come as events.
 */
export class Core {
  #wasm: Exports | undefined;
  readonly #host: CoreHost;
  readonly #clock: () => number;
  #settings: CoreSettings;
  #queue: CoreEvent[] = [];
  #delivering = false;
  #promised = false;
  #timer: unknown;

  /** Throws CoreError ('uri') if the configuration cannot be used. */
  constructor(config: CoreConfig, host: CoreHost) {
    this.#host = host;
    this.#clock = host.now ? () => host.now!() : steadyClock();
    this.#settings = { ...config };
    this.#wasm = instantiate();
    const words = new Writer();
    writeConfig(words, config);
    this.#check(this.#wasm.create(this.#put(words.bytes()), this.#now()));
  }

  /** Our Contact URI as configured or made up: without GRUU. */
  get contactUri(): string { return this.#identity()[0]; }
  /** UUID without `urn:uuid:`. */
  get instanceId(): string { return this.#identity()[1]; }
  /** sent-by of our Via. */
  get viaHost(): string { return this.#identity()[2]; }
  /** The GRUUs of the last registration; '' if none. */
  get pubGruu(): string { return this.#identity()[3]; }
  get tempGruu(): string { return this.#identity()[4]; }

  configure(settings: CoreSettings): void {
    this.#settings = { ...this.#settings, ...settings };
    const words = new Writer().byte(Op.configure);
    writeSettings(words, this.#settings);
    this.#command(words);
  }

  // The connection.
  /** A connection is open. Registers again if {@link register} was the last wish, and repeats what was owed. */
  connected(via: ViaTransport): void {
    this.#command(new Writer().byte(Op.connected).byte(VIA_TRANSPORTS.indexOf(via)));
  }
  /** The connection is gone. Pending requests fail with 'Connection Error'; calls survive; registration: see events. */
  disconnected(): void {
    this.#command(new Writer().byte(Op.disconnected));
  }
  /** One WebSocket message. CRLF keep-alives are answered. */
  receive(data: string | ArrayBuffer | Uint8Array): void {
    const bytes = typeof data === 'string' ? ENCODER.encode(data) : data instanceof Uint8Array ? data : new Uint8Array(data);
    const wasm = this.#alive();
    wasm.receive(this.#put(bytes), this.#now());
    this.#settle(false);
  }
  /** Stops the timer and frees the memory. No event follows; commands throw. */
  close(): void {
    this.#clearTimer();
    this.#queue = [];
    this.#wasm = undefined;
  }

  // Registration.
  /** REGISTER now (if connected; else on connection) and keep it refreshed. */
  register(): void {
    this.#command(new Writer().byte(Op.register));
  }
  /** Remove our binding, or with `all` every binding (`Contact: *`). Ends the wish to be registered. */
  unregister(options: { all?: boolean } = {}): void {
    this.#command(new Writer().byte(Op.unregister).flag(options.all));
  }

  // Calls out.
  /** Prepare a call: allocates Call-ID and tags, sends nothing. Then {@link invite}, or {@link cancel} to drop it. */
  createCall(target: string, options: CallOptions = {}): Created<CallNumber> {
    const words = new Writer().byte(Op.createCall).text(target);
    writeOrigin(words, options);
    return this.#create(words.number(options.sessionExpires ?? 0).number(options.noAnswerTimeout ?? 0));
  }
  /** Send the INVITE. Without `body`: a late offer. Extra headers are added to those of createCall. */
  invite(call: CallNumber, payload: Payload = {}): SipMessage {
    return this.#create(new Writer().byte(Op.invite).number(call).payload(payload, SDP)).message;
  }
  /** ACK the 2xx after `accepted`. Repeated by the Core for each retransmitted 2xx. */
  acknowledge(call: CallNumber, payload: Payload = {}): void {
    this.#command(new Writer().byte(Op.acknowledge).number(call).payload(payload, SDP));
  }
  /** CANCEL an outgoing call that is not accepted; `failed` (local, Canceled) fires at once. */
  cancel(call: CallNumber, options: { reason?: string } = {}): void {
    this.#end(Ending.cancel, call, { cancelReason: options.reason });
  }

  // Calls in.
  /** Provisional response: 180 by default, or any 101-199, with early SDP if `body`. */
  ring(call: CallNumber, options: Payload & { status?: number; reason?: string } = {}): void {
    this.#command(new Writer().byte(Op.ring).number(call).number(options.status ?? 180).text(options.reason ?? '')
      .payload(options, SDP));
  }
  /** 200 with SDP, repeated until ACK (then `confirmed`; never: BYE and `ended` with 'No ACK'). */
  accept(call: CallNumber, payload: Payload & { sessionExpires?: number }): void {
    this.#command(new Writer().byte(Op.accept).number(call).number(payload.sessionExpires ?? 0).payload(payload, SDP));
  }
  /** Final 300-699; `failed` (local, Rejected) fires at once. */
  reject(call: CallNumber, status: number, options: Payload & { reason?: string; cause?: Cause } = {}): void {
    this.#end(Ending.reject, call, { ...options, status });
  }

  // Calls that stand.
  /**
   * Hang up, whatever the state: BYE when established (as callee before the ACK: once the ACK arrives), CANCEL or 480
   * otherwise. `ended`/`failed` (local) fires at once with `cause` (default Terminated, or Canceled/Rejected before).
   */
  bye(call: CallNumber, payload: Payload & { cause?: Cause } = {}): void {
    this.#end(Ending.any, call, payload);
  }
  /** New offer in the call (or without `body`: ask for one by INVITE; refresh by UPDATE). See `response`. */
  reinvite(call: CallNumber, method: 'INVITE' | 'UPDATE', payload: Payload = {}): Created<RequestNumber> {
    return this.#create(new Writer().byte(Op.reinvite).number(call).flag(method === 'UPDATE').payload(payload, SDP));
  }
  /** The answer to the offer in the 2xx of a re-INVITE that carried no SDP. */
  acknowledgeReinvite(number: RequestNumber, payload: Payload = {}): void {
    this.#command(new Writer().byte(Op.acknowledgeReinvite).number(number).payload(payload, SDP));
  }
  /** True when a re-INVITE or UPDATE may be sent now: the dialog stands and none is pending either way. */
  canReinvite(call: CallNumber): boolean {
    return this.#command(new Writer().byte(Op.canReinvite).number(call)) === 1;
  }
  /** Any request inside a call or subscription: INFO, MESSAGE, REFER, NOTIFY, OPTIONS, SUBSCRIBE ... */
  dialogRequest(call: CallNumber, method: string, payload: Payload = {}): Created<RequestNumber> {
    return this.#create(new Writer().byte(Op.dialogRequest).number(call).text(method).payload(payload, PLAIN));
  }
  /** Call-ID and tags of the dialog for Replaces (RFC 3891), and the peer's Contact URI for Refer-To. */
  dialogIdentity(call: CallNumber): { callId: string; localTag: string; remoteTag: string; remoteTarget: string } {
    this.#command(new Writer().byte(Op.dialogIdentity).number(call), true);
    const [callId = '', localTag = '', remoteTag = '', remoteTarget = ''] = this.#replyTexts();
    return { callId, localTag, remoteTag, remoteTarget };
  }

  // Subscriptions (SUBSCRIBE dialogs), by hand: the states of RFC 6665 live in the caller.
  /** A dialog to be: its first {@link dialogRequest} (SUBSCRIBE) creates it; NOTIFYs come as `dialogRequest`. */
  createSubscription(target: string, options: OriginOptions = {}): Created<CallNumber> {
    const words = new Writer().byte(Op.createSubscription).text(target);
    writeOrigin(words, options);
    return this.#create(words);
  }
  /** Make a dialog of a received SUBSCRIBE before responding 2xx to it. */
  acceptSubscription(transaction: TransactionNumber): CallNumber {
    return this.#command(new Writer().byte(Op.acceptSubscription).number(transaction), true);
  }
  /** Forget a subscription dialog; sends nothing. */
  closeSubscription(call: CallNumber): void {
    this.#command(new Writer().byte(Op.closeSubscription).number(call));
  }

  // Outside dialogs.
  /** MESSAGE, OPTIONS, PUBLISH, REFER ... */
  request(method: string, target: string, options: OriginOptions & Payload = {}): Created<RequestNumber> {
    const words = new Writer().byte(Op.request).text(method).text(target);
    writeOrigin(words, { ...options, extraHeaders: [] });
    return this.#create(words.payload(options, PLAIN));
  }
  /** Final response (or 1xx) to a received request. Contact is added where the method needs it. */
  respond(transaction: TransactionNumber, status: number, options: Payload & { reason?: string } = {}): void {
    this.#command(new Writer().byte(Op.respond).number(transaction).number(status).text(options.reason ?? '')
      .payload(options, SDP));
  }

  // How commands and events cross the border.

  #end(kind: Ending, call: CallNumber, options: Payload & { status?: number; reason?: string; cause?: Cause; cancelReason?: string }): void {
    this.#command(new Writer().byte(Op.end).byte(kind).number(call).number(options.status ?? 0)
      .text(options.reason ?? '').byte(options.cause ? CAUSES.indexOf(options.cause) : NONE)
      .optional(options.cancelReason).payload(options, PLAIN));
  }

  #create(words: Writer): Created<number> {
    const number = this.#run(words);
    const message = new SipMessage(this.#output());
    this.#settle(true);
    return { number, message };
  }

  #command(words: Writer, keepsReply = false): number {
    const number = this.#run(words);
    if (!keepsReply) this.#settle(false);
    return number;
  }

  #run(words: Writer): number {
    return this.#check(this.#alive().command(this.#put(words.bytes()), this.#now()));
  }

  /** Copies bytes into the module and gives their length. */
  #put(bytes: Uint8Array): number {
    const wasm = this.#alive();
    const at = wasm.input(bytes.length);
    new Uint8Array(wasm.memory.buffer, at, bytes.length).set(bytes);
    return bytes.length;
  }

  /** A copy of what the module has put out last. */
  #output(): Uint8Array {
    const wasm = this.#alive();
    return new Uint8Array(wasm.memory.buffer, wasm.output(), wasm.output_length()).slice();
  }

  #replyTexts(): string[] {
    return UTF8.decode(this.#output()).split('\n');
  }

  #identity(): [string, string, string, string, string] {
    this.#command(new Writer().byte(Op.identity), true);
    const [contact = '', instance = '', host = '', publicGruu = '', temporaryGruu = ''] = this.#replyTexts();
    return [contact, instance, host, publicGruu, temporaryGruu];
  }

  /** Takes everything that the module has to say: sends messages, delivers or queues events, sets the timer. */
  #settle(later: boolean): void {
    const wasm = this.#alive();
    while (wasm.poll() !== 0) {
      const output = this.#output();
      if (output[0] === 0) this.#host.send(textOrBytes(output.subarray(1)));
      else this.#queue.push(this.#readEvent(output));
      if (!this.#wasm) return;
    }
    this.#setTimer(wasm.deadline());
    if (!later) this.#deliver();
    else if (this.#queue.length > 0 && !this.#promised) {
      this.#promised = true;
      queueMicrotask(() => {
        this.#promised = false;
        this.#deliver();
      });
    }
  }

  #readEvent(output: Uint8Array): CoreEvent {
    const event = readEvent(output);
    if (event.type === 'registered') {
      event.pubGruu = this.pubGruu;
      event.tempGruu = this.tempGruu;
    }
    return event;
  }

  /** In order, one at a time: commands given inside an event's handler add to the queue. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let event = this.#queue.shift(); event; event = this.#queue.shift()) this.#host.event(event);
    } finally {
      this.#delivering = false;
    }
  }

  #setTimer(deadline: number): void {
    this.#clearTimer();
    if (deadline === Infinity) return;
    // A browser's timer holds 31 bits of milliseconds.
    const wait = Math.min(Math.max(Math.ceil(deadline / 1000 - this.#clock()), 0), 0x7fff_ffff);
    const action = (): void => {
      this.#timer = undefined;
      if (!this.#wasm) return;
      this.#wasm.timeout(this.#now());
      this.#settle(false);
    };
    this.#timer = (this.#host.setTimeout ?? ((run, delay) => setTimeout(run, delay)))(action, wait);
  }

  #clearTimer(): void {
    if (this.#timer === undefined) return;
    (this.#host.clearTimeout ?? ((handle) => clearTimeout(handle as number)))(this.#timer);
    this.#timer = undefined;
  }

  #now(): number {
    return Math.floor(this.#clock() * 1000);
  }

  #alive(): Exports {
    if (!this.#wasm) throw new CoreError('closed', 'the core is closed');
    return this.#wasm;
  }

  #check(result: number): number {
    const value = result >>> 0;
    if (value < FIRST_ERROR) return value;
    const code = ERRORS[value - FIRST_ERROR] ?? 'state';
    throw new CoreError(code, ERROR_TEXTS[code]);
  }
}

// ---------------------------------------------------------------------------------------- the border to the wasm

/** What crates/wasm exports. Times are microseconds. */
interface Exports {
  memory: WebAssembly.Memory;
  input(length: number): number;
  output(): number;
  output_length(): number;
  create(length: number, now: number): number;
  command(length: number, now: number): number;
  receive(length: number, now: number): void;
  timeout(now: number): void;
  poll(): number;
  deadline(): number;
}

let compiled: WebAssembly.Module | undefined;

function instantiate(): Exports {
  compiled ??= new WebAssembly.Module(embedded);
  let memory: WebAssembly.Memory | undefined;
  const entropy = (at: number, length: number): void => {
    crypto.getRandomValues(new Uint8Array(memory!.buffer, at, length));
  };
  const exports = new WebAssembly.Instance(compiled, { sipweb: { entropy } }).exports as unknown as Exports;
  memory = exports.memory;
  return exports;
}

/**
 * Milliseconds that never run backwards and count the sleep of the machine: the page's own clock may stand still
 * while a laptop sleeps, the wall clock may be set back. Takes the larger step of the two.
 */
function steadyClock(): () => number {
  let steady = performance.now();
  let wall = Date.now();
  let now = 0;
  return () => {
    const steadyNow = performance.now();
    const wallNow = Date.now();
    now += Math.max(steadyNow - steady, wallNow - wall, 0);
    steady = steadyNow;
    wall = wallNow;
    return now;
  };
}

const NONE = 0xff;
const ABSENT = 0xffff_ffff;
const FIRST_ERROR = 0xffff_fff0;
const SDP = 'application/sdp';
const PLAIN = 'text/plain';
const ERRORS = ['unknown', 'state', 'uri', 'header', 'closed'] as const;
const ERROR_TEXTS: Record<CoreError['code'], string> = {
  unknown: 'no such call, request or transaction',
  state: 'the state of the call does not allow this',
  uri: 'not a SIP URI',
  header: 'a header, method or reason has forbidden characters',
  closed: 'the core is closed',
};

/** The order is that of `Transport::ALL` in crates/sip. */
const VIA_TRANSPORTS: readonly ViaTransport[] = ['UDP', 'TCP', 'TLS', 'WS', 'WSS'];

/** The order is that of `Cause::ALL` in crates/agent. */
const CAUSES: readonly Cause[] = [
  'Connection Error', 'Request Timeout', 'SIP Failure Code', 'Internal Error', 'Busy', 'Rejected', 'Redirected',
  'Unavailable', 'Not Found', 'Address Incomplete', 'Incompatible SDP', 'Missing SDP', 'Authentication Error',
  'Terminated', 'WebRTC Error', 'Canceled', 'No Answer', 'Expires', 'No ACK', 'Dialog Error',
  'User Denied Media Access', 'Bad Media Description', 'RTP Timeout',
];
const ORIGINATORS: readonly Originator[] = ['local', 'remote', 'system'];

/** The numbers are those of crates/wasm/src/command.rs. */
const enum Op {
  configure = 1, connected, disconnected, register, unregister, createCall, invite, acknowledge, end, ring, accept,
  reinvite, acknowledgeReinvite, canReinvite, dialogRequest, dialogIdentity, createSubscription, acceptSubscription,
  closeSubscription, request, respond, identity,
}
const enum Ending { any, cancel, reject }

/** Writes a command: little-endian numbers, texts with their length before them. */
class Writer {
  #bytes = new Uint8Array(512);
  #length = 0;

  bytes(): Uint8Array { return this.#bytes.subarray(0, this.#length); }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
    return this;
  }
  flag(value: boolean | undefined): this { return this.byte(value ? 1 : 0); }
  number(value: number): this {
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setUint32(this.#length, value, true);
    this.#length += 4;
    return this;
  }
  text(value: string): this {
    const bytes = ENCODER.encode(value);
    this.number(bytes.length).#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }
  optional(value: string | null | undefined): this {
    return value === null || value === undefined ? this.number(ABSENT) : this.text(value);
  }
  headers(lines: readonly string[] | undefined): this {
    this.number(lines?.length ?? 0);
    for (const line of lines ?? []) {
      const colon = line.indexOf(':');
      if (colon < 1) throw new CoreError('header', `"${line}" is not of the form "Name: value"`);
      this.text(line.slice(0, colon).trim()).text(line.slice(colon + 1).trim());
    }
    return this;
  }
  payload(payload: Payload, contentType: string): this {
    this.headers(payload.extraHeaders).optional(payload.body || undefined);
    return payload.body ? this.text(payload.contentType ?? contentType) : this;
  }
  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.bytes());
    this.#bytes = larger;
  }
}

function writeConfig(words: Writer, config: CoreConfig): void {
  words.text(config.uri).optional(config.contactUri).optional(config.viaHost).optional(config.instanceId)
    .optional(config.registrarServer).number(config.registerExpires ?? 600).text(config.registerFromTagTrail ?? '')
    .optional(config.preloadedRoute).flag(config.sessionTimers ?? true)
    .flag(config.sessionTimersRefreshMethod === 'INVITE').flag(config.sessionTimersForceRefresher)
    .number(config.noAnswerTimeout ?? 60).text(config.userAgent ?? 'Sipweb');
  writeSettings(words, config);
}

function writeSettings(words: Writer, settings: CoreSettings): void {
  const { calls, messages, options, subscriptions, others } = settings.listens ?? {};
  const listens = [calls, messages, options, subscriptions, others].reduce((sum, on, bit) => sum | (on ? 1 << bit : 0), 0);
  words.optional(settings.authorizationUser).optional(settings.password).optional(settings.ha1).optional(settings.realm)
    .optional(settings.authorizationJwt).optional(settings.displayName).headers(settings.extraHeaders)
    .headers(settings.registerExtraHeaders).text(settings.registerContactParameters ?? '').byte(listens)
    .flag(settings.refreshesRegistration ?? true);
}

function writeOrigin(words: Writer, origin: OriginOptions): void {
  words.headers(origin.extraHeaders).flag(origin.anonymous).optional(origin.fromUserName)
    .optional(origin.fromDisplayName).optional(origin.fromUri).optional(origin.toUri).optional(origin.toDisplayName);
}

function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return STRICT_UTF8.decode(bytes);
  } catch {
    return bytes;
  }
}

/** The numbers are those of crates/wasm/src/event.rs. */
function readEvent(bytes: Uint8Array): CoreEvent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const originator = ORIGINATORS[view.getUint8(1)] ?? 'system';
  const maybeCause = CAUSES[view.getUint8(2)] ?? null;
  const cause = maybeCause ?? 'Internal Error';
  const flag = view.getUint8(3) !== 0;
  const first = view.getUint32(4, true);
  const number = view.getUint32(8, true);
  const value = view.getUint32(12, true);
  const message = new SipMessage(bytes.subarray(16));
  const maybeMessage = bytes.length > 16 ? message : null;
  const call = first;
  const maybeCall = first || null;
  switch (view.getUint8(0)) {
    case 1: return { type: 'registered', response: message, first: flag, expires: value, pubGruu: '', tempGruu: '' };
    case 2: return { type: 'registrationFailed', response: maybeMessage, cause, retryIn: value === ABSENT ? null : value };
    case 3: return { type: 'unregistered', response: maybeMessage, cause: maybeCause };
    case 4: return { type: 'registrationExpiring' };
    case 5: return { type: 'incomingCall', call, request: message, body: message.body, replaces: number || null };
    case 6: return { type: 'trying', call, response: message };
    case 7: return { type: 'progress', call, response: message, body: message.body, fork: message.toTag };
    case 8: return { type: 'authenticated', call: maybeCall, number: number || null, request: message };
    case 9: return { type: 'accepted', call, response: message, body: message.body, offered: flag, fork: message.toTag };
    case 10: return { type: 'confirmed', call, originator, request: maybeMessage, body: maybeMessage?.body ?? '' };
    case 11: return { type: 'failed', call, originator, message: maybeMessage, cause };
    case 12: return { type: 'ended', call, originator, message: maybeMessage, cause };
    case 13: return {
      type: 'reoffer', call, transaction: number, method: message.method as 'INVITE' | 'UPDATE', request: message, body: message.body,
    };
    case 14: return { type: 'reofferAcknowledged', call, transaction: number, request: message, body: message.body };
    case 15: return { type: 'sessionRefresh', call };
    case 16: return { type: 'dialogRequest', call, transaction: number, method: message.method, request: message };
    case 17: return { type: 'incomingRequest', transaction: number, method: message.method, request: message };
    case 18: return { type: 'notify', request: message };
    case 19: return {
      type: 'response', number, call: maybeCall, status: message.status, response: message, body: message.body, needsAcknowledge: flag,
    };
    case 20: return { type: 'provisional', number, call: maybeCall, response: message };
    default: return { type: 'requestFailed', number, call: maybeCall, cause };
  }
}

/** Wrong use of the Core. */
export class CoreError extends Error {
  override name = 'CoreError';
  constructor(readonly code: 'unknown' | 'state' | 'uri' | 'header' | 'closed', message: string) {
    super(message);
  }
}
