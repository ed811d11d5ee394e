//! Where a user is signed in, as a document (RFC 3680 §5): for himself.

use sip::text::write_decimal;

use super::xml::write_text;
use crate::keyed_hash::{Key, MARK};
use crate::registrar::binding::Binding;

/// The whole state. `version` counts the documents of one subscription (§5.1).
pub(super) fn write(key: &Key, entity: &[u8], version: u32, bindings: &[Binding]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + 256 * bindings.len());
    out.extend_from_slice(
        b"<?xml version=\"1.0\"?>\r\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"",
    );
    write_decimal(&mut out, u64::from(version));
    out.extend_from_slice(b"\" state=\"full\">\r\n<registration aor=\"");
    write_text(&mut out, entity);
    out.extend_from_slice(b"\" id=\"");
    out.extend_from_slice(&id(key, &[entity]));
    out.extend_from_slice(b"\" state=\"");
    out.extend_from_slice(if bindings.is_empty() { b"terminated".as_slice() } else { b"active" });
    out.extend_from_slice(b"\">\r\n");
    for binding in bindings {
        out.extend_from_slice(b"<contact id=\"");
        out.extend_from_slice(&id(key, &[entity, &binding.contact]));
        out.extend_from_slice(b"\" state=\"active\" event=\"registered\"><uri>");
        write_text(&mut out, &binding.contact);
        out.extend_from_slice(b"</uri></contact>\r\n");
    }
    out.extend_from_slice(b"</registration>\r\n</reginfo>\r\n");
    out
}

/// Names what the document tells of; the same for the same (§5.2, §5.3).
fn id(key: &Key, parts: &[&[u8]]) -> [u8; MARK] {
    key.mark(b"registration", parts.iter().copied())
}
