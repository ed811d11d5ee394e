//! What arrives: responses, before the proxy sees them. Their descriptions are translated for who called, and a refusal is
//! told with its cause.

use media::{Cause, KnownPhone, MediaCause, Side};
use sip::{Flow, Message};

use super::calls::Step;
use super::codec_lists::{no_common_codec, refuses_description};
use super::hanging_up::told;
use super::held::Waiting;
use super::joiner::Translation;
use super::refusal::{self, Refusal};
use super::{
    Inward, MediaJoining, Phone, REFUSED_IN_CLEAR, caller_address, with_description, without_description,
};

impl MediaJoining {
    /// A message has arrived. What the proxy should see of it.
    pub(crate) fn incoming(&self, flow: &Flow, bytes: &[u8]) -> Inward {
        let idle = self.is_idle() && self.farewells.borrow().is_empty();
        if idle || !bytes.starts_with(b"SIP/2.0 ") {
            return Inward::AsItIs;
        }
        if self.answers_own(bytes) {
            return Inward::AsItIs;
        }
        if self.waits(bytes, || Waiting::Arrives { flow: *flow, bytes: bytes.to_vec() }) {
            return Inward::Later;
        }
        self.arrive(flow, bytes)
    }

    /// A response that ends a branch, and that nobody gets from here: one of ours, as if the other side had refused, or
    /// one that led to a second attempt.
    pub(crate) fn hears(&self, flow: &Flow, bytes: &[u8]) {
        self.arrive(flow, bytes);
    }

    pub(super) fn arrive(&self, flow: &Flow, bytes: &[u8]) -> Inward {
        let Ok(response) = Message::parse(bytes) else { return Inward::AsItIs };
        if let Some(cause) = self.answered_farewell(&response) {
            return refusal::warned(&response, &told(cause.code(), &cause))
                .map_or(Inward::AsItIs, Inward::Instead);
        }
        let step = self.calls.borrow_mut().response(self.clock.now(), &response);
        self.dialogs.borrow_mut().response(self.clock.now(), &response);
        self.say_what_waits(&response);
        let anchored = step.as_ref().and_then(|step| self.anchored(step));
        let remote = Some(flow.remote.ip());
        // The one who will read it: the caller, where that is a phone.
        let to_caller = flow.transport.is_websocket() || anchored.is_some();
        let known = KnownPhone {
            keying: self.keying.borrow().of_response(&response, flow.transport),
            reached_at: if to_caller { caller_address(&response) } else { remote },
        };
        let phone = Phone { writes_from: remote, known, anchored };
        let inward = match step {
            None => self.explained(&response).map_or(Inward::AsItIs, Inward::Instead),
            Some(Step::Overtaken) => without_description(&response).map_or(Inward::AsItIs, Inward::Instead),
            Some(step) => match self.translate(step, &response, phone) {
                Translation::Now(outcome) => return self.translated_response(&response, outcome),
                Translation::Later(ticket) => {
                    let message = Waiting::Arrives { flow: *flow, bytes: bytes.to_vec() };
                    self.held.borrow_mut().wait(response.call_id().unwrap_or_default(), ticket, message);
                    return Inward::Later;
                }
            },
        };
        self.arrived(&response, inward)
    }

    /// What the proxy sees of a response whose description was translated. One that cannot be translated passes with
    /// what it has: who called sees that it is of no use, and hangs up; without the response nobody could.
    pub(super) fn translated_response(
        &self,
        response: &Message,
        outcome: Result<Vec<u8>, Refusal>,
    ) -> Inward {
        let instead = match outcome.and_then(|translated| with_description(response, &translated)) {
            Ok(bytes) => Some(bytes),
            Err(refusal) => {
                self.not_joined(response, &refusal);
                self.keying.borrow_mut().unusable(response);
                refusal::warned(response, &refusal.text())
            }
        };
        self.arrived(response, instead.map_or(Inward::AsItIs, Inward::Instead))
    }

    fn arrived(&self, response: &Message, inward: Inward) -> Inward {
        let refused_in_clear = self.keying.borrow_mut().response(response);
        let inward = match inward {
            Inward::AsItIs if refused_in_clear => self
                .explain(response, Cause::SdpKeysInClear.code(), REFUSED_IN_CLEAR)
                .map_or(Inward::AsItIs, Inward::Instead),
            inward => inward,
        };
        let consequences = self.calls.borrow_mut().after_response(response);
        self.follow(consequences);
        inward
    }

    /// A response with a Warning that says why, which is noted too.
    fn explain(&self, response: &Message, code: &'static str, sentence: &str) -> Option<Vec<u8>> {
        self.note(response, code, sentence);
        refusal::warned(response, &told(code, &sentence))
    }

    /// Whether a message refuses a description for which there is another: then the proxy is to send the request once
    /// more, and what leaves then has the other one. [`MediaJoining::hears`] is to hear of it after that, so that
    /// the call goes on in the new branch.
    pub(crate) fn wants_second_attempt(&self, bytes: &[u8]) -> bool {
        // Whom no codec suits, no other protection helps.
        let refuses =
            [b"SIP/2.0 488".as_slice(), b"SIP/2.0 606"].iter().any(|start| bytes.starts_with(start));
        let differ = || Message::parse(bytes).is_ok_and(|response| self.codecs_differ(&response).is_some());
        if refuses && differ() {
            return false;
        }
        self.keying.borrow_mut().wants_second_attempt(bytes)
    }

    /// The refusal of a description by a party, with both lists of codecs.
    fn explained(&self, response: &Message) -> Option<Vec<u8>> {
        let cause = self.codecs_differ(response)?;
        self.explain(response, cause.code(), &cause.to_string())
    }

    /// Whether a party refused a description because it has nothing of what was offered.
    fn codecs_differ(&self, response: &Message) -> Option<Cause> {
        if !refuses_description(response) {
            return None;
        }
        let dialogs = self.dialogs.borrow();
        let dialog = dialogs.get(&dialogs.call_of(response)?).filter(|dialog| !dialog.offered.is_empty())?;
        no_common_codec(response, &dialog.offered, dialog.offered_to == Side::Phone)
    }

    /// The cause that a BYE carried whose final response this is.
    fn answered_farewell(&self, response: &Message) -> Option<MediaCause> {
        let via = response.top_via().ok()?;
        if response.status()? < 200 {
            return None;
        }
        self.farewells.borrow_mut().remove(via.branch()?)
    }
}
