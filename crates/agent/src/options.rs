//! What comes with a command, and why a command is refused.

use crate::config::Header;
use crate::event::Cause;
use core::fmt;

/// Who a request outside dialogs comes from, and what else it carries.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Header fields to add.
    pub headers: Vec<Header>,
    /// From is `sip:anonymous@anonymous.invalid`, with P-Preferred-Identity and `Privacy: id` (RFC 3323, 3325).
    pub anonymous: bool,
    /// User part of From instead of our own; adds P-Preferred-Identity.
    pub from_user_name: Option<String>,
    /// Display name in From.
    pub from_display_name: Option<String>,
    /// URI in From instead of our own.
    pub from_uri: Option<String>,
    /// URI in To instead of the target.
    pub to_uri: Option<String>,
    /// Display name in To.
    pub to_display_name: Option<String>,
}

/// Options of a call.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// Who calls.
    pub origin: Origin,
    /// Seconds for Session-Expires; below 60: 90.
    pub session_expires: u32,
    /// Seconds after which the unanswered call is cancelled; 0: never.
    pub no_answer_timeout: u32,
}

/// What a request or response carries.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// Header fields to add.
    pub headers: Vec<Header>,
    /// The body and its media type.
    pub body: Option<Body>,
}

impl Payload {
    /// A session description and nothing else.
    #[must_use]
    pub fn sdp(description: &str) -> Self {
        Self { headers: Vec::new(), body: Some(Body::new("application/sdp", description.as_bytes())) }
    }
}

/// A body with its media type.
#[derive(Clone, Debug)]
pub struct Body {
    /// The value of Content-Type.
    pub content_type: String,
    /// The octets.
    pub bytes: Vec<u8>,
}

impl Body {
    /// A body of that media type.
    #[must_use]
    pub fn new(content_type: &str, bytes: &[u8]) -> Self {
        Self { content_type: content_type.into(), bytes: bytes.into() }
    }
}

/// How to end a call.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Header fields to add to BYE or to the final response.
    pub headers: Vec<Header>,
    /// The body of BYE or of the final response.
    pub body: Option<Body>,
    /// The cause that the event gives; the usual one of the call's state if absent.
    pub cause: Option<Cause>,
    /// The final response for a call that rings here: 300 to 699, 480 if 0.
    pub status: u16,
    /// The reason phrase of the final response; the usual one if empty.
    pub reason: String,
    /// The value of a Reason header for CANCEL (RFC 3326).
    pub cancel_reason: Option<String>,
}

/// Why a command is refused. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No call, request or transaction has that number (any more).
    Unknown,
    /// The call is not in a state that allows this.
    State,
    /// A URI does not parse, or its scheme is not sip, sips or tel.
    Uri,
    /// A header field, method or reason phrase has forbidden octets.
    Header,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such call, request or transaction",
            Self::State => "the call's state does not allow this",
            Self::Uri => "not a SIP URI",
            Self::Header => "a header field, method or reason phrase has forbidden octets",
        })
    }
}

impl core::error::Error for CommandError {}
