//! One branch of a call: the phone leg, what was agreed for it, and what it is owed.

use super::early_dialogs::EarlyDialogs;
use super::shared::Shared;
use super::video::Video;
use super::{BranchKey, Output};
use crate::heard_keys::{HeardKeys, Pressed};
use crate::phone_leg::{Datagram, PhoneLeg};
use crate::relay::{self, Relay, Table};
use crate::rtp::Packet;
use crate::telephone_events::{EventFormat, Player};
use crate::{Conversation, Kind, PhoneKeying, Plan, StreamPlan};
use sip::Instant;
use std::net::IpAddr;
use std::time::Duration;

/// After so long without a packet of the browser the phone hears silence of ours.
pub(super) const SILENT: Duration = Duration::from_secs(1);
/// And then as often: paths through NAT and impatient exchanges stay open.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// One branch toward one target: a phone leg of its own.
pub(super) struct Branch {
    pub(super) id: u64,
    pub(super) key: BranchKey,
    pub(super) browser: u64,
    pub(super) conversation: Conversation,
    /// The conversations with the other dialogs behind it, until one has won.
    pub(super) dialogs: EarlyDialogs<Conversation>,
    pub(super) phone: PhoneLeg,
    pub(super) relay: Relay,
    /// How its streams are keyed, a later one as the first.
    pub(super) keying: PhoneKeying,
    /// Its pictures, while there are any or they are spoken of.
    pub(super) video: Option<Video>,
    pub(super) plan: Option<Plan>,
    pub(super) to_phone: Table,
    pub(super) to_browser: Table,
    /// An offer was made since the last agreement.
    pub(super) offered: bool,
    /// The digits that the browser's side tells by INFO.
    pub(super) digits: Player,
    /// The keys that the phone presses.
    pub(super) keys: HeardKeys,
    pub(super) silent_at: Instant,
    pub(super) heard_browser: bool,
    pub(super) heard_phone: bool,
    pub(super) expected_browser: bool,
    pub(super) expected_phone: bool,
}

impl Branch {
    pub(super) fn new(
        id: u64,
        key: BranchKey,
        browser: u64,
        conversation: Conversation,
        phone: PhoneLeg,
        relay: Relay,
    ) -> Self {
        Self {
            id,
            key,
            browser,
            conversation,
            dialogs: EarlyDialogs::default(),
            phone,
            relay,
            keying: PhoneKeying::Clear,
            video: None,
            plan: None,
            to_phone: Table::default(),
            to_browser: Table::default(),
            offered: false,
            digits: Player::default(),
            keys: HeardKeys::default(),
            silent_at: Instant::NEVER,
            heard_browser: false,
            heard_phone: false,
            expected_browser: false,
            expected_phone: false,
        }
    }

    /// The phone may also send from this address.
    pub(super) fn expect_phone_at(&mut self, address: IpAddr) {
        self.phone.expect_at(address);
        if let Some(video) = &mut self.video {
            video.phone.expect_at(address);
        }
    }

    /// Whether nothing was agreed in it yet.
    pub(super) const fn is_new(&self) -> bool {
        self.plan.is_none()
    }

    pub(super) fn stream(&self) -> Option<&StreamPlan> {
        self.plan.as_ref().and_then(|plan| plan.stream(Kind::Audio))
    }

    /// Takes over what was agreed; false when it is what holds already.
    pub(super) fn agree(&mut self, now: Instant, plan: &Plan) -> bool {
        let offered = std::mem::take(&mut self.offered);
        if !offered && self.plan.as_ref() == Some(plan) {
            return false;
        }
        self.plan = Some(plan.clone());
        let stream = plan.stream(Kind::Audio);
        self.to_phone = stream.map(Table::to_phone).unwrap_or_default();
        self.to_browser = stream.map(Table::to_browser).unwrap_or_default();
        self.expected_browser |= stream.is_some_and(|stream| stream.browser_to_phone);
        self.expected_phone |= stream.is_some_and(|stream| stream.phone_to_browser);
        if let Some(remote) = stream.and_then(|stream| stream.remote_phone.as_ref())
            && self.phone.describe(now, remote)
        {
            self.relay.begin_turns();
        }
        if let Some(video) = &mut self.video {
            video.agree(now, plan);
        }
        self.silent_at = now + SILENT;
        true
    }

    pub(super) fn next(&self) -> Instant {
        let pictures = self.video.as_ref().map_or(Instant::NEVER, Video::next);
        if self.stream().is_none() {
            return pictures;
        }
        let reports = self.phone.next_report().unwrap_or(Instant::NEVER);
        self.silent_at.min(self.digits.next()).min(reports).min(pictures)
    }

    /// The key that is over by this packet of the phone.
    pub(super) fn pressed(&mut self, now: Instant, packet: &Packet<'_>) -> Option<Pressed> {
        let mapping = self.to_browser.find(packet.payload_type)?;
        if mapping.is_event() { self.keys.event(now, packet, mapping.clock()) } else { self.keys.sound(now) }
    }

    /// How the phone wants events while it hears the browser's side: with the clock of its codec if it has them so.
    pub(super) fn events(&self) -> Option<EventFormat> {
        let stream = self.stream().filter(|stream| stream.browser_to_phone)?;
        let clock = stream.pairs.first()?.phone_clock;
        let alike = stream.events.iter().find(|pair| pair.phone_clock == clock);
        let pair = alike.or_else(|| stream.events.first())?;
        Some(EventFormat { payload_type: pair.phone, clock: pair.phone_clock })
    }
}

/// Digits that are due toward a phone.
fn play(now: Instant, branch: &mut Branch, shared: &mut Shared) {
    let Some(format) = branch.events() else {
        branch.digits.stop();
        return;
    };
    let Some(outgoing) = branch.digits.play(now, format, &mut branch.relay) else { return };
    branch.silent_at = now + SILENT;
    if let Some(datagram) = branch.phone.send(&outgoing) {
        transmit(datagram, shared);
    }
}

/// Digits, silence and reports that are due toward a phone.
pub(super) fn keep(now: Instant, branch: &mut Branch, shared: &mut Shared) {
    if let Some(video) = &mut branch.video {
        video.keep(now, shared);
    }
    play(now, branch, shared);
    let Some(stream) = branch.plan.as_ref().and_then(|plan| plan.stream(Kind::Audio)) else {
        branch.silent_at = Instant::NEVER;
        return;
    };
    if now >= branch.silent_at {
        branch.silent_at = now + KEEP_ALIVE;
        if stream.browser_to_phone
            && let Some((payload_type, clock, payload)) = relay::silence(stream)
        {
            let outgoing = branch.relay.fill(now, payload_type, clock, payload);
            if let Some(datagram) = branch.phone.send(&outgoing) {
                transmit(datagram, shared);
            }
        }
    }
    let clock = stream.pairs.first().map_or(8000, |pair| pair.phone_clock);
    if let Some(datagram) = branch.phone.report(now, branch.relay.last(), clock) {
        transmit(datagram, shared);
    }
}

pub(super) fn transmit(datagram: Datagram, shared: &mut Shared) {
    let Datagram { socket, to, bytes } = datagram;
    shared.outputs.push_back(Output::Transmit { socket, to, bytes });
}
