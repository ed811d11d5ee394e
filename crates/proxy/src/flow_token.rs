//! Flow tokens: a flow written into the user part of a Record-Route or Path URI, signed, so that nobody can
//! make the proxy send where it has not received from (RFC 5626 §5.2).
//!
//! The token of a datagram flow holds the two addresses and outlives a restart of the server. The token of a
//! connection also holds the run of the process and the connection's number, since neither outlives the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sip::digest::constant_time_equal;
use sip::{ConnectionId, Flow, Transport};

use crate::keyed_hash::{Key, decode, encode};

const PURPOSE: &[u8] = b"flow token";
const CODE_LENGTH: usize = 16;

/// Writes and reads flow tokens.
#[derive(Clone)]
pub(crate) struct FlowTokens {
    key: Key,
    boot: [u8; 8],
}

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// A flow of this run of the process, or a datagram flow. Whether its connection is still open is for the
    /// caller to know.
    Flow(Flow),
    /// A connection of an earlier run.
    Gone,
    /// Not a token of ours.
    Forged,
}

impl FlowTokens {
    /// Tokens under `key`, for the run of the process that `boot` names.
    pub(crate) fn new(key: Key, boot: [u8; 8]) -> Self {
        Self { key, boot }
    }

    /// The token for `flow`.
    pub(crate) fn seal(&self, flow: &Flow) -> Vec<u8> {
        let mut content = Vec::with_capacity(80);
        content.push(transport_octet(flow.transport));
        if flow.transport.is_reliable() {
            content.extend_from_slice(&self.boot);
            content.extend_from_slice(&flow.connection.0.to_be_bytes());
        }
        write_address(&mut content, flow.local);
        write_address(&mut content, flow.remote);
        let code = self.key.sign(PURPOSE, &[&content]);
        content.extend_from_slice(code.get(..CODE_LENGTH).unwrap_or(&code));
        encode(&content)
    }

    /// Reads a token.
    pub(crate) fn open(&self, token: &[u8]) -> Opened {
        // No genuine token is longer: two IPv6 addresses, boot, connection and code are 71 octets.
        if token.len() > 128 {
            return Opened::Forged;
        }
        let Some(octets) = decode(token) else { return Opened::Forged };
        let Some((content, code)) =
            octets.len().checked_sub(CODE_LENGTH).and_then(|length| octets.split_at_checked(length))
        else {
            return Opened::Forged;
        };
        let expected = self.key.sign(PURPOSE, &[content]);
        if !expected.get(..CODE_LENGTH).is_some_and(|expected| constant_time_equal(expected, code)) {
            return Opened::Forged;
        }
        read(content).map_or(Opened::Forged, |(boot, flow)| match boot {
            Some(boot) if boot != self.boot => Opened::Gone,
            _ => Opened::Flow(flow),
        })
    }
}

fn read(content: &[u8]) -> Option<(Option<[u8; 8]>, Flow)> {
    let (transport, mut rest) = content.split_first()?;
    let transport = transport_of(*transport)?;
    let mut boot = None;
    let mut connection = ConnectionId(0);
    if transport.is_reliable() {
        let (octets, after) = rest.split_first_chunk::<8>()?;
        boot = Some(*octets);
        let (octets, after) = after.split_first_chunk::<8>()?;
        connection = ConnectionId(u64::from_be_bytes(*octets));
        rest = after;
    }
    let (local, rest) = read_address(rest)?;
    let (remote, rest) = read_address(rest)?;
    rest.is_empty().then_some((boot, Flow { transport, connection, local, remote }))
}

pub(crate) const fn transport_octet(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
        Transport::Tls => 2,
        Transport::Ws => 3,
        Transport::Wss => 4,
    }
}

pub(crate) fn transport_of(octet: u8) -> Option<Transport> {
    Transport::ALL.into_iter().find(|transport| transport_octet(*transport) == octet)
}

/// Appends an address: 4 or 6, the octets, the port.
pub(crate) fn write_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// Reads what [`write_address`] wrote, and what follows it.
pub(crate) fn read_address(octets: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (family, rest) = octets.split_first()?;
    let (ip, rest) = match family {
        4 => {
            let (ip, rest) = rest.split_first_chunk::<4>()?;
            (IpAddr::V4(Ipv4Addr::from(*ip)), rest)
        }
        6 => {
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            (IpAddr::V6(Ipv6Addr::from(*ip)), rest)
        }
        _ => return None,
    };
    let (port, rest) = rest.split_first_chunk::<2>()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(boot: u8) -> FlowTokens {
        FlowTokens::new(Key::new([9; 32]), [boot; 8])
    }

    fn flow(transport: Transport, connection: u64) -> Flow {
        Flow {
            transport,
            connection: ConnectionId(connection),
            local: "[2001:db8::1]:443".parse().unwrap(),
            remote: "192.0.2.7:50123".parse().unwrap(),
        }
    }

    #[test]
    fn a_token_says_the_flow_it_was_made_for() {
        for transport in Transport::ALL {
            let flow = flow(transport, if transport.is_reliable() { 77 } else { 0 });
            assert_eq!(tokens(1).open(&tokens(1).seal(&flow)), Opened::Flow(flow));
        }
    }

    #[test]
    fn a_restart_ends_connections_but_not_datagram_flows() {
        let websocket = flow(Transport::Wss, 77);
        assert_eq!(tokens(2).open(&tokens(1).seal(&websocket)), Opened::Gone);
        let datagram = flow(Transport::Udp, 0);
        assert_eq!(tokens(2).open(&tokens(1).seal(&datagram)), Opened::Flow(datagram));
    }

    #[test]
    fn any_change_is_a_forgery() {
        let token = tokens(1).seal(&flow(Transport::Ws, 5));
        for position in 0..token.len() {
            let mut forged = token.clone();
            forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
            assert_eq!(tokens(1).open(&forged), Opened::Forged, "octet {position}");
        }
        assert_eq!(tokens(1).open(b""), Opened::Forged);
        assert_eq!(tokens(1).open(b"alice"), Opened::Forged);
        assert_eq!(FlowTokens::new(Key::new([8; 32]), [1; 8]).open(&token), Opened::Forged);
    }
}
