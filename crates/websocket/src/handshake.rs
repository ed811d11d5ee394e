//! The opening handshake as a server sees it (RFC 6455 §4.2, RFC 7118 §4.1).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The longest request head that is read, in bytes.
pub const MAX_HEAD: usize = 16 * 1024;

/// The most header fields that are read.
pub(crate) const MAX_FIELDS: usize = 128;

/// What the start of the lent bytes is.
#[derive(Clone, Copy, Debug)]
pub enum Head<'a> {
    /// A whole request head.
    Complete {
        /// The request.
        request: Request<'a>,
        /// How many of the lent bytes its head was.
        length: usize,
    },
    /// Part of one.
    Incomplete,
}

/// Why bytes are not a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// More than [`MAX_HEAD`] bytes or too many fields: answer 431 (RFC 6585 §5).
    TooLarge,
    /// Not HTTP/1: answer 400.
    Malformed,
}

impl HeadError {
    /// The status code to answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge => 431,
            Self::Malformed => 400,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the request's head is too large",
            Self::Malformed => "not an HTTP/1.1 request",
        })
    }
}

impl core::error::Error for HeadError {}

/// A request head, over the bytes that were received.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    method: &'a str,
    target: &'a str,
    is_http_1_1: bool,
    /// The field lines, checked by the parser.
    fields: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads a request head from the start of `bytes`.
    ///
    /// # Errors
    /// [`HeadError`], once the bytes cannot become a request any more.
    pub fn parse(bytes: &'a [u8]) -> Result<Head<'a>, HeadError> {
        let window = bytes.get(..MAX_HEAD).unwrap_or(bytes);
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        let length = match parsed.parse(window) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if window.len() < MAX_HEAD => return Ok(Head::Incomplete),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(HeadError::TooLarge);
            }
            Err(_) => return Err(HeadError::Malformed),
        };
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(HeadError::Malformed);
        };
        let head = window.get(..length).unwrap_or_default();
        let line = head.iter().position(|byte| *byte == b'\n').map_or(length, |end| end + 1);
        let fields = head.get(line..).unwrap_or_default();
        Ok(Head::Complete { request: Request { method, target, is_http_1_1: minor == 1, fields }, length })
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &'a str {
        self.method
    }

    /// Path and query, as sent.
    #[must_use]
    pub const fn target(&self) -> &'a str {
        self.target
    }

    /// Every header field: name and trimmed value.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.fields.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((line.get(..colon)?.trim_ascii(), line.get(colon + 1..)?.trim_ascii()))
        })
    }

    /// The first field of that name, in any case of letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The page that asks, if it is a browser (RFC 6455 §4.1 item 8).
    #[must_use]
    pub fn origin(&self) -> Option<&'a [u8]> {
        self.header("Origin")
    }

    /// The host that the client thinks it speaks to.
    #[must_use]
    pub fn host(&self) -> Option<&'a [u8]> {
        self.header("Host")
    }

    /// Whether the request asks for a WebSocket at all, validly or not.
    #[must_use]
    pub fn asks_for_websocket(&self) -> bool {
        self.has_token("Upgrade", b"websocket")
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers()
            .filter_map(move |(field, value)| field.eq_ignore_ascii_case(name.as_bytes()).then_some(value))
    }

    /// The elements of a comma list over all fields of that name.
    fn elements(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.all(name).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
    }

    fn has_token(&self, name: &str, token: &[u8]) -> bool {
        self.elements(name).any(|element| element.eq_ignore_ascii_case(token))
    }
}

/// A valid request for a SIP WebSocket.
#[derive(Clone, Debug)]
pub struct Upgrade {
    accept: String,
}

impl Upgrade {
    /// Checks a request by RFC 6455 §4.2.1 and RFC 7118 §4.1.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn check(request: &Request<'_>) -> Result<Self, Refusal> {
        if request.method != "GET" {
            return Err(Refusal::Method);
        }
        if !request.is_http_1_1 || request.host().is_none() {
            return Err(Refusal::NoHost);
        }
        if !request.asks_for_websocket() || !request.has_token("Connection", b"upgrade") {
            return Err(Refusal::NoUpgrade);
        }
        if !request.elements("Sec-WebSocket-Version").any(|version| version == b"13") {
            return Err(Refusal::Version);
        }
        let mut keys = request.all("Sec-WebSocket-Key");
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(Refusal::Key);
        };
        if STANDARD.decode(key).map(|nonce| nonce.len()) != Ok(16) {
            return Err(Refusal::Key);
        }
        // RFC 7118 §4.1: the protocol must be offered. Absence is refused too: whoever does not know that
        // this is SIP has come to the wrong place.
        if !request.elements("Sec-WebSocket-Protocol").any(|protocol| protocol == b"sip") {
            return Err(Refusal::Protocol);
        }
        Ok(Self { accept: accept_for(key) })
    }

    /// Writes the 101 response after `out`.
    pub fn write_response(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: ",
        );
        out.extend_from_slice(self.accept.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
    }

    /// The value of Sec-WebSocket-Accept.
    #[must_use]
    pub fn accept(&self) -> &str {
        &self.accept
    }
}

/// Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2 item 5.4).
pub(crate) fn accept_for(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// Why a request for a WebSocket is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not GET.
    Method,
    /// Not HTTP/1.1, or no Host.
    NoHost,
    /// `Upgrade: websocket` or `Connection: Upgrade` is missing.
    NoUpgrade,
    /// Not version 13.
    Version,
    /// Sec-WebSocket-Key is missing, doubled, or not 16 bytes.
    Key,
    /// Sec-WebSocket-Protocol does not offer `sip`.
    Protocol,
}

impl Refusal {
    /// The status code to answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Version => 426,
            Self::NoHost | Self::NoUpgrade | Self::Key | Self::Protocol => 400,
        }
    }

    /// The header field that goes with the status code, if one does (RFC 6455 §4.4, RFC 9110 §15.5.6).
    #[must_use]
    pub const fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Method => Some(("Allow", "GET")),
            Self::Version => Some(("Sec-WebSocket-Version", "13")),
            _ => None,
        }
    }

    /// One line for a person.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Method => "a WebSocket begins with GET",
            Self::NoHost => "a WebSocket begins with HTTP/1.1 and a Host header",
            Self::NoUpgrade => "Upgrade: websocket and Connection: Upgrade are both needed",
            Self::Version => "this server speaks WebSocket version 13",
            Self::Key => "Sec-WebSocket-Key must be 16 bytes in base64",
            Self::Protocol => "this is a SIP server: Sec-WebSocket-Protocol must offer sip (RFC 7118)",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 7118 §4.1, as a browser sends it.
    const GOOD: &str = "GET /sip HTTP/1.1\r\nHost: sip-ws.example.com\r\nUpgrade: websocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://www.example.com\r\nSec-WebSocket-Protocol: chat, sip\r\nSec-WebSocket-Version: 13\r\n\r\n";

    fn request(text: &str) -> Request<'_> {
        match Request::parse(text.as_bytes()) {
            Ok(Head::Complete { request, length }) => {
                assert_eq!(length, text.len());
                request
            }
            other => panic!("not a whole head: {other:?}"),
        }
    }

    #[test]
    fn a_browser_that_offers_sip_is_welcome() {
        let request = request(GOOD);
        assert_eq!((request.method(), request.target()), ("GET", "/sip"));
        assert_eq!(request.origin(), Some(&b"http://www.example.com"[..]));
        assert_eq!(request.host(), Some(&b"sip-ws.example.com"[..]));
        let mut response = Vec::new();
        Upgrade::check(&request).unwrap().write_response(&mut response);
        assert_eq!(
            String::from_utf8(response).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
    }

    #[test]
    fn names_and_tokens_are_read_in_any_case_of_letters() {
        let text =
            GOOD.replace("Upgrade: websocket", "uPGRADE: WebSocket").replace("Connection:", "CONNECTION:");
        assert!(Upgrade::check(&request(&text)).is_ok());
    }

    #[test]
    fn a_protocol_list_may_span_fields() {
        let text = GOOD.replace("chat, sip", "chat\r\nSec-WebSocket-Protocol: sip");
        assert!(Upgrade::check(&request(&text)).is_ok());
    }

    #[test]
    fn each_fault_has_its_refusal() {
        let cases = [
            ("GET /sip", "POST /sip", Refusal::Method),
            ("HTTP/1.1", "HTTP/1.0", Refusal::NoHost),
            ("Host:", "X-Host:", Refusal::NoHost),
            ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n", Refusal::NoUpgrade),
            ("keep-alive, Upgrade", "keep-alive", Refusal::NoUpgrade),
            ("Version: 13", "Version: 8", Refusal::Version),
            ("Sec-WebSocket-Version: 13\r\n", "", Refusal::Version),
            ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", Refusal::Key),
            ("dGhlIHNhbXBsZSBub25jZQ==", "!", Refusal::Key),
            ("Sec-WebSocket-Key:", "X-Key:", Refusal::Key),
            ("chat, sip", "chat", Refusal::Protocol),
            ("chat, sip", "sips", Refusal::Protocol),
            ("Sec-WebSocket-Protocol: chat, sip\r\n", "", Refusal::Protocol),
        ];
        for (from, to, refusal) in cases {
            let text = GOOD.replace(from, to);
            assert_eq!(Upgrade::check(&request(&text)).unwrap_err(), refusal, "{from} became {to}");
        }
        assert_eq!((Refusal::Version.status(), Refusal::Protocol.status()), (426, 400));
        assert_eq!(Refusal::Version.header(), Some(("Sec-WebSocket-Version", "13")));
    }

    #[test]
    fn two_keys_are_no_key() {
        let text = GOOD.replace("Origin:", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin:");
        assert_eq!(Upgrade::check(&request(&text)).unwrap_err(), Refusal::Key);
    }

    #[test]
    fn a_plain_request_does_not_ask_for_a_websocket() {
        assert!(!request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").asks_for_websocket());
    }

    #[test]
    fn a_head_cut_anywhere_waits_for_its_rest() {
        for cut in 0..GOOD.len() {
            assert!(
                matches!(Request::parse(&GOOD.as_bytes()[..cut]), Ok(Head::Incomplete)),
                "{cut} bytes were taken for a head"
            );
        }
    }

    #[test]
    fn an_endless_head_ends_at_the_limit() {
        let mut text = String::from("GET / HTTP/1.1\r\nX: ");
        text.push_str(&"a".repeat(MAX_HEAD));
        assert_eq!(Request::parse(text.as_bytes()).unwrap_err(), HeadError::TooLarge);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
        assert_eq!(Request::parse(many.as_bytes()).unwrap_err(), HeadError::TooLarge);
    }

    #[test]
    fn what_is_not_http_is_refused_at_once() {
        for bytes in
            [&b"\x16\x03\x01\x02"[..], b"OPTIONS sip:a SIP/2.0\r\n", b"GET / HTTP/1.1\r\nA : b\r\n\r\n"]
        {
            assert_eq!(Request::parse(bytes).unwrap_err(), HeadError::Malformed, "{bytes:?}");
        }
    }
}
