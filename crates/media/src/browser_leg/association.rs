//! ICE and DTLS of one leg, as the library does them. This file and `handshake` are the only ones that know str0m.
//!
//! str0m is used without its SDP and without its media pipeline: we tell it the credentials, and packets go in and
//! out as they are on the wire. What may make its direct interface panic is prevented here: a stream is declared
//! after its media, nothing is written before DTLS stands, no payload type that is not in its table.

use super::Local;
use super::epoch::Epoch;
use super::handshake::{self, Exported, Keys};
use super::identity::{Credentials, Identity};
use super::output::Arrived;
use super::sources::Carries;
use crate::relay::Outgoing;
use crate::report::{MediaCause, RemoteFigures};
use crate::{Codec, DtlsRole, IceTransport, Plan, RemoteBrowser};
use sip::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use str0m::bwe::Bitrate;
use str0m::config::{CryptoProvider, DtlsCert, Fingerprint};
use str0m::format::{Codec as Str0mCodec, FormatParams};
use str0m::ice::IceCreds;
use str0m::media::{Frequency, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{
    Candidate, Event as Str0mEvent, IceConnectionState, Input, Output as Str0mOutput, Rtc, RtcConfig,
};

/// The media of pictures. Its name is not on the wire: header extensions are not agreed.
const PICTURES: &str = "1";
/// Packets of pictures that are kept for a browser that misses one: about a second of a good picture.
const KEPT: usize = 256;

/// A certificate and the crypto library that made it.
#[derive(Clone)]
pub(super) struct Certificate {
    certificate: DtlsCert,
    provider: Arc<CryptoProvider>,
}

impl Certificate {
    /// A fresh one; `None` when the crypto library cannot make one.
    pub(super) fn generate() -> Option<Self> {
        let provider = Arc::new(handshake::provider());
        let certificate = provider.dtls_provider.generate_certificate()?;
        Some(Self { certificate, provider })
    }

    /// Its digest, for the fingerprint.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.provider.sha256_provider.sha256(&self.certificate.certificate)
    }
}

/// What happened, or is wanted.
pub(super) enum Happened {
    /// Nothing more until then.
    Until(Instant),
    /// Send this from there.
    Transmit { source: SocketAddr, transport: IceTransport, destination: SocketAddr, bytes: Vec<u8> },
    /// ICE and DTLS stand.
    Connected,
    /// The browser's checks stopped.
    IceLost,
    /// They came again.
    IceFound,
    /// An authentic packet of pictures.
    Media(Arrived),
    /// What the browser told of the pictures that it received.
    Told(RemoteFigures),
    /// The browser cannot go on without a whole picture.
    PictureWanted,
    /// The browser ended the association.
    Closed,
    /// One record was wrong, and nothing more came of it.
    BadRecord,
    /// The association is over, for this cause.
    Failed(MediaCause),
}

/// ICE, DTLS and SRTP of one leg.
pub(super) struct Association {
    rtc: Rtc,
    epoch: Epoch,
    payload_types: Vec<u8>,
    keys: Keys,
}

impl Association {
    /// `None` when the description's fingerprint is of no kind that can be checked, or no socket can be used.
    pub(super) fn new(
        now: Instant,
        epoch: Epoch,
        identity: &Identity,
        credentials: &Credentials,
        locals: &[Local],
        plan: &Plan,
    ) -> Option<Self> {
        let fingerprint: Fingerprint = plan.browser.fingerprint.parse().ok()?;
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&identity.certificate.provider))
            .set_dtls_cert(identity.certificate.certificate.clone())
            .set_local_ice_credentials(our_credentials(credentials))
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .clear_extension_map()
            .set_send_buffer_video(KEPT)
            .set_stats_interval(Some(Duration::from_secs(5)));
        let payload_types = declare(&mut config, plan);
        let (mut rtc, keys) = handshake::watched(|| config.build(epoch.to_std(now)));
        let mut usable = 0usize;
        for local in locals {
            if let Ok(candidate) = Candidate::host(local.address, protocol(local.transport))
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
        direct.declare_media(Mid::from(PICTURES), MediaKind::Video);
        direct.start_dtls(plan.role == DtlsRole::Client).ok()?;
        Some(Self { rtc, epoch, payload_types, keys: keys? })
    }

    /// New credentials on both sides (RFC 8839 §4.4.1); what stands goes on.
    pub(super) fn restart_ice(&mut self, credentials: &Credentials, remote: &RemoteBrowser) {
        let mut direct = self.rtc.direct_api();
        direct.set_local_ice_credentials(our_credentials(credentials));
        direct.set_remote_ice_credentials(their_credentials(remote));
    }

    /// A datagram, or a frame, arrived there. False when it is malformed.
    pub(super) fn receive(&mut self, now: Instant, local: Local, from: SocketAddr, bytes: &[u8]) -> bool {
        let Ok(contents) = DatagramRecv::try_from(bytes) else { return false };
        let receive =
            Receive { proto: protocol(local.transport), source: from, destination: local.address, contents };
        self.rtc.handle_input(Input::Receive(self.epoch.to_std(now), receive)).is_ok()
    }

    /// Packets of this source may come. What they carry is authenticated all the same.
    pub(super) fn expect(&mut self, ssrc: u32, carries: Carries) {
        let (ssrc, again, nack) = match carries {
            // Sound does not come this way.
            Carries::Sound => return,
            Carries::Pictures { again, nack } => (ssrc, again, nack),
            Carries::PicturesAgain { of, nack } => (of, Some(ssrc), nack),
        };
        let mut direct = self.rtc.direct_api();
        let again = again.map(Ssrc::from);
        direct.expect_stream_rx(Ssrc::from(ssrc), again, Mid::from(PICTURES), None).suppress_nack(!nack);
    }

    /// Asks for a whole picture of this source (RFC 4585 §6.3.1).
    pub(super) fn ask_picture(&mut self, now: Instant, ssrc: u32) -> bool {
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx(&Ssrc::from(ssrc)) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.timeout(now);
        true
    }

    /// Tells how many kilobits a second this source may have at most (REMB).
    pub(super) fn limit(&mut self, now: Instant, ssrc: u32, kilobits: u32) {
        if let Some(stream) = self.rtc.direct_api().stream_rx(&Ssrc::from(ssrc)) {
            stream.request_remb(Bitrate::kbps(u64::from(kilobits)));
            self.timeout(now);
        }
    }

    /// No packets of this source will come.
    pub(super) fn no_longer_expect(&mut self, ssrc: u32) {
        self.rtc.direct_api().remove_stream_rx(Ssrc::from(ssrc));
    }

    /// Sends a packet under this source. DTLS must stand. False when its payload type was never declared.
    ///
    /// `again` is the source under which it is sent again when the browser misses it.
    pub(super) fn send(
        &mut self,
        now: Instant,
        ssrc: u32,
        again: Option<u32>,
        outgoing: &Outgoing<'_>,
    ) -> bool {
        if ssrc == 0 || !self.payload_types.contains(&outgoing.payload_type) {
            return false;
        }
        let at = self.epoch.to_std(now);
        let payload_type = Pt::new_with_value(outgoing.payload_type);
        let write =
            RtpWrite::new(payload_type, outgoing.sequence.into(), outgoing.timestamp, at, &*outgoing.payload)
                .marker(outgoing.marker)
                .nackable(again.is_some());
        let (ssrc, again) = (Ssrc::from(ssrc), again.map(Ssrc::from));
        let mut direct = self.rtc.direct_api();
        // To declare it empties what is kept.
        if let Some(stream) = direct.stream_tx(&ssrc) {
            stream.write_rtp(write);
        } else {
            direct.declare_stream_tx(ssrc, again, Mid::from(PICTURES), None).write_rtp(write);
        }
        self.timeout(now);
        true
    }

    /// The time has come.
    pub(super) fn timeout(&mut self, now: Instant) {
        // Ignored: what str0m cannot go on with shows in `poll`.
        let _ = self.rtc.handle_input(Input::Timeout(self.epoch.to_std(now)));
    }

    /// Says goodbye: RTCP BYE and the end of the association. False when there is nobody to say it to.
    pub(super) fn close(&mut self) -> bool {
        self.rtc.close().is_ok()
    }

    /// What the handshake exported, once.
    pub(super) fn exported(&self) -> Option<Exported> {
        self.keys.take()
    }

    /// Takes one thing out of str0m, which demands that after every change all of them are taken, up to
    /// [`Happened::Until`], [`Happened::BadRecord`] or [`Happened::Failed`].
    pub(super) fn poll(&mut self) -> Happened {
        loop {
            match self.rtc.poll_output() {
                Ok(Str0mOutput::Timeout(at)) => return Happened::Until(self.epoch.to_own(at)),
                Ok(Str0mOutput::Transmit(transmit)) => {
                    return Happened::Transmit {
                        source: transmit.source,
                        transport: match transmit.proto {
                            Protocol::Udp => IceTransport::Udp,
                            _ => IceTransport::Tcp,
                        },
                        destination: transmit.destination,
                        bytes: transmit.contents.to_vec(),
                    };
                }
                Ok(Str0mOutput::Event(event)) => {
                    if let Some(happened) = of_event(event) {
                        return happened;
                    }
                }
                // str0m goes on after a wrong record.
                Err(_) if self.rtc.is_alive() => return Happened::BadRecord,
                Err(str0m::RtcError::RemoteSdp(_)) => return Happened::Failed(MediaCause::DtlsFingerprint),
                Err(_) => return Happened::Failed(MediaCause::DtlsFailed),
            }
        }
    }
}

fn of_event(event: Str0mEvent) -> Option<Happened> {
    match event {
        Str0mEvent::Connected => Some(Happened::Connected),
        Str0mEvent::IceConnectionStateChange(IceConnectionState::Disconnected) => Some(Happened::IceLost),
        Str0mEvent::IceConnectionStateChange(
            IceConnectionState::Connected | IceConnectionState::Completed,
        ) => Some(Happened::IceFound),
        Str0mEvent::RtpPacket(packet) => Some(Happened::Media(Arrived {
            marker: packet.header.marker,
            payload_type: *packet.header.payload_type,
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            ssrc: *packet.header.ssrc,
            payload: packet.payload,
        })),
        Str0mEvent::MediaEgressStats(stats) => {
            let remote = stats.remote?;
            let figures = RemoteFigures { lost: remote.packets_lost, round_trip: stats.rtt };
            Some(Happened::Told(figures))
        }
        Str0mEvent::KeyframeRequest(_) => Some(Happened::PictureWanted),
        Str0mEvent::Closed => Some(Happened::Closed),
        _ => None,
    }
}

const fn protocol(transport: IceTransport) -> Protocol {
    match transport {
        IceTransport::Udp => Protocol::Udp,
        IceTransport::Tcp => Protocol::Tcp,
    }
}

fn our_credentials(credentials: &Credentials) -> IceCreds {
    IceCreds { ufrag: credentials.fragment.clone(), pass: credentials.password.clone() }
}

fn their_credentials(remote: &RemoteBrowser) -> IceCreds {
    IceCreds { ufrag: remote.ufrag.clone(), pass: remote.password.clone() }
}

/// A row of the codec table: payload type, that of retransmissions, codec, clock.
type Row = (u8, Option<u8>, Str0mCodec, u32);

/// The payload types of a plan on the browser's side.
fn agreed(plan: &Plan) -> impl Iterator<Item = Row> + '_ {
    plan.streams.iter().flat_map(|stream| {
        let again = |payload_type: u8| {
            let mut formats = stream.retransmission.iter().flat_map(|known| &known.formats);
            formats.find(|format| format.of == payload_type).map(|format| format.payload_type)
        };
        let pairs = stream
            .pairs
            .iter()
            .map(move |pair| (pair.browser, again(pair.browser), codec(pair.codec), pair.clock));
        let events =
            stream.events.iter().map(|pair| (pair.browser, None, Str0mCodec::Tele, pair.browser_clock));
        pairs.chain(events)
    })
}

/// The numbers that a later offer may use. Those for which browsers have no other use are sound, the others
/// pictures: a wrong guess costs no packet, but the clock of the reports that tell when to show what.
fn later() -> impl Iterator<Item = Row> {
    const SOUND: [u8; 5] = [101, 109, 110, 111, 126];
    let fixed = [(0, Codec::Pcmu), (8, Codec::Pcma), (9, Codec::G722), (13, Codec::ComfortNoise)];
    let fixed = fixed.into_iter().map(|(payload_type, known)| (payload_type, None, codec(known), 8000));
    fixed.chain((96..=127).chain(35..=63).map(|payload_type| {
        let sound = SOUND.contains(&payload_type);
        let (codec, clock) = if sound { (Str0mCodec::Opus, 48_000) } else { (Str0mCodec::Vp8, 90_000) };
        (payload_type, None, codec, clock)
    }))
}

const fn codec(codec: Codec) -> Str0mCodec {
    match codec {
        Codec::Opus => Str0mCodec::Opus,
        Codec::G722 => Str0mCodec::G722,
        Codec::Pcma => Str0mCodec::PCMA,
        Codec::ComfortNoise => Str0mCodec::CN,
        Codec::TelephoneEvent => Str0mCodec::Tele,
        Codec::Vp8 => Str0mCodec::Vp8,
        Codec::H264 => Str0mCodec::H264,
        Codec::Pcmu | Codec::Other => Str0mCodec::PCMU,
    }
}

/// Fills the codec table, without which str0m silently drops packets. It is fixed for the life of the association,
/// so after what is agreed come all the numbers that a later offer may use: what is relayed, the plan says.
fn declare(config: &mut RtcConfig, plan: &Plan) -> Vec<u8> {
    let mut declared = Vec::new();
    // A number of retransmissions is declared beside what it goes with.
    let mut taken: Vec<u8> = Vec::new();
    for (payload_type, again, codec, clock) in agreed(plan).chain(later()) {
        let Some(clock) = Frequency::new(clock).filter(|_| payload_type < 128) else { continue };
        if taken.contains(&payload_type) {
            continue;
        }
        let payload = Pt::new_with_value(payload_type);
        let again = again.filter(|again| *again < 128 && !taken.contains(again));
        taken.push(payload_type);
        taken.extend(again);
        let again = again.map(Pt::new_with_value);
        config.codec_config().add_config(payload, again, codec, clock, None, FormatParams::default());
        declared.push(payload_type);
    }
    declared
}
