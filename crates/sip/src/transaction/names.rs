//! The names of transactions.

use crate::slots::Slot;

/// Names a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(pub(super) Slot);

/// Names a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey(pub(super) Slot);

impl From<ServerKey> for Slot {
    fn from(key: ServerKey) -> Self {
        key.0
    }
}

impl From<ClientKey> for Slot {
    fn from(key: ClientKey) -> Self {
        key.0
    }
}
