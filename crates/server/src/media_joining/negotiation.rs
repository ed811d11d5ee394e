//! Offers and answers of one dialog behind a branch: which message carries which, told by what came before.
//!
//! RFC 6337 §2.2 counts six ways: an INVITE may offer and a 2xx or reliable 1xx answer; a 2xx may offer and the ACK
//! answer, or a reliable 1xx and the PRACK; a PRACK or an UPDATE may offer and its 2xx answer. Here they are one
//! rule: a request with a description offers, unless an offer of the other side that came in a response waits for
//! its answer; a response answers if its request offered, and offers if it did not.

use core::time::Duration;

use media::{BranchKey, Side};
use sip::{Instant, Method};

use super::reading::other;

/// After so long nobody answers an offer of an INVITE any more: Timer C and a little (RFC 3261 §16.6 item 11).
const INVITE_PATIENCE: Duration = Duration::from_secs(200);
/// Nor of another request: Timer F and a little (RFC 3261 §17.1.2.2).
const PATIENCE: Duration = Duration::from_secs(40);
/// The most transactions that are remembered: an answered INVITE stays for the copies of its 2xx.
const MOST: usize = 16;

/// What the description of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// None of ours.
    Nothing,
    /// An offer that this side wrote. `replaces`: another one was open that nobody will answer any more.
    Offer { from: Side, replaces: bool },
    /// An answer that this side wrote.
    Answer { from: Side },
    /// Something that was said before and has been overtaken since: nobody may take it for news.
    Overtaken,
    /// A request that offers while an offer is open. `own`: one of the same side.
    Crossing { own: bool },
    /// The open offer was refused: what was agreed before holds on.
    Refused,
}

/// What a request carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    Nothing,
    Offer,
    Answer,
}

#[derive(Clone, Debug)]
struct Transaction {
    via: BranchKey,
    is_invite: bool,
    sequence: u32,
    from: Side,
    carried: Carried,
    /// The round of offer and answer that it began.
    round: u64,
    /// The offer in its response has been answered.
    answered: bool,
}

/// The offer that waits for its answer.
#[derive(Clone, Debug)]
struct Open {
    by: Side,
    via: BranchKey,
    until: Instant,
}

/// The offers and answers of one dialog behind a branch; what it begins with is what the INVITE carried.
#[derive(Clone, Debug, Default)]
pub(super) struct Negotiation {
    transactions: Vec<Transaction>,
    open: Option<Open>,
    /// How many offers there were.
    round: u64,
}

/// A request as far as offers and answers go.
pub(super) struct Request<'m> {
    pub(super) via: BranchKey,
    pub(super) method: Method<'m>,
    pub(super) sequence: u32,
    pub(super) from: Side,
    pub(super) described: bool,
}

impl Negotiation {
    /// Whether this transaction is one of the branch.
    pub(super) fn knows(&self, via: &BranchKey) -> bool {
        self.transactions.iter().any(|known| known.via == *via)
    }

    /// What the description of a request is.
    pub(super) fn request(&mut self, now: Instant, request: Request<'_>) -> Meaning {
        let from = request.from;
        if let Some(known) = self.transactions.iter().find(|known| known.via == request.via) {
            // Sent again, it means the same. A CANCEL and the ACK of a refusal have its Via too, and no description.
            return match known.carried {
                _ if !request.described => Meaning::Nothing,
                Carried::Nothing => Meaning::Nothing,
                Carried::Offer => Meaning::Offer { from, replaces: false },
                Carried::Answer => Meaning::Answer { from },
            };
        }
        match (request.method, request.described) {
            (Method::Invite, false) => {
                self.remember(request, Carried::Nothing);
                Meaning::Nothing
            }
            (Method::Ack, true) => self.acknowledged(&request),
            (Method::Prack, true) if self.late(from).is_some() => {
                self.settle_late(from);
                self.remember(request, Carried::Answer);
                Meaning::Answer { from }
            }
            (Method::Invite | Method::Update | Method::Prack, true) => self.offered(now, request),
            _ => Meaning::Nothing,
        }
    }

    fn offered(&mut self, now: Instant, request: Request<'_>) -> Meaning {
        let from = request.from;
        if let Some(open) = self.open.as_ref().filter(|open| now < open.until) {
            return Meaning::Crossing { own: open.by == from };
        }
        let patience = if request.method == Method::Invite { INVITE_PATIENCE } else { PATIENCE };
        let open = Open { by: from, via: request.via.clone(), until: now + patience };
        let replaces = self.open.replace(open).is_some();
        self.round += 1;
        self.remember(request, Carried::Offer);
        Meaning::Offer { from, replaces }
    }

    /// An ACK with a description answers the offer in the 2xx to its INVITE, also when it is sent again.
    fn acknowledged(&mut self, request: &Request<'_>) -> Meaning {
        let from = request.from;
        let invite = self
            .transactions
            .iter()
            .position(|known| known.is_invite && known.from == from && known.sequence == request.sequence);
        let Some(invite) = invite.and_then(|place| self.transactions.get(place)) else {
            return Meaning::Nothing;
        };
        let (via, round, answered) = (invite.via.clone(), invite.round, invite.answered);
        if self.open.as_ref().is_some_and(|open| open.by != from && open.via == via) {
            self.settle_late(from);
            return Meaning::Answer { from };
        }
        if answered && round == self.round { Meaning::Answer { from } } else { Meaning::Overtaken }
    }

    /// The open offer, if it came in a response to a request of this side.
    fn late(&self, from: Side) -> Option<&Open> {
        let open = self.open.as_ref().filter(|open| open.by != from)?;
        let transaction = self.transactions.iter().find(|known| known.via == open.via)?;
        (transaction.from == from).then_some(open)
    }

    fn settle_late(&mut self, from: Side) {
        let Some(open) = self.open.take_if(|open| open.by != from) else { return };
        if let Some(invite) = self.transactions.iter_mut().find(|known| known.via == open.via) {
            invite.answered = true;
        }
    }

    fn remember(&mut self, request: Request<'_>, carried: Carried) {
        if self.transactions.len() == MOST {
            // Never the first INVITE: its responses may still come.
            self.transactions.remove(1);
        }
        let Request { via, method, sequence, from, .. } = request;
        let (round, is_invite) = (self.round, method == Method::Invite);
        self.transactions.push(Transaction {
            via,
            is_invite,
            sequence,
            from,
            carried,
            round,
            answered: false,
        });
    }

    /// What the description of a response is.
    pub(super) fn response(
        &mut self,
        now: Instant,
        via: &BranchKey,
        status: u16,
        described: bool,
    ) -> Meaning {
        let Some(transaction) = self.transactions.iter_mut().find(|known| known.via == *via) else {
            return Meaning::Nothing;
        };
        let is_open = self.open.as_ref().is_some_and(|open| open.via == *via);
        let writer = other(transaction.from);
        if status >= 300 || (status >= 200 && transaction.carried == Carried::Offer && !described) {
            self.open.take_if(|_| is_open);
            return if is_open { Meaning::Refused } else { Meaning::Nothing };
        }
        if status <= 100 || !described {
            return Meaning::Nothing;
        }
        match transaction.carried {
            Carried::Offer if transaction.round == self.round => {
                self.open.take_if(|_| is_open);
                Meaning::Answer { from: writer }
            }
            Carried::Nothing if transaction.is_invite && !transaction.answered => {
                let replaces = !is_open && self.open.is_some();
                if !is_open {
                    self.round += 1;
                    transaction.round = self.round;
                }
                self.open = Some(Open { by: writer, via: via.clone(), until: now + PATIENCE });
                Meaning::Offer { from: writer, replaces }
            }
            _ => Meaning::Overtaken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Method::{Ack, Invite, Prack, Update};
    use Side::{Browser, Phone};

    /// A branch with a clock that stands still.
    #[derive(Default)]
    struct Talk(Negotiation);

    impl Talk {
        fn asks(
            &mut self,
            via: &str,
            method: Method<'_>,
            sequence: u32,
            from: Side,
            described: bool,
        ) -> Meaning {
            let via = BranchKey::new(via.as_bytes());
            self.0.request(Instant::ZERO, Request { via, method, sequence, from, described })
        }

        fn replies(&mut self, via: &str, status: u16, described: bool) -> Meaning {
            self.0.response(Instant::ZERO, &BranchKey::new(via.as_bytes()), status, described)
        }

        /// The browser called, and the phone answered in its 200.
        fn settled() -> Self {
            let mut talk = Self::default();
            assert_eq!(talk.asks("1", Invite, 1, Browser, true), offer(Browser));
            assert_eq!(talk.replies("1", 200, true), answer(Phone));
            assert_eq!(talk.asks("2", Ack, 1, Browser, false), Meaning::Nothing);
            talk
        }
    }

    const fn offer(from: Side) -> Meaning {
        Meaning::Offer { from, replaces: false }
    }

    const fn answer(from: Side) -> Meaning {
        Meaning::Answer { from }
    }

    #[test]
    fn an_answer_in_a_183_may_come_again_in_the_200() {
        let mut talk = Talk::default();
        talk.asks("1", Invite, 1, Browser, true);
        assert_eq!(talk.replies("1", 183, true), answer(Phone));
        assert_eq!(talk.replies("1", 180, false), Meaning::Nothing);
        assert_eq!(talk.replies("1", 200, true), answer(Phone));
        assert_eq!(talk.replies("1", 200, true), answer(Phone));
    }

    #[test]
    fn an_offer_in_the_200_is_answered_in_the_ack_and_both_may_come_again() {
        let mut talk = Talk::default();
        assert_eq!(talk.asks("1", Invite, 1, Phone, false), Meaning::Nothing);
        assert_eq!(talk.replies("1", 200, true), offer(Browser));
        assert_eq!(talk.replies("1", 200, true), offer(Browser));
        assert_eq!(talk.asks("2", Ack, 1, Phone, true), answer(Phone));
        // The callee did not get the ACK: the caller knows the offer, and sends its answer again.
        assert_eq!(talk.replies("1", 200, true), Meaning::Overtaken);
        assert_eq!(talk.asks("3", Ack, 1, Phone, true), answer(Phone));
    }

    #[test]
    fn an_offer_in_a_reliable_response_is_answered_in_the_prack_and_not_made_again_by_the_200() {
        let mut talk = Talk::default();
        talk.asks("1", Invite, 1, Browser, false);
        assert_eq!(talk.replies("1", 183, true), offer(Phone));
        for _copy in 0..2 {
            assert_eq!(talk.asks("2", Prack, 2, Browser, true), answer(Browser));
        }
        assert_eq!(talk.replies("2", 200, false), Meaning::Nothing);
        assert_eq!(talk.replies("1", 200, true), Meaning::Overtaken);
        assert_eq!(talk.asks("3", Ack, 1, Browser, false), Meaning::Nothing);
    }

    #[test]
    fn a_prack_may_offer_when_the_reliable_response_has_answered() {
        let mut talk = Talk::default();
        talk.asks("1", Invite, 1, Browser, true);
        assert_eq!(talk.replies("1", 183, true), answer(Phone));
        assert_eq!(talk.asks("2", Prack, 2, Browser, true), offer(Browser));
        assert_eq!(talk.replies("2", 200, true), answer(Phone));
        // The 200 of the INVITE repeats the first answer: too late.
        assert_eq!(talk.replies("1", 200, true), Meaning::Overtaken);
    }

    #[test]
    fn an_update_before_the_answer_changes_what_the_183_agreed() {
        let mut talk = Talk::default();
        talk.asks("1", Invite, 1, Browser, true);
        talk.replies("1", 183, true);
        talk.asks("2", Prack, 2, Browser, false);
        assert_eq!(talk.asks("3", Update, 1, Phone, true), offer(Phone));
        assert_eq!(talk.replies("3", 200, true), answer(Browser));
        assert_eq!(talk.replies("1", 200, true), Meaning::Overtaken);
    }

    #[test]
    fn an_update_without_a_description_offers_nothing() {
        let mut talk = Talk::settled();
        assert_eq!(talk.asks("3", Update, 2, Phone, false), Meaning::Nothing);
        assert_eq!(talk.replies("3", 200, false), Meaning::Nothing);
        assert_eq!(talk.asks("4", Invite, 2, Browser, true), offer(Browser));
    }

    #[test]
    fn offers_that_cross_are_told_apart() {
        let mut talk = Talk::settled();
        assert_eq!(talk.asks("3", Invite, 2, Browser, true), offer(Browser));
        assert_eq!(talk.asks("4", Invite, 7, Phone, true), Meaning::Crossing { own: false });
        assert_eq!(talk.asks("5", Update, 3, Browser, true), Meaning::Crossing { own: true });
        // Neither has harmed the one that was first.
        assert_eq!(talk.asks("3", Invite, 2, Browser, true), offer(Browser));
        assert_eq!(talk.replies("3", 200, true), answer(Phone));
    }

    #[test]
    fn a_refused_offer_leaves_the_way_free() {
        let mut talk = Talk::settled();
        talk.asks("3", Invite, 2, Browser, true);
        assert_eq!(talk.replies("3", 491, false), Meaning::Refused);
        assert_eq!(talk.asks("4", Invite, 7, Phone, true), offer(Phone));
        assert_eq!(talk.replies("4", 200, true), answer(Browser));
    }

    #[test]
    fn a_refused_late_offer_leaves_the_way_free() {
        let mut talk = Talk::settled();
        talk.asks("3", Invite, 2, Browser, false);
        assert_eq!(talk.replies("3", 488, false), Meaning::Nothing);
        assert_eq!(talk.asks("4", Invite, 7, Phone, true), offer(Phone));
    }

    #[test]
    fn an_offer_that_nobody_answers_does_not_bar_the_next_for_ever() {
        let mut talk = Talk::settled();
        talk.asks("3", Update, 2, Browser, true);
        let request =
            Request { via: BranchKey::new("4"), method: Invite, sequence: 7, from: Phone, described: true };
        let later = Instant::ZERO + PATIENCE;
        assert_eq!(talk.0.request(later, request), Meaning::Offer { from: Phone, replaces: true });
    }

    #[test]
    fn the_first_invite_is_remembered_however_many_follow() {
        let mut talk = Talk::default();
        talk.asks("1", Invite, 1, Browser, true);
        talk.replies("1", 183, true);
        for number in 2..40 {
            let via = format!("u{number}");
            assert_eq!(talk.asks(&via, Update, number, Browser, true), offer(Browser));
            assert_eq!(talk.replies(&via, 200, true), answer(Phone));
        }
        assert_eq!(talk.replies("1", 200, true), Meaning::Overtaken);
    }
}
