//! One question on its way to a node, until it is answered or given up.

use crate::command::{Command, Description};
use crate::fleet::Ticket;
use sip::{Entropy, Instant};
use std::time::Duration;

/// How patient the fleet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long an answer is waited for, each time that a question is sent: the first, the second...
    pub patience: [Duration; 4],
    /// How long a node may be silent before it is pinged.
    pub ping_every: Duration,
    /// How long after a node was given up it is asked again.
    pub retry_every: Duration,
    /// How long a node that is full gets no new call while another one can take it.
    pub limited_for: Duration,
}

impl Default for Limits {
    /// A node is given up after two seconds: a caller waits no longer before another node is tried, and far less
    /// than the transaction of his INVITE does (RFC 3261 §17.1.1.2, Timer B: 32 s).
    fn default() -> Self {
        Self {
            patience: [200, 400, 600, 800].map(Duration::from_millis),
            ping_every: Duration::from_secs(5),
            retry_every: Duration::from_secs(3),
            limited_for: Duration::from_secs(5),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) id: u64,
    pub(crate) node: usize,
    pub(crate) command: Command,
    /// Nobody waits for an answer without one.
    pub(crate) ticket: Option<Ticket>,
    /// The nodes that were asked before.
    pub(crate) tried: Vec<usize>,
    /// The answer to be made once this offer is.
    pub(crate) then: Option<Box<Description>>,
    /// With the cookie. Sent again it is the same, and rtpengine knows it by that.
    pub(crate) message: Vec<u8>,
    cookie: usize,
    pub(crate) sendings: usize,
    pub(crate) begun: Instant,
    pub(crate) due: Instant,
}

impl Exchange {
    #[expect(clippy::too_many_arguments, reason = "a value made of its parts, in one place only")]
    pub(crate) fn new(
        id: u64,
        now: Instant,
        node: usize,
        command: Command,
        ticket: Option<Ticket>,
        tried: Vec<usize>,
        limits: &Limits,
        entropy: &mut dyn Entropy,
    ) -> Self {
        // Nobody can answer who has not seen the question; other servers ask the same nodes.
        let mut message = id.to_string().into_bytes();
        message.push(b'_');
        message.extend_from_slice(entropy.token(16).as_bytes());
        let cookie = message.len();
        message.push(b' ');
        command.value().write(&mut message);
        let patience = limits.patience.first().copied().unwrap_or_default();
        Self {
            id,
            node,
            command,
            ticket,
            tried,
            then: None,
            message,
            cookie,
            sendings: 1,
            begun: now,
            due: now + patience,
        }
    }

    pub(crate) fn cookie(&self) -> &[u8] {
        self.message.get(..self.cookie).unwrap_or_default()
    }

    /// The id of the exchange with that cookie.
    pub(crate) fn id_in(cookie: &[u8]) -> Option<u64> {
        let digits = cookie.split(|octet| *octet == b'_').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Sends once more, and says how long to wait then; `None` if it was sent often enough.
    pub(crate) fn send_again(&mut self, now: Instant, limits: &Limits) -> Option<Instant> {
        let patience = limits.patience.get(self.sendings)?;
        self.sendings += 1;
        self.due = now + *patience;
        Some(self.due)
    }
}
