/** One call on the screen: who, what state, and the controls of that state. */
import { h, setAttribute, setText, show } from '../dom.ts';
import { text, type TextKey } from '../text/index.ts';
import type { Call, Phase } from '../model/call.ts';
import { addressLine, hueOf, nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { LevelMeter } from '../media/level.ts';
import type { Sounds } from '../media/sounds.ts';
import { deviceView } from './devices.ts';
import { endControls, moreView, ringControls, talkControls, type Sheet } from './call_controls.ts';
import { othersView, waitingView } from './call_others.ts';
import { videosView } from './call_videos.ts';
import { diagnosisView } from './diagnosis.ts';
import { pickerView, type PickerView } from './picker.ts';
import { qualityView } from './quality.ts';
import { avatar, clock, keypad, type View } from './view.ts';

export const PHASES: Record<Exclude<Phase, 'ended'>, TextKey> = {
  microphone: 'phaseMicrophone', calling: 'phaseCalling', ringing: 'phaseRinging', early: 'phaseEarly', incoming: 'phaseIncoming',
  connecting: 'phaseConnecting', talking: 'phaseTalking', ending: 'phaseEnding',
};

export interface CallView extends View {
  /** What lies over the controls. */
  readonly sheet: Sheet;
  /** Puts it there, if the call allows it. */
  showSheet(wanted: Sheet): void;
  /** Closes it; says whether there was something. */
  closeSheet(): boolean;
  /** Once a second: the timers. */
  tick(): void;
}

/** What a sheet shows, by its name. */
type Sheets = Record<Exclude<Sheet, 'none'>, View & { open?(): void }>;

export function callView(phone: Phone, sounds: Sounds): CallView {
  let sheet: Sheet = 'none';
  let shown: Call | undefined;
  const toggle = (wanted: Sheet): void => {
    if (hasFocus()) element.querySelector<HTMLElement>(`[data-testid="call-${openerOf(sheet)}"]`)?.focus();
    sheet = sheet === wanted ? 'none' : wanted;
    phone.change.signal();
  };
  const hasFocus = (): boolean => sheet !== 'none' && sheets[sheet].element.contains(document.activeElement);
  /** The button where the keyboard goes on after a sheet is closed. */
  const openerOf = (closed: Sheet): string => (closed !== 'diagnosis' ? closed : phone.call?.over ? 'end-diagnosis' : 'more');
  const done = (): void => toggle('none');
  const who = whoView(phone);
  const others = othersView(phone);
  const waiting = waitingView(phone);
  const videos = videosView(phone);
  const controls = talkControls(phone, toggle);
  const ringing = ringControls(phone);
  const ended = endControls(phone, toggle);
  const devices = deviceView(phone, ['microphone', 'speaker', 'camera'], 'call');
  const sheets: Sheets = {
    keypad: digitsView(phone, sounds),
    audio: { element: h('div', { class: 'sheet' }, devices.element), update: devices.update, open: () => devices.element.querySelector('select')?.focus() },
    transfer: transferView(phone, done),
    add: addView(phone, done),
    more: moreView(phone, toggle),
    diagnosis: diagnosisView(phone, done),
  };
  const element = h('section', { 'class': 'call', 'data-testid': 'call', 'tabindex': '-1', 'aria-label': text('callArea') },
    ...videos.elements, others.element, waiting.element,
    who.element,
    ...Object.values(sheets).map((each) => each.element), controls.element, ringing, ended.element);

  function update(): void {
    const { call } = phone;
    who.update();
    videos.update();
    if (!call) return;
    if (call !== shown) sheet = 'none';
    shown = call;
    if (!mayOpen(call, sheet)) {
      if (hasFocus()) element.focus({ preventScroll: true });
      sheet = 'none';
    }
    element.dataset.phase = call.phase;
    element.dataset.sheet = sheet;
    setAttribute(element, 'data-ringing', ['incoming', 'ringing', 'calling'].includes(call.phase));
    setAttribute(element, 'data-held', call.held.local || call.held.remote);
    setAttribute(element, 'data-failed', call.over && !call.outcome?.normal);
    setAttribute(element, 'data-conference', phone.calls.inConference);
    setAttribute(element, 'data-video', videos.shown);
    element.style.setProperty('--hue', String(hueOf(call.peer)));
    updateSheets();
    show(ringing, call.phase === 'incoming');
    show(controls.element, !call.over && call.phase !== 'incoming');
    show(ended.element, call.over);
    show(ringing.querySelector<HTMLElement>('[data-testid="call-answer-video"]')!, call.video);
    controls.update(call, sheet);
    others.update();
    waiting.update();
    ended.update();
  }

  function updateSheets(): void {
    for (const [name, view] of Object.entries(sheets)) {
      const opened = name === sheet && view.element.hidden;
      show(view.element, name === sheet);
      if (name === sheet) view.update();
      if (opened) view.open?.();
    }
  }

  updateSheets();
  return {
    element, update,
    get sheet() {
      return sheet;
    },
    showSheet(wanted) {
      sheet = wanted;
      update();
    },
    tick() {
      who.tick();
      others.tick();
    },
    closeSheet() {
      if (sheet === 'none') return false;
      done();
      return true;
    },
  };
}

function mayOpen(call: Call, sheet: Sheet): boolean {
  if (sheet === 'diagnosis') return call.phase !== 'incoming';
  if (sheet === 'more') return !call.over && call.phase !== 'incoming';
  return call.phase === 'talking' || (call.phase === 'early' && sheet === 'keypad');
}

/** Passing the other side on: at once, or after a question to whom it is passed on. */
function transferView(phone: Phone, done: () => void): PickerView {
  return pickerView(phone, {
    id: 'transfer', done,
    label: () => text('transferTo', { peer: phone.call ? nameOf(phone.call.peer) : '' }),
    actions: [
      { id: 'transfer-go', label: text('transferNow'), style: 'green', run: (typed) => phone.transfer(typed) },
      { id: 'transfer-ask', label: text('transferAsk'), style: '', run: (typed) => phone.consult(typed) },
    ],
  });
}

function addView(phone: Phone, done: () => void): PickerView {
  return pickerView(phone, {
    id: 'add', done,
    label: () => text('addWhom', { peer: phone.call ? nameOf(phone.call.peer) : '' }),
    actions: [{ id: 'add-go', label: text('call'), style: 'green', run: (typed) => phone.add(typed) }],
  });
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
  const meter = levelMeter(level, () => (phone.call?.phase === 'talking' && !phone.calls.muted ? phone.call.local : undefined));
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
      setText(name, phone.calls.inConference ? text('conference') : nameOf(call.peer));
      setText(state, stateText(phone, call));
      setText(pressed, call.received ? text('digitsReceived', { digits: call.received.slice(-18) }) : '');
      show(pressed, call.received !== '' && !call.over);
      setText(detail, detailText(call));
      tick();
    },
  };
}

function stateText(phone: Phone, call: Call): string {
  const peer = nameOf(call.peer);
  if (call.phase === 'ended') return call.outcome ? text(call.outcome.key, { peer }) : '';
  if (call.phase === 'incoming' && call.video) return text('phaseIncomingVideo');
  if (call.phase === 'talking') {
    const { transfer } = call;
    const { calls } = phone;
    if (calls.inConference && !calls.muted) return text('inConference', { count: (calls.conference?.members.length ?? 0) + 1 });
    const target = transfer ? nameOf(transfer.peer) : '';
    if (transfer?.state === 'asked') return text('transferring', { peer, target });
    if (transfer?.state === 'failed') return text('transferFailed', { peer, target });
    if (transfer?.state === 'silent') return text('transferSilent', { peer, target });
    if (call.held.local && call.held.remote) return text('heldByBoth');
    if (call.held.local) return text('heldByYou');
    if (call.held.remote) return text('heldByPeer', { peer });
    if (calls.muted) return text('youAreMuted');
    if (call.picture.source === 'screen') return text('sharingScreen');
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
