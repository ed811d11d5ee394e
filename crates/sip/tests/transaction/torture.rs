//! Two transaction layers joined by a link that loses, doubles, delays and reorders, with users that do all that
//! users may do. Whatever happens: each request has one outcome, nothing leaks, no ACK goes astray.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sip::dialog::{SuccessRetransmission, SuccessStep};
use sip::{
    ClientKey, Entropy, Instant, Message, Method, Output, Received, SeededEntropy, ServerKey, Timers,
    Transactions,
};

use crate::stage::{Peer, TCP, UDP, request, tagged};

/// How many requests one run makes.
const REQUESTS: usize = 24;

/// What happens to datagrams, in percent and milliseconds.
#[derive(Clone, Copy, Debug)]
struct Link {
    loss: u64,
    doubling: u64,
    delay: u64,
    /// How often the stream connection breaks.
    breaks: u64,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Client,
    Server,
}

enum Happening {
    Arrival { at: Side, hop: Peer, bytes: Arc<[u8]> },
    Start { number: usize },
    Cancel { number: usize },
    Answer { key: ServerKey, request: Arc<Message>, status: u16 },
    Repeat { number: usize },
    Break,
}

#[derive(Default)]
struct Call {
    key: Option<ClientKey>,
    invite: bool,
    outcome: Option<u16>,
    cancelled: bool,
    ended: u32,
    /// The server's side of it.
    received: u32,
    answered: Option<u16>,
    pending: Option<(ServerKey, Arc<Message>)>,
    repeating: Option<(ServerKey, SuccessRetransmission)>,
    /// Timer H fired: an ACK under way may still arrive, and nobody knows it any more.
    gave_up: bool,
}

struct World {
    now: Instant,
    entropy: SeededEntropy,
    link: Link,
    timers: Timers,
    client: Transactions<Peer>,
    server: Transactions<Peer>,
    happenings: BTreeMap<(Instant, u64), Happening>,
    sequence: u64,
    calls: Vec<Call>,
    clients: HashMap<ClientKey, usize>,
    servers: HashMap<ServerKey, usize>,
}

impl World {
    fn new(seed: u64, link: Link) -> Self {
        let mut entropy = SeededEntropy::new(seed);
        let timers =
            if entropy.number().is_multiple_of(2) { Timers::default() } else { Timers::with_trying() };
        let mut world = Self {
            now: Instant::ZERO,
            link,
            timers,
            client: Transactions::new(timers, &mut entropy),
            server: Transactions::new(timers, &mut entropy),
            entropy,
            happenings: BTreeMap::new(),
            sequence: 0,
            calls: Vec::new(),
            clients: HashMap::new(),
            servers: HashMap::new(),
        };
        for number in 0..REQUESTS {
            world.calls.push(Call::default());
            let at = world.below(20_000);
            world.after(at, Happening::Start { number });
        }
        for _ in 0..link.breaks {
            let at = world.below(40_000);
            world.after(at, Happening::Break);
        }
        world
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.entropy.number() % limit.max(1)
    }

    fn after(&mut self, milliseconds: u64, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert((self.now + Duration::from_millis(milliseconds), self.sequence), happening);
    }

    fn transmit(&mut self, to: Side, hop: Peer, bytes: &Arc<[u8]>) {
        let arrival = || Happening::Arrival { at: to, hop, bytes: Arc::clone(bytes) };
        if let Peer::Stream(_) = hop {
            self.after(20, arrival());
            return;
        }
        let copies = if self.below(100) < self.link.doubling { 2 } else { 1 };
        for _ in 0..copies {
            if self.below(100) >= self.link.loss {
                let delay = self.below(self.link.delay);
                self.after(delay, arrival());
            }
        }
    }

    /// Runs until nothing can happen any more.
    fn run(&mut self) {
        for _ in 0..1_000_000 {
            self.drain();
            let next = [
                self.happenings.keys().next().map(|(at, _)| *at),
                self.client.next_timeout(),
                self.server.next_timeout(),
            ];
            let Some(next) = next.into_iter().flatten().min() else { return };
            assert!(next >= self.now, "time runs forward");
            self.now = next;
            self.client.timeout(next);
            self.server.timeout(next);
            self.drain();
            while let Some(entry) = self.happenings.first_entry().filter(|entry| entry.key().0 <= next) {
                let happening = entry.remove();
                self.happen(happening);
                self.drain();
            }
        }
        panic!("the world does not come to rest");
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start { number } => self.start(number),
            Happening::Cancel { number } => {
                let call = &mut self.calls[number];
                call.cancelled = true;
                self.client.cancel(self.now, call.key.unwrap(), Some(b"SIP;cause=487"));
            }
            Happening::Arrival { at: Side::Client, hop, bytes } => self.at_client(hop, &bytes),
            Happening::Arrival { at: Side::Server, hop, bytes } => self.at_server(hop, &bytes),
            Happening::Answer { key, request, status } => self.answer(key, &request, status),
            Happening::Repeat { number } => self.repeat(number),
            Happening::Break => {
                self.happenings
                    .retain(|_, held| !matches!(held, Happening::Arrival { hop: Peer::Stream(_), .. }));
                self.client.unreachable(self.now, &TCP);
                self.server.unreachable(self.now, &TCP);
            }
        }
    }

    fn start(&mut self, number: usize) {
        let invite = self.below(3) > 0;
        let hop = if self.below(4) == 0 { TCP } else { UDP };
        let method = if invite { Method::Invite } else { Method::Message };
        let key = self.client.request(self.now, hop, request(method, &format!("z9hG4bK-{number}")));
        self.calls[number].key = Some(key);
        self.calls[number].invite = invite;
        self.clients.insert(key, number);
        if invite {
            // A user's patience, such as Timer C (RFC 3261 §16.6 item 11).
            self.after(180_000, Happening::Cancel { number });
        }
        if invite && self.below(3) == 0 {
            let after = self.below(8_000);
            self.after(after, Happening::Cancel { number });
        }
    }

    fn at_client(&mut self, hop: Peer, bytes: &[u8]) {
        match self.client.receive(self.now, &hop, Message::parse(bytes).unwrap()) {
            Received::Response { key, response } => {
                let number = self.clients[&key];
                let status = response.status().unwrap();
                let call = &mut self.calls[number];
                // Over a reliable transport the final response itself ends the transaction.
                assert!(call.ended == 0 || call.outcome.is_none(), "nothing after the end");
                if status < 200 {
                    assert_eq!(call.outcome, None, "no provisional response after the final one");
                    return;
                }
                let repeated_success = call.invite && status < 300 && call.outcome == Some(status);
                assert!(call.outcome.is_none() || repeated_success, "one final response for each request");
                call.outcome = Some(status);
                if call.invite && status < 300 {
                    let ack: Arc<[u8]> =
                        request(Method::Ack, &format!("z9hG4bK-ack-{number}")).as_bytes().into();
                    self.transmit(Side::Server, hop, &ack);
                }
            }
            Received::StrayResponse { response } => {
                // Late ones only: their request has its outcome.
                let number = number_of(&response);
                assert!(self.calls[number].ended > 0 || response.cseq().unwrap().method == Method::Cancel);
            }
            Received::Absorbed => {}
            other => panic!("the client received {other:?}"),
        }
    }

    fn at_server(&mut self, hop: Peer, bytes: &[u8]) {
        match self.server.receive(self.now, &hop, Message::parse(bytes).unwrap()) {
            Received::Request { key, request } => self.serve(key, request),
            Received::Cancel { key, invite, request } => {
                let number = number_of(&request);
                let status = if invite.is_some() { 200 } else { 481 };
                self.server.respond(self.now, key, tagged(&request, status, "b1").as_bytes().to_vec());
                if let Some((pending, request)) = self.calls[number].pending.clone() {
                    assert_eq!(invite, Some(pending), "a CANCEL finds its INVITE");
                    self.answer(pending, &request, 487);
                }
            }
            Received::Ack { request } => {
                let number = number_of(&request);
                let call = &mut self.calls[number];
                assert!(
                    call.gave_up || matches!(call.answered, Some(200..=299)),
                    "an ACK for another response than 2xx is absorbed"
                );
                if call
                    .repeating
                    .as_ref()
                    .is_some_and(|(_, repeating)| repeating.is_acknowledged_by(&request))
                {
                    call.repeating = None;
                }
            }
            Received::Absorbed => {}
            other => panic!("the server received {other:?}"),
        }
    }

    /// The server's user: rings or not, answers sooner or later, or (except to INVITE) never.
    fn serve(&mut self, key: ServerKey, request: Arc<Message>) {
        let number = number_of(&request);
        self.servers.insert(key, number);
        let call = &mut self.calls[number];
        call.received += 1;
        assert_eq!(call.received, 1, "the user sees each request once");
        let invite = request.method() == Some(Method::Invite);
        call.pending = invite.then(|| (key, Arc::clone(&request)));
        let mut at = self.below(400);
        for status in [100, 180] {
            if self.below(2) == 0 {
                self.after(at, Happening::Answer { key, request: Arc::clone(&request), status });
                at += self.below(3_000);
            }
        }
        let statuses = [200, 200, 202, 404, 486, 603, 408];
        let status = statuses[self.below(statuses.len() as u64) as usize];
        if invite || self.below(8) > 0 {
            at += self.below(if invite { 30_000 } else { 2_000 });
            self.after(at, Happening::Answer { key, request, status });
        }
    }

    fn answer(&mut self, key: ServerKey, request: &Arc<Message>, status: u16) {
        let number = number_of(request);
        let response = tagged(request, status, "b1");
        let call = &mut self.calls[number];
        if call.answered.is_some() {
            return;
        }
        if status >= 200 {
            call.answered = Some(status);
            call.pending = None;
            if call.invite && status < 300 {
                let bytes: Arc<[u8]> = response.as_bytes().into();
                let repeating = SuccessRetransmission::new(self.now, &self.timers, bytes, 7);
                call.repeating = Some((key, repeating));
                self.after(500, Happening::Repeat { number });
            }
        }
        self.server.respond(self.now, key, response.as_bytes().to_vec());
    }

    fn repeat(&mut self, number: usize) {
        let Some((key, repeating)) = self.calls[number].repeating.as_mut() else { return };
        match repeating.timeout(self.now, &self.timers) {
            SuccessStep::Wait => {}
            SuccessStep::Transmit(bytes) => self.server.respond(self.now, *key, bytes.to_vec()),
            SuccessStep::Unacknowledged => {
                self.calls[number].repeating = None;
                return;
            }
        }
        let wait = repeating.next_timeout().saturating_since(self.now).as_millis() as u64;
        self.after(wait.max(1), Happening::Repeat { number });
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::Transmit { to, bytes } => self.transmit(Side::Server, to, &bytes),
                Output::TimedOut { key } => {
                    let call = &mut self.calls[self.clients[&key]];
                    assert_eq!(call.outcome, None, "no timeout after a final response");
                    call.outcome = Some(408);
                }
                Output::Unreachable { key } => {
                    let call = &mut self.calls[self.clients[&key]];
                    assert_eq!(call.outcome, None, "no transport error after a final response");
                    call.outcome = Some(503);
                }
                Output::ClientEnded { key } => self.calls[self.clients[&key]].ended += 1,
                other => panic!("the client put out {other:?}"),
            }
        }
        while let Some(output) = self.server.poll() {
            match output {
                Output::Transmit { to, bytes } => self.transmit(Side::Client, to, &bytes),
                Output::NoAck { key } => self.calls[self.servers[&key]].gave_up = true,
                Output::ServerEnded { .. } => {}
                other => panic!("the server put out {other:?}"),
            }
        }
    }

    fn check(&self) {
        assert!(self.client.is_empty(), "the client leaks {}", self.client.len());
        assert!(self.server.is_empty(), "the server leaks {}", self.server.len());
        for (number, call) in self.calls.iter().enumerate() {
            let outcome = call.outcome.unwrap_or_else(|| panic!("request {number} has no outcome"));
            assert_eq!(call.ended, 1, "request {number} ends once");
            if let Some(answered) = call.answered.filter(|_| !matches!(outcome, 408 | 503)) {
                assert_eq!(outcome, answered, "request {number} got the answer that was given");
            }
            if outcome == 487 {
                assert!(call.cancelled);
            }
        }
    }
}

/// The request's number, out of the branch that both directions carry.
fn number_of(message: &Message) -> usize {
    let branch = message.top_via().unwrap().branch().unwrap();
    let digits = branch.rsplit(|byte| *byte == b'-').next().unwrap();
    core::str::from_utf8(digits).unwrap().parse().unwrap()
}

/// How many times the usual number of seeds is run: `SIPWEB_TORTURE=100` for a long night.
fn more() -> u64 {
    std::env::var("SIPWEB_TORTURE").ok().and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

/// One run; the seed is printed when it fails, and replays it.
fn one(seed: u64, link: Link) -> World {
    println!("seed {seed}, {link:?}");
    let mut world = World::new(seed, link);
    world.run();
    world.check();
    world
}

fn run(seeds: core::ops::Range<u64>, link: Link) {
    for seed in seeds.start..seeds.start + (seeds.end - seeds.start) * more() {
        one(seed, link);
    }
}

#[test]
fn over_a_good_link_every_request_gets_its_answer() {
    for seed in 0..50 * more() {
        let world = one(seed, Link { loss: 0, doubling: 0, delay: 50, breaks: 0 });
        for call in &world.calls {
            assert!(call.answered.is_none() || call.outcome == call.answered);
        }
    }
}

#[test]
fn over_a_link_that_doubles_and_reorders() {
    run(1_000..1_200, Link { loss: 0, doubling: 50, delay: 400, breaks: 0 });
}

#[test]
fn over_a_lossy_link() {
    run(2_000..2_200, Link { loss: 25, doubling: 10, delay: 300, breaks: 0 });
}

#[test]
fn over_a_hopeless_link() {
    run(3_000..3_100, Link { loss: 70, doubling: 20, delay: 400, breaks: 0 });
}

#[test]
fn over_a_dead_link() {
    run(4_000..4_010, Link { loss: 100, doubling: 0, delay: 1, breaks: 0 });
}

#[test]
fn over_connections_that_break() {
    run(5_000..5_200, Link { loss: 10, doubling: 10, delay: 200, breaks: 6 });
}
