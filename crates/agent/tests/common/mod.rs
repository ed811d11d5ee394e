//! Agents under virtual time: one against a script, or two against each other.

use agent::{
    Agent, CallNumber, CallOptions, Config, Event, Listens, Output, Payload, Settings, TransactionNumber, Via,
};
use core::time::Duration;
use sip::message::Message;
use sip::{Builder, Instant, SeededEntropy, Transport};

pub(crate) const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
pub(crate) const ANSWER: &str =
    "v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";

/// One agent, and what it has said that nobody has taken yet.
pub(crate) struct Phone {
    pub(crate) agent: Agent,
    pub(crate) sent: Vec<Message>,
    pub(crate) events: Vec<Event>,
    pub(crate) deadline: Instant,
}

/// The configuration of `user`, who listens to everything.
pub(crate) fn config(user: &str) -> Config {
    let mut config = Config::new(&format!("sip:{user}@example.org"));
    config.settings = Settings {
        password: Some("secret".into()),
        listens: Listens {
            calls: true,
            messages: true,
            options: false,
            subscriptions: true,
            refers: true,
            others: true,
        },
        ..Settings::default()
    };
    config
}

impl Phone {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        let agent =
            Agent::new(config, Box::new(SeededEntropy::new(seed))).expect("the configuration is good");
        Self { agent, sent: Vec::new(), events: Vec::new(), deadline: Instant::NEVER }
    }

    /// An agent of `user` on an open WebSocket.
    pub(crate) fn connected(user: &str, seed: u64) -> Self {
        let mut phone = Self::new(config(user), seed);
        phone.agent.connected(Instant::ZERO, Via::new(Transport::Ws));
        phone.drain();
        phone
    }

    /// Takes what the agent puts out.
    pub(crate) fn drain(&mut self) {
        loop {
            match self.agent.poll() {
                Output::Transmit { bytes, .. } => {
                    let message = Message::parse(&bytes).expect("agents write messages that parse");
                    if let Err(fault) = message.check() {
                        panic!("{fault} in {}", String::from_utf8_lossy(&bytes));
                    }
                    self.sent.push(message);
                }
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    /// What the agent has sent since the last time, as `METHOD` or status.
    pub(crate) fn take_sent(&mut self) -> Vec<Message> {
        self.drain();
        core::mem::take(&mut self.sent)
    }

    /// The one message that the agent has sent since the last time.
    pub(crate) fn only_sent(&mut self) -> Message {
        let mut sent = self.take_sent();
        assert_eq!(sent.len(), 1, "expected one message, not {:?}", lines(&sent));
        sent.remove(0)
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.drain();
        core::mem::take(&mut self.events)
    }

    /// The names of the events since the last time.
    pub(crate) fn told(&mut self) -> Vec<String> {
        self.take_events().iter().map(name).collect()
    }

    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.agent.receive(now, bytes);
        self.drain();
    }

    /// Answers `request` as a server would.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        request: &Message,
        status: u16,
        edit: impl FnOnce(Builder) -> Builder,
    ) {
        let builder = Builder::response_to(request, status, "").to_tag(b"server");
        let bytes = edit(builder).finish().expect("the script writes good messages");
        self.receive(now, &bytes);
    }

    /// Lets time pass until `until`, firing every timer on the way.
    pub(crate) fn wait(&mut self, until: Instant) {
        self.drain();
        while self.deadline <= until {
            let at = self.deadline;
            self.agent.timeout(at);
            self.drain();
            assert!(self.deadline > at, "the agent must move its own deadline on");
        }
    }

    /// Starts a call with an offer.
    pub(crate) fn call(&mut self, now: Instant, target: &str) -> CallNumber {
        let (call, _) = self.agent.create_call(now, target, CallOptions::default()).expect("a good target");
        self.agent.invite(now, call, Payload::sdp(OFFER)).expect("a prepared call");
        self.drain();
        call
    }
}

/// The first line of each message.
pub(crate) fn lines(messages: &[Message]) -> Vec<String> {
    messages.iter().map(line).collect()
}

/// `INVITE`, or `200 INVITE`.
pub(crate) fn line(message: &Message) -> String {
    let cseq = message.cseq().expect("agents write a CSeq");
    let method = String::from_utf8_lossy(cseq.method.as_bytes()).into_owned();
    match message.status() {
        Some(status) => format!("{status} {method}"),
        None => method,
    }
}

/// A short name of an event, with the cause if it has one.
pub(crate) fn name(event: &Event) -> String {
    match event {
        Event::Failed { originator, cause, .. } => format!("failed {originator:?} {cause:?}"),
        Event::Ended { originator, cause, .. } => format!("ended {originator:?} {cause:?}"),
        Event::Confirmed { originator, .. } => format!("confirmed {originator:?}"),
        Event::Response { response, .. } => format!("response {}", response.status().unwrap_or(0)),
        Event::RequestFailed { cause, .. } => format!("request failed {cause:?}"),
        Event::RegistrationFailed { cause, .. } => format!("registration failed {cause:?}"),
        other => {
            let text = format!("{other:?}");
            text.split([' ', '{']).next().unwrap_or_default().to_owned()
        }
    }
}

/// Which side of a [`Line`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Alice,
    Bob,
}

/// Decides which messages are lost.
pub(crate) type Loss = Box<dyn FnMut(Side, &Message) -> bool>;

/// Two agents that hear each other.
pub(crate) struct Line {
    pub(crate) alice: Phone,
    pub(crate) bob: Phone,
    pub(crate) now: Instant,
    /// Every message that passed, as `alice INVITE`.
    pub(crate) passed: Vec<String>,
    /// Loses a message if it says so.
    pub(crate) loses: Loss,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self {
            alice: Phone::connected("alice", 1),
            bob: Phone::connected("bob", 2),
            now: Instant::from_secs(1),
            passed: Vec::new(),
            loses: Box::new(|_, _| false),
        }
    }

    /// Carries messages until both are silent.
    pub(crate) fn carry(&mut self) {
        loop {
            let (from_alice, from_bob) = (self.alice.take_sent(), self.bob.take_sent());
            if from_alice.is_empty() && from_bob.is_empty() {
                return;
            }
            for message in from_alice {
                self.passed.push(format!("alice {}", line(&message)));
                if !(self.loses)(Side::Alice, &message) {
                    self.bob.receive(self.now, message.as_bytes());
                }
            }
            for message in from_bob {
                self.passed.push(format!("bob {}", line(&message)));
                if !(self.loses)(Side::Bob, &message) {
                    self.alice.receive(self.now, message.as_bytes());
                }
            }
        }
    }

    /// Lets time pass for both.
    pub(crate) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            self.carry();
            let next = self.alice.deadline.min(self.bob.deadline);
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            self.alice.agent.timeout(self.now);
            self.bob.agent.timeout(self.now);
            self.alice.drain();
            self.bob.drain();
        }
    }

    /// What passed since the last time.
    pub(crate) fn take_passed(&mut self) -> Vec<String> {
        core::mem::take(&mut self.passed)
    }

    /// A call from alice that stands: her number and bob's.
    pub(crate) fn established(&mut self) -> (CallNumber, CallNumber) {
        let alice = self.alice.call(self.now, "sip:bob@example.org");
        self.carry();
        let bob = incoming(&self.bob.take_events());
        self.bob.agent.accept(self.now, bob, 0, &Payload::sdp(ANSWER)).expect("a ringing call");
        self.carry();
        self.alice.agent.acknowledge(self.now, alice, Payload::default()).expect("an accepted call");
        self.carry();
        assert_eq!(self.alice.told(), ["Trying", "Accepted", "confirmed Local"]);
        assert_eq!(self.bob.told(), ["confirmed Remote"]);
        self.take_passed();
        (alice, bob)
    }
}

/// The call that came in.
pub(crate) fn incoming(events: &[Event]) -> CallNumber {
    events
        .iter()
        .find_map(|event| match event {
            Event::IncomingCall { call, .. } => Some(*call),
            _ => None,
        })
        .expect("a call came in")
}

/// The request that waits for a response.
pub(crate) fn transaction(events: &[Event]) -> TransactionNumber {
    events
        .iter()
        .find_map(|event| match event {
            Event::Reoffer { transaction, .. }
            | Event::DialogRequest { transaction, .. }
            | Event::IncomingRequest { transaction, .. } => Some(*transaction),
            _ => None,
        })
        .expect("a request came in")
}
