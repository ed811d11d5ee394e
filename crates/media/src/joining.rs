//! Whether two devices can talk to each other directly.

use crate::MediaClass;

/// What a call between two media classes needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// Both speak the same: descriptions pass untouched, media goes end to end.
    Direct,
    /// A browser and a device that does not speak ICE and DTLS-SRTP: only a gateway can join them.
    Gateway,
}

impl Joining {
    /// What a call between these two classes needs. Phones with and without SRTP settle it between themselves.
    #[must_use]
    pub const fn between(one: MediaClass, other: MediaClass) -> Self {
        match (one, other) {
            (MediaClass::Browser, MediaClass::Browser) => Self::Direct,
            (MediaClass::Browser, _) | (_, MediaClass::Browser) => Self::Gateway,
            _ => Self::Direct,
        }
    }
}
