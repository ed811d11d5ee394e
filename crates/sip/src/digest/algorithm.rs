//! The three hash algorithms (RFC 2617 §3.2.1; RFC 7616 §3.2; RFC 8760 §2.1).

use md5::Md5;
use sha2::{Sha256, Sha512_256};

/// A hash algorithm of digest authentication. Ordered by strength: MD5 is the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `MD5`, the default where no algorithm is named.
    Md5,
    /// `SHA-256`.
    Sha256,
    /// `SHA-512-256`: SHA-512 with its own initial values, cut to 256 bits.
    Sha512_256,
}

impl Algorithm {
    /// Every algorithm, the one to prefer first (RFC 8760 §2.4 puts the challenges in the server's order of
    /// preference).
    pub const PREFERRED: [Self; 3] = [Self::Sha512_256, Self::Sha256, Self::Md5];

    /// The token that names the algorithm in a header.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// The token of the algorithm's session variant (RFC 7616 §3.4.2).
    #[must_use]
    pub const fn session_token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5-sess",
            Self::Sha256 => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256-sess",
        }
    }

    /// The algorithm that a token names, in any case of letters, and whether it is the session variant.
    #[must_use]
    pub fn parse(token: &[u8]) -> Option<(Self, bool)> {
        Self::PREFERRED.into_iter().find_map(|algorithm| {
            if token.eq_ignore_ascii_case(algorithm.token().as_bytes()) {
                Some((algorithm, false))
            } else if token.eq_ignore_ascii_case(algorithm.session_token().as_bytes()) {
                Some((algorithm, true))
            } else {
                None
            }
        })
    }

    /// The length of a hash, in bytes.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha256 | Self::Sha512_256 => 32,
        }
    }

    /// The hash of `parts` written one after another.
    #[must_use]
    pub fn hash(self, parts: &[&[u8]]) -> Hash {
        let mut hash = Hash::zero(self);
        match self {
            Self::Md5 => hash.fill(&over::<Md5>(parts)),
            Self::Sha256 => hash.fill(&over::<Sha256>(parts)),
            Self::Sha512_256 => hash.fill(&over::<Sha512_256>(parts)),
        }
        hash
    }
}

fn over<D: sha2::digest::Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// A hash value. As text it is lower-case hexadecimal (RFC 2617 §3.1.3).
#[derive(Clone, Copy)]
pub struct Hash {
    algorithm: Algorithm,
    bytes: [u8; 32],
}

impl core::fmt::Debug for Hash {
    /// Names the algorithm; the bytes may be a secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hash(")?;
        f.write_str(self.algorithm.token())?;
        f.write_str(")")
    }
}

impl Hash {
    /// All bytes zero.
    pub(super) const fn zero(algorithm: Algorithm) -> Self {
        Self { algorithm, bytes: [0; 32] }
    }

    /// The algorithm that made it.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes: 16 of MD5, 32 of the others.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.length()).unwrap_or(&self.bytes)
    }

    /// The bytes in hexadecimal.
    #[must_use]
    pub fn hex(&self) -> Hex {
        let mut hex = Hex { text: [b'0'; 64], length: self.algorithm.length() * 2 };
        // Eight at a time: one number holds the digits of four bytes.
        let (texts, _) = hex.text.as_chunks_mut::<8>();
        let (fours, _) = self.as_bytes().as_chunks::<4>();
        for (text, four) in texts.iter_mut().zip(fours) {
            *text = digits(u32::from_be_bytes(*four)).to_be_bytes();
        }
        hex
    }

    /// The hash that `hex` writes out, in either case. `None` if its length is not the algorithm's or a character
    /// is no hexadecimal digit.
    #[must_use]
    pub fn from_hex(algorithm: Algorithm, hex: &[u8]) -> Option<Self> {
        if hex.len() != algorithm.length() * 2 {
            return None;
        }
        let mut hash = Self::zero(algorithm);
        let mut seen = 0;
        for (byte, [high, low]) in hash.bytes.iter_mut().zip(hex.as_chunks().0) {
            let (high, low) = (value_of(*high), value_of(*low));
            seen |= high | low;
            *byte = (high << 4) | (low & 15);
        }
        (seen & NO_DIGIT == 0).then_some(hash)
    }

    /// The hash that has these bytes. `None` if their number is not the algorithm's.
    #[must_use]
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != algorithm.length() {
            return None;
        }
        let mut hash = Self::zero(algorithm);
        hash.fill(bytes);
        Some(hash)
    }

    fn fill(&mut self, bytes: &[u8]) {
        for (to, from) in self.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
}

/// The eight lower-case hexadecimal digits of a number, the first in the highest octet.
const fn digits(number: u32) -> u64 {
    // Each half-byte gets an octet of its own.
    let mut spread = number as u64;
    spread = (spread | (spread << 16)) & 0x0000_ffff_0000_ffff;
    spread = (spread | (spread << 8)) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | (spread << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    // Sixteen come out at 10 and more, which are letters.
    let letters = ((spread + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    spread + 0x3030_3030_3030_3030 + letters * (b'a' - b'0' - 10) as u64
}

/// What [`value_of`] has set where there is no digit.
const NO_DIGIT: u8 = 0x80;

/// The value of a hexadecimal digit of either case.
fn value_of(digit: u8) -> u8 {
    VALUES.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT)
}

static VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
    while value < 16 {
        let digit = b"0123456789abcdef"[value];
        values[digit as usize] = value as u8;
        values[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

/// A hash in lower-case hexadecimal, without an allocation.
#[derive(Clone, Copy)]
pub struct Hex {
    text: [u8; 64],
    length: usize,
}

impl Hex {
    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or(&self.text)
    }
}
