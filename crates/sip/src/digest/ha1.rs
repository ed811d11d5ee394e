//! `H(A1)`: what a server keeps instead of a password (RFC 2617 §3.2.2.2).

use core::fmt;

use super::algorithm::{Algorithm, Hash, Hex};
use super::hmac::constant_time_equal;

/// The hash of `user:realm:password`. It is as good as the password within its realm: keep it as secret.
#[derive(Clone, Copy)]
pub struct Ha1(Hash);

impl Ha1 {
    /// The hash of a user's password.
    #[must_use]
    pub fn new(algorithm: Algorithm, user: &[u8], realm: &[u8], password: &[u8]) -> Self {
        Self(algorithm.hash(&[user, b":", realm, b":", password]))
    }

    /// The hash of no password that anybody knows: to check credentials of an unknown user against.
    #[must_use]
    pub const fn nobody(algorithm: Algorithm) -> Self {
        Self(Hash::zero(algorithm))
    }

    /// The hash that `hex` writes out. `None` if its length is not the algorithm's or it is not hexadecimal.
    #[must_use]
    pub fn from_hex(algorithm: Algorithm, hex: &[u8]) -> Option<Self> {
        Hash::from_hex(algorithm, hex).map(Self)
    }

    /// The hash that has these bytes. `None` if their number is not the algorithm's.
    #[must_use]
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        Hash::from_bytes(algorithm, bytes).map(Self)
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// The bytes: 16 of MD5, 32 of the others.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The bytes in hexadecimal.
    #[must_use]
    pub fn hex(&self) -> Hex {
        self.0.hex()
    }

    /// The secret of one session (RFC 2617 §3.2.2.2, RFC 7616 §3.4.2: the algorithms that end in `-sess`).
    #[must_use]
    pub fn of_session(&self, nonce: &[u8], cnonce: &[u8]) -> Self {
        Self(self.algorithm().hash(&[self.hex().as_bytes(), b":", nonce, b":", cnonce]))
    }
}

impl PartialEq for Ha1 {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.algorithm() == other.algorithm() && constant_time_equal(self.as_bytes(), other.as_bytes())
    }
}

impl Eq for Ha1 {}

impl fmt::Debug for Ha1 {
    /// Names the algorithm and keeps the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(")?;
        f.write_str(self.algorithm().token())?;
        f.write_str(")")
    }
}
