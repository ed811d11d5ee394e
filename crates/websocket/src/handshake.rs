//! The opening handshake (RFC 6455 §4, RFC 7118 §4.1).

/// A request head, over the bytes that were received.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    head: &'a [u8],
}

impl<'a> Request<'a> {
    /// The bytes of the head.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.head
    }
}
