//! Addresses-of-record in canonical form, and which hosts are ours.

use std::net::IpAddr;

use sip::uri::{Host, Scheme, Uri};

use crate::common::Common;
use crate::config::{Config, Listener, Role};

/// The names and addresses that mean this server.
#[derive(Clone, Debug)]
pub(crate) struct OwnHosts {
    common: Common,
    domains: Vec<Name>,
    aliases: Vec<Name>,
    listeners: Vec<Listener>,
    is_edge: bool,
}

/// One of our names: in lower case, and as the address that it may be.
#[derive(Clone, Debug)]
struct Name {
    text: Vec<u8>,
    address: Option<IpAddr>,
}

impl Name {
    fn new(name: &str) -> Self {
        let text = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        Self { address: text.parse().ok(), text: text.into_bytes() }
    }

    fn is(&self, host: Host<'_>) -> bool {
        match host {
            Host::Name(name) => self.text == name || self.text.eq_ignore_ascii_case(without_root(name)),
            address => self.address.is_some() && self.address == address_of(address),
        }
    }
}

impl OwnHosts {
    pub(crate) fn new(config: &Config, common: &Common) -> Self {
        let hosts = Self {
            common: common.clone(),
            domains: config.domains.iter().map(|name| Name::new(name)).collect(),
            aliases: config.aliases.iter().map(|name| Name::new(name)).collect(),
            listeners: config.listeners.clone(),
            is_edge: matches!(config.role, Role::Edge { .. }),
        };
        config.listeners.iter().filter_map(|it| it.outward_address).for_each(|it| hosts.learn(it));
        hosts
    }

    /// Learns an address of the machine, from a connection or a datagram that came in on it.
    pub(crate) fn learn(&self, address: IpAddr) {
        let address = address.to_canonical();
        let is_bound = self.listeners.iter().any(|listener| listener.bound.ip() == address);
        if !is_bound && !address.is_unspecified() {
            self.common.0.addresses.learn(address);
        }
    }

    /// The domain of ours that `uri` belongs to, in lower case; `None` if it is not for us.
    ///
    /// A port that is written must be one that we listen on, or a phone beside us on the same machine would be
    /// taken for us.
    pub(crate) fn domain_of(&self, uri: &Uri<'_>) -> Option<&[u8]> {
        let host = uri.host();
        if let Some(port) = uri.port()
            && !self.listens_on(port)
        {
            return None;
        }
        if let Some(domain) = self.domains.iter().find(|domain| domain.is(host)) {
            return Some(&domain.text);
        }
        let alias = self.aliases.iter().find(|alias| alias.is(host));
        (alias.is_some() || self.is_listener(host)).then(|| self.primary(alias))
    }

    /// The domain that a user of ours is in whose domain nobody has named, in lower case.
    pub(crate) fn main_domain(&self) -> &[u8] {
        self.primary(self.aliases.first())
    }

    /// Whether `uri` names one of our sockets or domains, as a Route does.
    pub(crate) fn is_own(&self, uri: &Uri<'_>) -> bool {
        if self.is_edge {
            // The domains are the upstream's; its Routes may name them.
            let port = uri.port().unwrap_or(if uri.scheme() == Scheme::Sips { 5061 } else { 5060 });
            return self.listens_on(port) && self.is_listener(uri.host());
        }
        self.domain_of(uri).is_some()
    }

    /// Whether a Via's sent-by is one of ours.
    pub(crate) fn is_sent_by(&self, host: Host<'_>, port: Option<u16>) -> bool {
        let address = address_of(host);
        self.listeners.iter().any(|listener| {
            let port = port.unwrap_or_else(|| listener.transport.default_port());
            let our_port = listener.port() == port || listener.bound.port() == port;
            // An unspecified address stands for every address of the machine, also those we have no list of.
            let our_host = is_name_of(listener, host)
                || address.is_some_and(|address| {
                    listener.bound.ip() == address || listener.bound.ip().is_unspecified()
                })
                || self.domains.iter().any(|domain| domain.is(host));
            our_port && our_host
        })
    }

    fn primary<'a>(&'a self, fallback: Option<&'a Name>) -> &'a [u8] {
        let name = self.domains.first().or(fallback).or(self.aliases.first());
        name.map_or(b"localhost", |name| name.text.as_slice())
    }

    fn listens_on(&self, port: u16) -> bool {
        self.listeners.iter().any(|listener| listener.port() == port || listener.bound.port() == port)
    }

    fn is_listener(&self, host: Host<'_>) -> bool {
        let address = address_of(host).map(|address| address.to_canonical());
        let is_bound = self.listeners.iter().any(|listener| {
            is_name_of(listener, host) || address.is_some_and(|address| listener.bound.ip() == address)
        });
        is_bound || address.is_some_and(|address| self.common.0.addresses.contains(address))
    }
}

fn is_name_of(listener: &Listener, host: Host<'_>) -> bool {
    listener.advertised_host.as_ref().is_some_and(|name| match host {
        Host::Name(host) => name.as_bytes().eq_ignore_ascii_case(without_root(host)),
        address => name.parse().ok().is_some_and(|name: IpAddr| address_of(address) == Some(name)),
    })
}

/// A name without the dot that may end it (RFC 3261 §25.1: `hostname`): it means the same.
fn without_root(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

/// The address that a host is, if it is one.
pub(crate) fn address_of(host: Host<'_>) -> Option<IpAddr> {
    match host {
        Host::V4(address) => Some(IpAddr::V4(address)),
        Host::V6(address) => Some(IpAddr::V6(address)),
        Host::Name(_) => None,
    }
}

/// Writes an address, IPv6 without brackets.
pub(crate) fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                sip::text::write_decimal(out, u64::from(octet));
            }
        }
        IpAddr::V6(address) => out.extend_from_slice(address.to_string().as_bytes()),
    }
}

/// A host as text in lower case, IPv6 in its canonical form without brackets.
pub(crate) fn host_text(host: Host<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(host.name().map_or(16, <[u8]>::len));
    write_host(&mut text, host);
    text
}

/// Writes [`host_text`].
pub(crate) fn write_host(out: &mut Vec<u8>, host: Host<'_>) {
    match host {
        Host::Name(name) => out.extend(without_root(name).iter().map(u8::to_ascii_lowercase)),
        Host::V4(address) => write_address(out, address.into()),
        Host::V6(address) => write_address(out, address.into()),
    }
}

/// The key of a user in a domain of ours: `user@domain`, the user part with its percent escapes resolved
/// (RFC 3261 §10.3 item 5).
pub(crate) fn key(user: &[u8], domain: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(user.len() + 1 + domain.len());
    write_unescaped(&mut key, user);
    key.push(b'@');
    key.extend_from_slice(domain);
    key
}

/// Resolves percent escapes; a percent sign that starts none stays.
pub(crate) fn unescape(text: &[u8]) -> Vec<u8> {
    sip::uri::escape::unescape(text).into_owned()
}

/// Whether the user part of a URI means the user of this name.
pub(crate) fn is_user(part: &[u8], name: &[u8]) -> bool {
    *sip::uri::escape::unescape(part) == *name
}

/// Writes [`unescape`].
pub(crate) fn write_unescaped(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&sip::uri::escape::unescape(text));
}
