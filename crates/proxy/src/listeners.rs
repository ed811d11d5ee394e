//! Which of our sockets a message goes through, and the name that others are told for it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sip::text::write_decimal;
use sip::{ConnectionId, Flow, Hop, Transport};

use crate::config::{Config, Listener};

/// Our sockets.
#[derive(Clone, Debug)]
pub(crate) struct Listeners {
    listeners: Vec<Listener>,
    fallback: String,
}

/// One side of the proxy, as a Via or a Record-Route names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    /// The host, IPv6 in brackets.
    pub(crate) host: Vec<u8>,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    pub(crate) is_ipv6: bool,
}

impl Side {
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
        Self { listeners: config.listeners.clone(), fallback }
    }

    /// Our side of a flow.
    pub(crate) fn side_of_flow(&self, flow: &Flow) -> Side {
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
    pub(crate) fn side_of_hop(&self, hop: &Hop) -> Side {
        match hop {
            Hop::Flow(flow) => self.side_of_flow(flow),
            Hop::Address { transport, address, .. } => {
                let listener = self.towards(*transport, address.ip());
                // Without a socket of that transport the answer comes back over the connection; any name of ours will do.
                let any = || self.listeners.iter().find(|it| it.bound.is_ipv4() == address.is_ipv4());
                let listener = listener.or_else(any).or(self.listeners.first());
                let unspecified =
                    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), transport.default_port());
                let local = listener.map_or(unspecified, |listener| listener.bound);
                self.side(listener, *transport, local, address.ip())
            }
        }
    }

    /// A hop by datagram, bound to the socket that it shall leave by: Via and Record-Route must name that one.
    pub(crate) fn pin(&self, hop: Hop) -> Hop {
        let Hop::Address { transport: Transport::Udp, address, .. } = &hop else { return hop };
        match self.towards(Transport::Udp, address.ip()) {
            Some(listener) if listener.bound.is_ipv4() == address.is_ipv4() => Hop::Flow(Flow {
                transport: Transport::Udp,
                connection: ConnectionId(0),
                local: listener.bound,
                remote: *address,
            }),
            _ => hop,
        }
    }

    /// Whether the peer opened this connection: it came in through a listener of ours.
    pub(crate) fn accepted(&self, flow: &Flow) -> bool {
        flow.transport.is_reliable()
            && self.listeners.iter().any(|listener| {
                listener.transport == flow.transport && listener.bound.port() == flow.local.port()
            })
    }

    fn towards(&self, transport: Transport, remote: IpAddr) -> Option<&Listener> {
        self.listener(transport, |listener| {
            let bound = listener.bound.ip();
            u8::from(listener.bound.is_ipv4() == remote.is_ipv4()) * 4
                + u8::from(bound.is_loopback() == remote.is_loopback()) * 2
                + u8::from(bound.is_unspecified())
        })
    }

    fn listener(&self, transport: Transport, score: impl Fn(&Listener) -> u8) -> Option<&Listener> {
        // The first of the best; `max_by_key` would take the last.
        self.listeners
            .iter()
            .filter(|listener| listener.transport == transport)
            .rev()
            .max_by_key(|it| score(it))
    }

    fn side(
        &self,
        listener: Option<&Listener>,
        transport: Transport,
        local: SocketAddr,
        remote: IpAddr,
    ) -> Side {
        let name = listener.and_then(|listener| listener.advertised_host.as_deref());
        let bound = listener.map(|listener| listener.bound.ip());
        let address = [Some(local.ip()), bound].into_iter().flatten().find(|ip| !ip.is_unspecified());
        let host = match (name, address) {
            (Some(name), _) => name.to_owned(),
            (None, Some(address)) => address.to_canonical().to_string(),
            (None, None) => self.fallback.clone(),
        };
        let host = if host.contains(':') { ["[", &host, "]"].concat() } else { host };
        Side {
            host: host.into_bytes(),
            port: listener.map_or_else(|| local.port(), Listener::port),
            transport,
            is_ipv6: remote.to_canonical().is_ipv6(),
        }
    }
}

/// Whether a message may be sent there at all: to one host, and to a port (RFC 4475 §3.3.10).
pub(crate) fn is_sendable(address: SocketAddr) -> bool {
    let one_host = match address.ip().to_canonical() {
        IpAddr::V4(ip) => !(ip.is_broadcast() || ip.is_multicast() || ip.octets().first() == Some(&0)),
        IpAddr::V6(ip) => !(ip.is_multicast() || ip.is_unspecified()),
    };
    one_host && address.port() != 0
}
