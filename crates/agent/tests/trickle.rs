//! What calls say of candidates that are found late, and the INFOs that bring them (RFC 6086, RFC 8840).

use crate::common::{ANSWER, Line, Phone, incoming, transaction};
use agent::{Event, Header, Payload};
use sip::{HeaderName, Instant, Message};

const T0: Instant = Instant::ZERO;

fn packages(message: &Message) -> Option<&[u8]> {
    message.header(HeaderName::RecvInfo)
}

fn candidates() -> Payload {
    Payload { headers: vec![Header::new("Info-Package", "trickle-ice")], body: None }
}

/// Bob's phone rings; his 180 has passed.
fn ringing() -> (Line, agent::CallNumber, agent::CallNumber) {
    let mut line = Line::new();
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.ring(line.now, bob, 180, "", &Payload::default()).unwrap();
    line.carry();
    line.alice.take_events();
    (line, alice, bob)
}

#[test]
fn who_calls_and_who_answers_say_that_late_candidates_are_taken() {
    let mut alice = Phone::connected("alice", 1);
    alice.call(T0, "sip:bob@example.org");
    let invite = alice.only_sent();
    assert_eq!(packages(&invite), Some(&b"trickle-ice"[..]));
    assert!(invite.lists(HeaderName::Supported, "trickle-ice"));
    let mut bob = Phone::connected("bob", 2);
    bob.receive(T0, invite.as_bytes());
    let call = incoming(&bob.take_events());
    bob.take_sent();
    bob.agent.ring(T0, call, 180, "", &Payload::default()).unwrap();
    assert_eq!(packages(&bob.only_sent()), Some(&b"trickle-ice"[..]));
    bob.agent.accept(T0, call, 0, &Payload::sdp(ANSWER)).unwrap();
    let answer = bob.only_sent();
    assert_eq!(packages(&answer), Some(&b"trickle-ice"[..]));
    assert!(answer.lists(HeaderName::Supported, "trickle-ice"));
}

#[test]
fn who_calls_without_a_word_of_packages_hears_none() {
    let mut alice = Phone::connected("alice", 1);
    alice.call(T0, "sip:bob@example.org");
    let invite = alice.only_sent();
    let mut without = invite.edit();
    without.remove(HeaderName::RecvInfo);
    let invite = without.finish().unwrap();
    let mut bob = Phone::connected("bob", 2);
    bob.receive(T0, &invite);
    let call = incoming(&bob.take_events());
    bob.take_sent();
    bob.agent.accept(T0, call, 0, &Payload::sdp(ANSWER)).unwrap();
    assert_eq!(packages(&bob.only_sent()), None);
}

#[test]
fn a_reoffer_and_its_answer_say_it_again() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    line.alice.agent.reinvite(line.now, alice, false, Payload::sdp(ANSWER)).unwrap();
    let reinvite = line.alice.only_sent();
    assert_eq!(packages(&reinvite), Some(&b"trickle-ice"[..]));
    line.bob.receive(line.now, reinvite.as_bytes());
    let waiting = transaction(&line.bob.take_events());
    line.bob.take_sent();
    line.bob.agent.respond(line.now, waiting, 200, "", &Payload::sdp(ANSWER)).unwrap();
    assert_eq!(packages(&line.bob.only_sent()), Some(&b"trickle-ice"[..]));
}

#[test]
fn late_candidates_reach_a_phone_that_still_rings() {
    let (mut line, alice, bob) = ringing();
    line.alice.agent.dialog_request(line.now, alice, "INFO", &candidates()).unwrap();
    line.carry();
    let events = line.bob.take_events();
    let [Event::DialogRequest { call, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(*call, bob);
    line.bob.agent.respond(line.now, transaction(&events), 200, "", &Payload::default()).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["response 200"]);
}

#[test]
fn a_branch_that_is_gone_before_the_answer_does_not_end_the_call() {
    let (mut line, alice, _) = ringing();
    line.alice.agent.dialog_request(line.now, alice, "INFO", &candidates()).unwrap();
    let info = line.alice.only_sent();
    line.alice.answer(line.now, &info, 481, |builder| builder);
    assert_eq!(line.alice.told(), ["response 481"]);
    line.alice.agent.dialog_request(line.now, alice, "INFO", &candidates()).unwrap();
    line.alice.take_sent();
    line.alice.wait(line.now + core::time::Duration::from_secs(40));
    assert_eq!(line.alice.told(), ["request failed RequestTimeout"]);
}
