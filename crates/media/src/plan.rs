//! What a relay must know and do: the transports of both legs, and the plan on which an offer and its answer agree.

use crate::{Codec, SdesSuite};
use std::net::{IpAddr, SocketAddr};

/// The kind of a stream. A call through the gateway carries at most one stream of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// Our end of the browser leg, the same for all its streams (BUNDLE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserTransport {
    /// Our ICE user fragment (RFC 8839 §5.4): at least 4 characters.
    pub ufrag: String,
    /// Our ICE password: at least 22 characters.
    pub password: String,
    /// Our certificate's fingerprint as written in `a=fingerprint`: `sha-256 AB:CD:..`.
    pub fingerprint: String,
    /// Our host candidates, the preferred one first.
    pub candidates: Vec<Candidate>,
}

/// One of our host candidates (RFC 8839 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where browsers reach us.
    pub address: SocketAddr,
    /// By which protocol.
    pub transport: IceTransport,
}

impl Candidate {
    /// The candidate for datagrams at this address.
    #[must_use]
    pub const fn udp(address: SocketAddr) -> Self {
        Self { address, transport: IceTransport::Udp }
    }
}

/// The protocol under ICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IceTransport {
    /// Datagrams.
    Udp,
    /// Connections that the browser opens (`tcptype passive`, RFC 6544): where UDP is blocked on the way.
    Tcp,
}

/// What the browser says of its end (RFC 8839, RFC 8842).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteBrowser {
    /// Its ICE user fragment.
    pub ufrag: String,
    /// Its ICE password.
    pub password: String,
    /// The fingerprint of its certificate as it wrote it, the strongest hash of those given: `sha-256 AB:CD:..`.
    pub fingerprint: String,
    /// The DTLS role that it offered or chose.
    pub setup: Setup,
    /// Its UDP candidates with numeric addresses. Names (mDNS) and TCP are left out: it will be learnt where it is.
    pub candidates: Vec<SocketAddr>,
    /// Whether it does ICE-lite itself.
    pub ice_lite: bool,
}

/// The value of `a=setup` (RFC 4145 §4, RFC 5763 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Sends the ClientHello.
    Active,
    /// Waits for it.
    Passive,
    /// Leaves the choice to the answer.
    ActivePassive,
}

/// The DTLS role that we have toward the browser. It never changes while an association lives (RFC 8842 §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// We send the ClientHello.
    Client,
    /// We wait for it.
    Server,
}

/// The master key of one direction, as one `a=crypto` line gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdesKey {
    /// The suite.
    pub suite: SdesSuite,
    /// Master key, then master salt: [`SdesSuite::master_length`] octets.
    pub key: Vec<u8>,
    /// The identifier that each packet under this key carries (MKI); mostly none, and never in our keys.
    pub identifier: Vec<u8>,
}

/// Whether SRTP keys may stand in the descriptions that a phone and we exchange, and how our offers have them.
/// In each case the suites, the preferred one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PhoneKeying {
    /// There are none: RTP in clear.
    #[default]
    Clear,
    /// Our offers demand SRTP (`RTP/SAVP`).
    Demanded(Vec<SdesSuite>),
    /// Our offers leave it to the phone (RFC 8643: `RTP/AVP` with keys).
    Invited(Vec<SdesSuite>),
    /// Our offers are in clear; a phone that offers keys is answered with keys.
    Accepted(Vec<SdesSuite>),
}

impl PhoneKeying {
    /// The suites.
    #[must_use]
    pub fn suites(&self) -> &[SdesSuite] {
        match self {
            Self::Clear => &[],
            Self::Demanded(suites) | Self::Invited(suites) | Self::Accepted(suites) => suites,
        }
    }
}

/// How we are ready to protect a stream toward a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneSecurity {
    /// In clear only: our offers say `RTP/AVP`.
    Plain,
    /// SRTP: our offers say `RTP/SAVP` with these keys, one suite each, the preferred one first.
    /// A phone that offers `RTP/AVP` without keys is still answered in clear.
    Sdes(Vec<SdesKey>),
    /// SRTP if the phone wants (RFC 8643): our offers say `RTP/AVP` with these keys.
    Opportunistic(Vec<SdesKey>),
    /// SRTP if the phone offers it, with these keys: our offers say `RTP/AVP` without any.
    Accepting(Vec<SdesKey>),
}

/// Our end of one stream toward the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneTransport {
    /// The address that is written into descriptions.
    pub address: IpAddr,
    /// The RTP port, even. RTCP is on the next one.
    pub rtp_port: u16,
    /// What protection we can give.
    pub security: PhoneSecurity,
}

/// Our ends toward the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneTransports {
    /// For the audio stream.
    pub audio: PhoneTransport,
    /// For the video stream; video is refused without it.
    pub video: Option<PhoneTransport>,
}

/// The phone's end of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePhone {
    /// Where it wants RTP.
    pub rtp: SocketAddr,
    /// Where it wants RTCP: the next port, or what `a=rtcp` says (RFC 3605), or `rtp` when muxed.
    pub rtcp: SocketAddr,
    /// RTP and RTCP share one port, both ways (RFC 5761).
    pub mux: bool,
    /// How the stream is protected.
    pub security: Negotiated,
}

/// The protection on which we and the phone agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Negotiated {
    /// In clear.
    Plain,
    /// SRTP.
    Sdes {
        /// The key under which we send.
        ours: SdesKey,
        /// The key under which the phone sends.
        theirs: SdesKey,
    },
}

/// One codec on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatPair {
    /// What it is on the browser's side.
    pub codec: Codec,
    /// What it is on the phone's side: another codec only where the gateway transcodes.
    pub phone_codec: Codec,
    /// The RTP clock rate on the browser's side, in hertz.
    pub clock: u32,
    /// The RTP clock rate on the phone's side, in hertz.
    pub phone_clock: u32,
    /// The number of channels.
    pub channels: u8,
    /// The payload type on the browser's side, both ways.
    pub browser: u8,
    /// The payload type to send to the phone.
    pub phone: u8,
    /// The payload type that we announced to the phone, and so what it should send. Nearly always equal to
    /// `phone`; a phone that answers under another number (RFC 3264 §6.1) may send either.
    pub phone_sends: u8,
    /// The browser's parameters (`a=fmtp`), as a codec table may need them.
    pub browser_parameters: Vec<u8>,
}

/// Telephone events on both sides. The clock rates differ when a phone has events at 8 kHz only beside Opus:
/// then durations and timestamps are converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPair {
    /// The payload type on the browser's side.
    pub browser: u8,
    /// The clock rate there, in hertz: that of the codec it goes with, or 8000 where the browser has no other.
    pub browser_clock: u32,
    /// The payload type to send to the phone.
    pub phone: u8,
    /// The payload type that we announced to the phone.
    pub phone_sends: u8,
    /// The clock rate on the phone's side, in hertz.
    pub phone_clock: u32,
}

/// The RTCP feedback that a side understands for video (RFC 4585, RFC 5104).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Generic NACK.
    pub nack: bool,
    /// Picture loss indication.
    pub pli: bool,
    /// Full intra request.
    pub fir: bool,
    /// Receiver estimated maximum bitrate.
    pub remb: bool,
}

/// A retransmission format of a browser (RFC 4588 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetransmissionFormat {
    /// Its payload type.
    pub payload_type: u8,
    /// The payload type of what is sent again (`apt`).
    pub of: u8,
}

/// Retransmission between us and the browser: it ends at the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retransmission {
    /// The formats, both ways.
    pub formats: Vec<RetransmissionFormat>,
    /// The SSRC under which we send again.
    pub ssrc: u32,
    /// The browser's SSRCs, each with the one under which it sends again.
    pub browser_ssrcs: Vec<(u32, u32)>,
}

/// What the relay does with one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlan {
    /// Sound or pictures.
    pub kind: Kind,
    /// The stream's `a=mid` on the browser's side.
    pub mid: String,
    /// The position of its section in the browser's descriptions, from 0.
    pub browser_index: usize,
    /// The position of its section in the phone's descriptions, from 0.
    pub phone_index: usize,
    /// The codecs to relay, the preferred one first; comfort noise is among them when both sides have it.
    pub pairs: Vec<FormatPair>,
    /// The telephone events to relay, one for each clock rate on the browser's side.
    pub events: Vec<EventPair>,
    /// Whether packets of the browser go to the phone.
    pub browser_to_phone: bool,
    /// Whether packets of the phone go to the browser.
    pub phone_to_browser: bool,
    /// Where the phone is. `None` when it gave no numeric address, or has held the call by the address 0.0.0.0
    /// since its beginning.
    pub remote_phone: Option<RemotePhone>,
    /// The SSRC that our descriptions announce to the browser for what we send to it.
    pub ssrc: u32,
    /// The SSRCs that the browser announces for what it sends, in its order; retransmission SSRCs left out.
    pub browser_ssrcs: Vec<u32>,
    /// Retransmission on the browser's side; `None` where it was not agreed.
    pub retransmission: Option<Retransmission>,
    /// The feedback on the browser's side.
    pub browser_feedback: Feedback,
    /// The feedback that the phone says it understands, whatever its profile is called: many write `a=rtcp-fb`
    /// under `RTP/AVP`.
    pub phone_feedback: Feedback,
    /// The packet length that the phone asks for, in milliseconds.
    pub phone_packet_time: Option<u16>,
    /// The bandwidth (`b=AS`, or `b=TIAS` rounded) that the phone wants to receive at most, in kilobits a second.
    pub phone_bandwidth: Option<u32>,
}

/// What the relay does after an offer and an answer have met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The live streams.
    pub streams: Vec<StreamPlan>,
    /// The browser's end.
    pub browser: RemoteBrowser,
    /// Our DTLS role.
    pub role: DtlsRole,
}

impl Plan {
    /// The stream of a kind, if there is one.
    #[must_use]
    pub fn stream(&self, kind: Kind) -> Option<&StreamPlan> {
        self.streams.iter().find(|stream| stream.kind == kind)
    }
}
