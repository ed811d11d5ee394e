//! Where answers go that cannot go back the way their requests came (RFC 3261 §18.2.2, RFC 3263 §5).

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::*;
use sip::{AddressRange, Hop, Message, Transport};

const PEER: &str = "198.51.100.9";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn hop(transport: Transport, at: &str) -> Hop {
    Hop::Address { transport, address: address(at), server_name: None }
}

/// A house that knows a peer, whose name has two addresses over `transport`; and bob, who can be called.
fn house_with_bob(transport: Transport, trusts: bool) -> (House, Phone) {
    let mut config = open_config();
    if trusts {
        config.trusted_peers = vec![AddressRange::single(PEER.parse().unwrap())];
    }
    let mut house = house(config);
    let addresses = [hop(transport, "198.51.100.20:5080"), hop(transport, "198.51.100.21:5080")];
    house.hosts.insert("proxy.example.net".to_owned(), addresses.to_vec());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    (house, bob)
}

/// The peer's proxy, which names itself in its Via.
fn peer(transport: Transport) -> Phone {
    let mut peer = match transport {
        Transport::Udp => desk_phone("carol", "198.51.100.9:5060"),
        _ => tcp_phone("carol", 4, "198.51.100.9:40123", "198.51.100.9:5070"),
    };
    peer.via = format!("SIP/2.0/{} proxy.example.net", transport.via_token());
    peer
}

/// A call of somebody else's user, who is at the peer's.
fn call(house: &mut House, peer: &Phone, bob: &Phone) -> Message {
    let invite =
        peer.invite("sip:bob@example.com", "c1").replace("@example.com>;tag=from", "@example.net>;tag=from");
    house.receive(&peer.flow, &invite);
    let invite = house.one(&bob.flow);
    house.take(&peer.flow);
    invite
}

/// Where answers of this status were sent.
fn answered(house: &mut House, status: u16) -> Vec<SocketAddr> {
    let sent = std::mem::take(&mut house.sent);
    let theirs = sent.into_iter().filter(|(_, message)| message.status() == Some(status));
    theirs.map(|(hop, _)| hop.address()).collect()
}

fn unreachable(house: &mut House, hop: &Hop) {
    house.proxy.unreachable(house.now, hop);
    house.drain();
}

#[test]
fn an_answer_that_no_new_connection_takes_goes_to_the_servers_of_the_name_in_via() {
    let (mut house, bob) = house_with_bob(Transport::Tcp, true);
    let peer = peer(Transport::Tcp);
    let invite = call(&mut house, &peer, &bob);
    house.close(&peer.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 486, ""));
    assert_eq!(answered(&mut house, 486), [address("198.51.100.9:5060")], "first to where it came from");
    unreachable(&mut house, &hop(Transport::Tcp, "198.51.100.9:5060"));
    assert_eq!(answered(&mut house, 486), [address("198.51.100.20:5080")]);
    unreachable(&mut house, &hop(Transport::Tcp, "198.51.100.20:5080"));
    assert_eq!(answered(&mut house, 486), [address("198.51.100.21:5080")]);
    unreachable(&mut house, &hop(Transport::Tcp, "198.51.100.21:5080"));
    assert!(answered(&mut house, 486).is_empty(), "there is no other");
}

#[test]
fn a_2xx_goes_there_when_the_callee_repeats_it() {
    let (mut house, bob) = house_with_bob(Transport::Tcp, true);
    let peer = peer(Transport::Tcp);
    let invite = call(&mut house, &peer, &bob);
    house.close(&peer.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    unreachable(&mut house, &hop(Transport::Tcp, "198.51.100.9:5060"));
    answered(&mut house, 200);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    assert_eq!(answered(&mut house, 200), [address("198.51.100.20:5080")]);
}

#[test]
fn a_datagram_that_is_refused_goes_to_the_servers_of_the_name_in_via() {
    for status in [180, 486] {
        let (mut house, bob) = house_with_bob(Transport::Udp, true);
        let peer = peer(Transport::Udp);
        let invite = call(&mut house, &peer, &bob);
        house.receive(&bob.flow, &bob.respond(&invite, status, ""));
        assert_eq!(answered(&mut house, status), [peer.flow.remote]);
        unreachable(&mut house, &Hop::Flow(peer.flow));
        assert_eq!(answered(&mut house, status), [address("198.51.100.20:5080")], "{status}");
    }
}

#[test]
fn the_answer_to_another_request_goes_there_too_if_its_datagram_is_refused() {
    let (mut house, bob) = house_with_bob(Transport::Udp, true);
    let peer = peer(Transport::Udp);
    let request = peer.request("MESSAGE", "sip:bob@example.com", "<sip:bob@example.com>", "m1", 1, "");
    house.receive(&peer.flow, &request.replace("@example.com>;tag=from", "@example.net>;tag=from"));
    let message = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&message, 202, ""));
    assert_eq!(answered(&mut house, 202), [peer.flow.remote]);
    unreachable(&mut house, &Hop::Flow(peer.flow));
    assert_eq!(answered(&mut house, 202), [address("198.51.100.20:5080")]);
    house.wait(Duration::from_secs(40));
    assert!(house.proxy.is_idle(), "nothing is left of it: {:?}", house.proxy);
}

#[test]
fn nobody_points_our_answers_at_others_by_a_name_in_via() {
    let (mut house, bob) = house_with_bob(Transport::Udp, false);
    let stranger = peer(Transport::Udp);
    let invite = call(&mut house, &stranger, &bob);
    house.receive(&bob.flow, &bob.respond(&invite, 486, ""));
    assert_eq!(answered(&mut house, 486), [stranger.flow.remote]);
    unreachable(&mut house, &Hop::Flow(stranger.flow));
    house.wait(Duration::from_secs(40));
    assert!(answered(&mut house, 486).iter().all(|at| *at == stranger.flow.remote));
}

/// Each refusal asks for a look at every request in progress.
#[test]
fn of_a_flood_of_refusals_the_last_are_looked_into_together_a_moment_later() {
    let (mut house, bob) = house_with_bob(Transport::Udp, true);
    let peer = peer(Transport::Udp);
    let invite = call(&mut house, &peer, &bob);
    house.receive(&bob.flow, &bob.respond(&invite, 180, ""));
    house.take(&peer.flow);
    for number in 0..12_000_u32 {
        let [.., high, low] = number.to_be_bytes();
        unreachable(&mut house, &hop(Transport::Udp, &format!("203.0.{high}.{low}:5060")));
    }
    unreachable(&mut house, &Hop::Flow(peer.flow));
    assert!(answered(&mut house, 180).is_empty(), "it waits");
    house.wait(Duration::from_millis(16));
    assert_eq!(answered(&mut house, 180), [address("198.51.100.20:5080")]);
    // When it rains no more, nothing waits.
    house.wait(Duration::from_millis(16));
    unreachable(&mut house, &hop(Transport::Udp, "198.51.100.20:5080"));
    assert_eq!(answered(&mut house, 180), [address("198.51.100.21:5080")]);
}
