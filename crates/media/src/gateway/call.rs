//! One call: its browser legs, its branches, and what goes from one to the other.

use super::shared::{Place, Shared};
use super::{BranchKey, CallKey, Event, Output, SocketId};
use crate::browser_leg::{BrowserLeg, Credentials, LegOutput};
use crate::phone_leg::{Datagram, PhoneLeg};
use crate::relay::{self, Relay, Source, Table};
use crate::report::{CallReport, MediaCause};
use crate::rtp::Packet;
use crate::{Codec, Conversation, Kind, Plan, Side, StreamPlan};
use sip::Instant;
use std::net::SocketAddr;
use std::time::Duration;

/// After so long without a packet of the browser the phone hears silence of ours.
const SILENT: Duration = Duration::from_secs(1);
/// And then as often: paths through NAT and impatient exchanges stay open.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// A shorter call is not accused of having had no sound.
const ACCUSABLE: Duration = Duration::from_secs(3);

/// Our end toward one browser.
pub(super) struct BrowserEnd {
    pub(super) id: u64,
    pub(super) credentials: Credentials,
    /// Those of an ICE restart that is not agreed yet.
    pub(super) next_credentials: Option<Credentials>,
    /// The user fragment under which its description came: who it is.
    pub(super) described_as: Option<Vec<u8>>,
    pub(super) leg: Option<BrowserLeg>,
    pub(super) relay: Relay,
    /// The branch whose phone it hears and talks to.
    pub(super) active: Option<u64>,
    failed: Option<MediaCause>,
}

impl BrowserEnd {
    pub(super) fn new(id: u64, credentials: Credentials, relay: Relay) -> Self {
        Self {
            id,
            credentials,
            next_credentials: None,
            described_as: None,
            leg: None,
            relay,
            active: None,
            failed: None,
        }
    }
}

/// One branch toward one target: a phone leg of its own.
pub(super) struct Branch {
    pub(super) id: u64,
    pub(super) key: BranchKey,
    pub(super) browser: u64,
    pub(super) conversation: Conversation,
    pub(super) phone: PhoneLeg,
    relay: Relay,
    plan: Option<Plan>,
    to_phone: Table,
    to_browser: Table,
    /// An offer was made since the last agreement.
    pub(super) offered: bool,
    silent_at: Instant,
    heard_browser: bool,
    heard_phone: bool,
    expected_browser: bool,
    expected_phone: bool,
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
            phone,
            relay,
            plan: None,
            to_phone: Table::default(),
            to_browser: Table::default(),
            offered: false,
            silent_at: Instant::NEVER,
            heard_browser: false,
            heard_phone: false,
            expected_browser: false,
            expected_phone: false,
        }
    }

    fn stream(&self) -> Option<&StreamPlan> {
        self.plan.as_ref().and_then(|plan| plan.stream(Kind::Audio))
    }

    /// Takes over what was agreed; false when it is what holds already.
    fn agree(&mut self, now: Instant, plan: &Plan) -> bool {
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
        if let Some(remote) = stream.and_then(|stream| stream.remote_phone.as_ref()) {
            self.phone.describe(now, remote);
        }
        self.silent_at = now + SILENT;
        true
    }

    fn next(&self) -> Instant {
        if self.stream().is_none() {
            return Instant::NEVER;
        }
        self.silent_at.min(self.phone.next_report().unwrap_or(Instant::NEVER))
    }
}

/// One call.
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) key: CallKey,
    /// From which the numbers that all descriptions toward one browser share are drawn.
    pub(super) seed: u64,
    pub(super) browsers: Vec<BrowserEnd>,
    pub(super) branches: Vec<Branch>,
    confirmed: Option<u64>,
    confirmed_at: Option<Instant>,
    /// The moment for which the call is noted in the gateway's calendar.
    pub(super) noted: Instant,
    joined: Option<Instant>,
}

impl Call {
    pub(super) const fn new(id: u64, key: CallKey, seed: u64) -> Self {
        Self {
            id,
            key,
            seed,
            browsers: Vec::new(),
            branches: Vec::new(),
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
        self.carry_out(now, browser, outputs, shared);
        usable
    }

    /// This branch won. Returns the others.
    pub(super) fn confirm(&mut self, now: Instant, branch: u64) -> Vec<u64> {
        self.confirmed = Some(branch);
        self.confirmed_at.get_or_insert(now);
        let Some(won) = self.branches.iter().find(|known| known.id == branch) else { return Vec::new() };
        let browser = won.browser;
        if let Some(end) = self.browser(browser) {
            end.active = Some(branch);
            if let Some(leg) = &mut end.leg {
                leg.await_browser(now);
            }
        }
        self.branches.iter().map(|known| known.id).filter(|known| *known != branch).collect()
    }

    /// Frees a branch, and the browser leg that only it used.
    pub(super) fn remove(&mut self, now: Instant, branch: u64, shared: &mut Shared) {
        let Some(position) = self.branches.iter().position(|known| known.id == branch) else { return };
        let branch = self.branches.remove(position);
        if let Some(datagram) = branch.phone.goodbye() {
            transmit(datagram, shared);
        }
        shared.free(branch.phone.port());
        if self.confirmed == Some(branch.id) {
            self.confirmed = None;
        }
        let heir = self.branches.iter().find(|other| other.browser == branch.browser);
        let heir = heir.map(|other| (other.id, other.plan.is_some()));
        let Some(place) = self.browsers.iter().position(|end| end.id == branch.browser) else { return };
        if heir.is_some() {
            if let Some(end) = self.browsers.get_mut(place)
                && end.active == Some(branch.id)
            {
                end.active = heir.filter(|(_, agreed)| *agreed).map(|(id, _)| id);
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
        socket: usize,
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
    fn carry_out(&mut self, now: Instant, end: u64, outputs: Vec<LegOutput>, shared: &mut Shared) {
        for output in outputs {
            match output {
                LegOutput::Connected(browser) => {
                    shared.event(Event::BrowserConnected { call: self.key.clone(), browser });
                }
                LegOutput::Media(arrived) => self.browser_sounds(now, end, &arrived.packet(), shared),
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

    /// Sound of a browser goes to the branch that it talks to.
    fn browser_sounds(&mut self, now: Instant, end: u64, packet: &Packet<'_>, shared: &mut Shared) {
        let Some(end) = self.browsers.iter_mut().find(|known| known.id == end) else { return };
        let active = end.active;
        let Some(branch) = self.branches.iter_mut().find(|branch| Some(branch.id) == active) else { return };
        if let Some(leg) = &mut end.leg {
            match branch.to_phone.find(packet.payload_type) {
                Some(mapping) => leg.count(now, packet, mapping.clock()),
                None => leg.count_unknown(),
            }
        }
        if !branch.stream().is_some_and(|stream| stream.browser_to_phone) {
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
        let Some(branch) = self.branches.iter_mut().find(|known| known.id == branch) else { return };
        let Some(packet) = branch.phone.receive(now, port, from, bytes) else { return };
        match branch.to_browser.find(packet.payload_type) {
            Some(mapping) => branch.phone.count(now, &packet, mapping.clock()),
            None => branch.phone.count_unknown(),
        }
        let Some(stream) = branch.stream() else { return };
        let (wanted, ssrc) = (stream.phone_to_browser, stream.ssrc);
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
        let Some(outgoing) = end.relay.forward(now, source, &packet, &branch.to_browser) else { return };
        let mut outputs = Vec::new();
        leg.send(now, ssrc, &outgoing, &mut outputs);
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
        if !heard && let Some(end) = self.browser(end) {
            end.active = Some(branch);
        }
    }

    /// The next moment at which something is due.
    pub(super) fn next(&self) -> Instant {
        let legs = self.browsers.iter().filter_map(|end| end.leg.as_ref()).map(BrowserLeg::next_timeout);
        legs.chain(self.branches.iter().map(Branch::next)).min().unwrap_or(Instant::NEVER)
    }

    /// Does what is due.
    pub(super) fn timeout(&mut self, now: Instant, shared: &mut Shared) {
        for branch in &mut self.branches {
            keep(now, branch, shared);
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

    /// What happened; `None` when nothing was ever agreed.
    pub(super) fn report(&self, now: Instant) -> Option<CallReport> {
        let duration = now.saturating_since(self.joined?);
        let won = self.branches.iter().find(|branch| Some(branch.id) == self.confirmed);
        let branch = won.or_else(|| self.branches.iter().find(|branch| branch.plan.is_some()))?;
        let end = self.browsers.iter().find(|end| end.id == branch.browser)?;
        let browser = end.leg.as_ref().map(BrowserLeg::figures).unwrap_or_default();
        let phone = branch.phone.figures();
        let from_browser = !branch.expected_browser || branch.heard_browser;
        let from_phone = !branch.expected_phone || branch.heard_phone;
        let answered = self.confirmed_at.map(|at| now.saturating_since(at));
        let cause = end.failed.or_else(|| {
            // Before the answer nobody owes any sound.
            answered.filter(|answered| *answered >= ACCUSABLE)?;
            match (from_browser, from_phone) {
                _ if browser.pair.is_none() => Some(MediaCause::IceNothingArrived),
                _ if browser.dtls == crate::DtlsState::New => Some(MediaCause::DtlsFailed),
                (true, true) => None,
                (_, false) if branch.phone.only_strangers() => Some(MediaCause::PhoneElsewhere),
                (false, false) => Some(MediaCause::NoneAtAll),
                (false, true) => Some(MediaCause::NoneFromBrowser),
                (true, false) => Some(MediaCause::NoneFromPhone),
            }
        });
        let codec = branch.stream().and_then(|stream| stream.pairs.first()).and_then(|pair| name(pair.codec));
        Some(CallReport { duration, browser, phone, codec, cause })
    }
}

/// Silence and reports that are due toward a phone.
fn keep(now: Instant, branch: &mut Branch, shared: &mut Shared) {
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
    let clock = stream.pairs.first().map_or(8000, |pair| pair.clock);
    if let Some(datagram) = branch.phone.report(now, branch.relay.last(), clock) {
        transmit(datagram, shared);
    }
}

fn transmit(datagram: Datagram, shared: &mut Shared) {
    let Datagram { socket, to, bytes } = datagram;
    shared.outputs.push_back(Output::Transmit { socket, to, bytes });
}

const fn name(codec: Codec) -> Option<&'static str> {
    match codec {
        Codec::Opus => Some("opus"),
        Codec::G722 => Some("G722"),
        Codec::Pcmu => Some("PCMU"),
        Codec::Pcma => Some("PCMA"),
        _ => None,
    }
}

impl Shared {
    /// Sends what a browser leg sends, and notes whose packets are whose.
    pub(super) fn place_or_transmit(&mut self, place: Place, output: LegOutput) {
        match output {
            LegOutput::Transmit { socket, to, bytes } => {
                self.outputs.push_back(Output::Transmit { socket: SocketId::Browser(socket), to, bytes });
            }
            LegOutput::Valid { socket, from } => {
                self.pairs.insert((socket, from), place);
            }
            LegOutput::Forgotten { socket, from } => {
                if self.pairs.get(&(socket, from)) == Some(&place) {
                    self.pairs.remove(&(socket, from));
                }
            }
            LegOutput::Connected(_) | LegOutput::Media(_) | LegOutput::Failed(_) => {}
        }
    }
}
