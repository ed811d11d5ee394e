//! Reliable provisional responses between two agents, and against a script (RFC 3262).

use crate::common::{ANSWER, Line, OFFER, Phone, Side, config, incoming, lines, name, transaction};
use agent::{CallNumber, Event, Payload, ReliableProvisional, Via};
use core::time::Duration;
use sip::message::Message;
use sip::{Builder, HeaderName, Instant, Method, Transport};

fn phone(user: &str, seed: u64, reliable: ReliableProvisional) -> Phone {
    let mut config = config(user);
    config.reliable_provisional = reliable;
    let mut phone = Phone::new(config, seed);
    phone.agent.connected(Instant::ZERO, Via::new(Transport::Ws));
    phone.drain();
    phone
}

/// Alice and Bob as they are configured.
fn line_of(alice: ReliableProvisional, bob: ReliableProvisional) -> Line {
    let mut line = Line::new();
    line.alice = phone("alice", 1, alice);
    line.bob = phone("bob", 2, bob);
    line
}

const SUPPORTED: ReliableProvisional = ReliableProvisional::Supported;
const UNSUPPORTED: ReliableProvisional = ReliableProvisional::Unsupported;
const REQUIRED: ReliableProvisional = ReliableProvisional::Required;

#[test]
fn a_180_is_acknowledged_where_both_can() {
    let mut line = line_of(SUPPORTED, SUPPORTED);
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.ring(line.now, bob, 180, "", &Payload::default()).unwrap();
    line.carry();
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.carry();
    assert_eq!(
        line.take_passed(),
        [
            "alice INVITE",
            "bob 100 INVITE",
            "bob 180 INVITE",
            "alice PRACK",
            "bob 200 PRACK",
            "bob 200 INVITE",
            "alice ACK"
        ]
    );
    assert_eq!(line.alice.told(), ["Trying", "Progress", "Accepted", "confirmed Local"]);
    line.wait(Duration::from_secs(40));
    assert!(line.take_passed().iter().all(|passed| !passed.contains("180")), "nothing is repeated");
}

#[test]
fn who_does_not_support_it_gets_an_ordinary_180() {
    for (alice, bob) in [(UNSUPPORTED, SUPPORTED), (SUPPORTED, UNSUPPORTED)] {
        let mut line = line_of(alice, bob);
        line.alice.call(line.now, "sip:bob@example.org");
        line.carry();
        let bob = incoming(&line.bob.take_events());
        line.bob.agent.ring(line.now, bob, 180, "", &Payload::default()).unwrap();
        line.carry();
        assert_eq!(line.take_passed(), ["alice INVITE", "bob 100 INVITE", "bob 180 INVITE"]);
    }
}

#[test]
fn a_caller_who_requires_it_is_refused_by_who_cannot_and_one_who_cannot_by_who_requires_it() {
    for (alice, bob, status) in [(REQUIRED, UNSUPPORTED, "420"), (UNSUPPORTED, REQUIRED, "421")] {
        let mut line = line_of(alice, bob);
        line.alice.call(line.now, "sip:bob@example.org");
        line.carry();
        assert!(line.take_passed().contains(&format!("bob {status} INVITE")));
    }
}

#[test]
fn a_180_whose_prack_is_lost_is_repeated_and_heard_once() {
    let mut line = line_of(SUPPORTED, SUPPORTED);
    line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.ring(line.now, bob, 180, "", &Payload::default()).unwrap();
    let mut lost = 0;
    line.loses = Box::new(move |side, message| {
        let loses = side == Side::Bob && message.status() == Some(180) && lost < 2;
        lost += i32::from(loses);
        loses
    });
    line.wait(Duration::from_millis(1600));
    let passed = line.take_passed();
    // T1, then 2*T1: at 0, 0.5 and 1.5 seconds.
    assert_eq!(passed.iter().filter(|passed| *passed == "bob 180 INVITE").count(), 3, "{passed:?}");
    assert_eq!(passed.last().map(String::as_str), Some("bob 200 PRACK"));
    assert_eq!(line.alice.told(), ["Trying", "Progress"]);
    line.wait(Duration::from_secs(10));
    assert!(line.take_passed().is_empty());
}

#[test]
fn a_180_that_nobody_acknowledges_ends_the_call() {
    let mut line = line_of(SUPPORTED, SUPPORTED);
    line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.loses = Box::new(|side, message| side == Side::Alice && message.method() == Some(Method::Prack));
    line.bob.agent.ring(line.now, bob, 180, "", &Payload::default()).unwrap();
    line.wait(Duration::from_secs(33));
    assert_eq!(line.bob.told(), ["failed System NoAck"]);
    assert!(line.take_passed().contains(&"bob 504 INVITE".to_owned()));
}

#[test]
fn responses_wait_for_the_prack_of_the_one_before_and_so_does_a_200_behind_a_description() {
    let mut line = line_of(SUPPORTED, SUPPORTED);
    line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    let agent = &mut line.bob.agent;
    agent.ring(line.now, bob, 180, "", &Payload::default()).unwrap();
    agent.ring(line.now, bob, 183, "", &Payload::sdp(ANSWER)).unwrap();
    agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    assert_eq!(lines(&line.bob.take_sent()), ["180 INVITE"]);
    line.bob.agent.timeout(line.now + Duration::from_millis(500));
    line.now += Duration::from_millis(500);
    line.take_passed();
    line.carry();
    assert_eq!(
        line.take_passed(),
        [
            "bob 180 INVITE",
            "alice PRACK",
            "bob 200 PRACK",
            "bob 183 INVITE",
            "alice PRACK",
            "bob 200 PRACK",
            "bob 200 INVITE"
        ]
    );
    assert_eq!(line.alice.told(), ["Trying", "Progress", "Progress", "Accepted"]);
}

#[test]
fn an_offer_in_a_reliable_response_is_answered_in_the_prack_and_the_200_needs_no_description() {
    let mut line = line_of(SUPPORTED, SUPPORTED);
    let (alice, _) =
        line.alice.agent.create_call(line.now, "sip:bob@example.org", Default::default()).unwrap();
    line.alice.agent.invite(line.now, alice, Payload::default()).unwrap();
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.ring(line.now, bob, 183, "", &Payload::sdp(OFFER)).unwrap();
    line.carry();
    let events = line.alice.take_events();
    assert!(matches!(events.last(), Some(Event::Progress { offered: true, .. })), "{events:?}");
    line.alice.agent.acknowledge_provisional(line.now, alice, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    let events = line.bob.take_events();
    let [Event::ProvisionalAcknowledged { request, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(request.body(), ANSWER.as_bytes());
    line.bob.agent.accept(line.now, bob, 0, &Payload::default()).unwrap();
    line.carry();
    let events = line.alice.take_events();
    assert!(matches!(events.as_slice(), [Event::Accepted { offered: false, .. }]), "{events:?}");
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.carry();
    assert_eq!(line.bob.told(), ["confirmed Remote"]);
}

/// A 1xx of a server, in the early dialog `tag`.
fn progress(invite: &Message, status: u16, tag: &str, number: u32, body: &str) -> Vec<u8> {
    let number = number.to_string();
    let builder = Builder::response_to(invite, status, "")
        .to_tag(tag.as_bytes())
        .header(HeaderName::Contact, b"<sip:bob@192.0.2.9>")
        .header(HeaderName::Require, b"100rel")
        .header(HeaderName::RSeq, number.as_bytes());
    let builder = if body.is_empty() { builder } else { builder.body(b"application/sdp", body.as_bytes()) };
    builder.finish().unwrap()
}

#[test]
fn each_fork_has_an_order_of_its_own_and_what_came_too_early_is_waited_for() {
    let now = Instant::from_secs(1);
    let mut alice = phone("alice", 1, SUPPORTED);
    alice.call(now, "sip:bob@example.org");
    let invite = alice.only_sent();
    assert!(invite.lists(HeaderName::Supported, "100rel"));
    let acknowledged = |sent: Vec<Message>| -> Vec<String> {
        let rack = |message: &Message| message.header(HeaderName::RAck).unwrap_or_default().to_vec();
        sent.iter().map(|message| String::from_utf8(rack(message)).unwrap()).collect()
    };
    alice.receive(now, &progress(&invite, 180, "one", 7, ""));
    alice.receive(now, &progress(&invite, 180, "two", 70, ""));
    assert_eq!(acknowledged(alice.take_sent()), ["7 1 INVITE", "70 1 INVITE"]);
    alice.receive(now, &progress(&invite, 183, "one", 9, ""));
    assert!(alice.take_sent().is_empty(), "8 is missing");
    alice.receive(now, &progress(&invite, 183, "one", 8, ANSWER));
    alice.receive(now, &progress(&invite, 183, "one", 9, ""));
    assert_eq!(acknowledged(alice.take_sent()), ["8 1 INVITE", "9 1 INVITE"]);
    assert_eq!(alice.told(), ["Progress", "Progress", "Progress", "Progress"]);
}

#[test]
fn an_answer_in_a_reliable_response_counts_for_its_own_fork_only() {
    for (tag, expected) in [("one", "Accepted"), ("two", "failed Remote BadMediaDescription")] {
        let now = Instant::from_secs(1);
        let mut alice = phone("alice", 1, SUPPORTED);
        alice.call(now, "sip:bob@example.org");
        let invite = alice.only_sent();
        alice.receive(now, &progress(&invite, 183, "one", 7, ANSWER));
        let bytes = Builder::response_to(&invite, 200, "")
            .to_tag(tag.as_bytes())
            .header(HeaderName::Contact, b"<sip:bob@192.0.2.9>")
            .finish()
            .unwrap();
        alice.receive(now, &bytes);
        assert_eq!(alice.told(), ["Progress", expected]);
    }
}

#[test]
fn a_prack_for_nothing_is_refused_and_a_further_offer_in_one_is_the_users() {
    let mut line = line_of(SUPPORTED, SUPPORTED);
    line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.ring(line.now, bob, 183, "", &Payload::sdp(ANSWER)).unwrap();
    let ringing = line.bob.only_sent();
    let number = ringing.number(HeaderName::RSeq).unwrap().unwrap();
    let ask = |cseq: u32, acknowledged: u32, body: &str| {
        let rack = format!("{acknowledged} 1 INVITE");
        let via = format!("SIP/2.0/WS a.invalid;branch=z9hG4bKp{cseq}");
        let cseq = format!("{cseq} PRACK");
        let builder = Builder::request(Method::Prack, b"sip:bob@example.org")
            .header(HeaderName::Via, via.as_bytes())
            .header(HeaderName::MaxForwards, b"70")
            .header(HeaderName::From, ringing.header(HeaderName::From).unwrap())
            .header(HeaderName::To, ringing.header(HeaderName::To).unwrap())
            .header(HeaderName::CallId, ringing.call_id().unwrap())
            .header(HeaderName::CSeq, cseq.as_bytes())
            .header(HeaderName::RAck, rack.as_bytes());
        let builder =
            if body.is_empty() { builder } else { builder.body(b"application/sdp", body.as_bytes()) };
        builder.finish().unwrap()
    };
    line.bob.receive(line.now, &ask(2, number + 1, ""));
    assert_eq!(crate::common::line(&line.bob.only_sent()), "481 PRACK");
    line.bob.receive(line.now, &ask(3, number, OFFER));
    let events = line.bob.take_events();
    let [Event::DialogRequest { transaction, .. }] = events.as_slice() else {
        panic!("{:?}", events.iter().map(name).collect::<Vec<_>>())
    };
    line.bob.agent.respond(line.now, *transaction, 200, "", &Payload::sdp(ANSWER)).unwrap();
    let answer = line.bob.only_sent();
    assert_eq!((crate::common::line(&answer).as_str(), answer.body()), ("200 PRACK", ANSWER.as_bytes()));
}

/// A call from alice that rings at bob, whose 183 carries `early`: her number and bob's.
fn ringing(line: &mut Line, early: &str) -> (CallNumber, CallNumber) {
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    let payload = if early.is_empty() { Payload::default() } else { Payload::sdp(early) };
    line.bob.agent.ring(line.now, bob, 183, "", &payload).unwrap();
    line.carry();
    line.alice.take_events();
    line.bob.take_events();
    line.take_passed();
    (alice, bob)
}

#[test]
fn the_callees_offer_in_an_update_is_shown_while_it_rings_once_a_reliable_response_has_answered_ours() {
    let mut line = line_of(SUPPORTED, SUPPORTED);
    let (alice, bob) = ringing(&mut line, ANSWER);
    line.bob.agent.dialog_request(line.now, bob, "UPDATE", &Payload::sdp(OFFER)).unwrap();
    line.carry();
    let events = line.alice.take_events();
    assert_eq!(events.iter().map(name).collect::<Vec<_>>(), ["Reoffer"]);
    line.alice.agent.respond(line.now, transaction(&events), 200, "", &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    assert_eq!(line.take_passed(), ["bob UPDATE", "alice 200 UPDATE"]);
    line.bob.agent.accept(line.now, bob, 0, &Payload::default()).unwrap();
    line.carry();
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["Accepted", "confirmed Local"]);
}

#[test]
fn the_callees_offer_in_an_update_waits_while_ours_has_no_answer() {
    for (alice, early) in [(SUPPORTED, ""), (UNSUPPORTED, ANSWER)] {
        let mut line = line_of(alice, SUPPORTED);
        let (_, bob) = ringing(&mut line, early);
        line.bob.agent.dialog_request(line.now, bob, "UPDATE", &Payload::sdp(OFFER)).unwrap();
        line.carry();
        assert_eq!(line.take_passed(), ["bob UPDATE", "alice 491 UPDATE"]);
    }
}

#[test]
fn an_update_without_an_offer_is_taken_while_it_rings_and_starts_no_session_timer() {
    let mut line = line_of(UNSUPPORTED, UNSUPPORTED);
    let (alice, bob) = ringing(&mut line, "");
    line.alice.agent.dialog_request(line.now, alice, "UPDATE", &Payload::default()).unwrap();
    line.bob.agent.dialog_request(line.now, bob, "UPDATE", &Payload::default()).unwrap();
    line.carry();
    for side in [&mut line.alice, &mut line.bob] {
        let events = side.take_events();
        side.agent.respond(line.now, transaction(&events), 200, "", &Payload::default()).unwrap();
        let response = side.only_sent();
        assert_eq!(crate::common::line(&response), "200 UPDATE");
        assert_eq!(response.header(HeaderName::SessionExpires), None, "there is no session yet");
    }
}

#[test]
fn a_second_invite_of_the_callee_while_it_rings_is_refused_with_491() {
    let mut line = line_of(SUPPORTED, SUPPORTED);
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    let invite = line.alice.only_sent();
    line.alice.receive(line.now, &progress(&invite, 183, "one", 7, ANSWER));
    let identity = line.alice.agent.dialog_identity(alice).unwrap();
    line.alice.take_sent();
    let tagged = |uri: &str, tag: &[u8]| [uri.as_bytes(), b";tag=", tag].concat();
    let again = Builder::request(Method::Invite, b"sip:alice@example.org")
        .header(HeaderName::Via, b"SIP/2.0/WS b.invalid;branch=z9hG4bKagain")
        .header(HeaderName::MaxForwards, b"70")
        .header(HeaderName::From, &tagged("<sip:bob@example.org>", &identity.remote_tag))
        .header(HeaderName::To, &tagged("<sip:alice@example.org>", &identity.local_tag))
        .header(HeaderName::CallId, &identity.call_id)
        .header(HeaderName::CSeq, b"9 INVITE")
        .header(HeaderName::Contact, b"<sip:bob@192.0.2.9>")
        .finish()
        .unwrap();
    line.alice.receive(line.now, &again);
    assert_eq!(crate::common::line(&line.alice.only_sent()), "491 INVITE");
}
