//! The calls of watched users, as they pass: what a busy lamp shows.
//!
//! Nothing is kept of the calls of others. A call ends with its BYE; when its INVITE is refused; when its user is signed
//! in nowhere any more; when the session timer that its parties agreed on has run out (RFC 4028); and in any case after
//! the longest time that a call may be shown. So no lamp is lit for ever. A server before us may have forked a call
//! (RFC 3261 §16.6): of its INVITEs, which have Call-ID and tag in common, each tells of those only whom it is from and for.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sip::header::HeaderName;
use sip::{Instant, Message, Method};

use super::package::Package;
use super::watched::{Call, CallState};
use crate::authorization::Sender;
use crate::keyed_hash::MARK;
use crate::proxy::Proxy;
use crate::registrar::address_of_record::key;
use crate::response_context::ContextId;

/// How long a call may ring without any end: longer than any Timer C.
const RINGS: Duration = Duration::from_secs(2 * 3600);

/// The calls of this loop that watched users are part of.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    by_call_id: HashMap<Vec<u8>, Followed>,
    /// When to look whether a call is over: once for each.
    ends: BTreeSet<(Instant, Vec<u8>)>,
}

/// A call with its watched users.
#[derive(Debug)]
struct Followed {
    parties: Vec<Party>,
    /// When to look at it again.
    look: Instant,
}

/// A watched user in a call.
#[derive(Clone, Debug)]
struct Party {
    aor: Vec<u8>,
    /// The tag of who began the call.
    tag: Vec<u8>,
    initiator: bool,
    id: [u8; MARK],
    /// The INVITEs by which he is in it, as long as they are not answered.
    invites: Vec<ContextId>,
    state: CallState,
    until: Instant,
}

impl Calls {
    /// Whether no call is followed.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_call_id.is_empty()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// Keeps the time to look at a call in step with its parties; forgets one that has none.
    fn reschedule(&mut self, call_id: &[u8]) {
        let Some(call) = self.by_call_id.get_mut(call_id) else { return };
        let next = call.parties.iter().map(|party| party.until).min();
        if next == Some(call.look) {
            return;
        }
        self.ends.remove(&(call.look, call_id.to_vec()));
        match next {
            Some(next) => {
                call.look = next;
                self.ends.insert((next, call_id.to_vec()));
            }
            None => {
                self.by_call_id.remove(call_id);
            }
        }
    }
}

impl Proxy {
    /// A request sets out: perhaps a call, or its end.
    pub(crate) fn note_call_request(&mut self, now: Instant, id: ContextId) {
        if self.common.0.watched.is_empty() {
            return;
        }
        let Some(context) = self.contexts.get(id.0) else { return };
        let received = Arc::clone(&context.received);
        if !context.is_call {
            // Whoever hangs up is out of the call, whatever the answer.
            if matches!(received.method(), Some(Method::Bye)) {
                self.call_ends(now, &received);
            }
            return;
        }
        let caller = match &context.sender {
            Sender::Account(aor) => Some(aor.clone()),
            _ => None,
        };
        let called = received
            .target()
            .ok()
            .filter(|_| context.to_own_user)
            .and_then(|uri| Some(key(uri.user()?, self.own.domain_of(&uri)?)));
        let parties = [(caller, true), (called, false)];
        for (aor, initiator) in parties.into_iter().filter_map(|(aor, initiator)| Some((aor?, initiator))) {
            if self.common.0.watched.follows(&aor) {
                self.follow_call(now, id, aor, initiator, &received);
            }
        }
    }

    fn follow_call(
        &mut self,
        now: Instant,
        invite: ContextId,
        aor: Vec<u8>,
        initiator: bool,
        request: &Message,
    ) {
        let call_id = request.header(HeaderName::CallId).unwrap_or_default().to_vec();
        let tag = request.from_tag().unwrap_or_default().to_vec();
        let side: &[u8] = if initiator { b"initiator" } else { b"recipient" };
        let id = self.key.mark(b"watched call", [call_id.as_slice(), &tag, &aor, side]);
        let parties = self.notifier.calls.by_call_id.get(&call_id).map(|call| call.parties.as_slice());
        let known = parties.unwrap_or_default().iter().find(|party| party.id == id).cloned();
        let mut party = known.unwrap_or_else(|| {
            let (invites, state, until) = (Vec::new(), CallState::Trying, now + RINGS);
            Party { aor, tag, initiator, id, invites, state, until }
        });
        party.invites.push(invite);
        if !self.common.0.watched.begin_call(&party.aor, party.shown()) {
            return;
        }
        self.tell_watchers(now, &party.aor, Package::Dialog);
        let calls = &mut self.notifier.calls;
        let call = calls.by_call_id.entry(call_id.clone());
        let call = call.or_insert_with(|| Followed { parties: Vec::new(), look: Instant::NEVER });
        call.parties.retain(|known| known.id != party.id);
        call.parties.push(party);
        calls.reschedule(&call_id);
    }

    /// A request has got a provisional response or a 2xx, which perhaps is the news of a call.
    pub(crate) fn note_call_answered(&mut self, now: Instant, id: ContextId, response: &Message) {
        if self.notifier.calls.is_empty() {
            return;
        }
        let Some(context) = self.contexts.get(id.0) else { return };
        let (request, is_call) = (Arc::clone(&context.received), context.is_call);
        let rings = matches!(response.status(), Some(180..=183));
        let answered = matches!(response.status(), Some(200..));
        if is_call && (rings || answered) {
            self.call_moves(now, id, &request, response);
        } else if answered && matches!(request.method(), Some(Method::Invite | Method::Update)) {
            self.call_goes_on(now, &request, response);
        }
    }

    /// A call rings, or is answered.
    fn call_moves(&mut self, now: Instant, id: ContextId, request: &Message, response: &Message) {
        let answered = response.status().is_some_and(|status| status >= 200);
        let state = if answered { CallState::Confirmed } else { CallState::Early };
        let until = now + if answered { self.lasts(response) } else { RINGS };
        self.change_parties(now, request, |party| {
            let moves = party.invites.contains(&id) && party.state <= state;
            if moves {
                (party.state, party.until) = (state, until);
            }
            if answered {
                party.invites.retain(|invite| *invite != id);
            }
            moves
        });
    }

    /// A request within a call was answered: it goes on.
    fn call_goes_on(&mut self, now: Instant, request: &Message, response: &Message) {
        let until = now + self.lasts(response);
        self.change_parties(now, request, |party| {
            party.until = until;
            true
        });
    }

    /// How long a call is shown, if nothing more is heard of it.
    fn lasts(&self, response: &Message) -> Duration {
        let longest = self.config.events.longest_call;
        let session = response.header(HeaderName::SessionExpires).and_then(|value| {
            let digits = value.split(|octet| matches!(octet, b';' | b' ' | b'\t')).next()?;
            sip::text::parse_decimal(digits)
        });
        // RFC 4028 §10: whoever waits hangs up somewhat before the end; some grace for slow clocks.
        session.map_or(longest, |seconds| Duration::from_secs(seconds.saturating_add(60)).min(longest))
    }

    fn change_parties(
        &mut self,
        now: Instant,
        request: &Message,
        mut change: impl FnMut(&mut Party) -> bool,
    ) {
        let call_id = request.header(HeaderName::CallId).unwrap_or_default();
        let Some(call) = self.notifier.calls.by_call_id.get_mut(call_id) else { return };
        let its = call.parties.iter_mut().filter(|party| is_of(party, request));
        let changed: Vec<Party> = its.filter_map(|party| change(party).then(|| party.clone())).collect();
        self.notifier.calls.reschedule(call_id);
        for party in changed {
            if self.common.0.watched.move_call(&party.aor, &party.shown()) {
                self.tell_watchers(now, &party.aor, Package::Dialog);
            }
        }
    }

    /// An INVITE was refused or given up. Who is in the call by another one is in it still.
    pub(crate) fn call_refused(&mut self, now: Instant, id: ContextId, request: &Message) {
        if self.notifier.calls.is_empty() {
            return;
        }
        let call_id = request.header(HeaderName::CallId).unwrap_or_default().to_vec();
        self.end_parties(now, &call_id, |party| {
            let its = party.invites.contains(&id);
            party.invites.retain(|invite| *invite != id);
            its && party.invites.is_empty() && party.state < CallState::Confirmed
        });
    }

    /// Somebody hangs up.
    fn call_ends(&mut self, now: Instant, request: &Message) {
        if self.notifier.calls.is_empty() {
            return;
        }
        let call_id = request.header(HeaderName::CallId).unwrap_or_default().to_vec();
        self.end_parties(now, &call_id, |party| is_of(party, request));
    }

    /// What has lasted too long is over.
    pub(super) fn end_silent_calls(&mut self, now: Instant) {
        while let Some((_, call_id)) = self.notifier.calls.ends.first().filter(|(at, _)| *at <= now).cloned()
        {
            self.end_parties(now, &call_id, |party| party.until <= now);
        }
    }

    fn end_parties(&mut self, now: Instant, call_id: &[u8], ended: impl FnMut(&mut Party) -> bool) {
        let Some(call) = self.notifier.calls.by_call_id.get_mut(call_id) else { return };
        let over: Vec<Party> = call.parties.extract_if(.., ended).collect();
        self.notifier.calls.reschedule(call_id);
        for party in over {
            if self.common.0.watched.end_call(&party.aor, &party.id) {
                self.tell_watchers(now, &party.aor, Package::Dialog);
            }
        }
    }

    /// The bindings of a user are others now. Who is signed in nowhere is in no call: a phone that broke, or a page that
    /// was closed, hangs up nothing.
    pub(crate) fn bindings_changed(&mut self, now: Instant, aor: &[u8]) {
        if !self.common.0.watched.follows(aor) {
            return;
        }
        if self.location.get(aor).is_empty() && self.common.0.watched.end_calls(aor) {
            self.tell_watchers(now, aor, Package::Dialog);
        }
        self.tell_watchers(now, aor, Package::Presence);
        self.tell_watchers(now, aor, Package::Registration);
    }
}

impl Party {
    /// The call, as watchers are told.
    const fn shown(&self) -> Call {
        Call { id: self.id, initiator: self.initiator, state: self.state, until: self.until }
    }
}

/// Whether a request belongs to the call that a party is in: either side may send it.
fn is_of(party: &Party, request: &Message) -> bool {
    let is_it = |tag: Option<&[u8]>| tag.unwrap_or_default() == party.tag;
    is_it(request.from_tag()) || is_it(request.to_tag())
}
