/**
 * The part of the sipweb library that the page uses, as interfaces: the product hands in the library, the tests a double.
 * The shape is that of JsSIP's UA and RTCSession.
 */

export interface Library {
  createAgent(options: AgentOptions): Agent;
  /** How well a call is heard; loss and silence since `before`. */
  quality(connection: RTCPeerConnection, before?: Quality): Promise<Quality>;
}

/** The library's `CallQuality`. */
export interface Quality {
  readonly score: 'good' | 'fair' | 'poor' | 'none';
  readonly trouble: 'path' | 'nothingIn' | 'nothingOut' | 'microphone' | undefined;
  readonly codec: string | undefined;
  readonly received: { readonly packets: number; readonly lost: number; readonly jitter: number };
  readonly sent: { readonly packets: number; readonly lost: number };
  readonly roundTrip: number | undefined;
  readonly pair: { readonly local: string; readonly remote: string; readonly protocol: string } | undefined;
  readonly at: number;
}

export interface AgentOptions {
  /** WebSocket address. */
  readonly server: string;
  readonly uri: string;
  readonly password: string;
  readonly displayName?: string;
  /** Whether to be reachable; true if it is not said. */
  readonly register?: boolean;
}

// Payloads differ from event to event; each is read with care where it arrives.
export type Payload = Readonly<Record<string, any>>;
export type Handlers = Readonly<Record<string, (event: any) => void>>;

export interface Agent {
  start(): void;
  stop(): void;
  register(): void;
  call(target: string, options: CallOptions): Session;
  sendMessage(target: string, body: string, options?: MessageOptions): unknown;
  /** Prepares a subscription; its `subscribe()` sends it. */
  subscribe(target: string, event: string, accept: string): Subscription;
  /** Prepares a state for others to see, kept at `target`; its `publish(body)` sends it. */
  publisher(target: string, event: string, options: { expires: number }): Publication;
  on(event: string, listener: (event: any) => void): unknown;
}

export interface Publication {
  publish(body: string): Promise<unknown>;
  remove(): Promise<unknown>;
  on(event: string, listener: (event: any) => void): unknown;
}

export interface Subscription {
  subscribe(): void;
  terminate(): void;
  on(event: string, listener: (...values: any[]) => void): unknown;
}

export interface CallOptions {
  readonly mediaStream?: MediaStream;
  readonly mediaConstraints?: MediaStreamConstraints;
  readonly eventHandlers?: Handlers;
  readonly rtcOfferConstraints?: RTCOfferOptions;
}

export interface MessageOptions {
  readonly contentType?: string;
  readonly eventHandlers?: Handlers;
}

export interface Session {
  readonly connection?: RTCPeerConnection | null;
  readonly remote_identity?: { readonly uri: unknown; readonly display_name?: string | null } | null;
  answer(options: CallOptions): void;
  terminate(options?: { status_code?: number; reason_phrase?: string }): void;
  /** Asks the other side to call `target` in our place; false if that is not possible now. */
  refer(target: string, options: { eventHandlers: Handlers; replaces?: Session }): unknown;
  sendDTMF(tone: string, options?: { transportType?: 'INFO' | 'RFC2833'; duration?: number; interToneGap?: number }): void;
  hold(): boolean;
  /** Offers the present state of the peer connection; false if that is not possible now. */
  renegotiate(options: object): boolean;
  unhold(): boolean;
  mute(options?: { audio?: boolean; video?: boolean }): void;
  unmute(options?: { audio?: boolean; video?: boolean }): void;
  isEnded(): boolean;
  on(event: string, listener: (event: any) => void): unknown;
}
