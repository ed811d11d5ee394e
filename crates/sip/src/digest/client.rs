//! The client's side: one user's answers to challenges (RFC 3261 §22.1-22.3, RFC 8760 §2.4).

use core::fmt;

use super::algorithm::Algorithm;
use super::challenge::Challenge;
use super::ha1::Ha1;
use super::parameters::{DigestError, escape, write_bare, write_quoted};
use super::response::{Answer, Qop};
use crate::entropy::Entropy;
use crate::header::HeaderName;

/// How many protection spaces are remembered; the oldest is forgotten first.
const SPACES: usize = 8;
/// How often in one request a nonce may be called stale before it is taken for a refusal.
const STALE_NONCES: u8 = 2;

/// Who challenges: it decides between two pairs of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// A user agent server or registrar: 401, WWW-Authenticate, Authorization (RFC 3261 §22.2).
    User,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization (RFC 3261 §22.3).
    Proxy,
}

impl Side {
    /// The header that answers its challenges.
    #[must_use]
    pub const fn credentials(self) -> HeaderName {
        match self {
            Self::User => HeaderName::Authorization,
            Self::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}

/// What to do after a 401 or 407.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send the request again, with [`Client::authorize`]'s headers and a higher CSeq.
    Retry,
    /// The same realm refused our answer: the name or the password is wrong. RFC 3261 §22.2 forbids trying again.
    Refused,
    /// There is no challenge that can be answered: all are broken, of another scheme, or of other algorithms.
    Unsupported,
}

/// What was tried for one request; it starts empty with every new request.
#[derive(Clone, Debug, Default)]
pub struct Attempts(Vec<(Side, Box<[u8]>, u8)>);

/// One user's memory of challenges.
#[derive(Clone)]
pub struct Client {
    username: Vec<u8>,
    secret: Secret,
    spaces: Vec<Space>,
}

#[derive(Clone)]
enum Secret {
    Password(Vec<u8>),
    Ha1(Vec<Ha1>),
}

/// A realm that challenged us, and the nonce in use there.
#[derive(Clone)]
struct Space {
    side: Side,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    session: bool,
    qop: Option<Qop>,
    cnonce: String,
    count: u32,
    ha1: Ha1,
}

impl Client {
    /// A user who knows the password.
    #[must_use]
    pub fn with_password(username: &[u8], password: &[u8]) -> Self {
        Self { username: username.to_vec(), secret: Secret::Password(password.to_vec()), spaces: Vec::new() }
    }

    /// A user of one realm whose password stays elsewhere: `secrets` holds a hash for each algorithm that can be
    /// answered.
    #[must_use]
    pub fn with_ha1(username: &[u8], secrets: Vec<Ha1>) -> Self {
        Self { username: username.to_vec(), secret: Secret::Ha1(secrets), spaces: Vec::new() }
    }

    /// Takes in the challenges of a 401 or 407. Of several in one realm the strongest that we can answer is chosen,
    /// and of equals the first (RFC 8760 §2.4).
    pub fn challenged<'a>(
        &mut self,
        challenges: impl IntoIterator<Item = (Side, &'a [u8])>,
        attempts: &mut Attempts,
        entropy: &mut dyn Entropy,
    ) -> Verdict {
        let mut chosen: Vec<(Side, Challenge<'a>, Algorithm)> = Vec::new();
        for (side, value) in challenges {
            let Ok(challenge) = Challenge::parse(value) else { continue };
            let Some(algorithm) = self.answerable(&challenge) else { continue };
            let room = chosen.len() < SPACES;
            match chosen.iter_mut().find(|(s, held, _)| *s == side && held.realm == challenge.realm) {
                Some(held) if held.2 >= algorithm => {}
                Some(held) => *held = (side, challenge, algorithm),
                None if room => chosen.push((side, challenge, algorithm)),
                None => {}
            }
        }
        if chosen.is_empty() {
            return Verdict::Unsupported;
        }
        for (side, challenge, _) in &chosen {
            if !attempts.may_answer(*side, challenge) {
                self.spaces.retain(|space| !space.is(*side, challenge.realm));
                return Verdict::Refused;
            }
        }
        for (side, challenge, algorithm) in &chosen {
            self.remember(*side, challenge, *algorithm, entropy);
        }
        Verdict::Retry
    }

    /// The headers that a request needs: for each realm that has challenged us its side and the value of
    /// Authorization or Proxy-Authorization. Each call counts as a use of the nonces.
    ///
    /// # Errors
    /// When a text of the user or the server holds CR, LF or NUL.
    pub fn authorize(
        &mut self,
        method: &[u8],
        uri: &[u8],
        body: &[u8],
    ) -> Result<Vec<(Side, Vec<u8>)>, DigestError> {
        let username = escape(&self.username);
        self.spaces
            .iter_mut()
            .map(|space| space.answer(&username, method, uri, body).map(|value| (space.side, value)))
            .collect()
    }

    /// Forgets every challenge.
    pub fn forget(&mut self) {
        self.spaces.clear();
    }

    /// The algorithm with which we can answer.
    fn answerable(&self, challenge: &Challenge<'_>) -> Option<Algorithm> {
        let (algorithm, session) = challenge.algorithm?;
        let qop = quality(challenge)?;
        // RFC 3261 §22.4 item 8: what depends on a cnonce needs qop.
        if session && qop.is_none() {
            return None;
        }
        match &self.secret {
            Secret::Password(_) => Some(algorithm),
            Secret::Ha1(known) => known.iter().any(|ha1| ha1.algorithm() == algorithm).then_some(algorithm),
        }
    }

    fn remember(
        &mut self,
        side: Side,
        challenge: &Challenge<'_>,
        algorithm: Algorithm,
        entropy: &mut dyn Entropy,
    ) {
        let (Some((_, session)), Some(qop)) = (challenge.algorithm, quality(challenge)) else { return };
        let ha1 = match &self.secret {
            Secret::Password(password) => Ha1::new(algorithm, &self.username, challenge.realm, password),
            Secret::Ha1(known) => match known.iter().find(|ha1| ha1.algorithm() == algorithm) {
                Some(ha1) => *ha1,
                None => return,
            },
        };
        let before = self.spaces.iter().position(|space| space.is(side, challenge.realm));
        let before = before.map(|place| self.spaces.remove(place));
        // RFC 2617 §3.2.2: the count belongs to the nonce; a nonce that is offered again goes on counting.
        let (count, cnonce) = match before {
            Some(space) if space.nonce == challenge.nonce => (space.count, space.cnonce),
            _ => (0, entropy.token(16)),
        };
        if self.spaces.len() >= SPACES {
            self.spaces.remove(0);
        }
        self.spaces.push(Space {
            side,
            realm: challenge.realm.to_vec(),
            nonce: challenge.nonce.to_vec(),
            opaque: challenge.opaque.map(<[u8]>::to_vec),
            session,
            qop,
            cnonce,
            count,
            ha1,
        });
    }
}

impl fmt::Debug for Client {
    /// Keeps the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// The quality to answer with. `None` if the server names only qualities that are not ours. `auth` is preferred:
/// `auth-int` breaks when a proxy on the way rewrites the body.
fn quality(challenge: &Challenge<'_>) -> Option<Option<Qop>> {
    if challenge.qop.is_none_or(|list| list.trim_ascii().is_empty()) {
        Some(None)
    } else if challenge.offers(Qop::Auth.token()) {
        Some(Some(Qop::Auth))
    } else if challenge.offers(Qop::AuthInt.token()) {
        Some(Some(Qop::AuthInt))
    } else {
        None
    }
}

impl Space {
    fn is(&self, side: Side, realm: &[u8]) -> bool {
        self.side == side && self.realm == realm
    }

    fn answer(
        &mut self,
        username: &[u8],
        method: &[u8],
        uri: &[u8],
        body: &[u8],
    ) -> Result<Vec<u8>, DigestError> {
        if uri.contains(&b'"') {
            return Err(DigestError::Invalid("uri"));
        }
        self.count = self.count.saturating_add(1);
        let count = eight_digits(self.count);
        let answer = Answer {
            session: self.session,
            method,
            uri,
            body,
            nonce: &self.nonce,
            cnonce: self.cnonce.as_bytes(),
            nonce_count: &count,
            qop: self.qop.map(|qop| (qop, qop.token().as_bytes())),
        };
        let response = answer.hash(&self.ha1);
        let algorithm = self.ha1.algorithm();
        let token = if self.session { algorithm.session_token() } else { algorithm.token() };
        let mut out = Vec::with_capacity(320);
        write_quoted(&mut out, "username", username)?;
        write_quoted(&mut out, "realm", &self.realm)?;
        write_quoted(&mut out, "nonce", &self.nonce)?;
        write_quoted(&mut out, "uri", uri)?;
        write_quoted(&mut out, "response", response.hex().as_bytes())?;
        write_bare(&mut out, "algorithm", token.as_bytes())?;
        if let Some(qop) = self.qop {
            write_bare(&mut out, "qop", qop.token().as_bytes())?;
            write_bare(&mut out, "nc", &count)?;
            write_quoted(&mut out, "cnonce", self.cnonce.as_bytes())?;
        }
        if let Some(opaque) = &self.opaque {
            write_quoted(&mut out, "opaque", opaque)?;
        }
        Ok(out)
    }
}

impl Attempts {
    /// Whether one more answer to this challenge may succeed; counts it if so. The first challenge of a request may
    /// follow credentials that were sent unasked, so it is always answered. After that only a stale nonce is a
    /// reason (RFC 2617 §3.2.1).
    fn may_answer(&mut self, side: Side, challenge: &Challenge<'_>) -> bool {
        let room = self.0.len() < SPACES;
        match self.0.iter_mut().find(|(s, realm, _)| *s == side && **realm == *challenge.realm) {
            None if room => {
                self.0.push((side, challenge.realm.into(), 0));
                true
            }
            Some((_, _, stale)) if challenge.stale && *stale < STALE_NONCES => {
                *stale += 1;
                true
            }
            _ => false,
        }
    }
}

/// The count in eight hexadecimal digits.
fn eight_digits(count: u32) -> [u8; 8] {
    let mut text = [b'0'; 8];
    for (place, digit) in text.iter_mut().enumerate() {
        let nibble = u8::try_from((count >> (28 - place * 4)) & 15).unwrap_or(0);
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    text
}
