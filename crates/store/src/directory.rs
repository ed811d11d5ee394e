//! The data directory and its lock: one server at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// A data directory, held by this process until the value is dropped.
///
/// The lock belongs to the open file, so it ends with the process however the process ends.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is missing (for the owner only) and takes it for this process.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another server holds it; [`StoreError::File`] if it cannot be made or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::make(path)?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(StoreError::file("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let process = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(StoreError::InUse { directory: path.to_owned(), process });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::file("lock", &lock_path)(error)),
        }
        // Who holds the lock is a courtesy to the reader of an error; the lock itself does not depend on it.
        let _ = lock.set_len(0);
        let _ = lock.rewind();
        let _ = writeln!(lock, "{}", std::process::id());
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Makes the directory and its parents if they are missing, for the owner only, without taking it.
    ///
    /// # Errors
    /// [`StoreError::File`] if it cannot be made, or is no directory.
    pub fn make(path: &Path) -> Result<(), StoreError> {
        if fs::metadata(path).is_ok_and(|there| !there.is_dir()) {
            return Err(StoreError::file("open", path)(ErrorKind::NotADirectory.into()));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StoreError::file("make", path))?;
        // A dangling link may pass `create`.
        fs::metadata(path).map_err(StoreError::file("open", path)).map(drop)
    }

    /// Where the directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_told_who_holds_the_directory() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("deep").join("data");
        let first = Directory::open(&data).unwrap();
        let error = Directory::open(&data).unwrap_err();
        assert!(
            matches!(&error, StoreError::InUse { process: Some(process), .. } if *process == std::process::id())
        );
        assert!(error.to_string().contains("in use by another server"), "{error}");
        drop(first);
        Directory::open(&data).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_told() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("data");
        fs::write(&file, "").unwrap();
        let error = Directory::open(&file).unwrap_err().to_string();
        assert!(error.ends_with("data: not a directory"), "{error}");
    }
}
