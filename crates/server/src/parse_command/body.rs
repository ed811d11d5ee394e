//! What the body says: session descriptions line by line, text as text, the rest by its size.

use serde::Serialize;

use super::details::shown;

/// The body of a message.
#[derive(Debug, Serialize)]
pub(super) struct Body {
    /// Its type as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    /// Its size.
    pub(super) octets: usize,
    /// What is in it.
    #[serde(flatten)]
    pub(super) content: Content,
}

/// What is in a body.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    /// A session description (RFC 8866).
    Description(Vec<DescriptionLine>),
    /// Lines of text.
    Text(Vec<String>),
    /// Nothing to show.
    Binary,
}

/// One line of a session description.
#[derive(Debug, Serialize)]
pub(super) struct DescriptionLine {
    /// The line as written.
    pub(super) text: String,
    /// What such a line is about.
    pub(super) about: &'static str,
}

/// Explains a body; and what is wrong with it, if something is: the line within it, and the reason.
pub(super) fn explain(content_type: Option<&[u8]>, bytes: &[u8]) -> (Body, Option<(usize, String)>) {
    let kind = content_type.unwrap_or_default().split(|octet| *octet == b';').next().unwrap_or_default();
    let mut wrong = None;
    let content = if kind.trim_ascii().eq_ignore_ascii_case(b"application/sdp") {
        wrong = sdp::Description::parse(bytes).err().map(|error| {
            let line = match error {
                sdp::DescriptionError::NotALine(line) => line,
                _ => 1,
            };
            (line, format!("the session description cannot be read: {error}"))
        });
        Content::Description(
            lines(bytes).map(|line| DescriptionLine { about: about(line), text: shown(line) }).collect(),
        )
    } else if std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')) {
        Content::Text(lines(bytes).map(shown).collect())
    } else {
        Content::Binary
    };
    (Body { content_type: content_type.map(shown), octets: bytes.len(), content }, wrong)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .strip_suffix(b"\n")
        .unwrap_or(bytes)
        .split(|octet| *octet == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// What a line of a session description is about (RFC 8866 §5), and the attributes that decide calls.
fn about(line: &[u8]) -> &'static str {
    let attribute = |name: &[u8]| {
        line.strip_prefix(b"a=")
            .is_some_and(|rest| rest.strip_prefix(name).is_some_and(|rest| matches!(rest, [] | [b':', ..])))
    };
    const ATTRIBUTES: [(&[u8], &str); 18] = [
        (b"rtpmap", "codec"),
        (b"fmtp", "codec parameters"),
        (b"sendrecv", "sends and receives"),
        (b"sendonly", "sends only: the other side is on hold"),
        (b"recvonly", "receives only"),
        (b"inactive", "neither sends nor receives"),
        (b"ice-ufrag", "ICE user fragment"),
        (b"ice-pwd", "ICE password"),
        (b"ice-lite", "ICE lite"),
        (b"candidate", "ICE candidate"),
        (b"fingerprint", "DTLS certificate"),
        (b"setup", "DTLS role"),
        (b"crypto", "SDES key"),
        (b"rtcp", "RTCP port"),
        (b"rtcp-mux", "RTCP on the same port"),
        (b"mid", "name of this stream"),
        (b"group", "streams that belong together"),
        (b"ptime", "milliseconds in a packet"),
    ];
    match line.first() {
        Some(b'v') => "version",
        Some(b'o') => "origin: user, session, version, address",
        Some(b's') => "session name",
        Some(b'i') => "information",
        Some(b'u') => "URI",
        Some(b'e') => "e-mail",
        Some(b'p') => "telephone",
        Some(b'c') => "connection: where media is received",
        Some(b'b') => "bandwidth",
        Some(b't') => "time",
        Some(b'r') => "repetition",
        Some(b'k') => "key (obsolete)",
        Some(b'm') => "media: kind, port, profile, formats",
        Some(b'a') => {
            ATTRIBUTES.iter().find(|(name, _)| attribute(name)).map_or("attribute", |(_, about)| about)
        }
        _ => "",
    }
}
