//! The leg toward a browser. The only file that knows str0m.
#![allow(
    clippy::disallowed_types,
    reason = "str0m speaks std::time::Instant: made here, from the caller's time alone; no clock is read"
)]

use std::time::Instant as StdInstant;

/// One moment on two clocks: the caller's and that of the operating system, which str0m wants.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    std: StdInstant,
    own: sip::Instant,
}

impl Epoch {
    /// Says that `own` and `std` are the same moment.
    #[must_use]
    pub const fn new(own: sip::Instant, std: StdInstant) -> Self {
        Self { std, own }
    }
}
