//! What rtpengine leaves in a description although its reader is a phone.
//!
//! Attributes of WebRTC say nothing to a phone, some phones stumble over them, and an INVITE that travels over UDP
//! must stay small (RFC 3261 §18.1.1).

use crate::command::Peer;
use sdp::Description;

/// Attributes that only a browser reads.
const OF_BROWSERS: [&[u8]; 18] = [
    b"group",
    b"mid",
    b"msid",
    b"msid-semantic",
    b"ssrc",
    b"ssrc-group",
    b"extmap",
    b"extmap-allow-mixed",
    b"rtcp-fb",
    b"rtcp-rsize",
    b"bundle-only",
    b"rid",
    b"simulcast",
    b"ice-lite",
    b"ice-options",
    b"fingerprint",
    b"setup",
    b"tls-id",
];

/// The description without what its reader has no use for. What is no description comes back as it is.
pub(crate) fn tidied(description: &[u8], reader: Peer) -> Vec<u8> {
    if matches!(reader, Peer::Browser | Peer::Alike) {
        return description.to_vec();
    }
    let Ok(mut parsed) = Description::parse(description) else { return description.to_vec() };
    for index in (0..parsed.len()).rev() {
        let attribute = parsed.line(index).and_then(|line| line.attribute());
        if attribute.is_some_and(|(name, _)| OF_BROWSERS.contains(&name)) {
            parsed.remove(index);
        }
    }
    let mut written = Vec::with_capacity(description.len());
    parsed.write(&mut written);
    written
}
