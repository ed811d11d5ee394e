/** What a tab shows while another tab is the phone. */
import { h, setText, show } from '../dom.ts';
import { icon } from '../icons.ts';
import { text } from '../text/index.ts';
import { askBeforeSignOut } from './sign_out.ts';
import type { Phone } from '../model/phone.ts';
import type { View } from './view.ts';

export function elsewhereView(phone: Phone): View {
  const refused = h('p', { 'class': 'field-error', 'role': 'alert', 'data-testid': 'other-tab-busy' });
  const signOut = h('button', { 'type': 'button', 'class': 'quiet', 'data-testid': 'other-tab-sign-out' }, text('signOut'));
  return {
    element: h('section', { 'class': 'elsewhere', 'data-testid': 'other-tab' },
      icon('call'), h('h1', {}, text('otherTab')), h('p', {}, text('otherTabHelp')), refused,
      h('button', { 'type': 'button', 'class': 'primary', 'data-testid': 'use-here', 'on': { click: () => void phone.seat.takeOver() } }, text('useHere')),
      signOut, askBeforeSignOut(phone, signOut)),
    update() {
      setText(refused, phone.seat.refused ? text('otherTabBusy') : '');
      show(refused, phone.seat.refused);
    },
  };
}
