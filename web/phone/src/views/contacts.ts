/** The people whom the user keeps: find, call, write, change; a lamp where it is known what they do. */
import { Built, arrange, h, fill, setAttribute, setText, show } from '../dom.ts';
import { icon } from '../icons.ts';
import { text, type TextKey } from '../text/index.ts';
import { isolated } from '../text/order.ts';
import type { Contact } from '../model/contacts.ts';
import type { Lamp } from '../model/lamps.ts';
import { addressLine, dial, nameOf, type Peer } from '../model/peer.ts';
import type { Phone } from '../model/phone.ts';
import { presenceView } from './presence.ts';
import { avatar, empty, iconButton, type View } from './view.ts';

const LAMPS: Record<Lamp, TextKey> = {
  away: 'presenceOffline', free: 'presenceOnline', ringing: 'presenceRinging', busy: 'presenceBusy',
  absent: 'presenceAway', occupied: 'presenceOccupied', closed: 'presenceClosed',
};

export function contactsView(phone: Phone): View {
  const find = h('input', { 'type': 'search', 'data-testid': 'contact-find', 'placeholder': text('findContact'), 'aria-label': text('findContact'), 'autocomplete': 'off', 'on': { input: () => update() } });
  const finder = h('div', { class: 'new-conversation' }, h('div', { class: 'field-box' }, find));
  const list = h('div', { 'class': 'list', 'data-testid': 'contacts' });
  const form = formView(phone);
  const own = presenceView(phone);
  const begin = iconButton({ icon: 'plus', label: text('newContact'), id: 'contact-new', style: 'inline', press: () => phone.editContact({ uri: '' }) });
  const rows = h('ul', {});
  const built = new Built<View>();
  let shown = '';

  function update(): void {
    const { editing } = phone;
    show(form.element, editing !== undefined);
    show(own.element, editing === undefined);
    show(list, editing === undefined);
    show(finder, editing === undefined && phone.contacts.list.length > 0);
    show(begin, editing === undefined);
    form.update();
    own.update();
    const typed = find.value.trim().toLowerCase();
    const found = phone.contacts.list.filter((each) => `${nameOf(each)} ${addressLine(each, phone.domain)}`.toLowerCase().includes(typed));
    const views = found.map((each) => built.of(each.uri, each, () => row(phone, each)));
    built.sweep();
    for (const view of views) view.update();
    arrange(rows, views.map((view) => view.element));
    const key = found.length > 0 ? 'found' : phone.contacts.list.length > 0 ? 'none' : 'empty';
    if (key === shown) return;
    shown = key;
    if (key === 'empty') fill(list, empty('people', text('noContacts'), text('noContactsHelp')));
    else if (key === 'none') fill(list, empty('people', text('contactFound'), ''));
    else fill(list, rows);
  }

  return {
    element: h('section', { 'class': 'panel', 'aria-label': text('contacts') },
      h('header', { class: 'panel-head' }, h('h2', {}, text('contacts')), begin), own.element, finder, form.element, list),
    update,
  };
}

function row(phone: Phone, contact: Contact): View {
  const lamp = h('i', { class: 'lamp' });
  const face = h('span', { class: 'with-lamp' }, avatar(contact));
  const words = h('span', { class: 'ellipsis' });
  const name = nameOf(contact);
  return {
    element: h('li', { 'class': 'row', 'data-testid': 'contact' },
      h('button', { 'type': 'button', 'class': 'row-main', 'data-testid': 'contact-call', 'on': { click: () => phone.callPeer(contact) } },
        h('span', { class: 'spoken' }, text('call')), face,
        h('span', { class: 'two-lines' }, h('strong', {}, name), h('small', {}, words))),
      iconButton({ icon: 'message', label: text('writeTo', { peer: name }), id: 'contact-message', style: 'inline row-side', press: () => phone.writeTo(contact) }),
      iconButton({ icon: 'pencil', label: text('editContact', { peer: name }), id: 'contact-edit', style: 'inline row-side', press: () => phone.editContact(contact) })),
    update() {
      const state = phone.lamps.of(contact);
      setText(words, [state && text(LAMPS[state]), isolated(phone.lamps.noteOf(contact)), isolated(addressLine(contact, phone.domain))].filter(Boolean).join(' · '));
      if (state) {
        lamp.dataset.lamp = state;
        face.append(lamp);
      } else {
        lamp.remove();
      }
    },
  };
}

/** A new contact, or one that is changed. */
function formView(phone: Phone): View {
  const name = input('contact-name', text('contactName'), 'words');
  const address = input('contact-address', text('contactAddress'), 'none');
  const problem = h('p', { 'class': 'field-error', 'role': 'alert', 'data-testid': 'contact-error' });
  const remove = h('button', { 'type': 'button', 'class': 'pill danger', 'data-testid': 'contact-delete', 'on': { click: () => { const old = known(); if (old) phone.contacts.remove(old); phone.editContact(undefined); } } }, icon('trash'), text('deleteContact'));
  const form = h('form', { class: 'contact-form', on: { submit: (event: Event) => { event.preventDefault(); save(); } } },
    name.element, address.element, problem,
    h('div', { class: 'picker-actions' },
      h('button', { 'type': 'submit', 'class': 'pill green', 'data-testid': 'contact-save' }, text('saveContact')),
      h('button', { 'type': 'button', 'class': 'pill', 'data-testid': 'contact-cancel', 'on': { click: () => phone.editContact(undefined) } }, text('cancel')),
      remove));
  let shown: Peer | undefined;

  function known(): Contact | undefined {
    return phone.contacts.list.find((each) => each === shown);
  }

  function complain(key: TextKey | undefined, field: HTMLInputElement): void {
    setText(problem, key ? text(key) : '');
    show(problem, key !== undefined);
    for (const each of [name.field, address.field]) setAttribute(each, 'aria-invalid', key && each === field ? 'true' : undefined);
    if (key) field.focus();
  }

  function save(): void {
    const called = name.field.value.trim();
    if (!called) {
      complain('errorContactName', name.field);
      return;
    }
    // What the field does not show, as sips: or a parameter, is kept with an address that nobody changed.
    const same = shown?.uri && address.field.value === addressLine(shown, phone.domain);
    const found = same && shown ? { peer: shown } : dial(address.field.value, phone.domain);
    if ('error' in found) {
      complain(found.error, address.field);
      return;
    }
    phone.contacts.keep({ uri: found.peer.uri, name: called }, known());
    phone.editContact(undefined);
  }

  return {
    element: form,
    update() {
      if (phone.editing === shown) return;
      shown = phone.editing;
      if (!shown) return;
      complain(undefined, name.field);
      name.field.value = shown.name ? nameOf(shown) : '';
      address.field.value = shown.uri ? addressLine(shown, phone.domain) : '';
      show(remove, known() !== undefined);
      queueMicrotask(() => name.field.focus());
    },
  };
}

function input(id: string, label: string, capitals: string): { element: HTMLElement; field: HTMLInputElement } {
  const field = h('input', { 'id': id, 'data-testid': id, 'type': 'text', 'autocomplete': 'off', 'autocapitalize': capitals, 'spellcheck': 'false' });
  return { field, element: h('div', { class: 'field' }, h('label', { for: id }, label), h('div', { class: 'field-box' }, field)) };
}

/** A button that keeps somebody who is no contact yet. */
export function keepButton(phone: Phone, peer: Peer): HTMLElement | undefined {
  if (phone.contacts.of(peer.uri)) return undefined;
  return iconButton({ icon: 'person', label: text('keepContact', { peer: nameOf(peer) }), id: 'keep-contact', style: 'inline row-side', press: () => { phone.editContact(peer); phone.show('contacts'); } });
}
