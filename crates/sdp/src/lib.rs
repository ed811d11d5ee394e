//! Session descriptions (RFC 8866), kept line by line.
//!
//! A gateway that changes one line must leave every other octet as it came: browsers and phones put attributes
//! there that nobody else knows. So a [`Description`] is a list of lines over the received text, with typed
//! views of the few that matter, and an edit touches only the lines it names.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod description;
mod direction;
mod line;
mod media_section;

pub use description::{Description, DescriptionError, MAX_LENGTH, MAX_LINES};
pub use direction::Direction;
pub use line::Line;
pub use media_section::{MediaSection, Profile};
