//! The rounds of offer and answer: what an offer becomes on the other leg, and what an answer makes of it
//! (RFC 3264 §5, §6, §8).

use super::description::{self, Keys, Live};
use super::formats::{self, Entry, Taken};
use super::leg::{Leg, Stream};
use super::section::{Section, Written};
use super::{Side, browser_end, phone_end, retransmission};
use crate::{
    BrowserTransport, Cause, Codec, DtlsRole, EventPair, Feedback, Format, Kind, Negotiated, PhoneSecurity,
    PhoneTransport, PhoneTransports, Plan, RemoteBrowser, RemotePhone, RetransmissionFormat, StreamPlan,
};
use sdp::{Direction, Profile};

/// Our ends of both legs.
pub(super) struct Ends<'a> {
    pub(super) browser: &'a BrowserTransport,
    pub(super) phone: &'a PhoneTransports,
    pub(super) transcoding: bool,
}

impl Ends<'_> {
    const fn phone(&self, kind: Kind) -> Option<&PhoneTransport> {
        match kind {
            Kind::Audio => Some(&self.phone.audio),
            Kind::Video => self.phone.video.as_ref(),
        }
    }
}

/// All that a conversation has come to. An offer or answer works on a copy, which takes its place if it holds.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) browser: Leg,
    pub(super) phone: Leg,
    pub(super) streams: [Stream; 2],
    pub(super) role: Option<DtlsRole>,
    pub(super) remote: Option<RemoteBrowser>,
    pub(super) exchange: Option<Exchange>,
    pub(super) plan: Option<Plan>,
    /// The canonical name (RFC 7022) and stream name that we show to the browser.
    pub(super) name: String,
}

/// One round, open or done.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) offerer: Side,
    pub(super) answered: bool,
    written: Written,
    offered: Vec<Offered>,
}

/// A section of the offer that went to the other side.
#[derive(Clone, Debug)]
struct Offered {
    kind: Kind,
    section: Section,
    entries: Vec<Entry>,
    /// What our offer to a phone said.
    security: PhoneSecurity,
    mux: bool,
}

/// A section that both sides want.
struct Agreed<'a> {
    offered: &'a Offered,
    answer: &'a Section,
    taken: Vec<Taken>,
    events: Vec<EventPair>,
    /// What the answer says, from the answerer's side.
    direction: Direction,
    security: Negotiated,
    /// Of the phone's `a=crypto` line, where it offered.
    tag: u32,
    mux: bool,
}

impl State {
    const fn leg(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::Browser => &mut self.browser,
            Side::Phone => &mut self.phone,
        }
    }

    const fn stream(&mut self, kind: Kind) -> &mut Stream {
        let [audio, video] = &mut self.streams;
        match kind {
            Kind::Audio => audio,
            Kind::Video => video,
        }
    }

    /// Takes an offer of one side; returns ours for the other.
    pub(super) fn offer(&mut self, from: Side, text: &[u8], ends: &Ends<'_>) -> Result<Vec<u8>, Cause> {
        let written = Written::read(text, from)?;
        let chosen = self.choose(&written, from, ends)?;
        if from == Side::Browser {
            self.meet(&written, &chosen)?;
        }
        self.leg(from).follow(&written);
        let to = from.other();
        let mut offered = Vec::new();
        for (index, section) in &chosen {
            let Some(kind) = section.kind else { continue };
            self.stream(kind).place(from, *index);
            if self.stream(kind).slot(to).is_none() {
                let place = self.leg(to).open(kind);
                self.stream(kind).place(to, place);
            }
            let entries =
                formats::entries(kind, &section.formats, to, ends.transcoding, &mut self.leg(to).known);
            let (security, mux) = self.phone_offer(kind, ends);
            offered.push(Offered { kind, section: (*section).clone(), entries, security, mux });
        }
        let description = self.write_offer(to, &offered, ends);
        self.exchange = Some(Exchange { offerer: from, answered: false, written, offered });
        Ok(description)
    }

    /// The section of each kind that is relayed: the one that was, else the first that can be.
    fn choose<'a>(
        &mut self,
        written: &'a Written,
        from: Side,
        ends: &Ends<'_>,
    ) -> Result<Vec<(usize, &'a Section)>, Cause> {
        let mut chosen: Vec<(usize, &Section)> = Vec::new();
        let mut refusal = None;
        for kind in [Kind::Audio, Kind::Video] {
            let bound = self.stream(kind).slot(from);
            let live = || {
                written
                    .sections
                    .iter()
                    .enumerate()
                    .filter(|(_, section)| section.live && section.kind == Some(kind))
            };
            let mut candidates = live()
                .filter(|(index, _)| Some(*index) == bound)
                .chain(live().filter(|(index, _)| Some(*index) != bound));
            let found = candidates.find(|(_, section)| match usable(written, section, kind, from, ends) {
                Ok(()) => true,
                Err(cause) => {
                    refusal.get_or_insert(cause);
                    false
                }
            });
            match found {
                // One transport carries everything of a browser.
                Some((_, video))
                    if from == Side::Browser
                        && chosen.first().is_some_and(|(_, audio)| !written.together(audio, video)) => {}
                Some(found) => chosen.push(found),
                // A call whose sound cannot be relayed is no call, whatever its pictures.
                None if kind == Kind::Audio && refusal.is_some() => break,
                None => {}
            }
        }
        let withdrawn = !written.sections.is_empty() && written.sections.iter().all(|section| !section.live);
        match refusal {
            Some(cause) if chosen.is_empty() => Err(cause),
            None if chosen.is_empty() && !withdrawn => Err(Cause::SdpNothingToRelay),
            _ => Ok(chosen),
        }
    }

    /// Notes who the browser is, and fixes our DTLS role: once for each of its certificates (RFC 8842 §5.5).
    fn meet(&mut self, written: &Written, chosen: &[(usize, &Section)]) -> Result<(), Cause> {
        let rank =
            |section: &Section| written.bundle.iter().position(|mid| section.mid.as_ref() == Some(mid));
        let Some((_, first)) =
            chosen.iter().min_by_key(|(index, section)| (rank(section).unwrap_or(usize::MAX), *index))
        else {
            return Ok(());
        };
        let remote = written.browser_of(first)?;
        let same = self.remote.as_ref().is_some_and(|known| known.fingerprint == remote.fingerprint);
        if !same || self.role.is_none() {
            self.role = Some(browser_end::our_role(remote.setup));
        }
        self.remote = Some(remote);
        Ok(())
    }

    /// What our offers to the phone say of protection and muxing: what is in force, else what we can do.
    fn phone_offer(&mut self, kind: Kind, ends: &Ends<'_>) -> (PhoneSecurity, bool) {
        let ours = ends.phone(kind).map_or(PhoneSecurity::Plain, |transport| transport.security.clone());
        let stream = self.stream(kind);
        let Some((settled, mux)) = stream.settled.clone() else { return (ours, false) };
        let protocol =
            stream.phone.and_then(|slot| self.phone.slots.get(slot)).map(|slot| slot.protocol.as_slice());
        let secured = protocol.map(Profile::from_protocol) == Some(Profile::Sdes);
        let security = match settled {
            Negotiated::Plain => PhoneSecurity::Plain,
            Negotiated::Sdes { ours, .. } if secured => PhoneSecurity::Sdes(vec![ours]),
            Negotiated::Sdes { ours, .. } => PhoneSecurity::Opportunistic(vec![ours]),
        };
        (security, mux)
    }

    fn write_offer(&mut self, to: Side, offered: &[Offered], ends: &Ends<'_>) -> Vec<u8> {
        let mut live = Vec::new();
        for one in offered {
            let stream = self.stream(one.kind).clone();
            let Some(slot) = stream.slot(to) else { continue };
            if to == Side::Browser {
                self.browser.revive(slot);
            }
            if let (Side::Phone, Some(place)) = (to, self.phone.slots.get_mut(slot)) {
                let protocol = phone_end::protocol(&one.security).as_bytes();
                // A phone of RTP/AVPF stays one.
                if Profile::from_protocol(&place.protocol) != Profile::from_protocol(protocol) {
                    place.protocol = protocol.to_vec();
                }
            }
            let formats = distinct(one.entries.iter().map(|entry| entry.ours.clone()));
            let retransmissions = match (to, one.kind) {
                (Side::Browser, Kind::Video) => retransmission::offered(&mut self.browser, &formats),
                _ => Vec::new(),
            };
            let section = Live {
                kind: one.kind,
                slot,
                formats,
                direction: one.section.direction,
                packet_time: one.section.packet_time,
                bandwidth: one.section.bandwidth,
                feedback: feedback(to, TERMINATED),
                reduced_size: to == Side::Browser,
                ssrc: stream.ssrc,
                retransmissions,
                retransmission_ssrc: stream.retransmission_ssrc,
            };
            live.push((one, section));
        }
        match to {
            Side::Browser => {
                let live: Vec<Live> = live.into_iter().map(|(_, live)| live).collect();
                let bundle: Vec<usize> = live.iter().map(|live| live.slot).collect();
                let leg = &mut self.browser;
                description::for_browser(leg, &live, usize::MAX, &bundle, ends.browser, None, &self.name)
            }
            Side::Phone => {
                let live = live.into_iter().filter_map(|(one, live)| {
                    let transport =
                        PhoneTransport { security: one.security.clone(), ..ends.phone(one.kind)?.clone() };
                    Some((live, transport, Keys::Offer { mux: one.mux }))
                });
                let live: Vec<_> = live.collect();
                description::for_phone(&mut self.phone, &live, usize::MAX, ends.phone.audio.address)
            }
        }
    }

    /// Takes the answer of one side to the last offer of the other; returns ours for the offerer.
    pub(super) fn answer(&mut self, from: Side, text: &[u8], ends: &Ends<'_>) -> Result<Vec<u8>, Cause> {
        let Some(mut exchange) = self.exchange.clone().filter(|exchange| exchange.offerer != from) else {
            return Err(Cause::SdpUnexpectedAnswer);
        };
        let written = Written::read(text, from)?;
        let places = self.leg(from).slots.len();
        // Fewer sections than offered are taken for refused ones: some phones leave those out.
        if written.sections.len() > places || (written.sections.is_empty() && places > 0) {
            return Err(Cause::SdpAnswerMismatch);
        }
        if from == Side::Browser {
            for (slot, section) in self.browser.slots.iter_mut().zip(&written.sections) {
                slot.dead |= !section.live;
            }
        }
        let mut agreed = Vec::new();
        for offered in &exchange.offered {
            agreed.extend(self.agree(from, offered, &written, ends)?);
        }
        if from == Side::Browser {
            let chosen: Vec<_> = agreed.iter().map(|agreed| (0, agreed.answer)).collect();
            self.meet(&written, &chosen)?;
        }
        for one in &agreed {
            let phone = if from == Side::Phone { one.answer } else { &one.offered.section };
            let stream = self.stream(one.offered.kind);
            stream.settled = Some((one.security.clone(), one.mux));
            stream.addresses = match phone.phone.addresses {
                None if phone.phone.zero_address => stream.addresses,
                written => written,
            };
        }
        let description = self.write_answer(&exchange, &agreed, ends);
        self.plan = self.make_plan(exchange.offerer, &agreed);
        exchange.answered = true;
        self.exchange = Some(exchange);
        Ok(description)
    }

    /// What the answer makes of one offered section. `None`: it was refused.
    fn agree<'a>(
        &mut self,
        from: Side,
        offered: &'a Offered,
        written: &'a Written,
        ends: &Ends<'_>,
    ) -> Result<Option<Agreed<'a>>, Cause> {
        let slot = self.stream(offered.kind).slot(from);
        let Some(answer) = slot.and_then(|slot| written.sections.get(slot)) else { return Ok(None) };
        if answer.kind != Some(offered.kind) {
            return Err(Cause::SdpAnswerMismatch);
        }
        if !answer.live {
            return Ok(None);
        }
        let (security, tag, mux) = match from {
            Side::Browser => {
                browser_profile(answer)?;
                written.browser_of(answer)?;
                let end = &offered.section.phone;
                let ours =
                    ends.phone(offered.kind).map_or(&PhoneSecurity::Plain, |transport| &transport.security);
                let (security, tag) = phone_end::answer(offered.section.profile, end, ours)?;
                (security, tag, end.mux)
            }
            Side::Phone => {
                let security = phone_end::agreed(answer.profile, &answer.phone, &offered.security)?;
                (security, 0, offered.mux && answer.phone.mux)
            }
        };
        let taken = formats::taken(&offered.entries, &answer.formats);
        if !taken.iter().any(|taken| taken.answer.codec.is_media()) {
            return match offered.kind {
                Kind::Audio => {
                    Err(no_common_codec(from, answer.names.clone(), offered.section.names.clone()))
                }
                // A call with sound alone is better than none.
                Kind::Video => Ok(None),
            };
        }
        let events = formats::events(
            from.other(),
            &offered.section.formats,
            &offered.entries,
            &answer.formats,
            &taken,
        );
        let direction = answer.direction.answering(offered.section.direction);
        Ok(Some(Agreed { offered, answer, taken, events, direction, security, tag, mux }))
    }

    fn write_answer(&mut self, exchange: &Exchange, agreed: &[Agreed<'_>], ends: &Ends<'_>) -> Vec<u8> {
        let to = exchange.offerer;
        // RFC 3264 §6: as many sections as the offer. Some leave out those that are gone, though §8 forbids it.
        let places = exchange.written.sections.len();
        let mut live = Vec::new();
        for one in agreed {
            let stream = self.stream(one.offered.kind).clone();
            let Some(slot) = stream.slot(to) else { continue };
            let offer = &one.offered.section;
            let section = Live {
                kind: one.offered.kind,
                slot,
                formats: answered_formats(to, one),
                direction: one.direction,
                packet_time: one.answer.packet_time,
                bandwidth: one.answer.bandwidth,
                feedback: feedback(to, common(TERMINATED, offer.feedback)),
                reduced_size: to == Side::Browser && offer.reduced_size,
                ssrc: stream.ssrc,
                retransmissions: if to == Side::Browser {
                    retransmissions(to, one, offer)
                } else {
                    Vec::new()
                },
                retransmission_ssrc: stream.retransmission_ssrc,
            };
            live.push((one, section));
        }
        match to {
            Side::Browser => {
                let rank = |live: &Live| {
                    let mid = self.browser.slots.get(live.slot).and_then(|slot| slot.mid.as_ref());
                    exchange.written.bundle.iter().position(|bundled| mid == Some(bundled))
                };
                let live: Vec<Live> = live.into_iter().map(|(_, live)| live).collect();
                // RFC 9143 §7.3: the group of the answer is part of that of the offer, in its order.
                let mut bundle: Vec<(usize, usize)> =
                    live.iter().filter_map(|live| Some((rank(live)?, live.slot))).collect();
                bundle.sort_unstable();
                let bundle: Vec<usize> = bundle.into_iter().map(|(_, slot)| slot).collect();
                description::for_browser(
                    &mut self.browser,
                    &live,
                    places,
                    &bundle,
                    ends.browser,
                    self.role,
                    &self.name,
                )
            }
            Side::Phone => {
                let live = live.into_iter().filter_map(|(one, live)| {
                    let keys = Keys::Answer { security: one.security.clone(), tag: one.tag, mux: one.mux };
                    Some((live, ends.phone(one.offered.kind)?.clone(), keys))
                });
                let live: Vec<_> = live.collect();
                description::for_phone(&mut self.phone, &live, places, ends.phone.audio.address)
            }
        }
    }

    fn make_plan(&mut self, offerer: Side, agreed: &[Agreed<'_>]) -> Option<Plan> {
        let mut streams = Vec::new();
        for one in agreed {
            let (browser, phone) = match offerer {
                Side::Browser => (&one.offered.section, one.answer),
                Side::Phone => (one.answer, &one.offered.section),
            };
            let stream = self.stream(one.offered.kind).clone();
            let (browser_index, phone_index) = (stream.browser?, stream.phone?);
            let mid = self.browser.slots.get(browser_index).and_then(|slot| slot.mid.as_deref());
            let remote_phone = stream.addresses.map(|(rtp, rtcp)| RemotePhone {
                rtp,
                rtcp: if one.mux { rtp } else { rtcp },
                mux: one.mux,
                security: one.security.clone(),
            });
            let (from_offerer, to_offerer) = (one.direction.receives(), one.direction.sends());
            let (browser_to_phone, phone_to_browser) = match offerer {
                Side::Browser => (from_offerer, to_offerer),
                Side::Phone => (to_offerer, from_offerer),
            };
            streams.push(StreamPlan {
                kind: one.offered.kind,
                mid: mid.map(|mid| String::from_utf8_lossy(mid).into_owned()).unwrap_or_default(),
                browser_index,
                phone_index,
                pairs: one.taken.iter().map(|taken| formats::pair(offerer, taken)).collect(),
                events: one.events.clone(),
                browser_to_phone,
                phone_to_browser,
                remote_phone,
                ssrc: stream.ssrc,
                browser_ssrcs: browser.sources.clone(),
                retransmission: retransmission::agreed(
                    retransmissions(offerer, one, browser),
                    stream.retransmission_ssrc,
                    &browser.repaired,
                ),
                browser_feedback: common(TERMINATED, browser.feedback),
                phone_feedback: feedback(Side::Phone, phone.feedback),
                phone_packet_time: phone.packet_time,
                phone_bandwidth: phone.bandwidth,
            });
        }
        Some(Plan { streams, browser: self.remote.clone()?, role: self.role? })
    }
}

/// The RTCP feedback that ends at the gateway.
const TERMINATED: Feedback = Feedback { nack: true, pli: true, fir: true, remb: true };

const fn common(one: Feedback, other: Feedback) -> Feedback {
    Feedback {
        nack: one.nack && other.nack,
        pli: one.pli && other.pli,
        fir: one.fir && other.fir,
        remb: one.remb && other.remb,
    }
}

/// The feedback that a section of a leg may have. RFC 4585 §4.2 wants another profile for it; phones write and heed
/// it under `RTP/AVP`, and whoever does not ignores it.
const fn feedback(side: Side, wanted: Feedback) -> Feedback {
    match side {
        Side::Browser => wanted,
        Side::Phone => Feedback { nack: false, remb: false, ..wanted },
    }
}

/// The retransmission formats of the browser's section that go with what was taken.
fn retransmissions(offerer: Side, agreed: &Agreed<'_>, browser: &Section) -> Vec<RetransmissionFormat> {
    if agreed.offered.kind == Kind::Audio {
        return Vec::new();
    }
    let numbers: Vec<u8> = agreed.taken.iter().map(|taken| formats::pair(offerer, taken).browser).collect();
    retransmission::of(&browser.retransmissions, &numbers)
}

/// The formats of our answer: those taken, as the offerer numbered them, then the events that go with them.
fn answered_formats(to: Side, agreed: &Agreed<'_>) -> Vec<Format> {
    let event = |pair: &EventPair| {
        let number = if to == Side::Browser { pair.browser } else { pair.phone };
        let mut formats = agreed.offered.section.formats.iter();
        let offered =
            formats.find(|format| format.payload_type == number && format.codec == Codec::TelephoneEvent)?;
        let parameters =
            if offered.parameters.is_empty() { b"0-16".to_vec() } else { offered.parameters.clone() };
        Some(Format { parameters, ..offered.clone() })
    };
    let taken = agreed.taken.iter().map(formats::answered);
    distinct(taken.chain(agreed.events.iter().filter_map(event)))
}

fn distinct(formats: impl Iterator<Item = Format>) -> Vec<Format> {
    let mut distinct: Vec<Format> = Vec::new();
    for format in formats {
        if !distinct.iter().any(|known| known.payload_type == format.payload_type) {
            distinct.push(format);
        }
    }
    distinct
}

/// Whether a section of an offer can be relayed.
fn usable(
    written: &Written,
    section: &Section,
    kind: Kind,
    from: Side,
    ends: &Ends<'_>,
) -> Result<(), Cause> {
    let transport = ends.phone(kind).ok_or(Cause::SdpNothingToRelay)?;
    match from {
        Side::Browser => {
            browser_profile(section)?;
            written.browser_of(section)?;
        }
        Side::Phone => {
            phone_end::speakable(section.profile)?;
            phone_end::answer(section.profile, &section.phone, &transport.security)?;
        }
    }
    let relayable =
        section.formats.iter().any(|format| format.codec.is_media() && format.codec.kind() == Some(kind));
    if relayable {
        Ok(())
    } else {
        Err(no_common_codec(from, section.names.clone(), formats::relayed_names(kind)))
    }
}

fn no_common_codec(from: Side, theirs: Vec<String>, others: Vec<String>) -> Cause {
    match from {
        Side::Browser => Cause::SdpNoCommonCodec { browser: theirs, phone: others },
        Side::Phone => Cause::SdpNoCommonCodec { browser: others, phone: theirs },
    }
}

/// A browser speaks DTLS-SRTP. Old libraries write `RTP/SAVPF` for it; RFC 8829 §5.1.2 asks to take that.
fn browser_profile(section: &Section) -> Result<(), Cause> {
    match section.profile {
        Profile::Dtls | Profile::Sdes => Ok(()),
        _ => Err(Cause::SdpProfileMismatch {
            needed: "UDP/TLS/RTP/SAVPF".to_owned(),
            found: super::text::shown(&section.protocol),
        }),
    }
}
