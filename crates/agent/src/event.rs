//! What an agent hands out: bytes to send, events to show, and the time of its next need.

use sip::{Instant, message::Message};
use std::sync::Arc;

/// A call, or another dialog of the agent such as a subscription. Never 0, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNumber(pub u32);

/// A request that the agent sent. Never 0, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNumber(pub u32);

/// A request that the agent received and its user answers. Never 0, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionNumber(pub u32);

/// Who made something happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Originator {
    /// The user of this agent.
    Local,
    /// The peer.
    Remote,
    /// Neither: a timer, the connection.
    System,
}

/// Why something failed or ended. The names are those that users of JsSIP know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name is the text of the cause")]
pub enum Cause {
    ConnectionError,
    RequestTimeout,
    SipFailureCode,
    InternalError,
    Busy,
    Rejected,
    Redirected,
    Unavailable,
    NotFound,
    AddressIncomplete,
    IncompatibleSdp,
    MissingSdp,
    AuthenticationError,
    Terminated,
    WebRtcError,
    Canceled,
    NoAnswer,
    Expires,
    NoAck,
    DialogError,
    UserDeniedMediaAccess,
    BadMediaDescription,
    RtpTimeout,
}

impl Cause {
    /// Every cause, in the order of its code.
    pub const ALL: [Self; 23] = [
        Self::ConnectionError,
        Self::RequestTimeout,
        Self::SipFailureCode,
        Self::InternalError,
        Self::Busy,
        Self::Rejected,
        Self::Redirected,
        Self::Unavailable,
        Self::NotFound,
        Self::AddressIncomplete,
        Self::IncompatibleSdp,
        Self::MissingSdp,
        Self::AuthenticationError,
        Self::Terminated,
        Self::WebRtcError,
        Self::Canceled,
        Self::NoAnswer,
        Self::Expires,
        Self::NoAck,
        Self::DialogError,
        Self::UserDeniedMediaAccess,
        Self::BadMediaDescription,
        Self::RtpTimeout,
    ];

    /// The cause that a final response other than 2xx stands for.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            300 | 301 | 302 | 305 | 380 => Self::Redirected,
            486 | 600 => Self::Busy,
            403 | 603 => Self::Rejected,
            404 | 604 => Self::NotFound,
            480 | 410 | 408 | 430 => Self::Unavailable,
            484 | 424 => Self::AddressIncomplete,
            488 | 606 => Self::IncompatibleSdp,
            401 | 407 => Self::AuthenticationError,
            _ => Self::SipFailureCode,
        }
    }
}

/// What the user of the agent hears. The page's `core.ts` says of each when it fires.
#[derive(Clone, Debug)]
pub enum Event {
    /// 2xx to REGISTER; `first` if the agent was not registered before.
    Registered {
        /// The 2xx.
        response: Arc<Message>,
        /// Whether this is a transition.
        first: bool,
        /// Seconds granted.
        expires: u32,
    },
    /// REGISTER failed.
    RegistrationFailed {
        /// The final response, if there was one.
        response: Option<Arc<Message>>,
        /// Why.
        cause: Cause,
        /// Seconds after which the agent tries again by itself.
        retry_in: Option<u32>,
    },
    /// The registration is gone.
    Unregistered {
        /// The response that ended it.
        response: Option<Arc<Message>>,
        /// Why, if not by wish.
        cause: Option<Cause>,
    },
    /// Time to register again, for users who do it themselves.
    RegistrationExpiring,
    /// An INVITE for us. 100 has been sent: ring, accept or reject.
    IncomingCall {
        /// The new call.
        call: CallNumber,
        /// The INVITE.
        request: Arc<Message>,
        /// The call that it asks to replace (RFC 3891).
        replaces: Option<CallNumber>,
    },
    /// 100, or a 1xx without a To tag.
    Trying {
        /// The call.
        call: CallNumber,
        /// The response.
        response: Arc<Message>,
    },
    /// A 1xx of an early dialog.
    Progress {
        /// The call.
        call: CallNumber,
        /// The response.
        response: Arc<Message>,
        /// Whether it is reliable and carries the offer, since our INVITE had none: answer it in the PRACK
        /// ([`crate::Agent::acknowledge_provisional`]).
        offered: bool,
    },
    /// PRACK for a provisional response of ours, answered already. Its body answers our offer.
    ProvisionalAcknowledged {
        /// The call.
        call: CallNumber,
        /// The PRACK.
        request: Arc<Message>,
    },
    /// A request was challenged and goes out again with credentials.
    Authenticated {
        /// The call that it belongs to.
        call: Option<CallNumber>,
        /// Its number, if it has one.
        number: Option<RequestNumber>,
        /// The request as sent again.
        request: Arc<Message>,
    },
    /// The first 2xx to our INVITE: acknowledge it.
    Accepted {
        /// The call.
        call: CallNumber,
        /// The 2xx.
        response: Arc<Message>,
        /// Whether it carries the offer, since our INVITE had none.
        offered: bool,
    },
    /// ACK was sent or has arrived.
    Confirmed {
        /// The call.
        call: CallNumber,
        /// Who sent the ACK.
        originator: Originator,
        /// The ACK that arrived.
        request: Option<Arc<Message>>,
    },
    /// The call ended before it stood.
    Failed {
        /// The call, which is no more.
        call: CallNumber,
        /// Who ended it.
        originator: Originator,
        /// The message that ended it.
        message: Option<Arc<Message>>,
        /// Why.
        cause: Cause,
    },
    /// The call ended.
    Ended {
        /// The call, which is no more.
        call: CallNumber,
        /// Who ended it.
        originator: Originator,
        /// The message that ended it.
        message: Option<Arc<Message>>,
        /// Why.
        cause: Cause,
    },
    /// re-INVITE or UPDATE: respond.
    Reoffer {
        /// The call.
        call: CallNumber,
        /// What to respond to.
        transaction: TransactionNumber,
        /// The request.
        request: Arc<Message>,
    },
    /// ACK to our 2xx of a re-INVITE.
    ReofferAcknowledged {
        /// The call.
        call: CallNumber,
        /// The re-INVITE that is acknowledged.
        transaction: TransactionNumber,
        /// The ACK.
        request: Arc<Message>,
    },
    /// Time to refresh the session by re-INVITE.
    SessionRefresh {
        /// The call.
        call: CallNumber,
    },
    /// Another request inside a dialog: respond.
    DialogRequest {
        /// The call or subscription.
        call: CallNumber,
        /// What to respond to.
        transaction: TransactionNumber,
        /// The request.
        request: Arc<Message>,
    },
    /// A request outside dialogs: respond.
    IncomingRequest {
        /// What to respond to.
        transaction: TransactionNumber,
        /// The request.
        request: Arc<Message>,
    },
    /// A NOTIFY outside dialogs, answered already.
    Notify {
        /// The request.
        request: Arc<Message>,
    },
    /// A final response to a request of ours.
    Response {
        /// The request.
        number: RequestNumber,
        /// The call that it belongs to.
        call: Option<CallNumber>,
        /// The response.
        response: Arc<Message>,
        /// Whether the 2xx to our offerless re-INVITE waits for the answer in an ACK.
        needs_acknowledge: bool,
    },
    /// A 1xx to a request of ours other than the first INVITE of a call.
    Provisional {
        /// The request.
        number: RequestNumber,
        /// The call that it belongs to.
        call: Option<CallNumber>,
        /// The response.
        response: Arc<Message>,
    },
    /// No final response will come.
    RequestFailed {
        /// The request.
        number: RequestNumber,
        /// The call that it belongs to.
        call: Option<CallNumber>,
        /// Why.
        cause: Cause,
    },
}

/// What [`crate::Agent::poll`] gives.
#[derive(Clone, Debug)]
pub enum Output {
    /// Put this message on the connection (for UDP: send this datagram to the server).
    Transmit {
        /// Of which flow: 0 unless [`crate::Config::flows`] asks for more.
        flow: u8,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Tell the user.
    Event(Event),
    /// Nothing more now. Call [`crate::Agent::timeout`] at this instant ([`Instant::NEVER`]: no need).
    Timeout(Instant),
}
