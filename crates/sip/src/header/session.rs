//! Session-Expires (RFC 4028 §4).

use super::{HeaderName, Parameters};
use crate::error::HeaderError;
use crate::text;

/// A Session-Expires value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires<'a> {
    /// The interval in seconds.
    pub seconds: u32,
    /// Who refreshes: `uac` or `uas`, as received.
    pub refresher: Option<&'a [u8]>,
}

impl<'a> SessionExpires<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// If it is no number with parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let seconds = super::number::delta_seconds(text::trim(text::part(value, 0, end)))
            .ok_or(HeaderError::malformed(HeaderName::SessionExpires, "the value is no number"))?;
        let parameters = Parameters::parse(text::from(value, end))
            .map_err(|error| error.of(HeaderName::SessionExpires))?;
        Ok(Self { seconds, refresher: parameters.value("refresher") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_and_its_refresher() {
        let session = SessionExpires::parse(b"1800 ; refresher=uac").unwrap();
        assert_eq!((session.seconds, session.refresher), (1800, Some(&b"uac"[..])));
        assert!(SessionExpires::parse(b";refresher=uac").is_err());
    }
}
