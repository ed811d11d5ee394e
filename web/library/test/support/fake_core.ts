/** A double of the SIP core: it writes down what it is told, and says what the test wants it to say. */
import { CoreError, SipMessage } from '../../src/core.ts';
import type { CoreConfig, CoreEvent, CoreHost, Payload } from '../../src/core.ts';

export { CoreError, SipMessage };

export function parseMessage(): undefined {
  throw new Error('the double reads no messages');
}

export interface Command {
  name: string;
  args: any[];
}

export class Core {
  static last: Core;

  readonly commands: Command[] = [];
  readonly config: CoreConfig;
  readonly host: CoreHost;
  contactUri = 'sip:own@own.invalid;transport=ws';
  instanceId = 'instance';
  viaHost = 'own.invalid';
  pubGruu = '';
  tempGruu = '';
  readyForReoffer = true;
  #number = 0;

  constructor(config: CoreConfig, host: CoreHost) {
    this.config = config;
    this.host = host;
    Core.last = this;
  }

  /** Says something to the library. */
  fire(event: CoreEvent): void {
    this.host.event(event);
  }

  /** Arguments of the commands of that name. */
  told(name: string): any[][] {
    return this.commands.filter((command) => command.name === name).map((command) => command.args);
  }

  configure(...args: unknown[]) { this.#note('configure', args); }
  opened(...args: unknown[]) { this.#note('opened', args); }
  connected(...args: unknown[]) { this.#note('connected', args); }
  disconnected(...args: unknown[]) { this.#note('disconnected', args); }
  receive(...args: unknown[]) { this.#note('receive', args); }
  close(...args: unknown[]) { this.#note('close', args); }
  register(...args: unknown[]) { this.#note('register', args); }
  unregister(...args: unknown[]) { this.#note('unregister', args); }
  acknowledge(...args: unknown[]) { this.#note('acknowledge', args); }
  ring(...args: unknown[]) { this.#note('ring', args); }
  accept(...args: unknown[]) { this.#note('accept', args); }
  respond(...args: unknown[]) { this.#note('respond', args); }

  createCall(target: string, options: unknown) {
    this.#note('createCall', [target, options]);
    return this.#created('INVITE', target);
  }

  invite(call: number, payload: Payload) {
    this.#note('invite', [call, payload]);
    return request('INVITE', { body: payload.body ?? '' });
  }

  cancel(call: number, options: unknown) {
    this.#note('cancel', [call, options]);
    this.fire({ type: 'failed', call, originator: 'local', message: null, cause: 'Canceled' });
  }

  reject(call: number, status: number, options: unknown) {
    this.#note('reject', [call, status, options]);
    this.fire({ type: 'failed', call, originator: 'local', message: null, cause: 'Rejected' });
  }

  bye(call: number, payload: unknown) {
    this.#note('bye', [call, payload]);
    this.fire({ type: 'ended', call, originator: 'local', message: null, cause: 'Terminated' });
  }

  reinvite(call: number, method: string, payload: unknown) {
    this.#note('reinvite', [call, method, payload]);
    return this.#created(method, 'sip:bob@far.invalid');
  }

  dialogRequest(call: number, method: string, payload: unknown) {
    this.#note('dialogRequest', [call, method, payload]);
    return this.#created(method, 'sip:bob@far.invalid');
  }

  request(method: string, target: string, options: unknown) {
    this.#note('request', [method, target, options]);
    return this.#created(method, target);
  }

  createSubscription(target: string, options: unknown) {
    this.#note('createSubscription', [target, options]);
    return this.#created('SUBSCRIBE', target);
  }

  acceptSubscription(transaction: number) {
    this.#note('acceptSubscription', [transaction]);
    return 70;
  }

  closeSubscription(...args: unknown[]) { this.#note('closeSubscription', args); }

  canReinvite() {
    return this.readyForReoffer;
  }

  dialogIdentity() {
    return { callId: 'call@own', localTag: 'mine', remoteTag: 'theirs', remoteTarget: 'sip:bob@far.invalid' };
  }

  #note(name: string, args: any[]) {
    this.commands.push({ name, args });
  }

  #created(method: string, target: string) {
    this.#number += 1;
    return { number: this.#number, message: request(method, { uri: target, cseq: this.#number }) };
  }
}

interface Parts {
  uri?: string;
  cseq?: number;
  from?: string;
  to?: string;
  headers?: string[];
  type?: string;
  body?: string;
}

/** A request as the core would give it. */
export function request(method: string, parts: Parts = {}): SipMessage {
  return message(`${method} ${parts.uri ?? 'sip:alice@example.com'} SIP/2.0`, method, parts);
}

/** A response as the core would give it. */
export function response(status: number, reason: string, parts: Parts & { method?: string } = {}): SipMessage {
  return message(`SIP/2.0 ${status} ${reason}`, parts.method ?? 'INVITE', { to: '<sip:bob@example.com>;tag=theirs', ...parts });
}

function message(start: string, method: string, parts: Parts): SipMessage {
  const body = parts.body ?? '';
  const lines = [
    start,
    'Via: SIP/2.0/WS own.invalid;branch=z9hG4bK1',
    `From: ${parts.from ?? '"Alice" <sip:alice@example.com>;tag=mine'}`,
    `To: ${parts.to ?? '<sip:bob@example.com>'}`,
    'Call-ID: call@own',
    `CSeq: ${parts.cseq ?? 1} ${method}`,
    ...(parts.headers ?? []),
    ...(body === '' ? [] : [`Content-Type: ${parts.type ?? 'application/sdp'}`]),
    `Content-Length: ${body.length}`,
    '',
    body,
  ];
  return new SipMessage(new TextEncoder().encode(lines.join('\r\n')));
}
