/** A page over the real core, with the far end of its connection. Needs the WebAssembly module. */
import { existsSync } from 'node:fs';
import type { UA as UserAgent } from '../../src/index.ts';
import { Clock, settle } from './clock.ts';
import { FarEnd, type Sip } from './far_end.ts';
import { FakeDevices, FakePeerConnection, sdp } from './webrtc.ts';

const built = existsSync(new URL('../../generated/sipweb_wasm.wasm', import.meta.url));
if (!built && process.env.CI) {
  throw new Error('the WebAssembly module is not built');
}
export const library = built ? await import('../../src/index.ts') : undefined;
export const options = { skip: built ? false : 'the WebAssembly module is not built' };

export const CONTACT = 'Contact: <sip:bob@far.example;transport=ws>';

export class Scene {
  readonly clock = new Clock();
  readonly far = new FarEnd();
  readonly devices = new FakeDevices();
  readonly diary: string[] = [];
  readonly ua: UserAgent;
  session: any;

  constructor(configuration: Record<string, unknown> = {}) {
    FakePeerConnection.gathering = 'complete';
    FakePeerConnection.failing.clear();
    const environment: any = {
      RTCPeerConnection: FakePeerConnection, mediaDevices: this.devices, events: new EventTarget(),
      setTimeout: this.clock.setTimeout, clearTimeout: this.clock.clearTimeout, now: () => this.clock.now,
    };
    this.ua = new library!.UA({
      sockets: this.far as any, uri: 'sip:alice@example.com', password: 'secret', register: false, environment, ...configuration,
    });
    for (const name of ['registered', 'unregistered', 'registrationFailed', 'connected', 'disconnected'] as const) {
      this.ua.on(name, (event: any) => this.diary.push([name, event.cause].filter(Boolean).join(' ')));
    }
    this.ua.on('newRTCSession', ({ session }) => {
      this.session = session;
      for (const name of ['progress', 'accepted', 'confirmed', 'ended', 'failed', 'hold', 'unhold', 'newDTMF', 'reofferfailed'] as const) {
        session.on(name as 'ended', (event) => this.diary.push([name, event.originator, event.cause].filter(Boolean).join(' ')));
      }
    });
  }

  async start(): Promise<this> {
    this.ua.start();
    await settle();
    this.diary.length = 0;
    return this;
  }

  news(): string[] {
    return this.diary.splice(0);
  }

  /** Calls bob up to the answer. */
  async call(): Promise<Sip> {
    this.ua.call('bob', { mediaConstraints: { audio: true, video: false } });
    await settle();
    const invite = this.far.take('INVITE');
    this.far.respond(invite, 180, 'Ringing', [CONTACT], '', 'bobs');
    this.far.respond(invite, 200, 'OK', [CONTACT, 'Allow: INVITE,ACK,BYE,CANCEL,UPDATE,INFO'], sdp(), 'bobs');
    await settle();
    this.far.take('ACK');
    return invite;
  }

  /** Bob calls. */
  ring(body = sdp(), lines: string[] = []): void {
    this.far.ask('INVITE', contactOf(this.ua), [
      'From: <sip:bob@example.com>;tag=bobs', 'To: <sip:alice@example.com>', 'Call-ID: theirs@far', 'CSeq: 1 INVITE', CONTACT, ...lines,
    ], body);
  }
}

export function contactOf(ua: UserAgent): string {
  return ua.contact.toString().slice(1, -1);
}
