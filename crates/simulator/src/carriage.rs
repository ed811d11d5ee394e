//! How messages get from node to node: datagrams that may be lost, connections that may break.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use agent::Via;
use sip::{ConnectionId, Flow, Hop, Instant, Transport};

use crate::ladder::{Fate, Rung};
use crate::server::listening_port;
use crate::simulation::{Happening, Kind, NodeId, Simulation};

/// How long it takes to find out that an address refuses connections.
const REFUSAL: Duration = Duration::from_millis(20);

/// The connections that are open, and the order of what is on its way.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: BTreeMap<ConnectionId, Connection>,
    opened: u64,
    /// The latest arrival planned from one node to another: nothing but what is held up is overtaken.
    latest: BTreeMap<(NodeId, NodeId, ConnectionId), Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    transport: Transport,
    opener: (NodeId, SocketAddr),
    acceptor: (NodeId, SocketAddr),
}

impl Connection {
    /// The other end, and the connection as that end sees it.
    fn towards_other(&self, id: ConnectionId, from: NodeId) -> (NodeId, Flow) {
        let (near, far) =
            if self.opener.0 == from { (self.opener, self.acceptor) } else { (self.acceptor, self.opener) };
        let flow = Flow { transport: self.transport, connection: id, local: far.1, remote: near.1 };
        (far.0, flow)
    }
}

impl Connections {
    fn of_phone(&self, phone: NodeId) -> Option<ConnectionId> {
        self.open.iter().find(|(_, connection)| connection.opener.0 == phone).map(|(id, _)| *id)
    }

    fn to_address(&self, from: NodeId, transport: Transport, address: SocketAddr) -> Option<ConnectionId> {
        let leads = |connection: &Connection| {
            connection.transport == transport
                && ((connection.opener.0 == from && connection.acceptor.1 == address)
                    || (connection.acceptor.0 == from && connection.opener.1 == address))
        };
        self.open.iter().find(|(_, connection)| leads(connection)).map(|(id, _)| *id)
    }

    /// How many have the node at either end.
    pub(crate) fn of(&self, node: NodeId) -> usize {
        let ends = |connection: &&Connection| connection.opener.0 == node || connection.acceptor.0 == node;
        self.open.values().filter(ends).count()
    }

    /// How many the node has opened.
    pub(crate) fn opened_by(&self, node: NodeId) -> usize {
        self.open.values().filter(|connection| connection.opener.0 == node).count()
    }
}

impl Simulation {
    /// The node at an address, and whether datagrams to that port reach it.
    fn node_at(&self, address: SocketAddr, transport: Transport) -> Option<NodeId> {
        let place = self.nodes.iter().position(|node| match &node.kind {
            Kind::Phone(phone) => transport == Transport::Udp && phone.setup.address == address,
            Kind::Server(server) => {
                server.address == address.ip() && listening_port(transport) == address.port()
            }
            Kind::Peer(peer) => transport == Transport::Udp && peer.address == address,
        });
        place.map(NodeId)
    }

    fn climb(&mut self, from: NodeId, to: &str, transport: Transport, bytes: &Arc<[u8]>, fate: Fate) {
        let rung = Rung {
            at: self.now,
            from: Arc::clone(&self.nodes[from.0].name),
            to: to.into(),
            transport,
            bytes: Arc::clone(bytes),
            fate,
        };
        self.ladder.climb(rung);
    }

    /// When something sent now arrives; in order, unless it is held up.
    fn arrival(&mut self, from: NodeId, to: NodeId, connection: ConnectionId, held_up: bool) -> Instant {
        let mut at = self.now + self.dice.within(self.conditions.delay);
        if held_up {
            at += self.dice.within(self.conditions.hold_up);
            return at;
        }
        let latest = self.connections.latest.entry((from, to, connection)).or_default();
        at = at.max(*latest);
        *latest = at;
        at
    }

    /// Sends a datagram.
    pub(crate) fn send_datagram(
        &mut self,
        from: NodeId,
        local: SocketAddr,
        to: SocketAddr,
        bytes: Arc<[u8]>,
    ) {
        let Some(target) = self.node_at(to, Transport::Udp) else {
            return self.climb(from, &to.to_string(), Transport::Udp, &bytes, Fate::Nobody);
        };
        let name = Arc::clone(&self.nodes[target.0].name);
        if self.dice.falls(self.conditions.lost) {
            return self.climb(from, &name, Transport::Udp, &bytes, Fate::Lost);
        }
        let copies = if self.dice.falls(self.conditions.doubled) { 2 } else { 1 };
        let fate = if copies == 2 { Fate::Doubled } else { Fate::Arrives };
        self.climb(from, &name, Transport::Udp, &bytes, fate);
        for _ in 0..copies {
            let held_up = self.dice.falls(self.conditions.overtaken);
            let at = self.arrival(from, target, ConnectionId(0), held_up);
            let flow =
                Flow { transport: Transport::Udp, connection: ConnectionId(0), local: to, remote: local };
            self.schedule.plan(at, Happening::Arrival { to: target, flow, bytes: Arc::clone(&bytes) });
        }
    }

    /// Sends over a connection. False if it is closed.
    fn send_on(&mut self, from: NodeId, id: ConnectionId, bytes: &Arc<[u8]>) -> bool {
        let Some(connection) = self.connections.open.get(&id).copied() else { return false };
        let (target, flow) = connection.towards_other(id, from);
        let name = Arc::clone(&self.nodes[target.0].name);
        self.climb(from, &name, connection.transport, bytes, Fate::Arrives);
        let at = self.arrival(from, target, id, false);
        self.schedule.plan(at, Happening::Arrival { to: target, flow, bytes: Arc::clone(bytes) });
        true
    }

    pub(crate) fn send_from_phone(&mut self, id: NodeId, bytes: Arc<[u8]>) {
        let setup = &self.phone(id).setup;
        let (transport, address, server) = (setup.transport, setup.address, setup.server);
        if transport == Transport::Udp {
            self.send_datagram(id, address, server, bytes);
            return;
        }
        let sent =
            self.connections.of_phone(id).is_some_and(|connection| self.send_on(id, connection, &bytes));
        if !sent {
            self.climb(id, &server.to_string(), transport, &bytes, Fate::Nobody);
        }
    }

    pub(crate) fn send_from_server(&mut self, id: NodeId, hop: Hop, bytes: Arc<[u8]>) {
        let (transport, address) = (hop.transport(), hop.address());
        if transport == Transport::Udp {
            let local = SocketAddr::new(self.server(id).address, listening_port(transport));
            return self.send_datagram(id, local, address, bytes);
        }
        let connection = match &hop {
            Hop::Flow(flow) => Some(flow.connection),
            Hop::Address { .. } => self
                .connections
                .to_address(id, transport, address)
                .or_else(|| self.open(id, self.server(id).address.into(), transport, address)),
        };
        let sent = connection.is_some_and(|connection| self.send_on(id, connection, &bytes));
        if !sent {
            self.climb(id, &address.to_string(), transport, &bytes, Fate::Nobody);
            self.schedule.plan(self.now + REFUSAL, Happening::Unreachable { node: id, hop });
        }
    }

    /// Opens a connection, if somebody listens there.
    fn open(
        &mut self,
        from: NodeId,
        local: Local,
        transport: Transport,
        to: SocketAddr,
    ) -> Option<ConnectionId> {
        let acceptor = self.node_at(to, transport)?;
        if matches!(&self.nodes[acceptor.0].kind, Kind::Server(server) if server.refuses_connections) {
            return None;
        }
        self.connections.opened += 1;
        let id = ConnectionId(self.connections.opened);
        // Each connection has a port of its own.
        let port = 40_000 + u16::try_from(self.connections.opened % 20_000).unwrap_or(0);
        let opener = (from, SocketAddr::new(local.0, port));
        self.connections.open.insert(id, Connection { transport, opener, acceptor: (acceptor, to) });
        Some(id)
    }

    pub(crate) fn connect(&mut self, id: NodeId) {
        let setup = &self.phone(id).setup;
        let (transport, address, server) = (setup.transport, setup.address, setup.server);
        if transport != Transport::Udp {
            if self.connections.of_phone(id).is_some() {
                return;
            }
            let opened = self.open(id, Local(address.ip()), transport, server);
            assert!(opened.is_some(), "nobody listens at {server}");
        }
        let now = self.now;
        let phone = self.phone_mut(id);
        phone.online = true;
        phone.agent.connected(now, Via::new(transport));
    }

    pub(crate) fn disconnect(&mut self, id: NodeId) {
        let now = self.now;
        if let Some(connection) = self.connections.of_phone(id) {
            self.break_connection(connection);
        }
        let phone = self.phone_mut(id);
        phone.online = false;
        phone.agent.disconnected(now);
    }

    /// The connection is gone at once, with all that is on its way; a server learns of it as late as of a message.
    fn break_connection(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.open.remove(&id) else { return };
        self.connections.latest.retain(|(_, _, connection), _| *connection != id);
        self.schedule.retain(|happening| match happening {
            Happening::Arrival { flow, .. } => flow.connection != id,
            _ => true,
        });
        for (node, other) in
            [(connection.opener, connection.acceptor), (connection.acceptor, connection.opener)]
        {
            let flow =
                Flow { transport: connection.transport, connection: id, local: node.1, remote: other.1 };
            let at = self.now + self.dice.within(self.conditions.delay);
            self.schedule.plan(at, Happening::Closed { node: node.0, flow });
        }
    }

    /// Every connection between two servers breaks, as it may after a while of silence.
    pub fn break_connections_between(&mut self, one: NodeId, other: NodeId) {
        let parties = |connection: &Connection| [connection.opener.0, connection.acceptor.0];
        let between = |connection: &Connection| {
            parties(connection) == [one, other] || parties(connection) == [other, one]
        };
        let broken: Vec<ConnectionId> =
            self.connections.open.iter().filter(|(_, it)| between(it)).map(|(id, _)| *id).collect();
        self.ladder.note(self.now, format!("{} connections between servers break", broken.len()));
        for id in broken {
            self.break_connection(id);
        }
    }

    /// Every connection of a server breaks, as the server dies: its phones learn of it at once, other servers as
    /// late as of a message. The new process knows nothing of the connections of the old one.
    pub(crate) fn break_connections_of(&mut self, server: NodeId) {
        let of_server =
            |connection: &Connection| connection.acceptor.0 == server || connection.opener.0 == server;
        let broken: Vec<(ConnectionId, NodeId)> = self
            .connections
            .open
            .iter()
            .filter(|(_, connection)| of_server(connection))
            .map(|(id, connection)| (*id, connection.opener.0))
            .collect();
        for (id, opener) in broken {
            self.break_connection(id);
            self.schedule.retain(|happening| match happening {
                Happening::Closed { node, flow } => *node != server || flow.connection != id,
                _ => true,
            });
            if let Kind::Phone(phone) = &mut self.nodes[opener.0].kind {
                phone.agent.disconnected(self.now);
                phone.online = false;
                self.settle(opener);
            }
        }
    }
}

/// The address that a connection is opened from; its port is chosen.
pub(crate) struct Local(std::net::IpAddr);

impl From<std::net::IpAddr> for Local {
    fn from(address: std::net::IpAddr) -> Self {
        Self(address)
    }
}
