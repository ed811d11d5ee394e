/**
 * The account's connection: signing in, staying registered, coming back.
 *
 *     off --signIn--> connecting --registered--> registered --socket lost--> reconnecting
 *      ^                  | refused, unreachable      ^                            |
 *      '---- failed <-----'                           '-------- registered --------'
 */
import type { Account } from './account.ts';
import { uriOf } from './account.ts';
import type { Agent, Library, Payload } from './library.ts';
import { registrationProblem } from './reason.ts';
import type { TextKey } from '../text/index.ts';

export type LineState = 'off' | 'connecting' | 'registered' | 'reconnecting' | 'failed';

export interface LineProblem {
  readonly key: TextKey;
  readonly values: Readonly<Record<string, string>>;
  /** A page to open in order to see and accept the server's certificate. */
  readonly page?: string;
}

/** How long a first sign-in may take before we say that nothing answers. */
const SIGN_IN_LIMIT = 15_000;

export class Line {
  state: LineState = 'off';
  account: Account | undefined;
  agent: Agent | undefined;
  problem: LineProblem | undefined;
  /** When the next attempt to connect is due, if the library says so (milliseconds since the epoch). */
  retryAt: number | undefined;
  /** Registered at least once since signing in: from then on trouble is repaired, not reported as a failed sign-in. */
  established = false;

  readonly #library: Library;
  readonly #changed: () => void;
  readonly #attach: (agent: Agent) => void;
  #limit: ReturnType<typeof setTimeout> | undefined;

  constructor(library: Library, changed: () => void, attach: (agent: Agent) => void) {
    this.#library = library;
    this.#changed = changed;
    this.#attach = attach;
  }

  /** `restored`: the account was signed in before (a reload), so an absent server means waiting for it. */
  signIn(account: Account, restored = false): void {
    this.stop();
    this.account = account;
    this.established = restored;
    this.problem = undefined;
    this.state = 'connecting';
    try {
      const { server, password, displayName } = account;
      this.agent = this.#library.createAgent({ server, password, uri: uriOf(account), ...(displayName ? { displayName } : {}) });
    } catch (error) {
      this.#fail({ key: 'errorAccount', values: { detail: error instanceof Error ? error.message : String(error) } });
      return;
    }
    this.#listen(this.agent);
    this.#attach(this.agent);
    if (!restored) this.#limit = setTimeout(() => this.#tooLate(), SIGN_IN_LIMIT);
    this.agent.start();
    this.#changed();
  }

  /** Ends the registration and the connection. */
  stop(): void {
    clearTimeout(this.#limit);
    const agent = this.agent;
    this.agent = undefined;
    this.state = 'off';
    this.retryAt = undefined;
    this.#connected = false;
    agent?.stop();
    this.#changed();
  }

  /** Tries to connect, or to register, now instead of later. */
  retry(): void {
    if (!this.agent) return;
    if (this.state === 'failed') this.state = 'connecting';
    if (this.#connected) this.agent.register();
    else this.agent.start();
    this.#changed();
  }

  #connected = false;

  #listen(agent: Agent): void {
    const on = (event: string, react: (payload: Payload) => void): void => {
      agent.on(event, (payload: Payload | undefined) => {
        if (agent !== this.agent) return; // An agent that was stopped still says goodbye.
        react(payload ?? {});
        this.#changed();
      });
    };
    on('connecting', () => {
      this.retryAt = undefined;
      if (this.state !== 'reconnecting') this.state = 'connecting';
    });
    on('connected', () => {
      this.#connected = true;
      this.retryAt = undefined;
    });
    on('registered', () => this.#registered());
    on('registrationFailed', (payload) => this.#refused(payload));
    on('disconnected', (payload) => this.#lost(payload));
  }

  #registered(): void {
    clearTimeout(this.#limit);
    this.state = 'registered';
    this.established = true;
    this.problem = undefined;
    this.retryAt = undefined;
  }

  #refused(payload: Payload): void {
    if (payload.cause === 'Connection Error') return; // The socket's own event says it better.
    const { key, detail } = registrationProblem(payload);
    const problem = { key, values: { detail } };
    if (this.established) {
      this.state = 'failed';
      this.problem = problem;
    } else {
      this.#fail(problem);
    }
  }

  #lost(payload: Payload): void {
    const wait: unknown = payload.retry_in;
    this.retryAt = typeof wait === 'number' ? Date.now() + wait : undefined;
    this.#connected = false;
    if (this.established) this.state = 'reconnecting';
    else this.#fail(this.#unreachable());
  }

  #tooLate(): void {
    this.#fail(this.#connected ? { key: 'errorNoAnswer', values: {} } : this.#unreachable());
  }

  #unreachable(): LineProblem {
    const server = this.account?.server ?? '';
    if (!server.startsWith('wss:')) return { key: 'errorUnreachable', values: { server } };
    // The browser does not tell a page whether the certificate or the network was at fault: name both and the way to see.
    const page = new URL('/', server.replace(/^wss:/, 'https:')).href;
    return { key: 'errorCertificate', values: { server, page }, page };
  }

  #fail(problem: LineProblem): void {
    this.stop();
    this.state = 'failed';
    this.problem = problem;
    this.#changed();
  }
}
