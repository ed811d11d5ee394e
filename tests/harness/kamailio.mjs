// A real Kamailio as registrar and proxy of a domain, behind our edge.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './program.mjs';
import { freePort } from './ports.mjs';
import { temporaryFolder } from './folder.mjs';

const MODULES = ['/usr/lib/x86_64-linux-gnu/kamailio/modules', '/usr/lib/aarch64-linux-gnu/kamailio/modules', '/usr/lib/kamailio/modules', '/usr/local/lib/kamailio/modules'];

const routes = (port) => `
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
alias="127.0.0.1:${port}"
alias="pbx.test"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
mpath="${MODULES.find((folder) => existsSync(folder))}/"
loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 2)
modparam("registrar", "path_use_received", 0)

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  xlog("L_NOTICE", "ARRIVED $rm from $fU over $proto Path=$(hdr(Path)[0]) Then=$(hdr(Path)[1])\\n");
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not here");
    exit;
  }
  t_check_trans();
  if (is_method("REGISTER")) { if (!save("location")) sl_reply_error(); exit; }
  record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  if (!t_relay()) sl_reply_error();
}
`;

export class Kamailio {
  static async start(test) {
    const kamailio = new Kamailio();
    const folder = temporaryFolder('kamailio');
    kamailio.port = await freePort();
    const configuration = join(folder, 'kamailio.cfg');
    writeFileSync(configuration, routes(kamailio.port).trimStart());
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
