// What a Kamailio is told that is the provider of our trunk: it asks whoever registers or calls for a password.
import { beginning } from './kamailio.mjs';

/** Who registers and who calls is asked for the password that all have. */
const asking = (kind, password) => `
  if (!pv_${kind}_authenticate("provider.test", "${password}", "0")) { ${kind}_challenge("provider.test", "1"); exit; }
  xlog("L_NOTICE", "BELIEVED $au for $rm\\n");
  consume_credentials();`;

/** The configuration of a provider whose customers all have this password. */
export const provider = (password) => (port) => `${beginning([`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`], ['usrloc', 'registrar', 'auth'])}
alias="127.0.0.1:${port}"
alias="pbx.test"
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
