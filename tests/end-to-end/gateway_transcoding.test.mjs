// A page that has Opus alone and a phone that has G.711 alone: the gateway turns one into the other.
import { test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { Server } from '../harness/server.mjs';

const ALICE = 440;
const BOB = 660;

/** Makes every connection of the page one of a browser that has Opus and nothing else. */
function opusAlone() {
  const create = RTCPeerConnection.prototype.createOffer;
  RTCPeerConnection.prototype.createOffer = function (...rest) {
    const { codecs } = RTCRtpReceiver.getCapabilities('audio');
    const opus = codecs.filter(({ mimeType }) => /opus|telephone-event/i.test(mimeType));
    for (const transceiver of this.getTransceivers()) transceiver.setCodecPreferences(opus);
    return create.apply(this, rest);
  };
  // What an offer has besides is nothing to it.
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    const others = [...sdp.matchAll(/^a=rtpmap:(\d+) (?!opus|telephone-event)/gim)].map(([, number]) => number);
    const kept = sdp.split('\r\n').filter((line) => !others.some((number) => new RegExp(`^a=(rtpmap|fmtp|rtcp-fb):${number} `).test(line)));
    const section = (line) => (line.startsWith('m=audio') ? line.split(' ').filter((word, place) => place < 3 || !others.includes(word)).join(' ') : line);
    return set.call(this, { type, sdp: kept.map(section).join('\r\n') });
  };
}

async function pair(t) {
  const server = await Server.start(t);
  const alice = await PhonePage.open(t, server, 'alice', { tone: ALICE });
  await alice.page.evaluate(opusAlone);
  const bob = await Baresip.start(t, { user: 'bob', port: server.ports.sip, tone: BOB, codecs: 'PCMU' });
  return { server, alice, bob };
}

test('the page calls: both hear each other, and the log says that it was transcoded', async (t) => {
  const { server, alice, bob } = await pair(t);
  await alice.call('bob');
  await bob.event('CALL_INCOMING');
  bob.accept();
  await alice.phase('talking');
  await alice.hears(BOB);
  await bob.hears(ALICE);
  bob.hangUp();
  await alice.phase('ended');
  await server.says(/media of call .*: opus and PCMU, transcoded for/);
});

test('the phone calls: both hear each other', async (t) => {
  const { alice, bob } = await pair(t);
  bob.dial('sip:alice@127.0.0.1');
  await alice.phase('incoming');
  await alice.answer();
  await alice.phase('talking');
  await alice.hears(BOB);
  await bob.hears(ALICE);
  await alice.hangUp();
  await bob.event('CALL_CLOSED');
});
