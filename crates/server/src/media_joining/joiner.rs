//! Who translates descriptions and carries media: the gateway of this process, or a fleet of rtpengine.

use std::time::Duration;

use media::{BranchKey, CallKey, Digit, MediaCause};
use sip::{Instant, Message};

use super::built_in::BuiltIn;
use super::calls::{Consequence, Step};
use super::dialogs::caller_tag;
use super::fleet::FleetJoiner;
use super::held::Awaited;
use super::reading::{description, tag};
use super::refusal::Refusal;
use super::{MediaJoining, Phone};

/// What came of a description.
pub(super) enum Translation {
    /// It is done, or refused.
    Now(Result<Vec<u8>, Refusal>),
    /// It will come: the message must wait.
    Later(Awaited),
}

/// Who translates descriptions and carries media. The decisions are the same for both.
pub(super) enum Joiner {
    BuiltIn(BuiltIn),
    Fleet(FleetJoiner),
}

impl Joiner {
    /// The description of a message for the other side. `phone` is who may be at its end.
    pub(super) fn translate(
        &self,
        hub: &MediaJoining,
        step: &Step,
        message: &Message,
        phone: &Phone,
    ) -> Translation {
        match self {
            Self::BuiltIn(gateway) => {
                let description = description(message).unwrap_or_default();
                let dialog = callee_tag(step, message);
                let translated = gateway.translate(hub, step, description, &dialog, phone);
                Translation::Now(translated.map_err(Refusal::from))
            }
            Self::Fleet(fleet) => fleet.translate(hub, step, message, phone),
        }
    }

    /// What is wrong with the media of a call so far, where that is known at once.
    pub(super) fn cause(&self, now: Instant, call: &CallKey) -> Option<MediaCause> {
        match self {
            Self::BuiltIn(gateway) => gateway.cause(now, call),
            Self::Fleet(_) => None,
        }
    }

    /// Plays a digit to the phone of a branch, if that can be. It cannot with rtpengine: the INFO goes on.
    pub(super) fn press(
        &self,
        hub: &MediaJoining,
        call: &CallKey,
        branch: &BranchKey,
        digit: Digit,
        span: Duration,
    ) -> bool {
        match self {
            Self::BuiltIn(gateway) => gateway.press(hub, call, branch, digit, span),
            Self::Fleet(_) => false,
        }
    }

    /// The phone of this call asks for a whole picture in the dialog. rtpengine leaves that to the browser.
    pub(super) fn picture_wanted(&self, hub: &MediaJoining, call: &CallKey) {
        if let Self::BuiltIn(gateway) = self {
            gateway.picture_wanted(hub, call);
        }
    }

    /// What a message brought about, once it was translated. Whether more will be told of it: the report of a call.
    pub(super) fn follow(&self, hub: &MediaJoining, consequence: &Consequence) -> bool {
        match self {
            Self::BuiltIn(gateway) => {
                gateway.follow(hub, consequence);
                false
            }
            Self::Fleet(fleet) => fleet.follow(hub, consequence),
        }
    }

    /// Looks for calls that nobody ends.
    pub(super) fn look_for_unended(&self, hub: &MediaJoining, now: Instant) {
        match self {
            Self::BuiltIn(_) => {}
            Self::Fleet(fleet) => fleet.look_for_unended(hub, now),
        }
    }

    /// Time has passed.
    pub(super) fn timeout(&self, hub: &MediaJoining, now: Instant) {
        match self {
            Self::BuiltIn(gateway) => gateway.timeout(hub, now),
            Self::Fleet(fleet) => fleet.timeout(hub, now),
        }
    }
}

/// The tag of the called party in a message of this step; empty while it has none.
fn callee_tag(step: &Step, message: &Message) -> Vec<u8> {
    let (Step::Offer { call, .. } | Step::Answer { call, .. }) = step else { return Vec::new() };
    let (from, to) = (tag(message.from()), tag(message.to()));
    if from == caller_tag(call) { to } else { from }
}
