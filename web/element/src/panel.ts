/** What the element shows: the button that calls, and the panel of a call. Each piece is a part that a page can style. */
import { h, setText, show } from '../../phone/src/dom.ts';
import { icon, type IconName } from '../../phone/src/icons.ts';
import type { Call } from '../../phone/src/model/call.ts';
import { nameOf } from '../../phone/src/model/peer.ts';
import { filled, outcomeKey, type Texts } from './texts.ts';

/** What can be done, and what is to be shown. */
export interface PanelHost {
  readonly texts: Texts;
  readonly call: Call | undefined;
  /** Why there is no call: the connection, the address. */
  readonly problem: keyof Texts | undefined;
  readonly connecting: boolean;
  readonly registered: boolean;
  /** Whom the button calls; without it there is a field. */
  readonly target: string | undefined;
  readonly label: string | undefined;
  readonly opened: boolean;
  start(target: string): void;
  close(): void;
}

export interface Panel {
  readonly nodes: readonly Node[];
  update(): void;
  /** Puts the keyboard's focus where the user goes on. */
  focus(): void;
}

export function panel(host: PanelHost): Panel {
  const { texts } = host;
  const launch = button('launch', 'call', host.label ?? texts.callUs, () => host.start(host.target ?? ''));
  launch.setAttribute('aria-haspopup', 'dialog');
  const name = h('h2', { class: 'name', part: 'name' });
  const timer = h('span', { class: 'timer', part: 'timer', role: 'timer', 'aria-live': 'off' });
  const close = h('button', { 'type': 'button', 'class': 'close', 'part': 'close', 'aria-label': texts.close, 'on': { click: () => host.close() } }, icon('close'));
  const state = h('p', { class: 'state', part: 'state', role: 'status' });
  const dial = dialForm(host);
  const answer = button('answer', 'call', texts.answer, () => void host.call?.answer(false));
  const decline = button('decline', 'hangUp', texts.decline, () => host.call?.reject());
  const mute = button('mute', 'microphone', texts.mute, () => host.call?.toggleMute());
  const keypad = button('keypad', 'keypad', texts.keypad, () => { keysShown = !keysShown; update(); });
  const hangUp = button('hang-up', 'hangUp', texts.hangUp, () => host.call?.hangUp());
  const again = button('again', 'call', texts.again, () => host.start(host.call?.peer.uri ?? host.target ?? ''));
  const keys = h('div', { class: 'keys', part: 'keys', role: 'group', 'aria-label': texts.keypad },
    ...[...'123456789*0#'].map((key) => h('button', { type: 'button', part: 'key', on: { click: () => host.call?.sendDigit(key) } }, key)));
  const box = h('section', { 'class': 'panel', 'part': 'panel', 'role': host.target === undefined ? 'region' : 'dialog', 'aria-label': host.label ?? texts.phone },
    h('div', { class: 'head' }, name, timer, close), state, dial.element, keys,
    h('div', { class: 'controls', part: 'controls' }, answer, decline, mute, keypad, again, hangUp));
  let keysShown = false;
  let shownMuted = false;

  function update(): void {
    const { call } = host;
    const running = call !== undefined && !call.over;
    const talking = call?.phase === 'talking';
    if (!talking) keysShown = false;
    show(launch, host.target !== undefined);
    launch.disabled = running || host.connecting;
    launch.setAttribute('aria-expanded', String(host.opened));
    show(box, host.target === undefined || host.opened);
    show(close, host.target !== undefined && !running);
    setText(name, call ? nameOf(call.peer) : host.label ?? texts.phone);
    show(timer, call?.talkingSince !== undefined);
    tick();
    setText(state, stateText());
    show(dial.element, host.target === undefined && !running);
    show(keys, keysShown);
    show(answer, call?.phase === 'incoming');
    show(decline, call?.phase === 'incoming');
    show(mute, talking);
    show(keypad, talking);
    show(hangUp, (running && call.phase !== 'incoming'));
    show(again, host.target !== undefined && !running && !host.connecting && (call !== undefined || host.problem !== undefined));
    const muted = call?.muted ?? false;
    mute.setAttribute('aria-pressed', String(muted));
    if (shownMuted !== muted) mute.replaceChildren(icon(muted ? 'microphoneOff' : 'microphone'), muted ? texts.unmute : texts.mute);
    shownMuted = muted;
    keypad.setAttribute('aria-expanded', String(keysShown));
  }

  function tick(): void {
    const seconds = host.call?.seconds ?? 0;
    setText(timer, `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`);
  }

  function stateText(): string {
    const { call, problem } = host;
    if (problem) return texts[problem];
    if (host.connecting) return texts.connecting;
    if (!call) return host.target === undefined ? texts[host.registered ? 'ready' : 'offline'] : '';
    switch (call.phase) {
      case 'ended':
        return texts[outcomeKey(call.outcome)];
      case 'incoming':
        return filled(texts.incoming, { peer: nameOf(call.peer) });
      case 'early':
        return texts.ringing;
      case 'talking':
        return call.muted ? texts.muted : texts.talking;
      default:
        return texts[call.phase];
    }
  }

  return {
    nodes: [launch, box],
    update,
    focus() {
      [answer, hangUp, again, close].find((each) => !each.hidden)?.focus();
    },
  };
}

function dialForm(host: PanelHost): { element: HTMLElement } {
  const field = h('input', { 'part': 'field', 'type': 'text', 'placeholder': host.texts.whom, 'aria-label': host.texts.whom, 'autocomplete': 'off', 'autocapitalize': 'none', 'spellcheck': 'false', 'enterkeyhint': 'go' });
  return {
    element: h('form', { class: 'dial', on: { submit: (event: Event) => { event.preventDefault(); host.start(field.value); } } },
      field, h('button', { type: 'submit', class: 'go', part: 'go' }, icon('call'), host.texts.call)),
  };
}

function button(name: string, drawing: IconName, label: string, press: () => void): HTMLButtonElement {
  return h('button', { type: 'button', class: name, part: name, on: { click: press } }, icon(drawing), label);
}
