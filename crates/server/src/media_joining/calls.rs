//! The calls between browsers and phones: what the messages of each mean to those who must translate them.
//!
//! A call is joined where a description that a browser wrote goes to a phone, or the other way round. What goes
//! from browser to browser or from phone to phone passes untouched and is not remembered here, unless the
//! configuration wants it anchored: then its description is rewritten where it passes. In such a branch the callee is
//! said to be of the other side, for the two must be told apart; it is not. Each branch of a forked INVITE is known by the branch parameter that the proxy wrote into Via: it comes back on top of every
//! response (RFC 3261 §16.7).
//!
//! An INVITE without a description says nothing of its caller, and its answer rides in an ACK that belongs to no
//! branch: then the caller is whatever its hop is, a browser behind a WebSocket and a phone behind all else, and the
//! callee is what its own offer says.

use core::time::Duration;
use std::collections::HashMap;

use media::{BranchKey, CallKey, Side};
use sip::{HeaderName, Instant, Message, Method, Transport, Via};

use super::anchor::Anchor;
use super::branch::Branch;
use super::negotiation::{Meaning, Request};
use super::reading::{has_description, other, side_before, side_of, tag, transaction, writer};

/// How long an INVITE may ring without any news before its ports are given back: longer than the longest Timer C that can
/// be configured (RFC 3261 §16.6 item 11). Who waits in a queue with early media rings for as long as it tells of itself.
const PATIENCE: Duration = Duration::from_secs(3900);
/// How long a call stays after its last branch was refused, if the caller hears neither of that nor of another branch.
const BETWEEN_BRANCHES: Duration = Duration::from_secs(60);
/// The most calls that are joined at a time.
const LIMIT: usize = 20_000;
/// How often one call may pass us.
const MOST_PASSAGES: usize = 4;
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
    /// Its request is refused: as many calls are joined as can be, and without that nobody would hear anything.
    Full,
}

/// What follows from a message, once it has been translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The whole call is over.
    CallOver(CallKey),
    /// One branch that did not win is over.
    BranchOver(CallKey, BranchKey),
    /// This branch has won, with the dialog of this tag; empty: with what was heard of last.
    BranchWon(CallKey, BranchKey, Vec<u8>),
    /// The open offer inside the call of this branch was refused.
    OfferRefused(CallKey, BranchKey),
}

#[derive(Debug)]
struct Call {
    key: CallKey,
    caller_tag: Vec<u8>,
    caller: Side,
    /// The kind of the hop from which the INVITE came.
    before: Option<Side>,
    /// The branches that may still win.
    branches: HashMap<BranchKey, Branch>,
    won: Option<BranchKey>,
    /// The only branch, and it was refused. It stays until another one is there or the call is over: its early media told
    /// the caller of our end, which is to be the same whoever answers.
    refused: Option<BranchKey>,
    /// Somebody has answered whose media do not go through us.
    answered_elsewhere: bool,
    /// The first INVITE of its dialog began it, so the caller will be told how that ends.
    outside: bool,
    /// What the last message brought about.
    consequences: Vec<Consequence>,
    /// When there was a new branch or news of one.
    heard: Instant,
}

/// The calls that are joined.
///
/// A call may pass us more than once: from a page to a proxy that we serve as edge, and from there back to another
/// page. Each passage is joined by itself. They are told apart by the hop from which a message came.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    anchor: Anchor,
    by_call_id: HashMap<Vec<u8>, Vec<Call>>,
}

impl Calls {
    /// No calls yet. `anchor`: which of those between two of a kind will be remembered here, too.
    pub(crate) fn new(anchor: Anchor) -> Self {
        Self { anchor, ..Self::default() }
    }

    /// The caller's kind where a branch is anchored: the callee's is the same.
    pub(crate) fn anchored(&self, key: &CallKey, branch: &BranchKey) -> Option<Side> {
        let call = self.call(key)?;
        call.branches.get(branch).filter(|branch| branch.anchored).map(|_| call.caller)
    }

    /// Whether this branch of a call may still win, or has.
    pub(crate) fn has(&self, key: &CallKey, branch: &BranchKey) -> bool {
        self.call(key).is_some_and(|call| call.branches.contains_key(branch))
    }

    fn call(&self, key: &CallKey) -> Option<&Call> {
        let call_id = key.as_bytes().split(|octet| *octet == 0).next()?;
        self.by_call_id.get(call_id)?.iter().find(|call| call.key == *key)
    }

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
        if method == Method::Invite && has_description(request) && !self.by_call_id.contains_key(&call_id) {
            // A call from before our restart: what this side offers now joins it anew.
            return self.invite(now, call_id, request, to);
        }
        let passages = self.by_call_id.get_mut(&call_id)?;
        let (call, from, key) = passages.iter_mut().find_map(|call| {
            let (from, key) = call.sender(request).filter(|_| !call.comes_again(request))?;
            Some((call, from, key))
        })?;
        let callee = if from == call.caller { tag(request.to()) } else { tag(request.from()) };
        let meaning = call.branches.get_mut(&key)?.dialog(&callee).request(now, read(request, from)?);
        call.step(key, meaning)
    }

    fn invite(&mut self, now: Instant, call_id: Vec<u8>, request: &Message, to: Transport) -> Option<Step> {
        let described = has_description(request);
        let caller = if described { writer(request)? } else { side_before(request)? };
        let full = self.by_call_id.len() >= LIMIT && !self.by_call_id.contains_key(&call_id);
        let alike = described && caller == side_of(to);
        if alike && !self.anchor.covers(caller) {
            return None;
        }
        if full {
            // Two of a kind need nobody between them.
            return (caller != side_of(to)).then_some(Step::Full);
        }
        let caller_tag = tag(request.from());
        let invite = read(request, caller)?;
        let key = invite.via.clone();
        let before = side_before(request);
        let passages = self.by_call_id.entry(call_id.clone()).or_default();
        // A stranger who takes somebody's Call-ID gets no part in the call.
        if passages.iter().any(|call| call.caller_tag != caller_tag) {
            return None;
        }
        // A proxy beyond us sent it back to us: it is anchored once.
        let again = passages.iter().any(|call| call.comes_again(request));
        if alike && again {
            return None;
        }
        let known = passages
            .iter()
            .position(|call| call.caller == caller && call.before == before && !call.comes_again(request));
        let place = known.unwrap_or(passages.len());
        if known.is_none() {
            if place == MOST_PASSAGES {
                return None;
            }
            let key = super::dialogs::key(&call_id, &caller_tag, place);
            let mut call = Call::new(key, caller_tag, caller, before, now);
            call.outside = tag(request.to()).is_empty();
            passages.push(call);
        }
        let call = passages.get_mut(place)?;
        call.heard = now;
        let branch = call.branches.entry(key.clone()).or_default();
        branch.joined |= described;
        branch.anchored |= alike;
        branch.beyond = Some(side_of(to));
        let meaning = branch.negotiation.request(now, invite);
        let callee = tag(request.to());
        if !callee.is_empty() && branch.dialogs.is_empty() {
            branch.begin_dialog(callee);
        }
        call.step(key, meaning)
    }

    /// What a response that has arrived, with our Via on top, means.
    pub(crate) fn response(&mut self, now: Instant, response: &Message) -> Option<Step> {
        let call_id = response.call_id().ok()?;
        let via = transaction(response)?;
        let passages = self.by_call_id.get_mut(call_id)?;
        let once = passages.len() == 1;
        let call = passages.iter_mut().find(|call| call.knows(&via))?;
        let step = call.response(now, response, self.anchor, once);
        if call.branches.is_empty() {
            call.consequences = vec![Consequence::CallOver(call.key.clone())];
        }
        step
    }

    /// The call that this INVITE begins or joins anew, if it is or may be joined.
    pub(crate) fn begun_by(&self, request: &Message) -> Option<CallKey> {
        let via = transaction(request)?;
        let call = self.by_call_id.get(request.call_id().ok()?)?.iter().find(|call| call.knows(&via))?;
        let begins = request.method() == Some(Method::Invite) && call.branches.contains_key(&via);
        (begins && call.caller_tag == tag(request.from())).then(|| call.key.clone())
    }

    /// Who sends a request inside a joined call, and in which branch's dialog.
    pub(crate) fn sender(&self, request: &Message) -> Option<(CallKey, BranchKey, Side)> {
        let passages = self.by_call_id.get(request.call_id().ok()?)?;
        passages.iter().find_map(|call| {
            let (from, branch) = call.sender(request)?;
            Some((call.key.clone(), branch, from))
        })
    }

    /// Whether a request toward this side of an answered call is one of the caller's. `None` where the server has
    /// nothing to say: a browser that is reached through somebody else, who hears telephone events as well, and a call
    /// that passes us more than once.
    pub(crate) fn is_callers_toward(&self, key: &CallKey, call_id: &[u8], side: Side) -> Option<bool> {
        let [call] = self.by_call_id.get(call_id)?.as_slice() else { return None };
        let branch = call.branches.get(call.won.as_ref()?)?;
        let hop = if side == call.caller { call.before } else { branch.beyond };
        let reached = side == Side::Phone || hop == Some(Side::Browser);
        (call.key == *key && reached).then_some(call.caller != side)
    }

    /// What follows from a request once it has left.
    pub(crate) fn after_request(&mut self, request: &Message) -> Option<Consequence> {
        let call_id = request.call_id().ok()?;
        let passages = self.by_call_id.get_mut(call_id)?;
        let place = match request.method()? {
            Method::Bye => passages.iter().position(|call| call.ends_with(request))?,
            Method::Ack => passages.iter_mut().position(|call| call.is_over_by(request))?,
            Method::Invite => return passages.iter_mut().find_map(|call| call.replace_refused(request)),
            _ => return None,
        };
        let over = Consequence::CallOver(passages.remove(place).key);
        if passages.is_empty() {
            self.by_call_id.remove(call_id);
        }
        Some(over)
    }

    /// What follows from a response once it has arrived.
    pub(crate) fn after_response(&mut self, response: &Message) -> Vec<Consequence> {
        let Ok(call_id) = response.call_id() else { return Vec::new() };
        let Some(passages) = self.by_call_id.get_mut(call_id) else { return Vec::new() };
        let consequences =
            passages.iter_mut().flat_map(|call| core::mem::take(&mut call.consequences)).collect();
        passages.retain(|call| !call.branches.is_empty());
        if passages.is_empty() {
            self.by_call_id.remove(call_id);
        }
        consequences
    }

    /// Forgets the call of that key, whose media is gone.
    pub(crate) fn lost(&mut self, key: &CallKey) {
        self.keep(|call| call.key != *key);
    }

    /// Whether the call of that key is joined and was answered.
    pub(crate) fn is_answered(&self, key: &CallKey) -> bool {
        self.call(key).is_some_and(|call| call.won.is_some())
    }

    /// Calls that nobody ever answered or refused.
    pub(crate) fn stale(&mut self, now: Instant) -> Vec<Consequence> {
        let mut stale = Vec::new();
        self.keep(|call| {
            let patience = if call.refused.is_some() { BETWEEN_BRANCHES } else { PATIENCE };
            let fresh = call.won.is_some() || now <= call.heard + patience;
            if !fresh {
                stale.push(Consequence::CallOver(call.key.clone()));
            }
            fresh
        });
        stale
    }

    fn keep(&mut self, mut wanted: impl FnMut(&Call) -> bool) {
        self.by_call_id.retain(|_, passages| {
            passages.retain(&mut wanted);
            !passages.is_empty()
        });
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
    fn new(key: CallKey, caller_tag: Vec<u8>, caller: Side, before: Option<Side>, begun: Instant) -> Self {
        Self {
            key,
            caller_tag,
            caller,
            before,
            branches: HashMap::new(),
            won: None,
            refused: None,
            answered_elsewhere: false,
            outside: false,
            consequences: Vec::new(),
            heard: begun,
        }
    }

    fn knows(&self, via: &BranchKey) -> bool {
        self.branches.values().any(|branch| branch.knows(via))
    }

    /// Whether a request has passed an anchored branch of this call on its way: a proxy beyond us sent it back to us, and
    /// here it is on the next stretch.
    fn comes_again(&self, request: &Message) -> bool {
        let anchored = || self.branches.values().filter(|branch| branch.anchored);
        anchored().next().is_some()
            && request.values(HeaderName::Via).skip(1).any(|via| {
                let branch = Via::parse(via).ok().and_then(|via| via.branch().map(BranchKey::new));
                branch.is_some_and(|via| anchored().any(|branch| branch.knows(&via)))
            })
    }

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

    /// `once`: the call passes us once.
    fn response(&mut self, now: Instant, response: &Message, anchor: Anchor, once: bool) -> Option<Step> {
        if response.cseq().ok()?.method == Method::Cancel {
            // It has the Via of the request that is cancelled (RFC 3261 §9.1), and answers nothing of it.
            return None;
        }
        let (status, via) = (response.status()?, transaction(response)?);
        let known = self.branches.iter_mut().find(|(_, branch)| branch.knows(&via));
        let (key, branch) = known.map(|(key, branch)| (key.clone(), branch))?;
        if key != via {
            let negotiation = branch.of_transaction(&via);
            let meaning = negotiation.response(now, &via, status, has_description(response));
            return self.step(key, meaning);
        }
        if status > 100 {
            self.heard = now;
        }
        if status >= 300 {
            return self.branch_refused(key, once);
        }
        if !branch.joined && has_description(response) {
            let alike = writer(response) != Some(other(self.caller));
            branch.anchored = alike && anchor.covers(self.caller);
            if alike && !branch.anchored {
                // Both speak the same: they need nobody between them.
                self.branches.remove(&key);
                return None;
            }
            branch.joined = true;
        }
        let tag = tag(response.to());
        let stranger = !branch.has(&tag);
        if self.won.is_some() && stranger {
            // The 2xx of a dialog that came too late: the caller will end it.
            return None;
        }
        if status > 100 && stranger && !tag.is_empty() && branch.dialogs.len() < MOST_DIALOGS {
            branch.begin_dialog(tag.clone());
        }
        let meaning = branch.dialog(&tag).response(now, &via, status, has_description(response));
        if status >= 200 && self.won.is_none() {
            branch.only_dialog(&tag);
            // Who answers without a description, though nobody has in his dialog, relies on what another one said.
            let dialog = if meaning == Meaning::Refused { Vec::new() } else { tag };
            self.branch_won(key.clone(), dialog);
        }
        self.step(key, meaning)
    }

    fn branch_refused(&mut self, key: BranchKey, once: bool) -> Option<Step> {
        if self.won.as_ref() == Some(&key) {
            return None;
        }
        // There may be more to try: that nothing is left is said by what the caller is told.
        if self.branches.len() == 1 && once && self.outside && !self.answered_elsewhere {
            self.refused = Some(key);
        } else if self.branches.remove(&key).is_some() {
            self.consequences.push(Consequence::BranchOver(self.key.clone(), key));
        }
        None
    }

    /// Another branch has begun: what becomes of the one that was refused before.
    fn replace_refused(&mut self, invite: &Message) -> Option<Consequence> {
        let via = transaction(invite)?;
        let refused = self.refused.take_if(|refused| *refused != via && self.branches.contains_key(&via))?;
        self.branches.remove(&refused);
        Some(Consequence::BranchOver(self.key.clone(), refused))
    }

    /// Whether nothing is to come of this call any more, since this is the caller's ACK to somebody whose media do not go
    /// through us. The ACK to a refusal is the proxy's own, and has no Via but ours.
    fn is_over_by(&mut self, ack: &Message) -> bool {
        let callee = tag(ack.to());
        let joined = self.branches.values().any(|branch| branch.has(&callee));
        let elsewhere = self.won.is_none() && !joined && tag(ack.from()) == self.caller_tag;
        self.answered_elsewhere |= elsewhere && ack.values(HeaderName::Via).nth(1).is_some();
        self.answered_elsewhere && self.refused.is_some()
    }

    fn branch_won(&mut self, key: BranchKey, dialog: Vec<u8>) {
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
        self.consequences.push(Consequence::BranchWon(self.key.clone(), key.clone(), dialog));
        self.won = Some(key);
        self.refused = None;
    }

    /// Who sends a request inside this call, and in which branch's dialog. `None` as well for what comes from another
    /// hop than this passage's: it is another passage's, or passes us again on its way.
    fn sender(&self, request: &Message) -> Option<(Side, BranchKey)> {
        let (from, to) = (tag(request.from()), tag(request.to()));
        let (side, callee) = if from == self.caller_tag {
            (self.caller, to)
        } else if to == self.caller_tag {
            (other(self.caller), from)
        } else {
            return None;
        };
        let (key, branch) = self.branches.iter().find(|(_, branch)| branch.has(&callee))?;
        let hop = if side == self.caller { self.before } else { branch.beyond };
        let elsewhere = side_before(request).zip(hop).is_some_and(|(before, hop)| before != hop);
        (!elsewhere).then(|| (side, key.clone()))
    }

    /// Whether the call is over with this BYE: that of the dialog that won, or of the only one there is.
    fn ends_with(&self, request: &Message) -> bool {
        let Some((_, key)) = self.sender(request) else { return false };
        let dialogs = || self.branches.values().map(|branch| branch.dialogs.len()).sum::<usize>();
        self.won.as_ref() == Some(&key) || dialogs() == 1
    }
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
