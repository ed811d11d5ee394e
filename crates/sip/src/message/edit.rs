//! Changing a received message by splicing: what is not changed keeps its octets.

use super::known::Known;
use super::{Entry, Message, Span, StartLine};
use crate::error::BuildError;
use crate::header::{HeaderName, list};
use crate::message::{HEADER_LIMIT, MESSAGE_LIMIT};
use crate::text;

/// The octets that a proxy writes itself into a forwarded message, about.
const OWN_TEXT: usize = 320;

/// One header field of the outgoing message.
#[derive(Clone, Copy, Debug)]
struct Piece {
    name: HeaderName,
    /// In the message, or in the edit's own text.
    own: bool,
    /// Octets of the name at the start of the field.
    name_length: u16,
    /// The whole field with its line end.
    field: Span,
    value: Span,
}

/// Changes to a message, kept until the message is written. Operations apply in the order they are called, each
/// to the outcome of those before it.
///
/// No value can bring a line of its own along: CR, LF and NUL are refused when the message is written, except
/// that a fold (CRLF and white space, as received values have it) is flattened to a space.
#[derive(Clone, Debug)]
pub struct Edit<'m> {
    message: &'m Message,
    pieces: Vec<Piece>,
    text: Vec<u8>,
    request_uri: Option<Span>,
    body: Option<Vec<u8>>,
    error: Option<BuildError>,
}

impl Message {
    /// Starts to edit the message. Written without a change, it gives the same bytes.
    #[must_use]
    pub fn edit(&self) -> Edit<'_> {
        let ends = self.entries.iter().skip(1).map(|entry| entry.start).chain([self.headers_end]);
        let piece = |(entry, end): (&Entry, u32)| Piece {
            name: entry.name,
            own: false,
            name_length: entry.name_length,
            field: Span { start: entry.start, end },
            value: entry.value,
        };
        let mut pieces = Vec::with_capacity(self.entries.len() + 4);
        pieces.extend(self.entries.iter().zip(ends).map(piece));
        let error = self.flaws.unfinished.then_some(BuildError::Incomplete);
        Edit {
            message: self,
            pieces,
            text: Vec::with_capacity(OWN_TEXT),
            request_uri: None,
            body: None,
            error,
        }
    }
}

impl Edit<'_> {
    /// Replaces the Request-URI.
    pub fn request_uri(&mut self, uri: &[u8]) -> &mut Self {
        if uri.is_empty() || uri.iter().any(|&byte| byte == b' ' || text::is_control(byte)) {
            self.refuse(BuildError::StartLine);
        }
        let start = self.text.len();
        self.text.extend_from_slice(uri);
        self.request_uri = Some(Span::new(start, self.text.len()));
        self
    }

    /// Puts a field before the first one of its name, or right after the start line.
    pub fn prepend(&mut self, name: HeaderName, value: &[u8]) -> &mut Self {
        let at = self.position(name).unwrap_or(0);
        self.insert(at, name, name.as_str(), value);
        self
    }

    /// Puts a field behind the last one of its name, or behind all others.
    pub fn append(&mut self, name: HeaderName, value: &[u8]) -> &mut Self {
        let last = self.pieces.iter().rposition(|piece| piece.name == name);
        self.insert(last.map_or(self.pieces.len(), |last| last + 1), name, name.as_str(), value);
        self
    }

    /// Puts a field of any name behind all others.
    pub fn append_named(&mut self, name: &str, value: &[u8]) -> &mut Self {
        let known = HeaderName::parse(name.as_bytes());
        self.insert(self.pieces.len(), known, name, value);
        self
    }

    /// Makes every field of `name` into this one, in the place of the first; appends it if there is none.
    pub fn replace(&mut self, name: HeaderName, value: &[u8]) -> &mut Self {
        let at = self.position(name).unwrap_or(self.pieces.len());
        self.remove(name);
        self.insert(at, name, name.as_str(), value);
        self
    }

    /// Removes every field of `name`.
    pub fn remove(&mut self, name: HeaderName) -> &mut Self {
        if name == HeaderName::Other {
            self.refuse(BuildError::HeaderName);
        } else {
            self.pieces.retain(|piece| piece.name != name);
        }
        self
    }

    /// Removes every field whose name is `name`, in any case of letters.
    pub fn remove_named(&mut self, name: &str) -> &mut Self {
        match HeaderName::parse(name.as_bytes()) {
            HeaderName::Other => {
                let message = self.message;
                let own = &self.text;
                self.pieces.retain(|piece| {
                    let bytes: &[u8] = if piece.own { own } else { &message.bytes };
                    let field = piece.field.of(bytes);
                    let length =
                        field.iter().position(|&byte| !text::is_token_byte(byte)).unwrap_or(field.len());
                    piece.name != HeaderName::Other
                        || !text::part(field, 0, length).eq_ignore_ascii_case(name.as_bytes())
                });
            }
            known => {
                self.remove(known);
            }
        }
        self
    }

    /// Removes the first list element of `name`, and its field if it was the only one in it.
    pub fn remove_first_value(&mut self, name: HeaderName) -> &mut Self {
        self.splice_first_value(name, None)
    }

    /// Replaces the first list element of `name`; does nothing if there is none.
    pub fn replace_first_value(&mut self, name: HeaderName, value: &[u8]) -> &mut Self {
        self.splice_first_value(name, Some(value))
    }

    /// Replaces the body, `Content-Type` and `Content-Length`. With an empty `content_type` the message has no
    /// body and no `Content-Type`.
    pub fn body(&mut self, content_type: &[u8], body: &[u8]) -> &mut Self {
        if content_type.is_empty() {
            self.remove(HeaderName::ContentType);
            self.remove(HeaderName::ContentEncoding);
            self.body = Some(Vec::new());
        } else {
            self.replace(HeaderName::ContentType, content_type);
            self.body = Some(body.to_vec());
        }
        let length = self.body.as_ref().map_or(0, Vec::len);
        self.replace(HeaderName::ContentLength, text::decimal(length as u64).as_bytes())
    }

    /// Adds `Content-Length` where the message has none, as it may on a WebSocket and in a datagram but not on a
    /// stream (RFC 3261 §18.3, RFC 7118 §5).
    pub fn ensure_content_length(&mut self) -> &mut Self {
        if self.position(HeaderName::ContentLength).is_none() {
            let length = self.body.as_deref().unwrap_or_else(|| self.message.body()).len();
            self.append(HeaderName::ContentLength, text::decimal(length as u64).as_bytes());
        }
        self
    }

    /// The value of the first field of `name` as it will be written.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.pieces.iter().find(|piece| piece.name == name).map(|piece| piece.value.of(self.bytes_of(piece)))
    }

    /// Appends the edited message to `out`.
    ///
    /// # Errors
    /// [`BuildError`] if a value cannot be written; `out` is then as it was.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), BuildError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let message = self.message;
        let start = out.len();
        out.reserve(message.bytes.len() + self.text.len());
        self.write_start_line(out);
        let mut run = Span::default();
        for piece in &self.pieces {
            if !piece.own && piece.field.start == run.end {
                run.end = piece.field.end;
                continue;
            }
            out.extend_from_slice(run.of(&message.bytes));
            run = Span::default();
            if piece.own {
                out.extend_from_slice(piece.field.of(&self.text));
            } else {
                run = piece.field;
            }
        }
        out.extend_from_slice(run.of(&message.bytes));
        let body_start = if self.body.is_some() { message.body.start } else { message.body.end };
        out.extend_from_slice(Span { start: message.headers_end, end: body_start }.of(&message.bytes));
        if let Some(body) = &self.body {
            out.extend_from_slice(body);
        }
        if out.len() - start > MESSAGE_LIMIT {
            out.truncate(start);
            return Err(BuildError::TooLarge);
        }
        Ok(())
    }

    /// The edited message.
    ///
    /// # Errors
    /// [`BuildError`] if a value cannot be written.
    pub fn finish(&self) -> Result<Vec<u8>, BuildError> {
        // Its share of the body's room is small, and what is written is never longer.
        let mut out = Vec::with_capacity(self.message.bytes.len() + self.text.len());
        self.write(&mut out)?;
        Ok(out)
    }

    /// The edited message with its index. What was found out about the message is carried over instead of being read
    /// anew: the same as [`Message::parse`] of [`Edit::finish`], at a small part of its cost.
    ///
    /// # Errors
    /// [`BuildError`] if a value cannot be written, or if there are more than [`HEADER_LIMIT`] fields.
    pub fn message(&self) -> Result<Message, BuildError> {
        let bytes = self.finish()?;
        if self.pieces.len() > HEADER_LIMIT {
            return Err(BuildError::TooLarge);
        }
        let message = self.message;
        let flaws = message.flaws;
        if flaws.line_end.is_some() || flaws.line.is_some() || flaws.start_line || message.fills_its_index() {
            // The door refuses such a message, so nobody is in a hurry.
            return Message::parse(&bytes).map_err(|_| BuildError::StartLine);
        }
        let (start_line, version, headers_start) = self.moved_start_line();
        let mut at = headers_start;
        let entries = self.pieces.iter().map(|piece| {
            let start = at;
            at += piece.field.end - piece.field.start;
            let moved = |offset: u32| start + (offset - piece.field.start);
            let value = Span { start: moved(piece.value.start), end: moved(piece.value.end) };
            let value = if piece.own { value.trimmed(&bytes) } else { value };
            Entry { start, value, name_length: piece.name_length, name: piece.name }
        });
        let entries: Vec<Entry> = entries.collect();
        let known = self.still_known();
        Ok(Message::indexed(bytes, entries, start_line, version, headers_start, at, known))
    }

    /// What is known of the message and has not been changed.
    fn still_known(&self) -> Known {
        let mut known = self.message.known;
        known.forget(HeaderName::Via);
        if self.request_uri.is_some() {
            known.uri = None;
        }
        for name in [HeaderName::From, HeaderName::To, HeaderName::CSeq] {
            if self.pieces.iter().find(|piece| piece.name == name).is_none_or(|piece| piece.own) {
                known.forget(name);
            }
        }
        known
    }

    /// The parts of the start line and where it ends, as [`Edit::write`] writes it.
    fn moved_start_line(&self) -> (StartLine, Span, u32) {
        let message = self.message;
        match (self.request_uri, message.start_line) {
            (Some(new), StartLine::Request { method, uri }) => {
                let end = uri.start + (new.end - new.start);
                let moved = |offset: u32| end + (offset - uri.end);
                let version = Span { start: moved(message.version.start), end: moved(message.version.end) };
                let uri = Span { start: uri.start, end };
                (StartLine::Request { method, uri }, version, moved(message.headers_start))
            }
            (_, start_line) => (start_line, message.version, message.headers_start),
        }
    }

    fn write_start_line(&self, out: &mut Vec<u8>) {
        let line = Span { start: 0, end: self.message.headers_start };
        match (self.request_uri, self.message.start_line) {
            (Some(new), StartLine::Request { uri, .. }) => {
                out.extend_from_slice(Span { start: 0, end: uri.start }.of(&self.message.bytes));
                out.extend_from_slice(new.of(&self.text));
                out.extend_from_slice(Span { start: uri.end, end: line.end }.of(&self.message.bytes));
            }
            _ => out.extend_from_slice(line.of(&self.message.bytes)),
        }
    }

    fn position(&self, name: HeaderName) -> Option<usize> {
        self.pieces.iter().position(|piece| piece.name == name)
    }

    fn bytes_of(&self, piece: &Piece) -> &[u8] {
        if piece.own { &self.text } else { &self.message.bytes }
    }

    fn refuse(&mut self, error: BuildError) {
        self.error.get_or_insert(error);
    }

    fn insert(&mut self, at: usize, name: HeaderName, name_text: &str, value: &[u8]) {
        if !text::is_token(name_text.as_bytes()) {
            return self.refuse(BuildError::HeaderName);
        }
        let start = self.text.len();
        self.text.extend_from_slice(name_text.as_bytes());
        self.text.extend_from_slice(b": ");
        let value_start = self.text.len();
        self.push_value(value);
        let value = Span::new(value_start, self.text.len());
        self.text.extend_from_slice(b"\r\n");
        let name_length = u16::try_from(name_text.len()).unwrap_or(u16::MAX);
        let piece = Piece { name, own: true, name_length, field: Span::new(start, self.text.len()), value };
        self.pieces.insert(at.min(self.pieces.len()), piece);
    }

    fn push_value(&mut self, value: &[u8]) {
        let value = text::unfold(value);
        if text::breaks_line(&value) {
            return self.refuse(BuildError::LineBreak);
        }
        if self.text.len() + value.len() > MESSAGE_LIMIT {
            return self.refuse(BuildError::TooLarge);
        }
        self.text.extend_from_slice(&value);
    }

    /// Cuts the first list element of `name` out, or puts another in its place. The rest of the field keeps its
    /// octets.
    fn splice_first_value(&mut self, name: HeaderName, new: Option<&[u8]>) -> &mut Self {
        let Some(at) = self.position(name) else { return self };
        let Some(piece) = self.pieces.get(at).copied() else { return self };
        let bytes: &[u8] = if piece.own { &self.text } else { &self.message.bytes };
        let value = piece.value.of(bytes);
        let comma = list::find_outside(value, b',');
        let rest = text::trim_start(text::from(value, comma + 1));
        if rest.is_empty() && new.is_none() {
            self.pieces.remove(at);
            return self;
        }
        let field = piece.field;
        let head = Span { start: field.start, end: piece.value.start }.of(bytes).to_vec();
        let end = piece.value.end as usize;
        let tail_start = match new {
            Some(_) => piece.value.start as usize + text::trim_end(text::part(value, 0, comma)).len(),
            None => end - rest.len(),
        };
        let tail = text::part(bytes, tail_start, field.end as usize).to_vec();
        let start = self.text.len();
        self.text.extend_from_slice(&head);
        let value_start = self.text.len();
        if let Some(new) = new {
            self.push_value(new);
        }
        let value_end = self.text.len() + (end - tail_start);
        self.text.extend_from_slice(&tail);
        let field = Span::new(start, self.text.len());
        let value = Span::new(value_start, value_end);
        if let Some(slot) = self.pieces.get_mut(at) {
            *slot = Piece { name, own: true, name_length: piece.name_length, field, value };
        }
        self
    }
}
