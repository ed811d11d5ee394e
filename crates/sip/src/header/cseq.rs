//! CSeq (RFC 3261 §20.16).

use super::HeaderName;
use crate::error::HeaderError;
use crate::method::Method;
use crate::text;

/// A CSeq value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads the value. Numbers up to 2^32-1 are taken, although RFC 3261 §8.1.1.5 asks senders to stay below
    /// 2^31.
    ///
    /// # Errors
    /// If it is no number and a method.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let malformed = |reason| HeaderError::malformed(HeaderName::CSeq, reason);
        let value = text::trim(value);
        let digits = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
        let (digits, rest) = value.split_at_checked(digits).unwrap_or_default();
        if !rest.first().copied().is_some_and(text::is_linear_space) {
            return Err(malformed("there is no number and a method"));
        }
        let number = text::parse_decimal(digits)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or(malformed("the number is none below 2^32"))?;
        let method = text::trim_start(rest);
        if !text::is_token(method) {
            return Err(malformed("the method is no token"));
        }
        Ok(Self { number, method: Method::from_bytes(method) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_method_with_leading_zeros_and_folds() {
        assert_eq!(CSeq::parse(b"0009\r\n  INVITE"), Ok(CSeq { number: 9, method: Method::Invite }));
        assert_eq!(CSeq::parse(b"4294967295 X").unwrap().number, u32::MAX);
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [&b""[..], b"1", b"INVITE", b"1INVITE", b"-1 INVITE", b"4294967296 INVITE", b"1 IN VITE"]
        {
            assert!(CSeq::parse(wrong).is_err());
        }
    }
}
