// Two pages with our library: candidates that are found after offer and answer have left go from one to the other by INFO (RFC 8840).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hears } from '../harness/browser.mjs';
import { lateStun } from '../harness/late_stun.mjs';
import { connectionOf, telephone } from '../harness/library_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const SIPWEB = new URL('../../web/dist/library/sipweb.js', import.meta.url).pathname;
/** Where the STUN server says that the pages are. */
const OUTSIDE = '192.0.2.7';

/** A page with our library that writes down what it sends. */
async function page(t, server, user, tone) {
  const opened = await telephone(t, 'JsSIP', server, user, { tone, more: { ice_gathering_timeout: 300 }, alias: { jssip: SIPWEB } });
  await opened.logged('registered');
  await opened.evaluate(() => {
    const { send } = WebSocket.prototype;
    window.sent = [];
    window.taken = [];
    const { addIceCandidate } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.addIceCandidate = async function (candidate) {
      await addIceCandidate.call(this, candidate);
      window.taken.push(candidate.candidate);
    };
    WebSocket.prototype.send = function (data) {
      window.sent.push(String(data));
      return send.call(this, data);
    };
  });
  opened.sent = (what, where) => until(`${user} to send ${what}`, async () => {
    const found = (await opened.evaluate(() => window.sent)).filter(where);
    if (found.length > 0) return found;
    throw new Error('not yet');
  });
  opened.took = () => until(`${user} to take the other's late candidate`, async () => {
    const taken = await opened.evaluate(() => window.taken);
    if (taken.some((candidate) => candidate.includes(OUTSIDE))) return true;
    throw new Error(taken.join());
  });
  return opened;
}

/** Alice's page, bob's, and a STUN server for both that answers late. */
async function pages(t) {
  const server = await Server.start(t);
  const urls = await lateStun(t, { after: 1000, address: OUTSIDE });
  return [await page(t, server, 'alice', 440), await page(t, server, 'bob', 880), urls];
}

const isInfo = (text) => text.startsWith('INFO ') && text.includes('application/trickle-ice-sdpfrag');

test('what a STUN server says late goes from page to page by INFO while it rings, and the answer waits for none', async (t) => {
  const [alice, bob, urls] = await pages(t);
  for (const each of [alice, bob]) {
    await each.evaluate((urls) => {
      const audio = { echoCancellation: false, autoGainControl: false, noiseSuppression: false };
      window.options = { mediaConstraints: { audio, video: false }, pcConfig: { iceServers: [{ urls }] } };
    }, urls);
  }
  await alice.evaluate(() => void window.phone.ua.call('sip:bob@127.0.0.1', window.options));
  await bob.logged('session remote');
  const [invite] = await alice.sent('INVITE', (text) => text.startsWith('INVITE '));
  assert.doesNotMatch(invite, new RegExp(`a=candidate.*${OUTSIDE}`));
  await alice.sent('its late candidate and the end', (text) => isInfo(text) && text.includes(OUTSIDE) && text.includes('a=end-of-candidates'));
  await bob.sent('200 to INFO', (text) => text.startsWith('SIP/2.0 200') && /^CSeq: \d+ INFO/m.test(text));

  await bob.evaluate(() => {
    const since = performance.now();
    window.phone.session.on('accepted', () => (window.took = performance.now() - since));
    void window.phone.session.answer(window.options);
  });
  await alice.logged('confirmed');
  assert.ok((await bob.evaluate(() => window.took)) < 1000, 'the STUN server is deaf for longer');
  // What is left of bob's gathering once they are connected is the browser's affair: it may end without a word.
  await bob.took();
  await hears(alice, connectionOf.JsSIP, 880);
  await hears(bob, connectionOf.JsSIP, 440);
  await alice.evaluate(() => void window.phone.hangUp());
  await bob.logged('ended');
});

test('what a callee finds after its answer goes by INFO, and is enough for the call', async (t) => {
  const [alice, bob, urls] = await pages(t);
  for (const each of [alice, bob]) {
    await each.evaluate((urls) => {
      window.options = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [{ urls }] } };
      // The ways of the descriptions lead nowhere, nor do any before the late one: bob's browser stops looking when it has found one.
      const { setRemoteDescription } = RTCPeerConnection.prototype;
      RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
        return setRemoteDescription.call(this, { type, sdp: sdp?.replace(/^a=(candidate:.*|end-of-candidates)\r\n/gm, '') });
      };
    }, urls);
  }
  await bob.evaluate(() => (RTCPeerConnection.prototype.addIceCandidate = async () => undefined));
  await alice.evaluate((late) => {
    const { addIceCandidate } = RTCPeerConnection.prototype;
    const known = [];
    RTCPeerConnection.prototype.addIceCandidate = async function (candidate) {
      known.push(candidate);
      if (!known.some((each) => each.candidate.includes(late))) return;
      await Promise.all(known.splice(0).map((each) => addIceCandidate.call(this, each)));
    };
  }, OUTSIDE);
  await alice.evaluate(() => void window.phone.ua.call('sip:bob@127.0.0.1', window.options));
  await bob.logged('session remote');
  await bob.evaluate(() => void window.phone.session.answer(window.options));
  const [answer] = await bob.sent('its answer', (text) => text.startsWith('SIP/2.0 200') && text.includes('m=audio'));
  assert.match(answer, /^Recv-Info: trickle-ice\r$/m);
  assert.doesNotMatch(answer, new RegExp(`a=candidate.*${OUTSIDE}`));
  const [info] = await bob.sent('its late candidate', (text) => isInfo(text) && text.includes(OUTSIDE));
  assert.match(info, /^Info-Package: trickle-ice\r$/m);
  const [ufrag] = /^a=ice-ufrag:.*$/m.exec(answer);
  assert.match(info, new RegExp(`\\r\\na=ice-pwd:.*\\r\\n${ufrag.replaceAll('+', '\\+')}\\r\\nm=audio 9 RTP/AVP 0\\r\\na=mid:.*\\r\\na=candidate`));
  await alice.sent('200 to INFO', (text) => text.startsWith('SIP/2.0 200') && /^CSeq: \d+ INFO/m.test(text));
  await alice.took();
  await hears(alice, connectionOf.JsSIP, 880);
  await hears(bob, connectionOf.JsSIP, 440);
  await alice.evaluate(() => void window.phone.hangUp());
  await bob.logged('ended');
});
