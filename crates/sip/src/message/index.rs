//! The one pass over the bytes: start line, header fields, body (RFC 3261 §7, §18.3).

use super::known::Known;
use super::{Entry, Flaws, HEADER_LIMIT, MESSAGE_LIMIT, Message, Span, StartLine};
use crate::error::ParseError;
use crate::header::HeaderName;
use crate::text;

/// Octets that a received message may grow by in its place: what is written into its Via.
const ROOM: usize = 64;

/// In [`Message::first`]: no entry of the name below 255.
const NONE: u8 = u8::MAX;

impl Message {
    /// Indexes one datagram, one WebSocket message, or what the stream framing cut out.
    ///
    /// Line ends before the start line are skipped (RFC 3261 §7.5); octets behind the body that
    /// `Content-Length` announces are dropped (RFC 3261 §18.3).
    ///
    /// # Errors
    /// [`ParseError`] if there is nothing to index. Everything else is for [`Message::check`] to find, so that an
    /// error response can still be built.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > MESSAGE_LIMIT {
            return Err(ParseError::TooLarge);
        }
        let skipped =
            bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).ok_or(ParseError::Empty)?;
        let bytes = text::from(bytes, skipped);
        let mut flaws = Flaws::default();
        let mut entries = Vec::with_capacity(20);
        let mut names = Names::default();

        let line = next_line(bytes, 0, &mut flaws);
        let (start_line, version) = start_line(text::part(bytes, 0, line.end), &mut flaws)?;
        let headers_start = line.next;
        let mut at = line.next;
        let headers_end = loop {
            let line = next_line(bytes, at, &mut flaws);
            if line.end == at {
                // The empty line; or no more bytes, and so no empty line.
                flaws.unfinished = line.next == at;
                break at;
            }
            let end = continued(bytes, line, &mut flaws);
            if entries.len() == HEADER_LIMIT {
                return Err(ParseError::TooManyHeaders);
            }
            let entry = header_line(bytes, at, end.end, &mut flaws);
            names.note(entry.name, entries.len());
            entries.push(entry);
            at = end.next;
        };
        let after = next_line(bytes, headers_end, &mut Flaws::default()).next;
        let mut message = Self {
            bytes: Vec::new(),
            entries,
            first: names.first,
            repeated: names.repeated,
            known: Known::default(),
            start_line,
            version,
            headers_start: headers_start as u32,
            headers_end: headers_end as u32,
            body: Span::new(after, bytes.len()),
            flaws,
        };
        let end = message.body_end(bytes);
        message.body = Span::new(after, end);
        message.bytes = Vec::with_capacity(end + ROOM);
        message.bytes.extend_from_slice(text::part(bytes, 0, end));
        Ok(message)
    }

    /// The message that these bytes are, whose fields are known, and in which no flaw was seen. The empty line stands
    /// at `headers_end`.
    pub(super) fn indexed(
        bytes: Vec<u8>,
        entries: Vec<Entry>,
        start_line: StartLine,
        version: Span,
        headers_start: u32,
        headers_end: u32,
        known: Known,
    ) -> Self {
        let Names { first, repeated } = Names::of(&entries);
        let body = Span::new((headers_end as usize + 2).min(bytes.len()), bytes.len());
        let mut message = Self {
            bytes,
            entries,
            first,
            repeated,
            known,
            start_line,
            version,
            headers_start,
            headers_end,
            body,
            flaws: Flaws::default(),
        };
        let end = message.body_end(&message.bytes);
        message.body.end = end as u32;
        message.bytes.truncate(end);
        message
    }

    /// Whether it has fields beyond those that the index finds by name at once.
    pub(super) fn fills_its_index(&self) -> bool {
        self.entries.len() >= usize::from(NONE)
    }

    /// Where the body ends: what `Content-Length` says if it can be believed, else the end of the bytes.
    fn body_end(&self, bytes: &[u8]) -> usize {
        let start = self.body.start as usize;
        let announced = self
            .first_entry(HeaderName::ContentLength)
            .and_then(|entry| text::parse_decimal(entry.value.of(bytes)))
            .and_then(|length| usize::try_from(length).ok());
        match announced {
            Some(length) if length <= bytes.len() - start => start + length,
            _ => bytes.len(),
        }
    }

    /// Finds the first entry of each name anew.
    pub(super) fn find_names(&mut self) {
        let names = Names::of(&self.entries);
        (self.first, self.repeated) = (names.first, names.repeated);
    }

    /// The place of the first entry of `name`.
    pub(super) fn first_place(&self, name: HeaderName) -> Option<usize> {
        match self.first.get(name as usize) {
            // "None", or "from 255 on".
            None | Some(&NONE) => {
                let beyond = self.entries.get(usize::from(NONE)..)?;
                Some(usize::from(NONE) + beyond.iter().position(|entry| entry.name == name)?)
            }
            Some(place) => Some(usize::from(*place)),
        }
    }

    /// The first entry of `name`.
    pub(super) fn first_entry(&self, name: HeaderName) -> Option<&Entry> {
        self.entries.get(self.first_place(name)?)
    }

    /// Whether more than one entry has this name.
    pub(super) const fn repeats(&self, name: HeaderName) -> bool {
        self.repeated >> (name as u32) & 1 == 1
    }

    /// Whether more than one entry has one of these names, which have one bit each.
    pub(super) const fn repeats_any(&self, names: u128) -> bool {
        self.repeated & names != 0
    }

    /// The entries of `name`, in order.
    pub(super) fn entries_of(&self, name: HeaderName) -> impl Iterator<Item = &Entry> {
        let from = self.first_place(name).and_then(|place| self.entries.get(place..)).unwrap_or_default();
        // Most names are there once.
        let end = if self.repeats(name) { from.len() } else { from.len().min(1) };
        from.get(..end).unwrap_or_default().iter().filter(move |entry| entry.name == name)
    }
}

/// Where the names first stand, and which do so again.
struct Names {
    first: [u8; HeaderName::COUNT + 1],
    repeated: u128,
}

impl Default for Names {
    fn default() -> Self {
        Self { first: [NONE; HeaderName::COUNT + 1], repeated: 0 }
    }
}

impl Names {
    fn of(entries: &[Entry]) -> Self {
        let mut names = Self::default();
        for (place, entry) in entries.iter().enumerate() {
            names.note(entry.name, place);
        }
        names
    }

    fn note(&mut self, name: HeaderName, place: usize) {
        let Some(slot) = self.first.get_mut(name as usize) else { return };
        if *slot == NONE && place < usize::from(NONE) {
            *slot = place as u8;
        } else {
            // Of those beyond the index it is not known.
            self.repeated |= 1 << (name as u32);
        }
    }
}

/// A line: its end without the line end, and where the next line starts.
struct Line {
    end: usize,
    next: usize,
}

/// The line that starts at `at`. CRLF ends it; a bare LF ends it too and is told as a flaw, so that no two
/// elements can read different headers out of one message.
#[inline]
fn next_line(bytes: &[u8], at: usize, flaws: &mut Flaws) -> Line {
    if let Some(length) = memchr::memchr2(b'\r', b'\n', text::from(bytes, at)) {
        let end = at + length;
        if bytes.get(end..end + 2) == Some(b"\r\n") {
            return Line { end, next: end + 2 };
        }
    }
    odd_line(bytes, at, flaws)
}

/// [`next_line`] where the line does not end with the first CR and the LF behind it.
#[cold]
fn odd_line(bytes: &[u8], at: usize, flaws: &mut Flaws) -> Line {
    let mut search = at;
    while let Some(found) = memchr::memchr2(b'\r', b'\n', text::from(bytes, search)) {
        let end = search + found;
        if bytes.get(end) == Some(&b'\n') {
            flaws.line_end.get_or_insert(end as u32);
            return Line { end, next: end + 1 };
        }
        if bytes.get(end + 1) == Some(&b'\n') {
            return Line { end, next: end + 2 };
        }
        flaws.line_end.get_or_insert(end as u32);
        search = end + 1;
    }
    flaws.unfinished = true;
    Line { end: bytes.len(), next: bytes.len() }
}

/// The end of a header field that starts with `line`: lines that begin with white space continue it
/// (RFC 3261 §7.3.1).
#[inline]
fn continued(bytes: &[u8], line: Line, flaws: &mut Flaws) -> Line {
    if bytes.get(line.next).copied().is_some_and(text::is_space) {
        return folded(bytes, line, flaws);
    }
    line
}

#[cold]
fn folded(bytes: &[u8], mut last: Line, flaws: &mut Flaws) -> Line {
    while bytes.get(last.next).copied().is_some_and(text::is_space) {
        let start = last.next;
        last = next_line(bytes, start, flaws);
        if text::part(bytes, start, last.end).iter().copied().all(text::is_space) {
            // Careless readers take a line of white space for the end of the headers.
            flaws.line.get_or_insert(start as u32);
        }
    }
    last
}

/// The header field between `start` and `end`. A line that is none keeps its bytes as a name without a value.
fn header_line(bytes: &[u8], start: usize, end: usize, flaws: &mut Flaws) -> Entry {
    let line = text::part(bytes, start, end);
    // A name that we know is a token: nearly every line begins with one.
    if let Some(colon) = text::near_colon(line) {
        let name = HeaderName::parse(text::part(line, 0, colon));
        if name != HeaderName::Other {
            return entry(name, start, colon, text::from(line, colon + 1), end);
        }
    }
    let name_length = text::token_length(line);
    let mut colon = name_length;
    // RFC 3261 §25.1: HCOLON = *( SP / HTAB ) ":" SWS.
    while line.get(colon).copied().is_some_and(text::is_space) {
        colon += 1;
    }
    if name_length == 0 || line.get(colon) != Some(&b':') || name_length > usize::from(u16::MAX) {
        flaws.line.get_or_insert(start as u32);
        return Entry {
            start: start as u32,
            value: Span::new(end, end),
            name_length: u16::try_from(line.len()).unwrap_or(u16::MAX),
            name: HeaderName::Other,
        };
    }
    let name = HeaderName::parse(text::part(line, 0, name_length));
    entry(name, start, name_length, text::from(line, colon + 1), end)
}

/// The entry of a header field from `start` to `end`, of which this stands behind the colon.
fn entry(name: HeaderName, start: usize, name_length: usize, behind: &[u8], end: usize) -> Entry {
    let value = text::trim_start(behind);
    let value_start = end - value.len();
    let value_end = value_start + text::trim_end(value).len();
    Entry {
        start: start as u32,
        value: Span::new(value_start, value_end),
        name_length: name_length as u16,
        name,
    }
}

/// A request line or a status line (RFC 3261 §7.1, §7.2), read as tolerantly as can be answered.
fn start_line(line: &[u8], flaws: &mut Flaws) -> Result<(StartLine, Span), ParseError> {
    let first_space = memchr::memchr(b' ', line).ok_or(ParseError::StartLine)?;
    if is_version(text::part(line, 0, first_space)) {
        let code_start = first_space + 1;
        let code = text::from(line, code_start);
        let code_length = code.iter().position(|&byte| text::is_space(byte)).unwrap_or(code.len());
        let code_end = code_start + code_length;
        // RFC 3261 §7.2: the space before the reason phrase is mandatory; peers leave it out with the phrase.
        let reason_start = (code_end + 1).min(line.len());
        let status = status_code(text::part(line, code_start, code_end));
        let start_line = StartLine::Response {
            status,
            code: Span::new(code_start, code_end),
            reason: Span::new(reason_start, line.len()),
        };
        return Ok((start_line, Span::new(0, first_space)));
    }
    let end = text::trim_end(line).len();
    let last_space = memchr::memrchr(b' ', text::part(line, 0, end)).ok_or(ParseError::StartLine)?;
    if first_space == 0 || !is_version(text::part(line, last_space + 1, end)) {
        return Err(ParseError::StartLine);
    }
    let between = text::part(line, first_space, last_space);
    let uri = text::trim(between);
    if uri.is_empty() {
        return Err(ParseError::StartLine);
    }
    flaws.start_line |= end != line.len() || uri.len() + 1 != between.len();
    let uri_start = first_space + (between.len() - text::trim_start(between).len());
    let start_line = StartLine::Request {
        method: Span::new(0, first_space),
        uri: Span::new(uri_start, uri_start + uri.len()),
    };
    Ok((start_line, Span::new(last_space + 1, end)))
}

/// `SIP/` and a number, a dot and a number (RFC 3261 §25.1, `SIP-Version`), in any case of letters.
fn is_version(text: &[u8]) -> bool {
    let Some((name, number)) = text.split_at_checked(4) else { return false };
    let mut parts = number.splitn(2, |&byte| byte == b'.');
    let is_number = |part: Option<&[u8]>| {
        part.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
    };
    name.eq_ignore_ascii_case(b"SIP/") && is_number(parts.next()) && is_number(parts.next())
}

/// Three digits from 100 to 699; 0 for everything else.
fn status_code(text: &[u8]) -> u16 {
    let code = if text.len() == 3 { text::parse_decimal(text) } else { None };
    code.and_then(|code| u16::try_from(code).ok()).filter(|code| (100..700).contains(code)).unwrap_or(0)
}
