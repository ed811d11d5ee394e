//! SIP messages, transactions, dialogs and digest authentication, without I/O.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod builder;
pub mod deadlines;
pub mod dialog;
pub mod digest;
pub mod entropy;
pub mod error;
pub mod framing;
pub mod header;
pub mod message;
pub mod method;
pub mod status;
pub mod text;
pub mod time;
pub mod transaction;
pub mod transport;
pub mod uri;

pub use builder::Builder;
pub use deadlines::Deadlines;
pub use dialog::{Dialog, DialogId};
pub use entropy::{Entropy, SeededEntropy};
pub use error::{BuildError, Fault, HeaderError, ParseError, UriError};
pub use framing::{Framed, Framer, KeepAlive, frame, keep_alive};
pub use header::{CSeq, Contact, HeaderName, NameAddress, Route, Via};
pub use message::{Edit, Field, Message};
pub use method::Method;
pub use status::reason_phrase;
pub use time::Instant;
pub use transaction::{ClientKey, NextHop, Output, Received, ServerKey, Timers, Transactions};
pub use transport::{ConnectionId, Flow, Hop, Transport};
pub use uri::{Host, Scheme, Uri};
