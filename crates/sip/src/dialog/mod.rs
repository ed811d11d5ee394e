//! Dialogs: the peer-to-peer relationship between two user agents (RFC 3261 §12).
//!
//! A [`Dialog`] knows how to address the peer and in which order requests follow. It begins early, with a provisional
//! response, or confirmed, with a 2xx. [`Forks`] holds the dialogs that one INVITE has brought about. The two ends of
//! the way of a 2xx, which no transaction repeats, are [`SuccessRetransmission`] and [`Acknowledgement`].

mod forks;
mod id;
mod routing;
mod success;

use core::fmt;

pub use forks::{Fork, Forks};
pub use id::DialogId;
pub use success::{Acknowledgement, SuccessRetransmission, SuccessStep};

use crate::builder::Builder;
use crate::error::HeaderError;
use crate::header::{Contact, HeaderName};
use crate::message::Message;
use crate::method::Method;
use crate::text;
use crate::uri::{Scheme, Uri};

/// Why a message begins no dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialogError {
    /// A response whose To has no tag, or 100 (Trying), or a final response other than 2xx (RFC 3261 §12.1).
    NoDialog,
    /// A header that a dialog is made of is missing or malformed.
    Header(HeaderError),
    /// The request that would begin the dialog has no Contact with a URI (RFC 3261 §12.1.1): answer it with 400.
    Contact,
    /// The tag of our own is no token.
    Tag,
}

impl From<HeaderError> for DialogError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl fmt::Display for DialogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDialog => "the response begins no dialog",
            Self::Header(error) => error.reason(),
            Self::Contact => "there is no Contact with a URI",
            Self::Tag => "the local tag is no token",
        })
    }
}

impl core::error::Error for DialogError {}

/// A request that is older than one seen before in its dialog: to be answered with 500 (RFC 3261 §12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder;

/// How far a dialog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogState {
    /// Begun by a provisional response.
    Early,
    /// Begun or confirmed by a 2xx.
    Confirmed,
}

/// Which side we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We sent the request that began the dialog.
    Caller,
    /// We received it.
    Callee,
}

/// One dialog, seen from our side (RFC 3261 §12).
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    role: Role,
    state: DialogState,
    /// The value for From in our requests, with our tag.
    local: Vec<u8>,
    /// The value for To in our requests, with the peer's tag.
    remote: Vec<u8>,
    remote_target: Vec<u8>,
    route_set: Vec<Vec<u8>>,
    local_cseq: Option<u32>,
    remote_cseq: Option<u32>,
    secure: bool,
}

impl Dialog {
    /// The dialog that a response begins for the caller (RFC 3261 §12.1.2).
    ///
    /// A provisional response without a Contact is forgiven, since there are phones that send such: requests go to
    /// the Request-URI until a response names a better target.
    ///
    /// # Errors
    /// When the response begins no dialog, or a needed header is missing or malformed.
    pub fn of_caller(request: &Message, response: &Message) -> Result<Self, DialogError> {
        let state = match response.status() {
            Some(101..=199) => DialogState::Early,
            Some(200..=299) => DialogState::Confirmed,
            _ => return Err(DialogError::NoDialog),
        };
        // RFC 3261 §12.1.2: the tag of an RFC 2543 peer may be missing in a 2xx, and is then empty.
        if state == DialogState::Early && response.to()?.tag().is_none() {
            return Err(DialogError::NoDialog);
        }
        let target = contact_of(response).unwrap_or_else(|| request.request_uri());
        Ok(Self {
            id: DialogId::of_response(response)?,
            role: Role::Caller,
            state,
            local: value_of(request, HeaderName::From)?,
            remote: value_of(response, HeaderName::To)?,
            remote_target: target.to_vec(),
            route_set: routing::reversed_record_route(response),
            local_cseq: Some(request.cseq()?.number),
            remote_cseq: None,
            secure: is_sips(request.request_uri()),
        })
    }

    /// The dialog that our response with `local_tag` begins for the callee (RFC 3261 §12.1.1). It is early;
    /// [`Dialog::confirm`] with a 2xx.
    ///
    /// # Errors
    /// When the request has no Contact, a needed header is missing or malformed, or the tag is no token.
    pub fn of_callee(request: &Message, local_tag: &[u8]) -> Result<Self, DialogError> {
        if !text::is_token(local_tag) {
            return Err(DialogError::Tag);
        }
        let mut local = value_of(request, HeaderName::To)?;
        if request.to()?.tag().is_none() {
            local.extend_from_slice(b";tag=");
            local.extend_from_slice(local_tag);
        }
        let from = request.from()?;
        Ok(Self {
            id: DialogId::new(request.call_id()?, local_tag, from.tag().unwrap_or_default()),
            role: Role::Callee,
            state: DialogState::Early,
            local,
            remote: value_of(request, HeaderName::From)?,
            remote_target: contact_of(request).ok_or(DialogError::Contact)?.to_vec(),
            route_set: routing::record_route(request),
            local_cseq: None,
            remote_cseq: Some(request.cseq()?.number),
            secure: is_sips(request.request_uri()),
        })
    }

    /// The dialog's name.
    #[must_use]
    pub const fn id(&self) -> &DialogId {
        &self.id
    }

    /// Which side we are.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// How far the dialog is.
    #[must_use]
    pub const fn state(&self) -> DialogState {
        self.state
    }

    /// Where the peer wants its requests: a URI.
    #[must_use]
    pub fn remote_target(&self) -> &[u8] {
        &self.remote_target
    }

    /// The proxies that want to see the dialog's requests, the nearest first: values for Route.
    pub fn route_set(&self) -> impl Iterator<Item = &[u8]> {
        self.route_set.iter().map(Vec::as_slice)
    }

    /// Leaves out the nearest `count` proxies: they are gone, and the peer is reached another way.
    pub fn leave_out_nearest(&mut self, count: usize) {
        self.route_set.drain(..count.min(self.route_set.len()));
    }

    /// The number of our last request, if we have sent one.
    #[must_use]
    pub const fn local_cseq(&self) -> Option<u32> {
        self.local_cseq
    }

    /// The number of the peer's last request, if it has sent one.
    #[must_use]
    pub const fn remote_cseq(&self) -> Option<u32> {
        self.remote_cseq
    }

    /// Whether the dialog was begun by a request to a SIPS URI, so that our Contact must be one too
    /// (RFC 3261 §12.1.1, §12.1.2).
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Our own address and tag: the value for From.
    #[must_use]
    pub fn local(&self) -> &[u8] {
        &self.local
    }

    /// The peer's address and tag: the value for To.
    #[must_use]
    pub fn remote(&self) -> &[u8] {
        &self.remote
    }

    /// We have sent a 2xx: the dialog is confirmed.
    pub const fn confirm(&mut self) {
        self.state = DialogState::Confirmed;
    }

    /// Another response to the INVITE that began the dialog came. A 2xx confirms it, and what it says of route and
    /// target replaces what an early response said (RFC 3261 §13.2.2.4).
    pub fn receive_response(&mut self, response: &Message) {
        let success = matches!(response.status(), Some(200..=299));
        if success && self.state == DialogState::Early {
            self.state = DialogState::Confirmed;
            self.route_set = routing::reversed_record_route(response);
        }
        if matches!(response.status(), Some(101..=299)) {
            self.refresh_target(response);
        }
    }

    /// A request of the peer's came within the dialog: checks and takes over its number (RFC 3261 §12.2.2). ACK and
    /// CANCEL carry the number of the request that they belong to, and always pass.
    ///
    /// # Errors
    /// When the number is lower than the last one: answer with 500.
    pub fn receive_request(&mut self, request: &Message) -> Result<(), OutOfOrder> {
        if matches!(request.method(), Some(Method::Ack | Method::Cancel)) {
            return Ok(());
        }
        let number = request.cseq().map_err(|_| OutOfOrder)?.number;
        if self.remote_cseq.is_some_and(|last| number < last) {
            return Err(OutOfOrder);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// Takes over the Contact of a target refresh: of a request that we accept (INVITE, UPDATE and, in their dialogs,
    /// SUBSCRIBE, NOTIFY, REFER) or of a 2xx to ours (RFC 3261 §12.2.1.2, §12.2.2). No Contact changes nothing.
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = contact_of(message) {
            self.remote_target.clear();
            self.remote_target.extend_from_slice(target);
        }
    }

    /// A request within the dialog, with the next number (RFC 3261 §12.2.1.1): Request-URI, `via`, Route,
    /// Max-Forwards, From, To, Call-ID and CSeq are written. What else it needs, such as Contact, the caller adds.
    ///
    /// Not for ACK ([`Dialog::ack`]) and CANCEL ([`crate::Transactions::cancel`]).
    pub fn request(&mut self, method: Method<'_>, via: &[u8]) -> Builder {
        let number = self.next_cseq();
        self.build(method, via, number)
    }

    /// Takes the next number of our requests, for a request that is written from an earlier one: with an answer to
    /// a challenge (RFC 3261 §22.2).
    pub fn next_cseq(&mut self) -> u32 {
        // RFC 3261 §8.1.1.5: below 2^31; an empty one starts anywhere.
        let number = self.local_cseq.map_or(1, |last| last.wrapping_add(1) & 0x7fff_ffff);
        self.local_cseq = Some(number);
        number
    }

    /// The ACK for a 2xx to our INVITE with the number `cseq` (RFC 3261 §13.2.2.4). It takes the dialog's route and
    /// target, a branch of its own, and the credentials of the INVITE, which the caller adds.
    #[must_use]
    pub fn ack(&self, via: &[u8], cseq: u32) -> Builder {
        self.build(Method::Ack, via, cseq)
    }

    fn build(&self, method: Method<'_>, via: &[u8], number: u32) -> Builder {
        let (uri, routes) = routing::apply(&self.remote_target, &self.route_set);
        let mut builder = Builder::request(method, &uri).header(HeaderName::Via, via);
        for route in &routes {
            builder = builder.header(HeaderName::Route, route);
        }
        let mut cseq = Vec::with_capacity(20);
        text::write_decimal(&mut cseq, u64::from(number));
        cseq.push(b' ');
        cseq.extend_from_slice(method.as_bytes());
        builder
            .header(HeaderName::MaxForwards, b"70")
            .header(HeaderName::From, &self.local)
            .header(HeaderName::To, &self.remote)
            .header(HeaderName::CallId, self.id.call_id())
            .header(HeaderName::CSeq, &cseq)
    }
}

/// The URI of the first Contact.
fn contact_of(message: &Message) -> Option<&[u8]> {
    let contact = Contact::parse(message.first_value(HeaderName::Contact)?).ok()?;
    contact.uri()?.ok().map(|uri| uri.as_bytes())
}

/// A header's value on one line.
fn value_of(message: &Message, name: HeaderName) -> Result<Vec<u8>, HeaderError> {
    let value = message.header(name).ok_or(HeaderError::Missing(name))?;
    Ok(text::unfold(value).into_owned())
}

fn is_sips(uri: &[u8]) -> bool {
    Uri::parse(uri).is_ok_and(|uri| uri.scheme() == Scheme::Sips)
}
