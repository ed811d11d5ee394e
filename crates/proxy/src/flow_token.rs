//! Flow tokens: a flow written into the user part of a Record-Route or Path URI, signed, so that nobody can
//! make the proxy send where it has not received from (RFC 5626 §5.2).
//!
//! The token of a datagram flow holds the two addresses and outlives a restart of the server. The token of a
//! connection also holds the run of the process and the connection's number, since neither outlives the other.
//!
//! The key changes every so often. Each is made of the server's secret and the number of its time since the Unix epoch, so
//! that nothing is to be kept, and servers with one secret have the same keys. The first octet of a token says which time it is
//! of: a token is looked at with one key. Those of the times before are known for a while, and that of the next one, for
//! another server's clock may be ahead; what an older one has signed is a forgery like any other.

use std::net::{SocketAddr, SocketAddrV6};

use sip::digest::constant_time_equal;
use sip::{ConnectionId, Flow, Instant, Transport};

use crate::config::FlowTokenKeys;
use crate::keyed_hash::{Key, decode, encode};

const PURPOSE: &[u8] = b"flow token";
const CODE_LENGTH: usize = 16;
/// So many keys of the past are known at the most: one octet names them all.
const MOST_KEYS: u64 = 250;

const KEYS: &[u8] = b"flow token key";

/// Writes and reads flow tokens.
#[derive(Clone)]
pub(crate) struct FlowTokens {
    /// What the keys are made of.
    secret: Key,
    settings: FlowTokenKeys,
    /// The keys that are known, the oldest first, and the number of the first one's time.
    keys: Vec<Key>,
    oldest: u64,
    /// The number of the present time, and when it ends.
    present: u64,
    until: Instant,
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
    /// Tokens under keys of `secret`, for the run of the process that `boot` names. Its time begins with [`Self::turn`].
    pub(crate) fn new(secret: Key, boot: [u8; 8], settings: FlowTokenKeys) -> Self {
        let mut tokens =
            Self { secret, settings, keys: Vec::new(), oldest: 0, present: 0, until: Instant::ZERO, boot };
        tokens.turn(Instant::ZERO);
        tokens
    }

    /// Takes another key when the time of the present one is over.
    pub(crate) fn turn(&mut self, now: Instant) {
        if now < self.until {
            return;
        }
        let every = self.settings.every.as_secs().max(1);
        let before = self.settings.kept.as_secs().div_ceil(every).clamp(1, MOST_KEYS);
        self.present = now.as_secs() / every;
        self.until = Instant::from_secs(self.present.saturating_add(1).saturating_mul(every));
        let oldest = self.present.saturating_sub(before);
        let known = core::mem::take(&mut self.keys);
        self.keys = (oldest..=self.present.saturating_add(1))
            .map(|number| {
                let place = number.checked_sub(self.oldest).and_then(|place| usize::try_from(place).ok());
                let known = place.and_then(|place| known.get(place));
                known.cloned().unwrap_or_else(|| key_of(&self.secret, number))
            })
            .collect();
        self.oldest = oldest;
    }

    /// The key of a time.
    fn key(&self, number: u64) -> Option<&Key> {
        self.keys.get(usize::try_from(number.checked_sub(self.oldest)?).ok()?)
    }

    /// The key that a token names by the last octet of its time's number: there are fewer keys than octets.
    fn key_named(&self, octet: u8) -> Option<&Key> {
        let place = octet.wrapping_sub(octet_of(self.oldest));
        self.keys.get(usize::from(place))
    }

    /// The token for `flow`.
    pub(crate) fn seal(&self, flow: &Flow) -> Vec<u8> {
        let mut content = Vec::with_capacity(80);
        content.push(octet_of(self.present));
        content.push(transport_octet(flow.transport));
        if flow.transport.is_reliable() {
            content.extend_from_slice(&self.boot);
            content.extend_from_slice(&flow.connection.0.to_be_bytes());
        }
        write_address(&mut content, flow.local);
        write_address(&mut content, flow.remote);
        let key = self.key(self.present).unwrap_or(&self.secret);
        let code = key.sign(PURPOSE, &[&content]);
        content.extend_from_slice(code.get(..CODE_LENGTH).unwrap_or(&code));
        encode(&content)
    }

    /// Reads a token.
    pub(crate) fn open(&self, token: &[u8]) -> Opened {
        // No genuine token is longer: two IPv6 addresses with their links, boot, connection and code are 80 octets.
        if token.len() > 128 {
            return Opened::Forged;
        }
        let Some(octets) = decode(token) else { return Opened::Forged };
        let Some((content, code)) =
            octets.len().checked_sub(CODE_LENGTH).and_then(|length| octets.split_at_checked(length))
        else {
            return Opened::Forged;
        };
        let Some((name, rest)) = content.split_first() else { return Opened::Forged };
        let Some(key) = self.key_named(*name) else { return Opened::Forged };
        let expected = key.sign(PURPOSE, &[content]);
        if !expected.get(..CODE_LENGTH).is_some_and(|expected| constant_time_equal(expected, code)) {
            return Opened::Forged;
        }
        read(rest).map_or(Opened::Forged, |(boot, flow)| match boot {
            Some(boot) if boot != self.boot => Opened::Gone,
            _ => Opened::Flow(flow),
        })
    }
}

fn key_of(secret: &Key, number: u64) -> Key {
    Key::new(secret.sign(KEYS, &[&number.to_be_bytes()]))
}

const fn octet_of(number: u64) -> u8 {
    (number & 0xff) as u8
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

/// An IPv6 address that is followed by the number of its link.
const ON_LINK: u8 = 7;

/// Appends an address: 4 or 6, the octets, the port. A link-local one leads nowhere without its link (RFC 4007 §6).
pub(crate) fn write_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address {
        SocketAddr::V4(address) => {
            out.push(4);
            out.extend_from_slice(&address.ip().octets());
        }
        SocketAddr::V6(address) if address.scope_id() == 0 => {
            out.push(6);
            out.extend_from_slice(&address.ip().octets());
        }
        SocketAddr::V6(address) => {
            out.push(ON_LINK);
            out.extend_from_slice(&address.ip().octets());
            out.extend_from_slice(&address.scope_id().to_be_bytes());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// Reads what [`write_address`] wrote, and what follows it.
pub(crate) fn read_address(octets: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (family, rest) = octets.split_first()?;
    let (mut address, rest) = match *family {
        4 => {
            let (ip, rest) = rest.split_first_chunk::<4>()?;
            (SocketAddr::from((*ip, 0)), rest)
        }
        family @ (6 | ON_LINK) => {
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            let (link, rest) =
                if family == ON_LINK { rest.split_first_chunk::<4>()? } else { (&[0; 4], rest) };
            (SocketAddrV6::new((*ip).into(), 0, 0, u32::from_be_bytes(*link)).into(), rest)
        }
        _ => return None,
    };
    let (port, rest) = rest.split_first_chunk::<2>()?;
    address.set_port(u16::from_be_bytes(*port));
    Some((address, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(boot: u8) -> FlowTokens {
        at(boot, 9, DAY * 20_000)
    }

    const DAY: u64 = 86_400;

    /// Tokens of a run of a server with this secret, at that second.
    fn at(boot: u8, secret: u8, second: u64) -> FlowTokens {
        let mut tokens = FlowTokens::new(Key::new([secret; 32]), [boot; 8], FlowTokenKeys::default());
        tokens.turn(Instant::from_secs(second));
        tokens
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
    fn a_token_for_a_peer_at_a_link_local_address_says_its_link() {
        let link = |text: &str| SocketAddr::from(SocketAddrV6::new(text.parse().unwrap(), 5060, 0, 3));
        let flow = Flow { local: link("fe80::1"), remote: link("fe80::7"), ..flow(Transport::Tcp, u64::MAX) };
        assert_eq!(tokens(1).open(&tokens(1).seal(&flow)), Opened::Flow(flow));
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
        assert_eq!(at(1, 8, DAY * 20_000).open(&token), Opened::Forged);
    }

    #[test]
    fn a_token_holds_for_as_long_as_it_is_to_and_is_a_forgery_after_that() {
        let flow = flow(Transport::Udp, 0);
        let mut tokens = tokens(1);
        let token = tokens.seal(&flow);
        for day in 0..=30 {
            tokens.turn(Instant::from_secs(DAY * (20_000 + day)));
            assert_eq!(tokens.open(&token), Opened::Flow(flow), "day {day}");
        }
        for day in 31..600 {
            tokens.turn(Instant::from_secs(DAY * (20_000 + day)));
            assert_eq!(tokens.open(&token), Opened::Forged, "day {day}");
        }
    }

    #[test]
    fn each_time_has_a_key_of_its_own_and_a_token_is_no_longer_for_it() {
        let flow = flow(Transport::Wss, 77);
        let mut tokens = tokens(1);
        let one = tokens.seal(&flow);
        tokens.turn(Instant::from_secs(DAY * 20_001 - 1));
        assert_eq!(tokens.seal(&flow), one);
        tokens.turn(Instant::from_secs(DAY * 20_001));
        let other = tokens.seal(&flow);
        assert_ne!(other.get(64..), one.get(64..), "the code is another one");
        assert!(other.len() == one.len() && other.len() <= 96, "{}", other.len());
    }

    #[test]
    fn servers_with_one_secret_have_the_same_keys_whenever_they_started_and_if_their_clocks_differ() {
        let flow = flow(Transport::Udp, 0);
        let mut long_up = at(1, 9, DAY * 19_990);
        long_up.turn(Instant::from_secs(DAY * 20_000));
        let (started_now, ahead) = (at(2, 9, DAY * 20_000), at(3, 9, DAY * 20_001));
        for (writer, reader) in [(&long_up, &started_now), (&started_now, &long_up), (&ahead, &long_up)] {
            assert_eq!(reader.open(&writer.seal(&flow)), Opened::Flow(flow));
        }
        assert_eq!(long_up.open(&at(1, 9, DAY * 20_002).seal(&flow)), Opened::Forged);
    }
}
