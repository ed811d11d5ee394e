//! What is kept of an authority: our account, and a file with key and certificate for each domain. Only the owner reads them.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use net::CertificateFiles;

/// The folder of one authority.
pub(super) struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// The folder for the authority of that directory, made if it is not there: certificates of one that is for trying are not
    /// taken for another's.
    pub(super) fn open(folder: &Path, directory: &str) -> Result<Self, String> {
        let authority = directory.trim_start_matches("https://");
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
        let folder = folder.join(authority.chars().map(plain).collect::<String>());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| format!("cannot keep certificates in {}: {error}", folder.display()))?;
        Ok(Self { folder })
    }

    /// The file of a domain: its key, then its certificate with the chain.
    pub(super) fn files(&self, domain: &str) -> CertificateFiles {
        let file = self.folder.join(format!("{domain}.pem"));
        CertificateFiles { certificate: file.clone(), key: file }
    }

    /// Keeps key and certificate together, so that they belong together whenever the machine stops.
    pub(super) fn keep(&self, domain: &str, pem: &str) -> Result<(), String> {
        self.write(&format!("{domain}.pem"), pem.as_bytes())
    }

    /// The account, if there is one that can be read.
    pub(super) fn account(&self) -> Option<AccountCredentials> {
        serde_json::from_slice(&fs::read(self.folder.join("account.json")).ok()?).ok()
    }

    pub(super) fn keep_account(&self, account: &AccountCredentials) -> Result<(), String> {
        let text = serde_json::to_vec(account).map_err(|error| error.to_string())?;
        self.write("account.json", &text)
    }

    /// The authority has forgotten the account.
    pub(super) fn forget_account(&self) -> Result<(), String> {
        let file = self.folder.join("account.json");
        fs::remove_file(&file).map_err(|error| format!("cannot remove {}: {error}", file.display()))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let (file, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let write = || -> io::Result<()> {
            // A file that somebody else may have opened is not taken over.
            let _ = fs::remove_file(&new);
            let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            opened.write_all(bytes)?;
            opened.sync_all()?;
            fs::rename(&new, &file)
        };
        write().map_err(|error| format!("cannot write {}: {error}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_kept_is_read_by_its_owner_only_and_each_authority_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let open = |url| Kept::open(&folder.path().join("acme"), url).unwrap();
        let kept = open("https://acme.example/directory");
        kept.keep("sip.example.com", "first").unwrap();
        kept.keep("sip.example.com", "second").unwrap();
        let file = kept.files("sip.example.com").certificate;
        assert_eq!(fs::read_to_string(&file).unwrap(), "second");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert!(!open("https://staging.example/directory").files("sip.example.com").certificate.exists());
        assert!(kept.account().is_none());
    }
}
