//! Ports to which no browser connects.

use net::Protocol;

use super::Protocols;

/// The bad ports of the Fetch standard (section "Port blocking"), without those that only FTP may use.
const BAD_PORTS: [u16; 82] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
];

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

/// Whether every browser refuses to connect to `port`. Port 0 means "any free one" and is none of them.
pub(super) fn is_bad(port: u16) -> bool {
    port != 0 && (port == 10080 || BAD_PORTS.binary_search(&port).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_that_browsers_block_are_known() {
        assert!(BAD_PORTS.is_sorted());
        for port in [1, 5060, 5061, 6000, 6665, 6669, 6697, 1719, 10080] {
            assert!(is_bad(port), "{port}");
        }
        for port in [0, 80, 443, 8080, 8443, 5062, 5080, 6670, 65535] {
            assert!(!is_bad(port), "{port}");
        }
    }
}
