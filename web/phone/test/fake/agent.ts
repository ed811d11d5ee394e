/**
 * A double of the library: no network, no SIP. Tests and pictures steer it through `window.fake`.
 * Only bundled by the test server; never part of the product.
 */
import type { Agent, AgentOptions, CallOptions, Handlers, Library, MessageOptions, Payload, Publication, Quality, Session, Subscription } from '../../src/model/library.ts';

type Listener = (event: any) => void;
type Kinds = { audio?: boolean; video?: boolean };

class Emitter {
  readonly #listeners = new Map<string, Listener[]>();

  on(event: string, listener: Listener): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return this;
  }

  emit(event: string, payload: Payload = {}): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(payload);
  }
}

/** A message with these headers. */
function carrying(headers: Readonly<Record<string, string[]>>): Payload {
  return { getHeaders: (name: string) => headers[name] ?? [], getHeader: (name: string) => headers[name]?.[0] };
}

export class FakeSession extends Emitter implements Session {
  connection: RTCPeerConnection | null = null;
  readonly remote_identity: { uri: string; display_name: string | null };
  readonly digits: [string, string | undefined][] = [];
  ended = false;
  options: CallOptions | undefined;

  constructor(readonly incoming: boolean, uri: string, name: string | null = null, handlers: Handlers = {}) {
    super();
    this.remote_identity = { uri, display_name: name };
    for (const [event, listener] of Object.entries(handlers)) this.on(event, listener);
  }

  answer(options: CallOptions): void {
    this.options = options;
    this.emit('accepted', { originator: 'local' });
    this.emit('confirmed', { originator: 'remote' });
  }

  terminate(options?: { status_code?: number }): void {
    this.ended = true;
    const cause = this.talking ? 'Terminated' : this.incoming ? 'Rejected' : 'Canceled';
    this.emit(this.talking ? 'ended' : 'failed', { originator: 'local', cause, options });
  }

  talking = false;

  override emit(event: string, payload: Payload = {}): void {
    if (event === 'confirmed') this.talking = true;
    super.emit(event, payload);
  }

  sendDTMF(tone: string, options?: { transportType?: string }): void {
    this.digits.push([tone, options?.transportType]);
  }

  held = false;

  hold(): boolean {
    this.held = true;
    this.emit('hold', { originator: 'local' });
    return true;
  }

  unhold(): boolean {
    this.held = false;
    this.emit('unhold', { originator: 'local' });
    return true;
  }

  offers = 0;

  renegotiate(): boolean {
    this.offers += 1;
    return true;
  }

  /** Where the other side was asked to call, and who hears how that goes. */
  referred: { target: string; handlers: Handlers; replaces: Session | undefined } | undefined;

  refer(target: string, { eventHandlers, replaces }: { eventHandlers: Handlers; replaces?: Session }): boolean {
    this.referred = { target, handlers: eventHandlers, replaces };
    return true;
  }

  /** What of ours is kept from the other side. */
  readonly silent = { audio: false, video: false };

  get muted(): boolean {
    return this.silent.audio;
  }

  mute(kinds: Kinds = { audio: true }): void {
    this.#silence(kinds, true);
  }

  unmute(kinds: Kinds = { audio: true, video: true }): void {
    this.#silence(kinds, false);
  }

  #silence(kinds: Kinds, silent: boolean): void {
    for (const kind of ['audio', 'video'] as const) {
      if (!kinds[kind] || this.silent[kind] === silent) continue;
      this.silent[kind] = silent;
      for (const { track } of this.connection?.getSenders() ?? []) if (track?.kind === kind) track.enabled = !silent;
    }
  }

  isEnded(): boolean {
    return this.ended;
  }

  /** A final answer from the network. */
  fail(code: number, phrase: string, cause: string, headers: Readonly<Record<string, string[]>> = {}): void {
    this.emit('failed', { originator: 'remote', cause, message: { status_code: code, reason_phrase: phrase, ...carrying(headers) } });
  }

  /** A BYE from the network. */
  bye(headers: Readonly<Record<string, string[]>> = {}): void {
    this.emit('ended', { originator: 'remote', cause: 'Terminated', message: carrying(headers) });
  }

  /** Early media or the sound and picture of the other side. */
  media(stream: MediaStream): void {
    const connection = new RTCPeerConnection();
    this.emit('peerconnection', { peerconnection: connection });
    for (const track of stream.getTracks()) connection.dispatchEvent(new RTCTrackEvent('track', { track, receiver: connection.addTransceiver(track.kind).receiver, transceiver: connection.getTransceivers()[0]! }));
  }
}

/** A subscription whose notifications the tests make. */
export class FakeSubscription implements Subscription {
  asked = 0;
  readonly #listeners = new Map<string, (...values: any[]) => void>();

  constructor(readonly target: string, readonly event: string) {}

  on(event: string, listener: (...values: any[]) => void): void {
    this.#listeners.set(event, listener);
  }

  subscribe(): void {
    this.asked += 1;
  }

  terminate(): void {
    this.asked = 0;
  }

  notify(body: string): void {
    this.#listeners.get('notify')?.(false, {}, body, '');
  }

  refuse(): void {
    this.#listeners.get('terminated')?.(2, undefined, undefined);
  }
}

export class FakeAgent extends Emitter implements Agent {
  stopped = false;
  starts = 0;
  readonly sessions: FakeSession[] = [];
  readonly sent: { target: string; body: string; handlers: Handlers }[] = [];

  constructor(readonly options: AgentOptions) {
    super();
  }

  start(): void {
    this.starts += 1;
    this.emit('connecting', { attempts: this.starts });
    fake.onstart(this);
  }

  stop(): void {
    this.stopped = true;
  }

  register(): void {
    fake.onstart(this);
  }

  call(target: string, options: CallOptions): Session {
    const session = new FakeSession(false, target, null, options.eventHandlers);
    session.options = options;
    this.sessions.push(session);
    this.emit('newRTCSession', { originator: 'local', session });
    return session;
  }

  sendMessage(target: string, body: string, options: MessageOptions = {}): void {
    const handlers = options.eventHandlers ?? {};
    this.sent.push({ target, body, handlers });
    queueMicrotask(() => fake.onmessage(handlers));
  }

  readonly subscriptions: FakeSubscription[] = [];

  subscribe(target: string, event: string): FakeSubscription {
    const subscription = new FakeSubscription(target, event);
    this.subscriptions.push(subscription);
    return subscription;
  }

  /** What was published, document by document; '' where it was taken back. */
  readonly published: string[] = [];

  publisher(): Publication {
    const publication = Object.assign(new Emitter(), {
      publish: async (body: string): Promise<void> => {
        this.published.push(body);
        queueMicrotask(() => (fake.publishing === 200 ? publication.emit('published') : publication.emit('failed', { response: fake.publishing ? { status_code: fake.publishing } : null })));
      },
      remove: async (): Promise<void> => { this.published.push(''); },
    });
    return publication;
  }

  accept(): void {
    this.emit('connected');
    this.emit('registered', {});
  }

  ring(uri: string, name: string | null = null, sdp = 'm=audio 9 RTP/SAVPF 111'): FakeSession {
    const session = new FakeSession(true, uri, name);
    this.sessions.push(session);
    this.emit('newRTCSession', { originator: 'remote', session, request: { body: sdp } });
    return session;
  }

  /** Somebody calls in order to take the place of the other side of `session` (RFC 3891). */
  replace(session: FakeSession, uri: string, name: string): void {
    const successor = new FakeSession(true, uri, name);
    successor.on('confirmed', () => { if (!session.ended) session.terminate(); });
    session.emit('replaces', {
      accept: (init: (session: FakeSession) => void) => {
        init(successor);
        this.sessions.push(successor);
        this.emit('newRTCSession', { originator: 'remote', session: successor, request: { body: 'm=audio 9 RTP/SAVPF 111' } });
      },
      reject: () => undefined,
    });
  }

  message(uri: string, name: string | null, body: string, type = 'text/plain'): void {
    const request = { body, getHeader: (header: string) => (header === 'Content-Type' ? type : undefined) };
    this.emit('newMessage', { originator: 'remote', message: { remote_identity: { uri, display_name: name } }, request });
  }
}

/** What tests change: how the network behaves, and the agent made last. */
export const fake = {
  agent: undefined as FakeAgent | undefined,
  agents: 0,
  onstart: (agent: FakeAgent): void => queueMicrotask(() => agent.accept()),
  quality: undefined as Quality | undefined,
  /** How the server answers a PUBLISH; 0: not at all. */
  publishing: 200,
  onmessage: (handlers: Handlers): void => handlers.succeeded?.({}),
};

export const fakeLibrary: Library = {
  createAgent(options) {
    fake.agent = new FakeAgent(options);
    fake.agents += 1;
    return fake.agent;
  },
  quality: async () => {
    if (!fake.quality) throw new Error('nothing measured');
    return fake.quality;
  },
};
