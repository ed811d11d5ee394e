// A page with a camera and a plain phone with one: what each shows the other sees, in H.264 and in VP8, and a phone that
// cannot ask for whole pictures gets them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Film } from '../harness/film.mjs';
import { FilmPage } from '../harness/film_page.mjs';
import { Linphone } from '../harness/linphone.mjs';
import { readDescription } from '../harness/sdp_text.mjs';
import { Server } from '../harness/server.mjs';
import { SipPhone } from '../harness/sip_phone.mjs';
import { until } from '../harness/wait.mjs';

const ALICE = 440;
const BOB = 660;

/** What all tests of this file share ends after the last of them. */
const endings = [];
const suite = { after: (ending) => endings.unshift(ending) };
let server;
let alice;

before(async () => {
  server = await Server.start(suite);
  alice = await FilmPage.open(suite, 'JsSIP', server, 'alice', { tone: ALICE });
});

after(async () => {
  for (const ending of endings) await ending();
});

const phone = (t) => SipPhone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB });

/** The page calls the phone, which answers with these pictures (none: refuses them). */
async function called(t, film) {
  const bob = await phone(t);
  await alice.call('sip:bob@127.0.0.1');
  const call = await bob.incoming();
  const own = call.answerTo(call.first.sdp);
  await call.answer({ sdp: film ? film.into(own) : own });
  film?.agree(call.first.sdp);
  await alice.logged('confirmed');
  return call;
}

/** How often the page was asked for a whole picture. */
const asked = async () => (await alice.look()).asked;

const sections = (sdp) => readDescription(sdp).sections.map(({ kind, port }) => [kind, port !== 0]);

describe('a page calls a phone without feedback, in VP8', () => {
  test('both see each other; the page is asked for a whole picture at the start and after a loss', async (t) => {
    const film = await Film.open(t, { codec: 'VP8' });
    const call = await called(t, film);
    await film.sees();
    await alice.sees();
    assert.ok(film.arrived.every(({ payloadType }) => payloadType === 99));
    await until('the gateway to ask the page', async () => (await asked()) > 0);
    await alice.hears(BOB);
    await call.hears(ALICE);

    const before = await asked();
    const whole = film.keyFrame();
    film.tellLost(3);
    await whole;
    assert.ok((await asked()) > before);

    const inDialog = film.keyFrame();
    const command = '<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>';
    assert.equal((await call.info('application/media_control+xml', command)).status, 200);
    await inDialog;
    await call.bye();
    await alice.logged('ended');
    await server.says(/VP8 pictures: browser [1-9]\d* packets in/);
  });
});

describe('a phone with feedback calls a page, in H.264', () => {
  test('both see each other, and each can ask the other for a whole picture', async (t) => {
    const film = await Film.open(t, { codec: 'H264', lines: ['a=rtcp-fb:* nack pli', 'b=AS:400'], every: 900 });
    const bob = await phone(t);
    const call = await bob.dial('sip:alice@127.0.0.1', { sdp: (call) => call.offer({ more: [film.section()] }) });
    await alice.logged('session remote');
    await alice.answer();
    const ok = await call.invited;
    film.agree(ok.sdp);
    await film.sees();
    const seen = await alice.sees();
    assert.match(seen.codec, /H264/i);

    const whole = film.keyFrame();
    film.ask();
    await whole;

    const before = film.asked.length;
    film.drop(10);
    await until('the page to ask the phone', () => film.asked.length > before, { within: 15_000 });
    assert.equal(film.asked.at(-1), 'loss');
    // For a minute there is no other whole picture than the one that was asked for.
    await alice.sees();
    await alice.hangUp();
    await call.receives('BYE');
  });
});

describe('linphone with a camera calls a page', () => {
  test('its picture is seen, both ask for whole pictures, and the sound is heard', async (t) => {
    const bob = await Linphone.start(t, { user: 'bob', port: server.ports.sip, tone: BOB, camera: true });
    bob.dial('sip:alice@127.0.0.1');
    await alice.logged('session remote');
    await alice.answer();
    await bob.says(/Media streams established .*\(video\)/);
    // A frame a second, and always the same.
    await until('the picture of linphone', async () => {
      const { decoded, mean } = await alice.look();
      if (decoded >= 2 && mean > 20) return true;
      throw new Error(`${decoded} frames, mean ${mean}`);
    }, { within: 20_000 });
    await until('linphone to be shown whole pictures', async () => (await asked()) > 0);
    await alice.hears(BOB);
    const from = server.log.length;
    bob.hangUp();
    await alice.logged('ended');
    const asking = /VP8 pictures: browser [1-9]\d* packets in.*; asked for a whole one: browser [1-9]\d*, phone [1-9]/;
    await server.says(asking, { from });
  });
});

describe('a phone without pictures', () => {
  test('refuses them and the sound goes on; it adds them later and takes them away again', async (t) => {
    const call = await called(t, null);
    await alice.hears(BOB);
    await call.hears(ALICE);

    const film = await Film.open(t, { codec: 'VP8' });
    const added = await call.reinvite({ more: [film.section()] });
    assert.deepEqual(sections(added.sdp), [['audio', true], ['video', true]]);
    film.agree(added.sdp);
    await alice.sees();

    const removed = await call.reinvite({ more: [['m=video 0 RTP/AVP 99']] });
    assert.deepEqual(sections(removed.sdp), [['audio', true], ['video', false]]);
    await alice.hears(BOB);
    await call.hears(ALICE);
    await call.bye();
    await alice.logged('ended');
  });
});
