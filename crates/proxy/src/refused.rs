//! What cannot be reached, while it rains refusals.
//!
//! What a refusal concerns is found by looking at every request in progress. Of a flood of them (each datagram that was
//! answered to a closed port makes one) that would be all of the server's time. So only so many requests are looked at in
//! a moment; the refusals that come after that wait for the next one, and then all requests are looked at once, for all of
//! them together.
//!
//! ```text
//! refused ──▶ little looked at in this moment ──▶ looked into at once
//!        └──▶ else: waits, at the most a moment ──▶ looked into with all others that wait
//! ```

use core::time::Duration;
use std::collections::HashSet;
use std::net::SocketAddr;

use sip::{Hop, Instant, Transport};

/// How long a refusal waits at the most.
const MOMENT: Duration = Duration::from_millis(16);
/// So many requests may be looked at in one moment before refusals wait.
const LOOKS: usize = 10_000;
/// So many refusals wait at the most. More of them say what these say, that nothing gets anywhere.
const MOST: usize = 10_000;

/// Places to which nothing gets.
#[derive(Debug, Default)]
pub(crate) struct Places {
    hops: HashSet<Hop>,
    /// For a datagram the peer's address says it.
    datagrams: HashSet<(Transport, SocketAddr)>,
}

impl Places {
    fn insert(&mut self, hop: &Hop) {
        if !hop.transport().is_reliable() {
            self.datagrams.insert((hop.transport(), hop.address()));
        }
        self.hops.insert(hop.clone());
    }

    /// Whether a request that went to `hop` got nowhere.
    pub(crate) fn has(&self, hop: &Hop) -> bool {
        self.hops.contains(hop)
    }

    /// Whether a response that went to `hop` got nowhere.
    pub(crate) fn has_peer(&self, hop: &Hop) -> bool {
        self.has(hop) || self.datagrams.contains(&(hop.transport(), hop.address()))
    }
}

/// The refusals of this moment.
#[derive(Debug)]
pub(crate) struct Refusals {
    waiting: Places,
    ends: Instant,
    looked: usize,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { waiting: Places::default(), ends: Instant::ZERO, looked: 0 }
    }
}

impl Refusals {
    /// A refusal has come while so many requests are in progress. Gives what is to be looked into now.
    pub(crate) fn enter(&mut self, now: Instant, hop: &Hop, requests: usize) -> Option<Places> {
        if self.ends <= now {
            self.ends = now + MOMENT;
            self.looked = 0;
        }
        if self.waiting.hops.is_empty() && self.looked < LOOKS {
            self.looked += requests.max(1);
            let mut places = Places::default();
            places.insert(hop);
            return Some(places);
        }
        if self.waiting.hops.len() < MOST {
            self.waiting.insert(hop);
        }
        None
    }

    /// When those that wait are to be looked into.
    pub(crate) fn due(&self) -> Instant {
        if self.waiting.hops.is_empty() { Instant::NEVER } else { self.ends }
    }

    /// Those that have waited long enough.
    pub(crate) fn take_due(&mut self, now: Instant, requests: usize) -> Option<Places> {
        if self.due() > now {
            return None;
        }
        self.ends = now + MOMENT;
        self.looked = requests;
        Some(core::mem::take(&mut self.waiting))
    }
}
