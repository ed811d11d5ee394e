//! Randomness as the protocol sees it: a source that the caller hands in.

/// A source of random bytes.
///
/// The server gives the operating system's generator, the browser `crypto.getRandomValues`, tests a
/// [`SeededEntropy`], so that every failure replays.
pub trait Entropy {
    /// Fills `bytes` with random octets.
    fn fill(&mut self, bytes: &mut [u8]);

    /// A random number.
    fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A random token of `length` lower-case letters and digits, each carrying five bits: fit for tags,
    /// branches and Call-IDs (RFC 3261 §19.3 asks for at least 32 bits).
    fn token(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut token = String::with_capacity(length);
        let mut bits = 0u64;
        for position in 0..length {
            if position % 12 == 0 {
                bits = self.number();
            }
            token.push(char::from(ALPHABET.get((bits & 31) as usize).copied().unwrap_or(b'a')));
            bits >>= 5;
        }
        token
    }
}

impl<E: Entropy + ?Sized> Entropy for Box<E> {
    fn fill(&mut self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

impl<E: Entropy + ?Sized> Entropy for &mut E {
    fn fill(&mut self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

/// A deterministic source for tests and the simulator (SplitMix64). Not for production: it can be predicted.
#[derive(Clone, Debug)]
pub struct SeededEntropy(u64);

impl SeededEntropy {
    /// The source that `seed` always replays.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            for (to, from) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
                *to = from;
            }
        }
    }
}
