//! Users who show a token instead of a password: in each request (RFC 8898), or once, when their page opened its
//! WebSocket (RFC 7118 §7).
//!
//! What a token is worth, whose it is and until when, is asked outside ([`Question::Token`]): keys and calendar are there.
//! Nothing outlives its token: a registration is granted for no longer, and a connection speaks for its user only as long
//! as that registration lives.

use sip::header::HeaderName;
use sip::{Flow, Instant, Message};

use crate::authentication::{Proof, names};
use crate::authorization::Sender;
use crate::inbound::{Job, is_register};
use crate::output::{Question, TokenHolder};
use crate::proxy::{Proxy, Waiting};
use crate::registrar::address_of_record::{is_user, key};
use crate::reply::Refusal;

/// Why a request with a token is challenged.
const WRONG: &str = "the token is not valid, or no longer";
/// A longer token is none: no header line that we take is longer.
const LONGEST: usize = 16_384;

/// The token that a request brings. JsSIP and others put it into `Authorization` of every request, whoever asked for it.
fn token(request: &Message) -> Option<&str> {
    let headers = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
    headers.into_iter().flat_map(|name| request.headers(name)).find_map(|value| {
        let (scheme, token) = value.trim_ascii().split_at_checked(6)?;
        let token = token.strip_prefix(b" ")?.trim_ascii();
        let is_token = scheme.eq_ignore_ascii_case(b"Bearer")
            && !token.is_empty()
            && token.len() <= LONGEST
            && token.iter().all(u8::is_ascii_graphic);
        is_token.then(|| str::from_utf8(token).ok())?
    })
}

/// The challenge beside those for passwords; `is_wrong`: a token was shown, and is worth nothing.
fn challenge(realm: &str, server: &str, is_wrong: bool) -> Vec<u8> {
    let error = if is_wrong { ", error=\"invalid_token\"" } else { "" };
    let mut value = Vec::new();
    for part in ["Bearer realm=\"", realm, "\", authz_server=\"", server, "\"", error] {
        value.extend_from_slice(part.as_bytes());
    }
    value
}

impl Proxy {
    /// The page behind a connection has shown a token when it opened it: until that ends, its requests need no other proof.
    ///
    /// The proxies of other event loops know it at once. When the connection closes, it is forgotten.
    pub fn signed_in(&mut self, now: Instant, flow: &Flow, holder: TokenHolder) {
        self.now = now;
        self.common.0.connections.learn(flow);
        self.common.0.connections.sign_in(flow, holder);
    }

    /// Goes on with a request whose sender can show without a password who it is; gives it back otherwise.
    pub(crate) fn authenticate_by_token(&mut self, now: Instant, job: Job) -> Option<Job> {
        if let Some(holder) = self.common.0.connections.holder(now, &job.flow)
            && self.account(&job, &holder.user).is_some()
        {
            self.holder_sent(now, job, &holder);
            return None;
        }
        if self.config.authentication.tokens.is_none() || job.has_tried {
            return Some(job);
        }
        let Some(token) = token(&job.received) else { return Some(job) };
        let id = self.outbox.ask(Question::Token { token: token.to_owned() });
        self.waiting.insert(id, Waiting::Token { job: Box::new(job) });
        None
    }

    /// The token of a request has been looked at.
    pub(crate) fn token_known(&mut self, now: Instant, mut job: Job, holder: Option<&TokenHolder>) {
        job.has_tried = true;
        match holder.filter(|holder| holder.until > now) {
            Some(holder) => {
                self.note_proof(now, &job.flow, Proof::Right);
                self.holder_sent(now, job, holder);
            }
            None => {
                // Who has an old one had a right one: that is no guess.
                let proof = if holder.is_some() { Proof::Used } else { Proof::Wrong };
                self.note_proof(now, &job.flow, proof);
                self.challenge(now, &job, false, WRONG);
            }
        }
    }

    /// Says beside the challenges for passwords where tokens come from, to clients that read more than one challenge.
    pub(crate) fn offer_tokens(&self, refusal: Refusal, job: &Job, why: &str) -> Refusal {
        let tokens = self.config.authentication.tokens.as_ref();
        let Some(server) = tokens.and_then(|tokens| tokens.authorization_server.as_deref()) else {
            return refusal;
        };
        if self.authenticator.reads_one_challenge(&job.received) {
            return refusal;
        }
        let (_, header) = names(is_register(&job.received));
        refusal.header(header, challenge(self.authenticator.realm(), server, why == WRONG))
    }

    fn holder_sent(&mut self, now: Instant, mut job: Job, holder: &TokenHolder) {
        match self.account(&job, &holder.user) {
            Some(aor) => {
                job.sender = Sender::Account(aor);
                job.proven_until = holder.until;
                self.decide(now, job);
            }
            None => {
                self.refuse(now, &job, &speaks_for_another(&job));
            }
        }
    }

    /// The address-of-record that a request is sent for, if it is this user's: nobody speaks for another.
    pub(crate) fn account(&self, job: &Job, user: &str) -> Option<Vec<u8>> {
        let request = &job.received;
        let header = if is_register(request) { request.to() } else { request.from() };
        let uri = header.ok()?.uri().ok()?;
        let name = uri.user().filter(|name| is_user(name, user.as_bytes()))?;
        Some(key(name, self.own.domain_of(&uri)?))
    }
}

/// The answer to who proved to be somebody, and sends for somebody else.
pub(crate) fn speaks_for_another(job: &Job) -> Refusal {
    if is_register(&job.received) {
        Refusal::new(403, "one may register oneself only")
    } else {
        Refusal::new(403, "From is another user than the one who authenticated")
    }
}
