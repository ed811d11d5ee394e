/**
 * A server and a far end in one, for tests over the real core: it reads what the library sends and answers by script.
 * It knows just enough of SIP to be a peer: Via, tags and Call-ID come back as RFC 3261 asks for.
 */

/** A message, in parts. */
export interface Sip {
  start: string;
  method: string;
  headers: [string, string][];
  body: string;
}

export function read(text: string): Sip {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [start = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as [string, string];
  });
  const message = { start, method: '', headers, body: rest.join('\r\n\r\n') };
  return { ...message, method: start.startsWith('SIP/2.0') ? (all(message, 'CSeq')[0] ?? '').split(' ')[1] ?? '' : start.split(' ')[0] ?? '' };
}

export function all(message: Pick<Sip, 'headers'>, name: string): string[] {
  return message.headers.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

export function one(message: Pick<Sip, 'headers'>, name: string): string {
  return all(message, name)[0] ?? '';
}

/** A socket whose other side is the test. */
export class FarEnd {
  via_transport = 'WS';
  url = 'ws://far.example';
  sip_uri = 'sip:far.example;transport=ws';
  onconnect: (() => void) | undefined;
  ondisconnect: ((error: boolean, code?: number, reason?: string) => void) | undefined;
  ondata: ((data: string) => void) | undefined;
  /** What arrived and was not looked at. */
  readonly inbox: Sip[] = [];
  /** Whether connections are taken. */
  reachable = true;
  #open = false;
  #tag = 0;

  connect(): void {
    queueMicrotask(() => {
      this.#open = this.reachable;
      if (this.reachable) {
        this.onconnect?.();
      } else {
        this.ondisconnect?.(true, 1006);
      }
    });
  }

  disconnect(): void {
    this.#open = false;
  }

  drop(): void {
    this.#open = false;
    this.ondisconnect?.(true, 1006);
  }

  send(data: string | Uint8Array): boolean {
    if (!this.#open) {
      return false;
    }
    this.inbox.push(read(typeof data === 'string' ? data : new TextDecoder().decode(data)));
    return true;
  }

  /** The next message of that method, request or response. */
  take(method: string): Sip {
    const index = this.inbox.findIndex((message) => message.method === method);
    if (index < 0) {
      throw new Error(`no ${method}; there is ${this.inbox.map((message) => message.start).join(', ') || 'nothing'}`);
    }
    return this.inbox.splice(index, 1)[0] as Sip;
  }

  /** Answers a request. */
  respond(request: Sip, status: number, reason: string, extra: string[] = [], body = '', tag?: string): void {
    const to = one(request, 'To');
    const tagged = status === 100 || to.includes(';tag=') ? to : `${to};tag=${tag ?? `far${(this.#tag += 1)}`}`;
    this.say([
      `SIP/2.0 ${status} ${reason}`,
      ...all(request, 'Via').map((via) => `Via: ${via}`),
      `From: ${one(request, 'From')}`,
      `To: ${tagged}`,
      `Call-ID: ${one(request, 'Call-ID')}`,
      `CSeq: ${one(request, 'CSeq')}`,
      ...extra,
    ], body);
  }

  /** A request of the far end. */
  ask(method: string, uri: string, lines: string[], body = ''): void {
    this.#tag += 1;
    this.say([
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/WS far.example;branch=z9hG4bKfar${this.#tag}`,
      'Max-Forwards: 70',
      ...lines,
    ], body);
  }

  say(lines: string[], body = ''): void {
    const type = body === '' || lines.some((line) => line.startsWith('Content-Type')) ? [] : ['Content-Type: application/sdp'];
    this.ondata?.([...lines, ...type, `Content-Length: ${new TextEncoder().encode(body).length}`, '', body].join('\r\n'));
  }
}
