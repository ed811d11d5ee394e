/** Subscriptions, ours and other people's (RFC 6665). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Page, request, response } from './support/page.ts';
import { Exceptions } from './support/library.ts';

const CODES = { responseTimeout: 0, transportError: 1, nonOk: 2, wrongOk: 3, unsubscribeTimeout: 5, finalNotify: 6, wrongNotify: 7 };

function subscribed(page: Page) {
  const diary: string[] = [];
  const subscriber = page.ua.subscribe('bob', 'dialog;id=7', 'application/dialog-info+xml', { expires: 300 });
  subscriber.on('accepted', () => diary.push('accepted'));
  subscriber.on('pending', () => diary.push('pending'));
  subscriber.on('active', () => diary.push('active'));
  subscriber.on('notify', (isFinal, _request, body, type) => diary.push(`notify ${isFinal} ${body} ${type}`));
  subscriber.on('terminated', (code, reason, retryAfter) => diary.push(['terminated', code, reason, retryAfter].join(' ').trim()));
  const notify = (state: string, body = '', event = 'dialog;id=7') => {
    const headers = [`Event: ${event}`, ...(state === '' ? [] : [`Subscription-State: ${state}`])];
    const message = request('NOTIFY', { headers, body, type: 'text/plain' });
    page.core.fire({ type: 'dialogRequest', call: 1, transaction: 60, method: 'NOTIFY', request: message });
  };
  const answered = (number: number, status: number, headers: string[]) => {
    const message = response(status, 'x', { method: 'SUBSCRIBE', headers });
    page.core.fire({ type: 'response', number, call: 1, status, response: message, body: '' });
  };
  return { subscriber, diary, notify, answered };
}

test('A subscription: asked for, granted, notified, refreshed in the second half of its time', async () => {
  const page = new Page().connect();
  const { subscriber, diary, notify, answered } = subscribed(page);
  subscriber.subscribe();
  assert.deepEqual(page.core.told('dialogRequest')[0], [1, 'SUBSCRIBE', {
    extraHeaders: ['Event: dialog;id=7', 'Accept: application/dialog-info+xml', 'Expires: 300'],
  }]);
  answered(2, 200, ['Expires: 300']);
  notify('pending;expires=300');
  notify('active;expires=300', '<x/>');
  assert.deepEqual(diary, ['accepted', 'pending', 'active', 'notify false <x/> text/plain']);
  assert.equal(subscriber.state, subscriber.C.STATE_ACTIVE);
  await page.clock.advance(149_000);
  assert.equal(page.core.told('dialogRequest').length, 1);
  await page.clock.advance(90_000);
  assert.equal(page.core.told('dialogRequest').length, 2);
});

test('Who subscribes twice before the first NOTIFY is not given up when that has come', async () => {
  const page = new Page().connect();
  const { subscriber, diary, notify, answered } = subscribed(page);
  subscriber.subscribe();
  subscriber.subscribe();
  answered(2, 200, ['Expires: 300']);
  answered(3, 200, ['Expires: 300']);
  notify('active;expires=300');
  await page.clock.advance(60_000);
  assert.deepEqual(diary, ['accepted', 'active']);
});

test('A NOTIFY that overtakes the 200 is taken', () => {
  const page = new Page().connect();
  const { subscriber, diary, notify, answered } = subscribed(page);
  subscriber.subscribe();
  notify('active;expires=300', 'early');
  answered(2, 200, ['Expires: 300']);
  assert.deepEqual(diary, ['active', 'notify false early text/plain', 'accepted']);
});

test('The last NOTIFY ends it, with reason and time to come back', () => {
  const page = new Page().connect();
  const { subscriber, diary, notify, answered } = subscribed(page);
  subscriber.subscribe();
  answered(2, 200, ['Expires: 300']);
  notify('terminated;reason=probation;retry-after=60', 'end');
  assert.deepEqual(diary, ['accepted', 'notify true end text/plain', `terminated ${CODES.finalNotify} probation 60`]);
  assert.deepEqual(page.core.told('closeSubscription'), [[1]]);
  subscriber.subscribe(); // As with JsSIP, to no effect.
});

test('Leaving: Expires 0, and the end when the last NOTIFY comes or is overdue', async () => {
  const page = new Page().connect();
  const { subscriber, diary, notify, answered } = subscribed(page);
  assert.throws(() => subscriber.terminate(), Exceptions.InvalidStateError);
  subscriber.subscribe();
  answered(2, 200, ['Expires: 300']);
  notify('active');
  subscriber.terminate();
  assert.match(page.core.told('dialogRequest')[1]?.[2].extraHeaders.join(), /Expires: 0/);
  await page.clock.advance(32_000);
  assert.equal(diary.at(-1), `terminated ${CODES.unsubscribeTimeout}`);
});

test('What goes wrong has its code', async () => {
  for (const [status, headers, code] of [[489, [], CODES.nonOk], [200, [], CODES.wrongOk], [401, [], 4]] as const) {
    const page = new Page().connect();
    const { subscriber, diary, answered } = subscribed(page);
    subscriber.subscribe();
    answered(2, status, [...headers]);
    assert.equal(diary.at(-1), `terminated ${code}`);
  }
  const silent = new Page().connect();
  const one = subscribed(silent);
  one.subscriber.subscribe();
  one.answered(2, 200, ['Expires: 300']);
  await silent.clock.advance(32_000);
  assert.equal(one.diary.at(-1), `terminated ${CODES.responseTimeout}`);

  const broken = new Page().connect();
  const two = subscribed(broken);
  two.subscriber.subscribe();
  broken.core.fire({ type: 'requestFailed', number: 2, call: 1, cause: 'Connection Error' });
  assert.equal(two.diary.at(-1), `terminated ${CODES.transportError}`);

  const wrong = new Page().connect();
  const three = subscribed(wrong);
  three.subscriber.subscribe();
  three.notify('active', '', 'presence');
  assert.deepEqual(three.diary, []);
  assert.equal(wrong.core.told('respond')[0]?.[1], 489);
  three.notify('');
  assert.equal(three.diary.at(-1), `terminated ${CODES.wrongNotify}`);
});

test('Bad arguments are refused', () => {
  const page = new Page().connect();
  assert.throws(() => page.ua.subscribe('', 'dialog', 'text/plain'), TypeError);
  assert.throws(() => page.ua.subscribe('bob', '', 'text/plain'), TypeError);
  assert.throws(() => page.ua.subscribe('bob', 'dialog', ''), TypeError);
});

function asked(page: Page, expires: number, first = true): void {
  const message = request('SUBSCRIBE', { headers: ['Event: presence', `Expires: ${expires}`] });
  if (first) {
    page.core.fire({ type: 'incomingRequest', transaction: 4, method: 'SUBSCRIBE', request: message });
  } else {
    page.core.fire({ type: 'dialogRequest', call: 70, transaction: 5, method: 'SUBSCRIBE', request: message });
  }
}

function notifying(options = {}) {
  const page = new Page().connect();
  const diary: string[] = [];
  let notifier: any;
  page.ua.on('newSubscribe', ({ event, request: subscribe }) => {
    diary.push(`newSubscribe ${event.event}`);
    notifier = page.ua.notify(subscribe, 'application/pidf+xml', options);
    notifier.on('subscribe', (isUnsubscribe: boolean) => {
      diary.push(`subscribe ${isUnsubscribe}`);
      if (!isUnsubscribe) {
        notifier.notify('<presence/>');
      }
    });
    notifier.on('expired', () => diary.push('expired'));
    notifier.on('terminated', (code: number) => diary.push(`terminated ${code}`));
    notifier.start();
  });
  asked(page, 600);
  const sent = () => page.core.told('dialogRequest').map(([, , payload]) => payload.extraHeaders[1]);
  return { page, diary, sent, notifier };
}

test('Somebody subscribes: 200 with the time, and a NOTIFY of what the page says', () => {
  const { page, diary, sent } = notifying();
  assert.deepEqual(diary, ['newSubscribe presence', 'subscribe false']);
  assert.deepEqual(page.core.told('acceptSubscription'), [[4]]);
  assert.deepEqual(page.core.told('respond')[0]?.slice(0, 2), [4, 200]);
  assert.deepEqual(sent(), ['Subscription-State: active;expires=600']);
  assert.equal(page.core.told('dialogRequest')[0]?.[2].contentType, 'application/pidf+xml');
});

test('It ends when they leave, when time is up, and when the page says so', async () => {
  const left = notifying();
  asked(left.page, 0, false);
  assert.deepEqual(left.diary.slice(2), ['subscribe true', 'terminated 5']);
  assert.equal(left.sent().at(-1), 'Subscription-State: terminated');

  const late = notifying();
  await late.page.clock.advance(600_000);
  assert.deepEqual(late.diary.slice(2), ['expired', 'terminated 6']);
  assert.equal(late.sent().at(-1), 'Subscription-State: terminated;reason=timeout');

  const told = notifying({ pending: true });
  assert.equal(told.sent()[0], 'Subscription-State: pending;expires=600');
  told.notifier.setActiveState();
  told.notifier.notify();
  assert.equal(told.sent()[1], 'Subscription-State: active;expires=600');
  told.notifier.terminate(undefined, 'rejected', 30);
  assert.equal(told.sent()[2], 'Subscription-State: terminated;reason=rejected;retry-after=30');
  assert.deepEqual(told.diary.slice(2), ['terminated 4']);
  assert.throws(() => told.notifier.notify(), Exceptions.InvalidStateError);
});

test('A subscriber that refuses a NOTIFY is forgotten', () => {
  const { page, diary } = notifying();
  page.respond(1, 481, 'Gone', '', 'NOTIFY');
  assert.equal(diary.at(-1), 'terminated 2');
});
