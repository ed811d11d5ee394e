//! What a load balancer says before a connection's own first octet: for whom it has opened it (the PROXY protocol of
//! HAProxy, versions 1 and 2).
//!
//! A balancer is believed by its address, and must speak so: a connection of its that begins otherwise is closed. Nobody
//! else is read so, since anybody could claim any address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sip::AddressRange;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Whose connections begin with a preface.
pub(crate) fn speaks_for_others(balancers: &[AddressRange], remote: SocketAddr) -> bool {
    balancers.iter().any(|range| range.contains(remote.ip()))
}

/// What a preface says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preface {
    /// It is not whole yet.
    Incomplete,
    /// It has so many octets.
    Whole {
        length: usize,
        /// For whom the connection is; `None` where the balancer speaks for itself (a health check).
        client: Option<SocketAddr>,
    },
}

/// Why a connection of a balancer is not served.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PrefaceError {
    /// It begins with something else.
    #[error(
        "it does not begin with a PROXY header; the balancer must send one (HAProxy: send-proxy or send-proxy-v2)"
    )]
    Missing,
    /// It cannot be read.
    #[error("its PROXY header cannot be read: {0}")]
    Malformed(&'static str),
    /// The connection ended.
    #[error("it ended within its PROXY header")]
    Ended,
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const WORD: &[u8; 6] = b"PROXY ";
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// The longest header of version 2 that is read: addresses, and what else balancers tell.
const LONGEST: usize = 4096;
/// Signature, version and command, family, length.
const FIXED: usize = 16;

/// Reads the preface of an accepted connection, and nothing behind it. Returns for whom it is.
pub(crate) async fn read(stream: &mut TcpStream) -> Result<Option<SocketAddr>, PrefaceError> {
    let ended = |_: io::Error| PrefaceError::Ended;
    let mut preface = Vec::new();
    let mut ahead = [0; 512];
    loop {
        let seen = stream.peek(&mut ahead).await.map_err(ended)?;
        if seen == 0 {
            return Err(PrefaceError::Ended);
        }
        let before = preface.len();
        preface.extend_from_slice(ahead.get(..seen).unwrap_or_default());
        let found = parse(&preface)?;
        // What is looked at is taken off the wire as far as it belongs to the preface: then a peek waits for more.
        let own = match found {
            Preface::Whole { length, .. } => length.saturating_sub(before),
            Preface::Incomplete => seen,
        };
        stream.read_exact(ahead.get_mut(..own).unwrap_or_default()).await.map_err(ended)?;
        if let Preface::Whole { client, .. } = found {
            return Ok(client);
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Preface, PrefaceError> {
    let begins = |with: &[u8]| {
        let common = bytes.len().min(with.len());
        bytes.get(..common) == with.get(..common)
    };
    if begins(SIGNATURE) {
        binary(bytes)
    } else if begins(WORD) {
        line(bytes)
    } else {
        Err(PrefaceError::Missing)
    }
}

/// Version 1: a line of text.
fn line(bytes: &[u8]) -> Result<Preface, PrefaceError> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < LONGEST_LINE {
            Ok(Preface::Incomplete)
        } else {
            Err(PrefaceError::Malformed("its line does not end"))
        };
    };
    let length = end + 2;
    let text = bytes.get(WORD.len()..end).and_then(|text| core::str::from_utf8(text).ok());
    let mut words = text.ok_or(PrefaceError::Malformed("it is no text"))?.split(' ');
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        return Ok(Preface::Whole { length, client: None });
    }
    let mut address = || words.next().and_then(|word| word.parse::<IpAddr>().ok());
    let addresses = (address(), address());
    let mut port = || words.next().and_then(|word| word.parse::<u16>().ok());
    let ports = (port(), port());
    match (family, addresses, ports, words.next()) {
        ("TCP4" | "TCP6", (Some(client), Some(_)), (Some(port), Some(_)), None)
            if client.is_ipv4() == (family == "TCP4") =>
        {
            Ok(Preface::Whole { length, client: Some(plain(client, port)) })
        }
        _ => Err(PrefaceError::Malformed("two addresses and two ports of TCP4 or TCP6 are expected")),
    }
}

/// Version 2: octets.
fn binary(bytes: &[u8]) -> Result<Preface, PrefaceError> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else { return Ok(Preface::Incomplete) };
    let [.., version, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > LONGEST {
        return Err(PrefaceError::Malformed("it is longer than 4096 octets"));
    }
    let Some(body) = rest.get(..length) else { return Ok(Preface::Incomplete) };
    let client = match (version, family) {
        // The balancer itself; or a family that it does not tell.
        (0x20, _) | (0x21, 0x00) => None,
        (0x21, 0x11) => Some(client(body, 4, 8, |octets: [u8; 4]| Ipv4Addr::from(octets).into())?),
        (0x21, 0x21) => Some(client(body, 16, 32, |octets: [u8; 16]| Ipv6Addr::from(octets).into())?),
        (0x21, _) => return Err(PrefaceError::Malformed("its addresses are not those of TCP")),
        _ => {
            return Err(PrefaceError::Malformed(
                "its version is not 2, or its command neither LOCAL nor PROXY",
            ));
        }
    };
    Ok(Preface::Whole { length: FIXED + length, client })
}

/// The client's address and port: the source address comes first, and the source port behind both addresses.
fn client<const N: usize>(
    body: &[u8],
    size: usize,
    ports: usize,
    address: impl Fn([u8; N]) -> IpAddr,
) -> Result<SocketAddr, PrefaceError> {
    let octets = body.get(..size).and_then(|octets| octets.first_chunk::<N>());
    let port = body.get(ports..).and_then(|rest| rest.get(..4)).and_then(|both| both.first_chunk::<2>());
    match (octets, port) {
        (Some(octets), Some(port)) => Ok(plain(address(*octets), u16::from_be_bytes(*port))),
        _ => Err(PrefaceError::Malformed("it is too short for its addresses")),
    }
}

/// A balancer that listens to both families on one socket tells an IPv4 client as an IPv6 one (RFC 4291 §2.5.5.2). He is the
/// one that he is: else all of them would be one subscriber, and no peer would be known by his address.
fn plain(client: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(client.to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(length: usize, client: Option<&str>) -> Result<Preface, PrefaceError> {
        Ok(Preface::Whole { length, client: client.map(|it| it.parse().unwrap()) })
    }

    fn version_2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, body].concat()
    }

    #[test]
    fn a_line_of_version_1_names_the_client() {
        let text = b"PROXY TCP4 198.51.100.7 192.0.2.1 40001 5060\r\nOPTIONS";
        assert_eq!(parse(text), whole(46, Some("198.51.100.7:40001")));
        let text = b"PROXY TCP6 2001:db8::7 2001:db8::1 40001 5060\r\n";
        assert_eq!(parse(text), whole(text.len(), Some("[2001:db8::7]:40001")));
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), whole(15, None));
        assert_eq!(parse(b"PROXY UNKNOWN whatever stands here\r\n"), whole(36, None));
    }

    #[test]
    fn octets_of_version_2_name_the_client() {
        let body =
            [&[198, 51, 100, 7, 192, 0, 2, 1][..], &[0x9c, 0x41, 0x13, 0xc4], b"more that is told"].concat();
        let text = version_2(1, 0x11, &body);
        assert_eq!(parse(&text), whole(text.len(), Some("198.51.100.7:40001")));
        let mut body = Vec::from("2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        body.extend_from_slice(&[0; 16]);
        body.extend_from_slice(&[0x9c, 0x41, 0x13, 0xc4]);
        let text = version_2(1, 0x21, &body);
        assert_eq!(parse(&text), whole(text.len(), Some("[2001:db8::7]:40001")));
        assert_eq!(parse(&version_2(0, 0, b"")), whole(16, None), "a health check of the balancer");
    }

    #[test]
    fn a_client_of_ipv4_that_is_told_as_one_of_ipv6_is_one_of_ipv4() {
        let text = b"PROXY TCP6 ::ffff:198.51.100.7 ::ffff:192.0.2.1 40001 5060\r\n";
        assert_eq!(parse(text), whole(text.len(), Some("198.51.100.7:40001")));
        let mut body = Vec::from("::ffff:198.51.100.7".parse::<Ipv6Addr>().unwrap().octets());
        body.extend_from_slice(&[0; 16]);
        body.extend_from_slice(&[0x9c, 0x41, 0x13, 0xc4]);
        let text = version_2(1, 0x21, &body);
        assert_eq!(parse(&text), whole(text.len(), Some("198.51.100.7:40001")));
    }

    #[test]
    fn a_part_of_a_preface_is_waited_for() {
        let body = [198, 51, 100, 7, 192, 0, 2, 1, 0x9c, 0x41, 0x13, 0xc4];
        for text in [version_2(1, 0x11, &body), b"PROXY TCP4 198.51.100.7 192.0.2.1 40001 5060\r\n".to_vec()]
        {
            for length in 1..text.len() {
                assert_eq!(parse(&text[..length]), Ok(Preface::Incomplete), "{length}");
            }
        }
    }

    #[test]
    fn whatever_else_comes_is_refused() {
        for text in [&b"OPTIONS sip:a SIP/2.0\r\n"[..], b"\x16\x03\x01", b"\r\n\r\n\r\n", b"PROXIES"] {
            assert_eq!(parse(text), Err(PrefaceError::Missing), "{text:?}");
        }
        for text in [
            b"PROXY TCP4 2001:db8::7 192.0.2.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.1 1 70000\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.1 1\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.1 1 2 3\r\n".to_vec(),
            [b"PROXY TCP4 ".as_slice(), &[b'1'; 120]].concat(),
            version_2(1, 0x11, &[1; 11]),
            version_2(1, 0x12, &[1; 12]),
            version_2(2, 0x11, &[1; 12]),
            version_2(1, 0x11, &[1; 5000]),
        ] {
            assert!(matches!(parse(&text), Err(PrefaceError::Malformed(_))), "{}", text.escape_ascii());
        }
    }
}
