//! Credentials: the values of Authorization and Proxy-Authorization (RFC 3261 §20.7, §20.28).

use std::borrow::Cow;

use super::algorithm::Algorithm;
use super::parameters::{DigestError, Parameters, once};
use super::response::Qop;

/// Credentials as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials<'a> {
    /// The user's name, as it stands between the quotes. See [`Credentials::user`].
    pub username: &'a [u8],
    /// The protection space, as it stands between the quotes.
    pub realm: &'a [u8],
    /// The nonce that is answered.
    pub nonce: &'a [u8],
    /// The URI over which the client made its hash. It need not be the Request-URI as it arrives (RFC 3261 §22.4
    /// item 6).
    pub uri: &'a [u8],
    /// The answer, in hexadecimal.
    pub response: &'a [u8],
    /// The algorithm, and whether it is the session variant. `None` if it is not one of ours.
    pub algorithm: Option<(Algorithm, bool)>,
    /// The client's nonce. It is there whenever `qop` is.
    pub cnonce: Option<&'a [u8]>,
    /// The server's opaque value.
    pub opaque: Option<&'a [u8]>,
    /// The quality of protection; `None` from clients as old as RFC 2069.
    pub qop: Option<Qop>,
    /// How often the client has used this nonce, from 1. It is there whenever `qop` is.
    pub nonce_count: Option<u32>,
    /// `qop` as written: it goes into the hash.
    pub(super) qop_text: &'a [u8],
    /// `nc` as written: it goes into the hash.
    pub(super) nonce_count_text: &'a [u8],
}

const USERNAME: (usize, u64) = code(b"username");
const REALM: (usize, u64) = code(b"realm");
const NONCE: (usize, u64) = code(b"nonce");
const URI: (usize, u64) = code(b"uri");
const RESPONSE: (usize, u64) = code(b"response");
const ALGORITHM: (usize, u64) = code(b"algorithm");
const CNONCE: (usize, u64) = code(b"cnonce");
const OPAQUE: (usize, u64) = code(b"opaque");
const QOP: (usize, u64) = code(b"qop");
const NC: (usize, u64) = code(b"nc");

/// The last eight octets of a name, letters in lower case, as one number. The bit that makes a letter lower case turns
/// nothing but its upper case into it.
const fn code(name: &[u8]) -> (usize, u64) {
    let (mut code, mut rest) = (0, name);
    while let [byte, after @ ..] = rest {
        code = (code << 8) | (*byte | 0x20) as u64;
        rest = after;
    }
    (name.len(), code)
}

#[derive(Default)]
struct Found<'a> {
    username: Option<&'a [u8]>,
    realm: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    uri: Option<&'a [u8]>,
    response: Option<&'a [u8]>,
    algorithm: Option<&'a [u8]>,
    cnonce: Option<&'a [u8]>,
    opaque: Option<&'a [u8]>,
    qop: Option<&'a [u8]>,
    nonce_count: Option<&'a [u8]>,
}

impl<'a> Found<'a> {
    /// The place for the parameter `name`, and that name as an error says it. `None` if it does not concern us.
    fn place(&mut self, name: &[u8]) -> Option<(&'static str, &mut Option<&'a [u8]>)> {
        Some(match code(name) {
            USERNAME => ("username", &mut self.username),
            REALM => ("realm", &mut self.realm),
            NONCE => ("nonce", &mut self.nonce),
            URI => ("uri", &mut self.uri),
            RESPONSE => ("response", &mut self.response),
            ALGORITHM if name.eq_ignore_ascii_case(b"algorithm") => ("algorithm", &mut self.algorithm),
            CNONCE => ("cnonce", &mut self.cnonce),
            OPAQUE => ("opaque", &mut self.opaque),
            QOP => ("qop", &mut self.qop),
            NC => ("nc", &mut self.nonce_count),
            _ => return None,
        })
    }
}

impl<'a> Credentials<'a> {
    /// Reads one header field's value.
    ///
    /// # Errors
    /// When the scheme is another, the syntax is broken, a needed parameter is missing, any is there twice, or
    /// `qop` or `nc` has no meaning (RFC 2617 §3.2.2).
    pub fn parse(value: &'a [u8]) -> Result<Self, DigestError> {
        let mut parameters = Parameters::of(value)?;
        let mut found = Found::default();
        while let Some((name, value)) = parameters.next()? {
            if let Some((name, place)) = found.place(name) {
                once(place, name, value)?;
            }
        }
        let qop = match found.qop {
            None => None,
            Some(text) => Some(Qop::parse(text).ok_or(DigestError::Invalid("qop"))?),
        };
        let nonce_count = match found.nonce_count {
            None => None,
            Some(text) => Some(count(text).ok_or(DigestError::Invalid("nc"))?),
        };
        if qop.is_some() {
            // RFC 2617 §3.2.2: with qop, both must be there.
            found.cnonce.ok_or(DigestError::Missing("cnonce"))?;
            nonce_count.ok_or(DigestError::Missing("nc"))?;
        }
        Ok(Self {
            username: found.username.ok_or(DigestError::Missing("username"))?,
            realm: found.realm.ok_or(DigestError::Missing("realm"))?,
            nonce: found.nonce.ok_or(DigestError::Missing("nonce"))?,
            uri: found.uri.ok_or(DigestError::Missing("uri"))?,
            response: found.response.ok_or(DigestError::Missing("response"))?,
            algorithm: found.algorithm.map_or(Some((Algorithm::Md5, false)), Algorithm::parse),
            cnonce: found.cnonce,
            opaque: found.opaque,
            qop,
            nonce_count,
            qop_text: found.qop.unwrap_or_default(),
            nonce_count_text: found.nonce_count.unwrap_or_default(),
        })
    }

    /// The user's name without the backslashes that quoting put into it.
    #[must_use]
    pub fn user(&self) -> Cow<'a, [u8]> {
        unescape(self.username)
    }

    /// The realm without the backslashes that quoting put into it.
    #[must_use]
    pub fn realm_name(&self) -> Cow<'a, [u8]> {
        unescape(self.realm)
    }
}

fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    Cow::Owned(plain)
}

/// Eight hexadecimal digits (RFC 2617 §3.2.2: `nc-value`); fewer are accepted, and mean the same.
fn count(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    text.iter().try_fold(0u32, |number, digit| Some((number << 4) | char::from(*digit).to_digit(16)?))
}
