//! A whole session description as a list of lines, and edits that change only what they name.

use crate::{Line, MediaSection};
use std::fmt;

/// The longest description that is read, in octets: what fits in one SIP message.
pub const MAX_LENGTH: usize = 65_536;
/// The most lines that are read.
pub const MAX_LINES: usize = 4096;

/// What is wrong with a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptionError {
    /// It is longer than [`MAX_LENGTH`] or has more than [`MAX_LINES`] lines.
    TooLong,
    /// It does not begin with `v=0` (RFC 8866 §5.1).
    NoVersion,
    /// A line, counted from 1, is not a letter, `=` and a value.
    NotALine(usize),
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the session description is too long",
            Self::NoVersion => "the session description does not begin with v=0",
            Self::NotALine(_) => {
                "a line of the session description is not a letter, an equals sign and a value"
            }
        })
    }
}

impl std::error::Error for DescriptionError {}

/// One stored line: its octets with the line end they came with, so that nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    octets: Box<[u8]>,
    /// Octets before the line end.
    length: usize,
}

impl Stored {
    fn new(letter: u8, value: &[u8]) -> Self {
        let mut octets = Vec::with_capacity(value.len() + 4);
        octets.extend_from_slice(&[letter, b'=']);
        // A line end inside a value would be a line of its own: it ends here.
        octets.extend(value.iter().copied().take_while(|octet| !matches!(octet, b'\r' | b'\n' | 0)));
        let length = octets.len();
        octets.extend_from_slice(b"\r\n");
        Self { octets: octets.into(), length }
    }
}

/// A session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    lines: Vec<Stored>,
}

impl Description {
    /// Reads a description. Line ends may be CR LF or a bare LF (RFC 8866 §5 asks for tolerance), and the last
    /// one may be missing; [`Description::write`] gives them back as they were.
    ///
    /// # Errors
    /// When it is too long, has no `v=0` first, or holds something that is not a line.
    pub fn parse(text: &[u8]) -> Result<Self, DescriptionError> {
        if text.len() > MAX_LENGTH {
            return Err(DescriptionError::TooLong);
        }
        let mut lines = Vec::new();
        for (index, octets) in text.split_inclusive(|octet| *octet == b'\n').enumerate() {
            if index == MAX_LINES {
                return Err(DescriptionError::TooLong);
            }
            let content = octets.strip_suffix(b"\n").unwrap_or(octets);
            let content = content.strip_suffix(b"\r").unwrap_or(content);
            let is_line = matches!(content, [letter, b'=', ..] if letter.is_ascii_alphabetic());
            if !is_line && !content.is_empty() {
                return Err(DescriptionError::NotALine(index + 1));
            }
            lines.push(Stored { octets: octets.into(), length: content.len() });
        }
        let description = Self { lines };
        match description.line(0) {
            Some(Line { letter: b'v', value: b"0" }) => Ok(description),
            _ => Err(DescriptionError::NoVersion),
        }
    }

    /// Writes the description, octet for octet as it was read but for the edits.
    pub fn write(&self, out: &mut Vec<u8>) {
        for line in &self.lines {
            out.extend_from_slice(&line.octets);
        }
    }

    /// How many lines there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line at all. Never so after [`Description::parse`].
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The line at a position, counted from 0. Empty lines are none.
    #[must_use]
    pub fn line(&self, index: usize) -> Option<Line<'_>> {
        let stored = self.lines.get(index)?;
        match stored.octets.get(..stored.length)? {
            [letter, b'=', value @ ..] => Some(Line { letter: *letter, value }),
            _ => None,
        }
    }

    /// The lines before the first media section.
    pub fn session_lines(&self) -> impl Iterator<Item = Line<'_>> {
        (0..self.len()).map_while(|index| self.line(index)).take_while(|line| line.letter != b'm')
    }

    /// The media sections in their order.
    pub fn media(&self) -> impl Iterator<Item = MediaSection<'_>> {
        let starts = (0..self.len()).filter(|index| self.is_media_line(*index));
        starts.map(|first| {
            let end = (first + 1..self.len()).find(|index| self.is_media_line(*index)).unwrap_or(self.len());
            MediaSection::new(self, first, end)
        })
    }

    fn is_media_line(&self, index: usize) -> bool {
        self.line(index).is_some_and(|line| line.letter == b'm')
    }

    /// The value of an attribute in the session part.
    #[must_use]
    pub fn attribute(&self, name: &[u8]) -> Option<&[u8]> {
        let mut attributes = self.session_lines().filter_map(|line| line.attribute());
        attributes.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Replaces the line at a position. A CR, LF or NUL ends the value. Does nothing where there is no line.
    pub fn replace(&mut self, index: usize, letter: u8, value: &[u8]) {
        if let Some(line) = self.lines.get_mut(index) {
            *line = Stored::new(letter, value);
        }
    }

    /// Inserts a line before the one at a position, or at the end. A CR, LF or NUL ends the value.
    pub fn insert(&mut self, index: usize, letter: u8, value: &[u8]) {
        self.lines.insert(index.min(self.lines.len()), Stored::new(letter, value));
    }

    /// Removes the line at a position. Does nothing where there is no line.
    pub fn remove(&mut self, index: usize) {
        if index < self.lines.len() {
            self.lines.remove(index);
        }
    }
}
