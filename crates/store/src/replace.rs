//! Files that are replaced as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The user who may read everything.
const ROOT: u32 = 0;

/// Replaces `path` by `bytes`, readable by the owner only. After a crash at any moment the file is the old one
/// or the new one. A link stays: the file that it names is replaced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let fresh = beside(path, "new");
    let mut file = create(&fresh)?;
    give_to_owner(&file, path);
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(StoreError::file("write", &fresh))?;
    rename(&fresh, path)?;
    keep_name(path)
}

/// An empty file for the owner only, in the place of whatever an earlier crash left there.
pub(crate) fn create(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(StoreError::file("make", path))?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(StoreError::file("protect", path))?;
    give_to_owner(&file, path);
    Ok(file)
}

/// Gives a file to whom the one at `path` belongs, or else its directory: root adds a user, and a server that is not root is
/// to read it.
pub(crate) fn give_to_owner(file: &File, path: &Path) {
    let there = fs::metadata(path).ok().filter(|there| there.uid() != ROOT);
    let owner = there.or_else(|| fs::metadata(directory_of(path)).ok());
    if let (Ok(made), Some(owner)) = (file.metadata(), owner)
        && made.uid() != owner.uid()
    {
        // Nobody else may; then it stays as it is.
        let _ = fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Renames `fresh`, whose bytes are on the disk, to `path`: from now on whoever opens `path` gets it.
pub(crate) fn rename(fresh: &Path, path: &Path) -> Result<(), StoreError> {
    fs::rename(fresh, path).map_err(StoreError::file("replace", path))
}

/// Brings the name of `path` to the disk too. If it fails, a power cut may bring back the file that was there before.
pub(crate) fn keep_name(path: &Path) -> Result<(), StoreError> {
    let directory = directory_of(path);
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(StoreError::file("write", directory))
}

/// `path` with `.extension` after its whole name.
pub(crate) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_stays_and_the_file_that_it_names_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let (file, link) = (place.path().join("kept elsewhere"), place.path().join("users"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }
}
