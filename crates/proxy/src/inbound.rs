//! A request on its way in: may it pass, who sent it, where does it want to go (RFC 3261 §16.3 to §16.5)?

use std::sync::Arc;

use sip::header::HeaderName;
use sip::transaction::ServerKey;
use sip::uri::{Scheme, Uri};
use sip::{Flow, Instant, Message, Method};

use crate::absent::Callee;
use crate::authentication::{Claim, Proof};
use crate::authorization::{Reach, Sender, Verdict, verdict};
use crate::bearer::speaks_for_another;
use crate::config::Role;
use crate::event::Event;
use crate::keyed_hash::{Key, MARK};
use crate::output::{AskId, Question, UserSecret};
use crate::proxy::{Proxy, Waiting};
use crate::registrar::address_of_record::key;
use crate::registrar::location::Found;
use crate::registrar::register::is_instance;
use crate::registrar::temporary_gruu::is_temporary;
use crate::reply::{Refusal, response_hop};
use crate::route::{Destination, Preprocessed, preprocess};
use crate::target::{Target, Unroutable, encrypted, is_websocket_only};
use crate::validation::{loop_mark, validate};

/// A request that is being decided on.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Its transaction; none for an ACK.
    pub(crate) key: Option<ServerKey>,
    /// The flow it came over.
    pub(crate) flow: Flow,
    /// The request as received, and as it goes on.
    pub(crate) received: Arc<Message>,
    pub(crate) onward: Preprocessed,
    pub(crate) sender: Sender,
    /// Whether From names a user of ours, if that has been looked at.
    pub(crate) is_from_ours: Option<bool>,
    /// By which a loop is noticed, if it has been made: [`Job::loop_mark`].
    pub(crate) loop_mark: Option<[u8; MARK]>,
    /// Whether it has brought credentials that were looked at.
    pub(crate) has_tried: bool,
    /// How many routes of the configuration are out of question: they led to users who are not there.
    pub(crate) routes_passed: usize,
    /// Until when what it has proved holds.
    pub(crate) proven_until: Instant,
}

impl Job {
    /// The request as it goes on.
    pub(crate) fn request(&self) -> &Message {
        &self.onward.request
    }

    /// By which a loop is noticed.
    pub(crate) fn loop_mark(&self, key: &Key) -> [u8; MARK] {
        self.loop_mark.unwrap_or_else(|| loop_mark(key, &self.received))
    }

    /// Whether it may belong to a dialog: anybody can write a tag, so it proves nothing. REGISTER and PUBLISH belong to none
    /// (RFC 3261 §10.2, RFC 3903 §4), whatever they have.
    pub(crate) fn is_in_dialog(&self) -> bool {
        self.received.to_tag().is_some()
            && !matches!(self.received.method(), Some(Method::Register | Method::Publish))
    }
}

/// Whether it is an INVITE of which nothing shows that it comes from where it seems to: a datagram, whose source can
/// be forged, from nobody that we know. Its answer would be retransmitted to a victim for half a minute.
fn may_be_forged(sender: &Sender, request: &Message, flow: &Flow) -> bool {
    *sender == Sender::Stranger
        && !flow.transport.is_reliable()
        && matches!(request.method(), Some(Method::Invite))
}

/// Where a request wants to go.
#[derive(Debug)]
pub(crate) enum Wish {
    /// To the registrar.
    Register,
    /// To ourselves.
    Ourselves,
    /// To these targets.
    Targets(Vec<Target>, Reach),
    /// To what the server itself knows of a user of ours.
    Served(Callee),
    /// To a user of ours without any binding.
    Nobody(Callee),
    /// To a user of ours, by address-of-record, none of whose devices is connected at present.
    Away(Vec<u8>),
    /// Nowhere; and what one must be allowed, to be told so.
    Nowhere(Refusal, Reach),
}

impl Wish {
    /// What one must be allowed, for it to be fulfilled.
    pub(crate) const fn reach(&self) -> Reach {
        match self {
            Self::Register => Reach::Registrar,
            Self::Ourselves => Reach::Ourselves,
            Self::Targets(_, reach) | Self::Nowhere(_, reach) => *reach,
            Self::Nobody(_) | Self::Away(_) | Self::Served(_) => Reach::OwnUser,
        }
    }
}

impl Proxy {
    /// A new request with a transaction.
    pub(crate) fn request_received(
        &mut self,
        now: Instant,
        key: ServerKey,
        request: &Arc<Message>,
        flow: &Flow,
    ) {
        match self.job(Some(key), request, flow) {
            Ok(job) if !self.is_heard(now, &job) => self.leave_unheard(now, &job),
            Ok(job) => self.verify_caller(now, job),
            Err(_) if self.common.0.scanners.is_banned(now, flow.remote.ip()) => {
                self.transactions.forget_request(key);
            }
            Err(refusal) if may_be_forged(&self.known_sender(request, flow), request, flow) => {
                self.refuse_once(key, request, flow, &refusal);
            }
            Err(refusal) => self.refuse_request(now, key, request, flow, &refusal),
        }
    }

    /// Validation and route preprocessing (RFC 3261 §16.3, §16.4).
    pub(crate) fn job(
        &self,
        key: Option<ServerKey>,
        request: &Arc<Message>,
        flow: &Flow,
    ) -> Result<Job, Refusal> {
        // A registration ends here as a rule, and what comes from elsewhere cannot have been here before.
        let loop_mark = (!is_register(request)).then(|| loop_mark(&self.key, request));
        validate(request, &self.own, &self.key, loop_mark)?;
        let onward = preprocess(request, flow, &self.own, &self.tokens, &self.key)?;
        // Whoever registers has to prove who it is, whatever From says.
        let user = if is_register(request) { None } else { Some(self.user_in_from(request)) };
        let is_from_ours = user.as_ref().map(Option::is_some);
        let user = user.flatten();
        let sender = self.sender_as(user, request, flow);
        Ok(Job {
            key,
            flow: *flow,
            received: Arc::clone(request),
            onward,
            sender,
            is_from_ours,
            loop_mark,
            has_tried: false,
            routes_passed: 0,
            proven_until: Instant::NEVER,
        })
    }

    /// Who the sender is, as far as the flow tells.
    fn known_sender(&self, request: &Message, flow: &Flow) -> Sender {
        self.sender_as(self.user_in_from(request), request, flow)
    }

    /// Who the sender is, if From names this user.
    fn sender_as(&self, user: Option<Vec<u8>>, request: &Message, flow: &Flow) -> Sender {
        if self.is_upstream(flow) {
            return Sender::Upstream;
        }
        if self.is_trusted_peer(flow) {
            return Sender::Peer;
        }
        if let Some(group) = self.judged_group(flow) {
            return Sender::Group(Arc::clone(group));
        }
        match user {
            // A registration proves itself each time, so that a changed password counts from the next one on.
            Some(_) if is_register(request) => Sender::Stranger,
            Some(aor) if !self.authenticator.is_required() || self.flow_speaks_for(flow, &aor) => {
                Sender::Account(aor)
            }
            _ => Sender::Stranger,
        }
    }

    /// The address-of-record in From, if it is in a domain of ours.
    pub(crate) fn user_in_from(&self, request: &Message) -> Option<Vec<u8>> {
        let from = request.from().ok()?;
        let uri = from.uri().ok()?;
        Some(key(uri.user()?, self.own.domain_of(&uri)?))
    }

    /// Decides what becomes of the request; may be called again when more is known.
    pub(crate) fn decide(&mut self, now: Instant, job: Job) {
        let wish = self.wish(now, &job);
        let verdict = self.verdict(&job, wish.reach());
        let is_stranger = matches!(job.sender, Sender::Stranger);
        // Whoever passes a route was counted when he came to it. A stranger to whom the next one is closed hears what he
        // hears of users who are not there.
        if job.routes_passed > 0 {
            if is_stranger && (verdict != Verdict::Allow || matches!(wish, Wish::Nowhere(..))) {
                return self.nobody_for_strangers(now, &job);
            }
        } else if verdict == Verdict::Allow
            && let Some(refusal) = self.guest_refusal(now, &job, wish.reach())
        {
            return self.refuse(now, &job, &refusal);
        }
        match (verdict, wish) {
            (Verdict::Forbid(why), _) => self.refuse(now, &job, &Refusal::new(403, why)),
            (Verdict::Authenticate, _) => self.authenticate(now, job),
            (Verdict::Allow, Wish::Nobody(callee)) if !is_stranger || callee.next_route > 0 => {
                self.ask_whether_known(job, callee);
            }
            (Verdict::Allow, Wish::Nowhere(_, Reach::OwnUser) | Wish::Away(_)) if is_stranger => {
                self.nobody_for_strangers(now, &job);
            }
            (Verdict::Allow, Wish::Nobody(_)) => self.nobody_for_strangers(now, &job),
            (Verdict::Allow, Wish::Away(aor)) => self.keep_or_refuse(now, job, aor),
            (Verdict::Allow, Wish::Nowhere(refusal, _)) => self.refuse(now, &job, &refusal),
            (Verdict::Allow, Wish::Register) => self.register(now, job),
            (Verdict::Allow, Wish::Ourselves) => self.answer_ourselves(now, &job),
            (Verdict::Allow, Wish::Targets(targets, reach)) => {
                if let Some(refusal) = self.session_refusal(&job).or_else(|| self.spent(now, &job, reach)) {
                    return self.refuse(now, &job, &refusal);
                }
                let targets = self.with_accounts(targets, &job, reach);
                if is_stranger {
                    self.common.0.scanners.found(job.flow.remote.ip());
                }
                self.start(now, job, targets, reach);
            }
            (Verdict::Allow, Wish::Served(callee)) => self.serve(now, job, callee),
        }
    }

    /// Whether the sender may do what takes this much.
    pub(crate) fn verdict(&self, job: &Job, reach: Reach) -> Verdict {
        let verdict = match self.config.role {
            Role::Edge { .. } => self.edge_verdict(job, reach),
            Role::AllInOne if !self.authenticator.is_required() => self.verdict_without_passwords(job, reach),
            Role::AllInOne => {
                let from = || self.user_in_from(&job.received).is_some();
                let is_from_ours = || job.is_from_ours.unwrap_or_else(from);
                verdict(&job.sender, reach, is_from_ours, self.config.accept_from_strangers)
            }
        };
        match verdict {
            Verdict::Allow
                if job.sender == Sender::Stranger
                    && reach == Reach::OwnUser
                    && !job.is_in_dialog()
                    && !is_for_anybody(job.received.method()) =>
            {
                Verdict::Forbid("strangers may call and send messages, and nothing else")
            }
            verdict => verdict,
        }
    }

    /// In a laboratory nobody is asked; all the same nothing is relayed for strangers.
    fn verdict_without_passwords(&self, job: &Job, reach: Reach) -> Verdict {
        match verdict(&job.sender, reach, || false, self.config.accept_from_strangers) {
            Verdict::Authenticate if reach == Reach::Registrar => Verdict::Allow,
            Verdict::Authenticate => Verdict::Forbid("requests to other domains are relayed for users only"),
            verdict => verdict,
        }
    }

    /// RFC 3261 §16.5.
    pub(crate) fn wish(&self, now: Instant, job: &Job) -> Wish {
        if let Role::Edge { .. } = self.config.role {
            return self.edge_wish(now, job);
        }
        let request = job.request();
        let Ok(uri) = request.target() else {
            return Wish::Nowhere(Refusal::new(400, "the Request-URI is malformed"), Reach::Ourselves);
        };
        if let Some(destination) = job.onward.destination {
            return self.token_wish(now, job, destination);
        }
        let sealed = job.onward.sealed && job.is_in_dialog();
        if let Some(next) = request.first_value(HeaderName::Route) {
            return to_uri(crate::target::route_uri(next), sealed);
        }
        // What the server itself answers goes nowhere else: a route may refuse it, or say whom it is about.
        let served = || self.serves(request, &uri) && self.own.domain_of(&uri).is_some();
        match self.routed(now, job, &uri) {
            Some(wish @ (Wish::Served(_) | Wish::Nowhere(_, Reach::Ourselves))) => return wish,
            Some(wish) if !served() => return wish,
            _ => {}
        }
        match self.own.domain_of(&uri) {
            Some(_) if matches!(request.method(), Some(Method::Register)) => Wish::Register,
            Some(domain) => match uri.user() {
                None => Wish::Ourselves,
                Some(user) if self.serves(request, &uri) => {
                    Wish::Served(Callee::new(user, &key(user, domain)))
                }
                Some(user) => self.user_wish(now, &uri, &key(user, domain), user),
            },
            None => self.foreign_wish(now, &uri, sealed),
        }
    }

    /// RFC 5626 §5.3.1: over the flow that the token names; if that is closed, over another one of the same client.
    pub(crate) fn token_wish(&self, now: Instant, job: &Job, destination: Destination) -> Wish {
        let reach = if job.is_in_dialog() { Reach::Dialog } else { Reach::OwnUser };
        if let Destination::Flow(flow) = destination
            && (!flow.transport.is_reliable() || self.common.0.connections.contains(flow.connection))
        {
            let moved = self.moved_from(now, &flow, job.request().request_uri());
            let targets = if moved.is_empty() { vec![Target::flow(flow)] } else { moved };
            return Wish::Targets(targets, reach);
        }
        // Another proxy stays on the way: it is reached by its own name as well, and may close its connections to
        // us whenever it likes. That is a way like any other that a Route names, for those who may use it.
        if let Some(next) = job.request().first_value(HeaderName::Route) {
            return to_uri(crate::target::route_uri(next), job.onward.sealed && job.is_in_dialog());
        }
        let rescued = self.rescue(now, job.request().request_uri(), |_| true);
        if rescued.is_empty() {
            return Wish::Nowhere(Refusal::new(430, "the connection to the client is closed"), reach);
        }
        Wish::Targets(rescued, reach)
    }

    /// The new way to a client that has left a connection which looks open still: its network changed, and nobody told us. The
    /// flow of its newer registration counts (RFC 5626 §6), if somebody registered it who spoke on the old one.
    fn moved_from(&self, now: Instant, flow: &Flow, uri: &[u8]) -> Vec<Target> {
        if !flow.transport.is_reliable() {
            return Vec::new();
        }
        let has_left = |user: &[u8]| self.location.get(user).iter().all(|binding| binding.flow != *flow);
        let users = self.common.0.connections.users(flow, has_left);
        match users.is_empty() {
            true => Vec::new(),
            false => self.rescue(now, uri, |aor| users.iter().any(|user| user == aor)),
        }
    }

    /// The binding that the Request-URI of a dialog names, wherever its client is connected now, if it is one of `whose`.
    fn rescue(&self, now: Instant, uri: &[u8], whose: impl Fn(&[u8]) -> bool) -> Vec<Target> {
        let found = match Uri::parse(uri) {
            Ok(parsed) if parsed.parameter("gr").is_some() => {
                if let Some(user) = parsed.user().filter(|user| is_temporary(user)) {
                    return self.temporary_targets(now, user, whose);
                }
                let aor =
                    self.own.domain_of(&parsed).zip(parsed.user()).map(|(domain, user)| key(user, domain));
                return aor
                    .filter(|aor| whose(aor))
                    .map(|aor| self.targets_of(now, &aor, parsed.parameter("gr").flatten()))
                    .unwrap_or_default();
            }
            Ok(parsed) => self.location.find_contact(now, &parsed),
            Err(_) => None,
        };
        let found = found.filter(|found| whose(&found.aor));
        let Some((found, binding)) = found.as_ref().and_then(|found| Some((found, found.binding()?))) else {
            return Vec::new();
        };
        match Target::binding(now, binding) {
            Ok(target) => vec![Target { uri: None, ..target }],
            // A page that was loaded anew has another contact, but the same instance.
            Err(_) => self
                .location
                .get(&found.aor)
                .iter()
                .filter(|other| other.instance.is_some() && other.instance == binding.instance)
                .filter_map(|other| Target::binding(now, other).ok())
                .take(1)
                .collect(),
        }
    }

    /// The reachable contacts of a user, the preferred first; only those of one instance, if `gr` names one.
    pub(crate) fn targets_of(&self, now: Instant, aor: &[u8], gr: Option<&[u8]>) -> Vec<Target> {
        let bindings = self.location.get(aor);
        let mut bindings: Vec<_> = bindings
            .iter()
            .filter(|binding| {
                gr.is_none_or(|gr| {
                    binding.instance.as_deref().is_some_and(|instance| is_instance(gr, instance))
                })
            })
            .collect();
        // The newest flow of an instance is tried before its older ones (RFC 5626 §7).
        bindings.sort_by_key(|binding| core::cmp::Reverse((binding.quality, binding.expires)));
        bindings.into_iter().filter_map(|binding| Target::binding(now, binding).ok()).collect()
    }

    pub(crate) fn user_wish(&self, now: Instant, uri: &Uri<'_>, aor: &[u8], user: &[u8]) -> Wish {
        let gr = uri.parameter("gr").map(Option::unwrap_or_default);
        let mut targets = match gr {
            Some(b"") if is_temporary(user) => self.temporary_targets(now, user, |_| true),
            _ => self.targets_of(now, aor, gr),
        };
        if uri.scheme() == Scheme::Sips {
            encrypted(&mut targets);
        }
        if !targets.is_empty() {
            return Wish::Targets(targets, Reach::OwnUser);
        }
        if !self.location.get(aor).is_empty() {
            return Wish::Away(aor.to_vec());
        }
        Wish::Nobody(Callee::new(user, aor))
    }

    /// A host that is not ours: a contact that is registered here, or the world.
    fn foreign_wish(&self, now: Instant, uri: &Uri<'_>, sealed: bool) -> Wish {
        let reach = if sealed { Reach::Dialog } else { Reach::OwnUser };
        let found = self.location.find_contact(now, uri);
        // A contact behind a NAT is reached by its flow, also where the dialog has no token for it.
        if let Some(binding) = found.as_ref().and_then(Found::binding)
            && let Ok(target) = Target::binding(now, binding)
        {
            return Wish::Targets(vec![Target { uri: None, ..target }], reach);
        }
        if is_websocket_only(uri) {
            let rescued = self.rescue(now, uri.as_bytes(), |_| true);
            if rescued.is_empty() {
                return Wish::Nowhere(Refusal::new(480, "the WebSocket client is not connected"), reach);
            }
            return Wish::Targets(rescued, reach);
        }
        to_target(Target::to(uri), sealed)
    }

    /// Challenges the sender, or asks for the secret that the credentials are to be compared with.
    pub(crate) fn authenticate(&mut self, now: Instant, job: Job) {
        // An ACK cannot be challenged (RFC 3261 §22.1); one that nothing allows is dropped.
        if job.key.is_none() {
            return;
        }
        let Some(job) = self.authenticate_by_token(now, job) else { return };
        let is_registrar = is_register(&job.received);
        let replays = &self.common.0.replays;
        match self.authenticator.claim(replays, now, &job.received, is_registrar) {
            None => {
                let limits = &self.config.strangers;
                let banned = self.common.0.scanners.challenged(limits, now, job.flow.remote.ip());
                self.tell_ban(banned, &job.flow, "they answer no challenges");
                self.challenge(now, &job, false, "");
            }
            Some(claim) => {
                let question = Question::Credentials {
                    user: claim.user.clone(),
                    realm: self.authenticator.realm().to_owned(),
                };
                let id = self.outbox.ask(question);
                self.waiting.insert(id, Waiting::Proof { job, claim });
            }
        }
    }

    /// The user's secret is known.
    pub(crate) fn credentials_known(
        &mut self,
        now: Instant,
        mut job: Job,
        claim: &Claim,
        secret: Option<&UserSecret>,
    ) {
        const WRONG: &str = "wrong user name or password";
        job.has_tried = true;
        let user = claim.user.as_str();
        let address = job.flow.remote.ip();
        if self.common.0.failures.is_locked(now, &self.key, address, user) {
            return self.refuse(
                now,
                &job,
                &Refusal::new(403, "too many wrong passwords; try again in a minute"),
            );
        }
        let proof = claim.prove(&self.common.0.replays, secret);
        self.note_proof(now, &job.flow, proof);
        match proof {
            Proof::Wrong if self.common.0.failures.enter(now, &self.key, address, user) => {
                return self.challenge(now, &job, false, WRONG);
            }
            Proof::Wrong => return self.refuse(now, &job, &Refusal::new(403, WRONG)),
            Proof::Used => return self.challenge(now, &job, true, ""),
            Proof::Right => self.common.0.failures.forget(&self.key, address, user),
        }
        match self.account(&job, user) {
            Some(aor) => {
                job.sender = Sender::Account(aor);
                self.decide(now, job);
            }
            None => self.refuse(now, &job, &speaks_for_another(&job)),
        }
    }

    pub(crate) fn challenge(&mut self, now: Instant, job: &Job, stale: bool, why: &'static str) {
        let is_registrar = is_register(&job.received);
        let refusal =
            self.authenticator.challenge(now, &job.received, is_registrar, stale, why, &mut *self.entropy);
        let refusal = self.offer_tokens(refusal, job, why);
        self.refuse(now, job, &refusal);
    }

    /// Answers with a refusal, and tells it.
    pub(crate) fn refuse(&mut self, now: Instant, job: &Job, refusal: &Refusal) {
        let Some(key) = job.key else { return };
        if !job.has_tried && may_be_forged(&job.sender, &job.received, &job.flow) {
            return self.refuse_once(key, &job.received, &job.flow, refusal);
        }
        self.refuse_request(now, key, &job.received, &job.flow, refusal);
    }

    fn refuse_request(
        &mut self,
        now: Instant,
        key: ServerKey,
        request: &Message,
        flow: &Flow,
        refusal: &Refusal,
    ) {
        if let Some(bytes) = self.replies.refuse(request, refusal) {
            self.transactions.respond(now, key, bytes);
        }
        self.tell_refusal(request, flow, refusal);
    }

    /// RFC 3261 §26.3.2.4: once, and not again and again until an ACK comes. Who really asked and has missed it asks
    /// again by itself.
    fn refuse_once(&mut self, key: ServerKey, request: &Message, flow: &Flow, refusal: &Refusal) {
        self.transactions.forget_request(key);
        if let Some(bytes) = self.replies.refuse(request, refusal) {
            self.outbox.transmit(response_hop(request, flow), bytes.into());
        }
        self.tell_refusal(request, flow, refusal);
    }

    fn tell_refusal(&mut self, request: &Message, flow: &Flow, refusal: &Refusal) {
        // The first challenge of a registration or a call is no failure.
        if matches!(refusal.status, 401 | 407) && refusal.why.is_empty() {
            return;
        }
        let (status, why, source) = (refusal.status, refusal.why, flow.remote);
        self.outbox.event(match request.method() {
            Some(Method::Register) => {
                let to = request.header(HeaderName::To).unwrap_or_default().to_vec();
                Event::RegistrationRefused { to, source, status, why }
            }
            Some(Method::Invite) if request.to().is_ok_and(|to| to.tag().is_none()) => Event::CallFailed {
                call_id: request.header(HeaderName::CallId).unwrap_or_default().to_vec(),
                from: request.from().map(|from| from.uri_bytes().to_vec()).unwrap_or_default(),
                to: request.request_uri().to_vec(),
                status,
                why,
            },
            method => Event::Refused {
                method: method.map(|method| method.as_bytes().to_vec()).unwrap_or_default(),
                source,
                status,
                why,
            },
        });
    }

    /// Answers with a response of our own.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        job: &Job,
        status: u16,
        headers: &[(HeaderName, Vec<u8>)],
    ) {
        if let (Some(key), Some(bytes)) = (job.key, self.replies.respond(&job.received, status, headers)) {
            self.transactions.respond(now, key, bytes);
        }
    }

    /// Forgets what a question was asked for.
    pub(crate) fn take_waiting(&mut self, id: AskId) -> Option<Waiting> {
        self.waiting.remove(&id)
    }
}

/// What anybody may begin with a user of ours. Others make phones do what their owners did not ask for: REFER calls a
/// number of the sender's choice, SUBSCRIBE tells of calls, NOTIFY restarts.
const fn is_for_anybody(method: Option<Method<'_>>) -> bool {
    matches!(method, Some(Method::Invite | Method::Ack | Method::Cancel | Method::Message | Method::Options))
}

pub(crate) fn is_register(request: &Message) -> bool {
    matches!(request.method(), Some(Method::Register))
}

fn to_uri(uri: &[u8], sealed: bool) -> Wish {
    to_target(Target::to_uri(uri), sealed)
}

fn to_target(target: Result<Target, Unroutable>, sealed: bool) -> Wish {
    let reach = if sealed { Reach::Dialog } else { Reach::World };
    match target {
        Ok(target) => Wish::Targets(vec![target], reach),
        Err(unroutable) => Wish::Nowhere(Refusal::new(unroutable.status, unroutable.why), reach),
    }
}
