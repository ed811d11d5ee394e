/**
 * `<sipweb-phone>`: a telephone as an HTML element. With `target` it is a button that calls; without, a small phone that is
 * registered, dials and is called.
 *
 * Events, all `CustomEvent`s that bubble out of shadow roots:
 *
 *     sipweb-state  detail {state, peer}             connecting, calling, ringing, incoming, talking, ended
 *     sipweb-ended  detail {peer, seconds, code, cause}
 *     sipweb-error  detail {reason}                  server, microphone, camera, target, insecure, texts
 */
import { Sounds } from '../../phone/src/media/sounds.ts';
import { MicrophoneFirst } from '../../phone/src/media/microphone_first.ts';
import { h } from '../../phone/src/dom.ts';
import { Call, type CallEvents } from '../../phone/src/model/call.ts';
import { Change } from '../../phone/src/model/change.ts';
import { webSocketAddress } from '../../phone/src/model/account.ts';
import type { Agent, Library, Payload } from '../../phone/src/model/library.ts';
import { dial, escapeUser, type Peer } from '../../phone/src/model/peer.ts';
import { videoWish, type VideoWish } from './camera.ts';
import { panel, type Panel, type PanelHost } from './panel.ts';
import { STYLE } from './style.ts';
import { loadTexts, textsFor, type Texts } from './texts.ts';

/** Milliseconds for the server to answer before the visitor is told. */
const CONNECT_LIMIT = 10_000;

const SHOWN = ['target', 'label', 'video', 'language', 'texts', 'theme'] as const;
const CONNECTED = ['server', 'user', 'password', 'token', 'domain', 'display-name'] as const;

/** The element over a library; the product hands in ours, the tests a double. */
export function elementOver(library: Library): CustomElementConstructor & { prototype: SipwebPhone } {
  return class extends SipwebPhone {
    protected override readonly library = library;
  };
}

export abstract class SipwebPhone extends HTMLElement implements PanelHost {
  static readonly observedAttributes: readonly string[] = [...SHOWN, ...CONNECTED];

  protected abstract readonly library: Library;

  texts: Texts = textsFor(['en']);
  call: Call | undefined;
  problem: keyof Texts | undefined;
  connecting = false;
  registered = false;
  opened = false;
  cameraFailed = false;

  readonly #change = new Change();
  readonly #devices = new MicrophoneFirst(this.#change.signal, () => this.#noCamera());
  readonly #sounds = new Sounds();
  readonly #audio = h('audio', { autoplay: true });
  readonly #root = this.attachShadow({ mode: 'open', delegatesFocus: true });
  readonly #dark = matchMedia('(prefers-color-scheme: dark)');
  /** Built once: what a visitor is about to press, or has the focus, is never replaced. */
  readonly #panel: Panel = panel(this);
  #agent: Agent | undefined;
  /** Of the page's author; taken out of the document as soon as it is read. */
  #secret: { user?: string; password?: string } = {};
  /** Runs while the element is in a document. */
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Counts the wishes for a language: the file of an older one may come late. */
  #spoken = 0;
  #lastState = '';
  /** The press whose connection is waited for. */
  #starting: object | undefined;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.replaceChildren(...this.#panel.nodes, this.#audio);
    this.#change.listen(() => this.#update());
  }

  get target(): string | undefined {
    return this.getAttribute('target')?.trim() || undefined;
  }

  get label(): string | undefined {
    return this.getAttribute('label') ?? undefined;
  }

  get video(): VideoWish {
    return videoWish(this.getAttribute('video'));
  }

  connectedCallback(): void {
    this.#takeSecrets();
    this.#applyTheme();
    this.#dark.addEventListener('change', this.#applyTheme);
    addEventListener('resize', this.#place);
    this.#timer = setInterval(() => { if (this.call && !this.call.over) this.#panel.update(); }, 1000);
    void this.#speak();
    // Who is to be called has to be there; a button that only calls connects when it is pressed.
    if (this.target === undefined) void this.#connect();
  }

  disconnectedCallback(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#dark.removeEventListener('change', this.#applyTheme);
    removeEventListener('resize', this.#place);
    this.hangUp();
    this.#stop();
  }

  attributeChangedCallback(name: string, old: string | null, value: string | null): void {
    // Before `connectedCallback` each attribute that the document has written is told here, too: that is no change.
    if (this.#timer === undefined || old === value) return;
    // No camera runs on without its button.
    if (name === 'video' && value === null && this.call?.picture.source) this.toggleCamera();
    if (name === 'theme') this.#applyTheme();
    else if ((SHOWN as readonly string[]).includes(name)) void this.#speak();
    else if (value !== null || (name !== 'password' && name !== 'token')) {
      this.#takeSecrets();
      this.#stop();
      if (this.target === undefined) void this.#connect();
    }
  }

  /** Calls `target`, or whom the attribute names. The same as a press of the button. */
  start(target = this.target ?? ''): void {
    void this.#start(target);
  }

  hangUp(): void {
    this.#giveUp();
    this.call?.hangUp();
  }

  /** The call that waits for its connection is not made. */
  #giveUp(): void {
    if (!this.#starting) return;
    this.#starting = undefined;
    this.connecting = false;
    if (this.target !== undefined) this.#stop();
    this.#change.signal();
  }

  /** Turns the camera of the call on or off; it is asked for here, and not before. */
  toggleCamera(): void {
    this.cameraFailed = false;
    void this.call?.toggleVideo('camera');
  }

  /** Closes the panel of a call that is over, or that has not begun. */
  close(): void {
    if (this.call && !this.call.over) return;
    this.#giveUp();
    this.call = undefined;
    this.problem = undefined;
    this.opened = false;
    this.#update(); // A button that may not be pressed takes no focus.
    this.#root.querySelector<HTMLElement>('.launch')?.focus();
  }

  async #start(typed: string): Promise<void> {
    if (this.#starting || (this.call && !this.call.over)) return;
    const starting = {};
    this.#starting = starting;
    this.#sounds.unlock();
    this.opened = true;
    this.call = undefined;
    this.problem = undefined;
    this.cameraFailed = false;
    try {
      const agent = await this.#ready(typed, () => this.#starting === starting);
      if (!agent) return;
      const found = dial(typed, this.#domain);
      if ('error' in found) this.#fail('badTarget', 'target');
      else this.call = Call.outgoing(this.#caller(agent), this.#named(found.peer), this.video === 'offered', this.#devices, this.#callEvents);
    } finally {
      if (this.#starting === starting) {
        this.#starting = undefined;
        this.#change.signal();
        queueMicrotask(() => this.#panel.focus());
      }
    }
  }

  /** The agent, connected; `undefined` after the visitor was told why not, or if the call is not `wanted` any more. */
  async #ready(typed: string, wanted: () => boolean): Promise<Agent | undefined> {
    if (!this.#devices.available) return this.#fail('insecure', 'insecure');
    if (!typed.trim()) return this.#fail('badTarget', 'target');
    this.connecting = true;
    this.#change.signal();
    const connected = await this.#connect();
    if (!wanted()) return undefined;
    this.connecting = false;
    return connected ? this.#agent : this.#fail('noServer', 'server');
  }

  /** Who asks for the other side's picture without showing his own says so in the offer. */
  #caller(agent: Agent): Pick<Agent, 'call'> {
    if (this.video === 'none') return agent;
    return { call: (target, options) => agent.call(target, { ...options, rtcOfferConstraints: { offerToReceiveVideo: true } }) };
  }

  #named(peer: Peer): Peer {
    return this.label && this.target !== undefined ? { ...peer, name: this.label } : peer;
  }

  #fail(problem: keyof Texts, reason: string): undefined {
    this.problem = problem;
    this.#tell('sipweb-error', { reason });
    this.#change.signal();
    return undefined;
  }

  get #page(): URL {
    return new URL(this.ownerDocument.baseURI);
  }

  get #server(): string {
    return webSocketAddress(this.getAttribute('server') ?? '/sip', this.#page);
  }

  get #domain(): string {
    return this.getAttribute('domain') ?? (URL.canParse(this.#server) ? new URL(this.#server).hostname : this.#page.hostname);
  }

  #connected: Promise<boolean> | undefined;

  /** Connects, and registers if the element can be called. Resolves with whether there is a connection. */
  #connect(): Promise<boolean> {
    if (this.#connected) return this.#connected;
    const connected = new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => settle(false), CONNECT_LIMIT);
      const settle = (done: boolean): void => {
        clearTimeout(limit);
        resolve(done);
      };
      try {
        this.#agent?.stop();
        this.#agent = this.#newAgent(settle);
        this.#agent.start();
      } catch {
        settle(false); // Attributes that no account can be made of.
      }
    });
    this.#connected = connected;
    // The next press tries again.
    void connected.then((done) => { if (!done && this.#connected === connected) this.#connected = undefined; });
    return connected;
  }

  #newAgent(settle: (connected: boolean) => void): Agent {
    const user = this.#secret.user ?? 'anonymous';
    // A name, or a SIP address, which brings its domain.
    const [, name = user, domain = this.#domain] = /^(?:sips?:)?([^@]+)@(.+)$/i.exec(user) ?? [];
    const displayName = this.getAttribute('display-name');
    const agent = this.library.createAgent({
      server: this.#server, uri: `sip:${escapeUser(name)}@${domain}`, password: this.#secret.password ?? '', register: this.target === undefined,
      ...(displayName ? { displayName } : {}),
    });
    const on = (event: string, react: (payload: Payload) => void): void => {
      agent.on(event, (payload: Payload | undefined) => {
        if (agent === this.#agent) react(payload ?? {});
        this.#change.signal();
      });
    };
    on('connected', () => settle(true));
    on('disconnected', () => {
      this.registered = false;
      settle(false);
    });
    on('registered', () => { this.registered = true; });
    on('registrationFailed', () => {
      this.registered = false;
      this.#tell('sipweb-error', { reason: 'server' });
    });
    on('newRTCSession', (event) => { if (event.originator === 'remote') this.#ring(event); });
    return agent;
  }

  #stop(): void {
    const agent = this.#agent;
    this.#agent = undefined;
    this.#connected = undefined;
    this.registered = false;
    agent?.stop();
  }

  #ring(event: Payload): void {
    const call = Call.incoming(event.session, event.request, this.#devices, this.#callEvents, (peer) => peer);
    if (this.call && !this.call.over) {
      call.reject();
      return;
    }
    this.problem = undefined;
    this.cameraFailed = false;
    this.opened = true;
    this.call = call;
    this.#change.signal();
  }

  #noCamera(): void {
    this.cameraFailed = true;
    this.#tell('sipweb-error', { reason: 'camera' });
    this.#change.signal();
  }

  /** A call that comes in goes on ringing, and may be answered again. */
  #noMicrophone(): void {
    if (this.call?.incoming) this.problem = 'noMicrophone';
    this.#tell('sipweb-error', { reason: 'microphone' });
  }

  readonly #callEvents: CallEvents = {
    changed: this.#change.signal,
    // A call that is talking has its microphone.
    media: () => (this.call?.phase === 'talking' ? this.#noCamera() : this.#noMicrophone()),
    ended: (call) => this.#ended(call),
    referred: (_call, _follow, refuse) => refuse(),
    replaced: (_call, event) => event.reject(),
  };

  #ended(call: Call): void {
    const { peer, seconds, outcome } = call;
    this.#tell('sipweb-ended', { peer: peer.uri, seconds, code: outcome?.code, cause: outcome?.key });
    // A visitor's connection is kept for a call, not for the visit.
    if (this.target !== undefined) setTimeout(() => { if (this.call === call) this.#stop(); }, 1000);
  }

  #update(): void {
    const { call } = this;
    if (call && call.phase !== 'incoming') this.problem = undefined;
    const stream = call && !call.over ? call.remote : null;
    if (this.#audio.srcObject !== stream) this.#audio.srcObject = stream;
    if (call?.phase === 'incoming') this.#sounds.ring(undefined);
    else if (call?.phase === 'ringing') this.#sounds.ringback(undefined);
    else this.#sounds.stop();
    const state = this.connecting ? 'connecting' : call ? STATES[call.phase] : 'idle';
    if (state !== this.#lastState) {
      this.#lastState = state;
      this.dataset.state = state;
      this.#tell('sipweb-state', { state, peer: call?.peer.uri });
    }
    this.#panel.update();
    this.#place();
  }

  /** The panel opens where there is room: above the button and to the left, as at the corner of a page, or the other way. */
  readonly #place = (): void => {
    const box = this.#root.querySelector<HTMLElement>('.panel');
    if (!box || this.target === undefined || !this.opened) return;
    const button = this.getBoundingClientRect();
    const { width, height } = box.getBoundingClientRect();
    const above = button.top;
    const below = innerHeight - button.bottom;
    box.toggleAttribute('data-below', above < height + 12 && below > above);
    box.toggleAttribute('data-right', button.right < width + 8);
  };

  #tell(event: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(event, { detail, bubbles: true, composed: true }));
  }

  /** A password does not stay where every script and every saved page finds it. */
  #takeSecrets(): void {
    const token = this.getAttribute('token');
    const colon = token?.indexOf(':') ?? -1;
    const user = this.getAttribute('user');
    const password = this.getAttribute('password');
    if (token && colon > 0) this.#secret = { user: token.slice(0, colon), password: token.slice(colon + 1) };
    if (user) this.#secret = { ...this.#secret, user };
    if (password !== null) this.#secret = { ...this.#secret, password };
    this.removeAttribute('token');
    this.removeAttribute('password');
  }

  readonly #applyTheme = (): void => {
    const theme = this.getAttribute('theme') ?? 'system';
    this.toggleAttribute('data-dark', theme === 'dark' || (theme !== 'light' && this.#dark.matches));
  };

  /** Shows everything in the language that is wanted. */
  async #speak(): Promise<void> {
    this.#spoken += 1;
    const spoken = this.#spoken;
    const wanted = this.getAttribute('language') ?? this.closest('[lang]')?.getAttribute('lang');
    const inside = textsFor(wanted ? [wanted] : navigator.languages);
    this.texts = inside;
    this.#update();
    const more = this.getAttribute('texts');
    if (!more) return;
    const loaded = await loadTexts(new URL(more, this.#page).href, inside).catch(() => undefined);
    if (spoken !== this.#spoken) return;
    if (!loaded) this.#tell('sipweb-error', { reason: 'texts' });
    else {
      this.texts = loaded;
      this.#update();
    }
  }
}

const STATES: Record<Call['phase'], string> = {
  microphone: 'calling', calling: 'calling', ringing: 'ringing', early: 'ringing', incoming: 'incoming', connecting: 'talking', talking: 'talking',
  ending: 'ended', ended: 'ended',
};
