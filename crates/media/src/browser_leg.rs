//! The leg toward a browser: ICE (we are the lite agent), DTLS and SRTP. The only file that knows str0m.
//!
//! str0m is used without its SDP and without its media pipeline: we tell it the credentials, and packets go in and
//! out as they are on the wire. What may make its direct interface panic is prevented here: a stream is declared
//! after its media, nothing is written before the leg stands, no payload type that is not in its table.
#![allow(
    clippy::disallowed_types,
    reason = "str0m speaks std::time::Instant: made here, from the caller's time alone; no clock is read"
)]

use crate::demultiplexing::{self, BindingRequest, Class};
use crate::relay::Outgoing;
use crate::report::{BrowserFigures, DtlsState, MediaCause, RemoteFigures, Traffic};
use crate::rtp::{self, Packet, Reception};
use crate::{Codec, DtlsRole, Kind, Plan, RemoteBrowser};
use sip::Instant;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};
use str0m::config::{CryptoProvider, DtlsCert, Fingerprint};
use str0m::format::{Codec as Str0mCodec, FormatParams};
use str0m::ice::IceCreds;
use str0m::media::{Frequency, MediaKind, Mid, Pt};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{
    Candidate, Event as Str0mEvent, IceConnectionState, Input, Output as Str0mOutput, Rtc, RtcConfig,
};

/// How long the browser has for its first check, and then for the handshake.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may be silent once connected, beyond the 15 seconds after which ICE says so.
const CONSENT: Duration = Duration::from_secs(15);
/// Valid pairs remembered for a leg: a browser has one for each of its interfaces.
const MOST_PAIRS: usize = 16;
/// Checks remembered for a leg: one that comes again from elsewhere was overheard.
const MOST_CHECKS: usize = 32;
/// Sources remembered for a leg.
const MOST_SOURCES: usize = 8;
/// The one media of a leg. It is not on the wire: header extensions are not agreed.
const MEDIA: &str = "0";

/// One moment on two clocks: the caller's and that of the operating system, which str0m wants.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    std: StdInstant,
    own: Instant,
}

impl Epoch {
    /// Says that `own` and `std` are the same moment.
    #[must_use]
    pub const fn new(own: Instant, std: StdInstant) -> Self {
        Self { std, own }
    }

    fn to_std(self, now: Instant) -> StdInstant {
        self.std.checked_add(now.saturating_since(self.own)).unwrap_or(self.std)
    }

    fn to_own(self, at: StdInstant) -> Instant {
        self.own + at.saturating_duration_since(self.std)
    }
}

/// The certificate that all legs of a process show.
#[derive(Clone)]
pub(crate) struct Identity {
    certificate: DtlsCert,
    provider: Arc<CryptoProvider>,
    /// Its fingerprint, as `a=fingerprint` writes it.
    pub(crate) fingerprint: String,
}

impl Identity {
    /// A fresh certificate; `None` when the crypto library cannot make one.
    pub(crate) fn generate() -> Option<Self> {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = provider.dtls_provider.generate_certificate()?;
        let mut fingerprint = String::from("sha-256 ");
        for (index, octet) in provider.sha256_provider.sha256(&certificate.certificate).iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(fingerprint, "{separator}{octet:02X}").ok()?;
        }
        Some(Self { certificate, provider, fingerprint })
    }
}

/// Our credentials of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) fragment: String,
    pub(crate) password: String,
}

/// What comes out of a leg.
#[derive(Debug)]
pub(crate) enum LegOutput {
    /// Send this from the socket of that index.
    Transmit { socket: usize, to: SocketAddr, bytes: Vec<u8> },
    /// The browser proved to be there: its packets belong to this leg.
    Valid { socket: usize, from: SocketAddr },
    /// Its packets no longer do.
    Forgotten { socket: usize, from: SocketAddr },
    /// ICE and DTLS stand.
    Connected(SocketAddr),
    /// An authentic packet arrived.
    Media(Arrived),
    /// It failed for good.
    Failed(MediaCause),
}

/// An authentic packet of the browser.
#[derive(Debug)]
pub(crate) struct Arrived {
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: Arc<[u8]>,
}

impl Arrived {
    /// As a packet.
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet {
            marker: self.marker,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload: &self.payload,
        }
    }
}

/// The leg toward a browser, from the moment when both descriptions are known.
pub(crate) struct BrowserLeg {
    rtc: Rtc,
    epoch: Epoch,
    /// What browsers are told of each socket.
    locals: Vec<Option<SocketAddr>>,
    remote: RemoteBrowser,
    payload_types: Vec<u8>,
    valid: VecDeque<(usize, SocketAddr)>,
    /// The pair that the browser chose last.
    chosen: Option<(usize, SocketAddr)>,
    checks: VecDeque<([u8; 12], SocketAddr)>,
    sources: VecDeque<u32>,
    dtls: DtlsState,
    /// When the call was answered: a browser may wait for that before it checks anything.
    awaited: Option<Instant>,
    first_valid: Option<Instant>,
    lost_at: Option<Instant>,
    failed: bool,
    next: Instant,
    reception: Reception,
    sent: Traffic,
    dropped: u64,
    told: Option<RemoteFigures>,
}

impl BrowserLeg {
    /// A leg; `None` when the description's fingerprint is of no kind that can be checked, or no socket can be used.
    pub(crate) fn new(
        now: Instant,
        epoch: Epoch,
        identity: &Identity,
        credentials: &Credentials,
        locals: &[Option<SocketAddr>],
        plan: &Plan,
    ) -> Option<Self> {
        let fingerprint: Fingerprint = plan.browser.fingerprint.parse().ok()?;
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&identity.provider))
            .set_dtls_cert(identity.certificate.clone())
            .set_local_ice_credentials(our_credentials(credentials))
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .clear_extension_map()
            .set_stats_interval(Some(Duration::from_secs(5)));
        let payload_types = declare(&mut config, plan);
        let mut rtc = config.build(epoch.to_std(now));
        let mut usable = 0usize;
        for local in locals.iter().flatten() {
            if let Ok(candidate) = Candidate::host(*local, Protocol::Udp)
                && rtc.add_local_candidate(candidate).is_some()
            {
                usable = usable.saturating_add(1);
            }
        }
        if usable == 0 {
            return None;
        }
        let mut direct = rtc.direct_api();
        direct.set_ice_controlling(false);
        direct.set_remote_ice_credentials(their_credentials(&plan.browser));
        direct.set_remote_fingerprint(fingerprint);
        direct.declare_media(Mid::from(MEDIA), MediaKind::Audio);
        direct.start_dtls(plan.role == DtlsRole::Client).ok()?;
        Some(Self {
            rtc,
            epoch,
            locals: locals.to_vec(),
            remote: plan.browser.clone(),
            payload_types,
            valid: VecDeque::new(),
            chosen: None,
            checks: VecDeque::new(),
            sources: VecDeque::new(),
            dtls: DtlsState::New,
            awaited: None,
            first_valid: None,
            lost_at: None,
            failed: false,
            next: now,
            reception: Reception::default(),
            sent: Traffic::default(),
            dropped: 0,
            told: None,
        })
    }

    /// Whether this plan is one for another association: the browser came back with another certificate. Then the
    /// leg must be made anew.
    pub(crate) fn is_outgrown_by(&self, plan: &Plan) -> bool {
        self.remote.fingerprint != plan.browser.fingerprint
    }

    /// A new agreement over the same association: perhaps an ICE restart (RFC 8839 §4.4.1).
    pub(crate) fn update(&mut self, now: Instant, credentials: &Credentials, plan: &Plan) {
        let restarted =
            self.remote.ufrag != plan.browser.ufrag || self.remote.password != plan.browser.password;
        self.remote = plan.browser.clone();
        if restarted {
            let mut direct = self.rtc.direct_api();
            direct.set_local_ice_credentials(our_credentials(credentials));
            direct.set_remote_ice_credentials(their_credentials(&plan.browser));
            // Whatever was lost has this long to come back.
            self.lost_at = self.lost_at.map(|_| now);
        }
    }

    /// The call was answered: from now on the browser is expected.
    pub(crate) fn await_browser(&mut self, now: Instant) {
        self.awaited.get_or_insert(now);
        self.next = self.next.min(self.limit());
    }

    /// A datagram arrived on the socket of that index.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        socket: usize,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<LegOutput>,
    ) {
        let Some(local) = self.locals.get(socket).copied().flatten() else { return };
        let class = demultiplexing::class(bytes);
        // RFC 8842 §5.4 and the race of 2023: only who passed a check may even begin a handshake.
        if class != Class::Stun && !self.valid.contains(&(socket, from)) || self.failed {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        if class == Class::Media && !rtp::is_rtcp(bytes) && !self.expect(bytes) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let request = BindingRequest::parse(bytes);
        let replayed = request.is_some_and(|request| {
            let known = self.checks.iter().find(|(transaction, _)| *transaction == request.transaction);
            known.is_some_and(|(_, source)| *source != from)
        });
        let Some(contents) = DatagramRecv::try_from(bytes).ok().filter(|_| !replayed) else {
            self.dropped = self.dropped.saturating_add(1);
            return;
        };
        let receive = Receive { proto: Protocol::Udp, source: from, destination: local, contents };
        let before = out.len();
        if self.rtc.handle_input(Input::Receive(self.epoch.to_std(now), receive)).is_err() {
            // A malformed record is dropped; the handshake goes on unless str0m gave up, which `drain` sees.
            self.dropped = self.dropped.saturating_add(1);
        }
        self.drain(now, out);
        if let Some(request) = request.filter(|_| answered(from, out.get(before..).unwrap_or_default())) {
            self.checks.push_back((request.transaction, from));
            self.checks.drain(..self.checks.len().saturating_sub(MOST_CHECKS));
            if request.nominates {
                self.chosen = Some((socket, from));
            }
        }
    }

    /// Makes str0m expect the source of this packet. What it carries is authenticated afterwards.
    fn expect(&mut self, bytes: &[u8]) -> bool {
        let Some(ssrc) = rtp::ssrc(bytes).filter(|ssrc| *ssrc != 0) else { return false };
        if self.dtls != DtlsState::Connected {
            return false;
        }
        if self.sources.contains(&ssrc) {
            return true;
        }
        let mut direct = self.rtc.direct_api();
        if self.sources.len() >= MOST_SOURCES
            && let Some(oldest) = self.sources.pop_front()
        {
            direct.remove_stream_rx(Ssrc::from(oldest));
        }
        direct.expect_stream_rx(Ssrc::from(ssrc), None, Mid::from(MEDIA), None).suppress_nack(true);
        self.sources.push_back(ssrc);
        true
    }

    /// Sends a packet under this source; dropped while the leg does not stand.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        ssrc: u32,
        outgoing: &Outgoing<'_>,
        out: &mut Vec<LegOutput>,
    ) {
        if self.dtls != DtlsState::Connected
            || self.failed
            || ssrc == 0
            || !self.payload_types.contains(&outgoing.payload_type)
        {
            return;
        }
        let at = self.epoch.to_std(now);
        let payload_type = Pt::new_with_value(outgoing.payload_type);
        let write =
            RtpWrite::new(payload_type, outgoing.sequence.into(), outgoing.timestamp, at, &*outgoing.payload)
                .marker(outgoing.marker);
        let mut direct = self.rtc.direct_api();
        direct.declare_stream_tx(Ssrc::from(ssrc), None, Mid::from(MEDIA), None).write_rtp(write);
        self.sent.packets = self.sent.packets.saturating_add(1);
        self.sent.octets =
            self.sent.octets.saturating_add(u64::try_from(outgoing.payload.len()).unwrap_or(0));
        // Ignored: what str0m cannot go on with shows in `drain`.
        let _ = self.rtc.handle_input(Input::Timeout(at));
        self.drain(now, out);
    }

    /// Counts a packet that is relayed; `clock` is that of its payload type.
    pub(crate) fn count(&mut self, now: Instant, packet: &Packet<'_>, clock: u32) {
        self.reception.record(now, packet, clock);
    }

    /// Counts a packet of a payload type that was not agreed.
    pub(crate) fn count_unknown(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// When to call [`BrowserLeg::timeout`].
    pub(crate) const fn next_timeout(&self) -> Instant {
        self.next
    }

    /// The time has come.
    pub(crate) fn timeout(&mut self, now: Instant, out: &mut Vec<LegOutput>) {
        if self.failed || now < self.next {
            return;
        }
        let _ = self.rtc.handle_input(Input::Timeout(self.epoch.to_std(now)));
        self.drain(now, out);
        let given_up = match (self.dtls, self.first_valid, self.lost_at) {
            (_, _, Some(lost)) if now >= lost + CONSENT => Some(MediaCause::IceLost),
            (DtlsState::New, None, _) if self.awaited.is_some_and(|since| now >= since + PATIENCE) => {
                Some(MediaCause::IceNothingArrived)
            }
            (DtlsState::New, Some(valid), _) if now >= valid + PATIENCE => Some(MediaCause::DtlsFailed),
            _ => None,
        };
        if let Some(cause) = given_up {
            self.fail(cause, out);
        }
    }

    /// Says goodbye: RTCP BYE and the end of the association.
    pub(crate) fn close(&mut self, now: Instant, out: &mut Vec<LegOutput>) {
        if self.dtls == DtlsState::Connected && !self.failed && self.rtc.close().is_ok() {
            self.drain(now, out);
        }
        out.extend(self.valid.drain(..).map(|(socket, from)| LegOutput::Forgotten { socket, from }));
        self.failed = true;
        self.next = Instant::NEVER;
    }

    /// Whether ICE and DTLS stand.
    pub(crate) fn is_connected(&self) -> bool {
        self.dtls == DtlsState::Connected && !self.failed
    }

    /// What was counted.
    pub(crate) fn figures(&self) -> BrowserFigures {
        let pair =
            self.chosen.and_then(|(socket, from)| Some((self.locals.get(socket).copied().flatten()?, from)));
        BrowserFigures {
            pair,
            dtls: self.dtls,
            received: self.reception.figures(),
            sent: self.sent,
            remote: self.told,
            dropped: self.dropped,
        }
    }

    /// Takes everything out of str0m, as it demands after every change.
    fn drain(&mut self, now: Instant, out: &mut Vec<LegOutput>) {
        loop {
            match self.rtc.poll_output() {
                Ok(Str0mOutput::Timeout(at)) => {
                    // Never at once: str0m may ask for the present moment again and again.
                    self.next = self.epoch.to_own(at).max(now + Duration::from_millis(1)).min(self.limit());
                    break;
                }
                Ok(Str0mOutput::Transmit(transmit)) => {
                    self.transmit(
                        now,
                        transmit.source,
                        transmit.destination,
                        transmit.contents.to_vec(),
                        out,
                    );
                }
                Ok(Str0mOutput::Event(event)) => self.event(now, event, out),
                Err(error) => {
                    if !self.rtc.is_alive() {
                        let fingerprint = matches!(error, str0m::RtcError::RemoteSdp(_));
                        let cause =
                            if fingerprint { MediaCause::DtlsFingerprint } else { MediaCause::DtlsFailed };
                        self.dtls = DtlsState::Failed;
                        self.fail(cause, out);
                        break;
                    }
                    // One record was wrong. str0m goes on, and so do we, but not for ever.
                    self.dropped = self.dropped.saturating_add(1);
                    self.next = now + Duration::from_millis(10);
                    break;
                }
            }
        }
    }

    /// The next moment at which patience ends.
    fn limit(&self) -> Instant {
        if self.failed {
            return Instant::NEVER;
        }
        match (self.dtls, self.first_valid, self.lost_at) {
            (_, _, Some(lost)) => lost + CONSENT,
            (DtlsState::New, None, _) => self.awaited.map_or(Instant::NEVER, |since| since + PATIENCE),
            (DtlsState::New, Some(valid), _) => valid + PATIENCE,
            _ => Instant::NEVER,
        }
    }

    fn transmit(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: Vec<u8>,
        out: &mut Vec<LegOutput>,
    ) {
        let Some(socket) = self.locals.iter().position(|local| *local == Some(source)) else { return };
        if demultiplexing::is_binding_success(&bytes) {
            self.prove(now, socket, destination, out);
            out.push(LegOutput::Transmit { socket, to: destination, bytes });
            return;
        }
        // The browser's last choice counts (RFC 8445 §8.1.1), also while an older pair still lives.
        let (socket, to) = match self.chosen {
            Some(chosen) if demultiplexing::class(&bytes) != Class::Stun && self.valid.contains(&chosen) => {
                chosen
            }
            _ => (socket, destination),
        };
        out.push(LegOutput::Transmit { socket, to, bytes });
    }

    /// A check from there was authentic and is being answered.
    fn prove(&mut self, now: Instant, socket: usize, from: SocketAddr, out: &mut Vec<LegOutput>) {
        self.first_valid.get_or_insert(now);
        if self.valid.contains(&(socket, from)) {
            return;
        }
        if self.valid.len() >= MOST_PAIRS
            && let Some((socket, from)) = self.valid.pop_front()
        {
            out.push(LegOutput::Forgotten { socket, from });
        }
        self.valid.push_back((socket, from));
        out.push(LegOutput::Valid { socket, from });
    }

    fn event(&mut self, now: Instant, event: Str0mEvent, out: &mut Vec<LegOutput>) {
        match event {
            Str0mEvent::Connected => {
                self.dtls = DtlsState::Connected;
                let browser = self.chosen.or_else(|| self.valid.back().copied());
                if let Some((_, from)) = browser {
                    out.push(LegOutput::Connected(from));
                }
            }
            Str0mEvent::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.lost_at.get_or_insert(now);
            }
            Str0mEvent::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) => self.lost_at = None,
            Str0mEvent::RtpPacket(packet) => out.push(LegOutput::Media(Arrived {
                marker: packet.header.marker,
                payload_type: *packet.header.payload_type,
                sequence: packet.header.sequence_number,
                timestamp: packet.header.timestamp,
                ssrc: *packet.header.ssrc,
                payload: packet.payload,
            })),
            Str0mEvent::MediaEgressStats(stats) => {
                if let Some(remote) = stats.remote {
                    self.told = Some(RemoteFigures { lost: remote.packets_lost, round_trip: stats.rtt });
                }
            }
            Str0mEvent::Closed => {
                self.dtls = DtlsState::Closed;
                self.lost_at.get_or_insert(now);
            }
            _ => {}
        }
    }

    fn fail(&mut self, cause: MediaCause, out: &mut Vec<LegOutput>) {
        if !self.failed {
            self.failed = true;
            self.next = Instant::NEVER;
            out.push(LegOutput::Failed(cause));
        }
    }
}

/// Whether a check from there was authentic and is being answered.
fn answered(from: SocketAddr, outputs: &[LegOutput]) -> bool {
    outputs.iter().any(|output| {
        matches!(output, LegOutput::Transmit { to, bytes, .. }
            if *to == from && demultiplexing::is_binding_success(bytes))
    })
}

fn our_credentials(credentials: &Credentials) -> IceCreds {
    IceCreds { ufrag: credentials.fragment.clone(), pass: credentials.password.clone() }
}

fn their_credentials(remote: &RemoteBrowser) -> IceCreds {
    IceCreds { ufrag: remote.ufrag.clone(), pass: remote.password.clone() }
}

/// The payload types of a plan on the browser's side, with codec and clock.
fn payload_types(plan: &Plan) -> impl Iterator<Item = (u8, Codec, u32)> + '_ {
    plan.stream(Kind::Audio).into_iter().flat_map(|stream| {
        let pairs = stream.pairs.iter().map(|pair| (pair.browser, pair.codec, pair.clock));
        let events =
            stream.events.iter().map(|pair| (pair.browser, Codec::TelephoneEvent, pair.browser_clock));
        pairs.chain(events)
    })
}

/// Fills the codec table, without which str0m silently drops packets. It is fixed for the life of the association,
/// so after what is agreed come all the numbers that a later offer may use: what is relayed, the plan says.
fn declare(config: &mut RtcConfig, plan: &Plan) -> Vec<u8> {
    let mut declared = Vec::new();
    let statics = [(0, Codec::Pcmu), (8, Codec::Pcma), (9, Codec::G722), (13, Codec::ComfortNoise)];
    let later = statics
        .into_iter()
        .map(|(payload_type, codec)| (payload_type, codec, 8000))
        .chain((96..=127).chain(35..=63).map(|payload_type| (payload_type, Codec::Opus, 48_000)));
    for (payload_type, codec, clock) in payload_types(plan).chain(later) {
        let Some(clock) = Frequency::new(clock).filter(|_| payload_type < 128) else { continue };
        if declared.contains(&payload_type) {
            continue;
        }
        let codec = match codec {
            Codec::Opus => Str0mCodec::Opus,
            Codec::G722 => Str0mCodec::G722,
            Codec::Pcma => Str0mCodec::PCMA,
            Codec::ComfortNoise => Str0mCodec::CN,
            Codec::TelephoneEvent => Str0mCodec::Tele,
            _ => Str0mCodec::PCMU,
        };
        let payload = Pt::new_with_value(payload_type);
        config.codec_config().add_config(payload, None, codec, clock, None, FormatParams::default());
        declared.push(payload_type);
    }
    declared
}
