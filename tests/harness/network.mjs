// Networks for tests: for browsers that find no media path on a machine with nothing but loopback, and for pages that
// move from one network to another.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.mjs';
import { until } from './wait.mjs';

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

/** Runs a file of tests in a network namespace that `network`, a shell script, furnishes, and ends as that run ended. */
function runInside(file, network, more = {}) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = ['--net', 'sh', '-ec', network, 'sh', process.execPath, '--test', '--test-reporter=spec', ...process.execArgv, file];
  const { status, error } = spawnSync('unshare', run, { env: { ...env, ...more }, stdio: 'inherit' });
  if (status !== 0) console.error(`${file} failed in a network namespace of its own (which takes root) ${error?.message ?? ''}`);
  process.exit(status ?? 1);
}

/**
 * On a machine without a default route, runs a file of tests in a network namespace that has one, and ends this process
 * as that run ended. It takes root to make the namespace.
 */
export function insideANetwork(file) {
  if (!hasDefaultRoute()) runInside(file, NETWORK);
}

const ALONE = 'SIPWEB_TEST_NETWORK';

/** Where the server stands for those that move: beside every link, reached over each of them. */
export const STANDS_AT = '198.51.100.1';

const STANDING = `
  ip link set lo up
  ip link add sipweb0 type bridge
  ip link set sipweb0 up
  ip address add ${STANDS_AT}/32 dev sipweb0
  ip route add default dev sipweb0
  exec "$@"`;

/**
 * Runs a file of tests in a network namespace that has nothing but loopback and the address `STANDS_AT`, and ends this
 * process as that run ended. What the tests add to it goes with it. It takes root to make the namespace.
 */
export function besideMovingNetworks(file) {
  if (process.env[ALONE] !== file) runInside(file, STANDING, { [ALONE]: file });
}

/** Where the server behind a NAT stands, and where the others find it. */
export const BEHIND = '10.80.0.2';
export const IN_FRONT = '203.0.113.7';

// Each packet to the one address goes on to the other; the way back is the kernel's. Nobody outside gets to the inner one.
const BEHIND_NAT = `
  ip link set lo up
  ip link add sipweb0 type bridge
  ip link set sipweb0 up
  ip address add ${BEHIND}/32 dev sipweb0
  ip route add default dev sipweb0
  iptables -t mangle -A PREROUTING -i outer+ -d ${BEHIND} -j DROP
  iptables -t nat -A PREROUTING -d ${IN_FRONT} -j DNAT --to-destination ${BEHIND}
  iptables -t nat -A OUTPUT -d ${IN_FRONT} -j DNAT --to-destination ${BEHIND}
  iptables -t nat -A POSTROUTING -o outer+ -s ${BEHIND} -j SNAT --to-source ${IN_FRONT}
  exec "$@"`;

/** As `besideMovingNetworks`, but the server stands at `BEHIND`, and over the links it is found at `IN_FRONT` only. */
export function behindNat(file) {
  if (process.env[ALONE] !== file) runInside(file, BEHIND_NAT, { [ALONE]: file });
}

/**
 * Runs a file of tests in a network namespace that has nothing but loopback, and ends this process as that run ended:
 * what the tests do to it goes with it. It takes root to make the namespace.
 */
export function aloneOnLoopback(file) {
  if (process.env[ALONE] !== file) runInside(file, 'ip link set lo up; exec "$@"', { [ALONE]: file });
}

/** Until the end of a test, loses UDP datagrams of this namespace with this probability. Returns how to ask how many it has lost. */
export function losing(test, probability) {
  const rule = ['INPUT', '-p', 'udp', '-m', 'statistic', '--mode', 'random', '--probability', `${probability}`, '-j', 'DROP'];
  const iptables = (...words) => {
    const { status, stdout, stderr, error } = spawnSync('iptables', words, { encoding: 'utf8', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
    if (status !== 0) throw new Error(`iptables ${words.join(' ')}: ${error?.message ?? stderr}`);
    return stdout;
  };
  iptables('-A', ...rule);
  test.after(() => iptables('-D', ...rule));
  return () => Number(/^\s*(\d+)\s+\d+\s+DROP/m.exec(iptables('-vxnL', 'INPUT'))?.[1] ?? 0);
}

const ip = (words) => {
  const { status, stderr, error } = spawnSync('ip', words.split(' '), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words}: ${error?.message ?? stderr}`);
};

/**
 * A network namespace for a browser, with two links to `STANDS_AT` of which one at the most is up: as a telephone that
 * goes from Wi-Fi to the mobile network. It lives as long as a process in it, which ends with the test.
 */
export class MovingNetwork {
  /** It begins on the first link. */
  static async make(test) {
    const network = new MovingNetwork();
    // Its input ends when this process does, however it ends.
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo ready; exec cat >/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    holder.stdout.on('data', (chunk) => { said += chunk; });
    holder.on('error', (error) => { said = error.message; });
    test.after(() => holder.stdin.end());
    await until('a network namespace for the page (which takes root)', () => {
      if (said.trim() === 'ready') return true;
      throw new Error(said);
    });
    network.holder = holder.pid;
    for (const link of [0, 1]) {
      ip(`link add outer${link} type veth peer name inner${link} netns ${holder.pid}`);
      ip(`address add ${network.#gateway(link)}/24 dev outer${link}`);
      ip(`link set outer${link} up`);
    }
    network.#join(0);
    return network;
  }

  #gateway(link) {
    return `10.70.${link}.1`;
  }

  /** The page's address on a link. */
  address(link) {
    return `10.70.${link}.2`;
  }

  #inside(words) {
    const { status, stderr, error } = spawnSync('nsenter', [`--net=/proc/${this.holder}/ns/net`, 'ip', ...words.split(' ')], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`ip ${words}: ${error?.message ?? stderr}`);
  }

  #join(link) {
    this.#inside(`link set inner${link} up`);
    this.#inside(`address add ${this.address(link)}/24 dev inner${link}`);
    this.#inside(`route add default via ${this.#gateway(link)} dev inner${link}`);
    this.link = link;
  }

  /** Loses the link it has: the address goes, and the routes. */
  leave() {
    this.#inside(`address flush dev inner${this.link}`);
    this.#inside(`link set inner${this.link} down`);
  }

  /** Goes from the link it has to the other one, whose address is another. */
  move() {
    const from = this.link;
    this.leave();
    this.#join(1 - from);
  }

  /** A program that runs another inside. */
  wrap(program) {
    const wrapper = join(temporaryFolder('network'), 'inside');
    writeFileSync(wrapper, `#!/bin/sh\nexec nsenter --net=/proc/${this.holder}/ns/net ${program} "$@"\n`, { mode: 0o755 });
    return wrapper;
  }
}
