/** What calls for attention while the user looks elsewhere: ringing, the page's title, notifications, words for screen readers. */
import { h } from './dom.ts';
import { showBadge } from './install.ts';
import { text } from './text/index.ts';
import { sendTo } from './media/devices.ts';
import type { Sounds } from './media/sounds.ts';
import type { Call } from './model/call.ts';
import type { Recent } from './model/history.ts';
import type { Conversation, TextMessage } from './model/conversations.ts';
import { nameOf } from './model/peer.ts';
import type { Phone } from './model/phone.ts';
import { notify } from './notifications.ts';

const TITLE = 'Sipweb';

/** Plays the other sides. It stays in the document when the page is built anew, so that the sound never stops. */
export class RemoteSound {
  readonly element = h('div', { hidden: true });
  readonly #phone: Phone;
  readonly #players = new Map<Call, HTMLAudioElement>();
  #sink: string | undefined;

  constructor(phone: Phone) {
    this.#phone = phone;
  }

  update(): void {
    const { calls, devices } = this.#phone;
    const audible = calls.audible.filter((call) => call.remote.getAudioTracks().length > 0);
    for (const [call, player] of this.#players) if (!audible.includes(call)) this.#end(call, player);
    for (const call of audible) if (!this.#players.has(call)) this.#begin(call);
    if (this.#sink !== devices.speaker) {
      this.#sink = devices.speaker;
      for (const player of this.#players.values()) void sendTo(player, this.#sink);
    }
    if (audible.length === 0) this.#blocked(false);
  }

  play(): void {
    for (const player of this.#players.values()) {
      player.play().then(() => this.#blocked(false), (error: unknown) => {
        if (error instanceof Error && error.name === 'NotAllowedError') this.#blocked(true);
      });
    }
  }

  #begin(call: Call): void {
    const player = h('audio', { 'data-testid': 'remote-audio', 'autoplay': true });
    player.srcObject = call.remote;
    void sendTo(player, this.#sink);
    this.#players.set(call, player);
    this.element.append(player);
    this.play();
  }

  #end(call: Call, player: HTMLAudioElement): void {
    player.srcObject = null;
    player.remove();
    this.#players.delete(call);
  }

  #blocked(blocked: boolean): void {
    if (this.#phone.soundBlocked === blocked) return;
    this.#phone.soundBlocked = blocked;
    this.#phone.change.signal();
  }
}

export class Alerts {
  readonly #phone: Phone;
  readonly #sounds: Sounds;
  #notified: Call | undefined;
  #takeBack: (() => void) | undefined;
  #lastCall: Call | undefined;
  #flash = false;

  constructor(phone: Phone, sounds: Sounds) {
    this.#phone = phone;
    this.#sounds = sounds;
    phone.conversations.onincoming = (conversation, message) => this.#message(conversation, message);
  }

  update(): void {
    const { call, calls: { waiting }, devices } = this.#phone;
    if (call?.phase === 'incoming') this.#sounds.ring(devices.choice.ringer, devices.choice.ringerVolume);
    else if (waiting) this.#sounds.knock(devices.choice.speaker);
    else if (call?.phase === 'ringing') this.#sounds.ringback(devices.choice.speaker);
    const rings = waiting !== undefined || call?.phase === 'incoming' || call?.phase === 'ringing';
    if (rings) this.#rang = true;
    else if (this.#lastCall !== undefined) this.#quiet(call);
    this.#lastCall = call;
    this.#callNotification(call?.phase === 'incoming' ? call : waiting);
    this.#missed();
    this.#number();
    this.title();
  }

  #numbered = false;

  /** The icon has one number: that of the tab that is the phone, until the user signs out there. */
  #number(): void {
    const { state } = this.#phone.seat;
    if (state === 'here' || (state === 'free' && this.#numbered)) showBadge(this.#phone.history.missed + this.#phone.conversations.unread);
    this.#numbered = state === 'here';
  }

  /** Once a second: the title blinks while somebody calls. */
  title(): void {
    const { call, calls: { waiting }, conversations } = this.#phone;
    const caller = call?.phase === 'incoming' ? call : waiting;
    this.#flash = !this.#flash;
    const count = this.#phone.seat.state === 'elsewhere' ? 0 : conversations.unread + this.#phone.history.missed;
    const plain = count > 0 ? `(${count}) ${TITLE}` : TITLE;
    const wanted = caller
      ? (this.#flash ? `📞 ${text('titleRinging', { peer: nameOf(caller.peer) })}` : TITLE)
      : call && !call.over ? text('titleTalking', { peer: nameOf(call.peer) }) : plain;
    if (document.title !== wanted) document.title = wanted;
  }

  #wasOver = true;
  #rang = false;

  #quiet(call: Call | undefined): void {
    const over = call?.over ?? true;
    const turned = over !== this.#wasOver;
    this.#wasOver = over;
    if (turned && over && call?.outcome?.key === 'endedBusy') this.#sounds.busy();
    else if (turned || this.#rang) this.#sounds.stop(); // The tone of a key is left to end by itself.
    this.#rang = false;
  }

  #callNotification(caller: Call | undefined): void {
    if (caller === this.#notified) return;
    this.#notified = caller;
    this.#takeBack?.();
    this.#takeBack = undefined;
    if (!caller || !document.hidden) return;
    this.#takeBack = notify({
      title: text('titleRinging', { peer: nameOf(caller.peer) }), tag: 'sipweb-call', buttons: { answer: text('answer'), reject: text('reject') },
      press: (button) => {
        if (button === 'answer') void this.#phone.calls.answer(caller);
        if (button === 'reject') caller.reject();
      },
    });
  }

  #known: readonly Recent[] | undefined;

  /** Who called while nobody looked is told of afterwards, too. */
  #missed(): void {
    const { entries } = this.#phone.history;
    const [latest] = entries;
    const fresh = this.#known !== undefined && entries !== this.#known && latest?.kind === 'missed' && latest !== this.#known[0];
    this.#known = entries;
    if (!fresh || !document.hidden || this.#phone.presence.undisturbed) return;
    notify({ title: text('titleMissed', { peer: nameOf(latest.peer) }), tag: `sipweb-missed-${latest.peer.uri}`, press: () => this.#phone.show('recents') });
  }

  #message(conversation: Conversation, message: TextMessage): void {
    if (this.#phone.presence.undisturbed) return;
    this.#sounds.message();
    if (!document.hidden) return;
    notify({ title: text('newMessageFrom', { peer: nameOf(conversation.peer) }), body: message.body, tag: `sipweb-${conversation.peer.uri}`, press: () => this.#phone.writeTo(conversation.peer) });
  }
}
