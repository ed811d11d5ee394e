//! What the gateway offers of its own, where an offer has Opus without G.711 or G.711 without Opus.

use crate::{Codec, Format};

/// The formats into which some of an offer can be transcoded: each as it was offered, and as we offer it.
pub(super) fn transcoded(offer: &[Format]) -> Vec<(Format, Format)> {
    let find = |codec: Codec| offer.iter().find(|format| format.codec == codec);
    let law = offer.iter().find(|format| matches!(format.codec, Codec::Pcmu | Codec::Pcma));
    match (find(Codec::Opus), law) {
        (Some(opus), None) => [(0, Codec::Pcmu), (8, Codec::Pcma)]
            .into_iter()
            .map(|(payload_type, codec)| (opus.clone(), format(payload_type, codec, 8000, 1, b"")))
            .collect(),
        // RFC 7587 §7: no more than speech of 8 kHz is in it, nor is it ever stereo.
        (None, Some(law)) => {
            let parameters = b"maxplaybackrate=8000;sprop-maxcapturerate=8000";
            vec![(law.clone(), format(111, Codec::Opus, 48_000, 2, parameters))]
        }
        _ => Vec::new(),
    }
}

fn format(payload_type: u8, codec: Codec, clock: u32, channels: u8, parameters: &[u8]) -> Format {
    Format { payload_type, codec, clock, channels, parameters: parameters.to_vec() }
}
