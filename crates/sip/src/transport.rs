//! The five transports and the way a message takes: flows and next hops.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A SIP transport protocol (RFC 3261 §18, RFC 7118 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
    /// A WebSocket connection.
    Ws,
    /// A WebSocket connection inside TLS.
    Wss,
}

impl Transport {
    /// Every transport.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// Whether the transport itself repairs loss (RFC 3261 §17; RFC 7118 §5).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether the transport is encrypted.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether the transport is a WebSocket, plain or secure.
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The token for Via (RFC 3261 §20.42, RFC 7118 §5.1).
    #[must_use]
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The value of a URI's `transport` parameter. WebSocket has one value, `ws`, for both of its forms
    /// (RFC 7118 §5.2).
    #[must_use]
    pub const fn uri_parameter(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws | Self::Wss => "ws",
        }
    }

    /// The port that holds where none is written (RFC 3261 §19.1.2, RFC 7118 §5.5).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// The transport that a Via token or a `transport` parameter names, in any case of letters. `None` for
    /// transports that are not ours, such as SCTP.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.via_token().as_bytes().eq_ignore_ascii_case(token))
    }
}

/// The identity of one connection within one run of the process; 0 for datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The way a message came, and the way back to its sender (RFC 5626 §2: a transport-layer association).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The transport protocol.
    pub transport: Transport,
    /// The connection; 0 for datagrams.
    pub connection: ConnectionId,
    /// Our own address and port: those that the peer called, also where the socket is bound to all addresses.
    pub local: SocketAddr,
    /// The peer's address and port, as seen on the wire.
    pub remote: SocketAddr,
}

/// Where to send a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hop {
    /// Back over a flow: the same socket, the same connection. Never a new connection.
    Flow(Flow),
    /// To an address, over a connection that is open to it or opened for it.
    Address {
        /// The transport protocol.
        transport: Transport,
        /// Address and port.
        address: SocketAddr,
        /// The name that the peer's certificate must carry (RFC 5922), for TLS and WSS.
        server_name: Option<Arc<str>>,
    },
}

impl Transport {
    /// The transport where no record decides (RFC 3263 §4.1): the one that is named, else TLS for SIPS, else UDP.
    #[must_use]
    pub const fn by_default(named: Option<Self>, secure: bool) -> Self {
        match (named, secure) {
            (Some(Self::Ws), true) => Self::Wss,
            (Some(Self::Wss), _) => Self::Wss,
            (_, true) => Self::Tls,
            (Some(transport), false) => transport,
            (None, false) => Self::Udp,
        }
    }
}

impl Hop {
    /// The transport protocol of this hop.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        match self {
            Self::Flow(flow) => flow.transport,
            Self::Address { transport, .. } => *transport,
        }
    }

    /// The peer's address and port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Flow(flow) => flow.remote,
            Self::Address { address, .. } => *address,
        }
    }

    /// The one hop of a host that is an address, with or without brackets: no record needs to be asked for (RFC 3263
    /// §4.1, §4.2).
    #[must_use]
    pub fn literal(
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
        secure: bool,
    ) -> Option<Self> {
        let text = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let address: IpAddr = text.parse().ok()?;
        let transport = Transport::by_default(transport, secure);
        let port = port.unwrap_or(transport.default_port());
        Some(Self::Address { transport, address: SocketAddr::new(address, port), server_name: None })
    }
}

impl From<Flow> for Hop {
    fn from(flow: Flow) -> Self {
        Self::Flow(flow)
    }
}
