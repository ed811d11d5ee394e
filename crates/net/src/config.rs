//! What to listen on, and the bounds of every wait and every buffer.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What a listening socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// SIP in datagrams.
    Udp,
    /// SIP in a stream.
    Tcp,
    /// SIP in a stream inside TLS.
    Tls,
    /// HTTP and SIP over WebSocket on one port.
    Http,
    /// HTTP and SIP over WebSocket on one port, inside TLS.
    Https,
}

impl Protocol {
    /// Whether the port needs a certificate.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Https)
    }

    /// The transport of the SIP messages that come in here.
    #[must_use]
    pub const fn transport(self) -> sip::Transport {
        match self {
            Self::Udp => sip::Transport::Udp,
            Self::Tcp => sip::Transport::Tcp,
            Self::Tls => sip::Transport::Tls,
            Self::Http => sip::Transport::Ws,
            Self::Https => sip::Transport::Wss,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "SIP over UDP",
            Self::Tcp => "SIP over TCP",
            Self::Tls => "SIP over TLS",
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
        })
    }
}

/// One socket to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerConfig {
    /// What it speaks.
    pub protocol: Protocol,
    /// Address and port; port 0 takes any free one. An IPv6 socket takes no IPv4 traffic.
    pub address: SocketAddr,
}

impl ListenerConfig {
    /// A listener for `protocol` at `address`.
    #[must_use]
    pub const fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self { protocol, address }
    }
}

impl fmt::Display for ListenerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.protocol, self.address)
    }
}

/// The bounds of every wait and every buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest SIP message, in bytes. Default 65,536.
    pub message: usize,
    /// Bytes that may wait for one peer that does not read. Default 262,144.
    pub send_queue: usize,
    /// How long a peer may leave waiting bytes unread. Default 10 s.
    pub send_stall: Duration,
    /// From accept to the end of the TLS handshake and of the first HTTP head, in total. Default 5 s.
    pub handshake: Duration,
    /// From the first to the last byte of one message. Default 10 s.
    pub message_time: Duration,
    /// How long an outgoing TCP connection may take to open. Default 4 s.
    pub connect: Duration,
    /// How long an HTTP connection may stay without a request. Default 30 s.
    pub http_idle: Duration,
    /// How long a TCP or TLS connection may stay silent; `None`: for ever. Default 2 h, since phones that need
    /// no keep-alive say nothing between two registrations. A peer that has connected and never said anything
    /// is closed after two minutes at the latest, and one whose machine is gone is found by the kernel.
    pub stream_idle: Option<Duration>,
    /// How often a WebSocket peer is pinged, less up to a fifth at random; `None`: never. Default 25 s.
    /// A peer that answers nothing for two intervals is closed.
    pub websocket_ping: Option<Duration>,
    /// Connections in total. Default 100,000.
    pub connections: usize,
    /// Connections from one IPv4 address or one IPv6 /64. Default 20,000.
    pub connections_per_source: usize,
    /// Load balancers, whose connections begin with a PROXY header that names the client. Default none.
    pub balancers: Vec<sip::AddressRange>,
    /// How long [`crate::Network::drain`] waits for peers to take their last bytes. Default 5 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 65_536,
            send_queue: 262_144,
            send_stall: Duration::from_secs(10),
            handshake: Duration::from_secs(5),
            message_time: Duration::from_secs(10),
            connect: Duration::from_secs(4),
            http_idle: Duration::from_secs(30),
            stream_idle: Some(Duration::from_secs(7200)),
            websocket_ping: Some(Duration::from_secs(25)),
            connections: 100_000,
            connections_per_source: 20_000,
            balancers: Vec::new(),
            drain: Duration::from_secs(5),
        }
    }
}
