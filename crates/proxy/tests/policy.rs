//! Who may do what, and what is stopped at the door (RFC 3261 §16.3, RFC 5393).

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::*;
use proxy::{Config, Event};
use sip::{AddressRange, HeaderName, Hop, Transport};

const WORLD: &str = "203.0.113.80:5060";

fn world() -> sip::Flow {
    flow(Transport::Udp, 0, WORLD, 5060)
}

fn with_world(config: Config) -> House {
    let mut house = house(config);
    house.hosts.insert("elsewhere.example".to_owned(), vec![udp_hop(WORLD.parse().unwrap())]);
    house
}

fn stranger() -> Phone {
    let mut phone = desk_phone("eve", "198.51.100.66:5060");
    phone.user = "eve";
    phone
}

fn from_elsewhere(text: &str) -> String {
    text.replace("From: <sip:eve@example.com>", "From: <sip:eve@elsewhere.example>")
}

#[test]
fn strangers_are_not_relayed_to_the_world() {
    let mut house = with_world(config());
    let eve = stranger();
    for (number, text) in [
        eve.invite("sip:victim@elsewhere.example", "c1"),
        from_elsewhere(&eve.invite("sip:victim@elsewhere.example", "c2")),
        // By a Route of its own, with or without ours before it.
        from_elsewhere(&eve.request(
            "INVITE",
            "sip:bob@example.com",
            "<sip:b@x>",
            "c3",
            1,
            "Route: <sip:elsewhere.example;lr>\r\n",
        )),
        from_elsewhere(&eve.request(
            "INVITE",
            "sip:bob@example.com",
            "<sip:b@x>",
            "c4",
            1,
            "Route: <sip:192.0.2.1:5060;lr>, <sip:10.0.0.1;lr>\r\n",
        )),
        // As if within a dialog that never was.
        from_elsewhere(&eve.request(
            "BYE",
            "sip:victim@elsewhere.example",
            "<sip:b@x>;tag=1",
            "c5",
            1,
            "Route: <sip:192.0.2.1:5060;lr;d=AAAAAAAAAAAA>\r\n",
        )),
    ]
    .into_iter()
    .enumerate()
    {
        house.receive(&eve.flow, &text);
        assert_eq!(house.one(&eve.flow).status(), Some(407), "{number}");
    }
    house.receive(
        &eve.flow,
        &from_elsewhere(&eve.request("ACK", "sip:victim@elsewhere.example", "<sip:b@x>;tag=1", "c6", 1, "")),
    );
    assert!(house.sent.is_empty(), "not even an ACK gets out");
}

#[test]
fn users_are_relayed_when_they_have_proved_who_they_are() {
    let mut house = with_world(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let uri = "sip:friend@elsewhere.example";
    house.receive(&bob.flow, &bob.invite(uri, "c1"));
    let challenge = house.one(&bob.flow);
    assert_eq!(challenge.status(), Some(407));
    let credentials = answer(&challenge, "INVITE", uri, "bob", "secret-b");
    let more =
        format!("Proxy-Authorization: {credentials}\r\nP-Asserted-Identity: <sip:boss@example.com>\r\n");
    house.receive(&bob.flow, &bob.request("INVITE", uri, &format!("<{uri}>"), "c1", 2, &more));
    let invite = house.one(&world());
    assert_eq!(method(&invite), "INVITE");
    assert_eq!(invite.header(HeaderName::ProxyAuthorization), None);
    assert_eq!(invite.header(HeaderName::PAssertedIdentity), None, "nobody asserts for himself");
    house.take(&bob.flow);

    // Not as somebody else.
    let alike = bob.invite(uri, "c2").replace("From: <sip:bob@", "From: <sip:carol@");
    house.receive(&bob.flow, &alike);
    let challenge = house.one(&bob.flow);
    let credentials = answer(&challenge, "INVITE", uri, "bob", "secret-b");
    let more = format!("Proxy-Authorization: {credentials}\r\n");
    let text = bob.request("INVITE", uri, &format!("<{uri}>"), "c2", 2, &more);
    house.receive(&bob.flow, &text.replace("From: <sip:bob@", "From: <sip:carol@"));
    assert_eq!(house.one(&bob.flow).status(), Some(403));
}

#[test]
fn a_connection_speaks_for_the_user_who_registered_on_it() {
    let mut house = with_world(config());
    let alice = page("alice", 1);
    house.register(&alice);
    house.receive(&alice.flow, &alice.invite("sip:friend@elsewhere.example", "c1"));
    assert_eq!(method(&house.one(&world())), "INVITE", "no second password");
    house.take(&alice.flow);
    let alike =
        alice.invite("sip:friend@elsewhere.example", "c2").replace("From: <sip:alice@", "From: <sip:bob@");
    house.receive(&alice.flow, &alike);
    assert_eq!(house.one(&alice.flow).status(), Some(407), "but for nobody else");
    // A datagram's source can be forged: it speaks for nobody.
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.register(&bob);
    house.receive(&bob.flow, &bob.invite("sip:friend@elsewhere.example", "c3"));
    assert_eq!(house.one(&bob.flow).status(), Some(407));
}

#[test]
fn strangers_from_elsewhere_may_call_our_users_unless_told_otherwise() {
    let alice = page("alice", 1);
    let mut house = with_world(config());
    house.register(&alice);
    let eve = stranger();
    house.receive(&eve.flow, &eve.invite("sip:alice@example.com", "c1"));
    assert_eq!(house.one(&eve.flow).status(), Some(407), "who claims to be ours must prove it");
    house.receive(&eve.flow, &from_elsewhere(&eve.invite("sip:alice@example.com", "c2")));
    assert_eq!(method(&house.one(&alice.flow)), "INVITE");

    let mut closed = with_world(Config { accept_from_strangers: false, ..config() });
    closed.register(&alice);
    closed.receive(&eve.flow, &from_elsewhere(&eve.invite("sip:alice@example.com", "c2")));
    assert_eq!(closed.one(&eve.flow).status(), Some(403));
}

#[test]
fn a_stranger_in_a_call_gains_no_way_to_third_parties() {
    let mut house = with_world(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.register(&bob);
    let eve = stranger();
    house.receive(&eve.flow, &from_elsewhere(&eve.invite("sip:bob@example.com", "c1")));
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    let answered = house.take(&eve.flow).pop().unwrap();
    let mut routes = values(&answered, HeaderName::RecordRoute);
    routes.reverse();
    assert_eq!(routes.len(), 2);
    let attack = |order: [usize; 2]| {
        let route = format!("Route: {}, {}\r\n", routes[order[0]], routes[order[1]]);
        from_elsewhere(&eve.request(
            "BYE",
            "sip:victim@elsewhere.example",
            "<sip:bob@example.com>;tag=to-bob",
            "c1",
            2,
            &route,
        ))
    };
    // In the order of the dialog it reaches the other party only, whatever the Request-URI says.
    house.receive(&eve.flow, &attack([0, 1]));
    assert_eq!(method(&house.one(&bob.flow)), "BYE");
    house.receive(&eve.flow, &attack([1, 0]).replace("bKeveBYE", "bKeveBYE2"));
    assert_eq!(house.one(&eve.flow).status(), Some(407));
    house.nothing(&world());

    // The user hangs up through the same Routes.
    let back = format!("Route: {}, {}\r\n", routes[1], routes[0]);
    let bye = bob.request(
        "BYE",
        "sip:eve@198.51.100.66:5060",
        "<sip:eve@elsewhere.example>;tag=from-eve",
        "c1",
        1,
        &back,
    );
    house.receive(&bob.flow, &bye);
    assert_eq!(method(&house.one(&eve.flow)), "BYE");
}

#[test]
fn who_is_called_gains_no_way_to_third_parties() {
    let mut house = with_world(config());
    house.hosts.insert("victim.example".to_owned(), vec![udp_hop("203.0.113.99:5060".parse().unwrap())]);
    let alice = page("alice", 1);
    house.register(&alice);
    house.receive(&alice.flow, &alice.invite("sip:x@elsewhere.example", "c1"));
    let invite = house.one(&world());
    let routes = values(&invite, HeaderName::RecordRoute);
    let mut called = desk_phone("x", WORLD);
    called.user = "x";
    let bye = |route: &str, number: u32| {
        let more = format!("Route: {route}\r\n");
        called.request(
            "BYE",
            "sip:v@victim.example",
            "<sip:alice@example.com>;tag=from-alice",
            "c1",
            number,
            &more,
        )
    };
    house.receive(&called.flow, &bye(&routes[0], 2));
    assert_eq!(house.one(&called.flow).status(), Some(407), "our side of the page is left out");
    house.receive(&called.flow, &bye(&routes.join(", "), 3));
    assert_eq!(method(&house.one(&alice.flow)), "BYE", "along the dialog it reaches the caller only");
    assert!(house.sent.is_empty());
}

#[test]
fn peers_are_believed_by_their_address() {
    let mut config = config();
    config.trusted_peers = vec![AddressRange { address: "198.51.100.0".parse().unwrap(), prefix: 24 }];
    let mut house = with_world(config);
    let eve = stranger();
    let more = "P-Asserted-Identity: <sip:eve@example.com>\r\n";
    house.receive(
        &eve.flow,
        &eve.request("INVITE", "sip:x@elsewhere.example", "<sip:x@elsewhere.example>", "c1", 1, more),
    );
    let invite = house.one(&world());
    assert!(invite.header(HeaderName::PAssertedIdentity).is_some());
    // Behind an HTTP server with such an address sits the whole world.
    let mut hidden = page("eve", 4);
    hidden.flow.remote = "198.51.100.66:9999".parse().unwrap();
    house.receive(&hidden.flow, &hidden.invite("sip:x@elsewhere.example", "c2"));
    assert_eq!(house.one(&hidden.flow).status(), Some(407));
}

#[test]
fn a_forged_flow_token_is_refused() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.register(&alice);
    let eve = stranger();
    for (number, token) in
        ["Zm9yZ2Vk", "alice", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj"].iter().enumerate()
    {
        let route = format!("Route: <sip:{token}@192.0.2.1:8080;transport=ws;lr>\r\n");
        let call = format!("c{number}");
        house.receive(
            &eve.flow,
            &from_elsewhere(&eve.request("BYE", &alice.contact, "<sip:a@b>;tag=1", &call, 1, &route)),
        );
        assert_eq!(house.one(&eve.flow).status(), Some(403), "{token}");
    }
    house.nothing(&alice.flow);
}

#[test]
fn nothing_is_sent_to_more_than_one_host() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    for (number, host) in ["255.255.255.255", "224.0.1.75", "0.0.0.0", "[ff02::1]", "[::]"].iter().enumerate()
    {
        let contact = format!("Contact: <sip:bob@{host}>\r\n");
        house.receive(&bob.flow, &bob.register_contact(u32::try_from(number).unwrap() + 1, &contact));
        house.take(&bob.flow);
    }
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    assert_eq!(house.one(&carol.flow).status(), Some(404));
    assert!(house.sent.is_empty());
}

#[test]
fn a_stateless_refusal_absorbs_its_ack() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let broken = bob.invite("sip:carol@example.com", "c1").replace("CSeq: 1 INVITE", "CSeq: 1 OPTIONS");
    house.receive(&bob.flow, &broken);
    let refused = house.one(&bob.flow);
    assert_eq!(refused.status(), Some(400));
    assert!(house.events.iter().any(|it| matches!(it, Event::Malformed { status: Some(400), .. })));
    let tag = String::from_utf8_lossy(refused.to().unwrap().tag().unwrap()).into_owned();
    let to = format!("<sip:carol@example.com>;tag={tag}");
    let ack = bob.request("ACK", "sip:carol@example.com", &to, "c1", 1, "");
    house.receive(&bob.flow, &ack.replace("bKbobACK", "bKbobINVITE"));
    assert!(house.sent.is_empty());
}

#[test]
fn responses_to_others_are_dropped() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\r\nVia: SIP/2.0/UDP 255.255.255.255\r\n\
                    From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    house.receive(&bob.flow, response);
    house.receive(&bob.flow, &response.replace("192.0.2.1", "192.0.2.99"));
    assert!(house.sent.is_empty());
}

#[test]
fn a_strict_router_before_us_is_understood() {
    let mut house = house(open_config());
    let (alice, bob) = (page("alice", 1), desk_phone("bob", "198.51.100.7:5062"));
    for phone in [&alice, &bob] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    house.receive(&bob.flow, &bob.invite("sip:alice@example.com", "c1"));
    let invite = house.one(&alice.flow);
    house.receive(&alice.flow, &alice.respond(&invite, 200, ""));
    let answered = house.take(&bob.flow).pop().unwrap();
    let mut routes = values(&answered, HeaderName::RecordRoute);
    routes.reverse();
    // §16.4, §16.12.1.2: the first Route became the Request-URI, the contact stands at the end.
    let uri = routes[0].trim_matches(['<', '>']).to_owned();
    let more = format!("Route: {}, <{}>\r\n", routes[1], alice.contact);
    house.receive(
        &bob.flow,
        &bob.request("BYE", &uri, "<sip:alice@example.com>;tag=to-alice", "c1", 2, &more),
    );
    let bye = house.one(&alice.flow);
    assert_eq!((method(&bye).as_str(), bye.request_uri()), ("BYE", alice.contact.as_bytes()));
    assert_eq!(bye.header(HeaderName::Route), None);
}

#[test]
fn a_strict_router_behind_us_gets_what_it_knows() {
    let mut house = with_world(config());
    let alice = page("alice", 1);
    house.register(&alice);
    let uri = "sip:friend@far.example";
    let more = "Route: <sip:elsewhere.example>, <sip:next.example;lr>\r\n";
    house.receive(&alice.flow, &alice.request("INVITE", uri, &format!("<{uri}>"), "c1", 1, more));
    let invite = house.one(&world());
    assert_eq!(invite.request_uri(), b"sip:elsewhere.example");
    assert_eq!(values(&invite, HeaderName::Route), ["<sip:next.example;lr>", "<sip:friend@far.example>"]);
}

#[test]
fn the_next_address_is_tried_when_one_fails() {
    let mut house = house(config());
    let addresses = ["203.0.113.81:5060", "203.0.113.82:5060", "203.0.113.83:5060"];
    let hops = addresses.map(|it| udp_hop(it.parse().unwrap()));
    house.hosts.insert("elsewhere.example".to_owned(), hops.to_vec());
    let [first, second, third] = addresses.map(|it| flow(Transport::Udp, 0, it, 5060));
    let alice = page("alice", 1);
    house.register(&alice);
    house.receive(&alice.flow, &alice.invite("sip:x@elsewhere.example", "c1"));
    let invite = house.one(&first);
    let peer = desk_phone("x", addresses[0]);
    house.receive(&first, &peer.respond(&invite, 503, "Retry-After: 30\r\n"));
    assert_eq!(method(&house.take(&first).pop().unwrap()), "ACK");
    assert_eq!(method(&house.one(&second)), "INVITE");
    house.proxy.unreachable(house.now, &Hop::Flow(sip::Flow { local: first.local, ..second }));
    house.wait(Duration::ZERO);
    let invite = house.one(&third);
    let peer = desk_phone("x", addresses[2]);
    house.take(&alice.flow);
    house.receive(&third, &peer.respond(&invite, 503, ""));
    assert_eq!(house.one(&alice.flow).status(), Some(500), "§16.7: a 503 of others is no word about us");
}

#[test]
fn a_large_request_goes_by_tcp_first() {
    let mut house = with_world(config());
    let alice = page("alice", 1);
    house.register(&alice);
    let uri = "sip:x@elsewhere.example";
    let more = format!("X-Large: {}\r\n", "x".repeat(1300));
    house.receive(&alice.flow, &alice.request("INVITE", uri, &format!("<{uri}>"), "c1", 1, &more));
    let address: SocketAddr = WORLD.parse().unwrap();
    let tcp = flow(Transport::Tcp, 0, WORLD, 5060);
    let invite = house.one(&tcp);
    assert!(text(&invite).contains("Via: SIP/2.0/TCP 192.0.2.1:5060"));
    let hop = Hop::Address { transport: Transport::Tcp, address, server_name: None };
    house.proxy.unreachable(house.now, &hop);
    house.wait(Duration::ZERO);
    assert_eq!(method(&house.one(&world())), "INVITE", "and by datagram, where nobody listens on TCP");
}

#[test]
fn who_asks_too_much_is_told_to_wait() {
    let mut config = open_config();
    config.limits.transactions_per_source = 3;
    let mut house = house(config);
    let bob = desk_phone("bob", "198.51.100.7:5062");
    for number in 0..3 {
        house.receive(
            &bob.flow,
            &bob.request("OPTIONS", "sip:example.com", "<sip:example.com>", &format!("o{number}"), 1, ""),
        );
        assert_eq!(house.one(&bob.flow).status(), Some(200));
    }
    let fourth = bob.request("OPTIONS", "sip:example.com", "<sip:example.com>", "o4", 1, "");
    house.receive(&bob.flow, &fourth);
    let refused = house.one(&bob.flow);
    assert_eq!(refused.status(), Some(503));
    assert!(refused.header(HeaderName::RetryAfter).is_some());
    // Others are served, and so is what is known already.
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.request("OPTIONS", "sip:example.com", "<sip:example.com>", "o", 1, ""));
    assert_eq!(house.one(&carol.flow).status(), Some(200));
    house.receive(&bob.flow, &bob.request("OPTIONS", "sip:example.com", "<sip:example.com>", "o0", 1, ""));
    assert_eq!(house.one(&bob.flow).status(), Some(200));
    house.wait(Duration::from_secs(40));
    house.receive(&bob.flow, &fourth.replace("o4", "o5"));
    assert_eq!(house.one(&bob.flow).status(), Some(200));
}

#[test]
fn a_call_that_was_let_in_is_acknowledged_though_there_is_no_room_for_another() {
    let mut config = open_config();
    config.limits.transactions_per_source = 1;
    let mut house = house(config);
    let (bob, carol) = (desk_phone("bob", "198.51.100.7:5062"), desk_phone("carol", "198.51.100.9:5060"));
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    let answer = house.take(&carol.flow).pop().unwrap();
    let to = String::from_utf8_lossy(answer.header(HeaderName::To).unwrap()).into_owned();
    let ack = carol.request("ACK", "sip:bob@198.51.100.7:5062", &to, "c1", 1, &routes(&answer, true));
    house.receive(&carol.flow, &ack);
    assert_eq!(method(&house.one(&bob.flow)), "ACK");
}

#[test]
fn who_asks_too_much_may_still_hang_up() {
    let mut config = open_config();
    config.limits.transactions_per_source = 3;
    let mut house = house(config);
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let of = |method: &str, number: usize| {
        bob.request(method, "sip:example.com", "<sip:example.com>;tag=1", &format!("r{number}"), 1, "")
    };
    for number in 0..4 {
        house.receive(&bob.flow, &of("OPTIONS", number));
        let _ = house.one(&bob.flow);
    }
    for number in 4..7 {
        house.receive(&bob.flow, &of("BYE", number));
        assert_ne!(house.one(&bob.flow).status(), Some(503), "one that ends a call");
    }
    house.receive(&bob.flow, &of("BYE", 7));
    assert_eq!(house.one(&bob.flow).status(), Some(503), "twice the bound is enough");
}
