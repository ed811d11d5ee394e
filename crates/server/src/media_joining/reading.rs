//! What a message says of offers and answers: who wrote it, in which dialog it is, whether it has a description.

use media::{BranchKey, MediaClass, Side};
use sdp::Description;
use sip::{HeaderName, Message, Transport, Via};

/// The kind of device behind a hop: nothing but a page has a WebSocket.
pub(super) const fn side_of(transport: Transport) -> Side {
    if transport.is_websocket() { Side::Browser } else { Side::Phone }
}

/// The other side.
pub(super) const fn other(side: Side) -> Side {
    match side {
        Side::Browser => Side::Phone,
        Side::Phone => Side::Browser,
    }
}

/// The side that wrote the description of a message, by what it says.
pub(super) fn writer(message: &Message) -> Option<Side> {
    let class = MediaClass::of(&Description::parse(message.body()).ok()?)?;
    Some(if class == MediaClass::Browser { Side::Browser } else { Side::Phone })
}

/// The side from which a request came to us: the Via below ours says by which transport.
pub(super) fn side_before(request: &Message) -> Option<Side> {
    let before = Via::parse(request.values(HeaderName::Via).nth(1)?).ok()?;
    before.transport().map(side_of)
}

/// Whether a message carries an offer or an answer.
pub(super) fn has_description(message: &Message) -> bool {
    let Some(kind) = message.header(HeaderName::ContentType) else { return false };
    let kind = kind.split(|octet| *octet == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/sdp") && !message.body().is_empty()
}

/// The tag of a From or To; empty when there is none.
pub(super) fn tag(address: Result<sip::NameAddress<'_>, sip::HeaderError>) -> Vec<u8> {
    address.ok().and_then(|address| address.tag().map(<[u8]>::to_vec)).unwrap_or_default()
}

/// The transaction: the branch that the proxy wrote into the topmost Via.
pub(super) fn transaction(message: &Message) -> Option<BranchKey> {
    Some(BranchKey::new(message.top_via().ok()?.branch()?))
}
