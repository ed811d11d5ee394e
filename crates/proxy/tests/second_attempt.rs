//! A target that refuses how a request was written gets it once more, and the caller hears nothing of it.

use std::time::Duration;

use crate::support::*;
use sip::{HeaderName, Message};

/// Alice's page has called bob, whose phone has just got the INVITE.
fn called() -> (House, Phone, Phone, Message) {
    let mut house = house(open_config());
    let (alice, bob) = (page("alice", 1), desk_phone("bob", "198.51.100.7:5062"));
    house.register(&alice);
    house.register(&bob);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "call"));
    house.take(&alice.flow);
    let invite = house.one(&bob.flow);
    (house, alice, bob, invite)
}

/// Bob's phone refuses, and whoever wrote the description has another one. What the phone gets then.
fn refuse(house: &mut House, bob: &Phone, invite: &Message, status: u16) -> Vec<Message> {
    let refusal = bob.respond(invite, status, "");
    let now = house.now;
    house.proxy.receive_for_second_attempt(now, &bob.flow, refusal.as_bytes());
    house.drain();
    house.take(&bob.flow)
}

fn cancel(caller: &Phone) -> String {
    let invite = caller.invite("sip:bob@example.com", "call");
    invite.replace("INVITE sip:", "CANCEL sip:").replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL")
}

fn branch(request: &Message) -> Vec<u8> {
    request.top_via().unwrap().branch().unwrap().to_vec()
}

#[test]
fn the_request_goes_to_the_same_target_under_a_new_branch_and_the_refusal_is_acknowledged() {
    let (mut house, alice, bob, first) = called();
    let got = refuse(&mut house, &bob, &first, 488);
    let [ack, second] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!((method(ack), branch(ack)), ("ACK".to_owned(), branch(&first)));
    assert_eq!(method(second), "INVITE");
    assert_ne!(branch(second), branch(&first));
    for name in [HeaderName::CallId, HeaderName::CSeq, HeaderName::From, HeaderName::To] {
        assert_eq!(header(second, name), header(&first, name));
    }
    assert_eq!(second.request_uri(), first.request_uri());
    house.nothing(&alice.flow);
    house.receive(&bob.flow, &bob.respond(second, 200, ""));
    assert_eq!(house.one(&alice.flow).status(), Some(200));
}

#[test]
fn the_second_refusal_is_the_callers() {
    let (mut house, alice, bob, first) = called();
    let second = refuse(&mut house, &bob, &first, 488).pop().unwrap();
    let got = refuse(&mut house, &bob, &second, 606);
    assert_eq!(got.iter().map(method).collect::<Vec<_>>(), ["ACK"], "no third attempt");
    assert_eq!(house.one(&alice.flow).status(), Some(606));
}

#[test]
fn a_refusal_that_comes_again_is_acknowledged_again_and_no_more() {
    let (mut house, alice, bob, first) = called();
    refuse(&mut house, &bob, &first, 488);
    let again = bob.respond(&first, 488, "");
    house.receive(&bob.flow, &again);
    assert_eq!(house.take(&bob.flow).iter().map(method).collect::<Vec<_>>(), ["ACK"]);
    house.nothing(&alice.flow);
}

#[test]
fn no_second_attempt_for_a_caller_who_has_given_up() {
    let (mut house, alice, bob, first) = called();
    house.receive(&bob.flow, &bob.respond(&first, 180, ""));
    house.one(&alice.flow);
    house.receive(&alice.flow, &cancel(&alice));
    assert_eq!(house.one(&alice.flow).status(), Some(200));
    house.take(&bob.flow);
    let got = refuse(&mut house, &bob, &first, 488);
    assert_eq!(got.iter().map(method).collect::<Vec<_>>(), ["ACK"]);
}

#[test]
fn the_caller_can_still_give_up_the_second_attempt() {
    let (mut house, alice, bob, first) = called();
    let second = refuse(&mut house, &bob, &first, 488).pop().unwrap();
    house.receive(&bob.flow, &bob.respond(&second, 180, ""));
    house.one(&alice.flow);
    house.receive(&alice.flow, &cancel(&alice));
    assert_eq!(house.one(&alice.flow).status(), Some(200));
    let cancel = house.one(&bob.flow);
    assert_eq!((method(&cancel), branch(&cancel)), ("CANCEL".to_owned(), branch(&second)));
}

#[test]
fn a_target_that_takes_the_second_request_for_the_first_gets_it_again_when_it_has_forgotten_that_one() {
    let (mut house, alice, bob, first) = called();
    let second = refuse(&mut house, &bob, &first, 488).pop().unwrap();
    house.receive(&bob.flow, &bob.respond(&second, 482, ""));
    assert_eq!(house.take(&bob.flow).iter().map(method).collect::<Vec<_>>(), ["ACK"]);
    house.wait(Duration::from_secs(5));
    house.nothing(&bob.flow);
    house.wait(Duration::from_millis(600));
    let third = house.one(&bob.flow);
    assert_eq!(method(&third), "INVITE");
    house.nothing(&alice.flow);
    house.receive(&bob.flow, &bob.respond(&third, 482, ""));
    assert_eq!(house.one(&alice.flow).status(), Some(482), "now it is its word");
}

#[test]
fn the_caller_can_give_up_while_a_branch_rests() {
    let (mut house, alice, bob, first) = called();
    let second = refuse(&mut house, &bob, &first, 488).pop().unwrap();
    house.receive(&bob.flow, &bob.respond(&second, 482, ""));
    house.take(&bob.flow);
    house.receive(&alice.flow, &cancel(&alice));
    let statuses: Vec<_> = house.take(&alice.flow).iter().filter_map(Message::status).collect();
    assert_eq!(statuses, [200, 487]);
    house.wait(Duration::from_secs(10));
    house.nothing(&bob.flow);
}
