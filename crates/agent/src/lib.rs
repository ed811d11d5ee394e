//! The SIP user agent: everything that a phone does in SIP, and none of its media, without I/O.
//!
//! An [`Agent`] has one connection to its server (for UDP: one peer address). It is handed what arrives and the
//! time, is given commands, and is asked what to do:
//!
//! ```text
//!    connected, disconnected, receive(now, bytes), timeout(now)        the world
//!    register, create_call, invite, accept, end, respond ...           the user
//!                     │
//!                  ┌──▼────┐   transactions, dialogs, digest: crate `sip`
//!                  │ Agent │
//!                  └──┬────┘
//!                     ▼  poll(), until it says Timeout
//!    Output::Transmit { bytes } │ Output::Event(..) │ Output::Timeout(at)
//! ```
//!
//! The contract: one entrance, then [`Agent::poll`] until it gives [`Output::Timeout`], then wait for the next entrance or
//! for that instant. Nothing is random but what the given [`sip::Entropy`] says, so every run can be replayed.
//!
//! What stands where: `outgoing` has the requests and their challenges, `registration` REGISTER, `caller` and
//! `callee` the two sides of INVITE, `within` our requests inside dialogs and `incoming` those of peers,
//! `session_timer` RFC 4028, `ending` BYE and what is owed after a lost connection.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod agent;
mod call;
mod callee;
mod caller;
mod compose;
mod config;
mod ending;
mod event;
mod flow;
mod identity;
mod incoming;
mod options;
mod outgoing;
mod registration;
mod reliable;
mod session_timer;
mod within;

pub use agent::{Agent, Names};
pub use config::{Config, Header, Listens, MAX_FLOWS, RefreshMethod, ReliableProvisional, Settings, Via};
pub use event::{CallNumber, Cause, Event, Originator, Output, RequestNumber, TransactionNumber};
pub use identity::ConfigError;
pub use options::{Body, CallOptions, CommandError, Ending, Origin, Payload};
pub use within::DialogIdentity;
