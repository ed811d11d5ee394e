//! STUN on the UDP ports for SIP: a phone behind a NAT learns how it is seen from here, and keeps its way open (RFC 5626
//! §8, RFC 8489). Binding requests are all that is answered; they need no attributes, and get one back.

mod bound;

use std::net::{IpAddr, SocketAddr};

pub(crate) use self::bound::Bound;

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// Attributes that have to be understood, and say nothing about a request without authentication (RFC 8489 §14): USERNAME,
/// MESSAGE-INTEGRITY, REALM, NONCE, and those of ICE, PRIORITY and USE-CANDIDATE (RFC 8445 §16.1).
const UNDERSTOOD: [u16; 6] = [0x0006, 0x0008, 0x0014, 0x0015, 0x0024, 0x0025];

/// The answer to a datagram that is a Binding request; `None` if it is anything else.
pub(crate) fn answer(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    // SIP begins with a letter or a line end: the first two bits tell them apart (RFC 5626 §8).
    let (kind, rest) = datagram.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (cookie, rest) = rest.split_first_chunk::<4>()?;
    let (transaction, attributes) = rest.split_first_chunk::<12>()?;
    let is_binding = u16::from_be_bytes(*kind) == BINDING_REQUEST
        && *cookie == COOKIE
        && usize::from(u16::from_be_bytes(*length)) == attributes.len();
    if !is_binding {
        return None;
    }
    let unknown = unknown_attributes(attributes)?;
    let mut response = Response::new(transaction);
    if unknown.is_empty() {
        response.begin(BINDING_SUCCESS);
        response.attribute(XOR_MAPPED_ADDRESS, &mapped(source, transaction));
    } else {
        response.begin(BINDING_ERROR);
        // Class 4, number 20, and no phrase.
        response.attribute(ERROR_CODE, &[0, 0, 4, 20]);
        response.attribute(UNKNOWN_ATTRIBUTES, &unknown);
    }
    Some(response.0)
}

/// The numbers of the attributes that we would have to understand and do not (RFC 8489 §6.3.1); `None` if they are no
/// attributes.
fn unknown_attributes(mut attributes: &[u8]) -> Option<Vec<u8>> {
    let mut unknown = Vec::new();
    while !attributes.is_empty() {
        let (number, rest) = attributes.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let padded = usize::from(u16::from_be_bytes(*length)).next_multiple_of(4);
        attributes = rest.get(padded..)?;
        let value = u16::from_be_bytes(*number);
        if value < 0x8000 && !UNDERSTOOD.contains(&value) {
            unknown.extend_from_slice(number);
        }
    }
    Some(unknown)
}

/// Family, port and address, hidden from gateways that rewrite whatever looks like an address (RFC 8489 §14.2).
fn mapped(source: SocketAddr, transaction: &[u8; 12]) -> Vec<u8> {
    let mut mask = COOKIE.to_vec();
    mask.extend_from_slice(transaction);
    let (family, address) = match source.ip().to_canonical() {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let mut value = vec![0, family];
    value.extend(source.port().to_be_bytes().iter().zip(&mask).map(|(octet, mask)| octet ^ mask));
    value.extend(address.iter().zip(&mask).map(|(octet, mask)| octet ^ mask));
    value
}

/// A response that is being written.
struct Response(Vec<u8>);

impl Response {
    fn new(transaction: &[u8; 12]) -> Self {
        let mut message = vec![0; 4];
        message.extend_from_slice(&COOKIE);
        message.extend_from_slice(transaction);
        Self(message)
    }

    fn begin(&mut self, kind: u16) {
        if let Some(place) = self.0.first_chunk_mut::<2>() {
            *place = kind.to_be_bytes();
        }
    }

    fn attribute(&mut self, number: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&number.to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let whole = u16::try_from(self.0.len().saturating_sub(HEADER)).unwrap_or(u16::MAX);
        if let Some(place) = self.0.get_mut(2..4) {
            place.copy_from_slice(&whole.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transaction of the examples in RFC 5769.
    const TRANSACTION: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        [&[0, 1], &length[..], &COOKIE, &TRANSACTION, attributes].concat()
    }

    fn attributes(response: &[u8]) -> &[u8] {
        assert_eq!(usize::from(u16::from_be_bytes([response[2], response[3]])), response.len() - HEADER);
        assert_eq!(response[4..8], COOKIE);
        assert_eq!(response[8..20], TRANSACTION);
        &response[HEADER..]
    }

    /// The addresses of RFC 5769 §2.2 and §2.3.
    #[test]
    fn a_phone_learns_its_address_as_it_is_seen_from_here() {
        let response = answer(&request(&[]), "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(response[..2], [1, 1]);
        assert_eq!(attributes(&response), [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);

        let source = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let response = answer(&request(&[]), source).unwrap();
        let address =
            [0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9];
        assert_eq!(attributes(&response), [&[0, 0x20, 0, 20, 0, 2, 0xa1, 0x47], &address[..]].concat());

        // A socket for both families sees IPv4 so.
        let mapped = answer(&request(&[]), "[::ffff:192.0.2.1]:32853".parse().unwrap()).unwrap();
        assert_eq!(attributes(&mapped)[5], 1);
    }

    #[test]
    fn what_may_be_ignored_is_and_what_must_be_understood_is_refused_by_number() {
        let source = "192.0.2.1:32853".parse().unwrap();
        // SOFTWARE, three octets and one to fill up; USERNAME.
        let ignored = [&[0x80, 0x22, 0, 3, b'a', b'b', b'c', 0][..], &[0, 6, 0, 0]].concat();
        assert_eq!(answer(&request(&ignored), source).unwrap()[..2], [1, 1]);
        let unknown = [&[0x00, 0x03, 0, 4, 0, 0, 0, 6][..], &ignored].concat();
        let response = answer(&request(&unknown), source).unwrap();
        assert_eq!(response[..2], [1, 0x11]);
        assert_eq!(attributes(&response), [0, 9, 0, 4, 0, 0, 4, 20, 0, 10, 0, 2, 0, 3, 0, 0]);
    }

    #[test]
    fn what_is_no_binding_request_is_not_answered() {
        let source = "192.0.2.1:32853".parse().unwrap();
        let whole = request(&[0x80, 0x22, 0, 0]);
        for cut in 0..whole.len() {
            assert_eq!(answer(&whole[..cut], source), None, "{cut}");
        }
        for (place, octet) in [(0, 1), (1, 0x11), (1, 0x03), (4, 0x22), (3, 8), (23, 1)] {
            let mut other = whole.clone();
            other[place] = octet;
            assert_eq!(answer(&other, source), None, "{place}");
        }
        assert_eq!(answer(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n", source), None);
    }
}
