//! Route sets (RFC 3261 §12.1, §12.2.1.1, §16.12).

use std::borrow::Cow;

use crate::header::{HeaderName, Route};
use crate::message::Message;
use crate::text;

/// The route set of the callee: Record-Route as it stands (RFC 3261 §12.1.1).
pub(super) fn record_route(request: &Message) -> Vec<Vec<u8>> {
    request.values(HeaderName::RecordRoute).map(|value| text::unfold(value).into_owned()).collect()
}

/// The route set of the caller: Record-Route from the end (RFC 3261 §12.1.2).
pub(super) fn reversed_record_route(response: &Message) -> Vec<Vec<u8>> {
    let mut routes = record_route(response);
    routes.reverse();
    routes
}

/// Request-URI and Route values for a request to `target` by way of `route_set` (RFC 3261 §12.2.1.1).
pub(super) fn apply<'a>(target: &'a [u8], route_set: &'a [Vec<u8>]) -> (Cow<'a, [u8]>, Vec<Cow<'a, [u8]>>) {
    let borrowed =
        |routes: &'a [Vec<u8>]| routes.iter().map(|route| Cow::Borrowed(route.as_slice())).collect();
    let Some((first, others)) = route_set.split_first() else { return (Cow::Borrowed(target), Vec::new()) };
    match Route::parse(first) {
        // A strict router takes the Request-URI for its own address, and the target comes last.
        Ok(route) if !route.is_loose() => {
            let mut routes: Vec<Cow<'a, [u8]>> = borrowed(others);
            let mut last = Vec::with_capacity(target.len() + 2);
            last.push(b'<');
            last.extend_from_slice(target);
            last.push(b'>');
            routes.push(Cow::Owned(last));
            (Cow::Owned(as_request_uri(route.uri().as_bytes())), routes)
        }
        _ => (Cow::Borrowed(target), borrowed(route_set)),
    }
}

/// A URI without what is not allowed in a Request-URI: headers and the method parameter (RFC 3261 §19.1.1 Table 1).
fn as_request_uri(uri: &[u8]) -> Vec<u8> {
    let without_headers = uri.split(|byte| *byte == b'?').next().unwrap_or_default();
    // A user part may hold semicolons too: parameters begin behind the host.
    let host = without_headers.iter().position(|byte| *byte == b'@').map_or(0, |at| at + 1);
    let (user, rest) = without_headers.split_at_checked(host).unwrap_or((without_headers, &[]));
    let mut kept = user.to_vec();
    for (place, part) in rest.split(|byte| *byte == b';').enumerate() {
        let is_method = part.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"method="));
        if place == 0 {
            kept.extend_from_slice(part);
        } else if !is_method {
            kept.push(b';');
            kept.extend_from_slice(part);
        }
    }
    kept
}
