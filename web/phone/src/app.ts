/** Puts the phone on the page: builds it, keeps it up to date, and builds it anew when the language changes. */
import { Alerts, RemoteSound } from './alerts.ts';
import { keepTyped } from './dom.ts';
import { followLaunches } from './install.ts';
import { listenToKeys } from './keyboard.ts';
import { Sounds } from './media/sounds.ts';
import { accountFrom, fragmentCredentials, loadDefaults, remembered } from './model/account.ts';
import type { Agent, Library, Session } from './model/library.ts';
import type { Call } from './model/call.ts';
import { Phone } from './model/phone.ts';
import { linkTarget, withoutLink } from './model/links.ts';
import { read, write } from './model/storage.ts';
import { language, preferredLanguage, setLanguage, type Language } from './text/index.ts';
import { emptyDraft } from './views/sign_in.ts';
import { shell, type Look, type Shell, type ThemeChoice } from './views/shell.ts';

declare global {
  interface Window {
    /** The user agent and the current session, for diagnosis in the browser's console. */
    sipwebPhone?: { readonly ua: Agent | undefined; readonly session: Session | undefined };
  }
}

/** A call that ended as both sides wanted leaves the screen by itself after this time. */
const SHOW_ENDED = 6_000;

export async function start(library: Library): Promise<Phone> {
  // First of all: the password of a sign-in link must not stay in the address bar or the history.
  const link = takeFragment();
  setLanguage(read<Language>('language') ?? preferredLanguage(navigator.languages));
  const page = new URL(location.href);
  const proposed = linkTarget(page) ?? keptLink();
  if (proposed) history.replaceState(history.state, '', withoutLink(page));
  const phone = new Phone(library, { domain: page.hostname, server: '' });
  phone.linkTarget = proposed;
  const look = applyLook(phone.change.signal, () => translate());
  const sounds = new Sounds();
  const sound = new RemoteSound(phone);
  const alerts = new Alerts(phone, sounds);
  const draft = emptyDraft();

  function build(): Shell {
    document.documentElement.lang = language();
    return shell(phone, sounds, look, draft, () => sound.play());
  }

  function rebuild(): void {
    const old = current.element;
    current = build();
    current.update();
    old.replaceWith(current.element);
  }

  /** The same page in another language: what is open stays open, what is half typed stays there, and the keyboard where it was. */
  function translate(): void {
    const focused = document.activeElement?.getAttribute('data-testid');
    const old = current;
    rebuild();
    current.call.showSheet(old.call.sheet);
    keepTyped(old.element, current.element);
    const focus = (): void => void (focused && current.element.querySelector<HTMLElement>(`[data-testid="${CSS.escape(focused)}"]`)?.focus());
    focus();
    queueMicrotask(focus); // A form that was built takes the keyboard once it is there.
  }

  function update(): void {
    if (phone.seat.state === 'elsewhere' && phone.linkTarget) {
      phone.seat.pass(phone.linkTarget);
      phone.linkTarget = undefined;
    }
    keepLink(phone.linkTarget);
    current.update();
    sound.update();
    alerts.update();
    followCall(phone);
  }

  phone.defaults = await loadDefaults(page, fetch.bind(window));
  let current = build();
  document.body.replaceChildren(current.element, sound.element);
  phone.change.listen(update);
  followWidth(phone);
  listenToKeys(phone, sounds, () => current.call);
  setInterval(() => { current.tick(); alerts.title(); }, 1000);
  window.addEventListener('hashchange', () => signInByLink(takeFragment()));
  followLaunches((address) => {
    phone.linkTarget = linkTarget(address) ?? phone.linkTarget;
    signInByLink(fragmentCredentials(address.hash));
    phone.change.signal();
  });
  listenToWindow(phone);
  exposeForDiagnosis(phone);

  phone.onsignedout = (next = '') => {
    // The form, its password and whatever was typed elsewhere were somebody's.
    Object.assign(draft, emptyDraft(), { user: next });
    rebuild();
  };

  function signInByLink(credentials: ReturnType<typeof takeFragment>): void {
    if (!credentials) return;
    const account = accountFrom(credentials, phone.defaults, page);
    if (typeof account !== 'string') phone.signInByLink(account);
    else if (!phone.signedIn) phone.onsignedout(credentials.user);
  }

  if (link) signInByLink(link);
  else signInAsBefore(phone);
  update();
  return phone;
}

function signInAsBefore(phone: Phone): void {
  const before = remembered();
  if (before) phone.signIn(before.account, before.stay, true);
}

function listenToWindow(phone: Phone): void {
  for (const event of ['online', 'offline']) window.addEventListener(event, phone.change.signal);
  window.addEventListener('pagehide', () => phone.presence.leave());
  // Asks before a call is closed together with its page.
  window.addEventListener('beforeunload', (event) => { if (phone.inCall) event.preventDefault(); });
  // A page that the browser kept asleep and brings back has lost its call and its connection: it starts afresh.
  window.addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
  document.addEventListener('visibilitychange', () => phone.readOpen());
}

/** A link that waits for the sign-in, or for the end of a call, outlives a reload of its tab. */
function keepLink(target: string | undefined): void {
  if (keptLink() !== target) history.replaceState({ call: target }, '');
}

function keptLink(): string | undefined {
  return (history.state as { call?: string } | null)?.call;
}

/** Takes the credentials of a sign-in link out of the address bar. */
function takeFragment(): { user: string; password: string } | undefined {
  const credentials = fragmentCredentials(location.hash);
  if (location.hash) history.replaceState(history.state, '', location.pathname + location.search);
  return credentials;
}

/** Colours change in place; `translate` speaks another language. */
function applyLook(changed: () => void, translate: () => void): Look {
  let theme = read<ThemeChoice>('theme') ?? 'system';
  const system = matchMedia('(prefers-color-scheme: dark)');
  const dark = (): boolean => (theme === 'system' ? system.matches : theme === 'dark');
  const apply = (): void => { document.documentElement.dataset.theme = dark() ? 'dark' : 'light'; };
  apply();
  system.addEventListener('change', () => { apply(); changed(); });
  return {
    theme: () => theme,
    dark,
    setTheme(choice) {
      theme = choice;
      write('theme', choice);
      apply();
      changed();
    },
    setLanguage(wanted) {
      setLanguage(wanted);
      write('language', wanted);
      translate();
    },
  };
}

/** The same boundary as in the style sheet, from where on a panel stands beside the phone. */
function followWidth(phone: Phone): void {
  const wide = matchMedia('(min-width: 900px) and (min-height: 500px)');
  const follow = (): void => { phone.wide = wide.matches; };
  wide.addEventListener('change', follow);
  follow();
}

let followed: Call | undefined;
let closing: ReturnType<typeof setTimeout> | undefined;

/** Moves the focus to a new call, and takes a call that ended well off the screen. */
function followCall(phone: Phone): void {
  const { call } = phone;
  if (call !== followed) {
    followed = call;
    clearTimeout(closing);
    closing = undefined;
    // Never out of a field that somebody writes in: the next key could answer or hang up.
    const writing = document.activeElement?.matches('input:not(#dial-field), textarea, select');
    if (call && !writing) document.querySelector<HTMLElement>('[data-testid="call"]')?.focus({ preventScroll: true });
  }
  if (call?.over && call.outcome?.normal && closing === undefined) {
    closing = setTimeout(() => { if (phone.call === call) phone.closeCall(); }, SHOW_ENDED);
  }
}

function exposeForDiagnosis(phone: Phone): void {
  window.sipwebPhone = {
    get ua() { return phone.line.agent; },
    get session() { return phone.call?.session; },
  };
}
