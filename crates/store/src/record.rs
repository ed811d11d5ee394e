//! One record of the log: how it looks, and how a damaged one is told from a good one.
//!
//! ```text
//! 0      4      8      9         13           13+n
//! +------+------+------+---------+------------+---------+
//! | size | CRC  | kind | name    | name       | value   |     all numbers little-endian
//! |      | 32   |      | size n  |            |         |     size: bytes after the CRC; the CRC is theirs
//! +------+------+------+---------+------------+---------+     kind: 1 put, 2 remove
//! ```
//!
//! The CRC begins with the [`Seed`] of the log, which nobody outside knows: what a peer has put into a value is never
//! taken for a record, wherever reading begins.

/// The largest record: name and value together, in bytes.
pub const LARGEST_RECORD: usize = 1 << 20;

/// Size and checksum.
const PREFIX: usize = 8;
/// Kind and name size.
const HEAD: usize = 5;

/// What the checksums of one log begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u32);

impl Seed {
    /// That of logs of the first version: everybody knows it.
    pub(crate) const KNOWN: Self = Self(0);

    fn checksum(self, body: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(body);
        hasher.finalize()
    }
}

/// A change to one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Put { name: &'a [u8], value: &'a [u8] },
    Remove { name: &'a [u8] },
}

impl<'a> Record<'a> {
    pub(crate) const fn length(&self) -> usize {
        match self {
            Self::Put { name, value } => name.len() + value.len(),
            Self::Remove { name } => name.len(),
        }
    }

    /// Appends the record's bytes to `out`. The caller has checked [`LARGEST_RECORD`].
    pub(crate) fn write(&self, seed: Seed, out: &mut Vec<u8>) {
        let (kind, name, value): (u8, &[u8], &[u8]) = match self {
            Self::Put { name, value } => (1, name, value),
            Self::Remove { name } => (2, name, &[]),
        };
        let size = HEAD + name.len() + value.len();
        out.reserve(PREFIX + size);
        out.extend_from_slice(&u32_of(size).to_le_bytes());
        let checksum_at = out.len();
        out.extend_from_slice(&[0; 4]);
        out.push(kind);
        out.extend_from_slice(&u32_of(name.len()).to_le_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(value);
        // The checksum is of what stands behind it.
        if let Some((checksum, body)) =
            out.get_mut(checksum_at..).and_then(|rest| rest.split_first_chunk_mut())
        {
            *checksum = seed.checksum(body).to_le_bytes();
        }
    }

    /// The record at the start of `bytes` and the bytes it takes, or `None` if it is torn or damaged.
    pub(crate) fn read(seed: Seed, bytes: &'a [u8]) -> Option<(Self, usize)> {
        let size = number(bytes.get(..4)?)?;
        let checksum = u32::from_le_bytes(bytes.get(4..PREFIX)?.try_into().ok()?);
        if !(HEAD..=HEAD + LARGEST_RECORD).contains(&size) {
            return None;
        }
        let body = bytes.get(PREFIX..PREFIX + size)?;
        let name_size = number(body.get(1..HEAD)?)?;
        let (name, value) = body.get(HEAD..)?.split_at_checked(name_size)?;
        let record = match body.first()? {
            1 => Self::Put { name, value },
            2 if value.is_empty() => Self::Remove { name },
            _ => return None,
        };
        // Last: it takes the longest, and where a record is looked for most places are none.
        (seed.checksum(body) == checksum).then_some((record, PREFIX + size))
    }
}

fn number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed(0x1234_5678);

    #[test]
    fn a_record_of_another_log_is_none() {
        let mut bytes = Vec::new();
        Record::Put { name: b"a", value: b"value" }.write(Seed(1), &mut bytes);
        assert_eq!(Record::read(Seed(2), &bytes), None);
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let put = Record::Put { name: b"sip:alice@example.com", value: b"\0anything\xff" };
        let remove = Record::Remove { name: b"sip:bob@example.com" };
        let mut bytes = Vec::new();
        put.write(SEED, &mut bytes);
        let first = bytes.len();
        remove.write(SEED, &mut bytes);
        assert_eq!(Record::read(SEED, &bytes), Some((put, first)));
        assert_eq!(Record::read(SEED, &bytes[first..]), Some((remove, bytes.len() - first)));
    }

    #[test]
    fn no_single_changed_byte_goes_unnoticed() {
        let mut bytes = Vec::new();
        let record = Record::Put { name: b"a", value: b"value" };
        record.write(SEED, &mut bytes);
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0x40;
            assert_eq!(Record::read(SEED, &damaged), None, "byte {position}");
        }
    }
}
