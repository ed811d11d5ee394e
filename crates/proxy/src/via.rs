//! What a server writes into the top Via of a request it received: `received` and `rport` (RFC 3261 §18.2.1,
//! RFC 3581 §4).

use sip::header::Via;
use sip::text::write_decimal;
use sip::{Flow, Message};

use crate::registrar::address_of_record::{address_of, write_address};

/// Completes the top Via of a request, if anything is to be added.
pub(crate) fn complete(request: &mut Message, flow: &Flow) {
    // What most phones want; else the value is written anew.
    if request.top_via().is_ok_and(|via| via.has_open_rport()) {
        let mut source = Vec::with_capacity(64);
        source.push(b'=');
        write_decimal(&mut source, u64::from(flow.remote.port()));
        source.extend_from_slice(b";received=");
        // RFC 5118 §4.5: an IPv6 address in `received` has no brackets.
        write_address(&mut source, flow.remote.ip().to_canonical());
        if request.fill_rport(&source) != Ok(false) {
            return;
        }
    }
    if let Some(value) = request.top_via().ok().and_then(|via| completed(&via, flow)) {
        // It may be too large with them; then it stays as it is.
        let _ = request.replace_top_via(&value);
    }
}

fn completed(via: &Via<'_>, flow: &Flow) -> Option<Vec<u8>> {
    let wants_port = via.rport().is_some();
    let source = flow.remote.ip().to_canonical();
    let differs = address_of(via.host()).map(|address| address.to_canonical()) != Some(source);
    // RFC 7118 §5.3: not needed on a WebSocket, where sent-by is made up.
    let wants_address = wants_port || (differs && !flow.transport.is_websocket());
    let claims = via.parameter("received").is_some();
    if !wants_address && !wants_port && !claims {
        return None;
    }
    let mut value = Vec::with_capacity(via.as_bytes().len() + 48);
    // Everything but `received` and `rport` stays as it is, sent-by and transport included.
    let parameters = via.parameters().as_bytes();
    let head = via.as_bytes().len().saturating_sub(parameters.len());
    value.extend_from_slice(via.as_bytes().get(..head).unwrap_or_default().trim_ascii_end());
    for parameter in via.parameters().iter() {
        let ours =
            parameter.name.eq_ignore_ascii_case(b"received") || parameter.name.eq_ignore_ascii_case(b"rport");
        if !ours {
            parameter.write(&mut value);
        }
    }
    if wants_address {
        value.extend_from_slice(b";received=");
        // RFC 5118 §4.5: an IPv6 address in `received` has no brackets.
        write_address(&mut value, source);
    }
    if wants_port {
        value.extend_from_slice(b";rport=");
        write_decimal(&mut value, u64::from(flow.remote.port()));
    }
    Some(value)
}
