//! Signed caller ids: STIR (RFC 8224, RFC 8225) with the claims of SHAKEN (RFC 8588).
//!
//! ```text
//! a call that leaves for a group which has calls signed ─▶ `sign`: whose it is, how sure we are ─▶ Question::Sign ─▶ Identity
//! a call that comes from a group which is verified ─▶ `verify`: who is shown, who is called ─▶ Question::Verify
//!                                          ─▶ `verstat` in the identity that is shown, or a refusal
//! ```
//!
//! Here is decided who is named and what becomes of the call. Keys, certificates, the calendar and the PASSporT itself are
//! asked for outside.

mod party;
mod sign;
mod verify;
mod verstat;

use core::fmt;

pub use party::Party;
pub(crate) use sign::Signature;

/// How sure the signer is that the caller may use the number (RFC 8588 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attestation {
    /// `A`: the caller is known, and so is that the number is his.
    Full,
    /// `B`: the caller is known; the number may be another's.
    Partial,
    /// `C`: the call came in here, and that is all.
    Gateway,
}

impl Attestation {
    /// The letter of the claim `attest`.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Full => "A",
            Self::Partial => "B",
            Self::Gateway => "C",
        }
    }
}

impl fmt::Display for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

/// Whose calls to a group are signed, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The most that is said of calls of our users. One whose name is no number known everywhere gets `B` at the most.
    pub users: Attestation,
    /// What is said of other calls: of peers, of other groups, of whom a route lets through without a password. `None`:
    /// they go unsigned.
    pub others: Option<Attestation>,
}

/// What becomes of calls of a group by what their `Identity` is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Nobody looks.
    #[default]
    Off,
    /// The callee is told (`verstat`).
    Mark,
    /// One that is worth nothing is refused; the callee is told of the others.
    Refuse,
    /// One without is refused, too (428).
    Require,
}

/// What a PASSporT is to say (RFC 8225 §5, RFC 8588 §4, §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// How sure we are of `orig`.
    pub attest: Attestation,
    /// Who calls.
    pub orig: Party,
    /// Who is called.
    pub dest: Party,
    /// Tells whose call it was to whoever traces it, if it is shown to us: a UUID, the same one for each call of a caller.
    pub origid: String,
}

/// What has been signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The value of the `Identity` header.
    pub identity: Vec<u8>,
    /// The time in it (`iat`), in seconds since the Unix epoch.
    pub at: u64,
}

/// Why an `Identity` is worth nothing (RFC 8224 §6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It was signed more than a minute ago, or in the future: 403 (Stale Date).
    Stale,
    /// The certificate that it names is not known here: 436 (Bad Identity Info).
    NoCredential,
    /// Nobody whom we trust vouches for the certificate, or it is for other numbers: 437 (Unsupported Credential).
    UnsupportedCredential,
    /// It cannot be read, is signed by another key, or speaks of another call: 438 (Invalid Identity Header).
    InvalidIdentity,
}
