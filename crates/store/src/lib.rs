//! Where users and bindings live: files that survive a kill.
//!
//! One directory belongs to one server. It holds
//!
//! | file           | what                                                   | written by             |
//! |----------------|--------------------------------------------------------|------------------------|
//! | `bindings.log` | where each user can be reached: a log of changes       | the server             |
//! | `users`        | names, realms and password hashes: text                | `sipweb user`, editors |
//! | `secret`       | the key for flow tokens and nonces                     | the first start        |
//! | `lock`         | held by the server that runs; names its process        | the server             |
//! | `users.lock`   | held for the moment of a change to `users`             | `sipweb user`          |
//!
//! Every file is readable by its owner only. What a record of the log means is the caller's business: the
//! store keeps bytes under a name.
//!
//! # What is promised
//!
//! - [`Bindings::put`] returns when the operating system has the record: it survives `kill -9`. A worker
//!   thread brings it to the disk within a second: so much a power cut may take.
//! - A log whose end was torn opens to the state before the torn record, and [`Bindings::recovery`] says so.
//! - A log that is damaged in the middle loses what stood there, and nothing that was written behind it;
//!   [`Bindings::recovery`] says so, too.
//! - A full disk makes `put` fail and leaves the log as it was before.
//! - `users` and `secret` are replaced as a whole or not at all.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod bindings;
mod compaction;
mod directory;
mod error;
mod log;
mod record;
mod replace;
mod secret;
mod user;
mod users;

pub use bindings::Bindings;
pub use directory::Directory;
pub use error::{StoreError, UsersError};
pub use log::{Cut, Damage, Recovery};
pub use record::LARGEST_RECORD;
pub use secret::secret;
pub use user::{User, UserError};
pub use users::{Change, Refreshed, UserFile, Users};
