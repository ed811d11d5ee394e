/** One call on the screen: who, what state, and the controls of that state. */
import { h, setAttribute, setText, show } from '../dom.ts';
import { text, type TextKey } from '../text/index.ts';
import type { Call, Phase } from '../model/call.ts';
import { addressLine, hueOf, nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { LevelMeter } from '../media/level.ts';
import type { Sounds } from '../media/sounds.ts';
import { deviceView } from './devices.ts';
import { transferView } from './transfer.ts';
import { qualityView } from './quality.ts';
import { avatar, clock, iconButton, keypad, relabel, type View } from './view.ts';

const PHASES: Record<Exclude<Phase, 'ended'>, TextKey> = {
  microphone: 'phaseMicrophone', calling: 'phaseCalling', ringing: 'phaseRinging', early: 'phaseEarly', incoming: 'phaseIncoming',
  connecting: 'phaseConnecting', talking: 'phaseTalking', ending: 'phaseEnding',
};

/** What lies over the controls of a running call. */
export type Sheet = 'none' | 'keypad' | 'audio' | 'transfer';

export interface CallView extends View {
  /** Closes what lies over the controls; says whether something did. */
  closeSheet(): boolean;
  /** Once a second: the timer. */
  tick(): void;
}

export function callView(phone: Phone, sounds: Sounds): CallView {
  let sheet: Sheet = 'none';
  let shown: Call | undefined;
  const who = whoView(phone);
  const remoteVideo = videoElement('remote-video', 'call-video');
  const localVideo = videoElement('local-video', 'call-preview');
  localVideo.setAttribute('aria-label', text('yourVideo'));

  const controls = talkControls(phone, (wanted) => { sheet = sheet === wanted ? 'none' : wanted; phone.change.signal(); });
  const ringing = ringControls(phone);
  const ended = endControls(phone);
  const keys = digitsView(phone, sounds);
  const devices = deviceView(phone, ['microphone', 'speaker'], 'call');
  const audio = h('div', { class: 'sheet' }, devices.element);
  const transfer = transferView(phone, () => { sheet = 'none'; phone.change.signal(); });
  const waiting = waitingView(phone);

  const element = h('section', { 'class': 'call', 'data-testid': 'call', 'tabindex': '-1', 'aria-label': text('call') },
    remoteVideo, localVideo, waiting.element,
    who.element,
    keys.element, audio, transfer.element, controls.element, ringing, ended.element);

  function update(): void {
    const { call } = phone;
    who.update();
    if (!call) return;
    if (call !== shown) sheet = 'none';
    shown = call;
    if (call.phase !== 'talking' && call.phase !== 'early') sheet = 'none';
    element.dataset.phase = call.phase;
    setAttribute(element, 'data-ringing', ['incoming', 'ringing', 'calling'].includes(call.phase));
    setAttribute(element, 'data-held', call.held.local || call.held.remote);
    element.style.setProperty('--hue', String(hueOf(call.peer)));
    setAttribute(element, 'data-failed', call.over && !call.outcome?.normal);
    show(keys.element, sheet === 'keypad');
    keys.update();
    show(audio, sheet === 'audio');
    const opened = sheet === 'transfer' && transfer.element.hidden;
    show(transfer.element, sheet === 'transfer');
    if (sheet === 'transfer') transfer.update();
    if (opened) transfer.open();
    show(ringing, call.phase === 'incoming');
    show(controls.element, !call.over && call.phase !== 'incoming');
    show(ended.element, call.over);
    show(ringing.querySelector<HTMLElement>('[data-testid="call-answer-video"]')!, call.video);
    element.dataset.sheet = sheet;
    controls.update(call, sheet);
    if (sheet === 'audio') devices.update();
    waiting.update();
    ended.update();
    attach(remoteVideo, call.remoteHasVideo && !call.over ? call.remote : undefined);
    attach(localVideo, call.localHasVideo ? call.local : undefined);
    setAttribute(element, 'data-video', !remoteVideo.hidden);
  }

  return {
    element, update,
    tick: who.tick,
    closeSheet() {
      if (sheet === 'none') return false;
      sheet = 'none';
      phone.change.signal();
      return true;
    },
  };
}

/** The keypad of a running call, and what has been sent with it. */
function digitsView(phone: Phone, sounds: Sounds): View {
  const digits = h('output', { 'class': 'digits', 'data-testid': 'call-digits', 'aria-live': 'off' });
  return {
    element: h('div', { class: 'sheet' }, digits, keypad('call-key', (key) => { sounds.key(key); phone.call?.sendDigit(key); })),
    update() {
      const sent = phone.call?.digits ?? '';
      setText(digits, sent.slice(-18) || '\u00a0');
      digits.setAttribute('aria-label', text('digitsSent', { digits: sent }));
    },
  };
}

/** Who it is, what state the call is in, and for how long. */
function whoView(phone: Phone): View & { tick(): void } {
  const face = h('div', { class: 'call-face' });
  const name = h('h2', { 'class': 'call-name', 'data-testid': 'call-peer' });
  const address = h('p', { class: 'call-address' });
  const state = h('p', { 'class': 'call-state', 'data-testid': 'call-state', 'role': 'status' });
  const timer = h('p', { 'class': 'call-timer', 'data-testid': 'call-timer', 'role': 'timer', 'aria-live': 'off' });
  const detail = h('p', { 'class': 'call-detail', 'data-testid': 'call-detail' });
  const pressed = h('p', { 'class': 'call-detail', 'data-testid': 'call-received', 'role': 'status' });
  const quality = qualityView(phone);
  const level = h('span', { class: 'level', role: 'img', 'aria-label': text('yourLevel') }, h('span', { class: 'level-bar' }));
  const meter = levelMeter(level, () => (phone.call?.phase === 'talking' && !phone.call.muted ? phone.call.local : undefined));
  let shown: Call | undefined;

  function begin(call: Call): void {
    shown = call;
    const line = addressLine(call.peer, phone.domain);
    face.replaceChildren(avatar(call.peer, 'large'));
    setText(name, nameOf(call.peer));
    setText(address, line === nameOf(call.peer) ? '' : line);
  }

  function tick(): void {
    const { call } = phone;
    const talked = call?.talkingSince !== undefined;
    show(timer.parentElement!, talked);
    if (call && talked) setText(timer, clock(call.seconds));
  }

  return {
    element: h('div', { class: 'call-who' }, face, name, address, state, h('div', { class: 'call-clock' }, timer, level), pressed, quality.element, detail),
    tick,
    update() {
      const { call } = phone;
      meter.update();
      quality.update();
      if (!call) return;
      if (call !== shown) begin(call);
      setText(state, stateText(call));
      setText(pressed, call.received ? text('digitsReceived', { digits: call.received.slice(-18) }) : '');
      show(pressed, call.received !== '' && !call.over);
      setText(detail, detailText(call));
      tick();
    },
  };
}

function stateText(call: Call): string {
  const peer = nameOf(call.peer);
  if (call.phase === 'ended') return call.outcome ? text(call.outcome.key, { peer }) : '';
  if (call.phase === 'incoming' && call.video) return text('phaseIncomingVideo');
  if (call.phase === 'talking') {
    const { transfer } = call;
    const target = transfer ? nameOf(transfer.peer) : '';
    if (transfer?.state === 'asked') return text('transferring', { peer, target });
    if (transfer?.state === 'failed') return text('transferFailed', { peer, target });
    if (call.held.local && call.held.remote) return text('heldByBoth');
    if (call.held.local) return text('heldByYou');
    if (call.held.remote) return text('heldByPeer', { peer });
    if (call.muted) return text('youAreMuted');
  }
  return text(PHASES[call.phase]);
}

/** What the network said, for those who want to look it up. */
function detailText(call: Call): string {
  const { outcome } = call;
  if (!call.over || !outcome) return '';
  const status = outcome.code === undefined ? undefined : text('sipDetail', { code: outcome.code });
  // Our own sentence stands above, and the server's only where it says more.
  const words = outcome.media?.key ? outcome.media.words : undefined;
  return [status, status && !outcome.media && outcome.phrase, outcome.media?.code, words].filter(Boolean).join(' · ');
}

function talkControls(phone: Phone, toggle: (sheet: Sheet) => void): { element: HTMLElement; update(call: Call, sheet: Sheet): void } {
  const pressed = { 'aria-pressed': 'false' };
  const mute = iconButton({ icon: 'microphone', label: text('mute'), id: 'call-mute', style: 'round glass', caption: true, attributes: pressed, press: () => phone.call?.toggleMute() });
  const keys = iconButton({ icon: 'keypad', label: text('keypad'), id: 'call-keypad', style: 'round glass', caption: true, attributes: { 'aria-expanded': 'false' }, press: () => toggle('keypad') });
  const audio = iconButton({ icon: 'speaker', label: text('audio'), id: 'call-audio', style: 'round glass', caption: true, attributes: { 'aria-expanded': 'false' }, press: () => { void phone.devices.refresh(); toggle('audio'); } });
  const hold = iconButton({ icon: 'pause', label: text('hold'), id: 'call-hold', style: 'round glass', caption: true, attributes: pressed, press: () => phone.call?.toggleHold() });
  const transfer = iconButton({ icon: 'transfer', label: text('transfer'), id: 'call-transfer', style: 'round glass', caption: true, attributes: { 'aria-expanded': 'false' }, press: () => toggle('transfer') });
  const hangUp = iconButton({ icon: 'hangUp', label: text('hangUp'), id: 'call-hangup', style: 'round red', caption: true, press: () => phone.call?.hangUp() });
  const write = iconButton({ icon: 'message', label: text('message'), id: 'call-message', style: 'round glass', caption: true, press: () => phone.call && phone.writeTo(phone.call.peer) });
  return {
    element: h('div', { class: 'controls' }, mute, keys, audio, hold, transfer, hangUp, write),
    update(call, sheet) {
      const talking = call.phase === 'talking';
      for (const button of [mute, keys, audio, hold, transfer]) button.disabled = !talking && !(button === keys && call.phase === 'early');
      hangUp.disabled = call.phase === 'ending';
      relabel(mute, call.muted ? 'microphoneOff' : 'microphone', text(call.muted ? 'unmute' : 'mute'));
      relabel(hold, call.held.local ? 'resume' : 'pause', text(call.held.local ? 'resume' : 'hold'));
      mute.setAttribute('aria-pressed', String(call.muted));
      hold.setAttribute('aria-pressed', String(call.held.local));
      keys.setAttribute('aria-expanded', String(sheet === 'keypad'));
      audio.setAttribute('aria-expanded', String(sheet === 'audio'));
      transfer.setAttribute('aria-expanded', String(sheet === 'transfer'));
    },
  };
}

function ringControls(phone: Phone): HTMLElement {
  return h('div', { class: 'controls ring-controls' },
    iconButton({ icon: 'hangUp', label: text('reject'), id: 'call-reject', style: 'round red', caption: true, press: () => phone.call?.reject() }),
    iconButton({ icon: 'video', label: text('answerVideo'), id: 'call-answer-video', style: 'round green', caption: true, press: () => void phone.call?.answer(true) }),
    iconButton({ icon: 'call', label: text('answer'), id: 'call-answer', style: 'round green answer', caption: true, press: () => void phone.call?.answer(false) }));
}

function endControls(phone: Phone): { element: HTMLElement; update(): void } {
  const again = iconButton({ icon: 'call', label: text('callAgain'), id: 'call-again', style: 'round green', caption: true, press: () => phone.call && phone.callPeer(phone.call.peer, phone.call.video) });
  return {
    element: h('div', { class: 'controls end-controls' },
      iconButton({ icon: 'message', label: text('message'), id: 'call-end-message', style: 'round glass', caption: true, press: () => phone.call && phone.writeTo(phone.call.peer) }),
      again,
      iconButton({ icon: 'close', label: text('close'), id: 'call-close', style: 'round glass', caption: true, press: () => phone.closeCall() })),
    update() { again.disabled = phone.line.state !== 'registered'; },
  };
}

function waitingView(phone: Phone): View {
  const words = h('strong', {});
  const element = h('div', { 'class': 'waiting', 'role': 'alert', 'data-testid': 'waiting' }, words,
    h('div', { class: 'waiting-actions' },
      h('button', { 'type': 'button', 'class': 'pill red', 'data-testid': 'waiting-reject', 'on': { click: () => phone.waiting?.reject() } }, text('reject')),
      h('button', { 'type': 'button', 'class': 'pill green', 'data-testid': 'waiting-answer', 'on': { click: () => void phone.answerWaiting() } }, text('waitingAnswer'))));
  return {
    element,
    update() {
      show(element, phone.waiting !== undefined);
      if (phone.waiting) setText(words, text('waitingCall', { peer: nameOf(phone.waiting.peer) }));
    },
  };
}

function videoElement(id: string, style: string): HTMLVideoElement {
  const element = h('video', { 'class': style, 'data-testid': id, 'playsinline': true, 'autoplay': true, 'hidden': true });
  element.muted = true; // The sound of the call comes from the page's audio element.
  return element;
}

function attach(element: HTMLVideoElement, stream: MediaStream | undefined): void {
  if (element.srcObject !== (stream ?? null)) element.srcObject = stream ?? null;
  show(element, stream !== undefined);
}

/** Shows the loudness of `source()` a few times a second while there is one. */
function levelMeter(element: HTMLElement, source: () => MediaStream | undefined): { update(): void } {
  let meter: LevelMeter | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  let track: MediaStreamTrack | undefined;
  return {
    update() {
      const stream = source();
      const wanted = stream?.getAudioTracks()[0];
      show(element, wanted !== undefined);
      if (wanted === track) return;
      track = wanted;
      clearInterval(timer);
      meter?.close();
      meter = undefined;
      if (!stream || !wanted) return;
      const current = new LevelMeter();
      current.listen(stream);
      meter = current;
      timer = setInterval(() => {
        if (element.isConnected) {
          element.style.setProperty('--level', current.level.toFixed(2));
          return;
        }
        clearInterval(timer); // The page was built anew in another language.
        current.close();
      }, 120);
    },
  };
}
