//! Whether another program has renewed the certificate files, and when it is time to say again what is wrong with them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use net::TlsConfig;

/// The certificate files, as they were when they were taken and at the last look.
pub(crate) struct CertificateWatch {
    taken: Vec<Option<Stamp>>,
    seen: Vec<Option<Stamp>>,
    /// Those that could not be taken, which was told.
    failed: Option<Vec<Option<Stamp>>>,
}

/// What tells one version of a file from the next: when it was written, its length, its inode.
type Stamp = (SystemTime, u64, u64);

impl CertificateWatch {
    /// To be made before the files are read: a change meanwhile is seen then.
    pub(crate) fn new(files: &TlsConfig) -> Self {
        let taken = stamps(files);
        Self { seen: taken.clone(), taken, failed: None }
    }

    /// Whether they are to be taken anew: they have changed, and not since the last look, for a certificate and its key are
    /// written one after the other.
    pub(crate) fn has_renewal(&mut self, files: &TlsConfig) -> bool {
        let before = std::mem::replace(&mut self.seen, stamps(files));
        let is_settled = self.seen == before;
        let has_changed = self.seen != self.taken;
        if is_settled && has_changed {
            self.taken.clone_from(&self.seen);
        }
        is_settled && has_changed
    }

    /// They cannot be taken, and are tried again at the next look: without any of them being written an owner is corrected, or a
    /// descriptor becomes free. Whether it is to be told, which is once of each version.
    pub(crate) fn has_failed_anew(&mut self) -> bool {
        self.taken.clear();
        self.failed.replace(self.seen.clone()).as_ref() != Some(&self.seen)
    }

    /// What cannot be taken is told once more.
    pub(crate) fn tell_again(&mut self) {
        self.failed = None;
    }
}

fn stamps(files: &TlsConfig) -> Vec<Option<Stamp>> {
    let stamp = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    };
    files.files().into_iter().map(stamp).collect()
}

/// How often it is told what is wrong with the certificates.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3600);

/// When it was told last what clients will not like of the certificates: their time runs out though nobody touches the files.
pub(crate) struct CertificateReminder {
    told: Instant,
}

impl CertificateReminder {
    /// It was told now.
    pub(crate) const fn told(now: Instant) -> Self {
        Self { told: now }
    }

    /// Whether it is time to tell it again. Whoever is answered that it is tells it.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now.saturating_duration_since(self.told) >= REMIND_EVERY;
        if is_due {
            self.told = now;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use net::{CertificateFiles, Identity};

    use super::*;

    #[test]
    fn a_renewal_is_noticed_once_when_all_of_it_is_written() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let write = |name: &str, text: &str| fs::write(path(name), text).unwrap();
        let pair = CertificateFiles { certificate: path("one.pem"), key: path("one.key") };
        let files = TlsConfig { identity: Some(Identity::Files(vec![pair])), ..TlsConfig::default() };
        write("one.pem", "a certificate");
        write("one.key", "a key");
        let mut watch = CertificateWatch::new(&files);
        assert!(!watch.has_renewal(&files));
        write("one.pem", "another certificate");
        assert!(!watch.has_renewal(&files), "its key may follow");
        write("one.key", "another key");
        assert!(!watch.has_renewal(&files), "that was just now");
        assert!(watch.has_renewal(&files));
        assert!(!watch.has_renewal(&files), "once");
        // As certbot does it: another file is put in the place of the one that was there.
        write("two.key", "the next key");
        fs::rename(path("two.key"), path("one.key")).unwrap();
        assert!(!watch.has_renewal(&files));
        assert!(watch.has_renewal(&files));
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_once_a_day() {
        let start = Instant::now();
        let mut reminder = CertificateReminder::told(start);
        let told: Vec<u64> =
            (0..72).filter(|hour| reminder.is_due(start + Duration::from_secs(hour * 3600))).collect();
        assert_eq!(told, [24, 48]);
    }
}
