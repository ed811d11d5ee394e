//! Writing messages from nothing: requests, responses, and the response to a request.

use crate::error::BuildError;
use crate::header::{HeaderName, NameAddress};
use crate::message::{MESSAGE_LIMIT, Message};
use crate::method::Method;
use crate::status::reason_phrase;
use crate::text;

/// A message being written. The first thing that cannot be written is told by [`Builder::finish`].
///
/// No value can bring a line of its own along: CR, LF and NUL are refused, except that a fold (CRLF and white
/// space, as received values have it) is flattened to a space.
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    /// Where a To tag can still be put.
    to_end: Option<usize>,
    content: Option<(Vec<u8>, Vec<u8>)>,
    error: Option<BuildError>,
}

impl Builder {
    fn start(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), to_end: None, content: None, error: None }
    }

    /// A request.
    #[must_use]
    pub fn request(method: Method<'_>, uri: &[u8]) -> Self {
        let mut builder = Self::start(1024);
        let broken = |byte: &u8| *byte == b' ' || text::is_control(*byte);
        if !text::is_token(method.as_bytes()) || uri.is_empty() || uri.iter().any(broken) {
            builder.refuse(BuildError::StartLine);
        }
        builder.bytes.extend_from_slice(method.as_bytes());
        builder.bytes.push(b' ');
        builder.bytes.extend_from_slice(uri);
        builder.bytes.extend_from_slice(b" SIP/2.0\r\n");
        builder
    }

    /// A response. An empty `reason` stands for the default phrase.
    #[must_use]
    pub fn response(status: u16, reason: &str) -> Self {
        let mut builder = Self::start(1024);
        if !(100..700).contains(&status) {
            builder.refuse(BuildError::Status);
        }
        let reason = if reason.is_empty() { reason_phrase(status) } else { reason };
        if text::breaks_line(reason.as_bytes()) {
            builder.refuse(BuildError::LineBreak);
        }
        builder.bytes.extend_from_slice(b"SIP/2.0 ");
        text::write_decimal(&mut builder.bytes, u64::from(status));
        builder.bytes.push(b' ');
        builder.bytes.extend_from_slice(reason.as_bytes());
        builder.bytes.extend_from_slice(b"\r\n");
        builder
    }

    /// The response to `request`: its Via fields, From, To, Call-ID and CSeq are copied as they are
    /// (RFC 3261 §8.2.6.2), and into a 100 its Timestamp (§8.2.6.1). What the request lacks is left out, so a
    /// request that fails [`Message::check`] can be answered too. An empty `reason` stands for the default phrase.
    #[must_use]
    pub fn response_to(request: &Message, status: u16, reason: &str) -> Self {
        let mut builder = Self::response(status, reason).copy(request, HeaderName::Via);
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            builder = builder.copy_first(request, name);
            if name == HeaderName::To {
                builder.note_to_end(request);
            }
        }
        if status == 100 { builder.copy_first(request, HeaderName::Timestamp) } else { builder }
    }

    /// A tag may be added to a To that is well formed and has none.
    fn note_to_end(&mut self, request: &Message) {
        let open = request
            .header(HeaderName::To)
            .and_then(|value| NameAddress::parse(value).ok())
            .is_some_and(|to| to.parameter("tag").is_none());
        self.to_end = open.then(|| self.bytes.len().saturating_sub(2));
    }

    /// A header field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &[u8]) -> Self {
        self.push(name, name.as_str(), value);
        self
    }

    /// A header field of any name.
    #[must_use]
    pub fn named(mut self, name: &str, value: &[u8]) -> Self {
        self.push(HeaderName::parse(name.as_bytes()), name, value);
        self
    }

    /// Every field of `name` in `message`, octet for octet.
    #[must_use]
    pub fn copy(mut self, message: &Message, name: HeaderName) -> Self {
        for value in message.headers(name) {
            self.push_received(name, value);
        }
        self
    }

    /// The first field of `name` in `message`, octet for octet.
    #[must_use]
    pub fn copy_first(mut self, message: &Message, name: HeaderName) -> Self {
        if let Some(value) = message.header(name) {
            self.push_received(name, value);
        }
        self
    }

    /// The tag that [`Builder::response_to`] puts on the To header, unless the request's To has one already
    /// (RFC 3261 §8.2.6.2).
    #[must_use]
    pub fn to_tag(mut self, tag: &[u8]) -> Self {
        if !text::is_token(tag) {
            self.refuse(BuildError::Tag);
        } else if let Some(at) = self.to_end.take().filter(|at| *at <= self.bytes.len()) {
            self.bytes.extend_from_slice(b";tag=");
            self.bytes.extend_from_slice(tag);
            // It stands behind all that there is, and belongs before what follows the To.
            if let Some(rest) = self.bytes.get_mut(at..) {
                rest.rotate_right(b";tag=".len() + tag.len());
            }
        }
        self
    }

    /// The body and its `Content-Type`. Without a call the message has no body.
    #[must_use]
    pub fn body(mut self, content_type: &[u8], body: &[u8]) -> Self {
        self.content = Some((content_type.to_vec(), body.to_vec()));
        self
    }

    /// The message; `Content-Length` is always written.
    ///
    /// # Errors
    /// [`BuildError`]: the first thing that could not be written.
    pub fn finish(mut self) -> Result<Vec<u8>, BuildError> {
        let (content_type, body) = self.content.take().unwrap_or_default();
        if !content_type.is_empty() {
            self.push(HeaderName::ContentType, HeaderName::ContentType.as_str(), &content_type);
        }
        self.bytes.extend_from_slice(b"Content-Length: ");
        text::write_decimal(&mut self.bytes, body.len() as u64);
        self.bytes.extend_from_slice(b"\r\n\r\n");
        self.bytes.extend_from_slice(&body);
        if self.bytes.len() > MESSAGE_LIMIT {
            self.refuse(BuildError::TooLarge);
        }
        self.error.map_or(Ok(self.bytes), Err)
    }

    fn refuse(&mut self, error: BuildError) {
        self.error.get_or_insert(error);
    }

    fn push(&mut self, name: HeaderName, name_text: &str, value: &[u8]) {
        let is_plain = name != HeaderName::Other && !text::breaks_line(value);
        if is_plain && name != HeaderName::ContentLength {
            return self.push_line(name_text, value);
        }
        let value = text::unfold(value);
        if name == HeaderName::ContentLength {
            self.refuse(BuildError::ContentLength);
        } else if !text::is_token(name_text.as_bytes()) {
            self.refuse(BuildError::HeaderName);
        } else if text::breaks_line(&value) {
            self.refuse(BuildError::LineBreak);
        } else {
            self.push_line(name_text, &value);
        }
    }

    /// A value out of an indexed message: its line structure was seen by the index, so it may keep folds and any
    /// octets. A bare CR or LF, which the index tolerates and `check` refuses, becomes a space.
    fn push_received(&mut self, name: HeaderName, value: &[u8]) {
        let start = self.bytes.len();
        self.push_line(name.as_str(), value);
        let end = self.bytes.len().saturating_sub(2);
        if let Some(copied) = self.bytes.get_mut(start..end) {
            mend_line_ends(copied);
        }
    }

    fn push_line(&mut self, name: &str, value: &[u8]) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// Turns every CR and LF that is not part of a fold into a space.
fn mend_line_ends(value: &mut [u8]) {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return;
    }
    let mut at = 0;
    while let Some(rest) = value.get_mut(at..) {
        match rest {
            [] => return,
            [b'\r', b'\n', b' ' | b'\t', ..] => at += 3,
            [byte, ..] => {
                if matches!(*byte, b'\r' | b'\n') {
                    *byte = b' ';
                }
                at += 1;
            }
        }
    }
}
