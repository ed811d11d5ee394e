//! What can be wrong with a message, as typed errors.

use core::fmt;

use crate::header::HeaderName;

/// Why bytes cannot be indexed as a SIP message at all. There is nothing to answer: drop them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive.
    Empty,
    /// More than [`MESSAGE_LIMIT`](crate::message::MESSAGE_LIMIT) bytes.
    TooLarge,
    /// The first line is neither a request line nor a status line.
    StartLine,
    /// More than [`HEADER_LIMIT`](crate::message::HEADER_LIMIT) header fields.
    TooManyHeaders,
}

impl ParseError {
    /// The sentence that says it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "nothing but line ends",
            Self::TooLarge => "more than 64 KiB",
            Self::StartLine => "the first line is neither a request line nor a status line",
            Self::TooManyHeaders => "more than 256 header fields",
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for ParseError {}

/// What an element must not accept, found by [`Message::check`](crate::Message::check) or by the stream framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The status code to answer with; `None` if the message must be dropped, as every bad response must.
    pub status: Option<u16>,
    /// What is wrong.
    pub reason: &'static str,
    /// The header that is at fault, if it is one.
    pub header: Option<HeaderName>,
    /// Where in the message, in bytes from its first byte.
    pub offset: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.header.filter(|name| *name != HeaderName::Other) {
            f.write_str(name.as_str())?;
            f.write_str(": ")?;
        }
        f.write_str(self.reason)
    }
}

impl core::error::Error for Fault {}

/// Why a typed header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The message has no such header.
    Missing(HeaderName),
    /// The header is not what its grammar asks for.
    Malformed {
        /// The header; `Other` where the value was parsed outside a message.
        header: HeaderName,
        /// What is wrong.
        reason: &'static str,
    },
}

impl HeaderError {
    /// A malformed value of `header`.
    #[must_use]
    pub const fn malformed(header: HeaderName, reason: &'static str) -> Self {
        Self::Malformed { header, reason }
    }

    /// The header that is missing or malformed.
    #[must_use]
    pub const fn header(self) -> HeaderName {
        match self {
            Self::Missing(header) | Self::Malformed { header, .. } => header,
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing(_) => "the header is missing",
            Self::Malformed { reason, .. } => reason,
        }
    }

    /// The same error, said of `header`.
    #[must_use]
    pub const fn of(self, header: HeaderName) -> Self {
        match self {
            Self::Missing(_) => Self::Missing(header),
            Self::Malformed { reason, .. } => Self::Malformed { header, reason },
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.header().as_str())?;
        f.write_str(": ")?;
        f.write_str(self.reason())
    }
}

impl core::error::Error for HeaderError {}

/// Why a URI cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// No scheme, or nothing after it.
    Scheme,
    /// An octet that no URI may have: a control, a space, an angle bracket, a double quote.
    Character,
    /// The user part is empty or has a broken percent escape.
    User,
    /// The host is empty or no host.
    Host,
    /// The port is no number up to 65535.
    Port,
    /// A parameter without a name, or broken.
    Parameter,
    /// The headers after `?` are broken.
    Header,
    /// The telephone number has something else than digits and separators.
    Number,
}

impl UriError {
    /// The sentence that says it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Scheme => "the URI has no scheme",
            Self::Character => "the URI has an octet that must not be there",
            Self::User => "the user part of the URI is malformed",
            Self::Host => "the host of the URI is malformed",
            Self::Port => "the port of the URI is malformed",
            Self::Parameter => "a parameter of the URI is malformed",
            Self::Header => "the headers of the URI are malformed",
            Self::Number => "the telephone number is malformed",
        }
    }
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for UriError {}

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// CR, LF or NUL inside a value.
    LineBreak,
    /// A header name that is no token, or `HeaderName::Other` where a name is needed.
    HeaderName,
    /// `Content-Length` given by the caller; it is always written from the body.
    ContentLength,
    /// The method is no token, or the Request-URI is empty or has white space or controls.
    StartLine,
    /// The status is not between 100 and 699.
    Status,
    /// A tag that is no token.
    Tag,
    /// More than 64 KiB.
    TooLarge,
    /// The message to edit has no end of its headers.
    Incomplete,
}

impl BuildError {
    /// The sentence that says it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::LineBreak => "a value has CR, LF or NUL",
            Self::HeaderName => "a header name is no token",
            Self::ContentLength => "Content-Length is written from the body",
            Self::StartLine => "the method or the Request-URI cannot be written",
            Self::Status => "the status is not between 100 and 699",
            Self::Tag => "the tag is no token",
            Self::TooLarge => "the message is larger than 64 KiB",
            Self::Incomplete => "the message has no end of its headers",
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for BuildError {}
