/** The other calls: who waits, who is on hold, who is in the same conference; and what became of one that ended. */
import { h, fill, setText, show } from '../dom.ts';
import { text } from '../text/index.ts';
import type { Call } from '../model/call.ts';
import { nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { avatar, clock, iconButton, pill, type View } from './view.ts';

/** A second caller. */
export function waitingView(phone: Phone): View {
  const words = h('strong', {});
  const hold = pill('green', 'waiting-answer', text('waitingHold'), () => void phone.calls.answerWaiting(false));
  const element = h('div', { 'class': 'waiting', 'role': 'alert', 'data-testid': 'waiting' }, words,
    h('div', { class: 'waiting-actions' },
      pill('red', 'waiting-reject', text('reject'), () => phone.calls.waiting?.reject()),
      pill('', 'waiting-end', text('waitingEnd'), () => void phone.calls.answerWaiting(true)),
      hold));
  return {
    element,
    update() {
      const { waiting } = phone.calls;
      show(element, waiting !== undefined);
      show(hold, phone.call?.phase === 'talking');
      if (waiting) setText(words, text('waitingCall', { peer: nameOf(waiting.peer) }));
    },
  };
}

/** Calls on hold, each with the way to it, and what can be done with two calls. */
export function othersView(phone: Phone): View & { tick(): void } {
  const rows = h('ul', { class: 'other-rows' });
  const join = pill('', 'others-merge', text('joinCalls'), () => void phone.calls.merge());
  const connect = pill('', 'others-connect', text('connectTwo'), () => {
    const [other] = standing();
    if (other) phone.calls.connect(other);
  });
  const split = pill('', 'conference-split', text('splitCalls'), () => phone.calls.split());
  const actions = h('div', { class: 'other-actions' }, join, connect, split);
  const news = h('p', { 'class': 'call-news', 'role': 'status', 'data-testid': 'call-news' });
  const element = h('div', { 'class': 'others', 'data-testid': 'others' }, news, rows, actions);
  let shown = '';

  const standing = (): readonly Call[] => phone.calls.others.filter((call) => call.phase === 'talking');

  function row(call: Call): HTMLElement {
    const peer = nameOf(call.peer);
    const member = phone.calls.inConference && phone.calls.conference?.members.includes(call);
    const words = h('span', { class: 'two-lines' }, h('strong', {}, peer), h('small', { 'data-of': call.startedAt }, ''));
    return h('li', { 'class': 'other', 'data-testid': member ? 'conference-member' : 'other-call' },
      avatar(call.peer), words,
      member
        ? iconButton({ icon: 'hangUp', label: text('hangUpPeer', { peer }), id: 'member-hangup', style: 'inline', press: () => call.hangUp() })
        : iconButton({ icon: 'swap', label: text('switchTo', { peer }), id: 'other-switch', style: 'inline', press: () => phone.calls.switchTo(call) }));
  }

  function list(): readonly Call[] {
    return phone.calls.inConference ? phone.calls.conference?.members ?? [] : phone.calls.others;
  }

  function tick(): void {
    list().forEach((call, at) => {
      const line = rows.children[at]?.querySelector('small');
      if (line) setText(line, stateOf(phone, call));
    });
  }

  return {
    element, tick,
    update() {
      const { calls } = phone;
      const all = list();
      const ended = calls.news?.outcome;
      setText(news, ended && calls.news ? text(ended.key, { peer: nameOf(calls.news.peer) }) : '');
      show(news, news.textContent !== '');
      const key = JSON.stringify([calls.inConference, ...all.map((call) => [call.startedAt, call.peer.uri])]);
      if (key !== shown) {
        shown = key;
        fill(rows, ...all.map(row));
      }
      const [other] = standing();
      show(rows, all.length > 0);
      show(join, calls.canJoin);
      show(connect, calls.canJoin && !calls.inConference && standing().length === 1 && other?.transferable === true);
      if (other && phone.call) connect.title = text('connectThem', { one: nameOf(other.peer), other: nameOf(phone.call.peer) });
      show(split, calls.inConference);
      show(actions, calls.canJoin || calls.inConference);
      show(element, !rows.hidden || !news.hidden);
      tick();
    },
  };
}

function stateOf(phone: Phone, call: Call): string {
  const time = clock(call.seconds);
  const { transfer } = call;
  const names = { peer: nameOf(call.peer), target: transfer ? nameOf(transfer.peer) : '' };
  if (transfer?.state === 'asked') return text('transferring', names);
  if (transfer?.state === 'failed') return text('transferFailed', names);
  if (transfer?.state === 'silent') return text('transferSilent', names);
  if (call.phase !== 'talking') return text('phaseRinging');
  if (phone.calls.inConference) return time;
  return call.held.local ? text('onHoldFor', { time }) : time;
}
