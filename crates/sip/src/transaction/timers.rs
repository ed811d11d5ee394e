//! The timers' lengths (RFC 3261 §17.1.1.1 and Table 4 in Appendix A).

use core::time::Duration;

/// The three estimates on which all timers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// The round trip time. 500 ms by default; RFC 3261 §17.1.1.2 allows less in closed networks only.
    pub t1: Duration,
    /// The longest interval between retransmissions of non-INVITE requests and of INVITE responses. 4 s by default.
    pub t2: Duration,
    /// How long a message may stay in the network. 5 s by default.
    pub t4: Duration,
    /// After how long the layer sends 100 (Trying) by itself when the user has given no response: at most 200 ms for
    /// an INVITE (RFC 3261 §17.2.1). Other requests get theirs when their client's Timer E has grown to T2, not
    /// before (RFC 4320 §4.1). `None`, the default, leaves both to the user.
    pub trying_after: Option<Duration>,
    /// By how much longer than the RFC's timers a transaction may be kept that has nothing left to send or to tell. What goes
    /// then goes together, at the multiples of this span, and whoever runs the layer wakes once for all of it. Zero,
    /// the default, is exact.
    pub ended_together: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            trying_after: None,
            ended_together: Duration::ZERO,
        }
    }
}

impl Timers {
    /// Timer D's least length over unreliable transports (RFC 3261 §17.1.1.2, as RFC 6026 §8.4 has it).
    const SHORTEST_D: Duration = Duration::from_secs(32);

    /// The default lengths, and 100 (Trying) sent by the layer after 200 ms.
    #[must_use]
    pub fn with_trying() -> Self {
        Self { trying_after: Some(Duration::from_millis(200)), ..Self::default() }
    }

    /// 64*T1: Timers B, F, H, J, L and M.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D over unreliable transports.
    #[must_use]
    pub fn d(&self) -> Duration {
        self.patience().max(Self::SHORTEST_D)
    }

    /// The interval that follows `interval`: twice as long, up to T2 (Timers E and G; RFC 3261 §13.3.1.4).
    #[must_use]
    pub fn doubled(&self, interval: Duration) -> Duration {
        interval.saturating_mul(2).min(self.t2)
    }

    /// How long it takes until a client's Timer E is reset to T2: 3.5 s with the defaults. A non-INVITE request must
    /// not get a 100 over an unreliable transport before, and must get one then (RFC 4320 §4.1).
    #[must_use]
    pub fn until_e_is_t2(&self) -> Duration {
        let mut interval = self.t1;
        let mut passed = Duration::ZERO;
        while interval < self.t2 && !interval.is_zero() {
            passed += interval;
            interval = interval.saturating_mul(2);
        }
        passed
    }
}
