//! The copy that goes on (RFC 3261 §16.6): Request-URI, Max-Forwards, Record-Route, Path, Route, Via.

use core::ops::Range;

use sip::Edit;
use sip::header::{HeaderName, MAGIC_COOKIE, Route};
use sip::text::decimal;
use sip::{BuildError, Flow, Hop, Message, Method};

use crate::authorization::Sender;
use crate::flow_token::FlowTokens;
use crate::identity::Assertion;
use crate::keyed_hash::Key;
use crate::listeners::{Listeners, Side};
use crate::route::{SEAL, Seal};
use crate::stand_in::contacts;
use crate::stir::Signature;
use crate::target::{Target, request_uri};
use crate::validation::join;

/// What the copy is made with.
pub(crate) struct Forwarding<'a> {
    /// The request without our own Routes.
    pub(crate) request: &'a Message,
    /// The flow it came over.
    pub(crate) flow: &'a Flow,
    /// Who sent it.
    pub(crate) sender: &'a Sender,
    /// Where it goes.
    pub(crate) target: &'a Target,
    /// The address or flow chosen for that.
    pub(crate) hop: &'a Hop,
    /// The branch, without the magic cookie.
    pub(crate) branch: &'a [u8],
    /// The realm whose credentials are for us and stay here.
    pub(crate) realm: &'a [u8],
    /// Whether Path is added (an edge forwards a REGISTER).
    pub(crate) adds_path: bool,
    /// The From, if it is not the caller's.
    pub(crate) from: Option<&'a [u8]>,
    /// Whose contacts are stood in for (an edge forwards a REGISTER to a registrar that keeps no Path).
    pub(crate) stands_in_for: Option<&'a [u8]>,
    /// What it says of its sender.
    pub(crate) assertion: Assertion,
    /// Its share of Max-Breadth (RFC 5393 §5.3), if it is told.
    pub(crate) breadth: Option<u32>,
    /// What it says of who calls, signed by us.
    pub(crate) signature: &'a Signature,
    /// Credentials of our own for the one who gets it.
    pub(crate) account: &'a [(HeaderName, Vec<u8>)],
}

/// What belongs to the proxy and not to one request.
pub(crate) struct Means<'a> {
    pub(crate) listeners: &'a Listeners,
    pub(crate) tokens: &'a FlowTokens,
    pub(crate) key: &'a Key,
}

/// A copy that was made, and the Via on top of it.
pub(crate) struct Forwarded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) via: Vec<u8>,
    /// Where the sent-by stands in the Via.
    pub(crate) sent_by: Range<usize>,
    /// Where the branch starts, which ends it.
    pub(crate) branch: usize,
}

/// Makes the copy.
pub(crate) fn forward(forwarding: &Forwarding<'_>, means: &Means<'_>) -> Result<Forwarded, BuildError> {
    let request = forwarding.request;
    let mut edit = request.edit();
    let incoming = means.listeners.side_of_flow(forwarding.flow);
    let outgoing = means.listeners.side_of_hop(forwarding.hop);
    // §16.6 item 2.
    if let Some(uri) = &forwarding.target.uri {
        edit.request_uri(uri);
    }
    max_forwards(&mut edit, request);
    // §16.6 item 4, RFC 3327 §5.2.
    if is_dialog_forming(request) {
        for value in record_routes(forwarding, means, &incoming, &outgoing) {
            edit.prepend(HeaderName::RecordRoute, &value);
        }
    }
    if forwarding.adds_path {
        for value in paths(forwarding, means, &incoming, &outgoing) {
            edit.prepend(HeaderName::Path, &value);
        }
        if !request.lists(HeaderName::Supported, "path") {
            edit.append(HeaderName::Supported, b"path");
        }
    }
    if let Some(aor) = forwarding.stands_in_for
        && let Some(value) = contacts(request, aor, &outgoing, means.key)
    {
        edit.replace(HeaderName::Contact, &value);
    }
    if let Some(from) = forwarding.from {
        edit.replace(HeaderName::From, from);
    }
    routes(&mut edit, forwarding);
    credentials(&mut edit, request, forwarding.realm);
    for (name, value) in forwarding.account {
        edit.append(*name, value);
    }
    forwarding.assertion.write(&mut edit, request);
    forwarding.signature.write(&mut edit);
    if let Some(breadth) = forwarding.breadth {
        edit.replace(HeaderName::MaxBreadth, decimal(u64::from(breadth)).as_bytes());
    }
    // §16.6 item 8.
    let (via, sent_by) = via(&outgoing, b"", forwarding.branch);
    edit.prepend(HeaderName::Via, &via);
    // RFC 7118 §5: on a WebSocket it may be missing; on a stream it must not.
    edit.ensure_content_length();
    let branch = sent_by.end + BRANCH.len();
    Ok(Forwarded { bytes: edit.finish()?, via, sent_by, branch })
}

const BRANCH: &[u8] = b";branch=";

/// Our Via, with these parameters before its branch, and where the sent-by stands in it.
pub(crate) fn via(side: &Side<'_>, parameters: &[u8], branch: &[u8]) -> (Vec<u8>, Range<usize>) {
    let mut via = Vec::with_capacity(96);
    via.extend_from_slice(b"SIP/2.0/");
    via.extend_from_slice(side.transport.via_token().as_bytes());
    via.push(b' ');
    let start = via.len();
    side.write(&mut via);
    let sent_by = start..via.len();
    via.extend_from_slice(parameters);
    via.extend_from_slice(BRANCH);
    via.extend_from_slice(MAGIC_COOKIE);
    via.extend_from_slice(branch);
    (via, sent_by)
}

/// §16.6 item 3: one less; 70 where there is none.
fn max_forwards(edit: &mut Edit<'_>, request: &Message) {
    let left = request.max_forwards().ok().flatten().map_or(70, |hops| hops.min(255).saturating_sub(1));
    edit.replace(HeaderName::MaxForwards, decimal(u64::from(left)).as_bytes());
}

/// Whether the request may begin a dialog, whose later requests must come through us (RFC 6665 §4.3 for NOTIFY).
pub(crate) fn is_dialog_forming(request: &Message) -> bool {
    matches!(request.method(), Some(Method::Invite | Method::Subscribe | Method::Refer | Method::Notify))
}

/// The Record-Routes, the caller's side first: it is written first, so that the callee's side stands above it.
/// Two where anything differs between the sides, so that each party is told the name that it can reach (RFC
/// 5658 §4).
fn record_routes(
    forwarding: &Forwarding<'_>,
    means: &Means<'_>,
    incoming: &Side<'_>,
    outgoing: &Side<'_>,
) -> Vec<Vec<u8>> {
    let call_id = forwarding.request.header(HeaderName::CallId).unwrap_or_default();
    let is_stranger = *forwarding.sender == Sender::Stranger;
    let secure =
        forwarding.request.request_uri().get(..5).is_some_and(|it| it.eq_ignore_ascii_case(b"sips:"));
    let in_token =
        is_reached_by_flow(forwarding, means.listeners).then(|| means.tokens.seal(forwarding.flow));
    let out_token = match forwarding.hop {
        Hop::Flow(flow) if forwarding.target.by_flow || is_stranger => Some(means.tokens.seal(flow)),
        _ => None,
    };
    let by_flow = in_token.is_some() || out_token.is_some();
    let caller = match forwarding.sender {
        Sender::Group(group) => Some(group),
        _ => None,
    };
    let callee = forwarding.target.member.as_ref().map(|member| &member.group);
    let provider = [caller, callee].into_iter().flatten().any(|group| group.account.is_some());
    let seal = Seal { bound: by_flow || is_stranger, provider };
    let seal = seal.write(means.key, call_id);
    let two = incoming != outgoing || by_flow;
    let mut values = vec![own_uri(incoming, in_token.as_deref(), Some(&seal), secure, &[b"lr"])];
    if two {
        values.push(own_uri(outgoing, out_token.as_deref(), Some(&seal), secure, &[b"lr"]));
    }
    values
}

/// The Paths of an edge, the client's side first (RFC 5626 §5.1; two where the transport changes).
fn paths(
    forwarding: &Forwarding<'_>,
    means: &Means<'_>,
    incoming: &Side<'_>,
    outgoing: &Side<'_>,
) -> Vec<Vec<u8>> {
    let token = means.tokens.seal(forwarding.flow);
    // §5.1: `ob` only where the client is our neighbour.
    let first_hop = forwarding.request.values(HeaderName::Via).nth(1).is_none();
    let parameters: &[&[u8]] = if first_hop { &[b"lr", b"ob"] } else { &[b"lr"] };
    let mut values = vec![own_uri(incoming, Some(&token), None, false, parameters)];
    if incoming != outgoing {
        values.push(own_uri(outgoing, None, None, false, &[b"lr"]));
    }
    values
}

/// Whether the sender is reached by the flow its request came over, and no other way.
fn is_reached_by_flow(forwarding: &Forwarding<'_>, listeners: &Listeners) -> bool {
    let flow = forwarding.flow;
    if flow.transport.is_websocket() {
        return true;
    }
    if matches!(forwarding.sender, Sender::Peer | Sender::Upstream | Sender::Group(_)) {
        return false;
    }
    if flow.transport.is_reliable() {
        return listeners.accepted(flow);
    }
    // A client behind a NAT: its Contact is not where its message came from. Of what came through another proxy
    // the Contact says nothing.
    let direct = forwarding.request.values(HeaderName::Via).nth(1).is_none();
    direct && !contact_is_source(forwarding.request, flow)
}

fn contact_is_source(request: &Message, flow: &Flow) -> bool {
    let Some(Ok(uri)) = request.contacts().next().and_then(|contact| contact.ok()).and_then(|it| it.uri())
    else {
        return true;
    };
    let Some(address) = crate::registrar::address_of_record::address_of(uri.host()) else { return false };
    let port = uri.port().unwrap_or_else(|| flow.transport.default_port());
    address.to_canonical() == flow.remote.ip().to_canonical() && port == flow.remote.port()
}

/// A URI of ours in brackets, as Record-Route, Path and Contact have it. `token` is its user part.
pub(crate) fn own_uri(
    side: &Side<'_>,
    token: Option<&[u8]>,
    seal: Option<&[u8]>,
    secure: bool,
    flags: &[&[u8]],
) -> Vec<u8> {
    // RFC 3261 §16.6 item 4: with a sips Request-URI the Record-Route is a sips URI too.
    let secure = secure && side.transport.is_secure();
    let mut uri = Vec::with_capacity(160);
    uri.extend_from_slice(if secure { b"<sips:" } else { b"<sip:" });
    if let Some(token) = token {
        uri.extend_from_slice(token);
        uri.push(b'@');
    }
    side.write(&mut uri);
    uri.extend_from_slice(b";transport=");
    // RFC 3261 §26.2.2: `transport=tls` has no place in a sips URI.
    let transport =
        if secure && !side.transport.is_websocket() { "tcp" } else { side.transport.uri_parameter() };
    uri.extend_from_slice(transport.as_bytes());
    for flag in flags {
        uri.push(b';');
        uri.extend_from_slice(flag);
    }
    // A token says by itself what it allows.
    if let Some(seal) = seal.filter(|_| token.is_none()) {
        uri.push(b';');
        uri.extend_from_slice(SEAL.as_bytes());
        uri.push(b'=');
        uri.extend_from_slice(seal);
    }
    uri.push(b'>');
    uri
}

/// §16.6 items 5 to 7: the Path of the binding goes before what the request has; a strict router as the next hop
/// gets the request as it knows it.
fn routes(edit: &mut Edit<'_>, forwarding: &Forwarding<'_>) {
    if forwarding.target.routes.is_empty() && forwarding.request.header(HeaderName::Route).is_none() {
        return;
    }
    let mut routes: Vec<&[u8]> = forwarding.target.routes.iter().map(Vec::as_slice).collect();
    routes.extend(forwarding.request.values(HeaderName::Route));
    let Some(first) = routes.first() else { return };
    // A flow leads to the end of the way: nothing stands between us and the client.
    let is_strict = Route::parse(first).is_ok_and(|route| !route.is_loose());
    if !is_strict {
        if !forwarding.target.routes.is_empty() {
            edit.replace(HeaderName::Route, &join(routes.into_iter()));
        }
        return;
    }
    let uri = forwarding.target.uri.as_deref().unwrap_or_else(|| forwarding.request.request_uri());
    let mut last = vec![b'<'];
    last.extend_from_slice(uri);
    last.push(b'>');
    let next = request_uri(crate::target::route_uri(first));
    let mut rest: Vec<&[u8]> = routes.get(1..).unwrap_or_default().to_vec();
    rest.push(&last);
    edit.request_uri(&next);
    edit.replace(HeaderName::Route, &join(rest.into_iter()));
}

/// Credentials for our realm were for us (RFC 3261 §22.3); others pass.
fn credentials(edit: &mut Edit<'_>, request: &Message, realm: &[u8]) {
    if request.header(HeaderName::ProxyAuthorization).is_none() {
        return;
    }
    let is_ours = |value: &[u8]| {
        sip::digest::Credentials::parse(value).is_ok_and(|credentials| *credentials.realm_name() == *realm)
    };
    let all: Vec<&[u8]> = request.headers(HeaderName::ProxyAuthorization).collect();
    if realm.is_empty() || !all.iter().any(|value| is_ours(value)) {
        return;
    }
    edit.remove(HeaderName::ProxyAuthorization);
    for value in all.into_iter().filter(|value| !is_ours(value)) {
        edit.append(HeaderName::ProxyAuthorization, value);
    }
}
