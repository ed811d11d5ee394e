//! Which of a target's addresses is tried, and when the next one is (RFC 3263 §4.3).
//!
//! An address that did not answer, that refused a connection or that answered 503 is tried last for a while, so that
//! one dead server of two costs one call its patience and not every second one. `Retry-After` says how long, where
//! the server does (RFC 3261 §21.5.4). An address that is the only one is tried in any case.

use core::time::Duration;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sip::header::HeaderName;
use sip::transaction::ClientKey;
use sip::{Flow, Hop, Instant, Message, Transport};

use crate::branches::{COMPLETED_ELSEWHERE, Next};
use crate::listeners::is_sendable;
use crate::proxy::Proxy;
use crate::response_context::{BranchState, ContextId, ResponseContext};
use crate::target::{Target, Way};

/// The longest that a `Retry-After` is obeyed.
const LONGEST: Duration = Duration::from_secs(600);
/// How many addresses are remembered.
const PLACES: usize = 4096;

/// The addresses that failed lately, for all event loops.
#[derive(Debug, Default)]
pub(crate) struct Avoided {
    /// How many there are: where none is, nothing is locked.
    count: AtomicUsize,
    until: Mutex<HashMap<(Transport, SocketAddr), Instant>>,
}

impl Avoided {
    fn avoid(&self, now: Instant, hop: &Hop, span: Duration) {
        let mut addresses = self.addresses();
        if addresses.len() >= PLACES {
            addresses.retain(|_, until| *until > now);
        }
        if addresses.len() < PLACES {
            addresses.insert((hop.transport(), hop.address()), now + span);
        }
        self.count.store(addresses.len(), Ordering::Relaxed);
    }

    fn forget(&self, hop: &Hop) {
        if self.is_empty() {
            return;
        }
        let mut addresses = self.addresses();
        addresses.remove(&(hop.transport(), hop.address()));
        self.count.store(addresses.len(), Ordering::Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Puts those that failed lately behind the others.
    pub(crate) fn put_last(&self, now: Instant, hops: Vec<Hop>) -> Vec<Hop> {
        if hops.len() < 2 || self.is_empty() {
            return hops;
        }
        let addresses = self.addresses();
        let is_avoided =
            |hop: &Hop| addresses.get(&(hop.transport(), hop.address())).is_some_and(|until| *until > now);
        let (failed, others): (Vec<Hop>, Vec<Hop>) = hops.into_iter().partition(is_avoided);
        others.into_iter().chain(failed).collect()
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<(Transport, SocketAddr), Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// The address that a branch's request went to last has failed; `response` is its 503, if that is why.
    pub(crate) fn avoid_hop(
        &mut self,
        now: Instant,
        id: ContextId,
        branch: usize,
        response: Option<&Message>,
    ) {
        let Some(place) = self.contexts.get(id.0).and_then(|context| context.branches.get(branch)) else {
            return;
        };
        // A phone that is off is nobody's next server.
        let Some(hop) = place.hop.clone().filter(|_| is_server(&place.target)) else { return };
        let named = response.and_then(|response| response.header(HeaderName::RetryAfter));
        let seconds = named.and_then(|value| sip::header::leading_number(value).ok());
        let span = seconds.map_or(self.config.next_hop.avoid, |seconds| {
            Duration::from_secs(u64::from(seconds)).min(LONGEST)
        });
        // A name may have further addresses.
        let member = place.target.member.clone().filter(|_| place.hops.is_empty());
        self.common.0.avoided.avoid(now, &hop, span);
        if let Some(member) = member {
            self.server_fails(now, &member, span, response.is_some());
        }
    }

    /// Nobody waits for an answer any more, and none has come: another request may have another address.
    pub(crate) fn avoid_silent_hops(&mut self, id: ContextId) {
        let Some(context) = self.contexts.get(id.0).filter(|context| !context.answered) else { return };
        let is_silent = |state: &BranchState| matches!(state, BranchState::Trying { proceeding: false, .. });
        let silent: Vec<usize> = (0..)
            .zip(&context.branches)
            .filter(|(_, place)| is_silent(&place.state))
            .map(|(branch, _)| branch)
            .collect();
        for branch in silent {
            self.avoid_hop(self.now, id, branch, None);
        }
    }

    /// It answers.
    pub(crate) fn hop_answers(&mut self, id: ContextId, branch: usize) {
        if self.common.0.avoided.is_empty() && self.common.0.health.is_empty() {
            return;
        }
        let place = self.contexts.get(id.0).and_then(|context| context.branches.get(branch));
        let Some(place) = place else { return };
        if let Some(hop) = &place.hop {
            self.common.0.avoided.forget(hop);
        }
        if let Some(member) = place.target.member.clone() {
            self.server_works(&member);
        }
    }

    /// Sends the branch to the next address, or to the next server of the same group.
    pub(crate) fn try_next_server(&mut self, now: Instant, id: ContextId, branch: usize) -> bool {
        self.try_next(now, id, branch, Next::Address)
            || (self.is_in_group(id, branch) && self.try_next(now, id, branch, Next::Flow))
    }

    /// Branches of an INVITE whose server is silent, though another one could be asked: not even a 100 has come.
    pub(crate) fn pass_silent_hops(&mut self, now: Instant, id: ContextId) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let mut silent = Vec::new();
        for (branch, place) in context.branches.iter_mut().enumerate() {
            if place.patience.is_some_and(|until| until <= now) {
                place.patience = None;
                if let BranchState::Trying { key, proceeding: false } = place.state {
                    silent.push((branch, key));
                }
            }
        }
        for (branch, key) in silent {
            self.avoid_hop(now, id, branch, None);
            // Should it wake up after all, it is told at once that nobody waits.
            self.transactions.cancel(now, key, None);
            self.try_next_server(now, id, branch);
        }
    }

    /// A connection is closed over which servers were asked that have said nothing yet: if another one can be asked, that is
    /// done at once. One that has said something may say more over a connection that it opens itself (RFC 3261 §18.2.2).
    pub(crate) fn pass_closed_hops(&mut self, now: Instant, flow: &Flow) {
        // A page is no server, and thousands of them may be closed at once.
        if flow.transport.is_websocket() {
            return;
        }
        let went_there = |hop: &Hop| {
            matches!(hop, Hop::Address { .. })
                && hop.transport() == flow.transport
                && hop.address() == flow.remote
        };
        let waits = |context: &ResponseContext| {
            let mut branches = context.branches.iter();
            branches.any(|place| place.patience.is_some() && place.hop.as_ref().is_some_and(went_there))
        };
        let concerned: Vec<ContextId> =
            self.contexts.iter().filter(|(_, context)| waits(context)).map(|(id, _)| ContextId(id)).collect();
        for id in concerned {
            let Some(context) = self.contexts.get_mut(id.0) else { continue };
            for place in &mut context.branches {
                if place.hop.as_ref().is_some_and(went_there) {
                    place.patience = place.patience.map(|_| now);
                }
            }
            self.pass_silent_hops(now, id);
            self.watch(id);
        }
    }

    /// The server before has answered after all: the one that is asked by now is not needed.
    pub(crate) fn cancel_successor(&mut self, now: Instant, id: ContextId, branch: usize) {
        let place = self.contexts.get(id.0).and_then(|context| context.branches.get(branch));
        if let Some(BranchState::Trying { key, .. }) = place.map(|place| &place.state) {
            self.transactions.cancel(now, *key, Some(COMPLETED_ELSEWHERE));
        }
    }

    /// Whether the transaction is one of a branch that asks another address by now.
    pub(crate) fn is_superseded(&self, id: ContextId, branch: usize, key: ClientKey) -> bool {
        let place = self.contexts.get(id.0).and_then(|context| context.branches.get(branch));
        place.is_some_and(|place| match &place.state {
            BranchState::Trying { key: current, .. } => *current != key,
            BranchState::Resolving(_) => true,
            _ => false,
        })
    }
}

/// Whether a target is a server that a name or an upstream leads to, and no contact of a user.
fn is_server(target: &Target) -> bool {
    matches!(target.way, Way::Resolve { .. }) && target.instance.is_none()
}

/// Where a request may go of the addresses that a name has: those that are one host; by TCP first, if it is too
/// large for a datagram and nobody asked for one (RFC 3261 §18.1.1).
pub(crate) fn usable(hops: &[Hop], target: &Target, length: usize) -> Vec<Hop> {
    /// What our own headers add, about.
    const GROWTH: usize = 400;
    let mut hops: Vec<Hop> = hops.iter().filter(|hop| is_sendable(hop.address())).cloned().collect();
    let open = matches!(target.way, Way::Resolve { transport: None, .. });
    if open && length + GROWTH > 1300 {
        let mut larger = Vec::with_capacity(hops.len() * 2);
        for hop in &hops {
            if let Hop::Address { transport: Transport::Udp, address, server_name } = hop {
                let tcp = Hop::Address {
                    transport: Transport::Tcp,
                    address: *address,
                    server_name: server_name.clone(),
                };
                if !hops.contains(&tcp) {
                    larger.push(tcp);
                }
            }
        }
        let (datagrams, streams): (Vec<Hop>, Vec<Hop>) =
            hops.into_iter().partition(|hop| !hop.transport().is_reliable());
        hops = streams.into_iter().chain(larger).chain(datagrams).collect();
    }
    hops
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(last: u8) -> Hop {
        let address = SocketAddr::from(([192, 0, 2, last], 5060));
        Hop::Address { transport: Transport::Tcp, address, server_name: None }
    }

    #[test]
    fn what_failed_is_last_for_a_while() {
        let (avoided, start) = (Avoided::default(), Instant::from_secs(100));
        avoided.avoid(start, &hop(1), Duration::from_secs(30));
        assert_eq!(avoided.put_last(start, vec![hop(1), hop(2)]), [hop(2), hop(1)]);
        assert_eq!(avoided.put_last(start, vec![hop(1)]), [hop(1)], "the only one");
        assert_eq!(avoided.put_last(start + Duration::from_secs(30), vec![hop(1), hop(2)]), [hop(1), hop(2)]);
        avoided.forget(&hop(1));
        assert_eq!(avoided.put_last(start, vec![hop(1), hop(2)]), [hop(1), hop(2)]);
    }
}
