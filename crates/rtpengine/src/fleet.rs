//! The fleet: asks the right node, again if no answer comes, and another one where that is possible.
//!
//! A call stays on the node that made its first leg, for only that one knows it. When the node dies, what it knew is
//! lost: the next offer inside the call goes to another node, and with it the media of both sides.

use crate::agreement::Agreement;
use crate::choice::choose;
use crate::command::{Command, Description, Leg};
use crate::exchange::{Exchange, Limits};
use crate::failure::Failure;
use crate::figures::CallFigures;
use crate::node::{Health, Node, NodeConfig, NodeStatus};
use crate::reply::{Reply, cookie};
use crate::tidy::tidied;
use sip::{Entropy, Instant};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;

/// The largest payload of a UDP datagram over IPv4.
const LARGEST_DATAGRAM: usize = 65_507;

/// What was asked, to know the answer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The translated description.
    Description(Vec<u8>),
    /// What rtpengine knows of the call.
    Figures(Box<CallFigures>),
}

/// What the fleet wants next.
#[derive(Debug)]
pub enum Output {
    /// Send this datagram to a node.
    Transmit {
        /// Its address.
        to: SocketAddr,
        /// The octets.
        bytes: Vec<u8>,
    },
    /// What was asked is done, or cannot be done.
    Done {
        /// What was asked.
        ticket: Ticket,
        /// What came of it.
        outcome: Result<Done, Failure>,
    },
    /// A node answers again, or no longer.
    Health {
        /// Which.
        node: SocketAddr,
        /// How it is now.
        health: Health,
    },
    /// Nothing more until then: call [`Fleet::timeout`] at that moment.
    Timeout(Instant),
}

/// Where a call is.
#[derive(Clone, Copy, Debug)]
struct Placement {
    node: usize,
    /// An offer has succeeded there: other nodes do not know the call.
    established: bool,
}

/// The nodes, the calls on them, and what is on its way.
pub struct Fleet {
    nodes: Vec<Node>,
    limits: Limits,
    calls: HashMap<Vec<u8>, Placement>,
    agreements: HashMap<Vec<u8>, Agreement>,
    exchanges: HashMap<u64, Exchange>,
    deadlines: BTreeSet<(Instant, u64)>,
    outputs: VecDeque<Output>,
    next: u64,
    entropy: Box<dyn Entropy>,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl Fleet {
    /// A fleet of these nodes. Each is pinged at the first [`timeout`](Self::timeout), which is due at once.
    #[must_use]
    pub fn new(now: Instant, nodes: Vec<NodeConfig>, limits: Limits, entropy: Box<dyn Entropy>) -> Self {
        Self {
            nodes: nodes.into_iter().map(|node| Node::new(node, now)).collect(),
            limits,
            calls: HashMap::new(),
            agreements: HashMap::new(),
            exchanges: HashMap::new(),
            deadlines: BTreeSet::new(),
            outputs: VecDeque::new(),
            next: 0,
            entropy,
        }
    }

    /// An offer of one side, to be translated for the other.
    pub fn offer(&mut self, now: Instant, offer: Description) -> Ticket {
        let ticket = self.ticket();
        let call_id = offer.leg.call_id.clone();
        self.agreements.entry(call_id.clone()).or_default().offered(&offer);
        match self.place(now, &call_id, &[]) {
            Some(node) => {
                self.ask(now, node, Command::Offer(offer), Some(ticket), Vec::new());
            }
            None => self.done(ticket, Err(Failure::NoNode)),
        }
        ticket
    }

    /// The answer to it.
    pub fn answer(&mut self, now: Instant, answer: Description) -> Ticket {
        if let Some(agreement) = self.agreements.get_mut(&answer.leg.call_id) {
            agreement.answered(&answer);
        }
        self.ask_where_the_call_is(now, Command::Answer(answer))
    }

    /// The last offer inside this call was refused: its node is told again what holds on.
    pub fn withdraw(&mut self, now: Instant, call_id: &[u8]) {
        let Some((offer, answer)) = self.agreements.get_mut(call_id).and_then(Agreement::refused) else {
            return;
        };
        let placement = self.calls.get(call_id).copied();
        if let Some(node) = placement.map(|placement| placement.node).filter(|node| self.lives(*node))
            && let Some(exchange) = self.ask(now, node, Command::Offer(offer), None, Vec::new())
        {
            exchange.then = Some(Box::new(answer));
        }
    }

    /// What has passed so far in a call?
    pub fn query(&mut self, now: Instant, leg: Leg) -> Ticket {
        self.ask_where_the_call_is(now, Command::Query(leg))
    }

    /// A branch is over or, without one, the whole call. A node that is away is told when it is back.
    pub fn delete(&mut self, now: Instant, leg: Leg) -> Ticket {
        let ticket = self.ticket();
        let placement = self.calls.get(&leg.call_id).copied();
        match &leg.via_branch {
            None => {
                self.forget(&leg.call_id);
                self.agreements.remove(&leg.call_id);
            }
            Some(branch) => {
                if let Some(agreement) = self.agreements.get_mut(&leg.call_id) {
                    agreement.branch_over(branch);
                }
            }
        }
        let Some(placement) = placement else {
            self.done(ticket, Err(Failure::UnknownCall));
            return ticket;
        };
        match self.nodes.get_mut(placement.node) {
            Some(node) if node.health == Health::Down => {
                let address = node.config.address;
                node.owe(leg);
                self.done(ticket, Err(Failure::Unanswered { node: address }));
            }
            _ => {
                self.ask(now, placement.node, Command::Delete(leg), Some(ticket), Vec::new());
            }
        }
        ticket
    }

    /// The nodes, in the order of the configuration.
    pub fn nodes(&self, now: Instant) -> impl Iterator<Item = NodeStatus> {
        self.nodes.iter().map(move |node| node.status(now))
    }

    /// The node that has a call.
    #[must_use]
    pub fn node_of(&self, call_id: &[u8]) -> Option<SocketAddr> {
        self.nodes.get(self.calls.get(call_id)?.node).map(|node| node.config.address)
    }

    /// A datagram has arrived. Whether it is from a node and answers something that was asked of that node.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> bool {
        let Some((id, reply)) = self.answered(from, bytes) else { return false };
        let Some(exchange) = self.exchanges.remove(&id) else { return false };
        self.deadlines.remove(&(exchange.due, id));
        let limits = self.limits;
        if let Some(node) = self.nodes.get_mut(exchange.node) {
            if exchange.sendings == 1 {
                node.statistics.round_trip = Some(now.saturating_since(exchange.begun));
            }
            // Whatever it says, it is there; a ping is for a node from which nothing is heard.
            node.ping_at = now + limits.ping_every;
        }
        self.rise(now, exchange.node);
        self.conclude(now, exchange, reply);
        true
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Instant) {
        for index in 0..self.nodes.len() {
            let due = self.nodes.get_mut(index).filter(|node| node.ping_at <= now);
            if let Some(node) = due {
                node.ping_at = Instant::NEVER;
                self.ask(now, index, Command::Ping, None, Vec::new());
            }
        }
        while let Some((due, id)) = self.deadlines.first().copied().filter(|(due, _)| *due <= now) {
            self.deadlines.remove(&(due, id));
            let Some(exchange) = self.exchanges.get_mut(&id) else { continue };
            if let Some(next) = exchange.send_again(now, &self.limits) {
                self.deadlines.insert((next, id));
                if let Some(node) = self.nodes.get_mut(exchange.node) {
                    node.statistics.retransmissions += u64::from(exchange.ticket.is_some());
                    let (to, bytes) = (node.config.address, exchange.message.clone());
                    self.outputs.push_back(Output::Transmit { to, bytes });
                }
            } else {
                let node = exchange.node;
                self.fall(now, node);
            }
        }
    }

    /// What is to be done. Call it until it says [`Output::Timeout`].
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| {
            let pings = self.nodes.iter().map(|node| node.ping_at).min().unwrap_or(Instant::NEVER);
            let answers = self.deadlines.first().map_or(Instant::NEVER, |(due, _)| *due);
            Output::Timeout(pings.min(answers))
        })
    }

    fn ticket(&mut self) -> Ticket {
        self.next += 1;
        Ticket(self.next)
    }

    fn done(&mut self, ticket: Ticket, outcome: Result<Done, Failure>) {
        self.outputs.push_back(Output::Done { ticket, outcome });
    }

    /// The exchange that these octets of that node answer.
    fn answered(&self, from: SocketAddr, bytes: &[u8]) -> Option<(u64, Reply)> {
        let (cookie, rest) = cookie(bytes)?;
        let exchange = self.exchanges.get(&Exchange::id_in(cookie)?)?;
        let node = self.nodes.get(exchange.node)?;
        let is_answer = node.config.address == from && exchange.cookie() == cookie;
        Some((exchange.id, Reply::parse(rest).ok().filter(|_| is_answer)?))
    }

    /// The node for an offer of this call: its own while that lives.
    fn place(&mut self, now: Instant, call_id: &[u8], tried: &[usize]) -> Option<usize> {
        if let Some(placement) = self.calls.get(call_id)
            && self.lives(placement.node)
            && !tried.contains(&placement.node)
        {
            return Some(placement.node);
        }
        let node = choose(&self.nodes, call_id, tried, now)?;
        self.forget(call_id);
        self.calls.insert(call_id.to_vec(), Placement { node, established: false });
        if let Some(node) = self.nodes.get_mut(node) {
            node.statistics.calls += 1;
        }
        Some(node)
    }

    fn lives(&self, index: usize) -> bool {
        self.nodes.get(index).is_some_and(|node| node.health != Health::Down)
    }

    fn forget(&mut self, call_id: &[u8]) {
        let Some(placement) = self.calls.remove(call_id) else { return };
        if let Some(node) = self.nodes.get_mut(placement.node) {
            node.statistics.calls = node.statistics.calls.saturating_sub(1);
        }
    }

    fn ask_where_the_call_is(&mut self, now: Instant, command: Command) -> Ticket {
        let ticket = self.ticket();
        let placement = command.leg().and_then(|leg| self.calls.get(&leg.call_id)).copied();
        let node = placement.and_then(|placement| self.nodes.get(placement.node));
        match (placement, node) {
            (Some(placement), Some(node)) if node.health != Health::Down => {
                self.ask(now, placement.node, command, Some(ticket), Vec::new());
            }
            (_, Some(node)) => {
                let node = node.config.address;
                self.done(ticket, Err(Failure::Unanswered { node }));
            }
            _ => self.done(ticket, Err(Failure::UnknownCall)),
        }
        ticket
    }

    /// Asks a node. Gives the exchange that begins, unless the command is too long.
    fn ask(
        &mut self,
        now: Instant,
        index: usize,
        command: Command,
        ticket: Option<Ticket>,
        tried: Vec<usize>,
    ) -> Option<&mut Exchange> {
        self.next += 1;
        let exchange =
            Exchange::new(self.next, now, index, command, ticket, tried, &self.limits, &mut self.entropy);
        if exchange.message.len() > LARGEST_DATAGRAM {
            if let Some(ticket) = ticket {
                self.done(ticket, Err(Failure::TooLarge));
            }
            return None;
        }
        let node = self.nodes.get_mut(index)?;
        node.statistics.requests += u64::from(!matches!(exchange.command, Command::Ping));
        self.outputs.push_back(Output::Transmit { to: node.config.address, bytes: exchange.message.clone() });
        self.deadlines.insert((exchange.due, exchange.id));
        Some(self.exchanges.entry(exchange.id).or_insert(exchange))
    }

    fn conclude(&mut self, now: Instant, exchange: Exchange, reply: Reply) {
        let Some(node) = self.nodes.get_mut(exchange.node) else { return };
        let address = node.config.address;
        let outcome = match (&exchange.command, reply) {
            (Command::Ping, _) => return,
            (Command::Offer(asked) | Command::Answer(asked), Reply::Description(translated)) => {
                if let Some(placement) = self.calls.get_mut(&asked.leg.call_id) {
                    placement.established |= placement.node == exchange.node;
                }
                Ok(Done::Description(tidied(&translated, asked.reader)))
            }
            (Command::Delete(_) | Command::Query(_), Reply::Figures(figures)) => Ok(Done::Figures(figures)),
            (_, Reply::LoadLimit) => {
                node.statistics.load_limits += 1;
                node.limited_until = now + self.limits.limited_for;
                Err(Failure::LoadLimit)
            }
            // It has given the call up, or has been started anew since.
            (Command::Query(_), Reply::Error(reason)) if is_unknown(&reason) => Err(Failure::UnknownCall),
            (_, Reply::Error(reason)) => {
                node.statistics.errors += 1;
                Err(Failure::Refused { node: address, reason })
            }
            (_, Reply::Pong | Reply::Description(_) | Reply::Figures(_)) => {
                node.statistics.errors += 1;
                Err(Failure::Refused { node: address, reason: "its answer is to another question".into() })
            }
        };
        match outcome {
            Err(failure) => self.elsewhere(now, exchange, failure),
            Ok(done) => {
                if let Some(ticket) = exchange.ticket {
                    self.done(ticket, Ok(done));
                }
                if let Some(answer) = exchange.then {
                    self.agree_again(now, exchange.node, *answer);
                }
            }
        }
    }

    /// The offer that held before is made again: so is its answer, unless a new offer has come meanwhile.
    fn agree_again(&mut self, now: Instant, node: usize, answer: Description) {
        let agreement = self.agreements.get(&answer.leg.call_id);
        if agreement.is_some_and(|agreement| !agreement.is_open()) {
            self.ask(now, node, Command::Answer(answer), None, Vec::new());
        }
    }

    /// A node did not do as it was asked: perhaps another one does. Only offers can move, and only while the node
    /// has nothing of the call that counts: no leg yet, or no life left.
    fn elsewhere(&mut self, now: Instant, exchange: Exchange, failure: Failure) {
        let Some(ticket) = exchange.ticket else { return };
        let Exchange { node, command, mut tried, .. } = exchange;
        let Command::Offer(offer) = command else { return self.done(ticket, Err(failure)) };
        let dead = self.nodes.get(node).is_none_or(|node| node.health == Health::Down);
        let placement = self.calls.get(&offer.leg.call_id);
        let bound = placement.is_some_and(|placement| placement.node == node && placement.established);
        if bound && !dead {
            return self.done(ticket, Err(failure));
        }
        tried.push(node);
        let call_id = offer.leg.call_id.clone();
        match self.place(now, &call_id, &tried) {
            Some(next) => {
                self.abandon(now, node, &offer.leg);
                self.ask(now, next, Command::Offer(offer), Some(ticket), tried);
            }
            None => {
                let failure = if dead { Failure::NoNode } else { failure };
                self.done(ticket, Err(failure));
            }
        }
    }

    /// The call has left that node: what it may have made of it is not to stay.
    fn abandon(&mut self, now: Instant, index: usize, leg: &Leg) {
        let leg = Leg { via_branch: None, ..leg.clone() };
        match self.nodes.get_mut(index) {
            Some(node) if node.health == Health::Down => node.owe(leg),
            _ => {
                self.ask(now, index, Command::Delete(leg), None, Vec::new());
            }
        }
    }

    /// A node answers. What it missed is made good.
    fn rise(&mut self, now: Instant, index: usize) {
        let Some(node) = self.nodes.get_mut(index).filter(|node| node.health != Health::Up) else { return };
        node.health = Health::Up;
        let (address, owed) = (node.config.address, std::mem::take(&mut node.owed));
        self.outputs.push_back(Output::Health { node: address, health: Health::Up });
        for leg in owed {
            self.ask(now, index, Command::Delete(leg), None, Vec::new());
        }
    }

    /// A node does not answer: all that was asked of it is answered here, and it is asked again later.
    fn fall(&mut self, now: Instant, index: usize) {
        let ping_at = now + self.limits.retry_every;
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.ping_at = ping_at;
        let address = node.config.address;
        if node.health != Health::Down {
            node.health = Health::Down;
            self.outputs.push_back(Output::Health { node: address, health: Health::Down });
        }
        let mut lost: Vec<u64> =
            self.exchanges.values().filter(|exchange| exchange.node == index).map(|lost| lost.id).collect();
        lost.sort_unstable();
        for id in lost {
            let Some(exchange) = self.exchanges.remove(&id) else { continue };
            self.deadlines.remove(&(exchange.due, id));
            if let Some(node) = self.nodes.get_mut(index) {
                node.statistics.unanswered += u64::from(!matches!(exchange.command, Command::Ping));
                if let Command::Delete(leg) = &exchange.command {
                    node.owe(leg.clone());
                }
            }
            self.elsewhere(now, exchange, Failure::Unanswered { node: address });
        }
    }
}

/// Whether rtpengine says that it has no such call.
fn is_unknown(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("unknown call")
}
