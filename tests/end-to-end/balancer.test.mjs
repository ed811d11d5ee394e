// A real HAProxy before the server: it says whose each connection is, by a PROXY header of either version.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../harness/folder.mjs';
import { PhonePage } from '../harness/phone_page.mjs';
import { freePort } from '../harness/ports.mjs';
import { Program } from '../harness/program.mjs';
import { Server } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

/** The address that HAProxy comes from, so that it is told from the pages, which are at 127.0.0.1. */
const BALANCER = '127.0.0.9';

/** The port at which HAProxy takes pages, and passes them on in its own way: `send-proxy` or `send-proxy-v2`. */
async function balancer(t, server, header) {
  const port = await freePort();
  const configuration = join(temporaryFolder('haproxy'), 'haproxy.cfg');
  writeFileSync(
    configuration,
    `defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 2h\n  timeout server 2h\n` +
      `frontend web\n  bind 127.0.0.1:${port}\n  default_backend sipweb\n` +
      `backend sipweb\n  server one 127.0.0.1:${server.ports.http} source ${BALANCER} check inter 200 ${header} check-send-proxy\n`,
  );
  const program = new Program('haproxy', '/usr/sbin/haproxy', ['-db', '-f', configuration]);
  t.after(() => program.stop('SIGTERM', 2000));
  const address = `http://127.0.0.1:${port}/`;
  await until('HAProxy to pass on', async () => (await fetch(address)).ok);
  return { address, program };
}

for (const header of ['send-proxy', 'send-proxy-v2']) {
  test(`pages behind HAProxy with ${header} call each other, and the server knows where they are`, async (t) => {
    const server = await Server.start(t, { more: `balancers = ["${BALANCER}"]\n` });
    const { address, program } = await balancer(t, server, header);
    const alice = await PhonePage.open(t, server, 'alice', { address });
    const bob = await PhonePage.open(t, server, 'bob', { tone: 880, address });
    await alice.call('bob');
    await bob.phase('incoming');
    await bob.answer();
    await alice.hears(880);
    for (const user of ['alice', 'bob']) assert.match(server.log, new RegExp(`${user}@\\S+ registered from 127\\.0\\.0\\.1:\\d+ over WS`));
    assert.doesNotMatch(server.log, /from 127\.0\.0\.9/);
    assert.doesNotMatch(program.output, /is DOWN/, 'it passes the health checks');
  });
}
