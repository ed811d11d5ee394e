/** What is wrong with this call and what to do, as a list that can be copied for whoever helps. */
import { h, fill, setText } from '../dom.ts';
import { icon, type IconName } from '../icons.ts';
import { text } from '../text/index.ts';
import { diagnose, type Finding, type FindingState } from '../model/diagnosis.ts';
import { nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { iconButton, type View } from './view.ts';

const SIGNS: Record<FindingState, IconName> = { good: 'check', warning: 'alert', bad: 'close', unknown: 'clock' };

/** `done` closes it: nothing else on a touch screen does. */
export function diagnosisView(phone: Phone, done: () => void): View {
  const summary = h('p', { class: 'diagnosis-summary', role: 'status' });
  const list = h('ul', { 'class': 'diagnosis-list', 'data-testid': 'diagnosis' });
  const copied = h('span', { role: 'status' });
  const copy = h('button', { 'type': 'button', 'class': 'pill', 'data-testid': 'diagnosis-copy', 'on': { click: () => void copyReport() } }, text('copyReport'));
  const close = iconButton({ icon: 'close', label: text('close'), id: 'diagnosis-close', style: 'inline', press: done });
  let shown = '';

  async function copyReport(): Promise<void> {
    try {
      await navigator.clipboard.writeText(report(phone));
      setText(copied, text('copied'));
      setTimeout(() => setText(copied, ''), 3_000);
    } catch {
      setText(copied, text('notCopied')); // Not in a secure context, or refused.
    }
  }

  return {
    element: h('div', { 'class': 'sheet diagnosis', 'role': 'region', 'aria-label': text('diagnosis') },
      h('div', { class: 'diagnosis-box' }, h('div', { class: 'diagnosis-head' }, summary, close), list, h('p', { class: 'diagnosis-copy' }, copy, copied))),
    update() {
      const { call } = phone;
      if (!call) return;
      const findings = diagnose(call, phone.line.state);
      setText(summary, text(findings.some((each) => each.state === 'bad') ? 'diagnosisBad' : findings.some((each) => each.state === 'warning') ? 'diagnosisWarning' : 'diagnosisGood'));
      const key = JSON.stringify(findings);
      if (key === shown) return;
      shown = key;
      fill(list, ...findings.map((finding) => row(finding, nameOf(call.peer))));
    },
  };
}

function row({ subject, state, found, advice, figure }: Finding, peer: string): HTMLElement {
  return h('li', { 'class': 'finding', 'data-state': state, 'data-subject': subject },
    h('span', { 'class': 'finding-sign', 'role': 'img', 'aria-label': text(`finding_${state}`) }, icon(SIGNS[state])),
    h('div', {}, h('strong', {}, text(subject)), ' ', h('span', {}, text(found, { peer })), figure && h('small', {}, figure),
      advice && h('p', {}, text(advice, { peer }))));
}

/** The same as lines of text, with what the browser says of itself. */
function report(phone: Phone): string {
  const { call } = phone;
  if (!call) return '';
  const peer = nameOf(call.peer);
  const lines = diagnose(call, phone.line.state).map(({ subject, state, found, advice, figure }) =>
    `[${state}] ${text(subject)}: ${text(found, { peer })}${figure ? ` (${figure})` : ''}${advice ? ` ${text(advice, { peer })}` : ''}`);
  const began = new Date(call.startedAt).toISOString();
  return [`${call.incoming ? '<-' : '->'} ${call.peer.uri} ${began}, ${call.seconds} s`, ...lines, navigator.userAgent].join('\n');
}
