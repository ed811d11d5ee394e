//! Messages that wait for a translation.
//!
//! rtpengine needs a moment, and so does a host name. Until there is an answer, every later message of that call waits
//! behind the one that needs it, in either direction: a CANCEL or BYE must not overtake its INVITE, a 180 must not come after its 200.

use std::collections::{HashMap, VecDeque};

use rtpengine::Ticket;
use sip::{Flow, Hop, Message};

use super::refusal::Refusal;
use super::{Inward, MediaJoining, Outlet, Released};

/// The most messages of one call that wait. One that finds no room is lost, as on a bad line.
const MOST: usize = 64;

/// What a message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A translation by the fleet.
    Node(Ticket),
    /// The addresses of the names in its description.
    Names(u64),
}

impl From<Ticket> for Awaited {
    fn from(ticket: Ticket) -> Self {
        Self::Node(ticket)
    }
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// It is about to leave for a hop.
    Leaves { hop: Hop, bytes: Vec<u8> },
    /// It has come from there.
    Arrives { flow: Flow, bytes: Vec<u8> },
}

/// The messages of one call.
#[derive(Debug)]
struct Line {
    /// What the first one waits for; `None` while it is being worked on.
    ticket: Option<Awaited>,
    waiting: VecDeque<Waiting>,
}

/// The messages that wait, by their Call-ID.
#[derive(Debug, Default)]
pub(super) struct Held {
    lines: HashMap<Vec<u8>, Line>,
}

impl Held {
    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A message of a call. If others of it wait, it waits behind them; one that was sent again waits once.
    pub(super) fn join(&mut self, call_id: &[u8], message: impl FnOnce() -> Waiting) -> bool {
        let Some(line) = self.lines.get_mut(call_id) else { return false };
        let message = message();
        if line.waiting.len() < MOST && !line.waiting.contains(&message) {
            line.waiting.push_back(message);
        }
        true
    }

    /// A message waits for its translation, before all others of its call.
    pub(super) fn wait(&mut self, call_id: &[u8], ticket: impl Into<Awaited>, message: Waiting) {
        let line = self
            .lines
            .entry(call_id.to_vec())
            .or_insert_with(|| Line { ticket: None, waiting: VecDeque::new() });
        line.ticket = Some(ticket.into());
        line.waiting.push_front(message);
    }

    /// What waited for the one waits for the other now.
    pub(super) fn wait_on(&mut self, ticket: Awaited, next: Awaited) {
        if let Some(line) = self.lines.values_mut().find(|line| line.ticket == Some(ticket)) {
            line.ticket = Some(next);
        }
    }

    /// The message that waited for this, and its Call-ID. The others of its call go on waiting.
    pub(super) fn translated(&mut self, ticket: impl Into<Awaited>) -> Option<(Vec<u8>, Waiting)> {
        let ticket = ticket.into();
        let (call_id, line) = self.lines.iter_mut().find(|(_, line)| line.ticket == Some(ticket))?;
        line.ticket = None;
        Some((call_id.clone(), line.waiting.pop_front()?))
    }

    /// The next message of that call, unless its first one waits for a translation. With the last one the line is
    /// gone.
    pub(super) fn next(&mut self, call_id: &[u8]) -> Option<Waiting> {
        let line = self.lines.get_mut(call_id)?;
        if line.ticket.is_some() {
            return None;
        }
        let next = line.waiting.pop_front();
        if next.is_none() {
            self.lines.remove(call_id);
        }
        next
    }
}

impl MediaJoining {
    /// Whether a message must wait behind others of its call.
    pub(super) fn waits(&self, bytes: &[u8], message: impl FnOnce() -> Waiting) -> bool {
        if self.held.borrow().is_empty() {
            return false;
        }
        let Ok(parsed) = Message::parse(bytes) else { return false };
        parsed.call_id().is_ok_and(|call_id| self.held.borrow_mut().join(call_id, message))
    }

    /// A description that a message waited for is translated, or cannot be: the message goes on, and those behind
    /// it until one must wait again.
    pub(super) fn translated(&self, ticket: impl Into<Awaited>, outcome: Result<Vec<u8>, Refusal>) {
        // What follows may make messages wait: the lines are borrowed for single calls only.
        let Some((call_id, first)) = self.held.borrow_mut().translated(ticket) else { return };
        let Some(outlet) = self.outlet.borrow().clone() else { return };
        match first {
            Waiting::Leaves { hop, bytes } => {
                if let Ok(request) = Message::parse(&bytes) {
                    let onward = self.translated_request(&request, outcome);
                    outlet(Released::Leaves { hop, bytes, onward });
                }
            }
            Waiting::Arrives { flow, bytes } => {
                if let Ok(response) = Message::parse(&bytes) {
                    let inward = self.translated_response(&response, outcome);
                    arrives(&outlet, flow, bytes, inward);
                }
            }
        }
        loop {
            let next = self.held.borrow_mut().next(&call_id);
            match next {
                None => break,
                Some(Waiting::Leaves { hop, bytes }) => {
                    let onward = self.leave(&hop, &bytes);
                    outlet(Released::Leaves { hop, bytes, onward });
                }
                Some(Waiting::Arrives { flow, bytes }) => {
                    let inward = self.arrive(&flow, &bytes);
                    arrives(&outlet, flow, bytes, inward);
                }
            }
        }
    }
}

fn arrives(outlet: &Outlet, flow: Flow, bytes: Vec<u8>, inward: Inward) {
    match inward {
        Inward::AsItIs => outlet(Released::Arrives { flow, bytes }),
        Inward::Instead(bytes) => outlet(Released::Arrives { flow, bytes }),
        Inward::Later => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtpengine::{Fleet, Leg, Limits};
    use sip::{ConnectionId, Instant, SeededEntropy, Transport};

    fn leaves(bytes: &[u8]) -> Waiting {
        let address = "192.0.2.9:5060".parse().unwrap();
        let flow =
            Flow { transport: Transport::Udp, connection: ConnectionId(0), local: address, remote: address };
        Waiting::Leaves { hop: Hop::Flow(flow), bytes: bytes.to_vec() }
    }

    fn tickets() -> [Ticket; 2] {
        let mut fleet =
            Fleet::new(Instant::ZERO, Vec::new(), Limits::default(), Box::new(SeededEntropy::new(1)));
        let leg = Leg { call_id: Vec::new(), from_tag: Vec::new(), to_tag: None, via_branch: None };
        [fleet.query(Instant::ZERO, leg.clone()), fleet.query(Instant::ZERO, leg)]
    }

    #[test]
    fn messages_of_a_call_go_on_in_their_order_and_those_of_others_do_not_wait() {
        let (mut held, [first, second]) = (Held::default(), tickets());
        held.wait(b"one", first, leaves(b"INVITE"));
        assert!(held.join(b"one", || leaves(b"CANCEL")));
        assert!(held.join(b"one", || leaves(b"BYE")));
        assert!(!held.join(b"two", || leaves(b"BYE")));
        assert_eq!(held.next(b"one"), None, "the first one still waits");
        assert_eq!(held.translated(second), None);
        assert_eq!(held.translated(first), Some((b"one".to_vec(), leaves(b"INVITE"))));
        assert_eq!(held.next(b"one"), Some(leaves(b"CANCEL")));
        // This one has to wait itself; what comes meanwhile stays behind.
        held.wait(b"one", second, leaves(b"CANCEL"));
        assert!(held.join(b"one", || leaves(b"ACK")));
        assert_eq!(held.next(b"one"), None);
        assert_eq!(held.translated(second), Some((b"one".to_vec(), leaves(b"CANCEL"))));
        assert_eq!(held.next(b"one"), Some(leaves(b"BYE")));
        assert_eq!(held.next(b"one"), Some(leaves(b"ACK")));
        assert_eq!(held.next(b"one"), None);
        assert!(held.is_empty());
    }

    #[test]
    fn a_message_that_is_sent_again_waits_once() {
        let (mut held, [first, _]) = (Held::default(), tickets());
        held.wait(b"one", first, leaves(b"INVITE"));
        assert!(held.join(b"one", || leaves(b"INVITE")));
        assert!(held.join(b"one", || leaves(b"INVITE")));
        held.translated(first);
        assert_eq!(held.next(b"one"), None);
    }
}
