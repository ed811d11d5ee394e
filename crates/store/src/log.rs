//! The append-only log: written before anything is acknowledged, replayed at the start.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use crate::record::{Record, Seed};

/// The first bytes of a log: the format and its version. The [`Seed`] of its records stands behind it.
pub(crate) const MAGIC: &[u8] = b"sipweb bindings 2\n";

/// The first bytes of a log of the version before: its records have no seed.
const MAGIC_WITHOUT_SEED: &[u8] = b"sipweb bindings 1\n";

const SEED: usize = 4;

/// What was found when a log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Good records, superseded ones included.
    pub records: usize,
    /// Names that hold a value.
    pub names: usize,
    /// What was damaged in the middle, if something was: what stood there is lost, what came behind it is kept. A name
    /// that was changed there holds what it held before.
    pub damage: Option<Damage>,
    /// The torn or damaged end that was cut away, if there was one.
    pub cut: Option<Cut>,
}

/// Places in the middle of a log where there were no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the first one began, in bytes.
    pub offset: u64,
    /// How many there were.
    pub places: u64,
    /// How many bytes they had, all together.
    pub bytes: u64,
}

/// The end of a log that was cut away because it was no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where the cut was made, in bytes.
    pub offset: u64,
    /// How many bytes were cut away.
    pub bytes: u64,
}

/// What a log says: the value of each name, and where its last good record ends.
#[derive(Debug)]
pub(crate) struct Replay<'a> {
    pub(crate) values: HashMap<&'a [u8], &'a [u8]>,
    pub(crate) records: usize,
    /// `None`: it has no seed, for it is of the version before, or its first line is not whole.
    pub(crate) seed: Option<Seed>,
    pub(crate) damage: Option<Damage>,
    /// Where the last good record ends; zero if the first line is not whole.
    pub(crate) end: usize,
}

/// The first bytes of a log with that seed.
pub(crate) fn head(seed: Option<Seed>) -> Vec<u8> {
    seed.map_or_else(|| MAGIC_WITHOUT_SEED.to_vec(), |Seed(seed)| [MAGIC, &seed.to_le_bytes()].concat())
}

/// Replays the bytes of a log, its [`head`] included. `None`: they are no log at all.
pub(crate) fn replay(bytes: &[u8]) -> Option<Replay<'_>> {
    let mut replay = Replay { values: HashMap::new(), records: 0, seed: None, damage: None, end: 0 };
    let behind = if let Some(rest) = bytes.strip_prefix(MAGIC) {
        let Some(seed) = rest.first_chunk::<SEED>() else { return Some(replay) };
        replay.seed = Some(Seed(u32::from_le_bytes(*seed)));
        MAGIC.len() + SEED
    } else if bytes.starts_with(MAGIC_WITHOUT_SEED) {
        MAGIC_WITHOUT_SEED.len()
    } else {
        // A first start that was killed while it wrote the first line left a part of it.
        return MAGIC.starts_with(bytes).then_some(replay);
    };
    replay.end = behind;
    let seed = replay.seed.unwrap_or(Seed::KNOWN);
    let mut at = behind;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Some((record, length)) = Record::read(seed, rest) else {
            // Without a seed, what a peer has put into a value could be taken for a record.
            if replay.seed.is_none() {
                break;
            }
            at += 1;
            continue;
        };
        if at > replay.end {
            let lost = (at - replay.end) as u64;
            let damage =
                replay.damage.get_or_insert(Damage { offset: replay.end as u64, places: 0, bytes: 0 });
            damage.places += 1;
            damage.bytes += lost;
        }
        match record {
            Record::Put { name, value } => replay.values.insert(name, value),
            Record::Remove { name } => replay.values.remove(name),
        };
        replay.records += 1;
        at += length;
        replay.end = at;
    }
    Some(replay)
}

/// A log that says only what still holds.
pub(crate) fn write(seed: Option<Seed>, values: &HashMap<&[u8], &[u8]>) -> Vec<u8> {
    let mut bytes = head(seed);
    for (name, value) in values {
        Record::Put { name, value }.write(seed.unwrap_or(Seed::KNOWN), &mut bytes);
    }
    bytes
}

/// What a log is written to: a file, and in tests a file on a disk that fills up.
pub(crate) trait Medium: Write {
    /// Cuts to `length` bytes and writes on from there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Medium for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }
}

/// How much room for records is kept.
const KEPT: usize = 16 * 1024;

/// A log that is open for appending.
#[derive(Debug)]
pub(crate) struct Log<M> {
    medium: M,
    seed: Seed,
    /// Bytes that are good: all before this were written as a whole.
    length: u64,
    /// A failed write left bytes behind that could not be cut away yet.
    torn: bool,
    buffer: Vec<u8>,
}

impl<M: Medium> Log<M> {
    /// The log in `medium`, which is positioned at `length`.
    pub(crate) const fn new(medium: M, seed: Seed, length: u64) -> Self {
        Self { medium, seed, length, torn: false, buffer: Vec::new() }
    }

    /// Writes records, with one call. When this returns `Ok`, the operating system has all of them; when it returns an
    /// error, the log is as it was before.
    pub(crate) fn append<'r>(&mut self, records: impl IntoIterator<Item = Record<'r>>) -> io::Result<()> {
        if self.torn {
            self.medium.cut(self.length)?;
            self.torn = false;
        }
        self.buffer.clear();
        records.into_iter().for_each(|record| record.write(self.seed, &mut self.buffer));
        if let Err(error) = self.medium.write_all(&self.buffer) {
            self.torn = self.medium.cut(self.length).is_err();
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        // What was once large shall not hold its memory for ever.
        self.buffer.shrink_to(KEPT);
        Ok(())
    }

    pub(crate) const fn seed(&self) -> Seed {
        self.seed
    }

    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    pub(crate) const fn medium(&self) -> &M {
        &self.medium
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that takes so many bytes and no more.
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        /// How many cuts fail before one succeeds.
        stuck: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room - self.bytes.len());
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.bytes.extend_from_slice(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Medium for Disk {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            if self.stuck > 0 {
                self.stuck -= 1;
                return Err(io::ErrorKind::Other.into());
            }
            self.bytes.truncate(length as usize);
            Ok(())
        }
    }

    const OWN: Seed = Seed(0x1234_5678);

    fn put<'a>(name: &'a [u8], value: &'a [u8]) -> Record<'a> {
        Record::Put { name, value }
    }

    #[test]
    fn a_full_disk_refuses_a_record_and_keeps_the_ones_before() {
        let start = head(Some(OWN));
        for room in start.len()..start.len() + 60 {
            for stuck in 0..3 {
                let disk = Disk { bytes: start.clone(), room, stuck };
                let mut log = Log::new(disk, OWN, start.len() as u64);
                let first = log.append([put(b"alice", b"here")]).is_ok();
                let second = log.append([put(b"bob", b"there")]).is_ok();
                log.medium.room = 1 << 10;
                log.medium.stuck = 0;
                log.append([put(b"carol", b"at last")]).unwrap();
                let replayed = replay(&log.medium.bytes).unwrap();
                assert_eq!(replayed.end, log.medium.bytes.len(), "room {room} stuck {stuck}");
                assert_eq!(replayed.values.contains_key(b"alice".as_slice()), first);
                assert_eq!(replayed.values.contains_key(b"bob".as_slice()), second);
                assert_eq!(replayed.values.get(b"carol".as_slice()), Some(&b"at last".as_slice()));
            }
        }
    }

    #[test]
    fn of_records_written_together_a_full_disk_keeps_all_or_none() {
        let start = head(Some(OWN));
        for room in start.len()..start.len() + 60 {
            let disk = Disk { bytes: start.clone(), room, stuck: 0 };
            let mut log = Log::new(disk, OWN, start.len() as u64);
            let kept = log.append([put(b"alice", b"here"), put(b"bob", b"there")]).is_ok();
            let replayed = replay(&log.medium.bytes).unwrap();
            assert_eq!(replayed.records, if kept { 2 } else { 0 }, "room {room}");
            assert_eq!(replayed.end as u64, log.length(), "room {room}");
        }
    }

    #[test]
    fn what_a_peer_wrote_into_a_value_is_no_record_though_its_own_record_is_damaged() {
        let mut forged = Vec::new();
        put(b"alice", b"at the home of mallory").write(Seed::KNOWN, &mut forged);
        for (seed, kept) in [(Some(OWN), Some(b"at home".as_slice())), (None, None)] {
            let own = seed.unwrap_or(Seed::KNOWN);
            let mut bytes = head(seed);
            let damaged = bytes.len();
            put(b"message", &[b"hello ", forged.as_slice()].concat()).write(own, &mut bytes);
            put(b"alice", b"at home").write(own, &mut bytes);
            bytes[damaged] ^= 1;
            let replayed = replay(&bytes).unwrap();
            assert_eq!(replayed.values.get(b"alice".as_slice()).copied(), kept);
        }
    }

    #[test]
    fn a_half_written_first_line_is_an_empty_log_and_another_file_is_none() {
        let start = head(Some(OWN));
        for length in 0..=start.len() {
            assert!(replay(&start[..length]).unwrap().values.is_empty());
        }
        assert!(replay(b"sipweb bindings 3\n").is_none());
        assert!(replay(b"something else, longer than the magic").is_none());
    }
}
