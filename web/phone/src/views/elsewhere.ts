/** What a tab shows while another tab is the phone. */
import { h, setText, show } from '../dom.ts';
import { icon } from '../icons.ts';
import { text } from '../text/index.ts';
import { isolated } from '../text/order.ts';
import { askBeforeSignOut } from './sign_out.ts';
import type { Phone } from '../model/phone.ts';
import { PHASES } from './call.ts';
import { pill, type View } from './view.ts';

export function elsewhereView(phone: Phone): View {
  const refused = h('p', { 'class': 'field-error', 'role': 'alert', 'data-testid': 'other-tab-busy' });
  const words = h('p', { 'role': 'alert', 'data-testid': 'other-tab-call' });
  const answer = pill('green', 'other-tab-answer', text('answer'), () => {
    phone.seat.press(true);
    end.focus(); // The button goes.
  });
  const end = pill('red', 'other-tab-end', '', () => phone.seat.press(false));
  const call = h('div', { class: 'elsewhere-call' }, words, h('div', { class: 'waiting-actions' }, end, answer));
  const signOut = h('button', { 'type': 'button', 'class': 'quiet', 'data-testid': 'other-tab-sign-out' }, text('signOut'));
  return {
    element: h('section', { 'class': 'elsewhere', 'data-testid': 'other-tab' },
      icon('call'), h('h1', {}, text('otherTab')), h('p', {}, text('otherTabHelp')), call, refused,
      h('button', { 'type': 'button', 'class': 'primary', 'data-testid': 'use-here', 'on': { click: () => void phone.seat.takeOver() } }, text('useHere')),
      signOut, askBeforeSignOut(phone, signOut)),
    update() {
      const { there } = phone.seat;
      const rings = there?.phase === 'incoming';
      show(call, there !== undefined);
      setText(words, !there ? '' : rings ? text('waitingCall', { peer: there.peer }) : `${isolated(there.peer)} · ${text(there.phase === 'ended' ? 'phaseEnding' : PHASES[there.phase])}`);
      show(answer, rings);
      setText(end, text(rings ? 'reject' : 'hangUp'));
      setText(refused, phone.seat.refused ? text('otherTabBusy') : '');
      show(refused, phone.seat.refused);
    },
  };
}
