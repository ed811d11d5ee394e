// What is told when the sound of a call between a page and a phone is not as it should be: in the log, in the record of
// calls and on the page.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';
import { until } from '../harness/wait.mjs';

const ALICE = 440;
const BOB = 660;

const endings = [];
const suite = { after: (ending) => endings.unshift(ending) };
let server;
let alice;

before(async () => {
  server = await Server.start(suite, { users: ['alice', 'bob', 'carol'], more: '[log]\ncalls = "calls.jsonl"\n' });
  alice = await PhonePage.open(suite, server, 'alice', { tone: ALICE });
});

after(async () => {
  for (const ending of endings) await ending();
});

beforeEach(async () => {
  const phase = await alice.page.$eval('[data-testid="call"]', (call) => call.dataset.phase ?? '').catch(() => '');
  if (phase === '') return;
  if (phase !== 'ended') await alice.hangUp();
  // A call that did not end well stays on the screen until somebody closes it.
  await alice.phase('ended');
  await alice.press('call-close').catch(() => {});
});

const phone = (t, options = {}) => SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB, ...options });

/** Alice's page calls bob's phone, which answers. */
async function talking(bob, options) {
  await alice.call('bob');
  const call = await bob.incoming();
  call.ring();
  await call.answer(options);
  await alice.phase('talking');
  return call;
}

/** The line in the record of calls for this call of a phone. */
const record = (call) => until('the call to be recorded', () => {
  const lines = readFileSync(join(server.folder, 'calls.jsonl'), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  return lines.find((line) => line.call_id === call.id);
});

test('a phone that never sends sound is told of on the page while the call goes on, and in the log and the record at its end', async (t) => {
  const bob = await phone(t);
  await alice.call('bob');
  const call = await bob.incoming();
  call.agree = () => {}; // It never plays anything.
  await call.answer();
  await alice.phase('talking');
  await until('the page to say that it hears nothing', async () => /No sound arrives from bob/.test(await alice.text('call-trouble')), { within: 30_000 });
  assert.equal((await call.bye()).status, 200);
  await alice.phase('ended');
  await alice.says(/bob hung up/);
  await alice.says(/MEDIA-NONE-FROM-PHONE/);
  assert.match(await alice.text('call-trouble'), /No sound came from bob/);
  const line = await record(call);
  assert.equal(line.cause.code, 'MEDIA-NONE-FROM-PHONE');
  assert.match(line.cause.sentence, /media\.ports/, 'what to do');
  assert.deepEqual([line.ended_by, line.status, line.phone.packets_in], ['callee', 200, 0]);
  assert.ok(line.browser.packets_in > 50 && line.phone.packets_out > 50, JSON.stringify(line));
  await server.says(/MEDIA-NONE-FROM-PHONE: no sound came from the phone/);
});

test('a good call: the figures are live on the page, and its record names no cause', async (t) => {
  const call = await talking(await phone(t));
  await alice.hears(BOB);
  await until('the quality to be shown', async () => /Good sound/.test(await alice.text('quality-word')), { within: 30_000 });
  assert.equal(await alice.text('quality-figures'), '', 'quiet until it is opened');
  await alice.press('quality');
  const packets = async () => Number(/Received(\d+) packets/.exec(await alice.text('quality-figures'))?.[1] ?? 0);
  const before = await until('packets', packets);
  await until('more packets', async () => (await packets()) > before + 20);
  const figures = await alice.text('quality-figures');
  assert.match(figures, /CodecPCM[UA]/);
  assert.match(figures, /Path\S+:\d+ → \S+:\d+ UDP/);
  assert.equal((await call.bye()).status, 200);
  await alice.phase('ended');
  assert.equal(await alice.text('call-trouble'), '');
  const line = await record(call);
  assert.equal(line.cause, null);
  assert.equal(line.browser.dtls, 'connected');
  assert.equal(line.phone.source, `127.0.0.1:${call.audio.port}`);
  assert.ok(line.browser.round_trip_ms !== undefined && line.phone.packets_in > 50 && line.answer > line.start && line.end > line.answer, JSON.stringify(line));
});

describe('how soon after the answer both sides hear something', () => {
  // Milliseconds since the epoch, on one machine: from the 200 on its way to the first packet of sound on either side.
  const watch = () => {
    window.firstSound = undefined;
    const look = async () => {
      const stats = await window.sipwebPhone.session?.connection?.getStats();
      if ([...(stats?.values() ?? [])].some((entry) => entry.type === 'inbound-rtp' && entry.packetsReceived > 0)) window.firstSound = Date.now();
      else setTimeout(look, 5);
    };
    void look();
  };

  async function measure(t, call, answered) {
    let atPhone;
    // The gateway's own silence, which keeps the path open, is not the page's sound.
    const look = setInterval(() => {
      if (call.audio.heard.some((sample) => Math.abs(sample) > 1000)) atPhone ??= Date.now();
    }, 5);
    await until('the first sound at the phone', () => atPhone).finally(() => clearInterval(look));
    const inPage = await until('the first packet in the page', () => alice.page.evaluate(() => window.firstSound));
    t.diagnostic(`first sound at the phone after ${Math.round(atPhone - answered())} ms, in the page after ${Math.round(inPage - answered())} ms`);
    assert.equal((await call.bye()).status, 200);
    await alice.phase('ended');
  }

  test('the phone answers the page', async (t) => {
    const bob = await phone(t);
    await alice.call('bob');
    const call = await bob.incoming();
    await alice.page.evaluate(watch);
    const answered = Date.now();
    await call.answer();
    await measure(t, call, () => answered);
  });

  test('the page answers the phone', async (t) => {
    const bob = await phone(t);
    const call = await bob.dial('sip:alice@127.0.0.1');
    await alice.phase('incoming');
    let answered;
    call.responded = new Proxy(call.responded, { apply(target, self, [response]) {
      if (response.status === 200) answered ??= Date.now();
      return Reflect.apply(target, self, [response]);
    } });
    await alice.answer();
    await alice.page.evaluate(watch);
    await alice.phase('talking');
    await measure(t, call, () => answered);
  });
});

describe('no codec in common', () => {
  const G729 = (call) => `v=0\r\no=phone 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${call.audio.port} RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n`;

  test('the phone refuses: the page shows both lists', async (t) => {
    const bob = await phone(t);
    await alice.call('bob');
    const call = await bob.incoming();
    bob.reply(call.first, 488, { reason: 'Not Acceptable Here', tag: call.localTag, sdp: G729(call) });
    await alice.phase('ended');
    await alice.says(/no sound format in common/);
    await alice.says(/SIP 488 · SDP-NO-COMMON-CODEC · .*browser has .*PCMU.*phone has G729/);
    const line = await record(call);
    assert.deepEqual([line.cause.code, line.status, line.answer], ['SDP-NO-COMMON-CODEC', 488, null]);
  });

  test('the phone calls: it is refused with both lists', async (t) => {
    const bob = await phone(t);
    const call = await bob.dial('sip:alice@127.0.0.1', { sdp: G729({ audio: { port: 4000 } }) });
    const { status, ...refusal } = await call.invited;
    assert.equal(call.final.status, 488, status);
    assert.match(call.final.get('warning') ?? JSON.stringify(refusal), /^399 sipweb "SDP-NO-COMMON-CODEC: .*PCMU.*phone has G729"$/);
    assert.equal((await record(call)).cause.code, 'SDP-NO-COMMON-CODEC');
  });
});

test('a browser that dies: the phone gets BYE, and the record says why', async (t) => {
  const doomed = await PhonePage.open(t, server, 'carol', { tone: 880 });
  const bob = await phone(t);
  await doomed.call('bob');
  const call = await bob.incoming();
  await call.answer();
  await call.hears(880);
  doomed.browser.process().kill('SIGKILL');
  const bye = await call.receives('BYE', { within: 60_000 });
  assert.match(bye.get('reason'), /^SIP;cause=480;text="ICE-LOST: /);
  const line = await record(call);
  assert.deepEqual([line.cause.code, line.ended_by], ['ICE-LOST', 'server']);
});

test('the server stops: phone and page get BYE, and the page says so', async (t) => {
  const other = await Server.start(t);
  const page = await PhonePage.open(t, other, 'alice', { tone: ALICE });
  const bob = await SipPhone.start(t, { user: 'bob', port: other.ports.sip, tone: BOB });
  await page.call('bob');
  const call = await bob.incoming();
  await call.answer();
  await page.phase('talking');
  await page.hears(BOB);
  const stopped = other.stop();
  const bye = await call.receives('BYE');
  assert.match(bye.get('reason'), /SERVER-STOPPED/);
  await page.phase('ended');
  await page.says(/The server ended the call/);
  await stopped;
});
