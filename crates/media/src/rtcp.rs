//! RTCP toward a phone (RFC 3550 §6): what we report, and what we read of what it reports.

use crate::rtp::Block;
use sip::Instant;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const PAYLOAD_FEEDBACK: u8 = 206;
/// The first way to ask for a whole picture, of H.261 (RFC 2032 §5.2.1). Some phones still have no other.
const OLD_INTRA_REQUEST: u8 = 192;
/// RFC 4585 §6.3.1
const PICTURE_LOSS: u8 = 1;
/// RFC 5104 §4.3.1
const FULL_INTRA_REQUEST: u8 = 4;
/// Seconds between the epochs of NTP (1900) and Unix (1970).
const NTP_OFFSET: u64 = 2_208_988_800;

/// A moment as NTP writes it: seconds since 1900, and the fraction in 2^-32 seconds.
pub(crate) fn ntp(now: Instant) -> u64 {
    let seconds = now.as_secs().wrapping_add(NTP_OFFSET);
    let fraction = ((now.as_micros() % 1_000_000) << 32) / 1_000_000;
    (seconds << 32) | fraction
}

/// The middle half of an NTP time: what reports use for round trips.
pub(crate) fn middle(ntp: u64) -> u32 {
    u32::try_from((ntp >> 16) & 0xffff_ffff).unwrap_or(0)
}

/// What a sender says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) timestamp: u32,
    pub(crate) packets: u64,
    pub(crate) octets: u64,
}

/// The last sender report that arrived, for the block about its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastReport {
    /// Its middle NTP half; 0 when none came.
    pub(crate) middle: u32,
    /// The time since, in 2^-16 seconds.
    pub(crate) delay: u32,
}

/// A compound of a report and our name (RFC 3550 §6.1): a sender report when something was sent.
pub(crate) fn report(
    now: Instant,
    ssrc: u32,
    name: &str,
    sent: Option<Sent>,
    block: Option<(Block, LastReport)>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    let count = u8::from(block.is_some());
    packet(&mut out, count, if sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT }, |out| {
        out.extend_from_slice(&ssrc.to_be_bytes());
        if let Some(sent) = sent {
            out.extend_from_slice(&ntp(now).to_be_bytes());
            out.extend_from_slice(&sent.timestamp.to_be_bytes());
            out.extend_from_slice(&low_word(sent.packets).to_be_bytes());
            out.extend_from_slice(&low_word(sent.octets).to_be_bytes());
        }
        if let Some((block, last)) = block {
            out.extend_from_slice(&block.ssrc.to_be_bytes());
            out.extend_from_slice(
                &(u32::from(block.fraction) << 24 | block.lost & 0x00ff_ffff).to_be_bytes(),
            );
            out.extend_from_slice(&block.highest.to_be_bytes());
            out.extend_from_slice(&block.jitter.to_be_bytes());
            out.extend_from_slice(&last.middle.to_be_bytes());
            out.extend_from_slice(&last.delay.to_be_bytes());
        }
    });
    describe(&mut out, ssrc, name);
    out
}

/// Our canonical name (RFC 3550 §6.5.1).
fn describe(out: &mut Vec<u8>, ssrc: u32, name: &str) {
    packet(out, 1, DESCRIPTION, |out| {
        out.extend_from_slice(&ssrc.to_be_bytes());
        let name = name.as_bytes().get(..name.len().min(255)).unwrap_or_default();
        out.push(1); // CNAME
        out.push(u8::try_from(name.len()).unwrap_or(0));
        out.extend_from_slice(name);
        // The list ends with a zero octet at least, and on a word.
        out.push(0);
        while out.len() % 4 != 0 {
            out.push(0);
        }
    });
}

/// How to ask for a whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PictureRequest {
    /// Picture loss indication (RFC 4585 §6.3.1).
    Loss,
    /// Full intra request, with a number that grows for each (RFC 5104 §4.3.1).
    Intra(u8),
}

/// An empty report, our name, and a request for a whole picture of this source.
pub(crate) fn ask_picture(ssrc: u32, name: &str, of: u32, request: PictureRequest) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    packet(&mut out, 0, RECEIVER_REPORT, |out| out.extend_from_slice(&ssrc.to_be_bytes()));
    describe(&mut out, ssrc, name);
    let format = match request {
        PictureRequest::Loss => PICTURE_LOSS,
        PictureRequest::Intra(_) => FULL_INTRA_REQUEST,
    };
    packet(&mut out, format, PAYLOAD_FEEDBACK, |out| {
        out.extend_from_slice(&ssrc.to_be_bytes());
        match request {
            PictureRequest::Loss => out.extend_from_slice(&of.to_be_bytes()),
            PictureRequest::Intra(number) => {
                // The source is named in the entry alone (RFC 5104 §4.3.1.2).
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&of.to_be_bytes());
                out.extend_from_slice(&[number, 0, 0, 0]);
            }
        }
    });
    out
}

/// An empty report and a goodbye (RFC 3550 §6.6).
pub(crate) fn goodbye(ssrc: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    packet(&mut out, 0, RECEIVER_REPORT, |out| out.extend_from_slice(&ssrc.to_be_bytes()));
    packet(&mut out, 1, BYE, |out| out.extend_from_slice(&ssrc.to_be_bytes()));
    out
}

fn low_word(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or(0)
}

/// One packet of a compound; the body starts on a word, so that padding may be counted from the whole.
fn packet(out: &mut Vec<u8>, count: u8, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0x80 | count & 0x1f, kind, 0, 0]);
    body(out);
    let words = out.len().saturating_sub(start) / 4;
    let length = u16::try_from(words.saturating_sub(1)).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(field) = out.get_mut(start.saturating_add(2)..start.saturating_add(4)) {
        field.copy_from_slice(&length);
    }
}

/// What a phone's compound says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The NTP time of its sender report.
    pub(crate) sender: Option<u64>,
    /// What it says of our stream.
    pub(crate) about_us: Option<AboutUs>,
    /// It says goodbye.
    pub(crate) bye: bool,
    /// It wants a whole picture of us.
    pub(crate) picture_wanted: bool,
}

/// What a phone says of our stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AboutUs {
    pub(crate) lost: u32,
    /// The middle NTP half of the last report that it had of us; 0 when none.
    pub(crate) last: u32,
    /// The time since, in 2^-16 seconds.
    pub(crate) delay: u32,
}

/// Reads a compound; what is not understood is skipped. `None` when it is no RTCP at all.
pub(crate) fn read(bytes: &[u8], our_ssrc: u32) -> Option<Heard> {
    let mut heard = Heard::default();
    let mut rest = bytes;
    let mut packets = 0u32;
    while let Some((&[first, kind, l0, l1], after)) = rest.split_first_chunk::<4>() {
        if first >> 6 != 2 || !(192..=223).contains(&kind) {
            break;
        }
        let length = usize::from(u16::from_be_bytes([l0, l1])).saturating_mul(4);
        let Some(body) = after.get(..length) else { break };
        packets = packets.saturating_add(1);
        match kind {
            SENDER_REPORT => {
                heard.sender = word(body, 4)
                    .zip(word(body, 8))
                    .map(|(high, low)| u64::from(high) << 32 | u64::from(low));
                blocks(body.get(24..).unwrap_or_default(), first & 0x1f, our_ssrc, &mut heard);
            }
            RECEIVER_REPORT => blocks(body.get(4..).unwrap_or_default(), first & 0x1f, our_ssrc, &mut heard),
            BYE => heard.bye = true,
            OLD_INTRA_REQUEST => heard.picture_wanted |= word(body, 0) == Some(our_ssrc),
            PAYLOAD_FEEDBACK if first & 0x1f == PICTURE_LOSS => {
                heard.picture_wanted |= word(body, 4) == Some(our_ssrc);
            }
            PAYLOAD_FEEDBACK if first & 0x1f == FULL_INTRA_REQUEST => {
                let mut entries = body.get(8..).unwrap_or_default().chunks_exact(8);
                heard.picture_wanted |= entries.any(|entry| word(entry, 0) == Some(our_ssrc));
            }
            _ => {}
        }
        rest = after.get(length..).unwrap_or_default();
    }
    (packets > 0).then_some(heard)
}

fn blocks(bytes: &[u8], count: u8, our_ssrc: u32, heard: &mut Heard) {
    for block in bytes.chunks_exact(24).take(usize::from(count)) {
        if word(block, 0) == Some(our_ssrc) {
            heard.about_us = Some(AboutUs {
                lost: word(block, 4).unwrap_or(0) & 0x00ff_ffff,
                last: word(block, 16).unwrap_or(0),
                delay: word(block, 20).unwrap_or(0),
            });
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Block = Block { ssrc: 2, fraction: 25, lost: 3, highest: 70000, jitter: 8 };

    #[test]
    fn a_report_is_a_compound_that_begins_with_a_report_and_names_us() {
        let now = Instant::from_secs(1_700_000_000);
        let sent = Sent { timestamp: 160, packets: 5, octets: 800 };
        let bytes = report(now, 1, "name", Some(sent), Some((BLOCK, LastReport { middle: 9, delay: 65536 })));
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(bytes[1], SENDER_REPORT);
        assert_eq!(usize::from(bytes[3]), 12, "the words of the first packet, less one");
        assert_eq!(bytes[53], DESCRIPTION);
        let heard = read(&bytes, 2).expect("RTCP");
        assert_eq!(heard.sender, Some(ntp(now)));
        assert_eq!(heard.about_us, Some(AboutUs { lost: 3, last: 9, delay: 65536 }));
        assert!(!heard.bye);
        assert_eq!(read(&bytes, 3).expect("RTCP").about_us, None, "about somebody else");
    }

    #[test]
    fn who_sends_nothing_is_a_receiver() {
        let bytes = report(Instant::from_secs(1), 1, "name", None, None);
        assert_eq!(bytes[1], RECEIVER_REPORT);
        assert_eq!(read(&bytes, 1).expect("RTCP").sender, None);
    }

    #[test]
    fn a_goodbye_is_heard() {
        assert!(read(&goodbye(1), 2).expect("RTCP").bye);
    }

    #[test]
    fn every_way_to_ask_for_a_picture_is_heard_by_whom_it_concerns() {
        let old = [0x80, OLD_INTRA_REQUEST, 0, 1, 0, 0, 0, 2].to_vec();
        let loss = ask_picture(1, "name", 2, PictureRequest::Loss);
        let intra = ask_picture(1, "name", 2, PictureRequest::Intra(9));
        for bytes in [old, loss, intra] {
            assert_eq!(bytes.len() % 4, 0);
            assert!(read(&bytes, 2).expect("RTCP").picture_wanted, "{bytes:02x?}");
            assert!(!read(&bytes, 3).expect("RTCP").picture_wanted, "{bytes:02x?}");
        }
    }

    #[test]
    fn whatever_is_cut_off_or_false_is_survived() {
        let bytes = report(Instant::from_secs(1), 1, "name", None, Some((BLOCK, LastReport::default())));
        for cut in 0..bytes.len() {
            let _ = read(&bytes[..cut], 2);
        }
        assert_eq!(read(b"\x80\x00\x00\x00", 2), None);
        assert_eq!(read(&[0xff; 64], 2), None);
    }
}
