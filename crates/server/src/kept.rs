//! What the event loops of a server keep together: the users, and the bindings on the disk.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use proxy::UserSecret;
use sip::digest::{Algorithm, Ha1};
use store::{Bindings, Directory, Refreshed, StoreError, User, Users};

use crate::log;

/// The data directory, open.
pub(crate) struct Kept {
    bindings: Mutex<Bindings>,
    users: RwLock<Users>,
    /// Held as long as the server runs.
    _directory: Directory,
}

impl Kept {
    pub(crate) fn new(directory: Directory, bindings: Bindings, users: Users) -> Self {
        Self { bindings: Mutex::new(bindings), users: RwLock::new(users), _directory: directory }
    }

    /// Keeps the record of an address-of-record, or forgets it. When this returns, a kill cannot take it.
    pub(crate) fn store(&self, aor: &[u8], record: Option<&[u8]>) -> Result<(), StoreError> {
        let mut bindings = self.bindings();
        match record {
            Some(record) => bindings.put(aor, record),
            None => bindings.remove(aor),
        }
    }

    /// Keeps or forgets many, at once: each has an outcome of its own.
    pub(crate) fn store_all(&self, records: &[(&[u8], Option<&[u8]>)]) -> Vec<Result<(), StoreError>> {
        self.bindings().change_all(records)
    }

    /// The hashes of a user's password, if there is such a user.
    pub(crate) fn secret_of(&self, name: &str, realm: &str) -> Option<UserSecret> {
        self.refresh_users();
        self.users.read().unwrap_or_else(PoisonError::into_inner).lookup(name, realm).map(secret)
    }

    /// Tells what went wrong behind the scenes, and notices changed users.
    pub(crate) fn look_after(&self) {
        if let Some(trouble) = self.bindings().take_trouble() {
            log::error(trouble);
        }
        self.refresh_users();
    }

    /// Brings everything to the disk, at the end.
    pub(crate) fn flush(&self) {
        if let Err(error) = self.bindings().flush() {
            log::error(error);
        }
    }

    fn refresh_users(&self) {
        let now = std::time::Instant::now();
        // Nobody waits for whoever looks after the file: most of the time there is nothing to do.
        if !self.users.read().unwrap_or_else(PoisonError::into_inner).is_due(now) {
            return;
        }
        match self.users.write().unwrap_or_else(PoisonError::into_inner).refresh(now) {
            Refreshed::Unchanged => {}
            Refreshed::Reloaded(count) => log::info(format!("the users' file changed: it has {count} users")),
            Refreshed::Gone(time) => log::error(format!(
                "the users' file has been missing or empty for {} s: nobody is known any more. Bring it back, or add users \
                 with: sipweb user add",
                time.as_secs()
            )),
            Refreshed::Failed(error) => log::error(format!("{error}; the users stay as they were")),
        }
    }

    fn bindings(&self) -> MutexGuard<'_, Bindings> {
        self.bindings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn secret(user: &User) -> UserSecret {
    let hash = |algorithm, bytes: Option<&[u8]>| bytes.and_then(|bytes| Ha1::from_bytes(algorithm, bytes));
    UserSecret {
        md5: hash(Algorithm::Md5, user.md5.as_ref().map(<[u8; 16]>::as_slice)),
        sha256: hash(Algorithm::Sha256, user.sha256.as_ref().map(<[u8; 32]>::as_slice)),
        sha512_256: hash(Algorithm::Sha512_256, user.sha512_256.as_ref().map(<[u8; 32]>::as_slice)),
    }
}
