//! A message: the received bytes and an index of spans over them (RFC 3261 §7).
//!
//! [`Message::parse`] finds the edges of the start line and of every header field in one pass and parses none of
//! them. What a header means is read when somebody asks for it, so a value with any octets in it passes through
//! untouched. [`Message::check`] is the door: what it accepts may be processed and forwarded.

mod access;
mod check;
mod edit;
mod index;
mod known;
mod splice;

pub use access::Field;
pub use edit::Edit;

pub use crate::builder::Builder;

use crate::header::HeaderName;
use known::Known;

/// The most bytes a message may have.
pub const MESSAGE_LIMIT: usize = 64 * 1024;
/// The most header fields a message may have.
pub const HEADER_LIMIT: usize = 256;
/// The most Via values a message may have: one more than the hops that Max-Forwards allows by default
/// (RFC 3261 §8.1.1.6).
pub const VIA_LIMIT: usize = 70;

/// A range of the message's bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        // A message has at most 64 KiB, so every offset fits.
        Self { start: start as u32, end: end as u32 }
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        crate::text::part(bytes, self.start as usize, self.end as usize)
    }

    /// Without linear white space at both ends.
    fn trimmed(self, bytes: &[u8]) -> Self {
        let value = crate::text::trim_start(self.of(bytes));
        let start = self.end as usize - value.len();
        Self::new(start, start + crate::text::trim_end(value).len())
    }
}

/// One header field: 16 bytes. The field ends where the next one starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    start: u32,
    value: Span,
    name_length: u16,
    name: HeaderName,
}

const _: () = assert!(size_of::<Entry>() == 16);
const _: () = assert!(HeaderName::COUNT < 128, "a bit for each name");

#[derive(Clone, Copy, Debug)]
enum StartLine {
    Request { method: Span, uri: Span },
    Response { status: u16, code: Span, reason: Span },
}

/// What the pass over the bytes saw that [`Message::check`] must refuse.
#[derive(Clone, Copy, Debug, Default)]
struct Flaws {
    /// A line end that is not CRLF, or a CR that ends no line.
    line_end: Option<u32>,
    /// A header line without a colon, or whose name is no token, or a continuation with nothing but white space.
    line: Option<u32>,
    /// The start line has other white space than one space between its parts.
    start_line: bool,
    /// The bytes end inside the headers.
    unfinished: bool,
}

/// A SIP message: its bytes and where everything is in them.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// The first entry of each name; 255: none, or beyond entry 254.
    first: [u8; HeaderName::COUNT + 1],
    /// A bit for each name that more than one entry has.
    repeated: u128,
    known: Known,
    start_line: StartLine,
    version: Span,
    /// Where the first header field starts.
    headers_start: u32,
    /// Where the empty line after the headers starts.
    headers_end: u32,
    body: Span,
    flaws: Flaws,
}
