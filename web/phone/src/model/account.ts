/** Who is signed in, where the page's settings come from, and what is remembered. */
import { forget, read, write } from './storage.ts';
import { escapeUser } from './peer.ts';

export interface Account {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
  /** WebSocket address of the server. */
  readonly server: string;
  readonly displayName?: string;
}

/** What the server tells the page (GET /config.json), completed from the page's own address. */
export interface Defaults {
  readonly domain: string;
  readonly server: string;
}

export type AccountError = 'errorUser' | 'errorPassword' | 'errorServer' | 'errorMixedContent';

export function uriOf(account: Account): string {
  return `sip:${escapeUser(account.user)}@${account.domain}`;
}

export async function loadDefaults(page: URL, load: typeof fetch): Promise<Defaults> {
  const settings = await fetchSettings(page, load);
  return {
    domain: stringOr(settings.domain, page.hostname),
    server: webSocketAddress(stringOr(settings.websocket, '/sip'), page),
  };
}

async function fetchSettings(page: URL, load: typeof fetch): Promise<Record<string, unknown>> {
  try {
    const response = await load(new URL('/config.json', page));
    const settings: unknown = response.ok ? await response.json() : {};
    return typeof settings === 'object' && settings !== null ? (settings as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function stringOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

/** A path on the page's own host, or a full address, as ws or wss. */
export function webSocketAddress(given: string, page: URL): string {
  try {
    const address = new URL(given, page);
    if (address.protocol === 'https:') address.protocol = 'wss:';
    if (address.protocol === 'http:') address.protocol = 'ws:';
    address.hash = '';
    return address.href;
  } catch {
    return given;
  }
}

/** What the fields of the sign-in form make; empty fields take the defaults. */
export function accountFrom(
  fields: { user: string; password: string; server?: string; domain?: string; displayName?: string },
  defaults: Defaults,
  page: URL,
): Account | AccountError {
  const typed = fields.user.trim().replace(/^sips?:/i, '');
  const at = typed.lastIndexOf('@');
  const user = at < 0 ? typed : typed.slice(0, at);
  const domain = (at < 0 ? '' : typed.slice(at + 1)) || fields.domain?.trim() || defaults.domain;
  const server = fields.server?.trim() || defaults.server;
  const displayName = fields.displayName?.trim();
  if (!user || /[\s<>"]/.test(user) || /[\s<>"/]/.test(domain)) return 'errorUser';
  if (!fields.password) return 'errorPassword';
  if (!/^wss?:\/\/[^\s]+$/i.test(server) || !URL.canParse(server)) return 'errorServer';
  if (page.protocol === 'https:' && /^ws:/i.test(server)) return 'errorMixedContent';
  return { user, domain, password: fields.password, server, ...(displayName ? { displayName } : {}) };
}

/** `#alice:PASSWORD` of a sign-in link. */
export function fragmentCredentials(hash: string): { user: string; password: string } | undefined {
  const text = hash.replace(/^#(sips?:)?/, '');
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1) return undefined;
  try {
    return { user: decodeURIComponent(text.slice(0, colon)), password: decodeURIComponent(text.slice(colon + 1)) };
  } catch {
    return undefined;
  }
}

/** In this tab until it is closed; on the device only if the user asked for it. Another account that stays there is left alone. */
export function remember(account: Account, stay: boolean): void {
  write('account', account, 'tab');
  if (stay) write('account', account, 'device');
  else if (stays(account)) forget('account', 'device');
}

export function remembered(): { account: Account; stay: boolean } | undefined {
  const account = read<Account>('account', 'tab') ?? read<Account>('account', 'device');
  return account?.user && account.password && account.server ? { account, stay: stays(account) } : undefined;
}

/** Whether this account is the one that stays signed in on the device. */
export function stays(account: Account): boolean {
  const kept = read<Account>('account', 'device');
  return kept?.user === account.user && kept.domain === account.domain;
}

export function forgetAccount(account: Account): void {
  forget('account', 'tab');
  if (stays(account)) forget('account', 'device');
}
