//! The dialogs behind one branch before one of them has won: somebody beyond us forks the INVITE, and each of its targets
//! answers the same offer in a dialog of its own (RFC 3261 §12.1, §13.2.2.4).
//!
//! What is offered and answered later in one of them, by UPDATE or PRACK (RFC 3311, RFC 3262), concerns no other. One
//! at a time has the legs of the branch: the one that was heard of last, and in the end the one that wins.

use super::anchored::AnchoredBranch;
use super::{BranchKey, CallKey, Gateway};
use sip::Instant;

/// The most dialogs of a branch that are remembered beside the present one.
const MOST: usize = 16;

/// What is known of dialogs beside the present one.
#[derive(Debug)]
pub(super) struct EarlyDialogs<T> {
    /// The callee's tag in the present one; empty before there is any.
    present: Vec<u8>,
    /// What each of them begins with: the offer of the INVITE, without an answer.
    first: Option<T>,
    others: Vec<(Vec<u8>, T)>,
}

impl<T> Default for EarlyDialogs<T> {
    fn default() -> Self {
        Self { present: Vec::new(), first: None, others: Vec::new() }
    }
}

impl<T: Clone> EarlyDialogs<T> {
    /// The dialog with this tag is the present one from now on. `present` is what is known of the one before; what is
    /// known of this one comes back, unless it is the same.
    fn enter(&mut self, tag: &[u8], present: &T) -> Option<T> {
        if tag.is_empty() || tag == self.present {
            return None;
        }
        let before = std::mem::replace(&mut self.present, tag.to_vec());
        if before.is_empty() {
            self.first = Some(present.clone());
            return None;
        }
        let known = self.others.iter().position(|(other, _)| other == tag);
        let entered = known.map(|place| self.others.remove(place).1).or_else(|| self.first.clone())?;
        if self.others.len() < MOST {
            self.others.push((before, present.clone()));
        }
        Some(entered)
    }

    /// The present one has won.
    pub(super) fn settle(&mut self) {
        (self.first, self.others) = (None, Vec::new());
    }
}

impl Gateway {
    /// What follows in this branch belongs to the dialog in which the callee has this tag. Without effect once the branch
    /// has won.
    pub fn enter_dialog(&mut self, now: Instant, call: &CallKey, branch: &BranchKey, tag: &[u8]) {
        let Some(id) = self.names.get(call).copied() else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(known) = call.anchored.iter_mut().find(|known| known.key == *branch) {
            if call.confirmed != Some(known.id) {
                known.enter_dialog(now, tag);
            }
            return;
        }
        let Some(known) = call.branches.iter_mut().find(|known| known.key == *branch) else { return };
        if call.confirmed == Some(known.id) {
            return;
        }
        let Some(mut entered) = known.dialogs.enter(tag, &known.conversation) else { return };
        entered.take_over_from(&known.conversation);
        known.conversation = entered;
        let part = known.id;
        call.agree(now, part, &mut self.shared);
        self.note(id);
    }
}

impl AnchoredBranch {
    fn enter_dialog(&mut self, now: Instant, tag: &[u8]) {
        if let Some(entered) = self.dialogs.enter(tag, &self.rounds) {
            self.resume(now, entered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialog_begins_with_the_offer_and_keeps_what_became_of_it() {
        let mut dialogs = EarlyDialogs::default();
        assert_eq!(dialogs.enter(b"", &"offer"), None);
        assert_eq!(dialogs.enter(b"a", &"offer"), None);
        assert_eq!(dialogs.enter(b"a", &"of a"), None);
        assert_eq!(dialogs.enter(b"b", &"of a"), Some("offer"));
        assert_eq!(dialogs.enter(b"a", &"of b"), Some("of a"));
        assert_eq!(dialogs.enter(b"b", &"of a, later"), Some("of b"));
        assert_eq!(dialogs.enter(b"c", &"of b"), Some("offer"));
        assert_eq!(dialogs.enter(b"a", &"of c"), Some("of a, later"));
    }
}
