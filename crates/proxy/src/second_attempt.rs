//! A branch that goes to its target once more, because the first request was written in a way that the target does
//! not take.
//!
//! The proxy knows nothing of descriptions. Whoever rewrites them on their way may see from a refusal that another
//! one would be taken: RTP where SRTP was offered, or the other way round. For the caller it stays one branch, and
//! the refusal never happened (RFC 3261 §16.7 lets a proxy go on with a target set until it chooses a response).

use core::time::Duration;

use sip::{Flow, Instant};

use crate::proxy::Proxy;
use crate::response_context::{BranchState, ContextId};

/// A little longer than Timer I (RFC 3261 §17.2.1): then the target has forgotten the first request.
const REST: Duration = Duration::from_millis(5_500);

impl Proxy {
    /// Takes one message that came over `flow`, like [`Proxy::receive`]. If it is a refusal that ends a branch, the
    /// request goes to the same address once more, under a new branch parameter.
    ///
    /// Once in the life of a branch, unless the target takes the second request for the first, and not when the caller has given up or another branch has answered: then the
    /// refusal counts as it is.
    pub fn receive_for_second_attempt(&mut self, now: Instant, flow: &Flow, bytes: &[u8]) {
        self.second_attempt = true;
        self.receive(now, flow, bytes);
        self.second_attempt = false;
    }
    /// The second request came to a target that takes it for a copy of the first, which reached it by another way
    /// (RFC 3261 §8.2.2.2): over UDP it remembers that one for some seconds. It goes out again after them.
    pub(crate) fn rest(&mut self, now: Instant, id: ContextId, branch: usize) -> bool {
        let Some(context) = self.contexts.get_mut(id.0) else { return false };
        if context.answered || context.no_more_branches {
            return false;
        }
        let Some(place) = context.branches.get_mut(branch) else { return false };
        let went_again = place.again == 1 || (place.again == 0 && place.answering.is_some());
        if !went_again || place.hop.is_none() {
            return false;
        }
        place.again = 2;
        place.timer_c = None;
        place.state = BranchState::Resting(now + REST);
        self.watch(id);
        true
    }

    /// Sends what has rested long enough.
    pub(crate) fn rested(&mut self, now: Instant, id: ContextId) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let mut due = Vec::new();
        for (branch, place) in context.branches.iter_mut().enumerate() {
            if matches!(place.state, BranchState::Resting(until) if until <= now)
                && let Some(hop) = place.hop.take()
            {
                due.push((branch, hop));
            }
        }
        for (branch, hop) in due {
            self.send(now, id, branch, hop);
        }
    }
}
