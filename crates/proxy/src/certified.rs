//! Peers that are known by their certificates (RFC 5922), as others are by their addresses.

use sip::{Flow, Hop, Instant};

use crate::proxy::Proxy;

impl Proxy {
    /// The peer that has opened this connection has shown a certificate that counts, for these SIP domains, in small letters.
    ///
    /// The proxies of other event loops know it at once. When the connection closes, it is forgotten.
    pub fn identified(&mut self, now: Instant, flow: &Flow, domains: Vec<String>) {
        self.now = now;
        self.common.0.connections.learn(flow);
        self.common.0.connections.identify(flow, domains);
    }

    /// Whether who is behind this flow has shown a certificate for one of these domains.
    pub(crate) fn shows(&self, flow: &Flow, domains: &[String]) -> bool {
        !domains.is_empty() && flow.transport.is_secure() && self.common.0.connections.shows(flow, domains)
    }

    /// Whether who is behind this hop has shown such a certificate, or must show one before anything is sent to him.
    pub(crate) fn is_certain(&self, hop: &Hop, domains: &[String]) -> bool {
        match hop {
            Hop::Flow(flow) => self.shows(flow, domains),
            Hop::Address { transport, server_name: Some(name), .. } => {
                transport.is_secure() && domains.iter().any(|domain| domain.eq_ignore_ascii_case(name))
            }
            Hop::Address { .. } => false,
        }
    }
}
