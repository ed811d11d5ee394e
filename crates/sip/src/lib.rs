//! SIP messages, transactions, dialogs and digest authentication, without I/O.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod deadlines;
pub mod digest;
pub mod entropy;
pub mod time;
pub mod transport;

pub use deadlines::Deadlines;
pub use entropy::{Entropy, SeededEntropy};
pub use time::Instant;
pub use transport::{ConnectionId, Flow, Hop, Transport};
