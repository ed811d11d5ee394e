// The SIP core for web pages: typed commands in, typed events out.
//
// All of SIP lives in WebAssembly (crates/agent behind crates/wasm): messages, transactions, dialogs, digest,
// registration and its refreshes, sessions and their timers. The page owns the socket, the RTCPeerConnection and
// the user interface. `Core` owns the one timer that the protocol needs.
//
// How the wasm gets in: `cargo xtask` builds it to `web/library/generated/sipweb_wasm.wasm` (not in git) by
//   cargo build --profile browser -p sipweb-wasm --target wasm32-unknown-unknown
//   wasm-opt -Oz --all-features (binaryen) on the result
// and esbuild inlines it: `loader: { '.wasm': 'binary' }` makes the import in core_border.ts a Uint8Array. It is compiled
// synchronously (`new WebAssembly.Module`), so that `new Core(..)` works at once, also in a worker.

import { STRETCH, steadyClock } from './clock.js';
import { REASON_PHRASE } from './constants.js';
import {
  CAUSES, ERRORS, ERROR_TEXTS, Ending, FIRST_ERROR, NONE, Op, PLAIN, SDP, VIA_TRANSPORTS, Writer, instantiate, readEvent,
  textOrBytes, writeConfig, writeOrigin, writeSettings,
} from './core_border.js';
import type { Exports } from './core_border.js';
import { ENCODER, SipMessage, UTF8 } from './core_message.js';
import { CoreError } from './core_types.js';
import type {
  CallNumber, CallOptions, Cause, CoreConfig, CoreEvent, CoreHost, CoreSettings, Created, OriginOptions, Payload,
  RequestNumber, TransactionNumber, ViaTransport,
} from './core_types.js';
import { guarded } from './events.js';

/** A timer that rings so much too late rings on a machine that slept. A hidden page may have to wait for a minute. */
const SLEPT = 65_000;

export { SipMessage } from './core_message.js';
export * from './core_types.js';

let parser: Exports | undefined;

/** A message out of a log, a push notification, a file: read and checked as one from the network is. `undefined` if it is none. */
export function parseMessage(data: string | Uint8Array): SipMessage | undefined {
  parser ??= instantiate();
  const octets = put(parser, data);
  const { room } = parser;
  // As many octets as characters: it is all ASCII, and need not be copied and decoded again.
  const source = typeof data === 'string' && octets === data.length ? data : room;
  // Line ends before it (RFC 3261 §7.5) and octets behind its body (§18.3) are no part of the message.
  let begin = 0;
  while (begin < octets && (room[begin] === 13 || room[begin] === 10)) begin += 1;
  const length = parser.check(octets);
  return length > 0 ? new SipMessage(source.slice(begin, begin + length)) : undefined;
}

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
  connected(via: ViaTransport, flow = 0): void {
    this.#open(via, flow, false);
  }
  /** A connection is open, and may be used before what was owed goes out: {@link connected} must follow. */
  opened(via: ViaTransport, flow = 0): void {
    this.#open(via, flow, true);
  }
  /** The connection is gone. Pending requests fail with 'Connection Error'; calls survive; registration: see events. */
  disconnected(flow = 0): void {
    this.#command(new Writer().byte(Op.disconnected).byte(flow));
  }
  /** One WebSocket message. CRLF keep-alives are answered. */
  receive(data: string | ArrayBuffer | Uint8Array, flow = 0): void {
    const wasm = this.#alive();
    wasm.receive(put(wasm, data instanceof ArrayBuffer ? new Uint8Array(data) : data), flow, this.#now());
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
  /** Send the INVITE with our offer. Extra headers are added to those of createCall. */
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
  /** Provisional response: 180 by default, or any 101-199, with early SDP if `body`. 100: the user has answered; it rings no longer than he needs. */
  ring(call: CallNumber, options: Payload & { status?: number; reason?: string } = {}): void {
    this.#command(new Writer().byte(Op.ring).number(call).number(options.status ?? 180).text(phrase(options.status, options.reason))
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
  /** New offer in the call. See `response`. */
  reinvite(call: CallNumber, method: 'INVITE' | 'UPDATE', payload: Payload = {}): Created<RequestNumber> {
    return this.#create(new Writer().byte(Op.reinvite).number(call).flag(method === 'UPDATE').payload(payload, SDP));
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
    this.#command(new Writer().byte(Op.respond).number(transaction).number(status).text(phrase(status, options.reason))
      .payload(options, SDP));
  }

  // How commands and events cross the border.

  #open(via: ViaTransport, flow: number, waits: boolean): void {
    this.#command(new Writer().byte(Op.connected).byte(VIA_TRANSPORTS.indexOf(via)).byte(flow).flag(waits));
  }

  #end(kind: Ending, call: CallNumber, options: Payload & { status?: number; reason?: string; cause?: Cause; cancelReason?: string }): void {
    this.#command(new Writer().byte(Op.end).byte(kind).number(call).number(options.status ?? 0)
      .text(phrase(options.status, options.reason)).byte(options.cause ? CAUSES.indexOf(options.cause) : NONE)
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
    return put(this.#alive(), bytes);
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
      if (output[0] === 0) this.#host.send(textOrBytes(output.subarray(2)), output[1]!);
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

  /** In order, one at a time: commands given inside an event's handler add to the queue. A fault in one does not hold up the next. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let event = this.#queue.shift(); event; event = this.#queue.shift()) {
      const next = event;
      guarded(() => this.#host.event(next));
    }
    this.#delivering = false;
  }

  #setTimer(deadline: number): void {
    this.#clearTimer();
    if (deadline === Infinity) return;
    const wait = Math.min(Math.max(Math.ceil(deadline / 1000 - this.#clock()), 0), STRETCH);
    const due = this.#clock() + wait;
    const action = (): void => {
      this.#timer = undefined;
      if (!this.#wasm) return;
      const now = this.#clock();
      this.#wasm.timeout(Math.floor(now * 1000));
      if (now - due > SLEPT) this.#host.woke?.();
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

/** The reason phrase that is written: the core knows few. */
function phrase(status = 0, reason = ''): string {
  return reason || (REASON_PHRASE[status] ?? '');
}

/** Copies a message into the module, to the beginning of its room, and gives how many octets it has. */
function put(wasm: Exports, data: string | Uint8Array): number {
  const { length } = data;
  const at = wasm.input(length);
  // Once the memory has grown, views of before have no length any more.
  if (wasm.room.byteOffset !== at || wasm.room.length < length) wasm.room = new Uint8Array(wasm.memory.buffer, at, length);
  if (typeof data !== 'string') wasm.room.set(data);
  else {
    // Nearly every message is ASCII: then it is written where it is wanted, in one go.
    const { read, written } = ENCODER.encodeInto(data, wasm.room);
    if (read !== length || written !== length) return put(wasm, ENCODER.encode(data));
  }
  return length;
}
