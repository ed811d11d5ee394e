//! From a SIP URI's host to hops (RFC 3263 §4).

use sip::{Hop, Transport};

/// Finds the hops for a host. Clones share one cache.
#[derive(Clone)]
pub struct Resolver {}

/// Why a host has no hops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name does not exist, or has no address.
    #[error("no such host")]
    NotFound,
    /// The name servers do not answer.
    #[error("the name servers do not answer")]
    Unanswered,
    /// The host is no name at all.
    #[error("not a host name")]
    BadName,
}

impl Resolver {
    /// A resolver with the system's name servers and hosts file.
    #[must_use]
    pub fn system() -> Self {
        Self {}
    }

    /// The hops for a URI's host, best first (RFC 3263 §4).
    ///
    /// `transport` is the URI's transport parameter, `secure` whether it is a SIPS URI, `host` a name or an
    /// address, IPv6 with or without brackets.
    ///
    /// # Errors
    /// [`ResolveError`] if there is none.
    pub async fn resolve(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
        secure: bool,
    ) -> Result<Vec<Hop>, ResolveError> {
        let _ = (host, port, transport, secure);
        Err(ResolveError::NotFound)
    }
}
