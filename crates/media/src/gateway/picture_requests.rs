//! When a side is asked for a whole picture: soon, but not again and again.

use sip::Instant;
use std::time::Duration;

/// Between two requests: a whole picture is large, and takes its time on the way.
const APART: Duration = Duration::from_secs(1);

/// The requests to one side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PictureRequests {
    /// From then on one is due.
    wanted: Option<Instant>,
    last: Option<Instant>,
    count: u64,
}

impl PictureRequests {
    /// A whole picture is wanted from this moment on.
    pub(super) fn want(&mut self, at: Instant) {
        self.wanted = Some(self.wanted.map_or(at, |wanted| wanted.min(at)));
    }

    /// Whether to ask now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let rested = self.last.is_none_or(|last| now >= last + APART);
        rested && self.wanted.is_some_and(|wanted| now >= wanted)
    }

    /// It was asked.
    pub(super) fn asked(&mut self, now: Instant) {
        self.wanted = None;
        self.last = Some(now);
        self.count = self.count.saturating_add(1);
    }

    /// When it was asked last.
    pub(super) const fn last(&self) -> Option<Instant> {
        self.last
    }

    /// How often it was asked.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_come_too_fast_are_one() {
        let mut requests = PictureRequests::default();
        let at = |milliseconds: u64| Instant::from_millis(10_000 + milliseconds);
        assert!(!requests.is_due(at(0)), "nobody wants one");
        requests.want(at(0));
        assert!(requests.is_due(at(0)));
        requests.asked(at(0));
        requests.want(at(100));
        requests.want(at(200));
        assert!(!requests.is_due(at(900)));
        assert!(requests.is_due(at(1000)), "late, but not forgotten");
        requests.asked(at(1000));
        assert!(!requests.is_due(at(5000)));
        assert_eq!(requests.count(), 2);
    }
}
