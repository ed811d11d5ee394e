//! Other servers that calls are handed to and come from: named groups of them, and the routes that lead there.
//!
//! ```text
//! a request outside of a dialog ─▶ `rules`: the first route that matches ─▶ a user, a refusal, or a group of servers
//! a group ─▶ `choice`: by priority, within one by weight, those that failed lately last ─▶ one branch
//! the branch ─▶ its first server ─▶ silent, refused, 503 ─▶ the next one (`next_hop`, RFC 3263 §4.3)
//!                                ─▶ 401, 407 ─▶ the same one, with the account's credentials (`challenged`)
//! meanwhile ─▶ OPTIONS to each server (`probes`), REGISTER at the provider (`registration`)
//! ```
//!
//! Nothing here costs a server anything that has neither groups nor routes.

pub(crate) mod caller;
mod challenged;
mod choice;
mod errands;
mod number;
mod pattern;
mod probes;
mod registration;
mod rules;
mod servers;
pub mod settings;
mod sources;

use std::net::SocketAddr;
use std::sync::Arc;

use sip::Instant;
use sip::digest::Client;

pub(crate) use challenged::Answering;
pub(crate) use choice::Health;
pub(crate) use errands::Errand;
pub(crate) use servers::Member;

pub(crate) use number::Number;

use crate::stir::Verification;
use probes::Probe;
use registration::Registration;
use settings::{Group, Trunks as Settings};

/// What a proxy knows of its groups beyond their configuration.
#[derive(Debug)]
pub(crate) struct Trunks {
    groups: Vec<Known>,
    /// Whether callers of any group are verified.
    verifies: bool,
    /// Whether any group wants another From than the caller's.
    writes_callers: bool,
    /// Which of the server's event loops this is.
    place: usize,
    /// Counts the configurations: an answer that was meant for another one finds nothing.
    generation: u32,
    /// When something is to be done.
    due: Instant,
    /// When the names of servers are looked up again.
    look_again: Instant,
}

impl Default for Trunks {
    fn default() -> Self {
        let never = Instant::NEVER;
        Self {
            groups: Vec::new(),
            verifies: false,
            writes_callers: false,
            place: 0,
            generation: 0,
            due: never,
            look_again: never,
        }
    }
}

/// One group.
#[derive(Debug)]
struct Known {
    group: Arc<Group>,
    /// The addresses of each of its servers, as far as they are known.
    addresses: Vec<Vec<SocketAddr>>,
    probes: Vec<Probe>,
    registration: Option<Registration>,
    /// Who answers when a call is challenged.
    client: Option<Client>,
}

impl Known {
    fn new(group: &Arc<Group>) -> Self {
        Self {
            group: Arc::clone(group),
            addresses: group.servers.iter().map(|server| server.literal().into_iter().collect()).collect(),
            probes: group.servers.iter().map(|_| Probe::new()).collect(),
            registration: group.account.as_ref().filter(|account| account.register).map(Registration::new),
            client: group.account.as_ref().map(registration::client),
        }
    }
}

impl Trunks {
    /// Whether callers of any group are verified.
    pub(crate) const fn verifies(&self) -> bool {
        self.verifies
    }

    /// Whether a request may leave with another From than it came with.
    pub(crate) const fn changes_from(&self) -> bool {
        self.verifies || self.writes_callers
    }

    /// When something is to be done for the groups.
    pub(crate) const fn due(&self) -> Instant {
        self.due
    }

    /// Takes other groups. What is known of those that stay as they are is kept.
    fn replace(&mut self, settings: &Settings) {
        let mut before = core::mem::take(&mut self.groups);
        self.groups = settings
            .groups
            .iter()
            .map(|group| match before.iter().position(|known| known.group == *group) {
                Some(place) => before.swap_remove(place),
                None => Known::new(group),
            })
            .collect();
        for known in &mut self.groups {
            // What is under way was meant for the place that the group had.
            known.probes = known.group.servers.iter().map(|_| Probe::new()).collect();
            if let Some(registration) = &mut known.registration {
                registration.interrupt();
            }
        }
        self.generation = self.generation.wrapping_add(1);
        self.verifies = settings.groups.iter().any(|group| group.verification != Verification::Off);
        self.writes_callers = settings.groups.iter().any(|group| group.writes_caller());
        (self.due, self.look_again) = if self.groups.is_empty() {
            (Instant::NEVER, Instant::NEVER)
        } else {
            (Instant::ZERO, Instant::ZERO)
        };
    }
}
