//! The media gateway: the machine that joins browsers and phones.
//!
//! A call has one leg toward each browser and one toward each phone. When a browser calls, its one leg serves all
//! branches of the fork: no branch touches it before it answers, and whichever wins, the browser's transport is the
//! one that it was told first. When browsers are called, each has its leg.

mod anchored;
mod anchoring;
mod branch;
mod browser_end;
mod call;
mod early_dialogs;
mod ending;
mod interface;
mod picture_requests;
mod shared;
mod video;

pub use anchored::Party;
pub use interface::{
    BranchKey, CallKey, Event, GatewayConfig, KnownPhone, Output, PhoneAddress, SocketId, StartError,
};

use crate::demultiplexing::{self, BindingRequest, Class};
use crate::relay::Relay;
use crate::{CallReport, Cause, Conversation, Digit, Kind, Side};
use anchored::AnchoredBranch;
use branch::Branch;
use browser_end::BrowserEnd;
use call::Call;
use shared::{Place, Shared};
use sip::{Entropy, Instant, SeededEntropy};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use video::Video;

/// Joins the legs of calls between browsers and phones: descriptions in, descriptions out, packets in, packets out.
///
/// It opens no socket and reads no clock. After every call into it, [`Gateway::poll`] until it says
/// [`Output::Timeout`]; ports are to be opened before a description is sent on.
pub struct Gateway {
    shared: Shared,
    calls: HashMap<u64, Call>,
    names: HashMap<CallKey, u64>,
    /// When something is due in which call; a call may be noted too early, never too late.
    calendar: BTreeSet<(Instant, u64)>,
}

impl Gateway {
    /// A gateway without calls.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn new(config: &GatewayConfig, entropy: Box<dyn Entropy>) -> Result<Self, StartError> {
        Ok(Self {
            shared: Shared::new(config, entropy)?,
            calls: HashMap::new(),
            names: HashMap::new(),
            calendar: BTreeSet::new(),
        })
    }

    /// An offer, written by the side `from`, in a request or response of this branch. Returns the offer for the
    /// other side.
    ///
    /// Once a branch has won, an unknown branch stands for it: requests within the dialog need not name it.
    ///
    /// # Errors
    /// When it cannot be converted; [`Cause::status`] says how to refuse it. A branch that was new is forgotten.
    pub fn offer(
        &mut self,
        now: Instant,
        call: &CallKey,
        branch: &BranchKey,
        from: Side,
        description: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        self.offer_knowing(now, call, branch, from, description, &KnownPhone::default())
    }

    /// The same where something is known of the phone: `phone` holds for a branch that is new.
    ///
    /// # Errors
    /// As for [`Gateway::offer`].
    pub fn offer_knowing(
        &mut self,
        now: Instant,
        call: &CallKey,
        branch: &BranchKey,
        from: Side,
        description: &[u8],
        phone: &KnownPhone,
    ) -> Result<Vec<u8>, Cause> {
        let id = self.call(call);
        let (branch, new) = self.branch(now, id, branch, from, description, phone)?;
        let converted = self.converse(id, branch, from, description, true);
        if converted.is_err() && new {
            self.remove(now, id, branch);
        }
        converted
    }

    /// An answer, written by the side `from`. Returns the answer for the other side. It may come again, in a 200
    /// after a 183.
    ///
    /// # Errors
    /// When it cannot be converted: the call must be ended.
    pub fn answer(
        &mut self,
        now: Instant,
        call: &CallKey,
        branch: &BranchKey,
        from: Side,
        description: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        let (id, branch) = self.find(call, branch).ok_or(Cause::SdpUnexpectedAnswer)?;
        let converted = self.converse(id, branch, from, description, false)?;
        let agreed = self.calls.get_mut(&id).is_none_or(|call| call.agree(now, branch, &mut self.shared));
        self.note(id);
        if agreed { Ok(converted) } else { Err(Cause::SdpNoFingerprint) }
    }

    /// The open offer of this branch was refused: a final error response to a re-INVITE or UPDATE. What was agreed
    /// before holds on.
    pub fn withdraw(&mut self, call: &CallKey, branch: &BranchKey) {
        if let Some((id, part)) = self.find_anchored(call, branch) {
            let branch = self.calls.get_mut(&id).and_then(|call| call.anchored_part(part));
            return branch.map_or((), AnchoredBranch::withdraw);
        }
        let Some((id, branch)) = self.find(call, branch) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(branch) = call.branches.iter_mut().find(|known| known.id == branch) else { return };
        branch.conversation.withdraw();
        branch.offered = false;
        let id = branch.id;
        if let Some(end) = call.browsers.iter_mut().find(|end| end.id == branch.browser)
            && let Some(next) = end.next_credentials.take()
        {
            self.shared.fragments.remove(&next.fragment);
            branch
                .conversation
                .restart_ice(end.credentials.fragment.clone(), end.credentials.password.clone());
        }
        call.settle_video(id, &mut self.shared);
    }

    /// The phone of this branch may also send from this address: the one from which its signalling comes, where its
    /// description names an address behind NAT.
    pub fn expect_phone_at(&mut self, call: &CallKey, branch: &BranchKey, address: IpAddr) {
        if let Some(branch) = self.find_mut(call, branch) {
            branch.expect_phone_at(address);
        }
    }

    /// This branch won: the legs of all others are freed.
    pub fn confirm(&mut self, now: Instant, call: &CallKey, branch: &BranchKey) {
        let part = self.find_anchored(call, branch).or_else(|| self.find(call, branch));
        let Some((id, branch)) = part else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let others = call.confirm(now, branch);
        call.settle_dialogs(branch);
        call.settle_video(branch, &mut self.shared);
        call.renew_picture(now, branch, &mut self.shared);
        call.tell_failed(branch, &mut self.shared);
        for other in others {
            self.remove(now, id, other);
        }
        self.note(id);
    }

    /// The phone of this call asks for a whole picture, not in RTCP but in the dialog (RFC 5168).
    pub fn picture_wanted(&mut self, now: Instant, call: &CallKey) {
        let Some(call) = self.names.get(call).and_then(|id| self.calls.get_mut(id)) else { return };
        if let Some(branch) = call.confirmed {
            call.renew_picture(now, branch, &mut self.shared);
        }
    }

    /// The browser's side pressed a key and told it by INFO: the phone of this branch hears it as a telephone event.
    /// False when the phone has no such events, or hears nothing at present: then the INFO is all there is.
    pub fn press(
        &mut self,
        now: Instant,
        call: &CallKey,
        branch: &BranchKey,
        digit: Digit,
        span: Duration,
    ) -> bool {
        let Some((id, _)) = self.find(call, branch) else { return false };
        let Some(branch) = self.find_mut(call, branch) else { return false };
        let pressed = branch.events().is_some() && branch.digits.press(now, digit, span);
        self.note(id);
        pressed
    }

    /// The call is over, or never came to be.
    pub fn end(&mut self, now: Instant, call: &CallKey) {
        let Some(id) = self.names.get(call).copied() else { return };
        self.report(now, id);
        let parts: Option<Vec<u64>> =
            self.calls.get(&id).map(|call| call.parts().map(|(id, _)| id).collect());
        for branch in parts.unwrap_or_default() {
            if let Some(call) = self.calls.get_mut(&id) {
                call.remove(now, branch, &mut self.shared);
            }
        }
        self.forget(id);
    }

    /// The branch is over: refused, or cancelled. With its last branch a call is over.
    pub fn end_branch(&mut self, now: Instant, call: &CallKey, branch: &BranchKey) {
        let Some(id) = self.names.get(call).copied() else { return };
        let Some(known) = self.calls.get(&id) else { return };
        // By its own name only: a late response of a branch that lost must not end the one that won.
        let branch = known.parts().find(|(_, key)| *key == branch).map(|(id, _)| id);
        if let Some(branch) = branch {
            self.remove(now, id, branch);
        }
    }

    /// A port that this branch wanted could not be opened: another program has it. Nobody may be told of it. True when
    /// the branch was new and is forgotten: make the offer again, and it is made on other ports.
    pub fn unopened(&mut self, now: Instant, call: &CallKey, branch: &BranchKey) -> bool {
        let Some(id) = self.names.get(call).copied() else { return false };
        let Some(call) = self.calls.get(&id) else { return false };
        let joined = call.branches.iter().find(|known| known.key == *branch && known.is_new());
        let anchored = call.anchored.iter().find(|known| known.key == *branch && !known.agreed);
        let new = joined.map(|branch| branch.id).or_else(|| anchored.map(|branch| branch.id));
        let Some(new) = new else { return false };
        self.remove(now, id, new);
        true
    }

    /// A datagram arrived.
    pub fn receive(&mut self, now: Instant, socket: SocketId, from: SocketAddr, bytes: &[u8]) {
        let place = match socket {
            SocketId::Browser(_) | SocketId::BrowserStream(_) => match demultiplexing::class(bytes) {
                Class::Stun => BindingRequest::parse(bytes)
                    .and_then(|request| self.shared.fragments.get(request.fragment).copied()),
                Class::Dtls | Class::Media => self.shared.pairs.get(&(socket, from)).copied(),
                Class::Other => None,
            },
            SocketId::Phone(port) => self.shared.phones.get(&(port & !1)).copied(),
        };
        let Some(Place { call: id, part }) = place else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        match socket {
            SocketId::Browser(_) | SocketId::BrowserStream(_) => {
                call.receive_browser(now, part, socket, from, bytes, &mut self.shared);
            }
            SocketId::Phone(port) => call.receive_phone(now, part, port, from, bytes, &mut self.shared),
        }
        self.note(id);
    }

    /// A connection for browsers is closed: what goes to that browser takes another way, if there is one.
    pub fn disconnected(&mut self, socket: SocketId, from: SocketAddr) {
        let Some(Place { call, part }) = self.shared.pairs.remove(&(socket, from)) else { return };
        let leg = self.calls.get_mut(&call).and_then(|call| call.browser(part)?.leg.as_mut());
        if let Some(leg) = leg {
            leg.disconnected(socket, from);
        }
    }

    /// The time that [`Output::Timeout`] asked for has come.
    pub fn timeout(&mut self, now: Instant) {
        // Each call once: what is due again at once waits for the next round.
        let due: Vec<(Instant, u64)> = self.calendar.range(..=(now, u64::MAX)).copied().collect();
        for (at, id) in due {
            self.calendar.remove(&(at, id));
            let Some(call) = self.calls.get_mut(&id) else { continue };
            call.noted = Instant::NEVER;
            call.timeout(now, &mut self.shared);
            self.note(id);
        }
    }

    /// What to do next.
    pub fn poll(&mut self) -> Output {
        self.shared
            .outputs
            .pop_front()
            .unwrap_or_else(|| Output::Timeout(self.calendar.first().map_or(Instant::NEVER, |(at, _)| *at)))
    }

    /// What has happened in a call so far, and the cause that would be told if it ended now. `None` for a call that is
    /// not known, or in which nothing was agreed.
    #[must_use]
    pub fn figures(&self, now: Instant, call: &CallKey) -> Option<CallReport> {
        self.names.get(call).and_then(|id| self.calls.get(id)).and_then(|call| call.report(now))
    }

    /// How many calls there are.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Whether nothing is left of any call: no port, no name, no address.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.names.is_empty() && self.calendar.is_empty() && self.shared.is_idle()
    }

    fn call(&mut self, key: &CallKey) -> u64 {
        if let Some(id) = self.names.get(key) {
            return *id;
        }
        let id = self.shared.number();
        let seed = self.shared.entropy.number();
        self.names.insert(key.clone(), id);
        self.calls.insert(id, Call::new(id, key.clone(), seed));
        id
    }

    fn find_mut(&mut self, call: &CallKey, branch: &BranchKey) -> Option<&mut Branch> {
        self.names.get(call).and_then(|id| self.calls.get_mut(id)).and_then(|call| call.branch(branch))
    }

    fn find(&mut self, call: &CallKey, branch: &BranchKey) -> Option<(u64, u64)> {
        let id = self.names.get(call).copied()?;
        self.find_mut(call, branch).map(|branch| (id, branch.id))
    }

    /// The branch of that name, made if it is new.
    fn branch(
        &mut self,
        now: Instant,
        id: u64,
        key: &BranchKey,
        from: Side,
        description: &[u8],
        phone: &KnownPhone,
    ) -> Result<(u64, bool), Cause> {
        let Some(call) = self.calls.get_mut(&id) else { return Err(Cause::NoFreePort) };
        if let Some(known) = call.branch(key) {
            return Ok((known.id, false));
        }
        let shared = &mut self.shared;
        let own = if from == Side::Phone { Conversation::phone_address(description) } else { None };
        let leg = match shared.phone_leg(own.or(phone.reached_at)) {
            Ok(leg) => leg,
            Err(cause) => {
                if call.parts().next().is_none() {
                    self.report(now, id);
                    self.forget(id);
                }
                return Err(cause);
            }
        };
        let described_as = (from == Side::Browser).then(|| fragment(description)).flatten();
        // The caller's browser, which this branch shares with the others.
        let known = call
            .browsers
            .iter()
            .find(|end| described_as.is_some() && end.described_as.as_deref() == described_as)
            .map(|end| (end.id, end.credentials.clone()));
        let (browser, credentials) = known.unwrap_or_else(|| {
            let end = shared.number();
            let credentials = shared.credentials();
            shared.fragments.insert(credentials.fragment.clone(), Place { call: id, part: end });
            let relays = (Relay::new(&mut *shared.entropy), Relay::new(&mut *shared.entropy));
            let mut made = BrowserEnd::new(end, credentials.clone(), relays.0, relays.1);
            made.described_as = described_as.map(<[u8]>::to_vec);
            call.browsers.push(made);
            (end, credentials)
        });
        let mut conversation = Conversation::new(
            shared.browser_transport(&credentials),
            shared.phone_transports(&leg, &phone.keying),
            // The same for all branches, so that all answers to one browser announce the same stream.
            &mut SeededEntropy::new(call.seed),
        );
        if shared.transcoding {
            conversation.allow_transcoding();
        }
        let branch = shared.number();
        shared.phones.insert(leg.port(), Place { call: id, part: branch });
        let relay = Relay::new(&mut *shared.entropy);
        let mut made = Branch::new(branch, key.clone(), browser, conversation, leg, relay);
        made.keying = phone.keying.clone();
        call.branches.push(made);
        Ok((branch, true))
    }

    /// Converts a description.
    fn converse(
        &mut self,
        id: u64,
        branch: u64,
        from: Side,
        description: &[u8],
        offer: bool,
    ) -> Result<Vec<u8>, Cause> {
        let call = self.calls.get_mut(&id).ok_or(Cause::SdpUnexpectedAnswer)?;
        let known = call.branches.iter_mut().find(|known| known.id == branch);
        let branch = known.ok_or(Cause::SdpUnexpectedAnswer)?;
        if offer && branch.video.is_none() && Conversation::kinds(description)?.contains(&Kind::Video) {
            let place = Place { call: id, part: branch.id };
            if let Some(leg) = self.shared.companion(&branch.phone, place) {
                branch.conversation.provide_video(self.shared.phone_transport(&leg, &branch.keying));
                branch.video = Some(Video::new(leg, Relay::new(&mut *self.shared.entropy)));
            }
        }
        let mut restarted = None;
        // Only an offer asks for new credentials of ours (RFC 8839 §4.4.1): who answers was told those that we have.
        if offer && from == Side::Browser && branch.conversation.restarts_ice(description) {
            let credentials = self.shared.credentials();
            branch.conversation.restart_ice(credentials.fragment.clone(), credentials.password.clone());
            restarted = Some(credentials);
        }
        if offer && from == Side::Phone && branch.conversation.changes_keys(description) {
            branch.conversation.renew_keys(|suite| self.shared.key(suite));
        }
        let converted = match (offer, from) {
            (true, Side::Browser) => branch.conversation.offer_from_browser(description),
            (true, Side::Phone) => branch.conversation.offer_from_phone(description),
            (false, Side::Browser) => branch.conversation.answer_from_browser(description),
            (false, Side::Phone) => branch.conversation.answer_from_phone(description),
        };
        branch.offered |= offer && converted.is_ok();
        let browser = branch.browser;
        if let Some(credentials) = restarted
            && let Some(end) = call.browser(browser)
        {
            self.shared.fragments.insert(credentials.fragment.clone(), Place { call: id, part: browser });
            if let Some(before) = end.next_credentials.replace(credentials) {
                self.shared.fragments.remove(&before.fragment);
            }
        }
        converted
    }

    /// Frees a branch, and with the last one the call.
    fn remove(&mut self, now: Instant, id: u64, branch: u64) {
        let last = self.calls.get(&id).is_some_and(|call| call.parts().count() == 1);
        if last {
            self.report(now, id);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.remove(now, branch, &mut self.shared);
        }
        if last {
            self.forget(id);
        } else {
            self.note(id);
        }
    }

    /// Tells what happened in a call that is about to end.
    fn report(&mut self, now: Instant, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        if let Some(report) = call.report(now) {
            self.shared.event(Event::Ended { call: call.key.clone(), report: Box::new(report) });
        }
    }

    fn forget(&mut self, id: u64) {
        if let Some(call) = self.calls.remove(&id) {
            self.calendar.remove(&(call.noted, id));
            self.names.remove(&call.key);
        }
    }

    /// Notes when something is due in a call, unless an earlier moment is noted already.
    fn note(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let next = call.next();
        if next < call.noted {
            self.calendar.remove(&(call.noted, id));
            self.calendar.insert((next, id));
            call.noted = next;
        }
    }
}

/// The ICE user fragment of a description.
fn fragment(description: &[u8]) -> Option<&[u8]> {
    description
        .split(|octet| matches!(octet, b'\r' | b'\n'))
        .find_map(|line| line.strip_prefix(b"a=ice-ufrag:"))
        .map(<[u8]>::trim_ascii)
}
