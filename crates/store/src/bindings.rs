//! The bindings: bytes under a name, acknowledged only when a kill cannot take them any more.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use crate::compaction::{self, Done, Work};
use crate::directory::Directory;
use crate::error::StoreError;
use crate::log::{self, Cut, Log, Recovery, Replay};
use crate::record::{LARGEST_RECORD, Record, Seed};
use crate::replace;

/// A log below this many bytes is never worth rewriting.
const COMPACT_OVER: u64 = 1 << 20;

/// The bindings of one server, in `bindings.log` of its [`Directory`].
///
/// ```
/// # fn main() -> Result<(), store::StoreError> {
/// # let place = tempfile::tempdir().unwrap();
/// let directory = store::Directory::open(place.path())?;
/// let mut bindings = store::Bindings::open(&directory)?;
/// bindings.put(b"sip:alice@example.com", b"whatever the registrar wrote")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Bindings {
    path: PathBuf,
    log: Log<File>,
    recovery: Recovery,
    loaded: Vec<(Vec<u8>, Vec<u8>)>,
    /// The log's length that makes it worth rewriting.
    compact_at: u64,
    smallest_compaction: u64,
    compacting: bool,
    trouble: Option<StoreError>,
    worker: Option<JoinHandle<()>>,
    /// `None` only while the value is dropped.
    work: Option<Sender<Work>>,
    done: Receiver<Done>,
    /// The worker knows that something is to be brought to the disk. It is not woken for every record.
    awaited: Arc<AtomicBool>,
}

impl Bindings {
    /// Opens the log of `directory`, replays it, and cuts away an end that was torn. One that was damaged in the middle
    /// is rewritten without what cannot be read.
    ///
    /// # Errors
    /// [`StoreError::File`] if the log cannot be read, made or cut; [`StoreError::NotALog`] if it is something
    /// else.
    pub fn open(directory: &Directory) -> Result<Self, StoreError> {
        Self::open_with(directory, COMPACT_OVER)
    }

    fn open_with(directory: &Directory, smallest_compaction: u64) -> Result<Self, StoreError> {
        let path = directory.path().join("bindings.log");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::file("open", &path))?;
        file.set_permissions(Permissions::from_mode(0o600)).map_err(StoreError::file("protect", &path))?;
        // A rewriting that was interrupted left a file that nobody needs.
        let _ = fs::remove_file(compaction::path_of_new(&path));

        let bytes = fs::read(&path).map_err(StoreError::file("read", &path))?;
        let replayed = log::replay(&bytes).ok_or_else(|| StoreError::NotALog { path: path.clone() })?;
        let end = bytes.len().min(replayed.end);
        let torn = (bytes.len() - end) as u64;
        let recovery = Recovery {
            records: replayed.records,
            names: replayed.values.len(),
            damage: replayed.damage,
            cut: (torn > 0 && end > 0).then_some(Cut { offset: end as u64, bytes: torn }),
        };
        let mut seed = replayed.seed.unwrap_or(Seed::KNOWN);
        let mut trouble = None;
        let length = if end > 0 && replayed.seed.is_some() && replayed.damage.is_none() {
            cut(&mut file, &path, end, torn)?
        } else if end == 0 {
            // New, or killed before the first line was whole.
            seed = new_seed()?;
            let head = log::head(Some(seed));
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| file.write_all(&head))
                .map_err(StoreError::file("write", &path))?;
            head.len() as u64
        } else {
            match rewrite(&path, &replayed) {
                Ok(rewritten) => {
                    (file, seed) = (rewritten.file, rewritten.seed);
                    trouble = rewritten.trouble;
                    rewritten.length
                }
                // The disk may be full: the log goes on as it is, and is rewritten at the next start.
                Err(error) => {
                    trouble = Some(error);
                    let _ = fs::remove_file(compaction::path_of_new(&path));
                    cut(&mut file, &path, end, torn)?
                }
            }
        };
        let live: usize = replayed.values.iter().map(|(name, value)| name.len() + value.len() + 13).sum();
        let loaded = replayed.values.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();

        let (work, work_in) = mpsc::channel();
        let (done_out, done) = mpsc::channel();
        let copy = file.try_clone().map_err(StoreError::file("open", &path))?;
        let worker_path = path.clone();
        let awaited = Arc::new(AtomicBool::new(false));
        let workers_awaited = Arc::clone(&awaited);
        let worker = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || compaction::run(&worker_path, copy, &work_in, &done_out, &workers_awaited))
            .map_err(StoreError::file("start the worker for", &path))?;
        Ok(Self {
            path,
            log: Log::new(file, seed, length),
            recovery,
            loaded,
            compact_at: smallest_compaction.max(2 * live as u64),
            smallest_compaction,
            compacting: false,
            trouble,
            worker: Some(worker),
            work: Some(work),
            done,
            awaited,
        })
    }

    /// What was found when the log was opened, a torn end included.
    #[must_use]
    pub const fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The names and values found when the log was opened, in no order. They are handed over once: a second
    /// call gives none.
    pub fn load(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        std::mem::take(&mut self.loaded)
    }

    /// Keeps `value` under `name`, in the place of what was there. When this returns, a kill of the process
    /// cannot take it any more; after a second at most, neither can a power cut.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], or [`StoreError::File`] if the disk is full or broken; what was kept before
    /// is kept still.
    pub fn put(&mut self, name: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.append([Record::Put { name, value }])
    }

    /// Forgets what is under `name`. Nothing being there is no error.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn remove(&mut self, name: &[u8]) -> Result<(), StoreError> {
        self.append([Record::Remove { name }])
    }

    /// Makes many changes in their order, as [`put`](Self::put) and, where there is no value, [`remove`](Self::remove)
    /// would, with one system call if all goes well. Each has an outcome of its own, in the same order.
    pub fn change_all(&mut self, changes: &[(&[u8], Option<&[u8]>)]) -> Vec<Result<(), StoreError>> {
        if self.append(changes.iter().map(record_of)).is_ok() {
            return changes.iter().map(|_| Ok(())).collect();
        }
        // Together they cannot be kept: perhaps one of them is at fault, or there is room for some.
        changes.iter().map(|change| self.append([record_of(change)])).collect()
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// [`StoreError::File`] if the disk is full or broken.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        let (reply, replied) = mpsc::channel();
        self.ask(Work::Flush(reply));
        match replied.recv() {
            Ok(result) => result.map_err(StoreError::file("write", &self.path)),
            // The worker is gone: do its work here.
            Err(_) => self.log.medium().sync_data().map_err(StoreError::file("write", &self.path)),
        }
    }

    /// What went wrong behind the scenes since the last call: a failed write to the disk, a failed rewriting.
    /// Nothing that was kept is lost by it while the machine runs; it belongs into the server's log.
    pub fn take_trouble(&mut self) -> Option<StoreError> {
        self.attend();
        self.trouble.take()
    }

    /// Writes records, all or none.
    fn append<'r>(
        &mut self,
        records: impl IntoIterator<Item = Record<'r>, IntoIter: Clone>,
    ) -> Result<(), StoreError> {
        let records = records.into_iter();
        if let Some(length) =
            records.clone().map(|record| record.length()).find(|length| *length > LARGEST_RECORD)
        {
            return Err(StoreError::TooLarge { length });
        }
        self.attend();
        self.log.append(records).map_err(StoreError::file("write", &self.path))?;
        if !self.awaited.swap(true, Ordering::SeqCst) {
            self.ask(Work::Written);
        }
        if self.log.length() > self.compact_at && !self.compacting {
            self.compacting = true;
            self.ask(Work::Compact { end: self.log.length() });
        }
        Ok(())
    }

    fn ask(&self, work: Work) {
        if let Some(sender) = &self.work {
            // A worker that is gone is noticed by `flush`; without it the log is written all the same.
            let _ = sender.send(work);
        }
    }

    /// Takes what the worker has finished.
    fn attend(&mut self) {
        while let Ok(done) = self.done.try_recv() {
            let rewritten = match done {
                Done::Unsynced(error) => {
                    self.trouble = Some(error);
                    continue;
                }
                Done::Compacted { file, end, length } => self.move_to(file, end, length),
                Done::NotCompacted(error) => Err(error),
            };
            if let Err(error) = rewritten {
                self.trouble = Some(error);
                // What is left of it takes room that the log may need.
                let _ = fs::remove_file(compaction::path_of_new(&self.path));
            }
            self.compacting = false;
            self.compact_at = self.smallest_compaction.max(self.log.length().saturating_mul(2));
        }
    }

    /// Puts the rewritten log in place: what was appended meanwhile is copied behind it first.
    fn move_to(&mut self, mut file: File, end: u64, length: u64) -> Result<(), StoreError> {
        let new = compaction::path_of_new(&self.path);
        let missing = usize::try_from(self.log.length().saturating_sub(end)).unwrap_or(usize::MAX);
        let mut tail = vec![0; missing];
        self.log.medium().read_exact_at(&mut tail, end).map_err(StoreError::file("read", &self.path))?;
        file.seek(SeekFrom::Start(length))
            .and_then(|_| file.write_all(&tail))
            .and_then(|()| file.sync_data())
            .map_err(StoreError::file("write", &new))?;
        let copy = file.try_clone().map_err(StoreError::file("open", &new))?;
        replace::rename(&new, &self.path)?;
        // The log is the new file from here on, whatever else fails: nobody would find what is written to the old one.
        self.ask(Work::Moved(copy));
        self.log = Log::new(file, self.log.seed(), length + missing as u64);
        replace::keep_name(&self.path)
    }
}

impl Drop for Bindings {
    fn drop(&mut self) {
        self.work = None;
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

const fn record_of<'r>(change: &(&'r [u8], Option<&'r [u8]>)) -> Record<'r> {
    match *change {
        (name, Some(value)) => Record::Put { name, value },
        (name, None) => Record::Remove { name },
    }
}

/// Cuts `file` behind its last good record, `torn` bytes before its end, and goes there.
fn cut(file: &mut File, path: &Path, end: usize, torn: u64) -> Result<u64, StoreError> {
    let length = end as u64;
    let cut = if torn > 0 { file.set_len(length) } else { Ok(()) };
    cut.and_then(|()| file.seek(SeekFrom::Start(length)))
        .map(|_| length)
        .map_err(StoreError::file("write", path))
}

/// A log that was written anew. Its file is positioned at its end.
struct Rewritten {
    file: File,
    seed: Seed,
    length: u64,
    /// A power cut may bring back the log as it was.
    trouble: Option<StoreError>,
}

/// Puts a log that says the same in the place of one that is damaged, or of the version before.
fn rewrite(path: &Path, replayed: &Replay<'_>) -> Result<Rewritten, StoreError> {
    let seed = new_seed()?;
    let bytes = log::write(Some(seed), &replayed.values);
    let new = compaction::path_of_new(path);
    let mut file = replace::create(&new)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(StoreError::file("write", &new))?;
    replace::rename(&new, path)?;
    Ok(Rewritten { file, seed, length: bytes.len() as u64, trouble: replace::keep_name(path).err() })
}

fn new_seed() -> Result<Seed, StoreError> {
    let mut seed = [0; 4];
    getrandom::fill(&mut seed).map_err(|error| StoreError::Entropy(error.to_string()))?;
    Ok(Seed(u32::from_le_bytes(seed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_outgrows_what_it_says_is_rewritten_and_nothing_written_meanwhile_is_lost() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let mut bindings = Bindings::open_with(&directory, 2000).unwrap();
        let mut lengths = Vec::new();
        for round in 0..2000u32 {
            bindings.put(format!("name {}", round % 7).as_bytes(), &round.to_le_bytes()).unwrap();
            lengths.push(bindings.log.length());
            if round % 100 == 0 {
                bindings.remove(b"name 3").unwrap();
                bindings.flush().unwrap();
            }
        }
        assert!(bindings.take_trouble().is_none());
        assert!(lengths.windows(2).any(|pair| pair[1] < pair[0]), "the log was never rewritten");
        drop(bindings);
        let mut bindings = Bindings::open_with(&directory, 2000).unwrap();
        let mut found = bindings.load();
        found.sort();
        assert_eq!(found.len(), 7);
        for (name, value) in found {
            let number = u32::from(name[5] - b'0');
            let last = (1993..2000).find(|round| round % 7 == number).unwrap();
            assert_eq!(value, last.to_le_bytes(), "name {number}");
        }
    }

    #[test]
    fn of_many_changes_one_that_is_too_large_leaves_the_others_alone() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let mut bindings = Bindings::open(&directory).unwrap();
        let large = vec![0; LARGEST_RECORD];
        let outcomes = bindings.change_all(&[
            (b"alice", Some(b"here")),
            (b"mallory", Some(&large)),
            (b"alice", None),
            (b"bob", Some(b"there")),
        ]);
        assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
        drop(bindings);
        let mut bindings = Bindings::open(&directory).unwrap();
        assert_eq!(bindings.load(), [(b"bob".to_vec(), b"there".to_vec())]);
    }

    #[test]
    fn a_log_of_the_version_before_is_read_and_goes_on_in_the_present_one() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let path = place.path().join("bindings.log");
        let mut before = log::write(None, &[(b"alice".as_slice(), b"here".as_slice())].into());
        before.extend_from_slice(b"torn");
        fs::write(&path, &before).unwrap();
        let mut bindings = Bindings::open(&directory).unwrap();
        assert_eq!(bindings.load(), [(b"alice".to_vec(), b"here".to_vec())]);
        assert_eq!(bindings.recovery().cut.map(|cut| cut.bytes), Some(4));
        bindings.put(b"bob", b"there").unwrap();
        drop(bindings);
        assert!(fs::read(&path).unwrap().starts_with(log::MAGIC));
        let bindings = Bindings::open(&directory).unwrap();
        assert_eq!((bindings.recovery().names, bindings.recovery().cut), (2, None));
    }

    #[test]
    fn a_rewriting_that_was_killed_leaves_no_trace() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        fs::write(place.path().join("bindings.log.new"), "half a log").unwrap();
        let mut bindings = Bindings::open(&directory).unwrap();
        assert!(bindings.load().is_empty());
        assert!(!place.path().join("bindings.log.new").exists());
    }
}
