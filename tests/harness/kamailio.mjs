// A real Kamailio as registrar and proxy of a domain, behind our edge.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './program.mjs';
import { freePort } from './ports.mjs';
import { temporaryFolder } from './folder.mjs';

const MODULES = ['/usr/lib/x86_64-linux-gnu/kamailio/modules', '/usr/lib/aarch64-linux-gnu/kamailio/modules', '/usr/lib/kamailio/modules', '/usr/local/lib/kamailio/modules'];

/** Where its modules are. */
export const modules = () => MODULES.find((folder) => existsSync(folder));

const LOADED = ['kex', 'corex', 'tm', 'tmx', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'xlog'];

/** How a configuration of a test begins: where it listens (`udp:127.0.0.1:5060`), the modules that it needs beside the usual ones, and
 *  settings that must stand before them. */
export const beginning = (listen, needed, settings = '') => `#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
tcp_accept_no_cl=yes
${settings}${listen.map((address) => `listen=${address}\n`).join('')}mpath="${modules()}/"
${[...LOADED, ...needed].map((name) => `loadmodule "${name}.so"\n`).join('')}`;

/** The configuration that docs/recipes tells people to begin with, for loopback, and talkative. */
function configurationFor(port) {
  const recipe = readFileSync(new URL('../../docs/recipes/behind-your-server.md', import.meta.url), 'utf8');
  const [, text] = /^```kamailio\n([\s\S]*?)^```$/m.exec(recipe);
  return text
    .replaceAll('10.0.0.5:5060', `127.0.0.1:${port}`)
    .replace('alias="example.com"', `alias="127.0.0.1:${port}"\nalias="pbx.test"\ndebug=2\nlog_stderror=yes\nfork=yes\nchildren=1\ntcp_children=1\nmpath="${modules()}/"`)
    .replace('request_route {', 'request_route {\n  xlog("L_NOTICE", "ARRIVED $rm from $fU over $proto Path=$(hdr(Path)[0]) Then=$(hdr(Path)[1])\\n");');
}

export class Kamailio {
  /** `configure` writes its configuration for a port. */
  static async start(test, configure = configurationFor) {
    const kamailio = new Kamailio();
    const folder = temporaryFolder('kamailio');
    kamailio.port = await freePort();
    const configuration = join(folder, 'kamailio.cfg');
    writeFileSync(configuration, configure(kamailio.port));
    kamailio.program = new Program('kamailio', 'kamailio', ['-DD', '-E', '-f', configuration, '-Y', folder, '-m', '32', '-M', '8', '-P', join(folder, 'pid')], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      detached: true,
    });
    // It leads a group of processes of its own: all of them end with it.
    test.after(async () => {
      await kamailio.program.stop('SIGTERM', 3000);
    });
    await kamailio.program.says(/worker process|ready|io_wait|INFO: .*usrloc|Listening on/i);
    return kamailio;
  }

  async says(pattern, options) {
    return this.program.says(pattern, options);
  }
}
