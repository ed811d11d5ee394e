// One call of a scripted phone: its dialog, its offers and answers, its sound.
import { audioSection, description, formatsOf, readDescription } from './sdp_text.mjs';
import { SipText, tagOf, token, uriOf } from './sip_text.mjs';
import { until } from './wait.mjs';

export class SipCall {
  /** Made by SipPhone: `invite` is the request that came in, `target` whom to call. */
  constructor(phone, audio, { invite, target }) {
    this.phone = phone;
    this.audio = audio;
    /** Requests that arrived inside the call, and responses to its INVITEs, in order. */
    this.requests = [];
    this.responses = [];
    /** What the phone does at a request: (request, reply) by method; `reply(status, { sdp, headers })`. */
    this.hooks = {};
    this.localTag = token();
    this.sequence = 1;
    this.version = 0;
    this.reliable = 0;
    this.timers = new Set();
    if (invite) {
      this.first = invite;
      this.id = invite.get('call-id');
      this.local = `${invite.get('to')};tag=${this.localTag}`;
      this.remote = invite.get('from');
      this.target = uriOf(invite.get('contact'));
      this.routes = invite.all('record-route');
    } else {
      this.id = token();
      this.local = `${phone.address};tag=${this.localTag}`;
      this.remote = `<${target}>`;
      this.target = target;
      this.routes = [];
    }
  }

  // Descriptions.

  /** An offer of this phone; the options are those of `audioSection`, and `more`: further sections. */
  offer({ more = [], address, ...options } = {}) {
    const { codecs, events } = this.phone;
    this.version += 1;
    const section = audioSection({ port: this.audio.port, codecs, events, ...options });
    return description({ address, version: this.version, sections: [section, ...more] });
  }

  /** The answer of this phone to an offer: the first audio section that it understands, all others refused. */
  answerTo(offer, { codecs = this.phone.codecs, events = this.phone.events, hold, lines = [] } = {}) {
    this.version += 1;
    let taken = false;
    const sections = readDescription(offer).sections.map((section) => {
      const formats = formatsOf(section);
      const common = codecs.filter((name) => name in formats);
      if (taken || section.kind !== 'audio' || section.port === 0 || section.protocol !== 'RTP/AVP' || common.length === 0) {
        return [`m=${section.kind} 0 ${section.protocol} ${section.formats.join(' ')}`];
      }
      taken = true;
      const mirrored = { sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive', sendrecv: 'sendrecv' };
      const own = events === null ? null : (formats['telephone-event'] ?? null);
      return audioSection({ port: this.audio.port, codecs: common, events: own, hold: hold ?? mirrored[section.direction], lines });
    });
    return description({ version: this.version, sections });
  }

  /** Sends its sound as two descriptions have agreed: what this phone wrote, and what the other side wrote. */
  agree(own, theirs) {
    const ours = readDescription(own).sections.find((section) => section.kind === 'audio' && section.port !== 0);
    const remote = readDescription(theirs).sections.find((section) => section.kind === 'audio' && section.port !== 0);
    if (!ours || !remote) return;
    const wanted = formatsOf(remote);
    const codec = remote.formats.map((type) => remote.names[type]?.split('/')[0]).find((name) => ['PCMU', 'PCMA'].includes(name));
    this.audio.use({
      remote: { address: remote.address, port: remote.port },
      codec: codec ?? this.audio.codec,
      payloadType: wanted[codec] ?? this.audio.payloadType,
      eventType: 'telephone-event' in formatsOf(ours) && 'telephone-event' in wanted ? wanted['telephone-event'] : null,
      sending: ['sendrecv', 'sendonly'].includes(ours.direction) && ['sendrecv', 'recvonly'].includes(remote.direction),
    });
  }

  // As the calling party.

  /**
   * Sends the first INVITE. `sdp`: undefined for an offer of its own, null for none, or a function of this call. `answer`: what answers an offer in
   * a response (a function of the offer). `prack`: what a PRACK carries, a function of the response.
   */
  async invite({ sdp, headers = [], answer = (offer) => this.answerTo(offer), prack } = {}) {
    const given = typeof sdp === 'function' ? sdp(this) : sdp;
    this.offered = given === undefined ? this.offer() : (given ?? '');
    this.makeAnswer = answer;
    this.prackWith = prack;
    const compose = () => this.#compose('INVITE', {
      uri: this.target, sdp: this.offered, headers: [['supported', '100rel'], ...headers],
    });
    this.final = await this.phone.authenticated(compose, { onProvisional: (response) => this.#provisional(response) });
    return this.final;
  }

  #provisional(response) {
    if (!tagOf(response.get('to'))) return;
    this.#learn(response);
    const fresh = response.get('rseq') && !this.responses.some((other) => other !== response && tagOf(other.get('to')) === tagOf(response.get('to')) && other.get('rseq') === response.get('rseq'));
    let sdp = '';
    if (response.sdp && !this.offered) {
      // RFC 3262 §5: the offer in a reliable response is answered in the PRACK.
      if (!response.get('rseq')) return;
      sdp = fresh ? this.#answer(response.sdp) : '';
    } else if (response.sdp) this.agree(this.offered, response.sdp);
    if (!fresh) return;
    sdp ||= this.prackWith?.(response) ?? '';
    if (sdp) this.prackOffer = sdp;
    const { number, method } = response.sequence;
    this.pracked = this.request('PRACK', { sdp, headers: [['rack', `${response.get('rseq')} ${number} ${method}`]] });
    this.pracked.then((ok) => {
      if (ok.sdp && this.prackOffer) this.agree(this.prackOffer, ok.sdp);
    }, () => {});
  }

  #answer(offer) {
    const sdp = this.makeAnswer(offer);
    this.answeredLate = true;
    this.agree(sdp, offer);
    return sdp;
  }

  /** Every response to this call's requests. */
  responded(response) {
    if (response.sequence.method !== 'INVITE') return;
    this.responses.push(response);
    if (response.status < 200 || response.status >= 300) return;
    this.#learn(response);
    const acknowledged = `${response.sequence.number} ${tagOf(response.get('to'))}`;
    this.acks ??= new Map();
    if (!this.acks.has(acknowledged)) {
      let sdp = '';
      const offered = this.reoffered ?? this.offered;
      if (response.sdp && offered) this.agree(offered, response.sdp);
      else if (response.sdp && !(this.answeredLate && !this.reinvited)) sdp = this.#answer(response.sdp);
      this.acks.set(acknowledged, this.#compose('ACK', { sdp, sequence: response.sequence.number }));
    }
    if (!this.holdsAck) this.phone.send(this.acks.get(acknowledged));
  }

  #learn(response) {
    if (this.first) return;
    this.remote = response.get('to');
    if (response.get('contact')) this.target = uriOf(response.get('contact'));
    // RFC 3261 §12.2: nothing in a dialog changes its route set.
    if (!this.reinvited) this.routes = response.all('record-route').reverse();
  }

  // As the called party.

  ring(status = 180, options = {}) {
    this.phone.reply(this.first, status, { tag: this.localTag, ...options });
  }

  /** A reliable provisional response (RFC 3262); resolves with the PRACK. */
  async progressReliably(status = 183, { headers = [], ...options } = {}) {
    this.reliable += 1;
    const number = this.reliable;
    this.ring(status, { headers: [['require', '100rel'], ['rseq', String(number)], ...headers], ...options });
    const again = this.#repeat(() => this.phone.send(this.phone.answered.get(`${this.first.branch} INVITE`)));
    const prack = await this.receives('PRACK', { where: (request) => request.get('rack')?.startsWith(`${number} `) });
    clearInterval(again);
    return prack;
  }

  /** Early media: 183 with the answer to the INVITE's offer; the tone plays at once. */
  progress({ reliable = false, ...options } = {}) {
    const sdp = this.answerTo(this.first.sdp, options);
    this.answerSent = sdp;
    this.agree(sdp, this.first.sdp);
    if (reliable) return this.progressReliably(183, { sdp });
    return this.ring(183, { sdp });
  }

  /**
   * Answers 200 and waits for the ACK. `sdp`: undefined for an answer (or, to an INVITE without a description, an
   * offer) of its own; '' for none.
   */
  async answer({ sdp, ...options } = {}) {
    const offer = this.first.sdp;
    const own = sdp ?? this.answerSent ?? (offer ? this.answerTo(offer, options) : this.offer(options));
    this.phone.reply(this.first, 200, { tag: this.localTag, sdp: own });
    if (offer) this.agree(own, offer);
    const again = this.#repeat(() => this.phone.send(this.phone.answered.get(`${this.first.branch} INVITE`)));
    const ack = await this.receives('ACK', { where: (request) => request.sequence.number === this.first.sequence.number });
    clearInterval(again);
    if (!offer && ack.sdp) this.agree(own, ack.sdp);
    return ack;
  }

  refuse(status = 486) {
    this.phone.reply(this.first, status, { tag: this.localTag });
  }

  // Within the dialog.

  /** Sends a request inside the dialog; resolves with the final response. */
  request(method, { sdp = '', body, type, headers = [] } = {}) {
    return this.phone.transact(this.#compose(method, { sdp, body, type, headers }));
  }

  /** A new offer; resolves with the response. `sdp`: null for none; what is not given is as in `offer`. */
  async reinvite({ sdp, method = 'INVITE', ...options } = {}) {
    this.reinvited = true;
    this.reoffered = sdp === undefined ? this.offer(options) : (sdp ?? '');
    this.makeAnswer ??= (offer) => this.answerTo(offer);
    const response = await this.request(method, { sdp: this.reoffered });
    if (method === 'UPDATE' && response.status === 200 && response.sdp) this.agree(this.reoffered, response.sdp);
    return response;
  }

  update(options = {}) {
    return this.reinvite({ ...options, method: 'UPDATE' });
  }

  info(type, body) {
    return this.request('INFO', { body, type });
  }

  bye() {
    return this.request('BYE');
  }

  cancel() {
    const { headers } = this.lastInvite;
    const kept = headers.filter(([name]) => ['via', 'from', 'to', 'call-id', 'max-forwards', 'route'].includes(name));
    const cseq = ['cseq', `${this.lastInvite.sequence.number} CANCEL`];
    return this.phone.transact(new SipText(this.lastInvite.start.replace(/^INVITE/, 'CANCEL'), [...kept, cseq]));
  }

  #compose(method, { uri = this.target, sdp = '', body = sdp, type = 'application/sdp', headers = [], sequence } = {}) {
    const number = sequence ?? (this.sequence += 1);
    const message = new SipText(`${method} ${uri} SIP/2.0`, [
      ['via', this.phone.via()],
      ...this.routes.map((route) => ['route', route]),
      ['from', this.local],
      ['to', this.remote],
      ['call-id', this.id],
      ['cseq', `${number} ${method}`],
      ['contact', this.phone.contact],
      ['max-forwards', '70'],
      ...headers,
      ...(body ? [['content-type', type]] : []),
    ], body ?? '');
    if (method === 'INVITE') this.lastInvite = message;
    return message;
  }

  /** A request of this call arrived. */
  async requested(request) {
    this.requests.push(request);
    if (request === this.first) return this.phone.reply(request, 100);
    if (request.method === 'ACK') return undefined;
    if (/;tag=/.test(request.get('to')) && request.get('contact')) this.target = uriOf(request.get('contact'));
    const reply = (status, options = {}) => this.phone.reply(request, status, { tag: this.localTag, ...options });
    const hook = this.hooks[request.method];
    if (hook) return hook(request, reply);
    if (request.method === 'CANCEL') {
      reply(200);
      return this.refuse(487);
    }
    if (request.method === 'INVITE' && !request.sdp) {
      // A late offer inside the call.
      const own = this.offer();
      reply(200, { sdp: own });
      const ack = await this.receives('ACK', { where: (ack) => ack.sequence.number === request.sequence.number });
      return this.agree(own, ack.sdp);
    }
    if (!request.sdp) return reply(200);
    const own = this.answerTo(request.sdp);
    this.agree(own, request.sdp);
    return reply(200, { sdp: own });
  }

  /** Waits for a request of this method, the one that came last. */
  receives(method, { where = () => true, within = 10_000 } = {}) {
    return until(`${method} at ${this.phone.user}'s scripted phone`, () => this.requests.findLast((request) => request.method === method && where(request)), { within });
  }

  /** Waits for a response to an INVITE of this call. */
  response(status, { within = 10_000 } = {}) {
    return until(`${status} at ${this.phone.user}'s scripted phone`, () => this.responses.find((response) => response.status === status), { within });
  }

  hears(hertz, options) {
    return this.audio.hears(hertz, options);
  }

  #repeat(send) {
    const timer = setInterval(send, 500);
    this.timers.add(timer);
    return timer;
  }

  close() {
    for (const timer of this.timers) clearInterval(timer);
    this.audio?.close();
  }
}
