//! The users' file: text that people may edit, commands change, and the server reads again when it changed.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::directory::Directory;
use crate::error::{StoreError, UsersError};
use crate::replace;
use crate::user::User;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a file that is missing, or has nothing in it, may only be about to be written anew.
const REWRITTEN_WITHIN: Duration = Duration::from_secs(10);

const HEADER: &str = "\
# The users of this server, one a line: name:realm:MD5:SHA-256:SHA-512-256
# The last three are hashes of name:realm:password in hexadecimal. They are as good as passwords: keep this
# file to yourself. `sipweb user` changes it; the running server notices within a second.
";

/// The users' file, for commands that change it. Lines that are comments stay where they are.
#[derive(Clone, Debug)]
pub struct UserFile {
    path: PathBuf,
}

/// What [`UserFile::set`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The user is new.
    Added,
    /// The user had another password before.
    Replaced,
}

impl UserFile {
    /// The file of the data directory at `path`, which is made if it is missing. The directory need not be
    /// held: a server may be running on it.
    ///
    /// # Errors
    /// [`StoreError::File`] if the directory cannot be made.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        Directory::make(path)?;
        Ok(Self::at(path))
    }

    /// The file of the data directory at `path`, which need not be there: then there are no users.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.join("users") }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All users, in the file's order; none if there is no file.
    ///
    /// # Errors
    /// Says which line is wrong, and how.
    pub fn list(&self) -> Result<Vec<User>, UsersError> {
        let mut users = Vec::new();
        read(&self.path, |_, user| users.push(user))?;
        Ok(users)
    }

    /// Adds `user`, or gives the user of that name and realm these hashes.
    ///
    /// # Errors
    /// If the file cannot be read, holds a wrong line, or cannot be replaced.
    pub fn set(&self, user: &User) -> Result<Change, UsersError> {
        let _lock = self.lock()?;
        let mut at = None;
        let text = read(&self.path, |line, found| {
            if found.name == user.name && found.realm == user.realm {
                at = Some(line);
            }
        })?;
        let mut lines: Vec<String> =
            text.unwrap_or_else(|| HEADER.to_owned()).lines().map(str::to_owned).collect();
        let change = match at.and_then(|line| lines.get_mut(line - 1)) {
            Some(line) => {
                *line = user.line();
                Change::Replaced
            }
            None => {
                lines.push(user.line());
                Change::Added
            }
        };
        self.write(&lines)?;
        Ok(change)
    }

    /// Removes the user of that name; in one realm, or in all. Gives the number of lines removed.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn remove(&self, name: &str, realm: Option<&str>) -> Result<usize, UsersError> {
        if !self.path.exists() {
            return Ok(0);
        }
        let _lock = self.lock()?;
        let mut gone = Vec::new();
        let text = read(&self.path, |line, found| {
            if found.name == name && realm.is_none_or(|realm| realm == found.realm) {
                gone.push(line);
            }
        })?;
        if gone.is_empty() {
            return Ok(0);
        }
        let kept: Vec<String> = text
            .unwrap_or_default()
            .lines()
            .enumerate()
            .filter(|(index, _)| !gone.contains(&(index + 1)))
            .map(|(_, line)| line.to_owned())
            .collect();
        self.write(&kept)?;
        Ok(gone.len())
    }

    /// Held while the file is read, changed and replaced: two commands at once must not lose a user.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.path.with_extension("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::file("open", &path))?;
        replace::give_to_owner(&lock, &path);
        lock.lock().map_err(StoreError::file("lock", &path))?;
        Ok(lock)
    }

    fn write(&self, lines: &[String]) -> Result<(), StoreError> {
        let mut text = lines.join("\n");
        text.push('\n');
        replace::replace(&self.path, text.as_bytes())
    }
}

/// Reads the file and hands each user over with its line, counted from 1. Gives the text, if there is a file.
fn read(path: &Path, mut each: impl FnMut(usize, User)) -> Result<Option<String>, UsersError> {
    let octets = match fs::read(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::file("read", path)(error).into()),
    };
    let text = String::from_utf8(octets).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        UsersError::NotText {
            path: path.to_owned(),
            line: 1 + before.filter(|octet| **octet == b'\n').count(),
        }
    })?;
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    for (index, content) in text.lines().enumerate() {
        let line = index + 1;
        if content.trim().is_empty() || content.trim_start().starts_with('#') {
            continue;
        }
        let user = User::parse(content).map_err(|problem| UsersError::Line {
            path: path.to_owned(),
            line,
            problem,
        })?;
        if let Some(first) = seen.insert((user.name.clone(), user.realm.clone()), line) {
            return Err(UsersError::Twice { path: path.to_owned(), line, first, name: user.name });
        }
        each(line, user);
    }
    Ok(Some(text))
}

/// The users as the running server sees them.
#[derive(Debug)]
pub struct Users {
    path: PathBuf,
    /// By name, then by realm: nearly everybody has one.
    users: HashMap<String, Vec<User>>,
    stamp: Option<Stamp>,
    looked: Instant,
    /// Since when there is nothing to read, if users are known from before.
    gone: Option<Instant>,
    /// The version that could not be read, which was told.
    unread: Option<Stamp>,
}

/// What tells one version of the file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// What [`Users::refresh`] found.
#[derive(Debug)]
pub enum Refreshed {
    /// The file is as it was, or was looked at less than a second ago.
    Unchanged,
    /// The file changed and was read: it has so many users.
    Reloaded(usize),
    /// The file has been missing, or without a word in it, for so long that no program only writes it anew: there are no users
    /// any more.
    Gone(Duration),
    /// The file changed and cannot be used; the users are those of before.
    Failed(UsersError),
}

impl Users {
    /// The users of the data directory at `path`; none if there is no file yet.
    ///
    /// # Errors
    /// Says which line is wrong, and how.
    pub fn open(path: &Path, now: Instant) -> Result<Self, UsersError> {
        let mut users = Self {
            path: path.join("users"),
            users: HashMap::new(),
            stamp: None,
            looked: now,
            gone: None,
            unread: None,
        };
        users.load(now)?;
        Ok(users)
    }

    /// The user of that name in that realm.
    #[must_use]
    pub fn lookup(&self, name: &str, realm: &str) -> Option<&User> {
        self.users.get(name)?.iter().find(|user| user.realm == realm)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.users.values().map(Vec::len).sum()
    }

    /// Whether [`Users::refresh`] would look at the file.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.looked) >= LOOK_EVERY
    }

    /// Reads the file again if it changed. It is looked at once a second at most, so this may be called before
    /// every look-up. Some programs remove or empty a file before they write it anew: meanwhile the users stay as they were.
    pub fn refresh(&mut self, now: Instant) -> Refreshed {
        if !self.is_due(now) {
            return Refreshed::Unchanged;
        }
        self.looked = now;
        if fs::metadata(&self.path).ok().as_ref().map(Stamp::of) == self.stamp {
            (self.gone, self.unread) = (None, None);
            return Refreshed::Unchanged;
        }
        let (before, unread) = (self.gone, self.unread);
        match (self.load(now), self.gone, before) {
            // It is tried at each look, and told once.
            (Err(_), ..) if unread.is_some() && unread == self.unread => Refreshed::Unchanged,
            (Err(error), ..) => Refreshed::Failed(error),
            (Ok(()), Some(_), _) => Refreshed::Unchanged,
            (Ok(()), None, Some(since)) if self.users.is_empty() => {
                Refreshed::Gone(now.saturating_duration_since(since))
            }
            (Ok(()), None, _) => Refreshed::Reloaded(self.count()),
        }
    }

    fn load(&mut self, now: Instant) -> Result<(), UsersError> {
        // Taken before the reading: a change that falls between the two is seen at the next look.
        let stamp = fs::metadata(&self.path).ok().as_ref().map(Stamp::of);
        let mut users: HashMap<String, Vec<User>> = HashMap::new();
        let outcome = read(&self.path, |_, user| users.entry(user.name.clone()).or_default().push(user));
        if let Ok(text) = &outcome
            && text.as_ref().is_none_or(|text| text.trim().is_empty())
            && !self.users.is_empty()
        {
            let since = *self.gone.get_or_insert(now);
            if now.saturating_duration_since(since) < REWRITTEN_WITHIN {
                return Ok(());
            }
        }
        self.gone = None;
        self.unread = stamp.filter(|_| outcome.is_err());
        // What could not be read is read again at the next look: the system may only have been out of descriptors.
        if !matches!(outcome, Err(UsersError::Store(StoreError::File { .. }))) {
            self.stamp = stamp;
        }
        outcome?;
        self.users = users;
        Ok(())
    }
}
