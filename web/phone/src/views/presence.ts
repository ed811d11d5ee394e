/** What the user says of himself: above his contacts, who see it as he sees theirs. */
import { h, setText, show } from '../dom.ts';
import { text, type TextKey } from '../text/index.ts';
import { SAID_LAMPS } from '../model/lamps.ts';
import { NOTE_LENGTH, type Said, STATES } from '../model/pidf.ts';
import type { Phone } from '../model/phone.ts';
import type { View } from './view.ts';

export const SAID: Record<Said, TextKey> = { available: 'presenceOnline', away: 'presenceAway', busy: 'presenceOccupied', doNotDisturb: 'presenceClosed' };

export function presenceView(phone: Phone): View {
  const { presence } = phone;
  const say = (): void => presence.say(state.value as Said, note.value);
  const state = h('select', { 'id': 'presence-state', 'data-testid': 'presence-state', 'aria-label': text('presenceOwn'), 'on': { change: say } },
    ...STATES.map((each) => h('option', { value: each }, text(SAID[each]))));
  const lamp = h('i', { 'class': 'lamp', 'aria-hidden': 'true' });
  const note = h('input', { 'id': 'presence-note', 'data-testid': 'presence-note', 'type': 'text', 'maxlength': NOTE_LENGTH, 'autocomplete': 'off', 'enterkeyhint': 'done',
    'placeholder': text('presenceNote'), 'aria-label': text('presenceNote'), 'on': { change: say } });
  const hint = h('p', { 'class': 'hint', 'role': 'status', 'data-testid': 'presence-hint' });
  return {
    element: h('div', { class: 'own-presence', role: 'group', 'aria-label': text('presenceOwn') },
      h('div', { class: 'field-box select-box' }, lamp, state), h('div', { class: 'field-box' }, note), hint),
    update() {
      state.value = presence.said;
      lamp.dataset.lamp = SAID_LAMPS[presence.said];
      // Never under the fingers of somebody who writes.
      if (document.activeElement !== note) note.value = presence.note;
      const words = [presence.undisturbed && text('presenceClosedHint'), presence.refused && text('presenceRefused')].filter(Boolean).join(' ');
      setText(hint, words);
      show(hint, words !== '');
    },
  };
}
