/** Recent calls, by day. */
import { h, fill, show } from '../dom.ts';
import { icon, type IconName } from '../icons.ts';
import { text, type TextKey } from '../text/index.ts';
import type { Recent, RecentKind } from '../model/history.ts';
import { nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { keepButton } from './contacts.ts';
import { avatar, clock, dayOf, empty, iconButton, timeOfDay, type View } from './view.ts';

const ARROWS: Record<RecentKind, IconName> = { outgoing: 'outgoing', incoming: 'incoming', missed: 'missed', notReached: 'outgoing' };
const WORDS: Record<RecentKind, TextKey> = { outgoing: 'outgoing', incoming: 'incoming', missed: 'missed', notReached: 'notReached' };

export function recentsView(phone: Phone): View {
  const list = h('div', { 'class': 'list', 'data-testid': 'recents' });
  const clear = iconButton({ icon: 'trash', label: text('clearRecents'), id: 'recents-clear', style: 'inline', press: () => phone.history.clear() });
  let shown: readonly unknown[] = [];
  return {
    element: h('section', { 'class': 'panel', 'aria-label': text('recents') },
      h('header', { class: 'panel-head' }, h('h2', {}, text('recents')), clear), list),
    update() {
      const { entries } = phone.history;
      show(clear, entries.length > 0);
      const now = [entries, phone.contacts.list, new Date().toDateString()];
      if (now.every((each, place) => each === shown[place])) return;
      shown = now;
      if (entries.length === 0) fill(list, empty('clock', text('noRecents'), text('noRecentsHelp')));
      else fill(list, ...byDay(entries).map(([name, calls]) => group(phone, name, calls)));
    },
  };
}

function byDay(entries: readonly Recent[]): [string, Recent[]][] {
  const days = new Map<string, Recent[]>();
  for (const entry of entries) {
    const day = dayOf(entry.at);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  return [...days];
}

function group(phone: Phone, name: string, calls: readonly Recent[]): HTMLElement {
  return h('div', { class: 'group' }, h('h3', {}, name), h('ul', {}, ...calls.map((call) => row(phone, call))));
}

function row(phone: Phone, call: Recent): HTMLElement {
  const contact = phone.contacts.of(call.peer.uri);
  const peer = nameOf(contact ?? call.peer);
  const words = [text(WORDS[call.kind]), call.seconds > 0 ? clock(call.seconds) : ''].filter(Boolean).join(' · ');
  return h('li', { 'class': `row ${call.kind}`, 'data-testid': 'recent', 'data-kind': call.kind },
    h('button', { 'type': 'button', 'class': 'row-main', 'data-testid': 'recent-call', 'on': { click: () => phone.callPeer(call.peer, call.video) } },
      h('span', { class: 'spoken' }, text('call')),
      avatar(contact ?? call.peer),
      h('span', { class: 'two-lines' }, h('strong', {}, peer), h('small', {}, icon(ARROWS[call.kind]), h('span', { class: 'ellipsis' }, words)),
        h('time', {}, timeOfDay(call.at)))),
    keepButton(phone, call.peer),
    iconButton({ icon: 'message', label: text('writeTo', { peer }), id: 'recent-message', style: 'inline row-side', press: () => phone.writeTo(call.peer) }));
}
