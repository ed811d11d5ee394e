//! Where a request goes: the target set (RFC 3261 §16.5) and the way to each target.

use sip::uri::{Host, Scheme, Uri};
use sip::{Flow, Hop, Instant, Transport};

use crate::listeners::is_sendable;
use crate::output::Question;
use crate::registrar::address_of_record::host_text;
use crate::registrar::binding::{Binding, Reach};
use crate::trunks::Member;

/// One place to send a request to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The Request-URI that it gets; `None`: the one it came with.
    pub(crate) uri: Option<Vec<u8>>,
    /// Routes to put before those it has: the Path of a binding.
    pub(crate) routes: Vec<Vec<u8>>,
    /// The way.
    pub(crate) way: Way,
    /// Whether the flow was opened by the peer, so that the way back to it must be written as a token.
    pub(crate) by_flow: bool,
    /// The instance behind it (RFC 5626 §7: one branch for each).
    pub(crate) instance: Option<Vec<u8>>,
    /// The preference in thousandths (RFC 3261 §20.10: `q`).
    pub(crate) quality: u16,
    /// Whether it is a contact of a user of ours that names another host than the one that registered it.
    pub(crate) is_elsewhere: bool,
    /// The server of a group that it is.
    pub(crate) member: Option<Member>,
}

/// The way to a target.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// Over this flow and no other.
    Flow(Flow),
    /// By RFC 3263.
    Resolve {
        /// A name, or an address without brackets.
        host: String,
        /// The port, if the URI names one.
        port: Option<u16>,
        /// The transport, if the URI names one.
        transport: Option<Transport>,
        /// Whether only TLS will do.
        secure: bool,
    },
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unroutable {
    pub(crate) status: u16,
    pub(crate) why: &'static str,
}

/// Leaves the targets that a sips request may go to: every hop of it is encrypted (RFC 3261 §26.2.2, RFC 7118 §9.2).
pub(crate) fn encrypted(targets: &mut Vec<Target>) {
    targets.retain(|target| match &target.way {
        Way::Flow(flow) => flow.transport.is_secure(),
        Way::Resolve { .. } => true,
    });
    targets.iter_mut().for_each(Target::require_tls);
}

impl Target {
    /// The request as it is, over this flow.
    pub(crate) const fn flow(flow: Flow) -> Self {
        Self {
            uri: None,
            routes: Vec::new(),
            way: Way::Flow(flow),
            by_flow: true,
            instance: None,
            quality: 1000,
            is_elsewhere: false,
            member: None,
        }
    }

    /// The contact of a binding.
    pub(crate) fn binding(now: Instant, binding: &Binding) -> Result<Self, Unroutable> {
        let mut target = Self {
            uri: Some(request_uri(&binding.contact)),
            routes: binding.path.clone(),
            way: Way::Flow(binding.flow),
            by_flow: binding.reach == Reach::Flow || binding.flow.transport.is_reliable(),
            instance: binding.instance.clone(),
            quality: binding.quality,
            is_elsewhere: binding.reach == Reach::Contact,
            member: None,
        };
        if !binding.is_reachable(now) {
            return Err(Unroutable { status: 480, why: "the contact's connection is closed" });
        }
        match binding.reach {
            Reach::Flow => {}
            Reach::FlowOrContact if binding.lost.is_none() => {}
            Reach::FlowOrContact | Reach::Contact => {
                target.way = Way::to_uri(&binding.contact)?;
                target.by_flow = false;
                // Who registered by datagram listens for datagrams, however large.
                if let Way::Resolve { transport: transport @ None, secure: false, .. } = &mut target.way
                    && binding.flow.transport == Transport::Udp
                {
                    *transport = Some(Transport::Udp);
                }
            }
            Reach::Path => {
                let next = binding.path.first().map(|value| route_uri(value)).unwrap_or_default();
                target.way = Way::to_uri(next)?;
                target.by_flow = false;
            }
        }
        Ok(target)
    }

    /// Only TLS will do.
    pub(crate) const fn require_tls(&mut self) {
        if let Way::Resolve { secure, .. } = &mut self.way {
            *secure = true;
        }
    }

    /// What `uri`, a Request-URI or the next Route, names.
    pub(crate) fn to_uri(uri: &[u8]) -> Result<Self, Unroutable> {
        Way::to_uri(uri).map(Self::by)
    }

    /// What `uri` names, read already.
    pub(crate) fn to(uri: &Uri<'_>) -> Result<Self, Unroutable> {
        Way::to(uri).map(Self::by)
    }

    /// What is reached in this way, under its own Request-URI.
    pub(crate) const fn by(way: Way) -> Self {
        Self {
            uri: None,
            routes: Vec::new(),
            way,
            by_flow: false,
            instance: None,
            quality: 1000,
            is_elsewhere: false,
            member: None,
        }
    }
}

impl Way {
    /// The hop, where nothing is to be looked up and one may send there.
    pub(crate) fn hop(&self) -> Option<Hop> {
        match self {
            Self::Flow(flow) => Some(Hop::Flow(*flow)),
            Self::Resolve { host, port, transport, secure } => {
                Hop::literal(host, *port, *transport, *secure).filter(|hop| is_sendable(hop.address()))
            }
        }
    }

    /// What is to be looked up.
    pub(crate) fn question(&self) -> Option<Question> {
        match self {
            Self::Flow(_) => None,
            Self::Resolve { host, port, transport, secure } => Some(Question::Resolve {
                host: host.clone(),
                port: *port,
                transport: *transport,
                secure: *secure,
            }),
        }
    }

    /// The way that a SIP URI describes (RFC 3263 §4).
    pub(crate) fn to_uri(uri: &[u8]) -> Result<Self, Unroutable> {
        let uri = Uri::parse(uri).map_err(|_| Unroutable { status: 400, why: "the next hop is no URI" })?;
        Self::to(&uri)
    }

    /// The way that a SIP URI describes, read already.
    fn to(uri: &Uri<'_>) -> Result<Self, Unroutable> {
        let secure = match uri.scheme() {
            Scheme::Sip => false,
            Scheme::Sips => true,
            // RFC 3261 §16.5, RFC 3966: a number is routed by those who know numbers.
            _ => return Err(Unroutable { status: 416, why: "only sip and sips URIs lead anywhere" }),
        };
        if is_websocket_only(uri) {
            return Err(Unroutable {
                status: 480,
                why: "a WebSocket client is reached only while it is connected",
            });
        }
        let transport =
            match uri.parameter("transport").flatten() {
                Some(token) => Some(Transport::from_token(token).ok_or(Unroutable {
                    status: 404,
                    why: "the URI asks for a transport that is not ours",
                })?),
                None => None,
            };
        let host = String::from_utf8(host_text(uri.host()))
            .map_err(|_| Unroutable { status: 404, why: "the host is no name" })?;
        Ok(Self::Resolve { host, port: uri.port(), transport, secure })
    }
}

/// Whether nothing but an open WebSocket leads to this URI (RFC 7118 §5, appendix B.1): a made-up host, or
/// `transport=ws`.
pub(crate) fn is_websocket_only(uri: &Uri<'_>) -> bool {
    let invalid = match uri.host() {
        Host::Name(name) => {
            let name = name.strip_suffix(b".").unwrap_or(name);
            name.eq_ignore_ascii_case(b"invalid")
                || name
                    .len()
                    .checked_sub(8)
                    .and_then(|start| name.get(start..))
                    .is_some_and(|end| end.eq_ignore_ascii_case(b".invalid"))
        }
        _ => false,
    };
    let websocket = uri
        .parameter("transport")
        .flatten()
        .and_then(Transport::from_token)
        .is_some_and(Transport::is_websocket);
    invalid || websocket
}

/// A contact as a Request-URI: without the headers that a URI may carry, which would else become part of a
/// request (RFC 3261 §19.1.1, RFC 4475 §3.3.14).
pub(crate) fn request_uri(contact: &[u8]) -> Vec<u8> {
    let headers = Uri::parse(contact).map_or(0, |uri| uri.headers_bytes().len());
    let end = if headers == 0 { contact.len() } else { contact.len().saturating_sub(headers + 1) };
    contact.get(..end).unwrap_or(contact).to_vec()
}

/// The URI inside a Route or Path value.
pub(crate) fn route_uri(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|octet| *octet == b'<').map_or(0, |at| at + 1);
    let inner = value.get(start..).unwrap_or_default();
    let end = inner.iter().position(|octet| *octet == b'>').unwrap_or(inner.len());
    inner.get(..end).unwrap_or_default().trim_ascii()
}
