/** Where to pass the other side of a call on to. */
import { h, setAttribute, setText, show } from '../dom.ts';
import { text, type TextKey } from '../text/index.ts';
import { nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import type { View } from './view.ts';

export interface TransferView extends View {
  /** It is shown now: the field is empty and has the focus. */
  open(): void;
}

/** `done` is called once the transfer was asked for. */
export function transferView(phone: Phone, done: () => void): TransferView {
  let problem: TextKey | undefined;
  const label = h('label', { for: 'transfer-field' });
  const field = h('input', {
    'id': 'transfer-field', 'data-testid': 'transfer-field', 'type': 'text', 'placeholder': text('dialHint'),
    'autocomplete': 'off', 'autocapitalize': 'none', 'spellcheck': 'false', 'enterkeyhint': 'go', 'aria-describedby': 'transfer-error',
    'on': { input: () => { problem = undefined; update(); } },
  });
  const error = h('p', { 'class': 'field-error', 'id': 'transfer-error', 'role': 'alert', 'data-testid': 'transfer-error' });

  function submit(event: Event): void {
    event.preventDefault();
    problem = phone.transfer(field.value);
    if (problem === undefined) done();
    else update();
  }

  function update(): void {
    if (phone.call) setText(label, text('transferTo', { peer: nameOf(phone.call.peer) }));
    setText(error, problem ? text(problem) : '');
    show(error, problem !== undefined);
    setAttribute(field, 'aria-invalid', problem ? 'true' : undefined);
  }

  return {
    element: h('form', { 'class': 'sheet transfer', 'hidden': true, 'on': { submit } },
      h('div', { class: 'transfer-box field' }, label, h('div', { class: 'field-box' }, field), error,
        h('button', { 'type': 'submit', 'class': 'pill green', 'data-testid': 'transfer-go' }, text('transfer')))),
    update,
    open() {
      problem = undefined;
      field.value = '';
      update();
      field.focus();
    },
  };
}
