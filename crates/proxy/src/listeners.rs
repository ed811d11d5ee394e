//! Which of our sockets a message goes through, and the name that others are told for it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sip::scope::{Scope, nearness};
use sip::text::write_decimal;
use sip::{ConnectionId, Flow, Hop, Transport};

use crate::config::{Config, Listener, Role};
use crate::registrar::address_of_record::write_address;

/// Our sockets.
#[derive(Clone, Debug)]
pub(crate) struct Listeners {
    listeners: Vec<Named>,
    /// What is told where no address of ours is known, or none that the other side can reach.
    fallback: String,
    /// Whether that name leads to us: an edge's domains are the upstream's.
    fallback_leads_here: bool,
}

/// A socket, and the host that others are told for it, if that does not depend on who they are.
#[derive(Clone, Debug)]
struct Named {
    listener: Listener,
    host: Option<Vec<u8>>,
}

/// One side of the proxy, as a Via or a Record-Route names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Side<'a> {
    /// The host, IPv6 in brackets.
    pub(crate) host: Cow<'a, [u8]>,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    pub(crate) is_ipv6: bool,
}

impl Side<'_> {
    /// `host:port`, as in a Via or a URI.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.host);
        out.push(b':');
        write_decimal(out, u64::from(self.port));
    }
}

impl Listeners {
    pub(crate) fn new(config: &Config) -> Self {
        let fallback = config.domains.first().cloned().unwrap_or_else(|| "localhost".to_owned());
        let named = |listener: &Listener| {
            let bound = listener.bound.ip();
            let host = match &listener.advertised_host {
                Some(name) => Some(in_brackets(name.as_bytes().to_vec())),
                None => (!bound.is_unspecified()).then(|| address_text(bound)),
            };
            Named { listener: listener.clone(), host }
        };
        let fallback_leads_here = !matches!(config.role, Role::Edge { .. });
        Self { listeners: config.listeners.iter().map(named).collect(), fallback, fallback_leads_here }
    }

    /// Takes the name that stands in for an address where there is none.
    pub(crate) fn rename(&mut self, config: &Config) {
        self.fallback = Self::new(config).fallback;
    }

    /// Our side of a flow.
    pub(crate) fn side_of_flow(&self, flow: &Flow) -> Side<'_> {
        let listener = self.listener(flow.transport, |listener| {
            let same_port = listener.bound.port() == flow.local.port();
            let same_address = listener.bound.ip() == flow.local.ip();
            let wildcard = listener.bound.ip().is_unspecified();
            u8::from(same_port) * 4
                + u8::from(same_address) * 2
                + u8::from(wildcard)
                + u8::from(listener.bound.is_ipv4() == flow.local.is_ipv4())
        });
        self.side(listener, flow.transport, flow.local, flow.remote.ip())
    }

    /// Our side towards a hop.
    pub(crate) fn side_of_hop(&self, hop: &Hop) -> Side<'_> {
        match hop {
            Hop::Flow(flow) => self.side_of_flow(flow),
            Hop::Address { transport, address, .. } => {
                let listener = self.towards(*transport, address.ip());
                // Without a socket of that transport the answer comes back over the connection; any name of ours will do.
                let any =
                    || self.listeners.iter().find(|it| it.listener.bound.is_ipv4() == address.is_ipv4());
                let listener = listener.or_else(any).or(self.listeners.first());
                let unspecified =
                    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), transport.default_port());
                let local = listener.map_or(unspecified, |named| named.listener.bound);
                self.side(listener, *transport, local, address.ip())
            }
        }
    }

    /// A hop by datagram, bound to the socket that it shall leave by: Via and Record-Route must name that one.
    pub(crate) fn pin(&self, hop: Hop) -> Hop {
        let Hop::Address { transport: Transport::Udp, address, .. } = &hop else { return hop };
        match self.towards(Transport::Udp, address.ip()) {
            Some(named) if named.listener.bound.is_ipv4() == address.is_ipv4() => Hop::Flow(Flow {
                transport: Transport::Udp,
                connection: ConnectionId(0),
                local: named.listener.bound,
                remote: *address,
            }),
            _ => hop,
        }
    }

    /// Whether the peer opened this connection: it came in through a listener of ours.
    pub(crate) fn accepted(&self, flow: &Flow) -> bool {
        flow.transport.is_reliable()
            && self.listeners.iter().any(|Named { listener, .. }| {
                listener.transport == flow.transport && listener.bound.port() == flow.local.port()
            })
    }

    /// RFC 3261 §18.1.1: the one that has the way there. Among equals that is the nearer one.
    fn towards(&self, transport: Transport, remote: IpAddr) -> Option<&Named> {
        self.listener(transport, |listener| {
            let bound = listener.bound.ip();
            let kind = u8::from(listener.bound.is_ipv4() == remote.is_ipv4()) * 4
                + u8::from(bound.is_loopback() == remote.is_loopback()) * 2
                + u8::from(bound.is_unspecified());
            (kind, nearness(bound, remote))
        })
    }

    fn listener<S: Ord>(&self, transport: Transport, score: impl Fn(&Listener) -> S) -> Option<&Named> {
        // The first of the best; `max_by_key` would take the last.
        self.listeners
            .iter()
            .filter(|named| named.listener.transport == transport)
            .rev()
            .max_by_key(|named| score(&named.listener))
    }

    fn side<'a>(
        &'a self,
        named: Option<&'a Named>,
        transport: Transport,
        local: SocketAddr,
        remote: IpAddr,
    ) -> Side<'a> {
        let bound = named.map(|named| named.listener.bound.ip());
        let advertised = named.is_some_and(|named| named.listener.advertised_host.is_some());
        let outward = || named.and_then(|named| named.listener.outward_address);
        let known = if local.ip().is_unspecified() { outward().unwrap_or(local.ip()) } else { local.ip() };
        let host = match named.and_then(|named| named.host.as_deref()) {
            Some(host) if advertised || local.ip().is_unspecified() || bound == Some(local.ip()) => {
                Cow::Borrowed(host)
            }
            _ if self.may_tell(known, remote) => Cow::Owned(address_text(known)),
            _ => Cow::Owned(in_brackets(self.fallback.clone().into_bytes())),
        };
        Side {
            host,
            port: named.map_or_else(|| local.port(), |named| named.listener.port()),
            transport,
            is_ipv6: remote.to_canonical().is_ipv6(),
        }
    }

    /// Whether an address of ours is better than our name. Who is in the Internet does not reach the private address of a machine
    /// behind a NAT; the name he may have reached it by.
    fn may_tell(&self, ours: IpAddr, remote: IpAddr) -> bool {
        let is_out_of_reach = Scope::of(ours) < Scope::of(remote);
        !(ours.is_unspecified() || (is_out_of_reach && self.fallback_leads_here))
    }
}

/// An address as it stands in a URI.
fn address_text(address: IpAddr) -> Vec<u8> {
    let mut text = Vec::with_capacity(16);
    write_address(&mut text, address.to_canonical());
    in_brackets(text)
}

/// RFC 3261 §25.1: IPv6 in brackets.
fn in_brackets(host: Vec<u8>) -> Vec<u8> {
    if host.contains(&b':') { [b"[".as_slice(), &host, b"]"].concat() } else { host }
}

/// Whether a message may be sent there at all: to one host, and to a port (RFC 4475 §3.3.10).
pub(crate) fn is_sendable(address: SocketAddr) -> bool {
    let one_host = match address.ip().to_canonical() {
        IpAddr::V4(ip) => !(ip.is_broadcast() || ip.is_multicast() || ip.octets().first() == Some(&0)),
        IpAddr::V6(ip) => !(ip.is_multicast() || ip.is_unspecified()),
    };
    one_host && address.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_addresses_a_request_leaves_by_the_one_that_has_the_way_and_says_so() {
        let ours = ["203.0.113.7:5060", "10.0.0.11:5060"];
        for order in [ours, [ours[1], ours[0]]] {
            let listeners = order.map(|it| Listener::new(Transport::Udp, it.parse().unwrap())).to_vec();
            let listeners = Listeners::new(&Config { listeners, ..Config::default() });
            for (peer, expected) in [("10.0.0.5:5060", ours[1]), ("198.51.100.1:5060", ours[0])] {
                let address = peer.parse().unwrap();
                let hop = Hop::Address { transport: Transport::Udp, address, server_name: None };
                let hop = listeners.pin(hop);
                let Hop::Flow(flow) = &hop else { panic!("{hop:?}") };
                assert_eq!(flow.local.to_string(), expected, "{order:?}");
                let mut name = Vec::new();
                listeners.side_of_hop(&hop).write(&mut name);
                assert_eq!(String::from_utf8_lossy(&name), expected, "{order:?}");
            }
        }
    }
}
