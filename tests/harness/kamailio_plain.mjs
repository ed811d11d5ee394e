// A real Kamailio as a plain PBX: it keeps contacts as they are written and calls them there. No Path, no outbound, no NAT.
import { beginning } from './kamailio.mjs';

/** Its configuration for a port. Each REGISTER tells how many contacts its user has then, and the last of them. */
export const plain = (port) => `${beginning([`udp:127.0.0.1:${port}`], ['usrloc', 'registrar'])}
alias="127.0.0.1:${port}"
modparam("usrloc", "db_mode", 0)

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not here");
    exit;
  }
  t_check_trans();
  if (is_method("REGISTER")) {
    if (!save("location")) { sl_reply_error(); exit; }
    if (reg_fetch_contacts("location", "$tu", "theirs")) {
      xlog("L_NOTICE", "CONTACTS of $tU: $(ulc(theirs=>count)) $(ulc(theirs=>addr)[0])\\n");
    }
    exit;
  }
  # Phones name us as their way.
  remove_hf("Route");
  record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  if (!t_relay()) sl_reply_error();
}
`;
