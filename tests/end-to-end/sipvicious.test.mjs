// SIPVicious, which scanners of the Internet use, against a server with a hundred users and one bad password.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '../harness/folder.mjs';
import { freePort } from '../harness/ports.mjs';
import { Program } from '../harness/program.mjs';
import { Server } from '../harness/server.mjs';

const USERS = Array.from({ length: 100 }, (_, number) => String(100 + number));
const PASSWORD = '1234';

/** The tools answer no challenge but MD5: they shall have every chance. */
const CONFIGURATION = '[authentication]\nalgorithms = ["MD5"]\n';

async function serverWithUsers(t, users) {
  const server = await Server.prepare(t, { users: [], more: CONFIGURATION });
  for (const user of users) server.addUser(user, PASSWORD);
  await server.start();
  return server;
}

/** What a tool of SIPVicious says, to its end. */
async function run(t, tool, server, args) {
  // It remembers its sessions at home.
  const env = { ...process.env, HOME: temporaryFolder('sipvicious') };
  const local = ['-b', '127.0.0.1', '-P', String(await freePort()), '-p', String(server.ports.sip)];
  const program = new Program(tool, `/usr/bin/${tool}`, [...local, ...args, '127.0.0.1'], { env });
  t.after(() => program.stop());
  await Promise.race([program.ended, new Promise((resolve) => setTimeout(resolve, 60_000).unref())]);
  assert.ok(!program.running, `${tool} does not end`);
  return program.output;
}

test('svmap sees that something answers, and not what', async (t) => {
  const server = await serverWithUsers(t, ['100']);
  const said = await run(t, 'svmap', server, []);
  assert.match(said, new RegExp(`127\\.0\\.0\\.1:${server.ports.sip}\\s*\\|\\s*unknown`));
  assert.doesNotMatch(said, /sipweb/i);
});

describe('svwar finds none of a hundred users', () => {
  for (const method of ['REGISTER', 'OPTIONS', 'INVITE']) {
    test(`with ${method}`, async (t) => {
      const server = await serverWithUsers(t, USERS);
      const said = await run(t, 'svwar', server, ['--force', '-m', method, '-e', '90-210']);
      assert.match(said, /found nothing/);
      for (const user of USERS) assert.doesNotMatch(said, new RegExp(`^\\| *${user} *\\|`, 'm'));
    });
  }
});

test('svcrack is not heard any more before it comes to the password', async (t) => {
  const server = await serverWithUsers(t, ['100']);
  const dictionary = join(temporaryFolder('words'), 'words');
  // The right one is the thirtieth.
  writeFileSync(dictionary, [...Array.from({ length: 29 }, (_, number) => `guess${number}`), PASSWORD].join('\n'));
  const said = await run(t, 'svcrack', server, ['-u', '100', '-d', dictionary, '--maximumtime', '5']);
  assert.doesNotMatch(said, new RegExp(`\\| *${PASSWORD} *\\|`));
  await server.says(/strangers at 127\.0\.0\.1 are not heard/);
});

/** The check of the checks: the tools do work, where the server lets them. */
test('svcrack finds a password that it may try often enough', async (t) => {
  const server = await serverWithUsers(t, ['100']);
  const dictionary = join(temporaryFolder('words'), 'words');
  writeFileSync(dictionary, ['guess', PASSWORD].join('\n'));
  const said = await run(t, 'svcrack', server, ['-u', '100', '-d', dictionary]);
  assert.match(said, new RegExp(`\\| *${PASSWORD} *\\|`));
});
