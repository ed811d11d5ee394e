//! Requests of the server itself within a dialog that went through here, in the name of one of its parties.
//!
//! Somebody between the parties, such as a gateway for their media, may know that a call has come to its end when
//! neither of them says so. It writes the BYE that each would write; it goes the way that theirs would go. So does any
//! other request that one of them might send.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sip::header::{HeaderName, Route, Via};
use sip::transaction::Received;
use sip::{ConnectionId, Flow, Hop, Instant, Message, Transport};

use crate::authorization::Sender;
use crate::inbound::{Job, Wish};
use crate::proxy::Proxy;
use crate::route::preprocess;
use crate::validation::join;

/// Where requests of our own come from: nobody has this number. What is sent there is for ourselves to hear.
pub(crate) const OURSELVES: Flow = Flow {
    transport: Transport::Tcp,
    connection: ConnectionId(u64::MAX),
    local: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
};

/// What the lowest Via of such requests names: nothing is there.
pub(crate) const NOBODY: &str = "sipweb.invalid";

/// Whether a request looks like one that [`Proxy::send_in_dialog`] sent, or like a message that waited. Others may write that too: let it count for
/// nothing but what its sender may do anyway.
#[must_use]
pub fn is_sent_in_dialog(request: &Message) -> bool {
    let lowest = request.values(HeaderName::Via).last().and_then(|value| Via::parse(value).ok());
    lowest.is_some_and(|via| via.host() == sip::Host::Name(NOBODY.as_bytes()))
}

/// Whether this is the way back to ourselves.
pub(crate) fn is_ourselves(hop: &Hop) -> bool {
    *hop == Hop::Flow(OURSELVES)
}

impl Proxy {
    /// Sends a request that one party of a dialog would send, in its name: its tags, its next CSeq number, the other's
    /// Contact as Request-URI, and its whole route set in `Route`. What comes before our own Routes is left out; from
    /// there it goes on like any request of that dialog, except that nobody is asked who they are. Its Via is written
    /// here; its responses go nowhere.
    ///
    /// Says whether there was a way: false for what is no request of a dialog, and where the connection of its
    /// receiver is gone.
    pub fn send_in_dialog(&mut self, now: Instant, request: &[u8]) -> bool {
        self.now = now;
        self.admit_our_own(now, request).is_some()
    }

    fn admit_our_own(&mut self, now: Instant, request: &[u8]) -> Option<()> {
        let mut request = self.cut_to_our_routes(&Message::parse(request).ok()?)?;
        if request.admit().is_err() || request.to_tag().is_none() {
            return None;
        }
        let onward =
            preprocess(&Arc::new(request.clone()), &OURSELVES, &self.own, &self.tokens, &self.key).ok()?;
        let received = self.transactions.receive(now, &Hop::Flow(OURSELVES), request);
        let Received::Request { key, request } = received else { return None };
        let job = Job {
            key: Some(key),
            flow: OURSELVES,
            loop_mark: None,
            received: request,
            onward: crate::route::Preprocessed { sealed: true, ..onward },
            sender: Sender::Peer,
            is_from_ours: Some(false),
            routes_passed: 0,
            has_tried: false,
            proven_until: Instant::NEVER,
        };
        if let Wish::Targets(targets, reach) = self.wish(now, &job) {
            self.start(now, job, targets, reach);
            return Some(());
        }
        self.transactions.forget_request(key);
        None
    }

    /// The request with a Via of ours, and without the Routes that lead from its party to us.
    fn cut_to_our_routes(&mut self, request: &Message) -> Option<Message> {
        let is_own = |value: &&[u8]| Route::parse(value).is_ok_and(|route| self.own.is_own(&route.uri()));
        let before = request.values(HeaderName::Route).take_while(|value| !is_own(value)).count();
        let routes = join(request.values(HeaderName::Route).skip(before));
        let mut edit = request.edit();
        if routes.is_empty() {
            edit.remove(HeaderName::Route);
        } else {
            edit.replace(HeaderName::Route, &routes);
        }
        let via = format!("SIP/2.0/TCP {NOBODY};branch=z9hG4bK{}", self.entropy.token(16));
        edit.replace(HeaderName::Via, via.as_bytes());
        Message::parse(&edit.finish().ok()?).ok()
    }
}
