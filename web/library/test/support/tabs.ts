/** Several tabs of one browser over the real core: their ports, their worker, and the server behind it. */
import type { SharedUA } from '../../src/shared/index.ts';
import { Clock, settle } from './clock.ts';
import { FarEnd, type Sip, one } from './far_end.ts';
import { library } from './scene.ts';
import { FakeDevices, FakePeerConnection, sdp } from './webrtc.ts';

const shared = library && (await import('../../src/shared/index.ts'));
const worker = library && (await import('../../src/shared/exchange.ts'));

/** The two ends of a channel; what passes is copied, later, as between a page and a worker. */
function channel(): [any, any] {
  const ends: any[] = [{ onmessage: null }, { onmessage: null }];
  for (const [at, end] of ends.entries()) {
    end.postMessage = (message: unknown) => {
      const data = structuredClone(message);
      queueMicrotask(() => ends[1 - at].onmessage?.({ data }));
    };
  }
  return ends as [any, any];
}

export class Browser {
  readonly clock = new Clock();
  readonly far = new FarEnd();
  /** How many connections were opened. */
  connections = 0;
  #exchange!: InstanceType<NonNullable<typeof worker>['Exchange']>;
  #worker = 0;
  /** The locks of the browser that are held, and who waits for them. */
  readonly #locks = new Map<string, (() => void)[]>();

  constructor() {
    FakePeerConnection.gathering = 'complete';
    FakePeerConnection.failing.clear();
    const browser = this;
    class WebSocketClass {
      readyState = 0;
      onopen: any;
      onclose: any;
      onmessage: any;
      constructor() {
        browser.connections += 1;
        browser.far.onconnect = () => { this.readyState = 1; this.onopen?.(); };
        browser.far.ondisconnect = (_error, code) => { this.readyState = 3; this.onclose?.({ wasClean: false, code, reason: '' }); };
        browser.far.ondata = (data) => this.onmessage?.({ data });
        browser.far.connect();
      }
      send(data: string): void { browser.far.send(data); }
      close(): void { this.readyState = 3; browser.far.disconnect(); }
    }
    this.#work = () => {
      const { now, setTimeout, clearTimeout } = { ...this.clock, now: () => this.clock.now };
      const lock = `worker ${(this.#worker += 1)}`;
      this.#locks.set(lock, []);
      this.#exchange = new worker!.Exchange({
        now, setTimeout, clearTimeout, WebSocketClass: WebSocketClass as any, lock: Promise.resolve(lock),
      });
    };
    this.#work();
    const request = (lock: string, ...rest: any[]): void => void this.#locks.get(lock)?.push(rest.at(-1));
    Object.defineProperty(globalThis, 'navigator', { value: { locks: { request } }, configurable: true });
  }

  readonly #work: () => void;

  /** The worker is gone without a word, its connection with it; who asks for it next gets another. */
  async killWorker(): Promise<void> {
    const waiting = this.#locks.get(`worker ${this.#worker}`);
    this.#channels.splice(0).forEach((end) => (end.onmessage = end.postMessage = () => undefined));
    this.far.disconnect();
    this.#work();
    waiting?.forEach((free) => free());
    await settle();
  }

  readonly #channels: any[] = [];

  /** Opens a tab with a user agent that is registered. */
  async tab(configuration: Record<string, unknown> = {}): Promise<TabOf> {
    const tab = new TabOf(this.clock, () => {
      const [here, there] = channel();
      this.#channels.push(there);
      this.#exchange.add(there);
      return here;
    }, configuration);
    tab.ua.start();
    await settle();
    await this.grant();
    return tab;
  }

  /** Answers a REGISTER, if one came. Returns it. */
  async grant(): Promise<Sip | undefined> {
    if (!this.far.inbox.some(({ method }) => method === 'REGISTER')) {
      return undefined;
    }
    const register = this.far.take('REGISTER');
    const contact = one(register, 'Contact').replace(/;expires=\d+/, '');
    const isEnd = /expires=0/.test(one(register, 'Contact')) || one(register, 'Expires') === '0';
    this.far.respond(register, 200, 'OK', isEnd ? [] : [`Contact: ${contact};expires=600;pub-gruu="sip:alice@example.com;gr=urn:uuid:1"`]);
    await settle();
    return register;
  }

  /** Bob calls alice. */
  async ring(tab: TabOf, lines: string[] = []): Promise<void> {
    this.far.ask('INVITE', tab.contact, [
      'From: <sip:bob@example.com>;tag=bobs', 'To: <sip:alice@example.com>', 'Call-ID: theirs@far', 'CSeq: 1 INVITE',
      'Contact: <sip:bob@far.example;transport=ws>', 'Record-Route: <sip:edge.example;lr>', ...lines,
    ], sdp());
    await settle();
  }

  /** The 200 with which a tab has answered. */
  answer(): Sip {
    const at = this.far.inbox.findIndex(({ start, method }) => start === 'SIP/2.0 200 OK' && method === 'INVITE');
    return this.far.inbox.splice(at, 1)[0]!;
  }

  /** Bob's next request in the call that `ok` answered. */
  async ask(tab: TabOf, method: string, ok: Sip, cseq = 1): Promise<void> {
    this.far.ask(method, tab.contact, ['From: <sip:bob@example.com>;tag=bobs', `To: ${one(ok, 'To')}`, 'Call-ID: theirs@far', `CSeq: ${cseq} ${method}`]);
    await settle();
  }

  /** The start lines of all that reached the server, which are then forgotten. */
  sent(): string[] {
    return this.far.inbox.splice(0).map(({ start }) => start.replace(/^(\w+) sip.*/, '$1').replace('SIP/2.0 ', ''));
  }
}

export class TabOf {
  readonly ua: SharedUA;
  readonly diary: string[] = [];
  readonly page = new EventTarget();
  readonly messages: string[] = [];
  session: any;
  ended: any;
  #port: any;

  constructor(clock: Clock, open: () => unknown, configuration: Record<string, unknown>) {
    const environment: any = {
      RTCPeerConnection: FakePeerConnection, mediaDevices: new FakeDevices(), events: this.page,
      setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout, now: () => clock.now,
    };
    const worker = (): any => (this.#port = open());
    this.ua = new shared!.SharedUA({
      sockets: new library!.WebSocketInterface('ws://far.example'), uri: 'sip:alice@example.com', password: 'secret', environment, worker,
      contact_uri: 'sip:phone@this.invalid;transport=ws', instance_id: '8f1fa16a-1165-4a96-8341-785b1ef24f12', ...configuration,
    });
    for (const name of ['registered', 'unregistered', 'registrationFailed', 'connected', 'disconnected'] as const) {
      this.ua.on(name, () => this.diary.push(name));
    }
    this.ua.on('newMessage', ({ request }) => this.messages.push(String(request.body)));
    this.ua.on('newRTCSession', ({ originator, session }) => {
      this.session = session;
      this.diary.push(`${originator} call`);
      for (const name of ['accepted', 'confirmed', 'ended', 'failed'] as const) {
        session.on(name as 'ended', (event) => {
          this.ended = event;
          this.diary.push([name, event.originator, event.cause].filter(Boolean).join(' '));
        });
      }
    });
  }

  get contact(): string {
    return String(this.ua.contact.uri);
  }

  news(): string[] {
    return this.diary.splice(0);
  }

  async answer(): Promise<void> {
    this.session.answer({ mediaConstraints: { audio: true } });
    await settle();
  }

  /** The user closes the tab. */
  async close(): Promise<void> {
    this.page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }));
    await settle();
  }

  /** The tab is gone: the worker is told what the tab's lock tells it where browsers have locks (shared_tabs.test.mjs). */
  async crash(): Promise<void> {
    this.#port.postMessage({ kind: 'leave' });
    this.#port.postMessage = () => undefined;
    await settle();
  }
}
