//! The calls between browsers and phones: what the messages of each mean to those who must translate them.
//!
//! A call is joined where a description that a browser wrote goes to a phone, or the other way round. What goes
//! from browser to browser or from phone to phone passes untouched and is not remembered here. Each branch of a
//! forked INVITE is known by the branch parameter that the proxy wrote into Via: it comes back on top of every
//! response (RFC 3261 §16.7).
//!
//! An INVITE without a description says nothing of its caller, and its answer rides in an ACK that belongs to no
//! branch: then the caller is whatever its hop is, a browser behind a WebSocket and a phone behind all else, and the
//! callee is what its own offer says.

use core::time::Duration;
use std::collections::HashMap;

use media::{BranchKey, CallKey, Side};
use sip::{Instant, Message, Method, Transport};

use super::negotiation::{Meaning, Negotiation, Request};
use super::reading::{has_description, other, side_before, side_of, tag, transaction, writer};

/// How long an INVITE may ring before its ports are given back: longer than Timer C (RFC 3261 §16.6 item 11).
const PATIENCE: Duration = Duration::from_secs(300);
/// The most calls that are joined at a time.
const LIMIT: usize = 20_000;
/// The most dialogs that are told apart behind one branch.
const MOST_DIALOGS: usize = 16;

/// What must be done with the description of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is an offer that this side wrote. `replaces`: one that was open and that nobody will answer any more.
    Offer { call: CallKey, branch: BranchKey, from: Side, replaces: bool },
    /// It is an answer that this side wrote.
    Answer { call: CallKey, branch: BranchKey, from: Side },
    /// It repeats what has been overtaken: the message goes on without it.
    Overtaken,
    /// Its request is refused: another offer is open. `own`: one of the same side.
    Crossing { own: bool },
}

/// What follows from a message, once it has been translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The whole call is over.
    CallOver(CallKey),
    /// One branch that did not win is over.
    BranchOver(CallKey, BranchKey),
    /// This branch has won.
    BranchWon(CallKey, BranchKey),
    /// The open offer inside the call of this branch was refused.
    OfferRefused(CallKey, BranchKey),
}

/// One branch toward one target, and the dialogs behind it.
#[derive(Debug, Default)]
struct Branch {
    /// The callee's tags: several before the answer where somebody behind us forks, one after it.
    tags: Vec<Vec<u8>>,
    negotiation: Negotiation,
    /// Between which sides it stands is known: its media goes through the gateway.
    joined: bool,
}

#[derive(Debug)]
struct Call {
    key: CallKey,
    caller_tag: Vec<u8>,
    caller: Side,
    /// The branches that may still win.
    branches: HashMap<BranchKey, Branch>,
    won: Option<BranchKey>,
    /// What the last message brought about.
    consequences: Vec<Consequence>,
    begun: Instant,
}

/// The calls that are joined.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    by_call_id: HashMap<Vec<u8>, Call>,
}

impl Calls {
    /// Whether nothing is joined.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_call_id.is_empty()
    }

    /// What a request that leaves for a hop of this transport means.
    pub(crate) fn request(&mut self, now: Instant, request: &Message, to: Transport) -> Option<Step> {
        let call_id = request.call_id().ok()?.to_vec();
        let method = request.method()?;
        if method == Method::Invite && tag(request.to()).is_empty() {
            return self.invite(now, call_id, request, to);
        }
        let call = self.by_call_id.get_mut(&call_id)?;
        let (from, key) = call.sender(request)?;
        let meaning = call.branches.get_mut(&key)?.negotiation.request(now, read(request, from)?);
        call.step(key, meaning)
    }

    fn invite(&mut self, now: Instant, call_id: Vec<u8>, request: &Message, to: Transport) -> Option<Step> {
        let described = has_description(request);
        let caller = if described { writer(request)? } else { side_before(request)? };
        let full = self.by_call_id.len() >= LIMIT && !self.by_call_id.contains_key(&call_id);
        if (described && caller == side_of(to)) || full {
            return None;
        }
        let caller_tag = tag(request.from());
        let invite = read(request, caller)?;
        let key = invite.via.clone();
        let call = self.by_call_id.entry(call_id.clone()).or_insert_with(|| Call {
            key: super::dialogs::key(&call_id, &caller_tag),
            caller_tag: caller_tag.clone(),
            caller,
            branches: HashMap::new(),
            won: None,
            consequences: Vec::new(),
            begun: now,
        });
        // A stranger who takes somebody's Call-ID gets no part in the call.
        if call.caller_tag != caller_tag || call.caller != caller {
            return None;
        }
        let branch = call.branches.entry(key.clone()).or_default();
        branch.joined |= described;
        let meaning = branch.negotiation.request(now, invite);
        call.step(key, meaning)
    }

    /// What a response that has arrived, with our Via on top, means.
    pub(crate) fn response(&mut self, now: Instant, response: &Message) -> Option<Step> {
        let call_id = response.call_id().ok()?;
        let call = self.by_call_id.get_mut(call_id)?;
        let step = call.response(now, response);
        if call.branches.is_empty() {
            call.consequences = vec![Consequence::CallOver(call.key.clone())];
        }
        step
    }

    /// The call that this first INVITE belongs to, if it is or may be joined.
    pub(crate) fn begun_by(&self, request: &Message) -> Option<CallKey> {
        let call = self.by_call_id.get(request.call_id().ok()?)?;
        let begins = request.method() == Some(Method::Invite) && tag(request.to()).is_empty();
        (begins && call.caller_tag == tag(request.from())).then(|| call.key.clone())
    }

    /// What follows from a request once it has left.
    pub(crate) fn after_request(&mut self, request: &Message) -> Option<Consequence> {
        let call_id = request.call_id().ok()?;
        let call = self.by_call_id.get(call_id)?;
        match request.method()? {
            Method::Bye if call.ends_with(request) => self.forget(call_id),
            _ => None,
        }
    }

    /// What follows from a response once it has arrived.
    pub(crate) fn after_response(&mut self, response: &Message) -> Vec<Consequence> {
        let Ok(call_id) = response.call_id() else { return Vec::new() };
        let Some(call) = self.by_call_id.get_mut(call_id) else { return Vec::new() };
        let consequences = core::mem::take(&mut call.consequences);
        if call.branches.is_empty() {
            self.by_call_id.remove(call_id);
        }
        consequences
    }

    fn forget(&mut self, call_id: &[u8]) -> Option<Consequence> {
        self.by_call_id.remove(call_id).map(|call| Consequence::CallOver(call.key))
    }

    /// Forgets the call of that key, whose media is gone.
    pub(crate) fn lost(&mut self, key: &CallKey) {
        self.by_call_id.retain(|_, call| call.key != *key);
    }

    /// Calls that nobody ever answered or refused.
    pub(crate) fn stale(&mut self, now: Instant) -> Vec<Consequence> {
        let is_stale = |call: &Call| call.won.is_none() && now > call.begun + PATIENCE;
        let stale: Vec<Vec<u8>> =
            self.by_call_id.iter().filter(|(_, call)| is_stale(call)).map(|(id, _)| id.clone()).collect();
        stale.iter().filter_map(|call_id| self.forget(call_id)).collect()
    }
}

/// A request as far as offers and answers go.
fn read(request: &Message, from: Side) -> Option<Request<'_>> {
    Some(Request {
        via: transaction(request)?,
        method: request.method()?,
        sequence: request.cseq().ok()?.number,
        from,
        described: has_description(request),
    })
}

impl Call {
    fn step(&mut self, branch: BranchKey, meaning: Meaning) -> Option<Step> {
        let call = self.key.clone();
        match meaning {
            Meaning::Nothing => None,
            Meaning::Offer { from, replaces } => Some(Step::Offer { call, branch, from, replaces }),
            Meaning::Answer { from } => Some(Step::Answer { call, branch, from }),
            Meaning::Overtaken => Some(Step::Overtaken),
            Meaning::Crossing { own } => Some(Step::Crossing { own }),
            Meaning::Refused => {
                self.consequences.push(Consequence::OfferRefused(call, branch));
                None
            }
        }
    }

    fn response(&mut self, now: Instant, response: &Message) -> Option<Step> {
        let (status, via) = (response.status()?, transaction(response)?);
        let known = self.branches.iter_mut().find(|(_, branch)| branch.negotiation.knows(&via));
        let (key, branch) = known.map(|(key, branch)| (key.clone(), branch))?;
        if key != via {
            let meaning = branch.negotiation.response(now, &via, status, has_description(response));
            return self.step(key, meaning);
        }
        if status >= 300 {
            return self.branch_refused(key);
        }
        if !branch.joined && has_description(response) {
            if writer(response) != Some(other(self.caller)) {
                // Both speak the same: they need nobody between them.
                self.branches.remove(&key);
                return None;
            }
            branch.joined = true;
        }
        let tag = tag(response.to());
        let stranger = !branch.tags.contains(&tag);
        if self.won.is_some() && stranger {
            // The 2xx of a dialog that came too late: the caller will end it.
            return None;
        }
        if status > 100 && stranger && !tag.is_empty() && branch.tags.len() < MOST_DIALOGS {
            branch.tags.push(tag.clone());
        }
        let meaning = branch.negotiation.response(now, &via, status, has_description(response));
        if status >= 200 && self.won.is_none() {
            branch.tags = vec![tag];
            self.branch_won(key.clone());
        }
        self.step(key, meaning)
    }

    fn branch_refused(&mut self, key: BranchKey) -> Option<Step> {
        if self.won.as_ref() != Some(&key) && self.branches.remove(&key).is_some() {
            self.consequences.push(Consequence::BranchOver(self.key.clone(), key));
        }
        None
    }

    fn branch_won(&mut self, key: BranchKey) {
        if self.branches.get(&key).is_some_and(|branch| !branch.joined) {
            // It came to no offer: there is nothing to join.
            self.branches.remove(&key);
            return;
        }
        self.branches.retain(|kept, _| {
            let lost = *kept != key;
            if lost {
                self.consequences.push(Consequence::BranchOver(self.key.clone(), kept.clone()));
            }
            !lost
        });
        self.consequences.push(Consequence::BranchWon(self.key.clone(), key.clone()));
        self.won = Some(key);
    }

    /// Who sends a request inside this call, and in which branch's dialog.
    fn sender(&self, request: &Message) -> Option<(Side, BranchKey)> {
        let (from, to) = (tag(request.from()), tag(request.to()));
        let (side, callee) = if from == self.caller_tag {
            (self.caller, to)
        } else if to == self.caller_tag {
            (other(self.caller), from)
        } else {
            return None;
        };
        let (key, _) = self.branches.iter().find(|(_, branch)| branch.tags.contains(&callee))?;
        Some((side, key.clone()))
    }

    /// Whether the call is over with this BYE: that of the dialog that won, or of the only one there is.
    fn ends_with(&self, request: &Message) -> bool {
        let Some((_, key)) = self.sender(request) else { return false };
        let dialogs = || self.branches.values().map(|branch| branch.tags.len()).sum::<usize>();
        self.won.as_ref() == Some(&key) || dialogs() == 1
    }
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
