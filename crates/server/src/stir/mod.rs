//! Signed caller ids, what is outside of the proxy: the key, the certificates, the calendar and the PASSporT itself
//! (RFC 8224, RFC 8225, RFC 8226, RFC 8588).
//!
//! [`passport`] writes and reads the token, [`certificates`] says whose key may have signed one. Nothing is fetched: the
//! certificates of others are files, each under the URL by which tokens name it.

mod certificates;
mod passport;

use std::time::{SystemTime, UNIX_EPOCH};

use proxy::stir::{Claims, Invalid, Party, Signed};

pub(crate) use certificates::{CertificateError, Certificates};
pub(crate) use passport::Signer;

use passport::Passport;

use crate::log;

/// How old a signature may be, and how far the clock of whoever signs may be ahead, in seconds (RFC 8224 §6.2 step 4).
const FRESH: u64 = 60;

/// What is needed to sign and to verify.
#[derive(Debug, Default)]
pub(crate) struct Stir {
    pub(crate) signer: Option<Signer>,
    pub(crate) certificates: Certificates,
}

/// Why a signature is worth nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StirError {
    #[error("the Identity cannot be read: {0}")]
    Unreadable(&'static str),
    #[error("{0} is none of caller_ids.certificates")]
    NoCredential(String),
    #[error("the certificate of {0} is not vouched for by any of caller_ids.trust_anchors: {1}")]
    Untrusted(String, String),
    #[error("the certificate of {0} is for other numbers")]
    OtherNumbers(String),
    #[error("it was signed by another key, or changed since")]
    OtherKey,
    #[error("it was signed at {0}, and it is {1} now (seconds since 1970)")]
    Stale(u64, u64),
    #[error("it speaks of another caller")]
    OtherCaller,
    #[error("it speaks of another callee")]
    OtherCallee,
}

impl StirError {
    /// As the proxy answers it.
    pub(crate) const fn invalid(&self) -> Invalid {
        match self {
            Self::Stale(..) => Invalid::Stale,
            Self::NoCredential(_) => Invalid::NoCredential,
            Self::Untrusted(..) | Self::OtherNumbers(_) => Invalid::UnsupportedCredential,
            Self::Unreadable(_) | Self::OtherKey | Self::OtherCaller | Self::OtherCallee => {
                Invalid::InvalidIdentity
            }
        }
    }
}

/// What is asked about a call.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) identities: &'a [Vec<u8>],
    pub(crate) date: Option<&'a [u8]>,
    pub(crate) orig: &'a [Party],
    pub(crate) dest: &'a [Party],
}

/// The present time, in seconds since the Unix epoch.
fn present() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Stir {
    /// Signs now, and tells if it cannot.
    pub(crate) fn signed(&self, claims: &Claims) -> Option<Signed> {
        let signed = self.sign(present(), claims);
        if signed.is_none() {
            log::warning("a call goes unsigned: caller_ids.signing_certificate is not valid now");
        }
        signed
    }

    /// Whether one of the signatures holds now; the log says why not.
    pub(crate) fn verified(&self, call: Call<'_>) -> Result<(), Invalid> {
        self.verify(present(), call).map_err(|error| {
            log::debug(format!("a caller's signature counts for nothing: {error}"));
            error.invalid()
        })
    }

    /// Signs; `None` if it cannot.
    fn sign(&self, at: u64, claims: &Claims) -> Option<Signed> {
        Some(Signed { identity: self.signer.as_ref()?.identity(at, claims)?, at })
    }

    /// Whether one of the signatures holds at this time.
    ///
    /// # Errors
    /// Why the first does not, if none does.
    fn verify(&self, now: u64, call: Call<'_>) -> Result<(), StirError> {
        let mut first = None;
        for identity in call.identities {
            match self.verify_one(now, identity, call) {
                Ok(()) => return Ok(()),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or(StirError::Unreadable("there is none")))
    }

    fn verify_one(&self, now: u64, identity: &[u8], call: Call<'_>) -> Result<(), StirError> {
        let passport = Passport::read(identity, call)?;
        let certificate = self.certificates.by_url(&passport.x5u)?;
        certificate.is_trusted(&self.certificates, now, &passport.x5u)?;
        if !certificate.has_signed(passport.signed.as_bytes(), &passport.signature) {
            return Err(StirError::OtherKey);
        }
        if now.abs_diff(passport.iat) > FRESH {
            return Err(StirError::Stale(passport.iat, now));
        }
        if !call.orig.contains(&passport.orig) {
            return Err(StirError::OtherCaller);
        }
        if !passport.dest.iter().any(|party| call.dest.contains(party)) {
            return Err(StirError::OtherCallee);
        }
        match &passport.orig {
            Party::Number(number) if !certificate.may_speak_for(number) => {
                Err(StirError::OtherNumbers(passport.x5u))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
