//! Whether a user is there, as a document (RFC 3856, RFC 3863): signed in somewhere, unless he says it himself.

use super::xml::write_text;

/// The type of presence documents.
pub(super) const PIDF: &str = "application/pidf+xml";

/// What the registrar knows: open, if some device can be reached.
pub(super) fn write(entity: &[u8], open: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(
        b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"",
    );
    // RFC 3863 §4.1.1: a presentity is named by a URI; RFC 3856 §5 allows its SIP URI.
    write_text(&mut out, entity);
    out.extend_from_slice(b"\">\r\n<tuple id=\"registrar\"><status><basic>");
    out.extend_from_slice(if open { b"open".as_slice() } else { b"closed" });
    out.extend_from_slice(b"</basic></status></tuple>\r\n</presence>\r\n");
    out
}
