// The core in its WebAssembly, through its TypeScript class, against a scripted server.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Core, CoreError, SipMessage } from '../src/core.ts';
import type { CoreConfig, CoreEvent } from '../src/core.ts';

const SDP = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n';

/** A core with a clock that the test turns, and everything that it sends and says. */
class Phone {
  readonly sent: SipMessage[] = [];
  readonly events: CoreEvent[] = [];
  readonly core: Core;
  #now = 0;
  #timers: Array<{ at: number; action: () => void }> = [];

  constructor(config: Partial<CoreConfig> = {}) {
    this.core = new Core({ uri: 'sip:alice@example.org', password: 'secret', listens: { calls: true, messages: true }, ...config }, {
      send: (data) => this.sent.push(new SipMessage(new TextEncoder().encode(data as string))),
      event: (event) => this.events.push(event),
      now: () => this.#now,
      setTimeout: (action, milliseconds) => {
        const timer = { at: this.#now + milliseconds, action };
        this.#timers.push(timer);
        return timer;
      },
      clearTimeout: (handle) => { this.#timers = this.#timers.filter((timer) => timer !== handle); },
    });
    this.core.connected('WS');
  }

  /** Lets time pass. */
  wait(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = until;
  }

  last(): SipMessage {
    const message = this.sent.at(-1);
    assert.ok(message, 'the core must have sent something');
    return message;
  }

  /** The events since the last time. */
  take(): CoreEvent[] {
    return this.events.splice(0);
  }

  types(): string[] {
    return this.take().map((event) => event.type);
  }
}

function reply(request: SipMessage, status: number, reason: string, lines: string[] = [], body = ''): string {
  const to = request.header('To')! + (request.toTag ? '' : ';tag=server');
  return [
    `SIP/2.0 ${status} ${reason}`, `Via: ${request.header('Via')}`, `From: ${request.header('From')}`, `To: ${to}`,
    `Call-ID: ${request.callId}`, `CSeq: ${request.header('CSeq')}`, ...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body,
  ].join('\r\n');
}

function invitation(method: string, lines: string[] = [], body = ''): string {
  return [
    `${method} sip:alice@example.org SIP/2.0`, `Via: SIP/2.0/WS b.invalid;branch=z9hG4bK${method}`, 'Max-Forwards: 69',
    'From: "Bob" <sip:bob@example.org>;tag=bob', 'To: <sip:alice@example.org>', `Call-ID: call-${method}`, `CSeq: 7 ${method}`,
    'Contact: <sip:bob@b.invalid;transport=ws>', ...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body,
  ].join('\r\n');
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

test('the module imports random numbers and nothing else', () => {
  const bytes = readFileSync(new URL('../generated/sipweb_wasm.wasm', import.meta.url));
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes));
  assert.deepEqual(imports.map(({ module, name }) => `${module}.${name}`), ['sipweb.entropy']);
});

test('a page registers, answers the challenge, refreshes in time, and unregisters', () => {
  const phone = new Phone();
  phone.core.register();
  const first = phone.last();
  assert.equal(first.method, 'REGISTER');
  assert.equal(first.requestUri, 'sip:example.org');
  assert.match(first.header('Contact')!, /;\+sip\.ice;reg-id=1;\+sip\.instance="<urn:uuid:[0-9a-f-]{36}>";expires=600$/);
  assert.equal(first.header('Supported'), 'path,gruu,outbound');
  phone.core.receive(reply(first, 401, 'Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=MD5']));
  const second = phone.last();
  assert.equal(second.cseq, first.cseq + 1);
  assert.equal(second.callId, first.callId);
  const answer = second.header('Authorization')!;
  const part = (name: string): string => new RegExp(`${name}="?([^",]+)`).exec(answer)![1]!;
  assert.equal(part('response'), md5(`${md5('alice:r:secret')}:n:${part('nc')}:${part('cnonce')}:auth:${md5('REGISTER:sip:example.org')}`));
  const granted = `${second.header('Contact')!.replace('expires=600', 'expires=300')};pub-gruu="sip:alice@example.org;gr=1"`;
  phone.core.receive(reply(second, 200, 'OK', [`Contact: ${granted}`]));
  const [event] = phone.take();
  assert.ok(event?.type === 'registered' && event.first && event.expires === 300);
  assert.equal(event.pubGruu, 'sip:alice@example.org;gr=1');
  phone.sent.length = 0;
  for (let seconds = 0; seconds < 300 && phone.sent.length === 0; seconds += 1) phone.wait(1000);
  assert.equal(phone.sent.length, 1, 'the registration is refreshed before it ends');
  assert.equal(phone.sent[0]!.cseq, second.cseq + 1);
  phone.core.receive(reply(phone.sent[0]!, 200, 'OK', [`Contact: ${granted}`]));
  phone.core.unregister();
  assert.match(phone.last().header('Contact')!, /;expires=0$/);
  phone.core.receive(reply(phone.last(), 200, 'OK'));
  assert.equal(phone.types().at(-1), 'unregistered');
});

test('a wrong password is refused once', () => {
  const phone = new Phone({ password: 'wrong' });
  phone.core.register();
  const challenge = (nonce: string): string[] => [`WWW-Authenticate: Digest realm="r", nonce="${nonce}", algorithm=SHA-256, qop="auth"`];
  phone.core.receive(reply(phone.last(), 401, 'Unauthorized', challenge('1')));
  phone.core.receive(reply(phone.last(), 401, 'Unauthorized', challenge('2')));
  const events = phone.take();
  assert.equal(events.length, 1);
  assert.ok(events[0]?.type === 'registrationFailed' && events[0].cause === 'Authentication Error' && events[0].retryIn === null);
  assert.equal(phone.sent.length, 2);
});

test('a page calls, is answered, and hangs up', () => {
  const phone = new Phone();
  const { number: call, message } = phone.core.createCall('sip:bob@example.org', { extraHeaders: ['X-Shop: 7'] });
  assert.equal(phone.sent.length, 0);
  phone.core.invite(call, { body: SDP });
  const invite = phone.last();
  assert.deepEqual([invite.callId, invite.fromTag, invite.header('X-Shop')], [message.callId, message.fromTag, '7']);
  assert.equal(invite.body, SDP);
  phone.core.receive(reply(invite, 180, 'Ringing', ['Contact: <sip:bob@192.0.2.9>']));
  phone.core.receive(reply(invite, 200, 'OK', ['Contact: <sip:bob@192.0.2.9>', 'Content-Type: application/sdp'], SDP));
  assert.deepEqual(phone.types(), ['progress', 'accepted']);
  phone.core.acknowledge(call);
  assert.deepEqual([phone.last().method, phone.last().requestUri], ['ACK', 'sip:bob@192.0.2.9']);
  const info = phone.core.dialogRequest(call, 'INFO', { contentType: 'application/dtmf-relay', body: 'Signal=1\r\n' });
  phone.core.receive(reply(info.message, 200, 'OK'));
  phone.core.bye(call, { extraHeaders: ['Reason: SIP;cause=200;text="done"'] });
  assert.equal(phone.last().header('Reason'), 'SIP;cause=200;text="done"');
  assert.deepEqual(phone.types(), ['confirmed', 'response', 'ended']);
});

test('a page is called, accepts, and the caller hangs up', () => {
  const phone = new Phone();
  phone.core.receive(invitation('INVITE', ['Content-Type: application/sdp'], SDP));
  const [event] = phone.take();
  assert.ok(event?.type === 'incomingCall' && event.body === SDP && event.replaces === null);
  assert.match(event.request.header('from')!, /^"Bob"/);
  phone.core.ring(event.call);
  phone.core.accept(event.call, { body: SDP, extraHeaders: ['X-Desk: 3'] });
  assert.deepEqual(phone.sent.map((message) => message.status), [100, 180, 200]);
  assert.equal(phone.last().header('X-Desk'), '3');
  const within = (method: string, cseq: number): string => invitation(method)
    .replace('To: <sip:alice@example.org>', `To: <sip:alice@example.org>;tag=${phone.sent[1]!.toTag}`)
    .replace(`call-${method}`, 'call-INVITE').replace(`7 ${method}`, `${cseq} ${method}`);
  phone.core.receive(within('ACK', 7));
  phone.core.receive(within('BYE', 8));
  const events = phone.take();
  assert.deepEqual(events.map(({ type }) => type), ['confirmed', 'ended']);
  assert.ok(events[1]?.type === 'ended' && events[1].originator === 'remote' && events[1].cause === 'Terminated');
  assert.equal(phone.last().status, 200);
});

test('messages go out and come in', async () => {
  const phone = new Phone();
  const { number, message } = phone.core.request('MESSAGE', 'sip:bob@example.org', { body: 'hola, ¿qué tal?' });
  assert.equal(phone.last().header('Content-Type'), 'text/plain');
  assert.equal(phone.last().body, 'hola, ¿qué tal?');
  phone.core.receive(reply(message, 202, 'Accepted'));
  phone.core.receive(invitation('MESSAGE', ['Content-Type: text/plain'], 'hi'));
  const [response, incoming] = phone.take();
  assert.ok(response?.type === 'response' && response.number === number && response.status === 202);
  assert.ok(incoming?.type === 'incomingRequest' && incoming.request.body === 'hi');
  phone.core.respond(incoming.transaction, 200);
  assert.equal(phone.last().status, 200);
});

test('what cannot be sent fails after the command has given its number', async () => {
  const phone = new Phone();
  phone.core.disconnected();
  const { number } = phone.core.request('OPTIONS', 'sip:bob@example.org');
  assert.deepEqual(phone.types(), []);
  await Promise.resolve();
  const [event] = phone.take();
  assert.ok(event?.type === 'requestFailed' && event.number === number && event.cause === 'Connection Error');
});

test('wrong use throws', () => {
  const phone = new Phone();
  const code = (wanted: CoreError['code']) => (error: unknown) => error instanceof CoreError && error.code === wanted;
  assert.throws(() => new Phone({ uri: 'example.org' }), code('uri'));
  assert.throws(() => phone.core.createCall('http://example.org'), code('uri'));
  assert.throws(() => phone.core.createCall('sip:bob@example.org', { extraHeaders: ['X: a\r\nY: b'] }), code('header'));
  assert.throws(() => phone.core.acknowledge(99), code('unknown'));
  const { number } = phone.core.createCall('sip:bob@example.org');
  assert.throws(() => phone.core.acknowledge(number), code('state'));
  phone.core.close();
  assert.throws(() => phone.core.register(), code('closed'));
});
