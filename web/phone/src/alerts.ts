/** What calls for attention while the user looks elsewhere: ringing, the page's title, notifications, words for screen readers. */
import { h } from './dom.ts';
import { text } from './text/index.ts';
import { sendTo } from './media/devices.ts';
import type { Sounds } from './media/sounds.ts';
import type { Call } from './model/call.ts';
import type { Conversation, TextMessage } from './model/conversations.ts';
import { nameOf } from './model/peer.ts';
import type { Phone } from './model/phone.ts';

const TITLE = 'Sipweb';

/** Plays the other side. It stays in the document when the page is built anew, so that the sound never stops. */
export class RemoteSound {
  readonly element = h('audio', { 'data-testid': 'remote-audio', 'autoplay': true });
  readonly #phone: Phone;
  #sink: string | undefined;

  constructor(phone: Phone) {
    this.#phone = phone;
  }

  update(): void {
    const { call, devices } = this.#phone;
    const stream = call && !call.over && call.remote.getAudioTracks().length > 0 ? call.remote : null;
    if (this.#sink !== devices.choice.speaker) {
      this.#sink = devices.choice.speaker;
      void sendTo(this.element, this.#sink);
    }
    if (this.element.srcObject === stream) return;
    this.element.srcObject = stream;
    if (stream) this.play();
    else this.#blocked(false);
  }

  play(): void {
    this.element.play().then(() => this.#blocked(false), (error: unknown) => {
      if (error instanceof Error && error.name === 'NotAllowedError') this.#blocked(true);
    });
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
  #notification: Notification | undefined;
  #lastCall: Call | undefined;
  #flash = false;

  constructor(phone: Phone, sounds: Sounds) {
    this.#phone = phone;
    this.#sounds = sounds;
    phone.conversations.onincoming = (conversation, message) => this.#message(conversation, message);
  }

  update(): void {
    const { call, waiting, devices } = this.#phone;
    if (call?.phase === 'incoming') this.#sounds.ring(devices.choice.ringer);
    else if (call?.phase === 'ringing') this.#sounds.ringback(devices.choice.speaker);
    else if (this.#lastCall !== undefined) this.#quiet(call);
    this.#lastCall = call;
    this.#callNotification(call?.phase === 'incoming' ? call : waiting);
    this.title();
  }

  /** Once a second: the title blinks while somebody calls. */
  title(): void {
    const { call, waiting, conversations } = this.#phone;
    const caller = call?.phase === 'incoming' ? call : waiting;
    this.#flash = !this.#flash;
    const count = conversations.unread;
    const plain = count > 0 ? `(${count}) ${TITLE}` : TITLE;
    const wanted = caller
      ? (this.#flash ? `📞 ${text('titleRinging', { peer: nameOf(caller.peer) })}` : TITLE)
      : call && !call.over ? text('titleTalking', { peer: nameOf(call.peer) }) : plain;
    if (document.title !== wanted) document.title = wanted;
  }

  #wasOver = true;

  #quiet(call: Call | undefined): void {
    const over = call?.over ?? true;
    const justEnded = over && !this.#wasOver;
    this.#wasOver = over;
    if (justEnded && call?.outcome?.key === 'endedBusy') this.#sounds.busy();
    else if (justEnded || !over) this.#sounds.stop();
  }

  #callNotification(caller: Call | undefined): void {
    if (caller === this.#notified) return;
    this.#notified = caller;
    this.#notification?.close();
    this.#notification = undefined;
    if (!caller || !document.hidden) return;
    this.#notification = notify(text('titleRinging', { peer: nameOf(caller.peer) }), '', 'sipweb-call', true);
  }

  #message(conversation: Conversation, message: TextMessage): void {
    this.#sounds.message();
    if (!document.hidden) return;
    const note = notify(text('newMessageFrom', { peer: nameOf(conversation.peer) }), message.body, `sipweb-${conversation.peer.uri}`, false);
    note?.addEventListener('click', () => this.#phone.writeTo(conversation.peer));
  }
}

function notify(title: string, body: string, tag: string, stay: boolean): Notification | undefined {
  try {
    if (!('Notification' in window) || Notification.permission !== 'granted') return undefined;
    const note = new Notification(title, { body, tag, icon: 'icon.svg', requireInteraction: stay });
    note.addEventListener('click', () => {
      window.focus();
      note.close();
    });
    return note;
  } catch {
    return undefined; // Some browsers of phones allow notifications from service workers only.
  }
}
