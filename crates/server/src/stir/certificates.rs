//! The certificates of those who sign caller ids (RFC 8226), and who vouches for them.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::StirError;

/// `id-pe-TNAuthList` (RFC 8226 §9).
const TN_AUTH_LIST: &str = "1.3.6.1.5.5.7.1.26";

/// The certificates that are known, and whom we trust.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    by_url: HashMap<String, Certificate>,
    anchors: Vec<TrustAnchor<'static>>,
}

/// One certificate, and those between it and who is trusted.
#[derive(Debug)]
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    between: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    /// For which numbers it is: all, if it names a provider or nobody.
    numbers: Option<Vec<Numbers>>,
}

/// A number, or as many from it on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Numbers {
    first: String,
    count: u128,
}

/// Why a file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("it has no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    None,
    #[error("its certificate cannot be read: {0}")]
    Unreadable(String),
}

impl Certificates {
    /// Takes those of a PEM text as the ones behind `url`: that of the signer first.
    pub(crate) fn add(&mut self, url: &str, pem: &[u8]) -> Result<(), CertificateError> {
        let mut all = certificates(pem)?;
        let der = all.remove(0);
        let unreadable = |error: String| CertificateError::Unreadable(error);
        EndEntityCert::try_from(&der).map_err(|error| unreadable(error.to_string()))?;
        let (_, read) = X509Certificate::from_der(&der).map_err(|error| unreadable(error.to_string()))?;
        let numbers = match read.extensions().iter().find(|found| found.oid.to_id_string() == TN_AUTH_LIST) {
            Some(found) => numbers(found.value)
                .ok_or_else(|| unreadable("its TNAuthList is none (RFC 8226 §9)".to_owned()))?,
            None => None,
        };
        let key = read.public_key().subject_public_key.data.to_vec();
        let certificate = Certificate { key, numbers, between: all, der: der.clone() };
        self.by_url.insert(url.to_owned(), certificate);
        Ok(())
    }

    /// Trusts those of a PEM text.
    pub(crate) fn trust(&mut self, pem: &[u8]) -> Result<(), CertificateError> {
        for der in certificates(pem)? {
            let anchor = webpki::anchor_from_trusted_cert(&der)
                .map_err(|error| CertificateError::Unreadable(error.to_string()))?;
            self.anchors.push(anchor.to_owned());
        }
        Ok(())
    }

    /// The one that a token names.
    pub(super) fn by_url(&self, url: &str) -> Result<&Certificate, StirError> {
        self.by_url.get(url).ok_or_else(|| StirError::NoCredential(url.to_owned()))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| CertificateError::Unreadable(error.to_string()))?;
    if found.is_empty() { Err(CertificateError::None) } else { Ok(found) }
}

impl Certificate {
    /// Whether somebody who is trusted vouches for it at this time.
    pub(super) fn is_trusted(&self, all: &Certificates, now: u64, url: &str) -> Result<(), StirError> {
        let untrusted = |error: webpki::Error| StirError::Untrusted(url.to_owned(), error.to_string());
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        // Those of STIR name no usage; one that does, and not this, is for something else.
        let usage = KeyUsage::server_auth();
        EndEntityCert::try_from(&self.der)
            .and_then(|certificate| {
                certificate
                    .verify_for_usage(
                        ALL_VERIFICATION_ALGS,
                        &all.anchors,
                        &self.between,
                        now,
                        usage,
                        None,
                        None,
                    )
                    .map(|_| ())
            })
            .map_err(untrusted)
    }

    /// Whether its key has signed this (ES256: both numbers of the signature one after the other).
    pub(super) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.key).verify(text, signature).is_ok()
    }

    /// Whether it is for this number.
    pub(super) fn may_speak_for(&self, number: &str) -> bool {
        self.numbers.as_ref().is_none_or(|numbers| numbers.iter().any(|range| range.contains(number)))
    }
}

impl Numbers {
    fn contains(&self, number: &str) -> bool {
        let bare = |text: &str| text.trim_start_matches('+').to_owned();
        let (first, number) = (bare(&self.first), bare(number));
        if first == number {
            return self.count > 0;
        }
        let (Ok(low), Ok(asked)) = (first.parse::<u128>(), number.parse::<u128>()) else { return false };
        first.len() == number.len() && asked.checked_sub(low).is_some_and(|place| place < self.count)
    }
}

/// The numbers of a TNAuthList; an inner `None` if it has a provider's code, which stands for numbers that are not known
/// here. The outer one if it cannot be read.
///
/// ```text
/// TNAuthorizationList ::= SEQUENCE OF CHOICE { spc [0] IA5String, range [1] SEQUENCE { start, count }, one [2] IA5String }
/// ```
#[expect(clippy::option_option, reason = "unreadable, unbounded and bounded are three things")]
fn numbers(der: &[u8]) -> Option<Option<Vec<Numbers>>> {
    let (0x30, mut list, []) = element(der)? else { return None };
    let mut found = Vec::new();
    while !list.is_empty() {
        let (tag, inner, rest) = element(list)?;
        list = rest;
        let (_, value, _) = element(inner)?;
        match tag {
            0xa0 => return Some(None),
            0xa1 => {
                let (_, start, rest) = element(value)?;
                let (0x02, count, _) = element(rest)? else { return None };
                let count = count
                    .iter()
                    .try_fold(0_u128, |sum, octet| sum.checked_mul(256)?.checked_add(u128::from(*octet)))?;
                found.push(Numbers { first: digits(start)?, count });
            }
            0xa2 => found.push(Numbers { first: digits(value)?, count: 1 }),
            _ => return None,
        }
    }
    Some(Some(found))
}

fn digits(text: &[u8]) -> Option<String> {
    str::from_utf8(text).ok().map(str::to_owned)
}

/// The first element in DER: its tag, its contents, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = octets
            .iter()
            .try_fold(0_usize, |sum, octet| sum.checked_mul(256)?.checked_add(usize::from(*octet)))?;
        (length, rest)
    };
    let (inside, rest) = rest.split_at_checked(length)?;
    Some((tag, inside, rest))
}
