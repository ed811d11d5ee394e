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
    /// The length of the message, once its headers have been read.
    whole: usize,
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
            [b'\r' | b'\n', ..] => self.line_end(false, Framed::Pong(1)),
            _ => self.message(buffer),
        }
    }

    fn line_end(&mut self, lone: bool, framed: Framed) -> Framed {
        *self = Self { after_line_end: lone, ..Self::default() };
        framed
    }

    fn message(&mut self, buffer: &[u8]) -> Framed {
        self.after_line_end = false;
        if self.whole > 0 {
            return self.whole_message(buffer, self.whole);
        }
        if self.searched > 0 {
            // The four octets of the end may have been cut.
            let unseen = text::from(buffer, self.searched.saturating_sub(3));
            if memchr::memmem::find(unseen, b"\r\n\r\n").is_none() {
                return self.unfinished(buffer);
            }
        }
        let HeaderBlock { end, length } = match header_block(buffer) {
            Ok(Some(block)) => block,
            Ok(None) => return self.unfinished(buffer),
            Err(fault) => return Framed::Broken(fault),
        };
        let whole = end + length;
        if end > HEADER_BLOCK_LIMIT {
            return Framed::Broken(fault("the headers are larger than 32 KiB", None, HEADER_BLOCK_LIMIT));
        }
        if whole > MESSAGE_LIMIT {
            return Framed::Broken(fault(
                "the message is larger than 64 KiB",
                Some(HeaderName::ContentLength),
                0,
            ));
        }
        self.whole_message(buffer, whole)
    }

    fn whole_message(&mut self, buffer: &[u8], whole: usize) -> Framed {
        if buffer.len() < whole {
            self.whole = whole;
            return Framed::Incomplete;
        }
        *self = Self::default();
        Framed::Message(whole)
    }

    fn unfinished(&mut self, buffer: &[u8]) -> Framed {
        self.searched = buffer.len();
        if buffer.len() >= HEADER_BLOCK_LIMIT {
            return Framed::Broken(fault("the headers are larger than 32 KiB", None, HEADER_BLOCK_LIMIT));
        }
        Framed::Incomplete
    }
}

const fn fault(reason: &'static str, header: Option<HeaderName>, offset: usize) -> Fault {
    Fault { status: Some(400), reason, header, offset }
}

/// Both start lines have a version in them; anything else is another protocol.
fn not_sip(line: &[u8]) -> Option<Fault> {
    let is_sip = line.windows(4).any(|part| part.eq_ignore_ascii_case(b"SIP/"));
    (!is_sip).then(|| fault("the first line is neither a request line nor a status line", None, 0))
}

/// The start line and the headers up to and with the empty line, and the length of the body that they announce.
struct HeaderBlock {
    end: usize,
    length: usize,
}

/// The header block at the beginning of `buffer`; `None` if it does not end there.
fn header_block(buffer: &[u8]) -> Result<Option<HeaderBlock>, Fault> {
    let header = Some(HeaderName::ContentLength);
    let mut announced: Option<u64> = None;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\n', text::from(buffer, at)) {
        let end = at + found + 1;
        let line = text::part(buffer, at, end);
        if !line.ends_with(b"\r\n") {
            // Two elements could see two different ends of the headers.
            return Err(fault("a line does not end with CRLF", None, end - 1));
        }
        if line.len() == 2 {
            let length = announced.ok_or(fault("a stream needs Content-Length", header, 0))?;
            let length = usize::try_from(length).ok().filter(|length| *length <= MESSAGE_LIMIT);
            let length = length.ok_or(fault("the message is larger than 64 KiB", header, 0))?;
            return Ok(Some(HeaderBlock { end, length }));
        }
        if at == 0 {
            if let Some(fault) = not_sip(line) {
                return Err(fault);
            }
        } else if matches!(line.first(), Some(b'c' | b'C' | b'l' | b'L')) && names_length(line) {
            let value_at = at + memchr::memchr(b':', line).map_or(0, |colon| colon + 1);
            let Some(value) = unfolded_value(text::from(buffer, value_at)) else { return Ok(None) };
            let number =
                text::parse_decimal(value).ok_or(fault("the length is no number", header, value_at))?;
            if announced.is_some_and(|other| other != number) {
                return Err(fault("two lengths contradict each other", header, value_at));
            }
            announced = Some(number);
        }
        at = end;
    }
    Ok(None)
}

fn names_length(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else { return false };
    let name = text::trim_end(text::part(line, 0, colon));
    name.eq_ignore_ascii_case(b"l") || name.eq_ignore_ascii_case(b"Content-Length")
}

/// The value at the beginning of `text` up to the first line end that no white space follows, trimmed; `None` if
/// that cannot be told yet.
fn unfolded_value(text: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'\n', text::from(text, at))? + 1;
        if !text::is_space(*text.get(at)?) {
            return Some(text::trim(text::part(text, 0, at)));
        }
    }
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
