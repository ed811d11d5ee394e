//! The one clock of the server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sip::Instant;

/// Time that never runs backwards, in microseconds since the Unix epoch: the system's clock is read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: std::time::Instant,
    epoch: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { started: std::time::Instant::now(), epoch }
    }

    pub(crate) fn now(&self) -> Instant {
        let micros = (self.epoch + self.started.elapsed()).as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// How long until `at`; zero if it is past.
    pub(crate) fn until(&self, at: Instant) -> Duration {
        at.saturating_since(self.now())
    }
}
