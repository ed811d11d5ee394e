/** The parameters of a user agent: checked once, then frozen except for what may change while it runs. */

import { C } from './constants.js';
import { RELIABILITY, type Reliability } from './core_types.js';
import type { Environment } from './environment.js';
import { ConfigurationError } from './exceptions.js';
import { createRandomToken, newUUID } from './random.js';
import type { WeightedSocket } from './transport.js';
import { isHeaderLine } from './header_lines.js';
import { URI } from './uri.js';
import { isEmpty } from './utils.js';
import { type Socket, isSocket } from './websocket_interface.js';

/** One socket, or a list of sockets with or without weights. */
export type Sockets = Socket | readonly (Socket | { socket: Socket; weight?: number })[];

/** What a page hands to `new UA(..)`. Times are in seconds unless the name says otherwise. */
export interface UAConfiguration {
  /** Where to connect. */
  sockets: Sockets;
  /** The address of record; `sip:` may be left out. */
  uri: string;
  /** User name of digest credentials, if it is not the user of `uri`. */
  authorization_user?: string | null;
  /** Of the digest credentials (RFC 7616, RFC 8760). */
  password?: string | null;
  /** Realm that `ha1` belongs to. */
  realm?: string | null;
  /** MD5 of `user:realm:password`, in place of a password. */
  ha1?: string | null;
  /** Text of an Authorization header that goes, as it is, into every request. */
  authorization_jwt?: string | null;
  /** The name in From that people see. */
  display_name?: string | number | null;
  /** Our Contact; by default a random user at a random `.invalid` host (RFC 7118 §5). */
  contact_uri?: string | null;
  /** A UUID that names this device (RFC 5626 §4.1), made anew by default: a page should keep one. */
  instance_id?: string | null;
  /** Puts the server's own address as a Route on requests outside of dialogs. */
  use_preloaded_route?: boolean;
  /** Whether calls are refreshed while they last (RFC 4028); true by default. */
  session_timers?: boolean;
  /** `UPDATE` (default) or `INVITE`. */
  session_timers_refresh_method?: string;
  /** Whether this side asks to be the one that refreshes. */
  session_timers_force_refresher?: boolean;
  /** Reliable provisional responses (RFC 3262): `unsupported` (as in JsSIP), `supported`, `required`. Not in JsSIP. */
  extension_100rel?: string;
  /** Seconds that an incoming call rings; 60 by default. */
  no_answer_timeout?: number | string;
  /** Whether to register as soon as there is a connection. */
  register?: boolean;
  /** Seconds to ask for; 600 by default. The registrar decides. */
  register_expires?: number | string;
  /** Appended to the From tag of REGISTER. */
  register_from_tag_trail?: string | (() => string);
  /** Where REGISTER goes; the domain of `uri` by default. */
  registrar_server?: string | null;
  /** Least wait between attempts to connect; 2 by default. */
  connection_recovery_min_interval?: number | string;
  /** Longest wait between attempts to connect; 30 by default. */
  connection_recovery_max_interval?: number | string;
  /** Seconds of silence after which the server is asked for a sign of life (CRLF CRLF); 0, as in JsSIP, for never. Not in JsSIP. */
  keep_alive_interval?: number | string;
  /**
   * How many of `sockets` are connected and registered at the same time (RFC 5626), so that the loss of one server is none of the
   * phone: 1, as in JsSIP, to 4. Each socket serves one flow; those beyond are the flows' spares. Not in JsSIP.
   */
  flows?: number;
  /** The User-Agent header. */
  user_agent?: string;
  /** Headers of every request and response, `Name: value`. */
  extra_headers?: readonly string[] | null;
  /** Milliseconds to wait for ICE candidates once the first is there. */
  ice_gathering_timeout?: number;
  /** The browser's interfaces, for programs outside a browser. */
  environment?: Partial<Environment>;
}

/** The parameters in force. */
export interface Settings {
  readonly uri: URI;
  authorization_user: string;
  password: string | null;
  realm: string | null;
  ha1: string | null;
  authorization_jwt: string | null;
  display_name: string | null;
  readonly contact_uri: URI;
  readonly instance_id: string;
  readonly use_preloaded_route: boolean;
  readonly session_timers: boolean;
  readonly session_timers_refresh_method: 'UPDATE' | 'INVITE';
  readonly session_timers_force_refresher: boolean;
  readonly extension_100rel: Reliability;
  /** Milliseconds. */
  readonly no_answer_timeout: number;
  register: boolean;
  readonly register_expires: number;
  readonly register_from_tag_trail: string | (() => string);
  readonly registrar_server: URI;
  readonly connection_recovery_min_interval: number;
  readonly connection_recovery_max_interval: number;
  readonly keep_alive_interval: number;
  readonly flows: number;
  readonly user_agent: string;
  extra_headers: readonly string[] | null;
  readonly ice_gathering_timeout: number;
  /** What stands in Via in place of our address, which a page does not know. */
  readonly via_host: string;
  /** Prefix of the Call-IDs of this user agent. */
  readonly jssip_id: string;
  /** Domain and port of `uri`. */
  readonly hostport_params: string;
}

/** Parameters that `UA.set` takes. */
export const CHANGEABLE = [
  'authorization_user',
  'password',
  'realm',
  'ha1',
  'authorization_jwt',
  'display_name',
  'extra_headers',
] as const;

export type Changeable = (typeof CHANGEABLE)[number];

/** Milliseconds that a call waits for further candidates after the first. */
const ICE_GATHERING_TIMEOUT = 2000;

/** As many as the core takes. */
const MAX_FLOWS = 4;

/** A check returns the value to keep, or `undefined` if the given one cannot be used. */
type Check<Value> = (value: unknown) => Value | undefined;

/** Checks the parameters. @throws ConfigurationError that names the first bad one. */
export function loadConfiguration(given: UAConfiguration): { settings: Settings; sockets: WeightedSocket[] } {
  if (typeof given !== 'object' || given === null) {
    throw new ConfigurationError('configuration', given);
  }
  const sockets = mandatory(given, 'sockets', checkSockets);
  const uri = mandatory(given, 'uri', checkUri);
  const viaHost = `${createRandomToken(12)}.invalid`;
  const contact = optional(given, 'contact_uri', checkContactUri, defaultContact(viaHost));
  const values: Settings = {
    uri,
    authorization_user: optional(given, 'authorization_user', checkUserName, uri.user ?? ''),
    password: optional<string | null>(given, 'password', text, null),
    realm: optional<string | null>(given, 'realm', line, null),
    ha1: optional<string | null>(given, 'ha1', line, null),
    authorization_jwt: optional<string | null>(given, 'authorization_jwt', line, null),
    display_name: optional<string | null>(given, 'display_name', line, null),
    contact_uri: contact,
    instance_id: optional(given, 'instance_id', checkInstance, newUUID()),
    use_preloaded_route: optional(given, 'use_preloaded_route', flag, false),
    session_timers: optional(given, 'session_timers', flag, true),
    session_timers_refresh_method: optional(given, 'session_timers_refresh_method', checkRefreshMethod, 'UPDATE'),
    session_timers_force_refresher: optional(given, 'session_timers_force_refresher', flag, false),
    extension_100rel: optional(given, 'extension_100rel', checkReliability, 'unsupported'),
    no_answer_timeout: optional(given, 'no_answer_timeout', (value) => whole(positive(value)), 60) * 1000,
    register: optional(given, 'register', flag, true),
    register_expires: optional(given, 'register_expires', (value) => whole(notNegative(value)), 600),
    register_from_tag_trail: optional(given, 'register_from_tag_trail', checkTagTrail, ''),
    registrar_server: optional(given, 'registrar_server', checkRegistrar, domainOf(uri)),
    connection_recovery_min_interval: optional(
      given,
      'connection_recovery_min_interval',
      positive,
      C.CONNECTION_RECOVERY_MIN_INTERVAL,
    ),
    connection_recovery_max_interval: optional(
      given,
      'connection_recovery_max_interval',
      positive,
      C.CONNECTION_RECOVERY_MAX_INTERVAL,
    ),
    keep_alive_interval: optional(given, 'keep_alive_interval', notNegative, 0),
    flows: optional(given, 'flows', (value) => checkFlows(value, sockets.length), 1),
    user_agent: optional(given, 'user_agent', line, C.USER_AGENT),
    extra_headers: optional<readonly string[] | null>(given, 'extra_headers', checkHeaders, null),
    ice_gathering_timeout: optional(given, 'ice_gathering_timeout', notNegative, ICE_GATHERING_TIMEOUT),
    via_host: contact.host,
    jssip_id: createRandomToken(5),
    hostport_params: `${uri.host}${uri.port === null ? '' : `:${uri.port}`}`,
  };
  if (values.connection_recovery_max_interval < values.connection_recovery_min_interval) {
    throw new ConfigurationError('connection_recovery_max_interval', given.connection_recovery_max_interval);
  }
  if (values.flows > 1 && values.use_preloaded_route) {
    // The Route would name one server, on the way to another.
    throw new ConfigurationError('use_preloaded_route', true);
  }
  if (values.ha1 !== null) {
    values.password = null;
  }
  return { settings: freeze(values), sockets };
}

/** Changes one parameter of a running user agent. Returns whether the value could be used. */
export function changeSetting(settings: Settings, parameter: Changeable, value: unknown): boolean {
  if (parameter === 'extra_headers') {
    const headers = isEmpty(value) ? null : checkHeaders(value);
    if (headers === undefined) {
      return false;
    }
    settings.extra_headers = headers;
    return true;
  }
  const checked = isEmpty(value) ? null : parameter === 'authorization_user' ? checkUserName(value) : line(value);
  if (checked === undefined || (checked === null && parameter === 'authorization_user')) {
    return false;
  }
  if (parameter === 'authorization_user') {
    settings.authorization_user = checked ?? '';
  } else {
    settings[parameter] = checked;
    if (parameter === 'ha1' && checked !== null) {
      settings.password = null;
    }
  }
  return true;
}

/** All but the changeable parameters become read-only. */
function freeze(settings: Settings): Settings {
  for (const name of Object.keys(settings)) {
    if (name !== 'register' && !(CHANGEABLE as readonly string[]).includes(name)) {
      Object.defineProperty(settings, name, { writable: false, configurable: false });
    }
  }
  return settings;
}

function mandatory<Value>(given: UAConfiguration, name: keyof UAConfiguration, check: Check<Value>): Value {
  if (isEmpty(given[name])) {
    throw new ConfigurationError(name);
  }
  return checked(given, name, check);
}

function optional<Value>(
  given: UAConfiguration,
  name: keyof UAConfiguration,
  check: Check<Value>,
  fallback: Value,
): Value {
  return isEmpty(given[name]) ? fallback : checked(given, name, check);
}

function checked<Value>(given: UAConfiguration, name: keyof UAConfiguration, check: Check<Value>): Value {
  const value = check(given[name]);
  if (value === undefined) {
    throw new ConfigurationError(name, given[name]);
  }
  return value;
}

function checkSockets(value: unknown): WeightedSocket[] | undefined {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const sockets: WeightedSocket[] = [];
  for (const entry of list) {
    if (isSocket(entry)) {
      sockets.push({ socket: entry, weight: 0 });
    } else if (typeof entry === 'object' && entry !== null && isSocket((entry as WeightedSocket).socket)) {
      const { socket, weight } = entry as WeightedSocket;
      sockets.push({ socket, weight: Number(weight) || 0 });
    } else {
      return undefined;
    }
  }
  return sockets.length > 0 ? sockets : undefined;
}

/** Each flow needs a socket of its own. */
function checkFlows(value: unknown, sockets: number): number | undefined {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= Math.min(sockets, MAX_FLOWS) ? Number(value) : undefined;
}

function checkUri(value: unknown): URI | undefined {
  if (typeof value !== 'string') {
    return undefined;
  }
  const uri = URI.parse(/^sips?:/i.test(value) ? value : `sip:${value}`);
  return uri?.user ? uri : undefined;
}

function checkRegistrar(value: unknown): URI | undefined {
  if (typeof value !== 'string') {
    return undefined;
  }
  const uri = URI.parse(/^sips?:/i.test(value) ? value : `sip:${value}`);
  return uri === undefined || uri.user ? undefined : uri;
}

function checkContactUri(value: unknown): URI | undefined {
  return typeof value === 'string' ? URI.parse(value) : undefined;
}

function defaultContact(host: string): URI {
  return new URI('sip', createRandomToken(8), host, null, { transport: 'ws' });
}

function domainOf(uri: URI): URI {
  const domain = uri.clone();
  domain.user = null;
  domain.clearParams();
  domain.clearHeaders();
  return domain;
}

function checkInstance(value: unknown): string | undefined {
  const uuid = typeof value === 'string' ? value.replace(/^(urn:)?uuid:/i, '') : '';
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid) ? uuid : undefined;
}

function checkReliability(value: unknown): Reliability | undefined {
  const wanted = String(value).toLowerCase();
  return RELIABILITY.find((each) => each === wanted);
}

function checkRefreshMethod(value: unknown): 'UPDATE' | 'INVITE' | undefined {
  const method = typeof value === 'string' ? value.toUpperCase() : '';
  return method === 'UPDATE' || method === 'INVITE' ? method : undefined;
}

function checkTagTrail(value: unknown): string | (() => string) | undefined {
  if (typeof value === 'function') {
    return value as () => string;
  }
  return typeof value === 'string' ? value : undefined;
}

function checkHeaders(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every(isHeaderLine) ? value : undefined;
}

/** A user name that can stand in a quoted string. */
function checkUserName(value: unknown): string | undefined {
  const name = line(value);
  return name?.includes('"') ? undefined : name;
}

/** Text of one line: nothing in it can end a header. */
function line(value: unknown): string | undefined {
  const content = text(value);
  return content === undefined || /[\r\n\0]/.test(content) ? undefined : content;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function positive(value: unknown): number | undefined {
  const number = notNegative(value);
  return number === 0 ? undefined : number;
}

/** The core counts whole seconds: half of one would be none. */
function whole(number: number | undefined): number | undefined {
  return Number.isInteger(number) ? number : undefined;
}

function notNegative(value: unknown): number | undefined {
  const number = typeof value === 'number' || (typeof value === 'string' && value !== '') ? Number(value) : Number.NaN;
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}
