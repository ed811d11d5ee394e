//! What can go wrong, in words for the person who runs the server.

use std::io;
use std::path::PathBuf;

use crate::user::UserError;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another server holds the directory.
    #[error(
        "{} is in use by another server{}; stop it, or give this one a data directory of its own",
        .directory.display(),
        holder(.process.as_ref())
    )]
    InUse {
        /// The directory that two servers want.
        directory: PathBuf,
        /// The process that holds it, as far as its lock file says.
        process: Option<u32>,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// What was tried, as a verb: "open", "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file begins with something that no version of this store wrote.
    #[error("{} is not a log of bindings of this version; move it away to start with none", .path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// The key file does not hold a key.
    #[error(
        "{} does not hold a key of 64 hexadecimal digits; remove it to have a new one made (phones will sign in again)",
        .path.display()
    )]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// A record over [`LARGEST_RECORD`](crate::LARGEST_RECORD) bytes.
    #[error("a record of {length} bytes is too large to keep")]
    TooLarge {
        /// Bytes of the name and the record together.
        length: usize,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Entropy(String),
}

fn holder(process: Option<&u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}

impl StoreError {
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

/// Why the users could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// A file operation failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A line is not text.
    #[error("{}:{line}: is not written in UTF-8; save the file in that encoding", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A line is not a user.
    #[error("{}:{line}: {problem}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: UserError,
    },
    /// Two lines name the same user in the same realm.
    #[error("{}:{line}: {name} is already named in line {first}", .path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The line that named the user first.
        first: usize,
        /// The user's name.
        name: String,
    },
}
