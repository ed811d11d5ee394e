//! A phone: an agent, and somebody who uses it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use agent::{
    Agent, CallNumber, CallOptions, Cause, CommandError, Config, Ending, Event, Listens, Originator, Output,
    Payload, RequestNumber, Settings, TransactionNumber, Via,
};
use sip::{Instant, Message, SeededEntropy, Transport};

/// What a caller offers. The simulator carries no media: any description will do.
const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.77\r\ns=-\r\nc=IN IP4 192.0.2.77\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\n";
/// What the called side answers.
const ANSWER: &str =
    "v=0\r\no=- 2 1 IN IP4 192.0.2.88\r\ns=-\r\nc=IN IP4 192.0.2.88\r\nt=0 0\r\nm=audio 3456 RTP/AVP 0\r\n";

/// What somebody does when the phone rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The phone rings after the first span (counted from the INVITE), and is answered after the second.
    Answers(Duration, Duration),
    /// The phone refuses with a status after a span, without ringing.
    Refuses(u16, Duration),
    /// The phone rings, and nobody comes.
    Rings,
    /// The phone does not even ring: its user is never told.
    Nothing,
}

/// How somebody uses the phone.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// What happens when it rings.
    pub reaction: Reaction,
    /// How long after the call stands this side hangs up; `None`: the other side must.
    pub hangs_up_after: Option<Duration>,
    /// The answer to a MESSAGE.
    pub message_status: u16,
}

impl Default for Habits {
    fn default() -> Self {
        let reaction = Reaction::Answers(Duration::from_millis(100), Duration::from_secs(2));
        Self { reaction, hangs_up_after: None, message_status: 200 }
    }
}

/// Something that the user of a phone does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Opens the connection, or comes on the network.
    Connect,
    /// Loses the connection without a word.
    Disconnect,
    /// Registers.
    Register,
    /// Takes the registration back.
    Unregister,
    /// Calls somebody.
    Call(String),
    /// Says that the phone rings.
    Ring(CallNumber),
    /// Answers.
    Answer(CallNumber),
    /// Refuses.
    Refuse(CallNumber, u16),
    /// Acknowledges the 2xx.
    Acknowledge(CallNumber),
    /// Hangs up one call, whatever its state.
    HangUp(CallNumber),
    /// Hangs up every call.
    HangUpAll,
    /// Sends a re-INVITE in each call that stands.
    Reinvite,
    /// Sends a re-INVITE in one call, since the agent asks for it.
    Refresh(CallNumber),
    /// Responds to a request.
    Respond(TransactionNumber, u16, bool),
    /// Sends a request outside dialogs: method, target.
    Request(String, String),
    /// Writes somebody a text message.
    Write(String, String),
}

/// How a phone is set up.
#[derive(Clone, Debug)]
pub struct PhoneSetup {
    /// The name on the ladder.
    pub name: String,
    /// The user part of the address of record.
    pub user: String,
    /// The domain of the address of record.
    pub domain: String,
    /// The password.
    pub password: String,
    /// The transport to the server.
    pub transport: Transport,
    /// Where datagrams of the phone come from, and connections.
    pub address: SocketAddr,
    /// What the phone believes its own address to be: another one behind a NAT.
    pub own_address: SocketAddr,
    /// Where everything that it sends goes: its server, or another phone on UDP.
    pub server: SocketAddr,
    /// How it is used.
    pub habits: Habits,
    /// Seconds before an unanswered call is cancelled; 0: never.
    pub patience: u32,
}

/// What became of a call.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The agent's number.
    pub number: CallNumber,
    /// Whether it came in.
    pub incoming: bool,
    /// Whether it rang at the other side.
    pub progress: usize,
    /// Whether it stood.
    pub confirmed: bool,
    /// Every end that the agent told: there must be one.
    pub ends: Vec<(Originator, Cause)>,
}

/// A phone on the network.
pub struct Phone {
    pub(crate) agent: Agent,
    pub(crate) setup: PhoneSetup,
    pub(crate) deadline: Instant,
    /// Whether it is on the network: what is sent to a phone that is not gets lost.
    pub(crate) online: bool,
    /// The calls, in the order in which they began.
    pub calls: Vec<CallRecord>,
    /// The outcomes of each request that the user sent: a status, or 0 if there was no response.
    pub requests: BTreeMap<RequestNumber, Vec<u16>>,
    /// What the agent told of its registration: 200, the status of a failure, 0 for none, -1 for unregistered.
    pub registration: Vec<i32>,
    /// Text messages that came in.
    pub messages: Vec<String>,
    /// Commands that the agent refused, as the state of a call had changed meanwhile.
    pub refused: Vec<CommandError>,
    plans: Vec<(Duration, Act)>,
    notes: Vec<String>,
}

impl Phone {
    pub(crate) fn new(setup: PhoneSetup, entropy: SeededEntropy) -> Self {
        let PhoneSetup { user, domain, transport, own_address, .. } = &setup;
        let mut config = Config::new(&format!("sip:{user}@{domain}"));
        config.via = Via::new(*transport);
        match transport {
            Transport::Udp => config.contact_uri = Some(format!("sip:{user}@{own_address}")),
            Transport::Tcp | Transport::Tls => {
                let token = transport.uri_parameter();
                config.contact_uri = Some(format!("sip:{user}@{own_address};transport={token}"));
            }
            // A page has no address of its own: the agent makes one up.
            Transport::Ws | Transport::Wss => {}
        }
        config.settings = Settings {
            password: Some(setup.password.clone()),
            listens: Listens {
                calls: true,
                messages: true,
                options: true,
                subscriptions: true,
                refers: true,
                others: true,
            },
            ..Settings::default()
        };
        let agent = Agent::new(config, Box::new(entropy)).expect("the configuration is good");
        Self {
            agent,
            setup,
            deadline: Instant::NEVER,
            online: false,
            calls: Vec::new(),
            requests: BTreeMap::new(),
            registration: Vec::new(),
            messages: Vec::new(),
            refused: Vec::new(),
            plans: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Where its datagrams come from.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.setup.address
    }

    /// Whether the registrar is known to hold its binding.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.agent.is_registered()
    }

    /// The dialogs of calls that stand and are not over: Call-ID, own tag, the other's tag.
    #[must_use]
    pub fn standing(&self) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        let standing = self.calls.iter().filter(|call| call.confirmed && call.ends.is_empty());
        standing
            .filter_map(|call| self.agent.dialog_identity(call.number).ok())
            .map(|dialog| (dialog.call_id, dialog.local_tag, dialog.remote_tag))
            .collect()
    }

    /// The only call there was.
    ///
    /// # Panics
    /// When there was none, or more than one.
    #[must_use]
    pub fn only_call(&self) -> &CallRecord {
        assert_eq!(self.calls.len(), 1, "{} had {} calls", self.setup.name, self.calls.len());
        &self.calls[0]
    }

    /// Takes what the agent says: messages to send. Plans and notes are kept for [`Phone::take_plans`].
    pub(crate) fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            match self.agent.poll() {
                Output::Transmit { bytes, .. } => sent.push(bytes),
                Output::Event(event) => self.hear(event),
                Output::Timeout(at) => {
                    self.deadline = at;
                    return sent;
                }
            }
        }
    }

    pub(crate) fn take_plans(&mut self) -> Vec<(Duration, Act)> {
        core::mem::take(&mut self.plans)
    }

    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        core::mem::take(&mut self.notes)
    }

    fn record(&mut self, number: CallNumber) -> &mut CallRecord {
        let place = self.calls.iter().position(|call| call.number == number);
        let place = place.unwrap_or_else(|| panic!("an event of {number:?}, which nobody knows"));
        &mut self.calls[place]
    }

    fn begin(&mut self, number: CallNumber, incoming: bool) {
        self.calls.push(CallRecord { number, incoming, progress: 0, confirmed: false, ends: Vec::new() });
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::IncomingCall { call, .. } => self.ring_bell(call),
            Event::Progress { call, .. } => self.record(call).progress += 1,
            Event::Accepted { call, .. } => self.plans.push((Duration::ZERO, Act::Acknowledge(call))),
            Event::Confirmed { call, .. } => {
                self.record(call).confirmed = true;
                self.notes.push("talks".to_owned());
                if let Some(after) = self.setup.habits.hangs_up_after {
                    self.plans.push((after, Act::HangUp(call)));
                }
            }
            Event::Failed { call, originator, cause, .. } | Event::Ended { call, originator, cause, .. } => {
                self.record(call).ends.push((originator, cause));
                self.notes.push(format!("call over: {originator:?} {cause:?}"));
            }
            Event::Reoffer { transaction, .. } => {
                self.plans.push((Duration::ZERO, Act::Respond(transaction, 200, true)));
            }
            Event::SessionRefresh { call } => self.plans.push((Duration::ZERO, Act::Refresh(call))),
            Event::DialogRequest { transaction, .. } => {
                self.plans.push((Duration::ZERO, Act::Respond(transaction, 200, false)));
            }
            Event::IncomingRequest { transaction, request } => self.read(transaction, &request),
            Event::Response { number, response, .. } => {
                self.requests.entry(number).or_default().push(response.status().unwrap_or(0));
            }
            Event::RequestFailed { number, cause, .. } => {
                self.notes.push(format!("request failed: {cause:?}"));
                self.requests.entry(number).or_default().push(0);
            }
            Event::Registered { .. } => self.registration.push(200),
            Event::RegistrationFailed { response, .. } => {
                let status = response.and_then(|response| response.status()).unwrap_or(0);
                self.notes.push(format!("registration failed: {status}"));
                self.registration.push(i32::from(status));
            }
            Event::Unregistered { .. } => self.registration.push(-1),
            _ => {}
        }
    }

    fn ring_bell(&mut self, call: CallNumber) {
        self.begin(call, true);
        match self.setup.habits.reaction {
            Reaction::Answers(rings, answers) => {
                self.plans.push((rings, Act::Ring(call)));
                self.plans.push((answers, Act::Answer(call)));
            }
            Reaction::Refuses(status, after) => self.plans.push((after, Act::Refuse(call, status))),
            Reaction::Rings => self.plans.push((Duration::ZERO, Act::Ring(call))),
            Reaction::Nothing => {}
        }
    }

    fn read(&mut self, transaction: TransactionNumber, request: &Message) {
        self.messages.push(String::from_utf8_lossy(request.body()).into_owned());
        let status = self.setup.habits.message_status;
        self.plans.push((Duration::ZERO, Act::Respond(transaction, status, false)));
    }

    /// Does what the user wants. `Connect` and `Disconnect` are the network's to do.
    pub(crate) fn perform(&mut self, now: Instant, act: Act) {
        let result = self.try_to(now, act);
        if let Err(error) = result {
            self.refused.push(error);
        }
    }

    fn try_to(&mut self, now: Instant, act: Act) -> Result<(), CommandError> {
        let ending = Ending::default();
        match act {
            Act::Connect | Act::Disconnect => {}
            Act::Register => self.agent.register(now),
            Act::Unregister => self.agent.unregister(now, false),
            Act::Call(target) => {
                let options =
                    CallOptions { no_answer_timeout: self.setup.patience, ..CallOptions::default() };
                let (call, _) = self.agent.create_call(now, &target, options)?;
                self.begin(call, false);
                self.agent.invite(now, call, Payload::sdp(OFFER))?;
            }
            Act::Ring(call) => self.agent.ring(now, call, 180, "", &Payload::default())?,
            Act::Answer(call) => self.agent.accept(now, call, 0, &Payload::sdp(ANSWER))?,
            Act::Refuse(call, status) => self.agent.reject(now, call, &Ending { status, ..ending })?,
            Act::Acknowledge(call) => self.agent.acknowledge(now, call, Payload::default())?,
            Act::HangUp(call) => self.agent.end(now, call, &ending)?,
            Act::HangUpAll => self.hang_up_all(now)?,
            Act::Reinvite => self.reinvite_all(now)?,
            Act::Refresh(call) => self.reinvite(now, call)?,
            Act::Respond(transaction, status, described) => {
                let payload = if described { Payload::sdp(ANSWER) } else { Payload::default() };
                self.agent.respond(now, transaction, status, "", &payload)?;
            }
            Act::Request(method, target) => self.request(now, &method, &target, &Payload::default())?,
            Act::Write(target, text) => {
                let body = Some(agent::Body::new("text/plain", text.as_bytes()));
                self.request(now, "MESSAGE", &target, &Payload { body, ..Payload::default() })?;
            }
        }
        Ok(())
    }

    fn hang_up_all(&mut self, now: Instant) -> Result<(), CommandError> {
        let open: Vec<_> =
            self.calls.iter().filter(|call| call.ends.is_empty()).map(|call| call.number).collect();
        open.into_iter().try_for_each(|call| self.agent.end(now, call, &Ending::default()))
    }

    fn reinvite_all(&mut self, now: Instant) -> Result<(), CommandError> {
        let open = self.calls.iter().filter(|call| call.confirmed && call.ends.is_empty());
        let open: Vec<_> = open.map(|call| call.number).collect();
        open.into_iter().try_for_each(|call| self.reinvite(now, call))
    }

    fn reinvite(&mut self, now: Instant, call: CallNumber) -> Result<(), CommandError> {
        let (number, _) = self.agent.reinvite(now, call, false, Payload::sdp(OFFER))?;
        self.requests.entry(number).or_default();
        Ok(())
    }

    fn request(
        &mut self,
        now: Instant,
        method: &str,
        target: &str,
        payload: &Payload,
    ) -> Result<(), CommandError> {
        let (number, _) = self.agent.request(now, method, target, &agent::Origin::default(), payload)?;
        self.requests.entry(number).or_default();
        Ok(())
    }
}
