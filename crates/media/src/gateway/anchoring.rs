//! Calls between two phones whose media goes through us as it is.

use super::anchored::{AnchoredBranch, Party};
use super::shared::Place;
use super::{BranchKey, CallKey, Gateway};
use crate::Cause;
use crate::conversion::anchored::Anchored;
use sip::Instant;
use std::net::IpAddr;

impl Gateway {
    /// An offer of one phone to another whose media is to go through us. Returns the offer for the other one: only
    /// where the media goes is rewritten.
    ///
    /// An offer that begins a branch and already names ports of ours is left as it is, and so is all that follows in
    /// that branch: a server beyond us sent the call back, and its media goes through us once.
    ///
    /// `reached_at` is the address at which the other phone's signalling is reached: its media is expected over the same
    /// family. It holds for a branch that is new.
    ///
    /// # Errors
    /// When it cannot be read, or no ports are free; [`Cause::status`] says how to refuse it. A branch that was new is
    /// forgotten.
    pub fn anchor_offer(
        &mut self,
        now: Instant,
        call: &CallKey,
        branch: &BranchKey,
        from: Party,
        description: &[u8],
        reached_at: Option<IpAddr>,
    ) -> Result<Vec<u8>, Cause> {
        let read = Anchored::read(description)?;
        let ours = self.is_carried(&read);
        let id = self.call(call);
        let known = self.calls.get(&id).and_then(|call| call.anchored(branch)).map(|branch| branch.id);
        if known.is_some() && ours && !self.is_untouched(id, known) {
            return Err(Cause::SdpMediaLoop);
        }
        let part = known.unwrap_or_else(|| {
            let part = self.shared.number();
            if let Some(call) = self.calls.get_mut(&id) {
                call.anchored.push(AnchoredBranch::new(part, branch.clone(), ours));
            }
            part
        });
        let call = self.calls.get_mut(&id).and_then(|call| call.anchored_part(part));
        let branch = call.ok_or(Cause::SdpUnexpectedAnswer)?;
        let offered = branch.offer(id, from, description, reached_at, &mut self.shared);
        if offered.is_err() && known.is_none() {
            self.remove(now, id, part);
        }
        offered
    }

    /// The answer to it. Returns the answer for the phone that offered. It may come again, in a 200 after a 183.
    ///
    /// # Errors
    /// When it cannot be read, or answers nothing: the call must be ended.
    pub fn anchor_answer(
        &mut self,
        now: Instant,
        call: &CallKey,
        branch: &BranchKey,
        from: Party,
        description: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        let (id, part) = self.find_anchored(call, branch).ok_or(Cause::SdpUnexpectedAnswer)?;
        if self.is_carried(&Anchored::read(description)?) && !self.is_untouched(id, Some(part)) {
            return Err(Cause::SdpMediaLoop);
        }
        let known = self.calls.get_mut(&id).ok_or(Cause::SdpUnexpectedAnswer)?;
        let branch = known.anchored_part(part).ok_or(Cause::SdpUnexpectedAnswer)?;
        let answered = branch.answer(now, from, description, &mut self.shared)?;
        if !branch.is_untouched() {
            known.joined.get_or_insert(now);
        }
        self.note(id);
        Ok(answered)
    }

    /// A party of an anchored branch may also send from this address: the one from which its signalling comes.
    pub fn expect_party_at(&mut self, call: &CallKey, branch: &BranchKey, party: Party, address: IpAddr) {
        let Some((id, part)) = self.find_anchored(call, branch) else { return };
        if let Some(branch) = self.calls.get_mut(&id).and_then(|call| call.anchored_part(part)) {
            branch.expect_at(party, address);
        }
    }

    pub(super) fn find_anchored(&self, call: &CallKey, branch: &BranchKey) -> Option<(u64, u64)> {
        let id = self.names.get(call).copied()?;
        let branch = self.calls.get(&id)?.anchored(branch)?;
        Some((id, branch.id))
    }

    fn is_untouched(&self, id: u64, part: Option<u64>) -> bool {
        let mut branches = self.calls.get(&id).into_iter().flat_map(|call| &call.anchored);
        branches.any(|branch| Some(branch.id) == part && branch.is_untouched())
    }

    /// Whether a description names a port of ours that belongs to another anchored branch. Two of those that name each
    /// other would send the same packet round for ever.
    fn is_carried(&self, description: &Anchored) -> bool {
        let addresses = description.sections.iter().flatten().filter_map(|section| section.addresses);
        addresses.flat_map(|(rtp, rtcp)| [rtp, rtcp]).any(|address| {
            let Some(Place { call, part }) = self.shared.place_of(address) else { return false };
            let call = self.calls.get(&call);
            call.is_some_and(|call| call.anchored.iter().any(|branch| branch.id == part))
        })
    }
}
