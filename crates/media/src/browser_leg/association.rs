//! ICE, DTLS and SRTP of one leg, as the library does them. The only file that knows str0m.
//!
//! str0m is used without its SDP and without its media pipeline: we tell it the credentials, and packets go in and
//! out as they are on the wire. What may make its direct interface panic is prevented here: a stream is declared
//! after its media, nothing is written before DTLS stands, no payload type that is not in its table.

use super::epoch::Epoch;
use super::identity::{Credentials, Identity};
use super::output::Arrived;
use crate::relay::Outgoing;
use crate::report::{MediaCause, RemoteFigures};
use crate::{Codec, DtlsRole, Kind, Plan, RemoteBrowser};
use sip::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use str0m::config::{CryptoProvider, DtlsCert, Fingerprint};
use str0m::format::{Codec as Str0mCodec, FormatParams};
use str0m::ice::IceCreds;
use str0m::media::{Frequency, MediaKind, Mid, Pt};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{
    Candidate, Event as Str0mEvent, IceConnectionState, Input, Output as Str0mOutput, Rtc, RtcConfig,
};

/// The one media of a leg. It is not on the wire: header extensions are not agreed.
const MEDIA: &str = "0";

/// A certificate and the crypto library that made it.
#[derive(Clone)]
pub(super) struct Certificate {
    certificate: DtlsCert,
    provider: Arc<CryptoProvider>,
}

impl Certificate {
    /// A fresh one; `None` when the crypto library cannot make one.
    pub(super) fn generate() -> Option<Self> {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
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
    Transmit { source: SocketAddr, destination: SocketAddr, bytes: Vec<u8> },
    /// ICE and DTLS stand.
    Connected,
    /// The browser's checks stopped.
    IceLost,
    /// They came again.
    IceFound,
    /// An authentic packet.
    Media(Arrived),
    /// What the browser told of what it received.
    Told(RemoteFigures),
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
}

impl Association {
    /// `None` when the description's fingerprint is of no kind that can be checked, or no socket can be used.
    pub(super) fn new(
        now: Instant,
        epoch: Epoch,
        identity: &Identity,
        credentials: &Credentials,
        locals: &[Option<SocketAddr>],
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
        Some(Self { rtc, epoch, payload_types })
    }

    /// New credentials on both sides (RFC 8839 §4.4.1); what stands goes on.
    pub(super) fn restart_ice(&mut self, credentials: &Credentials, remote: &RemoteBrowser) {
        let mut direct = self.rtc.direct_api();
        direct.set_local_ice_credentials(our_credentials(credentials));
        direct.set_remote_ice_credentials(their_credentials(remote));
    }

    /// A datagram arrived on this address of ours. False when it is malformed.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        let Ok(contents) = DatagramRecv::try_from(bytes) else { return false };
        let receive = Receive { proto: Protocol::Udp, source: from, destination: local, contents };
        self.rtc.handle_input(Input::Receive(self.epoch.to_std(now), receive)).is_ok()
    }

    /// Packets of this source may come. What they carry is authenticated all the same.
    pub(super) fn expect(&mut self, ssrc: u32) {
        let mut direct = self.rtc.direct_api();
        direct.expect_stream_rx(Ssrc::from(ssrc), None, Mid::from(MEDIA), None).suppress_nack(true);
    }

    /// No packets of this source will come.
    pub(super) fn no_longer_expect(&mut self, ssrc: u32) {
        self.rtc.direct_api().remove_stream_rx(Ssrc::from(ssrc));
    }

    /// Sends a packet under this source. DTLS must stand. False when its payload type was never declared.
    pub(super) fn send(&mut self, now: Instant, ssrc: u32, outgoing: &Outgoing<'_>) -> bool {
        if ssrc == 0 || !self.payload_types.contains(&outgoing.payload_type) {
            return false;
        }
        let at = self.epoch.to_std(now);
        let payload_type = Pt::new_with_value(outgoing.payload_type);
        let write =
            RtpWrite::new(payload_type, outgoing.sequence.into(), outgoing.timestamp, at, &*outgoing.payload)
                .marker(outgoing.marker);
        let mut direct = self.rtc.direct_api();
        direct.declare_stream_tx(Ssrc::from(ssrc), None, Mid::from(MEDIA), None).write_rtp(write);
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

    /// Takes one thing out of str0m, which demands that after every change all of them are taken, up to
    /// [`Happened::Until`], [`Happened::BadRecord`] or [`Happened::Failed`].
    pub(super) fn poll(&mut self) -> Happened {
        loop {
            match self.rtc.poll_output() {
                Ok(Str0mOutput::Timeout(at)) => return Happened::Until(self.epoch.to_own(at)),
                Ok(Str0mOutput::Transmit(transmit)) => {
                    return Happened::Transmit {
                        source: transmit.source,
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
        Str0mEvent::MediaEgressStats(stats) => stats
            .remote
            .map(|remote| Happened::Told(RemoteFigures { lost: remote.packets_lost, round_trip: stats.rtt })),
        Str0mEvent::Closed => Some(Happened::Closed),
        _ => None,
    }
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
