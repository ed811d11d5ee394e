//! What one account may spend, whoever has its password.

use std::time::Duration;

use crate::support::*;
use proxy::Config;
use sip::Message;

fn with_elsewhere(config: Config) -> House {
    let mut house = house(config);
    house.any_host = true;
    house
}

/// RELIABILITY A13: whoever has a password has it for little.
#[test]
fn a_stolen_account_begins_so_many_calls_to_elsewhere_in_a_minute() {
    let mut config = config();
    config.limits.calls_elsewhere = 3;
    let mut house = with_elsewhere(config);
    let (bob, thief, alice) = (page("bob", 1), page("bob", 2), page("alice", 3));
    for page in [&bob, &thief, &alice] {
        house.register(page);
    }
    let mut number = 0;
    let mut calls = |house: &mut House, page: &Phone, uri: &str| {
        number += 1;
        house.receive(&page.flow, &page.invite(uri, &format!("call-{number}")));
        house.take(&page.flow).iter().any(|answer| answer.status() == Some(403))
    };
    let costly = "sip:+8812345@elsewhere.example";
    let refused: Vec<bool> = (0..4).map(|call| calls(&mut house, [&bob, &thief][call % 2], costly)).collect();
    assert_eq!(refused, [false, false, false, true], "from wherever it calls");
    assert!(!calls(&mut house, &thief, "sip:alice@example.com"), "calls to users cost nothing");
    assert!(!calls(&mut house, &alice, costly), "of another account");
    house.wait(Duration::from_secs(20));
    assert!(!calls(&mut house, &bob, costly), "a third of a minute later there is one more");
}

/// A tag is quickly written. Only the Routes of a dialog show that it went through us.
#[test]
fn a_made_up_tag_saves_nothing() {
    let mut config = config();
    config.limits.calls_elsewhere = 2;
    let mut house = with_elsewhere(config);
    let bob = page("bob", 1);
    house.register(&bob);
    let uri = "sip:+8812345@elsewhere.example";
    let refused: Vec<bool> = (0..3)
        .map(|call| {
            let to = format!("<{uri}>;tag=made-up");
            house.receive(&bob.flow, &bob.request("INVITE", uri, &to, &format!("call-{call}"), 1, ""));
            house.take(&bob.flow).iter().any(|answer| answer.status() == Some(403))
        })
        .collect();
    assert_eq!(refused, [false, false, true]);
}

/// A phone of a thief who has bob's password: it registers a number that pays him as a contact of bob's.
fn costly_contact(house: &mut House) -> Phone {
    let thief = Phone {
        contact: "sip:+8812345@elsewhere.example".to_owned(),
        ..desk_phone("bob", "198.51.100.7:5062")
    };
    house.register(&thief);
    thief
}

#[test]
fn a_costly_number_that_an_account_registered_is_called_as_often_as_its_owner_may_call_elsewhere() {
    let mut config = config();
    config.limits.calls_elsewhere = 2;
    config.forking.late = false;
    let mut house = with_elsewhere(config);
    let (alice, carol) = (page("alice", 1), page("carol", 2));
    house.register(&alice);
    house.register(&carol);
    costly_contact(&mut house);
    let there = flow(sip::Transport::Udp, 0, "203.0.113.1:5060", 5060);
    let stranger = desk_phone("mallory", "198.51.100.66:5060");
    let stranger = Phone { contact: "sip:m@elsewhere2.example".to_owned(), ..stranger };
    let arrived = |house: &mut House, caller: &Phone, call: &str, from: &str| {
        let invite = caller.invite("sip:bob@example.com", call).replace("@example.com>;tag", from);
        house.receive(&caller.flow, &invite);
        let answers = house.take(&caller.flow);
        let refused = answers.iter().any(|answer| answer.status() == Some(480));
        let gone = !house.take(&there).is_empty();
        assert_ne!(refused, gone, "{call}");
        gone
    };
    let own = "@example.com>;tag";
    assert!(arrived(&mut house, &alice, "c1", own));
    assert!(arrived(&mut house, &stranger, "c2", "@foreign.example>;tag"), "whoever calls");
    assert!(!arrived(&mut house, &carol, "c3", own), "bob's minute is spent");
    // It is bob's own, and nobody else's.
    let bob = page("bob", 4);
    house.register(&bob);
    house.receive(&alice.flow, &alice.invite("sip:+1@elsewhere.example", "c4"));
    assert!(!house.take(&there).is_empty(), "alice has spent nothing");
    house.receive(&bob.flow, &bob.invite("sip:+1@elsewhere.example", "c5"));
    assert_eq!(house.one(&bob.flow).status(), Some(403));
    house.wait(Duration::from_secs(30));
    house.take(&there);
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c6"));
    assert_eq!(house.take(&there).len(), 1, "half a minute later there is one more");
}

#[test]
fn a_costly_number_that_registers_while_its_user_is_called_counts_too() {
    let mut config = config();
    config.limits.calls_elsewhere = 1;
    let mut house = with_elsewhere(config);
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.register(&alice);
    house.register(&bob);
    let there = flow(sip::Transport::Udp, 0, "203.0.113.1:5060", 5060);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    assert_eq!(house.take(&bob.flow).len(), 1);
    costly_contact(&mut house);
    assert_eq!(house.take(&there).len(), 1);
    // The second call rings at the page alone.
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c2"));
    assert_eq!(house.take(&bob.flow).len(), 1);
    house.nothing(&there);
}

#[test]
fn a_caller_is_answered_where_the_last_group_of_contacts_may_not_be_called() {
    let mut config = open_config();
    config.limits.calls_elsewhere = 1;
    let mut house = with_elsewhere(config);
    let bob = Phone { parameters: ";q=1.0".to_owned(), ..desk_phone("bob", "198.51.100.8:5060") };
    let costly = Phone {
        contact: "sip:+8812345@elsewhere.example".to_owned(),
        parameters: ";q=0.5".to_owned(),
        ..desk_phone("bob", "198.51.100.7:5062")
    };
    let carol = desk_phone("carol", "198.51.100.9:5060");
    for phone in [&bob, &costly] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    for (call, statuses) in [("c1", &[Some(100)][..]), ("c2", &[Some(100), Some(486)])] {
        house.receive(&carol.flow, &carol.invite("sip:bob@example.com", call));
        let invite = house.one(&bob.flow);
        house.receive(&bob.flow, &bob.respond(&invite, 486, ""));
        assert_eq!(method(&house.one(&bob.flow)), "ACK");
        let heard: Vec<_> = house.take(&carol.flow).iter().map(Message::status).collect();
        assert_eq!(heard, statuses, "{call}");
    }
}

#[test]
fn a_caller_is_answered_where_the_last_contact_of_a_device_may_not_be_called() {
    let mut config = open_config();
    config.limits.calls_elsewhere = 1;
    config.next_hop.avoid = Duration::ZERO;
    let mut house = with_elsewhere(config);
    let device = ";+sip.instance=\"<urn:uuid:1>\"";
    let bob = Phone { parameters: device.to_owned(), ..desk_phone("bob", "198.51.100.8:5060") };
    let costly = Phone {
        contact: "sip:+8812345@elsewhere.example".to_owned(),
        parameters: format!("{device};q=0.5"),
        ..desk_phone("bob", "198.51.100.7:5062")
    };
    let carol = desk_phone("carol", "198.51.100.9:5060");
    for phone in [&bob, &costly] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    for (call, statuses) in [("c1", &[Some(100)][..]), ("c2", &[Some(100), Some(480)])] {
        house.receive(&carol.flow, &carol.invite("sip:bob@example.com", call));
        let invite = house.one(&bob.flow);
        house.receive(&bob.flow, &bob.respond(&invite, 430, ""));
        assert_eq!(method(&house.one(&bob.flow)), "ACK");
        let heard: Vec<_> = house.take(&carol.flow).iter().map(Message::status).collect();
        assert_eq!(heard, statuses, "{call}");
    }
}
