/** The dial field, the keypad and the call button. */
import { h, setAttribute, setText, show } from '../dom.ts';
import { text } from '../text/index.ts';
import { addressLine, nameOf, type Peer } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import type { Sounds } from '../media/sounds.ts';
import { avatar, iconButton, keypad, type View } from './view.ts';

const SUGGESTIONS = 3;

export function dialView(phone: Phone, sounds: Sounds): View {
  const field = h('input', {
    'id': 'dial-field', 'data-testid': 'dial-field', 'type': 'text', 'class': 'dial-field', 'placeholder': text('dialHint'), 'aria-label': text('dialLabel'),
    'autocomplete': 'off', 'autocapitalize': 'none', 'spellcheck': 'false', 'enterkeyhint': 'go', 'aria-describedby': 'dial-error',
    'on': { input: () => edit(field.value) },
  });
  const erase = iconButton({ icon: 'erase', label: text('erase'), id: 'dial-erase', style: 'inline', press: () => { edit(phone.dialled.slice(0, -1)); field.focus(); } });
  const error = h('p', { 'class': 'dial-error', 'id': 'dial-error', 'role': 'alert', 'data-testid': 'dial-error' });
  const suggestions = suggestionsView(phone);
  const call = iconButton({ icon: 'call', label: text('call'), id: 'dial-call', style: 'round green', press: () => phone.dial(), attributes: { type: 'submit' } });
  const video = iconButton({ icon: 'video', label: text('callVideo'), id: 'dial-video', style: 'round soft', press: () => phone.dial(true) });
  const keys = keypad('dial-key', (key) => { sounds.key(key); insert(key); });
  holdForPlus(keys, () => edit(`${phone.dialled.replace(/0$/, '')}+`));

  function edit(value: string): void {
    phone.dialled = value;
    phone.dialError = undefined;
    phone.change.signal();
  }

  function insert(key: string): void {
    const start = field.selectionStart ?? phone.dialled.length;
    const end = field.selectionEnd ?? start;
    edit(phone.dialled.slice(0, start) + key + phone.dialled.slice(end));
    field.value = phone.dialled;
    field.setSelectionRange(start + key.length, start + key.length);
  }

  return {
    element: h('form', { 'class': 'dial', 'data-testid': 'dial', 'aria-label': text('keypad'), 'on': { submit: (event: Event) => { event.preventDefault(); } } },
      h('div', { class: 'dial-top' }, h('div', { class: 'dial-box' }, field, erase), error, suggestions.element),
      keys,
      h('div', { class: 'dial-actions' }, h('span', {}), call, video)),
    update() {
      if (field.value !== phone.dialled) field.value = phone.dialled;
      field.classList.toggle('long', phone.dialled.length > 16);
      erase.classList.toggle('invisible', phone.dialled === '');
      setText(error, phone.dialError ? text(phone.dialError) : '');
      show(error, phone.dialError !== undefined);
      setAttribute(field, 'aria-invalid', phone.dialError === 'errorTarget' || phone.dialError === 'errorSelf' ? 'true' : undefined);
      const ready = phone.line.state === 'registered' && phone.devices.available;
      call.disabled = !ready;
      video.disabled = !ready;
      suggestions.update();
    },
  };
}

/** Known people that match what is typed. */
function suggestionsView(phone: Phone): View {
  const element = h('div', { class: 'suggestions' });
  let shown = '';

  function row(peer: Peer): HTMLElement {
    return h('button',
      { 'type': 'button', 'class': 'suggestion', 'data-testid': 'dial-suggestion', 'on': { click: () => phone.callPeer(peer) } },
      h('span', { class: 'spoken' }, text('call')), avatar(peer), h('span', { class: 'two-lines' }, h('strong', {}, nameOf(peer)), h('small', {}, addressLine(peer, phone.domain))));
  }

  return {
    element,
    update() {
      const typed = phone.dialled.trim().toLowerCase();
      const found = typed ? phone.people(typed).slice(0, SUGGESTIONS) : [];
      const key = found.map((peer) => peer.uri).join();
      if (key === shown) return;
      shown = key;
      element.replaceChildren(...found.map(row));
    },
  };
}

/** A long press on 0 writes +, as on every telephone. */
function holdForPlus(keys: HTMLElement, plus: () => void): void {
  const zero = keys.querySelector<HTMLElement>('[data-testid="dial-key-0"]');
  let timer: ReturnType<typeof setTimeout> | undefined;
  let held = false;
  const release = (): void => clearTimeout(timer);
  zero?.addEventListener('pointerdown', () => {
    held = false;
    timer = setTimeout(() => { held = true; plus(); }, 600);
  });
  for (const event of ['pointerup', 'pointerleave', 'pointercancel']) zero?.addEventListener(event, release);
  zero?.addEventListener('click', (event) => {
    if (held) event.stopImmediatePropagation();
    held = false;
  }, { capture: true });
}
