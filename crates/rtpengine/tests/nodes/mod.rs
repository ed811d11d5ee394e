//! Nodes that behave as they are told, a clock, and the datagrams between them and the fleet.

use rtpengine::bencode::Value;
use rtpengine::{
    Description, Done, Failure, Fleet, Health, Leg, Limits, NodeConfig, Output, Peer, Ticket, cookie,
};
use sip::{Entropy, Instant, SeededEntropy};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) struct Behaviour {
    pub(crate) dead: bool,
    pub(crate) full: bool,
    pub(crate) refuses: bool,
    /// Answers each question twice.
    pub(crate) doubles: bool,
    /// As many datagrams are lost before one gets through.
    pub(crate) loses: usize,
    pub(crate) translation: Vec<u8>,
}

impl Default for Behaviour {
    fn default() -> Self {
        let translation = b"v=0 translated\r\n".to_vec();
        Self { dead: false, full: false, refuses: false, doubles: false, loses: 0, translation }
    }
}

pub(crate) struct SimulatedNode {
    pub(crate) address: SocketAddr,
    pub(crate) behaviour: Behaviour,
    pub(crate) received: Vec<Vec<u8>>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) fleet: Fleet,
    pub(crate) nodes: Vec<SimulatedNode>,
    outcomes: HashMap<Ticket, Vec<Result<Done, Failure>>>,
    chance: Option<SeededEntropy>,
    /// Answers on their way back.
    answers: Vec<(SocketAddr, Vec<u8>)>,
}

/// The texts of a question by their names.
pub(crate) struct Question(HashMap<String, String>);

impl Question {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn leg(call: &str, branch: Option<&str>) -> Leg {
    Leg { call_id: call.into(), from_tag: b"a".into(), to_tag: None, via_branch: branch.map(Into::into) }
}

/// What alice's browser offers on a branch to a phone.
pub(crate) fn offer(call: &str, branch: &str) -> Description {
    let sdp = b"v=0\r\n".to_vec();
    Description { leg: leg(call, Some(branch)), writer: Peer::Browser, reader: Peer::Phone, sdp }
}

impl World {
    pub(crate) fn new(weights: &[u32]) -> Self {
        let address = |index| format!("192.0.2.{}:2223", index + 1).parse().unwrap();
        let configs: Vec<NodeConfig> = weights
            .iter()
            .enumerate()
            .map(|(index, weight)| NodeConfig { address: address(index), weight: *weight })
            .collect();
        let nodes = configs
            .iter()
            .map(|config| SimulatedNode {
                address: config.address,
                behaviour: Behaviour::default(),
                received: Vec::new(),
            })
            .collect();
        let now = Instant::from_secs(1000);
        let fleet = Fleet::new(now, configs, Limits::default(), Box::new(SeededEntropy::new(7)));
        Self { now, fleet, nodes, outcomes: HashMap::new(), chance: None, answers: Vec::new() }
    }

    /// One in which each datagram may get lost.
    pub(crate) fn with_chance(weights: &[u32], seed: u64) -> Self {
        Self { chance: Some(SeededEntropy::new(seed)), ..Self::new(weights) }
    }

    pub(crate) fn offer(&mut self, offer: Description) -> Ticket {
        self.fleet.offer(self.now, offer)
    }

    pub(crate) fn answer(&mut self, answer: Description) -> Ticket {
        self.fleet.answer(self.now, answer)
    }

    pub(crate) fn delete(&mut self, call: &str) -> Ticket {
        self.fleet.delete(self.now, leg(call, None))
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_for(Duration::from_secs(seconds));
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let next = self.settle();
            if next > end {
                break;
            }
            self.now = next.max(self.now);
            self.fleet.timeout(self.now);
        }
        self.now = end;
    }

    /// Runs until the outcome is there.
    pub(crate) fn outcome(&mut self, ticket: Ticket) -> Result<Done, Failure> {
        for _ in 0..1000 {
            let next = self.settle();
            if let Some(outcomes) = self.outcomes.get(&ticket) {
                return outcomes[0].clone();
            }
            self.now = next.max(self.now);
            self.fleet.timeout(self.now);
        }
        panic!("nothing comes of {ticket:?}");
    }

    pub(crate) fn outcomes_of(&self, ticket: Ticket) -> usize {
        self.outcomes.get(&ticket).map_or(0, Vec::len)
    }

    pub(crate) fn node(&mut self, address: SocketAddr) -> &mut SimulatedNode {
        self.nodes.iter_mut().find(|node| node.address == address).unwrap()
    }

    pub(crate) fn health(&self, index: usize) -> Health {
        self.fleet.nodes(self.now).nth(index).unwrap().health
    }

    /// Commands and calls of what a node has received.
    pub(crate) fn asked(&mut self, node: SocketAddr) -> Vec<(String, String)> {
        let questions = self.node(node).received.iter().map(|datagram| question(datagram));
        let text = |question: &Question, name| question.get(name).unwrap_or_default().to_owned();
        questions.map(|question| (text(&question, "command"), text(&question, "call-id"))).collect()
    }

    pub(crate) fn last_question(&self, command: &str) -> Question {
        let all = self.nodes.iter().flat_map(|node| &node.received).rev();
        all.map(|datagram| question(datagram)).find(|found| found.get("command") == Some(command)).unwrap()
    }

    /// What the fleet sends now; it is lost.
    pub(crate) fn flush_unanswered(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        while let Output::Transmit { bytes, .. } = self.fleet.poll() {
            sent.push(bytes);
        }
        sent
    }

    /// Something happens to a node.
    pub(crate) fn meddle(&mut self) {
        let chance = self.chance.as_mut().unwrap();
        let node = chance.number() as usize % self.nodes.len();
        let behaviour = &mut self.nodes[node].behaviour;
        match chance.number() % 12 {
            0 => behaviour.dead = !behaviour.dead,
            1 => behaviour.full = !behaviour.full,
            2 => behaviour.refuses = !behaviour.refuses,
            3 => behaviour.doubles = !behaviour.doubles,
            _ => {}
        }
    }

    pub(crate) fn heal(&mut self) {
        self.chance = None;
        self.nodes.iter_mut().for_each(|node| node.behaviour = Behaviour::default());
    }

    /// Carries datagrams until there are none, and says when the fleet wants to be woken.
    fn settle(&mut self) -> Instant {
        loop {
            match self.fleet.poll() {
                Output::Transmit { to, bytes } => self.deliver(to, bytes),
                Output::Done { ticket, outcome } => self.outcomes.entry(ticket).or_default().push(outcome),
                Output::Health { .. } => {}
                Output::Timeout(at) => {
                    if self.answers.is_empty() {
                        return at;
                    }
                    self.now += Duration::from_millis(1);
                    for (from, bytes) in std::mem::take(&mut self.answers) {
                        self.fleet.receive(self.now, from, &bytes);
                    }
                }
            }
        }
    }

    fn deliver(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        let lost = self.chance.as_mut().is_some_and(|chance| chance.number() % 4 == 0);
        let node = self.nodes.iter_mut().find(|node| node.address == to).unwrap();
        if node.behaviour.dead || lost {
            return;
        }
        node.received.push(bytes.clone());
        if node.behaviour.loses > 0 {
            node.behaviour.loses -= 1;
            return;
        }
        let answer = node.answer(&bytes);
        for _ in 0..=usize::from(node.behaviour.doubles) {
            self.answers.push((to, answer.clone()));
        }
    }
}

impl SimulatedNode {
    fn answer(&self, bytes: &[u8]) -> Vec<u8> {
        let (cookie, _) = cookie(bytes).unwrap();
        let asked = question(bytes);
        let command = asked.get("command").unwrap();
        let mut answer = vec![];
        let mut say = |name: &'static str, value| answer.push((name.as_bytes(), value));
        match command {
            "ping" => say("result", Value::from("pong")),
            "offer" if self.behaviour.full => say("result", "load limit".into()),
            "offer" | "answer" if self.behaviour.refuses => {
                say("result", "error".into());
                say("error-reason", "Ran out of ports".into());
            }
            "offer" | "answer" => {
                say("sdp", Value::Octets(&self.behaviour.translation));
                say("result", "ok".into());
            }
            _ => {
                let stats = Value::Dictionary(vec![(b"packets", Value::Integer(17))]);
                let stream = Value::Dictionary(vec![(b"stats", stats)]);
                let media = Value::Dictionary(vec![(b"streams", Value::List(vec![stream]))]);
                let leg = Value::Dictionary(vec![(b"medias", Value::List(vec![media]))]);
                say("tags", Value::Dictionary(vec![(b"a", leg)]));
                say("result", "ok".into());
            }
        }
        let mut message = [cookie, b" "].concat();
        Value::Dictionary(answer).write(&mut message);
        message
    }
}

fn question(datagram: &[u8]) -> Question {
    let (_, rest) = cookie(datagram).unwrap();
    let value = Value::parse(rest).unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let entries = value.entries().iter();
    Question(entries.filter_map(|(name, value)| Some((text(name), text(value.octets()?)))).collect())
}
