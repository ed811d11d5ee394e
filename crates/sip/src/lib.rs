//! SIP messages, transactions, dialogs and digest authentication, without I/O.
//!
//! A [`Message`] is the received bytes and an index over them; headers are parsed when they are asked for:
//!
//! ```
//! use sip::{Builder, HeaderName, Message};
//!
//! let received = b"OPTIONS sip:bob@example.com SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK77ef4\r\n\
//!     From: <sip:alice@example.com>;tag=88sja8x\r\n\
//!     To: <sip:bob@example.com>\r\n\
//!     Call-ID: 987asjd97y7atg\r\n\
//!     CSeq: 986759 OPTIONS\r\n\
//!     Max-Forwards: 70\r\n\r\n";
//! let message = Message::parse(received)?;
//! if let Err(fault) = message.check() {
//!     // What is wrong, where, and the status to answer with, if any.
//!     println!("{fault} at byte {}", fault.offset);
//! }
//! assert_eq!(message.from().unwrap().tag(), Some(&b"88sja8x"[..]));
//!
//! // On its way through a proxy only what changes is written anew.
//! let forwarded = message.edit().replace(HeaderName::MaxForwards, b"69").finish()?;
//! assert_eq!(forwarded.len(), received.len());
//!
//! let answer = Builder::response_to(&message, 200, "").to_tag(b"1928301774").finish()?;
//! assert!(answer.starts_with(b"SIP/2.0 200 OK\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod address_range;
pub mod builder;
pub mod deadlines;
pub mod dialog;
pub mod digest;
pub mod entropy;
pub mod error;
pub mod fingerprint;
pub mod framing;
pub mod header;
pub mod message;
pub mod method;
mod part;
pub mod scope;
pub mod slots;
pub mod spread;
pub mod status;
pub mod text;
pub mod time;
pub mod transaction;
pub mod transport;
pub mod uri;

pub use address_range::AddressRange;
pub use builder::Builder;
pub use deadlines::Deadlines;
pub use dialog::{Dialog, DialogId};
pub use entropy::{Entropy, SeededEntropy};
pub use error::{BuildError, Fault, HeaderError, ParseError, UriError};
pub use framing::{Framed, Framer, KeepAlive, frame, keep_alive};
pub use header::{CSeq, Contact, HeaderName, NameAddress, Route, Via};
pub use message::{Edit, Field, Message};
pub use method::Method;
pub use slots::{Slot, SlotMap, Slots};
pub use status::reason_phrase;
pub use time::Instant;
pub use transaction::{ClientKey, NextHop, Output, Received, ServerKey, Timers, Transactions};
pub use transport::{ConnectionId, Flow, Hop, Transport};
pub use uri::{Host, Scheme, Uri};
