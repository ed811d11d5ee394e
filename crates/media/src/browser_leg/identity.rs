//! Who we are toward browsers: the certificate of a process, and the ICE credentials of a leg.

use super::association::Certificate;
use std::fmt::Write as _;

/// The certificate that all legs of a process show.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(super) certificate: Certificate,
    /// Its fingerprint, as `a=fingerprint` writes it.
    pub(crate) fingerprint: String,
}

impl Identity {
    /// A fresh certificate; `None` when the crypto library cannot make one.
    pub(crate) fn generate() -> Option<Self> {
        let certificate = Certificate::generate()?;
        let mut fingerprint = String::from("sha-256 ");
        for (index, octet) in certificate.sha256().iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(fingerprint, "{separator}{octet:02X}").ok()?;
        }
        Some(Self { certificate, fingerprint })
    }
}

/// Our credentials of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) fragment: String,
    pub(crate) password: String,
}
