//! The worker thread: brings the log to the disk, and rewrites it when it has outgrown what it says.
//!
//! Both take milliseconds that the server's loop does not have. The worker reads the log's file by its path and
//! writes a new one beside it; the log itself is only ever written by its owner ([`crate::Bindings`]), who puts
//! the new file in place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::log;
use crate::replace;

/// The longest time between an acknowledged record and its arrival on the disk.
const SYNC_WITHIN: Duration = Duration::from_millis(900);

/// What the owner of the log asks for.
pub(crate) enum Work {
    /// Records were written, the first since the log was last brought to the disk: do so soon.
    Written,
    /// Bring everything to the disk now, and say so.
    Flush(Sender<io::Result<()>>),
    /// Rewrite the first `end` bytes of the log with only what still holds.
    Compact { end: u64 },
    /// The log goes on in this file.
    Moved(File),
}

/// What the worker has to say.
pub(crate) enum Done {
    /// The first `end` bytes of the log, rewritten: a file beside it, on the disk, of `length` bytes.
    Compacted { file: File, end: u64, length: u64 },
    /// That failed; the log goes on as it is.
    NotCompacted(StoreError),
    /// The log could not be brought to the disk.
    Unsynced(StoreError),
}

/// The worker's loop. It ends when the owner of the log is gone. `awaited` is true from [`Work::Written`] until the log
/// is about to be brought to the disk.
pub(crate) fn run(
    path: &Path,
    mut file: File,
    work: &Receiver<Work>,
    done: &Sender<Done>,
    awaited: &AtomicBool,
) {
    let mut sync_at: Option<Instant> = None;
    loop {
        let next = match sync_at {
            None => work.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => work.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(Work::Written) => sync_at = sync_at.or_else(|| Some(Instant::now() + SYNC_WITHIN)),
            Ok(Work::Flush(reply)) => {
                sync_at = None;
                awaited.store(false, Ordering::SeqCst);
                let _ = reply.send(file.sync_data());
            }
            Ok(Work::Compact { end }) => {
                let _ = done.send(compact(path, end).unwrap_or_else(Done::NotCompacted));
            }
            Ok(Work::Moved(moved)) => file = moved,
            Err(RecvTimeoutError::Timeout) => {
                sync_at = None;
                // Before the disk is asked: what is written meanwhile needs another time.
                awaited.store(false, Ordering::SeqCst);
                if let Err(error) = file.sync_data() {
                    let _ = done.send(Done::Unsynced(StoreError::file("write", path)(error)));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                let _ = file.sync_data();
                return;
            }
        }
    }
}

/// Where the new log grows until it takes the old one's place.
pub(crate) fn path_of_new(path: &Path) -> PathBuf {
    replace::beside(path, "new")
}

fn compact(path: &Path, end: u64) -> Result<Done, StoreError> {
    let mut bytes = fs::read(path).map_err(StoreError::file("read", path))?;
    bytes.truncate(usize::try_from(end).unwrap_or(usize::MAX));
    let Some(replayed) = log::replay(&bytes) else {
        return Err(StoreError::NotALog { path: path.to_owned() });
    };
    // With the same seed: what is appended meanwhile is copied behind it as it is.
    let rewritten = log::write(replayed.seed, &replayed.values);
    let new = path_of_new(path);
    let mut file = replace::create(&new)?;
    file.write_all(&rewritten).and_then(|()| file.sync_all()).map_err(StoreError::file("write", &new))?;
    Ok(Done::Compacted { file, end, length: rewritten.len() as u64 })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_is_written_behind_a_flush_is_brought_to_the_disk_too() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let file = File::create(&path).unwrap();
        let (work, work_in) = mpsc::channel();
        let (done, _failures) = mpsc::channel();
        let awaited = AtomicBool::new(true);
        let (reply, replied) = mpsc::channel();
        work.send(Work::Written).unwrap();
        work.send(Work::Flush(reply)).unwrap();
        drop(work);
        run(&path, file, &work_in, &done, &awaited);
        replied.recv().unwrap().unwrap();
        // Nothing is awaited any more: the next record wakes the worker.
        assert!(!awaited.load(Ordering::SeqCst));
    }
}
