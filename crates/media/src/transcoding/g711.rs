//! G.711: sixteen bits of sound in eight, by the µ-law or the A-law (ITU-T G.711).

use crate::Codec;

/// Added to a magnitude before the µ-law finds its segment.
const BIAS: u16 = 0x84;
/// The loudest magnitude of the µ-law.
const LOUDEST: u16 = 32_635;

/// One of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Law {
    Mu,
    A,
}

impl Law {
    pub(super) const fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::Pcmu => Some(Self::Mu),
            Codec::Pcma => Some(Self::A),
            _ => None,
        }
    }

    /// Eight bits to sixteen.
    pub(super) const fn expand(self, octet: u8) -> i16 {
        match self {
            Self::Mu => {
                let octet = !octet;
                let (segment, step) = ((octet >> 4) & 7, (octet & 15) as i16);
                let magnitude = (((step << 3) + BIAS as i16) << segment) - BIAS as i16;
                if octet & 0x80 == 0 { magnitude } else { -magnitude }
            }
            Self::A => {
                let octet = octet ^ 0x55;
                let (segment, step) = ((octet >> 4) & 7, ((octet & 15) as i16) << 4);
                let magnitude = match segment {
                    0 => step + 8,
                    _ => (step + 0x108) << (segment - 1),
                };
                if octet & 0x80 == 0 { -magnitude } else { magnitude }
            }
        }
    }

    /// Sixteen bits to eight.
    pub(super) const fn compress(self, sample: i16) -> u8 {
        match self {
            Self::Mu => {
                let magnitude = sample.unsigned_abs();
                let magnitude = BIAS + if magnitude > LOUDEST { LOUDEST } else { magnitude };
                // The bias has made bit 7 the lowest that can be the first.
                let segment = 8 - magnitude.leading_zeros();
                let code = (segment << 4) as u8 | (magnitude >> (segment + 3)) as u8 & 15;
                !(if sample < 0 { code | 0x80 } else { code })
            }
            Self::A => {
                let magnitude = if sample < 0 { !sample } else { sample } as u16;
                let segment = 8u32.saturating_sub(magnitude.leading_zeros());
                let code = match segment {
                    0 => (magnitude >> 4) as u8,
                    _ => (segment << 4) as u8 | (magnitude >> (segment + 3)) as u8 & 15,
                };
                (if sample < 0 { code } else { code | 0x80 }) ^ 0x55
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_mu_law() {
        for (octet, sample) in [(0xff, 0), (0x80, 32_124), (0x00, -32_124), (0xfe, 8), (0x7e, -8)] {
            assert_eq!(Law::Mu.expand(octet), sample, "{octet:#x}");
            assert_eq!(Law::Mu.compress(sample), octet, "{sample}");
        }
    }

    #[test]
    fn known_values_of_the_a_law() {
        for (octet, sample) in [(0xd5, 8), (0x55, -8), (0xaa, 32_256), (0x2a, -32_256)] {
            assert_eq!(Law::A.expand(octet), sample, "{octet:#x}");
            assert_eq!(Law::A.compress(sample), octet, "{sample}");
        }
    }

    #[test]
    fn what_was_expanded_is_compressed_to_the_same() {
        for law in [Law::Mu, Law::A] {
            for octet in 0..=u8::MAX {
                // The µ-law has two zeros.
                let same = law.compress(law.expand(octet)) == octet || law.expand(octet) == 0;
                assert!(same, "{law:?} {octet:#x}");
            }
        }
    }

    #[test]
    fn every_sample_comes_back_within_its_step() {
        for law in [Law::Mu, Law::A] {
            for sample in i16::MIN..=i16::MAX {
                let error = i32::from(law.expand(law.compress(sample))).abs_diff(i32::from(sample));
                let step = (u32::from(sample.unsigned_abs()) / 16).max(16);
                assert!(error <= step.max(16) || sample.unsigned_abs() > LOUDEST, "{law:?} {sample} {error}");
            }
        }
    }
}
