//! Wrong passwords, counted by who tries and for whom.
//!
//! The first ones are challenged anew, as RFC 3261 §22.2 has it: a person may have mistyped. After a few the answer
//! is 403, at which also those clients stop that would answer every challenge (baresip 1.0 tries 16 times in one
//! burst). After many, that address is not heard for that user any more until a minute has passed, right or wrong.

use core::time::Duration;
use std::collections::HashMap;
use std::net::IpAddr;

use sip::Instant;

use crate::keyed_hash::Key;
use crate::sources::subscriber;

/// How many wrong passwords are challenged anew.
const PATIENCE: u32 = 3;
/// After how many nothing is tried any more.
const LIMIT: u32 = 20;
/// How long they are remembered, from the last one on.
const MEMORY: Duration = Duration::from_secs(60);
/// How often room is made, at the most, when there are too many.
const SWEEP: Duration = Duration::from_secs(5);
/// How many pairs of address and user are remembered.
const PLACES: usize = 65_536;

/// The memory of wrong passwords.
pub(crate) struct Failures {
    key: Key,
    places: HashMap<Place, Failure>,
    swept: Instant,
}

/// A subscriber, and a hash of a user name, which may be as long as its sender likes.
type Place = (IpAddr, [u8; 32]);

#[derive(Clone, Copy, Debug)]
struct Failure {
    count: u32,
    last: Instant,
}

impl Failures {
    pub(crate) fn new(key: Key) -> Self {
        Self { key, places: HashMap::new(), swept: Instant::ZERO }
    }

    /// Whether nothing more is tried for this user from this address.
    pub(crate) fn is_locked(&self, now: Instant, address: IpAddr, user: &str) -> bool {
        self.count(now, address, user) >= LIMIT
    }

    /// Notes a wrong password; whether the answer may be another challenge.
    pub(crate) fn enter(&mut self, now: Instant, address: IpAddr, user: &str) -> bool {
        let place = self.place(address, user);
        let count = self.count(now, address, user) + 1;
        if self.places.len() >= PLACES && now.saturating_since(self.swept) >= SWEEP {
            self.swept = now;
            self.places.retain(|_, failure| now.saturating_since(failure.last) < MEMORY);
        }
        // Full of fresh ones: somebody tries many names, and who is not remembered is challenged as ever.
        if self.places.len() < PLACES || self.places.contains_key(&place) {
            self.places.insert(place, Failure { count, last: now });
        }
        count <= PATIENCE
    }

    /// A right password: the others were mistyped.
    pub(crate) fn forget(&mut self, address: IpAddr, user: &str) {
        if !self.places.is_empty() {
            let place = self.place(address, user);
            self.places.remove(&place);
        }
    }

    fn place(&self, address: IpAddr, user: &str) -> Place {
        (subscriber(address), self.key.sign(b"wrong passwords", &[user.as_bytes()]))
    }

    fn count(&self, now: Instant, address: IpAddr, user: &str) -> u32 {
        if self.places.is_empty() {
            return 0;
        }
        let failure = self.places.get(&self.place(address, user));
        failure
            .filter(|failure| now.saturating_since(failure.last) < MEMORY)
            .map_or(0, |failure| failure.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_and_comes_back() {
        let (mut failures, address) = (Failures::new(Key::new([3; 32])), IpAddr::from([192, 0, 2, 7]));
        let answers: Vec<bool> = (0..5).map(|_| failures.enter(Instant::ZERO, address, "bob")).collect();
        assert_eq!(answers, [true, true, true, false, false]);
        assert!(failures.enter(Instant::ZERO, address, "alice"), "another user is another matter");
        for _ in 0..15 {
            failures.enter(Instant::ZERO, address, "bob");
        }
        assert!(failures.is_locked(Instant::from_secs(59), address, "bob"));
        assert!(!failures.is_locked(Instant::from_secs(60), address, "bob"));
    }

    #[test]
    fn another_address_of_the_same_subscriber_is_no_fresh_start() {
        let mut failures = Failures::new(Key::new([3; 32]));
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        for last in 0..20 {
            failures.enter(Instant::ZERO, address(last), "bob");
        }
        assert!(failures.is_locked(Instant::ZERO, address(99), "bob"));
    }
}
