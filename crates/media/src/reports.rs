//! The reports of one stream on one leg (RFC 3550 §6): when ours is due and what it says, and what theirs said.

use crate::report::{RemoteFigures, Traffic};
use crate::rtcp::{self, LastReport};
use crate::rtp::{self, Reception};
use sip::Instant;
use std::time::Duration;

/// Between two reports (RFC 3550 §6.2: five seconds at the least).
const INTERVAL: Duration = Duration::from_secs(5);

/// What was sent last of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) timestamp: u32,
    pub(crate) at: Instant,
    /// The clock of the timestamp.
    pub(crate) clock: u32,
}

/// The reports of one stream.
#[derive(Debug)]
pub(crate) struct Reports {
    name: String,
    due: Option<Instant>,
    sent_reported: u64,
    /// The last report of theirs that had a time: its middle NTP half, and when it came.
    last_heard: Option<(u32, Instant)>,
    told: Option<RemoteFigures>,
}

impl Reports {
    /// None yet. `name` is our CNAME.
    pub(crate) const fn new(name: String) -> Self {
        Self { name, due: None, sent_reported: 0, last_heard: None, told: None }
    }

    /// From now on reports are due.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.due.get_or_insert(now + INTERVAL);
    }

    /// When the next one is due.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The report that is due, under our source.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        ssrc: u32,
        sent: Traffic,
        last: Option<Last>,
        reception: &mut Reception,
    ) -> Option<Vec<u8>> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.due = Some(now + INTERVAL);
        let sent = last.filter(|_| sent.packets > self.sent_reported).map(|last| rtcp::Sent {
            // RFC 3550 §6.4.1: the timestamp of this very moment.
            timestamp: last
                .timestamp
                .wrapping_add(rtp::ticks(micros(now.saturating_since(last.at)), last.clock)),
            packets: sent.packets,
            octets: sent.octets,
        });
        self.sent_reported = sent.as_ref().map_or(self.sent_reported, |sent| sent.packets);
        let last = self.last_heard.map_or(LastReport::default(), |(middle, at)| LastReport {
            middle,
            delay: rtp::ticks(micros(now.saturating_since(at)), 1 << 16),
        });
        let block = reception.block().map(|block| (block, last));
        Some(rtcp::report(now, ssrc, &self.name, sent, block))
    }

    /// A compound of theirs, of which something may be about our source. False when it is no RTCP.
    pub(crate) fn read(&mut self, now: Instant, ssrc: u32, bytes: &[u8]) -> bool {
        let Some(heard) = rtcp::read(bytes, ssrc) else { return false };
        if let Some(sender) = heard.sender {
            self.last_heard = Some((rtcp::middle(sender), now));
        }
        if let Some(about) = heard.about_us {
            // RFC 3550 §6.4.1: the round trip is what is left of the time since our report.
            let spent = rtcp::middle(rtcp::ntp(now)).wrapping_sub(about.last).checked_sub(about.delay);
            let round_trip = spent
                .filter(|spent| about.last != 0 && *spent < 60 << 16)
                .map(|spent| Duration::from_micros(u64::from(spent).saturating_mul(1_000_000) >> 16))
                .or_else(|| self.told.and_then(|told| told.round_trip));
            self.told = Some(RemoteFigures { lost: u64::from(about.lost), round_trip });
        }
        true
    }

    /// What they told of our stream.
    pub(crate) const fn told(&self) -> Option<RemoteFigures> {
        self.told
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
