//! Whether a user is in a call, as a document (RFC 4235 §4): what a busy lamp needs, and not with whom.

use sip::text::write_decimal;

use super::watched::{Call, CallState};
use super::xml::write_text;

/// The whole state of a user's calls. `version` counts the documents of one subscription (§4.1).
pub(super) fn write(entity: &[u8], version: u32, calls: &[Call]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + 96 * calls.len());
    out.extend_from_slice(
        b"<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"",
    );
    write_decimal(&mut out, u64::from(version));
    out.extend_from_slice(b"\" state=\"full\" entity=\"");
    write_text(&mut out, entity);
    out.extend_from_slice(b"\">\r\n");
    for call in calls {
        out.extend_from_slice(b"<dialog id=\"");
        out.extend_from_slice(&call.id);
        out.extend_from_slice(b"\" direction=\"");
        out.extend_from_slice(if call.initiator { b"initiator".as_slice() } else { b"recipient" });
        out.extend_from_slice(b"\"><state>");
        out.extend_from_slice(match call.state {
            CallState::Trying => b"trying",
            CallState::Early => b"early",
            CallState::Confirmed => b"confirmed".as_slice(),
        });
        out.extend_from_slice(b"</state></dialog>\r\n");
    }
    out.extend_from_slice(b"</dialog-info>\r\n");
    out
}
