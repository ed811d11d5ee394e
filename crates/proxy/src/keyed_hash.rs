//! HMAC-SHA-256 (RFC 2104) under the server's secret, and base64url (RFC 4648 §5): what flow tokens, dialog
//! seals and the tags of stateless answers are made of.

use sip::digest::HmacSha256;
use sip::fingerprint::Secrets;

/// The octets of a mark, as text.
pub(crate) const MARK: usize = 12;

/// The secret, ready for use. Each use names its own purpose, so that no value made for one passes for another.
#[derive(Clone)]
pub(crate) struct Key {
    signing: HmacSha256,
    marking: Secrets,
}

impl Key {
    /// The key that `secret` is.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        let signing = HmacSha256::new(&secret);
        let [one, other] = [b"mark 1", b"mark 2"].map(|part| signing.code([part.as_slice()]));
        Self { marking: Secrets::new([&one, &other]), signing }
    }

    /// A mark of `parts` for `purpose`: hard to guess, and far cheaper than a code. It tells messages apart; it allows
    /// nobody anything.
    pub(crate) fn mark<'a>(
        &self,
        purpose: &'a [u8],
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> [u8; MARK] {
        let mut mixer = self.marking.mixer();
        mixer.field(purpose);
        parts.into_iter().for_each(|part| mixer.field(part));
        let [one, other] = mixer.finish();
        // 72 bits: six for each octet of the text.
        let mut bits = (u128::from(one) << 64) | u128::from(other);
        [(); MARK].map(|()| {
            let octet = ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'A');
            bits >>= 6;
            octet
        })
    }

    /// The authentication code of `parts` for `purpose`. Each part is preceded by its length, so that parts
    /// cannot flow into one another.
    pub(crate) fn sign(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut lengths = [[0; 8]; 8];
        let all = || core::iter::once(purpose).chain(parts.iter().copied());
        for (length, part) in lengths.iter_mut().zip(all()) {
            *length = (part.len() as u64).to_be_bytes();
        }
        debug_assert!(parts.len() < lengths.len(), "a length for each part");
        self.signing.code(lengths.iter().zip(all()).flat_map(|(length, part)| [length.as_slice(), part]))
    }

    /// The first `length` octets of the code, as base64url text.
    pub(crate) fn text(&self, purpose: &[u8], parts: &[&[u8]], length: usize) -> Vec<u8> {
        let code = self.sign(purpose, parts);
        encode(code.get(..length).unwrap_or(&code))
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes octets as base64url without padding: letters that need no escape in a URI's user part.
pub(crate) fn encode(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len().saturating_mul(4).div_ceil(3));
    for chunk in octets.chunks(3) {
        let mut bits = 0u32;
        for position in 0..3 {
            bits = (bits << 8) | u32::from(chunk.get(position).copied().unwrap_or(0));
        }
        for position in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * position)) & 63;
            text.extend(ALPHABET.get(index as usize));
        }
    }
    text
}

/// Reads base64url without padding; `None` for anything that [`encode`] does not write.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.chunks(4) {
        let mut bits = 0u32;
        for position in 0..4 {
            let value = match chunk.get(position) {
                Some(letter) => value_of(*letter)?,
                None => 0,
            };
            bits = (bits << 6) | value;
        }
        let length = chunk.len().checked_sub(1).filter(|length| *length > 0)?;
        let [_, three @ ..] = bits.to_be_bytes();
        let (used, rest) = three.split_at_checked(length)?;
        if rest.iter().any(|octet| *octet != 0) {
            return None;
        }
        octets.extend_from_slice(used);
    }
    Some(octets)
}

fn value_of(letter: u8) -> Option<u32> {
    ALPHABET
        .iter()
        .position(|candidate| *candidate == letter)
        .and_then(|position| u32::try_from(position).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_reads_what_it_wrote() {
        for length in 0..50u8 {
            let octets: Vec<u8> = (0..length).map(|octet| octet.wrapping_mul(37)).collect();
            assert_eq!(decode(&encode(&octets)), Some(octets));
        }
        assert_eq!(encode(&[0xfb, 0xff]), b"-_8");
        assert_eq!(decode(b"A"), None);
        assert_eq!(decode(b"AB"), None, "bits that no octet needs must be zero");
        assert_eq!(decode(b"A+=="), None);
    }

    #[test]
    fn marks_differ_by_key_purpose_and_parts() {
        let mark = |secret: u8, purpose: &'static [u8], parts: [&'static [u8]; 2]| {
            Key::new([secret; 32]).mark(purpose, parts)
        };
        let one = mark(1, b"p", [b"ab", b"c"]);
        assert_eq!(one, mark(1, b"p", [b"ab", b"c"]));
        for other in
            [mark(2, b"p", [b"ab", b"c"]), mark(1, b"q", [b"ab", b"c"]), mark(1, b"p", [b"a", b"bc"])]
        {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn parts_do_not_flow_into_one_another() {
        let key = Key::new([1; 32]);
        assert_ne!(key.sign(b"p", &[b"ab", b"c"]), key.sign(b"p", &[b"a", b"bc"]));
    }
}
