/** Account, devices, notifications and looks. */
import { h, fill, setText, show } from '../dom.ts';
import { icon } from '../icons.ts';
import { LANGUAGES, en, es, language, text, type Language } from '../text/index.ts';
import { uriOf } from '../model/account.ts';
import type { Peer } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import type { Sounds } from '../media/sounds.ts';
import { avatar, type View } from './view.ts';
import { canInstall, canTakeLinks, install, takeLinks } from '../install.ts';
import { callLink } from '../model/links.ts';
import { deviceView } from './devices.ts';
import { deviceTest } from './device_test.ts';
import type { Look, ThemeChoice } from './shell.ts';
import { askBeforeSignOut } from './sign_out.ts';

const NAMES: Record<Language, string> = { en: en.language, es: es.language };

export function settingsView(phone: Phone, sounds: Sounds, look: Look): View {
  const devices = deviceView(phone, ['microphone', 'speaker', 'ringer', 'camera'], 'settings');
  const volume = h('input', { 'id': 'settings-volume', 'data-testid': 'settings-volume', 'type': 'range', 'min': 0, 'max': 100, 'on': { input: () => phone.devices.setRingerVolume(volume.valueAsNumber / 100) } });
  volume.valueAsNumber = Math.round((phone.devices.choice.ringerVolume ?? 0.7) * 100);
  const test = deviceTest(phone, sounds);
  const voicemail = h('input', { 'id': 'settings-voicemail', 'data-testid': 'settings-voicemail', 'type': 'text', 'autocomplete': 'off', 'autocapitalize': 'none', 'spellcheck': 'false', 'placeholder': '*97', 'on': { change: () => { phone.voicemail = voicemail.value.trim() || undefined; } } });
  const installs = pill('settings-install', text('install'), () => void install());
  const linked = h('p', { 'class': 'hint', 'role': 'status', 'data-testid': 'settings-links-hint' });
  const link = pill('settings-link', text('copyCallLink'), () => {
    const { account } = phone.line;
    if (account) void navigator.clipboard?.writeText(callLink(new URL('./', location.href), uriOf(account).replace('sip:', ''))).then(() => setText(link, text('copied')), () => setText(link, text('notCopied')));
  });
  const allow = h('p', { class: 'hint' }, text('deviceNames'), ' ',
    h('button', { type: 'button', class: 'link', on: { click: () => void allowMicrophone(phone) } }, text('allowMicrophone')));
  const processing = check('settings-processing', text('audioProcessing'), (on) => phone.devices.setProcessing(on));
  const blocked = h('p', { class: 'hint' }, text('notificationsBlocked'));
  const notifications = check('settings-notifications', text('notifications'), (on) => {
    if (on) void Notification.requestPermission().then(phone.change.signal);
    else phone.change.signal();
  });
  const ring = h('button', { 'type': 'button', 'class': 'pill', 'data-testid': 'settings-test-ringer', 'on': { click: () => { sounds.ring(phone.devices.choice.ringer, phone.devices.choice.ringerVolume); setTimeout(() => phone.call?.phase === 'incoming' || sounds.stop(), 2600); } } }, text('testRinger'));
  const theme = choice('settings-theme', text('theme'), [['system', text('themeSystem')], ['light', text('themeLight')], ['dark', text('themeDark')]], look.theme(), (value) => look.setTheme(value as ThemeChoice));
  const signOut = h('button', { 'type': 'button', 'class': 'pill', 'data-testid': 'sign-out' }, icon('signOut'), text('signOut'));
  const uri = h('small', {});
  const name = h('strong', {});
  const face = h('span', {});
  let faced = '';
  let mailboxOf = '';

  function showFace(peer: Peer): void {
    const key = JSON.stringify(peer);
    if (key === faced) return;
    faced = key;
    fill(face, avatar(peer));
  }

  return {
    element: h('section', { 'class': 'panel', 'aria-label': text('settings') },
      h('header', { class: 'panel-head' }, h('h2', {}, text('settings'))),
      h('div', { class: 'list settings' },
        h('h3', {}, text('account')),
        h('div', { class: 'card account-card' },
          face,
          h('span', { class: 'two-lines' }, name, uri),
          signOut, link, askBeforeSignOut(phone, signOut)),
        h('div', { class: 'card' }, h('div', { class: 'field' }, h('label', { for: 'settings-voicemail' }, text('voicemail')), h('div', { class: 'field-box' }, voicemail))),
        h('h3', {}, text('soundAndDevices')),
        h('div', { class: 'card' }, devices.element, allow, processing.element, h('p', { class: 'hint' }, text('audioProcessingHint')),
          h('div', { class: 'field' }, h('label', { for: 'settings-volume' }, text('ringerVolume')), volume), ring, test.element),
        h('h3', {}, text('appearance')),
        h('div', { class: 'card' },
          choice('settings-language', text('languageLabel'), LANGUAGES.map((each) => [each, NAMES[each]]), language(), (value) => look.setLanguage(value as Language)).element,
          theme.element,
          notifications.element, blocked,
          canTakeLinks() && pill('settings-links', text('phoneLinks'), () => setText(linked, text(takeLinks() ? 'linksAsked' : 'linksRefused'))), linked, installs))),
    update() {
      const account = phone.line.account;
      if (account) {
        setText(name, account.displayName ?? account.user);
        setText(uri, uriOf(account).replace('sip:', ''));
        if (mailboxOf !== uriOf(account)) {
          mailboxOf = uriOf(account);
          voicemail.value = phone.voicemail ?? '';
        }
        showFace({ uri: uriOf(account), ...(account.displayName ? { name: account.displayName } : {}) });
      }
      show(allow, phone.devices.available && phone.devices.list.every((device) => !device.label));
      theme.select.value = look.theme();
      processing.input.checked = phone.devices.choice.processing;
      const state = 'Notification' in window ? Notification.permission : 'denied';
      notifications.input.checked = state === 'granted';
      notifications.input.disabled = state !== 'default';
      show(blocked, state === 'denied');
      devices.update();
      test.update();
      show(installs, canInstall());
    },
  };
}

/** Opens the microphone once, for the permission, and clears a notice about it. */
export async function allowMicrophone(phone: Phone): Promise<void> {
  try {
    const stream = await phone.devices.open(false);
    for (const track of stream.getTracks()) track.stop();
    phone.mediaProblem = undefined;
    await phone.devices.refresh();
  } catch (error) {
    const problem = (error as { problem?: Phone['mediaProblem'] }).problem;
    if (problem) phone.mediaProblem = problem;
    phone.change.signal();
  }
}

function pill(id: string, label: string, press: () => void): HTMLButtonElement {
  return h('button', { 'type': 'button', 'class': 'pill', 'data-testid': id, 'on': { click: press } }, label);
}

function check(id: string, label: string, changed: (on: boolean) => void): { element: HTMLElement; input: HTMLInputElement } {
  const input = h('input', { 'type': 'checkbox', 'data-testid': id, 'on': { change: () => changed(input.checked) } });
  return { element: h('label', { class: 'check' }, input, h('span', {}, label)), input };
}

function choice(id: string, label: string, options: readonly (readonly [string, string])[], value: string, changed: (value: string) => void): { element: HTMLElement; select: HTMLSelectElement } {
  const select = h('select', { 'id': id, 'data-testid': id, 'on': { change: () => changed(select.value) } }, ...options.map(([key, words]) => h('option', { value: key }, words)));
  select.value = value;
  return { select, element: h('div', { class: 'field' }, h('label', { for: id }, label), h('div', { class: 'field-box select-box' }, select)) };
}
