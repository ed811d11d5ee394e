//! Why a description cannot be converted: one code, one sentence and one SIP status for each.

use std::fmt;

/// Why a description cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// It is not a session description.
    SdpMalformed(sdp::DescriptionError),
    /// The two sides have no codec in common. What each side offers, by name.
    SdpNoCommonCodec {
        /// The browser's codecs, or those that the gateway can relay when the browser was not asked yet.
        browser: Vec<String>,
        /// The phone's codecs, likewise.
        phone: Vec<String>,
    },
    /// A section has another transport profile than its side must speak, or than its offer had.
    SdpProfileMismatch {
        /// What was needed.
        needed: String,
        /// What was written.
        found: String,
    },
    /// A browser's description without ICE credentials, or with malformed ones.
    SdpNoIce,
    /// A browser's description without a usable certificate fingerprint.
    SdpNoFingerprint,
    /// SRTP is demanded, but no suite is common, or no usable key was given.
    SdpNoCommonSuite,
    /// SRTP is demanded, but its keys would be readable on their way: the signalling is not encrypted.
    SdpKeysInClear,
    /// Nothing in it is sound or pictures: fax, text, data.
    SdpNothingToRelay,
    /// An offer while another one from the other side is open (RFC 3261 §14.1).
    SdpGlare,
    /// An answer without an offer.
    SdpUnexpectedAnswer,
    /// An answer whose sections are not those of its offer (RFC 3264 §6).
    SdpAnswerMismatch,
    /// A phone wants its media at a port of ours, where it would go round for ever.
    SdpMediaLoop,
    /// All ports for phones are in use.
    NoFreePort,
}

impl Cause {
    /// The code, for logs, call records and the phone page.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SdpMalformed(_) => "SDP-MALFORMED",
            Self::SdpNoCommonCodec { .. } => "SDP-NO-COMMON-CODEC",
            Self::SdpProfileMismatch { .. } => "SDP-PROFILE-MISMATCH",
            Self::SdpNoIce => "SDP-NO-ICE",
            Self::SdpNoFingerprint => "SDP-NO-FINGERPRINT",
            Self::SdpNoCommonSuite => "SDP-NO-COMMON-SUITE",
            Self::SdpKeysInClear => "SDP-KEYS-IN-CLEAR",
            Self::SdpNothingToRelay => "SDP-NOTHING-TO-RELAY",
            Self::SdpGlare => "SDP-GLARE",
            Self::SdpUnexpectedAnswer => "SDP-UNEXPECTED-ANSWER",
            Self::SdpAnswerMismatch => "SDP-ANSWER-MISMATCH",
            Self::SdpMediaLoop => "SDP-MEDIA-LOOP",
            Self::NoFreePort => "MEDIA-NO-FREE-PORT",
        }
    }

    /// The status with which a request that carried such an offer is refused.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::SdpMalformed(_) => 400,
            // RFC 3261 §14.1
            Self::SdpGlare => 491,
            Self::NoFreePort => 503,
            _ => 488,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SdpMalformed(error) => write!(f, "{error}"),
            Self::SdpNoCommonCodec { browser, phone } => write!(
                f,
                "the browser and the phone have no codec in common: the browser has {}, the phone has {}",
                list(browser),
                list(phone)
            ),
            Self::SdpProfileMismatch { needed, found } => {
                write!(f, "the media profile is {found} where {needed} is needed")
            }
            Self::SdpNoIce => f.write_str("the browser's session description has no ICE credentials"),
            Self::SdpNoFingerprint => f.write_str(
                "the browser's session description has no certificate fingerprint that can be trusted",
            ),
            Self::SdpNoCommonSuite => {
                f.write_str("the phone demands SRTP but offers no suite that we have keys for")
            }
            Self::SdpKeysInClear => f.write_str(
                "the phone demands SRTP, but keys are exchanged only where its signalling is encrypted (TLS)",
            ),
            Self::SdpNothingToRelay => {
                f.write_str("the session description offers neither sound nor pictures")
            }
            Self::SdpGlare => f.write_str("both sides made an offer at the same time"),
            Self::SdpUnexpectedAnswer => f.write_str("an answer came without an offer"),
            Self::SdpAnswerMismatch => f.write_str("the answer's media sections are not those of its offer"),
            Self::SdpMediaLoop => {
                f.write_str("the session description names a media port of this server as the phone's own")
            }
            Self::NoFreePort => f.write_str("all media ports for phones are in use: widen the port range"),
        }
    }
}

impl std::error::Error for Cause {}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
