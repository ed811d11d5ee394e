/** What the browser keeps for one account beyond its sign-out: in the clear, for whoever uses the browser next. */
import { forget, read, write } from './storage.ts';

const KINDS = ['contacts', 'conversations', 'recents', 'missed', 'presence', 'voicemail'] as const;
export type Kind = (typeof KINDS)[number];

/** Each takes the address of the account; without one nothing is kept. */
export function readKept<Value>(kind: Kind, account: string): Value | undefined {
  return account ? read<Value>(`${kind}.${account}`) : undefined;
}

export function keep(kind: Kind, account: string, value: unknown): void {
  if (account) write(`${kind}.${account}`, value);
}

/** Whether there are people, words or calls among it. */
export function anythingKept(account: string): boolean {
  return KINDS.some((kind) => {
    const found = readKept(kind, account);
    return Array.isArray(found) && found.length > 0;
  });
}

export function forgetKept(account: string): void {
  for (const kind of KINDS) forget(`${kind}.${account}`);
}
