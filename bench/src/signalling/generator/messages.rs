//! The messages of the load, written from templates: what an `agent` says, without its cost, so that the load is not
//! the slowest part. Everything that comes back is checked (`calls`, `registrations`).

use std::fmt::Write as _;

use sip::{HeaderName, Message};

use super::ends::End;

/// The domain of the servers' users.
pub(crate) const DOMAIN: &str = "example.com";
/// Where the callers are at home who are no users of the server.
pub(crate) const ELSEWHERE: &str = "load.example.net";

const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";

/// A session description of about so many octets: a phone's has 250, a browser's 2,000.
pub(crate) fn description(octets: usize) -> String {
    let mut text = String::from(
        "v=0\r\no=- 20518 0 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
         m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n",
    );
    let mut number = 0;
    while text.len() < octets {
        let _ = write!(
            text,
            "a=candidate:{number} 1 udp 2113937151 192.0.2.7 {} typ host generation 0 network-cost 999\r\n",
            50_000 + number
        );
        number += 1;
    }
    text
}

/// Who calls whom, in one call.
pub(crate) struct Parties<'a> {
    /// The number of the call, and of the run.
    pub(crate) call: usize,
    pub(crate) run: u32,
    /// The caller's user and domain.
    pub(crate) from: &'a str,
    /// The callee's, as dialled.
    pub(crate) to: &'a str,
}

/// The Call-ID: the number of the call is its start.
pub(crate) fn call_id(call: usize, run: u32) -> String {
    format!("{call}.{run:08x}@{ELSEWHERE}")
}

/// The number in a Call-ID of this run.
pub(crate) fn number_of(call_id: &[u8], run: u32) -> Option<usize> {
    let text = std::str::from_utf8(call_id).ok()?;
    let (number, rest) = text.split_once('.')?;
    let (of_run, _) = rest.split_once('@')?;
    if u32::from_str_radix(of_run, 16).ok()? != run {
        return None;
    }
    number.parse().ok()
}

/// The branch of a request: `kind` tells the requests of a call apart.
pub(crate) fn branch(call: usize, run: u32, kind: char) -> String {
    format!("z9hG4bK{run:08x}{kind}{call}")
}

/// INVITE.
pub(crate) fn invite(parties: &Parties<'_>, end: &End, contact: &str, body: &str) -> Vec<u8> {
    let Parties { call, run, from, to } = parties;
    let mut text = String::with_capacity(700 + body.len());
    let _ = write!(
        text,
        "INVITE sip:{to} SIP/2.0\r\n\
         Via: SIP/2.0/{} {};branch={};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:{from}>;tag=f{call}\r\n\
         To: <sip:{to}>\r\n\
         Call-ID: {}\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <{contact}>\r\n\
         Allow: {ALLOW}\r\n\
         Supported: replaces\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        end.wire.via(),
        end.sent_by,
        branch(*call, *run, 'i'),
        call_id(*call, *run),
        body.len(),
    );
    text.into_bytes()
}

/// ACK or BYE within the dialog that a 200 made.
pub(crate) fn in_dialog(method: &str, parties: &Parties<'_>, end: &End, response: &Message) -> Vec<u8> {
    let Parties { call, run, from, .. } = parties;
    let mut text = String::with_capacity(700);
    let target = response
        .header(HeaderName::Contact)
        .map(|value| String::from_utf8_lossy(inside_brackets(value)).into_owned())
        .unwrap_or_default();
    let kind = if method == "ACK" { 'a' } else { 'b' };
    let _ = write!(
        text,
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={};rport\r\n",
        end.wire.via(),
        end.sent_by,
        branch(*call, *run, kind),
    );
    // RFC 3261 §12.1.2: the route set of the caller is in reverse order.
    let routes: Vec<&[u8]> = response.values(HeaderName::RecordRoute).collect();
    for route in routes.iter().rev() {
        let _ = write!(text, "Route: {}\r\n", String::from_utf8_lossy(route));
    }
    let to = String::from_utf8_lossy(response.header(HeaderName::To).unwrap_or_default());
    let _ = write!(
        text,
        "Max-Forwards: 70\r\nFrom: <sip:{from}>;tag=f{call}\r\nTo: {to}\r\nCall-ID: {}\r\n\
         CSeq: {} {method}\r\nContent-Length: 0\r\n\r\n",
        call_id(*call, *run),
        if method == "ACK" { 1 } else { 2 },
    );
    text.into_bytes()
}

/// A response to `request`. `tag` is added to its To where that has none.
pub(crate) fn response(
    request: &Message,
    line: &str,
    tag: &str,
    contact: Option<&str>,
    body: &str,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024 + body.len());
    let mut field = |name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    field("SIP/2.0 ", line.as_bytes());
    for (name, known) in [("Via: ", HeaderName::Via), ("Record-Route: ", HeaderName::RecordRoute)] {
        for value in request.headers(known) {
            field(name, value);
        }
    }
    field("From: ", request.header(HeaderName::From).unwrap_or_default());
    let to = request.header(HeaderName::To).unwrap_or_default();
    if to.windows(5).any(|part| part == b";tag=") {
        field("To: ", to);
    } else {
        field("To: ", &[to, b";tag=", tag.as_bytes()].concat());
    }
    field("Call-ID: ", request.header(HeaderName::CallId).unwrap_or_default());
    field("CSeq: ", request.header(HeaderName::CSeq).unwrap_or_default());
    if let Some(contact) = contact {
        field("Contact: ", format!("<{contact}>").as_bytes());
        field("Allow: ", ALLOW.as_bytes());
    }
    if !body.is_empty() {
        field("Content-Type: ", b"application/sdp");
    }
    field("Content-Length: ", body.len().to_string().as_bytes());
    field("", b"");
    out.extend_from_slice(body.as_bytes());
    out
}

/// REGISTER; `credentials` is the value of Authorization.
pub(crate) fn register(
    user: &str,
    number: usize,
    sequence: u32,
    run: u32,
    end: &End,
    credentials: Option<&[u8]>,
) -> Vec<u8> {
    let mut text = String::with_capacity(900);
    let contact = end.contact(user);
    let _ = write!(
        text,
        "REGISTER sip:{DOMAIN} SIP/2.0\r\n\
         Via: SIP/2.0/{} {};branch={}x{sequence};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:{user}@{DOMAIN}>;tag=f{number}\r\n\
         To: <sip:{user}@{DOMAIN}>\r\n\
         Call-ID: {}\r\n\
         CSeq: {sequence} REGISTER\r\n\
         Contact: <{contact}>;expires=3600\r\n\
         Allow: {ALLOW}\r\n",
        end.wire.via(),
        end.sent_by,
        branch(number, run, 'r'),
        call_id(number, run),
    );
    if let Some(value) = credentials {
        let _ = write!(text, "Authorization: {}\r\n", String::from_utf8_lossy(value));
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    text.into_bytes()
}

/// The URI of a name-addr.
pub(crate) fn inside_brackets(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|octet| *octet == b'<').map_or(0, |at| at + 1);
    let end = value.iter().position(|octet| *octet == b'>').unwrap_or(value.len());
    value.get(start..end).unwrap_or_default()
}
