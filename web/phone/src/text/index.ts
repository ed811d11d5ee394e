/** All texts of the page, in the language that the user chose or the browser prefers. */
import { en, type TextKey } from './en.ts';
import { es } from './es.ts';
import { isolated } from './order.ts';

export type { TextKey } from './en.ts';
export type Language = 'en' | 'es';
export type Values = Readonly<Record<string, string | number>>;

export const LANGUAGES: readonly Language[] = ['en', 'es'];
const DICTIONARIES: Record<Language, Record<TextKey, string>> = { en, es };

let current: Language = 'en';

export function setLanguage(language: Language): void {
  current = language;
}

export function language(): Language {
  return current;
}

/** The language as the browser wants it, with its country: clocks and dates are written in many ways. */
export function locale(): string {
  return navigator.languages.find((tag) => tag.toLowerCase().split('-')[0] === current) ?? current;
}

/** The first of the browser's languages that we speak, else English. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const found = LANGUAGES.find((known) => tag.toLowerCase().split('-')[0] === known);
    if (found) return found;
  }
  return 'en';
}

/** Letters of somebody's name in a sentence: whoever calls writes it himself, and it is not to push the rest off the screen. */
const NAME = 40;
const NAMES = ['peer', 'target', 'one', 'other'];

/** The text of `key`, with each `{name}` replaced by its value. */
export function text(key: TextKey, values: Values = {}): string {
  return DICTIONARIES[current][key].replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = String(values[name] ?? whole);
    const letters = NAMES.includes(name) ? [...value] : [];
    return isolated(letters.length > NAME ? `${letters.slice(0, NAME).join('')}…` : value);
  });
}

export { en, es };
