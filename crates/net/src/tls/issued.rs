//! Certificates that come while the server runs (ACME, RFC 8555), and the proofs that a name is ours, which the authority
//! asks for on the HTTPS port (TLS-ALPN-01, RFC 8737) or the HTTP port (HTTP-01).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use x509_parser::parse_x509_certificate;

use super::{CertificateFiles, TlsError, identity, provider};

/// The protocol by which the authority asks for a proof (RFC 8737 §4).
pub(super) const PROOF_PROTOCOL: &[u8] = b"acme-tls/1";

/// Certificates by domain, and proofs by domain. Clones are the same; listeners of all event loops look here.
#[derive(Clone, Default)]
pub struct IssuedCertificates(Arc<Inner>);

#[derive(Default)]
struct Inner {
    certificates: RwLock<Vec<(String, Arc<CertifiedKey>)>>,
    proofs: RwLock<HashMap<String, Arc<CertifiedKey>>>,
    /// What stands at `/.well-known/acme-challenge/TOKEN`, by token.
    answers: RwLock<HashMap<String, String>>,
}

/// From when and until when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub begin: SystemTime,
    /// Its last moment.
    pub end: SystemTime,
}

impl Period {
    /// When two thirds of it are over.
    #[must_use]
    pub fn renewal(&self) -> SystemTime {
        let life = self.end.duration_since(self.begin).unwrap_or_default();
        self.begin + life * 2 / 3
    }
}

impl PartialEq for IssuedCertificates {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for IssuedCertificates {}

impl fmt::Debug for IssuedCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuedCertificates")
    }
}

impl IssuedCertificates {
    /// From now on the certificate in these files is shown to who asks for `domain`, in place of an older one.
    ///
    /// # Errors
    /// What is wrong with the files; then an older one stays.
    pub fn serve(&self, domain: &str, files: &CertificateFiles) -> Result<Period, TlsError> {
        let key = Arc::new(identity::certified(files, &provider())?);
        let unusable = |reason: String| TlsError::Unusable { path: files.certificate.clone(), reason };
        let first = key.cert.first().ok_or(TlsError::NoCertificate { path: files.certificate.clone() })?;
        let (_, parsed) = parse_x509_certificate(first).map_err(|error| unusable(error.to_string()))?;
        let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let validity = parsed.validity();
        let period =
            Period { begin: at(validity.not_before.timestamp()), end: at(validity.not_after.timestamp()) };
        let mut certificates = self.0.certificates.write().unwrap_or_else(PoisonError::into_inner);
        match certificates.iter_mut().find(|(known, _)| known == domain) {
            Some(known) => known.1 = key,
            None => certificates.push((domain.to_owned(), key)),
        }
        Ok(period)
    }

    /// Whether there is a certificate for `domain`.
    #[must_use]
    pub fn has(&self, domain: &str) -> bool {
        let certificates = self.0.certificates.read().unwrap_or_else(PoisonError::into_inner);
        certificates.iter().any(|(known, _)| known == domain)
    }

    /// From now on whoever asks for a proof that `domain` is ours gets it: `digest` is the SHA-256 of the key
    /// authorization (RFC 8737 §3).
    ///
    /// # Errors
    /// The certificate could not be made.
    pub fn prove(&self, domain: &str, digest: &[u8; 32]) -> Result<(), TlsError> {
        let failed = |reason: String| TlsError::NotMade { directory: domain.into(), reason };
        let pair = KeyPair::generate().map_err(|error| failed(error.to_string()))?;
        let mut parameters =
            CertificateParams::new([domain.to_owned()]).map_err(|error| failed(error.to_string()))?;
        parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let made = parameters.self_signed(&pair).map_err(|error| failed(error.to_string()))?;
        let key = PrivateKeyDer::try_from(pair.serialize_der()).map_err(|error| failed(error.to_owned()))?;
        let key = provider().key_provider.load_private_key(key).map_err(|error| failed(error.to_string()))?;
        // Not `from_der`: it refuses the extension, which is critical and nobody's but the authority's.
        let key = CertifiedKey::new(vec![made.der().clone()], key);
        let mut proofs = self.0.proofs.write().unwrap_or_else(PoisonError::into_inner);
        proofs.insert(domain.to_ascii_lowercase(), Arc::new(key));
        Ok(())
    }

    /// From now on whoever asks for `token` over HTTP gets this key authorization (HTTP-01, RFC 8555 §8.3).
    pub fn answer(&self, token: &str, authorization: &str) {
        let mut answers = self.0.answers.write().unwrap_or_else(PoisonError::into_inner);
        answers.insert(token.to_owned(), authorization.to_owned());
    }

    /// The answer to a request for that target, if it asks for a proof that we have.
    #[must_use]
    pub fn answer_at(&self, target: &str) -> Option<String> {
        let token = target.strip_prefix("/.well-known/acme-challenge/")?;
        self.0.answers.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// Nobody needs the proof for this domain any more. One domain at a time is proved over HTTP.
    pub fn proven(&self, domain: &str) {
        self.0.proofs.write().unwrap_or_else(PoisonError::into_inner).remove(domain);
        self.0.answers.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether there is a proof to be given at the moment.
    pub(super) fn is_proving(&self) -> bool {
        !self.0.proofs.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn proof(&self, domain: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let domain = domain?.to_ascii_lowercase();
        self.0.proofs.read().unwrap_or_else(PoisonError::into_inner).get(&domain).cloned()
    }

    /// The first certificate that `fits`.
    pub(super) fn find(&self, fits: impl Fn(&CertifiedKey) -> bool) -> Option<Arc<CertifiedKey>> {
        let certificates = self.0.certificates.read().unwrap_or_else(PoisonError::into_inner);
        certificates.iter().find(|(_, key)| fits(key)).map(|(_, key)| Arc::clone(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_when_two_thirds_of_its_life_are_over() {
        let begin = UNIX_EPOCH + Duration::from_secs(1000);
        let period = Period { begin, end: begin + Duration::from_secs(90) };
        assert_eq!(period.renewal(), begin + Duration::from_secs(60));
    }

    #[test]
    fn an_answer_stands_at_its_token_until_it_is_given() {
        let issued = IssuedCertificates::default();
        issued.answer("token", "token.thumbprint");
        let at = |target| issued.answer_at(target);
        assert_eq!(at("/.well-known/acme-challenge/token").as_deref(), Some("token.thumbprint"));
        assert_eq!((at("/.well-known/acme-challenge/other"), at("/token"), at("/")), (None, None, None));
        issued.proven("sip.example.com");
        assert_eq!(at("/.well-known/acme-challenge/token"), None);
    }

    #[test]
    fn a_proof_is_shown_for_its_domain_until_it_is_given() {
        let issued = IssuedCertificates::default();
        issued.prove("sip.example.com", &[7; 32]).unwrap();
        let proof = issued.proof(Some("SIP.example.com")).unwrap();
        let (_, parsed) = parse_x509_certificate(proof.cert.first().unwrap()).unwrap();
        let extension =
            parsed.extensions().iter().find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31");
        let extension = extension.unwrap();
        // RFC 8737 §3: critical, an OCTET STRING of the digest.
        assert!(extension.critical);
        assert_eq!(extension.value, [&[4, 32][..], &[7; 32]].concat());
        assert!(issued.proof(Some("other.example.com")).is_none() && issued.proof(None).is_none());
        issued.proven("sip.example.com");
        assert!(issued.proof(Some("sip.example.com")).is_none());
    }
}
