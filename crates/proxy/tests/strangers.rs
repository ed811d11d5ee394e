//! What strangers learn, and when they are not heard any more (RELIABILITY: A13, A15, A16; the scanners).

use std::time::Duration;

use crate::support::{Phone, answer, config, desk_phone, house, method, page, tcp_phone, text};
use proxy::{Config, Event, Strangers};
use sip::{AddressRange, HeaderName, Message};

fn eve() -> Phone {
    desk_phone("eve", "198.51.100.66:5060")
}

/// A request of somebody in another domain.
fn from_elsewhere(phone: &Phone, method: &str, user: &str, call_id: &str) -> String {
    let uri = format!("sip:{user}@example.com");
    let request = phone.request(method, &uri, &format!("<{uri}>"), call_id, 1, "");
    request.replace("From: <sip:eve@example.com>", "From: <sip:eve@elsewhere.example>")
}

/// A response without what differs from request to request.
fn without_names(response: &Message, user: &str, call_id: &str) -> String {
    let tag = response.to().unwrap().tag().unwrap_or_default().to_vec();
    text(response)
        .replace(user, "USER")
        .replace(call_id, "CALL")
        .replace(&String::from_utf8(tag).unwrap(), "TAG")
}

#[test]
fn a_stranger_is_not_told_what_serves_it_and_a_registered_user_is() {
    let mut house = house(config());
    let eve = eve();
    house.receive(&eve.flow, &eve.register(1, ""));
    assert!(house.one(&eve.flow).header(HeaderName::Server).is_none());
    for (number, uri) in ["sip:192.0.2.1:5060", "sip:example.com", "sip:100@example.com"].iter().enumerate() {
        let request = eve.request("OPTIONS", uri, &format!("<{uri}>"), &format!("o{number}"), 1, "");
        house
            .receive(&eve.flow, &request.replace("From: <sip:eve@example.com>", "From: <sip:eve@elsewhere>"));
        assert!(house.one(&eve.flow).header(HeaderName::Server).is_none(), "{uri}");
    }
    let answer = house.register(&page("carol", 3));
    assert_eq!(answer.header(HeaderName::Server), Some(&b"Sipweb"[..]));
}

#[test]
fn a_stranger_does_not_learn_which_users_there_are() {
    let mut house = house(config());
    let carol = page("carol", 3);
    house.register(&carol);
    house.close(&carol.flow);
    let eve = eve();
    for method in ["INVITE", "OPTIONS", "MESSAGE"] {
        let mut answers = Vec::new();
        // Signed out, connected no more, and not there at all.
        for user in ["alice", "carol", "zoe-9"] {
            let call_id = format!("{method}-{user}-x");
            house.receive(&eve.flow, &from_elsewhere(&eve, method, user, &call_id));
            let response = house.one(&eve.flow);
            assert_eq!(response.status(), Some(480));
            answers.push(without_names(&response, user, &call_id));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], answers[2]);
    }
}

#[test]
fn users_are_told_what_strangers_are_not() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.register(&alice);
    for (user, status) in [("bob", 480), ("nobody", 404)] {
        house.receive(&alice.flow, &alice.invite(&format!("sip:{user}@example.com"), user));
        assert_eq!(house.one(&alice.flow).status(), Some(status));
    }
}

#[test]
fn who_looks_for_users_is_not_heard_after_twenty_tries() {
    let mut house = house(config());
    let eve = eve();
    let mut answers = 0;
    for number in 0..100 {
        house.receive(
            &eve.flow,
            &from_elsewhere(&eve, "OPTIONS", &format!("{}", 100 + number), &format!("o{number}")),
        );
        answers += house.take(&eve.flow).len();
    }
    assert_eq!(answers, 20);
    let told = house.events.iter().filter(|event| matches!(event, Event::Banned { .. })).count();
    assert_eq!(told, 1);
    assert!(house.proxy.is_idle() || house.proxy.transactions() <= 20, "the unheard leave nothing behind");
    // Another address is another matter, and the ban ends.
    let mallory = Phone { flow: desk_phone("eve", "198.51.100.67:5060").flow, ..eve.clone() };
    house.receive(&mallory.flow, &from_elsewhere(&mallory, "OPTIONS", "alice", "m1"));
    assert_eq!(house.one(&mallory.flow).status(), Some(480));
    house.wait(Duration::from_secs(601));
    house.receive(&eve.flow, &from_elsewhere(&eve, "OPTIONS", "alice", "later"));
    assert_eq!(house.one(&eve.flow).status(), Some(480));
}

#[test]
fn who_tries_one_password_for_many_users_is_not_heard_after_twenty_tries() {
    let mut house = house(config());
    let mut answers = 0;
    for number in 0..50 {
        let user: &'static str = Box::leak(format!("u{number}").into_boxed_str());
        let phone = desk_phone(user, "198.51.100.66:5060");
        house.receive(&phone.flow, &phone.register(1, ""));
        let Some(challenge) = house.take(&phone.flow).pop() else { continue };
        let credentials = answer(&challenge, "REGISTER", "sip:example.com", user, "12345");
        house.receive(&phone.flow, &phone.register(2, &format!("Authorization: {credentials}\r\n")));
        answers += house.take(&phone.flow).len();
    }
    assert_eq!(answers, 20);
}

#[test]
fn who_collects_challenges_is_not_heard_in_the_end() {
    let mut house = house(config());
    let mut answers = 0;
    for number in 0..1000 {
        let user: &'static str = Box::leak(format!("u{number}").into_boxed_str());
        let phone = desk_phone(user, "198.51.100.66:5060");
        house.receive(&phone.flow, &phone.register(1, ""));
        answers += house.take(&phone.flow).len();
        house.wait(Duration::from_millis(100));
    }
    assert!((100..200).contains(&answers), "{answers}");
}

#[test]
fn a_ban_touches_strangers_only() {
    let mut config = config();
    config.trusted_peers = vec![AddressRange::single("198.51.100.66".parse().unwrap())];
    let alice = tcp_phone("alice", 5, "198.51.100.67:40000", "198.51.100.67:5060");
    let mut house = house(config);
    house.register(&alice);
    // Her address is proven: ten times as much is taken from it.
    let eve = desk_phone("eve", "198.51.100.67:5070");
    for number in 0..300 {
        house.receive(&eve.flow, &from_elsewhere(&eve, "OPTIONS", "nobody", &format!("o{number}")));
    }
    assert_eq!(house.take(&eve.flow).len(), 200);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    assert_eq!(house.one(&alice.flow).status(), Some(480), "a connection that speaks for a user is heard");
    let carrier = desk_phone("eve", "198.51.100.66:5060");
    for number in 0..100 {
        house.receive(&carrier.flow, &from_elsewhere(&carrier, "INVITE", "nobody", &format!("p{number}")));
        assert_eq!(house.one(&carrier.flow).status(), Some(404), "a peer is told the truth, and always");
    }
}

#[test]
fn on_a_connection_the_banned_are_told_so() {
    let mut house = house(config());
    let eve = tcp_phone("eve", 7, "198.51.100.66:40000", "198.51.100.66:5060");
    let mut last = None;
    for number in 0..21 {
        house.receive(&eve.flow, &from_elsewhere(&eve, "MESSAGE", "nobody", &format!("m{number}")));
        last = house.one(&eve.flow).status();
    }
    assert_eq!(last, Some(403));
}

#[test]
fn a_flood_of_strangers_is_cut_to_a_rate() {
    let strangers = Strangers { requests_per_second: 2, tries: 0, ..Strangers::default() };
    let mut house = house(Config { strangers, ..config() });
    let eve = eve();
    let flood = |house: &mut crate::support::House, name: &str| {
        for number in 0..50 {
            house.receive(&eve.flow, &from_elsewhere(&eve, "OPTIONS", "alice", &format!("{name}{number}")));
        }
        house.take(&eve.flow).len()
    };
    assert_eq!(flood(&mut house, "a"), 20, "ten seconds' worth at once");
    house.wait(Duration::from_secs(3));
    assert_eq!(flood(&mut house, "b"), 6);
}

#[test]
fn the_identity_of_a_user_is_told_to_peers_and_to_nobody_else() {
    let mut config = config();
    config.trusted_peers = vec![AddressRange::single("203.0.113.5".parse().unwrap())];
    let mut house = house(config);
    let alice = page("alice", 1);
    house.register(&alice);
    house.hosts.insert(
        "carrier.example".to_owned(),
        vec![crate::support::udp_hop("203.0.113.5:5060".parse().unwrap())],
    );
    house.hosts.insert(
        "elsewhere.example".to_owned(),
        vec![crate::support::udp_hop("203.0.113.6:5060".parse().unwrap())],
    );
    let more =
        "P-Preferred-Identity: <sip:boss@example.com>\r\nP-Asserted-Identity: <sip:boss@example.com>\r\n";
    for (host, address, expected) in [
        ("carrier.example", "203.0.113.5:5060", "<sip:alice@example.com>"),
        ("elsewhere.example", "203.0.113.6:5060", ""),
    ] {
        let uri = format!("sip:x@{host}");
        house.receive(&alice.flow, &alice.request("INVITE", &uri, &format!("<{uri}>"), host, 1, more));
        let invite = house.one(&desk_phone("x", address).flow);
        assert_eq!(method(&invite), "INVITE");
        assert_eq!(crate::support::header(&invite, HeaderName::PAssertedIdentity), expected);
        assert_eq!(invite.header(HeaderName::PPreferredIdentity), None);
    }
}

#[test]
fn what_a_peer_asserts_reaches_users_unless_the_caller_wants_privacy() {
    let mut config = config();
    config.trusted_peers = vec![AddressRange::single("203.0.113.5".parse().unwrap())];
    let mut house = house(config);
    let alice = page("alice", 1);
    house.register(&alice);
    let carrier = desk_phone("eve", "203.0.113.5:5060");
    let uri = "sip:alice@example.com";
    for (privacy, told) in [("", true), ("Privacy: id;critical\r\n", false)] {
        let more = format!("P-Asserted-Identity: <sip:+15551234@carrier.example>\r\n{privacy}");
        let call_id = format!("call{told}");
        house
            .receive(&carrier.flow, &carrier.request("INVITE", uri, &format!("<{uri}>"), &call_id, 1, &more));
        let invite = house.one(&alice.flow);
        assert_eq!(invite.header(HeaderName::PAssertedIdentity).is_some(), told);
        let answer = alice.respond(&invite, 200, "P-Asserted-Identity: <sip:boss@example.com>\r\n");
        house.receive(&alice.flow, &answer);
        let answered = house.take(&carrier.flow).pop().unwrap();
        assert_eq!(answered.header(HeaderName::PAssertedIdentity), None, "no user asserts for himself");
    }
}
