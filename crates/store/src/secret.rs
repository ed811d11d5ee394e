//! The server's own key: flow tokens and nonces are signed with keys derived from it.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use crate::directory::Directory;
use crate::error::StoreError;
use crate::replace;

/// The directory's key of 32 bytes, made at the first start. It stays the same over restarts, so that flow
/// tokens and nonces that were given out before stay good.
///
/// # Errors
/// [`StoreError::NotAKey`] if the file holds something else; [`StoreError::File`] if it cannot be read or made.
pub fn secret(directory: &Directory) -> Result<[u8; 32], StoreError> {
    let path = directory.path().join("secret");
    match fs::read_to_string(&path) {
        Ok(text) => {
            // A copy of the directory may have lost the mode that kept the key private.
            fs::set_permissions(&path, Permissions::from_mode(0o600))
                .map_err(StoreError::file("protect", &path))?;
            parse(text.trim()).ok_or(StoreError::NotAKey { path })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| StoreError::Entropy(error.to_string()))?;
            let mut text = crate::user::hexadecimal(&key);
            text.push('\n');
            replace::replace(&path, text.as_bytes())?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(StoreError::NotAKey { path }),
        Err(error) => Err(StoreError::file("read", &path)(error)),
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    crate::user::parse_hexadecimal(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let key = secret(&directory).unwrap();
        assert_eq!(secret(&directory).unwrap(), key);
        let mode = fs::metadata(place.path().join("secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_key_is_named_and_not_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        for text in ["", "too short", "\u{e9}", &"g".repeat(64), &"a".repeat(66)] {
            fs::write(place.path().join("secret"), text).unwrap();
            assert!(matches!(secret(&directory), Err(StoreError::NotAKey { .. })), "{text:?}");
        }
        fs::write(place.path().join("secret"), [0xff; 32]).unwrap();
        assert!(matches!(secret(&directory), Err(StoreError::NotAKey { .. })));
    }
}
