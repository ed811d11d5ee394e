//! The sound of a leg: its SRTP and its RTCP, with the keys that the handshake exported.
//!
//! Sound is many small packets. What a general library does for each of them costs several times what the protection
//! itself costs, so sound does not pass through it.

use super::handshake::Exported;
use super::output::Arrived;
use crate::relay::Outgoing;
use crate::report::{RemoteFigures, Traffic};
use crate::reports::{Last, Reports};
use crate::rtcp;
use crate::rtp::{Packet, Reception};
use sip::Instant;
use srtp::{OVERHEAD, Receiver, Sender};

/// The sound of a leg.
#[derive(Debug)]
pub(super) struct Sound {
    /// Once the handshake is over.
    directions: Option<(Sender, Receiver)>,
    reports: Reports,
    reception: Reception,
    sent: Traffic,
    /// Our source, as it was announced.
    source: u32,
    last: Option<Last>,
}

impl Sound {
    /// Nothing yet. `name` is our CNAME.
    pub(super) fn new(name: String) -> Self {
        Self {
            directions: None,
            reports: Reports::new(name),
            reception: Reception::default(),
            sent: Traffic::default(),
            source: 0,
            last: None,
        }
    }

    /// What was agreed: our source.
    pub(super) const fn agree(&mut self, source: u32) {
        self.source = source;
    }

    /// The handshake is over. False when its keys are of no use.
    pub(super) fn begin(&mut self, now: Instant, exported: Option<&Exported>) -> bool {
        self.directions = exported.and_then(|exported| exported.directions().ok());
        self.reports.begin(now);
        self.directions.is_some()
    }

    /// A packet arrived; `None` when it is not authentic, or was heard before.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Option<Arrived> {
        let (_, receiver) = self.directions.as_mut()?;
        let mut packet = bytes.to_vec();
        let length = receiver.unprotect(&mut packet).ok()?;
        let packet = Packet::parse(packet.get(..length)?)?;
        Some(Arrived {
            marker: packet.marker,
            payload_type: packet.payload_type,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
            payload: packet.payload.into(),
        })
    }

    /// The datagram for a packet.
    pub(super) fn send(&mut self, now: Instant, outgoing: &Outgoing<'_>) -> Option<Vec<u8>> {
        let (sender, _) = self.directions.as_mut()?;
        let packet = Packet {
            marker: outgoing.marker,
            payload_type: outgoing.payload_type,
            sequence: u16::try_from(outgoing.sequence & 0xffff).unwrap_or(0),
            timestamp: outgoing.timestamp,
            ssrc: self.source,
            payload: &outgoing.payload,
        };
        let mut bytes = packet.write();
        let length = bytes.len();
        bytes.resize(length.saturating_add(OVERHEAD), 0);
        let length = sender.protect(&mut bytes, length).ok()?;
        bytes.truncate(length);
        self.last = Some(Last { timestamp: outgoing.timestamp, at: now, clock: outgoing.clock });
        self.sent.packets = self.sent.packets.saturating_add(1);
        self.sent.octets =
            self.sent.octets.saturating_add(u64::try_from(outgoing.payload.len()).unwrap_or(0));
        Some(bytes)
    }

    /// RTCP arrived: perhaps of the sound, perhaps of something else. False when it is not authentic.
    pub(super) fn receive_control(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let Some((_, receiver)) = &mut self.directions else { return false };
        let mut compound = bytes.to_vec();
        let Ok(length) = receiver.unprotect_control(&mut compound) else { return false };
        self.reports.read(now, self.source, compound.get(..length).unwrap_or_default())
    }

    /// Counts a packet that is relayed; `clock` is that of its payload type.
    pub(super) fn count(&mut self, now: Instant, packet: &Packet<'_>, clock: u32) {
        self.reception.record(now, packet, clock);
    }

    /// When the next report is due.
    pub(super) fn due(&self) -> Instant {
        self.reports.due().unwrap_or(Instant::NEVER)
    }

    /// The report that is due.
    pub(super) fn report(&mut self, now: Instant) -> Option<Vec<u8>> {
        let report = self.reports.write(now, self.source, self.sent, self.last, &mut self.reception)?;
        self.protect_control(report)
    }

    /// A goodbye, if the browser ever heard of us.
    pub(super) fn goodbye(&mut self) -> Option<Vec<u8>> {
        if self.sent.packets == 0 {
            return None;
        }
        self.protect_control(rtcp::goodbye(self.source))
    }

    fn protect_control(&mut self, mut compound: Vec<u8>) -> Option<Vec<u8>> {
        let (sender, _) = self.directions.as_mut()?;
        let length = compound.len();
        compound.resize(length.saturating_add(OVERHEAD), 0);
        let length = sender.protect_control(&mut compound, length).ok()?;
        compound.truncate(length);
        Some(compound)
    }

    /// What was received.
    pub(super) fn received(&self) -> crate::ReceptionFigures {
        self.reception.figures()
    }

    /// What was sent.
    pub(super) const fn sent(&self) -> Traffic {
        self.sent
    }

    /// What the browser told of what it received.
    pub(super) const fn told(&self) -> Option<RemoteFigures> {
        self.reports.told()
    }
}
