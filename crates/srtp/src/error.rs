//! Why a key, or a packet, is refused.

use std::fmt;

/// The key is not of the length that its suite has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key or its identifier is not of the right length")
    }
}

impl std::error::Error for KeyError {}

/// Why a packet was not protected. It must not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectError {
    /// It is no RTP, or no RTCP.
    Malformed,
    /// Its buffer has no room for what is added: [`OVERHEAD`](crate::OVERHEAD) octets are always enough.
    NoRoom,
    /// A packet of this source with this sequence number was protected before, or so many after it that it is not
    /// known any more: its key stream may have been used.
    Repeated,
    /// The key has protected as many packets as it may (RFC 3711 §9.2).
    KeyExhausted,
}

impl fmt::Display for ProtectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a packet",
            Self::NoRoom => "no room in the buffer",
            Self::Repeated => "the sequence number was used before",
            Self::KeyExhausted => "the key has protected as many packets as it may",
        })
    }
}

impl std::error::Error for ProtectError {}

/// Why a packet was not taken. It must be dropped; its buffer holds nothing of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnprotectError {
    /// It is no SRTP, or no SRTCP.
    Malformed,
    /// It was received before, or is too old to know.
    Replayed,
    /// It was not protected with this key, or changed on its way.
    NotAuthentic,
}

impl fmt::Display for UnprotectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a protected packet",
            Self::Replayed => "received before",
            Self::NotAuthentic => "protected with another key, or changed on its way",
        })
    }
}

impl std::error::Error for UnprotectError {}
