//! A dialog's name (RFC 3261 §12: dialog ID).

use crate::error::HeaderError;
use crate::message::Message;

/// Call-ID, our tag, the peer's tag. The tag of a peer as old as RFC 2543 is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId {
    call_id: Box<[u8]>,
    local_tag: Box<[u8]>,
    remote_tag: Box<[u8]>,
}

impl DialogId {
    /// The name made of these.
    #[must_use]
    pub fn new(call_id: &[u8], local_tag: &[u8], remote_tag: &[u8]) -> Self {
        Self { call_id: call_id.into(), local_tag: local_tag.into(), remote_tag: remote_tag.into() }
    }

    /// The dialog that a received request belongs to: its To tag is ours.
    ///
    /// # Errors
    /// When Call-ID, From or To is missing or malformed.
    pub fn of_request(request: &Message) -> Result<Self, HeaderError> {
        let (from, to) = (request.from()?, request.to()?);
        Ok(Self::new(request.call_id()?, to.tag().unwrap_or_default(), from.tag().unwrap_or_default()))
    }

    /// The dialog that a received response belongs to: its From tag is ours.
    ///
    /// # Errors
    /// When Call-ID, From or To is missing or malformed.
    pub fn of_response(response: &Message) -> Result<Self, HeaderError> {
        let (from, to) = (response.from()?, response.to()?);
        Ok(Self::new(response.call_id()?, from.tag().unwrap_or_default(), to.tag().unwrap_or_default()))
    }

    /// The Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        &self.call_id
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &[u8] {
        &self.local_tag
    }

    /// The peer's tag.
    #[must_use]
    pub fn remote_tag(&self) -> &[u8] {
        &self.remote_tag
    }
}
