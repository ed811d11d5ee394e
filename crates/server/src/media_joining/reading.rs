//! What a message says of offers and answers: who wrote it, in which dialog it is, whether it has a description.

use media::{BranchKey, MediaClass, Side};
use sdp::Description;
use sip::{HeaderName, Message, Transport, Via};

use super::parts;

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
    let class = class(description(message)?)?;
    Some(if class == MediaClass::Browser { Side::Browser } else { Side::Phone })
}

/// The side from which a request came to us: the Via below ours says by which transport.
pub(super) fn side_before(request: &Message) -> Option<Side> {
    let before = Via::parse(request.values(HeaderName::Via).nth(1)?).ok()?;
    before.transport().map(side_of)
}

/// Whether a message carries an offer or an answer.
pub(super) fn has_description(message: &Message) -> bool {
    description(message).is_some()
}

/// The offer or answer that a message carries: its body, or one part of it.
pub(super) fn description(message: &Message) -> Option<&[u8]> {
    let kind = message.header(HeaderName::ContentType)?;
    let body = message.body();
    let found = if parts::is_description(kind) { body } else { body.get(parts::description(kind, body)?)? };
    (!found.is_empty()).then_some(found)
}

/// The message with another description. A browser gets nothing but that; to everybody else the other parts of a body go on.
pub(super) fn with_description(message: &Message, description: &[u8]) -> Option<Vec<u8>> {
    const SDP: &[u8] = b"application/sdp";
    let kind = message.header(HeaderName::ContentType).unwrap_or(SDP);
    let mut edit = message.edit();
    match parts::description(kind, message.body()) {
        None => edit.body(kind, description),
        Some(_) if class(description) == Some(MediaClass::Browser) => edit.body(SDP, description),
        Some(part) => {
            let (before, after) = (message.body().get(..part.start)?, message.body().get(part.end..)?);
            edit.body(kind, &[before, description, after].concat())
        }
    };
    edit.finish().ok()
}

fn class(description: &[u8]) -> Option<MediaClass> {
    MediaClass::of(&Description::parse(description).ok()?)
}

/// The tag of a From or To; empty when there is none.
pub(super) fn tag(address: Result<sip::NameAddress<'_>, sip::HeaderError>) -> Vec<u8> {
    address.ok().and_then(|address| address.tag().map(<[u8]>::to_vec)).unwrap_or_default()
}

/// The transaction: the branch that the proxy wrote into the topmost Via.
pub(super) fn transaction(message: &Message) -> Option<BranchKey> {
    Some(BranchKey::new(message.top_via().ok()?.branch()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    const BROWSER: &str =
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n";

    /// An INVITE of a telephone network's gateway: a description, and what its own network says.
    fn of_two_parts(description: &str) -> String {
        let body = format!(
            "--b\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n--b\r\nContent-Type: application/isup\r\n\r\n\
             \u{1}\u{2}\r\n--b--\r\n"
        );
        format!(
            "INVITE sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nCall-ID: one\r\n\
             CSeq: 1 INVITE\r\nContent-Type: multipart/mixed;boundary=b\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn message(text: &str) -> Message {
        Message::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_description_of_a_body_of_several_parts_is_the_offer() {
        let invite = message(&of_two_parts(PHONE));
        assert_eq!(description(&invite), Some(PHONE.as_bytes()));
        assert_eq!(writer(&invite), Some(Side::Phone));
    }

    #[test]
    fn a_browser_gets_the_description_alone_and_a_phone_gets_the_other_parts_too() {
        let invite = message(&of_two_parts(PHONE));
        let to_browser =
            message(&String::from_utf8(with_description(&invite, BROWSER.as_bytes()).unwrap()).unwrap());
        assert_eq!(to_browser.header(HeaderName::ContentType), Some(&b"application/sdp"[..]));
        assert_eq!(to_browser.body(), BROWSER.as_bytes());
        let other = PHONE.replace("192.0.2.9", "192.0.2.1");
        let to_phone = with_description(&invite, other.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(to_phone).unwrap(), of_two_parts(&other));
    }
}
