//! Which nonce counts were used (RFC 2617 §3.2.2: `nc`; RFC 7616 §5.5): the only memory of the server's side, and a
//! bounded one.

use std::collections::HashMap;

use crate::time::Instant;

/// Remembers the counts used with each nonce, for the newest nonces that fit in it.
///
/// Of each nonce it knows the highest count and the 63 below it, so that requests that overtake one another are
/// accepted once each. When it is full it forgets the older half, and no forgotten nonce is ever accepted again.
/// Only requests whose credentials were right may be entered, or strangers could fill it.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    capacity: usize,
    newer: HashMap<Box<[u8]>, Counts>,
    older: HashMap<Box<[u8]>, Counts>,
    /// The newest issue of a nonce that was forgotten.
    horizon: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    issued: Instant,
    highest: u32,
    /// Bit n: whether `highest - n` was used.
    used: u64,
}

/// What [`ReplayWindow::enter`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The first use of this count.
    First,
    /// The count was used before, is too far below the highest, or is 0: a replay.
    Replayed,
    /// The nonce may have been used and forgotten: challenge again with `stale=true`.
    Forgotten,
}

impl ReplayWindow {
    /// A window over about `nonces` nonces.
    #[must_use]
    pub fn new(nonces: usize) -> Self {
        let half = nonces / 2;
        Self {
            capacity: if half == 0 { 1 } else { half },
            newer: HashMap::new(),
            older: HashMap::new(),
            horizon: None,
        }
    }

    /// When `nonce` was made, if a use of it was entered and is not forgotten: it is one of ours then, and whether it is
    /// need not be worked out again.
    #[must_use]
    pub fn issued(&self, nonce: &[u8]) -> Option<Instant> {
        self.newer.get(nonce).or_else(|| self.older.get(nonce)).map(|counts| counts.issued)
    }

    /// Enters a use of `nonce`, made at `issued`, and says whether it is the first of this count.
    pub fn enter(&mut self, nonce: &[u8], issued: Instant, count: u32) -> Use {
        if let Some(counts) = self.newer.get_mut(nonce).or_else(|| self.older.get_mut(nonce)) {
            return counts.enter(count);
        }
        if self.horizon.is_some_and(|horizon| issued <= horizon) {
            return Use::Forgotten;
        }
        if count == 0 {
            return Use::Replayed;
        }
        if self.newer.len() >= self.capacity {
            let forgotten = core::mem::replace(&mut self.older, core::mem::take(&mut self.newer));
            self.horizon = self.horizon.max(forgotten.values().map(|counts| counts.issued).max());
        }
        self.newer.insert(nonce.into(), Counts { issued, highest: count, used: 1 });
        Use::First
    }
}

impl Counts {
    fn enter(&mut self, count: u32) -> Use {
        if count == 0 {
            return Use::Replayed;
        }
        if count > self.highest {
            let steps = count - self.highest;
            self.used = if steps < 64 { (self.used << steps) | 1 } else { 1 };
            self.highest = count;
            return Use::First;
        }
        let bit = match self.highest - count {
            below @ 0..64 => 1u64 << below,
            _ => return Use::Replayed,
        };
        if self.used & bit != 0 {
            return Use::Replayed;
        }
        self.used |= bit;
        Use::First
    }
}
