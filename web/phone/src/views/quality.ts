/** How good the sound of a call is: a word with three bars, and the figures behind it for those who open them. */
import { h, setAttribute, setText, show } from '../dom.ts';
import { text, type TextKey } from '../text/index.ts';
import type { Call } from '../model/call.ts';
import type { Quality } from '../model/library.ts';
import { nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { troubleKey } from '../model/reason.ts';
import type { View } from './view.ts';

const WORDS: Record<Quality['score'], TextKey> = { good: 'qualityGood', fair: 'qualityFair', poor: 'qualityPoor', none: 'qualityNone' };

export function qualityView(phone: Phone): View {
  let open = false;
  let shown: Call | undefined;
  const word = h('span', { 'data-testid': 'quality-word' });
  const bars = h('span', { 'class': 'quality-bars', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
  const button = h('button', {
    'type': 'button', 'class': 'quality-button', 'data-testid': 'quality', 'aria-controls': 'quality-figures',
    'on': { click: () => { open = !open; phone.change.signal(); } },
  }, bars, word);
  const figures = h('dl', { 'class': 'quality-figures', 'id': 'quality-figures', 'data-testid': 'quality-figures' });
  const trouble = h('p', { 'class': 'call-trouble', 'role': 'status', 'data-testid': 'call-trouble' });

  return {
    element: h('div', { class: 'quality' }, trouble, button, figures),
    update() {
      const { call } = phone;
      if (call !== shown) open = false;
      shown = call;
      const quality = call?.phase === 'talking' ? call.quality : undefined;
      setText(trouble, call ? troubleText(call) : '');
      show(trouble, trouble.textContent !== '');
      show(button, quality !== undefined && (quality.score !== 'none' || !call?.trouble));
      show(figures, !button.hidden && open);
      if (!quality) return;
      button.dataset.score = quality.score;
      setAttribute(button, 'aria-expanded', String(open));
      setAttribute(button, 'aria-label', `${text('quality')}: ${text(WORDS[quality.score])}`);
      setText(word, text(WORDS[quality.score]));
      if (open) showFigures(figures, quality);
    },
  };
}

/** What is wrong now, or what was wrong when the call ended. */
function troubleText(call: Call): string {
  const peer = nameOf(call.peer);
  const media = call.over ? call.outcome?.media : undefined;
  if (media?.key) return media.key === call.outcome?.key ? '' : text(media.key, { peer });
  if (media) return media.words ?? '';
  return call.phase === 'talking' && call.trouble ? text(troubleKey(call.trouble), { peer }) : '';
}

function showFigures(list: HTMLElement, quality: Quality): void {
  const time = (count: number | undefined): string => (count === undefined ? '–' : text('milliseconds', { count }));
  const { received, sent, pair } = quality;
  const rows: readonly (readonly [TextKey, string])[] = [
    ['qualityCodec', quality.codec ?? '–'],
    ['qualityReceived', text('qualityPackets', { packets: received.packets, lost: received.lost })],
    ['qualitySent', text('qualityPackets', { packets: sent.packets, lost: sent.lost })],
    ['qualityJitter', time(received.jitter)],
    ['qualityRoundTrip', time(quality.roundTrip)],
    ['qualityPath', pair ? `${pair.local} → ${pair.remote} ${pair.protocol.toUpperCase()}` : '–'],
  ];
  if (list.children.length === 0) list.append(...rows.map(([key]) => h('div', {}, h('dt', {}, text(key)), h('dd', {}))));
  rows.forEach(([, value], index) => {
    const row = list.children[index]?.querySelector('dd');
    if (row) setText(row, value);
  });
}
