//! Percent escapes (RFC 3261 §19.1.2).

use std::borrow::Cow;

/// Whether every `%` in `text` is followed by two hexadecimal digits.
pub(crate) fn is_well_escaped(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let Some(pair) = rest.get(at + 1..at + 3) else { return false };
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        rest = crate::text::from(rest, at + 3);
    }
    true
}

/// `text` with its percent escapes resolved. `%00` gives a NUL octet: never use the result as a C string.
#[must_use]
pub fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(Octets { rest: text }.map(|(octet, _)| octet).collect())
}

/// `text` as the user part of a SIP URI: everything is escaped that RFC 3261 §25.1 does not list as `unreserved`
/// or `user-unreserved`.
#[must_use]
pub fn escape_user(text: &[u8]) -> Cow<'_, [u8]> {
    escape(text, b"&=+$,;?/")
}

/// `text` as a parameter's name or value (RFC 3261 §25.1 `paramchar`).
#[must_use]
pub fn escape_parameter(text: &[u8]) -> Cow<'_, [u8]> {
    escape(text, b"[]/:&+$")
}

/// `text` as the name or value of a URI header (RFC 3261 §25.1 `hname`, `hvalue`).
#[must_use]
pub fn escape_header(text: &[u8]) -> Cow<'_, [u8]> {
    escape(text, b"[]/?:+$")
}

fn escape<'a>(text: &'a [u8], allowed: &[u8]) -> Cow<'a, [u8]> {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) || allowed.contains(&byte);
    if text.iter().all(|&byte| plain(byte)) {
        return Cow::Borrowed(text);
    }
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or(b'0');
    let mut escaped = Vec::with_capacity(text.len() + 8);
    for &byte in text {
        if plain(byte) {
            escaped.push(byte);
        } else {
            escaped.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
        }
    }
    Cow::Owned(escaped)
}

/// The octets of escaped text, each with whether it was escaped. A `%` without two digits stands for itself.
pub(crate) struct Octets<'a> {
    pub(crate) rest: &'a [u8],
}

impl Iterator for Octets<'_> {
    type Item = (u8, bool);

    fn next(&mut self) -> Option<(u8, bool)> {
        let (&first, rest) = self.rest.split_first()?;
        if first == b'%'
            && let [high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hexadecimal(*high), hexadecimal(*low))
        {
            self.rest = after;
            return Some((high << 4 | low, true));
        }
        self.rest = rest;
        Some((first, false))
    }
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_written_and_resolved() {
        assert_eq!(&*escape_user(b"a b@#\0"), b"a%20b%40%23%00");
        assert_eq!(&*unescape(b"a%20b%40%23%00"), b"a b@#\0");
        assert_eq!(&*unescape(b"100%"), b"100%");
        assert_eq!(&*escape_parameter(b"a;b=[::1]"), b"a%3Bb%3D[::1]");
        assert_eq!(&*escape_header(b"x@y;to-tag=1"), b"x%40y%3Bto-tag%3D1");
        assert!(is_well_escaped(b"a%2Fb") && !is_well_escaped(b"a%2") && !is_well_escaped(b"%zz"));
    }
}
