//! The leg toward a browser: ICE (we are the lite agent), DTLS and SRTP.
//!
//! `association` is the adapter to the library that does the protocols, but for the packets of sound: `sound` protects
//! them, with the keys that `handshake` has kept. What is decided here: whose packets belong to
//! the leg, where its own go, and when a browser is given up.

mod association;
mod epoch;
mod handshake;
mod identity;
mod output;
mod pairs;
mod sound;
mod sources;

pub use epoch::Epoch;
pub(crate) use identity::{Credentials, Identity};
pub(crate) use output::LegOutput;

use crate::demultiplexing::{self, BindingRequest, Class};
use crate::relay::Outgoing;
use crate::report::{BrowserFigures, DtlsState, MediaCause, RemoteFigures, StreamFigures, Traffic};
use crate::rtp::{self, Packet, Reception};
use crate::{IceTransport, Kind, Plan, RemoteBrowser, SocketId};
use association::{Association, Happened};
use pairs::{Pairs, Proved};
use sip::Instant;
use sound::Sound;
use sources::{Carries, Sources};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the browser has for its first check, and then for the handshake.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may be silent once connected, beyond the 15 seconds after which ICE says so.
const CONSENT: Duration = Duration::from_secs(15);

/// A socket for browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) socket: SocketId,
    /// What browsers are told of it.
    pub(crate) address: SocketAddr,
    pub(crate) transport: IceTransport,
}

/// The leg toward a browser, from the moment when both descriptions are known.
pub(crate) struct BrowserLeg {
    association: Association,
    locals: Arc<[Local]>,
    remote: RemoteBrowser,
    pairs: Pairs,
    sources: Sources,
    dtls: DtlsState,
    /// When the call was answered: a browser may wait for that before it checks anything.
    awaited: Option<Instant>,
    first_valid: Option<Instant>,
    lost_at: Option<Instant>,
    failed: bool,
    next: Instant,
    sound: Sound,
    pictures: Counts,
    dropped: u64,
    rtcp_heard: Option<Instant>,
}

/// What is counted of the pictures.
#[derive(Debug, Default)]
struct Counts {
    reception: Reception,
    sent: Traffic,
    told: Option<RemoteFigures>,
}

impl BrowserLeg {
    /// A leg; `None` when the description's fingerprint is of no kind that can be checked, or no socket can be used.
    pub(crate) fn new(
        now: Instant,
        epoch: Epoch,
        identity: &Identity,
        credentials: &Credentials,
        locals: &Arc<[Local]>,
        plan: &Plan,
    ) -> Option<Self> {
        let mut sound = Sound::new(credentials.fragment.clone());
        sound.agree(source(plan));
        Some(Self {
            association: Association::new(now, epoch, identity, credentials, locals, plan)?,
            locals: Arc::clone(locals),
            remote: plan.browser.clone(),
            pairs: Pairs::default(),
            sources: Sources::new(plan),
            dtls: DtlsState::New,
            awaited: None,
            first_valid: None,
            lost_at: None,
            failed: false,
            next: now,
            sound,
            pictures: Counts::default(),
            dropped: 0,
            rtcp_heard: None,
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
            self.association.restart_ice(credentials, &self.remote);
            // Whatever was lost has this long to come back.
            self.lost_at = self.lost_at.map(|_| now);
        }
    }

    /// What the browser's sources carry, and what ours are, is what this plan says.
    pub(crate) fn heed(&mut self, plan: &Plan) {
        self.sources.update(plan);
        self.sound.agree(source(plan));
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
        socket: SocketId,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<LegOutput>,
    ) {
        let Some(local) = self.local(socket) else { return };
        let request = BindingRequest::parse(bytes);
        if !self.admits(socket, from, bytes, request) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        if demultiplexing::class(bytes) == Class::Media {
            if rtp::is_rtcp(bytes) {
                if self.sound.receive_control(now, bytes) {
                    self.rtcp_heard = Some(now);
                }
            } else if self.carries_sound(bytes) {
                match self.sound.receive(bytes) {
                    Some(arrived) => out.push(LegOutput::Media(arrived)),
                    None => self.dropped = self.dropped.saturating_add(1),
                }
                return;
            }
        }
        let before = out.len();
        if !self.association.receive(now, local, from, bytes) {
            // A malformed record is dropped; the handshake goes on unless str0m gave up, which `drain` sees.
            self.dropped = self.dropped.saturating_add(1);
        }
        self.drain(now, out);
        let Some(request) = request else { return };
        if answered(from, out.get(before..).unwrap_or_default()) {
            self.pairs.answered(request, (socket, from));
        } else {
            // Its password was not ours.
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Whether the association may see this datagram.
    fn admits(
        &mut self,
        socket: SocketId,
        from: SocketAddr,
        bytes: &[u8],
        request: Option<BindingRequest<'_>>,
    ) -> bool {
        let class = demultiplexing::class(bytes);
        // RFC 8842 §5.4 and the race of 2023: only who passed a check may even begin a handshake.
        if self.failed || class != Class::Stun && !self.pairs.is_valid((socket, from)) {
            return false;
        }
        if request.is_some_and(|request| self.pairs.is_replayed(request, from)) {
            return false;
        }
        // Nothing is heard before the browser has proved that it is whom its description names.
        class != Class::Media
            || self.dtls == DtlsState::Connected && (rtp::is_rtcp(bytes) || self.expect(bytes))
    }

    /// Makes the association expect the source of this packet, unless it is sound. What it carries is authenticated
    /// afterwards.
    fn expect(&mut self, bytes: &[u8]) -> bool {
        let Some(ssrc) = rtp::ssrc(bytes).filter(|ssrc| *ssrc != 0) else { return false };
        if self.sources.knows(ssrc) {
            return true;
        }
        let payload_type = bytes.get(1).map_or(0, |second| second & 0x7f);
        let Some(carries) = self.sources.carries(ssrc, payload_type) else { return false };
        if carries == Carries::Sound {
            return true;
        }
        if let Some(oldest) = self.sources.note(ssrc, carries) {
            self.association.no_longer_expect(oldest);
        }
        self.association.expect(ssrc, carries);
        true
    }

    /// Whether the source of this packet, which may be heard, is none of pictures.
    fn carries_sound(&self, bytes: &[u8]) -> bool {
        rtp::ssrc(bytes).is_some_and(|ssrc| !self.sources.knows(ssrc))
    }

    /// Sends a packet of sound; dropped while the leg does not stand.
    pub(crate) fn send(&mut self, now: Instant, outgoing: &Outgoing<'_>, out: &mut Vec<LegOutput>) {
        if !self.is_connected() {
            return;
        }
        if let Some(bytes) = self.sound.send(now, outgoing) {
            self.send_to_current(bytes, out);
        }
    }

    fn send_to_current(&self, bytes: Vec<u8>, out: &mut Vec<LegOutput>) {
        if let Some((socket, to)) = self.pairs.current() {
            out.push(LegOutput::Transmit { socket, to, bytes });
        }
    }

    /// Sends a packet of pictures under this source; dropped while the leg does not stand.
    pub(crate) fn send_picture(
        &mut self,
        now: Instant,
        ssrc: u32,
        outgoing: &Outgoing<'_>,
        out: &mut Vec<LegOutput>,
    ) {
        let again = self.sources.ours_again();
        if !self.is_connected() || !self.association.send(now, ssrc, again, outgoing) {
            return;
        }
        let sent = &mut self.pictures.sent;
        sent.packets = sent.packets.saturating_add(1);
        sent.octets = sent.octets.saturating_add(u64::try_from(outgoing.payload.len()).unwrap_or(0));
        self.drain(now, out);
    }

    /// The connection of that pair is closed.
    pub(crate) fn disconnected(&mut self, socket: SocketId, from: SocketAddr) {
        self.pairs.lose((socket, from));
    }

    fn local(&self, socket: SocketId) -> Option<Local> {
        self.locals.iter().find(|local| local.socket == socket).copied()
    }

    /// Counts a packet that is relayed; `clock` is that of its payload type.
    pub(crate) fn count(&mut self, now: Instant, kind: Kind, packet: &Packet<'_>, clock: u32) {
        match kind {
            Kind::Audio => self.sound.count(now, packet, clock),
            Kind::Video => self.pictures.reception.record(now, packet, clock),
        }
    }

    /// Asks the browser for a whole picture. False while it shows none.
    pub(crate) fn ask_picture(&mut self, now: Instant, out: &mut Vec<LegOutput>) -> bool {
        let Some(ssrc) = self.sources.showing().filter(|_| self.is_connected()) else { return false };
        let asked = self.association.ask_picture(now, ssrc);
        self.drain(now, out);
        asked
    }

    /// Tells the browser how many kilobits a second its pictures may have at most.
    pub(crate) fn limit_pictures(&mut self, now: Instant, kilobits: u32, out: &mut Vec<LegOutput>) {
        if let Some(ssrc) = self.sources.showing().filter(|_| self.is_connected()) {
            self.association.limit(now, ssrc, kilobits);
            self.drain(now, out);
        }
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
        if let Some(bytes) = self.sound.report(now) {
            self.send_to_current(bytes, out);
        }
        self.association.timeout(now);
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
        if self.is_connected() {
            if let Some(bytes) = self.sound.goodbye() {
                self.send_to_current(bytes, out);
            }
            if self.association.close() {
                self.drain(now, out);
            }
        }
        out.extend(self.pairs.take().into_iter().map(|(socket, from)| LegOutput::Forgotten { socket, from }));
        self.failed = true;
        self.next = Instant::NEVER;
    }

    /// Whether ICE and DTLS stand.
    pub(crate) fn is_connected(&self) -> bool {
        self.dtls == DtlsState::Connected && !self.failed
    }

    /// What was counted.
    pub(crate) fn figures(&self) -> BrowserFigures {
        let chosen = self.pairs.chosen().and_then(|(socket, from)| Some((self.local(socket)?, from)));
        BrowserFigures {
            pair: chosen.map(|(local, from)| (local.address, from)),
            transport: chosen.map(|(local, _)| local.transport),
            dtls: self.dtls,
            received: self.sound.received(),
            sent: self.sound.sent(),
            remote: self.sound.told(),
            rtcp_heard: self.rtcp_heard,
            dropped: self.dropped,
        }
    }

    /// What was counted of the pictures.
    pub(crate) fn picture_figures(&self) -> StreamFigures {
        let Counts { reception, sent, told } = &self.pictures;
        StreamFigures { received: reception.figures(), sent: *sent, remote: *told }
    }

    /// Takes everything out of the association, as it demands after every change.
    fn drain(&mut self, now: Instant, out: &mut Vec<LegOutput>) {
        loop {
            match self.association.poll() {
                Happened::Until(at) => {
                    // Never at once: str0m may ask for the present moment again and again.
                    let next = at.max(now + Duration::from_millis(1));
                    self.next = next.min(self.limit()).min(self.sound.due());
                    return;
                }
                Happened::Transmit { source, transport, destination, bytes } => {
                    self.transmit(now, (source, transport), destination, bytes, out);
                }
                Happened::Connected => {
                    if !self.sound.begin(now, self.association.exported().as_ref()) {
                        self.dtls = DtlsState::Failed;
                        self.fail(MediaCause::DtlsFailed, out);
                        return;
                    }
                    self.dtls = DtlsState::Connected;
                    if let Some((_, from)) = self.pairs.current() {
                        out.push(LegOutput::Connected(from));
                    }
                }
                Happened::IceLost => {
                    self.lost_at.get_or_insert(now);
                }
                Happened::IceFound => self.lost_at = None,
                Happened::Media(mut arrived) => {
                    arrived.payload_type = self.sources.original(arrived.payload_type);
                    out.push(LegOutput::Media(arrived));
                }
                Happened::Told(figures) => self.pictures.told = Some(figures),
                Happened::PictureWanted => out.push(LegOutput::PictureWanted),
                Happened::Closed => {
                    self.dtls = DtlsState::Closed;
                    self.lost_at.get_or_insert(now);
                }
                Happened::BadRecord => {
                    // The association goes on, and so do we, but not for ever.
                    self.dropped = self.dropped.saturating_add(1);
                    self.next = now + Duration::from_millis(10);
                    return;
                }
                Happened::Failed(cause) => {
                    self.dtls = DtlsState::Failed;
                    self.fail(cause, out);
                    return;
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
        source: (SocketAddr, IceTransport),
        destination: SocketAddr,
        bytes: Vec<u8>,
        out: &mut Vec<LegOutput>,
    ) {
        let mut locals = self.locals.iter();
        let Some(socket) = locals.find(|local| (local.address, local.transport) == source) else { return };
        let socket = socket.socket;
        if demultiplexing::is_binding_success(&bytes) {
            self.prove(now, socket, destination, out);
            out.push(LegOutput::Transmit { socket, to: destination, bytes });
            return;
        }
        let preferred = self.pairs.preferred().filter(|_| demultiplexing::class(&bytes) != Class::Stun);
        let (socket, to) = preferred.unwrap_or((socket, destination));
        out.push(LegOutput::Transmit { socket, to, bytes });
    }

    /// A check from there was authentic and is being answered.
    fn prove(&mut self, now: Instant, socket: SocketId, from: SocketAddr, out: &mut Vec<LegOutput>) {
        self.first_valid.get_or_insert(now);
        let Proved::New { forgotten } = self.pairs.prove((socket, from)) else { return };
        if let Some((socket, from)) = forgotten {
            out.push(LegOutput::Forgotten { socket, from });
        }
        out.push(LegOutput::Valid { socket, from });
    }

    fn fail(&mut self, cause: MediaCause, out: &mut Vec<LegOutput>) {
        if !self.failed {
            self.failed = true;
            self.next = Instant::NEVER;
            out.push(LegOutput::Failed(cause));
        }
    }
}

/// Our source of sound, as the description for the browser announces it.
fn source(plan: &Plan) -> u32 {
    plan.stream(Kind::Audio).map_or(0, |stream| stream.ssrc)
}

/// Whether a check from there was authentic and is being answered.
fn answered(from: SocketAddr, outputs: &[LegOutput]) -> bool {
    outputs.iter().any(|output| {
        matches!(output, LegOutput::Transmit { to, bytes, .. }
            if *to == from && demultiplexing::is_binding_success(bytes))
    })
}
