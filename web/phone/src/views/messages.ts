/** Conversations: the list, and one of them. */
import { Built, arrange, h, fill, setText, show } from '../dom.ts';
import { icon } from '../icons.ts';
import { text } from '../text/index.ts';
import { preview, type Conversation, type TextMessage } from '../model/conversations.ts';
import { addressLine, dial, nameOf } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { avatar, dayOf, empty, iconButton, timeOfDay, type View } from './view.ts';

export function messagesView(phone: Phone): View {
  const list = listView(phone);
  const one = conversationView(phone);
  return {
    element: h('section', { 'class': 'panel', 'aria-label': text('messages') }, list.element, one.element),
    update() {
      const { open } = phone.conversations;
      show(list.element, open === undefined);
      show(one.element, open !== undefined);
      if (open) one.update();
      else list.update();
    },
  };
}

function listView(phone: Phone): View {
  const target = h('input', { 'type': 'text', 'data-testid': 'conversation-target', 'aria-label': text('messageTo'), 'placeholder': text('messageTo'), 'autocapitalize': 'none', 'spellcheck': 'false', 'autocomplete': 'off', 'enterkeyhint': 'go' });
  const problem = h('p', { 'class': 'dial-error', 'role': 'alert', 'data-testid': 'conversation-error', 'hidden': true });
  const begin = h('form', { class: 'new-conversation', on: { submit: (event: Event) => { event.preventDefault(); start(); } } },
    h('div', { class: 'field-box' }, target, h('button', { 'type': 'submit', 'class': 'button inline', 'aria-label': text('startConversation'), 'title': text('newMessage'), 'data-testid': 'conversation-start' }, h('span', { class: 'button-face' }, icon('plus')))), problem);
  const list = h('ul', {});
  const nothing = empty('message', text('noConversations'), text('noConversationsHelp'));
  const rows = h('div', { 'class': 'list', 'data-testid': 'conversation-list' }, list, nothing);
  const built = new Built<HTMLElement>();

  function start(): void {
    const found = dial(target.value, phone.domain, phone.known);
    const wrong = 'error' in found;
    setText(problem, wrong ? text(found.error) : '');
    show(problem, wrong);
    if (wrong) return;
    target.value = '';
    phone.conversations.show(phone.conversations.with(found.peer));
    queueMicrotask(() => document.querySelector<HTMLElement>('[data-testid="message-field"]')?.focus());
  }

  return {
    element: h('div', { class: 'panel-page' }, h('header', { class: 'panel-head' }, h('h2', {}, text('messages'))), begin, rows),
    update() {
      const written = phone.conversations.list.filter((each) => each.messages.length > 0);
      show(nothing, written.length === 0);
      arrange(list, written.map((each) => {
        const key = JSON.stringify([each.peer, each.unread, each.messages.at(-1)]);
        return built.of(key, each, () => conversationRow(phone, each));
      }));
      built.sweep();
    },
  };
}

function conversationRow(phone: Phone, conversation: Conversation): HTMLElement {
  const last = conversation.messages.at(-1);
  const unread = conversation.unread;
  return h('li', { class: `row ${unread > 0 ? 'unread' : ''}` },
    h('button', { 'type': 'button', 'class': 'row-main', 'data-testid': 'conversation-row', 'on': { click: () => phone.conversations.show(conversation) } },
      avatar(conversation.peer),
      h('span', { class: 'two-lines' }, h('strong', {}, nameOf(conversation.peer)), h('small', {}, h('span', { class: 'ellipsis' }, preview(conversation)))),
      h('span', { class: 'row-end' },
        last && h('time', {}, timeOfDay(last.at)),
        unread > 0 && h('span', { 'class': 'badge', 'aria-label': text('unreadCount', { count: unread }) }, String(unread)))));
}

function conversationView(phone: Phone): View {
  const who = h('div', { class: 'conversation-who' });
  const lines = h('ol', { 'class': 'bubbles', 'data-testid': 'conversation', 'tabindex': '0', 'aria-label': text('messages') });
  const field = h('textarea', {
    'data-testid': 'message-field', 'rows': 1, 'placeholder': text('messageHint'), 'aria-label': text('messageHint'), 'enterkeyhint': 'send',
    'on': { input: () => write(field.value), keydown: (event: KeyboardEvent) => { if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); } } },
  });
  const form = h('form', { class: 'compose', on: { submit: (event: Event) => { event.preventDefault(); send(); } } },
    field, h('button', { 'type': 'submit', 'class': 'button round small accent', 'aria-label': text('send'), 'title': text('send'), 'data-testid': 'message-send' }, h('span', { class: 'button-face' }, icon('send'))));
  const built = new Built<HTMLElement>();
  let shown: Conversation | undefined;
  let count = '';

  function write(draft: string): void {
    if (shown) phone.conversations.drafts.set(shown.peer.uri, draft);
  }

  function send(): void {
    const { open } = phone.conversations;
    const body = field.value.trim();
    if (!open || !body) return;
    field.value = '';
    write('');
    phone.conversations.send(phone.line.state === 'registered' ? phone.line.agent : undefined, open, body);
  }

  function update(): void {
    const open = phone.conversations.open!;
    if (open !== shown) {
      shown = open;
      field.value = phone.conversations.drafts.get(open.peer.uri) ?? '';
      fill(who, avatar(open.peer), h('span', { class: 'two-lines' }, h('strong', {}, nameOf(open.peer)), h('small', {}, addressLine(open.peer, phone.domain))));
    }
    const key = `${open.peer.uri} ${open.messages.map((each) => each.id + each.state).join()}`;
    if (key === count) return;
    count = key;
    arrange(lines, bubbles(phone, open, built));
    built.sweep();
    lines.scrollTop = lines.scrollHeight;
  }

  return {
    element: h('div', { class: 'panel-page' },
      h('header', { class: 'panel-head' },
        iconButton({ icon: 'back', label: text('back'), id: 'conversation-back', style: 'inline', press: () => phone.conversations.show(undefined) }),
        who,
        iconButton({ icon: 'trash', label: text('clearMessages'), id: 'conversation-delete', style: 'inline', press: () => shown && phone.conversations.remove(shown) }),
        iconButton({ icon: 'call', label: text('call'), id: 'conversation-call', style: 'inline', press: () => shown && phone.callPeer(shown.peer) })),
      h('div', { 'class': 'log', 'role': 'log', 'aria-live': 'polite' }, lines), form),
    update,
  };
}

function bubbles(phone: Phone, conversation: Conversation, built: Built<HTMLElement>): HTMLElement[] {
  let day = '';
  return conversation.messages.flatMap((message) => {
    const its = dayOf(message.at);
    const head = its === day ? [] : [built.of(its, undefined, () => h('li', { class: 'day' }, its))];
    day = its;
    return [...head, built.of(`${message.id} ${message.state}`, message, () => bubble(phone, conversation, message))];
  });
}

function bubble(phone: Phone, conversation: Conversation, message: TextMessage): HTMLElement {
  const peer = nameOf(conversation.peer);
  const state = message.state === 'sending' ? text('messageSending')
    : message.state === 'failed' ? text('messageFailed', { detail: text(message.outcome?.key ?? 'endedConnection', { peer }) })
      : timeOfDay(message.at);
  return h('li', { 'class': `bubble ${message.own ? 'own' : ''} ${message.state}`, 'data-testid': 'message', 'data-direction': message.own ? 'outgoing' : 'incoming', 'data-state': message.state },
    h('p', {}, message.body),
    h('small', {}, state, message.state === 'failed' && h('button',
      { 'type': 'button', 'class': 'link', 'data-testid': 'message-again', 'on': { click: () => phone.conversations.again(phone.line.state === 'registered' ? phone.line.agent : undefined, conversation, message) } }, text('sendAgain'))));
}
