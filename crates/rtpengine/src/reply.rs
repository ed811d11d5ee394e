//! What rtpengine answers.

use crate::bencode::{BencodeError, Value};
use crate::figures::CallFigures;
use std::fmt;

/// An answer of rtpengine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is there.
    Pong,
    /// It did as it was asked: with the description, after an offer or an answer.
    Description(Vec<u8>),
    /// It did as it was asked: with what it knows of the call, after a query or at the end.
    Figures(Box<CallFigures>),
    /// It takes no more calls at present.
    LoadLimit,
    /// It did not do as it was asked.
    Error(String),
}

/// Why a datagram is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// Nothing stands before the first space.
    NoCookie,
    /// What follows is not bencode.
    Malformed(BencodeError),
    /// It has no result, or an unknown one.
    NoResult,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCookie => f.write_str("it has no cookie"),
            Self::Malformed(error) => write!(f, "it is not bencode: {error}"),
            Self::NoResult => f.write_str("it has no result"),
        }
    }
}

impl std::error::Error for ReplyError {}

/// A message cut into its cookie and the rest.
#[must_use]
pub fn cookie(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = message.iter().position(|octet| *octet == b' ')?;
    let (cookie, rest) = message.split_at_checked(space)?;
    (!cookie.is_empty()).then_some((cookie, rest.get(1..)?))
}

impl Reply {
    /// Reads what follows the cookie.
    ///
    /// # Errors
    /// It is not an answer.
    pub fn parse(octets: &[u8]) -> Result<Self, ReplyError> {
        let value = Value::parse(octets).map_err(ReplyError::Malformed)?;
        match value.get("result").and_then(Value::octets).ok_or(ReplyError::NoResult)? {
            b"pong" => Ok(Self::Pong),
            b"ok" => Ok(match value.get("sdp").and_then(Value::octets) {
                Some(description) => Self::Description(description.to_vec()),
                None => Self::Figures(Box::new(CallFigures::of(&value))),
            }),
            b"load limit" => Ok(Self::LoadLimit),
            b"error" => {
                let reason = value.get("error-reason").and_then(Value::octets).unwrap_or(b"no reason given");
                Ok(Self::Error(plain(reason)))
            }
            _ => Err(ReplyError::NoResult),
        }
    }
}

/// Text of another program, fit for a line of the log and for a header.
fn plain(text: &[u8]) -> String {
    const LONGEST: usize = 200;
    let plain = |octet: &u8| if matches!(octet, b' '..=b'~') { char::from(*octet) } else { '?' };
    text.iter().take(LONGEST).map(plain).collect()
}
