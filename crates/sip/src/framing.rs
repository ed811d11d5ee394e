//! Where one message ends and the next begins on a stream (RFC 3261 §18.3, RFC 5626 §3.5.1).

use crate::error::Fault;
use crate::header::HeaderName;
use crate::message::MESSAGE_LIMIT;
use crate::text;

/// The most bytes that the start line and the headers of a message on a stream may take.
pub const HEADER_BLOCK_LIMIT: usize = 32 * 1024;

/// What stands at the beginning of a stream's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// A whole message of this many bytes.
    Message(usize),
    /// A CRLF CRLF ping of this many bytes: answer with one CRLF.
    KeepAlive(usize),
    /// A line end of this many bytes: the answer to a ping, or nothing. Skip it.
    Pong(usize),
    /// More bytes are needed.
    Incomplete,
    /// The stream cannot be followed any further: answer if the fault says so, and close.
    Broken(Fault),
}

/// Looks at the beginning of `buffer`. Whoever reads a stream in small pieces takes a [`Framer`], which also
/// knows a ping that arrives in two pieces.
#[must_use]
pub fn frame(buffer: &[u8]) -> Framed {
    Framer::default().next(buffer)
}

/// The framing of one stream. It holds no bytes, only what it knows of those that it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framer {
    /// The bytes before the buffer were one lone CRLF.
    after_line_end: bool,
    /// Up to here the buffer has been searched for the end of the headers in vain.
    searched: usize,
}

impl Framer {
    /// Looks at the beginning of `buffer`. The caller removes as many bytes as the answer says; after
    /// [`Framed::Incomplete`] it calls again with the same bytes and more behind them.
    #[must_use]
    pub fn next(&mut self, buffer: &[u8]) -> Framed {
        match buffer {
            [] => Framed::Incomplete,
            [b'\r', b'\n', b'\r', b'\n', ..] => self.line_end(false, Framed::KeepAlive(4)),
            [b'\r', b'\n', ..] if self.after_line_end => self.line_end(false, Framed::KeepAlive(2)),
            [b'\r', b'\n', ..] => self.line_end(true, Framed::Pong(2)),
            [b'\r'] => Framed::Incomplete,
            [b'\n', ..] => self.line_end(false, Framed::Pong(1)),
            _ => self.message(buffer),
        }
    }

    fn line_end(&mut self, lone: bool, framed: Framed) -> Framed {
        *self = Self { after_line_end: lone, searched: 0 };
        framed
    }

    fn message(&mut self, buffer: &[u8]) -> Framed {
        self.after_line_end = false;
        // The four octets of the end may have been cut.
        let from = self.searched.saturating_sub(3);
        let Some(found) = memchr::memmem::find(text::from(buffer, from), b"\r\n\r\n") else {
            self.searched = buffer.len();
            return match early_fault(buffer) {
                Some(fault) => Framed::Broken(fault),
                None => Framed::Incomplete,
            };
        };
        let headers = from + found + 4;
        self.searched = headers.saturating_sub(4);
        if headers > HEADER_BLOCK_LIMIT {
            return Framed::Broken(fault("the headers are larger than 32 KiB", None, HEADER_BLOCK_LIMIT));
        }
        match length(text::part(buffer, 0, headers)) {
            Err(fault) => Framed::Broken(fault),
            Ok(body) if headers + body > MESSAGE_LIMIT => {
                Framed::Broken(fault("the message is larger than 64 KiB", Some(HeaderName::ContentLength), 0))
            }
            Ok(body) if buffer.len() < headers + body => Framed::Incomplete,
            Ok(body) => {
                *self = Self::default();
                Framed::Message(headers + body)
            }
        }
    }
}

const fn fault(reason: &'static str, header: Option<HeaderName>, offset: usize) -> Fault {
    Fault { status: Some(400), reason, header, offset }
}

/// What can be said before the headers have ended.
fn early_fault(buffer: &[u8]) -> Option<Fault> {
    if buffer.len() >= HEADER_BLOCK_LIMIT {
        return Some(fault("the headers are larger than 32 KiB", None, HEADER_BLOCK_LIMIT));
    }
    let line = text::part(buffer, 0, memchr::memchr(b'\n', buffer)?);
    not_sip(line)
}

/// Both start lines have a version in them; anything else is another protocol.
fn not_sip(line: &[u8]) -> Option<Fault> {
    let is_sip = line.windows(4).any(|part| part.eq_ignore_ascii_case(b"SIP/"));
    (!is_sip).then(|| fault("the first line is neither a request line nor a status line", None, 0))
}

/// The length of the body that the header block announces.
fn length(block: &[u8]) -> Result<usize, Fault> {
    let mut announced: Option<u64> = None;
    let mut at = 0;
    let mut first_line = true;
    while let Some(found) = memchr::memchr(b'\n', text::from(block, at)) {
        let end = at + found;
        if end == 0 || block.get(end - 1) != Some(&b'\r') {
            // Two elements could see two different ends of the headers.
            return Err(fault("a line does not end with CRLF", None, end));
        }
        let line = text::part(block, at, end + 1);
        if first_line {
            if let Some(fault) = not_sip(line) {
                return Err(fault);
            }
            first_line = false;
        } else if matches!(line.first(), Some(b'c' | b'C' | b'l' | b'L')) && names_length(line) {
            let value_at = at + memchr::memchr(b':', line).map_or(0, |colon| colon + 1);
            let value = unfolded_value(text::from(block, value_at));
            let header = Some(HeaderName::ContentLength);
            let number =
                text::parse_decimal(value).ok_or(fault("the length is no number", header, value_at))?;
            if announced.is_some_and(|other| other != number) {
                return Err(fault("two lengths contradict each other", header, value_at));
            }
            announced = Some(number);
        }
        at = end + 1;
    }
    let announced =
        announced.ok_or(fault("a stream needs Content-Length", Some(HeaderName::ContentLength), 0))?;
    usize::try_from(announced).ok().filter(|length| *length <= MESSAGE_LIMIT).ok_or(fault(
        "the message is larger than 64 KiB",
        Some(HeaderName::ContentLength),
        0,
    ))
}

fn names_length(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else { return false };
    HeaderName::parse(text::trim_end(text::part(line, 0, colon))) == HeaderName::ContentLength
}

/// The value at the beginning of `text` up to the first line end that no white space follows, trimmed.
fn unfolded_value(text: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\n', text::from(text, at)) {
        at += found + 1;
        if !text.get(at).copied().is_some_and(text::is_space) {
            break;
        }
    }
    text::trim(text::part(text, 0, at))
}

/// A datagram or a WebSocket message that is no SIP message but keeps a way open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// CRLF CRLF: answer with one CRLF (RFC 5626 §3.5.1, RFC 7118 §6).
    Ping,
    /// CRLF: the answer to a ping.
    Pong,
    /// Nothing, NULs, spaces, or `jaK` as some phones send it: no answer.
    Silent,
}

/// Whether a whole datagram or WebSocket message is a keep-alive, and which.
#[must_use]
pub fn keep_alive(message: &[u8]) -> Option<KeepAlive> {
    match message {
        b"\r\n\r\n" => Some(KeepAlive::Ping),
        b"\r\n" => Some(KeepAlive::Pong),
        b"jaK" => Some(KeepAlive::Silent),
        other => other
            .iter()
            .all(|byte| matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n'))
            .then_some(KeepAlive::Silent),
    }
}
