//! WebSocket handshake and frames (RFC 6455) with the `sip` protocol (RFC 7118), without I/O.
//!
//! The caller owns every buffer. It lends what it has received, learns how much of it was used, and keeps the
//! rest; nothing is held for a connection that is idle.
//!
//! - [`handshake`]: a server reads a request head, checks it, and writes 101 or a refusal.
//! - [`client`]: the other side of that handshake, for tests and tools.
//! - [`frame`]: the head of one frame, read and written, and the mask.
//! - [`message`]: [`Decoder`] turns bytes into messages, pings, pongs and closes, and refuses what breaks the
//!   protocol with the close code to send.
//! - [`close`]: close codes.
//!
//! No extension is ever agreed on, so permessage-deflate is off: SIP messages are short, and its window would
//! cost more than the rest of a connection.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod client;
pub mod close;
pub mod frame;
pub mod handshake;
pub mod message;

pub use close::CloseCode;
pub use frame::{FrameHead, Header, Opcode, mask};
pub use handshake::{Head, HeadError, MAX_HEAD, Refusal, Request, Upgrade};
pub use message::{Decoded, Decoder, Event, Kind, Role, Violation};
