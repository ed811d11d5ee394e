//! A fleet of rtpengine daemons, driven over their ng control protocol, without I/O.
//!
//! rtpengine relays media and rewrites descriptions; somebody who knows the calls tells it what to do. [`Fleet`] is
//! that somebody's hand: it is given descriptions and datagrams, and says what to send to which node and what came of
//! it. The decisions - who must be joined to whom, which branch has won - are not taken here.
//!
//! ```
//! use rtpengine::bencode::Value;
//! use rtpengine::{Description, Fleet, Leg, Limits, NodeConfig, Output, Peer};
//! use sip::{Instant, SeededEntropy};
//!
//! let node = NodeConfig { address: "192.0.2.1:2223".parse()?, weight: 1 };
//! let mut fleet = Fleet::new(Instant::ZERO, vec![node], Limits::default(), Box::new(SeededEntropy::new(1)));
//! let leg = Leg { call_id: b"one".into(), from_tag: b"a".into(), to_tag: None, via_branch: Some(b"z9".into()) };
//! let sdp = b"v=0\r\n".to_vec();
//! fleet.offer(Instant::ZERO, Description { leg, writer: Peer::Browser, reader: Peer::Phone, sdp });
//! let Output::Transmit { to, bytes } = fleet.poll() else { panic!("the node is asked") };
//! assert_eq!(to.port(), 2223);
//! let (_, message) = rtpengine::cookie(&bytes).ok_or("a cookie and a space come first")?;
//! assert_eq!(Value::parse(message)?.get("command"), Some(&"offer".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod agreement;
pub mod bencode;
mod choice;
mod command;
mod exchange;
mod failure;
mod figures;
mod fleet;
mod node;
mod reply;
mod tidy;

pub use command::{Command, Description, Leg, Peer};
pub use exchange::Limits;
pub use failure::Failure;
pub use figures::{CallFigures, LegFigures};
pub use fleet::{Done, Fleet, Output, Ticket};
pub use node::{Health, NodeConfig, NodeStatistics, NodeStatus};
pub use reply::{Reply, ReplyError, cookie};
