//! What a proxy verifies before it forwards (RFC 3261 §16.3), beside the syntax, which `sip` checks at the door.

use sip::header::{HeaderName, Via};
use sip::uri::Scheme;
use sip::{Message, Method};

use crate::keyed_hash::{Key, MARK};
use crate::registrar::address_of_record::OwnHosts;
use crate::reply::Refusal;

/// Verifies the scheme of the Request-URI, Max-Forwards, and that the request has not been here before.
/// The request's [`loop_mark`] may be at hand.
pub(crate) fn validate(
    request: &Message,
    own: &OwnHosts,
    key: &Key,
    mark: Option<[u8; MARK]>,
) -> Result<(), Refusal> {
    // §16.3 item 2. A tel URI has a meaning that we know, though no way that we know.
    let uri = request.target().map_err(|_| Refusal::new(400, "the Request-URI is malformed"))?;
    if !matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
        return Err(Refusal::new(416, "the Request-URI has a scheme that nobody here knows"));
    }
    // §16.3 item 3. It does not limit the one that the request is for (RFC 4475 §3.3.11).
    let for_us = own.is_own(&uri) && uri.user().is_none() && request.header(HeaderName::Route).is_none();
    if !for_us && request.max_forwards().ok().flatten() == Some(0) {
        return Err(Refusal::new(483, "the request has gone through too many servers"));
    }
    // §16.3 item 4, RFC 5393 §4.2.
    if is_loop(request, own, key, mark) {
        return Err(Refusal::new(482, "the request has been here before"));
    }
    // §16.3 item 5: we have no extension that a proxy must understand.
    let unsupported = join(request.values(HeaderName::ProxyRequire));
    if !unsupported.is_empty() && !matches!(request.method(), Some(Method::Ack | Method::Cancel)) {
        return Err(Refusal::new(420, "the request needs an extension that this proxy does not have")
            .header(HeaderName::Unsupported, unsupported));
    }
    Ok(())
}

/// What all requests have in common that would be routed alike: everything that routing looks at (RFC 3261
/// §16.6 item 8). It stands at the end of our branches.
pub(crate) fn loop_mark(key: &Key, request: &Message) -> [u8; MARK] {
    let from = request.from_tag().unwrap_or_default();
    let to = request.to_tag().unwrap_or_default();
    let call_id = request.header(HeaderName::CallId).unwrap_or_default();
    let number = request.cseq().map_or(0, |cseq| cseq.number).to_be_bytes();
    let fixed = [request.request_uri(), from, to, call_id, &number];
    key.mark(b"loop", fixed.into_iter().chain(request.values(HeaderName::Route)))
}

fn is_loop(request: &Message, own: &OwnHosts, key: &Key, mark: Option<[u8; MARK]>) -> bool {
    let is_ours = |via: Via<'_>| {
        let is_ours = || own.is_sent_by(via.host(), via.port());
        via.branch().is_some_and(|branch| match mark {
            Some(mark) => branch.ends_with(&mark) && is_ours(),
            None => is_ours() && branch.ends_with(&loop_mark(key, request)),
        })
    };
    if has_one_via(request) {
        return request.top_via().is_ok_and(is_ours);
    }
    let below = request.values(HeaderName::Via).skip(1).filter_map(|value| Via::parse(value).ok());
    request.top_via().into_iter().chain(below).any(is_ours)
}

/// Whether a request comes from its sender itself, through no other proxy.
pub(crate) fn has_one_via(request: &Message) -> bool {
    let mut fields = request.headers(HeaderName::Via);
    let first = fields.next().unwrap_or_default();
    let is_alone = fields.next().is_none();
    (is_alone && memchr::memchr(b',', first).is_none()) || request.values(HeaderName::Via).nth(1).is_none()
}

/// List elements as one value.
pub(crate) fn join<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut joined = Vec::new();
    for value in values {
        if !joined.is_empty() {
            joined.extend_from_slice(b", ");
        }
        joined.extend_from_slice(value);
    }
    joined
}
