//! Digest authentication at the server (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! An unknown user and a wrong password get the same answer after the same work: a fresh challenge, at which JsSIP
//! 3.13 and SIP.js 0.21 stop and report an authentication error; and 403 to who goes on (`failures`).

use std::sync::{Mutex, MutexGuard, PoisonError};

use sip::digest::{
    Algorithm, ChallengeText, Credentials, Ha1, NonceState, Nonces, ReplayWindow, Unproven, Use,
};
use sip::header::HeaderName;
use sip::{Entropy, Instant, Message, Method};

use crate::config::Authentication;
use crate::output::UserSecret;
use crate::reply::Refusal;

/// Challenges, and what comes back.
#[derive(Debug)]
pub(crate) struct Authenticator {
    config: Authentication,
    nonces: Nonces,
}

/// How many nonces the server remembers the counts of.
const REMEMBERED_NONCES: usize = 65_536;

/// The counts of nonces that were used, in parts with a lock each: the nonces of one part are forgotten together.
#[derive(Debug)]
pub(crate) struct Replays([Mutex<ReplayWindow>; 16]);

impl Default for Replays {
    fn default() -> Self {
        Self(core::array::from_fn(|_| Mutex::new(ReplayWindow::new(REMEMBERED_NONCES / 16))))
    }
}

impl Replays {
    fn issued(&self, nonce: &[u8]) -> Option<Instant> {
        self.part(nonce).issued(nonce)
    }

    fn enter(&self, nonce: &[u8], issued: Instant, count: u32) -> Use {
        self.part(nonce).enter(nonce, issued, count)
    }

    fn part(&self, nonce: &[u8]) -> MutexGuard<'_, ReplayWindow> {
        // Nonces end with octets that nobody can choose.
        let place = nonce.last().map_or(0, |octet| usize::from(*octet)) % 16;
        let [first, ..] = &self.0;
        self.0.get(place).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The sender is the user.
    Right,
    /// The password is right, but the credentials were used before or are too old: a fresh nonce will do.
    Used,
    /// Anything else.
    Wrong,
}

/// Credentials of a request, before the user's secret is known.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// The user that they name.
    pub(crate) user: String,
    /// When their nonce was made; `None` if it is too old.
    issued: Option<Instant>,
    /// How often the client has used it.
    count: u32,
    unproven: Unproven,
}

impl Authenticator {
    pub(crate) fn new(config: &Authentication, secret: [u8; 32]) -> Self {
        Self { config: config.clone(), nonces: Nonces::new(secret, config.nonce_lifetime) }
    }

    /// Whether anybody is asked.
    pub(crate) const fn is_required(&self) -> bool {
        self.config.required
    }

    /// The realm.
    pub(crate) fn realm(&self) -> &str {
        &self.config.realm
    }

    /// What the credentials of `request` claim; `None` if there are none that count. `is_registrar`: we are the one
    /// addressed (401), not a proxy (407).
    pub(crate) fn claim(
        &self,
        replays: &Replays,
        now: Instant,
        request: &Message,
        is_registrar: bool,
    ) -> Option<Claim> {
        let method = request.method().unwrap_or(Method::Register);
        for value in request.headers(names(is_registrar).0) {
            // RFC 4475 §3.3.7: an unknown scheme is as none.
            let Ok(credentials) = Credentials::parse(value) else { continue };
            if *credentials.realm_name() != *self.config.realm.as_bytes() || !self.is_offered(&credentials) {
                continue;
            }
            // A nonce that was used is known to be ours.
            let state = match replays.issued(credentials.nonce) {
                Some(issued) => self.nonces.age(now, issued),
                None => self.nonces.check(now, credentials.nonce, self.config.realm.as_bytes()),
            };
            let issued = match state {
                NonceState::Fresh { issued } => Some(issued),
                NonceState::Stale => None,
                NonceState::Forged => continue,
            };
            // RFC 2069 clients count nothing: a nonce serves them once. A count that is no part of the hash proves nothing.
            let count = credentials.qop.map_or(1, |_| credentials.nonce_count.unwrap_or_default());
            if let Some(unproven) = credentials.unproven(method.as_bytes(), request.body())
                && let Ok(user) = String::from_utf8(credentials.user().into_owned())
            {
                return Some(Claim { user, issued, count, unproven });
            }
        }
        None
    }

    /// The challenge: 401 from the registrar, 407 from the proxy.
    pub(crate) fn challenge(
        &self,
        now: Instant,
        request: &Message,
        is_registrar: bool,
        stale: bool,
        why: &'static str,
        entropy: &mut dyn Entropy,
    ) -> Refusal {
        let (_, header) = names(is_registrar);
        let mut refusal = Refusal::new(if is_registrar { 401 } else { 407 }, why);
        let nonce = self.nonces.issue(now, self.config.realm.as_bytes(), entropy);
        for algorithm in self.offered(request) {
            let text = ChallengeText { realm: &self.config.realm, nonce: &nonce, algorithm, stale };
            if let Ok(value) = text.write() {
                refusal = refusal.header(header, value);
            }
        }
        refusal
    }

    /// Whether the sender is one of those that read one challenge only, or give up at one they do not know.
    pub(crate) fn reads_one_challenge(&self, request: &Message) -> bool {
        let agent = request.header(HeaderName::UserAgent).unwrap_or_default();
        let starts = |name: &String| {
            agent.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
        };
        self.config.md5_only_clients.iter().any(starts)
    }

    /// The algorithms for this client, strongest first.
    fn offered(&self, request: &Message) -> Vec<Algorithm> {
        if self.reads_one_challenge(request) && self.config.algorithms.contains(&Algorithm::Md5) {
            return vec![Algorithm::Md5];
        }
        self.config.algorithms.clone()
    }

    /// RFC 8760 §2.6: credentials count only for an algorithm that was offered.
    fn is_offered(&self, credentials: &Credentials<'_>) -> bool {
        credentials.algorithm.is_some_and(|(algorithm, _)| self.config.algorithms.contains(&algorithm))
    }
}

impl Claim {
    /// Whether the sender knows the secret. Takes the same time if there is no such user.
    pub(crate) fn prove(&self, replays: &Replays, secret: Option<&UserSecret>) -> Proof {
        let algorithm = self.unproven.algorithm();
        let known = secret.and_then(|secret| match algorithm {
            Algorithm::Md5 => secret.md5,
            Algorithm::Sha256 => secret.sha256,
            Algorithm::Sha512_256 => secret.sha512_256,
        });
        // Compared in either case, so that the work is the same.
        let right = self.unproven.is_proven_by(&known.unwrap_or(Ha1::nobody(algorithm)));
        if !right || known.is_none() {
            return Proof::Wrong;
        }
        let Some(issued) = self.issued else { return Proof::Used };
        match replays.enter(self.unproven.nonce(), issued, self.count) {
            Use::First => Proof::Right,
            Use::Replayed | Use::Forgotten => Proof::Used,
        }
    }
}

/// Credentials and challenge: the registrar's, or the proxy's.
pub(crate) const fn names(is_registrar: bool) -> (HeaderName, HeaderName) {
    if is_registrar {
        (HeaderName::Authorization, HeaderName::WwwAuthenticate)
    } else {
        (HeaderName::ProxyAuthorization, HeaderName::ProxyAuthenticate)
    }
}
