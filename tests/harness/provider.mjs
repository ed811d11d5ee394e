// What a Kamailio is told that is the provider of our trunk: it asks whoever registers or calls for a password.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { temporaryFolder } from './folder.mjs';
import { beginning } from './kamailio.mjs';

/** Who registers and who calls is asked for the password that all have. */
const asking = (kind, password) => `
  if (!pv_${kind}_authenticate("provider.test", "${password}", "0")) { ${kind}_challenge("provider.test", "1"); exit; }
  xlog("L_NOTICE", "BELIEVED $au for $rm\\n");
  consume_credentials();`;

/** A certificate for this host, signed by itself, and its key. */
export function certificateFor(host) {
  const folder = temporaryFolder('certificate');
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  const extensions = ['basicConstraints=critical,CA:FALSE', `subjectAltName=${host}`].flatMap((extension) => ['-addext', extension]);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=provider', ...extensions], { stdio: 'pipe' });
  return { certificate, key };
}

const overTls = ({ certificate, key, port }) => `alias="127.0.0.1:${port}"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "${certificate}")
modparam("tls", "private_key", "${key}")
modparam("tls", "verify_certificate", 0)
modparam("tls", "require_certificate", 0)
`;

/** The configuration of a provider whose customers all have this password. `secure`: the port for TLS, a certificate and its key. */
export const provider = (password, secure) => (port) => `${beginning(
  [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`, ...(secure ? [`tls:127.0.0.1:${secure.port}`] : [])],
  [...(secure ? ['tls'] : []), 'usrloc', 'registrar', 'auth'],
  secure ? 'enable_tls=yes\n' : '',
)}
alias="127.0.0.1:${port}"
${secure ? overTls(secure) : ''}alias="pbx.test"
alias="provider.test"
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
  if (is_method("OPTIONS") && $rU == $null) { sl_send_reply("200", "Here"); exit; }
  if (is_method("REGISTER")) {
    ${asking('www', password)}
    ${secure ? '# Calls come over the connection that the customer has opened.\n    force_tcp_alias();' : ''}
    if (!save("location")) sl_reply_error();
    exit;
  }
  ${asking('proxy', password)}
  # Phones name us as their way.
  remove_hf("Route");
  record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  if (!t_relay()) sl_reply_error();
}
`;
