/**
 * The user agent: one account on one connection, its registration, its calls and messages.
 *
 *     INIT --start--> (connecting) --open--> READY <--reconnect/drop--> NOT_READY
 *                 READY, NOT_READY --stop--> USER_CLOSED --start--> ..
 */

import { causes } from './causes.js';
import {
  CHANGEABLE,
  type Changeable,
  type Settings,
  type UAConfiguration,
  changeSetting,
  loadConfiguration,
} from './configuration.js';
import { Core, type CoreEvent, type IncomingCallEvent, type IncomingRequestEvent, type TransactionNumber } from './core.js';
import { coreConfig, credentials, viaTransport } from './core_settings.js';
import { log } from './debug.js';
import { Endpoint } from './endpoint.js';
import { type Environment, environmentOf } from './environment.js';
import { EventEmitter } from './events.js';
import { FailedError } from './exceptions.js';
import { Message } from './message.js';
import { Notifier, type NotifyOptions } from './notifier.js';
import { Options } from './options.js';
import { Outcome, quietly } from './outcome.js';
import { payloadOf } from './payload.js';
import { type PublishOptions, Publisher } from './publisher.js';
import type { ReferOptions } from './refer.js';
import { type NewReferEvent, receiveRefer } from './refer_incoming.js';
import { OutOfDialogRefer } from './refer_outside.js';
import { iceServersOf } from './ice_servers.js';
import { Registrator } from './registrator.js';
import { RTCSession } from './session.js';
import type { CallOptions, TerminateOptions } from './session_events.js';
import { IncomingRequest, IncomingResponse, type OutgoingRequest } from './sip_message.js';
import type { SendOptions } from './standalone_request.js';
import { type SubscribeOptions, Subscriber } from './subscriber.js';
import { normalizeTarget } from './target.js';
import { type Disconnection, Transport, type WeightedSocket } from './transport.js';
import { URI } from './uri.js';

const debug = log('UA');

const C = {
  STATUS_INIT: 0,
  STATUS_READY: 1,
  STATUS_USER_CLOSED: 2,
  STATUS_NOT_READY: 3,
  CONFIGURATION_ERROR: 1,
  NETWORK_ERROR: 2,
} as const;

/** Milliseconds that the connection stays after `stop` for the last requests to be answered. */
const FAREWELL = 2000;

/** Events of the user agent. Who listens to `newRTCSession`, `newMessage`, `newSubscribe` can be called, written to, watched; others get 405. Who listens to `newRefer` can be asked to call somebody. */
export type UAEvents = {
  /** An attempt to connect begins; `attempts` counts from the loss of a connection: the very first one is 0. */
  connecting: [event: { socket: Transport; attempts: number }];
  /** There is a connection. */
  connected: [event: { socket: Transport }];
  /** The connection is gone, or could not be made; it is tried again unless `stop` was called. */
  disconnected: [event: Disconnection];
  /** The registrar knows us; not told again at refreshes. */
  registered: [event: { response: IncomingResponse }];
  /** The registration is gone; `{}` if the connection went. */
  unregistered: [event: { response?: IncomingResponse | null; cause?: string | null }];
  /** The registrar refused, or did not answer. */
  registrationFailed: [event: { response: IncomingResponse | null; cause: string }];
  /** Time to refresh. With a listener here the page refreshes by `register`, not the library. */
  registrationExpiring: [];
  /** A call, incoming or outgoing. */
  newRTCSession: [
    event: { originator: 'local' | 'remote'; session: RTCSession; request: IncomingRequest | OutgoingRequest },
  ];
  /** A text message, incoming or outgoing. */
  newMessage: [event: { originator: 'local' | 'remote'; message: Message; request: IncomingRequest | OutgoingRequest }];
  /** An OPTIONS, incoming or outgoing. */
  newOptions: [event: { originator: 'local' | 'remote'; message: Options; request: IncomingRequest | OutgoingRequest }];
  /** Somebody wants to watch us: answer with `ua.notify`. */
  newSubscribe: [event: { event: { event: string; params: Record<string, string | null> }; request: IncomingRequest }];
  /** Somebody asks us to call somebody (REFER outside calls); without a listener it is refused with 603. Not in JsSIP. */
  newRefer: [event: NewReferEvent];
  /** A NOTIFY outside of subscriptions; it has been answered 200. */
  sipEvent: [event: { event: { event: string; params: Record<string, string | null> }; request: IncomingRequest }];
};

/** Our own address as others reach it. */
export interface Contact {
  /** The public GRUU (RFC 5627) that the registrar gave, or null. */
  pub_gruu: string | null;
  /** The temporary GRUU that the registrar gave last, or null. */
  temp_gruu: string | null;
  /** The Contact as configured or made up. */
  uri: URI;
  /** The value of a Contact header. */
  toString(options?: { anonymous?: boolean; outbound?: boolean }): string;
}

/** One account: connects, registers, calls and is called. */
export class UA extends EventEmitter<UAEvents> {
  /** The numbers of `status` and `error`. */
  static readonly C = C;

  /** @internal */
  readonly endpoint: Endpoint;

  readonly #environment: Environment;
  /** One of each flow. */
  readonly #transports: readonly Transport[];
  readonly #registrator: Registrator;
  readonly #sessions = new Set<RTCSession>();
  /** Those of which a server has a state, or is about to get one. */
  readonly #publishers = new Set<Publisher>();
  readonly #incoming = new WeakMap<IncomingRequest, IncomingCallEvent>();
  readonly #subscribes = new WeakMap<IncomingRequest, TransactionNumber>();
  readonly #onPageHide = (event: Event) => this.#pageHides(event);
  #status: number = C.STATUS_INIT;
  #error: number | null = null;
  readonly #connecting = new Outcome<void>();
  readonly #registering = new Outcome<IncomingResponse>();
  readonly #unregistering = new Outcome<void>();
  readonly #stopping = new Outcome<void>();
  #farewell: unknown;
  /** Tells of the loss of the connection, before what follows from it. */
  #tellLoss: (() => void) | undefined;
  #told = '';

  /** @throws ConfigurationError if a parameter is missing or cannot be used. */
  constructor(configuration: UAConfiguration) {
    super();
    const { settings, sockets } = loadConfiguration(configuration);
    this.#environment = environmentOf(configuration.environment);
    const recovery = {
      min_interval: settings.connection_recovery_min_interval,
      max_interval: settings.connection_recovery_max_interval,
      keep_alive_interval: settings.keep_alive_interval,
      ...(settings.flows > 1 && { beside: () => this.isConnected() }),
    };
    this.#transports = shared(sockets, settings.flows).map((own) => new Transport(own, recovery, this.#environment));
    const core = new Core(coreConfig(settings, this.transport.sip_uri), {
      send: (data, flow) => {
        if (!this.#transports[flow]?.send(data as string | Uint8Array<ArrayBuffer>)) {
          debug('the connection did not take a message');
        }
      },
      event: (event) => this.#receive(event),
      woke: () => this.endpoint.verifyConnection(),
      now: this.#environment.now,
      setTimeout: this.#environment.setTimeout,
      clearTimeout: this.#environment.clearTimeout,
    });
    this.endpoint = new Endpoint(core, settings, this.#environment);
    this.endpoint.verifyConnection = () => this.#transports.forEach((transport) => transport.verify());
    this.#registrator = new Registrator(core);
    for (const [flow, transport] of this.#transports.entries()) {
      transport.onconnecting = (event) => {
        if (!this.isConnected()) {
          this.emit('connecting', event);
        }
      };
      transport.onconnect = (_, moved) => this.#connected(transport, flow, moved);
      transport.ondisconnect = (event) => this.#disconnected(event, flow);
      transport.ondata = ({ message }) => {
        this.#tellListeners();
        core.receive(message, flow);
      };
    }
  }

  /** The same as `UA.C`. */
  get C(): typeof C {
    return C;
  }

  /** One of `C.STATUS_INIT`, `C.STATUS_READY`, `C.STATUS_USER_CLOSED`, `C.STATUS_NOT_READY`. */
  get status(): number {
    return this.#status;
  }

  /** `C.NETWORK_ERROR` after a lost connection, else null. */
  get error(): number | null {
    return this.#error;
  }

  /** The parameters in force. */
  get configuration(): Settings {
    return this.endpoint.settings;
  }

  /** The connection and its state; of several flows the first that is connected. */
  get transport(): Transport {
    return this.#transports.find((transport) => transport.isConnected()) ?? this.#transports[0]!;
  }

  /** Our own address as others reach it. */
  get contact(): Contact {
    const { core, settings } = this.endpoint;
    const uri = settings.contact_uri;
    return {
      pub_gruu: core.pubGruu || null,
      temp_gruu: core.tempGruu || null,
      uri,
      toString: ({ anonymous = false, outbound = false } = {}) => {
        const gruu = anonymous ? core.tempGruu : core.pubGruu;
        const own = anonymous ? `sip:anonymous@anonymous.invalid;transport=${uri.getParam('transport') ?? 'ws'}` : `${uri}`;
        return `<${gruu || own}${outbound ? ';ob' : ''}>`;
      },
    };
  }

  /**
   * Connects, registers if configured so, and keeps both up.
   *
   * The promise (not in JsSIP) resolves when that is done. It rejects with a `FailedError` if the registrar refuses or `stop` or
   * `unregister` is called; a server that cannot be reached is tried again and again, which rejects nothing.
   */
  start(): Promise<void> {
    const { register } = this.configuration;
    if (this.#status === C.STATUS_READY && this.isConnected()) {
      return register && this.#registering.awaited ? quietly(this.#registering.next().then(() => undefined)) : Promise.resolve();
    }
    const ready: Promise<unknown> = register ? this.#registering.next() : this.#connecting.next();
    this.#environment.clearTimeout(this.#farewell);
    this.#environment.events?.addEventListener('pagehide', this.#onPageHide);
    if (this.#status === C.STATUS_USER_CLOSED) {
      this.#status = C.STATUS_INIT;
      if (this.isConnected()) {
        // It was saying good-bye.
        this.#status = C.STATUS_READY;
        this.#stopping.resolve();
        this.#connecting.resolve();
      }
    }
    if (this.configuration.register) {
      this.endpoint.core.register();
    }
    this.#transports.forEach((transport) => transport.connect());
    return quietly(ready.then(() => undefined));
  }

  /**
   * Takes published states and the registration back, ends the calls and disconnects. The promise (not in JsSIP) resolves when the
   * connection is closed, or `start` keeps it.
   */
  stop(): Promise<void> {
    if (this.#status === C.STATUS_USER_CLOSED) {
      return this.isConnected() ? this.#stopping.next() : Promise.resolve();
    }
    const stopped = this.#stopping.next();
    const canceled = new FailedError('the start', { cause: causes.CANCELED, originator: 'local' });
    this.#connecting.reject(canceled);
    this.#registering.reject(canceled);
    this.#status = C.STATUS_USER_CLOSED;
    this.#environment.events?.removeEventListener('pagehide', this.#onPageHide);
    const owed = this.#registrator.registered || this.#sessions.size > 0 || this.#publishers.size > 0;
    const pending = this.isConnected() && owed;
    for (const publisher of [...this.#publishers]) {
      void quietly(publisher.remove());
    }
    this.endpoint.core.unregister();
    this.terminateSessions();
    if (pending) {
      this.#farewell = this.#environment.setTimeout(() => this.#disconnect(), FAREWELL);
    } else {
      this.#disconnect();
      this.#stopping.resolve();
    }
    return stopped;
  }

  /** The promise (not in JsSIP) resolves with the 2xx, or rejects with a `FailedError`; a lost connection it waits for. */
  register(): Promise<IncomingResponse> {
    const registered = this.#registering.next();
    this.#registrator.register();
    return registered;
  }

  /** The promise (not in JsSIP) resolves when there is no registration any more. */
  unregister(options: { all?: boolean } = {}): Promise<void> {
    const pending = this.isConnected() && (this.isRegistered() || this.#registering.awaited || this.#unregistering.awaited);
    const unregistered = pending ? this.#unregistering.next() : Promise.resolve();
    this.#registering.reject(new FailedError('the registration', { cause: causes.CANCELED, originator: 'local' }));
    this.#registrator.unregister(options);
    return unregistered;
  }

  /** The registration. */
  registrator(): Registrator {
    return this.#registrator;
  }

  /** Calls `target`. @throws TypeError if it is no address. */
  call(target: string | URI, options: CallOptions = {}): RTCSession {
    const session = new RTCSession(this);
    session.connect(target, options);
    return session;
  }

  /**
   * Calls `target` and waits for the answer: resolves with the session once the call is accepted, rejects with a `FailedError` if it
   * ends before, or with a TypeError if the target is no address. `signal` takes the call back, as `terminate` does. Not in JsSIP.
   */
  async dial(target: string | URI, options: CallOptions & { signal?: AbortSignal } = {}): Promise<RTCSession> {
    const { signal } = options;
    signal?.throwIfAborted();
    const session = this.call(target, options);
    const takeBack = (): void => {
      if (!session.isEnded()) {
        void session.terminate();
      }
    };
    signal?.addEventListener('abort', takeBack);
    try {
      return await session.accepted;
    } finally {
      signal?.removeEventListener('abort', takeBack);
    }
  }

  /** Sends a text message. Its `answered` is a promise of the response. @throws TypeError if the target is no address. */
  sendMessage(target: string | URI, body: string, options: SendOptions = {}): Message {
    const message = new Message(this);
    message.send(target, body, options);
    return message;
  }

  /** Asks a peer what it can do. @throws TypeError if the target is no address. */
  sendOptions(target: string | URI, body?: string | null, options: SendOptions = {}): Options {
    const request = new Options(this);
    request.send(target, body, options);
    return request;
  }

  /** Prepares a subscription; its `subscribe()` sends it. @throws TypeError if target or event cannot be used. */
  subscribe(target: string | URI, event: string, accept: string, options: SubscribeOptions = {}): Subscriber {
    return new Subscriber(this, target, event, accept, options);
  }

  /**
   * Asks `target` to call `referTo`, without a call between us. Its `over` is a promise of how that went. Not in JsSIP.
   * With `replaces`, a call of ours with `referTo`, the new call takes the place of that one (RFC 3891).
   * @throws InvalidStateError if `replaces` does not stand.
   * @throws TypeError if an address cannot be used.
   */
  refer(target: string | URI, referTo: string | URI, options: ReferOptions & { replaces?: RTCSession } = {}): OutOfDialogRefer {
    return new OutOfDialogRefer(this, target, referTo, options);
  }

  /** Prepares a state for others to see, kept at `target`; its `publish(body)` sends it. Not in JsSIP. */
  publisher(target: string | URI, event: string, options: PublishOptions = {}): Publisher {
    return new Publisher(this, target, event, options);
  }

  /** Takes a subscription of somebody else, in `newSubscribe`; its `start()` answers it. */
  notify(subscribe: IncomingRequest, contentType: string, options: NotifyOptions = {}): Notifier {
    return new Notifier(this, subscribe, contentType, options);
  }

  /** Ends every call. */
  terminateSessions(options: TerminateOptions = {}): void {
    for (const session of [...this.#sessions]) {
      if (!session.isEnded()) {
        void session.terminate(options);
      }
    }
  }

  /** Whether the registrar knows us. */
  isRegistered(): boolean {
    return this.#registrator.registered;
  }

  /** Whether there is a connection to a server. */
  isConnected(): boolean {
    return this.#transports.some((transport) => transport.isConnected());
  }

  /** The value of a parameter that can change while the user agent runs. */
  get(parameter: string): string | null | readonly string[] | undefined {
    if (!(CHANGEABLE as readonly string[]).includes(parameter) || parameter === 'password') {
      debug('get: not a readable parameter', parameter);
      return undefined;
    }
    return this.configuration[parameter as Changeable];
  }

  /** Changes a parameter. Returns false if that one cannot change or the value cannot be used. */
  set(parameter: string, value: unknown): boolean {
    if (!(CHANGEABLE as readonly string[]).includes(parameter)) {
      debug('set: not a changeable parameter', parameter);
      return false;
    }
    const changed = changeSetting(this.configuration, parameter as Changeable, value);
    if (changed) {
      this.endpoint.core.configure(credentials(this.configuration));
    }
    return changed;
  }

  /** The URI that calling `target` would call. */
  normalizeTarget(target: string | URI | undefined | null): URI | undefined {
    return normalizeTarget(target, this.configuration.hostport_params);
  }

  /** @internal */
  announceSession(originator: 'local' | 'remote', session: RTCSession, request: IncomingRequest | OutgoingRequest): void {
    this.emit('newRTCSession', { originator, session, request });
  }

  /** @internal */
  sessionBegan(session: RTCSession): void {
    this.#sessions.add(session);
  }

  /** @internal */
  sessionOver(session: RTCSession): void {
    this.#sessions.delete(session);
  }

  /** @internal Whether a server has a state of that publisher, or is just being given one. */
  statePublished(publisher: Publisher, published: boolean): void {
    this.#publishers[published ? 'add' : 'delete'](publisher);
  }

  /** @internal The call that a request started; each can be taken once. */
  takeIncoming(request: IncomingRequest): IncomingCallEvent | undefined {
    const event = this.#incoming.get(request);
    this.#incoming.delete(request);
    return event;
  }

  /** @internal The transaction of a SUBSCRIBE; each can be taken once. */
  takeSubscribe(request: IncomingRequest): TransactionNumber | undefined {
    const transaction = this.#subscribes.get(request);
    this.#subscribes.delete(request);
    return transaction;
  }

  #disconnect(): void {
    [...this.#transports].reverse().forEach((transport) => transport.disconnect());
  }

  #connected(transport: Transport, flow: number, moved: boolean): void {
    if (this.#status === C.STATUS_USER_CLOSED) {
      return;
    }
    const first = this.#status !== C.STATUS_READY;
    this.#status = C.STATUS_READY;
    this.#error = null;
    const via = viaTransport(transport.via_transport);
    this.endpoint.core.opened(via, flow);
    if (first) {
      // Before the registration, as with JsSIP: the page may have something to add to it.
      this.emit('connected', { socket: transport });
      if (!transport.isConnected()) {
        return; // It has stopped in its listener.
      }
    }
    this.#tellListeners();
    this.endpoint.core.connected(via, flow);
    this.#connecting.resolve();
    for (const session of this.#sessions) {
      session.signallingBack(moved);
    }
  }

  #disconnected(event: Disconnection, flow: number): void {
    if (this.isConnected() || (this.#status === C.STATUS_USER_CLOSED && flow > 0)) {
      // Another flow goes on, and takes the calls with it; or the first one, which leaves last, tells the page.
      this.endpoint.core.disconnected(flow);
      for (const session of this.#sessions) {
        session.signallingBack(false);
      }
      return;
    }
    this.#environment.clearTimeout(this.#farewell);
    if (this.#status !== C.STATUS_USER_CLOSED) {
      this.#status = C.STATUS_NOT_READY;
      this.#error = C.NETWORK_ERROR;
    }
    let told = false;
    this.#tellLoss = () => {
      if (!told) {
        told = true;
        this.emit('disconnected', event);
      }
    };
    this.endpoint.core.disconnected(flow);
    this.#tellLoss();
    this.#tellLoss = undefined;
    if (this.#status === C.STATUS_USER_CLOSED) {
      this.#stopping.resolve();
    }
  }

  /** Tells the core what the page listens to: it refuses the rest by itself. */
  #tellListeners(): void {
    const listens = {
      calls: this.listenerCount('newRTCSession') > 0,
      messages: this.listenerCount('newMessage') > 0,
      options: this.listenerCount('newOptions') > 0,
      subscriptions: this.listenerCount('newSubscribe') > 0,
      refers: this.listenerCount('newRefer') > 0,
    };
    const refreshesRegistration = this.listenerCount('registrationExpiring') === 0;
    const state = JSON.stringify([listens, refreshesRegistration]);
    if (state !== this.#told) {
      this.#told = state;
      this.endpoint.core.configure({ listens, refreshesRegistration });
    }
  }

  #receive(event: CoreEvent): void {
    switch (event.type) {
      case 'registered':
        this.#registrator.isRegistered = true;
        this.endpoint.iceServers = iceServersOf(event.response.headers('ice-server'));
        if (event.first) {
          this.emit('registered', { response: new IncomingResponse(event.response) });
        }
        this.#registering.resolve(new IncomingResponse(event.response));
        break;
      case 'registrationFailed': {
        this.#registrator.isRegistered = false;
        const response = event.response === null ? null : new IncomingResponse(event.response);
        this.emit('registrationFailed', { response, cause: event.cause });
        // Over the next connection it is tried again.
        if (event.cause !== causes.CONNECTION_ERROR) {
          this.#registering.reject(new FailedError('the registration', { cause: event.cause, originator: response ? 'remote' : 'system', response }));
        }
        this.#unregistering.resolve();
        break;
      }
      case 'unregistered': {
        this.#registrator.isRegistered = false;
        const response = event.response === null ? null : new IncomingResponse(event.response);
        this.#tellLoss?.();
        this.emit('unregistered', response === null && event.cause === null ? {} : { response, cause: event.cause });
        this.#unregistering.resolve();
        break;
      }
      case 'registrationExpiring':
        this.emit('registrationExpiring');
        break;
      case 'incomingCall':
        this.#incomingCall(event);
        break;
      case 'incomingRequest':
        this.#incomingRequest(event);
        break;
      case 'notify': {
        const request = new IncomingRequest(event.request);
        this.emit('sipEvent', { event: request.event ?? { event: '', params: {} }, request });
        break;
      }
      default:
        this.endpoint.dispatch(event);
    }
  }

  #incomingCall(event: IncomingCallEvent): void {
    const request = new IncomingRequest(event.request, (status, reason, extraHeaders, body) => {
      const options = { ...payloadOf(extraHeaders, body), reason };
      this.endpoint.attempt((core) =>
        status < 200 ? core.ring(event.call, { ...options, status }) : core.reject(event.call, status, options),
      );
    });
    this.#incoming.set(request, event);
    // Until it is taken there is no news of it but its end.
    this.endpoint.attach(event.call, {
      receive: () => {
        this.endpoint.detach(event.call);
        this.#incoming.delete(request);
      },
    });
    const replaced = event.replaces === null ? undefined : this.endpoint.listenerOf(event.replaces);
    if (replaced instanceof RTCSession && replaced.receiveReplaces(request)) {
      return;
    }
    const session = new RTCSession(this);
    if (replaced instanceof RTCSession) {
      // RFC 3891 §3: once the new call stands, the old one ends.
      session.on('confirmed', () => {
        if (!replaced.isEnded()) {
          replaced.terminate();
        }
      });
    }
    session.init_incoming(request);
  }

  #incomingRequest(event: IncomingRequestEvent): void {
    const request = new IncomingRequest(event.request, (status, reason, extraHeaders, body) => {
      const options = { ...payloadOf(extraHeaders, body), reason };
      this.endpoint.attempt((core) => core.respond(event.transaction, status, options));
    });
    if (event.method === 'MESSAGE') {
      new Message(this).init_incoming(request, event.transaction);
    } else if (event.method === 'OPTIONS') {
      new Options(this).init_incoming(request, event.transaction);
    } else if (event.method === 'REFER') {
      receiveRefer(this, request, event.transaction);
    } else if (event.method === 'SUBSCRIBE' && request.event !== undefined) {
      this.#subscribes.set(request, event.transaction);
      this.emit('newSubscribe', { event: request.event, request });
    } else {
      // RFC 6665 §7.2: a SUBSCRIBE must say to what.
      request.reply(event.method === 'SUBSCRIBE' ? 489 : 405);
    }
  }

  /** The page goes away: what can be said without waiting is said. A page that is only frozen keeps its calls. */
  #pageHides(event: Event): void {
    if (!(event as PageTransitionEvent).persisted) {
      this.terminateSessions();
    }
  }
}

/** Gives each flow its sockets, the preferred ones to different flows. */
function shared(sockets: readonly WeightedSocket[], flows: number): WeightedSocket[][] {
  const sorted = flows > 1 ? [...sockets].sort((one, other) => other.weight - one.weight) : sockets;
  return Array.from({ length: flows }, (_, flow) => sorted.filter((_, place) => place % flows === flow));
}
