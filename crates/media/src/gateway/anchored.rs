//! A branch between two phones whose media goes through us as it is: a relay for phones behind NAT.
//!
//! Each stream has a leg toward either phone, and what one of them sends goes out of the other leg, octet for octet:
//! any codec, any keys, RTCP and all. We speak no word of our own. As in joined calls each leg listens to the party
//! that the signalling named, and to nobody else.

use super::BranchKey;
use super::branch::transmit;
use super::early_dialogs::EarlyDialogs;
use super::shared::{Place, Shared};
use crate::conversion::anchored::{Anchored, AnchoredSection, Carried};
use crate::phone_leg::{PhoneLeg, Taken};
use crate::report::{CallReport, MediaCause, PhoneFigures};
use crate::{Cause, Negotiated, RemotePhone};
use sip::Instant;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The most streams of a branch: sound, pictures, a second picture, control of the camera, text, fax.
const MOST_STREAMS: usize = 6;

/// After so long without a packet of either party both are taken for gone: a phone on hold may be silent for long, but
/// who has lost its network never says goodbye.
const GONE: Duration = Duration::from_secs(3600);

/// A party of a call between two of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Who sent the first INVITE.
    Caller,
    /// Who got it.
    Callee,
}

impl Party {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// One thing for each party.
#[derive(Clone, Copy, Debug, Default)]
struct Both<T> {
    caller: T,
    callee: T,
}

impl<T> Both<T> {
    const fn of(&self, party: Party) -> &T {
        match party {
            Party::Caller => &self.caller,
            Party::Callee => &self.callee,
        }
    }

    const fn of_mut(&mut self, party: Party) -> &mut T {
        match party {
            Party::Caller => &mut self.caller,
            Party::Callee => &mut self.callee,
        }
    }
}

/// A stream, with a leg toward each party.
struct Stream {
    legs: Both<PhoneLeg>,
    /// What each party said of it last.
    said: Both<Option<AnchoredSection>>,
    heard: Both<bool>,
    expected: Both<bool>,
}

/// The rounds of offer and answer of one dialog, as far as they count.
#[derive(Clone, Default)]
pub(super) struct Rounds {
    last: Option<Exchange>,
    /// What holds when the open offer is refused.
    before: Option<Exchange>,
}

/// An offer and what became of it.
#[derive(Clone)]
struct Exchange {
    from: Party,
    offered: Vec<Option<AnchoredSection>>,
    answered: Option<Vec<Option<AnchoredSection>>>,
}

/// One branch between two phones.
pub(super) struct AnchoredBranch {
    pub(super) id: u64,
    pub(super) key: BranchKey,
    /// The offer that began it named our own ports: its media goes through us already.
    untouched: bool,
    streams: Vec<Option<Stream>>,
    addresses: Both<Option<IpAddr>>,
    /// An address of each party's media, for its family.
    reached_at: Both<Option<IpAddr>>,
    pub(super) rounds: Rounds,
    /// Those of the other dialogs behind it, until one has won.
    pub(super) dialogs: EarlyDialogs<Rounds>,
    pub(super) agreed: bool,
    /// When a party was heard last, or the last answer came.
    heard_at: Instant,
}

impl AnchoredBranch {
    pub(super) fn new(id: u64, key: BranchKey, untouched: bool) -> Self {
        Self {
            id,
            key,
            untouched,
            streams: Vec::new(),
            addresses: Both { caller: None, callee: None },
            reached_at: Both { caller: None, callee: None },
            rounds: Rounds::default(),
            dialogs: EarlyDialogs::default(),
            agreed: false,
            heard_at: Instant::NEVER,
        }
    }

    /// Whether all of it passes as it is.
    pub(super) const fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// The party may also send from this address: its signalling does.
    pub(super) fn expect_at(&mut self, party: Party, address: IpAddr) {
        *self.addresses.of_mut(party) = Some(address);
        for stream in self.streams.iter_mut().flatten() {
            stream.legs.of_mut(party).expect_at(address);
        }
    }

    /// Takes an offer; returns the one for the other party.
    pub(super) fn offer(
        &mut self,
        call: u64,
        from: Party,
        text: &[u8],
        reached_at: Option<IpAddr>,
        shared: &mut Shared,
    ) -> Result<Vec<u8>, Cause> {
        if self.untouched {
            return Ok(text.to_vec());
        }
        let description = Anchored::read(text)?;
        let own = description.sections.iter().flatten().find_map(|section| section.addresses);
        for (party, address) in [(from, own.map(|(rtp, _)| rtp.ip())), (from.other(), reached_at)] {
            let known = self.reached_at.of_mut(party);
            *known = known.or(address);
        }
        for (index, section) in description.sections.iter().enumerate() {
            if section.is_none() || self.streams.get(index).is_some_and(Option::is_some) {
                continue;
            }
            let stream = self.stream(call, shared);
            if stream.is_none() && self.streams.iter().flatten().next().is_none() {
                return Err(Cause::NoFreePort);
            }
            if self.streams.len() <= index {
                self.streams.resize_with(index + 1, || None);
            }
            if let Some(place) = self.streams.get_mut(index) {
                *place = stream;
            }
        }
        let offered = description.sections.clone();
        let answered = self.rounds.last.take().filter(|exchange| exchange.answered.is_some());
        self.rounds.before = answered.or_else(|| self.rounds.before.take());
        self.rounds.last = Some(Exchange { from, offered, answered: None });
        Ok(self.written(&description, from.other()))
    }

    /// Takes an answer; returns the one for the party that offered. It may come again.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        from: Party,
        text: &[u8],
        shared: &mut Shared,
    ) -> Result<Vec<u8>, Cause> {
        if self.untouched {
            return Ok(text.to_vec());
        }
        let offered = self.rounds.last.as_ref().filter(|exchange| exchange.from != from);
        let mut exchange = offered.cloned().ok_or(Cause::SdpUnexpectedAnswer)?;
        let description = Anchored::read(text)?;
        if description.sections.len() > exchange.offered.len() {
            return Err(Cause::SdpAnswerMismatch);
        }
        if exchange.answered.as_ref() != Some(&description.sections) {
            exchange.answered = Some(description.sections.clone());
            for index in 0..exchange.offered.len() {
                if !self.agree(now, index, &exchange) {
                    self.refuse(index, shared);
                }
            }
            self.rounds = Rounds { last: Some(exchange), before: None };
        }
        self.agreed = true;
        self.heard_at = now;
        Ok(self.written(&description, from.other()))
    }

    /// The open offer was refused: what was agreed before holds on.
    pub(super) fn withdraw(&mut self) {
        if self.rounds.last.as_ref().is_some_and(|exchange| exchange.answered.is_none()) {
            self.rounds.last = self.rounds.before.take();
        }
    }

    /// Another dialog behind this branch has it now, and in that these are the rounds.
    pub(super) fn resume(&mut self, now: Instant, rounds: Rounds) {
        let agreed =
            [&rounds.last, &rounds.before].into_iter().flatten().find(|known| known.answered.is_some());
        if let Some(exchange) = agreed {
            for index in 0..exchange.offered.len() {
                self.agree(now, index, exchange);
            }
        }
        self.rounds = rounds;
    }

    /// Carries out what was agreed of a stream. False where not both parties want it.
    fn agree(&mut self, now: Instant, index: usize, exchange: &Exchange) -> bool {
        let offerer = exchange.from;
        let offer = exchange.offered.get(index).and_then(Option::as_ref);
        let answer = exchange.answered.as_ref().and_then(|answered| answered.get(index)?.as_ref());
        let Some((offer, answer)) = offer.zip(answer) else { return false };
        let Some(stream) = self.streams.get_mut(index).and_then(Option::as_mut) else { return true };
        let mux = offer.mux && answer.mux;
        for (party, section, other) in [(offerer, offer, answer), (offerer.other(), answer, offer)] {
            if let Some((rtp, rtcp)) = section.addresses {
                let rtcp = if mux { rtp } else { rtcp };
                let remote = RemotePhone { rtp, rtcp, mux, security: Negotiated::Plain };
                stream.legs.of_mut(party).describe(now, &remote);
            }
            *stream.expected.of_mut(party) |= section.direction.sends() && other.direction.receives();
            *stream.said.of_mut(party) = Some(section.clone());
        }
        true
    }

    /// This stream is refused, or gone.
    fn refuse(&mut self, index: usize, shared: &mut Shared) {
        if let Some(stream) = self.streams.get_mut(index).and_then(Option::take) {
            free(&stream, shared);
        }
    }

    /// A description with the ports of our legs toward its reader.
    fn written(&self, description: &Anchored, reader: Party) -> Vec<u8> {
        let port = |stream: &Option<Stream>| stream.as_ref().map(|stream| stream.legs.of(reader).port());
        let ports: Vec<Option<u16>> = self.streams.iter().map(port).collect();
        let legs = self.streams.iter().flatten().map(|stream| stream.legs.of(reader));
        let address = legs.map(|leg| leg.address().advertised).next();
        address.map_or_else(|| description.as_it_is(), |address| description.clone().write(address, &ports))
    }

    /// A new stream; `None` when there are too many, or no ports.
    fn stream(&self, call: u64, shared: &mut Shared) -> Option<Stream> {
        if self.streams.iter().flatten().count() == MOST_STREAMS {
            return None;
        }
        let place = Place { call, part: self.id };
        let mut leg = |party| {
            let mut leg = shared.phone_leg(*self.reached_at.of(party)).ok()?;
            shared.phones.insert(leg.port(), place);
            if let Some(address) = *self.addresses.of(party) {
                leg.expect_at(address);
            }
            Some(leg)
        };
        let caller = leg(Party::Caller)?;
        let Some(callee) = leg(Party::Callee) else {
            shared.free(caller.port());
            return None;
        };
        Some(Stream {
            legs: Both { caller, callee },
            said: Both::default(),
            heard: Both::default(),
            expected: Both::default(),
        })
    }

    /// When both parties will be taken for gone.
    pub(super) fn next(&self) -> Instant {
        if self.agreed && !self.untouched { self.heard_at + GONE } else { Instant::NEVER }
    }

    /// Whether both parties are gone. It is asked again as late as the first time.
    pub(super) fn is_gone(&mut self, now: Instant) -> bool {
        let gone = now >= self.next();
        if gone {
            self.heard_at = now;
        }
        gone
    }

    /// Gives all ports back.
    pub(super) fn free(&mut self, shared: &mut Shared) {
        for stream in self.streams.drain(..).flatten() {
            free(&stream, shared);
        }
    }

    /// A datagram on one of the ports: it goes to the other party.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        port: u16,
        from: SocketAddr,
        bytes: &[u8],
        shared: &mut Shared,
    ) {
        let even = port & !1;
        let found = self.streams.iter_mut().flatten().find_map(|stream| {
            let party = [Party::Caller, Party::Callee]
                .into_iter()
                .find(|party| stream.legs.of(*party).port() == even)?;
            Some((stream, party))
        });
        let Some((stream, party)) = found else { return };
        let (own, others) = (stream.said.of(party).as_ref(), stream.said.of(party.other()).as_ref());
        let is_rtp = own.is_none_or(|section| section.carried == Carried::Rtp);
        let is_sound = own.is_some_and(|section| section.is_sound);
        // A phone sends what the other one wants; and some send what they announced themselves.
        let clock = |payload_type| {
            let of =
                |section: Option<&AnchoredSection>| section.and_then(|section| section.clock(payload_type));
            of(others).or_else(|| of(own))
        };
        let leg = stream.legs.of_mut(party);
        let taken = if is_rtp {
            leg.take(now, port, from, bytes, is_sound, clock)
        } else {
            leg.take_any(now, port, from)
        };
        let Some(taken) = taken else { return };
        self.heard_at = now;
        *stream.heard.of_mut(party) |= taken != Taken::Control;
        if let Some(datagram) = stream.legs.of_mut(party.other()).pass(bytes, taken) {
            transmit(datagram, shared);
        }
    }

    /// What happened; `accusable`: the answer came so long ago that sound is owed.
    pub(super) fn report(&self, duration: Duration, accusable: bool) -> CallReport {
        let is_sound = |stream: &&Stream| stream.said.caller.as_ref().is_some_and(|section| section.is_sound);
        let mut streams = self.streams.iter().flatten();
        let stream = streams.clone().find(is_sound).or_else(|| streams.next());
        let figures = |party| stream.map(|stream| stream.legs.of(party).figures());
        let answer = self.rounds.last.as_ref().and_then(|exchange| exchange.answered.as_ref());
        CallReport {
            duration,
            browser: Default::default(),
            phone: figures(Party::Callee).unwrap_or_default(),
            caller: Some(figures(Party::Caller).unwrap_or_else(PhoneFigures::default)),
            codec: answer.and_then(|sections| sections.iter().flatten().find_map(|section| section.codec)),
            video: None,
            cause: stream.filter(|_| accusable).and_then(cause),
        }
    }
}

/// What is wrong with a stream.
fn cause(stream: &Stream) -> Option<MediaCause> {
    let heard = |party| *stream.heard.of(party) || !*stream.expected.of(party);
    let elsewhere = |party| !heard(party) && stream.legs.of(party).only_strangers();
    if elsewhere(Party::Caller) || elsewhere(Party::Callee) {
        return Some(MediaCause::PhoneElsewhere);
    }
    match (heard(Party::Caller), heard(Party::Callee)) {
        (true, true) => None,
        (false, true) => Some(MediaCause::NoneFromCaller),
        (true, false) => Some(MediaCause::NoneFromCallee),
        (false, false) => Some(MediaCause::NoneFromParties),
    }
}

fn free(stream: &Stream, shared: &mut Shared) {
    for party in [Party::Caller, Party::Callee] {
        shared.free(stream.legs.of(party).port());
    }
}
