//! Whether a certificate is good for those to whom it will be shown: browsers say no more than that they could not
//! connect, so the server says it itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::ServerName;
use webpki::EndEntityCert;
use x509_parser::parse_x509_certificate;

use super::{Identity, TlsConfig, TlsError, read_certificates};

/// So long before its end a certificate should have a successor.
const NOTICE: Duration = Duration::from_secs(14 * 24 * 3600);

/// Why browsers and phones will refuse a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateTrouble {
    /// Its time is over.
    Expired {
        /// The file.
        path: PathBuf,
        /// Its last moment, as a person reads it.
        end: String,
    },
    /// Its time has not begun.
    NotYet {
        /// The file.
        path: PathBuf,
        /// Its first moment.
        begin: String,
    },
    /// Its time is over in less than two weeks.
    Ending {
        /// The file.
        path: PathBuf,
        /// Its last moment.
        end: String,
    },
    /// It is for other names than the one by which clients come.
    Name {
        /// The file.
        path: PathBuf,
        /// The name by which they come.
        wanted: String,
        /// The names that it is for.
        given: Vec<String>,
    },
}

impl CertificateTrouble {
    fn is_of_name(&self, name: &str) -> bool {
        matches!(self, Self::Name { wanted, .. } if wanted == name)
    }

    /// The code by which the trouble is found in the documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } | Self::NotYet { .. } | Self::Ending { .. } => "TLS-CERT-EXPIRED",
            Self::Name { .. } => "TLS-CERT-NAME",
        }
    }
}

impl fmt::Display for CertificateTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { path, end } => write!(
                f,
                "the certificate in {} was good until {end}: nobody connects with it; renew it",
                path.display()
            ),
            Self::NotYet { path, begin } => write!(
                f,
                "the certificate in {} is good from {begin} on only: look at the clock of this machine",
                path.display()
            ),
            Self::Ending { path, end } => {
                write!(f, "the certificate in {} is good until {end} only: renew it", path.display())
            }
            Self::Name { path, wanted, given } => write!(
                f,
                "the certificate in {} is for {}, and clients that come to {wanted} refuse it: get one for {wanted}, or \
                 have them come by a name that it is for (advertise, domain)",
                path.display(),
                if given.is_empty() { "no name".to_owned() } else { given.join(", ") }
            ),
        }
    }
}

impl TlsConfig {
    /// Looks at the certificate in our files as a client will that comes by one of `names` at `now`. There is nothing
    /// to say of one of our own making, which nobody trusts.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate.
    pub fn examine(&self, names: &[String], now: SystemTime) -> Result<Vec<CertificateTrouble>, TlsError> {
        match &self.identity {
            Some(Identity::Files(pairs)) => {
                let mut troubles = Vec::new();
                // One name needs one certificate only; what is wrong otherwise is told of each.
                let mut unserved: Vec<String> = names.to_vec();
                for (place, pair) in pairs.iter().enumerate() {
                    let found = examine(&pair.certificate, &unserved, now)?;
                    let is_wanted =
                        |trouble: &CertificateTrouble| matches!(trouble, CertificateTrouble::Name { .. });
                    let (names, others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_wanted);
                    troubles.extend(others);
                    unserved.retain(|name| names.iter().any(|trouble| trouble.is_of_name(name)));
                    if place + 1 == pairs.len() {
                        troubles.extend(names);
                    }
                }
                Ok(troubles)
            }
            _ => Ok(Vec::new()),
        }
    }
}

fn examine(path: &Path, names: &[String], now: SystemTime) -> Result<Vec<CertificateTrouble>, TlsError> {
    let unusable = |reason: String| TlsError::Unusable { path: path.to_owned(), reason };
    let chain = read_certificates(path)?;
    let Some(first) = chain.first() else { return Err(TlsError::NoCertificate { path: path.to_owned() }) };
    let mut troubles = Vec::new();

    let (_, parsed) = parse_x509_certificate(first).map_err(|error| unusable(error.to_string()))?;
    let (begin, end) = (parsed.validity().not_before, parsed.validity().not_after);
    let seconds = |at: SystemTime| {
        i64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
    };
    if seconds(now) > end.timestamp() {
        troubles.push(CertificateTrouble::Expired { path: path.to_owned(), end: end.to_string() });
    } else if seconds(now) < begin.timestamp() {
        troubles.push(CertificateTrouble::NotYet { path: path.to_owned(), begin: begin.to_string() });
    } else if seconds(now + NOTICE) > end.timestamp() {
        troubles.push(CertificateTrouble::Ending { path: path.to_owned(), end: end.to_string() });
    }

    let certificate = EndEntityCert::try_from(first).map_err(|error| unusable(error.to_string()))?;
    for wanted in names {
        let Ok(name) = ServerName::try_from(wanted.as_str()) else { continue };
        if certificate.verify_is_valid_for_subject_name(&name).is_err() {
            troubles.push(CertificateTrouble::Name {
                path: path.to_owned(),
                wanted: wanted.clone(),
                given: certificate.valid_dns_names().map(str::to_owned).collect(),
            });
        }
    }
    Ok(troubles)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// A certificate made today for thirty days; what is said of it after so many days to clients of that name.
    fn said(subjects: &[&str], names: &[&str], days: u32) -> Vec<String> {
        let subjects: Vec<String> = subjects.iter().map(|name| (*name).to_owned()).collect();
        let pair = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(subjects).unwrap();
        let now = SystemTime::now();
        parameters.not_before = (now + DAY).into();
        parameters.not_after = (now + 30 * DAY).into();
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("sipweb-examined-{}-{number}.pem", std::process::id()));
        std::fs::write(&file, parameters.self_signed(&pair).unwrap().pem()).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let troubles = examine(&file, &names, now + days * DAY).unwrap();
        std::fs::remove_file(file).unwrap();
        troubles.iter().map(|trouble| format!("{}: {trouble}", trouble.code())).collect()
    }

    #[test]
    fn nothing_is_said_of_a_good_one() {
        let names = ["pbx.example.com", "phones.example.com", "192.0.2.1"];
        assert_eq!(
            said(&["pbx.example.com", "phones.example.com", "192.0.2.1"], &names, 5),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_name_that_it_is_not_for_is_told_with_those_that_it_is_for() {
        let said = said(&["www.example.com", "*.example.net"], &["sip.example.net", "pbx.example.com"], 5);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("TLS-CERT-NAME: "));
        assert!(said[0].contains(
            " is for www.example.com, *.example.net, and clients that come to pbx.example.com refuse"
        ));
    }

    #[test]
    fn its_beginning_and_its_end_are_told_and_that_the_end_comes() {
        let said = |days| said(&["a.example"], &["a.example"], days).concat();
        assert!(said(0).starts_with("TLS-CERT-EXPIRED: ") && said(0).contains(" on only: look at the clock"));
        assert_eq!(said(5), "");
        assert!(said(20).starts_with("TLS-CERT-EXPIRED: ") && said(20).contains(" only: renew it"));
        assert!(said(40).starts_with("TLS-CERT-EXPIRED: ") && said(40).contains("nobody connects with it"));
    }
}
