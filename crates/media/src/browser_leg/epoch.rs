//! One moment on two clocks: the caller's, and that of the operating system, which the ICE and DTLS library wants.
#![allow(
    clippy::disallowed_types,
    reason = "str0m speaks std::time::Instant: made here, from the caller's time alone; no clock is read"
)]

use sip::Instant;
use std::time::Instant as StdInstant;

/// One moment on two clocks: the caller's and that of the operating system, which str0m wants.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    std: StdInstant,
    own: Instant,
}

impl Epoch {
    /// Says that `own` and `std` are the same moment.
    #[must_use]
    pub const fn new(own: Instant, std: StdInstant) -> Self {
        Self { std, own }
    }

    pub(super) fn to_std(self, now: Instant) -> StdInstant {
        self.std.checked_add(now.saturating_since(self.own)).unwrap_or(self.std)
    }

    pub(super) fn to_own(self, at: StdInstant) -> Instant {
        self.own + at.saturating_duration_since(self.std)
    }
}
