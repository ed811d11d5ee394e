//! The pictures of a call: ports of their own toward the phone, and requests for whole pictures, which a phone without
//! feedback cannot make itself.

use super::Event;
use super::branch::{Branch, transmit};
use super::call::Call;
use super::picture_requests::PictureRequests;
use super::shared::Shared;
use crate::browser_leg::BrowserLeg;
use crate::phone_leg::PhoneLeg;
use crate::relay::{Relay, Source, Table};
use crate::report::{StreamFigures, VideoFigures};
use crate::rtp::Packet;
use crate::{Feedback, Kind, Plan, StreamPlan};
use sip::Instant;
use std::net::SocketAddr;
use std::time::Duration;

/// The clock of all pictures (RFC 6184 §8.2.1, RFC 7741 §6.1).
const CLOCK: u32 = 90_000;
/// A phone has so long to be ready for the first pictures before it is shown a whole one again.
const START: Duration = Duration::from_millis(500);
/// How often is looked whether pictures were lost.
const WATCH: Duration = Duration::from_secs(1);
/// A phone that tells nothing of what it received gets a whole picture as often.
const UNTOLD: Duration = Duration::from_secs(10);
/// Between two notices of how much the phone can take.
const NOTICE: Duration = Duration::from_secs(5);

/// The pictures of a branch.
pub(super) struct Video {
    pub(super) phone: PhoneLeg,
    relay: Relay,
    stream: Option<StreamPlan>,
    to_phone: Table,
    to_browser: Table,
    of_browser: PictureRequests,
    of_phone: PictureRequests,
    /// The browser's source that was relayed last.
    shown: Option<u32>,
    watched: Option<Instant>,
    noticed: Option<Instant>,
    /// What was lost on the way from the browser, and to the phone, when it was looked last.
    lost: (u64, u64),
}

impl Video {
    pub(super) fn new(phone: PhoneLeg, relay: Relay) -> Self {
        Self {
            phone,
            relay,
            stream: None,
            to_phone: Table::default(),
            to_browser: Table::default(),
            of_browser: PictureRequests::default(),
            of_phone: PictureRequests::default(),
            shown: None,
            watched: None,
            noticed: None,
            lost: (0, 0),
        }
    }

    /// Takes over what was agreed.
    pub(super) fn agree(&mut self, now: Instant, plan: &Plan) {
        let stream = plan.stream(Kind::Video);
        let goes = |stream: Option<&StreamPlan>| stream.is_some_and(|stream| stream.browser_to_phone);
        let comes = |stream: Option<&StreamPlan>| stream.is_some_and(|stream| stream.phone_to_browser);
        if goes(stream) {
            self.of_browser.want(now);
        }
        if comes(stream) && !comes(self.stream.as_ref()) {
            self.of_phone.want(now);
        }
        self.to_phone = stream.map(Table::to_phone).unwrap_or_default();
        self.to_browser = stream.map(Table::to_browser).unwrap_or_default();
        if let Some(remote) = stream.and_then(|stream| stream.remote_phone.as_ref())
            && self.phone.describe(now, remote)
        {
            self.relay.begin_turns();
        }
        self.stream = stream.cloned();
        self.noticed = None;
    }

    /// Whether the browser sends pictures under this payload type.
    pub(super) fn carries(&self, payload_type: u8) -> bool {
        self.to_phone.find(payload_type).is_some()
    }

    /// When something is due.
    pub(super) fn next(&self) -> Instant {
        self.phone.next_report().filter(|_| self.stream.is_some()).unwrap_or(Instant::NEVER)
    }

    /// Reports that are due toward the phone.
    pub(super) fn keep(&mut self, now: Instant, shared: &mut Shared) {
        if self.stream.is_some()
            && let Some(datagram) = self.phone.report(now, self.relay.last(), CLOCK)
        {
            transmit(datagram, shared);
        }
    }

    /// What was counted; `browser` is the leg toward the browser.
    pub(super) fn figures(&self, browser: StreamFigures) -> VideoFigures {
        let pair = self.stream.as_ref().and_then(|stream| stream.pairs.first());
        VideoFigures {
            codec: pair.map(|pair| pair.codec.name()),
            browser,
            phone: self.phone.figures(),
            asked_of_browser: self.of_browser.count(),
            asked_of_phone: self.of_phone.count(),
        }
    }

    fn feedback(&self) -> Feedback {
        self.stream.as_ref().map(|stream| stream.phone_feedback).unwrap_or_default()
    }

    /// A phone that cannot ask for whole pictures is watched for losses.
    fn watch(&mut self, now: Instant, leg: &BrowserLeg) {
        if self.watched.is_some_and(|watched| now < watched + WATCH) {
            return;
        }
        self.watched = Some(now);
        let told = self.phone.figures().remote.map(|remote| remote.lost);
        let lost = (leg.picture_figures().received.lost, told.unwrap_or(0));
        let before = std::mem::replace(&mut self.lost, lost);
        let Feedback { pli, fir, .. } = self.feedback();
        if pli || fir {
            return;
        }
        let untold = told.is_none() && self.of_browser.last().is_some_and(|last| now >= last + UNTOLD);
        if lost.0 > before.0 || lost.1 > before.1 || untold {
            self.of_browser.want(now);
        }
    }
}

impl Call {
    /// A picture of a browser goes to the branch that it talks to.
    pub(super) fn browser_shows(&mut self, now: Instant, end: u64, packet: &Packet<'_>, shared: &mut Shared) {
        let Some(end) = self.browsers.iter_mut().find(|known| known.id == end) else { return };
        let active = end.active;
        let branch = self.branches.iter_mut().find(|branch| Some(branch.id) == active);
        let (Some(video), Some(leg)) = (branch.and_then(|branch| branch.video.as_mut()), &mut end.leg) else {
            return;
        };
        leg.count(now, Kind::Video, packet, CLOCK);
        let Some(stream) = video.stream.as_ref().filter(|stream| stream.browser_to_phone) else {
            return video.relay.pause();
        };
        let limit = stream.phone_bandwidth;
        let source = Source { leg: end.id, ssrc: packet.ssrc };
        if let Some(outgoing) = video.relay.forward(now, source, packet, &video.to_phone)
            && let Some(datagram) = video.phone.send(&outgoing)
        {
            transmit(datagram, shared);
        }
        video.watch(now, leg);
        let mut outputs = Vec::new();
        if let Some(kilobits) = limit
            && video.noticed.is_none_or(|noticed| now >= noticed + NOTICE)
        {
            video.noticed = Some(now);
            leg.limit_pictures(now, kilobits, &mut outputs);
        }
        if video.of_browser.is_due(now) && leg.ask_picture(now, &mut outputs) {
            video.of_browser.asked(now);
        }
        if video.shown.replace(packet.ssrc) != Some(packet.ssrc) {
            // Beside the one that was just asked for.
            video.of_browser.want(now + START);
        }
        let end = end.id;
        self.carry_out(now, end, outputs, shared);
    }

    /// A datagram on a phone's port for pictures.
    pub(super) fn receive_picture(
        &mut self,
        now: Instant,
        branch: u64,
        port: u16,
        from: SocketAddr,
        bytes: &[u8],
        shared: &mut Shared,
    ) {
        let Some(branch) = self.branches.iter_mut().find(|known| known.id == branch) else { return };
        let (id, end) = (branch.id, branch.browser);
        let Some(video) = &mut branch.video else { return };
        let mut scratch = std::mem::take(&mut shared.scratch);
        let agreed = |payload_type| video.to_browser.find(payload_type).is_some();
        let packet = video.phone.receive(now, port, from, bytes, agreed, &mut scratch);
        if let Some(packet) = &packet {
            match video.to_browser.find(packet.payload_type) {
                Some(_) => video.phone.count(now, packet, CLOCK),
                None => video.phone.count_unknown(),
            }
        }
        if video.phone.take_picture_wanted() {
            video.of_browser.want(now);
        }
        if let Some(packet) = packet {
            self.phone_shows(now, id, end, &packet, shared);
        }
        shared.scratch = scratch;
        self.ask_for_pictures(now, id, shared);
    }

    /// A picture of a phone goes to the browser that looks at its branch.
    fn phone_shows(&mut self, now: Instant, branch: u64, end: u64, packet: &Packet<'_>, shared: &mut Shared) {
        let Some(end) = self.browsers.iter_mut().find(|known| known.id == end) else { return };
        let branch = self.branches.iter_mut().find(|known| known.id == branch);
        let Some(branch) = branch.filter(|branch| end.active == Some(branch.id)) else { return };
        let source = Source { leg: branch.id, ssrc: packet.ssrc };
        let Some(video) = &mut branch.video else { return };
        let Some(stream) = video.stream.as_ref().filter(|stream| stream.phone_to_browser) else {
            return end.pictures.pause();
        };
        let Some(leg) = end.leg.as_mut().filter(|leg| leg.is_connected()) else { return };
        let Some(outgoing) = end.pictures.forward(now, source, packet, &video.to_browser) else { return };
        if end.looks_at.replace(source) != Some(source) {
            video.of_phone.want(now);
        }
        let mut outputs = Vec::new();
        leg.send_picture(now, stream.ssrc, &outgoing, &mut outputs);
        let end = end.id;
        self.carry_out(now, end, outputs, shared);
    }

    /// The browser cannot go on without a whole picture.
    pub(super) fn browser_wants_picture(&mut self, now: Instant, end: u64, shared: &mut Shared) {
        let active = self.browsers.iter().find(|known| known.id == end).and_then(|end| end.active);
        let Some(branch) = self.branches.iter_mut().find(|branch| Some(branch.id) == active) else { return };
        if let Some(video) = &mut branch.video {
            video.of_phone.want(now);
        }
        let id = branch.id;
        self.ask_for_pictures(now, id, shared);
    }

    /// Asks both sides of a branch for the whole pictures that are due.
    pub(super) fn ask_for_pictures(&mut self, now: Instant, branch: u64, shared: &mut Shared) {
        let Some(branch) = self.branches.iter_mut().find(|known| known.id == branch) else { return };
        let Some(video) = &mut branch.video else { return };
        let Some(stream) = &video.stream else { return };
        if stream.phone_to_browser && video.of_phone.is_due(now) {
            let feedback = video.feedback();
            if let Some(datagram) = video.phone.ask_picture(feedback) {
                video.of_phone.asked(now);
                transmit(datagram, shared);
            } else if !feedback.pli && !feedback.fir {
                video.of_phone.asked(now);
                shared.event(Event::PictureWanted { call: self.key.clone(), branch: branch.key.clone() });
            }
        }
        let (id, end) = (branch.id, branch.browser);
        if !video.of_browser.is_due(now) {
            return;
        }
        let Some(end) = self.browsers.iter_mut().find(|known| known.id == end) else { return };
        let Some(leg) = end.leg.as_mut().filter(|_| end.active == Some(id)) else { return };
        let mut outputs = Vec::new();
        if leg.ask_picture(now, &mut outputs) {
            video.of_browser.asked(now);
        }
        let end = end.id;
        self.carry_out(now, end, outputs, shared);
    }

    /// The phone of a branch is to be shown a whole picture: it has just answered, or it asks for one.
    pub(super) fn renew_picture(&mut self, now: Instant, branch: u64, shared: &mut Shared) {
        let known = self.branches.iter_mut().find(|known| known.id == branch);
        if let Some(video) = known.and_then(|branch| branch.video.as_mut())
            && video.stream.as_ref().is_some_and(|stream| stream.browser_to_phone)
        {
            video.of_browser.want(now);
            self.ask_for_pictures(now, branch, shared);
        }
    }

    /// Gives the ports of pictures back that the branch which won has no use for.
    pub(super) fn settle_video(&mut self, branch: u64, shared: &mut Shared) {
        if self.confirmed != Some(branch) {
            return;
        }
        let Some(branch) = self.branches.iter_mut().find(|known| known.id == branch) else { return };
        let agreed = branch.plan.as_ref().is_some_and(|plan| plan.stream(Kind::Video).is_some());
        if agreed || branch.plan.is_none() || branch.conversation.awaiting().is_some() {
            return;
        }
        free_video(branch, shared);
        branch.conversation.release_video();
    }
}

/// Frees the ports for pictures of a branch.
pub(super) fn free_video(branch: &mut Branch, shared: &mut Shared) {
    let Some(mut video) = branch.video.take() else { return };
    if let Some(datagram) = video.phone.goodbye() {
        transmit(datagram, shared);
    }
    shared.free(video.phone.port());
}
