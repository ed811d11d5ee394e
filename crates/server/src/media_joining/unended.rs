//! Calls on a fleet that nobody ends: both sides have lost their network, or their BYE never came. rtpengine gives up a
//! call of which it hears nothing and tells nobody; so its node is asked once an hour what has passed. A call is hung up
//! when that is nothing, when its node does not know it any more, or when a day long nobody has answered.
//!
//! The gateway of this process needs none of that: it sees the packets.

use std::time::Duration;

use media::{CallKey, MediaCause};
use rtpengine::{Done, Failure, Leg};
use sip::Instant;

use super::MediaJoining;
use super::fleet::{FleetJoiner, named};
use super::hanging_up::{Reason, told};

/// How often a node is asked.
const EVERY: Duration = Duration::from_secs(3600);
/// So many questions may stay without an answer.
const MOST_UNANSWERED: u32 = 24;

/// What was heard of an answered call since a side last offered or answered something in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    ask_at: Option<Instant>,
    /// The packets that had passed.
    packets: Option<u64>,
    unanswered: u32,
}

impl Watch {
    /// Whether its node is to be asked now.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = now >= *self.ask_at.get_or_insert(now + EVERY);
        if due {
            self.ask_at = Some(now + EVERY);
        }
        due
    }

    /// Why the call is to be given up after this answer, if it is.
    fn answered(&mut self, answer: &Result<Done, Failure>) -> Option<Reason> {
        let failure = match answer {
            Ok(Done::Figures(figures)) => {
                self.unanswered = 0;
                let packets = figures.legs.iter().fold(0, |sum: u64, leg| sum.saturating_add(leg.packets));
                let before = self.packets.replace(packets);
                return (before == Some(packets)).then(|| Reason::of(MediaCause::PartiesGone));
            }
            Ok(Done::Description(_)) => return None,
            Err(failure) => failure,
        };
        self.unanswered += 1;
        let over = *failure == Failure::UnknownCall || self.unanswered >= MOST_UNANSWERED;
        over.then(|| Reason { status: 480, text: told(failure.code(), failure) })
    }
}

impl FleetJoiner {
    /// Asks about the calls whose hour is over.
    pub(super) fn look_for_unended(&self, hub: &MediaJoining, now: Instant) {
        let mut due = Vec::new();
        for (call, known) in self.calls.borrow_mut().iter_mut() {
            if hub.calls.borrow().is_answered(call) && known.watch.is_due(now) {
                due.push(call.clone());
            }
        }
        for call in due {
            let (call_id, from_tag) = (named(&call).0, Vec::new());
            let leg = Leg { call_id, from_tag, to_tag: None, via_branch: None };
            let ticket = self.fleet.borrow_mut().query(now, leg);
            self.asked.borrow_mut().insert(ticket, call);
        }
        self.drain(hub, None);
    }

    /// What a node knows of a call about which it was asked.
    pub(super) fn heard_of(&self, hub: &MediaJoining, call: &CallKey, answer: &Result<Done, Failure>) {
        let reason = self.calls.borrow_mut().get_mut(call).and_then(|known| {
            let reason = known.watch.answered(answer);
            known.is_silent = reason.is_some() && answer.is_ok();
            reason
        });
        if let Some(reason) = reason {
            hub.give_up(call, &reason);
        }
    }
}
