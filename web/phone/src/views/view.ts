/** What all views share: small pieces of the page that occur more than once. */
import { h, setAttribute, setText, type Attributes, type Child } from '../dom.ts';
import { icon, type IconName } from '../icons.ts';
import { locale, text } from '../text/index.ts';
import { hueOf, initials, type Peer } from '../model/peer.ts';

export interface View {
  readonly element: HTMLElement;
  /** Brings the element up to date with the phone. */
  update(): void;
}

export interface ButtonOptions {
  readonly icon: IconName;
  readonly label: string;
  readonly id: string;
  readonly style?: string;
  readonly press: () => void;
  /** Shows the label under the drawing instead of only telling it to screen readers. */
  readonly caption?: boolean;
  readonly attributes?: Attributes;
}

/** A button with a drawing. `id` is its data-testid. */
export function iconButton(options: ButtonOptions): HTMLButtonElement {
  return h(
    'button',
    {
      'type': 'button',
      'class': `button ${options.style ?? ''}`.trim(),
      'data-testid': options.id,
      'aria-label': options.caption ? undefined : options.label,
      'title': options.caption ? undefined : options.label,
      'on': { click: options.press },
      ...options.attributes,
    },
    h('span', { class: 'button-face' }, icon(options.icon)),
    options.caption && h('span', { class: 'button-caption' }, options.label),
  );
}

/** Changes the drawing and the words of an icon button. */
export function relabel(button: HTMLButtonElement, drawing: IconName, label: string): void {
  if (button.dataset.icon !== drawing) {
    button.dataset.icon = drawing;
    button.querySelector('.button-face')?.replaceChildren(icon(drawing));
  }
  const caption = button.querySelector('.button-caption');
  if (caption) setText(caption, label);
  else for (const name of ['aria-label', 'title']) setAttribute(button, name, label);
}

export function pill(style: string, id: string, label: string, press: () => void): HTMLButtonElement {
  return h('button', { 'type': 'button', 'class': `pill ${style}`.trim(), 'data-testid': id, 'on': { click: press } }, label);
}

export function avatar(peer: Peer, size: 'small' | 'large' = 'small'): HTMLElement {
  const element = h('span', { 'class': `avatar avatar-${size}`, 'aria-hidden': 'true' }, initials(peer));
  element.style.setProperty('--hue', String(hueOf(peer)));
  return element;
}

export function empty(drawing: IconName, title: string, help: string, ...more: Child[]): HTMLElement {
  return h('div', { class: 'empty' }, icon(drawing), h('strong', {}, title), h('p', {}, help), ...more);
}

export const KEYS: readonly (readonly [string, string])[] = [
  ['1', ''], ['2', 'ABC'], ['3', 'DEF'], ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'],
  ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'], ['*', ''], ['0', '+'], ['#', ''],
];

/** The twelve keys; a long press on 0 gives +. */
export function keypad(prefix: string, press: (key: string) => void): HTMLElement {
  const keys = KEYS.map(([key, letters]) => {
    const button = h(
      'button',
      { 'type': 'button', 'class': 'key', 'data-testid': `${prefix}-${keyName(key)}`, 'on': { click: () => press(key) } },
      h('span', { class: 'key-digit' }, key),
      // The empty line under 1 keeps the digits of the first row on one line.
      /\d/.test(key) && h('span', { 'class': 'key-letters', 'aria-hidden': 'true' }, letters || '\u00a0'),
    );
    return button;
  });
  return h('div', { class: 'keypad', role: 'group' }, ...keys);
}

function keyName(key: string): string {
  return key === '*' ? 'star' : key === '#' ? 'hash' : key;
}

/** 75 is "01:15", 3675 is "1:01:15". */
export function clock(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
}

export function timeOfDay(at: number): string {
  return new Intl.DateTimeFormat(locale(), { hour: 'numeric', minute: '2-digit' }).format(at);
}

/** "Today", "Yesterday" or the date. */
export function dayOf(at: number, now = Date.now()): string {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / 86_400_000);
  if (days === 0) return text('today');
  if (days === 1) return text('yesterday');
  const options: Intl.DateTimeFormatOptions = days < 7 ? { weekday: 'long' } : { day: 'numeric', month: 'long', year: 'numeric' };
  const name = new Intl.DateTimeFormat(locale(), options).format(at);
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
