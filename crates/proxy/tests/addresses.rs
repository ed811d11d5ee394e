//! A server that listens on all addresses of its machine, and the one of them that others are told.

use std::net::SocketAddr;

use crate::support::*;
use proxy::{Config, Listener};
use sip::{HeaderName, Message, Transport};

fn everywhere(config: Config) -> House {
    let all = SocketAddr::from(([0, 0, 0, 0], 5060));
    house(Config { listeners: vec![Listener::new(Transport::Udp, all)], ..config })
}

/// What bob gets when carol calls him, both by datagrams to this address of ours.
fn call_to_bob(ours: &str, bobs: &str) -> Message {
    let mut house = everywhere(open_config());
    let (mut bob, mut carol) = (desk_phone("bob", bobs), desk_phone("carol", "198.51.100.9:5060"));
    for phone in [&mut bob, &mut carol] {
        phone.flow.local = ours.parse().unwrap();
    }
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    house.one(&bob.flow)
}

/// What our Via and our Record-Routes name.
#[track_caller]
fn names(message: &Message, ours: &str) {
    let via = header(message, HeaderName::Via);
    assert!(via.starts_with(&format!("SIP/2.0/UDP {ours};")), "{via}");
    let routes = values(message, HeaderName::RecordRoute);
    assert!(!routes.is_empty() && routes.iter().all(|route| route.contains(ours)), "{routes:?}");
}

#[test]
fn a_phone_may_register_by_the_address_that_its_datagram_comes_to() {
    let mut house = everywhere(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let register = |cseq, more: &str| {
        bob.register(cseq, more).replace("REGISTER sip:example.com", "REGISTER sip:192.0.2.1")
    };
    house.receive(&bob.flow, &register(1, ""));
    let credentials = answer(&house.one(&bob.flow), "REGISTER", "sip:192.0.2.1", "bob", "secret-b");
    house.receive(&bob.flow, &register(2, &format!("Authorization: {credentials}\r\n")));
    assert_eq!(house.one(&bob.flow).status(), Some(200));
}

/// The name may be that of a web site, found by its SRV records.
#[test]
fn a_phone_on_udp_is_told_the_address_that_it_called_not_our_name() {
    names(&call_to_bob("192.0.2.1:5060", "198.51.100.7:5062"), "192.0.2.1:5060");
}

#[test]
fn who_does_not_reach_our_private_address_is_told_our_name() {
    let invite = call_to_bob("10.0.0.5:5060", "198.51.100.7:5062");
    names(&invite, "example.com:5060");
    let via = header(&call_to_bob("10.0.0.5:5060", "10.0.0.9:5062"), HeaderName::Via);
    assert!(via.starts_with("SIP/2.0/UDP 10.0.0.5:5060;"), "{via}");
}

/// Where nobody has said yet which of our addresses he knows.
#[test]
fn a_request_to_an_address_names_the_one_on_our_way_outward() {
    let ours = SocketAddr::from(([192, 0, 2, 1], 5060));
    let all = Listener::new(Transport::Udp, SocketAddr::from(([0, 0, 0, 0], 5060)));
    let listeners = vec![Listener { outward_address: Some(ours.ip()), ..all }];
    let mut house = house(Config { listeners, ..open_config() });
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.register(1, ""));
    house.take(&carol.flow);
    house.receive(&carol.flow, &carol.invite("sip:+1555@203.0.113.1", "c1"));
    names(&house.one(&desk_phone("carrier", "203.0.113.1:5060").flow), &ours.to_string());
}
