//! What the two sides of a call have agreed on, to be told again to a node.
//!
//! An offer counts for rtpengine at once: one from another address draws the sound there although nobody has answered
//! yet. When it is refused, what was agreed before holds on (RFC 3261 §14.1), so the offer and the answer before it are
//! made again.

use crate::command::{Description, Leg};
use std::sync::Arc;

/// The most branches of a call whose first offer is remembered.
const MOST: usize = 16;

/// The offers and answers of one call that may be needed again.
#[derive(Debug, Default)]
pub(crate) struct Agreement {
    /// The first offer of each branch.
    first: Vec<Arc<Description>>,
    /// The offer inside the dialog that has no answer.
    open: Option<Arc<Description>>,
    /// The last offer that was answered, and its answer.
    agreed: Option<(Arc<Description>, Description)>,
}

impl Agreement {
    /// An offer is made.
    pub(crate) fn offered(&mut self, offer: &Description) {
        let kept = Arc::new(offer.clone());
        if offer.leg.via_branch.is_none() {
            self.open = Some(kept);
            return;
        }
        self.first.retain(|known| known.leg.via_branch != offer.leg.via_branch);
        if self.first.len() < MOST {
            self.first.push(kept);
        }
    }

    /// An answer is made. It may come again.
    pub(crate) fn answered(&mut self, answer: &Description) {
        let is_its = |offer: &&Arc<Description>| offer.leg.from_tag == answer.leg.from_tag;
        let offer = match &answer.leg.via_branch {
            // An offer in a response to the first INVITE is answered outside of its transaction.
            None => {
                self.open.take_if(|open| is_its(&&*open)).or_else(|| self.first.iter().find(is_its).cloned())
            }
            branch => self.first.iter().find(|offer| offer.leg.via_branch == *branch).cloned(),
        };
        let Some(offer) = offer else { return };
        if answer.leg.via_branch.is_none() {
            self.first.clear();
        }
        self.agreed = Some((offer, answer.clone()));
    }

    /// Whether an offer waits for its answer.
    pub(crate) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The open offer was refused. The offer and the answer that hold on.
    pub(crate) fn refused(&mut self) -> Option<(Description, Description)> {
        let refused = self.open.take()?;
        let (offer, answer) = self.agreed.as_ref()?;
        let parties = |leg: &Leg| [Some(leg.from_tag.clone()), leg.to_tag.clone()];
        let (mut of_refused, mut of_agreed) = (parties(&refused.leg), parties(&answer.leg));
        of_refused.sort();
        of_agreed.sort();
        // Another dialog of the same call is none of its business.
        if of_refused != of_agreed {
            return None;
        }
        let leg = Leg { via_branch: None, ..answer.leg.clone() };
        let again = |description: &Description| Description { leg: leg.clone(), ..description.clone() };
        Some((again(offer), again(answer)))
    }

    /// That branch is over.
    pub(crate) fn branch_over(&mut self, branch: &[u8]) {
        self.first.retain(|offer| offer.leg.via_branch.as_deref() != Some(branch));
    }
}
