//! Nonces that prove by themselves when and for whom they were made (RFC 2617 §3.2.1, §4.5; RFC 7616 §5.4).

use core::time::Duration;

use super::hmac::{HmacSha256, constant_time_equal};
use crate::entropy::Entropy;
use crate::time::Instant;

/// Milliseconds since the epoch, six bytes: good for 8,900 years.
const TIME: usize = 6;
/// Random bytes, so that two clients of one millisecond do not share a nonce and its count.
const SALT: usize = 6;
/// HMAC-SHA-256, cut to 96 bits (RFC 2104 §5 allows down to 80).
const PROOF: usize = 12;
const RAW: usize = TIME + SALT + PROOF;
/// Four characters for three bytes: no bit is left over, so a nonce has one spelling.
const TEXT: usize = RAW / 3 * 4;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes nonces and knows its own again, without remembering any.
#[derive(Clone)]
pub struct Nonces {
    secret: HmacSha256,
    lifetime: Duration,
}

/// What [`Nonces::check`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceState {
    /// Ours, for this binding, and young enough.
    Fresh {
        /// When it was made, to the millisecond.
        issued: Instant,
    },
    /// Ours, but too old: challenge again with `stale=true`, if the answer was right.
    Stale,
    /// Not ours, or made for another binding: challenge again as if there had been no credentials.
    Forged,
}

impl Nonces {
    /// Nonces that only the holders of `secret` can make, good for `lifetime`.
    #[must_use]
    pub fn new(secret: [u8; 32], lifetime: Duration) -> Self {
        Self { secret: HmacSha256::new(&secret), lifetime }
    }

    /// A new nonce of 32 characters, all of them letters, digits, `-` and `_`.
    ///
    /// It is good only together with `binding`: the realm, for instance, or the client's address where that does not
    /// change under it. May be empty.
    pub fn issue(&self, now: Instant, binding: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        let mut salt = [0; SALT];
        entropy.fill(&mut salt);
        let time = now.as_millis().to_be_bytes();
        let mut raw = Vec::with_capacity(RAW);
        raw.extend_from_slice(time.get(8 - TIME..).unwrap_or_default());
        raw.extend_from_slice(&salt);
        let proof = self.proof(&raw, binding);
        raw.extend_from_slice(&proof);
        write_text(&raw)
    }

    /// Whether `nonce` is one of ours for this binding, and how old.
    #[must_use]
    pub fn check(&self, now: Instant, nonce: &[u8], binding: &[u8]) -> NonceState {
        let Some(raw) = read_text(nonce) else { return NonceState::Forged };
        let (Some((head, proof)), Some(time)) = (raw.split_at_checked(TIME + SALT), raw.get(..TIME)) else {
            return NonceState::Forged;
        };
        if !constant_time_equal(proof, &self.proof(head, binding)) {
            return NonceState::Forged;
        }
        let milliseconds = time.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        self.age(now, Instant::from_millis(milliseconds))
    }

    /// The same of a nonce that is known to be ours and of when it was made: [`NonceState::Fresh`] or
    /// [`NonceState::Stale`]. One that is of a time to come was made by a clock that was ahead, and would be good until then.
    #[must_use]
    pub fn age(&self, now: Instant, issued: Instant) -> NonceState {
        if now.saturating_since(issued).max(issued.saturating_since(now)) > self.lifetime {
            NonceState::Stale
        } else {
            NonceState::Fresh { issued }
        }
    }

    fn proof(&self, head: &[u8], binding: &[u8]) -> [u8; PROOF] {
        // `head` has a fixed length, so the joint is unambiguous.
        let whole = self.secret.code([b"nonce".as_slice(), head, binding]);
        let mut proof = [0; PROOF];
        for (to, from) in proof.iter_mut().zip(whole) {
            *to = from;
        }
        proof
    }
}

impl core::fmt::Debug for Nonces {
    /// Keeps the secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Nonces")
    }
}

fn write_text(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(TEXT);
    for three in raw.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte));
        for shift in [18, 12, 6, 0] {
            text.push(ALPHABET.get((bits >> shift) as usize & 63).copied().unwrap_or(b'A'));
        }
    }
    text
}

fn read_text(text: &[u8]) -> Option<[u8; RAW]> {
    let text: &[u8; TEXT] = text.try_into().ok()?;
    let mut raw = [0; RAW];
    let mut seen = 0;
    for (three, four) in raw.as_chunks_mut::<3>().0.iter_mut().zip(text.as_chunks::<4>().0) {
        let values = four.map(|character| VALUES.get(usize::from(character)).copied().unwrap_or(NO_VALUE));
        let bits = values.into_iter().fold(0, |bits, value| {
            seen |= value;
            (bits << 6) | u32::from(value & 63)
        });
        let [_, bytes @ ..] = bits.to_be_bytes();
        *three = bytes;
    }
    (seen & NO_VALUE == 0).then_some(raw)
}

/// What stands in [`VALUES`] for a character that is none of the alphabet's.
const NO_VALUE: u8 = 0x80;

/// The six bits of each character.
static VALUES: [u8; 256] = {
    let mut values = [NO_VALUE; 256];
    let mut value = 0;
    #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};
