//! A 2xx to an INVITE goes from end to end: the callee repeats it until the ACK comes, the caller repeats the ACK
//! whenever the 2xx comes again (RFC 3261 §13.3.1.4, §13.2.2.4).

use core::time::Duration;
use std::sync::Arc;

use crate::message::Message;
use crate::method::Method;
use crate::time::Instant;
use crate::transaction::Timers;

/// The callee's side: a 2xx that has been sent, and no ACK yet. Drop it when the ACK comes.
#[derive(Clone, Debug)]
pub struct SuccessRetransmission {
    response: Arc<[u8]>,
    cseq: u32,
    interval: Duration,
    next: Instant,
    end: Instant,
}

/// What the callee does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuccessStep {
    /// Wait until [`SuccessRetransmission::next_timeout`].
    Wait,
    /// Pass the 2xx to the INVITE's server transaction once more.
    Transmit(Arc<[u8]>),
    /// No ACK came within 64*T1: the dialog stands, and the session should be ended with a BYE
    /// (RFC 3261 §13.3.1.4).
    Unacknowledged,
}

impl SuccessRetransmission {
    /// The 2xx in `response` was sent at `now`, to an INVITE with the number `cseq`. It is repeated over every
    /// transport, since a hop behind the next one may be unreliable.
    #[must_use]
    pub fn new(now: Instant, timers: &Timers, response: Arc<[u8]>, cseq: u32) -> Self {
        Self { response, cseq, interval: timers.t1, next: now + timers.t1, end: now + timers.patience() }
    }

    /// Whether `ack` acknowledges this 2xx: within its dialog, the number tells.
    #[must_use]
    pub fn is_acknowledged_by(&self, ack: &Message) -> bool {
        ack.method() == Some(Method::Ack) && ack.cseq().is_ok_and(|cseq| cseq.number == self.cseq)
    }

    /// When to call [`SuccessRetransmission::timeout`].
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.next.min(self.end)
    }

    /// What is to be done at `now`.
    pub fn timeout(&mut self, now: Instant, timers: &Timers) -> SuccessStep {
        if now >= self.end {
            return SuccessStep::Unacknowledged;
        }
        if now < self.next {
            return SuccessStep::Wait;
        }
        self.interval = timers.doubled(self.interval);
        self.next = now + self.interval.max(Duration::from_millis(1));
        SuccessStep::Transmit(Arc::clone(&self.response))
    }
}

/// The caller's side: the ACK that was sent for a 2xx of one dialog.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    ack: Arc<[u8]>,
    cseq: u32,
    remote_tag: Box<[u8]>,
    end: Instant,
}

impl Acknowledgement {
    /// The ACK in `ack` was sent at `now` for `response`. `None` if that is no 2xx to an INVITE.
    #[must_use]
    pub fn new(now: Instant, timers: &Timers, ack: Arc<[u8]>, response: &Message) -> Option<Self> {
        let (cseq, remote_tag) = success(response)?;
        Some(Self { ack, cseq, remote_tag: remote_tag.into(), end: now + timers.patience() })
    }

    /// The ACK to be sent again, if `response` is the 2xx again. For 64*T1: so long the callee repeats it.
    #[must_use]
    pub fn again(&self, now: Instant, response: &Message) -> Option<Arc<[u8]>> {
        let (cseq, remote_tag) = success(response)?;
        let same = cseq == self.cseq && *remote_tag == *self.remote_tag && now < self.end;
        same.then(|| Arc::clone(&self.ack))
    }

    /// When it may be forgotten.
    #[must_use]
    pub const fn end(&self) -> Instant {
        self.end
    }
}

/// The number and the peer's tag of a 2xx to an INVITE.
fn success(response: &Message) -> Option<(u32, &[u8])> {
    let cseq = response.cseq().ok()?;
    let is_success = matches!(response.status(), Some(200..=299)) && cseq.method == Method::Invite;
    is_success.then_some((cseq.number, response.to().ok()?.tag().unwrap_or_default()))
}
