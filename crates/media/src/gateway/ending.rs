//! What a call tells when it ends: the figures of its legs and one cause.

use super::anchored::AnchoredBranch;
use super::call::Call;
use crate::browser_leg::BrowserLeg;
use crate::report::{CallReport, MediaCause};
use crate::{Codec, FormatPair};
use sip::Instant;
use std::time::Duration;

/// A shorter call is not accused of having had no sound.
const ACCUSABLE: Duration = Duration::from_secs(3);

impl Call {
    /// What happened; `None` when nothing was ever agreed.
    pub(super) fn report(&self, now: Instant) -> Option<CallReport> {
        let duration = now.saturating_since(self.joined?);
        let answered = self.confirmed_at.map(|at| now.saturating_since(at));
        let accusable = answered.is_some_and(|answered| answered >= ACCUSABLE);
        let carries = |branch: &&AnchoredBranch| match self.confirmed {
            Some(won) => branch.id == won,
            None => branch.agreed && self.branches.iter().all(|joined| joined.plan.is_none()),
        };
        if let Some(anchored) = self.anchored.iter().find(carries) {
            return Some(anchored.report(duration, accusable));
        }
        let won = self.branches.iter().find(|branch| Some(branch.id) == self.confirmed);
        let branch = won.or_else(|| self.branches.iter().find(|branch| branch.plan.is_some()))?;
        let end = self.browsers.iter().find(|end| end.id == branch.browser)?;
        let browser = end.leg.as_ref().map(BrowserLeg::figures).unwrap_or_default();
        let phone = branch.phone.figures();
        let from_browser = !branch.expected_browser || branch.heard_browser;
        let from_phone = !branch.expected_phone || branch.heard_phone;
        let cause = end.failed.or_else(|| {
            match (from_browser, from_phone) {
                // Before the answer nobody owes any sound.
                _ if !accusable => None,
                _ if browser.pair.is_none() => Some(MediaCause::IceNothingArrived),
                _ if browser.dtls == crate::DtlsState::New => Some(MediaCause::DtlsFailed),
                (true, true) => None,
                (_, false) if branch.phone.has_wrong_keys() => Some(MediaCause::PhoneKeys),
                (_, false) if branch.phone.only_strangers() => Some(MediaCause::PhoneElsewhere),
                (false, false) => Some(MediaCause::NoneAtAll),
                (false, true) => Some(MediaCause::NoneFromBrowser),
                (true, false) => Some(MediaCause::NoneFromPhone),
            }
        });
        let codec = branch.stream().and_then(|stream| stream.pairs.first()).and_then(name);
        let pictures = end.leg.as_ref().map(BrowserLeg::picture_figures).unwrap_or_default();
        let video = branch.video.as_ref().map(|video| video.figures(pictures));
        Some(CallReport { duration, browser, phone, caller: None, codec, video, cause })
    }
}

const fn name(pair: &FormatPair) -> Option<&'static str> {
    match (pair.codec, pair.phone_codec) {
        (Codec::Opus, Codec::Opus) => Some("opus"),
        (Codec::Opus, Codec::Pcmu) | (Codec::Pcmu, Codec::Opus) => Some("opus and PCMU, transcoded"),
        (Codec::Opus, Codec::Pcma) | (Codec::Pcma, Codec::Opus) => Some("opus and PCMA, transcoded"),
        (Codec::G722, _) => Some("G722"),
        (Codec::Pcmu, _) => Some("PCMU"),
        (Codec::Pcma, _) => Some("PCMA"),
        _ => None,
    }
}
