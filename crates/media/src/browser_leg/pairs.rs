//! The pairs of a leg: which of the browser's addresses proved themselves, and which of them it chose.

use crate::demultiplexing::BindingRequest;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Valid pairs remembered for a leg: a browser has one for each of its interfaces.
const MOST_PAIRS: usize = 16;
/// Checks remembered for a leg: one that comes again from elsewhere was overheard.
const MOST_CHECKS: usize = 32;

/// Our socket, and the browser's address.
pub(super) type Pair = (usize, SocketAddr);

/// The pairs of a leg.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    valid: VecDeque<Pair>,
    /// The pair that the browser chose last.
    chosen: Option<Pair>,
    checks: VecDeque<([u8; 12], SocketAddr)>,
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
        known.is_some_and(|(_, source)| *source != from)
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
        self.checks.push_back((request.transaction, pair.1));
        self.checks.drain(..self.checks.len().saturating_sub(MOST_CHECKS));
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

    /// The pair under which the browser is known: its choice, or the last that proved itself.
    pub(super) fn current(&self) -> Option<Pair> {
        self.chosen.or_else(|| self.valid.back().copied())
    }

    /// Forgets all of them.
    pub(super) fn take(&mut self) -> VecDeque<Pair> {
        std::mem::take(&mut self.valid)
    }
}
