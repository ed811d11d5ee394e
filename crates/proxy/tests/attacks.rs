//! Attacks that no other file has (docs/attacks.md names the tests of all).

use std::time::Duration;

use crate::support::*;
use proxy::Output;
use sip::{HeaderName, Hop, Message, Transport};

#[test]
fn an_answer_goes_where_its_request_came_from_whatever_its_via_says() {
    let mut house = house(config());
    let eve = desk_phone("eve", "198.51.100.66:5062");
    let vias = [
        "SIP/2.0/UDP 203.0.113.99:5062;rport",
        "SIP/2.0/UDP 203.0.113.99:5062;rport;received=203.0.113.98",
        "SIP/2.0/UDP 203.0.113.99:5062;rport;maddr=203.0.113.97",
        "SIP/2.0/UDP victim.example:5062;rport;ttl=1",
        // Without rport the port is the Via's, the address never.
        "SIP/2.0/UDP 203.0.113.99:5062",
        "SIP/2.0/UDP 255.255.255.255:5062",
    ];
    for (number, via) in vias.iter().enumerate() {
        let call_id = format!("o{number}");
        let request = eve.request("OPTIONS", "sip:example.com", "<sip:example.com>", &call_id, 1, "");
        house.receive(&eve.flow, &request.replace(&eve.via, via));
        let (hop, response) = house.sent.pop().unwrap();
        assert!(house.sent.is_empty() && response.status().is_some());
        assert_eq!(hop.address(), eve.flow.remote, "{via}");
        house.wait(Duration::from_secs(40));
    }
}

#[test]
fn an_answer_over_a_connection_that_is_gone_opens_another() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let carol = tcp_phone("carol", 4, "198.51.100.9:40123", "198.51.100.9:5070");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.take(&carol.flow);
    house.close(&carol.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    let (hop, _) = house.sent.iter().find(|(_, message)| message.status() == Some(200)).unwrap();
    let expected = "198.51.100.9:5070".parse().unwrap();
    assert!(matches!(hop, Hop::Address { transport: Transport::Tcp, address, .. } if *address == expected));
}

#[test]
fn a_victim_gets_one_answer_for_each_forged_datagram_and_in_the_end_none() {
    let mut house = house(config());
    let victim = desk_phone("bob", "203.0.113.99:5062");
    let mut answers = 0;
    for number in 0..2000 {
        let method = ["REGISTER", "INVITE", "SUBSCRIBE"][number % 3];
        let uri = "sip:alice@example.com";
        let request = victim.request(method, uri, &format!("<{uri}>"), &format!("f{number}"), 1, "");
        house.receive(&victim.flow, &request);
        let now = house.take(&victim.flow).len();
        assert!(now <= 1, "{method}");
        answers += now;
        house.wait(Duration::from_millis(50));
    }
    assert!(answers < 300, "{answers}");
    house.wait(Duration::from_secs(60));
    house.nothing(&victim.flow);
}

#[test]
fn calls_that_nobody_acknowledges_leave_nothing_behind() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let carol = desk_phone("carol", "198.51.100.9:5060");
    for number in 0..200 {
        house.receive(&carol.flow, &carol.invite("sip:bob@example.com", &format!("c{number}")));
        let invite = house.one(&bob.flow);
        let status = [200, 486, 180][number % 3];
        house.receive(&bob.flow, &bob.respond(&invite, status, ""));
        house.take(&bob.flow);
        house.take(&carol.flow);
    }
    // No ACK, no BYE, no final response, no CANCEL: Timer C and the transactions' own timers end all.
    house.wait(Duration::from_secs(300));
    assert!(house.proxy.is_idle(), "{:?}", house.proxy);
}

#[test]
fn thousands_of_contacts_in_one_register_are_refused_whole() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let contacts: Vec<String> = (0..1920).map(|number| format!("<sip:c{number}@192.0.2.7>")).collect();
    let register = bob.register_contact(1, &format!("Contact: {}\r\n", contacts.join(", ")));
    house.receive(&bob.flow, &register);
    assert_eq!(house.one(&bob.flow).status(), Some(403));
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    house.nothing(&bob.flow);
}

#[test]
fn what_leaves_for_a_stream_says_its_length() {
    let mut house = house(open_config());
    let bob = tcp_phone("bob", 4, "198.51.100.9:40123", "198.51.100.9:5070");
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let alice = page("alice", 1);
    let invite = alice.invite("sip:bob@example.com", "c1").replace("Content-Length: 0\r\n", "");
    house.receive(&alice.flow, &invite);
    assert_eq!(header(&house.one(&bob.flow), HeaderName::ContentLength), "0");
}

#[test]
fn the_caller_is_not_told_100_twice() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 100, ""));
    assert_eq!(house.take(&carol.flow).iter().filter_map(Message::status).collect::<Vec<_>>(), [100]);
}

#[test]
fn the_challenges_of_all_branches_reach_the_caller() {
    let mut house = house(open_config());
    let phones = ["198.51.100.7:5062", "198.51.100.8:5062"].map(|address| desk_phone("bob", address));
    for phone in &phones {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    for (phone, realm) in phones.iter().zip(["one", "two"]) {
        let invite = house.one(&phone.flow);
        let more = format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"n\"\r\n");
        house.receive(&phone.flow, &phone.respond(&invite, 401, &more));
        house.take(&phone.flow);
    }
    let refused = house.one(&carol.flow);
    assert_eq!(refused.headers(HeaderName::WwwAuthenticate).count(), 2);
}

#[test]
fn an_answer_to_options_says_what_there_is() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.request("OPTIONS", "sip:example.com", "<sip:example.com>", "o", 1, ""));
    let response = house.one(&bob.flow);
    assert_eq!(response.status(), Some(200));
    for name in [HeaderName::Allow, HeaderName::Supported, HeaderName::Accept] {
        assert!(response.header(name).is_some(), "{name:?}");
    }
}

#[test]
fn the_caller_and_the_registrar_mean_the_same_user() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let carol = desk_phone("carol", "198.51.100.9:5060");
    for (number, uri) in ["sip:b%6Fb@EXAMPLE.com", "sip:bob@example.com:5060;user=phone", "sip:bob@192.0.2.1"]
        .iter()
        .enumerate()
    {
        house.receive(&carol.flow, &carol.invite(uri, &format!("c{number}")));
        assert_eq!(method(&house.one(&bob.flow)), "INVITE", "{uri}");
    }
    assert!(matches!(house.proxy.poll(), Output::Timeout(_)));
}
