//! The requests that a transaction makes by itself: the ACK for a final response other than 2xx
//! (RFC 3261 §17.1.1.3) and the CANCEL (§9.1).
//!
//! Both are written from the request that they belong to, whose header values are known to end where they end; folds
//! in them become spaces.

use std::sync::Arc;

use crate::header::HeaderName;
use crate::message::Message;
use crate::text;

/// The ACK for `response`, a final response other than 2xx to the INVITE in `invite`. `None` if the INVITE cannot be
/// read, which its sender would have noticed.
pub(super) fn ack(invite: &[u8], response: &Message) -> Option<Arc<[u8]>> {
    let invite = Message::parse(invite).ok()?;
    // RFC 3261 §17.1.1.3: the To of the response, for its tag.
    let to = response.header(HeaderName::To).or_else(|| invite.header(HeaderName::To))?;
    let mut out = head(&invite, b"ACK", to)?;
    finish(&mut out);
    Some(out.into())
}

/// The CANCEL for the INVITE in `invite`, with a Reason header (RFC 3326) if `reason` is not empty.
pub(super) fn cancel(invite: &[u8], reason: &[u8]) -> Option<Arc<[u8]>> {
    let invite = Message::parse(invite).ok()?;
    // RFC 3261 §9.1: the To of the request, without the tag of a response.
    let mut out = head(&invite, b"CANCEL", invite.header(HeaderName::To)?)?;
    if !reason.is_empty() && !text::breaks_line(reason) {
        line(&mut out, HeaderName::Reason, reason);
    }
    finish(&mut out);
    Some(out.into())
}

/// What both have in common: Request-URI, the one Via, Route, From, Call-ID and the number in CSeq of the INVITE.
fn head(invite: &Message, method: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    for part in [method, b" ", invite.request_uri(), b" SIP/2.0\r\n"] {
        out.extend_from_slice(part);
    }
    line(&mut out, HeaderName::Via, invite.first_value(HeaderName::Via)?);
    for route in invite.headers(HeaderName::Route) {
        line(&mut out, HeaderName::Route, route);
    }
    line(&mut out, HeaderName::MaxForwards, b"70");
    line(&mut out, HeaderName::From, invite.header(HeaderName::From)?);
    line(&mut out, HeaderName::To, to);
    line(&mut out, HeaderName::CallId, invite.header(HeaderName::CallId)?);
    out.extend_from_slice(b"CSeq: ");
    text::write_decimal(&mut out, u64::from(invite.cseq().ok()?.number));
    for part in [b" ", method, b"\r\n"] {
        out.extend_from_slice(part);
    }
    Some(out)
}

fn line(out: &mut Vec<u8>, name: HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    // What is no fold but could be taken for a line end by somebody (a lone CR of a peer) does not get through.
    out.extend(
        text::unfold(value).iter().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte }),
    );
    out.extend_from_slice(b"\r\n");
}

fn finish(out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}
