//! Whose server a message comes from, or goes to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::{Flow, Hop};

use crate::proxy::Proxy;

use super::settings::{Group, Incoming};

impl Proxy {
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
