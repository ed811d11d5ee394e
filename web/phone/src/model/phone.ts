/** The phone behind the page: the account's line, the calls, the messages and what stands in their way. */
import { Change } from './change.ts';
import { Contacts } from './contacts.ts';
import { anythingKept, forgetKept, keep, readKept } from './kept.ts';
import { Lamps } from './lamps.ts';
import { Presence } from './presence.ts';
import { Seat } from './seat.ts';
import type { Call } from './call.ts';
import { Calls } from './calls.ts';
import { Conversations } from './conversations.ts';
import { History, type RecentKind } from './history.ts';
import { Line, type LineState } from './line.ts';
import { addressLine, dial, fieldText, nameOf, plainUri, sameUri, type Peer } from './peer.ts';
import type { Agent, Library, Payload } from './library.ts';
import { QualityWatch } from './quality.ts';
import { forgetAccount, remember, stays, uriOf, type Account, type Defaults } from './account.ts';
import type { Devices, MediaProblem } from '../media/devices.ts';
import { MicrophoneFirst } from '../media/microphone_first.ts';
import type { TextKey } from '../text/index.ts';

export type Tab = 'keypad' | 'recents' | 'contacts' | 'messages' | 'settings';

export class Phone {
  readonly change = new Change();
  readonly line: Line;
  readonly devices: Devices;
  readonly calls: Calls;
  readonly history: History;
  readonly conversations: Conversations;
  readonly contacts: Contacts;
  readonly lamps: Lamps;
  readonly presence: Presence;
  readonly seat: Seat;
  readonly quality: QualityWatch;
  defaults: Defaults;

  /** Which part of the page is in front. */
  tab: Tab = 'keypad';
  /** The screen has room for a panel beside the call, so a call need not take the panel away. */
  wide = false;
  /** What stands in the dial field. */
  dialled = '';
  dialError: TextKey | undefined;
  /** Whom a link wants to call; the user decides. */
  linkTarget: string | undefined;
  /** Whom a link wants to sign in; the user decides, because that would end a call. */
  linkAccount: Account | undefined;
  /** Who is being added to the contacts or changed there. */
  editing: Peer | undefined;
  /** The call that kept the user from calling somebody else: it is not answered yet. */
  inTheWay: Call | undefined;
  mediaProblem: MediaProblem | undefined;
  /** The browser refused to play sound before a click. */
  soundBlocked = false;
  staySignedIn = false;
  /** Told when the account leaves the page, and the user of the next one where a link brings it. */
  onsignedout = (_next?: string): void => undefined;

  constructor(library: Library, defaults: Defaults) {
    const { signal } = this.change;
    this.defaults = defaults;
    this.line = new Line(library, () => this.#lineChanged(), (agent) => this.#attach(agent));
    const media = (problem: MediaProblem): void => {
      this.mediaProblem = problem;
      signal();
    };
    this.devices = new MicrophoneFirst(signal, () => media('camera'));
    this.devices.onopened = () => {
      if (this.mediaProblem !== 'camera') this.mediaProblem = undefined;
      signal();
    };
    this.devices.onplugged = () => {
      if (this.mediaProblem === 'missing') this.mediaProblem = undefined;
      signal();
      void this.calls.recoverMicrophone();
    };
    this.calls = new Calls(this.devices, {
      changed: signal,
      shown: () => {
        this.dialError = undefined;
        this.#bringForward();
      },
      ended: (call) => this.#record(call),
      media,
      known: (peer) => this.#named(peer),
      undisturbed: () => this.presence.undisturbed,
    });
    this.history = new History(signal);
    this.conversations = new Conversations(signal);
    this.conversations.watched = () => this.tab === 'messages' && !document.hidden;
    this.contacts = new Contacts(signal);
    this.lamps = new Lamps(signal);
    this.presence = new Presence(signal);
    this.seat = new Seat({
      taken: () => this.#seated(),
      lost: () => this.#standUp(),
      signedOut: (erase) => this.signOut(erase),
      busy: () => this.busy,
      call: (target) => {
        this.linkTarget = target;
        signal();
      },
      there: () => this.#toTell && { peer: nameOf(this.#toTell.peer), phase: this.#toTell.phase, at: this.#toTell.startedAt },
      press: (at, answer) => {
        const call = this.#toTell;
        if (call?.startedAt !== at) return;
        if (answer) void this.calls.answer(call);
        else call.hangUp();
      },
      changed: signal,
    });
    this.change.listen(() => this.seat.tell());
    this.change.listen(() => {
      const ready = this.line.state === 'registered';
      if (!ready) for (const each of [this.lamps, this.presence]) each.lost();
      if (!ready && this.line.state !== 'off') return;
      const agent = ready ? this.line.agent : undefined;
      this.lamps.follow(agent, this.contacts.list, this.voicemail ? this.#self : undefined);
      this.presence.follow(agent);
    });
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

  /** The call on the screen, also after its end until it is closed. */
  get call(): Call | undefined {
    return this.calls.current;
  }

  get inCall(): boolean {
    return this.calls.running;
  }

  /** Whether there is a call that the user would not want to lose. */
  get busy(): boolean {
    return this.inCall || this.calls.others.length > 0;
  }

  /** The call that other tabs show: whoever rings, else the one that runs. */
  get #toTell(): Call | undefined {
    return this.calls.waiting ?? (this.inCall ? this.call : undefined);
  }

  get known(): readonly Peer[] {
    return [...this.contacts.list, ...this.history.peers, ...this.conversations.list.map((each) => each.peer)];
  }

  /** People that we know, each once, whose name or address contains `typed` (lower case). */
  people(typed: string): readonly Peer[] {
    return this.known
      .filter((peer, place, all) => all.findIndex((each) => each.uri === peer.uri) === place)
      .filter((peer) => `${nameOf(peer)} ${addressLine(peer, this.domain)}`.toLowerCase().includes(typed));
  }

  signIn(account: Account, stay: boolean, restored = false): void {
    this.staySignedIn = stay;
    this.#opened = undefined;
    this.#wanted = { account, restored };
    void this.seat.take(uriOf(account));
  }

  #wanted: { account: Account; restored: boolean } | undefined;

  /** Our tab is the phone now. */
  #seated(): void {
    if (this.#wanted) this.line.signIn(this.#wanted.account, this.#wanted.restored);
  }

  /** Another tab is the phone now. */
  #standUp(): void {
    if (this.#wanted) this.#wanted = { ...this.#wanted, restored: true };
    this.calls.hangUpAll();
    this.line.stop();
    this.#opened = undefined;
    this.change.signal();
  }

  /** The user does not want to wait for the sign-in any more. */
  cancelSignIn(): void {
    this.seat.leave();
    this.line.stop();
  }

  /** Whose contacts, messages or calls the browser has, where there are any: they stay unless signing out erases them. */
  get keptFor(): string | undefined {
    const account = this.#wanted?.account;
    return account && anythingKept(uriOf(account)) ? account.user : undefined;
  }

  /** Signs out in all tabs. Whoever comes next finds nothing on the page; with `erase`, nothing in the browser either. */
  signOut(erase = false): void {
    const account = this.#wanted?.account;
    this.#leave(() => this.seat.signOut(erase));
    if (account) forgetAccount(account);
    if (account && erase) forgetKept(uriOf(account));
    this.onsignedout();
    this.change.signal();
  }

  /** A link was opened that signs in. The account before it is left, not forgotten: other tabs may have it. */
  signInByLink(account: Account): void {
    if (this.busy && JSON.stringify(this.#wanted?.account) === JSON.stringify(account)) return; // That is so already.
    this.linkAccount = this.busy ? account : undefined;
    if (this.linkAccount) this.change.signal();
    else this.#signInInstead(account);
  }

  /** Does what a link to sign in proposed, once the user agrees. */
  signInLinked(): void {
    if (this.linkAccount) this.#signInInstead(this.linkAccount);
  }

  #signInInstead(account: Account): void {
    const { linkTarget } = this;
    this.#leave(() => this.seat.leave());
    this.linkTarget = linkTarget; // A page can be opened by one link for both.
    this.onsignedout(account.user);
    this.signIn(account, stays(account));
  }

  #leave(seat: () => void): void {
    this.calls.hangUpAll(); // Each is recorded, so this comes first.
    seat();
    this.#wanted = undefined;
    this.line.stop();
    this.line.account = undefined;
    this.line.established = false;
    this.line.problem = undefined;
    this.#open('');
    this.#opened = undefined;
    this.tab = 'keypad';
    this.dialled = '';
    this.dialError = undefined;
    this.linkTarget = undefined;
    this.linkAccount = undefined;
    this.editing = undefined;
    this.mediaProblem = undefined;
  }

  /** What the browser has kept of `account` is shown and added to; '' is nobody. */
  #open(account: string): void {
    this.#opened = account;
    this.history.open(account);
    this.conversations.load(account);
    this.contacts.open(account);
    this.presence.open(account);
  }

  show(tab: Tab): void {
    this.tab = tab;
    if (tab !== 'contacts') this.editing = undefined;
    if (tab === 'recents') this.history.seen();
    this.readOpen();
    if (tab === 'settings') void this.devices.refresh();
    this.change.signal();
  }

  /** A conversation that comes back to the screen has been read. */
  readOpen(): void {
    const { conversations } = this;
    if (conversations.open && conversations.watched()) conversations.show(conversations.open);
  }

  /** Calls what stands in the dial field, or brings back the last number when it is empty. */
  dial(video = false): void {
    if (!this.dialled.trim()) {
      const last = this.history.lastCalled;
      if (last) this.dialled = fieldText(last, this.domain, this.known);
      this.change.signal();
      return;
    }
    const found = dial(this.dialled, this.domain, this.known, this.#self);
    if ('error' in found) {
      this.dialError = found.error;
      this.change.signal();
      return;
    }
    this.callPeer(found.peer, video);
  }

  /** Does what a link proposed, once the user agrees. */
  callLinked(): void {
    const target = this.linkTarget ?? '';
    this.linkTarget = undefined;
    this.callTyped(target);
  }

  callTyped(target: string): void {
    this.#bringForward(); // What is wrong with it is said at the dial field.
    this.dialled = target;
    this.dial();
  }

  /** The number of the voicemail; set, its lamp is asked for. */
  get voicemail(): string | undefined {
    return readKept<string>('voicemail', this.#self ?? '') || undefined;
  }

  set voicemail(number: string | undefined) {
    keep('voicemail', this.#self ?? '', number ?? '');
    this.change.signal();
  }

  /** Calls `peer`; a call that stands already is held meanwhile. `consultFor` is the call about which we ask. */
  callPeer(peer: Peer, video = false, consultFor?: Call): void {
    const { agent, state } = this.line;
    this.#bringForward();
    if (!this.calls.canAdd) {
      this.inTheWay = this.call;
      this.change.signal();
      return;
    }
    if (!agent || state !== 'registered') {
      this.dialError = 'errorNotReady';
      this.change.signal();
      return;
    }
    this.dialError = undefined;
    this.dialled = '';
    this.mediaProblem = undefined;
    this.calls.dial(agent, peer, video, consultFor);
  }

  /** Calls whom `typed` means besides the running call. Returns what is wrong with that. */
  add(typed: string): TextKey | undefined {
    return this.#whom(typed, (peer) => this.#besides(peer));
  }

  /** Asks whom `typed` means, before the other side of the call is passed on. Returns what is wrong with that. */
  consult(typed: string): TextKey | undefined {
    return this.#whom(typed, (peer) => (this.call?.transferable ? this.#besides(peer, this.call) : 'errorTransferring'));
  }

  #besides(peer: Peer, consultFor?: Call): TextKey | undefined {
    if (this.line.state !== 'registered') return 'errorNotReady';
    this.callPeer(peer, false, consultFor);
    return undefined;
  }

  /** Asks the other side of the call to call whom `typed` means. Returns what is wrong with that. */
  transfer(typed: string): TextKey | undefined {
    return this.#whom(typed, (peer) => {
      if (!this.call?.transferable) return 'errorTransferring';
      this.call.transferTo(peer);
      return undefined;
    });
  }

  closeCall(): void {
    this.calls.closeCurrent();
  }

  editContact(peer: Peer | undefined): void {
    this.editing = peer;
    this.change.signal();
  }

  writeTo(peer: Peer): void {
    this.conversations.show(this.conversations.with(peer));
    this.show('messages');
  }

  #whom(typed: string, found: (peer: Peer) => TextKey | undefined): TextKey | undefined {
    const whom = dial(typed, this.domain, this.known, this.#self);
    return 'error' in whom ? whom.error : found(whom.peer);
  }

  get #self(): string | undefined {
    return this.line.account && uriOf(this.line.account);
  }

  #opened: string | undefined;
  #lastState: LineState = 'off';

  #lineChanged(): void {
    const { account, state } = this.line;
    if (account && this.line.established && this.#opened !== uriOf(account)) {
      this.#open(uriOf(account));
      remember(account, this.staySignedIn);
    }
    // Who was not let in is no phone: another tab may be.
    if (state === 'failed' && !this.line.established) this.seat.leave();
    if (state === 'registered' && this.#lastState !== 'registered' && this.dialError === 'errorNotReady') this.dialError = undefined;
    this.#lastState = state;
    this.change.signal();
  }

  #attach(agent: Agent): void {
    agent.on('newRTCSession', (event: Payload) => {
      if (event.originator === 'remote') this.calls.ring(event);
    });
    agent.on('newMessage', (event: Payload) => this.conversations.receive(event));
  }

  /** Shows the call or the dial field where only one thing fits on the screen. */
  #bringForward(): void {
    if (!this.wide) this.tab = 'keypad';
  }

  /** With the name under which we know somebody. */
  #named(peer: Peer): Peer {
    const name = this.contacts.of(peer.uri)?.name ?? peer.name ?? this.known.find((each) => each.name && sameUri(each.uri, peer.uri))?.name;
    return name ? { ...peer, name } : peer;
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
  if (call.turnedAway) return 'missed';
  const settled = call.outcome?.key === 'endedElsewhere' || call.outcome?.key === 'endedRejectedHere';
  return settled ? 'incoming' : 'missed';
}
