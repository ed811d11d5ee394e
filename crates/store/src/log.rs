//! The append-only log: written before anything is acknowledged, replayed at the start.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use crate::record::Record;

/// The first bytes of every log: the format and its version.
pub(crate) const MAGIC: &[u8] = b"sipweb bindings 1\n";

/// What was found when a log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Good records, superseded ones included.
    pub records: usize,
    /// Names that hold a value.
    pub names: usize,
    /// The torn or damaged end that was cut away, if there was one.
    pub cut: Option<Cut>,
}

/// The end of a log that was cut away because it was no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where the cut was made: the length of the log that is left, in bytes.
    pub offset: u64,
    /// How many bytes were cut away.
    pub bytes: u64,
}

/// The good part of a log: the value of each name, and where the good part ends.
#[derive(Debug)]
pub(crate) struct Replay<'a> {
    pub(crate) values: HashMap<&'a [u8], &'a [u8]>,
    pub(crate) records: usize,
    /// Where the first bad record begins; the length of the bytes if none is bad.
    pub(crate) end: usize,
}

/// Replays the bytes of a log, its [`MAGIC`] included. `None`: they are no log at all.
pub(crate) fn replay(bytes: &[u8]) -> Option<Replay<'_>> {
    let mut end = MAGIC.len();
    let mut replay = Replay { values: HashMap::new(), records: 0, end: 0 };
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        // A first start that was killed while it wrote the first line left a part of it.
        return MAGIC.starts_with(bytes).then_some(replay);
    };
    while let Some((record, length)) = Record::read(rest) {
        match record {
            Record::Put { name, value } => replay.values.insert(name, value),
            Record::Remove { name } => replay.values.remove(name),
        };
        replay.records += 1;
        end += length;
        rest = rest.get(length..).unwrap_or_default();
    }
    replay.end = end;
    Some(replay)
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
    /// Bytes that are good: all before this were written as a whole.
    length: u64,
    /// A failed write left bytes behind that could not be cut away yet.
    torn: bool,
    buffer: Vec<u8>,
}

impl<M: Medium> Log<M> {
    /// The log in `medium`, which is positioned at `length`.
    pub(crate) const fn new(medium: M, length: u64) -> Self {
        Self { medium, length, torn: false, buffer: Vec::new() }
    }

    /// Writes records, with one call. When this returns `Ok`, the operating system has all of them; when it returns an
    /// error, the log is as it was before.
    pub(crate) fn append<'r>(&mut self, records: impl IntoIterator<Item = Record<'r>>) -> io::Result<()> {
        if self.torn {
            self.medium.cut(self.length)?;
            self.torn = false;
        }
        self.buffer.clear();
        records.into_iter().for_each(|record| record.write(&mut self.buffer));
        if let Err(error) = self.medium.write_all(&self.buffer) {
            self.torn = self.medium.cut(self.length).is_err();
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        // What was once large shall not hold its memory for ever.
        self.buffer.shrink_to(KEPT);
        Ok(())
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

    fn put<'a>(name: &'a [u8], value: &'a [u8]) -> Record<'a> {
        Record::Put { name, value }
    }

    #[test]
    fn a_full_disk_refuses_a_record_and_keeps_the_ones_before() {
        for room in MAGIC.len()..MAGIC.len() + 60 {
            for stuck in 0..3 {
                let disk = Disk { bytes: MAGIC.to_vec(), room, stuck };
                let mut log = Log::new(disk, MAGIC.len() as u64);
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
        for room in MAGIC.len()..MAGIC.len() + 60 {
            let disk = Disk { bytes: MAGIC.to_vec(), room, stuck: 0 };
            let mut log = Log::new(disk, MAGIC.len() as u64);
            let kept = log.append([put(b"alice", b"here"), put(b"bob", b"there")]).is_ok();
            let replayed = replay(&log.medium.bytes).unwrap();
            assert_eq!(replayed.records, if kept { 2 } else { 0 }, "room {room}");
            assert_eq!(replayed.end as u64, log.length(), "room {room}");
        }
    }

    #[test]
    fn a_half_written_first_line_is_an_empty_log_and_another_file_is_none() {
        for length in 0..=MAGIC.len() {
            assert!(replay(&MAGIC[..length]).unwrap().values.is_empty());
        }
        assert!(replay(b"sipweb bindings 2\n").is_none());
        assert!(replay(b"something else, longer than the magic").is_none());
    }
}
