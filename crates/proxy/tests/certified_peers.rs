//! Peers that are known by the certificates which they show (RFC 5922).

use std::sync::Arc;

use crate::support::*;
use sip::{Flow, HeaderName, Hop, Transport};

const WORLD: &str = "203.0.113.80:5060";

fn world() -> Flow {
    flow(Transport::Udp, 0, WORLD, 5060)
}

/// A server that trusts peer.example, on whatever address.
fn with_peer() -> House {
    let mut config = config();
    config.trusted_certificates = vec!["peer.example".to_owned()];
    with_world(config)
}

fn with_world(config: proxy::Config) -> House {
    let mut house = house(config);
    house.hosts.insert("elsewhere.example".to_owned(), vec![udp_hop(WORLD.parse().unwrap())]);
    house
}

/// A server of another domain on a connection of its own.
fn peer(transport: Transport, connection: u64) -> Phone {
    let mut peer = tcp_phone("eve", connection, "198.51.100.66:40000", "198.51.100.66:5061");
    peer.flow = flow(transport, connection, "198.51.100.66:40000", 5061);
    peer.via = format!("SIP/2.0/{} 198.51.100.66:5061", transport.via_token());
    peer
}

fn shows(house: &mut House, peer: &Phone, domains: &[&str]) {
    let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    house.proxy.identified(house.now, &peer.flow, domains);
}

/// What a peer gets that calls the world: `None` if it is relayed.
fn refusal(house: &mut House, peer: &Phone, call_id: &str) -> Option<u16> {
    let more = "P-Asserted-Identity: <sip:eve@peer.example>\r\n";
    let request =
        peer.request("INVITE", "sip:x@elsewhere.example", "<sip:x@elsewhere.example>", call_id, 1, more);
    house.receive(&peer.flow, &request);
    match house.take(&world()).pop() {
        Some(invite) => {
            assert!(invite.header(HeaderName::PAssertedIdentity).is_some(), "a peer's word is passed on");
            None
        }
        None => house.one(&peer.flow).status(),
    }
}

#[test]
fn a_trusted_certificate_counts_for_its_connection_and_as_long_as_that_is_open() {
    let mut house = with_peer();
    let (known, other) = (peer(Transport::Tls, 1), peer(Transport::Tls, 2));
    shows(&mut house, &known, &["host7.example.net", "peer.example"]);
    shows(&mut house, &other, &["other.example", "sub.peer.example"]);
    assert_eq!(refusal(&mut house, &known, "c1"), None);
    assert_eq!(refusal(&mut house, &other, "c2"), Some(407), "from the same address");
    house.close(&known.flow);
    assert_eq!(refusal(&mut house, &known, "c3"), Some(407));
}

#[test]
fn a_certificate_counts_on_a_secure_websocket_where_an_address_would_not() {
    let mut house = with_peer();
    let known = peer(Transport::Wss, 1);
    shows(&mut house, &known, &["peer.example"]);
    assert_eq!(refusal(&mut house, &known, "c1"), None);
}

#[test]
fn a_domain_that_is_trusted_no_more_is_a_stranger_at_once() {
    let mut house = with_peer();
    let known = peer(Transport::Tls, 1);
    shows(&mut house, &known, &["peer.example"]);
    house.proxy.reconfigure(config());
    house.drain();
    assert_eq!(refusal(&mut house, &known, "c1"), Some(407));
}

/// What a caller wants kept from others is told a trusted peer (RFC 3325 §7), who must show his certificate to be connected.
#[test]
fn who_called_is_told_the_server_whose_certificate_is_trusted() {
    let mut config = config();
    config.trusted_certificates = vec!["elsewhere.example".to_owned()];
    let mut house = house(config);
    let address = "203.0.113.80:5061".parse().unwrap();
    let hop =
        |name: &str| Hop::Address { transport: Transport::Tls, address, server_name: Some(Arc::from(name)) };
    for (host, call_id, told) in [("elsewhere.example", "c1", true), ("another.example", "c2", false)] {
        house.hosts.insert(host.to_owned(), vec![hop(host)]);
        let alice = page("alice", 1);
        if told {
            house.register(&alice);
        }
        house.receive(&alice.flow, &alice.invite(&format!("sip:x@{host}"), call_id));
        let (_, invite) = house.sent.pop().unwrap();
        assert_eq!(method(&invite), "INVITE");
        assert_eq!(invite.header(HeaderName::PAssertedIdentity).is_some(), told, "{host}");
        house.sent.clear();
    }
}
