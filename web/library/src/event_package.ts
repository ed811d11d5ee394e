/** What both sides of a subscription share (RFC 6665): the event's name, states, times. */

/** States of a subscription, with JsSIP's numbers. */
export const SUBSCRIPTION_STATES = {
  STATE_PENDING: 0,
  STATE_ACTIVE: 1,
  STATE_TERMINATED: 2,
  STATE_INIT: 3,
  STATE_WAITING_NOTIFY: 4,
} as const;

/** RFC 6665 §4.1.2.4, timer N: 64 times T1, in milliseconds. */
export const NOTIFY_WAIT = 32_000;

/** Seconds, when nobody says otherwise. */
export const USUAL_EXPIRES = 900;

/** An event's name with its id: `dialog;id=7`. */
export interface EventName {
  event: string;
  id: string | undefined;
}

/** Reads `name` or `name;id=x`. @throws TypeError if there is no name. */
export function eventName(text: string): EventName {
  const [event = '', ...parameters] = text.split(';').map((part) => part.trim());
  if (!/^[\w.!%*+`'~-]+$/.test(event)) {
    throw new TypeError(`Invalid event: ${text}`);
  }
  const id = parameters.find((parameter) => /^id=/i.test(parameter))?.slice('id='.length);
  return { event, id };
}

/** The value of an Event header. */
export function eventHeader({ event, id }: EventName): string {
  return id === undefined ? event : `${event};id=${id}`;
}

/**
 * Milliseconds until a refresh: somewhere in the second half of the time granted, so that pages that started together do
 * not refresh together; close to the end only for short times. Timers of hidden tabs may be a minute late.
 */
export function refreshDelay(expires: number): number {
  const spread = expires >= 140 ? Math.random() * (expires / 2 - 70) : 0;
  return Math.max(expires >= 140 ? expires / 2 + spread : expires - 5, 1) * 1000;
}
