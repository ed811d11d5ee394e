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
        self.unproven(ha1.algorithm(), None).response(ha1)
    }

    /// All but the secret; `given` is the response to compare with.
    fn unproven(&self, algorithm: Algorithm, given: Option<Hash>) -> Unproven {
        let ha2 = match self.qop {
            // RFC 2617 §3.2.2.3; RFC 3261 §22.4 item 7: an absent body is an empty one.
            Some((Qop::AuthInt, _)) => {
                let body = algorithm.hash(&[self.body]);
                algorithm.hash(&[self.method, b":", self.uri, b":", body.hex().as_bytes()])
            }
            _ => algorithm.hash(&[self.method, b":", self.uri]),
        };
        let ha2 = ha2.hex();
        let parts = match self.qop {
            Some((_, qop)) => [self.nonce, self.nonce_count, self.cnonce, qop, ha2.as_bytes()],
            // RFC 2617 §3.2.2.1: as RFC 2069 had it.
            None => [self.nonce, b"", b"", b"", ha2.as_bytes()],
        };
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
        for (place, part) in parts.into_iter().enumerate() {
            if self.qop.is_some() || !matches!(place, 1..4) {
                data.push(b':');
                data.extend_from_slice(part);
            }
        }
        let session = self.session.then(|| Box::from(self.cnonce));
        Unproven { algorithm, given, data, nonce_length: self.nonce.len(), session }
    }
}

/// What is left of credentials when all has been done with them that can be done without the secret: for a server that
/// has to ask for it. Made by [`Credentials::unproven`].
#[derive(Clone, Debug)]
pub struct Unproven {
    algorithm: Algorithm,
    /// The response; `None` if it is no hash.
    given: Option<Hash>,
    /// What is hashed behind the secret, from the first colon on: the nonce is its first part.
    data: Vec<u8>,
    nonce_length: usize,
    /// The client's nonce, if the secret is to be that of a session.
    session: Option<Box<[u8]>>,
}

impl Unproven {
    /// The algorithm that the secret must be of.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The nonce.
    #[must_use]
    pub fn nonce(&self) -> &[u8] {
        self.data.get(1..=self.nonce_length).unwrap_or_default()
    }

    /// Whether the sender knows the secret. As [`verify`], it says nothing of the nonce, the name and the realm.
    #[must_use]
    pub fn is_proven_by(&self, ha1: &Ha1) -> bool {
        self.algorithm == ha1.algorithm()
            && self
                .given
                .as_ref()
                .is_some_and(|given| constant_time_equal(given.as_bytes(), self.response(ha1).as_bytes()))
    }

    fn response(&self, ha1: &Ha1) -> Hash {
        let secret = match &self.session {
            Some(cnonce) => ha1.of_session(self.nonce(), cnonce),
            None => *ha1,
        };
        self.algorithm.hash(&[secret.hex().as_bytes(), &self.data])
    }
}

impl Credentials<'_> {
    /// Works out all of the expected response that needs no secret, for a request with this method and body. `None` if
    /// no secret could prove the credentials: their algorithm is none of ours, or they want a session without a nonce
    /// of the client's.
    #[must_use]
    pub fn unproven(&self, method: &[u8], body: &[u8]) -> Option<Unproven> {
        let (algorithm, session) = self.algorithm?;
        if session && self.cnonce.is_none() {
            return None;
        }
        let answer = Answer {
            session,
            method,
            uri: self.uri,
            body,
            nonce: self.nonce,
            cnonce: self.cnonce.unwrap_or_default(),
            nonce_count: self.nonce_count_text,
            qop: self.qop.map(|qop| (qop, self.qop_text)),
        };
        Some(answer.unproven(algorithm, Hash::from_hex(algorithm, self.response)))
    }
}

/// Whether `credentials` prove that the sender of a request with this method and body knows the secret.
///
/// Says nothing of the nonce ([`super::Nonces`]), of replays ([`super::ReplayWindow`]) or of whether the name and
/// the realm are those of `ha1`: the caller looked it up by them. For an unknown user, verify against
/// [`Ha1::nobody`], so that the time tells nothing.
#[must_use]
pub fn verify(credentials: &Credentials<'_>, method: &[u8], body: &[u8], ha1: &Ha1) -> bool {
    credentials.unproven(method, body).is_some_and(|unproven| unproven.is_proven_by(ha1))
}
