//! Splitting comma lists and parameters: commas and semicolons inside quoted strings and angle brackets do not
//! count (RFC 3261 §7.3.1, §25.1).

use crate::text;

/// The elements of a comma list, trimmed. Empty elements are given too; [`Elements::present`] skips them.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

/// The elements of the comma list `value`.
#[must_use]
pub fn elements(value: &[u8]) -> Elements<'_> {
    Elements { rest: Some(value) }
}

impl<'a> Elements<'a> {
    /// Only the elements that are not empty.
    pub fn present(self) -> impl Iterator<Item = &'a [u8]> {
        self.filter(|element| !element.is_empty())
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let end = find_outside(rest, b',');
        if end < rest.len() {
            self.rest = Some(text::from(rest, end + 1));
        }
        Some(text::trim(text::part(rest, 0, end)))
    }
}

/// Where `wanted` first stands in `value` outside quoted strings and angle brackets; the length of `value` if
/// nowhere. A double quote inside angle brackets is part of the URI.
#[must_use]
pub fn find_outside(value: &[u8], wanted: u8) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr3(wanted, b'"', b'<', text::from(value, at)) {
        at += found;
        at = match value.get(at) {
            Some(b'"') => at + 1 + quoted_length(text::from(value, at + 1)),
            Some(b'<') => memchr::memchr(b'>', text::from(value, at)).map_or(value.len(), |end| at + end + 1),
            _ => return at,
        };
    }
    value.len()
}

/// The length of a quoted string's inside and its closing quote; everything where it is not closed.
#[must_use]
pub fn quoted_length(inside: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = inside.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    inside.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(value: &[u8]) -> Vec<&[u8]> {
        elements(value).collect()
    }

    #[test]
    fn commas_part_elements_outside_quotes_and_brackets_only() {
        assert_eq!(
            split(br#""a, \", b" <sip:x,y@h>;p="1,2" , sip:z@h"#),
            [&br#""a, \", b" <sip:x,y@h>;p="1,2""#[..], b"sip:z@h"]
        );
    }

    #[test]
    fn empty_elements_are_told_or_skipped() {
        assert_eq!(split(b"a,, b ,"), [&b"a"[..], b"", b"b", b""]);
        assert_eq!(elements(b"a,, b ,").present().count(), 2);
    }

    #[test]
    fn an_unclosed_quote_or_bracket_takes_the_rest() {
        assert_eq!(split(br#"a, "b, c"#), [&b"a"[..], br#""b, c"#]);
        assert_eq!(split(b"a, <b, c"), [&b"a"[..], b"<b, c"]);
        assert_eq!(split(br#""\"#), [br#""\"#]);
    }
}
