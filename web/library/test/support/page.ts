/** A page with one user agent: fake clock, fake socket, fake media, and a diary of events. */
import { library } from './library.ts';
import type { Core } from './fake_core.ts';
import { Clock, settle } from './clock.ts';
import { FakeDevices, FakePeerConnection, sdp } from './webrtc.ts';

// Not a plain import: it must come after the double has been put in the place of the core.
const { Core: FakeCore, request, response } = await import('./fake_core.ts');

export class FakeSocket {
  via_transport = 'WS';
  url: string;
  sip_uri = 'sip:server.example;transport=ws';
  onconnect: (() => void) | undefined;
  ondisconnect: ((error: boolean, code?: number, reason?: string) => void) | undefined;
  ondata: ((data: string) => void) | undefined;
  attempts = 0;
  disconnects = 0;
  sent: unknown[] = [];
  /** Whether the server answers when it is asked for a sign of life. */
  alive = true;

  constructor(url = 'ws://server.example') {
    this.url = url;
  }
  connect(): void {
    this.attempts += 1;
  }
  disconnect(): void {
    this.disconnects += 1;
  }
  send(message: unknown): boolean {
    this.sent.push(message);
    if (this.alive && message === '\r\n\r\n') {
      queueMicrotask(() => this.ondata?.('\r\n'));
    }
    return true;
  }
}

const ALL = [
  'peerconnection', 'connecting', 'sending', 'progress', 'accepted', 'confirmed', 'ended', 'failed', 'newDTMF', 'newInfo', 'hold',
  'unhold', 'muted', 'unmuted', 'reinvite', 'update', 'refer', 'replaces', 'sdp', 'icecandidate', 'getusermediafailed', 'reofferfailed',
  'peerconnection:createofferfailed', 'peerconnection:setremotedescriptionfailed',
] as const;

/** A page that is connected. Everything that its calls say is in `diary`: `name originator cause` as far as there is one. */
export class Page {
  readonly clock = new Clock();
  readonly socket = new FakeSocket();
  readonly devices = new FakeDevices();
  readonly events = new EventTarget();
  readonly diary: string[] = [];
  readonly ua: InstanceType<typeof library.UA>;
  readonly core: Core;
  /** The call that arrived or was made last. */
  session: InstanceType<typeof library.RTCSession> | undefined;
  /** Payloads by event name: the last one. */
  readonly last: Record<string, any> = {};

  constructor(configuration: Record<string, unknown> = {}) {
    FakePeerConnection.gathering = 'complete';
    FakePeerConnection.failing.clear();
    FakePeerConnection.provisionalAnswers = true;
    this.ua = new library.UA({
      sockets: this.socket as any,
      uri: 'sip:alice@example.com',
      password: 'secret',
      environment: {
        RTCPeerConnection: FakePeerConnection as any,
        mediaDevices: this.devices as any,
        events: this.events,
        setTimeout: this.clock.setTimeout,
        clearTimeout: this.clock.clearTimeout,
        now: () => this.clock.now,
      },
      ...configuration,
    });
    this.core = FakeCore.last;
    this.ua.on('newRTCSession', (event) => {
      this.session = event.session;
      this.note('newRTCSession', event);
      for (const name of ALL.filter((each) => each !== 'peerconnection' || event.originator === 'remote')) {
        event.session.on(name as 'ended', (payload) => this.note(name, payload));
      }
    });
  }

  connect(): this {
    this.ua.start();
    this.socket.onconnect?.();
    return this;
  }

  note(name: string, payload: any): void {
    this.last[name] = payload;
    const words = [name, payload?.originator, payload?.type, payload?.cause];
    this.diary.push(words.filter((word) => typeof word === 'string').join(' '));
  }

  /** What was noted since the last look. */
  news(): string[] {
    return this.diary.splice(0).filter((line) => line !== 'icecandidate');
  }

  get connection(): FakePeerConnection {
    return FakePeerConnection.last;
  }

  get call(): number {
    return 1;
  }

  /** An outgoing call that bob has answered. */
  async establish(): Promise<void> {
    this.ua.call('bob', { mediaConstraints: { audio: true, video: false } });
    await settle();
    this.core.fire({ type: 'progress', call: 1, response: response(180, 'Ringing'), body: '', fork: 'theirs' });
    this.answered();
    await settle();
    this.core.fire({ type: 'confirmed', call: 1, originator: 'local', request: null, body: '' });
    await settle();
    this.news();
  }

  answered(body = sdp()): void {
    this.core.fire({
      type: 'accepted', call: 1, response: response(200, 'OK', { body }), body, fork: 'theirs',
    });
  }

  /** Bob calls. */
  ring(body = sdp(), call = 7): void {
    this.core.fire({
      type: 'incomingCall', call, request: request('INVITE', { from: '"Bob" <sip:bob@example.com>;tag=bobs', to: '<sip:alice@example.com>', body }),
      body, replaces: null,
    });
  }

  /** A response to the `number`-th thing that was created. */
  respond(number: number, status: number, reason: string, body = '', method = 'INVITE'): void {
    const message = response(status, reason, { method, body });
    this.core.fire({ type: 'response', number, call: 1, status, response: message, body });
  }
}

export { Clock, FakePeerConnection, request, response, sdp, settle };
