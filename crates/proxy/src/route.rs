//! Route information preprocessing (RFC 3261 §16.4): a strict router's doing is undone, our own Routes are taken
//! off, and what they say is read: flow tokens (RFC 5626 §5.3) and seals.
//!
//! # Seals
//!
//! A Record-Route of ours without a flow token carries a seal over the Call-ID. A request with a To tag that brings
//! it back belongs to a dialog that was let through at its beginning, so it may go where its Routes and its
//! Request-URI say without authentication; nobody else can make the proxy do that. Where the other side of the
//! dialog is written as a flow token, the seal is bound to it: it holds only for a request that comes from that flow,
//! so that neither a stranger who calls nor one who is called gains a way through us to third parties.

use std::sync::Arc;

use sip::header::{HeaderName, Route};
use sip::uri::Uri;
use sip::{BuildError, Flow, Message};

use crate::flow_token::{FlowTokens, Opened};
use crate::keyed_hash::Key;
use crate::registrar::address_of_record::OwnHosts;
use crate::reply::Refusal;
use crate::validation::join;
use sip::digest::constant_time_equal;

/// The URI parameter that holds a seal.
pub(crate) const SEAL: &str = "d";

/// What a dialog's beginning allows its later requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// They must come from the flow that the other Record-Route names. Else they may come from anywhere: no side of the
    /// dialog is reached by a flow, and no stranger is in it.
    pub(crate) bound: bool,
    /// One side is a provider at which this server has an account: it answers his challenges.
    pub(crate) provider: bool,
}

impl Seal {
    const fn purpose(self) -> &'static [u8] {
        match (self.bound, self.provider) {
            (false, false) => b"dialog",
            (true, false) => b"dialog bound to a flow",
            (false, true) => b"dialog with a provider",
            (true, true) => b"dialog with a provider bound to a flow",
        }
    }

    /// The seal for a dialog.
    pub(crate) fn write(self, key: &Key, call_id: &[u8]) -> Vec<u8> {
        key.text(self.purpose(), &[call_id], 9)
    }

    fn read(key: &Key, call_id: &[u8], text: &[u8]) -> Option<Self> {
        let all = [(false, false), (true, false), (false, true), (true, true)];
        all.into_iter()
            .map(|(bound, provider)| Self { bound, provider })
            .find(|seal| constant_time_equal(&seal.write(key, call_id), text))
    }
}

/// A request without our own Routes, and what those said.
#[derive(Clone, Debug)]
pub(crate) struct Preprocessed {
    /// The request as it goes on.
    pub(crate) request: Arc<Message>,
    /// The flow that the last of our Routes names, unless it is the sender's own.
    pub(crate) destination: Option<Destination>,
    /// Whether a seal allows the request to go where it wants.
    pub(crate) sealed: bool,
    /// Whether that dialog began with a provider at which this server has an account.
    pub(crate) with_provider: bool,
}

/// What a flow token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Over this flow.
    Flow(Flow),
    /// Over a connection that an earlier run of the process had.
    Gone,
}

/// Takes our own Routes off `request`, which came over `flow`.
pub(crate) fn preprocess(
    request: &Arc<Message>,
    flow: &Flow,
    own: &OwnHosts,
    tokens: &FlowTokens,
    key: &Key,
) -> Result<Preprocessed, Refusal> {
    let request = undo_strict_routing(request, own, tokens);
    let call_id = request.header(HeaderName::CallId).unwrap_or_default();
    let mut reading = Reading::default();
    let mut own_routes = 0;
    for value in request.values(HeaderName::Route) {
        let route = Route::parse(value).map_err(|_| Refusal::new(400, "a Route is malformed"))?;
        let uri = route.uri();
        if !own.is_own(&uri) {
            break;
        }
        own_routes += 1;
        reading.read(&uri, flow, tokens, key, call_id)?;
    }
    if own_routes == 0 {
        return Ok(Preprocessed { request, destination: None, sealed: false, with_provider: false });
    }
    let rest = join(request.values(HeaderName::Route).skip(own_routes));
    let onward = without_own_routes(&request, &rest)
        .map_err(|_| Refusal::new(400, "the request cannot be written"))?;
    let destination = reading.destination(own_routes);
    let sealed = match reading.seal {
        Some(seal) => !seal.bound || reading.from_own_flow,
        None => false,
    };
    let with_provider = sealed && reading.seal.is_some_and(|seal| seal.provider);
    Ok(Preprocessed { request: Arc::new(onward), destination, sealed, with_provider })
}

/// The request with these Routes only.
fn without_own_routes(request: &Message, rest: &[u8]) -> Result<Message, BuildError> {
    if !rest.is_empty() {
        let mut edit = request.edit();
        edit.replace(HeaderName::Route, rest);
        return edit.message();
    }
    let mut onward = request.clone();
    onward.remove_fields(HeaderName::Route)?;
    Ok(onward)
}

#[derive(Default)]
struct Reading {
    last: Option<Destination>,
    last_is_sender: bool,
    from_own_flow: bool,
    seal: Option<Seal>,
}

impl Reading {
    fn read(
        &mut self,
        uri: &Uri<'_>,
        flow: &Flow,
        tokens: &FlowTokens,
        key: &Key,
        call_id: &[u8],
    ) -> Result<(), Refusal> {
        self.last = None;
        self.last_is_sender = false;
        if let Some(text) = uri.parameter(SEAL).flatten() {
            self.seal = Seal::read(key, call_id, text).or(self.seal);
        }
        let Some(token) = uri.user() else { return Ok(()) };
        match tokens.open(token) {
            Opened::Forged => return Err(Refusal::new(403, "the flow token in the Route is not ours")),
            Opened::Gone => self.last = Some(Destination::Gone),
            Opened::Flow(named) => {
                self.last_is_sender = is_same_flow(&named, flow);
                self.from_own_flow |= self.last_is_sender;
                self.last = Some(Destination::Flow(named));
            }
        }
        Ok(())
    }

    /// RFC 5626 §5.3: a token that names the sender's own flow makes the request an outgoing one. Where two Routes
    /// of ours stand together, the first is the sender's side and the last the other's.
    const fn destination(&self, own_routes: usize) -> Option<Destination> {
        if own_routes == 1 && self.last_is_sender { None } else { self.last }
    }
}

/// Whether two flows are one: the connection, or for datagrams the peer's address.
fn is_same_flow(one: &Flow, other: &Flow) -> bool {
    one.transport == other.transport && one.connection == other.connection && one.remote == other.remote
}

/// RFC 3261 §16.4: a strict router puts the Route that it was reached by, ours, into the Request-URI, and the
/// real Request-URI at the end of the Routes.
fn undo_strict_routing(request: &Arc<Message>, own: &OwnHosts, tokens: &FlowTokens) -> Arc<Message> {
    let ours = request.target().is_ok_and(|uri| {
        own.is_own(&uri)
            && uri.parameter("lr").is_some()
            && uri.user().is_none_or(|user| tokens.open(user) != Opened::Forged)
    });
    if !ours {
        return Arc::clone(request);
    }
    let routes: Vec<&[u8]> = request.values(HeaderName::Route).collect();
    let Some((last, rest)) = routes.split_last() else { return Arc::clone(request) };
    let Ok(target) = Route::parse(last) else { return Arc::clone(request) };
    // The Request-URI that we were given is the topmost Route that a loose router would have left.
    let mut routes = vec![b'<'];
    routes.extend_from_slice(request.request_uri());
    routes.push(b'>');
    if !rest.is_empty() {
        routes.extend_from_slice(b", ");
        routes.extend_from_slice(&join(rest.iter().copied()));
    }
    let mut edit = request.edit();
    edit.request_uri(target.address().uri_bytes());
    edit.replace(HeaderName::Route, &routes);
    edit.message().map_or_else(|_| Arc::clone(request), Arc::new)
}
