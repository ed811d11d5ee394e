//! Whose server a message comes from, or goes to.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::{Flow, Hop, Instant};

use crate::event::Event;
use crate::output::Question;
use crate::proxy::{Proxy, Waiting};
use crate::response_context::ContextId;

use super::settings::{Group, Incoming};

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

    /// Remembers the addresses that a server's name has.
    pub(crate) fn server_found(&mut self, member: &Member, hops: &[Hop]) {
        if hops.is_empty() {
            return;
        }
        let known = self.trunks.groups.iter_mut().find(|known| known.group.name == member.group.name);
        if let Some(addresses) = known.and_then(|known| known.addresses.get_mut(member.place)) {
            *addresses = hops.iter().map(Hop::address).collect();
        }
    }

    /// The group whose server sent what came over `flow`. Not on a WebSocket, behind which the whole world may sit.
    pub(crate) fn group_of(&self, flow: &Flow) -> Option<&Arc<Group>> {
        if self.trunks.groups.is_empty() {
            return None;
        }
        let shown = self.trunks.groups.iter().find(|known| self.shows(flow, &known.group.certificates));
        if shown.is_some() || flow.transport.is_websocket() {
            return shown.map(|known| &known.group);
        }
        let address = flow.remote.ip().to_canonical();
        let known = self.trunks.groups.iter().find(|known| {
            known.group.addresses.iter().any(|network| network.contains(address))
                || known.addresses.iter().flatten().any(|known| comes_from(*known, address, flow))
        });
        known.map(|known| &known.group)
    }

    /// The group, if it is one that is judged as such, and not by who its requests say that they are from.
    pub(crate) fn judged_group(&self, flow: &Flow) -> Option<&Arc<Group>> {
        self.group_of(flow).filter(|group| group.trusted || group.incoming == Incoming::Nobody)
    }

    /// Whether a message of this flow is one of a trusted group.
    pub(crate) fn is_trusted_group(&self, flow: &Flow) -> bool {
        self.group_of(flow).is_some_and(|group| group.trusted)
    }

    /// Whether the one behind `hop` is a server of a trusted group.
    pub(crate) fn is_trusted_server(&self, hop: &Hop) -> bool {
        let address = hop.address();
        let trusted = |group: &Group| group.trusted && self.is_certain(hop, &group.certificates);
        if self.trunks.groups.iter().any(|known| trusted(&known.group)) {
            return true;
        }
        self.trunks.groups.iter().filter(|known| known.group.trusted).any(|known| {
            known.group.addresses.iter().any(|network| network.contains(address.ip().to_canonical()))
                || known.addresses.iter().flatten().any(|known| *known == address)
        })
    }

    /// Whether any group is trusted.
    pub(crate) fn has_trusted_groups(&self) -> bool {
        self.trunks.groups.iter().any(|known| known.group.trusted)
    }
}

/// Whether a message comes from the server at `known`. Others may live on the same machine, so its address is not
/// enough for a datagram, which must come from its port, nor on the loopback.
fn comes_from(known: SocketAddr, address: IpAddr, flow: &Flow) -> bool {
    let same_port = known.port() == flow.remote.port();
    let from_there = flow.transport.is_reliable() && !address.is_loopback();
    known.ip().to_canonical() == address && (same_port || from_there)
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
