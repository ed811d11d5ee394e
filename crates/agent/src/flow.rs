//! Several connections to the same registrar, each a flow of its own (RFC 5626 §4).
//!
//! Every flow is registered and refreshed by itself, under the same `+sip.instance` and a `reg-id` of its own. A request
//! outside dialogs takes one that works. A call stays with the flow that it began on; when that one is gone, it goes on
//! over another. RFC 5626 does not say how: the route set of the dialog begins with the edge that is gone. So the routes
//! that the Path of the lost flow names, and that of the new one does not, are left out.

use crate::agent::Agent;
use crate::call::Call;
use crate::config::Via;
use crate::event::{CallNumber, Output};
use crate::outgoing::Purpose;
use crate::registration::Registration;
use sip::Instant;
use sip::header::Route;
use sip::transaction::NextHop;
use std::sync::Arc;

/// A way out: an open connection, or for UDP the server's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) flow: u8,
    pub(crate) via: Via,
}

impl NextHop for Link {
    fn is_reliable(&self) -> bool {
        self.via.reliable
    }
}

impl Agent {
    /// The connection of that flow is open, and the user may use it before what is owed goes out:
    /// [`Agent::connected_over`] must follow.
    pub fn opened_over(&mut self, now: Instant, flow: u8, via: Via) {
        self.now = now;
        if self.registration(flow).is_some() {
            self.links.retain(|link| link.flow != flow);
            self.links.push(Link { flow, via });
        }
    }

    /// The connection of that flow is open, or for UDP: there is a network. What is owed goes out now: REGISTER if it
    /// is wished for, ACKs and BYEs that an old connection may have swallowed. Flows count from 0; one beyond
    /// [`crate::Config::flows`] is ignored.
    pub fn connected_over(&mut self, now: Instant, flow: u8, via: Via) {
        if self.registration(flow).is_none() {
            return;
        }
        self.opened_over(now, flow, via);
        self.register_if_wanted(flow);
        self.move_calls();
        let on_it = |call: &&Call| call.flow == flow && call.lost_path.is_empty();
        let calls: Vec<CallNumber> = self.calls.iter().filter(on_it).map(|call| call.number).collect();
        self.pay_debts(&calls);
        self.settle();
    }

    /// The connection of that flow is gone. What was pending on it fails, what stands survives: over another flow at
    /// once, if there is one.
    pub fn disconnected_over(&mut self, now: Instant, flow: u8) {
        self.now = now;
        let Some(link) = self.link_of(flow) else { return };
        self.links.retain(|link| link.flow != flow);
        self.transactions.unreachable(now, &link);
        self.settle();
        self.registration_lost(flow);
        if !self.is_registered() {
            // Whoever waits to try again is needed now.
            for other in self.flows() {
                self.register_if_wanted(other);
            }
        }
        let moved = self.move_calls();
        self.pay_debts(&moved);
        self.settle();
    }

    /// The connection of that flow, if it is open.
    pub(crate) fn link_of(&self, flow: u8) -> Option<Link> {
        self.links.iter().find(|link| link.flow == flow).copied()
    }

    /// The connection for what belongs to no flow: a registered one if there is any.
    pub(crate) fn link(&self) -> Option<Link> {
        let registered = |link: &&Link| self.registration(link.flow).is_some_and(Registration::is_registered);
        self.links.iter().find(registered).or_else(|| self.links.first()).copied()
    }

    /// The connection that a call's requests go by.
    pub(crate) fn link_of_call(&self, number: CallNumber) -> Option<Link> {
        let flow = self.call(number).map(|call| call.flow);
        flow.and_then(|flow| self.link_of(flow)).or_else(|| self.link())
    }

    /// The connection for a request of ours.
    pub(crate) fn link_for(&self, purpose: Purpose) -> Option<Link> {
        match purpose {
            Purpose::Register(flow) | Purpose::Unregister(flow) => self.link_of(flow),
            Purpose::Free(_) => self.link(),
            Purpose::Invite(number) => {
                // Repeated for a challenge it stays where it was.
                let sent = self.call(number).is_some_and(|call| {
                    call.outgoing.as_ref().is_some_and(|outgoing| outgoing.key.is_some())
                });
                if sent { self.link_of_call(number) } else { self.link() }
            }
            Purpose::Dialog(number, _) if self.call(number).is_some_and(|call| call.dialog.is_none()) => {
                self.link()
            }
            Purpose::Reoffer(number, _)
            | Purpose::Refresh(number)
            | Purpose::Prack(number)
            | Purpose::Bye(number)
            | Purpose::Dialog(number, _) => self.link_of_call(number),
        }
    }

    /// Puts a message on the connection of that flow. Without it the message is lost; what must arrive is repeated by
    /// timers, or when there is a connection again.
    pub(crate) fn transmit_over(&mut self, flow: u8, bytes: Vec<u8>) {
        if self.link_of(flow).is_some() {
            self.outputs.push_back(Output::Transmit { flow, bytes });
        }
    }

    /// The same for a message of a call.
    pub(crate) fn transmit_in(&mut self, number: CallNumber, bytes: Vec<u8>) {
        if let Some(link) = self.link_of_call(number) {
            self.outputs.push_back(Output::Transmit { flow: link.flow, bytes });
        }
    }

    /// Calls whose flow is gone go on over one that works, if there is any. Says which.
    ///
    /// What an unregistered flow leads through is not known yet: then the routes stay until it is, and what is owed waits.
    fn move_calls(&mut self) -> Vec<CallNumber> {
        let mut moved = Vec::new();
        let Some(new) = self.link() else { return moved };
        let Self { calls, links, registrations, .. } = self;
        let path = |flow: u8| registrations.get(usize::from(flow)).map_or(&[][..], |held| &held.path);
        let is_known = registrations.get(usize::from(new.flow)).is_some_and(Registration::is_registered);
        for call in calls.iter_mut() {
            if links.iter().any(|link| link.flow == call.flow) {
                continue;
            }
            if call.lost_path.is_empty() {
                call.lost_path = path(call.flow).to_vec();
            }
            if is_known {
                leave_out_lost(call, path(new.flow));
            }
            call.flow = new.flow;
            if call.lost_path.is_empty() {
                moved.push(call.number);
            }
        }
        moved
    }

    /// A flow is registered, and who stands in its way is known. `before` is who stood there at its registration before.
    pub(crate) fn leave_lost_edges(&mut self, flow: u8, before: &[Vec<u8>]) {
        let Self { calls, registrations, .. } = self;
        let Some(path) = registrations.get(usize::from(flow)).map(|held| held.path.as_slice()) else {
            return;
        };
        let mut changed = Vec::new();
        for call in calls.iter_mut().filter(|call| call.flow == flow) {
            let waited = !call.lost_path.is_empty();
            if !waited && before != path {
                call.lost_path = before.to_vec();
            }
            if leave_out_lost(call, path) || waited {
                changed.push(call.number);
            }
        }
        self.pay_debts(&changed);
    }
}

/// Leaves the routes out that name whom a lost flow led through, and the new one does not. Whether there were any.
fn leave_out_lost(call: &mut Call, kept: &[Vec<u8>]) -> bool {
    let lost = core::mem::take(&mut call.lost_path);
    let mut gone = Vec::new();
    for dialog in call.dialogs_mut() {
        let before = gone.len();
        for route in dialog.route_set() {
            if !names(&lost, route) || names(kept, route) {
                break;
            }
            gone.push([b"\r\nRoute: ", route].concat());
        }
        dialog.leave_out_nearest(gone.len() - before);
    }
    for (_, ack) in &mut call.acks {
        for line in &gone {
            cut(ack, line);
        }
    }
    !gone.is_empty()
}

/// Takes a line out of an ACK of ours.
fn cut(ack: &mut Arc<[u8]>, line: &[u8]) {
    let place = ack.windows(line.len()).position(|window| window == line);
    if let Some((before, rest)) = place.and_then(|place| ack.split_at_checked(place))
        && let Some(after) = rest.get(line.len()..)
    {
        *ack = [before, after].concat().into();
    }
}

/// Whether one of the proxies of `path` is the one of `route`: the same host and port, whatever token stands before. It
/// has written both, and writes itself alike.
fn names(path: &[Vec<u8>], route: &[u8]) -> bool {
    let Ok(route) = Route::parse(route) else { return false };
    let place = (route.uri().host(), route.uri().port());
    path.iter()
        .any(|value| Route::parse(value).is_ok_and(|named| (named.uri().host(), named.uri().port()) == place))
}
