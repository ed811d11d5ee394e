//! The list of parameters after the word `Digest` (RFC 3261 §25.1: `digest-cln`, `dig-resp`).

use core::fmt;

use crate::text::{breaks_line, from, is_linear_space, is_parameter_name_byte, part};

/// Why a challenge or credentials could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestError {
    /// The scheme is not `Digest`.
    OtherScheme,
    /// The list of parameters is broken: no name, an open quotation mark, something between two parameters.
    Syntax,
    /// A parameter that must be there is not. It is named.
    Missing(&'static str),
    /// A parameter is there twice, so that two readers could take two values. It is named.
    Repeated(&'static str),
    /// A parameter's value cannot be understood. It is named.
    Invalid(&'static str),
    /// A text to be written holds CR, LF or NUL.
    ControlCharacter,
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, name) = match self {
            Self::OtherScheme => ("the authentication scheme is not Digest", ""),
            Self::Syntax => ("the list of digest parameters is broken", ""),
            Self::Missing(name) => ("a digest parameter is missing: ", *name),
            Self::Repeated(name) => ("a digest parameter is there twice: ", *name),
            Self::Invalid(name) => ("a digest parameter has a value that means nothing: ", *name),
            Self::ControlCharacter => ("a digest parameter holds a control character", ""),
        };
        f.write_str(text)?;
        f.write_str(name)
    }
}

impl core::error::Error for DigestError {}

/// A name and its value.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Reads `name = value` pairs one by one. Values are given without their quotation marks.
pub(super) struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// Starts behind the scheme of a header value.
    pub(super) fn of(value: &'a [u8]) -> Result<Self, DigestError> {
        let value = value.trim_ascii();
        let end = value.iter().position(u8::is_ascii_whitespace).ok_or(DigestError::OtherScheme)?;
        let (scheme, rest) = value.split_at_checked(end).ok_or(DigestError::Syntax)?;
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Err(DigestError::OtherScheme);
        }
        Ok(Self { rest })
    }

    /// The next parameter. `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Pair<'a>>, DigestError> {
        let text = self.rest;
        // Empty elements are allowed in comma lists of HTTP, and seen after a last parameter.
        let start = skip(text, 0, |byte| byte == b',' || is_linear_space(byte));
        if start == text.len() {
            return Ok(None);
        }
        let end = skip(text, start, is_parameter_name_byte);
        let equals = skip(text, end, is_linear_space);
        if start == end || text.get(equals) != Some(&b'=') {
            return Err(DigestError::Syntax);
        }
        let at = skip(text, equals + 1, is_linear_space);
        let value = match text.get(at) {
            Some(b'"') => self.quoted(at + 1)?,
            _ => self.bare(at),
        };
        Ok(Some((part(text, start, end), value)))
    }

    /// A value up to its closing quotation mark; a backslash takes the next character's meaning away.
    fn quoted(&mut self, start: usize) -> Result<&'a [u8], DigestError> {
        let text = self.rest;
        let mut close = start;
        loop {
            close += memchr::memchr2(b'"', b'\\', from(text, close)).ok_or(DigestError::Syntax)?;
            if text.get(close) == Some(&b'"') {
                break;
            }
            close += 2;
        }
        let next = skip(text, close + 1, is_linear_space);
        if text.get(next).is_some_and(|byte| *byte != b',') {
            return Err(DigestError::Syntax);
        }
        self.rest = from(text, next);
        Ok(part(text, start, close))
    }

    /// A value without quotation marks, up to the next comma.
    fn bare(&mut self, start: usize) -> &'a [u8] {
        let text = from(self.rest, start);
        let end = memchr::memchr(b',', text).unwrap_or(text.len());
        self.rest = from(text, end);
        part(text, 0, end).trim_ascii()
    }
}

/// Where the first octet from `at` on stands that is not to be skipped.
fn skip(text: &[u8], mut at: usize, skipped: impl Fn(u8) -> bool) -> usize {
    while text.get(at).is_some_and(|byte| skipped(*byte)) {
        at += 1;
    }
    at
}

/// Puts `value` into its place, once.
pub(super) fn once<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), DigestError> {
    if place.replace(value).is_some() { Err(DigestError::Repeated(name)) } else { Ok(()) }
}

/// Appends `name="value"`, refusing what would end the line.
pub(super) fn write_quoted(out: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<(), DigestError> {
    clean(value)?;
    write_bare(out, name, b"\"")?;
    out.extend_from_slice(value);
    out.push(b'"');
    Ok(())
}

/// Appends `name=value`.
pub(super) fn write_bare(out: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<(), DigestError> {
    clean(value)?;
    out.extend_from_slice(if out.is_empty() { b"Digest " } else { b", " });
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value);
    Ok(())
}

fn clean(value: &[u8]) -> Result<(), DigestError> {
    if breaks_line(value) { Err(DigestError::ControlCharacter) } else { Ok(()) }
}

/// `text` as it stands between quotation marks: `"` and `\` get a backslash (RFC 3261 §25.1: `quoted-pair`).
pub(super) fn escape(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}
