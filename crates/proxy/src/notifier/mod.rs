//! The notifier (RFC 6665): users subscribe to what the server knows of others.
//!
//! ```text
//!  SUBSCRIBE ──► subscribe ──► Subscriptions (this loop: by dialog, by watched user, by connection)
//!                                   │ notify: one NOTIFY under way for each, what changes meanwhile follows
//!  INVITE, BYE ──► calls ─┐         ▼
//!  REGISTER ──────────────┼──► Watched (common to all loops) ──► a document of the package
//!  PUBLISH ───────────────┘
//! ```
//!
//! A subscription lives on the event loop of its Call-ID, with all messages of its dialog. What is known of a watched
//! user is common to all loops; the loop that changes it tells the others ([`News`](crate::News)), and each tells its
//! own subscribers. Of a user whom nobody watches nothing is kept, and nothing is looked up.

mod calls;
mod dialog_info;
mod message_summary;
mod notify;
mod package;
mod presence;
mod publications;
mod publish;
mod reg_info;
mod reviews;
mod subscribe;
mod subscriptions;
mod watched;
mod xml;

pub use package::Package;
pub(crate) use publications::Publications;
pub(crate) use subscriptions::Notifier;
pub(crate) use watched::Watched;
