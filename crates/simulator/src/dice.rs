//! Randomness that a seed replays: one stream for the network, one for each node.

use core::time::Duration;

use sip::{Entropy, SeededEntropy};

/// A span of time of which one point is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Span {
    /// No time at all.
    pub const NONE: Self = Self::milliseconds(0, 0);

    /// From `least` to `most` milliseconds.
    #[must_use]
    pub const fn milliseconds(least: u64, most: u64) -> Self {
        Self { least: Duration::from_millis(least), most: Duration::from_millis(most) }
    }
}

/// What is left to chance.
#[derive(Clone, Debug)]
pub struct Dice(SeededEntropy);

impl Dice {
    /// The dice of `seed`; different `purpose`s fall differently.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut mixed = SeededEntropy::new(seed ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self(SeededEntropy::new(mixed.number()))
    }

    /// A source of randomness for a node.
    #[must_use]
    pub fn entropy(seed: u64, purpose: u64) -> SeededEntropy {
        Self::new(seed, purpose).0
    }

    /// Whether something happens that happens `permille` times of a thousand.
    pub fn falls(&mut self, permille: u32) -> bool {
        permille > 0 && self.below(1000) < u64::from(permille)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0.number() % limit
    }

    /// One point of a span.
    pub fn within(&mut self, span: Span) -> Duration {
        let width = span.most.saturating_sub(span.least);
        let micros = u64::try_from(width.as_micros()).unwrap_or(u64::MAX);
        if micros == 0 { span.least } else { span.least + Duration::from_micros(self.below(micros + 1)) }
    }
}
