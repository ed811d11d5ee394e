//! Reason (RFC 3326).

use std::borrow::Cow;

use super::event::token_and_parameters;
use super::{HeaderName, Parameters};
use crate::error::HeaderError;
use crate::text;

/// One Reason value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    protocol: &'a [u8],
    parameters: Parameters<'a>,
}

impl<'a> Reason<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// If it is no token with parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (protocol, parameters) = token_and_parameters(value, HeaderName::Reason)?;
        Ok(Self { protocol, parameters })
    }

    /// `SIP`, `Q.850`, or another protocol.
    #[must_use]
    pub const fn protocol(&self) -> &'a [u8] {
        self.protocol
    }

    /// The `cause` parameter.
    #[must_use]
    pub fn cause(&self) -> Option<u32> {
        super::number::delta_seconds(self.parameters.value("cause")?)
    }

    /// The `text` parameter, its escapes resolved.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, [u8]>> {
        self.parameters.value("text").map(text::unquote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_a_cause_and_a_text() {
        let reason = Reason::parse(b"SIP ;cause=200 ;text=\"Call completed elsewhere\"").unwrap();
        assert_eq!((reason.protocol(), reason.cause()), (&b"SIP"[..], Some(200)));
        assert_eq!(reason.text().as_deref(), Some(&b"Call completed elsewhere"[..]));
    }
}
