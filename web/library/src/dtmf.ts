/**
 * Keypad tones: by INFO with `application/dtmf-relay`, or as telephone events in the audio (RFC 4733).
 *
 * INFO tones go out one after the other, with the pause asked for between them; a comma is a pause of two seconds.
 */

import type { CallNumber } from './core.js';
import { InfoRequest } from './dialog_request.js';
import type { Endpoint } from './endpoint.js';
import type { EventHandlers } from './events.js';
import type { DialogRequestEvents } from './dialog_request.js';
import { headerLines } from './header_lines.js';
import type { IncomingRequest } from './sip_message.js';

/** Milliseconds. */
const DURATION = { least: 70, most: 6000, usual: 100 };
const GAP = { least: 50, usual: 500 };
const COMMA_PAUSE = 2000;

/** Options of `session.sendDTMF`. */
export interface DTMFOptions {
  /** Milliseconds, 70 to 6000; 100 by default. */
  duration?: number | string | null;
  /** Milliseconds, 50 or more; 500 by default. */
  interToneGap?: number | string | null;
  /** `INFO` (default) or `RFC2833`. */
  transportType?: 'INFO' | 'RFC2833';
  /** Headers of each INFO, `Name: value`. */
  extraHeaders?: readonly string[];
  /** Listeners of each INFO. */
  eventHandlers?: EventHandlers<DialogRequestEvents>;
}

/** Keypad tones in a call. */
export class DTMF extends InfoRequest {
  /** `0` to `9`, `A` to `D`, `R`, `#`, `*`. */
  readonly tone: string;
  /** Milliseconds. */
  readonly duration: number;

  /** @internal */
  constructor(tone: string, duration: number) {
    super();
    this.tone = tone;
    this.duration = duration;
  }

  /** @internal The tone in a received INFO; `undefined` if there is none. */
  static received(request: IncomingRequest): DTMF | undefined {
    const tone = /^\s*Signal\s*=\s*([0-9A-D#*R])\s*$/im.exec(request.body)?.[1]?.toUpperCase();
    const duration = /^\s*Duration\s*=\s*(\d{1,5})\s*$/im.exec(request.body)?.[1];
    return tone === undefined ? undefined : new DTMF(tone, duration === undefined ? DURATION.usual : Number(duration));
  }

  /** @internal */
  listen(handlers: EventHandlers<DialogRequestEvents> | undefined): void {
    this.addHandlers(handlers);
  }
}

/** Tones with their times, checked. */
export interface Tones {
  tones: string;
  duration: number;
  gap: number;
}

/** Checks what a page wants to send. @throws TypeError that says what is wrong. */
export function checkTones(tones: string | number | undefined, options: DTMFOptions): Tones {
  const text = typeof tones === 'number' ? String(tones) : tones;
  if (typeof text !== 'string' || !/^[0-9A-DR#*,]+$/i.test(text)) {
    throw new TypeError(`Invalid tones: ${String(tones)}`);
  }
  // Most tones are sent later, when nobody could be told.
  headerLines(options.extraHeaders);
  return {
    tones: text.toUpperCase(),
    duration: Math.min(Math.max(times(options.duration, DURATION.usual, 'duration'), DURATION.least), DURATION.most),
    gap: Math.max(times(options.interToneGap, GAP.usual, 'interToneGap'), GAP.least),
  };
}

function times(value: number | string | null | undefined, usual: number, name: string): number {
  if (!value) {
    return usual;
  }
  const number = Number(value);
  if (!Number.isFinite(number)) {
    throw new TypeError(`Invalid ${name}: ${value}`);
  }
  return Math.round(number);
}

/** The tones of one call that wait to be sent by INFO. */
export class ToneQueue {
  readonly #endpoint: Endpoint;
  readonly #call: () => CallNumber;
  readonly #announce: (dtmf: DTMF) => void;
  #waiting: { tone: string; times: Tones; options: DTMFOptions }[] = [];
  #timer: unknown;
  #sending = false;

  constructor(endpoint: Endpoint, call: () => CallNumber, announce: (dtmf: DTMF) => void) {
    this.#endpoint = endpoint;
    this.#call = call;
    this.#announce = announce;
  }

  add(tones: Tones, options: DTMFOptions): void {
    this.#waiting.push(...Array.from(tones.tones, (tone) => ({ tone, times: tones, options })));
    if (!this.#sending) {
      this.#next();
    }
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = [];
    this.#sending = false;
    this.#endpoint.environment.clearTimeout(this.#timer);
  }

  #next(): void {
    const entry = this.#waiting.shift();
    this.#sending = entry !== undefined;
    if (entry === undefined) {
      return;
    }
    const { tone, times, options } = entry;
    const pause = tone === ',' ? COMMA_PAUSE : times.duration + times.gap;
    this.#timer = this.#endpoint.environment.setTimeout(() => this.#next(), pause);
    if (tone !== ',') {
      this.#send(new DTMF(tone, times.duration), options);
    }
  }

  #send(dtmf: DTMF, options: DTMFOptions): void {
    dtmf.listen(options.eventHandlers);
    // What follows a lost digit would be a wrong number.
    dtmf.on('failed', () => this.clear());
    this.#announce(dtmf);
    dtmf.send(this.#endpoint, this.#call(), {
      extraHeaders: options.extraHeaders ?? [],
      contentType: 'application/dtmf-relay',
      body: `Signal=${dtmf.tone}\r\nDuration=${dtmf.duration}`,
    });
  }
}

/** Adds tones to those that the audio sender has not played yet. */
export function playTones(sender: RTCDTMFSender, tones: Tones): void {
  // RFC 4733 has no tone R (flash is an event of its own that browsers do not send).
  const text = tones.tones.replaceAll('R', '');
  sender.insertDTMF(sender.toneBuffer + text, tones.duration, tones.gap);
}
