//! The small text rules of SIP: character classes, case folding, white space, decimal numbers
//! (RFC 3261 §25.1).
//!
//! Numbers are written and read here without `format!`, so that nothing of the formatting machinery ends up in
//! the browser's library.

use std::borrow::Cow;

const TOKEN: u8 = 1;
const SPACE: u8 = 2;
/// What parts a URI, or is to be looked at in it.
const URI_MARK: u8 = 4;
const HOST: u8 = 8;
const CONTROL: u8 = 16;
const URI_STOP: u8 = 32;
const PARAMETER_NAME: u8 = 64;
const VALUE_STOP: u8 = 128;

/// One byte of classes for each octet.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut octet = 0usize;
    #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
    while octet < 256 {
        let byte = octet as u8;
        let mut class = 0;
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
        {
            class |= TOKEN;
        }
        if matches!(byte, b' ' | b'\t') {
            class |= SPACE;
        }
        if matches!(byte, b':' | b'@' | b'%') {
            class |= URI_MARK;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        if byte < 0x20 || byte == 0x7f {
            class |= CONTROL;
        }
        if byte <= 0x20 || byte == 0x7f || matches!(byte, b'<' | b'>' | b'"') {
            class |= URI_STOP;
        }
        if class & CONTROL == 0 && !matches!(byte, b' ' | b'=' | b';' | b',' | b'"' | b'<' | b'>') {
            class |= PARAMETER_NAME;
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b',' | b'"') {
            class |= VALUE_STOP;
        }
        table[octet] = class;
        octet += 1;
    }
    table
}

fn has_class(byte: u8, class: u8) -> bool {
    // A u8 is always inside a table of 256.
    CLASSES.get(usize::from(byte)).is_some_and(|found| found & class != 0)
}

/// Where the first octet of these classes stands in `text`; its length if there is none.
fn find(text: &[u8], classes: u8) -> usize {
    let class = |byte: u8| CLASSES.get(usize::from(byte)).copied().unwrap_or(0);
    let (eights, _) = text.as_chunks::<8>();
    let mut at = 0;
    for eight in eights {
        if eight.iter().fold(0, |seen, &byte| seen | class(byte)) & classes != 0 {
            break;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|&byte| class(byte) & classes == 0) {
        at += 1;
    }
    at
}

/// Whether `byte` may stand in a token (RFC 3261 §25.1, `token`).
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    has_class(byte, TOKEN)
}

/// Whether `text` is a token: one or more token octets.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && token_length(text) == text.len()
}

/// The length of the token at the beginning of `text`.
pub(crate) fn token_length(text: &[u8]) -> usize {
    let mut length = 0;
    while text.get(length).copied().is_some_and(is_token_byte) {
        length += 1;
    }
    length
}

/// Where the first colon stands in the first 32 octets of `text`, if there is one and 8 octets can be looked at at once.
pub(crate) fn near_colon(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const COLONS: u64 = u64::from_le_bytes([b':'; 8]);
    let (eights, _) = text.as_chunks::<8>();
    let mut at = 0;
    for eight in eights.iter().take(4) {
        // An octet that is zero borrows from its highest bit; what stands before the first one does not.
        let others = u64::from_le_bytes(*eight) ^ COLONS;
        let colons = others.wrapping_sub(ONES) & !others & (ONES << 7);
        if colons != 0 {
            return Some(at + (colons.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    None
}

/// Whether `byte` is a space or a tab.
#[must_use]
pub fn is_space(byte: u8) -> bool {
    has_class(byte, SPACE)
}

/// Whether `byte` is a space, a tab, or part of a line end; inside a header value that is linear white space.
#[must_use]
pub fn is_linear_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether `byte` is a control character (0-31 and 127).
#[must_use]
pub fn is_control(byte: u8) -> bool {
    has_class(byte, CONTROL)
}

/// Whether `byte` may stand in a host name as peers write them: letters, digits, `-`, `.` and `_`.
pub(crate) fn is_host_byte(byte: u8) -> bool {
    has_class(byte, HOST)
}

/// Whether `byte` may stand in the name of a parameter: tokens, and what peers write beside them: brackets, slashes,
/// colons.
pub(crate) fn is_parameter_name_byte(byte: u8) -> bool {
    has_class(byte, PARAMETER_NAME)
}

/// The length of the value of a parameter that is not quoted.
pub(crate) fn parameter_value_length(text: &[u8]) -> usize {
    find(text, VALUE_STOP)
}

/// Whether an octet stands in `text` that can never stand in a URI: controls, space, angle brackets, the double quote.
pub(crate) fn breaks_uri(text: &[u8]) -> bool {
    find(text, URI_STOP) < text.len()
}

/// Where the next octet stands at which a reader of URIs stops: because it can never stand in one, or to note where it
/// stands.
pub(crate) fn find_uri_mark(text: &[u8]) -> usize {
    find(text, URI_STOP | URI_MARK)
}

/// Whether an octet stands in `text` that is a space or a control character.
pub(crate) fn has_space_or_control(text: &[u8]) -> bool {
    find(text, SPACE | CONTROL) < text.len()
}

/// The part of `bytes` from `start` to `end`, or nothing where there is no such part.
pub(crate) fn part(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    bytes.get(start..end).unwrap_or_default()
}

/// `bytes` from `start` on.
pub(crate) fn from(bytes: &[u8], start: usize) -> &[u8] {
    bytes.get(start..).unwrap_or_default()
}

/// `text` without linear white space at its beginning.
#[must_use]
pub fn trim_start(text: &[u8]) -> &[u8] {
    // Behind a colon stands mostly one space, and elsewhere none.
    let text = match text {
        [b' ', rest @ ..] => rest,
        _ => text,
    };
    if !text.first().copied().is_some_and(is_linear_space) {
        return text;
    }
    let start = text.iter().position(|&byte| !is_linear_space(byte)).unwrap_or(text.len());
    from(text, start)
}

/// `text` without linear white space at its end.
#[must_use]
pub fn trim_end(text: &[u8]) -> &[u8] {
    if !text.last().copied().is_some_and(is_linear_space) {
        return text;
    }
    let end = text.iter().rposition(|&byte| !is_linear_space(byte)).map_or(0, |last| last + 1);
    part(text, 0, end)
}

/// `text` without linear white space at both ends.
#[must_use]
pub fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text))
}

/// The decimal number that `text` is, or `None` if it is empty, has another octet than digits, or does not fit.
/// Leading zeros are legal (RFC 3261 §25.1, `1*DIGIT`).
#[must_use]
pub fn parse_decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut number = 0u64;
    for &byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    Some(number)
}

/// A number written in decimal digits.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: [u8; 20],
    start: u8,
}

/// `number` in decimal digits.
#[must_use]
pub fn decimal(number: u64) -> Decimal {
    let mut digits = [b'0'; 20];
    let mut start = 20u8;
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    Decimal { digits, start }
}

impl Decimal {
    /// The digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        from(&self.digits, usize::from(self.start))
    }

    /// The digits as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Decimal {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Appends `number` in decimal digits to `out`.
pub fn write_decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(decimal(number).as_bytes());
}

/// Whether `text` has an octet that would break a header line: CR, LF or NUL.
#[must_use]
pub fn breaks_line(text: &[u8]) -> bool {
    memchr::memchr3(b'\r', b'\n', 0, text).is_some()
}

/// `value` with every fold (CRLF and white space, RFC 3261 §7.3.1) turned into one space.
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut flat = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let line_end = if rest.get(at) == Some(&b'\r') && rest.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
        let after = from(rest, at + line_end);
        if after.first().copied().is_some_and(is_space) {
            flat.extend_from_slice(trim_end(part(rest, 0, at)));
            flat.push(b' ');
            rest = trim_start(after);
        } else {
            // No fold: left as it is, for the builder to refuse.
            flat.extend_from_slice(part(rest, 0, at + line_end));
            rest = after;
        }
    }
    flat.extend_from_slice(rest);
    Cow::Owned(flat)
}

/// The inside of a quoted string (without its quotes) with the backslash escapes resolved
/// (RFC 3261 §25.1, `quoted-pair`).
#[must_use]
pub fn unquote(inside: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inside).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut text = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        text.push(if byte == b'\\' { bytes.next().copied().unwrap_or(b'\\') } else { byte });
    }
    Cow::Owned(text)
}

/// Appends `text` to `out` as a quoted string: between double quotes, with `"` and `\` escaped.
pub fn write_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers_are_written_and_read_back() {
        for number in [0, 7, 10, 255, 65_535, 4_294_967_296, u64::MAX] {
            assert_eq!(parse_decimal(decimal(number).as_bytes()), Some(number));
        }
        assert_eq!(decimal(0).as_str(), "0");
        assert_eq!(parse_decimal(b"0068"), Some(68));
        for wrong in [&b""[..], b"-1", b"+1", b"1 ", b"18446744073709551616"] {
            assert_eq!(parse_decimal(wrong), None);
        }
    }

    #[test]
    fn a_fold_becomes_one_space_and_a_bare_line_end_stays() {
        assert_eq!(&*unfold(b"a \r\n\t b"), b"a b");
        assert_eq!(&*unfold(b"a\r\nb: c"), b"a\r\nb: c");
    }

    #[test]
    fn quoted_strings_resolve_their_escapes() {
        assert_eq!(&*unquote(br#"J \"R\\\" S"#), br#"J "R\" S"#);
        let mut out = Vec::new();
        write_quoted(&mut out, br#"a"b\"#);
        assert_eq!(out, br#""a\"b\\""#);
    }
}
