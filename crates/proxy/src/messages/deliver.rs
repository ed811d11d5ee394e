//! What was kept goes to the devices of its user, one message after another.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use sip::header::{HeaderName, MAGIC_COOKIE};
use sip::transaction::Received;
use sip::{Hop, Instant, Message};

use super::waiting::{DELIVERY, WaitingMessage};
use crate::authorization::{Reach, Sender};
use crate::hang_up::{NOBODY, OURSELVES};
use crate::inbound::Job;
use crate::notifier::Package;
use crate::proxy::Proxy;
use crate::route::preprocess;

/// The deliveries of one event loop, by the branch of our Via.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    under_way: HashMap<Vec<u8>, (Vec<u8>, Vec<u8>)>,
    /// When each counts as failed; all take as long.
    ends: VecDeque<(Instant, Vec<u8>)>,
}

impl Deliveries {
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.ends.front().map(|(at, _)| *at)
    }
}

impl Proxy {
    /// A user has a device now: what waits for him sets out, the oldest message first.
    pub(crate) fn deliver_messages(&mut self, now: Instant, aor: &[u8]) {
        if self.common.0.messages.is_empty() {
            return;
        }
        self.common.0.messages.offer_again(aor);
        self.deliver_next(now, aor);
    }

    /// The oldest message that waits sets out, but for those that his devices have refused since they came.
    pub(super) fn deliver_next(&mut self, now: Instant, aor: &[u8]) {
        if self.common.0.messages.is_empty() {
            return;
        }
        let targets = self.targets_of(now, aor, None);
        if targets.is_empty() {
            return;
        }
        let Some(message) = self.common.0.messages.claim(now, aor) else { return };
        let branch = self.entropy.token(20);
        match self.delivery(now, &message, &branch) {
            Some(job) => {
                self.deliveries.under_way.insert(branch.clone().into_bytes(), (aor.to_vec(), message.name));
                self.deliveries.ends.push_back((now + DELIVERY, branch.into_bytes()));
                self.start(now, job, targets, Reach::OwnUser);
            }
            None => self.delivery_failed(now, aor, message.name, true),
        }
    }

    fn delivery(&mut self, now: Instant, message: &WaitingMessage, branch: &str) -> Option<Job> {
        let kept = Message::parse(&message.request).ok()?;
        let mut edit = kept.edit();
        let via = format!("SIP/2.0/TCP {NOBODY};branch=z9hG4bK{branch}");
        edit.replace(HeaderName::Via, via.as_bytes());
        // The answer comes to the event loop of the Call-ID: to this one, which waits for it.
        edit.replace(HeaderName::CallId, self.own_call_id().as_bytes());
        let mut request = Message::parse(&edit.finish().ok()?).ok()?;
        request.admit().ok()?;
        let onward =
            preprocess(&Arc::new(request.clone()), &OURSELVES, &self.own, &self.tokens, &self.key).ok()?;
        let received = self.transactions.receive(now, &Hop::Flow(OURSELVES), request);
        let Received::Request { key, request } = received else { return None };
        Some(Job {
            key: Some(key),
            flow: OURSELVES,
            loop_mark: None,
            received: request,
            onward,
            sender: Sender::Peer,
            is_from_ours: Some(false),
            has_tried: false,
            proven_until: Instant::NEVER,
            routes_passed: 0,
        })
    }

    /// A response to a request of our own.
    pub(crate) fn heard_ourselves(&mut self, bytes: &[u8]) {
        if self.deliveries.under_way.is_empty() {
            return;
        }
        let Ok(response) = Message::parse(bytes) else { return };
        let (Some(status @ 200..), Ok(via)) = (response.status(), response.top_via()) else { return };
        let branch = via.branch().and_then(|branch| branch.strip_prefix(MAGIC_COOKIE)).unwrap_or_default();
        let Some((aor, name)) = self.deliveries.under_way.remove(branch) else { return };
        let now = self.now;
        if status >= 300 {
            return self.delivery_failed(now, &aor, name, !is_for_now(status));
        }
        self.common.0.messages.finish(&aor, &name);
        self.forget_message(name);
        self.tell_watchers(now, &aor, Package::MessageSummary);
        self.deliver_next(now, &aor);
    }

    fn delivery_failed(&mut self, now: Instant, aor: &[u8], name: Vec<u8>, refused: bool) {
        if self.common.0.messages.put_off(aor, &name, refused) {
            self.forget_message(name);
            self.tell_watchers(now, aor, Package::MessageSummary);
        }
        // What his devices do not take keeps nothing back that they may.
        if refused {
            self.deliver_next(now, aor);
        }
    }

    /// Deliveries that nobody answered.
    pub(crate) fn end_silent_deliveries(&mut self, now: Instant) {
        while self.deliveries.next_timeout().is_some_and(|at| at <= now) {
            let Some((_, branch)) = self.deliveries.ends.pop_front() else { return };
            if let Some((aor, name)) = self.deliveries.under_way.remove(&branch) {
                self.delivery_failed(now, &aor, name, false);
            }
        }
    }
}

/// Whether a status says that nobody could be reached, or had time, at present: another day it may be otherwise.
const fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 430 | 480 | 486 | 487 | 502..=504 | 600)
}
