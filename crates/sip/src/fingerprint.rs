//! 128 bits of keyed hash (SipHash-1-3 with its 128-bit output, Aumasson and Bernstein 2012) over fields of any length.
//!
//! What is compared or looked up by such a fingerprint is chosen by peers. Who does not know the secrets cannot make two
//! lists of fields meet; that they meet by chance is not to be expected in the life of any server.

/// What fingerprints are made under.
#[derive(Clone, Debug)]
pub struct Secrets([u64; 2]);

/// Takes in fields one by one.
pub struct Mixer {
    state: State,
    /// Fields are short, and many are hashed faster together.
    buffer: [u8; SIZE],
    used: usize,
    /// How many octets were hashed before those in the buffer.
    hashed: usize,
}

const SIZE: usize = 256;

impl Secrets {
    /// Under these two, which nobody else knows.
    #[must_use]
    pub fn new(secrets: [&[u8]; 2]) -> Self {
        Self(secrets.map(|secret| {
            let mut mixer = Mixer::new([0, 0]);
            mixer.field(secret);
            let [half, _] = mixer.finish();
            half
        }))
    }

    /// Starts a fingerprint.
    #[must_use]
    pub const fn mixer(&self) -> Mixer {
        Mixer::new(self.0)
    }
}

impl Mixer {
    const fn new(key: [u64; 2]) -> Self {
        Self { state: State::new(key), buffer: [0; SIZE], used: 0, hashed: 0 }
    }

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
        let octets = number.to_le_bytes();
        if let Some(room) = self.buffer.get_mut(self.used..self.used + 4) {
            room.copy_from_slice(&octets);
            self.used += 4;
        } else {
            self.write(&octets);
        }
    }

    fn write(&mut self, mut text: &[u8]) {
        loop {
            let room = self.buffer.get_mut(self.used..).unwrap_or_default();
            if let Some(room) = room.get_mut(..text.len()) {
                room.copy_from_slice(text);
                self.used += text.len();
                return;
            }
            let (now, later) = text.split_at_checked(room.len()).unwrap_or((text, &[]));
            room.copy_from_slice(now);
            self.state.take_in(&self.buffer);
            self.hashed += SIZE;
            (self.used, text) = (0, later);
        }
    }

    /// The fingerprint of the fields.
    #[must_use]
    pub fn finish(&self) -> [u64; 2] {
        let mut state = self.state;
        let pending = self.buffer.get(..self.used).unwrap_or_default();
        let rest = state.take_in(pending);
        state.finish(rest, self.hashed + self.used)
    }
}

/// The state of SipHash.
#[derive(Clone, Copy)]
struct State([u64; 4]);

impl State {
    const fn new([one, other]: [u64; 2]) -> Self {
        // 0xee chooses the output of 128 bits.
        Self([
            one ^ 0x736f_6d65_7073_6575,
            other ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            one ^ 0x6c79_6765_6e65_7261,
            other ^ 0x7465_6462_7974_6573,
        ])
    }

    const fn round(&mut self) {
        let [mut v0, mut v1, mut v2, mut v3] = self.0;
        v0 = v0.wrapping_add(v1);
        v1 = v1.rotate_left(13) ^ v0;
        v0 = v0.rotate_left(32);
        v2 = v2.wrapping_add(v3);
        v3 = v3.rotate_left(16) ^ v2;
        v0 = v0.wrapping_add(v3);
        v3 = v3.rotate_left(21) ^ v0;
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(17) ^ v2;
        v2 = v2.rotate_left(32);
        self.0 = [v0, v1, v2, v3];
    }

    const fn word(&mut self, word: u64) {
        let [.., v3] = &mut self.0;
        *v3 ^= word;
        self.round();
        let [v0, ..] = &mut self.0;
        *v0 ^= word;
    }

    /// Hashes all whole words, and gives the rest.
    fn take_in<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let (words, rest) = text.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        rest
    }

    /// Hashes less than a word at the end of so many octets.
    fn last(&mut self, rest: &[u8], length: usize) {
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.word(u64::from_le_bytes(last) | ((length as u64) << 56));
    }

    /// Three rounds, and what comes out.
    const fn squeeze(&mut self) -> u64 {
        self.round();
        self.round();
        self.round();
        let [v0, v1, v2, v3] = self.0;
        v0 ^ v1 ^ v2 ^ v3
    }

    fn finish(mut self, rest: &[u8], length: usize) -> [u64; 2] {
        self.last(rest, length);
        let [_, _, v2, _] = &mut self.0;
        *v2 ^= 0xee;
        let one = self.squeeze();
        let [_, v1, _, _] = &mut self.0;
        *v1 ^= 0xdd;
        [one, self.squeeze()]
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
    fn the_hash_is_the_one_of_the_standard_library() {
        use core::hash::Hasher as _;
        for length in 0..40 {
            let text: Vec<u8> = (0..length).collect();
            let mut standard = std::hash::DefaultHasher::new();
            standard.write(&text);
            // With 64 bits of output it begins and ends without 0xee.
            let mut state = State::new([0, 0]);
            state.0[1] ^= 0xee;
            let rest = state.take_in(&text);
            state.last(rest, text.len());
            state.0[2] ^= 0xff;
            assert_eq!(state.squeeze(), standard.finish(), "{length}");
        }
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
