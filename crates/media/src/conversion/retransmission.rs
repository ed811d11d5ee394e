//! Retransmission toward a browser (RFC 4588): formats of their own under a source of their own. It ends at the
//! gateway; phones are never offered any.

use super::formats::{self, number};
use super::leg::Leg;
use super::text::Text;
use crate::{Codec, Format, Retransmission, RetransmissionFormat};
use sdp::MediaSection;

/// The retransmission formats of a section, in its order (RFC 4588 §8.1: `apt` says of which format).
pub(super) fn read(section: &MediaSection<'_>) -> Vec<RetransmissionFormat> {
    let listed: Vec<u8> = section.formats().filter_map(number::<u8>).collect();
    let parameters = |wanted: u8| {
        let mut parameters = section.attributes(b"fmtp").filter_map(numbered);
        parameters.find(|(payload_type, _)| *payload_type == wanted).map(|(_, parameters)| parameters)
    };
    let format = |value| {
        let (payload_type, encoding) = numbered(value)?;
        let name = encoding.split(|octet| *octet == b'/').next()?;
        if !name.eq_ignore_ascii_case(b"rtx") || !listed.contains(&payload_type) {
            return None;
        }
        let mut parameters = parameters(payload_type)?.split(|octet| *octet == b';');
        let of = parameters.find_map(|parameter| number(parameter.trim_ascii().strip_prefix(b"apt=")?))?;
        Some(RetransmissionFormat { payload_type, of })
    };
    section.attributes(b"rtpmap").filter_map(format).take(formats::MOST_FORMATS).collect()
}

/// A value that begins with a payload type, and the rest of it.
fn numbered(value: &[u8]) -> Option<(u8, &[u8])> {
    let space = value.iter().position(|octet| *octet == b' ')?;
    let payload_type = number::<u8>(value.get(..space)?).filter(|payload_type| *payload_type < 128)?;
    Some((payload_type, value.get(space + 1..)?.trim_ascii()))
}

/// What our offer to a browser has for these formats: the numbers that they have had, or free ones.
pub(super) fn offered(leg: &mut Leg, formats: &[Format]) -> Vec<RetransmissionFormat> {
    let mut offered = Vec::new();
    for format in formats {
        let known = leg.retransmissions.iter().find(|known| known.of == format.payload_type).copied();
        let free = || {
            let taken = |number: u8| leg.known.iter().any(|known| known.payload_type == number);
            let payload_type = (96..128).find(|number| !taken(*number))?;
            Some(RetransmissionFormat { payload_type, of: format.payload_type })
        };
        let Some(chosen) = known.or_else(free) else { continue };
        remember(leg, chosen);
        offered.push(chosen);
    }
    offered
}

/// Notes what the numbers of a side's own offer mean.
pub(super) fn follow(leg: &mut Leg, written: &[RetransmissionFormat]) {
    for format in written {
        remember(leg, *format);
    }
}

fn remember(leg: &mut Leg, format: RetransmissionFormat) {
    leg.retransmissions.retain(|older| older.payload_type != format.payload_type && older.of != format.of);
    leg.retransmissions.push(format);
    // The number is taken, whatever else looks for one.
    let RetransmissionFormat { payload_type, .. } = format;
    let format =
        Format { payload_type, codec: Codec::Other, clock: 90_000, channels: 1, parameters: Vec::new() };
    formats::remember(&mut leg.known, &format);
}

/// Those of `written` that go with formats of these numbers.
pub(super) fn of(written: &[RetransmissionFormat], payload_types: &[u8]) -> Vec<RetransmissionFormat> {
    written.iter().filter(|format| payload_types.contains(&format.of)).copied().collect()
}

/// What the relay must know; `None` when nothing was agreed.
pub(super) fn agreed(
    formats: Vec<RetransmissionFormat>,
    ssrc: u32,
    browser: &[(u32, u32)],
) -> Option<Retransmission> {
    (!formats.is_empty()).then(|| Retransmission { formats, ssrc, browser_ssrcs: browser.to_vec() })
}

/// The lines of these formats.
pub(super) fn write(text: &mut Text, formats: &[RetransmissionFormat]) {
    for RetransmissionFormat { payload_type, of } in formats {
        text.attribute("rtpmap", format!("{payload_type} rtx/90000"));
        text.attribute("fmtp", format!("{payload_type} apt={of}"));
    }
}
