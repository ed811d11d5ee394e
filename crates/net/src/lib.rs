//! Sockets: UDP, TCP, TLS, WebSocket and HTTP on one event loop, and the way to the next hop.
//!
//! # How to drive it
//!
//! Everything runs on one thread, inside a current-thread Tokio runtime and a [`tokio::task::LocalSet`]:
//!
//! ```no_run
//! # use std::rc::Rc;
//! # use net::{Handler, HttpRefusal, HttpRequest, HttpResponse, Limits, ListenerConfig, Network, Protocol};
//! # use net::{AfterFault, Malformed, TlsConfig, UpgradeRequest};
//! # use sip::{Flow, Hop};
//! struct Server;
//! impl Handler for Server {
//!     fn message(&self, flow: &Flow, bytes: &[u8]) { /* exactly one SIP message */ }
//!     fn closed(&self, flow: &Flow) {}
//!     fn unreachable(&self, hop: &Hop) {}
//!     fn malformed(&self, flow: &Flow, fault: &Malformed, bytes: &[u8]) -> AfterFault { AfterFault::Close }
//!     fn accept(&self, request: &UpgradeRequest<'_>) -> Result<(), HttpRefusal> { Ok(()) }
//!     fn http(&self, request: &HttpRequest<'_>) -> HttpResponse { HttpResponse::text(404, "not here") }
//! }
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let local = tokio::task::LocalSet::new();
//! local.block_on(&runtime, async {
//!     let listeners = [
//!         ListenerConfig::new(Protocol::Udp, "127.0.0.1:5060".parse()?),
//!         ListenerConfig::new(Protocol::Http, "127.0.0.1:8080".parse()?),
//!     ];
//!     let network = Network::bind(&listeners, &TlsConfig::default(), Limits::default())?;
//!     // `network.clone()` is cheap: keep one to send with.
//!     network.run(Rc::new(Server)).await; // until `network.drain()`
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Handler`] is called on that thread only, and may call [`Network::send`], [`Network::close`] and the
//!   rest from inside every callback.
//! - [`Network::send`] never waits. It writes to the socket at once, queues up to a bound where the socket is
//!   full, and opens a connection where none is open. What cannot be delivered comes back as
//!   [`Handler::unreachable`], always later and never from inside `send`.
//! - A [`sip::Hop::Flow`] goes over that very connection or comes back as unreachable. A [`sip::Hop::Address`]
//!   reuses the connection that is open to it.
//! - Events carry no time. The caller stamps them with a clock of its own.
//! - Keep-alive is answered here: CRLFCRLF on every transport (RFC 5626 §3.5.1, RFC 7118 §6) and WebSocket
//!   pings. Neither reaches the handler.
//! - [`Resolver`] turns a SIP URI's host into hops (RFC 3263). It stands alone.
//!
//! # Several event loops
//!
//! [`Bound::open`] binds the same listeners once for each loop, on one thread; each loop's thread makes its [`Network`]
//! of its part. A connection stays with the loop that accepted or opened it, and its number says whose it is:
//! [`Network::elsewhere`] tells which loop must send. What one loop leaves for another goes into its [`Mailbox`].
//!
//! An idle connection holds no buffer. Bytes are read into one buffer that all connections share; only the
//! part of an unfinished message moves into a buffer of exactly its size until the rest has come.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod backlog;
mod balancer_preface;
#[cfg(target_os = "linux")]
mod batches;
mod bound;
mod calendar;
pub mod config;
mod connection;
mod datagrams;
mod deadlines;
pub mod error;
pub mod handler;
mod http;
mod intake;
mod joint;
mod listen;
pub mod mailbox;
pub mod media_sockets;
pub mod network;
mod outgoing;
mod outlet;
pub mod resolver;
mod shared;
#[cfg(target_os = "linux")]
mod steering;
mod stream;
mod stun;
pub mod tls;
mod turn;
mod upgrade;

pub use bound::Bound;
pub use bytes::Bytes;
pub use config::{Limits, ListenerConfig, Protocol};
pub use error::BindError;
pub use handler::{
    AfterFault, ClosedFor, Event, Handler, HttpRefusal, HttpRequest, HttpResponse, Malformed, UpgradeRequest,
};
pub use joint::MOST_LOOPS;
pub use mailbox::Mailbox;
pub use network::{Counters, Listener, Network};
pub use resolver::{ResolveError, Resolver};
pub use tls::{
    CertificateFiles, CertificateTrouble, ClientCertificates, Identity, IssuedCertificates, LoadedTls,
    Period, TlsConfig, TlsError, TrustRoots,
};
pub use websocket::CloseCode;
