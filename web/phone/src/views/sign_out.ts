/** Signing out, and the question what becomes of the people, messages and calls that the browser has kept. */
import { h, setText, show } from '../dom.ts';
import { text } from '../text/index.ts';
import type { Phone } from '../model/phone.ts';

/** Has `button` sign out, after the question where there is something to lose or to leave behind. Returns the question. */
export function askBeforeSignOut(phone: Phone, button: HTMLButtonElement): HTMLElement {
  const words = h('p', {});
  const id = button.dataset.testid;
  const choice = (style: string, id: string, label: string, press: () => void): HTMLElement =>
    h('button', { 'type': 'button', 'class': `pill ${style}`.trim(), 'data-testid': id, 'on': { click: press } }, label);
  const question = h('div', { 'class': 'sign-out', 'role': 'group', 'tabindex': '-1', 'hidden': true, 'data-testid': `${id}-question`, 'on': { keydown: escape } }, words,
    h('div', { class: 'picker-actions' },
      choice('danger', `${id}-erase`, text('signOutErase'), () => phone.signOut(true)),
      choice('', `${id}-keep`, text('signOutKeep'), () => phone.signOut()),
      choice('', `${id}-cancel`, text('cancel'), () => ask(false))));

  function ask(on: boolean): void {
    show(question, on);
    show(button, !on);
    (on ? question : button).focus();
  }

  function escape(event: KeyboardEvent): void {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    ask(false);
  }

  button.addEventListener('click', () => {
    const user = phone.keptFor;
    if (!user) {
      phone.signOut();
      return;
    }
    const said = text('signOutKept', { user });
    setText(words, said);
    question.setAttribute('aria-label', said);
    ask(true);
  });
  return question;
}
