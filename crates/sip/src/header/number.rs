//! Numbers in headers: seconds, hops, sequence numbers (RFC 3261 §20.19, §20.22, §20.33; RFC 3262 §7).

use super::HeaderName;
use crate::error::HeaderError;
use crate::method::Method;
use crate::text;

/// The number at the beginning of `value`; a comment or parameters may follow (`Retry-After: 18000;duration=3600`).
/// A number that does not fit counts as the greatest.
///
/// # Errors
/// If there is no number, or something else follows it.
pub fn leading_number(value: &[u8]) -> Result<u32, HeaderError> {
    let malformed = HeaderError::malformed(HeaderName::Other, "the value is no number");
    let value = text::trim(value);
    let digits = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
    let (digits, rest) = value.split_at_checked(digits).unwrap_or_default();
    match text::trim_start(rest).first() {
        None | Some(b';' | b'(') => delta_seconds(digits).ok_or(malformed),
        Some(_) => Err(malformed),
    }
}

/// The number of seconds that `text` is (RFC 3261 §25.1 `delta-seconds`); the greatest where it does not fit; `None` where
/// it is no number.
#[must_use]
pub fn delta_seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = text::parse_decimal(text).and_then(|number| u32::try_from(number).ok());
    Some(number.unwrap_or(u32::MAX))
}

/// A RAck value: the RSeq and the CSeq of the response that a PRACK acknowledges (RFC 3262 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The response's RSeq.
    pub response: u32,
    /// The response's CSeq number.
    pub number: u32,
    /// The response's CSeq method.
    pub method: Method<'a>,
}

impl<'a> RAck<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// If it is not two numbers and a method.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let malformed = || HeaderError::malformed(HeaderName::RAck, "there are no two numbers and a method");
        let mut words =
            value.split(|&byte| text::is_linear_space(byte)).filter(|word: &&[u8]| !word.is_empty());
        let mut number = || text::parse_decimal(words.next()?).and_then(|number| u32::try_from(number).ok());
        let response = number().ok_or_else(malformed)?;
        let sequence = number().ok_or_else(malformed)?;
        let method = words.next().filter(|word| text::is_token(word)).ok_or_else(malformed)?;
        if words.next().is_some() {
            return Err(malformed());
        }
        Ok(Self { response, number: sequence, method: Method::from_bytes(method) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_saturate_and_may_be_followed_by_a_comment_or_parameters() {
        assert_eq!(leading_number(b"0068"), Ok(68));
        assert_eq!(leading_number(b"18000;duration=3600"), Ok(18_000));
        assert_eq!(leading_number(b"120 (I'm in a meeting)"), Ok(120));
        assert_eq!(leading_number(b"99999999999999999999999"), Ok(u32::MAX));
        for wrong in [&b""[..], b"-1", b"1 2", b"x", b"1x", b";a"] {
            assert!(leading_number(wrong).is_err());
        }
    }

    #[test]
    fn a_rack_names_the_response_and_the_request() {
        let expected = RAck { response: 776_656, number: 1, method: Method::Invite };
        assert_eq!(RAck::parse(b"776656 1  INVITE"), Ok(expected));
        for wrong in [&b""[..], b"1 INVITE", b"1 2", b"1 2 INVITE 3"] {
            assert!(RAck::parse(wrong).is_err());
        }
    }
}
