// A network for browsers that find no media path on a machine with nothing but loopback.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const ROUTES = '/proc/net/route';

function hasDefaultRoute() {
  if (!existsSync(ROUTES)) return true; // Not Linux: nothing is known, and the tests will tell.
  return readFileSync(ROUTES, 'utf8').split('\n').some((line) => line.split('\t')[1] === '00000000');
}

const NETWORK = `
  ip link set lo up
  ip link add sipweb0 type bridge
  ip link set sipweb0 up
  ip address add 192.0.2.1/24 dev sipweb0
  ip route add default via 192.0.2.254
  exec "$@"`;

/**
 * On a machine without a default route, runs a file of tests in a network namespace that has one, and ends this process
 * as that run ended. It takes root to make the namespace.
 */
export function insideANetwork(file) {
  if (hasDefaultRoute()) return;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = ['--net', 'sh', '-ec', NETWORK, 'sh', process.execPath, '--test', '--test-reporter=spec', ...process.execArgv, file];
  const { status, error } = spawnSync('unshare', run, { env, stdio: 'inherit' });
  if (status !== 0) console.error(`${file} failed in a network namespace of its own ${error?.message ?? ''}`);
  process.exit(status ?? 1);
}
