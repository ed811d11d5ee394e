//! What the network tells its user, and what it asks.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use hyper::HeaderMap;
use sip::{Flow, Hop};

/// The user of the network. Every method is called on the loop's thread, and may call the
/// [`crate::Network`] in turn.
pub trait Handler {
    /// Exactly one SIP message, in the sender's framing (a datagram, a WebSocket message, or what
    /// Content-Length says). Its syntax has not been checked.
    fn message(&self, flow: &Flow, bytes: &[u8]);

    /// What came together has been handed over, and what was sent meanwhile is about to leave: what is sent now leaves
    /// with it. Called at the end of each turn ([`crate::Network::together`]).
    fn turn_over(&self) {}

    /// A connection that carries SIP is open: accepted and past its handshakes, or opened by us.
    fn opened(&self, flow: &Flow) {
        let _ = flow;
    }

    /// The peer that has opened this connection has shown a certificate that counts ([`crate::ClientCertificates`]), for
    /// these SIP domains, in small letters (RFC 5922 §7.1). Called at once after `opened`.
    fn identified(&self, flow: &Flow, domains: Vec<String>) {
        let _ = (flow, domains);
    }

    /// A connection that carried SIP is gone, whoever closed it. Called once for each connection that was
    /// `opened`.
    fn closed(&self, flow: &Flow);

    /// What was sent to `hop` was not delivered: the flow is gone, the connection could not be opened or
    /// broke with bytes waiting, or the datagram's port is closed.
    fn unreachable(&self, hop: &Hop);

    /// Something came that is not one SIP message. `bytes` are as much of it as there is. The handler may
    /// send an answer (it is delivered before a close) and says what becomes of the connection.
    fn malformed(&self, flow: &Flow, fault: &Malformed, bytes: &[u8]) -> AfterFault;

    /// A page asks for a WebSocket with the `sip` protocol: the place for the Origin check.
    ///
    /// # Errors
    /// The response that refuses.
    fn accept(&self, request: &UpgradeRequest<'_>) -> Result<(), HttpRefusal>;

    /// A plain HTTP request.
    fn http(&self, request: &HttpRequest<'_>) -> HttpResponse;

    /// Something worth a log line.
    fn event(&self, event: &Event) {
        let _ = event;
    }
}

/// What becomes of a connection after [`Handler::malformed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFault {
    /// It goes on. On a stream whose framing is lost it is closed all the same.
    Keep,
    /// It is closed, after what was sent.
    Close,
}

/// Why received bytes are not one SIP message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// Longer than [`crate::Limits::message`].
    TooLarge,
    /// A WebSocket message that carries more than one SIP message (RFC 7118 §5).
    NotOneMessage,
    /// No SIP message begins here, or a stream cannot be cut into messages any further.
    Framing(sip::Fault),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("message too large"),
            Self::NotOneMessage => f.write_str("more than one SIP message in one WebSocket message"),
            Self::Framing(fault) => fault.fmt(f),
        }
    }
}

/// A request to become a WebSocket, already valid by RFC 6455 §4.2.1 and RFC 7118 §4.1.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeRequest<'a> {
    /// The flow that it will be.
    pub flow: Flow,
    /// The request itself: target, Host, Origin and every other header.
    pub request: &'a websocket::Request<'a>,
}

/// A refusal of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRefusal {
    /// The status code, such as 403.
    pub status: u16,
    /// One line for a person.
    pub reason: Cow<'static, str>,
}

/// A plain HTTP request.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// Our own address and port.
    pub local: SocketAddr,
    /// Whether it came over TLS.
    pub secure: bool,
    /// The method, such as `GET`.
    pub method: &'a str,
    /// Path and query as sent.
    pub target: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
}

impl HttpRequest<'_> {
    /// The first header of that name, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A plain HTTP response. The answer to HEAD is cut, Content-Length and Date are added by the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Headers beside Content-Length and Date.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The body.
    pub body: Bytes,
}

impl HttpResponse {
    /// A response of plain text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![(Cow::Borrowed("content-type"), Cow::Borrowed("text/plain; charset=utf-8"))],
            body: Bytes::from(body.into()),
        }
    }
}

/// Something worth a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was refused since there are too many.
    TooManyConnections {
        /// Who asked.
        remote: SocketAddr,
        /// Whether the bound is the one for each source.
        from_one_source: bool,
    },
    /// The system would not give us a connection: often too few file descriptors.
    AcceptFailed {
        /// Our own address.
        local: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// A load balancer did not say for whom it has connected.
    NoClientNamed {
        /// Our own address.
        local: SocketAddr,
        /// The balancer.
        balancer: SocketAddr,
        /// What was wrong.
        reason: String,
    },
    /// A TLS handshake failed.
    TlsFailed {
        /// Our own address.
        local: SocketAddr,
        /// The peer.
        remote: SocketAddr,
        /// What rustls said.
        reason: String,
    },
    /// A TLS client came to a port without TLS.
    TlsOnPlainPort {
        /// Our own address.
        local: SocketAddr,
        /// The peer.
        remote: SocketAddr,
    },
    /// A peer came to a TLS port and does not speak TLS.
    PlainOnTlsPort {
        /// Our own address.
        local: SocketAddr,
        /// The peer.
        remote: SocketAddr,
    },
    /// A request for a WebSocket was refused.
    UpgradeRefused {
        /// The peer.
        remote: SocketAddr,
        /// The status code of the answer.
        status: u16,
        /// Why.
        reason: Cow<'static, str>,
    },
    /// A connection was closed by us.
    Closed {
        /// Our own address.
        local: SocketAddr,
        /// The peer.
        remote: SocketAddr,
        /// Why.
        reason: ClosedFor,
    },
    /// The handler panicked. The connection that it happened on is closed; everything else goes on.
    HandlerPanicked,
    /// An outgoing connection could not be opened.
    ConnectFailed {
        /// Where to.
        remote: SocketAddr,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Event {
    /// One line for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyConnections { remote, from_one_source: true } => {
                write!(f, "refused {remote}: too many connections from there")
            }
            Self::TooManyConnections { remote, .. } => write!(f, "refused {remote}: too many connections"),
            Self::AcceptFailed { local, reason } => {
                write!(f, "cannot accept a connection at {local}: {reason}")
            }
            Self::NoClientNamed { local, balancer, reason } => {
                write!(f, "refused a connection of the balancer {balancer} at {local}: {reason}")
            }
            Self::TlsFailed { local, remote, reason } => {
                write!(f, "TLS between {local} and {remote} failed: {reason}")
            }
            Self::TlsOnPlainPort { local, remote } => {
                write!(f, "{remote} speaks TLS at {local}, which is a port without TLS")
            }
            Self::PlainOnTlsPort { local, remote } => {
                write!(f, "{remote} speaks without TLS at {local}, which is a TLS port")
            }
            Self::UpgradeRefused { remote, status, reason } => {
                write!(f, "refused a WebSocket from {remote} with {status}: {reason}")
            }
            Self::Closed { local, remote, reason } => {
                write!(f, "closed the connection between {local} and {remote}: {reason}")
            }
            Self::HandlerPanicked => f.write_str("internal error while handling a message"),
            Self::ConnectFailed { remote, reason } => write!(f, "cannot connect to {remote}: {reason}"),
        }
    }
}

/// Why we closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClosedFor {
    /// The handshake took too long.
    SlowHandshake,
    /// One message took too long.
    SlowMessage,
    /// The peer did not read.
    SlowReader,
    /// Nothing came for too long.
    Idle,
    /// Pings were not answered.
    NoPong,
    /// The peer broke the WebSocket protocol; the code says how.
    WebSocket(websocket::CloseCode),
    /// What came was not SIP.
    Malformed,
}

impl fmt::Display for ClosedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlowHandshake => "the handshake was not finished in time",
            Self::SlowMessage => "a message was not finished in time",
            Self::SlowReader => "the peer does not read what it is sent",
            Self::Idle => "nothing came for too long",
            Self::NoPong => "the peer answers no pings",
            Self::WebSocket(code) => {
                return write!(f, "the peer broke the WebSocket protocol ({})", code.number());
            }
            Self::Malformed => "what came is not SIP",
        })
    }
}
