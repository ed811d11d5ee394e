//! The machine: what is handed in, what is given out, and the tables in between.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::transaction::{Received, ServerKey, Timers, Transactions};
use sip::{Deadlines, Entropy, Flow, Hop, Instant, Message, Method, Slot, SlotMap, Slots};

use crate::authentication::{Authenticator, Claim};
use crate::common::Common;
use crate::config::Config;
use crate::event::Event;
use crate::flow_token::FlowTokens;
use crate::hang_up::is_ourselves;
use crate::inbound::Job;
use crate::keyed_hash::Key;
use crate::listeners::Listeners;
use crate::messages::Deliveries;
use crate::notifier::Notifier;
use crate::output::{AskId, ByQuestion, Outbox, Output, ResolveError, StoreError, TokenHolder, UserSecret};
use crate::refused::{Places, Refusals};
use crate::registrar::address_of_record::OwnHosts;
use crate::registrar::location::Location;
use crate::registrar::register::Plan;
use crate::reply::{Refusal, Replies, response_hop};
use crate::response_context::{ContextId, ResponseContext, Sent};
use crate::stir::{Invalid, Signed};
use crate::target::Target;
use crate::trunks::settings::Group;
use crate::trunks::{Errand, Member, Trunks};

/// Proxy, registrar and edge, without I/O. See the [crate documentation](crate) for its run loop.
pub struct Proxy {
    pub(crate) config: Config,
    pub(crate) own: OwnHosts,
    pub(crate) listeners: Listeners,
    pub(crate) key: Key,
    pub(crate) tokens: FlowTokens,
    pub(crate) replies: Replies,
    pub(crate) authenticator: Authenticator,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) transactions: Transactions<Hop>,
    /// What it shares with the proxies of the other event loops.
    pub(crate) common: Common,
    pub(crate) location: Location,
    /// The REGISTERs that wait for another of the same user to be stored.
    pub(crate) registering: HashMap<Vec<u8>, VecDeque<Job>>,
    /// Users whose record the store refused when bindings ran out, and when to offer it again.
    pub(crate) unstored: BTreeSet<Vec<u8>>,
    pub(crate) store_again: Instant,
    pub(crate) contexts: Slots<ResponseContext>,
    /// The context of each server transaction that has one.
    pub(crate) by_server: SlotMap<ContextId>,
    /// What each client transaction was made for.
    pub(crate) by_client: SlotMap<Sent>,
    /// The hops that cannot be reached and that nobody has looked into.
    refusals: Refusals,
    /// Timer C of each context.
    pub(crate) timers: Deadlines,
    pub(crate) waiting: ByQuestion<Waiting>,
    /// The subscriptions to what we know.
    pub(crate) notifier: Notifier,
    /// Kept messages on their way to their users.
    pub(crate) deliveries: Deliveries,
    pub(crate) upstream_addresses: Vec<SocketAddr>,
    pub(crate) trunks: Trunks,
    pub(crate) outbox: Outbox,
    /// A refusal that is being received leads to a second attempt.
    pub(crate) second_attempt: bool,
    /// Where the requests in progress came from.
    servers: SlotMap<IpAddr>,
    pub(crate) now: Instant,
}

/// What a question was asked for.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The secret of the user that credentials name.
    Proof { job: Job, claim: Claim },
    /// Whose the token of a request is.
    Token { job: Box<Job> },
    /// The signature of a branch.
    Signature { context: ContextId, branch: usize },
    /// What the signature of a call from this group is worth.
    Verification { job: Box<Job>, group: Arc<Group> },
    /// Whether the user who is called exists.
    Known { job: Job, aor: Vec<u8> },
    /// The addresses of a branch's target.
    Hops { context: ContextId, branch: usize },
    /// The addresses that a request goes to which is forwarded without a transaction.
    StatelessHops { job: Box<Job>, target: Target },
    /// The addresses of the host that the Via of a request names, to answer there.
    SentBy { context: ContextId },
    /// The addresses of the upstream.
    Upstream,
    /// The addresses of a server of a group.
    Server(Member),
    /// The addresses of the server through which a subscriber is reached.
    Subscriber { slot: Slot },
    /// The way of a request of our own.
    Errand(Errand),
    /// A message to be stored: its user, its name in the store, its end.
    Message { job: Box<Job>, aor: Vec<u8>, name: Vec<u8>, until: Instant },
    /// A registration to be stored.
    Store { job: Box<Job>, aor: Vec<u8>, plan: Box<Plan> },
    /// What is left of a user's bindings after some ran out, to be stored.
    Remainder { aor: Vec<u8> },
}

impl Waiting {
    /// The request that has no context yet because of this question.
    pub(crate) fn job(&self) -> Option<&Job> {
        match self {
            Self::Proof { job, .. } | Self::Known { job, .. } => Some(job),
            Self::Token { job } | Self::Verification { job, .. } => Some(job),
            _ => None,
        }
    }

    /// The same, taken out.
    pub(crate) fn into_job(self) -> Option<Job> {
        match self {
            Self::Proof { job, .. } | Self::Known { job, .. } => Some(job),
            Self::Token { job } | Self::Verification { job, .. } => Some(*job),
            _ => None,
        }
    }
}

impl Proxy {
    /// A proxy. `secret` signs flow tokens, seals and nonces: it must be the same after a restart, or the calls and
    /// phones of before cannot be told from strangers.
    #[must_use]
    pub fn new(config: Config, secret: [u8; 32], mut entropy: Box<dyn Entropy>) -> Self {
        let common = Common::new(1, &mut *entropy);
        Self::among(config, secret, entropy, &common)
    }

    /// One of several proxies of the same server, on different event loops. Configuration and secret are the same for
    /// all. Each message goes to the one that [`Common::owner_of_message`] says, whoever received it; every one is told
    /// of a closed connection and of hops that cannot be reached, and hears what the others share
    /// ([`Output::Share`], [`Proxy::hear`]).
    #[must_use]
    pub fn among(config: Config, secret: [u8; 32], mut entropy: Box<dyn Entropy>, common: &Common) -> Self {
        let key = Key::new(secret);
        let nonce_secret = key.sign(b"nonces", &[]);
        let mut proxy = Self {
            own: OwnHosts::new(&config, common),
            listeners: Listeners::new(&config),
            tokens: FlowTokens::new(key.clone(), common.0.boot, config.flow_tokens),
            replies: Replies::new(key.clone(), &config.server_name),
            authenticator: Authenticator::new(&config.authentication, nonce_secret),
            transactions: Transactions::new(timers(&config), &mut *entropy),
            location: Location::new(config.registrar.flow_grace, common),
            key,
            config,
            entropy,
            common: common.clone(),
            registering: HashMap::new(),
            unstored: BTreeSet::new(),
            store_again: Instant::NEVER,
            contexts: Slots::new(),
            by_server: SlotMap::new(),
            by_client: SlotMap::new(),
            refusals: Refusals::default(),
            timers: Deadlines::new(),
            waiting: ByQuestion::default(),
            notifier: Notifier::default(),
            deliveries: Deliveries::default(),
            upstream_addresses: Vec::new(),
            trunks: Trunks::default(),
            outbox: Outbox::default(),
            second_attempt: false,
            servers: SlotMap::new(),
            now: Instant::ZERO,
        };
        proxy.look_for_upstream();
        proxy.take_trunks();
        proxy
    }

    /// Takes one message that came over `flow`.
    pub fn receive(&mut self, now: Instant, flow: &Flow, bytes: &[u8]) {
        self.now = now;
        self.tokens.turn(now);
        if !flow.transport.is_reliable() || self.common.0.connections.learn(flow) {
            self.own.learn(flow.local.ip());
        }
        let mut message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(sip::ParseError::Empty) => return,
            Err(error) => return self.malformed(flow, None, error.reason(), 0),
        };
        if let Err(fault) = message.admit() {
            return self.faulty(flow, &message, fault);
        }
        if message.is_request() {
            self.receive_request(now, flow, message);
        } else {
            self.receive_response(now, flow, message);
        }
    }

    fn receive_request(&mut self, now: Instant, flow: &Flow, mut message: Message) {
        crate::via::complete(&mut message, flow);
        if !self.has_room(flow, &message) && !self.transactions.is_known(&message) {
            return self.refuse_overloaded(flow, &message);
        }
        let hop = response_hop(&message, flow);
        match self.transactions.receive(now, &hop, message) {
            Received::Request { key, request } => {
                self.enter(key, flow);
                self.request_received(now, key, &request, flow);
            }
            Received::Cancel { key, invite, request } => {
                self.enter(key, flow);
                self.cancel_received(now, key, invite, &request, flow);
            }
            Received::Ack { request } => self.ack_received(now, &request, flow),
            Received::Response { .. } | Received::StrayResponse { .. } | Received::Absorbed => {}
        }
    }

    fn receive_response(&mut self, now: Instant, flow: &Flow, message: Message) {
        // RFC 3261 §18.1.2: what is not for us was not sent to us.
        if !message.top_via().is_ok_and(|via| self.own.is_sent_by(via.host(), via.port())) {
            return self.malformed(flow, None, "a response to somebody else's request", 0);
        }
        match self.transactions.receive(now, &Hop::Flow(*flow), message) {
            Received::Response { key, response } => self.response_received(now, key, response),
            Received::StrayResponse { response } => self.stray_response(&response),
            _ => {}
        }
    }

    /// Answers what fails the check at the door, without a transaction; drops bad responses and ACKs.
    fn faulty(&mut self, flow: &Flow, message: &Message, fault: sip::Fault) {
        // Without a Via nobody has asked: there is nothing to send an answer by (RFC 3261 §18.2.2).
        let answers = message.is_request()
            && !self.common.0.scanners.is_banned(self.now, flow.remote.ip())
            && !matches!(message.method(), Some(Method::Ack))
            && message.header(sip::HeaderName::Via).is_some();
        let status = fault.status.filter(|_| answers);
        self.malformed(flow, status, fault.reason, fault.offset);
        if let Some(status) = status
            && let Some(bytes) = self.replies.refuse(message, &Refusal::new(status, fault.reason))
        {
            self.outbox.transmit(response_hop(message, flow), bytes.into());
        }
    }

    fn malformed(&mut self, flow: &Flow, status: Option<u16>, why: &'static str, offset: usize) {
        self.outbox.event(Event::Malformed { flow: *flow, status, why, offset });
    }

    /// Whether another request may be taken on. What ends a call has as much room again as all others together: a BYE
    /// that is refused is not sent again, and the other side would talk on to nobody.
    fn has_room(&self, flow: &Flow, message: &Message) -> bool {
        // It takes no room (RFC 3261 §17.1), and without it a call that was let in ends.
        if matches!(message.method(), Some(Method::Ack)) {
            return true;
        }
        let limits = &self.config.limits;
        let ends = matches!(message.method(), Some(Method::Bye));
        let room = |limit: usize| if ends { limit.saturating_mul(2) } else { limit };
        let counted = !self.is_upstream(flow) && !self.is_trusted_peer(flow) && !self.is_trusted_group(flow);
        self.common.0.sources.total() < room(limits.transactions)
            && (!counted
                || self.common.0.sources.count(flow.remote.ip()) < room(limits.transactions_per_source))
    }

    fn refuse_overloaded(&mut self, flow: &Flow, message: &Message) {
        let refusal = self.overloaded("too many requests in progress");
        if let Some(bytes) = self.replies.refuse(message, &refusal) {
            self.outbox.transmit(response_hop(message, flow), bytes.into());
        }
        let method = message.method().map(|method| method.as_bytes().to_vec()).unwrap_or_default();
        let (status, why, source) = (refusal.status, refusal.why, flow.remote);
        self.outbox.event(Event::Refused { method, source, status, why });
    }

    fn enter(&mut self, key: ServerKey, flow: &Flow) {
        self.servers.insert(key, flow.remote.ip());
        self.common.0.sources.enter(flow.remote.ip());
    }

    /// Whether a message of this flow is a configured peer's. Not on a WebSocket: an HTTP server before us may
    /// stand for the whole world with its own address.
    pub(crate) fn is_trusted_peer(&self, flow: &Flow) -> bool {
        let known = !flow.transport.is_websocket()
            && self.config.trusted_peers.iter().any(|peer| peer.contains(flow.remote.ip()));
        known || self.shows(flow, &self.config.trusted_certificates)
    }

    /// A connection is closed.
    pub fn flow_closed(&mut self, now: Instant, flow: &Flow) {
        self.now = now;
        if !flow.transport.is_reliable() {
            return;
        }
        self.common.0.connections.remove(flow.connection);
        self.location.flow_closed(now, flow);
        self.subscribers_lost(now, flow);
        self.transactions.unreachable(now, &Hop::Flow(*flow));
        self.pass_closed_hops(now, flow);
        self.respond_elsewhere(flow);
        self.await_caller(now, flow);
    }

    /// A page that closed its connection while it was calling may come back; if not, its calls are cancelled.
    fn await_caller(&mut self, now: Instant, flow: &Flow) {
        if !flow.transport.is_websocket() {
            return;
        }
        self.follow_from(now, flow);
        let calling =
            |context: &ResponseContext| context.flow == *flow && context.is_invite && !context.answered;
        let calls: Vec<ContextId> = self
            .contexts
            .iter()
            .filter(|(_, context)| calling(context))
            .map(|(id, _)| ContextId(id))
            .collect();
        for id in calls {
            if let Some(context) = self.contexts.get_mut(id.0) {
                context.abandoned = Some(now + self.config.registrar.flow_grace);
            }
            self.watch(id);
        }
    }

    /// Nothing gets to `hop`: refused, no route, TLS failed, or the connection could not be opened.
    pub fn unreachable(&mut self, now: Instant, hop: &Hop) {
        self.now = now;
        let places = self.refusals.enter(now, hop, self.transactions.len());
        self.look_into(now, places);
    }

    /// Takes nothing to have come to these places.
    fn look_into(&mut self, now: Instant, places: Option<Places>) {
        let Some(places) = places else { return };
        self.transactions.unreachable_among(now, |hop| places.has(hop));
        self.respond_to_sent_by(now, &places);
    }

    /// The answer to [`Question::Resolve`](crate::Question::Resolve): hops in the order in which to try them.
    pub fn resolved(&mut self, now: Instant, id: AskId, result: Result<Vec<Hop>, ResolveError>) {
        self.now = now;
        match self.take_waiting(id) {
            Some(Waiting::Hops { context, branch }) => {
                self.branch_resolved(now, context, branch, result);
            }
            Some(Waiting::StatelessHops { job, target }) => {
                if let Some(hop) = result.ok().and_then(|hops| hops.into_iter().next()) {
                    self.send_statelessly(&job, &target, hop);
                }
            }
            Some(Waiting::SentBy { context }) => self.sent_by_found(now, context, result),
            Some(Waiting::Subscriber { slot }) => self.subscriber_found(now, slot, result),
            Some(Waiting::Upstream) => self.upstream_found(&result.unwrap_or_default()),
            Some(Waiting::Errand(errand)) => self.way_found(now, errand, result),
            Some(Waiting::Server(member)) => self.server_found(&member, &result.unwrap_or_default()),
            other => self.put_back(id, other),
        }
    }

    /// The answer to [`Question::Credentials`](crate::Question::Credentials).
    pub fn credentials(&mut self, now: Instant, id: AskId, secret: Option<UserSecret>) {
        self.now = now;
        match self.take_waiting(id) {
            Some(Waiting::Proof { job, claim }) => {
                self.credentials_known(now, job, &claim, secret.as_ref());
            }
            Some(Waiting::Known { job, aor }) => self.known(now, job, aor, secret.is_some()),
            other => self.put_back(id, other),
        }
    }

    /// The answer to [`Question::Token`](crate::Question::Token).
    pub fn token(&mut self, now: Instant, id: AskId, holder: Option<TokenHolder>) {
        self.now = now;
        match self.take_waiting(id) {
            Some(Waiting::Token { job }) => self.token_known(now, *job, holder.as_ref()),
            other => self.put_back(id, other),
        }
    }

    /// The answer to [`Question::Sign`](crate::Question::Sign); `None`: it cannot be signed.
    pub fn signed(&mut self, now: Instant, id: AskId, signed: Option<Signed>) {
        self.now = now;
        match self.take_waiting(id) {
            Some(Waiting::Signature { context, branch }) => {
                self.branch_signed(now, context, branch, signed);
            }
            other => self.put_back(id, other),
        }
    }

    /// The answer to [`Question::Verify`](crate::Question::Verify): whether one signature holds, or why the first does not.
    pub fn verified(&mut self, now: Instant, id: AskId, result: Result<(), Invalid>) {
        self.now = now;
        match self.take_waiting(id) {
            Some(Waiting::Verification { job, group }) => self.caller_verified(now, *job, &group, result),
            other => self.put_back(id, other),
        }
    }

    /// The answer to [`Question::Store`](crate::Question::Store).
    pub fn stored(&mut self, now: Instant, id: AskId, result: Result<(), StoreError>) {
        self.now = now;
        match self.take_waiting(id) {
            Some(Waiting::Store { job, aor, plan }) => {
                self.registration_stored(now, &job, aor, *plan, result)
            }
            Some(Waiting::Message { job, aor, name, until }) => {
                self.message_stored(now, &job, (aor, name, until), result);
            }
            Some(Waiting::Remainder { aor }) => self.remainder_stored(now, aor, result),
            other => self.put_back(id, other),
        }
    }

    /// An answer of the wrong kind answers nothing.
    fn put_back(&mut self, id: AskId, waiting: Option<Waiting>) {
        if let Some(waiting) = waiting {
            self.waiting.insert(id, waiting);
        }
    }

    /// The time has come that [`Output::Timeout`] named.
    pub fn timeout(&mut self, now: Instant) {
        self.now = now;
        let places = self.refusals.take_due(now, self.transactions.len());
        self.look_into(now, places);
        self.transactions.timeout(now);
        self.expire_bindings(now);
        self.events_due(now);
        self.end_silent_deliveries(now);
        self.store_remainders_again(now);
        self.tend_trunks(now);
        while let Some(id) = self.timers.pop(now).and_then(|index| self.contexts.slot_at(index)) {
            self.timer_c(now, ContextId(id));
        }
    }

    /// What to do next. Call until it says [`Output::Timeout`].
    pub fn poll(&mut self) -> Output {
        while let Some(output) = self.transactions.poll() {
            match output {
                sip::Output::Transmit { to, bytes } if is_ourselves(&to) => self.heard_ourselves(&bytes),
                sip::Output::Transmit { to, bytes } => self.outbox.transmit(to, bytes),
                sip::Output::TimedOut { key } => self.branch_failed(self.now, key, 408),
                sip::Output::Unreachable { key } => self.branch_failed(self.now, key, 503),
                sip::Output::ClientEnded { key } => self.client_ended(key),
                sip::Output::ServerEnded { key } => {
                    if let Some(address) = self.servers.remove(key) {
                        self.common.0.sources.leave(address);
                    }
                    self.server_ended(key);
                }
                sip::Output::NoAck { .. } => {}
            }
        }
        self.outbox.pop().unwrap_or_else(|| Output::Timeout(self.next_timeout()))
    }

    fn next_timeout(&self) -> Instant {
        let next = [
            self.transactions.next_timeout(),
            self.location.next_deadline(),
            self.timers.next(),
            self.notifier.next_timeout(),
            self.deliveries.next_timeout(),
        ];
        next.into_iter()
            .flatten()
            .min()
            .unwrap_or(Instant::NEVER)
            .min(self.store_again)
            .min(self.refusals.due())
            .min(self.trunks.due())
    }

    /// How many requests are in progress.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Whether nothing is in progress: no request, no branch, no question, no timer of either. Bindings and
    /// connections may be there.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.transactions.is_empty()
            && self.registering.is_empty()
            && self.unstored.is_empty()
            && self.contexts.is_empty()
            && self.by_server.is_empty()
            && self.by_client.is_empty()
            && self.timers.is_empty()
            && self.waiting.is_empty()
            && self.servers.is_empty()
            && self.common.0.sources.is_empty()
    }

    /// How many connections are known.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.common.0.connections.len()
    }

    /// How many subscriptions this event loop has.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.notifier.len()
    }

    /// How many bindings there are.
    #[must_use]
    pub fn bindings(&self) -> usize {
        self.location.len()
    }
}

/// How often finished transactions go: the four of a call would each wake an idle loop at a time of their own. Some 250 go at
/// once where there are a thousand calls a second.
const ENDED_TOGETHER: Duration = Duration::from_millis(64);

/// The lengths of the transaction layer's timers.
pub(crate) fn timers(config: &Config) -> Timers {
    let trying_after = Some(config.trying_after).filter(|span| !span.is_zero());
    Timers { trying_after, ended_together: ENDED_TOGETHER, ..Timers::default() }
}

impl core::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Proxy")
            .field("transactions", &self.transactions.len())
            .field("contexts", &self.contexts.len())
            .field("questions", &self.waiting.len())
            .field("bindings", &self.location.len())
            .field("connections", &self.common.0.connections.len())
            .finish_non_exhaustive()
    }
}
