//! Connections that are lost while somebody calls or is in a call (RFC 5626 §5.3.1, §7), and servers that start again.

use std::time::Duration;

use crate::support::*;
use sip::Transport;

#[test]
fn a_page_that_lost_its_connection_in_a_call_is_found_on_its_new_one() {
    let mut call = established(bob(), page("alice", 1));
    call.house.close(&call.callee.flow);
    call.caller_sends("BYE", 3);
    let refused = call.house.one(&call.caller.flow);
    assert_eq!(refused.status(), Some(430), "the flow is gone");

    // The same page, the same contact, another connection.
    let mut call = established(bob(), page("alice", 1));
    call.house.close(&call.callee.flow.clone());
    call.callee.flow = page("alice", 9).flow;
    call.callee.call_id = "again".to_owned();
    call.house.register(&call.callee.clone());
    call.hang_up_by_caller();
}

/// Its network changed: it has registered over another connection before we could see that the old one is dead.
#[test]
fn a_page_that_left_a_connection_which_looks_open_is_found_on_its_new_one() {
    let mut call = established(bob(), page("alice", 1));
    let old = call.callee.flow;
    call.callee.flow = page("alice", 9).flow;
    call.callee.call_id = "again".to_owned();
    call.house.register(&call.callee.clone());
    call.hang_up_by_caller();
    call.house.nothing(&old);
}

#[test]
fn a_call_does_not_follow_somebody_else_who_registers_the_same_contact() {
    let mut call = established(bob(), page("alice", 1));
    let carol = Phone { contact: call.callee.contact.clone(), ..page("carol", 9) };
    call.house.register(&carol);
    call.hang_up_by_caller();
    call.house.nothing(&carol.flow);
}

/// The caller's own server came over a connection that it has closed since: it is reached by its name.
#[test]
fn a_call_outlives_the_connection_to_the_other_server() {
    let mut house = house(config());
    let bob = page("bob", 1);
    house.register(&bob);
    let other = flow(Transport::Tcp, 7, "198.51.100.80:40001", 5060);
    let carol = desk_phone("carol", "203.0.113.5:5060");
    let by_proxy = "Via: SIP/2.0/TCP 198.51.100.80;branch=z9hG4bKproxy\r\n\
                    Record-Route: <sip:198.51.100.80;transport=tcp;lr>\r\nVia: ";
    let invite = carol.invite("sip:bob@example.com", "c1").replace("carol@example.com", "carol@far.example");
    house.receive(&other, &invite.replacen("Via: ", by_proxy, 1));
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    house.take(&other);
    house.close(&other);
    let routes = routes(&invite, false);
    let bye = |from: &Phone, call: &str| {
        from.request(
            "BYE",
            "sip:carol@203.0.113.5",
            "<sip:carol@far.example>;tag=from-carol",
            call,
            1,
            &routes,
        )
    };
    house.receive(&bob.flow, &bye(&bob, "c1"));
    let there = flow(Transport::Tcp, 0, "198.51.100.80:5060", 5060);
    assert_eq!(method(&house.one(&there)), "BYE");

    // It is no way for those who have no business there.
    let eve = desk_phone("eve", "198.51.100.66:5060");
    house.receive(&eve.flow, &bye(&eve, "c1"));
    assert_eq!(house.one(&eve.flow).status(), Some(407));
    house.nothing(&there);
}

#[test]
fn a_page_that_was_loaded_anew_is_found_by_its_instance() {
    let mut alice = page("alice", 1);
    alice.parameters = ";reg-id=1;+sip.instance=\"<urn:uuid:0001>\"".to_owned();
    alice.contact = "sip:alice@example.com;gr=urn:uuid:0001".to_owned();
    let mut house = house(config());
    let registered = Phone { contact: "sip:x@old.invalid;transport=ws".to_owned(), ..alice.clone() };
    house.register(&registered);
    house.register(&bob());
    // A GRUU reaches the instance, whatever its contact.
    let mut call = call(house, bob(), alice.clone());
    call.house.close(&alice.flow);
    let again = Phone {
        flow: page("alice", 9).flow,
        contact: "sip:y@new.invalid;transport=ws".to_owned(),
        call_id: "again".to_owned(),
        ..alice
    };
    call.house.register(&again);
    call.caller_sends("BYE", 3);
    let bye = call.house.one(&again.flow);
    assert_eq!(method(&bye), "BYE");
}

#[test]
fn a_call_of_before_the_restart_can_still_be_hung_up() {
    let mut call = established(page("carol", 2), page("alice", 1));
    call.house.restart(config());
    for (phone, connection) in [(&mut call.caller, 12), (&mut call.callee, 11)] {
        phone.flow = page(phone.user, connection).flow;
        phone.call_id += "-again";
    }
    call.house.register(&call.caller.clone());
    call.house.register(&call.callee.clone());
    call.hang_up_by_caller();

    let mut call = established(bob(), page("alice", 1));
    call.house.restart(config());
    call.callee.flow = page("alice", 11).flow;
    call.callee.call_id += "-again";
    call.house.register(&call.callee.clone());
    call.hang_up_by_callee();
}

#[test]
fn the_answer_to_a_page_that_lost_its_connection_while_calling_reaches_it_on_the_new_one() {
    let mut house = house(open_config());
    let (mut alice, bob) = (page("alice", 1), bob());
    for phone in [&alice, &bob] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.close(&alice.flow);
    alice.flow = page("alice", 9).flow;
    house.receive(&alice.flow, &alice.register(2, ""));
    house.take(&alice.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    assert_eq!(house.one(&alice.flow).status(), Some(200));
}

#[test]
fn a_page_that_is_closed_while_calling_stops_the_ringing() {
    let mut house = house(open_config());
    let (alice, bob) = (page("alice", 1), bob());
    for phone in [&alice, &bob] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 180, ""));
    house.close(&alice.flow);
    house.wait(Duration::from_secs(29));
    house.nothing(&bob.flow);
    house.wait(Duration::from_secs(1));
    let cancel = house.one(&bob.flow);
    assert_eq!(method(&cancel), "CANCEL");
    assert!(text(&cancel).contains("The caller is gone"));
}

#[test]
fn another_flow_of_the_same_instance_is_tried_when_the_first_fails() {
    let mut house = house(open_config());
    let flows = [1, 2].map(|number| {
        let mut phone = tcp_phone("alice", number, &format!("198.51.100.9:5100{number}"), "10.0.0.9:5060");
        phone.parameters = format!(";reg-id={number};+sip.instance=\"<urn:uuid:0001>\"");
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
        house.wait(Duration::from_secs(1));
        phone
    });
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com", "c1"));
    assert_eq!(
        method(&house.one(&flows[1].flow)),
        "INVITE",
        "the newest flow, and one branch for one instance"
    );
    house.nothing(&flows[0].flow);
    house.close(&flows[1].flow);
    assert_eq!(method(&house.one(&flows[0].flow)), "INVITE");
}

/// Alice calls bob, loses her connection, and registers again: the answer comes there.
fn answer_follows(house: &mut House, alice: &Phone, again: &Phone) {
    let bob = bob();
    house.register(&bob);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.close(&alice.flow);
    house.register(again);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    assert_eq!(house.one(&again.flow).status(), Some(200));
}

#[test]
fn the_answer_follows_a_page_that_calls_by_a_gruu() {
    for name in ["pub-gruu", "temp-gruu"] {
        let mut house = house(open_config());
        let instance = ";reg-id=1;+sip.instance=\"<urn:uuid:0001>\"";
        let alice = Phone { parameters: instance.to_owned(), ..page("alice", 1) };
        let contact = header(&house.register(&alice), sip::HeaderName::Contact);
        let (_, gruu) = contact.split_once(&format!("{name}=\"")).unwrap();
        let alice = Phone { contact: gruu.split('"').next().unwrap().to_owned(), ..alice };
        let again = Phone { parameters: instance.to_owned(), ..page("alice", 9) };
        answer_follows(&mut house, &alice, &again);
    }
}

/// RFC 5626 §4.3.
#[test]
fn the_answer_follows_a_page_whose_contact_says_that_it_begins_a_dialog() {
    let (mut house, registered) = (house(open_config()), page("alice", 1));
    house.register(&registered);
    let again = Phone { contact: registered.contact.clone(), ..page("alice", 9) };
    let alice = Phone { contact: format!("{};ob", registered.contact), ..registered };
    answer_follows(&mut house, &alice, &again);
}

#[test]
fn the_answer_follows_a_page_that_registers_anew_before_its_old_connection_is_closed() {
    let (mut house, alice, bob) = (house(open_config()), page("alice", 1), bob());
    house.register(&alice);
    house.register(&bob);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 180, ""));
    let again = Phone { contact: alice.contact.clone(), ..page("alice", 9) };
    house.register(&again);
    house.close(&alice.flow);
    house.wait(Duration::from_secs(31));
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    assert_eq!(house.one(&again.flow).status(), Some(200));
}
