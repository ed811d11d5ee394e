/** The first thing a visitor sees: a form that says in plain words what went wrong. */
import { h, setAttribute, setText, show } from '../dom.ts';
import { icon } from '../icons.ts';
import { text, type TextKey } from '../text/index.ts';
import { accountFrom, type AccountError } from '../model/account.ts';
import type { Phone } from '../model/phone.ts';
import { iconButton, relabel, type View } from './view.ts';

/** What the form holds, kept when it is built anew in another language. */
export interface SignInDraft {
  user: string;
  password: string;
  server: string;
  domain: string;
  displayName: string;
  stay: boolean;
  advanced: boolean;
}

export function emptyDraft(): SignInDraft {
  return { user: '', password: '', server: '', domain: '', displayName: '', stay: false, advanced: false };
}

type FieldName = 'user' | 'password' | 'server' | 'domain' | 'displayName';

const ERROR_FIELDS: Partial<Record<TextKey, FieldName>> = {
  errorUser: 'user', errorUnknownUser: 'user', errorPassword: 'password', errorAuthentication: 'password',
  errorServer: 'server', errorMixedContent: 'server', errorUnreachable: 'server', errorCertificate: 'server',
};

export function signInView(phone: Phone, draft: SignInDraft): View {
  let formError: AccountError | undefined;
  const fields = formFields(phone, draft);
  const stay = stayBox(draft);
  const error = errorBox();
  const submit = h('button', { 'type': 'submit', 'class': 'primary', 'data-testid': 'sign-in-submit' }, h('span', { class: 'spinner', hidden: true }), h('span', {}, text('signIn')));
  const cancel = h('button', { type: 'button', class: 'quiet', on: { click: () => phone.cancelSignIn() } }, text('cancel'));
  const advanced = advancedFields(fields, draft);
  const form = h('form', { 'class': 'sign-in-form', 'data-testid': 'sign-in-form', 'novalidate': true, 'on': { submit: (event: SubmitEvent) => { event.preventDefault(); enter(); } } },
    error.element,
    field('user', fields.user),
    passwordField(fields.password),
    ...stay,
    advanced, submit, cancel);

  function enter(): void {
    const account = accountFrom(draft, phone.defaults, new URL(location.href));
    formError = typeof account === 'string' ? account : undefined;
    if (typeof account === 'string') {
      phone.line.problem = undefined;
      update();
      fields[ERROR_FIELDS[account] ?? 'user'].focus();
    } else {
      phone.signIn(account, draft.stay);
    }
  }

  function update(): void {
    const busy = phone.line.state === 'connecting';
    const problem = formError ? { key: formError as TextKey, values: {} } : phone.line.problem;
    error.update(busy ? undefined : problem);
    const wrong = problem && !busy ? ERROR_FIELDS[problem.key] : undefined;
    for (const [name, element] of Object.entries(fields)) {
      setAttribute(element, 'aria-invalid', name === wrong ? 'true' : undefined);
      element.readOnly = busy;
    }
    if (wrong === 'server') advanced.open = true;
    submit.disabled = busy;
    show(submit.firstElementChild as HTMLElement, busy);
    setText(submit.lastElementChild!, busy ? text('signingIn') : text('signIn'));
    show(cancel, busy);
  }

  return {
    element: h('main', { class: 'sign-in' },
      h('img', { class: 'sign-in-logo', src: 'icon.svg', alt: '', width: 64, height: 64 }),
      h('h1', {}, text('signInTitle')), h('p', { class: 'lead' }, text('signInLead')), form),
    update,
  };
}

function formFields(phone: Phone, draft: SignInDraft): Record<FieldName, HTMLInputElement> {
  const input = (name: FieldName, id: string, more: Record<string, string>): HTMLInputElement => {
    const element = h('input', {
      'id': id, 'data-testid': id, 'name': name, 'type': 'text', 'autocapitalize': 'none', 'spellcheck': 'false',
      'on': { input: () => { draft[name] = element.value; } }, ...more,
    });
    element.value = draft[name];
    return element;
  };
  return {
    user: input('user', 'sign-in-user', { autocomplete: 'username', placeholder: text('userHint'), required: '' }),
    password: input('password', 'sign-in-password', { type: 'password', autocomplete: 'current-password', required: '' }),
    server: input('server', 'sign-in-server', { inputmode: 'url', autocomplete: 'off', placeholder: phone.defaults.server }),
    domain: input('domain', 'sign-in-domain', { autocomplete: 'off', placeholder: phone.defaults.domain }),
    displayName: input('displayName', 'sign-in-display-name', { autocomplete: 'name', autocapitalize: 'words' }),
  };
}

/** The box to stay signed in, and what that means once it is ticked. */
function stayBox(draft: SignInDraft): readonly HTMLElement[] {
  const box = h('input', { 'id': 'sign-in-stay', 'data-testid': 'sign-in-stay', 'type': 'checkbox', 'aria-describedby': 'sign-in-stay-hint' });
  const hint = h('p', { class: 'hint', id: 'sign-in-stay-hint' }, text('staySignedInHint'));
  box.checked = draft.stay;
  show(hint, draft.stay);
  box.addEventListener('change', () => {
    draft.stay = box.checked;
    show(hint, box.checked);
  });
  return [h('label', { class: 'check' }, box, h('span', {}, text('staySignedIn'))), hint];
}

function advancedFields(fields: Record<FieldName, HTMLInputElement>, draft: SignInDraft): HTMLDetailsElement {
  const element = h('details', { 'class': 'advanced', 'data-testid': 'sign-in-advanced' },
    h('summary', {}, text('advanced'), icon('chevron')),
    field('server', fields.server), field('domain', fields.domain), field('displayName', fields.displayName));
  element.open = draft.advanced;
  element.addEventListener('toggle', () => { draft.advanced = element.open; });
  return element;
}

function field(label: TextKey, input: HTMLInputElement, ...more: Node[]): HTMLElement {
  return h('div', { class: 'field' }, h('label', { for: input.id }, text(label)), h('div', { class: 'field-box' }, input, ...more));
}

function passwordField(input: HTMLInputElement): HTMLElement {
  const eye = iconButton({
    icon: 'eye', label: text('showPassword'), id: 'sign-in-show-password', style: 'inline',
    press: () => {
      const hidden = input.type === 'password';
      input.type = hidden ? 'text' : 'password';
      relabel(eye, 'eye', text(hidden ? 'hidePassword' : 'showPassword'));
      eye.setAttribute('aria-pressed', String(hidden));
    },
  });
  return field('password', input, eye);
}

function errorBox(): { element: HTMLElement; update(problem: Phone['line']['problem']): void } {
  const words = h('p', {});
  const link = h('a', { target: '_blank', rel: 'noopener' });
  const box = h('div', { 'class': 'form-error', 'role': 'alert', 'data-testid': 'sign-in-error' });
  let shown = '';
  return {
    element: box,
    update(problem) {
      const said = problem ? text(problem.key, problem.values) : '';
      if (said === shown) return;
      shown = said;
      box.replaceChildren(); // An alert is spoken when its content comes in.
      show(box, said !== '');
      if (!problem) return;
      words.textContent = said;
      box.append(icon('alert'), words);
      if (!problem.page) return;
      link.href = problem.page;
      link.textContent = text('errorOpenServer', { page: problem.page });
      words.append(' ', link);
    },
  };
}
