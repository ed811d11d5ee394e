/** What the element shows: the button that calls, and the panel of a call. Each piece is a part that a page can style. */
import { h, setAttribute, setText, show } from '../../phone/src/dom.ts';
import { icon, type IconName } from '../../phone/src/icons.ts';
import type { Call } from '../../phone/src/model/call.ts';
import { nameOf } from '../../phone/src/model/peer.ts';
import type { VideoWish } from './camera.ts';
import { pictures } from './pictures.ts';
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
  readonly video: VideoWish;
  /** The camera was wanted in this call and could not be had. */
  readonly cameraFailed: boolean;
  toggleCamera(): void;
  start(target: string): void;
  close(): void;
}

export interface Panel {
  readonly nodes: readonly Node[];
  update(): void;
  /** Puts the keyboard's focus where the user goes on. */
  focus(): void;
}

/** The elements; `update` gives them the words and the state of the host, which both may change. */
export function panel(host: PanelHost): Panel {
  const launch = button('launch', 'call', () => host.start(host.target ?? ''));
  launch.element.setAttribute('aria-haspopup', 'dialog');
  const name = h('h2', { class: 'name', part: 'name' });
  const timer = h('span', { class: 'timer', part: 'timer', role: 'timer', 'aria-live': 'off' });
  const close = h('button', { type: 'button', class: 'close', part: 'close', on: { click: () => host.close() } }, icon('close'));
  const state = h('p', { class: 'state', part: 'state', role: 'status' });
  const dial = dialForm(host);
  const answer = button('answer', 'call', () => void host.call?.answer(false));
  const answerVideo = button('answer-video', 'video', () => void host.call?.answer(true));
  const decline = button('decline', 'hangUp', () => host.call?.reject());
  const mute = button('mute', 'microphone', () => host.call?.toggleMute());
  const camera = button('camera', 'video', () => host.toggleCamera());
  const keypad = button('keypad', 'keypad', () => { keysShown = !keysShown; update(); });
  const hangUp = button('hang-up', 'hangUp', () => host.call?.hangUp());
  const again = button('again', 'call', () => host.start(host.call?.peer.uri ?? host.target ?? ''));
  const keys = h('div', { class: 'keys', part: 'keys', role: 'group' },
    ...[...'123456789*0#'].map((key) => h('button', { type: 'button', part: 'key', on: { click: () => host.call?.sendDigit(key) } }, key)));
  const controls = [answer, answerVideo, decline, mute, camera, keypad, again, hangUp];
  const seen = pictures();
  const box = h('section', { class: 'panel', part: 'panel', on: { keydown: escape } },
    h('div', { class: 'head' }, name, timer, close), seen.element, state, dial.element, keys,
    h('div', { class: 'controls', part: 'controls' }, ...controls.map(({ element }) => element)));
  let keysShown = false;

  /** Escape closes the keypad, else a panel without a running call: a call is ended by its button only. */
  function escape(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || event.isComposing) return;
    if (keysShown) {
      keysShown = false;
      keypad.element.focus();
      update();
    } else if (!close.hidden) {
      host.close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation(); // The page around has things of its own to close.
  }

  function update(): void {
    const { call, texts } = host;
    const focused = (box.getRootNode() as ShadowRoot).activeElement;
    const running = call !== undefined && !call.over;
    const talking = call?.phase === 'talking';
    if (!talking) keysShown = false;
    const muted = call?.muted ?? false;
    word(muted);
    show(launch.element, host.target !== undefined);
    launch.draw(host.video === 'offered' ? 'video' : 'call');
    launch.element.disabled = running || host.connecting;
    launch.element.setAttribute('aria-expanded', String(host.opened));
    show(box, host.target === undefined || host.opened);
    show(close, host.target !== undefined && !running);
    setText(name, call ? nameOf(call.peer) : host.label ?? texts.phone);
    show(timer, call?.talkingSince !== undefined);
    tick();
    setText(state, stateText());
    show(dial.element, host.target === undefined && !running);
    show(keys, keysShown);
    box.toggleAttribute('data-keys', keysShown);
    show(answer.element, call?.phase === 'incoming');
    show(answerVideo.element, call?.phase === 'incoming' && call.video && host.video !== 'none');
    show(decline.element, call?.phase === 'incoming');
    show(mute.element, talking);
    show(camera.element, talking && host.video !== 'none');
    show(keypad.element, talking);
    show(hangUp.element, running && call.phase !== 'incoming');
    show(again.element, host.target !== undefined && !running && !host.connecting && (call !== undefined || host.problem !== undefined));
    mute.element.setAttribute('aria-pressed', String(muted));
    mute.draw(muted ? 'microphoneOff' : 'microphone');
    camera.element.setAttribute('aria-pressed', String(call?.picture.source === 'camera'));
    keypad.element.setAttribute('aria-expanded', String(keysShown));
    seen.update(host.video === 'none' ? undefined : call, texts);
    box.toggleAttribute('data-picture', seen.remoteShown);
    // What the keyboard was on has gone: it would fall out of the element.
    if (focused?.closest('[hidden], :disabled')) focus();
  }

  function focus(): void {
    [answer.element, hangUp.element, again.element, close].find((each) => !each.hidden)?.focus();
  }

  function word(muted: boolean): void {
    const { texts } = host;
    launch.word(host.label ?? texts.callUs);
    answer.word(texts.answer);
    answerVideo.word(texts.answerVideo);
    decline.word(texts.decline);
    mute.word(muted ? texts.unmute : texts.mute);
    camera.word(texts.camera);
    keypad.word(texts.keypad);
    hangUp.word(texts.hangUp);
    again.word(texts.again);
    dial.word();
    setAttribute(close, 'aria-label', texts.close);
    setAttribute(keys, 'aria-label', texts.keypad);
    setAttribute(box, 'aria-label', host.label ?? texts.phone);
    setAttribute(box, 'role', host.target === undefined ? 'region' : 'dialog');
  }

  function tick(): void {
    const seconds = host.call?.seconds ?? 0;
    setText(timer, `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`);
  }

  function stateText(): string {
    const { call, problem, texts } = host;
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
      case 'microphone':
        return texts[call.video ? 'microphoneAndCamera' : 'microphone'];
      case 'talking':
        if (host.cameraFailed) return texts.noCamera;
        return call.muted ? texts.muted : texts.talking;
      default:
        return texts[call.phase];
    }
  }

  return {
    nodes: [launch.element, box],
    update,
    focus,
  };
}

function dialForm(host: PanelHost): { element: HTMLElement; word: () => void } {
  const field = h('input', { 'part': 'field', 'type': 'text', 'autocomplete': 'off', 'autocapitalize': 'none', 'spellcheck': 'false', 'enterkeyhint': 'go' });
  const call = h('span');
  return {
    element: h('form', { class: 'dial', on: { submit: (event: Event) => { event.preventDefault(); host.start(field.value); } } },
      field, h('button', { type: 'submit', class: 'go', part: 'go' }, icon('call'), call)),
    word() {
      setText(call, host.texts.call);
      setAttribute(field, 'placeholder', host.texts.whom);
      setAttribute(field, 'aria-label', host.texts.whom);
    },
  };
}

interface Button {
  readonly element: HTMLButtonElement;
  /** Changes what it says. */
  word(label: string): void;
  /** Changes its picture. */
  draw(drawing: IconName): void;
}

function button(name: string, drawing: IconName, press: () => void): Button {
  const words = h('span');
  let drawn = drawing;
  const element = h('button', { type: 'button', class: name, part: name, on: { click: press } }, icon(drawing), words);
  return {
    element,
    word: (label) => setText(words, label),
    draw(wanted) {
      if (wanted !== drawn) element.firstChild?.replaceWith(icon(wanted));
      drawn = wanted;
    },
  };
}
