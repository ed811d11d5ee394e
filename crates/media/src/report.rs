//! What happened to the media of a call: figures for each leg, and one cause at the end.

use crate::IceTransport;
use sip::Instant;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What one direction of a leg counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets of sound.
    pub packets: u64,
    /// Octets of their payloads.
    pub octets: u64,
}

/// What a leg received, as RFC 3550 §6.4.1 counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceptionFigures {
    /// What arrived.
    pub traffic: Traffic,
    /// Packets expected and never seen.
    pub lost: u64,
    /// Interarrival jitter.
    pub jitter: Duration,
}

/// What the other end told of what it received from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFigures {
    /// Packets that it missed, over the whole call.
    pub lost: u64,
    /// The round trip, where it could be measured.
    pub round_trip: Option<Duration>,
}

/// One stream of a leg, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamFigures {
    /// What arrived.
    pub received: ReceptionFigures,
    /// What was sent.
    pub sent: Traffic,
    /// What the other end told.
    pub remote: Option<RemoteFigures>,
}

/// How far DTLS got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsState {
    /// No valid pair yet, or no ClientHello.
    #[default]
    New,
    /// The handshake is done and the fingerprint is the promised one.
    Connected,
    /// The handshake failed, or the certificate is not the promised one.
    Failed,
    /// Closed by the browser.
    Closed,
}

/// The leg toward the browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrowserFigures {
    /// The ICE pair in use: our candidate and the browser's address.
    pub pair: Option<(SocketAddr, SocketAddr)>,
    /// The protocol of that pair.
    pub transport: Option<IceTransport>,
    /// How far DTLS got.
    pub dtls: DtlsState,
    /// What arrived.
    pub received: ReceptionFigures,
    /// What was sent.
    pub sent: Traffic,
    /// What the browser told.
    pub remote: Option<RemoteFigures>,
    /// When its last RTCP arrived.
    pub rtcp_heard: Option<Instant>,
    /// Datagrams dropped: no valid pair, unknown payload type, not authentic.
    pub dropped: u64,
}

/// The leg toward the phone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhoneFigures {
    /// Our RTP port.
    pub port: u16,
    /// Where its packets come from.
    pub source: Option<SocketAddr>,
    /// Where its description wants packets.
    pub signalled: Option<SocketAddr>,
    /// What arrived.
    pub received: ReceptionFigures,
    /// What was sent, silence made by us included.
    pub sent: Traffic,
    /// What the phone told.
    pub remote: Option<RemoteFigures>,
    /// When its last RTCP arrived.
    pub rtcp_heard: Option<Instant>,
    /// Whether its packets are protected by SRTP.
    pub secured: bool,
    /// Datagrams dropped because they came before anything was agreed: there were no keys yet.
    pub early: u64,
    /// Datagrams dropped because they were not protected with the key that was agreed, or came again.
    pub not_authentic: u64,
    /// All datagrams dropped: those, a stranger's, and what was not understood.
    pub dropped: u64,
}

/// The pictures of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VideoFigures {
    /// The codec, by its name in descriptions.
    pub codec: Option<&'static str>,
    /// The leg toward the browser.
    pub browser: StreamFigures,
    /// The leg toward the phone.
    pub phone: PhoneFigures,
    /// How often the browser was asked for a whole picture.
    pub asked_of_browser: u64,
    /// How often the phone was, or would have been if it understood feedback.
    pub asked_of_phone: u64,
}

/// What happened in a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallReport {
    /// How long media was joined: from the first answer on.
    pub duration: Duration,
    /// The leg toward the browser that won, or the first.
    pub browser: BrowserFigures,
    /// The leg toward the phone that won, or the first.
    pub phone: PhoneFigures,
    /// In an anchored call, the leg toward the phone that called: then `phone` is the called one, and `browser` nobody.
    pub caller: Option<PhoneFigures>,
    /// The codec, by its name in descriptions.
    pub codec: Option<&'static str>,
    /// Its pictures, when it has any at the end.
    pub video: Option<VideoFigures>,
    /// The one cause to be told; `None` when sound went as agreed.
    pub cause: Option<MediaCause>,
}

/// What was wrong with the media of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaCause {
    /// No ICE check of the browser arrived.
    IceNothingArrived,
    /// The browser's ICE checks stopped during the call.
    IceLost,
    /// DTLS did not come to its end.
    DtlsFailed,
    /// The browser's certificate is not the one that its description promised.
    DtlsFingerprint,
    /// No sound from the browser.
    NoneFromBrowser,
    /// No sound from the phone.
    NoneFromPhone,
    /// No sound from either side.
    NoneAtAll,
    /// No sound from the caller of an anchored call.
    NoneFromCaller,
    /// No sound from the callee of an anchored call.
    NoneFromCallee,
    /// No sound from either party of an anchored call.
    NoneFromParties,
    /// Nothing from either party of a call for an hour.
    PartiesGone,
    /// Only strangers sent to the phone's port: its packets come from another address than it signalled.
    PhoneElsewhere,
    /// What the phone sent was not protected with the key that its description gave.
    PhoneKeys,
    /// Keys were pressed, and the other side took them in no way: neither as telephone events nor by INFO. The gateway
    /// itself never says so: it sees no INFO.
    NoDigits,
}

impl MediaCause {
    /// The code, for logs, call records and the phone page.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::IceNothingArrived => "ICE-UDP-BLOCKED",
            Self::IceLost => "ICE-LOST",
            Self::DtlsFailed => "DTLS-FAILED",
            Self::DtlsFingerprint => "DTLS-FINGERPRINT",
            Self::NoneFromBrowser => "MEDIA-NONE-FROM-BROWSER",
            Self::NoneFromPhone => "MEDIA-NONE-FROM-PHONE",
            Self::NoneAtAll | Self::NoneFromParties => "MEDIA-NONE",
            Self::PartiesGone => "MEDIA-PARTIES-GONE",
            Self::NoneFromCaller => "MEDIA-NONE-FROM-CALLER",
            Self::NoneFromCallee => "MEDIA-NONE-FROM-CALLEE",
            Self::PhoneElsewhere => "MEDIA-PHONE-ELSEWHERE",
            Self::PhoneKeys => "MEDIA-KEYS-MISSING",
            Self::NoDigits => "DTMF-NONE",
        }
    }
}

impl fmt::Display for MediaCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IceNothingArrived => {
                "no packet of the browser reached the media port: open that UDP port in every firewall on the way, and \
                 see that the advertised address is reachable from the browser (media.public_address)"
            }
            Self::IceLost => {
                "the browser stopped answering during the call: its page was closed, or its network changed or is gone"
            }
            Self::DtlsFailed => {
                "the browser reached us, but the encryption handshake (DTLS) did not come to its end: look for a firewall \
                 that cuts or inspects UDP"
            }
            Self::DtlsFingerprint => {
                "the browser's certificate is not the one that its session description promised: somebody between changes \
                 session descriptions, or answers in its place"
            }
            Self::NoneFromBrowser => {
                "no sound came from the browser: look at its microphone and the permission of the page"
            }
            Self::NoneFromPhone => {
                "no sound came from the phone: open the media.ports toward it in every firewall on the way, and see that the \
                 advertised address is reachable from the phone (media.public_address)"
            }
            Self::NoneAtAll => {
                "no sound came from either side, though the browser is connected: look at its microphone and at the \
                 firewall between phone and media.ports"
            }
            Self::PartiesGone => {
                "neither party sent anything for an hour: both are gone, or have lost their network"
            }
            Self::NoneFromCaller => {
                "no sound came from the caller: open the media.ports toward it in every firewall on the way, and \
                 see that the advertised address is reachable from it (media.public_address)"
            }
            Self::NoneFromCallee => {
                "no sound came from the callee: open the media.ports toward it in every firewall on the way, \
                 and see that the advertised address is reachable from it (media.public_address)"
            }
            Self::NoneFromParties => {
                "no sound came from either party: open the media.ports in every firewall on the way, and see that the \
                 advertised address is reachable from both (media.public_address)"
            }
            Self::PhoneKeys => {
                "the phone's packets are not protected with the key that its session description gave, and were dropped: \
                 restart the phone, or switch SRTP off there"
            }
            Self::PhoneElsewhere => {
                "the phone's packets come from another address than the one it signalled, and were dropped: give the phone \
                 its real address, or let it send from where its signalling comes"
            }
            Self::NoDigits => {
                "the other side took no pressed keys: it agreed to no telephone events and refused INFO; switch RFC 4733 on \
                 there"
            }
        })
    }
}
