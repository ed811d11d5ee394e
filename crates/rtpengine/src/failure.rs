//! Why the fleet could not do as it was asked: one code, one sentence and one SIP status for each.

use std::fmt;
use std::net::SocketAddr;

/// Why the fleet could not do as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// No node answers.
    NoNode,
    /// The node that has the call does not answer.
    Unanswered {
        /// Which.
        node: SocketAddr,
    },
    /// All nodes are full.
    LoadLimit,
    /// rtpengine refused.
    Refused {
        /// Which.
        node: SocketAddr,
        /// In its own words.
        reason: String,
    },
    /// The call is unknown here.
    UnknownCall,
    /// The description fits into no datagram.
    TooLarge,
}

impl Failure {
    /// The code, for logs, call records and the phone page.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoNode => "RTPENGINE-NONE",
            Self::Unanswered { .. } => "RTPENGINE-LOST",
            Self::LoadLimit => "RTPENGINE-FULL",
            Self::Refused { .. } => "RTPENGINE-REFUSED",
            Self::UnknownCall => "RTPENGINE-UNKNOWN-CALL",
            Self::TooLarge => "RTPENGINE-TOO-LARGE",
        }
    }

    /// The status with which a request that carried such an offer is refused.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoNode | Self::Unanswered { .. } | Self::LoadLimit => 503,
            Self::Refused { .. } => 500,
            Self::UnknownCall => 481,
            Self::TooLarge => 513,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNode => f.write_str("no rtpengine answers"),
            Self::Unanswered { node } => {
                write!(f, "the rtpengine at {node}, which has this call, does not answer")
            }
            Self::LoadLimit => f.write_str("every rtpengine has as many calls as it takes"),
            Self::Refused { node, reason } => write!(f, "the rtpengine at {node} refused: {reason}"),
            Self::UnknownCall => f.write_str("no rtpengine has this call"),
            Self::TooLarge => f.write_str("the session description fits into no datagram to rtpengine"),
        }
    }
}

impl std::error::Error for Failure {}
