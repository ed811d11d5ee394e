//! What a call carries: the media class of each side, and the gateway that joins a browser and a phone.
//!
//! [`MediaClass`] says who wrote a description. [`Conversation`] turns the description of one side into that of the
//! other (offer/answer). [`Gateway`] is the machine around both: a leg toward the browser (ICE-lite, DTLS-SRTP), one
//! toward each phone (RTP), and between them a relay for which every change of source is one continuous stream.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod bad_ports;
mod browser_leg;
mod cause;
mod class;
mod conversion;
mod demultiplexing;
mod format;
mod gateway;
mod heard_keys;
mod phone_leg;
mod phone_path;
mod plan;
mod ports;
mod protection;
mod relay;
mod report;
mod reports;
mod rtcp;
mod rtp;
mod telephone_events;
mod transcoding;

pub use bad_ports::is_bad_port;
pub use browser_leg::Epoch;
pub use cause::Cause;
pub use class::MediaClass;
pub use conversion::{Conversation, Side};
pub use format::{Codec, Format};
pub use gateway::{
    BranchKey, CallKey, Event, Gateway, GatewayConfig, KnownPhone, Output, Party, PhoneAddress, SocketId,
    StartError,
};
pub use plan::{
    BrowserTransport, Candidate, DtlsRole, EventPair, Feedback, FormatPair, IceTransport, Kind, Negotiated,
    PhoneKeying, PhoneSecurity, PhoneTransport, PhoneTransports, Plan, RemoteBrowser, RemotePhone,
    Retransmission, RetransmissionFormat, SdesKey, Setup, StreamPlan,
};
pub use report::{
    BrowserFigures, CallReport, DtlsState, MediaCause, PhoneFigures, ReceptionFigures, RemoteFigures,
    StreamFigures, Traffic, VideoFigures,
};
pub use srtp::Suite as SdesSuite;
pub use telephone_events::Digit;
