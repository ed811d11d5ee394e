//! The subscriptions of one event loop.

use core::hash::Hash;
use std::collections::HashMap;

use sip::{ConnectionId, Deadlines, Dialog, Flow, Hop, Instant, Slot, Slots};

use super::calls::Calls;
use super::package::Package;
use super::reviews::Reviews;

/// One subscription (RFC 6665 §4.2).
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(super) package: Package,
    /// The `id` of its Event, if there is one.
    pub(super) event_id: Option<Vec<u8>>,
    /// The user who is watched.
    pub(super) watched: Vec<u8>,
    /// Who watches.
    pub(super) subscriber: Vec<u8>,
    /// Whether a route set that it brought leads to it: another server's does.
    pub(super) by_route: bool,
    pub(super) dialog: Dialog,
    /// The flow that the last SUBSCRIBE came over.
    pub(super) flow: Flow,
    /// Where a route set leads, if that has been looked up.
    pub(super) hop: Option<Hop>,
    pub(super) expires: Instant,
    /// Whether its user is followed for it: for a look at the state he is not.
    pub(super) follows: bool,
    /// When it ends if its connection, which is closed, does not come back.
    pub(super) lost: Option<Instant>,
    /// How many documents it has got.
    pub(super) version: u32,
    /// What the last document said.
    pub(super) told: Option<Vec<u8>>,
    /// A NOTIFY is under way, or waits for an address.
    pub(super) under_way: bool,
    /// It has gone to another flow than the subscriber is on by now: if it fails, that says nothing of him.
    pub(super) moved: bool,
    /// Something is to be told when it has arrived; in any case, if it is the answer to a SUBSCRIBE.
    pub(super) pending: Option<Pending>,
    /// It ends with the next NOTIFY, which says why.
    pub(super) ends: Option<&'static str>,
    /// That NOTIFY is under way. Until it is answered the subscription counts: nobody has more of them repeated to an
    /// address that does not answer than he may have subscriptions.
    pub(super) over: bool,
}

impl Subscription {
    /// The route that leads to the subscriber, if it is another server that brought one.
    pub(super) fn route(&self) -> Option<&[u8]> {
        self.dialog.route_set().next().filter(|_| self.by_route)
    }
}

/// What waits to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pending {
    /// The state, if it is another than before.
    News,
    /// The state, whatever it is.
    State,
}

/// What one event loop knows of subscriptions, and of the calls of watched users.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    pub(super) subscriptions: Slots<Subscription>,
    /// By our tag, which nobody can guess.
    pub(super) by_tag: HashMap<Vec<u8>, Slot>,
    pub(super) by_watched: HashMap<Vec<u8>, Vec<Slot>>,
    pub(super) by_connection: HashMap<ConnectionId, Vec<Slot>>,
    /// Those whose connection is closed, by subscriber.
    pub(super) lost: HashMap<Vec<u8>, Vec<Slot>>,
    /// When each ends.
    pub(super) deadlines: Deadlines,
    pub(super) calls: Calls,
    /// When to look again at what is known of a user.
    pub(super) reviews: Reviews,
}

impl Notifier {
    /// When something is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        [self.deadlines.next(), self.calls.next_timeout(), self.reviews.next()].into_iter().flatten().min()
    }

    /// How many subscriptions this loop has.
    pub(crate) fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Looks again at what is kept of a user then.
    pub(crate) fn review_at(&mut self, at: Instant, aor: &[u8]) {
        self.reviews.note(at, aor);
    }

    pub(super) fn insert(&mut self, subscription: Subscription) -> Slot {
        let tag = subscription.dialog.id().local_tag().to_vec();
        let (watched, flow) = (subscription.watched.clone(), subscription.flow);
        let slot = self.subscriptions.insert(subscription);
        self.by_tag.insert(tag, slot);
        self.by_watched.entry(watched).or_default().push(slot);
        self.join_connection(slot, &flow);
        self.reschedule(slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Subscription> {
        let subscription = self.subscriptions.remove(slot)?;
        self.by_tag.remove(subscription.dialog.id().local_tag());
        take_out(&mut self.by_watched, &subscription.watched, slot);
        take_out(&mut self.lost, &subscription.subscriber, slot);
        self.leave_connection(slot, &subscription.flow);
        self.deadlines.cancel(slot.index());
        Some(subscription)
    }

    /// Another flow leads to the subscriber now.
    pub(super) fn move_to(&mut self, slot: Slot, flow: &Flow) {
        let Some(subscription) = self.subscriptions.get_mut(slot) else { return };
        let before = std::mem::replace(&mut subscription.flow, *flow);
        subscription.moved |= subscription.under_way && before != *flow;
        if subscription.lost.take().is_some() {
            take_out(&mut self.lost, &subscription.subscriber, slot);
        }
        self.leave_connection(slot, &before);
        self.join_connection(slot, flow);
        self.reschedule(slot);
    }

    pub(super) fn reschedule(&mut self, slot: Slot) {
        if let Some(subscription) = self.subscriptions.get(slot) {
            let at = subscription.lost.map_or(subscription.expires, |lost| lost.min(subscription.expires));
            self.deadlines.set(slot.index(), at);
        }
    }

    /// The subscriptions to a package of one user.
    pub(super) fn watching(&self, aor: &[u8], package: Package) -> Vec<Slot> {
        let slots = self.by_watched.get(aor).map(Vec::as_slice).unwrap_or_default();
        let is_of = |slot: &&Slot| self.subscriptions.get(**slot).is_some_and(|it| it.package == package);
        slots.iter().filter(is_of).copied().collect()
    }

    fn join_connection(&mut self, slot: Slot, flow: &Flow) {
        if flow.transport.is_reliable() {
            self.by_connection.entry(flow.connection).or_default().push(slot);
        }
    }

    fn leave_connection(&mut self, slot: Slot, flow: &Flow) {
        take_out(&mut self.by_connection, &flow.connection, slot);
    }
}

fn take_out<K: Hash + Eq>(table: &mut HashMap<K, Vec<Slot>>, key: &K, slot: Slot) {
    if let Some(slots) = table.get_mut(key) {
        slots.retain(|other| *other != slot);
        if slots.is_empty() {
            table.remove(key);
        }
    }
}
