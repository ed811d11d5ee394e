//! Other servers that calls are handed to and come from: named groups of them, and the routes that lead there.
//!
//! ```text
//! a request outside of a dialog ─▶ `rules`: the first route that matches ─▶ a user, a refusal, or a group of servers
//! a group ─▶ `choice`: by priority, within one by weight, those that failed lately last ─▶ one branch
//! the branch ─▶ its first server ─▶ silent, refused, 503 ─▶ the next one (`next_hop`, RFC 3263 §4.3)
//! ```
//!
//! Nothing here costs a server anything that has neither groups nor routes.

mod choice;
mod number;
mod pattern;
mod rules;
pub mod settings;
mod sources;

use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use choice::Health;
pub(crate) use sources::Member;

use settings::{Group, Trunks as Settings};

/// What a proxy knows of its groups beyond their configuration.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    groups: Vec<Known>,
}

/// One group.
#[derive(Debug)]
struct Known {
    group: Arc<Group>,
    /// The addresses of each of its servers, as far as they are known.
    addresses: Vec<Vec<SocketAddr>>,
}

impl Trunks {
    pub(crate) fn new(settings: &Settings) -> Self {
        let known = |group: &Arc<Group>| Known {
            group: Arc::clone(group),
            addresses: group.servers.iter().map(|server| server.literal().into_iter().collect()).collect(),
        };
        Self { groups: settings.groups.iter().map(known).collect() }
    }
}
