//! Opus on one side and G.711 on the other: only where the two sides have no codec in common.
//!
//! One packet in, one packet out, so that sequence numbers and losses stay what they are. The Opus library works at
//! 8 kHz (RFC 6716 §2): nothing is resampled.

mod g711;

use crate::Codec;
use g711::Law;
use rusty_opus::repacketizer::Repacketizer;
use rusty_opus::{Application, OpusDecoder, OpusEncoder};
use std::fmt;

/// The sampling rate of G.711, in hertz.
const RATE: i32 = 8000;
/// The longest packet of Opus (RFC 6716 §2.1.4: 120 ms), in samples.
const LONGEST: usize = 960;
/// The Opus frames that a packet of G.711 is cut into, in samples: 60, 40, 20, 10, 5 and 2.5 ms.
const FRAMES: [usize; 6] = [480, 320, 160, 80, 40, 20];
/// The largest Opus frame (RFC 6716 §3.4), in octets, and the octet before it.
const LARGEST: usize = 1276;
/// Enough for speech of 8 kHz (RFC 6716 §2.1.1 recommends 8 to 12 kbit/s), in bits per second.
const BITRATE: i32 = 16_000;

/// Turns packets of one codec into packets of another.
pub(crate) struct Transcoder {
    from: Codec,
    to: Codec,
    work: Work,
}

enum Work {
    Encode(Law, Box<OpusEncoder>),
    Decode(Box<OpusDecoder>, Law),
}

impl fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcoder").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

impl Transcoder {
    /// A transcoder between these; `None` when it is no pair of Opus and G.711.
    pub(crate) fn between(from: Codec, to: Codec) -> Option<Self> {
        let work = match (from, to) {
            (Codec::Opus, to) => Work::Decode(Box::new(OpusDecoder::new(RATE, 1).ok()?), Law::of(to)?),
            (from, Codec::Opus) => {
                let law = Law::of(from)?;
                let mut encoder = OpusEncoder::new(RATE, 1, Application::Voip).ok()?;
                encoder.bitrate_bps = BITRATE;
                // The processor of a server serves many calls: speech of 8 kHz gains nothing from the highest effort.
                encoder.complexity = 3;
                Work::Encode(law, Box::new(encoder))
            }
            _ => return None,
        };
        Some(Self { from, to, work })
    }

    /// Whether it is the one for this pair.
    pub(crate) fn is_between(&self, from: Codec, to: Codec) -> bool {
        self.from == from && self.to == to
    }

    /// The payload in the other codec; `None` when there is nothing to say with it, or it is malformed.
    pub(crate) fn convert(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        if payload.is_empty() {
            return None;
        }
        match &mut self.work {
            Work::Decode(decoder, law) => {
                let mut sound = [0.0; LONGEST];
                let length = decoder.decode(payload, LONGEST, &mut sound).ok()?;
                Some(sound.get(..length)?.iter().map(|sample| law.compress(to_linear(*sample))).collect())
            }
            Work::Encode(law, encoder) => encode(*law, encoder, payload),
        }
    }
}

/// Sound between -1 and 1 as 16 bits.
fn to_linear(sample: f32) -> i16 {
    // `as` saturates: louder than loudest is loudest.
    (sample * 32_768.0) as i16
}

/// A packet of G.711 as one of Opus, of as many frames as it needs.
fn encode(law: Law, encoder: &mut OpusEncoder, payload: &[u8]) -> Option<Vec<u8>> {
    let mut sound = [0.0; LONGEST];
    let sound = sound.get_mut(..payload.len().min(LONGEST))?;
    for (sample, octet) in sound.iter_mut().zip(payload) {
        *sample = f32::from(law.expand(*octet)) / 32_768.0;
    }
    // All frames of a packet are of one length (RFC 6716 §3.2). What does not fill the last is less than 2.5 ms.
    let frame = FRAMES.into_iter().find(|frame| sound.len() % frame == 0 || *frame == 20)?;
    let mut frames = Repacketizer::new();
    let mut octets = [0; LARGEST];
    for part in sound.chunks_exact(frame) {
        let length = encoder.encode(part, frame, &mut octets).ok()?;
        let whole = octets.get(..length)?;
        if sound.len() == frame {
            return Some(whole.to_vec());
        }
        frames.cat(whole).ok()?;
    }
    frames.out().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    /// A tone in µ-law or A-law.
    fn tone(law: Law, hertz: f32, samples: usize) -> Vec<u8> {
        let sample = |index: usize| (index as f32 * hertz * TAU / 8000.0).sin() * 12_000.0;
        (0..samples).map(|index| law.compress(sample(index) as i16)).collect()
    }

    /// How strong a frequency is in what is heard, of 1.
    fn strength(law: Law, heard: &[u8], hertz: f32) -> f32 {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (index, octet) in heard.iter().enumerate() {
            let (sample, angle) =
                (f32::from(law.expand(*octet)) / 32_768.0, index as f32 * hertz * TAU / 8000.0);
            real += sample * angle.cos();
            imaginary += sample * angle.sin();
        }
        2.0 * f32::hypot(real, imaginary) / heard.len() as f32
    }

    fn there_and_back(codec: Codec, law: Law, packet: usize) {
        let mut there = Transcoder::between(codec, Codec::Opus).unwrap();
        let mut back = Transcoder::between(Codec::Opus, codec).unwrap();
        let mut heard = Vec::new();
        for spoken in tone(law, 440.0, 16_000).chunks_exact(packet) {
            let packet = there.convert(spoken).unwrap();
            let returned = back.convert(&packet).unwrap();
            assert_eq!(returned.len(), spoken.len());
            heard.extend(returned);
        }
        let settled = &heard[4000..];
        assert!(strength(law, settled, 440.0) > 0.25, "{}", strength(law, settled, 440.0));
        assert!(strength(law, settled, 660.0) < 0.01);
    }

    #[test]
    fn a_tone_in_mu_law_survives_opus() {
        there_and_back(Codec::Pcmu, Law::Mu, 160);
    }

    #[test]
    fn a_tone_in_a_law_survives_opus() {
        there_and_back(Codec::Pcma, Law::A, 160);
    }

    #[test]
    fn packets_of_thirty_milliseconds_stay_so() {
        there_and_back(Codec::Pcmu, Law::Mu, 240);
    }

    #[test]
    fn stereo_is_heard_as_mono() {
        let mut encoder = OpusEncoder::new(48_000, 2, Application::Audio).unwrap();
        let mut decoder = Transcoder::between(Codec::Opus, Codec::Pcmu).unwrap();
        let mut heard = Vec::new();
        for frame in 0..100 {
            let sample =
                |index: usize| ((frame * 960 + index / 2) as f32 * 440.0 * TAU / 48_000.0).sin() * 0.4;
            let sound: Vec<f32> = (0..1920).map(sample).collect();
            let mut octets = [0; LARGEST];
            let length = encoder.encode(&sound, 960, &mut octets).unwrap();
            heard.extend(decoder.convert(&octets[..length]).unwrap());
        }
        assert!(strength(Law::Mu, &heard[4000..], 440.0) > 0.25);
    }

    #[test]
    fn what_is_no_opus_does_no_harm() {
        let mut decoder = Transcoder::between(Codec::Opus, Codec::Pcmu).unwrap();
        let mut number = 1u32;
        for length in 0..400 {
            let payload: Vec<u8> = (0..length)
                .map(|_| {
                    number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (number >> 24) as u8
                })
                .collect();
            if let Some(heard) = decoder.convert(&payload) {
                assert!(heard.len() <= LONGEST);
            }
        }
    }

    #[test]
    fn a_packet_too_short_for_any_frame_is_dropped() {
        let mut encoder = Transcoder::between(Codec::Pcmu, Codec::Opus).unwrap();
        assert_eq!(encoder.convert(&[0xff; 7]), None);
        assert_eq!(encoder.convert(&[]), None);
    }

    #[test]
    fn only_opus_and_g711_are_transcoded() {
        assert!(Transcoder::between(Codec::Opus, Codec::G722).is_none());
        assert!(Transcoder::between(Codec::Pcmu, Codec::Pcma).is_none());
    }
}
