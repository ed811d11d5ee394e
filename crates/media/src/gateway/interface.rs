//! What goes into the gateway and what comes out of it.

use crate::browser_leg::Epoch;
use crate::report::{CallReport, MediaCause};
use crate::{IceTransport, PhoneKeying};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// How a gateway stands in its network.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The sockets that are bound for browsers: all browsers share them.
    pub browser_addresses: Vec<SocketAddr>,
    /// What those sockets are: UDP, TCP listeners, or both on the same port.
    pub browser_transports: Vec<IceTransport>,
    /// What browsers are told, as ICE candidates, the preferred one first: never `0.0.0.0` or `[::]`. With as many
    /// entries as `browser_addresses`, each stands for the socket at its place; otherwise for the first socket of
    /// its family.
    pub advertised: Vec<SocketAddr>,
    /// Where ports for phones are: one address for each family. The first is for phones of which nobody knows how
    /// they are reached, or whose family has none.
    pub phone_addresses: Vec<PhoneAddress>,
    /// The ports for phones, on any of their addresses. A leg takes two of them: an even one for RTP and the next for RTCP.
    pub ports: RangeInclusive<u16>,
    /// Whether Opus and G.711 are transcoded where the two sides have no codec in common.
    pub transcoding: bool,
    /// The moment of the start, on both clocks.
    pub epoch: Epoch,
}

/// An address that has ports for phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneAddress {
    /// The address on which they are bound.
    pub bound: IpAddr,
    /// What phones are told, of the same family: never `0.0.0.0` or `::`.
    pub advertised: IpAddr,
}

/// What is known of the phone of a new branch before it has said anything itself.
#[derive(Clone, Debug, Default)]
pub struct KnownPhone {
    /// Whether SRTP keys may be exchanged with it.
    pub keying: PhoneKeying,
    /// The address at which its signalling is reached: its media is expected over the same family. What its own
    /// offer says comes before.
    pub reached_at: Option<IpAddr>,
}

impl From<PhoneKeying> for KnownPhone {
    fn from(keying: PhoneKeying) -> Self {
        Self { keying, reached_at: None }
    }
}

/// A call: whatever tells it from all others, for instance its Call-ID and the caller's tag. Only the server knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(Vec<u8>);

/// A branch of a call toward one target, for instance the branch of our Via.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BranchKey(Vec<u8>);

macro_rules! key {
    ($name:ident) => {
        impl $name {
            /// The key made of these octets.
            #[must_use]
            pub fn new(octets: impl Into<Vec<u8>>) -> Self {
                Self(octets.into())
            }

            /// Its octets.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

key!(CallKey);
key!(BranchKey);

/// A socket of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SocketId {
    /// One of those for browsers: the index into [`GatewayConfig::browser_addresses`].
    Browser(usize),
    /// The connections that browsers opened to that address. Each is known by the browser's address, and what
    /// travels on it are whole frames (RFC 4571 §2), given here without their length.
    BrowserStream(usize),
    /// The one for phones on this port: no two of [`GatewayConfig::phone_addresses`] have the same port open.
    Phone(u16),
}

/// What the gateway wants next.
#[derive(Debug)]
pub enum Output {
    /// Bind a UDP socket for a phone, before the description is sent on.
    Open {
        /// One of [`GatewayConfig::phone_addresses`], as it is bound.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// Close it.
    Close {
        /// The port.
        port: u16,
    },
    /// Send a datagram.
    Transmit {
        /// From this socket.
        socket: SocketId,
        /// To this address.
        to: SocketAddr,
        /// Its octets.
        bytes: Vec<u8>,
    },
    /// Close the connection of that browser, once what was to be sent on it has gone.
    Disconnect {
        /// The listener to which it came.
        socket: SocketId,
        /// The browser's address.
        from: SocketAddr,
    },
    /// Something that somebody may want to know.
    Event(Event),
    /// Nothing more until then: call [`timeout`](crate::Gateway::timeout) at that moment.
    Timeout(sip::Instant),
}

/// Something that somebody may want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// ICE and DTLS toward the browser stand: media can flow.
    BrowserConnected {
        /// The call.
        call: CallKey,
        /// The browser's address.
        browser: SocketAddr,
    },
    /// The first packet of sound arrived from that side.
    MediaFlows {
        /// The call.
        call: CallKey,
        /// The branch that carries it.
        branch: BranchKey,
        /// Who sent it.
        from: crate::Side,
    },
    /// The phone of the branch that won pressed a key, which is over now. The browser hears it as a telephone event,
    /// of which a page learns nothing: it may be told in the dialog.
    Digit {
        /// The call.
        call: CallKey,
        /// The branch.
        branch: BranchKey,
        /// The key.
        digit: crate::Digit,
        /// How long it was pressed.
        duration: std::time::Duration,
    },
    /// The browser cannot go on without a whole picture, and the phone understands no feedback in RTCP: it may be
    /// asked in the dialog (`picture_fast_update`, RFC 5168).
    PictureWanted {
        /// The call.
        call: CallKey,
        /// The branch that carries the pictures.
        branch: BranchKey,
    },
    /// The media of a call failed beyond repair: hang up.
    Failed {
        /// The call.
        call: CallKey,
        /// The branch, where the browser is the called party; otherwise the one that carries the media.
        branch: BranchKey,
        /// Why.
        cause: MediaCause,
    },
    /// A call is over.
    Ended {
        /// The call.
        call: CallKey,
        /// What happened in it.
        report: Box<CallReport>,
    },
}

/// Why a gateway cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// No address for phones, no socket for browsers, or no advertised address that stands for one of them.
    NoAddress,
    /// An unspecified address (`0.0.0.0`, `[::]`) is to be advertised.
    UnspecifiedAddress,
    /// A port for browsers to which no browser sends (the bad ports of the Fetch standard).
    BadPort(u16),
    /// No pair of ports in the range.
    NoPorts,
    /// The certificate could not be made.
    NoCertificate,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => {
                f.write_str("no address for phones, or none for browsers that a socket stands behind")
            }
            Self::UnspecifiedAddress => f.write_str(
                "0.0.0.0 and [::] cannot be advertised: give the address where the server is reached",
            ),
            Self::BadPort(port) => {
                write!(f, "no browser sends to port {port} (Fetch standard, \"bad port\")")
            }
            Self::NoPorts => f.write_str("the port range for phones has no usable pair of ports"),
            Self::NoCertificate => f.write_str("no DTLS certificate could be made"),
        }
    }
}

impl std::error::Error for StartError {}
