//! Which of its addresses the machine sends from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// The machine's address on the way outward: the one that the system would send from. Nothing is sent.
pub(crate) fn outward_address(any: IpAddr) -> Option<IpAddr> {
    let far: IpAddr = if any.is_ipv4() {
        // Addresses for documentation (RFC 5737, RFC 3849): nobody is there.
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1))
    } else {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((far, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified() && !address.is_loopback()).then_some(address)
}
