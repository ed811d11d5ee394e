//! The one clock of the server, and how it stands to the calendar.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sip::Instant;

/// Time that never jumps, in microseconds since the Unix epoch as the system's clock had it at the start. When that is set later,
/// what is under way goes on; only dates are others ([`calendar`]).
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

    /// How many microseconds later it is by the system's clock than by this one, if that has changed by more than a second since
    /// it was asked last: the system's clock was set, or the machine slept.
    pub(crate) fn look_at_the_calendar(&self) -> Option<i64> {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let own = self.now().as_micros();
        let later = i64::try_from(i128::try_from(system).unwrap_or(i128::MAX) - i128::from(own)).ok()?;
        let is_news = later.abs_diff(LATER.load(Ordering::Relaxed)) > 1_000_000;
        is_news.then(|| {
            LATER.store(later, Ordering::Relaxed);
            later
        })
    }

    /// How long until `at`; zero if it is past.
    pub(crate) fn until(&self, at: Instant) -> Duration {
        at.saturating_since(self.now())
    }
}

/// How much later it is by the system's clock than by ours, in microseconds.
static LATER: AtomicI64 = AtomicI64::new(0);

/// When that was by the system's clock.
pub(crate) fn calendar(at: Instant) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(at.as_micros().saturating_add_signed(LATER.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It runs a second time in a process of its own, whose clock it sets.
    #[test]
    fn a_clock_that_was_wrong_at_the_start_is_noticed_when_it_is_set() {
        const INNER: &str = "SIPWEB_TEST_CALENDAR";
        if std::env::var_os(INNER).is_some() {
            let day = Duration::from_secs(86_400);
            let mut clock = Clock::start();
            assert_eq!(clock.look_at_the_calendar(), None);
            clock.epoch -= 400 * day;
            let later = clock.look_at_the_calendar().unwrap();
            assert!((later / 1_000_000 - 400 * 86_400).abs() <= 1, "{later}");
            assert_eq!(clock.look_at_the_calendar(), None, "it is told once");
            let told = calendar(clock.now());
            assert!(SystemTime::now().duration_since(told).unwrap_or_default() < Duration::from_secs(2));
            return;
        }
        let name = "clock::tests::a_clock_that_was_wrong_at_the_start_is_noticed_when_it_is_set";
        let mut inner = std::process::Command::new(std::env::current_exe().unwrap());
        let output = inner.args(["--exact", name]).env(INNER, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
