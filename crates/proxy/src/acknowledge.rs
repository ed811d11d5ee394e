//! ACK for a 2xx: it belongs to no transaction and goes its own way to the callee (RFC 3261 §13.2.2.4, §16.11).

use std::sync::Arc;

use sip::header::HeaderName;
use sip::{Flow, Hop, Instant, Message, Method};

use crate::forward::{Forwarding, Means, forward};
use crate::inbound::Job;
use crate::keyed_hash::MARK;
use crate::listeners::is_sendable;
use crate::proxy::{Proxy, Waiting};
use crate::stir::Signature;
use crate::target::Target;

impl Proxy {
    /// An ACK that no transaction took.
    pub(crate) fn ack_received(&mut self, now: Instant, request: &Arc<Message>, flow: &Flow) {
        // The ACK to a stateless answer of ours, or to one whose transaction has ended.
        if self.replies.is_ours(request) {
            return;
        }
        // Whatever is wrong with an ACK, nobody can be told.
        if let Ok(job) = self.job(None, request, flow) {
            self.decide(now, job);
        }
    }

    /// Passes an ACK, or a CANCEL of nothing known, on without a transaction.
    pub(crate) fn forward_statelessly(&mut self, job: &Job, targets: Vec<Target>) {
        // A dialog has one target; a fork of ACKs would reach those who never answered.
        let Some(target) = targets.into_iter().next() else { return };
        if let Some(hop) = target.way.hop() {
            self.send_statelessly(job, &target, hop);
        } else if let Some(question) = target.way.question() {
            let id = self.outbox.ask(question);
            self.waiting.insert(id, Waiting::StatelessHops { job: Box::new(job.clone()), target });
        }
    }

    /// Sends such a request to `hop`.
    pub(crate) fn send_statelessly(&mut self, job: &Job, target: &Target, hop: Hop) {
        let hop = self.listeners.pin(hop);
        if !is_sendable(hop.address()) {
            return;
        }
        // §16.11: a retransmission gets the same branch.
        let mut branch = match job.received.method() {
            Some(Method::Cancel) => self.stateless_cancel_branch(job),
            _ => {
                let received = job.received.first_value(HeaderName::Via).unwrap_or_default();
                let mut branch = Vec::with_capacity(2 * MARK + 1);
                branch.extend_from_slice(&self.key.mark(b"ack branch", [received]));
                branch
            }
        };
        branch.push(b'.');
        branch.extend_from_slice(&job.loop_mark(&self.key));
        let forwarding = Forwarding {
            request: &job.onward.request,
            flow: &job.flow,
            sender: &job.sender,
            target,
            hop: &hop,
            branch: &branch,
            realm: self.authenticator.realm().as_bytes(),
            adds_path: false,
            stands_in_for: None,
            from: None,
            assertion: self.assertion(&job.sender, &job.onward.request, &hop, false),
            breadth: None,
            signature: &Signature::NotAsked,
            account: &[],
        };
        let means = Means { listeners: &self.listeners, tokens: &self.tokens, key: &self.key };
        if let Ok(copy) = forward(&forwarding, &means) {
            self.outbox.transmit(hop, copy.bytes.into());
        }
    }
}
