//! Requests that go round, that ask for what nobody knows, and what is no message at all (RFC 3261 §16.3).

use std::time::Duration;

use crate::support::*;
use sip::{AddressRange, Entropy, HeaderName, SeededEntropy};

#[test]
fn loops_end_and_spirals_do_not() {
    let mut config = open_config();
    config.trusted_peers = vec![AddressRange::single("198.51.100.80".parse().unwrap())];
    let mut house = house(config);
    // A peer that sends everything back to us.
    let peer = desk_phone("peer", "198.51.100.80:5060");
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(
        &peer.flow,
        &bob.request("INVITE", "sip:x@198.51.100.80", "<sip:x@198.51.100.80>", "c1", 1, ""),
    );
    let onward = house.take(&peer.flow).pop().unwrap();
    assert_eq!(method(&onward), "INVITE");
    let back = text(&onward).replacen("Via:", "Via: SIP/2.0/UDP 198.51.100.80;branch=z9hG4bKp1\r\nVia:", 1);
    house.receive(&peer.flow, &back);
    let answer = house.take(&peer.flow).pop().unwrap();
    assert_eq!(answer.status(), Some(482));
    // The same with another Request-URI is a spiral (RFC 5393 §4.2).
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let spiral =
        back.replace("INVITE sip:x@198.51.100.80", "INVITE sip:bob@example.com").replace("bKp1", "bKp2");
    house.receive(&peer.flow, &spiral);
    assert_eq!(method(&house.one(&bob.flow)), "INVITE");
}

#[test]
fn a_request_that_has_gone_far_enough_stops() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let tired = |text: String| text.replace("Max-Forwards: 70", "Max-Forwards: 0");
    house.receive(&bob.flow, &tired(bob.invite("sip:carol@example.com", "c1")));
    assert_eq!(house.one(&bob.flow).status(), Some(483));
    house.receive(
        &bob.flow,
        &tired(bob.request("OPTIONS", "sip:example.com", "<sip:example.com>", "c2", 1, "")),
    );
    let options = house.one(&bob.flow);
    assert_eq!(options.status(), Some(200));
    assert!(header(&options, HeaderName::Allow).contains("REGISTER"));
    assert!(options.to().unwrap().tag().is_some());
}

#[test]
fn extensions_and_schemes_that_nobody_here_knows_are_said_so() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(
        &bob.flow,
        &bob.request(
            "INVITE",
            "sip:carol@example.com",
            "<sip:c@example.com>",
            "c1",
            1,
            "Proxy-Require: foo, bar\r\n",
        ),
    );
    let refused = house.one(&bob.flow);
    assert_eq!(
        (refused.status(), header(&refused, HeaderName::Unsupported).as_str()),
        (Some(420), "foo, bar")
    );
    house.receive(&bob.flow, &bob.request("INVITE", "soap.beep://x", "<sip:c@example.com>", "c2", 1, ""));
    assert_eq!(house.one(&bob.flow).status(), Some(416));
    house.receive(&bob.flow, &bob.request("DANCE", "sip:example.com", "<sip:example.com>", "c3", 1, ""));
    assert_eq!(house.one(&bob.flow).status(), Some(501));
    house.receive(&bob.flow, &bob.request("MESSAGE", "sip:example.com", "<sip:example.com>", "c4", 1, ""));
    assert_eq!(house.one(&bob.flow).status(), Some(405));
    // To somebody else an unknown method is passed on.
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(
        &carol.flow,
        &carol.request("DANCE", "sip:bob@example.com", "<sip:bob@example.com>", "c5", 1, ""),
    );
    assert_eq!(method(&house.one(&bob.flow)), "DANCE");
}

#[test]
fn noise_is_survived() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let alice = page("alice", 1);
    for noise in [
        "",
        "\r\n",
        "\r\n\r\n",
        "\0\0\0",
        "GET / HTTP/1.1\r\n\r\n",
        "SIP/2.0 200\r\n\r\n",
        "INVITE sip:x SIP/2.0\r\n\r\n",
    ] {
        house.receive(&bob.flow, noise);
        house.receive(&alice.flow, noise);
    }
    house.sent.clear();
    let whole = bob.invite("sip:alice@example.com", "c1");
    for end in 0..whole.len() {
        house.proxy.receive(house.now, &bob.flow, &whole.as_bytes()[..end]);
    }
}

/// Genuine messages with a few octets changed, for every state that the proxy can be in.
#[test]
fn damaged_messages_break_nothing_and_leave_nothing_behind() {
    let mut entropy = SeededEntropy::new(7);
    let mut house = house(open_config());
    house.any_host = true;
    let (alice, bob) = (page("alice", 1), desk_phone("bob", "198.51.100.7:5062"));
    for phone in [&alice, &bob] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    house.receive(&bob.flow, &bob.invite("sip:alice@example.com", "c1"));
    let invite = house.one(&alice.flow);
    house.receive(&alice.flow, &alice.respond(&invite, 180, ""));
    let ringing = house.take(&bob.flow).pop().unwrap();
    let messages = [
        bob.invite("sip:alice@example.com", "c2"),
        bob.register(9, "Path: <sip:x;lr>\r\nExpires: 60\r\n"),
        bob.request(
            "BYE",
            &alice.contact,
            "<sip:alice@example.com>;tag=to-alice",
            "c1",
            2,
            &routes(&ringing, true),
        ),
        bob.request(
            "CANCEL",
            "sip:alice@example.com",
            "<sip:alice@example.com>",
            "c1",
            1,
            "Reason: SIP;cause=487\r\n",
        ),
        bob.request(
            "ACK",
            &alice.contact,
            "<sip:alice@example.com>;tag=to-alice",
            "c1",
            1,
            &routes(&ringing, true),
        ),
        alice.respond(&invite, 200, ""),
        alice.respond(&invite, 486, "Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n"),
    ];
    for round in 0..20_000 {
        let mut bytes = messages[round % messages.len()].clone().into_bytes();
        for _ in 0..=entropy.number() % 4 {
            let place = usize::try_from(entropy.number()).unwrap() % bytes.len();
            let octet = b"\r\n\0 ;,<>\"@:%[]=\xff09az*?/#"[usize::try_from(entropy.number() % 24).unwrap()];
            match entropy.number() % 3 {
                0 => bytes[place] = octet,
                1 => bytes.insert(place, octet),
                _ => drop(bytes.remove(place)),
            }
        }
        let flow = if round % 2 == 0 { bob.flow } else { alice.flow };
        house.proxy.receive(house.now, &flow, &bytes);
        house.drain();
        house.sent.clear();
        if round % 100 == 0 {
            house.wait(Duration::from_secs(1));
        }
    }
    house.wait(Duration::from_secs(600));
    assert_eq!(house.proxy.transactions(), 0, "every transaction ends by itself");
}
