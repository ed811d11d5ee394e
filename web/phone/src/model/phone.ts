/** The phone behind the page: the account's line, the calls, the messages and what stands in their way. */
import { Change } from './change.ts';
import { Call } from './call.ts';
import { Conversations } from './conversations.ts';
import { History, type RecentKind } from './history.ts';
import { Line, type LineState } from './line.ts';
import { dial, plainUri, type Peer } from './peer.ts';
import type { Agent, Library, Payload } from './library.ts';
import { QualityWatch } from './quality.ts';
import { forgetAccount, remember, uriOf, type Account, type Defaults } from './account.ts';
import { Devices, type MediaProblem } from '../media/devices.ts';
import type { TextKey } from '../text/index.ts';

export type Tab = 'keypad' | 'recents' | 'messages' | 'settings';

export class Phone {
  readonly change = new Change();
  readonly line: Line;
  readonly devices: Devices;
  readonly history: History;
  readonly conversations: Conversations;
  readonly quality: QualityWatch;
  defaults: Defaults;

  /** The call on the screen, also after its end until it is closed. */
  call: Call | undefined;
  /** A second caller, while the first call goes on. */
  waiting: Call | undefined;
  /** Which part of the page is in front. */
  tab: Tab = 'keypad';
  /** The screen has room for a panel beside the call, so a call need not take the panel away. */
  wide = false;
  /** What stands in the dial field. */
  dialled = '';
  dialError: TextKey | undefined;
  lastDialled = '';
  mediaProblem: MediaProblem | undefined;
  /** The browser refused to play sound before a click. */
  soundBlocked = false;
  staySignedIn = false;

  constructor(library: Library, defaults: Defaults) {
    const { signal } = this.change;
    this.defaults = defaults;
    this.line = new Line(library, () => this.#lineChanged(), (agent) => this.#attach(agent));
    this.devices = new Devices(signal);
    this.history = new History(signal);
    this.conversations = new Conversations(signal);
    this.quality = new QualityWatch(library.quality, signal);
    this.change.listen(() => this.quality.follow(this.call));
  }

  /** Whether the phone itself, not the sign-in form, is to be shown. */
  get signedIn(): boolean {
    return this.line.established && this.line.account !== undefined;
  }

  get domain(): string {
    return this.line.account?.domain ?? this.defaults.domain;
  }

  get inCall(): boolean {
    return this.call !== undefined && !this.call.over;
  }

  get known(): readonly Peer[] {
    return [...this.history.peers, ...this.conversations.list.map((each) => each.peer)];
  }

  signIn(account: Account, stay: boolean, restored = false): void {
    this.staySignedIn = stay;
    this.#opened = undefined;
    this.line.signIn(account, restored);
  }

  signOut(): void {
    this.call?.hangUp();
    this.#left?.hangUp();
    this.waiting?.reject();
    this.call = undefined;
    this.waiting = undefined;
    this.line.stop();
    this.line.established = false;
    this.line.problem = undefined;
    this.#opened = undefined;
    forgetAccount();
    this.change.signal();
  }

  show(tab: Tab): void {
    this.tab = tab;
    if (tab === 'recents') this.history.seen();
    if (tab === 'settings') void this.devices.refresh();
    this.change.signal();
  }

  /** Calls what stands in the dial field, or brings back the last number when it is empty. */
  dial(video = false): void {
    if (!this.dialled.trim()) {
      this.dialled = this.lastDialled;
      this.change.signal();
      return;
    }
    const found = dial(this.dialled, this.domain, this.known, this.#self);
    if ('error' in found) {
      this.dialError = found.error;
      this.change.signal();
      return;
    }
    this.lastDialled = this.dialled.trim();
    this.callPeer(found.peer, video);
  }

  callPeer(peer: Peer, video = false): void {
    const { agent, state } = this.line;
    if (this.inCall) return;
    this.#bringForward();
    if (!agent || state !== 'registered') {
      this.dialError = 'errorNotReady';
      this.change.signal();
      return;
    }
    this.dialError = undefined;
    this.dialled = '';
    this.mediaProblem = undefined;
    this.call = Call.outgoing(agent, peer, video, this.devices, this.#callEvents);
    this.change.signal();
  }

  /** Asks the other side of the call to call whom `typed` means. Returns what is wrong with that. */
  transfer(typed: string): TextKey | undefined {
    const found = dial(typed, this.domain, this.known, this.#self);
    if ('error' in found) return found.error;
    this.call?.transferTo(found.peer);
    return undefined;
  }

  closeCall(): void {
    if (this.call?.over) this.call = undefined;
    this.change.signal();
  }

  /** Ends the call on the screen for the one that waits. */
  async answerWaiting(): Promise<void> {
    const next = this.waiting;
    if (!next) return;
    this.waiting = undefined;
    const old = this.call;
    this.call = next;
    old?.hangUp();
    this.change.signal();
    await next.answer(false);
  }

  writeTo(peer: Peer): void {
    this.conversations.show(this.conversations.with(peer));
    this.show('messages');
  }

  /** The call whose other side sent us to the one on the screen: it ends when that one stands, and is back if it fails. */
  #left: Call | undefined;

  /** Follows the other side's wish that we call somebody else: telephones do so without a question. */
  #follow(call: Call, follow: () => Call, refuse: () => void): void {
    if (call !== this.call || this.#left) {
      refuse();
      return;
    }
    this.#left = call;
    this.call = follow();
    this.change.signal();
  }

  get #self(): string | undefined {
    return this.line.account && uriOf(this.line.account);
  }

  #opened: string | undefined;
  #lastState: LineState = 'off';

  #lineChanged(): void {
    const { account, state } = this.line;
    if (account && this.line.established && this.#opened !== uriOf(account)) {
      this.#opened = uriOf(account);
      this.history.open(this.#opened);
      this.conversations.load(this.#opened);
      remember(account, this.staySignedIn);
    }
    if (state === 'registered' && this.#lastState !== 'registered' && this.dialError === 'errorNotReady') this.dialError = undefined;
    this.#lastState = state;
    this.change.signal();
  }

  #attach(agent: Agent): void {
    agent.on('newRTCSession', (event: Payload) => {
      if (event.originator === 'remote') this.#ring(event);
    });
    agent.on('newMessage', (event: Payload) => this.conversations.receive(event));
  }

  /** Shows the call or the dial field where only one thing fits on the screen. */
  #bringForward(): void {
    if (!this.wide) this.tab = 'keypad';
  }

  #ring(event: Payload): void {
    const call = Call.incoming(event.session, event.request, this.devices, this.#callEvents);
    if (!this.inCall) {
      this.call = call;
      this.#bringForward();
    } else if (!this.waiting) {
      this.waiting = call;
    } else {
      call.reject(); // One call to talk, one to choose about: a third is busy.
    }
    this.change.signal();
  }

  readonly #callEvents = {
    changed: (): void => this.#changed(),
    media: (problem: MediaProblem): void => {
      this.mediaProblem = problem;
      this.change.signal();
    },
    ended: (call: Call): void => this.#ended(call),
    referred: (call: Call, follow: () => Call, refuse: () => void): void => this.#follow(call, follow, refuse),
  };

  #changed(): void {
    const left = this.#left;
    if (left && this.call?.phase === 'talking') {
      this.#left = undefined;
      left.hangUp();
    }
    this.change.signal();
  }

  #ended(call: Call): void {
    this.#record(call);
    if (call === this.#left) this.#left = undefined;
    if (call === this.call && this.#left) {
      this.call = this.#left;
      this.#left = undefined;
    }
    if (call === this.waiting) this.waiting = undefined;
    if (call === this.call && this.waiting) {
      this.call = this.waiting;
      this.waiting = undefined;
    }
    this.change.signal();
  }

  #record(call: Call): void {
    const kind = recentKind(call);
    this.history.add({
      peer: { ...call.peer, uri: plainUri(call.peer.uri) },
      kind,
      at: call.startedAt,
      seconds: call.seconds,
      video: call.video,
      ...(call.outcome ? { outcome: call.outcome } : {}),
    });
  }
}

function recentKind(call: Call): RecentKind {
  const talked = call.talkingSince !== undefined;
  if (!call.incoming) return talked ? 'outgoing' : 'notReached';
  if (talked) return 'incoming';
  const settled = call.outcome?.key === 'endedElsewhere' || call.outcome?.key === 'endedRejectedHere';
  return settled ? 'incoming' : 'missed';
}
