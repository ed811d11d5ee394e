//! TLS: who we are, and whom we trust. The only module that knows rustls.
//!
//! TLS 1.2 and 1.3 by rustls with aws-lc-rs; rustls has no older version and no weak suite.

mod by_name;
mod examination;
mod identity;
mod issued;
mod peers;
mod session;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub use examination::CertificateTrouble;
pub use issued::{IssuedCertificates, Period};
pub(crate) use session::{Session, SessionError};

/// Our certificate and the certificates that we trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Who we are; needed by TLS and HTTPS listeners.
    pub identity: Option<Identity>,
    /// Whose certificates we believe when we connect.
    pub roots: TrustRoots,
    /// Whether those who connect are asked for a certificate, and which ones count.
    pub clients: Option<ClientCertificates>,
    /// Certificates that come while the server runs. Who asks for the name of one of them gets that one; and who asks for no
    /// name gets it in place of one of our own making.
    pub issued: Option<IssuedCertificates>,
}

impl TlsConfig {
    /// The files that are read: others may renew them while the server runs.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        let mut files = Vec::new();
        if let Some(Identity::Files(pairs)) = &self.identity {
            files.extend(pairs.iter().flat_map(|pair| [pair.certificate.as_path(), &pair.key]));
        }
        if let TrustRoots::File(path) = &self.roots {
            files.push(path);
        }
        files.extend(self.clients.as_ref().map(|clients| clients.authorities.as_path()));
        files
    }
}

/// Certificates of those who connect (mutual TLS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The authorities whose certificates count: a PEM file.
    pub authorities: PathBuf,
    /// Whether who shows none is refused; otherwise he is as anybody.
    pub required: bool,
    /// Whether SIP over TLS asks.
    pub sip: bool,
    /// Whether HTTPS asks.
    pub web: bool,
}

/// Where our certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// PEM files, one pair at the least. A client that names a server gets the first certificate that is good for that
    /// name (RFC 6066 §3); any other client the first one.
    Files(Vec<CertificateFiles>),
    /// A certificate of our own making, kept in `directory` from the first start on as
    /// `self-signed.pem` and `self-signed.key`. It is good for `localhost`, 127.0.0.1, ::1 and `names`.
    SelfSigned {
        /// Where it is kept; made if it is not there.
        directory: PathBuf,
        /// Further host names and addresses.
        names: Vec<String>,
    },
}

/// A certificate and its key, each in a PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then the rest of its chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
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

/// What is wrong with the TLS files. The text names the file and the remedy.
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
    /// A certificate file without a certificate.
    #[error("{} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A key file without a private key.
    #[error("{} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    KeyMismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// Certificate or key cannot be used.
    #[error("cannot use the certificate in {}: {reason}", path.display())]
    Unusable {
        /// The certificate file.
        path: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// A certificate could not be made or kept.
    #[error("cannot make a certificate in {}: {reason}", directory.display())]
    NotMade {
        /// Where it should be kept.
        directory: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

impl TlsConfig {
    /// Reads every file, and says what is wrong. Makes the self-signed certificate if it is asked for and not
    /// there.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), TlsError> {
        LoadedTls::load(self).map(drop)
    }
}

/// Certificate and roots, read from their files.
#[derive(Clone)]
pub struct LoadedTls {
    pub(crate) acceptors: Option<Acceptors>,
    pub(crate) connector: Connector,
}

impl LoadedTls {
    /// Reads every file. Makes the self-signed certificate if it is asked for and not there.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        Ok(Self { acceptors: Acceptors::load(config)?, connector: Connector::load(config)? })
    }
}

impl std::fmt::Debug for LoadedTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is nobody's business.
        formatter.write_str("LoadedTls")
    }
}

/// What listeners need.
#[derive(Clone)]
pub(crate) struct Acceptors {
    /// For SIP over TLS.
    sip: Arc<ServerConfig>,
    /// For HTTPS.
    web: Arc<ServerConfig>,
}

impl Acceptors {
    /// Reads the certificate, if there is one.
    pub(crate) fn load(config: &TlsConfig) -> Result<Option<Self>, TlsError> {
        if let Some(clients) = &config.clients {
            // Also where nobody listens yet: a wrong file is told when it is checked.
            peers::client_verifier(clients, provider())?;
        }
        let Some(identity) = &config.identity else {
            return Ok(None);
        };
        let certificates = identity::certificates(identity, config.issued.as_ref(), &provider())?;
        let clients = config.clients.as_ref();
        let sip = identity::server_config(&certificates, clients.filter(|clients| clients.sip))?;
        let mut web = identity::server_config(&certificates, clients.filter(|clients| clients.web))?;
        // RFC 7301; no HTTP/2, since a WebSocket begins with HTTP/1.1 here.
        web.alpn_protocols = vec![b"http/1.1".to_vec()];
        if config.issued.is_some() {
            web.alpn_protocols.push(issued::PROOF_PROTOCOL.to_vec());
        }
        Ok(Some(Self { sip: Arc::new(sip), web: Arc::new(web) }))
    }

    /// A session for a connection that came in.
    pub(crate) fn accept(&self, is_web: bool) -> Result<Session, SessionError> {
        let config = if is_web { &self.web } else { &self.sip };
        Session::server(Arc::clone(config))
    }
}

/// What outgoing connections need.
#[derive(Clone)]
pub(crate) struct Connector(Arc<ClientConfig>);

impl Connector {
    /// Reads the certificates to trust, and those that we show who asks for one.
    pub(crate) fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        match &config.roots {
            TrustRoots::System => {
                // A system without certificates is no fault as long as nobody connects by TLS; then the
                // handshake says that the issuer is unknown.
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            TrustRoots::File(path) => {
                store.add_parsable_certificates(read_certificates(path)?);
            }
        }
        let builder =
            ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .map_err(|error| TlsError::Unusable { path: PathBuf::new(), reason: error.to_string() })?;
        let verifier = Arc::new(peers::SipServers::new(store, provider()));
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        // One of our own making would tell nobody anything.
        let config = match &config.identity {
            Some(identity) if matches!(identity, Identity::Files(_)) || config.issued.is_some() => {
                let shown = identity::certificates(identity, config.issued.as_ref(), &provider())?;
                builder.with_client_cert_resolver(shown)
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// A session for a connection that we open; the peer must show a certificate for `name`.
    pub(crate) fn connect(&self, name: &str) -> Result<Session, SessionError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| SessionError::Tls("not a name that a certificate can carry".to_owned()))?;
        Session::client(Arc::clone(&self.0), name)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Reads every certificate of a PEM file.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate { path: path.to_owned() })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}
