//! How names, such as Call-IDs, are spread among the event loops of a server.
//!
//! The rule is one that a packet filter of the kernel can follow, too: it knows 32-bit words in network order, and no
//! loops. So the kernel hands most datagrams to the loop that they belong to.

/// How many octets of a name count, at its start.
pub const COUNTING: usize = 16;

/// What a hash is multiplied with before the next word.
pub const BETWEEN_WORDS: u32 = 0x9e37_79b1;

/// The finish, that of MurmurHash3: every bit of the words counts in every bit of the result. Shifts to the right, and
/// what is multiplied with then.
pub const FINISH: [(u32, u32); 3] = [(16, 0x85eb_ca6b), (13, 0xc2b2_ae35), (16, 1)];

/// Which of so many parts a name belongs to.
#[must_use]
pub fn part_of(name: &[u8], parts: usize) -> usize {
    let mut hash = 0u32;
    for chunk in name.get(..COUNTING).unwrap_or(name).chunks(4) {
        let mut word = [0; 4];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        hash = hash.wrapping_mul(BETWEEN_WORDS) ^ u32::from_be_bytes(word);
    }
    for (shift, factor) in FINISH {
        hash = (hash ^ (hash >> shift)).wrapping_mul(factor);
    }
    usize::try_from(hash).unwrap_or(0).checked_rem(parts).unwrap_or(0)
}
