//! What a call carries: the media class of each side, and whether somebody must join them.
//!
//! Today this floor only decides. The joining itself, a gateway leg toward the browser (ICE, DTLS-SRTP) and one
//! toward the phone (RTP), stands on this decision and comes next (README, "What works today").
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod class;
mod joining;

pub use class::MediaClass;
pub use joining::Joining;
