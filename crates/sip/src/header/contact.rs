//! Contact (RFC 3261 §20.10, §10.2.1).

use super::{HeaderName, NameAddress, Parameters};
use crate::error::{HeaderError, UriError};
use crate::uri::Uri;

/// One Contact value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`: every binding (RFC 3261 §10.2.2).
    Any,
    /// A URI with its parameters.
    Address(NameAddress<'a>),
}

impl<'a> Contact<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// If it is neither `*` nor a name-addr or addr-spec.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        if value == b"*" {
            return Ok(Self::Any);
        }
        NameAddress::parse(value).map(Self::Address).map_err(|error| error.of(HeaderName::Contact))
    }

    /// The address, unless this is `*`.
    #[must_use]
    pub const fn address(&self) -> Option<&NameAddress<'a>> {
        match self {
            Self::Any => None,
            Self::Address(address) => Some(address),
        }
    }

    /// The URI; `None` for `*`.
    #[must_use]
    pub fn uri(&self) -> Option<Result<Uri<'a>, UriError>> {
        self.address().map(NameAddress::uri)
    }

    /// The header parameters.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'a> {
        self.address().map(NameAddress::parameters).unwrap_or_default()
    }

    /// The `expires` parameter in seconds; a number that does not fit counts as the greatest, and what is no
    /// number is not there (RFC 3261 §10.3 step 6 and §20.10: as if the default were asked for).
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        super::number::delta_seconds(self.parameters().value("expires")?)
    }

    /// The `q` parameter in thousandths, 0 to 1000 (RFC 3261 §25.1 `qvalue`). `None` if there is none or it is
    /// no qvalue.
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        qvalue(self.parameters().value("q")?)
    }
}

/// The thousandths that `text` is (RFC 3261 §25.1 `qvalue`): `0.33` is 330. Digits beyond the third do not count. `None`
/// where it is no qvalue.
#[must_use]
pub fn qvalue(text: &[u8]) -> Option<u16> {
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let whole = match parts.next()? {
        b"" | b"0" => 0,
        b"1" => 1000,
        _ => return None,
    };
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) || text.is_empty() {
        return None;
    }
    let value = [100, 10, 1]
        .iter()
        .zip(fraction)
        .fold(whole, |sum, (weight, digit)| sum + weight * u16::from(digit - b'0'));
    (value <= 1000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_or_an_address_with_q_and_expires() {
        assert_eq!(Contact::parse(b"*"), Ok(Contact::Any));
        let contact = Contact::parse(b"<sip:a@b>;q=0.33;expires=60").unwrap();
        assert_eq!((contact.q(), contact.expires()), (Some(330), Some(60)));
    }

    #[test]
    fn q_values_are_thousandths() {
        for (text, value) in
            [("1", 1000), ("1.000", 1000), ("0", 0), ("0.5", 500), (".25", 250), ("0.1239", 123)]
        {
            assert_eq!(qvalue(text.as_bytes()), Some(value), "{text}");
        }
        for wrong in ["", "2", "1.1", "-1", "0,5", "x"] {
            assert_eq!(qvalue(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn an_overlarge_expires_is_the_greatest_and_nonsense_is_absent() {
        assert_eq!(Contact::parse(b"<sip:a@b>;expires=99999999999").unwrap().expires(), Some(u32::MAX));
        assert_eq!(Contact::parse(b"<sip:a@b>;expires=soon").unwrap().expires(), None);
    }
}
