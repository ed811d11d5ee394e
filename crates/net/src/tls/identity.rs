//! Our certificate: from files, or of our own making.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;

use super::by_name::ByName;
use super::issued::IssuedCertificates;
use super::peers::client_verifier;
use super::{CertificateFiles, ClientCertificates, Identity, TlsError, provider, read, read_certificates};

/// How long a certificate of our own making is good: the longest that today's browsers let pass.
const LIFETIME: Duration = Duration::from_secs(825 * 24 * 3600);
/// At a start this long after it was made, it is made anew.
const RENEWAL: Duration = Duration::from_secs(700 * 24 * 3600);
/// The names that every certificate of our own making carries.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The certificates of `identity`.
pub(super) fn certificates(
    identity: &Identity,
    issued: Option<&IssuedCertificates>,
    provider: &CryptoProvider,
) -> Result<Arc<ByName>, TlsError> {
    let pairs = match identity {
        Identity::Files(pairs) => pairs.clone(),
        Identity::SelfSigned { directory, names } => vec![self_signed(directory, names)?],
    };
    let mut keys = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        keys.push(Arc::new(certified(pair, provider)?));
    }
    let mut keys = keys.into_iter();
    let Some(first) = keys.next() else {
        return Err(TlsError::NoCertificate { path: PathBuf::new() });
    };
    let own_making = matches!(identity, Identity::SelfSigned { .. });
    Ok(Arc::new(ByName::new(first, keys.collect()).with_issued(issued.cloned(), own_making)))
}

/// What a listener needs that shows one of these certificates, and asks `clients` for theirs.
pub(super) fn server_config(
    certificates: &Arc<ByName>,
    clients: Option<&ClientCertificates>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Unusable { path: PathBuf::new(), reason: error.to_string() })?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(client_verifier(clients, provider())?),
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_cert_resolver(Arc::clone(certificates) as _))
}

/// Certificate and key of two files, which must belong together.
pub(super) fn certified(
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let CertificateFiles { certificate, key } = files;
    let chain = read_certificates(certificate)?;
    let private =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| TlsError::NoKey { path: key.clone() })?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::KeyMismatch { certificate: certificate.clone(), key: key.clone() }
        }
        error => TlsError::Unusable { path: certificate.clone(), reason: error.to_string() },
    })
}

/// The files of our own certificate, made if they are not there, too old, or for other names.
fn self_signed(directory: &Path, names: &[String]) -> Result<CertificateFiles, TlsError> {
    let certificate = directory.join("self-signed.pem");
    let key = directory.join("self-signed.key");
    let mut subjects: Vec<String> = OWN_NAMES.iter().map(|name| (*name).to_owned()).collect();
    for name in names {
        if !subjects.contains(name) {
            subjects.push(name.clone());
        }
    }
    let title = format!("Made by sipweb for {}\n", subjects.join(", "));
    if !is_current(&certificate, &key, &title) {
        make(directory, &certificate, &key, &title, subjects)
            .map_err(|reason| TlsError::NotMade { directory: directory.to_owned(), reason })?;
    }
    Ok(CertificateFiles { certificate, key })
}

/// Whether the files are there, for these names, and young enough.
fn is_current(certificate: &Path, key: &Path, title: &str) -> bool {
    let age = std::fs::metadata(certificate)
        .and_then(|metadata| metadata.modified())
        .map(|made| SystemTime::now().duration_since(made).unwrap_or_default());
    key.is_file()
        && age.is_ok_and(|age| age < RENEWAL)
        && std::fs::read(certificate).is_ok_and(|bytes| bytes.starts_with(title.as_bytes()))
}

fn make(
    directory: &Path,
    certificate: &Path,
    key: &Path,
    title: &str,
    subjects: Vec<String>,
) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    let pair = rcgen::KeyPair::generate().map_err(|error| error.to_string())?;
    let mut parameters = rcgen::CertificateParams::new(subjects).map_err(|error| error.to_string())?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "sipweb self-signed");
    let now = SystemTime::now();
    parameters.not_before = now.checked_sub(Duration::from_secs(24 * 3600)).unwrap_or(now).into();
    parameters.not_after = now.checked_add(LIFETIME).unwrap_or(now).into();
    let signed = parameters.self_signed(&pair).map_err(|error| error.to_string())?;
    // The key goes first: a certificate on disk means that both are there.
    replace(key, pair.serialize_pem().as_bytes()).map_err(|error| error.to_string())?;
    replace(certificate, format!("{title}{}", signed.pem()).as_bytes()).map_err(|error| error.to_string())
}

/// Writes a file that only its owner may read, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{TlsConfig, TrustRoots};

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("sipweb-net-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        directory
    }

    fn own(directory: &Path, names: &[&str]) -> TlsConfig {
        TlsConfig {
            identity: Some(Identity::SelfSigned {
                directory: directory.to_owned(),
                names: names.iter().map(|name| (*name).to_owned()).collect(),
            }),
            roots: TrustRoots::System,
            clients: None,
            issued: None,
        }
    }

    fn files(certificate: &Path, key: &Path) -> Result<(), TlsError> {
        let pair = CertificateFiles { certificate: certificate.to_owned(), key: key.to_owned() };
        let identity = Identity::Files(vec![pair]);
        TlsConfig { identity: Some(identity), roots: TrustRoots::System, clients: None, issued: None }.check()
    }

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let directory = scratch("kept");
        own(&directory, &[]).check().unwrap();
        let first = std::fs::read(directory.join("self-signed.pem")).unwrap();
        own(&directory, &[]).check().unwrap();
        assert_eq!(std::fs::read(directory.join("self-signed.pem")).unwrap(), first);
        own(&directory, &["pbx.example.com"]).check().unwrap();
        assert_ne!(
            std::fs::read(directory.join("self-signed.pem")).unwrap(),
            first,
            "a new name needs a new certificate"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(directory.join("self-signed.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "others may read the key");
        }
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn each_bad_file_has_its_error() {
        let (one, two) = (scratch("one"), scratch("two"));
        own(&one, &[]).check().unwrap();
        own(&two, &[]).check().unwrap();
        let (certificate, key) = (one.join("self-signed.pem"), one.join("self-signed.key"));
        files(&certificate, &key).unwrap();

        assert!(
            matches!(files(&one.join("none.pem"), &key), Err(TlsError::Unreadable { path, .. }) if path == one.join("none.pem"))
        );
        assert!(matches!(files(&certificate, &one.join("none.key")), Err(TlsError::Unreadable { .. })));
        assert!(matches!(files(&key, &key), Err(TlsError::NoCertificate { .. })));
        assert!(matches!(files(&certificate, &certificate), Err(TlsError::NoKey { .. })));
        assert!(matches!(
            files(&certificate, &two.join("self-signed.key")),
            Err(TlsError::KeyMismatch { .. })
        ));
        let garbage = one.join("garbage.pem");
        std::fs::write(&garbage, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(files(&garbage, &key), Err(TlsError::Unusable { .. })));
        std::fs::remove_dir_all(one).unwrap();
        std::fs::remove_dir_all(two).unwrap();
    }
}
