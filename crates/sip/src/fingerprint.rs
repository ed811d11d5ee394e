//! 128 bits of keyed hash (SipHash-1-3, twice) over fields of any length.
//!
//! What is compared or looked up by such a fingerprint is chosen by peers. Who does not know the secrets cannot make two
//! lists of fields meet; that they meet by chance is not to be expected in the life of any server.

use core::hash::Hasher as _;
use std::hash::DefaultHasher;

/// What fingerprints are made under.
#[derive(Clone, Debug)]
pub struct Secrets([DefaultHasher; 2]);

/// Takes in fields one by one.
pub struct Mixer<'s> {
    secrets: &'s Secrets,
    /// Hashers that have taken in more than the buffer holds.
    overflown: Option<[DefaultHasher; 2]>,
    /// Fields are short and hashers like it long.
    buffer: [u8; SIZE],
    used: usize,
}

const SIZE: usize = 256;

impl Secrets {
    /// Under these two, which nobody else knows.
    #[must_use]
    pub fn new(secrets: [&[u8]; 2]) -> Self {
        Self(secrets.map(|secret| {
            let mut hasher = DefaultHasher::new();
            hasher.write(secret);
            hasher
        }))
    }

    /// Starts a fingerprint.
    #[must_use]
    pub const fn mixer(&self) -> Mixer<'_> {
        Mixer { secrets: self, overflown: None, buffer: [0; SIZE], used: 0 }
    }
}

impl Mixer<'_> {
    /// Adds a field. Its length counts too, so that no two lists of fields read the same.
    pub fn field(&mut self, text: &[u8]) {
        self.number(text.len() as u32);
        self.write(text);
    }

    /// Adds a field in which the case of letters does not count, such as the name of a host.
    pub fn folded_field(&mut self, text: &[u8]) {
        self.number(text.len() as u32);
        for chunk in text.chunks(64) {
            let mut folded = [0; 64];
            for (to, from) in folded.iter_mut().zip(chunk) {
                *to = from.to_ascii_lowercase();
            }
            self.write(folded.get(..chunk.len()).unwrap_or_default());
        }
    }

    /// Adds a number.
    pub fn number(&mut self, number: u32) {
        self.write(&number.to_le_bytes());
    }

    fn write(&mut self, text: &[u8]) {
        let end = self.used + text.len();
        if let Some(room) = self.buffer.get_mut(self.used..end) {
            room.copy_from_slice(text);
            self.used = end;
            return;
        }
        let pending = self.buffer.get(..self.used).unwrap_or_default();
        for hasher in self.overflown.get_or_insert_with(|| self.secrets.0.clone()) {
            hasher.write(pending);
            hasher.write(text);
        }
        self.used = 0;
    }

    /// The fingerprint of the fields.
    #[must_use]
    pub fn finish(self) -> [u64; 2] {
        let pending = self.buffer.get(..self.used).unwrap_or_default();
        self.overflown.unwrap_or_else(|| self.secrets.0.clone()).map(|mut hasher| {
            hasher.write(pending);
            hasher.finish()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(secret: &[u8], fields: &[&[u8]]) -> [u64; 2] {
        let secrets = Secrets::new([secret, b"another"]);
        let mut mixer = secrets.mixer();
        fields.iter().for_each(|field| mixer.field(field));
        mixer.finish()
    }

    #[test]
    fn fingerprints_differ_by_secret_and_by_fields() {
        let one = of(b"s", &[b"ab", b"c"]);
        assert_eq!(one, of(b"s", &[b"ab", b"c"]));
        for other in [of(b"t", &[b"ab", b"c"]), of(b"s", &[b"a", b"bc"]), of(b"s", &[b"abc"])] {
            assert_ne!(one, other);
        }
        assert_ne!(one[0], one[1]);
    }

    #[test]
    fn long_fields_count_to_their_last_octet() {
        let long = vec![b'x'; 3 * SIZE];
        let mut other = long.clone();
        *other.last_mut().unwrap() = b'y';
        assert_ne!(of(b"s", &[b"a", &long, b"b"]), of(b"s", &[b"a", &other, b"b"]));
        assert_ne!(of(b"s", &[&long, b"b"]), of(b"s", &[&long, b"c"]));
        assert_eq!(of(b"s", &[&long, b"b"]), of(b"s", &[&long, b"b"]));
    }

    #[test]
    fn a_folded_field_has_no_case() {
        let secrets = Secrets::new([b"one", b"two"]);
        let of = |text: &[u8]| {
            let mut mixer = secrets.mixer();
            mixer.folded_field(text);
            mixer.finish()
        };
        assert_eq!(of(&[b'A'; 100]), of(&[b'a'; 100]));
        assert_ne!(of(&[b'a'; 100]), of(&[b'a'; 99]));
    }
}
