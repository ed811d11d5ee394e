//! One call: its browser legs, its branches, and what goes from one to the other.

use super::anchored::AnchoredBranch;
use super::branch::{Branch, SILENT, keep, transmit};
use super::browser_end::BrowserEnd;
use super::shared::{Place, Shared};
use super::video::free_video;
use super::{BranchKey, CallKey, Event, SocketId};
use crate::browser_leg::{BrowserLeg, LegOutput};
use crate::relay::Source;
use crate::report::MediaCause;
use crate::rtp::Packet;
use crate::{Kind, Side};
use sip::Instant;
use std::net::SocketAddr;

/// One call.
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) key: CallKey,
    /// From which the numbers that all descriptions toward one browser share are drawn.
    pub(super) seed: u64,
    pub(super) browsers: Vec<BrowserEnd>,
    pub(super) branches: Vec<Branch>,
    /// The branches to phones whose caller is a phone, too.
    pub(super) anchored: Vec<AnchoredBranch>,
    pub(super) confirmed: Option<u64>,
    pub(super) confirmed_at: Option<Instant>,
    /// The moment for which the call is noted in the gateway's calendar.
    pub(super) noted: Instant,
    pub(super) joined: Option<Instant>,
}

impl Call {
    pub(super) const fn new(id: u64, key: CallKey, seed: u64) -> Self {
        Self {
            id,
            key,
            seed,
            browsers: Vec::new(),
            branches: Vec::new(),
            anchored: Vec::new(),
            confirmed: None,
            confirmed_at: None,
            noted: Instant::NEVER,
            joined: None,
        }
    }

    /// The branch of that name; once one has won, later requests of the dialog are its own whatever they are named.
    pub(super) fn branch(&mut self, key: &BranchKey) -> Option<&mut Branch> {
        let known = self.branches.iter().position(|branch| branch.key == *key);
        let won = || self.branches.iter().position(|branch| Some(branch.id) == self.confirmed);
        let place = known.or_else(won)?;
        self.branches.get_mut(place)
    }

    /// The anchored branch of that name, or the one that won.
    pub(super) fn anchored(&self, key: &BranchKey) -> Option<&AnchoredBranch> {
        let known = self.anchored.iter().find(|branch| branch.key == *key);
        known.or_else(|| self.anchored.iter().find(|branch| Some(branch.id) == self.confirmed))
    }

    /// The anchored branch of that number.
    pub(super) fn anchored_part(&mut self, id: u64) -> Option<&mut AnchoredBranch> {
        self.anchored.iter_mut().find(|branch| branch.id == id)
    }

    /// All branches.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u64, &BranchKey)> {
        let joined = self.branches.iter().map(|branch| (branch.id, &branch.key));
        joined.chain(self.anchored.iter().map(|branch| (branch.id, &branch.key)))
    }

    pub(super) fn browser(&mut self, id: u64) -> Option<&mut BrowserEnd> {
        self.browsers.iter_mut().find(|browser| browser.id == id)
    }

    /// Carries out what the branch and its browser agreed on. False when the browser's fingerprint is unusable.
    pub(super) fn agree(&mut self, now: Instant, branch: u64, shared: &mut Shared) -> bool {
        let Some(position) = self.branches.iter().position(|known| known.id == branch) else { return true };
        let Some(branch) = self.branches.get_mut(position) else { return true };
        let Some(plan) = branch.conversation.plan().cloned() else { return true };
        let browser = branch.browser;
        if !branch.agree(now, &plan) {
            return true;
        }
        let branch = branch.id;
        self.joined.get_or_insert(now);
        let Some(end) = self.browsers.iter_mut().find(|end| end.id == browser) else { return true };
        end.active.get_or_insert(branch);
        if let Some(next) = end.next_credentials.take() {
            shared.fragments.remove(&end.credentials.fragment);
            end.credentials = next;
        }
        let mut outputs = Vec::new();
        match &mut end.leg {
            Some(leg) if !leg.is_outgrown_by(&plan) => leg.update(now, &end.credentials, &plan),
            outgrown => {
                if let Some(leg) = outgrown {
                    leg.close(now, &mut outputs);
                }
                end.relay.begin_turns();
                end.pictures.begin_turns();
                *outgrown = BrowserLeg::new(
                    now,
                    shared.epoch,
                    &shared.identity,
                    &end.credentials,
                    &shared.locals,
                    &plan,
                );
            }
        }
        if let Some(leg) = end.leg.as_mut().filter(|_| self.confirmed == Some(branch)) {
            leg.await_browser(now);
        }
        let usable = end.leg.is_some();
        self.heed(browser);
        self.carry_out(now, browser, outputs, shared);
        self.ask_for_pictures(now, branch, shared);
        self.settle_video(branch, shared);
        usable
    }

    /// The leg of a browser does what was agreed with the branch that it hears, whatever another one has agreed since.
    fn heed(&mut self, end: u64) {
        let Some(end) = self.browsers.iter_mut().find(|known| known.id == end) else { return };
        let active = self.branches.iter().find(|branch| Some(branch.id) == end.active);
        if let (Some(plan), Some(leg)) = (active.and_then(|branch| branch.plan.as_ref()), &mut end.leg) {
            leg.heed(plan);
        }
    }

    /// This branch won. Returns the others.
    pub(super) fn confirm(&mut self, now: Instant, branch: u64) -> Vec<u64> {
        self.confirmed = Some(branch);
        self.confirmed_at.get_or_insert(now);
        let won = self.branches.iter().find(|known| known.id == branch);
        if let Some(end) = won.map(|won| won.browser).and_then(|browser| self.browser(browser)) {
            end.active = Some(branch);
            if let Some(leg) = &mut end.leg {
                leg.await_browser(now);
            }
            let end = end.id;
            self.heed(end);
        }
        self.parts().map(|(known, _)| known).filter(|known| *known != branch).collect()
    }

    /// Of the dialogs behind the branch that won only the present one goes on.
    pub(super) fn settle_dialogs(&mut self, branch: u64) {
        if let Some(won) = self.branches.iter_mut().find(|known| known.id == branch) {
            won.dialogs.settle();
        }
        if let Some(won) = self.anchored_part(branch) {
            won.dialogs.settle();
        }
    }

    /// Frees a branch, and the browser leg that only it used.
    pub(super) fn remove(&mut self, now: Instant, branch: u64, shared: &mut Shared) {
        if let Some(position) = self.anchored.iter().position(|known| known.id == branch) {
            self.anchored.remove(position).free(shared);
            self.confirmed = self.confirmed.filter(|confirmed| *confirmed != branch);
            return;
        }
        let Some(position) = self.branches.iter().position(|known| known.id == branch) else { return };
        let mut branch = self.branches.remove(position);
        free_video(&mut branch, shared);
        if let Some(datagram) = branch.phone.goodbye() {
            transmit(datagram, shared);
        }
        shared.free(branch.phone.port());
        if self.confirmed == Some(branch.id) {
            self.confirmed = None;
        }
        let heirs = || self.branches.iter().filter(|other| other.browser == branch.browser);
        let agreed = || heirs().filter(|other| other.plan.is_some());
        let heir = agreed().find(|other| other.heard_phone).or_else(|| agreed().next()).map(|other| other.id);
        let is_shared = heirs().next().is_some();
        let Some(place) = self.browsers.iter().position(|end| end.id == branch.browser) else { return };
        if is_shared {
            if let Some(end) = self.browsers.get_mut(place)
                && end.active == Some(branch.id)
            {
                end.active = heir;
                self.heed(branch.browser);
            }
            return;
        }
        let mut end = self.browsers.remove(place);
        shared.fragments.remove(&end.credentials.fragment);
        if let Some(next) = &end.next_credentials {
            shared.fragments.remove(&next.fragment);
        }
        if let Some(leg) = &mut end.leg {
            let mut outputs = Vec::new();
            leg.close(now, &mut outputs);
            for output in outputs {
                shared.place_or_transmit(Place { call: self.id, part: end.id }, output);
            }
        }
    }

    /// A datagram of the browser.
    pub(super) fn receive_browser(
        &mut self,
        now: Instant,
        end: u64,
        socket: SocketId,
        from: SocketAddr,
        bytes: &[u8],
        shared: &mut Shared,
    ) {
        let mut outputs = Vec::new();
        if let Some(leg) = self.browser(end).and_then(|end| end.leg.as_mut()) {
            leg.receive(now, socket, from, bytes, &mut outputs);
        }
        self.carry_out(now, end, outputs, shared);
    }

    /// What a browser leg wants.
    pub(super) fn carry_out(&mut self, now: Instant, end: u64, outputs: Vec<LegOutput>, shared: &mut Shared) {
        for output in outputs {
            match output {
                LegOutput::Connected(browser) => {
                    shared.event(Event::BrowserConnected { call: self.key.clone(), browser });
                }
                LegOutput::Media(arrived) => self.browser_sounds(now, end, &arrived.packet(), shared),
                LegOutput::PictureWanted => self.browser_wants_picture(now, end, shared),
                LegOutput::Failed(cause) => self.failed(end, cause, shared),
                other => shared.place_or_transmit(Place { call: self.id, part: end }, other),
            }
        }
    }

    fn failed(&mut self, end: u64, cause: MediaCause, shared: &mut Shared) {
        let key = self.key.clone();
        let Some(failed) = self.browser(end) else { return };
        failed.failed.get_or_insert(cause);
        let active = failed.active;
        let branch = self.branches.iter().find(|branch| Some(branch.id) == active);
        if let Some(branch) = branch {
            shared.event(Event::Failed { call: key, branch: branch.key.clone(), cause });
        }
    }

    /// The browser of this branch failed before there was anything to hang up.
    pub(super) fn tell_failed(&mut self, branch: u64, shared: &mut Shared) {
        let won = self.branches.iter().find(|known| known.id == branch);
        let end = won.and_then(|won| self.browsers.iter().find(|end| end.id == won.browser));
        if let Some((end, cause)) = end.and_then(|end| Some((end.id, end.failed?))) {
            self.failed(end, cause, shared);
        }
    }

    /// Sound of a browser goes to the branch that it talks to.
    fn browser_sounds(&mut self, now: Instant, end: u64, packet: &Packet<'_>, shared: &mut Shared) {
        let Some(end) = self.browsers.iter_mut().find(|known| known.id == end) else { return };
        let active = end.active;
        let Some(branch) = self.branches.iter_mut().find(|branch| Some(branch.id) == active) else { return };
        if branch.video.as_ref().is_some_and(|video| video.carries(packet.payload_type)) {
            let end = end.id;
            return self.browser_shows(now, end, packet, shared);
        }
        if let Some(leg) = &mut end.leg {
            match branch.to_phone.find(packet.payload_type) {
                Some(mapping) => leg.count(now, Kind::Audio, packet, mapping.clock()),
                None => leg.count_unknown(),
            }
        }
        if !branch.stream().is_some_and(|stream| stream.browser_to_phone) {
            branch.relay.pause();
            return;
        }
        if branch.digits.is_playing() {
            branch.relay.pause();
            return;
        }
        let source = Source { leg: end.id, ssrc: packet.ssrc };
        let Some(outgoing) = branch.relay.forward(now, source, packet, &branch.to_phone) else { return };
        branch.silent_at = now + SILENT;
        if let Some(datagram) = branch.phone.send(&outgoing) {
            transmit(datagram, shared);
        }
        if !std::mem::replace(&mut branch.heard_browser, true) {
            shared.event(Event::MediaFlows {
                call: self.key.clone(),
                branch: branch.key.clone(),
                from: Side::Browser,
            });
        }
    }

    /// A datagram on a port for phones.
    pub(super) fn receive_phone(
        &mut self,
        now: Instant,
        branch: u64,
        port: u16,
        from: SocketAddr,
        bytes: &[u8],
        shared: &mut Shared,
    ) {
        if let Some(anchored) = self.anchored_part(branch) {
            return anchored.receive(now, port, from, bytes, shared);
        }
        let Some(known) = self.branches.iter_mut().find(|known| known.id == branch) else { return };
        if known.video.as_ref().is_some_and(|video| video.phone.port() == port & !1) {
            return self.receive_picture(now, branch, port, from, bytes, shared);
        }
        let mut scratch = std::mem::take(&mut shared.scratch);
        let agreed = |payload_type| known.to_browser.find(payload_type).is_some();
        if let Some(packet) = known.phone.receive(now, port, from, bytes, agreed, &mut scratch) {
            self.phone_sounds(now, branch, &packet, shared);
        }
        shared.scratch = scratch;
    }

    /// Sound of a phone goes to the browser that hears it.
    fn phone_sounds(&mut self, now: Instant, branch: u64, packet: &Packet<'_>, shared: &mut Shared) {
        let Some(branch) = self.branches.iter_mut().find(|known| known.id == branch) else { return };
        match branch.to_browser.find(packet.payload_type) {
            Some(mapping) => branch.phone.count(now, packet, mapping.clock()),
            None => branch.phone.count_unknown(),
        }
        let pressed = branch.pressed(now, packet);
        let Some(stream) = branch.stream() else { return };
        let wanted = stream.phone_to_browser;
        if let Some((digit, duration)) = pressed.filter(|_| wanted && self.confirmed == Some(branch.id)) {
            let (call, branch) = (self.key.clone(), branch.key.clone());
            shared.event(Event::Digit { call, branch, digit, duration });
        }
        let first = !std::mem::replace(&mut branch.heard_phone, true);
        let (id, key, end) = (branch.id, branch.key.clone(), branch.browser);
        if first {
            shared.event(Event::MediaFlows { call: self.key.clone(), branch: key, from: Side::Phone });
            self.prefer(end, id);
        }
        let Some(end) = self.browsers.iter_mut().find(|known| known.id == end) else { return };
        let Some(branch) = self.branches.iter().find(|known| known.id == id) else { return };
        if end.active != Some(id) {
            return;
        }
        if !wanted {
            end.relay.pause();
            return;
        }
        let Some(leg) = end.leg.as_mut().filter(|leg| leg.is_connected()) else { return };
        let source = Source { leg: id, ssrc: packet.ssrc };
        let Some(outgoing) = end.relay.forward(now, source, packet, &branch.to_browser) else { return };
        let mut outputs = Vec::new();
        leg.send(now, &outgoing, &mut outputs);
        let end = end.id;
        self.carry_out(now, end, outputs, shared);
    }

    /// Before a branch has won, the first that is heard is the one to listen to.
    fn prefer(&mut self, end: u64, branch: u64) {
        if self.confirmed.is_some() {
            return;
        }
        let active = self.browsers.iter().find(|known| known.id == end).and_then(|end| end.active);
        let heard = self.branches.iter().any(|other| Some(other.id) == active && other.heard_phone);
        if !heard && let Some(known) = self.browser(end) {
            known.active = Some(branch);
            self.heed(end);
        }
    }

    /// The next moment at which something is due.
    pub(super) fn next(&self) -> Instant {
        let legs = self.browsers.iter().filter_map(|end| end.leg.as_ref()).map(BrowserLeg::next_timeout);
        let anchored = self.anchored.iter().map(AnchoredBranch::next);
        legs.chain(self.branches.iter().map(Branch::next)).chain(anchored).min().unwrap_or(Instant::NEVER)
    }

    /// Does what is due.
    pub(super) fn timeout(&mut self, now: Instant, shared: &mut Shared) {
        for branch in &mut self.branches {
            keep(now, branch, shared);
        }
        for branch in self.anchored.iter_mut() {
            if branch.is_gone(now) {
                let (call, branch) = (self.key.clone(), branch.key.clone());
                shared.event(Event::Failed { call, branch, cause: MediaCause::PartiesGone });
            }
        }
        let ends: Vec<u64> = self.browsers.iter().map(|end| end.id).collect();
        for end in ends {
            let mut outputs = Vec::new();
            if let Some(leg) = self.browser(end).and_then(|end| end.leg.as_mut()) {
                leg.timeout(now, &mut outputs);
            }
            self.carry_out(now, end, outputs, shared);
        }
    }
}
