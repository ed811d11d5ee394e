//! Addresses-of-record in canonical form, and which hosts are ours.

use std::net::IpAddr;

use sip::uri::{Host, Scheme, Uri};

use crate::config::{Config, Listener, Role};

/// The names and addresses that mean this server.
#[derive(Clone, Debug)]
pub(crate) struct OwnHosts {
    domains: Vec<Vec<u8>>,
    aliases: Vec<Vec<u8>>,
    listeners: Vec<Listener>,
    /// Addresses of the machine that connections came in on, where a socket is bound to all of them.
    addresses: Vec<IpAddr>,
    is_edge: bool,
}

impl OwnHosts {
    pub(crate) fn new(config: &Config) -> Self {
        let lower = |names: &[String]| -> Vec<Vec<u8>> {
            names.iter().map(|name| name.to_ascii_lowercase().into_bytes()).collect()
        };
        Self {
            domains: lower(&config.domains),
            aliases: lower(&config.aliases),
            listeners: config.listeners.clone(),
            addresses: Vec::new(),
            is_edge: matches!(config.role, Role::Edge { .. }),
        }
    }

    /// Learns an address of the machine, from a connection that came in on it.
    pub(crate) fn learn(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        let is_bound = self.listeners.iter().any(|listener| listener.bound.ip() == address);
        if !is_bound && !address.is_unspecified() && !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }

    /// The domain of ours that `uri` belongs to, in lower case; `None` if it is not for us.
    ///
    /// A port that is written must be one that we listen on, or a phone beside us on the same machine would be
    /// taken for us.
    pub(crate) fn domain_of(&self, uri: &Uri<'_>) -> Option<&[u8]> {
        let host = host_text(uri.host());
        if let Some(port) = uri.port()
            && !self.listens_on(port)
        {
            return None;
        }
        if let Some(domain) = self.domains.iter().find(|domain| **domain == host) {
            return Some(domain);
        }
        if self.aliases.contains(&host) || self.is_listener(uri.host(), &host) {
            return Some(self.primary(&host));
        }
        None
    }

    /// Whether `uri` names one of our sockets or domains, as a Route does.
    pub(crate) fn is_own(&self, uri: &Uri<'_>) -> bool {
        if self.is_edge {
            // The domains are the upstream's; its Routes may name them.
            let port = uri.port().unwrap_or(if uri.scheme() == Scheme::Sips { 5061 } else { 5060 });
            return self.listens_on(port) && self.is_listener(uri.host(), &host_text(uri.host()));
        }
        self.domain_of(uri).is_some()
    }

    /// Whether a Via's sent-by is one of ours.
    pub(crate) fn is_sent_by(&self, host: Host<'_>, port: Option<u16>) -> bool {
        let address = address_of(host);
        let text = host_text(host);
        self.listeners.iter().any(|listener| {
            let port = port.unwrap_or_else(|| listener.transport.default_port());
            let our_port = listener.port() == port || listener.bound.port() == port;
            // An unspecified address stands for every address of the machine, also those we have no list of.
            let our_host = is_name_of(listener, &text)
                || address.is_some_and(|address| {
                    listener.bound.ip() == address || listener.bound.ip().is_unspecified()
                })
                || self.domains.contains(&text);
            our_port && our_host
        })
    }

    fn primary(&self, fallback: &[u8]) -> &[u8] {
        let by_name = self.aliases.iter().find(|alias| alias.as_slice() == fallback);
        self.domains.first().or(by_name).or(self.aliases.first()).map_or(b"localhost", Vec::as_slice)
    }

    fn listens_on(&self, port: u16) -> bool {
        self.listeners.iter().any(|listener| listener.port() == port || listener.bound.port() == port)
    }

    fn is_listener(&self, host: Host<'_>, text: &[u8]) -> bool {
        let address = address_of(host).map(|address| address.to_canonical());
        address.is_some_and(|address| self.addresses.contains(&address))
            || self.listeners.iter().any(|listener| {
                is_name_of(listener, text) || address.is_some_and(|address| listener.bound.ip() == address)
            })
    }
}

fn is_name_of(listener: &Listener, host: &[u8]) -> bool {
    listener.advertised_host.as_ref().is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(host))
}

/// The address that a host is, if it is one.
pub(crate) fn address_of(host: Host<'_>) -> Option<IpAddr> {
    match host {
        Host::V4(address) => Some(IpAddr::V4(address)),
        Host::V6(address) => Some(IpAddr::V6(address)),
        Host::Name(_) => None,
    }
}

/// A host as text in lower case, IPv6 in its canonical form without brackets.
pub(crate) fn host_text(host: Host<'_>) -> Vec<u8> {
    match host {
        Host::Name(name) => name.to_ascii_lowercase(),
        Host::V4(address) => address.to_string().into_bytes(),
        Host::V6(address) => address.to_string().into_bytes(),
    }
}

/// The key of a user in a domain of ours: `user@domain`, the user part with its percent escapes resolved
/// (RFC 3261 §10.3 item 5).
pub(crate) fn key(user: &[u8], domain: &[u8]) -> Vec<u8> {
    let mut key = unescape(user);
    key.push(b'@');
    key.extend_from_slice(domain);
    key
}

/// Resolves percent escapes; a percent sign that starts none stays.
pub(crate) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((octet, after)) = rest.split_first() {
        if *octet == b'%'
            && let Some((digits, tail)) = after.split_first_chunk::<2>()
            && let [Some(high), Some(low)] = digits.map(|digit| char::from(digit).to_digit(16))
        {
            out.push(u8::try_from(high * 16 + low).unwrap_or(*octet));
            rest = tail;
        } else {
            out.push(*octet);
            rest = after;
        }
    }
    out
}
