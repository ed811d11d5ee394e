//! Challenges: the values of WWW-Authenticate and Proxy-Authenticate (RFC 3261 §20.27, §20.44).

use super::algorithm::Algorithm;
use super::parameters::{DigestError, Parameters, escape, once, write_bare, write_quoted};

/// A challenge as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Challenge<'a> {
    /// The protection space, as it stands between the quotes.
    pub realm: &'a [u8],
    /// The server's nonce.
    pub nonce: &'a [u8],
    /// To be given back unchanged.
    pub opaque: Option<&'a [u8]>,
    /// Whether the credentials were right, and only their nonce too old.
    pub stale: bool,
    /// The algorithm, and whether it is the session variant. `None` if it is not one of ours: RFC 7616 §3.3 says to
    /// ignore such a challenge.
    pub algorithm: Option<(Algorithm, bool)>,
    /// The list of qualities of protection, if the server named any (RFC 2617 §3.2.1).
    pub qop: Option<&'a [u8]>,
}

impl<'a> Challenge<'a> {
    /// Reads one header field's value.
    ///
    /// # Errors
    /// When the scheme is another, the syntax is broken, or `realm` or `nonce` is missing or doubled.
    pub fn parse(value: &'a [u8]) -> Result<Self, DigestError> {
        let mut parameters = Parameters::of(value)?;
        let (mut realm, mut nonce, mut opaque, mut stale, mut algorithm, mut qop) =
            (None, None, None, None, None, None);
        while let Some((name, value)) = parameters.next()? {
            if name.eq_ignore_ascii_case(b"realm") {
                once(&mut realm, "realm", value)?;
            } else if name.eq_ignore_ascii_case(b"nonce") {
                once(&mut nonce, "nonce", value)?;
            } else if name.eq_ignore_ascii_case(b"opaque") {
                once(&mut opaque, "opaque", value)?;
            } else if name.eq_ignore_ascii_case(b"stale") {
                once(&mut stale, "stale", value.eq_ignore_ascii_case(b"true"))?;
            } else if name.eq_ignore_ascii_case(b"algorithm") {
                once(&mut algorithm, "algorithm", Algorithm::parse(value))?;
            } else if name.eq_ignore_ascii_case(b"qop") {
                once(&mut qop, "qop", value)?;
            }
        }
        Ok(Self {
            realm: realm.ok_or(DigestError::Missing("realm"))?,
            nonce: nonce.ok_or(DigestError::Missing("nonce"))?,
            opaque,
            stale: stale.unwrap_or(false),
            // RFC 2617 §3.2.1: MD5 where no algorithm is named.
            algorithm: algorithm.unwrap_or(Some((Algorithm::Md5, false))),
            qop,
        })
    }

    /// Whether the list of qualities of protection has `token`.
    #[must_use]
    pub fn offers(&self, token: &str) -> bool {
        self.qop.is_some_and(|list| {
            list.split(|byte| *byte == b',')
                .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        })
    }
}

/// A challenge to be written.
///
/// It offers `qop="auth"` always: RFC 3261 §22.4 item 8 obliges servers to send one. A server that takes several
/// algorithms writes several header fields, the preferred one first (RFC 8760 §2.4).
#[derive(Clone, Copy, Debug)]
pub struct ChallengeText<'a> {
    /// The protection space. Choose one without `"` and `\`: peers disagree on whether the backslash that quoting puts
    /// before them goes into the hash.
    pub realm: &'a str,
    /// A fresh nonce.
    pub nonce: &'a [u8],
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whether the credentials were right, and only their nonce too old.
    pub stale: bool,
}

impl ChallengeText<'_> {
    /// The header field's value.
    ///
    /// # Errors
    /// When the realm or the nonce holds CR, LF or NUL.
    pub fn write(&self) -> Result<Vec<u8>, DigestError> {
        let mut out = Vec::with_capacity(128);
        write_quoted(&mut out, "realm", &escape(self.realm.as_bytes()))?;
        write_quoted(&mut out, "nonce", self.nonce)?;
        write_bare(&mut out, "algorithm", self.algorithm.token().as_bytes())?;
        write_quoted(&mut out, "qop", b"auth")?;
        if self.stale {
            write_bare(&mut out, "stale", b"true")?;
        }
        Ok(out)
    }
}
