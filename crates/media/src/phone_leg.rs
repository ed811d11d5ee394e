//! The leg toward a phone: RTP and RTCP, in clear or protected by SRTP.
//!
//! Where a phone really sends from is learnt from its packets, as `phone_path` says. Everything else that arrives is a
//! stranger's and is dropped. A packet in clear teaches something only if its payload type was agreed, and under SRTP
//! only if it is authentic.

use crate::phone_path::{Path, Source};
use crate::protection::{Protection, Refused};
use crate::relay::Outgoing;
use crate::report::{PhoneFigures, RemoteFigures, Traffic};
use crate::rtcp::{self, LastReport, PictureRequest};
use crate::rtp::{self, Packet, Reception};
use crate::{Feedback, PhoneAddress, RemotePhone, SocketId};
use sip::{Entropy, Instant};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Between two reports (RFC 3550 §6.2: five seconds at the least).
const REPORTS: Duration = Duration::from_secs(5);
/// A datagram for the phone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) socket: SocketId,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// What a datagram is that goes on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// RTP, with so many octets of payload.
    Media(usize),
    /// RTCP, or what else comes on its port.
    Control,
    /// Something else on the port of RTP.
    Other,
}

/// The leg toward a phone.
#[derive(Debug)]
pub(crate) struct PhoneLeg {
    address: PhoneAddress,
    port: u16,
    ssrc: u32,
    /// How far the next source of ours is from this one.
    next_ssrc: u32,
    name: String,
    mux: bool,
    media: Path,
    control: Path,
    source: Source,
    /// Where its signalling comes from, behind NAT another address than it describes.
    second: Option<IpAddr>,
    protection: Protection,
    reception: Reception,
    sent: Traffic,
    sent_reported: u64,
    strangers: u64,
    early: u64,
    not_authentic: u64,
    unread: u64,
    next_report: Option<Instant>,
    last_report: Option<(u32, Instant)>,
    remote: Option<RemoteFigures>,
    picture_wanted: bool,
    intra_requests: u8,
    control_heard: Option<Instant>,
}

impl PhoneLeg {
    /// A leg on this pair of ports of that address.
    pub(crate) fn new(address: PhoneAddress, port: u16, entropy: &mut dyn Entropy) -> Self {
        let random = entropy.number();
        Self {
            address,
            port,
            ssrc: u32::try_from(random >> 32).unwrap_or(0),
            next_ssrc: u32::try_from(random & 0xffff_ffff).unwrap_or(0) | 1,
            name: entropy.token(16),
            mux: false,
            media: Path::default(),
            control: Path::default(),
            source: Source::default(),
            second: None,
            protection: Protection::default(),
            reception: Reception::default(),
            sent: Traffic::default(),
            sent_reported: 0,
            strangers: 0,
            early: 0,
            not_authentic: 0,
            unread: 0,
            next_report: None,
            last_report: None,
            remote: None,
            picture_wanted: false,
            intra_requests: 0,
            control_heard: None,
        }
    }

    /// The leg of another stream of the same phone, on this pair of ports: under the same name, so that the two are
    /// shown together (RFC 3550 §6.5.1).
    pub(crate) fn companion(&self, port: u16, entropy: &mut dyn Entropy) -> Self {
        Self { name: self.name.clone(), second: self.second, ..Self::new(self.address, port, entropy) }
    }

    /// Where its ports are.
    pub(crate) const fn address(&self) -> PhoneAddress {
        self.address
    }

    /// The even port of its pair.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The odd port of its pair.
    pub(crate) const fn control_port(&self) -> u16 {
        self.port.saturating_add(1)
    }

    /// The phone may also send from this address.
    pub(crate) fn expect_at(&mut self, address: IpAddr) {
        self.second = Some(address);
    }

    /// What the phone's description says. True when we send under another key from now on, or no more in clear, and with
    /// that as another source, whose sequence numbers must begin anew: whether a source goes on under a new key with its
    /// rollover counter (RFC 3711 §3.3.1) or without (RFC 4568 §7.1.4), phones disagree; that a new one begins at zero,
    /// they do not.
    pub(crate) fn describe(&mut self, now: Instant, remote: &RemotePhone) -> bool {
        self.mux = remote.mux;
        self.media.describe(now, remote.rtp);
        self.control.describe(now, remote.rtcp);
        self.source.describe();
        let renewed = self.protection.agree(now, &remote.security);
        if renewed {
            self.ssrc = self.ssrc.wrapping_add(self.next_ssrc);
        }
        self.next_report.get_or_insert(now + REPORTS);
        renewed
    }

    /// A datagram arrived on one of the two ports: a packet of sound, or nothing that concerns others. `agreed` says
    /// whether a payload type is, and `scratch` is where the protection is taken off.
    pub(crate) fn receive<'p>(
        &mut self,
        now: Instant,
        port: u16,
        from: SocketAddr,
        bytes: &'p [u8],
        agreed: impl Fn(u8) -> bool,
        scratch: &'p mut Vec<u8>,
    ) -> Option<Packet<'p>> {
        let control = port == self.control_port() || self.mux && rtp::is_rtcp(bytes);
        let path = if port == self.port { &self.media } else { &self.control };
        if path.is_described() && !path.admits(now, from, self.second) {
            let moved = path.may_have_moved(now, from, self.second)
                && (self.protection.is_keyed() || self.is_of_its_source(bytes, control));
            if !moved {
                self.strangers = self.strangers.saturating_add(1);
                return None;
            }
        }
        let opened = match self.protection.open(now, bytes, control, scratch) {
            Ok(opened) => opened,
            Err(Refused::Early) => {
                self.early = self.early.saturating_add(1);
                return None;
            }
            Err(Refused::NotAuthentic) => {
                self.not_authentic = self.not_authentic.saturating_add(1);
                return None;
            }
        };
        if control {
            if !self.receive_control(now, opened) {
                self.unread = self.unread.saturating_add(1);
            } else if port == self.control_port() {
                // On the muxed port only sound tells where sound should go.
                self.control.learn(now, from);
            }
            return None;
        }
        // From where the phone is known to be, also a payload type that was not agreed is its own.
        let fits = |packet: &Packet<'_>| agreed(packet.payload_type) || self.media.latched() == Some(from);
        let Some(packet) = Packet::parse(opened).filter(fits) else {
            self.unread = self.unread.saturating_add(1);
            return None;
        };
        if self.media.signalled() == Some(from) && self.media.latched() != Some(from) {
            // It takes over from who was quicker, whose source must not keep it out.
            self.source.describe();
        }
        if !self.protection.is_keyed() && !self.source.admits(now, packet.ssrc) {
            self.strangers = self.strangers.saturating_add(1);
            return None;
        }
        self.media.learn(now, from);
        Some(packet)
    }

    /// A datagram of a phone whose packets go on as they are: what it is, or `None` when it goes nowhere. `clock` knows
    /// the payload types of the descriptions, and for `one_source` a second one beside the first is a stranger's.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        port: u16,
        from: SocketAddr,
        bytes: &[u8],
        one_source: bool,
        clock: impl Fn(u8) -> Option<u32>,
    ) -> Option<Taken> {
        let control = port == self.control_port() || self.mux && rtp::is_rtcp(bytes);
        // Under keys that the two phones made nothing is authentic to us, but the source can be read.
        if !self.is_admitted(now, port, from, Some((bytes, control))) {
            return None;
        }
        if bytes.first().is_some_and(|first| (16..64).contains(first)) {
            // ZRTP, and DTLS: how the two make their keys (RFC 7983 §7).
            let path = if port == self.port { &mut self.media } else { &mut self.control };
            path.learn(now, from);
            return Some(if port == self.port { Taken::Other } else { Taken::Control });
        }
        if control {
            if !rtp::is_rtcp(bytes) || bytes.first().is_none_or(|first| first >> 6 != 2) {
                self.unread = self.unread.saturating_add(1);
                return None;
            }
            if port == self.control_port() {
                self.control.learn(now, from);
            }
            self.control_heard = Some(now);
            return Some(Taken::Control);
        }
        let fits =
            |packet: &Packet<'_>| clock(packet.payload_type).is_some() || self.media.latched() == Some(from);
        let Some(packet) = Packet::parse(bytes).or_else(|| Packet::protected(bytes)).filter(fits) else {
            self.unread = self.unread.saturating_add(1);
            return None;
        };
        if self.media.signalled() == Some(from) && self.media.latched() != Some(from) {
            self.source.describe();
        }
        if one_source && !self.source.admits(now, packet.ssrc) {
            self.strangers = self.strangers.saturating_add(1);
            return None;
        }
        self.media.learn(now, from);
        self.reception.record(now, &packet, clock(packet.payload_type).unwrap_or(8000));
        Some(Taken::Media(packet.payload.len()))
    }

    /// The same where nothing is known of what it carries.
    pub(crate) fn take_any(&mut self, now: Instant, port: u16, from: SocketAddr) -> Option<Taken> {
        if !self.is_admitted(now, port, from, None) {
            return None;
        }
        let path = if port == self.port { &mut self.media } else { &mut self.control };
        path.learn(now, from);
        Some(if port == self.port { Taken::Other } else { Taken::Control })
    }

    /// Whether a datagram may be the phone's; others are counted. `packet`, and whether it is RTCP, shows whose it is.
    fn is_admitted(
        &mut self,
        now: Instant,
        port: u16,
        from: SocketAddr,
        packet: Option<(&[u8], bool)>,
    ) -> bool {
        let path = if port == self.port { &self.media } else { &self.control };
        if !path.is_described() {
            self.early = self.early.saturating_add(1);
            return false;
        }
        let admitted = path.admits(now, from, self.second)
            || path.may_have_moved(now, from, self.second)
                && packet.is_some_and(|(bytes, control)| self.is_of_its_source(bytes, control));
        if !admitted {
            self.strangers = self.strangers.saturating_add(1);
        }
        admitted
    }

    /// Whether a packet, of RTP or of RTCP, claims to be of the source that was heard last.
    fn is_of_its_source(&self, bytes: &[u8], control: bool) -> bool {
        let source = if control { rtp::reporter(bytes) } else { rtp::ssrc(bytes) };
        source.is_some() && source == self.reception.source()
    }

    /// The datagram that takes on what another leg took, as it is; `None` while it is not known where to.
    pub(crate) fn pass(&mut self, bytes: &[u8], taken: Taken) -> Option<Datagram> {
        let control = taken == Taken::Control && !self.mux;
        let (port, path) =
            if control { (self.control_port(), &self.control) } else { (self.port, &self.media) };
        let to = path.destination()?;
        if let Taken::Media(octets) = taken {
            self.sent.packets = self.sent.packets.saturating_add(1);
            self.sent.octets = self.sent.octets.saturating_add(u64::try_from(octets).unwrap_or(0));
        }
        Some(Datagram { socket: SocketId::Phone(port), to, bytes: bytes.to_vec() })
    }

    /// Counts a packet that is relayed; `clock` is that of its payload type.
    pub(crate) fn count(&mut self, now: Instant, packet: &Packet<'_>, clock: u32) {
        self.reception.record(now, packet, clock);
    }

    /// Counts a packet of a payload type that was not agreed.
    pub(crate) fn count_unknown(&mut self) {
        self.unread = self.unread.saturating_add(1);
    }

    /// Reads a report; false when it is none.
    fn receive_control(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let Some(heard) = rtcp::read(bytes, self.ssrc) else { return false };
        self.picture_wanted |= heard.picture_wanted;
        self.control_heard = Some(now);
        if let Some(sender) = heard.sender {
            self.last_report = Some((rtcp::middle(sender), now));
        }
        if let Some(about) = heard.about_us {
            // RFC 3550 §6.4.1: the round trip is what is left of the time since our report.
            let spent = rtcp::middle(rtcp::ntp(now)).wrapping_sub(about.last).checked_sub(about.delay);
            let round_trip = spent
                .filter(|spent| about.last != 0 && *spent < 60 << 16)
                .map(|spent| Duration::from_micros(u64::from(spent).saturating_mul(1_000_000) >> 16))
                .or_else(|| self.remote.and_then(|remote| remote.round_trip));
            self.remote = Some(RemoteFigures { lost: u64::from(about.lost), round_trip });
        }
        true
    }

    /// The datagram for a packet; `None` while it is not known where to.
    pub(crate) fn send(&mut self, outgoing: &Outgoing<'_>) -> Option<Datagram> {
        let to = self.media.destination()?;
        let packet = Packet {
            marker: outgoing.marker,
            payload_type: outgoing.payload_type,
            sequence: u16::try_from(outgoing.sequence & 0xffff).unwrap_or(0),
            timestamp: outgoing.timestamp,
            ssrc: self.ssrc,
            payload: &outgoing.payload,
        };
        self.sent.packets = self.sent.packets.saturating_add(1);
        self.sent.octets = self.sent.octets.saturating_add(u64::try_from(packet.payload.len()).unwrap_or(0));
        let bytes = self.protection.seal(packet.write(), false)?;
        Some(Datagram { socket: SocketId::Phone(self.port), to, bytes })
    }

    /// When the next report is due.
    pub(crate) const fn next_report(&self) -> Option<Instant> {
        self.next_report
    }

    /// The report that is due. `last` is the timestamp that was sent last, when, and the clock of the stream.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        last: Option<(u32, Instant)>,
        clock: u32,
    ) -> Option<Datagram> {
        if self.next_report.is_none_or(|due| now < due) {
            return None;
        }
        self.next_report = Some(now + REPORTS);
        let sent =
            last.filter(|_| self.sent.packets > self.sent_reported).map(|(timestamp, at)| rtcp::Sent {
                // RFC 3550 §6.4.1: the timestamp of this very moment.
                timestamp: timestamp.wrapping_add(rtp::ticks(micros(now.saturating_since(at)), clock)),
                packets: self.sent.packets,
                octets: self.sent.octets,
            });
        self.sent_reported = self.sent.packets;
        let last = self.last_report.map_or(LastReport::default(), |(middle, at)| LastReport {
            middle,
            delay: rtp::ticks(micros(now.saturating_since(at)), 1 << 16),
        });
        let block = self.reception.block().map(|block| (block, last));
        let bytes = rtcp::report(now, self.ssrc, &self.name, sent, block);
        self.control_datagram(bytes)
    }

    /// Whether the phone has asked for a whole picture since the last call.
    pub(crate) const fn take_picture_wanted(&mut self) -> bool {
        std::mem::replace(&mut self.picture_wanted, false)
    }

    /// A request for a whole picture, by the best way that the phone understands; `None` when it understands none,
    /// or shows nothing.
    pub(crate) fn ask_picture(&mut self, feedback: Feedback) -> Option<Datagram> {
        let request = if feedback.pli {
            PictureRequest::Loss
        } else if feedback.fir {
            self.intra_requests = self.intra_requests.wrapping_add(1);
            PictureRequest::Intra(self.intra_requests)
        } else {
            return None;
        };
        let of = self.reception.source()?;
        self.control_datagram(rtcp::ask_picture(self.ssrc, &self.name, of, request))
    }

    /// A goodbye, if the phone ever heard of us.
    pub(crate) fn goodbye(&mut self) -> Option<Datagram> {
        if self.sent.packets == 0 {
            return None;
        }
        self.control_datagram(rtcp::goodbye(self.ssrc))
    }

    fn control_datagram(&mut self, bytes: Vec<u8>) -> Option<Datagram> {
        let (port, path) =
            if self.mux { (self.port, &self.media) } else { (self.control_port(), &self.control) };
        let to = path.destination()?;
        let bytes = self.protection.seal(bytes, true)?;
        Some(Datagram { socket: SocketId::Phone(port), to, bytes })
    }

    /// Whether the phone sent, but under other keys than it said.
    pub(crate) const fn has_wrong_keys(&self) -> bool {
        self.not_authentic > 0 && self.media.latched().is_none()
    }

    /// Whether only strangers sent.
    pub(crate) const fn only_strangers(&self) -> bool {
        self.strangers > 0 && self.media.latched().is_none()
    }

    /// What was counted.
    pub(crate) fn figures(&self) -> PhoneFigures {
        PhoneFigures {
            port: self.port,
            source: self.media.latched(),
            signalled: self.media.signalled(),
            received: self.reception.figures(),
            sent: self.sent,
            remote: self.remote,
            rtcp_heard: self.control_heard,
            secured: self.protection.is_keyed(),
            early: self.early,
            not_authentic: self.not_authentic,
            dropped: [self.unread, self.early, self.not_authentic]
                .iter()
                .fold(self.strangers, |sum, count| sum.saturating_add(*count)),
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
