//! Messages for users who are signed in nowhere (RFC 3428): kept, and delivered when they come.
//!
//! ```text
//!  MESSAGE ──► keep ──► the store ──► 202            a device registers ──► deliver, the oldest first
//!                         │                                                     │ 2xx: forgotten, the next one
//!                         └──► WaitingMessages (common to all loops) ◄──────────┘ else: kept for the next time
//! ```
//!
//! Only users and peers leave messages: strangers hear that nobody can be reached, as for users who do not exist. Each
//! message is delivered once, as far as the network can tell: a device whose 200 is lost gets it again.

mod deliver;
mod keep;
mod waiting;

pub(crate) use deliver::Deliveries;
pub use keep::is_message;
pub(crate) use waiting::WaitingMessages;
