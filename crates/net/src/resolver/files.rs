//! The files of this machine that say which name servers and hosts there are. They change while the server runs: a network that
//! comes up after it, another network.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// How often they are looked at, while somebody asks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Files, and how they were when they were last read.
pub(super) struct Files {
    paths: Vec<PathBuf>,
    seen: RefCell<Vec<Option<Stamp>>>,
    next_look: Cell<Instant>,
    every: Duration,
}

/// What tells one version of a file from the next.
type Stamp = (SystemTime, u64);

impl Files {
    /// Those of the system.
    pub(super) fn of_the_system() -> Self {
        Self::new(vec!["/etc/resolv.conf".into(), "/etc/hosts".into()], LOOK_EVERY)
    }

    pub(super) fn new(paths: Vec<PathBuf>, every: Duration) -> Self {
        let seen = stamps(&paths).into();
        Self { paths, seen, next_look: Cell::new(Instant::now() + every), every }
    }

    /// Whether one of them has changed since this was asked last.
    pub(super) fn have_changed(&self) -> bool {
        let now = Instant::now();
        if now < self.next_look.get() {
            return false;
        }
        self.next_look.set(now + self.every);
        let stamps = stamps(&self.paths);
        let before = self.seen.replace(stamps);
        before != *self.seen.borrow()
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.iter().map(stamp).collect()
}
