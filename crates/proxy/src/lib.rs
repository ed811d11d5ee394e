//! Proxy, edge and registrar rules, without I/O (RFC 3261 §10 and §16, RFC 5626, RFC 7118).
//!
//! # The run loop, on one page
//!
//! A [`Proxy`] opens no socket, reads no clock and starts no task. It is *handed* time and bytes and *asked*
//! what to do next. After every call that hands something in, drain [`Proxy::poll`] until it says
//! [`Output::Timeout`]; then sleep until that instant or until something arrives, whichever is first.
//!
//! ```text
//! loop {
//!     match proxy.poll() {
//!         Output::Transmit { hop, bytes }  => network.send(&hop, &bytes),
//!         Output::Ask { id, question }     => look it up, and answer when it is known:
//!             Question::Resolve { .. }     =>   proxy.resolved(now, id, hops or error)
//!             Question::Credentials { .. } =>   proxy.credentials(now, id, the user's secret or None)
//!             Question::Token { .. }       =>   proxy.token(now, id, who holds it or None)
//!             Question::Sign { .. }        =>   proxy.signed(now, id, the signature or None)
//!             Question::Verify { .. }      =>   proxy.verified(now, id, Ok if one signature holds)
//!             Question::Store { .. }       =>   proxy.stored(now, id, Ok once it is durable)
//!         Output::Event(event)             => log it,
//!         Output::Share(news)              => let the proxies of the other event loops hear it,
//!         Output::Timeout(at)              => wait for the first of: `at`, a message, an answer:
//!             the time has come            =>   proxy.timeout(now)
//!             a message                    =>   proxy.receive(now, &flow, bytes)
//!             a connection closed          =>   proxy.flow_closed(now, &flow)
//!             a hop could not be reached   =>   proxy.unreachable(now, &hop)
//!     }
//! }
//! ```
//!
//! `now` is microseconds since the Unix epoch and never runs backwards, so that bindings and nonces outlive
//! the process. Questions may be answered at once or late, in any order; an answer to a question that is no
//! longer of interest is ignored.
//!
//! # The way of a request
//!
//! [`proxy`](Proxy) receives → `validation` (§16.3) → `route` (§16.4: our own Routes, flow tokens) →
//! `authentication` and `authorization` (who is it, what may they) → `target` (§16.5: flow, binding, GRUU, foreign
//! domain) → `forward` (§16.6: the copy, Record-Route, Via) → the transaction layer of `sip`. Responses come back
//! through `response_context` (§16.7: forking, best response, CANCEL for the losers, Timer C).
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod absent;
mod acknowledge;
mod answers;
mod authentication;
mod authorization;
mod bearer;
mod branches;
mod cancel;
mod certified;
mod common;
pub mod config;
mod connections;
mod date;
mod edge;
pub mod event;
mod failures;
mod flow_token;
mod forking;
mod forward;
mod guests;
mod hang_up;
mod identity;
mod inbound;
mod keyed_hash;
mod listeners;
mod messages;
mod news;
mod next_hop;
mod notifier;
mod ourselves;
mod output;
mod ownership;
mod proxy;
mod reconfigure;
mod refused;
mod registrar;
mod reply;
mod response_context;
mod route;
mod scanners;
mod second_attempt;
mod sent_by;
mod session_timers;
mod settling;
mod sources;
mod spending;
mod stand_in;
pub mod stir;
mod target;
mod trunks;
mod unheard;
mod validation;
mod via;

pub use common::Common;
pub use config::{
    Authentication, Config, Events, FlowTokenKeys, Forking, Identity, Limits, Listener, Messages, NextHop,
    Redirections, Registrar, Role, Strangers, Tokens, Upstream, Watchers,
};
pub use event::{Event, Unregistration};
pub use hang_up::is_sent_in_dialog;
pub use messages::is_message;
pub use news::News;
pub use notifier::Package;
pub use output::{AskId, Output, Question, ResolveError, StoreError, TokenHolder, UserSecret};
pub use proxy::Proxy;
pub use registrar::binding::MediaClass;
pub use trunks::settings as trunk_settings;
