// A SIP phone over UDP that does exactly what a test tells it: any description, late offers, reliable provisional
// responses, re-INVITE, UPDATE, INFO, every spelling of hold, several media sections. Where a test says nothing, it
// behaves as a plain desk phone does.
import { createSocket } from 'node:dgram';
import { freePort } from './ports.mjs';
import { RtpAudio } from './rtp_audio.mjs';
import { PASSWORD } from './server.mjs';
import { SipCall } from './sip_call.mjs';
import { SipText, credentials, token } from './sip_text.mjs';
import { until } from './wait.mjs';

/** Between two copies of a message that nobody answered. */
const AGAIN = 500;
const GIVE_UP = 16_000;

export class SipPhone {
  /**
   * A phone of `user`, registered with the server on UDP `port` of loopback. `tone` is what it plays; `codecs` and
   * `events` (a payload type, or null) are what its own descriptions say.
   */
  static async start(test, { user, port, password = PASSWORD, register = true, q, tone = 660, codecs = ['PCMU', 'PCMA'], events = 101 }) {
    const phone = new SipPhone();
    Object.assign(phone, { test, user, password, q, tone, codecs, events, server: { address: '127.0.0.1', port } });
    phone.port = await freePort();
    phone.socket = createSocket('udp4');
    phone.socket.on('message', (bytes) => void phone.#receive(bytes));
    phone.socket.on('error', () => {});
    await new Promise((resolve) => phone.socket.bind(phone.port, '127.0.0.1', resolve));
    test.after(() => phone.close());
    if (register) await phone.register();
    return phone;
  }

  constructor() {
    /** All that was sent and received, in order: { sent, message }. */
    this.traffic = [];
    this.calls = new Map();
    this.arrivals = [];
    this.transactions = new Map();
    this.answered = new Map();
  }

  get address() {
    return `<sip:${this.user}@127.0.0.1>`;
  }

  get contact() {
    return `<sip:${this.user}@127.0.0.1:${this.port}>`;
  }

  async register() {
    const from = `${this.address};tag=${token()}`;
    const callId = token();
    let number = 0;
    const compose = () => new SipText('REGISTER sip:127.0.0.1 SIP/2.0', [
      ['via', this.via()],
      ['from', from],
      ['to', this.address],
      ['call-id', callId],
      ['cseq', `${++number} REGISTER`],
      ['contact', this.q === undefined ? this.contact : `${this.contact};q=${this.q}`],
      ['expires', '600'],
      ['max-forwards', '70'],
    ]);
    const response = await this.authenticated(compose);
    if (response.status !== 200) throw new Error(`${this.user} was not registered: ${response.start}`);
  }

  /** A call to somebody. `sdp`: undefined for an offer of the phone's own, null for none (a late offer). */
  async dial(target, options = {}) {
    const call = new SipCall(this, await this.audio(), { target });
    this.calls.set(call.id, call);
    call.invited = call.invite(options);
    call.invited.catch(() => {});
    return call;
  }

  /** The next call that comes in. */
  async incoming({ within = 10_000 } = {}) {
    await until(`a call at ${this.user}'s scripted phone`, () => this.arrivals.length > 0, { within });
    return this.arrivals.shift();
  }

  audio() {
    return RtpAudio.open(this.test, { tone: this.tone });
  }

  via() {
    return `SIP/2.0/UDP 127.0.0.1:${this.port};branch=z9hG4bK${token()};rport`;
  }

  send(message) {
    this.traffic.push({ sent: true, message });
    if (!this.closed) this.socket.send(message.write(), this.server.port, this.server.address);
  }

  /** Sends a request, again and again until it is answered; resolves with the final response. */
  transact(request, { onProvisional = () => {} } = {}) {
    const method = request.method;
    return new Promise((resolve, reject) => {
      const begun = Date.now();
      const timer = setInterval(() => {
        if (Date.now() - begun > GIVE_UP) {
          clearInterval(timer);
          reject(new Error(`nobody answered ${request.start}`));
        } else if (!heard) this.send(request);
      }, AGAIN);
      let heard = false;
      this.transactions.set(`${request.branch} ${method}`, (response) => {
        heard ||= method === 'INVITE' || response.status >= 200;
        if (heard) clearInterval(timer);
        if (response.status < 200) return onProvisional(response);
        if (method === 'INVITE' && response.status >= 300) this.#acknowledgeRefusal(request, response);
        resolve(response);
        return undefined;
      });
      this.timers ??= new Set();
      this.timers.add(timer);
      this.send(request);
    });
  }

  /** Sends what `compose` makes, and once more with credentials where they are asked for. */
  async authenticated(compose, options) {
    const first = compose();
    const response = await this.transact(first, options);
    const challenge = response.get('www-authenticate') ?? response.get('proxy-authenticate');
    if (![401, 407].includes(response.status) || !challenge) return response;
    const again = compose();
    const name = response.status === 401 ? 'authorization' : 'proxy-authorization';
    again.headers.push([name, credentials(challenge, { user: this.user, password: this.password, method: again.method, uri: again.uri })]);
    return this.transact(again, options);
  }

  #acknowledgeRefusal(request, response) {
    const kept = request.headers.filter(([name]) => ['from', 'call-id', 'max-forwards', 'route'].includes(name));
    this.send(new SipText(request.start.replace(/^INVITE/, 'ACK'), [
      ['via', request.get('via')],
      ...kept,
      ['to', response.get('to')],
      ['cseq', `${request.sequence.number} ACK`],
    ]));
  }

  async #receive(bytes) {
    const message = SipText.parse(bytes);
    if (!message) return;
    this.traffic.push({ sent: false, message });
    if (message.status !== null) {
      this.transactions.get(`${message.branch} ${message.sequence.method}`)?.(message);
      this.calls.get(message.get('call-id'))?.responded(message);
      return;
    }
    const key = `${message.branch} ${message.method}`;
    if (message.method !== 'ACK') {
      const before = this.answered.get(key);
      if (before !== undefined) {
        if (before) this.send(before);
        return;
      }
      this.answered.set(key, null);
    }
    let call = this.calls.get(message.get('call-id'));
    if (!call && message.method === 'INVITE') {
      call = new SipCall(this, null, { invite: message });
      this.calls.set(call.id, call);
      call.audio = await this.audio();
      this.arrivals.push(call);
    }
    if (call) await call.requested(message);
    else if (message.method !== 'ACK') this.reply(message, 481);
  }

  /** Answers a request. */
  reply(request, status, { reason = '', tag, headers = [], sdp = '', body = sdp, type = 'application/sdp' } = {}) {
    const to = request.get('to');
    const response = new SipText(`SIP/2.0 ${status} ${reason}`, [
      ...request.headers.filter(([name]) => ['via', 'from', 'call-id', 'cseq', 'record-route'].includes(name)),
      ['to', tag && status > 100 && !/;tag=/.test(to) ? `${to};tag=${tag}` : to],
      ['contact', this.contact],
      ...headers,
      ...(body ? [['content-type', type]] : []),
    ], body);
    this.answered.set(`${request.branch} ${request.method}`, response);
    this.send(response);
    return response;
  }

  /** The requests of a method that arrived, retransmissions included, in any call. */
  arrived(method) {
    return this.traffic.filter(({ sent, message }) => !sent && message.method === method).map(({ message }) => message);
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    for (const timer of this.timers ?? []) clearInterval(timer);
    for (const call of this.calls.values()) call.close();
    this.socket.close();
  }
}
