//! One line of a session description: a letter, `=`, and a value (RFC 8866 §5).

/// One line, without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The letter before `=`.
    pub letter: u8,
    /// Everything after `=`, as received.
    pub value: &'a [u8],
}

impl<'a> Line<'a> {
    /// The name and value of an attribute line: `a=name:value` or `a=name` (RFC 8866 §5.13).
    #[must_use]
    pub fn attribute(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.letter != b'a' {
            return None;
        }
        match self.value.iter().position(|octet| *octet == b':') {
            Some(colon) => Some((self.value.get(..colon)?, self.value.get(colon + 1..)?)),
            None => Some((self.value, b"")),
        }
    }
}
