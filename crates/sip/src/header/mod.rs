//! Header fields: their names, and one file for each typed header. Typed headers borrow from the message and are
//! parsed when asked for.

mod auth;
mod contact;
mod cseq;
mod date;
mod event;
pub mod list;
mod name;
mod name_address;
mod number;
mod parameters;
mod reason;
mod replaces;
mod route;
mod session;
pub(crate) mod via;

pub use auth::{AuthParameters, Parameter};
pub use contact::{Contact, qvalue};
pub use cseq::CSeq;
pub use date::Date;
pub use event::{Event, SubscriptionState};
pub use name::HeaderName;
pub use name_address::NameAddress;
pub use number::{RAck, delta_seconds, leading_number};
pub use parameters::Parameters;
pub use reason::Reason;
pub use replaces::Replaces;
pub use route::Route;
pub use session::SessionExpires;
pub use via::{MAGIC_COOKIE, Via};
