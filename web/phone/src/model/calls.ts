/**
 * Several calls at once: one is on the screen, others are on hold, one may ring.
 *
 *     dial, answer: the call that was on the screen goes on hold
 *     switchTo:     the two change places
 *     merge:        all calls that stand hear each other (conference); split: they are single calls again
 */
import { MediaError, type Devices, type MediaProblem } from '../media/devices.ts';
import { Call, type CallEvents } from './call.ts';
import { Conference } from './conference.ts';
import type { Agent, Payload, Session } from './library.ts';
import type { Peer } from './peer.ts';

export interface CallsEvents {
  changed(): void;
  /** A call came to the screen. */
  shown(): void;
  ended(call: Call): void;
  media(problem: MediaProblem): void;
  /** What we know of somebody who calls, for instance the name in our contacts. */
  known(peer: Peer): Peer;
  /** Nobody is to be let through. */
  undisturbed(): boolean;
}

export class Calls {
  /** The one on the screen, also after its end until it is closed. */
  current: Call | undefined;
  conference: Conference | undefined;
  /** A call that ended while another one took its place on the screen. */
  news: Call | undefined;

  #list: readonly Call[] = [];
  /** The call whose other side sent us to the one on the screen: it ends when that one stands, and is back if it fails. */
  #left: Call | undefined;
  /** Sessions that take the place of a call (RFC 3891). */
  readonly #successors = new Map<Session, Call>();
  readonly #devices: Devices;
  readonly #events: CallsEvents;

  constructor(devices: Devices, events: CallsEvents) {
    this.#devices = devices;
    this.#events = events;
  }

  get running(): boolean {
    return this.current !== undefined && !this.current.over;
  }

  /** A second caller, while the first call goes on. */
  get waiting(): Call | undefined {
    return this.#list.find((call) => call.phase === 'incoming' && call !== this.current);
  }

  /** Calls besides the one on the screen; nobody who only rings, and nobody of the same conference. */
  get others(): readonly Call[] {
    const together = this.inConference ? this.conference?.members : undefined;
    return this.#list.filter((call) => call !== this.current && call !== this.#left && call.phase !== 'incoming' && !together?.includes(call));
  }

  get inConference(): boolean {
    return this.current !== undefined && this.conference?.members.includes(this.current) === true;
  }

  /** The calls that are to be heard now. */
  get audible(): readonly Call[] {
    if (this.inConference) return this.conference?.members ?? [];
    return this.current && !this.current.over ? [this.current] : [];
  }

  /** Whether the call on the screen and another one stand, so that they can be joined. */
  get canJoin(): boolean {
    return this.current?.phase === 'talking' && this.others.some((call) => call.phase === 'talking');
  }

  /** A second call can be made once the first one stands and can be held. */
  get canAdd(): boolean {
    return !this.running || this.current?.phase === 'talking';
  }

  get muted(): boolean {
    return (this.inConference ? this.conference?.muted : this.current?.muted) ?? false;
  }

  dial(agent: Agent, peer: Peer, video: boolean, consultFor?: Call): void {
    this.#leave();
    this.#show(this.#add(Call.outgoing(agent, this.#events.known(peer), video, this.#devices, this.#callEvents, consultFor)));
  }

  /** Takes the payload of the agent's `newRTCSession` event. */
  ring(event: Payload): void {
    const call = Call.incoming(event.session, event.request, this.#devices, this.#callEvents, this.#events.known);
    const replaced = this.#successors.get(event.session);
    if (replaced) {
      this.#successors.delete(event.session);
      this.#replace(replaced, call);
      return;
    }
    const busy = this.running && this.waiting !== undefined;
    this.#add(call);
    // One call to talk, one to choose about: a third is busy.
    if (busy || this.#events.undisturbed()) call.turnAway();
    else if (!this.running) this.#show(call);
    this.#signal();
  }

  /** Answers `call`, which rings, wherever it is. */
  async answer(call: Call): Promise<void> {
    if (call === this.waiting) await this.answerWaiting(false);
    else await call.answer(false);
  }

  /** Answers the caller that waits; the call on the screen is held, or ended. */
  async answerWaiting(end: boolean): Promise<void> {
    const { waiting: next, current: old } = this;
    if (!next) return;
    if (end || old?.phase !== 'talking') {
      const conference = this.inConference ? this.conference : undefined;
      if (conference) this.conference = undefined;
      this.current = next;
      for (const call of conference?.members ?? [old]) call?.hangUp();
      conference?.close();
    } else {
      this.#leave();
    }
    this.#show(next);
    await next.answer(false);
  }

  switchTo(call: Call): void {
    if (call === this.current || !this.#list.includes(call)) return;
    this.#leave();
    this.#return(call);
  }

  toggleMute(): void {
    if (this.inConference) this.conference?.setMuted(!this.conference.muted);
    else this.current?.toggleMute();
    this.#signal();
  }

  /** Everybody who is in a call with us hears everybody else. */
  async merge(): Promise<void> {
    const standing = (): Call[] => [this.current, ...this.others].filter((call) => call?.phase === 'talking') as Call[];
    if (standing().length < 2) return;
    const { muted } = this;
    if (!this.conference) {
      const microphone = await this.#openMicrophone();
      if (!microphone) return;
      // Meanwhile somebody may have hung up, or the button was pressed twice.
      if (this.conference || standing().length < 2) {
        stop(microphone);
        return;
      }
      this.conference = new Conference(microphone, this.#events.changed);
    }
    const { conference } = this;
    conference.setAway(false);
    conference.setMuted(muted);
    for (const call of standing()) {
      const { source } = call.picture;
      if (source) void call.toggleVideo(source); // A conference has no pictures, and no buttons to end them.
      call.setHold(false);
      conference.add(call);
    }
    this.#signal();
  }

  /** Ends the conference; the call on the screen goes on, the others are held. */
  split(): void {
    const { conference } = this;
    this.conference = undefined;
    for (const call of conference?.members ?? []) if (call !== this.current) call.setHold(true);
    conference?.close();
    this.#signal();
  }

  /** Brings the other side of `other` together with the other side of the call on the screen, and leaves both. */
  connect(other: Call): void {
    if (this.current) other.transferToCall(this.current);
  }

  /** Uses the chosen microphone from now on. */
  changeMicrophone(): Promise<void> {
    return this.#inTurn(() => this.#changeMicrophone());
  }

  /** A device came or went: calls whose microphone was unplugged go on with another one. */
  recoverMicrophone(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#list.some((call) => call.lostMicrophone)) await this.#changeMicrophone();
    });
  }

  #turn = Promise.resolve();

  /** One change of the microphone after the other: some take long to open, and the last choice is to stay. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    return (this.#turn = this.#turn.then(change, change));
  }

  async #changeMicrophone(): Promise<void> {
    await Promise.all(this.#list.map((call) => call.changeMicrophone()));
    const { conference } = this;
    const microphone = conference && await this.#openMicrophone();
    if (!microphone) return;
    if (this.conference === conference) conference.changeMicrophone(microphone);
    else stop(microphone);
  }

  async #openMicrophone(): Promise<MediaStream | undefined> {
    try {
      return await this.#devices.open(false);
    } catch (error) {
      this.#events.media(error instanceof MediaError ? error.problem : 'busy');
      return undefined;
    }
  }

  /** Leaves the call on the screen; of a conference, all of it. */
  hangUp(): void {
    const calls = this.inConference ? this.conference?.members ?? [] : [this.current];
    for (const call of calls) call?.hangUp();
  }

  hangUpAll(): void {
    for (const call of [...this.#list]) call.hangUp();
    this.current = undefined;
  }

  closeCurrent(): void {
    if (this.current?.over) this.current = undefined;
    this.#signal();
  }

  readonly #callEvents: CallEvents = {
    changed: () => this.#changed(),
    media: (problem) => this.#events.media(problem),
    ended: (call) => this.#ended(call),
    referred: (call, follow, refuse) => this.#follow(call, follow, refuse),
    replaced: (call, event) => {
      // RFC 3891 §3: who may take the place of a call is let in without a question, the user has answered already.
      if (call.phase === 'talking') event.accept((session: Session) => this.#successors.set(session, call));
      else event.reject();
    },
  };

  #add(call: Call): Call {
    this.#list = [...this.#list, call];
    return call;
  }

  #show(call: Call): void {
    this.current = call;
    this.news = undefined;
    this.#events.shown();
    this.#signal();
  }

  /** The call on the screen makes room. */
  #leave(): void {
    if (this.inConference) this.conference?.setAway(true);
    else if (this.current?.phase !== 'incoming') this.current?.setHold(true);
  }

  /** A call comes back to the screen, and is heard again. */
  #return(call: Call): void {
    this.current = call;
    if (this.inConference) this.conference?.setAway(false);
    else call.setHold(false);
    this.#signal();
  }

  #replace(old: Call, call: Call): void {
    this.#add(call);
    if (this.#left === old) this.#left = undefined;
    if (this.current === old) {
      if (this.inConference) this.conference?.setAway(true);
      this.#show(call);
    } else {
      call.setHold(true); // Who talks to somebody else is not to be heard by him.
    }
    void call.answer(false);
  }

  /** Follows the other side's wish that we call somebody else: telephones do so without a question. */
  #follow(call: Call, follow: () => Call, refuse: () => void): void {
    if (call !== this.current || this.#left || this.inConference) {
      refuse();
      return;
    }
    this.#left = call;
    this.#show(this.#add(follow()));
  }

  /** Who is neither on the screen nor in the conference does not hear us, whatever became of his hold. */
  #signal(): void {
    for (const call of this.#list) call.setAway(!this.audible.includes(call) && !this.conference?.members.includes(call));
    this.#events.changed();
  }

  #changed(): void {
    const left = this.#left;
    if (left && this.current?.phase === 'talking') {
      this.#left = undefined;
      left.hangUp();
    }
    this.conference?.refresh();
    this.#signal();
  }

  #ended(call: Call): void {
    this.#list = this.#list.filter((each) => each !== call);
    this.#events.ended(call);
    const alone = this.#leaveConference(call);
    const left = this.#left;
    if (call === left) this.#left = undefined;
    if (call === this.current) this.#next(call, left ?? alone);
    this.#signal();
  }

  /** Takes `call` out of the conference. Returns who is left of it alone. */
  #leaveConference(call: Call): Call | undefined {
    const { conference } = this;
    if (!conference?.members.includes(call)) return undefined;
    conference.remove(call);
    if (conference.members.length > 1) return undefined;
    const [alone] = conference.members;
    this.conference = undefined;
    // Who talks to somebody else meanwhile is not to be heard there.
    if (alone !== this.current && call !== this.current) alone?.setHold(true);
    conference.close();
    return alone;
  }

  /** What comes to the screen after a call has ended, if there is anything. */
  #next(call: Call, left: Call | undefined): void {
    const next = [left, this.conference?.members[0], this.waiting, call.consultFor, this.others.at(-1)].find((each) => each && !each.over);
    if (!next) return;
    this.#left = undefined;
    this.current = next;
    this.news = call.outcome?.key === 'endedByYou' ? undefined : call;
    // Whom we only asked is gone: back to the one who waits for the answer.
    if (next === call.consultFor && next.transfer?.state !== 'asked') next.setHold(false);
    // Who answers now is talked to.
    if (next.phase !== 'talking') next.setHold(false);
    if (this.inConference) this.conference?.setAway(false);
  }
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
