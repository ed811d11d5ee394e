//! The servers of the groups: where they are, and whether they work.

use core::time::Duration;
use std::sync::Arc;

use sip::{Hop, Instant};

use crate::event::Event;
use crate::output::Question;
use crate::proxy::{Proxy, Waiting};
use crate::response_context::ContextId;

use super::settings::Group;

/// One server of a group, as a target of ours.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) group: Arc<Group>,
    /// Its place in the group.
    pub(crate) place: usize,
}

impl Member {
    pub(crate) fn server(&self) -> Option<&super::settings::Server> {
        self.group.servers.get(self.place)
    }
}

impl Proxy {
    /// Takes the groups of a configuration.
    pub(crate) fn take_trunks(&mut self) {
        let now = self.now;
        let registers = |group: &Group| {
            let account = group.account.as_ref().filter(|account| account.register);
            account.map(|account| (group.name.clone(), account.uri()))
        };
        // A group that stays has the same Contact as before: its next registration replaces this one.
        let staying: Vec<_> = self.config.trunks.groups.iter().filter_map(|group| registers(group)).collect();
        let stays = |group: &Group| registers(group).is_some_and(|registered| staying.contains(&registered));
        let gone = (0..).zip(&self.trunks.groups).filter(|(_, known)| !stays(&known.group));
        let gone: Vec<usize> = gone.map(|(place, _)| place).collect();
        for place in gone {
            self.say_farewell(now, place);
        }
        self.trunks.replace(&self.config.trunks);
        self.look_for_servers();
    }

    /// Asks for the addresses of those servers that are named.
    pub(crate) fn look_for_servers(&mut self) {
        let mut named = Vec::new();
        for known in &self.trunks.groups {
            for (place, server) in known.group.servers.iter().enumerate() {
                if server.literal().is_none() {
                    named.push((Member { group: Arc::clone(&known.group), place }, server.clone()));
                }
            }
        }
        for (member, server) in named {
            let id = self.outbox.ask(Question::Resolve {
                host: server.host,
                port: server.port,
                transport: server.transport,
                secure: false,
            });
            self.waiting.insert(id, Waiting::Server(member));
        }
    }

    /// Remembers the addresses that a server's name has. The groups may be others than when it was asked for: what counts is
    /// where that server stands now, if anywhere.
    pub(crate) fn server_found(&mut self, member: &Member, hops: &[Hop]) {
        let Some(server) = member.server().filter(|_| !hops.is_empty()) else { return };
        let known = self.trunks.groups.iter_mut().filter(|known| known.group.name == member.group.name);
        for known in known {
            for (own, addresses) in known.group.servers.iter().zip(&mut known.addresses) {
                if own.is_at_the_same_place(server) {
                    *addresses = hops.iter().map(Hop::address).collect();
                }
            }
        }
    }

    /// Whether a branch goes to a server of a group.
    pub(crate) fn is_in_group(&self, id: ContextId, branch: usize) -> bool {
        let place = self.contexts.get(id.0).and_then(|context| context.branches.get(branch));
        place.is_some_and(|place| place.target.member.is_some())
    }

    /// A server did not answer, refused or is out of service; `said`: it says so itself, and for how long.
    pub(crate) fn server_fails(&mut self, now: Instant, member: &Member, span: Duration, said: bool) {
        let Some(server) = member.server() else { return };
        if self.common.0.health.avoid(now, server, span, said) {
            self.tell_server(member, false);
        }
    }

    /// A server has answered when it was asked whether it works.
    pub(super) fn server_shows_itself(&mut self, now: Instant, member: &Member) {
        let has_said = member.server().is_some_and(|server| self.common.0.health.has_said(now, server));
        if !has_said {
            self.server_works(member);
        }
    }

    /// A server has answered.
    pub(crate) fn server_works(&mut self, member: &Member) {
        if member.server().is_some_and(|server| self.common.0.health.works(server)) {
            self.tell_server(member, true);
        }
    }

    fn tell_server(&mut self, member: &Member, works: bool) {
        let Some(server) = member.server() else { return };
        let (group, server) = (member.group.name.clone(), server.to_string());
        self.outbox.event(Event::Server { group, server, works });
    }
}
