//! The branches of a forwarded request: sent out, answered, cancelled, timed out (RFC 3261 §16.6 to §16.10).

use std::collections::VecDeque;
use std::sync::Arc;

use sip::header::HeaderName;
use sip::transaction::{ClientKey, ServerKey, Written};
use sip::{BuildError, Hop, Instant, Message, Method};

use crate::answers::{sentence, with_challenges};
use crate::authorization::Reach;
use crate::config::Role;
use crate::edge::address_of_record;
use crate::event::Event;
use crate::forking::{arrange, wants_199};
use crate::forward::{Forwarding, Means, forward};
use crate::inbound::{Job, is_register};
use crate::listeners::is_sendable;
use crate::next_hop::usable;
use crate::output::ResolveError;
use crate::proxy::{Proxy, Waiting};
use crate::reply::Refusal;
use crate::response_context::{BranchState, ContextId, Outcome, ResponseContext, Sent};
use crate::sent_by::SentBy;
use crate::target::{Target, Way};
use crate::trunks::caller::from_for;

/// What the losers of a fork are told, and show (RFC 3326 §2).
pub(crate) const COMPLETED_ELSEWHERE: &[u8] = b"SIP;cause=200;text=\"Call completed elsewhere\"";

/// What the callee is told when the caller's page was closed.
const CALLER_GONE: &[u8] = b"SIP;cause=487;text=\"The caller is gone\"";

/// The most early dialogs of a branch whose end its caller is told: who is called may make any number of them.
const EARLY_DIALOGS: usize = 100;

/// What is tried after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next address of the same target.
    Address,
    /// Another flow of the same instance.
    Flow,
    /// The same address, once more.
    Again,
}

impl Proxy {
    /// Forwards a request to its targets, group by group (RFC 3261 §16.6).
    pub(crate) fn start(&mut self, now: Instant, job: Job, targets: Vec<Target>, reach: Reach) {
        let Some(server) = job.key else { return self.forward_statelessly(&job, targets) };
        let is_invite = matches!(job.request().method(), Some(Method::Invite));
        let is_call = is_invite && !job.is_in_dialog();
        let limit = self.config.limits.branches;
        let arrangement = match arrange(job.request(), targets, &self.config.forking, limit) {
            Ok(arrangement) => arrangement,
            Err(refusal) => return self.refuse(now, &job, &refusal),
        };
        // Of several branches only one can end before the others.
        let wants_199 = is_call && arrangement.branches.len() > 1 && wants_199(job.request());
        let context = ResponseContext {
            server,
            request: self.with_session_timer(&job.onward.request),
            received: Arc::clone(&job.received),
            flow: job.flow,
            sender: job.sender.clone(),
            sent_by: SentBy::NotAsked,
            loop_mark: job.loop_mark(&self.key),
            branches: arrangement.branches,
            answered: false,
            no_more_branches: false,
            abandoned: None,
            rang: false,
            is_invite,
            is_call,
            to_own_user: reach == Reach::OwnUser,
            disposition: arrangement.disposition,
            breadth: arrangement.breadth,
            next_group: None,
            wants_199,
            rewritten: false,
        };
        if is_invite && self.config.trying_after.is_zero() {
            // §16.2: so that the caller stops retransmitting.
            self.respond(now, &job, 100, &[]);
        }
        if is_call {
            self.outbox.event(Event::CallStarted {
                call_id: job.received.header(HeaderName::CallId).unwrap_or_default().to_vec(),
                from: job.received.from().map(|from| from.uri_bytes().to_vec()).unwrap_or_default(),
                to: job.received.request_uri().to_vec(),
                source: job.flow.remote,
                transport: job.flow.transport,
            });
        }
        let alone = context.branches.len() == 1 && context.breadth.is_none();
        let id = ContextId(self.contexts.insert(context));
        self.by_server.insert(server, id);
        self.note_call_request(now, id);
        if alone {
            self.begin(now, id, 0);
        } else {
            self.begin_group(now, id);
        }
        self.conclude(now, id);
    }

    /// Sets a branch on its way to its target.
    pub(crate) fn begin(&mut self, now: Instant, id: ContextId, branch: usize) {
        if !self.may_go_elsewhere(now, id, branch) {
            return self.end(id, branch, Outcome::Local(480, "too many calls to that contact elsewhere"));
        }
        if self.ask_for_signature(now, id, branch) {
            return;
        }
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let Some(place) = context.branches.get_mut(branch) else { return };
        match (place.target.way.hop(), &place.target.way) {
            (Some(hop), Way::Flow(_)) => {
                place.hops.clear();
                self.send(now, id, branch, hop);
            }
            (Some(hop), Way::Resolve { .. }) => self.hops_found(now, id, branch, vec![hop]),
            (None, way) => {
                let Some(question) = way.question() else { return };
                let ask = self.outbox.ask(question);
                place.state = BranchState::Resolving(ask);
                self.waiting.insert(ask, Waiting::Hops { context: id, branch });
            }
        }
    }

    /// The addresses of a branch's target are known.
    pub(crate) fn branch_resolved(
        &mut self,
        now: Instant,
        id: ContextId,
        branch: usize,
        result: Result<Vec<Hop>, ResolveError>,
    ) {
        match result {
            Ok(hops) => self.hops_found(now, id, branch, hops),
            Err(ResolveError::NotFound) => {
                self.end(id, branch, Outcome::Local(404, "the host does not exist"))
            }
            Err(ResolveError::NoTransport) => {
                self.end(id, branch, Outcome::Local(404, "no transport of ours leads to the host"));
            }
            Err(ResolveError::Unavailable) => {
                self.end(id, branch, Outcome::Local(503, "the name servers did not answer"));
            }
        }
        self.conclude(now, id);
    }

    /// Sends a branch's request to the first of these hops that one may send to.
    fn hops_found(&mut self, now: Instant, id: ContextId, branch: usize, hops: Vec<Hop>) {
        let Some(context) = self.contexts.get(id.0) else { return };
        let length = context.request.as_bytes().len();
        let Some(place) = context.branches.get(branch) else { return };
        let is_upstream = self.is_upstream_target(&place.target);
        let member = place.target.member.clone();
        let mut usable: VecDeque<Hop> =
            self.common.0.avoided.put_last(now, usable(&hops, &place.target, length)).into();
        if is_upstream {
            self.upstream_found(&hops);
        }
        if let Some(member) = member {
            self.server_found(&member, &hops);
        }
        let first = usable.pop_front();
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let Some(place) = context.branches.get_mut(branch) else { return };
        place.hops = usable;
        match first {
            Some(hop) => self.send(now, id, branch, hop),
            None => self.end(id, branch, Outcome::Local(404, "the address is none that one may send to")),
        }
    }

    /// Sends a branch's request to `hop`.
    pub(crate) fn send(&mut self, now: Instant, id: ContextId, branch: usize, hop: Hop) {
        let hop = self.listeners.pin(hop);
        let token = self.entropy.token(16);
        let is_edge = matches!(self.config.role, Role::Edge { .. });
        let keeps_path = !self.writes_stand_ins();
        let Some(context) = self.contexts.get(id.0) else { return };
        let registers = is_edge && is_register(&context.request);
        let stands_in_for =
            if registers && !keeps_path { address_of_record(&context.request, HeaderName::To) } else { None };
        let assertion = self.assertion(&context.sender, &context.request, &hop, context.to_own_user);
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let Some(place) = context.branches.get_mut(branch) else { return };
        if !is_sendable(hop.address()) {
            return self.end(id, branch, Outcome::Local(404, "the address is none that one may send to"));
        }
        let mark = [token.as_bytes(), b".", &context.loop_mark].concat();
        let numbers = &self.config.trunks.numbers;
        let from = from_for(place, &context.sender, &context.request, numbers);
        let forwarding = Forwarding {
            request: &context.request,
            flow: &context.flow,
            sender: &context.sender,
            target: &place.target,
            hop: &hop,
            branch: &mark,
            realm: if is_edge { b"" } else { self.authenticator.realm().as_bytes() },
            adds_path: registers && keeps_path,
            stands_in_for: stands_in_for.as_deref(),
            from: from.as_deref(),
            assertion,
            breadth: place.breadth,
            signature: &place.signature,
            account: place.answering.as_ref().map_or(&[], |answering| answering.credentials.as_slice()),
        };
        let means = Means { listeners: &self.listeners, tokens: &self.tokens, key: &self.key };
        let Ok(copy) = forward(&forwarding, &means) else {
            return self.end(id, branch, Outcome::Local(513, "the request is too large to be passed on"));
        };
        if context.is_invite {
            // §16.6 item 11.
            place.timer_c = Some(now + self.config.timer_c);
            place.patience = place.has_another_server().then(|| now + self.config.next_hop.patience);
        }
        place.hop = Some(hop.clone());
        let written = Written {
            bytes: copy.bytes.into(),
            method: context.request.method().unwrap_or(Method::Invite),
            branch: copy.via.get(copy.branch..).unwrap_or_default(),
            sent_by: copy.via.get(copy.sent_by).unwrap_or_default(),
        };
        let key = self.transactions.request_written(now, hop, written);
        place.state = BranchState::Trying { key, proceeding: false };
        place.key = Some(key);
        self.by_client.insert(key, Sent::Branch(id, branch));
        self.watch(id);
    }

    /// A response of a branch (RFC 3261 §16.7).
    pub(crate) fn response_received(&mut self, now: Instant, key: ClientKey, response: Arc<Message>) {
        let Some(sent) = self.by_client.get(key).copied() else { return };
        let Some(status) = response.status() else { return };
        let of_branch = match sent {
            Sent::Notice(slot) => return self.notice_answered(now, key, slot, status),
            Sent::Own(errand) => return self.own_answered(now, key, errand, &response),
            Sent::Branch(id, branch) => Ok((id, branch)),
            Sent::Answered(server) => Err(server),
        };
        let Ok(stripped) = self.stripped(Arc::unwrap_or_clone(response), sent) else { return };
        if stripped.header(HeaderName::Via).is_none() {
            return;
        }
        let (id, branch) = match of_branch {
            Ok(branch) => branch,
            Err(server) => {
                if (200..300).contains(&status) {
                    let stripped = self.as_the_first(server, stripped);
                    self.transactions.respond(now, server, stripped.into_bytes());
                }
                return;
            }
        };
        let stripped = Arc::new(self.with_from_as_it_came(stripped, sent));
        // It asks another server by now; only a 2xx of the one before still counts.
        if self.is_superseded(id, branch, key) {
            if !(200..300).contains(&status) {
                return;
            }
            self.cancel_successor(now, id, branch);
        }
        if status != 503 {
            self.hop_answers(id, branch);
        }
        match status {
            100 => self.provisional(now, id, branch, None),
            101..=199 => self.provisional(now, id, branch, Some(&stripped)),
            200..=299 => self.success(now, id, branch, &stripped),
            _ => self.failure(now, id, branch, status, stripped),
        }
    }

    /// A response as it goes on (item 3): our Via off, and an identity that nobody vouches for.
    fn stripped(&self, mut response: Message, sent: Sent) -> Result<Message, BuildError> {
        response.remove_top_via()?;
        if response.header(HeaderName::PAssertedIdentity).is_some() && !self.believes(sent) {
            response.remove_fields(HeaderName::PAssertedIdentity)?;
        }
        if response.header(HeaderName::ContentLength).is_some() {
            return Ok(response);
        }
        let mut edit = response.edit();
        edit.ensure_content_length();
        edit.message()
    }

    /// Items 2 and 5: Timer C anew, and on to the caller at once.
    fn provisional(&mut self, now: Instant, id: ContextId, branch: usize, response: Option<&Arc<Message>>) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let Some(place) = context.branches.get_mut(branch) else { return };
        if let BranchState::Trying { proceeding, .. } = &mut place.state {
            *proceeding = true;
        }
        place.patience = None;
        let Some(response) = response else { return };
        if place.timer_c.is_some() {
            place.timer_c = Some(now + self.config.timer_c);
        }
        if context.answered || place.given_up {
            return;
        }
        if context.wants_199
            && place.early.len() < EARLY_DIALOGS
            && let Some(tag) = response.to_tag()
            && !place.early.iter().any(|known| known == tag)
        {
            place.early.push(tag.to_vec());
        }
        let status = response.status().unwrap_or_default();
        if context.is_call && !context.rang && matches!(status, 180..=183) {
            context.rang = true;
            let call_id = response.header(HeaderName::CallId).unwrap_or_default().to_vec();
            self.outbox.event(Event::CallRinging { call_id, status });
        }
        let server = context.server;
        self.transactions.respond(now, server, response.as_bytes().to_vec());
        self.note_call_answered(now, id, response);
        self.watch(id);
    }

    /// Items 5 and 10: a 2xx goes to the caller, whatever came before it; the other branches are cancelled.
    fn success(&mut self, now: Instant, id: ContextId, branch: usize, response: &Arc<Message>) {
        let translated =
            self.with_own_contacts(now, id, response).or_else(|| self.with_refresher(id, response));
        let response = translated.as_ref().unwrap_or(response);
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        context.rewritten |= translated.is_some();
        let Some(place) = context.branches.get_mut(branch) else { return };
        let first = !matches!(place.state, BranchState::Accepted);
        place.state = BranchState::Accepted;
        place.timer_c = None;
        let server = context.server;
        let (is_invite, is_call) = (context.is_invite, context.is_call);
        let no_cancel = context.disposition.no_cancel;
        if !is_invite && context.answered {
            return;
        }
        context.answered = true;
        self.transactions.respond(now, server, response.as_bytes().to_vec());
        if first && is_call {
            let call_id = response.header(HeaderName::CallId).unwrap_or_default().to_vec();
            let contact = response.header(HeaderName::Contact).unwrap_or_default().to_vec();
            self.outbox.event(Event::CallAnswered { call_id, contact });
        }
        if first && matches!(response.cseq().map(|cseq| cseq.method), Ok(Method::Bye)) {
            let call_id = response.header(HeaderName::CallId).unwrap_or_default().to_vec();
            self.outbox.event(Event::CallEnded { call_id });
        }
        if is_invite && no_cancel {
            self.end_held(id);
        } else if is_invite {
            self.cancel_branches(now, id, Some(COMPLETED_ELSEWHERE));
        }
        if first {
            self.note_call_answered(now, id, response);
            self.learn_from_success(now, id, response);
        }
        self.watch(id);
        self.settle(id);
    }

    /// A final response other than 2xx: the next address, the next flow, or the end of the branch.
    fn failure(&mut self, now: Instant, id: ContextId, branch: usize, status: u16, response: Arc<Message>) {
        if self.has_given_up(id, branch) {
            return self.conclude(now, id);
        }
        if self.second_attempt && self.try_next(now, id, branch, Next::Again) {
            return;
        }
        if status == 482 && self.rest(now, id, branch) {
            return;
        }
        if matches!(status, 401 | 407) && self.answer_challenge(now, id, branch, &response) {
            return;
        }
        // RFC 3263 §4.3: a server that is overloaded or away is no answer while there is another.
        if status == 503 {
            self.avoid_hop(now, id, branch, Some(&response));
            if self.try_next_server(now, id, branch) {
                return;
            }
        }
        // RFC 5626 §7: another flow of the same instance.
        if matches!(status, 430 | 408)
            && !self.is_in_group(id, branch)
            && self.try_next(now, id, branch, Next::Flow)
        {
            return;
        }
        if (300..400).contains(&status) && self.follow_redirection(now, id, branch, &response) {
            return self.conclude(now, id);
        }
        self.end(id, branch, Outcome::Response(response));
        self.tell_ended_dialogs(now, id, branch);
        // Item 5: a 6xx ends the search, though not before the others have ended too. No branch begins any more.
        if status >= 600 {
            if let Some(context) = self.contexts.get_mut(id.0) {
                context.no_more_branches = true;
            }
            self.cancel_branches(now, id, None);
        }
        self.conclude(now, id);
    }

    /// No final response came (§16.7 item 10 by way of §8.1.3.1: as if it were 408), or the request could not be
    /// sent (§16.9: as if it were 503).
    pub(crate) fn branch_failed(&mut self, now: Instant, key: ClientKey, status: u16) {
        let (id, branch) = match self.by_client.get(key).copied() {
            Some(Sent::Branch(id, branch)) => (id, branch),
            Some(Sent::Notice(slot)) => return self.notice_failed(now, slot),
            Some(Sent::Own(errand)) => return self.own_failed(now, key, errand, status),
            Some(Sent::Answered(_)) | None => return,
        };
        if self.is_superseded(id, branch, key) {
            return;
        }
        if self.has_given_up(id, branch) {
            return self.conclude(now, id);
        }
        self.avoid_hop(now, id, branch, None);
        if self.try_next(now, id, branch, Next::Address) || self.try_next(now, id, branch, Next::Flow) {
            return;
        }
        let own = self.contexts.get(id.0).is_some_and(|context| context.to_own_user);
        let outcome = match status {
            408 => Outcome::Local(408, "the called side did not answer in time"),
            _ if own => Outcome::Local(480, "the called phone cannot be reached"),
            _ => Outcome::Local(503, "the next server cannot be reached"),
        };
        self.end(id, branch, outcome);
        self.tell_ended_dialogs(now, id, branch);
        self.conclude(now, id);
    }

    /// Whether the branch was ended before it said its last word.
    fn has_given_up(&self, id: ContextId, branch: usize) -> bool {
        let place = self.contexts.get(id.0).and_then(|context| context.branches.get(branch));
        place.is_none_or(|place| place.given_up || place.has_ended())
    }

    /// Sends the branch to its next address, or over another flow of the same instance.
    pub(crate) fn try_next(&mut self, now: Instant, id: ContextId, branch: usize, next: Next) -> bool {
        let Some(context) = self.contexts.get_mut(id.0) else { return false };
        if context.answered || context.no_more_branches {
            return false;
        }
        let Some(place) = context.branches.get_mut(branch) else { return false };
        match next {
            Next::Address => {
                let Some(hop) = place.hops.pop_front() else { return false };
                // Another server asks anew who we are.
                place.answering = None;
                self.send(now, id, branch, hop);
            }
            Next::Flow => {
                let Some(target) = place.alternatives.pop_front() else { return false };
                place.answering = None;
                place.target = target;
                self.begin(now, id, branch);
            }
            Next::Again => {
                let Some(hop) = place.hop.take().filter(|_| place.again == 0) else { return false };
                place.again = 1;
                self.send(now, id, branch, hop);
            }
        }
        // It may have ended at once.
        self.conclude(now, id);
        true
    }

    pub(crate) fn end(&mut self, id: ContextId, branch: usize, outcome: Outcome) {
        if let Some(place) = self.contexts.get_mut(id.0).and_then(|context| context.branches.get_mut(branch))
        {
            place.state = BranchState::Ended(outcome);
            place.timer_c = None;
        }
        self.watch(id);
    }

    /// Cancels every branch that has not ended (§16.10, §9.1).
    pub(crate) fn cancel_branches(&mut self, now: Instant, id: ContextId, reason: Option<&[u8]>) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        for place in &mut context.branches {
            match place.state {
                BranchState::Trying { key, .. } => self.transactions.cancel(now, key, reason),
                BranchState::Resolving(ask) => {
                    self.waiting.remove(&ask);
                    place.state = BranchState::Ended(Outcome::Local(487, "the call was cancelled"));
                }
                BranchState::Resting(_) | BranchState::Held => {
                    place.state = BranchState::Ended(Outcome::Local(487, "the call was cancelled"));
                }
                BranchState::Accepted | BranchState::Ended(_) => {}
            }
        }
    }

    /// Timer C (§16.8), and the end of the patience with a caller whose connection is closed: nobody is there to
    /// answer to, so the phones stop ringing.
    pub(crate) fn timer_c(&mut self, now: Instant, id: ContextId) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        if context.abandoned.is_some_and(|at| at <= now) && !context.answered {
            context.abandoned = None;
            context.no_more_branches = true;
            self.cancel_branches(now, id, Some(CALLER_GONE));
        }
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        for place in &mut context.branches {
            if place.timer_c.is_some_and(|at| at <= now) {
                place.timer_c = None;
                if let BranchState::Trying { key, .. } = place.state {
                    self.transactions.cancel(now, key, None);
                    place.given_up = true;
                    place.state = BranchState::Ended(Outcome::Local(408, "nobody answered"));
                }
            }
        }
        self.rested(now, id);
        self.pass_silent_hops(now, id);
        self.end_group(now, id);
        self.watch(id);
        self.conclude(now, id);
    }

    /// Answers the caller once every branch has said its last word (§16.7 items 6 to 9).
    pub(crate) fn conclude(&mut self, now: Instant, id: ContextId) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        if context.answered {
            return self.settle(id);
        }
        if !context.has_ended() {
            // It may end as it begins.
            if self.begin_next_group(now, id) {
                self.conclude(now, id);
            }
            return;
        }
        context.answered = true;
        let Some(best) = context.best().cloned() else { return };
        let (server, received) = (context.server, Arc::clone(&context.received));
        let (is_call, is_invite) = (context.is_call, context.is_invite);
        let (status, bytes, why) = match &best {
            // RFC 4320 §4.2: nobody waits any more for a timeout of a request other than INVITE.
            Outcome::Local(408, _) if !is_invite => return self.drop_context(id),
            // Item 6: a 503 of another server says nothing about us.
            Outcome::Local(503, why) => (500, self.replies.refuse(&received, &Refusal::new(500, why)), *why),
            Outcome::Local(status, why) => {
                (*status, self.replies.refuse(&received, &Refusal::new(*status, why)), *why)
            }
            // Those that were tried in its place have the better word; there is one always.
            Outcome::Redirected => {
                let why = "the called side says to call elsewhere";
                (480, self.replies.refuse(&received, &Refusal::new(480, why)), why)
            }
            Outcome::Response(response) if response.status() == Some(503) => {
                let why = "the next server is overloaded or out of service";
                (500, self.replies.refuse(&received, &Refusal::new(500, why)), why)
            }
            Outcome::Response(response) => {
                let status = response.status().unwrap_or(500);
                (status, with_challenges(context, response), sentence(status))
            }
        };
        if let Some(bytes) = bytes {
            self.transactions.respond(now, server, bytes);
        }
        if is_call {
            self.call_refused(now, id, &received);
            self.outbox.event(Event::CallFailed {
                call_id: received.header(HeaderName::CallId).unwrap_or_default().to_vec(),
                from: received.from().map(|from| from.uri_bytes().to_vec()).unwrap_or_default(),
                to: received.request_uri().to_vec(),
                status,
                why,
            });
        }
        self.settle(id);
    }

    pub(crate) fn finish(&mut self, now: Instant, key: ServerKey, request: &Message, status: u16) {
        if let Some(bytes) = self.replies.respond(request, status, &[]) {
            self.transactions.respond(now, key, bytes);
        }
    }

    /// Keeps the table of Timer C in step with a context.
    pub(crate) fn watch(&mut self, id: ContextId) {
        let Some(context) = self.contexts.get(id.0) else { return };
        self.timers.set(id.0.index(), context.next_timeout().unwrap_or(Instant::NEVER));
    }
}
