// Which message carries which offer or answer, between a page and phones that do exactly what the standards allow:
// early media, late offers, reliable responses, UPDATE, holds in all spellings, digits by INFO.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { hears } from '../harness/browser.mjs';
import { connectionOf, telephone } from '../harness/library_page.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { readDescription } from '../harness/sdp_text.mjs';
import { Server } from '../harness/server.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';
import { until } from '../harness/wait.mjs';

const ALICE = 440;
const BOB = 660;
const CAROL = 880;

/** What all tests of this file share ends after the last of them. */
const endings = [];
const suite = { after: (ending) => endings.unshift(ending) };
let server;
let alice;

before(async () => {
  server = await Server.start(suite, { users: ['alice', 'bob', 'carol'] });
  alice = await PhonePage.open(suite, server, 'alice', { tone: ALICE });
});

after(async () => {
  for (const ending of endings) await ending();
});

// A test that failed inside a call must not take the next one with it.
beforeEach(async () => {
  const phase = await alice.page.$eval('[data-testid="call"]', (call) => call.dataset.phase ?? '').catch(() => '');
  if (phase === '') return;
  if (phase !== 'ended') {
    await alice.hangUp();
    await alice.phase('ended');
  }
  // Puts the call that is over away.
  await alice.page.keyboard.press('Escape');
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

describe('a page of SIP.js', () => {
  const target = 'sip:bob@127.0.0.1';
  const carol = async (t, options) => {
    const page = await telephone(t, 'SIP.js', server, 'carol', { tone: CAROL });
    await page.logged('registered');
    const bob = await phone(t);
    await page.evaluate((...words) => void window.phone.call(...words), target, options);
    return { page, call: await bob.incoming() };
  };
  const bothHear = async (page, call) => {
    await page.logged('session Established');
    await hears(page, connectionOf['SIP.js'], BOB);
    await call.hears(CAROL);
    assert.equal((await call.bye()).status, 200);
  };

  test('calls without a description: the phone offers in its 200, the page answers in its ACK', async (t) => {
    const { page, call } = await carol(t, { inviteWithoutSdp: true });
    assert.equal(call.first.sdp, '');
    const ack = await call.answer();
    const [audio] = readDescription(ack.sdp).sections;
    assert.equal(audio.protocol, 'RTP/AVP');
    await bothHear(page, call);
  });

  test('is answered in a reliable 183: it sends PRACK, and the 200 needs no description any more', async (t) => {
    const { page, call } = await carol(t, {});
    const prack = await call.progress({ reliable: true });
    assert.equal(prack.get('rack'), `1 ${call.first.sequence.number} INVITE`);
    await call.answer({ sdp: '' });
    await bothHear(page, call);
  });
});

describe('digits', () => {
  const sendInfo = (keys) => alice.page.evaluate((tones) => window.sipwebPhone.session.sendDTMF(tones), keys);

  test('that the page tells by INFO are heard by the phone as telephone events, and never both', async (t) => {
    const call = await talking(t);
    await call.hears(ALICE);
    await sendInfo('7#');
    await until('the digits', () => call.audio.digits === '7#' && call.audio.events.filter((event) => event.end).length >= 6);
    for (const [index, key] of ['7', '#'].entries()) {
      const stamps = [...new Set(call.audio.events.map((event) => event.timestamp))];
      const packets = call.audio.events.filter((event) => event.timestamp === stamps[index]);
      assert.ok(packets.every((packet) => packet.key === key));
      assert.equal(packets.filter((packet) => packet.end).length, 3);
    }
    assert.deepEqual(call.requests.filter((request) => request.method === 'INFO'), []);
    await call.hears(ALICE);
    await over(call);
  });

  test('that the page tells by INFO reach a phone without telephone events as they are', async (t) => {
    const call = await talking(t, { events: null });
    await sendInfo('4');
    const info = await call.receives('INFO');
    assert.match(info.body, /Signal=4/);
    await over(call);
  });

  test('that a phone plays as telephone events are told to the page, and the call goes on', async (t) => {
    const call = await talking(t);
    await alice.hears(BOB);
    await call.audio.press('7#');
    await until('the digits in the page', async () => /: 7#$/.test(await alice.text('call-received')));
    // What the phone sends from now on has room for what it has not sent.
    assert.equal((await call.reinvite({ hold: 'sendonly' })).status, 200);
    assert.equal((await call.reinvite()).status, 200);
    await call.audio.press('5');
    await until('one more digit in the page', async () => /: 7#5$/.test(await alice.text('call-received')));
    await alice.press('call-hold');
    await alice.says(/hold/i);
    await alice.press('call-hold');
    await alice.hears(BOB);
    await call.hears(ALICE);
    assert.equal((await call.update()).status, 200);
    await over(call);
  });

  test('that a phone plays as telephone events are told to a page that it called', async (t) => {
    const bob = await phone(t);
    const call = await bob.dial('sip:alice@127.0.0.1');
    await alice.phase('incoming');
    await alice.answer();
    assert.equal((await call.invited).status, 200);
    await alice.hears(BOB);
    await call.audio.press('90');
    await until('the digits in the page', async () => /: 90$/.test(await alice.text('call-received')));
    assert.equal((await call.reinvite()).status, 200);
    await over(call);
  });

  test('that a phone tells by INFO reach the page', async (t) => {
    const call = await talking(t, { events: null });
    await alice.page.evaluate(() => {
      window.pressed = '';
      window.sipwebPhone.session.on('newDTMF', ({ originator, dtmf }) => {
        if (originator === 'remote') window.pressed += dtmf.tone;
      });
    });
    assert.equal((await call.info('application/dtmf-relay', 'Signal=9\r\nDuration=160\r\n')).status, 200);
    await until('the digit in the page', () => alice.page.evaluate(() => window.pressed === '9'));
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

  test('the phone refuses to be held: the page says so by going on, and both hear each other', async (t) => {
    const call = await talking(t);
    await alice.hears(BOB);
    call.hooks.INVITE = (request, reply) => reply(488);
    await alice.press('call-hold');
    await call.receives('INVITE', { where: ({ sdp }) => /a=(sendonly|inactive)/.test(sdp) });
    await alice.says(/In call/);
    await alice.hears(BOB);
    await call.hears(ALICE);
    await over(call);
  });

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

  test('an UPDATE changes the codec as a re-INVITE would', async (t) => {
    const call = await talking(t, { codecs: ['PCMU'] });
    await alice.hears(BOB);
    assert.equal((await call.update({ codecs: ['PCMA'] })).status, 200);
    assert.equal(call.audio.codec, 'PCMA');
    await alice.hears(BOB);
    await call.hears(ALICE);
    await over(call);
  });

  test('a re-INVITE that only refreshes the session changes nothing', async (t) => {
    const call = await talking(t);
    await alice.hears(BOB);
    const first = await call.reinvite();
    const second = await call.reinvite({ sdp: call.reoffered });
    assert.equal(second.status, 200);
    assert.equal(second.sdp, first.sdp);
    await alice.hears(BOB);
    await call.hears(ALICE);
    await over(call);
  });

  test('a section for messages (MSRP) beside the sound is refused with port 0', async (t) => {
    const call = await talking(t);
    const chat = ['m=message 2855 TCP/MSRP *', 'a=accept-types:text/plain'];
    const answer = await call.reinvite({ more: [chat] });
    const [audio, message] = readDescription(answer.sdp).sections;
    assert.deepEqual([audio.port > 0, message.kind, message.port], [true, 'message', 0]);
    await alice.hears(BOB);
    await over(call);
  });

  test('offers that cross: the phone gets 491, and the hold of the page holds', async (t) => {
    const call = await talking(t);
    await call.hears(ALICE);
    let crossed;
    call.hooks.INVITE = async (request, reply) => {
      crossed = await call.reinvite();
      reply(200, { sdp: call.answerTo(request.sdp) });
    };
    await alice.press('call-hold');
    await alice.says(/hold/i);
    await until('the crossing offer to be refused', () => crossed);
    assert.equal(crossed.status, 491);
    delete call.hooks.INVITE;
    await alice.press('call-hold');
    await alice.hears(BOB);
    await call.hears(ALICE);
    await over(call);
  });
});
