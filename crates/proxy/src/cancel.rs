//! CANCEL from a caller (RFC 3261 §16.10): of a call that is in progress here, and of nothing that is known here.
//!
//! The latter is forwarded statelessly (§16.11), for senders who may send there at all; to others nothing is there,
//! 481. An answer to it finds its way back by our branch: it holds the flow that the CANCEL came over, and a code
//! that binds it to this CANCEL. No other response without a transaction is forwarded (RFC 6026 §7.3), so that
//! nobody can bounce packets off us.

use std::sync::Arc;

use sip::header::HeaderName;
use sip::transaction::ServerKey;
use sip::{Flow, Hop, Instant, Message, Method};

use crate::authorization::Verdict;
use crate::flow_token::Opened;
use crate::inbound::{Job, Wish};
use crate::proxy::{Proxy, Waiting};
use crate::reply::{Refusal, response_hop};
use crate::target::Target;
use sip::digest::constant_time_equal;

impl Proxy {
    /// The caller's CANCEL, with its Reason (RFC 3326 §2).
    pub(crate) fn cancel_received(
        &mut self,
        now: Instant,
        key: ServerKey,
        invite: Option<ServerKey>,
        request: &Message,
        flow: &Flow,
    ) {
        let job = self.job(Some(key), &Arc::new(request.clone()), flow);
        let Ok(job) = job else { return self.finish(now, key, request, 481) };
        let Some(invite) = invite else { return self.unknown_cancelled(now, key, &job) };
        self.respond(now, &job, 200, &[]);
        let Some(id) = self.by_server.get(invite).copied() else {
            return self.abandon_waiting(now, invite);
        };
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        context.no_more_branches = true;
        let reason = request.header(HeaderName::Reason);
        self.cancel_branches(now, id, reason);
        self.conclude(now, id);
    }

    /// An INVITE that waits for an answer to a question of ours is cancelled: 487.
    fn abandon_waiting(&mut self, now: Instant, invite: ServerKey) {
        let is_invite = |waiting: &Waiting| waiting.job().is_some_and(|job| job.key == Some(invite));
        let Some(id) = self.waiting.iter().find_map(|(id, waiting)| is_invite(waiting).then_some(*id)) else {
            return;
        };
        let Some(job) = self.waiting.remove(&id).and_then(Waiting::into_job) else { return };
        self.refuse(now, &job, &Refusal::new(487, "the caller gave up"));
    }

    /// A CANCEL of something that this proxy has no memory of.
    fn unknown_cancelled(&mut self, now: Instant, key: ServerKey, job: &Job) {
        match self.stateless_targets(now, job) {
            Some(targets) => {
                self.transactions.forget_request(key);
                self.forward_statelessly(job, targets);
            }
            None => self.respond(now, job, 481, &[]),
        }
    }

    /// Where a CANCEL leads, if its sender may send there. It cannot be challenged (RFC 3261 §22.1).
    fn stateless_targets(&self, now: Instant, job: &Job) -> Option<Vec<Target>> {
        let wish = self.wish(now, job);
        match (self.verdict(job, wish.reach()), wish) {
            (Verdict::Allow, Wish::Targets(targets, _)) => Some(targets),
            _ => None,
        }
    }

    /// The branch of a CANCEL that is forwarded statelessly: the code, and the flow that it came over.
    pub(crate) fn stateless_cancel_branch(&self, job: &Job) -> Vec<u8> {
        let Hop::Flow(back) = response_hop(&job.received, &job.flow) else { return Vec::new() };
        let token = self.tokens.seal(&back);
        let above = job.received.top_via().ok().and_then(|via| via.branch()).unwrap_or_default();
        let mut branch = self.stateless_code(&job.received, above, &token);
        branch.push(b'.');
        branch.extend_from_slice(&token);
        branch
    }

    fn stateless_code(&self, message: &Message, above: &[u8], token: &[u8]) -> Vec<u8> {
        let call_id = message.header(HeaderName::CallId).unwrap_or_default();
        let number = message.cseq().map_or(0, |cseq| cseq.number).to_be_bytes();
        self.key.text(b"stateless cancel", &[above, call_id, &number, token], 12)
    }

    /// A response that belongs to no transaction: forwarded, if it answers a CANCEL that was forwarded statelessly.
    pub(crate) fn stray_response(&mut self, response: &Message) {
        if let Some(flow) = self.flow_of_stateless_cancel(response) {
            let mut edit = response.edit();
            edit.remove_first_value(HeaderName::Via);
            edit.ensure_content_length();
            if let Ok(bytes) = edit.finish() {
                self.outbox.transmit(Hop::Flow(flow), bytes.into());
            }
        }
    }

    /// The flow that our branch names, if it is of our making and made for this CANCEL.
    fn flow_of_stateless_cancel(&self, response: &Message) -> Option<Flow> {
        if !matches!(response.cseq().ok()?.method, Method::Cancel) {
            return None;
        }
        let branch = response.top_via().ok()?.branch()?.strip_prefix(b"z9hG4bK".as_slice())?;
        let mut parts = branch.split(|octet| *octet == b'.');
        let (code, token) = (parts.next()?, parts.next()?);
        let above = sip::header::Via::parse(response.values(HeaderName::Via).nth(1)?).ok()?;
        let expected = self.stateless_code(response, above.branch().unwrap_or_default(), token);
        if !constant_time_equal(&expected, code) {
            return None;
        }
        match self.tokens.open(token) {
            Opened::Flow(flow)
                if !flow.transport.is_reliable() || self.common.0.connections.contains(flow.connection) =>
            {
                Some(flow)
            }
            _ => None,
        }
    }
}
