// Which message carries which offer or answer, between a page and phones that do exactly what the standards allow:
// early media, late offers, reliable responses, UPDATE, holds in all spellings, digits by INFO.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { PhonePage } from '../harness/phone_page.mjs';
import { readDescription } from '../harness/sdp_text.mjs';
import { Server } from '../harness/server.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';

const ALICE = 440;
const BOB = 660;

/** What all tests of this file share ends after the last of them. */
const endings = [];
const suite = { after: (ending) => endings.unshift(ending) };
let server;
let alice;

before(async () => {
  server = await Server.start(suite);
  alice = await PhonePage.open(suite, server, 'alice', { tone: ALICE });
});

after(async () => {
  for (const ending of endings) await ending();
});

// A test that failed inside a call must not take the next one with it.
beforeEach(async () => {
  const phase = await alice.page.$eval('[data-testid="call"]', (call) => call.dataset.phase ?? '').catch(() => '');
  if (['', 'ended'].includes(phase)) return;
  await alice.hangUp();
  await alice.phase('ended');
});

/** Bob's phone, for one test. */
const phone = (t, options = {}) => SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB, ...options });

/** Bob's phone in a call with alice's page, which called. */
async function talking(t, options) {
  const bob = await phone(t, options);
  await alice.call('bob');
  const call = await bob.incoming();
  call.ring();
  await call.answer();
  await alice.phase('talking');
  return call;
}

/** Bob's phone hangs up, and the page is ready for the next test. */
async function over(call) {
  const response = await call.bye();
  assert.equal(response.status, 200);
  await alice.phase('ended');
}

describe('before the answer', () => {
  test('an announcement in a 183 is heard in the page, and after the answer both hear each other', async (t) => {
    const bob = await phone(t);
    await alice.call('bob');
    const call = await bob.incoming();
    call.progress();
    await alice.hears(BOB);
    await alice.phase('early');
    await call.answer();
    await alice.phase('talking');
    await alice.hears(BOB);
    await call.hears(ALICE);
    await over(call);
  });
});

describe('an INVITE without a description', () => {
  test('from a phone: the page offers in its 200, the phone answers in its ACK, both hear each other', async (t) => {
    const bob = await phone(t);
    const call = await bob.dial('sip:alice@127.0.0.1', { sdp: null });
    await alice.phase('incoming');
    await alice.answer();
    const ok = await call.invited;
    assert.equal(ok.status, 200);
    const [audio] = readDescription(ok.sdp).sections;
    assert.equal(audio.protocol, 'RTP/AVP');
    await alice.phase('talking');
    await alice.hears(BOB);
    await call.hears(ALICE);
    await over(call);
  });
});

describe('within a call', () => {
  for (const hold of ['sendonly', 'inactive', 'zero']) {
    test(`the phone holds with ${hold}: it hears nothing more, and after the resume both hear each other`, async (t) => {
      const call = await talking(t);
      await call.hears(ALICE);
      assert.equal((await call.reinvite({ hold })).status, 200);
      await call.audio.hearsNothing();
      assert.equal((await call.reinvite()).status, 200);
      await alice.hears(BOB);
      await call.hears(ALICE);
      await over(call);
    });
  }

  test('a re-INVITE that changes the codec from PCMU to PCMA: sound goes on both ways', async (t) => {
    const call = await talking(t, { codecs: ['PCMU'] });
    await alice.hears(BOB);
    const answer = await call.reinvite({ codecs: ['PCMA'] });
    assert.equal(answer.status, 200);
    assert.equal(call.audio.codec, 'PCMA');
    await alice.hears(BOB);
    await call.hears(ALICE);
    assert.equal(call.audio.arrived.at(-1).payloadType, 8);
    await over(call);
  });

  test('a re-INVITE to fax (T.38) is refused with 488, and the call goes on', async (t) => {
    const call = await talking(t);
    const fax = [`m=image ${call.audio.port} udptl t38`, 'a=T38FaxVersion:0'];
    const sdp = ['v=0', 'o=phone 4711 99 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', ...fax, ''].join('\r\n');
    assert.equal((await call.reinvite({ sdp })).status, 488);
    await alice.hears(BOB);
    await call.hears(ALICE);
    await over(call);
  });
});
