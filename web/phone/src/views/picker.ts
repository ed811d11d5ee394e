/** Whom to call besides, or to pass the other side on to: a field, people that we know, and what to do with the choice. */
import { h, fill, setAttribute, setText, show } from '../dom.ts';
import { text, type TextKey } from '../text/index.ts';
import { addressLine, fieldText, nameOf, type Peer } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { avatar, type View } from './view.ts';

export interface PickerView extends View {
  /** It is shown now: the field is empty and has the focus. */
  open(): void;
}

export interface PickerAction {
  readonly id: string;
  readonly label: string;
  readonly style: string;
  /** Returns what is wrong with what was typed. */
  run(typed: string): TextKey | undefined;
}

export interface PickerOptions {
  /** Begins the ids of its parts. */
  readonly id: string;
  label(): string;
  /** The first one is done by the Enter key. */
  readonly actions: readonly PickerAction[];
  /** One of the actions was done. */
  done(): void;
}

const SHOWN = 3;

export function pickerView(phone: Phone, options: PickerOptions): PickerView {
  const { id } = options;
  let problem: TextKey | undefined;
  let shown = '';
  const label = h('label', { for: `${id}-field` });
  const field = h('input', {
    'id': `${id}-field`, 'data-testid': `${id}-field`, 'type': 'text', 'placeholder': text('dialHint'),
    'autocomplete': 'off', 'autocapitalize': 'none', 'spellcheck': 'false', 'enterkeyhint': 'go', 'aria-describedby': `${id}-error`,
    'on': { input: () => { problem = undefined; update(); } },
  });
  const error = h('p', { 'class': 'field-error', 'id': `${id}-error`, 'role': 'alert', 'data-testid': `${id}-error` });
  const people = h('div', { class: 'picker-people' });
  const buttons = options.actions.map((action, at) => h('button', {
    'type': at === 0 ? 'submit' : 'button', 'class': `pill ${action.style}`, 'data-testid': action.id,
    'on': at === 0 ? {} : { click: () => act(action) },
  }, action.label));

  function act(action: PickerAction): void {
    problem = action.run(field.value);
    if (problem === undefined) options.done();
    else update();
  }

  function choose(peer: Peer): void {
    field.value = fieldText(peer, phone.domain, phone.known);
    problem = undefined;
    update();
    buttons[0]?.focus();
  }

  function update(): void {
    setText(label, options.label());
    setText(error, problem ? text(problem) : '');
    show(error, problem !== undefined);
    setAttribute(field, 'aria-invalid', problem ? 'true' : undefined);
    const typed = field.value.trim().toLowerCase();
    const found = phone.people(typed).filter((peer) => peer.uri !== phone.call?.peer.uri && addressLine(peer, phone.domain) !== typed).slice(0, SHOWN);
    const key = found.map((peer) => `${peer.uri} ${peer.name ?? ''}`).join();
    if (key === shown) return;
    shown = key;
    fill(people, ...found.map((peer) => h('button',
      { 'type': 'button', 'class': 'suggestion', 'data-testid': `${id}-person`, 'on': { click: () => choose(peer) } },
      avatar(peer), h('span', { class: 'two-lines' }, h('strong', {}, nameOf(peer)), h('small', {}, addressLine(peer, phone.domain))))));
  }

  return {
    element: h('form', { 'class': 'sheet picker', 'hidden': true, 'on': { submit: (event: Event) => { event.preventDefault(); act(options.actions[0]!); } } },
      h('div', { class: 'picker-box field' }, label, h('div', { class: 'field-box' }, field), error, people, h('div', { class: 'picker-actions' }, ...buttons))),
    update,
    open() {
      problem = undefined;
      field.value = '';
      update();
      field.focus();
    },
  };
}
