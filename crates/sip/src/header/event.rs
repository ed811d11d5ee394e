//! Event and Subscription-State (RFC 6665 §8.2).

use super::{HeaderName, Parameters};
use crate::error::HeaderError;
use crate::text;

/// `token;parameters`: the part before the first semicolon, which must be a token.
pub(super) fn token_and_parameters(
    value: &[u8],
    header: HeaderName,
) -> Result<(&[u8], Parameters<'_>), HeaderError> {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let token = text::trim(text::part(value, 0, end));
    if !text::is_token(token) {
        return Err(HeaderError::malformed(header, "the value does not start with a token"));
    }
    let parameters = Parameters::parse(text::from(value, end)).map_err(|error| error.of(header))?;
    Ok((token, parameters))
}

/// An Event value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    package: &'a [u8],
    parameters: Parameters<'a>,
}

impl<'a> Event<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// If it is no token with parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (package, parameters) = token_and_parameters(value, HeaderName::Event)?;
        Ok(Self { package, parameters })
    }

    /// The event package with its templates, such as `presence.winfo`.
    #[must_use]
    pub const fn package(&self) -> &'a [u8] {
        self.package
    }

    /// The `id` parameter.
    #[must_use]
    pub fn id(&self) -> Option<&'a [u8]> {
        self.parameters.value("id")
    }

    /// The parameters.
    #[must_use]
    pub const fn parameters(&self) -> Parameters<'a> {
        self.parameters
    }
}

/// A Subscription-State value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    state: &'a [u8],
    parameters: Parameters<'a>,
}

impl<'a> SubscriptionState<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// If it is no token with parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (state, parameters) = token_and_parameters(value, HeaderName::SubscriptionState)?;
        Ok(Self { state, parameters })
    }

    /// `active`, `pending`, `terminated`, or an extension; in any case of letters.
    #[must_use]
    pub const fn state(&self) -> &'a [u8] {
        self.state
    }

    /// Whether the subscription is over.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case(b"terminated")
    }

    /// The `expires` parameter in seconds.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        super::number::delta_seconds(self.parameters.value("expires")?)
    }

    /// The `reason` parameter.
    #[must_use]
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.parameters.value("reason")
    }

    /// The `retry-after` parameter in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        super::number::delta_seconds(self.parameters.value("retry-after")?)
    }

    /// The parameters.
    #[must_use]
    pub const fn parameters(&self) -> Parameters<'a> {
        self.parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_and_a_state_have_parameters() {
        let event = Event::parse(b"refer ;id=93809823").unwrap();
        assert_eq!((event.package(), event.id()), (&b"refer"[..], Some(&b"93809823"[..])));
        let state = SubscriptionState::parse(b"Terminated;reason=noresource;retry-after=5").unwrap();
        assert!(state.is_terminated());
        assert_eq!((state.reason(), state.retry_after()), (Some(&b"noresource"[..]), Some(5)));
        assert!(Event::parse(b";id=1").is_err());
    }
}
