//! The transaction layer (RFC 3261 §17, RFC 6026).
//!
//! [`Transactions`] is a table of four kinds of machine, one file each: the INVITE client, the non-INVITE client, the
//! INVITE server and the non-INVITE server. It is handed messages, responses and the time; it gives back what to send
//! and what to know.
//!
//! ```text
//!            receive(message) ──► Received         the transaction user: a proxy or a user agent
//!                                                      │ respond, request, cancel
//!   ┌──────────────────────────────────────────────────▼───┐
//!   │ Transactions:  key ──► slot: machine, alarms, hop     │
//!   └──────────────────────────────────────────────────┬───┘
//!            timeout(now), next_timeout()              ▼
//!                                                 poll() ──► Output
//! ```
//!
//! The contract, after any call: take outputs by [`Transactions::poll`] until there is none, then ask
//! [`Transactions::next_timeout`] when to call [`Transactions::timeout`]. Outputs come in the order in which they
//! arose. Every transaction ends with exactly one `ClientEnded` or `ServerEnded`, its last output.
//!
//! ```
//! use sip::{Hop, Instant, Message, Output, Received, SeededEntropy, Timers, Transactions};
//! # use sip::{Builder, ConnectionId, Flow, Transport};
//! # let address = "127.0.0.1:5060".parse().unwrap();
//! # let flow = Flow { transport: Transport::Tcp, connection: ConnectionId(1), local: address, remote: address };
//! # let (way_back, now) = (Hop::Flow(flow), Instant::ZERO);
//! let mut transactions = Transactions::new(Timers::default(), &mut SeededEntropy::new(1));
//! let options = Message::parse(
//!     b"OPTIONS sip:bob@example.com SIP/2.0\r\n\
//!       Via: SIP/2.0/TCP pc.example;branch=z9hG4bKa1\r\n\
//!       From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n\
//!       Call-ID: c1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n",
//! )
//! .unwrap();
//! let Received::Request { key, request } = transactions.receive(now, &way_back, options) else { unreachable!() };
//! let response = Builder::response_to(&request, 200, "").to_tag(b"b1").finish().unwrap();
//! transactions.respond(now, key, response);
//! assert!(matches!(transactions.poll(), Some(Output::Transmit { .. })));
//! assert_eq!(transactions.poll(), Some(Output::ServerEnded { key }));
//! ```
//!
//! What the caller bounds: how many transactions there are ([`Transactions::len`]), and how long an INVITE may ring.
//! An INVITE server transaction waits for the caller's final response for ever, and an INVITE client transaction that
//! has a provisional response waits for the peer's: a proxy has its Timer C (RFC 3261 §16.6 item 11), a user agent
//! its patience, and both have [`Transactions::cancel`]. Every other state ends by a timer.

pub mod timers;

mod context;
mod derived;
mod invite_client;
mod invite_server;
mod key;
mod names;
mod non_invite_client;
mod non_invite_server;
mod table;

use std::sync::Arc;

pub use names::{ClientKey, ServerKey};
pub use table::{Transactions, Written};
pub use timers::Timers;

use crate::message::Message;
use crate::transport::Hop;

/// Where a transaction sends its messages, as far as a transaction must know it.
pub trait NextHop: Clone + PartialEq {
    /// Whether the transport repairs loss by itself, so that nothing is retransmitted over it (RFC 3261 §17).
    fn is_reliable(&self) -> bool;
}

impl NextHop for Hop {
    fn is_reliable(&self) -> bool {
        self.transport().is_reliable()
    }
}

/// What a received message is to the transaction user.
#[derive(Clone, Debug)]
pub enum Received {
    /// A new request. It waits for [`Transactions::respond`].
    Request {
        /// The server transaction.
        key: ServerKey,
        /// The request.
        request: Arc<Message>,
    },
    /// An ACK for a 2xx: it has no transaction of its own and gets no response (RFC 3261 §17).
    Ack {
        /// The ACK.
        request: Arc<Message>,
    },
    /// A new CANCEL (RFC 3261 §9.2). The user answers it with 200, or with 481 if there is nothing to cancel; and
    /// the INVITE with 487, if it has no final response yet.
    Cancel {
        /// The CANCEL's own server transaction.
        key: ServerKey,
        /// The INVITE that it cancels, if there is one.
        invite: Option<ServerKey>,
        /// The CANCEL.
        request: Arc<Message>,
    },
    /// A response to a request of ours.
    Response {
        /// The client transaction. It may have ended by this response.
        key: ClientKey,
        /// The response.
        response: Arc<Message>,
    },
    /// A response that belongs to no transaction. A proxy must not forward it (RFC 6026 §8.2).
    StrayResponse {
        /// The response.
        response: Arc<Message>,
    },
    /// A retransmission or another message that concerns the transaction layer only.
    Absorbed,
}

/// What the transaction layer wants done or known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<H> {
    /// Send these bytes.
    Transmit {
        /// Where to.
        to: H,
        /// A whole message.
        bytes: Arc<[u8]>,
    },
    /// No final response came in time: Timer B or F, or an INVITE that was cancelled 64*T1 ago (RFC 3261 §9.1). It
    /// counts as a 408 (§8.1.3.1).
    TimedOut {
        /// The client transaction.
        key: ClientKey,
    },
    /// The request could not be sent. It counts as a 503 (RFC 3261 §8.1.3.1).
    Unreachable {
        /// The client transaction.
        key: ClientKey,
    },
    /// No ACK came for a final response other than 2xx: Timer H.
    NoAck {
        /// The INVITE server transaction.
        key: ServerKey,
    },
    /// The client transaction is gone; its key means nothing any more.
    ClientEnded {
        /// The client transaction.
        key: ClientKey,
    },
    /// The server transaction is gone; its key means nothing any more.
    ServerEnded {
        /// The server transaction.
        key: ServerKey,
    },
}
