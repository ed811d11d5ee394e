//! WebSocket handshake and frames (RFC 6455) with the `sip` protocol (RFC 7118), without I/O.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod close;
pub mod handshake;

pub use close::CloseCode;
pub use handshake::Request;
