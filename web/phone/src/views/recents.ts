/** Recent calls, by day. */
import { h, fill, show } from '../dom.ts';
import { icon, type IconName } from '../icons.ts';
import { text, type TextKey } from '../text/index.ts';
import type { Recent, RecentKind } from '../model/history.ts';
import { nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { avatar, clock, dayOf, empty, iconButton, timeOfDay, type View } from './view.ts';

const ARROWS: Record<RecentKind, IconName> = { outgoing: 'outgoing', incoming: 'incoming', missed: 'missed', notReached: 'outgoing' };
const WORDS: Record<RecentKind, TextKey> = { outgoing: 'outgoing', incoming: 'incoming', missed: 'missed', notReached: 'notReached' };

export function recentsView(phone: Phone): View {
  const list = h('div', { 'class': 'list', 'data-testid': 'recents' });
  const clear = iconButton({ icon: 'trash', label: text('clearRecents'), id: 'recents-clear', style: 'inline', press: () => phone.history.clear() });
  let shown: readonly Recent[] | undefined;
  let day = '';
  return {
    element: h('section', { 'class': 'panel', 'aria-label': text('recents') },
      h('header', { class: 'panel-head' }, h('h2', {}, text('recents')), clear), list),
    update() {
      const { entries } = phone.history;
      show(clear, entries.length > 0);
      const today = new Date().toDateString();
      if (entries === shown && today === day) return;
      shown = entries;
      day = today;
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
  const peer = nameOf(call.peer);
  const words = [text(WORDS[call.kind]), call.seconds > 0 ? clock(call.seconds) : ''].filter(Boolean).join(' · ');
  return h('li', { 'class': `row ${call.kind}`, 'data-testid': 'recent', 'data-kind': call.kind },
    h('button', { 'type': 'button', 'class': 'row-main', 'data-testid': 'recent-call', 'aria-label': `${text('callPeer', { peer })}. ${words}, ${timeOfDay(call.at)}`, 'on': { click: () => phone.callPeer(call.peer, call.video) } },
      avatar(call.peer),
      h('span', { class: 'two-lines' }, h('strong', {}, peer), h('small', {}, icon(ARROWS[call.kind]), words)),
      h('time', {}, timeOfDay(call.at))),
    iconButton({ icon: 'message', label: text('writeTo', { peer }), id: 'recent-message', style: 'inline row-side', press: () => phone.writeTo(call.peer) }));
}
