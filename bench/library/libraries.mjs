// The libraries, each behind the same four functions. JsSIP and SIP.js are used as their documentation says; their parsers, which
// are not exported, are reached inside their packages.
//
//   parse(text)       the message parsed, and every header that an application looks at read: gives what was read, joined
//   open()            a user agent that is connected
//   take(number)      an INVITE into it: parsed, transaction made, application told, which reads the headers and refuses (486)
//   call()            a call out: INVITE, 180, 200, ACK, BYE

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Socket } from './browser.mjs';
import { LOOKED_AT, SDP, acknowledge, invite, phone } from './far_end.mjs';

const require = createRequire(import.meta.url);
const TARGET = 'sip:alice@example.com';
const ADDRESS = { uri: 'sip:alice@example.com', password: 'secret', register: false };
const AUDIO = { mediaConstraints: { audio: true, video: false } };

/** What an application reads of a request of JsSIP or Sipweb, from the start line to the end of the body. */
function readAll(request) {
  const fields = LOOKED_AT.map((name) => request.getHeader(name));
  const { from, to } = request;
  return [request.method, String(request.ruri), from.uri.user, from.display_name, to.uri.host, request.from_tag, request.via_branch,
    request.parseHeader('Contact').uri.host, ...fields, request.body].join('|');
}

/** Two libraries with one interface. */
class JsSipShaped {
  constructor(library) {
    this.library = library;
  }

  async open() {
    this.socket = new Socket();
    this.phone = phone(this.socket.say);
    this.ua = new this.library.UA({ sockets: this.socket, ...ADDRESS });
    this.ua.on('newRTCSession', (event) => this.told?.(event));
    const connected = new Promise((resolve) => this.ua.on('connected', resolve));
    this.ua.start();
    await connected;
  }

  /** Once a 486 has gone out it is acknowledged, as a proxy does. */
  async take(number) {
    const text = invite(number, TARGET);
    let read = '';
    this.told = ({ session, request }) => {
      read = readAll(request);
      session.terminate({ status_code: 486 });
    };
    const refused = new Promise((resolve) => {
      this.socket.answer = (message) => {
        if (String(message).startsWith('SIP/2.0 486')) resolve(String(message));
      };
    });
    this.socket.say(text);
    const refusal = await refused;
    this.socket.say(acknowledge(text, refusal));
    this.told = undefined;
    return read;
  }

  async call() {
    this.socket.answer = this.phone;
    const session = this.ua.call('sip:bob@example.com', AUDIO);
    await new Promise((resolve, reject) => {
      session.on('confirmed', resolve);
      session.on('failed', ({ cause }) => reject(new Error(`the call failed: ${cause}`)));
    });
    const ended = new Promise((resolve) => session.on('ended', resolve));
    session.terminate();
    await ended;
  }
}

export class Sipweb extends JsSipShaped {
  static title = 'Sipweb';
  static async load() {
    return new Sipweb(await import(fileURLToPath(new URL('../../web/dist/library/sipweb.js', import.meta.url))));
  }

  /** The text goes into WebAssembly, is parsed and checked there, and comes back to be read. */
  parse(text) {
    return readAll(this.library.parseMessage(text));
  }
}

export class JsSip extends JsSipShaped {
  static title = 'JsSIP';
  static async load() {
    return new JsSip(require('jssip'));
  }

  parser = require('jssip/lib/Parser.js');

  parse(text) {
    return readAll(this.parser.parseMessage(text, this.ua));
  }
}

export class SipJs {
  static title = 'SIP.js';
  static async load() {
    return new SipJs(await import('sip.js'), await import('sip.js/lib/core/messages/parser.js'));
  }

  constructor(library, { Parser }) {
    this.library = library;
    this.parser = Parser;
  }

  #read(request) {
    const fields = LOOKED_AT.map((name) => request.getHeader(name));
    const { from, to } = request;
    return [request.method, String(request.ruri), from.uri.user, from.displayName, to.uri.host, request.fromTag, request.viaBranch,
      request.parseHeader('Contact').uri.host, ...fields, request.body].join('|');
  }

  parse(text) {
    return this.#read(this.parser.parseMessage(text, this.ua.getLogger('bench')));
  }

  async open() {
    const { UserAgent } = this.library;
    const outer = this;
    class Transport {
      state = 'Connected';
      stateChange = { addListener() {}, removeListener() {} };
      protocol = 'WSS';
      async connect() { this.onConnect?.(); }
      async disconnect() { this.onDisconnect?.(); }
      async dispose() {}
      isConnected() { return true; }
      async send(message) { queueMicrotask(() => outer.answer?.(message)); }
    }
    const handler = () => ({
      close() {}, hasDescription: (type) => type === 'application/sdp', sendDtmf: () => false,
      async getDescription() { return { body: SDP, contentType: 'application/sdp' }; },
      async setDescription() {},
    });
    this.ua = new UserAgent({
      uri: UserAgent.makeURI(TARGET), authorizationPassword: 'secret', transportConstructor: Transport,
      sessionDescriptionHandlerFactory: handler, logBuiltinEnabled: false,
      delegate: { onInvite: (invitation) => this.told?.(invitation) },
    });
    await this.ua.start();
    this.say = (message) => this.ua.transport.onMessage(message);
    this.phone = phone(this.say);
  }

  async take(number) {
    const text = invite(number, TARGET);
    let read = '';
    this.told = (invitation) => {
      read = this.#read(invitation.request);
      void invitation.reject({ statusCode: 486 });
    };
    const refused = new Promise((resolve) => {
      this.answer = (message) => {
        if (message.startsWith('SIP/2.0 486')) resolve(message);
      };
    });
    this.say(text);
    this.say(acknowledge(text, await refused));
    return read;
  }

  async call() {
    const { Inviter, SessionState, UserAgent } = this.library;
    this.answer = this.phone;
    const inviter = new Inviter(this.ua, UserAgent.makeURI('sip:bob@example.com'));
    const came = (state) => new Promise((resolve) => inviter.stateChange.addListener((now) => now === state && resolve()));
    const [established, terminated] = [came(SessionState.Established), came(SessionState.Terminated)];
    await inviter.invite();
    await established;
    await inviter.bye();
    await terminated;
  }
}
