/** The buttons of a call: while it rings, while it runs, after its end; and what is tucked away under "More". */
import { h, show } from '../dom.ts';
import { text } from '../text/index.ts';
import type { Call } from '../model/call.ts';
import { canShareScreen } from '../model/call_video.ts';
import type { Phone } from '../model/phone.ts';
import { iconButton, relabel, type ButtonOptions, type View } from './view.ts';

/** What lies over the controls of a running call. */
export type Sheet = 'none' | 'keypad' | 'audio' | 'transfer' | 'add' | 'more' | 'diagnosis';

export interface TalkControls {
  readonly element: HTMLElement;
  update(call: Call, sheet: Sheet): void;
}

type Control = Pick<ButtonOptions, 'icon' | 'label' | 'id' | 'press'>;

const glass = (control: Control, attributes: Record<string, string> = {}): HTMLButtonElement =>
  iconButton({ ...control, style: 'round glass', caption: true, attributes });

export function talkControls(phone: Phone, toggle: (sheet: Sheet) => void): TalkControls {
  const pressed = { 'aria-pressed': 'false' };
  const opens = { 'aria-expanded': 'false' };
  const mute = glass({ icon: 'microphone', label: text('mute'), id: 'call-mute', press: () => phone.calls.toggleMute() }, pressed);
  const keys = glass({ icon: 'keypad', label: text('keypad'), id: 'call-keypad', press: () => toggle('keypad') }, opens);
  const audio = glass({ icon: 'speaker', label: text('audio'), id: 'call-audio', press: () => { void phone.devices.refresh(); toggle('audio'); } }, opens);
  const hold = glass({ icon: 'pause', label: text('hold'), id: 'call-hold', press: () => phone.call?.toggleHold() }, pressed);
  const camera = glass({ icon: 'video', label: text('video'), id: 'call-video', press: () => void phone.call?.toggleVideo('camera') }, pressed);
  const add = glass({ icon: 'addCall', label: text('addCall'), id: 'call-add', press: () => toggle('add') }, opens);
  const transfer = glass({ icon: 'transfer', label: text('transfer'), id: 'call-transfer', press: () => toggle('transfer') }, opens);
  const more = glass({ icon: 'more', label: text('more'), id: 'call-more', press: () => toggle('more') }, opens);
  const hangUp = iconButton({ icon: 'hangUp', label: text('hangUp'), id: 'call-hangup', style: 'round red', caption: true, press: () => phone.calls.hangUp() });
  const sheets: readonly (readonly [HTMLButtonElement, Sheet])[] = [[keys, 'keypad'], [audio, 'audio'], [add, 'add'], [transfer, 'transfer'], [more, 'more']];
  return {
    element: h('div', { class: 'controls' }, mute, keys, audio, hold, camera, add, transfer, more, hangUp),
    update(call, sheet) {
      const talking = call.phase === 'talking';
      const together = phone.calls.inConference;
      for (const button of [mute, keys, audio, hold, camera, add, transfer]) button.disabled = !talking && !(button === keys && call.phase === 'early');
      for (const button of [hold, camera, transfer]) button.disabled ||= together;
      hangUp.disabled = call.phase === 'ending';
      const { muted } = phone.calls;
      relabel(mute, muted ? 'microphoneOff' : 'microphone', text(muted ? 'unmute' : 'mute'));
      relabel(hold, call.held.local ? 'resume' : 'pause', text(call.held.local ? 'resume' : 'hold'));
      mute.setAttribute('aria-pressed', String(muted));
      hold.setAttribute('aria-pressed', String(call.held.local));
      camera.setAttribute('aria-pressed', String(call.picture.source === 'camera'));
      for (const [button, its] of sheets) button.setAttribute('aria-expanded', String(sheet === its));
    },
  };
}

export function ringControls(phone: Phone): HTMLElement {
  return h('div', { class: 'controls ring-controls' },
    iconButton({ icon: 'hangUp', label: text('reject'), id: 'call-reject', style: 'round red', caption: true, press: () => phone.call?.reject() }),
    iconButton({ icon: 'video', label: text('answerVideo'), id: 'call-answer-video', style: 'round green', caption: true, press: () => void phone.call?.answer(true) }),
    iconButton({ icon: 'call', label: text('answer'), id: 'call-answer', style: 'round green answer', caption: true, press: () => void phone.call?.answer(false) }));
}

export function endControls(phone: Phone, toggle: (sheet: Sheet) => void): View {
  const again = iconButton({ icon: 'call', label: text('callAgain'), id: 'call-again', style: 'round green', caption: true, press: () => phone.call && phone.callPeer(phone.call.peer, phone.call.video) });
  const diagnosis = glass({ icon: 'pulse', label: text('diagnosis'), id: 'call-end-diagnosis', press: () => toggle('diagnosis') });
  return {
    element: h('div', { class: 'controls end-controls' },
      glass({ icon: 'message', label: text('message'), id: 'call-end-message', press: () => phone.call && phone.writeTo(phone.call.peer) }),
      again, diagnosis,
      glass({ icon: 'close', label: text('close'), id: 'call-close', press: () => phone.closeCall() })),
    update() {
      again.disabled = phone.line.state !== 'registered';
      show(diagnosis, phone.call?.outcome?.normal === false);
    },
  };
}

/** What is needed more rarely. */
export function moreView(phone: Phone, toggle: (sheet: Sheet) => void): View & { open(): void } {
  const row = (control: Control): HTMLButtonElement => iconButton({ ...control, style: 'menu-row', caption: true });
  const screen = row({ icon: 'screen', label: text('shareScreen'), id: 'call-screen', press: () => { toggle('none'); void phone.call?.toggleVideo('screen'); } });
  const join = row({ icon: 'people', label: text('joinCalls'), id: 'call-merge', press: () => { toggle('none'); void phone.calls.merge(); } });
  const write = row({ icon: 'message', label: text('message'), id: 'call-message', press: () => { toggle('none'); if (phone.call) phone.writeTo(phone.call.peer); } });
  const diagnosis = row({ icon: 'pulse', label: text('diagnosis'), id: 'call-diagnosis', press: () => toggle('diagnosis') });
  return {
    element: h('div', { 'class': 'sheet menu', 'role': 'group', 'aria-label': text('more') }, screen, join, write, diagnosis),
    open: () => [screen, join, write].find((each) => !each.hidden)?.focus(),
    update() {
      const sharing = phone.call?.picture.source === 'screen';
      show(screen, canShareScreen() && phone.call?.phase === 'talking' && !phone.calls.inConference);
      relabel(screen, 'screen', text(sharing ? 'stopSharing' : 'shareScreen'));
      show(join, phone.calls.canJoin);
    },
  };
}
