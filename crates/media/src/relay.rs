//! One direction of a stream: whatever its sources do, the receiver sees one continuous stream.
//!
//! Payload types are mapped, header extensions and contributing sources are gone, and when the source changes (a
//! transfer, music on hold, another branch, silence that we filled) sequence numbers and timestamps go on where they
//! were, with the marker set.

use crate::rtp::{self, Packet};
use crate::transcoding::Transcoder;
use crate::{Codec, StreamPlan};
use sip::{Entropy, Instant};
use std::borrow::Cow;
use std::time::Duration;

/// Packets of a source that was replaced are stragglers for this long; afterwards it is a new source.
const STRAGGLERS: Duration = Duration::from_millis(300);
/// The least time between the last packet of one source and the first of the next.
const FRAME: Duration = Duration::from_millis(20);
/// How many sequence numbers back the relay remembers which were used.
const WINDOW: u64 = 128;
/// A stream begins at one of these. Not near the wrap: a receiver of SRTP must see the first turn begin (RFC 3711 §3.3.1).
const FIRST: u64 = 0x3fff;

/// What becomes of one payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    from: u8,
    to: u8,
    clock_in: u32,
    clock_out: u32,
    event: bool,
    /// It starts no talkspurt: comfort noise comes and goes beside a codec, and with pictures the marker ends a frame.
    quiet: bool,
    /// From which codec into which, where they differ.
    transcoded: Option<(Codec, Codec)>,
}

impl Mapping {
    /// The clock of its timestamps as they arrive.
    pub(crate) const fn clock(&self) -> u32 {
        self.clock_in
    }

    /// Whether it is that of telephone events.
    pub(crate) const fn is_event(&self) -> bool {
        self.event
    }
}

/// What becomes of each payload type in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table(Vec<Mapping>);

impl Table {
    /// From the browser to the phone.
    pub(crate) fn to_phone(plan: &StreamPlan) -> Self {
        let codecs = plan.pairs.iter().map(|pair| Mapping {
            from: pair.browser,
            to: pair.phone,
            clock_in: pair.clock,
            clock_out: pair.phone_clock,
            event: false,
            quiet: !starts_talkspurt(pair.codec),
            transcoded: (pair.codec != pair.phone_codec).then_some((pair.codec, pair.phone_codec)),
        });
        let events = plan.events.iter().map(|pair| Mapping {
            from: pair.browser,
            to: pair.phone,
            clock_in: pair.browser_clock,
            clock_out: pair.phone_clock,
            event: true,
            quiet: false,
            transcoded: None,
        });
        Self(codecs.chain(events).collect())
    }

    /// From the phone to the browser: what we announced to the phone, then what it announced itself, which it may
    /// send as well (RFC 3264 §6.1).
    pub(crate) fn to_browser(plan: &StreamPlan) -> Self {
        let mut table = Self::default();
        for phone_sends in [true, false] {
            for pair in &plan.pairs {
                table.add(Mapping {
                    from: if phone_sends { pair.phone_sends } else { pair.phone },
                    to: pair.browser,
                    clock_in: pair.phone_clock,
                    clock_out: pair.clock,
                    event: false,
                    quiet: !starts_talkspurt(pair.codec),
                    transcoded: (pair.codec != pair.phone_codec).then_some((pair.phone_codec, pair.codec)),
                });
            }
            for pair in &plan.events {
                table.add(Mapping {
                    from: if phone_sends { pair.phone_sends } else { pair.phone },
                    to: pair.browser,
                    clock_in: pair.phone_clock,
                    clock_out: pair.browser_clock,
                    event: true,
                    quiet: false,
                    transcoded: None,
                });
            }
        }
        table
    }

    /// Adds a mapping unless its payload type is taken.
    fn add(&mut self, mapping: Mapping) {
        if self.find(mapping.from).is_none() {
            self.0.push(mapping);
        }
    }

    /// What becomes of this payload type.
    pub(crate) fn find(&self, payload_type: u8) -> Option<&Mapping> {
        self.0.iter().find(|mapping| mapping.from == payload_type)
    }
}

/// Whether its first packet has the marker (RFC 3551 §4.1).
const fn starts_talkspurt(codec: Codec) -> bool {
    !matches!(codec, Codec::ComfortNoise | Codec::Vp8 | Codec::H264)
}

/// Where a packet comes from: the leg, and the source on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) leg: u64,
    pub(crate) ssrc: u32,
}

/// A packet on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing<'p> {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    /// Counted on over wraps: SRTP needs it.
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    /// The clock of the timestamp.
    pub(crate) clock: u32,
    pub(crate) payload: Cow<'p, [u8]>,
}

/// How the present source's numbers become ours.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    source: Source,
    /// The highest sequence number that arrived, counted on over wraps.
    highest: u64,
    /// What to add to it, modulo 2^64.
    sequence: u64,
    /// What to add to timestamps.
    timestamp: u32,
    /// The sequence number that was sent last before this source: all of its packets come after.
    floor: u64,
}

/// An event whose clock is not that of the other side: all its packets carry the timestamp of its beginning.
#[derive(Clone, Copy, Debug)]
struct EventStart {
    arrived: u32,
    sent: u32,
}

/// One direction of a stream.
#[derive(Debug)]
pub(crate) struct Relay {
    sequence: u64,
    timestamp: u32,
    at: Option<Instant>,
    /// Which of the last sequence numbers were sent; bit 0 is the last. Under SRTP no number may be used twice.
    used: u128,
    anchor: Option<Anchor>,
    replaced: Option<(Source, Instant)>,
    event: Option<EventStart>,
    /// The latest timestamp of a transcoded stream, as it arrived and as it was sent.
    scale: Option<(u32, u32)>,
    transcoder: Option<Transcoder>,
    /// The timestamp with which the source's last event arrived.
    last_event: Option<u32>,
}

impl Relay {
    /// A stream that begins at random numbers (RFC 3550 §5.1).
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        let random = entropy.number();
        Self {
            sequence: (random & FIRST).saturating_add(1),
            timestamp: u32::try_from(random >> 32).unwrap_or(0),
            at: None,
            used: 0,
            anchor: None,
            replaced: None,
            event: None,
            scale: None,
            transcoder: None,
            last_event: None,
        }
    }

    /// Turns an arrived packet into one to send; `None` when it is to be dropped.
    pub(crate) fn forward<'p>(
        &mut self,
        now: Instant,
        source: Source,
        packet: &Packet<'p>,
        table: &Table,
    ) -> Option<Outgoing<'p>> {
        if let Some((replaced, at)) = self.replaced
            && replaced == source
            && now.saturating_since(at) < STRAGGLERS
        {
            return None;
        }
        let Some(mapping) = table.find(packet.payload_type) else {
            self.skip(source, packet.sequence);
            return None;
        };
        let known = self
            .anchor
            .filter(|anchor| anchor.source == source)
            .and_then(|anchor| Some((anchor, rtp::extend(anchor.highest, packet.sequence)?)));
        let (mut anchor, arrived, fresh) = match known {
            Some((anchor, arrived)) => (anchor, arrived, false),
            None => {
                let anchor = self.anchored(now, source, packet, mapping.clock_out);
                (anchor, anchor.highest, true)
            }
        };
        anchor.highest = anchor.highest.max(arrived);
        let sequence = arrived.wrapping_add(anchor.sequence);
        let floor = anchor.floor;
        self.anchor = Some(anchor);
        if sequence <= floor || !self.claim(sequence) {
            return None;
        }
        let timestamp = self.timestamp(now, packet, mapping, anchor.timestamp);
        if sequence == self.sequence {
            self.timestamp = timestamp;
            self.at = Some(now);
        }
        let payload = match mapping.transcoded {
            Some((from, to)) => Cow::Owned(self.transcode(from, to, packet.payload)?),
            None => payload(packet.payload, mapping),
        };
        let marker = packet.marker && !(mapping.event && self.goes_on(packet))
            || fresh && !mapping.event && !mapping.quiet;
        Some(Outgoing {
            marker,
            payload_type: mapping.to,
            sequence,
            timestamp,
            clock: mapping.clock_out,
            payload,
        })
    }

    fn transcode(&mut self, from: Codec, to: Codec, payload: &[u8]) -> Option<Vec<u8>> {
        if !self.transcoder.as_ref().is_some_and(|transcoder| transcoder.is_between(from, to)) {
            self.transcoder = Transcoder::between(from, to);
        }
        self.transcoder.as_mut()?.convert(payload)
    }

    /// What is sent from now on is protected by a new association or key, whose first turn of sequence numbers is its own: on
    /// neither side it knows how many there were before (RFC 3711 §3.3.1).
    pub(crate) const fn begin_turns(&mut self) {
        self.sequence = (self.sequence & FIRST).saturating_add(1);
        self.used = 0;
        self.anchor = None;
    }

    /// A packet of our own making, `duration` after the last one at least: silence. The next of a source is anchored
    /// anew.
    pub(crate) fn fill<'p>(
        &mut self,
        now: Instant,
        payload_type: u8,
        clock: u32,
        payload: &'p [u8],
    ) -> Outgoing<'p> {
        self.timestamp = self.next_timestamp(now, clock);
        self.at = Some(now);
        self.anchor = None;
        let sequence = self.sequence.saturating_add(1);
        self.claim(sequence);
        Outgoing {
            marker: false,
            payload_type,
            sequence,
            timestamp: self.timestamp,
            clock,
            payload: Cow::Borrowed(payload),
        }
    }

    /// An event of our own making begins: the timestamp of all its packets (RFC 4733 §2.2.1). What comes after it is
    /// anchored anew.
    pub(crate) fn begin_event(&mut self, now: Instant, clock: u32) -> u32 {
        self.timestamp = self.next_timestamp(now, clock);
        self.at = Some(now);
        self.anchor = None;
        self.timestamp
    }

    /// A packet of an event of our own making: the timestamp is that of its beginning, and its clock.
    pub(crate) fn event<'p>(
        &mut self,
        payload_type: u8,
        marker: bool,
        (timestamp, clock): (u32, u32),
        payload: Cow<'p, [u8]>,
    ) -> Outgoing<'p> {
        let sequence = self.sequence.saturating_add(1);
        self.claim(sequence);
        Outgoing { marker, payload_type, sequence, timestamp, clock, payload }
    }

    /// A packet is held back: what comes after it goes on where the stream stopped.
    pub(crate) const fn pause(&mut self) {
        self.anchor = None;
    }

    /// Whether an event's packet is not its first. Only the first has the marker (RFC 4733 §2.2.2): Chromium sets it
    /// on all three packets that end a short event, which some phones take for three keys.
    fn goes_on(&mut self, packet: &Packet<'_>) -> bool {
        self.last_event.replace(packet.timestamp) == Some(packet.timestamp)
    }

    /// The timestamp that was sent last, and when.
    pub(crate) fn last(&self) -> Option<(u32, Instant)> {
        self.at.map(|at| (self.timestamp, at))
    }

    /// A packet that is not relayed leaves no gap.
    fn skip(&mut self, source: Source, sequence: u16) {
        if let Some(anchor) = &mut self.anchor
            && anchor.source == source
            && rtp::extend(anchor.highest, sequence) == anchor.highest.checked_add(1)
        {
            anchor.highest = anchor.highest.wrapping_add(1);
            anchor.sequence = anchor.sequence.wrapping_sub(1);
        }
    }

    fn anchored(&mut self, now: Instant, source: Source, packet: &Packet<'_>, clock: u32) -> Anchor {
        if let Some(before) = self.anchor.map(|anchor| anchor.source).filter(|before| *before != source) {
            self.replaced = Some((before, now));
        }
        self.event = None;
        self.scale = None;
        self.last_event = None;
        // One turn ahead, so that a packet from before the first has a number too.
        let highest = u64::from(packet.sequence).saturating_add(1 << 16);
        Anchor {
            source,
            highest,
            sequence: self.sequence.wrapping_add(1).wrapping_sub(highest),
            timestamp: self.next_timestamp(now, clock).wrapping_sub(packet.timestamp),
            floor: self.sequence,
        }
    }

    fn next_timestamp(&self, now: Instant, clock: u32) -> u32 {
        let Some(at) = self.at else { return self.timestamp };
        let span = now.saturating_since(at).max(FRAME);
        self.timestamp.wrapping_add(rtp::ticks(u64::try_from(span.as_micros()).unwrap_or(0), clock))
    }

    /// Marks a sequence number as used; false when it was used before, or lies too far back to know.
    fn claim(&mut self, sequence: u64) -> bool {
        if let Some(ahead) = sequence.checked_sub(self.sequence).filter(|ahead| *ahead > 0) {
            self.used = if ahead < WINDOW { self.used << ahead | 1 } else { 1 };
            self.sequence = sequence;
            return true;
        }
        let behind = self.sequence.saturating_sub(sequence);
        if behind >= WINDOW || self.used & (1 << behind) != 0 {
            return false;
        }
        self.used |= 1 << behind;
        true
    }

    fn timestamp(&mut self, now: Instant, packet: &Packet<'_>, mapping: &Mapping, offset: u32) -> u32 {
        if mapping.clock_in == mapping.clock_out {
            return packet.timestamp.wrapping_add(offset);
        }
        if mapping.transcoded.is_some() {
            return self.scaled(now, packet, mapping);
        }
        if let Some(event) = self.event
            && event.arrived == packet.timestamp
        {
            return event.sent;
        }
        let sent = self.next_timestamp(now, mapping.clock_out);
        self.event = Some(EventStart { arrived: packet.timestamp, sent });
        sent
    }

    /// The timestamp in ticks of the other side's clock: as far from the last as it was when it arrived.
    fn scaled(&mut self, now: Instant, packet: &Packet<'_>, mapping: &Mapping) -> u32 {
        let Some((arrived, sent)) = self.scale else {
            let sent = self.next_timestamp(now, mapping.clock_out);
            self.scale = Some((packet.timestamp, sent));
            return sent;
        };
        let ahead = i64::from(packet.timestamp.wrapping_sub(arrived).cast_signed());
        let ticks = ahead * i64::from(mapping.clock_out) / i64::from(mapping.clock_in.max(1));
        let timestamp = sent.wrapping_add(ticks as u32);
        if ahead > 0 {
            self.scale = Some((packet.timestamp, timestamp));
        }
        timestamp
    }
}

/// The payload as the other side reads it: the duration of an event is in ticks of its clock (RFC 4733 §2.3.5).
fn payload<'p>(payload: &'p [u8], mapping: &Mapping) -> Cow<'p, [u8]> {
    if !mapping.event || mapping.clock_in == mapping.clock_out || mapping.clock_in == 0 {
        return Cow::Borrowed(payload);
    }
    let mut converted = payload.to_vec();
    for event in converted.chunks_exact_mut(4) {
        if let [_, _, high, low] = event {
            let ticks = u64::from(u16::from_be_bytes([*high, *low]));
            let ticks = ticks.saturating_mul(u64::from(mapping.clock_out)) / u64::from(mapping.clock_in);
            [*high, *low] = u16::try_from(ticks).unwrap_or(u16::MAX).to_be_bytes();
        }
    }
    Cow::Owned(converted)
}

/// Twenty milliseconds of silence, or what comes nearest to it, in the first format that has it.
pub(crate) fn silence(plan: &StreamPlan) -> Option<(u8, u32, &'static [u8])> {
    // RFC 3389 §3: one octet, the level in -dBov.
    const NOISE: &[u8] = &[0x7f];
    const PCMU: &[u8] = &[0xff; 160];
    const PCMA: &[u8] = &[0xd5; 160];
    // An Opus frame without sound (RFC 6716 §3.1: CELT, 20 ms, one frame).
    const OPUS: &[u8] = &[0xf8, 0xff, 0xfe];
    // The smallest step of both bands: a decoder comes to rest on it within a few milliseconds. Zeros are loud here.
    const G722: &[u8] = &[0xff; 160];
    let main = plan.pairs.iter().find(|pair| pair.codec != Codec::ComfortNoise)?;
    let noise =
        plan.pairs.iter().find(|pair| pair.codec == Codec::ComfortNoise && pair.clock == main.phone_clock);
    if let Some(noise) = noise {
        return Some((noise.phone, noise.clock, NOISE));
    }
    let payload = match main.phone_codec {
        Codec::Pcmu => PCMU,
        Codec::Pcma => PCMA,
        Codec::Opus => OPUS,
        Codec::G722 => G722,
        // Nothing is the silence of any codec (RFC 6263 §4.1): enough to keep a path open.
        _ => &[],
    };
    Some((main.phone, main.phone_clock, payload))
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
