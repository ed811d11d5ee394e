//! Ports to which no browser connects.

use net::Protocol;

use super::Protocols;

/// What is to be said against `port` for a listener of `protocol`, if browsers are to connect there.
pub(crate) fn objection(protocol: Protocol, port: u16) -> Option<String> {
    (matches!(protocol, Protocol::Http | Protocol::Https) && is_bad(port)).then(|| {
        format!(
            "no browser connects to port {port}: it is among the bad ports of the Fetch standard; choose another, \
             such as {}",
            Protocols::default_port(protocol)
        )
    })
}

/// Whether every browser refuses `port`. Port 0 means "any free one" and is none of them.
pub(super) fn is_bad(port: u16) -> bool {
    port != 0 && media::is_bad_port(port)
}
