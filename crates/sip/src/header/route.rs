//! Route, Record-Route, Path and Service-Route (RFC 3261 §20.34, §20.30; RFC 3327; RFC 3608).

use super::{HeaderName, NameAddress};
use crate::error::HeaderError;
use crate::uri::Uri;

/// One value of a route header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    address: NameAddress<'a>,
    uri: Uri<'a>,
}

impl<'a> Route<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// If it is no name-addr, or its URI is malformed.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let address = NameAddress::parse(value).map_err(|error| error.of(HeaderName::Route))?;
        let uri = address.uri().map_err(|error| HeaderError::malformed(HeaderName::Route, error.reason()))?;
        Ok(Self { address, uri })
    }

    /// The URI.
    #[must_use]
    pub const fn uri(&self) -> Uri<'a> {
        self.uri
    }

    /// The name-addr.
    #[must_use]
    pub const fn address(&self) -> NameAddress<'a> {
        self.address
    }

    /// Whether the element that this names is a loose router (RFC 3261 §19.1.1, `lr`). Some peers write
    /// `lr=on`, and some leave the angle brackets away.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.uri.parameter("lr").is_some() || self.address.parameter("lr").is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loose_route_says_lr() {
        assert!(Route::parse(b"<sip:p.example;lr>").unwrap().is_loose());
        assert!(Route::parse(b"\"edge\" <sip:token@p.example;lr=on;ob>;x=1").unwrap().is_loose());
        assert!(!Route::parse(b"<sip:p.example>").unwrap().is_loose());
        assert!(Route::parse(b"<sip:>").is_err());
    }
}
