//! Which messages carry an offer or an answer that somebody must translate, and between whom.
//!
//! A call is joined where a description that a browser wrote goes to a phone, or the other way round. What goes
//! from browser to browser or from phone to phone passes untouched and is not remembered here. Each branch of a
//! forked INVITE is known by the branch parameter that the proxy wrote into Via: it comes back on top of every
//! response (RFC 3261 §16.7). Offers and answers are told apart by what came before, not by the method: an INVITE
//! without a description gets its offer in the response and its answer in the ACK (RFC 3264 §4).

use core::time::Duration;
use std::collections::HashMap;

use media::{BranchKey, CallKey, MediaClass, Side};
use sdp::Description;
use sip::{HeaderName, Instant, Message, Method, Transport};

/// How long an INVITE may ring before its ports are given back: longer than Timer C (RFC 3261 §16.6 item 11).
const PATIENCE: Duration = Duration::from_secs(300);
/// The most calls that are joined at a time.
const LIMIT: usize = 20_000;

/// What must be done with the description of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is an offer that this side wrote.
    Offer { call: CallKey, branch: BranchKey, from: Side },
    /// It is an answer that this side wrote. `confirms`: the branch has won.
    Answer { call: CallKey, branch: BranchKey, from: Side, confirms: bool },
}

/// What is over after a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The whole call.
    Call(CallKey),
    /// One branch that did not win.
    Branch(CallKey, BranchKey),
    /// An offer inside the call of this branch that was refused.
    Offer(CallKey, BranchKey),
}

/// A description on its way that waits for its counterpart.
#[derive(Clone, Debug)]
struct Pending {
    branch: BranchKey,
    /// Who sent the request.
    from: Side,
    /// The request had no description: the offer comes back, the answer follows in the ACK.
    late: bool,
}

#[derive(Debug)]
struct Call {
    key: CallKey,
    caller_tag: Vec<u8>,
    caller: Side,
    callee: Side,
    /// The branches that may still win, each with its callee's tag once that is known.
    branches: HashMap<BranchKey, Vec<u8>>,
    won: Option<BranchKey>,
    /// Requests inside the dialog, by the branch of Via.
    pending: HashMap<BranchKey, Pending>,
    /// The ACK of this CSeq number carries the answer, of a request of this side.
    late: Option<(u32, Pending)>,
    /// The branch whose last offer was just refused.
    refused: Option<BranchKey>,
    begun: Instant,
}

/// The calls that are joined.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    by_call_id: HashMap<Vec<u8>, Call>,
}

const fn side_of(transport: Transport) -> Side {
    if transport.is_websocket() { Side::Browser } else { Side::Phone }
}

const fn other(side: Side) -> Side {
    match side {
        Side::Browser => Side::Phone,
        Side::Phone => Side::Browser,
    }
}

fn writer(message: &Message) -> Option<Side> {
    let class = MediaClass::of(&Description::parse(message.body()).ok()?)?;
    Some(if class == MediaClass::Browser { Side::Browser } else { Side::Phone })
}

fn has_description(message: &Message) -> bool {
    let Some(kind) = message.header(HeaderName::ContentType) else { return false };
    let kind = kind.split(|octet| *octet == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/sdp") && !message.body().is_empty()
}

fn tag(address: Result<sip::NameAddress<'_>, sip::HeaderError>) -> Vec<u8> {
    address.ok().and_then(|address| address.tag().map(<[u8]>::to_vec)).unwrap_or_default()
}

fn branch(message: &Message) -> Option<BranchKey> {
    Some(BranchKey::new(message.top_via().ok()?.branch()?))
}

impl Calls {
    /// Whether nothing is joined.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_call_id.is_empty()
    }

    /// What a request that leaves for a hop of this transport means.
    pub(crate) fn request(&mut self, now: Instant, request: &Message, to: Transport) -> Option<Step> {
        let call_id = request.call_id().ok()?.to_vec();
        match request.method()? {
            Method::Invite if tag(request.to()).is_empty() => self.invite(now, call_id, request, to),
            Method::Invite | Method::Update => self.reoffer(&call_id, request),
            Method::Ack => self.acknowledge(&call_id, request),
            _ => None,
        }
    }

    fn invite(&mut self, now: Instant, call_id: Vec<u8>, request: &Message, to: Transport) -> Option<Step> {
        if !has_description(request) {
            return None;
        }
        let (caller, callee) = (writer(request)?, side_of(to));
        if caller == callee || (self.by_call_id.len() >= LIMIT && !self.by_call_id.contains_key(&call_id)) {
            return None;
        }
        let caller_tag = tag(request.from());
        let branch = branch(request)?;
        let call = self.by_call_id.entry(call_id.clone()).or_insert_with(|| Call {
            key: super::dialogs::key(&call_id, &caller_tag),
            caller_tag: caller_tag.clone(),
            caller,
            callee,
            branches: HashMap::new(),
            won: None,
            pending: HashMap::new(),
            late: None,
            refused: None,
            begun: now,
        });
        // A stranger who takes somebody's Call-ID gets no part in the call.
        if call.caller_tag != caller_tag || call.caller != caller {
            return None;
        }
        call.branches.entry(branch.clone()).or_default();
        Some(Step::Offer { call: call.key.clone(), branch, from: caller })
    }

    fn reoffer(&mut self, call_id: &[u8], request: &Message) -> Option<Step> {
        let call = self.by_call_id.get_mut(call_id)?;
        let (from, won) = call.sender(request)?;
        let late = !has_description(request);
        if late && request.method() == Some(Method::Update) {
            return None;
        }
        call.pending.insert(branch(request)?, Pending { branch: won.clone(), from, late });
        (!late).then(|| Step::Offer { call: call.key.clone(), branch: won, from })
    }

    /// The ACK of a late offer carries the answer.
    fn acknowledge(&mut self, call_id: &[u8], request: &Message) -> Option<Step> {
        let call = self.by_call_id.get_mut(call_id)?;
        let (sequence, pending) = call.late.as_ref()?;
        if request.cseq().ok()?.number != *sequence || !has_description(request) {
            return None;
        }
        let (branch, from) = (pending.branch.clone(), pending.from);
        Some(Step::Answer { call: call.key.clone(), branch, from, confirms: false })
    }

    /// What a response that has arrived, with our Via on top, means.
    pub(crate) fn response(&mut self, response: &Message) -> Option<Step> {
        let call = self.by_call_id.get_mut(response.call_id().ok()?)?;
        let status = response.status()?;
        let branch = branch(response)?;
        if let Some(callee_tag) = call.branches.get_mut(&branch) {
            if (101..300).contains(&status) {
                *callee_tag = tag(response.to());
            }
            let confirms = (200..300).contains(&status);
            if confirms && call.won.is_none() {
                call.won = Some(branch.clone());
            }
            let from = call.callee;
            return has_description(response).then(|| Step::Answer {
                call: call.key.clone(),
                branch,
                from,
                confirms,
            });
        }
        let pending = call.pending.get(&branch)?.clone();
        if status >= 200 {
            call.pending.remove(&branch);
        }
        if status >= 300 && !pending.late {
            call.refused = Some(pending.branch);
            return None;
        }
        if status >= 300 || !has_description(response) {
            return None;
        }
        let from = other(pending.from);
        let (key, won) = (call.key.clone(), pending.branch.clone());
        if pending.late {
            call.late = Some((response.cseq().ok()?.number, pending));
            return Some(Step::Offer { call: key, branch: won, from });
        }
        Some(Step::Answer { call: key, branch: won, from, confirms: false })
    }

    /// What is over once a request has left.
    pub(crate) fn after_request(&mut self, request: &Message) -> Option<Over> {
        let call_id = request.call_id().ok()?;
        let call = self.by_call_id.get(call_id)?;
        match request.method()? {
            Method::Bye if call.is_of(request) => self.forget(call_id),
            _ => None,
        }
    }

    /// What is over once a response has arrived: branches that were refused, and those that another has beaten.
    pub(crate) fn after_response(&mut self, response: &Message) -> Vec<Over> {
        self.over_after_response(response).unwrap_or_default()
    }

    fn over_after_response(&mut self, response: &Message) -> Option<Vec<Over>> {
        let call_id = response.call_id().ok()?;
        let call = self.by_call_id.get_mut(call_id)?;
        let (status, branch) = (response.status()?, branch(response)?);
        if let Some(pending) = call.refused.take() {
            return Some(vec![Over::Offer(call.key.clone(), pending)]);
        }
        if !call.branches.contains_key(&branch) || status < 200 {
            return None;
        }
        if status < 300 {
            let won = call.won.clone()?;
            let lost: Vec<BranchKey> = call.branches.keys().filter(|other| **other != won).cloned().collect();
            call.branches.retain(|kept, _| *kept == won);
            return Some(lost.into_iter().map(|lost| Over::Branch(call.key.clone(), lost)).collect());
        }
        call.branches.remove(&branch);
        if call.branches.is_empty() {
            return Some(self.forget(call_id).into_iter().collect());
        }
        Some(vec![Over::Branch(call.key.clone(), branch)])
    }

    fn forget(&mut self, call_id: &[u8]) -> Option<Over> {
        self.by_call_id.remove(call_id).map(|call| Over::Call(call.key))
    }

    /// Forgets the call of that key, whose media is gone.
    pub(crate) fn lost(&mut self, key: &CallKey) {
        self.by_call_id.retain(|_, call| call.key != *key);
    }

    /// Calls that nobody ever answered or refused.
    pub(crate) fn stale(&mut self, now: Instant) -> Vec<Over> {
        let is_stale = |call: &Call| call.won.is_none() && now > call.begun + PATIENCE;
        let stale: Vec<Vec<u8>> =
            self.by_call_id.iter().filter(|(_, call)| is_stale(call)).map(|(id, _)| id.clone()).collect();
        stale.iter().filter_map(|call_id| self.forget(call_id)).collect()
    }
}

impl Call {
    /// Who sends a request inside this call, and the branch that won.
    fn sender(&self, request: &Message) -> Option<(Side, BranchKey)> {
        let won = self.won.clone().or_else(|| self.branches.keys().next().cloned())?;
        self.is_of(request).then_some(())?;
        let from = if tag(request.from()) == self.caller_tag { self.caller } else { self.callee };
        Some((from, won))
    }

    /// Whether a request inside a dialog belongs to this call: both tags are known.
    fn is_of(&self, request: &Message) -> bool {
        let (from, to) = (tag(request.from()), tag(request.to()));
        let is_callee = |tag: &Vec<u8>| self.branches.values().any(|known| known == tag);
        (from == self.caller_tag && is_callee(&to)) || (to == self.caller_tag && is_callee(&from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 AA\r\n";
    const PHONE: &str =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

    /// A request or response of one call between alice (tag a) and bob (tag b).
    fn message(start: &str, branch: &str, from: &str, to: &str, sequence: &str, body: &str) -> Message {
        let tag = |tag: &str| if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:x@example.com>{}\r\nTo: <sip:y@example.com>{}\r\n\
             Call-ID: one\r\nCSeq: {sequence}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            tag(from),
            tag(to),
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn invite(branch: &str, body: &str) -> Message {
        message("INVITE sip:bob@example.com SIP/2.0", branch, "a", "", "1 INVITE", body)
    }

    fn ok(branch: &str, body: &str) -> Message {
        message("SIP/2.0 200 OK", branch, "a", "b", "1 INVITE", body)
    }

    fn call() -> CallKey {
        CallKey::new(b"one\0a".to_vec())
    }

    fn key(branch: &str) -> BranchKey {
        BranchKey::new(branch.as_bytes())
    }

    /// Alice's browser has called bob's phone, which answered on branch z1.
    fn answered() -> Calls {
        let mut calls = Calls::default();
        calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
        calls.response(&ok("z1", PHONE)).unwrap();
        calls.after_response(&ok("z1", PHONE));
        calls
    }

    #[test]
    fn an_offer_to_its_own_kind_passes() {
        let mut calls = Calls::default();
        assert_eq!(calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Wss), None);
        assert_eq!(calls.request(Instant::ZERO, &invite("z1", PHONE), Transport::Tcp), None);
        assert!(calls.is_empty());
    }

    #[test]
    fn each_branch_to_the_other_kind_is_an_offer_and_the_one_that_answers_wins() {
        let mut calls = Calls::default();
        for branch in ["z1", "z2"] {
            let step = calls.request(Instant::ZERO, &invite(branch, BROWSER), Transport::Udp);
            let expected = Step::Offer { call: call(), branch: key(branch), from: Side::Browser };
            assert_eq!(step, Some(expected.clone()));
            // Sent again, it means the same.
            assert_eq!(
                calls.request(Instant::ZERO, &invite(branch, BROWSER), Transport::Udp),
                Some(expected)
            );
        }
        let step = calls.response(&ok("z2", PHONE));
        assert_eq!(
            step,
            Some(Step::Answer { call: call(), branch: key("z2"), from: Side::Phone, confirms: true })
        );
        assert_eq!(calls.after_response(&ok("z2", PHONE)), [Over::Branch(call(), key("z1"))]);
    }

    #[test]
    fn a_call_that_every_branch_refuses_is_over() {
        let mut calls = Calls::default();
        calls.request(Instant::ZERO, &invite("z1", PHONE), Transport::Ws).unwrap();
        let busy = message("SIP/2.0 486 Busy Here", "z1", "a", "b", "1 INVITE", "");
        assert_eq!(calls.response(&busy), None);
        assert_eq!(calls.after_response(&busy), [Over::Call(call())]);
        assert!(calls.is_empty());
    }

    #[test]
    fn an_offer_inside_the_call_is_told_by_its_sender() {
        let mut calls = answered();
        let reinvite = message("INVITE sip:alice@x.invalid SIP/2.0", "z9", "b", "a", "7 INVITE", PHONE);
        let step = calls.request(Instant::ZERO, &reinvite, Transport::Ws);
        assert_eq!(step, Some(Step::Offer { call: call(), branch: key("z1"), from: Side::Phone }));
        let answer = message("SIP/2.0 200 OK", "z9", "b", "a", "7 INVITE", BROWSER);
        let step = calls.response(&answer);
        assert_eq!(
            step,
            Some(Step::Answer { call: call(), branch: key("z1"), from: Side::Browser, confirms: false })
        );
    }

    #[test]
    fn a_late_offer_comes_back_and_its_answer_follows_in_the_ack() {
        let mut calls = answered();
        let reinvite = message("INVITE sip:alice@x.invalid SIP/2.0", "z9", "b", "a", "7 INVITE", "");
        assert_eq!(calls.request(Instant::ZERO, &reinvite, Transport::Ws), None);
        let offer = message("SIP/2.0 200 OK", "z9", "b", "a", "7 INVITE", BROWSER);
        assert_eq!(
            calls.response(&offer),
            Some(Step::Offer { call: call(), branch: key("z1"), from: Side::Browser })
        );
        let ack = message("ACK sip:alice@x.invalid SIP/2.0", "z10", "b", "a", "7 ACK", PHONE);
        assert_eq!(
            calls.request(Instant::ZERO, &ack, Transport::Ws),
            Some(Step::Answer { call: call(), branch: key("z1"), from: Side::Phone, confirms: false })
        );
    }

    #[test]
    fn a_refused_offer_is_withdrawn_and_the_call_goes_on() {
        let mut calls = answered();
        let reinvite = message("INVITE sip:bob@192.0.2.9 SIP/2.0", "z9", "a", "b", "2 INVITE", BROWSER);
        calls.request(Instant::ZERO, &reinvite, Transport::Udp).unwrap();
        let refused = message("SIP/2.0 488 Not Acceptable Here", "z9", "a", "b", "2 INVITE", "");
        assert_eq!(calls.response(&refused), None);
        assert_eq!(calls.after_response(&refused), [Over::Offer(call(), key("z1"))]);
        assert!(!calls.is_empty());
    }

    #[test]
    fn only_those_who_are_in_the_call_can_end_it() {
        let mut calls = answered();
        let stranger = message("BYE sip:alice@x.invalid SIP/2.0", "z9", "c", "a", "7 BYE", "");
        assert_eq!(calls.after_request(&stranger), None);
        let bye = message("BYE sip:alice@x.invalid SIP/2.0", "z9", "b", "a", "7 BYE", "");
        assert_eq!(calls.after_request(&bye), Some(Over::Call(call())));
        assert!(calls.is_empty());
    }

    #[test]
    fn what_rings_for_ever_is_given_up() {
        let mut calls = Calls::default();
        calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
        assert!(calls.stale(Instant::from_secs(180)).is_empty());
        assert_eq!(calls.stale(Instant::from_secs(301)), [Over::Call(call())]);
    }
}
