//! The answer to a challenge, computed and checked (RFC 2617 §3.2.2.1, RFC 7616 §3.4.1).

use super::algorithm::{Algorithm, Hash};
use super::credentials::Credentials;
use super::ha1::Ha1;
use super::hmac::constant_time_equal;

/// The quality of protection: what the hash covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// Method and URI.
    Auth,
    /// Method, URI and body.
    AuthInt,
}

impl Qop {
    /// The token.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// The quality that a token names, in any case of letters.
    #[must_use]
    pub fn parse(token: &[u8]) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|qop| token.eq_ignore_ascii_case(qop.token().as_bytes()))
    }
}

/// What the hash of an answer runs over, beside the secret.
pub(super) struct Answer<'a> {
    pub(super) session: bool,
    pub(super) method: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) nonce: &'a [u8],
    pub(super) cnonce: &'a [u8],
    pub(super) nonce_count: &'a [u8],
    /// The quality, and its text as written.
    pub(super) qop: Option<(Qop, &'a [u8])>,
}

impl Answer<'_> {
    pub(super) fn hash(&self, ha1: &Ha1) -> Hash {
        let algorithm: Algorithm = ha1.algorithm();
        let secret = if self.session { ha1.of_session(self.nonce, self.cnonce) } else { *ha1 };
        let ha2 = match self.qop {
            // RFC 2617 §3.2.2.3; RFC 3261 §22.4 item 7: an absent body is an empty one.
            Some((Qop::AuthInt, _)) => {
                let body = algorithm.hash(&[self.body]);
                algorithm.hash(&[self.method, b":", self.uri, b":", body.hex().as_bytes()])
            }
            _ => algorithm.hash(&[self.method, b":", self.uri]),
        };
        let (secret, ha2) = (secret.hex(), ha2.hex());
        match self.qop {
            Some((_, qop)) => algorithm.hash(&[
                secret.as_bytes(),
                b":",
                self.nonce,
                b":",
                self.nonce_count,
                b":",
                self.cnonce,
                b":",
                qop,
                b":",
                ha2.as_bytes(),
            ]),
            // RFC 2617 §3.2.2.1: as RFC 2069 had it.
            None => algorithm.hash(&[secret.as_bytes(), b":", self.nonce, b":", ha2.as_bytes()]),
        }
    }
}

/// Whether `credentials` prove that the sender of a request with this method and body knows the secret.
///
/// Says nothing of the nonce ([`super::Nonces`]), of replays ([`super::ReplayWindow`]) or of whether the name and
/// the realm are those of `ha1`: the caller looked it up by them. For an unknown user, verify against any `ha1`, so
/// that the time tells nothing.
#[must_use]
pub fn verify(credentials: &Credentials<'_>, method: &[u8], body: &[u8], ha1: &Ha1) -> bool {
    let Some((algorithm, session)) = credentials.algorithm else { return false };
    if algorithm != ha1.algorithm() || (session && credentials.cnonce.is_none()) {
        return false;
    }
    let answer = Answer {
        session,
        method,
        uri: credentials.uri,
        body,
        nonce: credentials.nonce,
        cnonce: credentials.cnonce.unwrap_or_default(),
        nonce_count: credentials.nonce_count_text,
        qop: credentials.qop.map(|qop| (qop, credentials.qop_text)),
    };
    let expected = answer.hash(ha1);
    Hash::from_hex(algorithm, credentials.response)
        .is_some_and(|given| constant_time_equal(given.as_bytes(), expected.as_bytes()))
}
