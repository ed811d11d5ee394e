/** The frame: header with the registration state, notices, tabs, and the views inside. */
import { h, setAttribute, setText, show } from '../dom.ts';
import { icon, type IconName } from '../icons.ts';
import { language, text, type Language, type TextKey } from '../text/index.ts';
import { isolated } from '../text/order.ts';
import { uriOf } from '../model/account.ts';
import { nameOf } from '../model/peer.ts';
import type { Phone, Tab } from '../model/phone.ts';
import type { Sounds } from '../media/sounds.ts';
import { callView, type CallView } from './call.ts';
import { contactsView } from './contacts.ts';
import { dialView } from './dial.ts';
import { elsewhereView } from './elsewhere.ts';
import { messagesView } from './messages.ts';
import { noticesView } from './notices.ts';
import { SAID } from './presence.ts';
import { recentsView } from './recents.ts';
import { settingsView } from './settings.ts';
import { signInView, type SignInDraft } from './sign_in.ts';
import { clock, iconButton, relabel, type View } from './view.ts';

export type ThemeChoice = 'system' | 'light' | 'dark';

/** How the page looks and speaks; changed by header and settings. */
export interface Look {
  theme(): ThemeChoice;
  /** What is on the screen now, the system's wish taken into account. */
  dark(): boolean;
  setTheme(choice: ThemeChoice): void;
  setLanguage(language: Language): void;
}

export interface Shell extends View {
  readonly call: CallView;
  /** Once a second. */
  tick(): void;
}

const TABS: readonly (readonly [Tab, IconName])[] = [['keypad', 'keypad'], ['recents', 'clock'], ['contacts', 'people'], ['messages', 'message'], ['settings', 'sliders']];

export function shell(phone: Phone, sounds: Sounds, look: Look, draft: SignInDraft, playSound: () => void): Shell {
  const header = headerView(phone, look);
  const notices = noticesView(phone, playSound);
  const signIn = signInView(phone, draft);
  const elsewhere = elsewhereView(phone);
  const dial = dialView(phone, sounds);
  const call = callView(phone, sounds);
  const panels: Record<Exclude<Tab, 'keypad'>, View> = { recents: recentsView(phone), contacts: contactsView(phone), messages: messagesView(phone), settings: settingsView(phone, sounds, look) };
  const tabs = tabsView(phone);
  const strip = stripView(phone);
  const stage = h('main', { class: 'stage' }, dial.element, call.element);
  const body = h('div', { class: 'body' }, tabs.element, h('div', { class: 'panels' }, ...Object.values(panels).map((panel) => panel.element)), stage);
  const card = h('div', { class: 'card-frame' }, header.element, notices.element, strip.element, signIn.element, elsewhere.element, body);
  const element = h('div', { 'class': 'app', 'data-testid': 'app' }, card);

  function update(): void {
    const { signedIn, tab } = phone;
    const away = phone.seat.state === 'elsewhere';
    element.dataset.view = away ? 'elsewhere' : signedIn ? 'phone' : 'sign-in';
    element.dataset.tab = tab;
    setAttribute(element, 'data-call', phone.call !== undefined);
    header.update();
    notices.update();
    strip.update();
    show(elsewhere.element, away);
    show(signIn.element, !signedIn && !away);
    show(body, signedIn && !away);
    if (away) {
      elsewhere.update();
      return;
    }
    if (!signedIn) {
      signIn.update();
      return;
    }
    tabs.update();
    // On a wide screen a panel stands beside the keypad; then the keypad's companion is the list of recent calls.
    const panel = tab === 'keypad' ? 'recents' : tab;
    for (const [name, view] of Object.entries(panels)) {
      show(view.element, name === panel);
      if (name === panel) view.update();
    }
    show(dial.element, phone.call === undefined);
    show(call.element, phone.call !== undefined);
    dial.update();
    call.update();
  }

  return {
    element, call, update,
    tick() {
      header.update();
      if (phone.inCall) {
        call.tick();
        strip.update();
      }
    },
  };
}

function headerView(phone: Phone, look: Look): View {
  const words = h('span', { 'aria-hidden': 'true' });
  // Spoken apart from what is seen: a countdown is not to be read out every second.
  const spoken = h('span', { class: 'spoken', role: 'status' });
  const chip = h('span', { 'class': 'chip', 'data-testid': 'registration' }, h('span', { class: 'dot' }), words, spoken);
  const other: Language = language() === 'en' ? 'es' : 'en';
  const languages = h('button', { 'type': 'button', 'class': 'button inline language', 'data-testid': 'language', 'lang': other, 'title': text('switchLanguage'), 'aria-label': other === 'es' ? 'ES, Español' : 'EN, English', 'on': { click: () => look.setLanguage(other) } }, other.toUpperCase());
  const theme = iconButton({ icon: 'moon', label: text('switchTheme'), id: 'theme', style: 'inline', press: () => look.setTheme(look.dark() ? 'light' : 'dark') });
  const user = h('span', { 'class': 'brand-user', 'data-testid': 'account' });
  return {
    element: h('header', { class: 'top' },
      h('span', { class: 'brand' }, h('img', { src: 'icon.svg', alt: '', width: 28, height: 28 }), h('span', { class: 'two-lines' }, h('strong', {}, 'Sipweb'), user)),
      chip, h('span', { class: 'top-tools' }, languages, theme)),
    update() {
      const { line } = phone;
      show(chip, phone.signedIn && phone.seat.state !== 'elsewhere');
      const account = phone.signedIn ? line.account : undefined;
      setText(user, account ? account.displayName ?? account.user : '');
      user.title = account ? text('registeredAs', { uri: uriOf(account) }) : '';
      chip.dataset.state = line.state;
      chip.dataset.said = phone.presence.said;
      setText(words, stateWords(phone, true));
      setText(spoken, stateWords(phone, false));
      relabel(theme, look.dark() ? 'sun' : 'moon', text('switchTheme'));
    },
  };
}

const STATES: Record<Phone['line']['state'], TextKey> = {
  off: 'stateOffline', connecting: 'stateConnecting', registered: 'stateRegistered', reconnecting: 'stateReconnecting', failed: 'stateFailed',
};

function stateWords(phone: Phone, countdown: boolean): string {
  const { state, retryAt } = phone.line;
  if (state !== 'registered' && !navigator.onLine) return text('stateOffline');
  const seconds = retryAt === undefined ? 0 : Math.ceil((retryAt - Date.now()) / 1000);
  if (state === 'reconnecting' && countdown && seconds > 0) return text('stateReconnectingIn', { seconds });
  const { said } = phone.presence;
  // Whoever is not to be disturbed should not wonder why nothing rings.
  return text(state === 'registered' && said !== 'available' ? SAID[said] : STATES[state]);
}

function tabsView(phone: Phone): View {
  const items = TABS.map(([tab, drawing]) => {
    const badge = h('span', { class: 'badge', hidden: true });
    const button = h('button', { 'type': 'button', 'class': 'tab', 'data-testid': `tab-${tab}`, 'on': { click: () => phone.show(tab) } },
      h('span', { class: 'tab-face' }, icon(drawing), badge), h('span', { class: 'tab-label' }, text(tab)));
    return { tab, button, badge };
  });
  return {
    element: h('nav', { class: 'tabs' }, ...items.map((item) => item.button)),
    update() {
      for (const { tab, button, badge } of items) {
        const current = tab === phone.tab || (tab === 'recents' && phone.tab === 'keypad');
        setAttribute(button, 'aria-current', tab === phone.tab ? 'page' : undefined);
        setAttribute(button, 'data-beside', current);
        const count = tab === 'messages' ? phone.conversations.unread : tab === 'recents' ? phone.history.missed : 0;
        show(badge, count > 0);
        setText(badge, count > 9 ? '9+' : String(count));
        badge.setAttribute('aria-label', text(tab === 'recents' ? 'missedCount' : 'unreadCount', { count }));
        badge.dataset.testid = `badge-${tab}`;
      }
    },
  };
}

/** The way back to the call from the other tabs of a narrow screen. */
function stripView(phone: Phone): View {
  const words = h('span', {});
  const element = h('button', { 'type': 'button', 'class': 'strip', 'data-testid': 'return-to-call', 'title': text('returnToCall'), 'on': { click: () => phone.show('keypad') } }, icon('call'), words);
  return {
    element,
    update() {
      const { call } = phone;
      const wanted = call !== undefined && !call.over && phone.tab !== 'keypad';
      show(element, wanted);
      if (wanted) setText(words, [isolated(nameOf(call.peer)), call.talkingSince === undefined ? text('returnToCall') : clock(call.seconds)].join(' · '));
    },
  };
}
