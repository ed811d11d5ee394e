//! The run: nodes, time, and what happens next.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proxy::{AskId, Config, Question};
use sip::{Flow, Hop, Instant, Message};

use crate::carriage::Connections;
use crate::conditions::Conditions;
use crate::dice::Dice;
use crate::ladder::Ladder;
use crate::peer::{Peer, Script};
use crate::phone::{Act, Phone, PhoneSetup};
use crate::schedule::Schedule;
use crate::server::{Said, Server};

/// The first instant of every run: some time in 2023, as servers count from the Unix epoch.
pub const START: Instant = Instant::from_secs(1_700_000_000);

/// After so many timeouts of one node at one instant its timer does not move on.
const STALLED: u32 = 1_000;

/// A node of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) usize);

pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Phone(Box<Phone>),
    Server(Box<Server>),
    Peer(Peer),
}

/// What will happen.
pub(crate) enum Happening {
    /// A datagram or a message on a connection reaches a node.
    Arrival { to: NodeId, flow: Flow, bytes: Arc<[u8]> },
    /// A node learns that a connection is gone.
    Closed { node: NodeId, flow: Flow },
    /// A node learns that nothing gets to a hop.
    Unreachable { node: NodeId, hop: Hop },
    /// A server's question is answered.
    Answer { server: NodeId, id: AskId, question: Question },
    /// A user does something.
    Does { phone: NodeId, act: Act },
    /// A scripted peer sends.
    PeerSends { peer: NodeId, to: SocketAddr, bytes: Vec<u8> },
}

/// A network with phones and servers, under a clock of its own. Everything that is left to chance comes from the
/// seed: the same seed makes the same run.
pub struct Simulation {
    pub(crate) seed: u64,
    pub(crate) now: Instant,
    pub(crate) conditions: Conditions,
    pub(crate) dice: Dice,
    pub(crate) nodes: Vec<Node>,
    pub(crate) schedule: Schedule<Happening>,
    pub(crate) connections: Connections,
    pub(crate) ladder: Ladder,
    restarts: u64,
    stall: (Instant, u32),
}

impl Simulation {
    /// An empty network.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        let mut simulation = Self {
            seed,
            now: START,
            conditions,
            dice: Dice::new(seed, 0),
            nodes: Vec::new(),
            schedule: Schedule::new(),
            connections: Connections::default(),
            ladder: Ladder::default(),
            restarts: 0,
            stall: (START, 0),
        };
        simulation.ladder.note(START, format!("seed {seed}: {conditions:?}"));
        simulation
    }

    /// Puts a server on the network.
    pub fn add_server(&mut self, name: &str, address: IpAddr, config: Config) -> NodeId {
        let entropy = Dice::entropy(self.seed, self.nodes.len() as u64 + 1);
        let id = self.add(name, Kind::Server(Box::new(Server::new(config, address, entropy))));
        self.settle(id);
        id
    }

    /// Puts a phone on the network, and connects it.
    pub fn add_phone(&mut self, setup: PhoneSetup) -> NodeId {
        let entropy = Dice::entropy(self.seed, self.nodes.len() as u64 + 1);
        let name = setup.name.clone();
        let id = self.add(&name, Kind::Phone(Box::new(Phone::new(setup, entropy))));
        self.act(id, Act::Connect);
        id
    }

    /// Puts a scripted peer on the network.
    pub fn add_peer(&mut self, name: &str, address: SocketAddr, script: Script) -> NodeId {
        self.add(name, Kind::Peer(Peer::new(address, script)))
    }

    fn add(&mut self, name: &str, kind: Kind) -> NodeId {
        self.nodes.push(Node { name: name.into(), kind });
        NodeId(self.nodes.len() - 1)
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The seed's dice, for scenarios that leave something to chance.
    pub const fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// What was sent so far.
    #[must_use]
    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Forgets what was sent so far.
    pub fn clear_ladder(&mut self) {
        self.ladder.clear();
    }

    /// Changes the network's manners from now on.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
        self.ladder.note(self.now, format!("conditions: {conditions:?}"));
    }

    /// The phone.
    ///
    /// # Panics
    /// When the node is no phone.
    #[must_use]
    pub fn phone(&self, id: NodeId) -> &Phone {
        let Kind::Phone(phone) = &self.nodes[id.0].kind else {
            panic!("{} is no phone", self.nodes[id.0].name)
        };
        phone
    }

    pub(crate) fn phone_mut(&mut self, id: NodeId) -> &mut Phone {
        let node = &mut self.nodes[id.0];
        let Kind::Phone(phone) = &mut node.kind else { panic!("{} is no phone", node.name) };
        phone
    }

    /// The server.
    ///
    /// # Panics
    /// When the node is no server.
    #[must_use]
    pub fn server(&self, id: NodeId) -> &Server {
        let Kind::Server(server) = &self.nodes[id.0].kind else {
            panic!("{} is no server", self.nodes[id.0].name)
        };
        server
    }

    /// The server, to change its surroundings.
    ///
    /// # Panics
    /// When the node is no server.
    pub fn server_mut(&mut self, id: NodeId) -> &mut Server {
        let node = &mut self.nodes[id.0];
        let Kind::Server(server) = &mut node.kind else { panic!("{} is no server", node.name) };
        server
    }

    /// The scripted peer.
    ///
    /// # Panics
    /// When the node is no scripted peer.
    #[must_use]
    pub fn peer(&self, id: NodeId) -> &Peer {
        let Kind::Peer(peer) = &self.nodes[id.0].kind else { panic!("{} is no peer", self.nodes[id.0].name) };
        peer
    }

    /// The phones.
    pub fn phones(&self) -> impl Iterator<Item = (NodeId, &Phone)> {
        self.nodes.iter().enumerate().filter_map(|(place, node)| match &node.kind {
            Kind::Phone(phone) => Some((NodeId(place), &**phone)),
            _ => None,
        })
    }

    /// The servers.
    pub fn servers(&self) -> impl Iterator<Item = (NodeId, &Server)> {
        self.nodes.iter().enumerate().filter_map(|(place, node)| match &node.kind {
            Kind::Server(server) => Some((NodeId(place), &**server)),
            _ => None,
        })
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self, id: NodeId) -> &str {
        &self.nodes[id.0].name
    }

    /// A user does something now.
    pub fn act(&mut self, phone: NodeId, act: Act) {
        self.plan(Duration::ZERO, phone, act);
        self.run_for(Duration::ZERO);
    }

    /// A user will do something after a while.
    pub fn plan(&mut self, after: Duration, phone: NodeId, act: Act) {
        self.schedule.plan(self.now + after, Happening::Does { phone, act });
    }

    /// A scripted peer sends a datagram now.
    pub fn peer_sends(&mut self, peer: NodeId, to: SocketAddr, bytes: Vec<u8>) {
        self.schedule.plan(self.now, Happening::PeerSends { peer, to, bytes });
    }

    /// A server is killed and started again: connections break, and what was not stored is gone.
    pub fn restart(&mut self, id: NodeId) {
        self.restarts += 1;
        let entropy = Dice::entropy(self.seed, 0x7e57_0000 + self.restarts);
        let now = self.now;
        self.ladder.note(now, format!("{} is killed and starts again", self.nodes[id.0].name));
        self.break_connections_of(id);
        self.forget_questions_of(id);
        self.server_mut(id).restart(now, entropy);
        self.settle(id);
    }

    /// The answers to what a process asked that is no more.
    fn forget_questions_of(&mut self, server: NodeId) {
        self.schedule.retain(|happening| match happening {
            Happening::Answer { server: asked, .. } => *asked != server,
            Happening::Unreachable { node, .. } => *node != server,
            _ => true,
        });
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = self.now.max(end);
    }

    /// Lets time pass until nothing will happen any more. False if that is not so within `limit`.
    pub fn run_until_quiet(&mut self, limit: Duration) -> bool {
        let end = self.now + limit;
        while self.step(end) {}
        self.next().is_none()
    }

    /// When something happens next.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let deadline = self.nodes.iter().map(Node::deadline).min().filter(|at| *at < Instant::NEVER);
        [self.schedule.next(), deadline].into_iter().flatten().min()
    }

    /// The next thing, if it happens until `end`.
    fn step(&mut self, end: Instant) -> bool {
        let Some(at) = self.next().filter(|at| *at <= end) else { return false };
        self.now = self.now.max(at);
        if self.schedule.next().is_some_and(|planned| planned <= at) {
            if let Some(happening) = self.schedule.pop() {
                self.happen(happening);
            }
            return true;
        }
        let due = self.nodes.iter().position(|node| node.deadline() <= at);
        if let Some(place) = due {
            self.guard_against_stall(place);
            self.nodes[place].timeout(self.now);
            self.settle(NodeId(place));
        }
        true
    }

    fn guard_against_stall(&mut self, place: usize) {
        self.stall = if self.stall.0 == self.now { (self.now, self.stall.1 + 1) } else { (self.now, 0) };
        assert!(self.stall.1 < STALLED, "the timer of {} does not move on", self.nodes[place].name);
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        let node = match happening {
            Happening::Arrival { to, flow, bytes } => {
                self.arrive(to, &flow, &bytes);
                to
            }
            Happening::Closed { node, flow } => {
                if let Kind::Server(server) = &mut self.nodes[node.0].kind {
                    server.proxy.flow_closed(now, &flow);
                }
                node
            }
            Happening::Unreachable { node, hop } => {
                if let Kind::Server(server) = &mut self.nodes[node.0].kind {
                    server.proxy.unreachable(now, &hop);
                }
                node
            }
            Happening::Answer { server, id, question } => {
                let broken = self.dice.falls(self.conditions.unstored);
                self.server_mut(server).answer(now, id, question, broken);
                server
            }
            Happening::Does { phone, act } => {
                self.does(phone, act);
                phone
            }
            Happening::PeerSends { peer, to, bytes } => {
                let from = self.peer(peer).address;
                self.send_datagram(peer, from, to, bytes.into());
                peer
            }
        };
        self.settle(node);
    }

    fn arrive(&mut self, to: NodeId, flow: &Flow, bytes: &Arc<[u8]>) {
        let now = self.now;
        match &mut self.nodes[to.0].kind {
            Kind::Phone(phone) if phone.online => phone.agent.receive(now, bytes),
            Kind::Phone(_) => {}
            Kind::Server(server) => server.proxy.receive(now, flow, bytes),
            Kind::Peer(peer) => {
                let message = Message::parse(bytes).expect("what arrives at a peer can be read");
                for (after, bytes) in (peer.script)(&message) {
                    let happening = Happening::PeerSends { peer: to, to: flow.remote, bytes };
                    self.schedule.plan(now + after, happening);
                }
                peer.received.push(message);
            }
        }
    }

    fn does(&mut self, id: NodeId, act: Act) {
        let now = self.now;
        match &act {
            Act::Acknowledge(_) | Act::Respond(..) | Act::Ring(_) | Act::Refresh(_) => {}
            act => self.ladder.note(now, format!("{}: {act:?}", self.nodes[id.0].name)),
        }
        match act {
            Act::Connect => self.connect(id),
            Act::Disconnect => self.disconnect(id),
            act => self.phone_mut(id).perform(now, act),
        }
    }

    /// When a question is answered: in any order, but a store takes one record after the other.
    fn answer_time(&mut self, server: NodeId, question: &Question) -> Instant {
        let at = self.now + self.dice.within(self.conditions.answer);
        if !matches!(question, Question::Store { .. }) {
            return at;
        }
        let server = self.server_mut(server);
        server.storing_until = server.storing_until.max(at);
        server.storing_until
    }

    /// Takes what a node says, until it says nothing more.
    pub(crate) fn settle(&mut self, id: NodeId) {
        let now = self.now;
        match &mut self.nodes[id.0].kind {
            Kind::Phone(phone) => {
                let sent = phone.drain();
                let (plans, notes) = (phone.take_plans(), phone.take_notes());
                for bytes in sent {
                    self.send_from_phone(id, bytes.into());
                }
                for (after, act) in plans {
                    self.plan(after, id, act);
                }
                for note in notes {
                    self.ladder.note(now, format!("{} {note}", self.nodes[id.0].name));
                }
            }
            Kind::Server(server) => {
                for said in server.drain() {
                    match said {
                        Said::Send(hop, bytes) => self.send_from_server(id, hop, bytes),
                        Said::Asks(ask, question) => {
                            let at = self.answer_time(id, &question);
                            self.schedule.plan(at, Happening::Answer { server: id, id: ask, question });
                        }
                    }
                }
            }
            Kind::Peer(_) => {}
        }
    }
}

impl Node {
    fn deadline(&self) -> Instant {
        match &self.kind {
            Kind::Phone(phone) => phone.deadline,
            Kind::Server(server) => server.deadline,
            Kind::Peer(_) => Instant::NEVER,
        }
    }

    fn timeout(&mut self, now: Instant) {
        match &mut self.kind {
            Kind::Phone(phone) => phone.agent.timeout(now),
            Kind::Server(server) => server.proxy.timeout(now),
            Kind::Peer(_) => {}
        }
    }
}

impl Drop for Simulation {
    /// A run that fails shows its ladder.
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("SIPWEB_LADDER").is_some() {
            println!("{}", self.ladder.render(START));
        }
    }
}
