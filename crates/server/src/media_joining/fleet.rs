//! A fleet of rtpengine instead of the gateway of this process: the same decisions, carried out elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;

use media::{BranchKey, CallKey, CallReport, Codec, Event, MediaCause, PhoneFigures, PhoneKeying, Side};
use rtpengine::{
    CallFigures, Description, Done, Fleet, Health, Leg, Limits, NodeConfig, Output, Peer, Ticket,
};
use sip::{Instant, Message};
use tokio::net::UdpSocket;

use super::calls::{Consequence, Step};
use super::joiner::Translation;
use super::reading::{description, other, tag};
use super::refusal::Refusal;
use super::sockets;
use super::unended::Watch;
use super::{Anchored, MediaJoining, Phone};
use crate::Failure;
use crate::clock::Clock;
use crate::configuration::MediaNode;
use crate::log;
use crate::randomness::SystemEntropy;

/// The largest answer that is read: as large as a datagram can be.
const LARGEST: usize = 65_536;

/// What is known of a call on the fleet.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// When it was answered first.
    answered: Option<Instant>,
    browser_tag: Vec<u8>,
    phone_tag: Vec<u8>,
    codec: Option<&'static str>,
    /// The phone's last description was one of SRTP.
    phone_is_secured: bool,
    /// What both sides are, where they are of a kind; the callee has then the other one's tag.
    anchored: Option<Side>,
    pub(super) watch: Watch,
    /// It was given up, for nothing passed any more.
    pub(super) is_silent: bool,
}

/// The fleet, and the sockets toward it.
pub(super) struct FleetJoiner {
    pub(super) fleet: RefCell<Fleet>,
    sockets: Vec<Rc<UdpSocket>>,
    pub(super) calls: RefCell<HashMap<CallKey, Known>>,
    /// The calls that are over, until their figures are there.
    ending: RefCell<HashMap<Ticket, CallKey>>,
    /// The calls about which their nodes were asked whether anything passes.
    pub(super) asked: RefCell<HashMap<Ticket, CallKey>>,
}

impl FleetJoiner {
    /// Finds the nodes and opens the sockets toward them; [`FleetJoiner::listen`] reads from them.
    pub(super) fn open(nodes: &[MediaNode], clock: &Clock) -> Result<Self, Failure> {
        let configs = nodes.iter().map(found).collect::<Result<Vec<_>, _>>()?;
        let mut sockets = Vec::new();
        for is_ipv4 in [true, false] {
            if configs.iter().all(|config| config.address.is_ipv4() != is_ipv4) {
                continue;
            }
            let any = if is_ipv4 {
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
            } else {
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
            };
            let socket = sockets::bind(any).and_then(UdpSocket::from_std);
            sockets.push(Rc::new(socket.map_err(|error| {
                Failure::Failed(format!("cannot open a socket toward rtpengine: {error}"))
            })?));
        }
        let fleet = Fleet::new(clock.now(), configs, Limits::default(), Box::new(SystemEntropy));
        Ok(Self {
            fleet: RefCell::new(fleet),
            sockets,
            calls: RefCell::default(),
            ending: RefCell::default(),
            asked: RefCell::default(),
        })
    }

    /// Reads answers from now on, and asks every node whether it is there.
    pub(super) fn listen(&self, hub: &MediaJoining) {
        for socket in &self.sockets {
            let (socket, hub) = (Rc::clone(socket), hub.me.clone());
            tokio::task::spawn_local(async move {
                let mut datagram = vec![0; LARGEST];
                while socket.readable().await.is_ok() {
                    let Some(hub) = hub.upgrade() else { return };
                    while let Ok((length, from)) = socket.try_recv_from(&mut datagram) {
                        hub.fleet_answered(from, datagram.get(..length).unwrap_or_default());
                    }
                }
            });
        }
        self.timeout(hub, hub.clock.now());
    }

    /// A datagram has arrived.
    fn receive(&self, hub: &MediaJoining, from: SocketAddr, bytes: &[u8]) {
        if !self.fleet.borrow_mut().receive(hub.clock.now(), from, bytes) {
            log::debug(format!("a datagram from {from} answers nothing that rtpengine was asked"));
        }
        self.drain(hub, None);
    }

    /// Time has passed.
    pub(super) fn timeout(&self, hub: &MediaJoining, now: Instant) {
        self.fleet.borrow_mut().timeout(now);
        self.drain(hub, None);
    }

    /// Asks for the description of a message for the other side.
    pub(super) fn translate(
        &self,
        hub: &MediaJoining,
        step: &Step,
        message: &Message,
        phone: &Phone,
    ) -> Translation {
        let now = hub.clock.now();
        let (call, branch, from, is_answer) = match step {
            Step::Offer { call, branch, from, .. } => (call, branch, *from, false),
            Step::Answer { call, branch, from } => (call, branch, *from, true),
            Step::Overtaken | Step::Crossing { .. } | Step::Full => {
                return Translation::Now(Err(media::Cause::SdpGlare.into()));
            }
        };
        let mut description = asked(message, call, branch, from, is_answer);
        if let Some(anchored) = phone.anchored {
            let peer = if anchored.kind == Side::Browser { Peer::Browser } else { Peer::Alike };
            (description.writer, description.reader) = (peer, peer);
        }
        // A phone that demands keys, or whose signalling is encrypted; what it answers rtpengine sees itself.
        let within = description.leg.via_branch.is_none() && self.is_secured(call);
        if description.reader == Peer::Phone
            && (matches!(phone.known.keying, PhoneKeying::Demanded(_)) || within)
        {
            description.reader = Peer::SecurePhone;
        }
        self.note(now, call, from, &description, is_answer);
        self.note_anchored(call, phone.anchored);
        let ticket = if is_answer {
            self.fleet.borrow_mut().answer(now, description)
        } else {
            self.fleet.borrow_mut().offer(now, description)
        };
        match self.drain(hub, Some(ticket)) {
            Some(outcome) => Translation::Now(outcome),
            None => Translation::Later(ticket.into()),
        }
    }

    /// What a message brought about. Whether the figures of a call will come.
    pub(super) fn follow(&self, hub: &MediaJoining, consequence: &Consequence) -> bool {
        let now = hub.clock.now();
        let told_later = match consequence {
            Consequence::CallOver(call) => {
                let ticket = self.fleet.borrow_mut().delete(now, leg_of(call, None));
                self.ending.borrow_mut().insert(ticket, call.clone());
                true
            }
            Consequence::BranchOver(call, branch) => {
                self.fleet.borrow_mut().delete(now, leg_of(call, Some(branch)));
                false
            }
            Consequence::OfferRefused(call, _) => {
                self.fleet.borrow_mut().withdraw(now, &named(call).0);
                false
            }
            // The last answer has joined its branch.
            Consequence::BranchWon(..) => false,
        };
        self.drain(hub, None);
        told_later
    }

    /// What the end of the call will want to know.
    fn note(&self, now: Instant, call: &CallKey, from: Side, asked: &Description, is_answer: bool) {
        let leg = &asked.leg;
        let (offerer, answerer) = (leg.from_tag.clone(), leg.to_tag.clone().unwrap_or_default());
        let mut calls = self.calls.borrow_mut();
        let known = calls.entry(call.clone()).or_default();
        known.watch = Watch::default();
        let browser_offered = (from == Side::Browser) != is_answer;
        (known.browser_tag, known.phone_tag) =
            if browser_offered { (offerer, answerer) } else { (answerer, offerer) };
        if asked.writer == Peer::Phone {
            known.phone_is_secured = is_secured(&asked.sdp);
        }
        if is_answer {
            known.answered.get_or_insert(now);
            known.codec = codec_of(&asked.sdp);
        }
    }

    /// Whether the phone of this call has its packets protected: an offer to it keeps that up.
    fn is_secured(&self, call: &CallKey) -> bool {
        self.calls.borrow().get(call).is_some_and(|known| known.phone_is_secured)
    }

    fn note_anchored(&self, call: &CallKey, anchored: Option<Anchored>) {
        if let (Some(anchored), Some(known)) = (anchored, self.calls.borrow_mut().get_mut(call)) {
            known.anchored = Some(anchored.kind);
        }
    }

    /// Does what the fleet wants. What came of `ticket`, if it is known by now.
    pub(super) fn drain(
        &self,
        hub: &MediaJoining,
        ticket: Option<Ticket>,
    ) -> Option<Result<Vec<u8>, Refusal>> {
        let mut outcome_now = None;
        loop {
            // The fleet is borrowed for this line only.
            let output = self.fleet.borrow_mut().poll();
            match output {
                Output::Transmit { to, bytes } => self.send(to, &bytes),
                Output::Health { node, health } => self.tell_health(hub.clock.now(), node, health),
                Output::Done { ticket: done, outcome } => {
                    let ended = self.ending.borrow_mut().remove(&done);
                    if let Some(call) = ended {
                        self.tell_end(hub, call, outcome);
                        continue;
                    }
                    let asked = self.asked.borrow_mut().remove(&done);
                    if let Some(call) = asked {
                        self.heard_of(hub, &call, &outcome);
                        continue;
                    }
                    let outcome = match outcome {
                        Ok(Done::Description(description)) => Ok(description),
                        // Nobody waits for figures here.
                        Ok(_) => continue,
                        Err(failure) => Err(Refusal::from(failure)),
                    };
                    if ticket == Some(done) {
                        outcome_now = Some(outcome);
                    } else {
                        hub.translated(done, outcome);
                    }
                }
                Output::Timeout(at) => {
                    hub.wake(at);
                    return outcome_now;
                }
            }
        }
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let fits = |socket: &&Rc<UdpSocket>| {
            socket.local_addr().is_ok_and(|address| address.is_ipv4() == to.is_ipv4())
        };
        // What cannot be sent now is sent again, as if it had been lost on the way.
        if let Some(Err(error)) = self.sockets.iter().find(fits).map(|socket| socket.try_send_to(bytes, to)) {
            log::debug(format!("to rtpengine at {to}: {error}"));
        }
    }

    fn tell_health(&self, now: Instant, node: SocketAddr, health: Health) {
        if health == Health::Up {
            return log::info(format!("rtpengine at {node} answers"));
        }
        let others = self.fleet.borrow().nodes(now).any(|other| other.health == Health::Up);
        let rest = if others {
            "new calls go to the others"
        } else {
            "calls between browsers and phones are refused until one answers"
        };
        log::warning(format!("rtpengine at {node} does not answer; {rest}"));
    }

    /// What rtpengine knew of a call, in the words of the gateway.
    fn tell_end(&self, hub: &MediaJoining, call: CallKey, outcome: Result<Done, rtpengine::Failure>) {
        let known = self.calls.borrow_mut().remove(&call).unwrap_or_default();
        let Some(answered) = known.answered else { return hub.ended(&call, None) };
        match outcome {
            Ok(Done::Figures(figures)) if !figures.legs.is_empty() => {
                let mut report = Box::new(report(&known, answered, hub.clock.now(), &figures));
                report.cause = Some(MediaCause::PartiesGone).filter(|_| known.is_silent).or(report.cause);
                hub.happened(Event::Ended { call, report });
            }
            // It did not know the call any more, and what passed is not known.
            Ok(_) => hub.ended(&call, None),
            Err(failure) => {
                let name = super::telling::name(&call);
                log::warning(format!("media of call {name}: no figures: {}: {failure}", failure.code()));
                hub.ended(&call, None);
            }
        }
    }
}

impl MediaJoining {
    fn fleet_answered(&self, from: SocketAddr, bytes: &[u8]) {
        if let super::Joiner::Fleet(fleet) = &self.joiner {
            fleet.receive(self, from, bytes);
        }
    }
}

fn found(node: &MediaNode) -> Result<NodeConfig, Failure> {
    let named = |trouble: String| Failure::Failed(format!("rtpengine at {}: {trouble}", node.host));
    let mut addresses = (node.host.as_str(), node.port)
        .to_socket_addrs()
        .map_err(|error| named(format!("the name leads nowhere: {error}")))?;
    let address = addresses.next().ok_or_else(|| named("the name has no address".to_owned()))?;
    Ok(NodeConfig { address, weight: node.weight })
}

/// What rtpengine is asked for a message.
fn asked(message: &Message, call: &CallKey, branch: &BranchKey, from: Side, is_answer: bool) -> Description {
    let (from_tag, to_tag) = (tag(message.from()), tag(message.to()));
    // Who writes a response is in its To; rtpengine knows an exchange by who offered.
    let from_offered = message.status().is_some() == is_answer;
    let (offerer, answerer) = if from_offered { (from_tag, to_tag) } else { (to_tag, from_tag) };
    let top = message.top_via().ok().and_then(|via| via.branch());
    let leg = Leg {
        call_id: named(call).0,
        from_tag: offerer,
        to_tag: Some(answerer).filter(|tag| !tag.is_empty()),
        // In the transaction of the INVITE that made the branch, and in no other.
        via_branch: (top == Some(branch.as_bytes())).then(|| branch.as_bytes().to_vec()),
    };
    let peer = |side| if side == Side::Browser { Peer::Browser } else { Peer::Phone };
    Description {
        leg,
        writer: peer(from),
        reader: peer(other(from)),
        sdp: description(message).unwrap_or_default().to_vec(),
    }
}

/// The Call-ID by which rtpengine knows a call, and the caller's tag. A call that passes us again is another one there.
pub(super) fn named(call: &CallKey) -> (Vec<u8>, Vec<u8>) {
    let mut parts = call.as_bytes().split(|octet| *octet == 0);
    let mut call_id = parts.next().unwrap_or_default().to_vec();
    let caller_tag = parts.next().unwrap_or_default().to_vec();
    let passage = parts.count();
    if passage > 0 {
        call_id.extend_from_slice(format!("#{passage}").as_bytes());
    }
    (call_id, caller_tag)
}

/// A call, or one branch of it, by its caller.
fn leg_of(call: &CallKey, branch: Option<&BranchKey>) -> Leg {
    let (call_id, from_tag) = named(call);
    let via_branch = branch.map(|branch| branch.as_bytes().to_vec());
    Leg { call_id, from_tag, to_tag: None, via_branch }
}

/// Whether a description is one of SRTP under keys that it names.
fn is_secured(description: &[u8]) -> bool {
    let Ok(description) = sdp::Description::parse(description) else { return false };
    let mut live = description.media().filter(|section| section.port() != Some(0));
    live.any(|section| section.profile() == sdp::Profile::Sdes)
}

/// The codec that an answer names first.
fn codec_of(answer: &[u8]) -> Option<&'static str> {
    let description = sdp::Description::parse(answer).ok()?;
    let audio =
        description.media().find(|section| section.kind() == b"audio" && section.port() != Some(0))?;
    let format = audio.formats().next()?;
    let named = audio.attributes(b"rtpmap").find_map(|value| {
        let (payload_type, rest) = value.split_at_checked(value.iter().position(|octet| *octet == b' ')?)?;
        (payload_type == format).then(|| rest.get(1..)?.split(|octet| *octet == b'/').next()).flatten()
    });
    let name = match (named, format) {
        (Some(name), _) => name,
        (None, b"0") => b"PCMU",
        (None, b"8") => b"PCMA",
        (None, b"9") => b"G722",
        _ => return None,
    };
    let known = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma].map(Codec::name);
    known.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

fn report(known: &Known, answered: Instant, now: Instant, figures: &CallFigures) -> CallReport {
    let report = joined(known, answered, now, figures);
    let Some(kind) = known.anchored else { return report };
    // The caller has the side of its kind, and the callee the other.
    let of_browser = PhoneFigures {
        received: report.browser.received,
        sent: report.browser.sent,
        ..PhoneFigures::default()
    };
    let (caller, callee) =
        if kind == Side::Browser { (of_browser, report.phone) } else { (report.phone, of_browser) };
    let heard = |figures: &PhoneFigures| figures.received.traffic.packets > 0;
    let cause = match (heard(&caller), heard(&callee)) {
        (true, true) => None,
        (false, true) => Some(MediaCause::NoneFromCaller),
        (true, false) => Some(MediaCause::NoneFromCallee),
        (false, false) => Some(MediaCause::NoneFromParties),
    };
    CallReport { browser: Default::default(), phone: callee, caller: Some(caller), cause, ..report }
}

fn joined(known: &Known, answered: Instant, now: Instant, figures: &CallFigures) -> CallReport {
    let mut report = CallReport {
        duration: now.saturating_since(answered),
        browser: Default::default(),
        phone: Default::default(),
        caller: None,
        codec: known.codec,
        video: None,
        cause: None,
    };
    let leg = |tag: &[u8]| figures.leg(tag).cloned().unwrap_or_default();
    let (browser, phone) = (leg(&known.browser_tag), leg(&known.phone_tag));
    for (from, received, sent) in [
        (&browser, &mut report.browser.received, &mut report.phone.sent),
        (&phone, &mut report.phone.received, &mut report.browser.sent),
    ] {
        received.traffic.packets = from.packets;
        received.traffic.octets = from.octets;
        // What could be relayed went to the other side.
        sent.packets = from.packets.saturating_sub(from.errors);
        sent.octets = from.octets;
    }
    report.cause = match (browser.packets > 0, phone.packets > 0) {
        (true, true) => None,
        (false, true) => Some(MediaCause::NoneFromBrowser),
        (true, false) => Some(MediaCause::NoneFromPhone),
        (false, false) => Some(MediaCause::NoneAtAll),
    };
    report
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod with_a_node;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_joining::dialogs::key;

    const SDP: &str = "v=0\r\nm=audio 4000 RTP/AVP 96 0\r\na=rtpmap:96 OPUS/48000/2\r\n";

    fn message(start: &str, branch: &str, to: &str) -> Message {
        let text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:x@example.com>;tag=a\r\n\
             To: <sip:y@example.com>{to}\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    /// Call-ID, offerer, answerer and branch as rtpengine is told them.
    fn told(message: &Message, from: Side, is_answer: bool) -> [String; 4] {
        let branch = BranchKey::new(b"z1".as_slice());
        let leg = asked(message, &key(b"one", b"a", 0), &branch, from, is_answer).leg;
        [Some(leg.call_id), Some(leg.from_tag), leg.to_tag, leg.via_branch]
            .map(|text| String::from_utf8(text.unwrap_or_default()).unwrap())
    }

    #[test]
    fn an_exchange_is_known_by_who_offered_and_a_first_one_by_its_branch() {
        let invite = message("INVITE sip:y@example.com SIP/2.0", "z1", "");
        assert_eq!(told(&invite, Side::Browser, false), ["one", "a", "", "z1"]);
        let ok = message("SIP/2.0 200 OK", "z1", ";tag=b");
        assert_eq!(told(&ok, Side::Phone, true), ["one", "a", "b", "z1"]);
        let late = message("SIP/2.0 200 OK", "z1", ";tag=b");
        assert_eq!(told(&late, Side::Phone, false), ["one", "b", "a", "z1"]);
        let reinvite = message("INVITE sip:y@example.com SIP/2.0", "z9", ";tag=b");
        assert_eq!(told(&reinvite, Side::Browser, false), ["one", "a", "b", ""]);
        let ack = message("ACK sip:y@example.com SIP/2.0", "z9", ";tag=b");
        assert_eq!(told(&ack, Side::Browser, true), ["one", "b", "a", ""]);
    }

    #[test]
    fn a_call_that_passes_again_is_another_call_there() {
        assert_eq!(named(&key(b"one", b"a", 0)), (b"one".to_vec(), b"a".to_vec()));
        assert_eq!(named(&key(b"one", b"a", 2)), (b"one#2".to_vec(), b"a".to_vec()));
    }

    #[test]
    fn the_codec_is_the_first_one_of_the_answer() {
        assert_eq!(codec_of(SDP.as_bytes()), Some("opus"));
        assert_eq!(codec_of(b"v=0\r\nm=audio 4000 RTP/AVP 8 96\r\n"), Some("PCMA"));
        assert_eq!(codec_of(b"v=0\r\nm=audio 0 RTP/AVP 8\r\n"), None);
    }

    #[test]
    fn silence_of_a_side_is_told_at_the_end() {
        let known = Known { browser_tag: b"a".to_vec(), phone_tag: b"b".to_vec(), ..Known::default() };
        let leg =
            |tag: &[u8], packets| rtpengine::LegFigures { tag: tag.to_vec(), packets, ..Default::default() };
        for (browser, phone, cause) in [
            (9, 9, None),
            (0, 9, Some(MediaCause::NoneFromBrowser)),
            (9, 0, Some(MediaCause::NoneFromPhone)),
            (0, 0, Some(MediaCause::NoneAtAll)),
        ] {
            let figures = CallFigures { legs: vec![leg(b"a", browser), leg(b"b", phone)] };
            let report = report(&known, Instant::ZERO, Instant::from_secs(3), &figures);
            assert_eq!(report.cause, cause);
            assert_eq!(report.phone.sent.packets, browser, "what came from the browser went to the phone");
        }
    }
}
