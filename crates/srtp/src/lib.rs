//! SRTP and SRTCP: RTP packets made confidential and authentic, in place, in the caller's buffer.
//!
//! A [`Sender`] holds the keys of one direction and protects packets; a [`Receiver`] holds those of the other and
//! takes protected packets apart. Both know every synchronisation source that they have met, its rollover counter and
//! its last 128 packets, so that no key stream is used twice and no packet is heard twice. Nothing is allocated for a
//! packet, but for the first of a source.
//!
//! Keys come from outside: from `a=crypto` lines (RFC 4568) or from a DTLS handshake (RFC 5764).
//!
//! ```
//! use srtp::{Receiver, Sender, Suite, OVERHEAD};
//!
//! let key = [7; 30]; // Random in real life: master key, then master salt.
//! let mut sender = Sender::new(Suite::AesCm128HmacSha1_80, &key)?;
//! let mut receiver = Receiver::new(Suite::AesCm128HmacSha1_80, &key)?;
//!
//! let packet = *b"\x80\0\0\x01\0\0\0\0\0\0\0\x01sound";
//! let mut buffer = [0; 64 + OVERHEAD];
//! buffer[..packet.len()].copy_from_slice(&packet);
//!
//! let protected = sender.protect(&mut buffer, packet.len())?;
//! assert_ne!(buffer[..packet.len()], packet);
//! let length = receiver.unprotect(&mut buffer[..protected])?;
//! assert_eq!(buffer[..length], packet);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! RFC 3711 (SRTP), RFC 7714 (AES-GCM), RFC 6188 (the key derivation of 256-bit keys).
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod derivation;
mod error;
mod packet;
mod receiver;
mod sender;
mod session;
mod streams;
mod suite;
#[cfg(test)]
mod vectors;
mod window;

pub use error::{KeyError, ProtectError, UnprotectError};
pub use receiver::{MOST_IDENTIFIER, Receiver};
pub use sender::Sender;
pub use streams::MOST_STREAMS;
pub use suite::Suite;

/// By how many octets a packet grows at the most when it is protected: room to leave in its buffer.
pub const OVERHEAD: usize = 20;
