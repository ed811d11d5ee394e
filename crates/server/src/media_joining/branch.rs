//! A branch of a joined call, and the dialogs behind it.

use media::{BranchKey, Side};

use super::negotiation::Negotiation;

/// A dialog behind a branch, by the callee's tag.
#[derive(Debug)]
pub(super) struct Dialog {
    tag: Vec<u8>,
    negotiation: Negotiation,
}

/// One branch toward one target, and the dialogs behind it.
#[derive(Debug, Default)]
pub(super) struct Branch {
    /// Several before the answer where somebody behind us forks, one after it.
    pub(super) dialogs: Vec<Dialog>,
    /// As the INVITE left it: each dialog begins with that, for each answers the first offer by itself (RFC 3261 §13.2.2.4).
    pub(super) negotiation: Negotiation,
    /// Between which sides it stands is known: its media goes through the gateway.
    pub(super) joined: bool,
    /// Both of its sides are what the caller is, and its media goes through us as it is.
    pub(super) anchored: bool,
    /// The kind of the hop to which the INVITE went: requests of the callee come back from there.
    pub(super) beyond: Option<Side>,
}

impl Branch {
    pub(super) fn has(&self, tag: &[u8]) -> bool {
        self.dialogs.iter().any(|dialog| dialog.tag == tag)
    }

    /// Whether this transaction is one of the branch.
    pub(super) fn knows(&self, via: &BranchKey) -> bool {
        self.negotiation.knows(via) || self.dialogs.iter().any(|dialog| dialog.negotiation.knows(via))
    }

    pub(super) fn begin_dialog(&mut self, tag: Vec<u8>) {
        self.dialogs.push(Dialog { tag, negotiation: self.negotiation.clone() });
    }

    /// The offers and answers of the dialog with that tag, or those of none yet.
    pub(super) fn dialog(&mut self, tag: &[u8]) -> &mut Negotiation {
        let known = self.dialogs.iter_mut().find(|dialog| dialog.tag == tag);
        known.map_or(&mut self.negotiation, |dialog| &mut dialog.negotiation)
    }

    /// Those to which a later transaction belongs.
    pub(super) fn of_transaction(&mut self, via: &BranchKey) -> &mut Negotiation {
        let known = self.dialogs.iter_mut().find(|dialog| dialog.negotiation.knows(via));
        known.map_or(&mut self.negotiation, |dialog| &mut dialog.negotiation)
    }

    /// No other dialog is of the call any more.
    pub(super) fn only_dialog(&mut self, tag: &[u8]) {
        self.dialogs.retain(|dialog| dialog.tag == tag);
        if self.dialogs.is_empty() {
            self.begin_dialog(tag.to_vec());
        }
    }
}
