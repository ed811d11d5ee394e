//! Formats: reading them, choosing those that can be relayed, numbering them toward the other side, and
//! matching an answer with its offer (RFC 3264 §6.1, RFC 3551 §6).

use super::Side;
use super::h264::{self, Configuration};
use super::text::shown;
use super::transcoded::transcoded;
use crate::{Codec, EventPair, Format, FormatPair, Kind};
use sdp::MediaSection;

/// Longer parameters than these are left out: no codec that is relayed has any.
const LONGEST_PARAMETERS: usize = 400;
/// The most formats that are read of a section: each is looked up in all its lines.
pub(super) const MOST_FORMATS: usize = 64;
/// The most H.264 configurations that are offered: one for each packetization mode, in an INVITE that must
/// fit into one packet.
const MOST_H264: usize = 2;

/// Codecs with fixed payload types (RFC 3551 §6). The names of those that are not relayed are for the log.
const STATIC: [(u8, &str, Codec, u32); 9] = [
    (0, "PCMU", Codec::Pcmu, 8000),
    (8, "PCMA", Codec::Pcma, 8000),
    (9, "G722", Codec::G722, 8000),
    (13, "CN", Codec::ComfortNoise, 8000),
    (3, "GSM", Codec::Other, 8000),
    (4, "G723", Codec::Other, 8000),
    (18, "G729", Codec::Other, 8000),
    (31, "H261", Codec::Other, 90_000),
    (34, "H263", Codec::Other, 90_000),
];

/// A format as the offerer wrote it and as we offer it to the other side.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) theirs: Format,
    pub(super) ours: Format,
}

/// An [`Entry`] that the other side took, and how it wrote it.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) entry: Entry,
    pub(super) answer: Format,
}

impl Taken {
    fn is_transcoded(&self) -> bool {
        self.entry.theirs.codec != self.answer.codec
    }
}

impl Codec {
    /// The encoding name of `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::ComfortNoise => "CN",
            Self::TelephoneEvent => "telephone-event",
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
            Self::Other => "",
        }
    }

    fn from_name(name: &[u8]) -> Self {
        [
            Self::Opus,
            Self::G722,
            Self::Pcmu,
            Self::Pcma,
            Self::ComfortNoise,
            Self::TelephoneEvent,
            Self::Vp8,
            Self::H264,
        ]
        .into_iter()
        .find(|codec| codec.name().as_bytes().eq_ignore_ascii_case(name))
        .unwrap_or(Self::Other)
    }

    /// Whether a call can live on it alone: neither comfort noise nor events.
    #[must_use]
    pub const fn is_media(self) -> bool {
        !matches!(self, Self::ComfortNoise | Self::TelephoneEvent | Self::Other)
    }

    pub(super) const fn kind(self) -> Option<Kind> {
        match self {
            Self::Vp8 | Self::H264 => Some(Kind::Video),
            Self::Other => None,
            _ => Some(Kind::Audio),
        }
    }
}

/// The value of an attribute that begins with this payload type: `a=rtpmap:111 ...`.
fn mapped<'a>(section: &MediaSection<'a>, attribute: &[u8], payload_type: u8) -> Option<&'a [u8]> {
    section.attributes(attribute).find_map(|value| {
        let space = value.iter().position(|octet| *octet == b' ')?;
        (number::<u8>(value.get(..space)?)? == payload_type).then(|| value.get(space + 1..))?
    })
}

pub(super) fn number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

/// The formats of a section in their order.
pub(super) fn read(section: &MediaSection<'_>) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    let numbers =
        section.formats().take(MOST_FORMATS).filter_map(number::<u8>).filter(|number| *number < 128);
    for payload_type in numbers {
        if formats.iter().any(|known| known.payload_type == payload_type) {
            continue;
        }
        let (codec, clock, channels) = match mapped(section, b"rtpmap", payload_type) {
            Some(encoding) => encoding_of(encoding),
            None => STATIC
                .iter()
                .find(|(known, ..)| *known == payload_type)
                .map_or((Codec::Other, 0, 1), |(_, _, codec, clock)| (*codec, *clock, 1)),
        };
        let parameters = mapped(section, b"fmtp", payload_type).map(<[u8]>::trim_ascii);
        let parameters =
            parameters.filter(|text| text.len() <= LONGEST_PARAMETERS).unwrap_or_default().to_vec();
        formats.push(Format { payload_type, codec, clock, channels, parameters });
    }
    formats
}

fn encoding_of(encoding: &[u8]) -> (Codec, u32, u8) {
    let mut fields = encoding.trim_ascii().split(|octet| *octet == b'/');
    let codec = Codec::from_name(fields.next().unwrap_or_default());
    let clock = fields.next().and_then(number).unwrap_or(0);
    let channels = fields.next().and_then(number).unwrap_or(1);
    match (codec, clock) {
        // RFC 7587 §7: always written 48000/2; some phones leave out the channels.
        (Codec::Opus, 48_000) => (codec, clock, 2),
        // RFC 3551 §4.5.2: written 8000; some phones write what it is.
        (Codec::G722, 8000 | 16_000) => (codec, 8000, 1),
        (Codec::Pcmu | Codec::Pcma | Codec::ComfortNoise, 8000) if channels == 1 => (codec, clock, 1),
        (Codec::TelephoneEvent, 8000 | 16_000 | 32_000 | 48_000) => (codec, clock, 1),
        (Codec::Vp8 | Codec::H264, 90_000) => (codec, clock, 1),
        _ => (Codec::Other, clock, channels),
    }
}

/// The names of a section's codecs, for a cause.
pub(super) fn names(section: &MediaSection<'_>) -> Vec<String> {
    const MOST: usize = 16;
    let mut names: Vec<String> = Vec::new();
    for format in section.formats().take(MOST_FORMATS) {
        let payload_type = number::<u8>(format);
        let encoding = payload_type.and_then(|number| mapped(section, b"rtpmap", number));
        let fixed = STATIC.iter().find(|(known, ..)| Some(*known) == payload_type);
        let name = match (encoding, fixed) {
            (Some(encoding), _) => encoding_name(encoding),
            (None, Some((_, name, ..))) => (*name).to_owned(),
            (None, None) => shown(format),
        };
        if names.len() < MOST && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The name alone, but the whole encoding where only its clock or channels are in the way: `PCMU/16000`.
fn encoding_name(encoding: &[u8]) -> String {
    let name = encoding.split(|octet| *octet == b'/').next().unwrap_or_default();
    let odd = Codec::from_name(name) != Codec::Other && encoding_of(encoding).0 == Codec::Other;
    shown(if odd { encoding } else { name })
}

/// The names of the codecs that the gateway relays.
pub(super) fn relayed_names(kind: Kind) -> Vec<String> {
    let codecs: &[Codec] = match kind {
        Kind::Audio => &[Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma],
        Kind::Video => &[Codec::Vp8, Codec::H264],
    };
    codecs.iter().map(|codec| codec.name().to_owned()).collect()
}

/// Whether two formats are the same thing under perhaps different numbers.
fn same(one: &Format, other: &Format) -> bool {
    one.codec != Codec::Other
        && one.codec == other.codec
        && one.clock == other.clock
        && (one.codec != Codec::H264
            || Configuration::read(&one.parameters).same(&Configuration::read(&other.parameters)))
}

/// The formats of an offer that can be relayed, each once, in the offerer's order. Empty when there is no codec
/// among them.
fn relayable(kind: Kind, formats: &[Format]) -> Vec<Format> {
    let mut chosen: Vec<Format> = Vec::new();
    for format in formats.iter().filter(|format| format.codec.kind() == Some(kind)) {
        let repeated = chosen.iter().any(|known| same(known, format) || alike(known, format));
        let many = format.codec == Codec::H264
            && chosen.iter().filter(|known| known.codec == Codec::H264).count() >= MOST_H264;
        if !repeated && !many {
            chosen.push(format.clone());
        }
    }
    if !chosen.iter().any(|format| format.codec.is_media()) {
        chosen.clear();
    }
    chosen
}

/// What of an offer goes to the other side `to`, with the numbers that it gets there. `known` are the payload
/// types of that leg: a number once given keeps its meaning for the whole call (RFC 3264 §8.3.2).
/// With `transcoding`, what the gateway can make of it is offered as well, last.
pub(super) fn entries(
    kind: Kind,
    offer: &[Format],
    to: Side,
    transcoding: bool,
    known: &mut Vec<Format>,
) -> Vec<Entry> {
    let chosen = relayable(kind, offer);
    let converted = if transcoding { transcoded(&chosen) } else { Vec::new() };
    let offered = chosen.iter().chain(converted.iter().map(|(_, ours)| ours));
    let clocks = clocks(offered.filter(|format| format.codec.is_media()));
    let mut entries = Vec::new();
    for theirs in chosen.iter().filter(|format| format.codec != Codec::TelephoneEvent) {
        let mut ours = theirs.clone();
        if theirs.codec == Codec::H264 && to == Side::Browser {
            ours.parameters = h264::offer_to_browser(&theirs.parameters);
        }
        entries.extend(numbered(theirs, ours, known));
    }
    for (theirs, ours) in converted {
        entries.extend(numbered(&theirs, ours, known));
    }
    let events: Vec<&Format> = chosen.iter().filter(|format| format.codec == Codec::TelephoneEvent).collect();
    let mut wanted = clocks;
    if !wanted.contains(&8000) {
        // Phones with Opus often have events at 8 kHz only, and Firefox never has others.
        wanted.push(8000);
    }
    for clock in wanted {
        // RFC 4733 §2.1: events have the clock of the codec they go with; the relay converts where a side has
        // them at another one only.
        let converted = if to == Side::Browser || clock == 8000 { events.first() } else { None };
        let Some(theirs) = events.iter().find(|event| event.clock == clock).or(converted) else { continue };
        let parameters =
            if theirs.parameters.is_empty() { b"0-16".to_vec() } else { theirs.parameters.clone() };
        entries.extend(numbered(theirs, Format { clock, parameters, ..(*theirs).clone() }, known));
    }
    entries
}

fn clocks<'a>(formats: impl Iterator<Item = &'a Format>) -> Vec<u32> {
    let mut clocks = Vec::new();
    for format in formats {
        if !clocks.contains(&format.clock) {
            clocks.push(format.clock);
        }
    }
    clocks
}

/// Gives a format its number on a leg: the one it has had, as `theirs` was written or else as `ours` would be,
/// or its own, or a free one. `None` when there is none left.
fn numbered(theirs: &Format, mut ours: Format, known: &mut Vec<Format>) -> Option<Entry> {
    let free = |number: u8| !known.iter().any(|format| format.payload_type == number);
    let as_written = known.iter().find(|format| theirs.clock == ours.clock && same(format, theirs));
    let as_written = as_written.filter(|_| theirs.codec == ours.codec);
    match as_written.or_else(|| known.iter().find(|format| same(format, &ours))) {
        Some(format) => {
            ours.payload_type = format.payload_type;
            if ours.codec == Codec::H264 {
                // The spelling that the leg has for this profile.
                ours.parameters = h264::answer(&format.parameters, &theirs.parameters);
            }
        }
        None if free(ours.payload_type) => {}
        None => ours.payload_type = (96..128).find(|number| free(*number))?,
    }
    remember(known, &ours);
    Some(Entry { theirs: theirs.clone(), ours })
}

/// Notes what a number means on a leg.
pub(super) fn remember(known: &mut Vec<Format>, format: &Format) {
    known.retain(|older| older.payload_type != format.payload_type);
    known.push(format.clone());
}

/// What an answer took of our offer, in the answerer's order; events are left to [`events`].
pub(super) fn taken(entries: &[Entry], answer: &[Format]) -> Vec<Taken> {
    let mut taken: Vec<Taken> = Vec::new();
    for format in answer.iter().filter(|format| format.codec != Codec::TelephoneEvent) {
        let free = |entry: &&Entry| {
            !taken.iter().any(|taken| taken.entry.ours.payload_type == entry.ours.payload_type)
        };
        let numbered = |entry: &&Entry| entry.ours.payload_type == format.payload_type;
        let found = entries
            .iter()
            .filter(free)
            .find(|entry| numbered(entry) && same(&entry.ours, format))
            .or_else(|| entries.iter().filter(free).find(|entry| same(&entry.ours, format)))
            .or_else(|| entries.iter().filter(free).find(|entry| alike(&entry.ours, format)));
        if let Some(entry) = found {
            taken.push(Taken { entry: entry.clone(), answer: format.clone() });
        }
    }
    // Transcoding costs sound and time: only where nothing else is common.
    if taken.iter().any(|taken| taken.answer.codec.is_media() && !taken.is_transcoded()) {
        taken.retain(|taken| !taken.is_transcoded());
    }
    taken
}

/// H.264 that is not the same to the letter, but will work.
fn alike(ours: &Format, answer: &Format) -> bool {
    if ours.codec != Codec::H264 || answer.codec != Codec::H264 {
        return false;
    }
    // An answer that repeats the number and says nothing takes what was offered.
    let silent = answer.parameters.is_empty() && ours.payload_type == answer.payload_type;
    silent || Configuration::read(&ours.parameters).alike(&Configuration::read(&answer.parameters))
}

/// The format with which the offerer is answered.
pub(super) fn answered(taken: &Taken) -> Format {
    let theirs = &taken.entry.theirs;
    let parameters = match theirs.codec {
        Codec::H264 => h264::answer(&theirs.parameters, &taken.answer.parameters),
        codec if codec != taken.answer.codec => Vec::new(),
        _ => taken.answer.parameters.clone(),
    };
    Format { parameters, ..theirs.clone() }
}

/// The pair of an accepted format.
pub(super) fn pair(offerer: Side, taken: &Taken) -> FormatPair {
    let Taken { entry: Entry { theirs, ours }, answer } = taken;
    let (browser, phone, phone_sends) = match offerer {
        Side::Browser => (theirs, answer, ours),
        Side::Phone => (answer, theirs, theirs),
    };
    FormatPair {
        codec: browser.codec,
        phone_codec: phone.codec,
        clock: browser.clock,
        phone_clock: phone.clock,
        channels: theirs.channels,
        browser: browser.payload_type,
        phone: phone.payload_type,
        phone_sends: phone_sends.payload_type,
        browser_parameters: browser.parameters.clone(),
    }
}

/// The events to relay: one for each clock that the accepted codecs have on the browser's side, or the only one that a
/// side has for all of them.
pub(super) fn events(
    offerer: Side,
    offer: &[Format],
    entries: &[Entry],
    answer: &[Format],
    taken: &[Taken],
) -> Vec<EventPair> {
    let is_event = |format: &&Format| format.codec == Codec::TelephoneEvent;
    let on_browser = |taken: &'_ Taken| match offerer {
        Side::Browser => taken.entry.theirs.clone(),
        Side::Phone => taken.answer.clone(),
    };
    let media: Vec<Format> = taken.iter().map(on_browser).filter(|format| format.codec.is_media()).collect();
    let clocks = clocks(media.iter());
    let at = |formats: &[Format], clock: u32| {
        let mut events = formats.iter().filter(is_event);
        events.clone().find(|event| event.clock == clock).or_else(|| events.next()).cloned()
    };
    let pair_at = |clock: u32| {
        let entry = |wanted: u32| {
            entries
                .iter()
                .find(|entry| entry.ours.codec == Codec::TelephoneEvent && entry.ours.clock == wanted)
        };
        match offerer {
            Side::Browser => {
                let (browser, phone) = (at(offer, clock)?, at(answer, clock)?);
                let phone_sends =
                    entry(phone.clock).map_or(phone.payload_type, |entry| entry.ours.payload_type);
                Some((browser, phone, phone_sends))
            }
            Side::Phone => {
                let browser = at(answer, clock)?;
                let phone = entry(browser.clock)?.theirs.clone();
                let phone_sends = phone.payload_type;
                Some((browser, phone, phone_sends))
            }
        }
    };
    let mut pairs: Vec<EventPair> = Vec::new();
    for (browser, phone, phone_sends) in clocks.into_iter().filter_map(pair_at) {
        let pair = EventPair {
            browser: browser.payload_type,
            browser_clock: browser.clock,
            phone: phone.payload_type,
            phone_sends,
            phone_clock: phone.clock,
        };
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}
