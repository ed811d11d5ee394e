//! RTP packets: the header (RFC 3550 §5.1), and what a receiver counts (appendix A).

use crate::report::{ReceptionFigures, Traffic};
use sip::Instant;
use std::time::Duration;

/// Octets of a header without contributing sources and extensions.
pub(crate) const HEADER: usize = 12;
/// RFC 3550 §A.1: a larger step forward is a restart of the source, not a loss.
const MAX_DROPOUT: i16 = 3000;
/// RFC 3550 §A.1: a larger step backward likewise.
const MAX_MISORDER: i16 = 100;

/// A received packet. Contributing sources, header extensions and padding are left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'p> {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: &'p [u8],
}

impl<'p> Packet<'p> {
    /// Reads a packet; `None` when it is none.
    pub(crate) fn parse(bytes: &'p [u8]) -> Option<Self> {
        let (&[first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3], rest) =
            bytes.split_first_chunk::<HEADER>()?;
        if first >> 6 != 2 {
            return None;
        }
        let mut payload = rest.get(usize::from(first & 0x0f).checked_mul(4)?..)?;
        if first & 0x10 != 0 {
            let (&[_, _, l0, l1], after) = payload.split_first_chunk::<4>()?;
            payload = after.get(usize::from(u16::from_be_bytes([l0, l1])).checked_mul(4)?..)?;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*payload.last()?);
            if padding == 0 {
                return None;
            }
            payload = payload.get(..payload.len().checked_sub(padding)?)?;
        }
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            payload,
        })
    }

    /// Reads a packet of which nothing but the fixed header may be readable, as under SRTP: all after it counts as payload.
    pub(crate) fn protected(bytes: &'p [u8]) -> Option<Self> {
        let (header, payload) = bytes.split_first_chunk::<HEADER>()?;
        let mut plain = *header;
        plain[0] &= 0xc0;
        let read = Packet::parse(&plain)?;
        let Packet { marker, payload_type, sequence, timestamp, ssrc, .. } = read;
        Some(Self { marker, payload_type, sequence, timestamp, ssrc, payload })
    }

    /// Writes it with a plain header.
    pub(crate) fn write(&self) -> Vec<u8> {
        // With room for its protection.
        let length = HEADER.saturating_add(self.payload.len()).saturating_add(srtp::OVERHEAD);
        let mut bytes = Vec::with_capacity(length);
        bytes.push(0x80);
        bytes.push(self.payload_type & 0x7f | if self.marker { 0x80 } else { 0 });
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&self.ssrc.to_be_bytes());
        bytes.extend_from_slice(self.payload);
        bytes
    }
}

/// The synchronisation source of an RTP packet, protected or not: this part of the header is never encrypted.
pub(crate) fn ssrc(bytes: &[u8]) -> Option<u32> {
    bytes.get(8..HEADER).and_then(|field| field.try_into().ok()).map(u32::from_be_bytes)
}

/// Who writes an RTCP packet, protected or not: this part of it is never encrypted (RFC 3711 §3.4).
pub(crate) fn reporter(bytes: &[u8]) -> Option<u32> {
    bytes.get(4..8).and_then(|field| field.try_into().ok()).map(u32::from_be_bytes)
}

/// Whether a datagram on a muxed port is RTCP (RFC 5761 §4).
pub(crate) fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|second| (192..=223).contains(second))
}

/// The 64-bit sequence number nearest to `highest` whose low half is `sequence`; `None` when it is so far that the
/// source must have started anew.
pub(crate) fn extend(highest: u64, sequence: u16) -> Option<u64> {
    let low = u16::try_from(highest & 0xffff).unwrap_or(0);
    let step = sequence.wrapping_sub(low).cast_signed();
    if (-MAX_MISORDER..=MAX_DROPOUT).contains(&step) {
        highest.checked_add_signed(i64::from(step))
    } else {
        None
    }
}

/// What RFC 3550 §6.4.1 asks a receiver to report of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) ssrc: u32,
    pub(crate) fraction: u8,
    pub(crate) lost: u32,
    pub(crate) highest: u32,
    pub(crate) jitter: u32,
}

/// Counts what arrives on a leg, over all its sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reception {
    source: Option<Counted>,
    total: Traffic,
    lost_before: u64,
    jitter: Duration,
}

/// The present source.
#[derive(Clone, Debug)]
struct Counted {
    ssrc: u32,
    first: u64,
    highest: u64,
    packets: u64,
    transit: Option<u32>,
    /// RFC 3550 §A.8: sixteen times the jitter, in timestamp units.
    jitter: u32,
    clock: u32,
    expected_before: u64,
    packets_before: u64,
}

impl Reception {
    /// Counts a packet. `clock` is that of its payload type; 0 when its timestamp says nothing of its time.
    pub(crate) fn record(&mut self, now: Instant, packet: &Packet<'_>, clock: u32) {
        self.total.packets = self.total.packets.saturating_add(1);
        self.total.octets =
            self.total.octets.saturating_add(u64::try_from(packet.payload.len()).unwrap_or(0));
        let known = self
            .source
            .as_mut()
            .filter(|source| source.ssrc == packet.ssrc)
            .and_then(|source| Some((extend(source.highest, packet.sequence)?, source)));
        match known {
            Some((sequence, source)) => {
                source.highest = source.highest.max(sequence);
                source.packets = source.packets.saturating_add(1);
                source.time(now, packet.timestamp, clock);
            }
            None => {
                self.lost_before = self.lost();
                // One cycle ahead, so that a packet from before the first has a number too.
                let first = u64::from(packet.sequence).saturating_add(1 << 16);
                let mut source = Counted {
                    ssrc: packet.ssrc,
                    first,
                    highest: first,
                    packets: 1,
                    transit: None,
                    jitter: 0,
                    clock,
                    expected_before: 0,
                    packets_before: 0,
                };
                source.time(now, packet.timestamp, clock);
                self.source = Some(source);
            }
        }
        if let Some(source) = &self.source
            && source.clock > 0
        {
            let micros = u64::from(source.jitter / 16).saturating_mul(1_000_000) / u64::from(source.clock);
            self.jitter = Duration::from_micros(micros);
        }
    }

    /// The present source.
    pub(crate) fn source(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    fn lost(&self) -> u64 {
        let present =
            self.source.as_ref().map_or(0, |source| source.expected().saturating_sub(source.packets));
        self.lost_before.saturating_add(present)
    }

    /// What was counted so far.
    pub(crate) fn figures(&self) -> ReceptionFigures {
        ReceptionFigures { traffic: self.total, lost: self.lost(), jitter: self.jitter }
    }

    /// The block about the present source, and a new interval for its fraction of loss (RFC 3550 §A.3).
    pub(crate) fn block(&mut self) -> Option<Block> {
        let source = self.source.as_mut()?;
        let expected = source.expected();
        let expected_now = expected.saturating_sub(source.expected_before);
        let lost_now = expected_now.saturating_sub(source.packets.saturating_sub(source.packets_before));
        source.expected_before = expected;
        source.packets_before = source.packets;
        let fraction = lost_now.saturating_mul(256).checked_div(expected_now).unwrap_or(0).min(255);
        let lost = expected.saturating_sub(source.packets).min(0x007f_ffff);
        Some(Block {
            ssrc: source.ssrc,
            fraction: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: u32::try_from(lost).unwrap_or(0),
            highest: u32::try_from(source.highest.saturating_sub(1 << 16) & 0xffff_ffff).unwrap_or(0),
            jitter: source.jitter / 16,
        })
    }
}

impl Counted {
    const fn expected(&self) -> u64 {
        self.highest.saturating_sub(self.first).saturating_add(1)
    }

    /// RFC 3550 §A.8.
    fn time(&mut self, now: Instant, timestamp: u32, clock: u32) {
        if clock == 0 {
            return;
        }
        let arrival = ticks(now.as_micros(), clock);
        let transit = arrival.wrapping_sub(timestamp);
        if self.clock == clock
            && let Some(before) = self.transit
        {
            let step = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            // A step of more than ten seconds is a jump of the source's clock, not jitter.
            if step < clock.saturating_mul(10) {
                self.jitter =
                    self.jitter.saturating_add(step).saturating_sub(self.jitter.saturating_add(8) >> 4);
            }
        }
        self.clock = clock;
        self.transit = Some(transit);
    }
}

/// Microseconds as ticks of a clock, modulo 2^32 as timestamps are.
pub(crate) fn ticks(micros: u64, clock: u32) -> u32 {
    let ticks = u128::from(micros).wrapping_mul(u128::from(clock)) / 1_000_000;
    u32::try_from(ticks & 0xffff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, timestamp: u32) -> Packet<'static> {
        Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc: 7, payload: b"sound" }
    }

    #[test]
    fn what_is_written_is_read() {
        let packet = Packet { marker: true, ..packet(65535, 4_000_000_000) };
        assert_eq!(Packet::parse(&packet.write()), Some(packet));
    }

    #[test]
    fn contributing_sources_extensions_and_padding_are_left_behind() {
        let mut bytes = packet(1, 160).write();
        bytes.truncate(HEADER);
        bytes[0] = 0x80 | 0x20 | 0x10 | 1;
        bytes.extend_from_slice(&[9, 9, 9, 9]); // a contributing source
        bytes.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 1, 0, 0]); // an extension of one word
        bytes.extend_from_slice(b"sound\0\0\x03");
        assert_eq!(Packet::parse(&bytes), Some(packet(1, 160)));
    }

    #[test]
    fn what_lies_about_its_lengths_is_no_packet() {
        let good = packet(1, 1).write();
        for cut in 0..HEADER {
            assert_eq!(Packet::parse(&good[..cut]), None);
        }
        for (first, tail) in
            [(0x8f, &b"ab"[..]), (0x90, b"\xbe\xde\0\x09abcd"), (0xa0, b"ab\x09"), (0xa0, b"a\0")]
        {
            let mut bytes = good[..HEADER].to_vec();
            bytes[0] = first;
            bytes.extend_from_slice(tail);
            assert_eq!(Packet::parse(&bytes), None, "{first:x}");
        }
        assert_eq!(Packet::parse(&[0x40; 20]), None, "another version");
    }

    #[test]
    fn losses_are_counted_over_the_wrap_of_the_sequence() {
        let mut reception = Reception::default();
        for (index, sequence) in [65533u16, 65534, 65535, 1, 2].into_iter().enumerate() {
            let at = Instant::from_millis(1000 + 20 * index as u64);
            reception.record(at, &packet(sequence, 160 * index as u32), 8000);
        }
        let figures = reception.figures();
        assert_eq!((figures.traffic.packets, figures.lost), (5, 1), "number 0 is missing");
        let block = reception.block().expect("a source");
        assert_eq!((block.lost, block.fraction), (1, 42), "one of six");
        assert_eq!(reception.block().expect("a source").fraction, 0, "nothing was lost since");
    }

    #[test]
    fn a_late_packet_is_jitter_and_an_even_stream_has_none() {
        let mut reception = Reception::default();
        for index in 0..50u32 {
            reception.record(
                Instant::from_millis(5000 + 20 * u64::from(index)),
                &packet(index as u16, 160 * index),
                8000,
            );
        }
        assert_eq!(reception.figures().jitter, Duration::ZERO);
        reception.record(Instant::from_millis(5000 + 20 * 50 + 32), &packet(50, 160 * 50), 8000);
        assert_eq!(reception.figures().jitter, Duration::from_millis(2), "a sixteenth of 32 ms");
    }

    #[test]
    fn a_source_that_starts_anew_loses_nothing() {
        let mut reception = Reception::default();
        reception.record(Instant::from_millis(1), &packet(10, 1), 8000);
        reception.record(Instant::from_millis(2), &packet(40000, 9), 8000);
        assert_eq!(reception.figures().lost, 0);
    }
}
