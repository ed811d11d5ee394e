// A real Kamailio as edge: browsers connect to it over WebSocket, and it sends everything on to a registrar, with Path.
import { Kamailio, beginning } from './kamailio.mjs';

const configurationFor = (registrar) => (port) => `${beginning([`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`], ['stun', 'outbound', 'path', 'xhttp', 'websocket'])}
modparam("path", "use_received", 1)
modparam("outbound", "force_outbound_flag", 1)
modparam("outbound", "flow_token_secret", "a secret of this test")
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK") && t_check_trans()) t_relay();
    exit;
  }
  t_check_trans();
  if (is_method("REGISTER")) {
    setflag(1);
    xlog("L_NOTICE", "ARRIVED $rm from $fU over $proto\\n");
    add_path();
    $du = "sip:127.0.0.1:${registrar}";
    t_relay();
    exit;
  }
  if (loose_route()) {
    xlog("L_NOTICE", "DELIVERED $rm to $rU by $du over $(du{uri.transport})\\n");
  } else {
    setflag(1);
    $du = "sip:127.0.0.1:${registrar}";
  }
  record_route();
  t_relay();
}
event_route[xhttp:request] {
  if (ws_handle_handshake()) exit;
  xhttp_reply("404", "Not Found", "", "");
}
`;

/** Before the server whose UDP port this is. */
export const kamailioEdge = (test, registrar) => Kamailio.start(test, configurationFor(registrar));
