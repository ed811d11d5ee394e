//! The three kinds of media that a SIP device speaks.

use sdp::{Description, Profile};

/// How a device protects and carries its media, read from a description that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaClass {
    /// ICE and DTLS-SRTP, as every browser insists on (RFC 8827 §6.5).
    Browser,
    /// SRTP with its keys in the description (RFC 4568).
    Sdes,
    /// RTP in clear.
    Plain,
}

impl MediaClass {
    /// The class of the device that wrote this description: that of its first live audio or video section.
    /// `None` when there is no such section.
    #[must_use]
    pub fn of(description: &Description) -> Option<Self> {
        let fingerprint = description.attribute(b"fingerprint").is_some();
        description
            .media()
            .filter(|section| matches!(section.kind(), b"audio" | b"video") && section.port() != Some(0))
            .find_map(|section| match section.profile() {
                Profile::Dtls => Some(Self::Browser),
                Profile::Sdes => Some(Self::Sdes),
                // Opportunistic keys on an RTP/AVP line (RFC 8643): the device would rather have SRTP.
                Profile::Plain if section.attribute(b"crypto").is_some() => Some(Self::Sdes),
                Profile::Plain if fingerprint || section.attribute(b"fingerprint").is_some() => {
                    Some(Self::Browser)
                }
                Profile::Plain => Some(Self::Plain),
                Profile::Other => None,
            })
    }
}
