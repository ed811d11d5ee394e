//! From a SIP URI's host to hops (RFC 3263 §4, RFC 7118 §5.2.4).

mod dns;
mod files;
mod patience;
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
use files::Files;
use patience::Patient;

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
    dns: RefCell<Rc<Patient<Dns>>>,
    /// Where the name servers come from, and how they are read again; `None` if they stay as they are.
    source: Option<(Files, fn() -> Dns)>,
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
    /// A resolver with the system's name servers and hosts file, which are read again some seconds after they have changed.
    /// Without a name server it still knows addresses and the names of the hosts file.
    #[must_use]
    pub fn system() -> Self {
        Self::over(Dns::system(), Some((Files::of_the_system(), Dns::system)))
    }

    /// A resolver with name servers of its own instead of the system's. The hosts file is the system's.
    #[must_use]
    pub fn with_servers(servers: &[SocketAddr]) -> Self {
        Self::over(Dns::with_servers(servers), None)
    }

    fn over(dns: Dns, source: Option<(Files, fn() -> Dns)>) -> Self {
        let seed = RandomState::new().hash_one(0u8);
        Self(Rc::new(Inner {
            dns: RefCell::new(Rc::new(Patient::new(dns))),
            source,
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
        self.read_again();
        if let Some(error) = self.known_failure(&question) {
            return Err(error);
        }
        let dns = Rc::clone(&self.0.dns.borrow());
        let found = RefCell::default();
        let search = Box::pin(selection::resolve(&*dns, &question, &self.0.entropy, &found));
        let outcome = tokio::time::timeout(BUDGET, search).await.unwrap_or(Err(ResolveError::Unanswered));
        let found = found.take();
        // Where only the names of further servers are not answered, there is somebody to call.
        let outcome = if found.is_empty() { outcome.and(Ok(found)) } else { Ok(found) };
        if let Err(error) = outcome {
            self.remember_failure(question, error);
        }
        outcome
    }

    /// Takes other name servers and hosts, if there are others now. What the old ones could not tell, these may.
    fn read_again(&self) {
        if let Some((files, read)) = &self.0.source
            && files.have_changed()
        {
            self.0.dns.replace(Rc::new(Patient::new(read())));
            self.0.failures.borrow_mut().clear();
        }
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

    /// A machine whose network came up after the server: its hosts were not known, and that was remembered.
    #[tokio::test]
    async fn name_servers_and_hosts_that_come_after_the_start_are_asked() {
        let place = std::env::temp_dir().join(format!("sipweb-net-{}-resolv", std::process::id()));
        let _ = std::fs::remove_file(&place);
        let files = Files::new(vec![place.clone()], Duration::ZERO);
        let resolver = Resolver::over(Dns::without_hosts(), Some((files, Dns::system)));
        for _ in 0..2 {
            let before = resolver.resolve("localhost", None, None, false).await;
            assert_eq!(before, Err(ResolveError::Unanswered));
        }
        std::fs::write(&place, "nameserver 192.0.2.1\n").unwrap();
        assert!(resolver.resolve("localhost", None, None, false).await.is_ok());
        std::fs::remove_file(place).unwrap();
    }

    #[tokio::test]
    async fn a_failure_is_remembered_for_a_while() {
        let resolver = Resolver::system();
        let question = Question { host: "gone.invalid".into(), port: None, transport: None, secure: false };
        resolver.remember_failure(question, ResolveError::NotFound);
        assert_eq!(resolver.resolve("GONE.invalid", None, None, false).await, Err(ResolveError::NotFound));
    }
}
