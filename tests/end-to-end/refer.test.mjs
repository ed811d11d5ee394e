// A page is asked from outside of any call to call a phone (RFC 3515), and whoever asked hears how it goes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baresip } from '../harness/baresip.mjs';
import { hears } from '../harness/browser.mjs';
import { connectionOf, telephone } from '../harness/library_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const SIPWEB = new URL('../../web/dist/library/sipweb.js', import.meta.url).pathname;
const [BOB, CAROL] = [440, 660];

const page = async (t, server, user, tone) => {
  const opened = await telephone(t, 'JsSIP', server, user, { tone, alias: { jssip: SIPWEB } });
  await opened.logged('registered');
  return opened;
};

const asks = (alice) => alice.evaluate(() => {
  window.outcome = 'none yet';
  const { over } = window.phone.ua.refer('sip:bob@127.0.0.1', 'sip:carol@127.0.0.1');
  over.then(() => (window.outcome = 'they talk'), (error) => (window.outcome = error.message));
});

const outcome = (alice) => until('alice to hear how it went', async () => {
  const found = await alice.evaluate(() => window.outcome);
  return found === 'none yet' ? false : found;
});

test('alice asks bob to call carol: bob agrees, they talk, and alice hears of it', async (t) => {
  const server = await Server.start(t, { users: ['alice', 'bob', 'carol'] });
  const alice = await page(t, server, 'alice', 880);
  const bob = await page(t, server, 'bob', BOB);
  const carol = await Baresip.start(t, { user: 'carol', port: server.ports.sip, tone: CAROL });
  await bob.evaluate(() => window.phone.ua.on('newRefer', (event) => {
    if (event.originator === 'remote') event.accept(undefined, { mediaConstraints: { audio: true, video: false } });
  }));
  await asks(alice);
  await carol.event('CALL_INCOMING');
  carol.accept();
  assert.equal(await outcome(alice), 'they talk');
  await hears(bob, connectionOf.JsSIP, CAROL);
  await carol.hears(BOB);
});

test('a page whose application does not listen calls nobody, and alice hears that it was declined', async (t) => {
  const server = await Server.start(t);
  const alice = await page(t, server, 'alice', 880);
  await page(t, server, 'bob', BOB);
  await asks(alice);
  assert.match(await outcome(alice), /declined|603/i);
});
