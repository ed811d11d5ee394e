// Visitors whom a web site signed in: its token takes the place of a password, in JSON Web Token's usual form.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../harness/folder.mjs';
import { telephone } from '../harness/library_page.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const SECRET = 'known to the web site and to the server only';
const COOKIE = 'sip_token';

/** What the web site writes: a token of this user for so many seconds. */
function token(user, seconds) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

async function serverWithTokens(t) {
  const secret = join(temporaryFolder('secret'), 'secret');
  writeFileSync(secret, SECRET);
  return Server.start(t, { more: `[tokens]\nshared_secret = "${secret}"\ncookie = "${COOKIE}"\n` });
}

/** JSON Web Token in `Authorization`, as JsSIP's `authorization_jwt` writes it; the user has no account here. */
test('a page with JsSIP registers and calls with a token in each request', async (t) => {
  const server = await serverWithTokens(t);
  const more = { authorization_jwt: `Bearer ${token('visitor', 600)}` };
  const visitor = await telephone(t, 'JsSIP', server, 'visitor', { password: null, more });
  const bob = await telephone(t, 'JsSIP', server, 'bob');
  await visitor.logged('registered');
  await bob.logged('registered');
  await visitor.evaluate(() => window.phone.call('sip:bob@127.0.0.1'));
  await bob.logged('session remote');
  await bob.evaluate(() => void window.phone.answer());
  await visitor.logged('confirmed');
});

test('a page with a cookie of its site registers without a password, and again with a newer cookie', async (t) => {
  const server = await serverWithTokens(t);
  const cookie = (seconds) => ({ name: COOKIE, value: token('visitor', seconds), domain: '127.0.0.1', path: '/' });
  // Clocks may differ by half a minute: this one, made when everything else is ready, ends in ten seconds.
  const visitor = await telephone(t, 'JsSIP', server, 'visitor', { password: null, cookie: () => cookie(-20) });
  await visitor.logged('registered');
  await visitor.setCookie(cookie(600));
  await visitor.logged('disconnected', { within: 20_000 });
  await until('the page to come back', async () => {
    const log = await visitor.evaluate(() => window.phone.log);
    return log.filter((line) => line === 'registered').length === 2;
  });
  const log = await visitor.evaluate(() => window.phone.log);
  assert.ok(!log.some((line) => line.startsWith('registrationFailed')), log.join(', '));
});
