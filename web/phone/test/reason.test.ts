import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOutcome, registrationProblem } from '../src/model/reason.ts';
import { en, es, preferredLanguage, setLanguage, text } from '../src/text/index.ts';

const answer = (status_code: number, reason_phrase: string) => ({ status_code, reason_phrase });

for (const [code, phrase, cause, key] of [
  [486, 'Busy Here', 'Busy', 'endedBusy'],
  [600, 'Busy Everywhere', 'Busy', 'endedBusy'],
  [603, 'Decline', 'Rejected', 'endedDeclined'],
  [403, 'Forbidden', 'Rejected', 'endedForbidden'],
  [404, 'Not Found', 'Not Found', 'endedNotFound'],
  [480, 'Temporarily Unavailable', 'Unavailable', 'endedUnavailable'],
  [408, 'Request Timeout', 'Unavailable', 'endedNoAnswer'],
  [488, 'Not Acceptable Here', 'Incompatible SDP', 'endedIncompatible'],
  [503, 'Service Unavailable', 'SIP Failure Code', 'endedServerBusy'],
  [599, 'Something', 'SIP Failure Code', 'endedServerError'],
  [499, 'Something', 'SIP Failure Code', 'endedOther'],
] as const) {
  test(`a call answered ${code} ${phrase} ends with words for it, and keeps the code`, () => {
    const outcome = callOutcome({ originator: 'remote', cause, message: answer(code, phrase) }, false);
    assert.deepEqual(outcome, { key, code, phrase, normal: false });
  });
}

for (const [what, event, incoming, key] of [
  ['we hang up', { originator: 'local', cause: 'Terminated' }, false, 'endedByYou'],
  ['they hang up', { originator: 'remote', cause: 'Terminated' }, true, 'endedByPeer'],
  ['we cancel', { originator: 'local', cause: 'Canceled' }, false, 'endedCancelled'],
  ['they stop calling', { originator: 'remote', cause: 'Canceled' }, true, 'endedMissed'],
  ['nobody answers here in time', { originator: 'local', cause: 'No Answer' }, true, 'endedMissed'],
  ['we decline', { originator: 'local', cause: 'Rejected' }, true, 'endedRejectedHere'],
] as const) {
  test(`when ${what}, nothing went wrong`, () => assert.deepEqual(callOutcome(event, incoming), { key, normal: true }));
}

test('the loser of a fork learns that another device answered (RFC 3326)', () => {
  const message = { getHeader: (name: string) => (name === 'Reason' ? 'SIP;cause=200;text="Call completed elsewhere"' : undefined) };
  assert.equal(callOutcome({ originator: 'remote', cause: 'Canceled', message }, true).key, 'endedElsewhere');
});

const carrying = (name: string, ...values: string[]) => ({ getHeaders: (wanted: string) => (wanted === name ? values : []) });

test('a refusal by the gateway for media is the reason, with its code, and its words where they name the codecs', () => {
  const message = { ...answer(488, 'Not Acceptable Here'), ...carrying('Warning', '399 sipweb "SDP-NO-COMMON-CODEC: the browser has opus, the phone has G729"') };
  const outcome = callOutcome({ originator: 'remote', cause: 'Incompatible SDP', message }, false);
  assert.equal(outcome.key, 'mediaCodecs');
  assert.deepEqual(outcome.media, { key: 'mediaCodecs', code: 'SDP-NO-COMMON-CODEC', words: 'the browser has opus, the phone has G729' });
});

test('a BYE that passes says what was wrong; the other side hung up all the same', () => {
  const message = carrying('Reason', 'Q.850;cause=16', 'sipweb;text="MEDIA-NONE-FROM-PHONE: no sound"');
  const outcome = callOutcome({ originator: 'remote', cause: 'Terminated', message }, false);
  assert.deepEqual(outcome, { key: 'endedByPeer', normal: false, media: { key: 'mediaNothingIn', code: 'MEDIA-NONE-FROM-PHONE' } });
});

test('a BYE of the server itself says so', () => {
  const message = carrying('Reason', 'SIP;cause=503;text="SERVER-STOPPED: the server stops"');
  assert.equal(callOutcome({ originator: 'remote', cause: 'Terminated', message }, false).key, 'endedByServer');
});

test('a code that is new to the page comes with the words of the server', () => {
  const message = carrying('Reason', 'sipweb;text="MEDIA-SOMETHING-NEW: it is odd"');
  assert.deepEqual(callOutcome({ originator: 'remote', cause: 'Terminated', message }, false).media, { code: 'MEDIA-SOMETHING-NEW', words: 'it is odd' });
});

test('what the page has seen by itself is told when nobody else says anything', () => {
  const outcome = callOutcome({ originator: 'local', cause: 'Terminated' }, false, 'microphone');
  assert.deepEqual(outcome, { key: 'endedByYou', normal: false, media: { key: 'troubleMicrophone' } });
});

test('a call that the browser could not set up says so without a code', () => {
  assert.deepEqual(callOutcome({ originator: 'local', cause: 'WebRTC Error', message: null }, false), { key: 'endedMedia', normal: false });
});

test('a refused registration names the account, the user or the code', () => {
  assert.equal(registrationProblem({ cause: 'Authentication Error', response: answer(401, 'Unauthorized') }).key, 'errorAuthentication');
  assert.equal(registrationProblem({ cause: 'Rejected', response: answer(403, 'Forbidden') }).key, 'errorForbidden');
  assert.equal(registrationProblem({ cause: 'Not Found', response: answer(404, 'Not Found') }).key, 'errorUnknownUser');
  assert.deepEqual(registrationProblem({ cause: 'SIP Failure Code', response: answer(500, 'Oops') }), { key: 'errorRegistration', detail: '500 Oops' });
});

test('both languages say everything, with the same values to fill in', () => {
  const places = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [key, words] of Object.entries(en)) {
    const spanish = es[key as keyof typeof en];
    assert.ok(spanish, `${key} is missing in Spanish`);
    assert.deepEqual(places(spanish), places(words), key);
  }
  assert.equal(Object.keys(es).length, Object.keys(en).length);
});

test('the page speaks the first language of the browser that it knows, else English', () => {
  assert.equal(preferredLanguage(['ca', 'es-MX', 'en']), 'es');
  assert.equal(preferredLanguage(['fr', 'de']), 'en');
});

test('values are filled in as they are, not read as patterns', () => {
  setLanguage('en');
  assert.equal(text('endedBusy', { peer: '$& {peer}' }), '$& {peer} is busy.');
});
