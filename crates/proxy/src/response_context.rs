//! The response context of one forwarded request: its branches, and which response goes back
//! (RFC 3261 §16.7, Timer C §16.8).
//!
//! ```text
//!             2xx ──────────────────────────────▶ passed on at once; the others are CANCELled
//!             6xx ──────────────────────────────▶ the others are CANCELled; chosen when all have ended
//! branches ─┤ 1xx (not 100) ────────────────────▶ passed on at once; Timer C starts anew
//!             3xx 4xx 5xx, timeout, unreachable ▶ remembered; the best is chosen when all have ended
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use sip::header::HeaderName;
use sip::transaction::{ClientKey, ServerKey};
use sip::{Flow, Hop, Instant, Message, Slot};

use crate::authorization::Sender;
use crate::forking::Disposition;
use crate::keyed_hash::MARK;
use crate::output::AskId;
use crate::sent_by::SentBy;
use crate::stir::Signature;
use crate::target::Target;
use crate::trunks::{Answering, Errand};

/// The number of a response context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ContextId(pub(crate) Slot);

/// What a client transaction was made for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sent {
    /// For this branch.
    Branch(ContextId, usize),
    /// For something of our own.
    Own(Errand),
    /// For a branch of an INVITE that was answered by 2xx on every branch that could: its further 2xx go to the
    /// caller's transaction (RFC 6026 §7.2), and nothing else that it says matters.
    Answered(ServerKey),
    /// For a NOTIFY to a subscriber of ours.
    Notice(Slot),
}

/// A request that was forwarded, and what became of it so far.
#[derive(Debug)]
pub(crate) struct ResponseContext {
    /// The transaction of the request.
    pub(crate) server: ServerKey,
    /// The request as it goes on: our own Routes taken off.
    pub(crate) request: Arc<Message>,
    /// The request as it came.
    pub(crate) received: Arc<Message>,
    /// The flow it came over.
    pub(crate) flow: Flow,
    /// Who sent it.
    pub(crate) sender: Sender,
    /// Where its answers go if they cannot go back.
    pub(crate) sent_by: SentBy,
    /// What stands at the end of its branches, so that a loop is noticed.
    pub(crate) loop_mark: [u8; MARK],
    /// One for each place that it went to.
    pub(crate) branches: Vec<Branch>,
    /// Whether the caller has got its final response.
    pub(crate) answered: bool,
    /// Whether no branch begins any more: the caller gave up, or somebody declined for all devices by a 6xx.
    pub(crate) no_more_branches: bool,
    /// When a caller whose connection is closed counts as gone.
    pub(crate) abandoned: Option<Instant>,
    /// Whether ringing was reported.
    pub(crate) rang: bool,
    /// Whether this is an INVITE.
    pub(crate) is_invite: bool,
    /// Whether it is a call attempt: an INVITE outside a dialog.
    pub(crate) is_call: bool,
    /// The targets are contacts of a user of ours.
    pub(crate) to_own_user: bool,
    /// What the caller wishes of forks.
    pub(crate) disposition: Disposition,
    /// The Max-Breadth that it came with (RFC 5393).
    pub(crate) breadth: Option<u32>,
    /// When the next group of branches has its turn, though this one still rings.
    pub(crate) next_group: Option<Instant>,
    /// Whether the caller is told of early dialogs that end (RFC 6228).
    pub(crate) wants_199: bool,
    /// Whether the caller has heard something else than the called side has said: his own From, or that he is to
    /// refresh (RFC 4028 §8.2).
    pub(crate) rewritten: bool,
}

/// One place that the request went to.
#[derive(Debug)]
pub(crate) struct Branch {
    /// What it aims at.
    pub(crate) target: Target,
    /// The address that its request went to last.
    pub(crate) hop: Option<Hop>,
    /// How often it has gone to that address again.
    pub(crate) again: u8,
    /// Where else to try, if this does not answer (RFC 3263 §4.3).
    pub(crate) hops: VecDeque<Hop>,
    /// The other flows of the same instance (RFC 5626 §7).
    pub(crate) alternatives: VecDeque<Target>,
    /// What it is doing.
    pub(crate) state: BranchState,
    /// The transaction of the request that it sent last.
    pub(crate) key: Option<ClientKey>,
    /// Timer C.
    pub(crate) timer_c: Option<Instant>,
    /// How long its server may be silent, if there is another address.
    pub(crate) patience: Option<Instant>,
    /// The last Timer C, or the caller's CANCEL, has ended it for us, whatever it says later.
    pub(crate) given_up: bool,
    /// The group that it is tried with, 0 first.
    pub(crate) group: u32,
    /// Its share of Max-Breadth, if it is told.
    pub(crate) breadth: Option<u32>,
    /// The To tags of its early dialogs, if the caller is told when they end.
    pub(crate) early: Vec<Vec<u8>>,
    /// What its server is told of us, if it has asked.
    pub(crate) answering: Option<Box<Answering>>,
    /// What its server is told of who calls.
    pub(crate) signature: Signature,
}

/// What a branch is doing.
#[derive(Debug)]
pub(crate) enum BranchState {
    /// It has not begun: others are tried first.
    Held,
    /// It waits for an address.
    Resolving(AskId),
    /// The request is out.
    Trying {
        /// Its transaction.
        key: ClientKey,
        /// Whether a provisional response has come.
        proceeding: bool,
    },
    /// It goes out once more then: its target still holds it for the request before.
    Resting(Instant),
    /// It answered 2xx, and may do so again (RFC 6026 §7.2).
    Accepted,
    /// It has ended.
    Ended(Outcome),
}

/// How a branch ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// With this final response, our Via taken off.
    Response(Arc<Message>),
    /// Without one: this status says it.
    Local(u16, &'static str),
    /// Others are tried in its place.
    Redirected,
}

impl Outcome {
    /// The status that counts in the choice.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Response(response) => response.status().unwrap_or(500),
            Self::Local(status, _) => *status,
            Self::Redirected => REDIRECTED,
        }
    }
}

impl Branch {
    /// A branch towards `target` that has not begun.
    pub(crate) const fn new(target: Target) -> Self {
        Self {
            target,
            hop: None,
            again: 0,
            hops: VecDeque::new(),
            alternatives: VecDeque::new(),
            state: BranchState::Held,
            key: None,
            timer_c: None,
            patience: None,
            given_up: false,
            group: 0,
            breadth: None,
            early: Vec::new(),
            answering: None,
            signature: Signature::NotAsked,
        }
    }

    /// Whether another server can be asked in place of the one that is asked now.
    pub(crate) fn has_another_server(&self) -> bool {
        !self.hops.is_empty() || (self.target.member.is_some() && !self.alternatives.is_empty())
    }

    /// Timer C, the end of its patience with a silent server, or of its rest.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            BranchState::Resting(until) => Some(until),
            _ => self.patience.or(self.timer_c),
        }
    }

    /// Whether its last word is said.
    pub(crate) const fn has_ended(&self) -> bool {
        matches!(self.state, BranchState::Ended(_) | BranchState::Accepted)
    }
}

impl ResponseContext {
    /// Whether every branch has said its last word.
    pub(crate) fn has_ended(&self) -> bool {
        self.branches.iter().all(Branch::has_ended)
    }

    /// The next Timer C, the end of a rest, or that of the patience with a caller that is away.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let waiting = self.branches.iter().filter(|branch| !branch.has_ended());
        let abandoned = self.abandoned.filter(|_| !self.answered && !self.no_more_branches);
        let next_group = self.next_group.filter(|_| !self.answered && !self.no_more_branches);
        waiting.filter_map(Branch::next_timeout).chain(abandoned).chain(next_group).min()
    }

    /// The best of the final responses (RFC 3261 §16.7 item 6).
    pub(crate) fn best(&self) -> Option<&Outcome> {
        self.branches
            .iter()
            .filter_map(|branch| match &branch.state {
                BranchState::Ended(outcome) => Some(outcome),
                _ => None,
            })
            .min_by_key(|outcome| rank(outcome.status()))
    }

    /// The challenges of all branches but the chosen response itself (RFC 3261 §16.7 item 7).
    pub(crate) fn other_challenges(&self, chosen: &Arc<Message>) -> Vec<(HeaderName, Vec<u8>)> {
        let mut challenges = Vec::new();
        for branch in &self.branches {
            if let BranchState::Ended(Outcome::Response(response)) = &branch.state
                && matches!(response.status(), Some(401 | 407))
                && !Arc::ptr_eq(response, chosen)
            {
                for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
                    challenges.extend(response.headers(name).map(|value| (name, value.to_vec())));
                }
            }
        }
        challenges
    }
}

/// What a branch counts for that others are tried in place of: nobody hears of it.
const REDIRECTED: u16 = 0;

/// The lower, the better for the caller. RFC 3261 §16.7 item 6 asks for 6xx first, then for the lowest class,
/// and within 4xx for those by which the request can be repaired. A callee that is busy or declines (486, 603)
/// says more than a server that failed or another contact that is not there, so 5xx stands behind 4xx as the
/// RFC has it, and 404, 408, 430 and 480 stand behind the rest of their class.
const fn rank(status: u16) -> u32 {
    let place = match status {
        600..=699 => 0,
        300..=399 => 1_000,
        401 | 407 => 2_000,
        415 | 420 | 484 | 488 => 2_100,
        486 => 2_200,
        487 => 2_800,
        480 => 2_850,
        404 | 410 => 2_900,
        408 | 430 | 481 => 2_950,
        400..=499 => 2_300,
        503 => 4_000,
        REDIRECTED => 5_000,
        _ => 3_000,
    };
    place * 1_000 + status as u32
}

#[cfg(test)]
mod tests {
    use super::rank;

    fn best(statuses: &[u16]) -> u16 {
        *statuses.iter().min_by_key(|status| rank(**status)).unwrap()
    }

    #[test]
    fn the_caller_hears_what_says_most() {
        assert_eq!(best(&[404, 486, 500]), 486, "busy, not the other contact's absence");
        assert_eq!(best(&[486, 603]), 603);
        assert_eq!(best(&[486, 401]), 401);
        assert_eq!(best(&[500, 408]), 408);
        assert_eq!(best(&[408, 480]), 480);
        assert_eq!(best(&[302, 486]), 302);
        assert_eq!(best(&[503, 500]), 500);
    }
}
