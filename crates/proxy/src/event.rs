//! What happened, as data: the server turns these into log lines, call records and counters.

use std::net::SocketAddr;

use sip::{Flow, Transport};

/// Something that an operator may want to know. Octets are as received: a log must escape them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A contact was registered or refreshed.
    Registered {
        /// The address-of-record, as `user@domain`.
        aor: Vec<u8>,
        /// The contact URI.
        contact: Vec<u8>,
        /// The transport it came over.
        transport: Transport,
        /// Where it came from.
        source: SocketAddr,
        /// The client's `User-Agent`.
        user_agent: Vec<u8>,
        /// The expiry granted, in seconds.
        expires: u32,
        /// Whether the contact was there before.
        refresh: bool,
    },
    /// A contact is gone.
    Unregistered {
        /// The address-of-record, as `user@domain`.
        aor: Vec<u8>,
        /// The contact URI.
        contact: Vec<u8>,
        /// Why it is gone.
        why: Unregistration,
    },
    /// A REGISTER was refused.
    RegistrationRefused {
        /// The To of the request.
        to: Vec<u8>,
        /// Where it came from.
        source: SocketAddr,
        /// The status of the answer.
        status: u16,
        /// Why, in a sentence.
        why: &'static str,
    },
    /// A call attempt (an INVITE outside a dialog) came in.
    CallStarted {
        /// The Call-ID.
        call_id: Vec<u8>,
        /// The URI in From.
        from: Vec<u8>,
        /// The URI called.
        to: Vec<u8>,
        /// Where it came from.
        source: SocketAddr,
        /// The transport it came over.
        transport: Transport,
    },
    /// The called side rings (the first 180, or 183).
    CallRinging {
        /// The Call-ID.
        call_id: Vec<u8>,
        /// The status.
        status: u16,
    },
    /// The called side answered.
    CallAnswered {
        /// The Call-ID.
        call_id: Vec<u8>,
        /// The contact that answered.
        contact: Vec<u8>,
    },
    /// A call attempt failed, or was given up by the caller (487).
    CallFailed {
        /// The Call-ID.
        call_id: Vec<u8>,
        /// The URI in From.
        from: Vec<u8>,
        /// The URI called.
        to: Vec<u8>,
        /// The status that the caller was given.
        status: u16,
        /// Why, in a sentence.
        why: &'static str,
    },
    /// An answered call was hung up (a BYE was passed on or answered).
    CallEnded {
        /// The Call-ID.
        call_id: Vec<u8>,
    },
    /// Another request was refused by us.
    Refused {
        /// The method.
        method: Vec<u8>,
        /// Where it came from.
        source: SocketAddr,
        /// The status of the answer.
        status: u16,
        /// Why, in a sentence.
        why: &'static str,
    },
    /// A message was answered 400 without a look, or dropped.
    Malformed {
        /// The flow it came over.
        flow: Flow,
        /// The status of the answer; `None` if there was none.
        status: Option<u16>,
        /// What is wrong, in a sentence.
        why: &'static str,
        /// Where in the message, as an octet offset.
        offset: usize,
    },
    /// Strangers at an address are not heard for a while: they tried too many names or passwords.
    Banned {
        /// The address, or the first one of a subscriber's IPv6 network.
        source: SocketAddr,
        /// For how long, in seconds.
        seconds: u64,
        /// What was tried, in a sentence.
        why: &'static str,
    },
    /// A server of a group is asked after the others from now on, or no longer.
    Server {
        /// The group.
        group: String,
        /// The server, as a URI.
        server: String,
        /// Whether it works.
        works: bool,
    },
    /// The server is registered at a provider.
    TrunkRegistered {
        /// The group.
        group: String,
        /// The URI of the account.
        account: String,
        /// For how long, in seconds.
        expires: u32,
    },
    /// The server could not register at a provider.
    TrunkNotRegistered {
        /// The group.
        group: String,
        /// The URI of the account.
        account: String,
        /// The status of the answer; 408 if none came, 503 if nobody was reached, 404 if there is no such name.
        status: u16,
        /// When it is tried again, in seconds.
        again: u64,
    },
    /// A stored binding could not be read and was left out.
    UnreadableBinding {
        /// The address-of-record of the record.
        aor: Vec<u8>,
    },
    /// The store did not take a registration; the client was told to come back.
    StoreFailed {
        /// The address-of-record.
        aor: Vec<u8>,
    },
}

/// Why a contact is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unregistration {
    /// The client took it back.
    Asked,
    /// It was not refreshed in time.
    Expired,
    /// Its connection closed, and it did not come back within the grace.
    FlowClosed,
    /// The same client came back with another contact.
    Replaced,
}
