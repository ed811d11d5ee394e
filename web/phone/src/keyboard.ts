/** The whole phone by keyboard: digits and letters go to the dial field or the call, Enter calls and answers, Escape closes, declines or hangs up. */
import type { Phone } from './model/phone.ts';
import type { CallView } from './views/call.ts';
import type { Sounds } from './media/sounds.ts';

/** Who is writing when a call comes in must not answer it with the next Enter. */
const BEFORE_ENTER_ANSWERS = 1_000;

const FIELDS = 'input, textarea, select, [contenteditable]';

export function listenToKeys(phone: Phone, sounds: Sounds, call: () => CallView): void {
  document.addEventListener('keydown', (event) => {
    sounds.unlock();
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || !phone.signedIn) return;
    if (event.key === 'Escape') escape(phone, event, call());
    else if (event.target instanceof Element && event.target.matches(FIELDS)) enter(phone, event);
    else typed(phone, sounds, event);
  });
  document.addEventListener('pointerdown', () => sounds.unlock());
}

function escape(phone: Phone, event: KeyboardEvent, call: CallView): void {
  const { target } = event;
  if (call.closeSheet()) return;
  if (target instanceof HTMLElement && target.matches(FIELDS) && phone.inCall) {
    target.blur(); // The first Escape leaves what one is writing; only the next one hangs up.
  } else if (phone.inCall) {
    phone.calls.hangUp();
  } else if (phone.call) {
    phone.closeCall();
  } else if (phone.dialled && (phone.wide || phone.tab === 'keypad')) {
    phone.dialled = '';
    phone.dialError = undefined;
    phone.change.signal();
  } else if (phone.conversations.open) {
    phone.conversations.show(undefined);
  }
}

function enter(phone: Phone, event: KeyboardEvent): void {
  if (event.key !== 'Enter' || !(event.target instanceof HTMLInputElement) || event.target.id !== 'dial-field') return;
  event.preventDefault();
  phone.dial();
}

function typed(phone: Phone, sounds: Sounds, event: KeyboardEvent): void {
  if (phone.inCall) {
    const talking = phone.call?.phase === 'talking' || phone.call?.phase === 'early';
    const onControl = event.target instanceof Element && event.target.closest('button, a, summary') !== null;
    const seen = phone.call !== undefined && Date.now() - phone.call.startedAt > BEFORE_ENTER_ANSWERS;
    if (phone.call?.phase === 'incoming' && event.key === 'Enter' && seen && !onControl) {
      event.preventDefault();
      void phone.call.answer(false);
    } else if (talking && /^[0-9*#]$/.test(event.key)) {
      sounds.key(event.key);
      phone.call?.sendDigit(event.key);
    }
    return;
  }
  // A space presses the button that has the focus.
  if (event.key.length !== 1 || event.key === ' ') return;
  if (phone.call) phone.closeCall();
  if (!phone.wide) {
    if (phone.tab !== 'keypad' && phone.tab !== 'recents') return;
    phone.tab = 'keypad';
  }
  event.preventDefault();
  phone.dialled += event.key;
  phone.dialError = undefined;
  phone.change.signal();
  queueMicrotask(() => document.getElementById('dial-field')?.focus());
}
