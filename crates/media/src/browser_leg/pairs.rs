//! The pairs of a leg: which of the browser's addresses proved themselves, and which of them it chose.

use crate::SocketId;
use crate::demultiplexing::BindingRequest;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;

/// Valid pairs remembered for a leg: a browser has one for each of its interfaces.
const MOST_PAIRS: usize = 16;
/// Checks remembered for a leg: one that comes again from elsewhere was overheard. A browser checks a pair every few
/// seconds: this is most of an hour, and 16 octets each.
const MOST_CHECKS: usize = 1024;

/// Our socket, and the browser's address.
pub(super) type Pair = (SocketId, SocketAddr);

/// The pairs of a leg.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    valid: VecDeque<Pair>,
    /// The pair that the browser chose last.
    chosen: Option<Pair>,
    /// The transactions that were answered, and a digest of where they came from.
    checks: VecDeque<([u8; 12], u32)>,
}

/// What became of the pairs when one proved itself.
pub(super) enum Proved {
    /// It was valid already.
    Known,
    /// It is valid now; another had to go for it.
    New { forgotten: Option<Pair> },
}

impl Pairs {
    /// Whether a check from there was authentic before.
    pub(super) fn is_valid(&self, pair: Pair) -> bool {
        self.valid.contains(&pair)
    }

    /// Whether this check was answered before for somebody else: it was overheard, and comes from a stranger.
    pub(super) fn is_replayed(&self, request: BindingRequest<'_>, from: SocketAddr) -> bool {
        let known = self.checks.iter().find(|(transaction, _)| *transaction == request.transaction);
        known.is_some_and(|(_, source)| *source != digest(from))
    }

    /// A check from there was authentic and is being answered.
    pub(super) fn prove(&mut self, pair: Pair) -> Proved {
        if self.is_valid(pair) {
            return Proved::Known;
        }
        let forgotten = if self.valid.len() >= MOST_PAIRS { self.valid.pop_front() } else { None };
        self.valid.push_back(pair);
        Proved::New { forgotten }
    }

    /// The check was answered: it is remembered, and the browser may have chosen its pair by it.
    pub(super) fn answered(&mut self, request: BindingRequest<'_>, pair: Pair) {
        self.checks.push_back((request.transaction, digest(pair.1)));
        if self.checks.len() > MOST_CHECKS {
            self.checks.pop_front();
        }
        if request.nominates {
            self.chosen = Some(pair);
        }
    }

    /// The pair that the browser chose last.
    pub(super) const fn chosen(&self) -> Option<Pair> {
        self.chosen
    }

    /// The pair to send to: the browser's last choice counts (RFC 8445 §8.1.1), also while an older pair still
    /// lives.
    pub(super) fn preferred(&self) -> Option<Pair> {
        self.chosen.filter(|chosen| self.is_valid(*chosen))
    }

    /// The pair under which the browser is reached: its choice, or the last that proved itself.
    pub(super) fn current(&self) -> Option<Pair> {
        self.preferred().or_else(|| self.valid.back().copied())
    }

    /// Packets no longer go this way, and none come.
    pub(super) fn lose(&mut self, pair: Pair) {
        self.valid.retain(|valid| *valid != pair);
        // The last one stays the choice: a call that is over tells how it went.
        if self.chosen == Some(pair)
            && let Some(other) = self.valid.back()
        {
            self.chosen = Some(*other);
        }
    }

    /// Forgets all of them.
    pub(super) fn take(&mut self) -> VecDeque<Pair> {
        std::mem::take(&mut self.valid)
    }
}

/// Tells addresses apart, as far as 32 bits do.
fn digest(address: SocketAddr) -> u32 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).unwrap_or(0)
}
