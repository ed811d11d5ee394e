//! From a SIP URI's host to hops (RFC 3263 §4, RFC 7118 §5.2.4).

mod dns;
mod selection;

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use sip::{Hop, SeededEntropy, Transport};
use tokio::time::Instant;

use dns::Dns;

/// How long one resolution may take in all (A30).
const BUDGET: Duration = Duration::from_secs(5);
/// How long a name stays unknown.
const UNKNOWN: Duration = Duration::from_secs(30);
/// How long we spare name servers that did not answer.
const SILENCE: Duration = Duration::from_secs(5);
/// The most failures that are remembered.
const FAILURES: usize = 10_000;

/// Finds the hops for a host. Clones share one cache: answers are kept for as long as their name servers say,
/// failures for some seconds. Whether a hop can be reached is nobody's business here.
#[derive(Clone)]
pub struct Resolver(Rc<Inner>);

struct Inner {
    dns: Dns,
    entropy: RefCell<SeededEntropy>,
    failures: RefCell<HashMap<Question, (ResolveError, Instant)>>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) transport: Option<Transport>,
    pub(crate) secure: bool,
}

/// Why a host has no hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name does not exist, or has no address.
    #[error("no such host")]
    NotFound,
    /// The name servers do not answer.
    #[error("the name servers do not answer")]
    Unanswered,
    /// The host is no name at all.
    #[error("not a host name")]
    BadName,
}

impl Resolver {
    /// A resolver with the system's name servers and hosts file. Without a name server it still knows
    /// addresses and the names of the hosts file.
    #[must_use]
    pub fn system() -> Self {
        Self::over(Dns::system())
    }

    /// A resolver with name servers of its own instead of the system's. The hosts file is the system's.
    #[must_use]
    pub fn with_servers(servers: &[SocketAddr]) -> Self {
        Self::over(Dns::with_servers(servers))
    }

    fn over(dns: Dns) -> Self {
        let seed = RandomState::new().hash_one(0u8);
        Self(Rc::new(Inner {
            dns,
            entropy: RefCell::new(SeededEntropy::new(seed)),
            failures: RefCell::default(),
        }))
    }

    /// The hops for a URI's host, best first (RFC 3263 §4).
    ///
    /// `transport` is the URI's transport parameter, `secure` whether it is a SIPS URI, `host` a name or an
    /// address, IPv6 with or without brackets. Addresses and, where a port is given, names need no NAPTR and
    /// SRV look-up. Each hop over TLS carries `host` as the name that the certificate must show (RFC 5922 §7.1).
    ///
    /// # Errors
    /// [`ResolveError`] if there is none, after five seconds at most.
    pub async fn resolve(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
        secure: bool,
    ) -> Result<Vec<Hop>, ResolveError> {
        if let Some(hop) = Hop::literal(host, port, transport, secure) {
            return Ok(vec![hop]);
        }
        let question = Question { host: host.to_ascii_lowercase(), port, transport, secure };
        if let Some(error) = self.known_failure(&question) {
            return Err(error);
        }
        let search = Box::pin(selection::resolve(&self.0.dns, &question, &self.0.entropy));
        let outcome = tokio::time::timeout(BUDGET, search).await.unwrap_or(Err(ResolveError::Unanswered));
        if let Err(error) = outcome {
            self.remember_failure(question, error);
        }
        outcome
    }

    fn known_failure(&self, question: &Question) -> Option<ResolveError> {
        let failures = self.0.failures.borrow();
        let (error, until) = failures.get(question)?;
        (Instant::now() < *until).then_some(*error)
    }

    fn remember_failure(&self, question: Question, error: ResolveError) {
        let span = match error {
            ResolveError::Unanswered => SILENCE,
            ResolveError::NotFound | ResolveError::BadName => UNKNOWN,
        };
        let now = Instant::now();
        let mut failures = self.0.failures.borrow_mut();
        if failures.len() >= FAILURES {
            failures.retain(|_, (_, until)| now < *until);
        }
        if failures.len() < FAILURES {
            failures.insert(question, (error, now + span));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_of_the_hosts_file_need_no_name_server() {
        let hops = Resolver::system().resolve("localhost", None, None, false).await.unwrap();
        let first = hops.first().unwrap();
        assert!(first.address().ip().is_loopback());
        assert_eq!((first.transport(), first.address().port()), (Transport::Udp, 5060));
    }

    #[tokio::test]
    async fn a_failure_is_remembered_for_a_while() {
        let resolver = Resolver::system();
        let question = Question { host: "gone.invalid".into(), port: None, transport: None, secure: false };
        resolver.remember_failure(question, ResolveError::NotFound);
        assert_eq!(resolver.resolve("GONE.invalid", None, None, false).await, Err(ResolveError::NotFound));
    }
}
