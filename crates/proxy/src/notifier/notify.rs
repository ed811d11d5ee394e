//! NOTIFY: what a subscriber is told, one after another (RFC 6665 §4.2.2).

use core::time::Duration;
use std::collections::BTreeSet;

use sip::header::{HeaderName, MAGIC_COOKIE};
use sip::text::write_decimal;
use sip::transaction::Written;
use sip::{ClientKey, Flow, Hop, Instant, Method, Slot};

use super::package::Package;
use super::subscriptions::{Pending, Subscription};
use super::{dialog_info, message_summary, presence, reg_info, watched};
use crate::forward::{own_uri, via};
use crate::listeners::is_sendable;
use crate::news::{News, Told};
use crate::output::ResolveError;
use crate::proxy::{Proxy, Waiting};
use crate::response_context::Sent;
use crate::target::{Target, Way, route_uri};

/// The largest document for a subscriber whose SUBSCRIBE came in a datagram, in octets; none is sent in place of a larger
/// one. A source can be forged, and what is not answered is repeated (RFC 3261 §18.1.1: 1300 octets are safe as well).
const LARGEST_BY_DATAGRAM: usize = 1300;

/// How many calls such a document tells of: so many fit.
const CALLS_BY_DATAGRAM: usize = 8;

/// How long the last NOTIFY may wait for its answer: longer than any transaction (RFC 3261 §17.1.2.2: 32 s).
pub(super) const LAST: Duration = Duration::from_secs(40);

/// How a subscriber is reached.
enum Reached {
    By(Hop),
    /// This is to be looked up first.
    Asking(Way),
    /// Not now.
    Not,
}

impl Proxy {
    /// Something is new of a user: whoever subscribed to it is told, on every event loop.
    pub(crate) fn tell_watchers(&mut self, now: Instant, aor: &[u8], package: Package) {
        self.tell_own_watchers(now, aor, package);
        if self.common.loops() > 1 {
            self.outbox.share(News(Told::Changed { aor: aor.to_vec(), package }));
        }
    }

    /// The same, on this event loop.
    pub(crate) fn tell_own_watchers(&mut self, now: Instant, aor: &[u8], package: Package) {
        for slot in self.notifier.watching(aor, package) {
            self.notify(now, slot, Pending::News);
        }
    }

    /// Tells a subscriber the state. While another NOTIFY is under way this waits, so that none overtakes another.
    pub(super) fn notify(&mut self, now: Instant, slot: Slot, what: Pending) {
        let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { return };
        if subscription.over {
            return;
        }
        if subscription.under_way {
            subscription.pending = subscription.pending.max(Some(what));
            return;
        }
        let Some(subscription) = self.notifier.subscriptions.get(slot) else { return };
        if what == Pending::News
            && subscription.ends.is_none()
            && subscription.told.as_ref() == Some(&self.document(now, subscription, 0))
        {
            return;
        }
        match self.reached(now, subscription) {
            Reached::By(hop) => self.send_notify(now, slot, hop),
            Reached::Asking(way) => self.look_for_subscriber(slot, &way, what),
            Reached::Not => self.keep_for_later(now, slot, what),
        }
    }

    fn reached(&self, now: Instant, subscription: &Subscription) -> Reached {
        if let Some(hop) = &subscription.hop {
            return Reached::By(hop.clone());
        }
        // Only of a peer is it believed where its answers are to go; others are reached where they are.
        if let Some(route) = subscription.route() {
            return match Target::to_uri(route_uri(route)) {
                Ok(target) => target.way.hop().map_or(Reached::Asking(target.way), Reached::By),
                Err(_) => Reached::Not,
            };
        }
        let flow = subscription.flow;
        if !flow.transport.is_reliable() || self.common.0.connections.contains(flow.connection) {
            return Reached::By(Hop::Flow(flow));
        }
        self.flow_anew(now, subscription).map_or(Reached::Not, |flow| Reached::By(Hop::Flow(flow)))
    }

    /// The flow of a subscriber who is connected again.
    fn flow_anew(&self, now: Instant, subscription: &Subscription) -> Option<Flow> {
        self.flow_of_client(now, &subscription.subscriber, subscription.dialog.remote_target())
    }

    fn look_for_subscriber(&mut self, slot: Slot, way: &Way, what: Pending) {
        let Some(question) = way.question() else { return };
        let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { return };
        subscription.under_way = true;
        subscription.pending = subscription.pending.max(Some(what));
        let id = self.outbox.ask(question);
        self.waiting.insert(id, Waiting::Subscriber { slot });
    }

    /// The addresses of a subscriber's server are known.
    pub(crate) fn subscriber_found(
        &mut self,
        now: Instant,
        slot: Slot,
        found: Result<Vec<Hop>, ResolveError>,
    ) {
        let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { return };
        subscription.under_way = false;
        let hop = found.ok().and_then(|hops| hops.into_iter().find(|hop| is_sendable(hop.address())));
        match hop {
            Some(hop) => {
                subscription.hop = Some(hop);
                let what = subscription.pending.take().unwrap_or(Pending::State);
                self.notify(now, slot, what);
            }
            None => self.end_subscription(now, slot),
        }
    }

    /// Nobody is there to be told: a page may come back within the grace; others are given up.
    fn keep_for_later(&mut self, now: Instant, slot: Slot, what: Pending) {
        let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { return };
        if subscription.ends.is_some() || !subscription.flow.transport.is_reliable() {
            return self.end_subscription(now, slot);
        }
        subscription.pending = subscription.pending.max(Some(what));
        if subscription.lost.is_none() {
            self.lose(now, slot);
        }
    }

    fn lose(&mut self, now: Instant, slot: Slot) {
        let grace = self.config.registrar.flow_grace;
        let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { return };
        subscription.lost = Some(now + grace);
        let subscriber = subscription.subscriber.clone();
        self.notifier.lost.entry(subscriber).or_default().push(slot);
        self.notifier.reschedule(slot);
    }

    /// A connection is closed.
    pub(crate) fn subscribers_lost(&mut self, now: Instant, flow: &Flow) {
        let mut subscribers = BTreeSet::new();
        for slot in self.notifier.by_connection.get(&flow.connection).cloned().unwrap_or_default() {
            let Some(subscription) = self.notifier.subscriptions.get(slot) else { continue };
            // Another server closes a connection when it has nothing to say: its name leads there still.
            if subscription.route().is_none() {
                subscribers.insert(subscription.subscriber.clone());
                self.lose(now, slot);
            }
        }
        // Some have registered over another connection before this one was seen closed.
        for subscriber in subscribers {
            self.subscribers_back(now, &subscriber);
        }
    }

    /// A user registers: his pages may be those whose connections were lost.
    pub(crate) fn subscribers_back(&mut self, now: Instant, aor: &[u8]) {
        for slot in self.notifier.lost.get(aor).cloned().unwrap_or_default() {
            let Some(subscription) = self.notifier.subscriptions.get(slot) else { continue };
            let Some(flow) = self.flow_anew(now, subscription) else { continue };
            self.notifier.move_to(slot, &flow);
            let pending = self
                .notifier
                .subscriptions
                .get_mut(slot)
                .and_then(|subscription| subscription.pending.take());
            if let Some(what) = pending {
                self.notify(now, slot, what);
            }
        }
    }

    fn send_notify(&mut self, now: Instant, slot: Slot, hop: Hop) {
        let hop = self.listeners.pin(hop);
        if !is_sendable(hop.address()) {
            return self.end_subscription(now, slot);
        }
        let branch = self.entropy.token(20);
        let Some(subscription) = self.notifier.subscriptions.get(slot) else { return };
        let essence = self.document(now, subscription, 0);
        let version = subscription.version;
        let document = if version == 0 { essence.clone() } else { self.document(now, subscription, version) };
        let (via, sent_by) = via(&self.listeners.side_of_hop(&hop), b"", branch.as_bytes());
        let sent_by = via.get(sent_by).unwrap_or_default().to_vec();
        let side = self.listeners.side_of_flow(&subscription.flow);
        let contact = own_uri(&side, None, None, subscription.dialog.is_secure(), &[]);
        let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { return };
        let event = event_value(subscription);
        let state = state_value(now, subscription);
        let builder = subscription
            .dialog
            .request(Method::Notify, &via)
            .header(HeaderName::Contact, &contact)
            .header(HeaderName::Event, &event)
            .header(HeaderName::SubscriptionState, &state);
        let builder = if document.is_empty() {
            builder
        } else {
            builder.body(subscription.package.content_type().as_bytes(), &document)
        };
        subscription.version = version.wrapping_add(1) & 0x7fff_ffff;
        subscription.told = Some(essence);
        let Ok(bytes) = builder.finish() else { return self.end_subscription(now, slot) };
        let branch = [MAGIC_COOKIE, branch.as_bytes()].concat();
        let written =
            Written { bytes: bytes.into(), method: Method::Notify, branch: &branch, sent_by: &sent_by };
        let key = self.transactions.request_written(now, hop, written);
        (subscription.under_way, subscription.moved) = (true, false);
        self.by_client.insert(key, Sent::Notice(slot));
        if subscription.ends.is_some() {
            (subscription.over, subscription.expires) = (true, now + LAST);
            self.notifier.reschedule(slot);
        }
    }

    /// The document of a package (`version`: where its documents are counted).
    fn document(&self, now: Instant, subscription: &Subscription, version: u32) -> Vec<u8> {
        let aor = &subscription.watched;
        let entity = crate::registrar::register::address_uri(aor);
        let watched: &watched::Watched = &self.common.0.watched;
        let most = if subscription.flow.transport.is_reliable() { usize::MAX } else { LARGEST_BY_DATAGRAM };
        let document = match subscription.package {
            Package::Dialog => {
                let mut calls = watched.calls(now, aor);
                if most != usize::MAX && calls.len() > CALLS_BY_DATAGRAM {
                    // A lamp shows the call that is furthest.
                    calls.sort_by_key(|call| core::cmp::Reverse(call.state));
                    calls.truncate(CALLS_BY_DATAGRAM);
                }
                dialog_info::write(&entity, version, &calls)
            }
            Package::Presence => {
                let published = self.common.0.publications.latest(now, aor).filter(|it| it.len() <= most);
                published.unwrap_or_else(|| presence::write(&entity, !self.location.get(aor).is_empty()))
            }
            Package::MessageSummary => {
                let waiting = self.common.0.messages.count(now, aor);
                message_summary::write(waiting, self.config.messages.voicemail.as_deref())
            }
            Package::Registration => reg_info::write(&self.key, &entity, version, &self.location.get(aor)),
        };
        if document.len() > most { Vec::new() } else { document }
    }

    /// A subscriber answers a NOTIFY.
    pub(crate) fn notice_answered(&mut self, now: Instant, key: ClientKey, slot: Slot, status: u16) {
        if status < 200 {
            return;
        }
        self.by_client.remove(key);
        let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { return };
        subscription.under_way = false;
        if subscription.over {
            return self.end_subscription(now, slot);
        }
        match status {
            200..=299 => {}
            // RFC 5057 §5.1: a subscriber that is overloaded or confused for a moment stays one.
            500..=599 if !matches!(status, 501 | 505 | 513) => subscription.told = None,
            // RFC 6665 §4.2.2: 481 and its like end the subscription.
            _ => return self.end_subscription(now, slot),
        }
        if let Some(what) = subscription.pending.take() {
            self.notify(now, slot, what);
        }
    }

    /// A NOTIFY was not answered, or could not be sent.
    pub(crate) fn notice_failed(&mut self, now: Instant, slot: Slot) {
        let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { return };
        subscription.under_way = false;
        subscription.told = None;
        let (flow, moved) = (subscription.flow, subscription.moved);
        let may_come_back = !subscription.over && subscription.route().is_none();
        if may_come_back
            && flow.transport.is_reliable()
            && !self.common.0.connections.contains(flow.connection)
        {
            self.keep_for_later(now, slot, Pending::State);
        } else if may_come_back && moved {
            subscription.pending = None;
            self.notify(now, slot, Pending::State);
        } else {
            // RFC 6665 §4.2.2: no answer in time ends it.
            self.end_subscription(now, slot);
        }
    }

    /// A subscription is over, and its subscriber has heard it or cannot hear it.
    fn end_subscription(&mut self, now: Instant, slot: Slot) {
        let Some(subscription) = self.notifier.remove(slot) else { return };
        self.common.0.watched.count_out(&subscription.subscriber);
        if subscription.follows
            && let Some(until) = self.common.0.watched.leave(now, &subscription.watched)
        {
            self.notifier.reviews.note(until, &subscription.watched);
        }
    }

    /// What is due.
    pub(crate) fn events_due(&mut self, now: Instant) {
        while let Some(index) = self.notifier.deadlines.pop(now) {
            let Some(slot) = self.notifier.subscriptions.slot_at(index) else { continue };
            let Some(subscription) = self.notifier.subscriptions.get_mut(slot) else { continue };
            let waits = subscription.under_way && subscription.ends.is_none();
            if subscription.lost.is_some() || (subscription.under_way && !waits) {
                self.end_subscription(now, slot);
                continue;
            }
            subscription.ends = Some("timeout");
            if waits {
                // Its last NOTIFY is sent when the one before has arrived, or its way is known.
                subscription.expires = now + LAST;
                self.notifier.reschedule(slot);
            }
            self.notify(now, slot, Pending::State);
        }
        self.end_silent_calls(now);
        while let Some(aor) = self.notifier.reviews.pop(now) {
            let message = self.expire_messages(now, &aor);
            let (ended, publication) = self.common.0.publications.review(now, &aor);
            if ended {
                self.tell_watchers(now, &aor, Package::Presence);
            }
            let watched = self.common.0.watched.review(now, &aor);
            for next in [message, publication, watched].into_iter().flatten() {
                self.notifier.reviews.note(next, &aor);
            }
        }
    }
}

fn event_value(subscription: &Subscription) -> Vec<u8> {
    let mut event = subscription.package.name().as_bytes().to_vec();
    if let Some(id) = &subscription.event_id {
        event.extend_from_slice(b";id=");
        event.extend_from_slice(id);
    }
    event
}

fn state_value(now: Instant, subscription: &Subscription) -> Vec<u8> {
    let Some(reason) = subscription.ends else {
        let mut state = b"active;expires=".to_vec();
        write_decimal(&mut state, subscription.expires.saturating_since(now).as_secs());
        return state;
    };
    [b"terminated;reason=", reason.as_bytes()].concat()
}
