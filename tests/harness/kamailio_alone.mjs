// A Kamailio that browsers connect to over WSS, with nobody of ours beside it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { freePort } from './ports.mjs';
import { Kamailio, beginning } from './kamailio.mjs';
import { temporaryFolder } from './folder.mjs';

const configurationFor = (secure, certificate, key) => (port) => `${beginning([`udp:127.0.0.1:${port}`, `tls:127.0.0.1:${secure}`], ['tls', 'usrloc', 'registrar', 'nathelper', 'xhttp', 'websocket'], 'enable_tls=yes\nalias="127.0.0.1"\n')}
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "${certificate}")
modparam("tls", "private_key", "${key}")
modparam("tls", "verify_certificate", 0)
modparam("tls", "require_certificate", 0)
modparam("nathelper|registrar", "received_avp", "$avp(received)")
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (is_method("REGISTER")) { fix_nated_register(); if (!save("location")) sl_reply_error(); exit; }
  add_contact_alias();
  if (has_totag()) {
    if (loose_route()) { handle_ruri_alias(); t_relay(); exit; }
    if (is_method("ACK") && t_check_trans()) t_relay();
    exit;
  }
  record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}
onreply_route {
  add_contact_alias();
}
event_route[xhttp:request] {
  if (ws_handle_handshake()) exit;
  xhttp_reply("404", "Not Found", "", "");
}
`;

/** Its WebSocket's address. */
export async function kamailioAlone(test) {
  const folder = temporaryFolder('certificate');
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=127.0.0.1'], { stdio: 'pipe' });
  const secure = await freePort();
  await Kamailio.start(test, configurationFor(secure, certificate, key));
  return `wss://127.0.0.1:${secure}/`;
}
