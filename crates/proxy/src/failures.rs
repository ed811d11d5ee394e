//! Wrong passwords, counted by who tries and for whom.
//!
//! The first ones are challenged anew, as RFC 3261 §22.2 has it: a person may have mistyped. After a few the answer
//! is 403, at which also those clients stop that would answer every challenge (baresip 1.0 tries 16 times in one
//! burst). After many, that address is not heard for that user any more until a minute has passed, right or wrong.

use core::time::Duration;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
#[derive(Default)]
pub(crate) struct Failures {
    /// How many places there are: where nobody has mistyped, nothing is locked.
    count: AtomicUsize,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    places: HashMap<Place, Failure>,
    /// When room was made last.
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
    /// Whether nothing more is tried for this user from this address.
    pub(crate) fn is_locked(&self, now: Instant, key: &Key, address: IpAddr, user: &str) -> bool {
        self.count.load(Ordering::Relaxed) != 0
            && count(&self.memory().places, now, &place(key, address, user)) >= LIMIT
    }

    /// Notes a wrong password; whether the answer may be another challenge.
    pub(crate) fn enter(&self, now: Instant, key: &Key, address: IpAddr, user: &str) -> bool {
        let place = place(key, address, user);
        let mut memory = self.memory();
        let count = count(&memory.places, now, &place) + 1;
        if memory.places.len() >= PLACES && now.saturating_since(memory.swept) >= SWEEP {
            memory.swept = now;
            memory.places.retain(|_, failure| now.saturating_since(failure.last) < MEMORY);
        }
        // Full of fresh ones: somebody tries many names, and who is not remembered is challenged as ever.
        if memory.places.len() < PLACES || memory.places.contains_key(&place) {
            memory.places.insert(place, Failure { count, last: now });
        }
        self.count.store(memory.places.len(), Ordering::Relaxed);
        count <= PATIENCE
    }

    /// A right password: the others were mistyped.
    pub(crate) fn forget(&self, key: &Key, address: IpAddr, user: &str) {
        if self.count.load(Ordering::Relaxed) != 0 {
            let mut memory = self.memory();
            memory.places.remove(&place(key, address, user));
            self.count.store(memory.places.len(), Ordering::Relaxed);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(key: &Key, address: IpAddr, user: &str) -> Place {
    (subscriber(address), key.sign(b"wrong passwords", &[user.as_bytes()]))
}

fn count(places: &HashMap<Place, Failure>, now: Instant, place: &Place) -> u32 {
    let failure = places.get(place);
    failure.filter(|failure| now.saturating_since(failure.last) < MEMORY).map_or(0, |failure| failure.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_and_comes_back() {
        let (failures, key) = (Failures::default(), Key::new([3; 32]));
        let address = IpAddr::from([192, 0, 2, 7]);
        let answers: Vec<bool> =
            (0..5).map(|_| failures.enter(Instant::ZERO, &key, address, "bob")).collect();
        assert_eq!(answers, [true, true, true, false, false]);
        assert!(failures.enter(Instant::ZERO, &key, address, "alice"), "another user is another matter");
        for _ in 0..15 {
            failures.enter(Instant::ZERO, &key, address, "bob");
        }
        assert!(failures.is_locked(Instant::from_secs(59), &key, address, "bob"));
        assert!(!failures.is_locked(Instant::from_secs(60), &key, address, "bob"));
    }

    #[test]
    fn another_address_of_the_same_subscriber_is_no_fresh_start() {
        let (failures, key) = (Failures::default(), Key::new([3; 32]));
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        for last in 0..20 {
            failures.enter(Instant::ZERO, &key, address(last), "bob");
        }
        assert!(failures.is_locked(Instant::ZERO, &key, address(99), "bob"));
    }
}
