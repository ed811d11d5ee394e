/** Why a call, a message or a registration did not go through, in words. */
import type { TextKey } from '../text/index.ts';
import type { Payload } from './library.ts';
import type { Trouble } from './quality.ts';

export interface Outcome {
  readonly key: TextKey;
  /** SIP status, where the network gave one. */
  readonly code?: number;
  /** What the server said in its own words. */
  readonly phrase?: string;
  /** Both sides wanted it so; nothing went wrong. */
  readonly normal: boolean;
  /** What was wrong with the sound, or why there could be none. */
  readonly media?: MediaOutcome;
}

/** What the server's gateway says, or what the page has seen by itself. */
export interface MediaOutcome {
  readonly key?: TextKey;
  /** The server's code. */
  readonly code?: string;
  /** The server's sentence, where it says more than ours, or where we know none for the code. */
  readonly words?: string;
}

/** The codes of the server's gateway that a user can do something about, or wants to understand. */
const BY_MEDIA_CODE: Readonly<Record<string, TextKey>> = {
  'MEDIA-NONE-FROM-PHONE': 'mediaNothingIn', 'MEDIA-NONE-FROM-BROWSER': 'mediaNothingOut', 'MEDIA-NONE': 'mediaNothing',
  'MEDIA-PHONE-ELSEWHERE': 'mediaElsewhere', 'MEDIA-KEYS-MISSING': 'mediaKeys', 'ICE-UDP-BLOCKED': 'mediaBlocked', 'ICE-LOST': 'mediaLost',
  'DTLS-FAILED': 'mediaEncryption', 'DTLS-FINGERPRINT': 'mediaEncryption', 'SDP-NO-COMMON-CODEC': 'mediaCodecs',
  'SDP-NO-COMMON-SUITE': 'mediaKeys', 'MEDIA-NO-FREE-PORT': 'endedServerBusy', 'MEDIA-TOO-MANY-CALLS': 'endedServerBusy',
  'SERVER-STOPPED': 'mediaServerStopped',
};

/** Codes whose sentence names things that ours cannot: both lists of codecs. */
const TELLING = new Set(['SDP-NO-COMMON-CODEC', 'SDP-PROFILE-MISMATCH', 'SDP-MALFORMED']);

const BY_TROUBLE: Readonly<Record<Trouble, TextKey>> = {
  path: 'troublePath', nothingIn: 'mediaNothingIn', nothingOut: 'mediaNothingOut', microphone: 'troubleMicrophone',
};

/** What is wrong with the sound of a running call. */
export function troubleKey(trouble: Trouble): TextKey {
  return trouble === 'nothingIn' ? 'troubleNothingIn' : trouble === 'nothingOut' ? 'troubleNothingOut' : BY_TROUBLE[trouble];
}

const BY_CODE: Readonly<Record<number, TextKey>> = {
  400: 'endedBadAddress', 401: 'endedAuthentication', 403: 'endedForbidden', 404: 'endedNotFound', 405: 'endedNotSupported',
  407: 'endedAuthentication', 408: 'endedNoAnswer', 410: 'endedNotFound', 415: 'endedIncompatible', 416: 'endedBadAddress',
  420: 'endedNotSupported', 421: 'endedNotSupported', 430: 'endedUnavailable', 480: 'endedUnavailable', 481: 'endedSignalling',
  482: 'endedLoop', 483: 'endedLoop', 484: 'endedIncomplete', 485: 'endedNotFound', 486: 'endedBusy', 487: 'endedCancelled',
  488: 'endedIncompatible', 500: 'endedServerError', 501: 'endedNotSupported', 502: 'endedServerError',
  503: 'endedServerBusy', 504: 'endedTimeout', 600: 'endedBusy', 603: 'endedDeclined', 604: 'endedNotFound',
  606: 'endedIncompatible', 607: 'endedDeclined', 608: 'endedDeclined',
};

const BY_CAUSE: Readonly<Record<string, TextKey>> = {
  'Busy': 'endedBusy', 'Rejected': 'endedDeclined', 'Redirected': 'endedRedirected', 'Unavailable': 'endedUnavailable',
  'Not Found': 'endedNotFound', 'Address Incomplete': 'endedIncomplete', 'Incompatible SDP': 'endedIncompatible',
  'Missing SDP': 'endedIncompatible', 'Authentication Error': 'endedAuthentication', 'Connection Error': 'endedConnection',
  'Request Timeout': 'endedTimeout', 'No Answer': 'endedNoAnswer', 'Expires': 'endedNoAnswer', 'No ACK': 'endedSignalling',
  'Dialog Error': 'endedSignalling', 'WebRTC Error': 'endedMedia', 'Bad Media Description': 'endedIncompatible',
  'User Denied Media Access': 'endedMicrophone', 'RTP Timeout': 'endedMediaLost', 'Canceled': 'endedCancelled',
};

/** Reads the payload of a call's `ended` or `failed` event. */
export function callOutcome(event: Payload, incoming: boolean, trouble?: Trouble): Outcome {
  const media = mediaOutcome(event) ?? (trouble && { key: BY_TROUBLE[trouble] });
  const outcome = signalled(event, incoming);
  if (!media) return outcome;
  // Of a call that never was, what the gateway says is the reason; of one that was, it is what was wrong with it.
  const key = event.cause === 'Terminated' ? undefined : media.key;
  return { ...outcome, ...(key ? { key } : {}), normal: false, media };
}

function signalled(event: Payload, incoming: boolean): Outcome {
  const code = statusOf(event);
  const local = event.originator === 'local';
  if (event.cause === 'Terminated') {
    return { key: local ? 'endedByYou' : endedByServer(event) ? 'endedByServer' : 'endedByPeer', normal: true };
  }
  const unanswered = event.cause === 'No Answer' || event.cause === 'Expires' || (event.cause === 'Canceled' && !local);
  if (incoming && unanswered) return { key: answeredElsewhere(event) ? 'endedElsewhere' : 'endedMissed', normal: true };
  if (local && (event.cause === 'Canceled' || event.cause === 'Rejected' || event.cause === 'Busy' || event.cause === 'Unavailable')) {
    return { key: incoming ? 'endedRejectedHere' : 'endedCancelled', normal: true };
  }
  const key = (code === undefined ? undefined : BY_CODE[code]) ?? BY_CAUSE[String(event.cause)] ?? byClass(code);
  const phrase = phraseOf(event);
  return { key, normal: false, ...(code === undefined ? {} : { code }), ...(phrase ? { phrase } : {}) };
}

/** Reads the payload of a `registrationFailed` event. `detail` belongs in the text. */
export function registrationProblem(event: Payload): { key: TextKey; detail: string } {
  const code = statusOf(event);
  const detail = code === undefined ? String(event.cause ?? '') : `${code} ${phraseOf(event)}`.trim();
  if (code === 401 || code === 407 || event.cause === 'Authentication Error') return { key: 'errorAuthentication', detail };
  if (code === 403) return { key: 'errorForbidden', detail };
  if (code === 404) return { key: 'errorUnknownUser', detail };
  if (code === 408 || event.cause === 'Request Timeout') return { key: 'errorNoAnswer', detail };
  return { key: 'errorRegistration', detail };
}

/** Why a text message was not taken; the same words as for calls. */
export function messageOutcome(event: Payload): Outcome {
  return callOutcome({ ...event, originator: 'remote' }, false);
}

const CODED = /"([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+): ([^"]*)"/;

/** The code and sentence in the Reason of a BYE or the Warning of a refusal. */
function mediaOutcome(event: Payload): MediaOutcome | undefined {
  const [, code, words] = headers(event, 'Warning', 'Reason').map((value) => CODED.exec(value)).find(Boolean) ?? [];
  if (!code) return undefined;
  const key = BY_MEDIA_CODE[code];
  return { code, ...(key ? { key } : {}), ...(!key || TELLING.has(code) ? { words: words ?? '' } : {}) };
}

/** Whether the server, and not the other side, ended the call: its Reason is then SIP's. */
function endedByServer(event: Payload): boolean {
  return headers(event, 'Reason').some((value) => /^SIP\s*;/i.test(value) && CODED.test(value));
}

function headers(event: Payload, ...names: string[]): string[] {
  return names.flatMap((name) => (event.message?.getHeaders?.(name) ?? []) as unknown[]).filter((value) => typeof value === 'string');
}

function statusOf(event: Payload): number | undefined {
  const code: unknown = event.message?.status_code ?? event.response?.status_code;
  return typeof code === 'number' && code >= 300 ? code : undefined;
}

function phraseOf(event: Payload): string {
  const phrase: unknown = event.message?.reason_phrase ?? event.response?.reason_phrase;
  return typeof phrase === 'string' ? phrase : '';
}

// RFC 3326: the loser of a fork is told so in the CANCEL's Reason.
function answeredElsewhere(event: Payload): boolean {
  const reason: unknown = event.message?.getHeader?.('Reason');
  return typeof reason === 'string' && /cause\s*=\s*200\b/.test(reason);
}

function byClass(code: number | undefined): TextKey {
  if (code === undefined) return 'endedOther';
  if (code < 400) return 'endedRedirected';
  return code >= 500 && code < 600 ? 'endedServerError' : 'endedOther';
}
