//! An open loop: what is to begin begins at its time, whether or not what began before has come to its end.

use std::time::{Duration, Instant};

/// So many beginnings, evenly spaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    start: Instant,
    rate: f64,
    count: usize,
    begun: usize,
    /// By how much the load was behind at worst: if it is much, the load was the limit.
    pub(crate) late: Duration,
}

impl Pace {
    /// `count` beginnings, `rate` a second, the first of them now.
    pub(crate) fn new(rate: u32, count: usize) -> Self {
        Self { start: Instant::now(), rate: f64::from(rate), count, begun: 0, late: Duration::ZERO }
    }

    /// When the next is due; `None` after the last.
    pub(crate) fn next(&self) -> Option<Instant> {
        (self.begun < self.count).then(|| self.start + Duration::from_secs_f64(self.begun as f64 / self.rate))
    }

    /// The number of the one that is due, if one is.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<usize> {
        let due = self.next()?;
        if due > now {
            return None;
        }
        self.late = self.late.max(now - due);
        self.begun += 1;
        Some(self.begun - 1)
    }
}
