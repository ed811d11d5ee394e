//! How long a domain's NAPTR records are waited for. Some name servers and firewalls never answer to them, though they do to
//! everything else: that costs one call its patience, and the next ones little.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::selection::{Naptr, Records, Srv};
use super::{FAILURES, ResolveError};

/// How long an answer is waited for: half of what one resolution may take, so that time is left for what it goes on with.
const PATIENCE: Duration = Duration::from_millis(2500);
/// How long where the last one did not come. Who answers again does so within this, and is waited for as anybody else.
const LITTLE_PATIENCE: Duration = Duration::from_millis(200);
/// How long it is remembered that none came.
const SILENCE: Duration = Duration::from_secs(3600);

/// Records, and the names whose NAPTR queries were not answered.
pub(super) struct Patient<R> {
    records: R,
    silent: RefCell<Silent>,
}

/// Names of which nobody answered, and until when that is remembered.
#[derive(Default)]
struct Silent(HashMap<String, Instant>);

impl Silent {
    /// How long an answer about a name is waited for now.
    fn patience(&self, now: Instant, name: &str) -> Duration {
        if self.0.get(name).is_some_and(|until| now < *until) { LITTLE_PATIENCE } else { PATIENCE }
    }

    /// None came in this time. Who says at once that he does not know costs none.
    fn unanswered(&mut self, now: Instant, name: &str, took: Duration) {
        if self.0.len() >= FAILURES {
            self.0.retain(|_, until| now < *until);
        }
        if took >= LITTLE_PATIENCE && self.0.len() < FAILURES {
            self.0.insert(name.to_owned(), now + SILENCE);
        }
    }

    /// One came.
    fn answered(&mut self, name: &str) {
        self.0.remove(name);
    }
}

impl<R> Patient<R> {
    pub(super) fn new(records: R) -> Self {
        Self { records, silent: RefCell::default() }
    }
}

impl<R: Records> Records for Patient<R> {
    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        self.records.hosts(name)
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        self.records.addresses(name).await
    }

    async fn services(&self, name: &str) -> Result<Vec<Srv>, ResolveError> {
        self.records.services(name).await
    }

    async fn pointers(&self, name: &str) -> Result<Vec<Naptr>, ResolveError> {
        let asked = Instant::now();
        let patience = self.silent.borrow().patience(asked, name);
        let answer = timeout(patience, self.records.pointers(name)).await;
        let answer = answer.unwrap_or(Err(ResolveError::Unanswered));
        let mut silent = self.silent.borrow_mut();
        match &answer {
            Ok(_) => silent.answered(name),
            Err(_) => silent.unanswered(Instant::now(), name, asked.elapsed()),
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "example.com";

    #[test]
    fn a_domain_whose_naptr_queries_are_dropped_costs_one_call_its_patience_and_the_next_ones_little() {
        let (mut silent, now) = (Silent::default(), Instant::now());
        assert_eq!(silent.patience(now, DOMAIN), PATIENCE);
        silent.unanswered(now, DOMAIN, PATIENCE);
        assert_eq!(silent.patience(now, DOMAIN), LITTLE_PATIENCE);
        silent.unanswered(now, DOMAIN, LITTLE_PATIENCE);
        assert_eq!(silent.patience(now, DOMAIN), LITTLE_PATIENCE);
        assert_eq!(silent.patience(now, "other.example"), PATIENCE);
        assert_eq!(silent.patience(now + SILENCE, DOMAIN), PATIENCE, "a while later");
    }

    #[test]
    fn a_domain_that_answers_again_is_waited_for_as_before() {
        let (mut silent, now) = (Silent::default(), Instant::now());
        silent.unanswered(now, DOMAIN, PATIENCE);
        silent.answered(DOMAIN);
        assert_eq!(silent.patience(now, DOMAIN), PATIENCE);
    }

    #[test]
    fn a_name_server_that_says_at_once_that_it_does_not_know_is_not_silent() {
        let (mut silent, now) = (Silent::default(), Instant::now());
        silent.unanswered(now, DOMAIN, Duration::from_millis(5));
        assert_eq!(silent.patience(now, DOMAIN), PATIENCE);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut silent, now) = (Silent::default(), Instant::now());
        for number in 0..FAILURES + 10 {
            silent.unanswered(now, &number.to_string(), PATIENCE);
        }
        assert_eq!(silent.0.len(), FAILURES);
        silent.unanswered(now + SILENCE, "later", PATIENCE);
        assert_eq!(silent.0.len(), 1, "what is over makes room");
    }
}
