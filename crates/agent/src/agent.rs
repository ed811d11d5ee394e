//! The agent: its parts, its entrances and its way out.

use crate::call::Call;
use crate::config::{Config, MAX_FLOWS, Settings, Via};
use crate::event::{CallNumber, Event, Output, RequestNumber, TransactionNumber};
use crate::flow::Link;
use crate::identity::{ConfigError, Identity};
use crate::incoming::{Merged, Waiting};
use crate::outgoing::{Pending, Purpose};
use crate::registration::Registration;
use sip::Builder;
use sip::digest::{Algorithm, Client, Ha1};
use sip::message::Message;
use sip::transaction::{self, Received, Timers, Transactions};
use sip::{Entropy, Instant, Method};
use std::collections::VecDeque;
use std::sync::Arc;

/// A SIP user agent. See the crate's documentation for how it is driven.
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) identity: Identity,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) now: Instant,
    /// The open connections, at most one of each flow.
    pub(crate) links: Vec<Link>,
    /// The connection of the message that is being received.
    pub(crate) arrival: Option<Link>,
    pub(crate) timers: Timers,
    pub(crate) transactions: Transactions<Link>,
    pub(crate) digest: Option<Client>,
    /// Whether the registrar keeps our flows apart, as far as it has said (RFC 5626 §4.2.1).
    pub(crate) outbound: bool,
    /// Of each flow its own.
    pub(crate) registrations: Vec<Registration>,
    pub(crate) calls: Vec<Call>,
    /// Requests of ours without a final response.
    pub(crate) pending: Vec<Pending>,
    /// Requests of ours that found no connection.
    pub(crate) unsent: Vec<Purpose>,
    /// Requests of peers that wait for the user's response.
    pub(crate) waiting: Vec<Waiting>,
    /// Requests seen lately, to find those that took two ways (RFC 3261 §8.2.2.2).
    pub(crate) merged: VecDeque<Merged>,
    pub(crate) outputs: VecDeque<Output>,
    numbers: u32,
}

impl Agent {
    /// An agent without a connection. It sends nothing before [`Agent::connected`].
    ///
    /// # Errors
    /// When a URI of the configuration does not parse.
    pub fn new(config: Config, entropy: Box<dyn Entropy>) -> Result<Self, ConfigError> {
        let (mut config, mut entropy) = (config, entropy);
        config.settings.keep_writable();
        let identity = Identity::new(&config, &mut entropy)?;
        let timers = Timers::default();
        let mut agent = Self {
            outbound: true,
            registrations: (0..config.flows.clamp(1, MAX_FLOWS))
                .map(|flow| Registration::new(flow, &mut entropy))
                .collect(),
            transactions: Transactions::new(timers, &mut entropy),
            timers,
            identity,
            entropy,
            now: Instant::ZERO,
            links: Vec::new(),
            arrival: None,
            digest: None,
            calls: Vec::new(),
            pending: Vec::new(),
            unsent: Vec::new(),
            waiting: Vec::new(),
            merged: VecDeque::new(),
            outputs: VecDeque::new(),
            numbers: 0,
            config,
        };
        agent.take_credentials();
        Ok(agent)
    }

    /// Changes the settings. New credentials hold from the next request on.
    ///
    /// Header fields that cannot be written (no token for a name, a line break in the value) are left out, since
    /// they would keep every later message from being sent.
    pub fn configure(&mut self, mut settings: Settings) {
        settings.keep_writable();
        let before = core::mem::replace(&mut self.config.settings, settings);
        let now = &self.config.settings;
        if (&before.authorization_user, &before.password, &before.ha1, &before.realm)
            != (&now.authorization_user, &now.password, &now.ha1, &now.realm)
        {
            self.take_credentials();
        }
    }

    fn take_credentials(&mut self) {
        let settings = &self.config.settings;
        let user = match &settings.authorization_user {
            Some(user) => user.as_bytes(),
            None => &self.identity.user,
        };
        self.digest = match (&settings.password, &settings.ha1) {
            (Some(password), _) => Some(Client::with_password(user, password.as_bytes())),
            (None, Some(ha1)) => {
                Ha1::from_hex(Algorithm::Md5, ha1.as_bytes()).map(|ha1| Client::with_ha1(user, vec![ha1]))
            }
            (None, None) => None,
        };
    }

    /// A connection is open, or for UDP: there is a network. What is owed goes out now: REGISTER if it is wished
    /// for, ACKs and BYEs that the old connection may have swallowed.
    pub fn connected(&mut self, now: Instant, via: Via) {
        self.connected_over(now, 0, via);
    }

    /// The connection is gone. What was pending fails, what stands survives.
    pub fn disconnected(&mut self, now: Instant) {
        self.disconnected_over(now, 0);
    }

    /// One message as it arrived: a datagram, or a WebSocket message.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.receive_over(now, 0, bytes);
    }

    /// One message as it arrived over the connection of that flow.
    pub fn receive_over(&mut self, now: Instant, flow: u8, bytes: &[u8]) {
        self.now = now;
        let link = self.link_of(flow).unwrap_or(Link { flow, via: self.config.via });
        self.arrival = Some(link);
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            // RFC 5626 §3.5.1, §4.4.1: a ping is answered; a pong is none.
            if bytes == b"\r\n\r\n" {
                self.transmit_over(flow, b"\r\n".to_vec());
            }
            return;
        }
        let Ok(mut message) = Message::parse(bytes) else { return };
        if let Err(fault) = message.admit() {
            self.refuse(flow, &message, fault.status);
            return;
        }
        // RFC 3261 §8.1.3.3: a response for somebody else.
        if !message.is_request() && message.values(sip::header::HeaderName::Via).count() != 1 {
            return;
        }
        match self.transactions.receive(now, &link, message) {
            Received::Request { key, request } => self.on_request(key, &request),
            Received::Ack { request } => self.on_ack(&request),
            Received::Cancel { key, invite, request } => self.on_cancel(key, invite, &request),
            Received::Response { key, response } => self.on_response(key, &response),
            Received::StrayResponse { response } => self.on_stray_response(&response),
            Received::Absorbed => {}
        }
        self.settle();
    }

    /// Refuses without a transaction what must not be processed.
    fn refuse(&mut self, flow: u8, message: &Message, status: Option<u16>) {
        // RFC 3261 §17: an ACK is never answered.
        let answerable = message.method().is_some_and(|method| method != Method::Ack);
        let Some(status) = status.filter(|_| answerable) else { return };
        if let Ok(bytes) = Builder::response_to(message, status, "").finish() {
            self.transmit_over(flow, bytes);
        }
    }

    /// Tells the time. Call it when [`Output::Timeout`] said, or at any other time.
    pub fn timeout(&mut self, now: Instant) {
        self.now = now;
        self.transactions.timeout(now);
        self.settle();
        self.registration_timeout();
        self.calls_timeout();
        self.waiting_timeout();
        self.settle();
    }

    /// The next output. After [`Output::Timeout`] there is nothing more until the next entrance.
    pub fn poll(&mut self) -> Output {
        match self.outputs.pop_front() {
            Some(output) => output,
            None => Output::Timeout(self.next_timeout()),
        }
    }

    fn next_timeout(&self) -> Instant {
        let calls = self.calls.iter().map(Call::next_timeout).min().unwrap_or(Instant::NEVER);
        let transactions = self.transactions.next_timeout().unwrap_or(Instant::NEVER);
        let waiting = self.waiting.iter().map(|waiting| waiting.until).min().unwrap_or(Instant::NEVER);
        let registrations = self.registrations.iter().map(Registration::next_timeout).min();
        calls.min(waiting).min(transactions).min(registrations.unwrap_or(Instant::NEVER))
    }

    /// Takes what the transaction layer says, until it says nothing.
    pub(crate) fn settle(&mut self) {
        loop {
            while let Some(output) = self.transactions.poll() {
                match output {
                    transaction::Output::Transmit { to, bytes } => {
                        self.transmit_over(to.flow, bytes.to_vec())
                    }
                    transaction::Output::TimedOut { key } => self.on_silence(key, true),
                    transaction::Output::Unreachable { key } => self.on_silence(key, false),
                    _ => {}
                }
            }
            let Some(purpose) = self.unsent.pop() else { return };
            self.on_no_response(purpose, false);
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn next_number(&mut self) -> u32 {
        // 2^31 numbers are out of reach of one page's life; then they start again.
        self.numbers = self.numbers % 0x7fff_ffff + 1;
        self.numbers
    }

    pub(crate) fn new_call_number(&mut self) -> CallNumber {
        CallNumber(self.next_number())
    }

    pub(crate) fn new_request_number(&mut self) -> RequestNumber {
        RequestNumber(self.next_number())
    }

    pub(crate) fn new_transaction_number(&mut self) -> TransactionNumber {
        TransactionNumber(self.next_number())
    }

    pub(crate) fn call_mut(&mut self, number: CallNumber) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.number == number)
    }

    pub(crate) fn call(&self, number: CallNumber) -> Option<&Call> {
        self.calls.iter().find(|call| call.number == number)
    }

    /// The names by which the agent is known.
    #[must_use]
    pub fn names(&self) -> Names<'_> {
        Names {
            contact_uri: &self.identity.contact_uri,
            instance_id: &self.identity.instance_id,
            via_host: &self.identity.via_host,
            pub_gruu: self.identity.pub_gruu.as_deref(),
            temp_gruu: self.identity.temp_gruu.as_deref(),
        }
    }

    /// Whether nothing is in progress: no call or subscription, no request of ours or of a peer, no transaction.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.pending.is_empty()
            && self.unsent.is_empty()
            && self.waiting.is_empty()
            && self.transactions.is_empty()
    }

    /// Whether a registrar holds our binding, as far as we know.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registrations.iter().any(Registration::is_registered)
    }
}

impl core::fmt::Debug for Agent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Agent")
    }
}

/// The names by which an agent is known on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Our own Contact URI, without GRUU.
    pub contact_uri: &'a [u8],
    /// The UUID of `+sip.instance`.
    pub instance_id: &'a str,
    /// sent-by of Via.
    pub via_host: &'a [u8],
    /// The public GRUU that the registrar gave (RFC 5627).
    pub pub_gruu: Option<&'a [u8]>,
    /// The temporary GRUU that the registrar gave last.
    pub temp_gruu: Option<&'a [u8]>,
}

/// A message that the agent has written itself: it always parses.
pub(crate) fn parse_own(bytes: &[u8]) -> Option<Arc<Message>> {
    Message::parse(bytes).ok().map(Arc::new)
}
