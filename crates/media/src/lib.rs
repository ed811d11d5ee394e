//! What a call carries: the media class of each side, and whether somebody must join them.
//!
//! Today this floor only decides. The joining itself, a gateway leg toward the browser (ICE, DTLS-SRTP) and one
//! toward the phone (RTP), stands on this decision and comes next (README, "What works today").
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod browser_leg;
mod cause;
mod class;
mod conversion;
mod demultiplexing;
mod format;
mod gateway;
mod joining;
mod phone_leg;
mod plan;
mod ports;
mod relay;
mod report;
mod rtcp;
mod rtp;

pub use browser_leg::Epoch;
pub use cause::Cause;
pub use class::MediaClass;
pub use conversion::{Conversation, Side};
pub use format::{Codec, Format};
pub use gateway::{BranchKey, CallKey, Event, Gateway, GatewayConfig, Output, SocketId, StartError};
pub use joining::Joining;
pub use plan::{
    BrowserTransport, DtlsRole, EventPair, Feedback, FormatPair, Kind, Negotiated, PhoneSecurity,
    PhoneTransport, PhoneTransports, Plan, RemoteBrowser, RemotePhone, SdesKey, SdesSuite, Setup, StreamPlan,
};
pub use report::{
    BrowserFigures, CallReport, DtlsState, MediaCause, PhoneFigures, ReceptionFigures, RemoteFigures, Traffic,
};
