//! Calls between two agents, and what can go wrong in them (RFC 3261 §9, §13-15, RFC 6026).

use crate::common::{ANSWER, Line, OFFER, Phone, Side, incoming, lines, transaction};
use agent::{CallOptions, Ending, Header, Payload};
use core::time::Duration;
use sip::message::Message;
use sip::{Builder, HeaderName, Instant, Method};

#[test]
fn a_call_rings_is_answered_and_the_caller_hangs_up() {
    let mut line = Line::new();
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.ring(line.now, bob, 180, "", &Payload::default()).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["Trying", "Progress"]);
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["Accepted"]);
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.carry();
    assert_eq!(line.bob.told(), ["confirmed Remote"]);
    line.alice.agent.end(line.now, alice, &Ending::default()).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["confirmed Local", "ended Local Terminated"]);
    assert_eq!(line.bob.told(), ["ended Remote Terminated"]);
    assert_eq!(
        line.take_passed(),
        [
            "alice INVITE",
            "bob 100 INVITE",
            "bob 180 INVITE",
            "bob 200 INVITE",
            "alice ACK",
            "alice BYE",
            "bob 200 BYE"
        ]
    );
    line.wait(Duration::from_secs(120));
    assert!(line.take_passed().is_empty(), "a call that is over says nothing more");
}

#[test]
fn the_callee_hangs_up() {
    let mut line = Line::new();
    let (_, bob) = line.established();
    line.bob.agent.end(line.now, bob, &Ending::default()).unwrap();
    line.carry();
    assert_eq!(line.take_passed(), ["bob BYE", "alice 200 BYE"]);
    assert_eq!(line.alice.told(), ["ended Remote Terminated"]);
}

#[test]
fn both_hang_up_at_once() {
    let mut line = Line::new();
    let (alice, bob) = line.established();
    line.alice.agent.end(line.now, alice, &Ending::default()).unwrap();
    line.bob.agent.end(line.now, bob, &Ending::default()).unwrap();
    line.carry();
    assert_eq!(line.take_passed(), ["alice BYE", "bob BYE", "alice 200 BYE", "bob 200 BYE"]);
    assert_eq!(line.alice.told(), ["ended Local Terminated"]);
    assert_eq!(line.bob.told(), ["ended Local Terminated"]);
}

#[test]
fn a_call_is_refused() {
    let mut line = Line::new();
    line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.reject(line.now, bob, &Ending { status: 486, ..Ending::default() }).unwrap();
    line.carry();
    assert_eq!(line.take_passed(), ["alice INVITE", "bob 100 INVITE", "bob 486 INVITE", "alice ACK"]);
    assert_eq!(line.alice.told(), ["Trying", "failed Remote Busy"]);
    assert_eq!(line.bob.told(), ["failed Local Rejected"]);
}

#[test]
fn a_ringing_call_is_cancelled_with_a_reason() {
    let mut line = Line::new();
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    incoming(&line.bob.take_events());
    let reason = Some("SIP;cause=200;text=\"Call completed elsewhere\"".to_owned());
    line.alice.agent.cancel(line.now, alice, &Ending { cancel_reason: reason, ..Ending::default() }).unwrap();
    assert_eq!(line.alice.told(), ["Trying", "failed Local Canceled"]);
    line.carry();
    assert_eq!(
        line.take_passed(),
        ["alice INVITE", "bob 100 INVITE", "alice CANCEL", "bob 200 CANCEL", "bob 487 INVITE", "alice ACK"]
    );
    let events = line.bob.take_events();
    let [agent::Event::Failed { message: Some(cancel), .. }] = events.as_slice() else {
        panic!("the callee must hear of the CANCEL: {events:?}");
    };
    assert_eq!(
        cancel.header(HeaderName::Reason),
        Some(&b"SIP;cause=200;text=\"Call completed elsewhere\""[..])
    );
}

#[test]
fn a_cancel_before_any_response_waits_for_one() {
    let mut line = Line::new();
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.alice.agent.cancel(line.now, alice, &Ending::default()).unwrap();
    assert_eq!(
        lines(&line.alice.sent),
        ["INVITE"],
        "no CANCEL before a provisional response (RFC 3261 §9.1)"
    );
    line.carry();
    assert_eq!(line.bob.told(), ["IncomingCall", "failed Remote Canceled"]);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut line = Line::new();
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.alice.agent.cancel(line.now, alice, &Ending::default()).unwrap();
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.take_passed();
    line.carry();
    let passed = line.take_passed();
    assert!(
        passed.contains(&"alice ACK".to_owned()) && passed.contains(&"alice BYE".to_owned()),
        "{passed:?}"
    );
    assert_eq!(line.alice.told(), ["Trying", "failed Local Canceled"], "the user hears nothing of the race");
    assert_eq!(line.bob.told(), ["confirmed Remote", "ended Remote Terminated"]);
}

#[test]
fn nobody_answers() {
    let mut line = Line::new();
    line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    line.wait(Duration::from_secs(61));
    assert_eq!(line.bob.told(), ["IncomingCall", "failed Local NoAnswer"]);
    assert_eq!(line.alice.told(), ["Trying", "failed Remote Unavailable"]);
}

#[test]
fn an_impatient_caller_gives_up() {
    let mut line = Line::new();
    let options = CallOptions { no_answer_timeout: 20, ..CallOptions::default() };
    let (call, _) = line.alice.agent.create_call(line.now, "sip:bob@example.org", options).unwrap();
    line.alice.agent.invite(line.now, call, Payload::sdp(OFFER)).unwrap();
    line.wait(Duration::from_secs(21));
    assert_eq!(line.alice.told(), ["Trying", "failed Local NoAnswer"]);
    assert_eq!(line.bob.told(), ["IncomingCall", "failed Remote Canceled"]);
}

#[test]
fn a_server_that_is_silent_is_given_up_after_64_t1() {
    let mut alice = Phone::connected("alice", 1);
    alice.call(Instant::ZERO, "sip:bob@example.org");
    alice.wait(Instant::from_millis(31_999));
    assert!(alice.told().is_empty());
    alice.wait(Instant::from_secs(32));
    assert_eq!(alice.told(), ["failed System RequestTimeout"]);
}

#[test]
fn a_lost_ack_is_repeated_when_the_answer_is() {
    let mut line = Line::new();
    let mut acks = 0;
    line.loses = Box::new(move |_, message| {
        acks += u32::from(message.method() == Some(Method::Ack));
        message.method() == Some(Method::Ack) && acks <= 2
    });
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.wait(Duration::from_secs(5));
    assert_eq!(line.bob.told(), ["confirmed Remote"]);
    let passed = line.take_passed();
    assert_eq!(passed.iter().filter(|line| *line == "alice ACK").count(), 3, "{passed:?}");
}

#[test]
fn an_answer_that_is_never_acknowledged_ends_the_call() {
    let mut line = Line::new();
    line.loses = Box::new(|_, message| message.method() == Some(Method::Ack));
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.wait(Duration::from_secs(33));
    assert_eq!(line.bob.told(), ["ended Remote NoAck"]);
    assert_eq!(line.alice.told().last().map(String::as_str), Some("ended Remote Terminated"));
}

#[test]
fn a_callee_that_hangs_up_before_the_ack_waits_for_it() {
    let mut line = Line::new();
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    line.bob.agent.end(line.now, bob, &Ending::default()).unwrap();
    assert_eq!(line.bob.told(), ["ended Local Terminated"]);
    assert!(line.bob.take_sent().is_empty(), "no BYE before the ACK (RFC 3261 §15)");
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.take_passed();
    line.carry();
    assert_eq!(line.take_passed(), ["alice ACK", "bob BYE", "alice 200 BYE"]);
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut line = Line::new();
    let (alice, _) =
        line.alice.agent.create_call(line.now, "sip:bob@example.org", CallOptions::default()).unwrap();
    line.alice.agent.invite(line.now, alice, Payload::default()).unwrap();
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(OFFER)).unwrap();
    line.carry();
    let events = line.alice.take_events();
    assert!(matches!(events.last(), Some(agent::Event::Accepted { offered: true, .. })), "{events:?}");
    line.alice.agent.acknowledge(line.now, alice, Payload::sdp(ANSWER)).unwrap();
    line.carry();
    let events = line.bob.take_events();
    let [agent::Event::Confirmed { request: Some(ack), .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(ack.body(), ANSWER.as_bytes());
}

#[test]
fn a_late_offer_without_an_answer_ends_the_call() {
    let mut line = Line::new();
    let (alice, _) =
        line.alice.agent.create_call(line.now, "sip:bob@example.org", CallOptions::default()).unwrap();
    line.alice.agent.invite(line.now, alice, Payload::default()).unwrap();
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(OFFER)).unwrap();
    line.carry();
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.carry();
    assert_eq!(line.bob.told(), ["ended Local MissingSdp"]);
}

/// An UPDATE with an offer within the dialog of `request`, as its sender would send it next.
fn update_after(request: &Message, answer: &Message) -> Vec<u8> {
    let edited = request
        .edit()
        .replace(HeaderName::To, answer.header(HeaderName::To).unwrap())
        .replace(HeaderName::CSeq, b"90 UPDATE")
        .replace_first_value(HeaderName::Via, b"SIP/2.0/WS x.invalid;branch=z9hG4bKupdate")
        .body(b"application/sdp", OFFER.as_bytes())
        .finish()
        .unwrap();
    [b"UPDATE", edited.strip_prefix(b"INVITE".as_slice()).unwrap()].concat()
}

#[test]
fn an_offer_while_ours_waits_for_its_answer_in_the_ack_is_refused_with_491() {
    let mut line = Line::new();
    let (alice, _) =
        line.alice.agent.create_call(line.now, "sip:bob@example.org", CallOptions::default()).unwrap();
    line.alice.agent.invite(line.now, alice, Payload::default()).unwrap();
    let invite = line.alice.only_sent();
    line.bob.receive(line.now, invite.as_bytes());
    let bob = incoming(&line.bob.take_events());
    line.bob.take_sent();
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(OFFER)).unwrap();
    let answer = line.bob.only_sent();
    line.bob.receive(line.now, &update_after(&invite, &answer));
    assert_eq!(lines(&line.bob.take_sent()), ["491 UPDATE"], "RFC 3311 §5.2");
    assert!(line.bob.told().is_empty());
}

#[test]
fn an_offer_while_ours_to_a_reinvite_waits_for_its_answer_is_refused_with_491() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    line.alice.agent.reinvite(line.now, alice, false, Payload::default()).unwrap();
    let reinvite = line.alice.only_sent();
    line.bob.receive(line.now, reinvite.as_bytes());
    let events = line.bob.take_events();
    line.bob.take_sent();
    line.bob.agent.respond(line.now, transaction(&events), 200, "", &Payload::sdp(OFFER)).unwrap();
    let answer = line.bob.only_sent();
    line.bob.receive(line.now, &update_after(&reinvite, &answer));
    assert_eq!(lines(&line.bob.take_sent()), ["491 UPDATE"], "RFC 3311 §5.2");
    assert!(line.bob.told().is_empty());
}

/// A response to alice's INVITE from the phone that answers under `tag`.
fn fork(invite: &Message, status: u16, tag: &str) -> Vec<u8> {
    let contact = format!("<sip:bob@{tag}.example;transport=ws>");
    Builder::response_to(invite, status, "")
        .to_tag(tag.as_bytes())
        .header(HeaderName::Contact, contact.as_bytes())
        .header(HeaderName::RecordRoute, b"<sip:edge.example;lr>")
        .body(b"application/sdp", ANSWER.as_bytes())
        .finish()
        .unwrap()
}

#[test]
fn of_two_forks_that_answer_the_first_wins_and_the_other_is_dismissed_on_its_own_dialog() {
    let now = Instant::ZERO;
    let mut alice = Phone::connected("alice", 1);
    let call = alice.call(now, "sip:bob@example.org");
    let invite = alice.only_sent();
    for tag in ["desk", "mobile"] {
        alice.receive(now, &fork(&invite, 183, tag));
    }
    alice.receive(now, &fork(&invite, 200, "mobile"));
    alice.receive(now, &fork(&invite, 200, "desk"));
    assert_eq!(alice.told(), ["Progress", "Progress", "Accepted"]);
    let sent = alice.take_sent();
    assert_eq!(lines(&sent), ["ACK", "BYE"], "the loser is acknowledged and ended");
    for request in &sent {
        assert_eq!(request.to().unwrap().tag(), Some(&b"desk"[..]));
        assert_eq!(request.request_uri(), b"sip:bob@desk.example;transport=ws");
        assert_eq!(request.header(HeaderName::Route), Some(&b"<sip:edge.example;lr>"[..]));
    }
    alice.agent.acknowledge(now, call, Payload::default()).unwrap();
    let ack = alice.only_sent();
    assert_eq!(ack.to().unwrap().tag(), Some(&b"mobile"[..]));
    alice.receive(now, &fork(&invite, 200, "mobile"));
    assert_eq!(alice.only_sent().as_bytes(), ack.as_bytes(), "a repeated 2xx gets the same ACK");
    alice.agent.end(now, call, &Ending::default()).unwrap();
    assert_eq!(alice.only_sent().request_uri(), b"sip:bob@mobile.example;transport=ws");
}

#[test]
fn an_answer_without_a_description_is_ended() {
    let now = Instant::ZERO;
    let mut alice = Phone::connected("alice", 1);
    alice.call(now, "sip:bob@example.org");
    let invite = alice.only_sent();
    alice.answer(now, &invite, 200, |builder| builder.header(HeaderName::Contact, b"<sip:bob@192.0.2.2>"));
    assert_eq!(lines(&alice.take_sent()), ["ACK", "BYE"]);
    assert_eq!(alice.told(), ["failed Remote BadMediaDescription"]);
}

#[test]
fn a_reoffer_is_answered_and_acknowledged() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    line.alice.agent.reinvite(line.now, alice, false, Payload::sdp(OFFER)).unwrap();
    assert!(!line.alice.agent.can_reinvite(alice).unwrap());
    line.carry();
    let events = line.bob.take_events();
    line.bob.agent.respond(line.now, transaction(&events), 200, "", &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["response 200"]);
    assert_eq!(line.bob.told(), ["ReofferAcknowledged"]);
    assert_eq!(line.take_passed(), ["alice INVITE", "bob 100 INVITE", "bob 200 INVITE", "alice ACK"]);
    assert!(line.alice.agent.can_reinvite(alice).unwrap());
}

#[test]
fn a_reoffer_by_update_needs_no_ack() {
    let mut line = Line::new();
    let (_, bob) = line.established();
    line.bob.agent.reinvite(line.now, bob, true, Payload::sdp(OFFER)).unwrap();
    line.carry();
    let events = line.alice.take_events();
    line.alice.agent.respond(line.now, transaction(&events), 200, "", &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    assert_eq!(line.bob.told(), ["response 200"]);
    assert_eq!(line.take_passed(), ["bob UPDATE", "alice 200 UPDATE"]);
}

#[test]
fn a_notify_that_nobody_waits_for_any_more_does_not_end_the_call_whose_dialog_it_shares() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    let refused = |line: &mut Line, method: &str| {
        line.alice.agent.dialog_request(line.now, alice, method, &Payload::default()).unwrap();
        line.carry();
        let number = transaction(&line.bob.take_events());
        line.bob.agent.respond(line.now, number, 481, "", &Payload::default()).unwrap();
        line.carry();
        line.alice.told()
    };
    assert_eq!(refused(&mut line, "NOTIFY"), ["response 481"]);
    assert_eq!(refused(&mut line, "INFO"), ["response 481", "ended Remote DialogError"]);
}

#[test]
fn who_has_answered_in_time_is_not_cut_off_while_his_answer_is_made() {
    let mut line = Line::new();
    line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.wait(Duration::from_secs(59));
    line.take_passed();
    line.bob.agent.ring(line.now, bob, 100, "", &Payload::default()).unwrap();
    line.wait(Duration::from_secs(5));
    assert!(line.take_passed().is_empty());
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    assert_eq!(line.take_passed(), ["bob 200 INVITE"]);
}

#[test]
fn two_offers_at_once_are_both_refused_with_491() {
    let mut line = Line::new();
    let (alice, bob) = line.established();
    line.alice.agent.reinvite(line.now, alice, false, Payload::sdp(OFFER)).unwrap();
    line.bob.agent.reinvite(line.now, bob, false, Payload::sdp(OFFER)).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["response 491"], "and the peer's offer is not shown");
    assert_eq!(line.bob.told(), ["response 491"]);
    assert!(line.alice.agent.can_reinvite(alice).unwrap() && line.bob.agent.can_reinvite(bob).unwrap());
}

#[test]
fn a_second_offer_before_the_first_is_answered_is_put_off() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    line.alice.agent.reinvite(line.now, alice, false, Payload::sdp(OFFER)).unwrap();
    let mut sent = line.alice.take_sent();
    let invite = sent.remove(0);
    line.bob.receive(line.now, invite.as_bytes());
    line.bob.take_sent();
    // Another re-INVITE of the same dialog, as a broken peer would send it.
    let second = invite
        .edit()
        .replace(HeaderName::CSeq, b"9 INVITE")
        .replace_first_value(HeaderName::Via, b"SIP/2.0/WS x.invalid;branch=z9hG4bKsecond")
        .finish()
        .unwrap();
    line.bob.receive(line.now, &second);
    let refusal = line.bob.only_sent();
    assert_eq!(refusal.status(), Some(500));
    assert!(refusal.header(HeaderName::RetryAfter).is_some(), "RFC 3261 §14.2 asks for Retry-After");
    assert_eq!(line.bob.told(), ["Reoffer"]);
}

#[test]
fn an_offerless_reinvite_is_answered_in_its_ack() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    let (number, _) = line.alice.agent.reinvite(line.now, alice, false, Payload::default()).unwrap();
    line.carry();
    let events = line.bob.take_events();
    line.bob.agent.respond(line.now, transaction(&events), 200, "", &Payload::sdp(OFFER)).unwrap();
    line.carry();
    let events = line.alice.take_events();
    assert!(
        matches!(events.as_slice(), [agent::Event::Response { needs_acknowledge: true, .. }]),
        "{events:?}"
    );
    line.alice.agent.acknowledge_reinvite(line.now, number, Payload::sdp(ANSWER)).unwrap();
    line.carry();
    let events = line.bob.take_events();
    let [agent::Event::ReofferAcknowledged { request, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(request.body(), ANSWER.as_bytes());
}

#[test]
fn digits_travel_as_info() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    let digit = Payload {
        headers: Vec::new(),
        body: Some(agent::Body::new("application/dtmf-relay", b"Signal=5\r\nDuration=100\r\n")),
    };
    line.alice.agent.dialog_request(line.now, alice, "INFO", &digit).unwrap();
    line.carry();
    let events = line.bob.take_events();
    let [agent::Event::DialogRequest { request, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(request.body(), b"Signal=5\r\nDuration=100\r\n");
    assert_eq!(request.header(HeaderName::ContentType), Some(&b"application/dtmf-relay"[..]));
    line.bob.agent.respond(line.now, transaction(&events), 200, "", &Payload::default()).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["response 200"]);
}

#[test]
fn a_peer_that_forgot_the_dialog_ends_it() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    line.alice.agent.dialog_request(line.now, alice, "INFO", &Payload::default()).unwrap();
    let info = line.alice.only_sent();
    line.alice.answer(line.now, &info, 481, |builder| builder);
    assert_eq!(line.alice.told(), ["response 481", "ended Remote DialogError"]);
    assert!(line.alice.take_sent().is_empty(), "no BYE to a peer that knows nothing of the dialog");
}

/// RFC 3323 §4.1.1.3: an answer has a Contact as well as a request.
#[test]
fn a_caller_who_hides_is_not_betrayed_by_his_answers() {
    let mut line = Line::new();
    let origin = agent::Origin { anonymous: true, ..agent::Origin::default() };
    let options = CallOptions { origin, ..CallOptions::default() };
    let (alice, _) = line.alice.agent.create_call(line.now, "sip:bob@example.org", options).unwrap();
    line.alice.agent.invite(line.now, alice, Payload::sdp(OFFER)).unwrap();
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.carry();
    line.alice.told();
    line.bob.agent.reinvite(line.now, bob, true, Payload::sdp(OFFER)).unwrap();
    line.carry();
    let waiting = transaction(&line.alice.take_events());
    line.alice.agent.respond(line.now, waiting, 200, "", &Payload::sdp(ANSWER)).unwrap();
    let answer = line.alice.only_sent();
    assert_eq!(
        answer.header(HeaderName::Contact),
        Some(&b"<sip:anonymous@anonymous.invalid;transport=ws>"[..])
    );
}

/// RFC 3261 §12.2.1.2: that ends the call, and a peer who lives is not left waiting.
#[test]
fn a_peer_that_leaves_a_request_unanswered_is_hung_up() {
    for answered in [true, false] {
        let mut line = Line::new();
        let (alice, _) = line.established();
        line.alice.agent.dialog_request(line.now, alice, "INFO", &Payload::default()).unwrap();
        let info = line.alice.only_sent();
        if answered {
            line.alice.answer(line.now, &info, 408, |builder| builder);
        } else {
            line.alice.wait(line.now + Duration::from_secs(33));
        }
        assert!(line.alice.told().iter().any(|event| event.starts_with("ended")));
        let sent = line.alice.take_sent();
        let bye = sent.iter().find(|request| request.method() == Some(Method::Bye)).expect("a BYE");
        assert!(bye.header(HeaderName::Reason).unwrap().starts_with(b"SIP;cause=408"));
    }
}

#[test]
fn an_invite_that_replaces_a_call_names_it() {
    let mut line = Line::new();
    let (_, bob) = line.established();
    let identity = line.bob.agent.dialog_identity(bob).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        text(&identity.call_id),
        text(&identity.local_tag),
        text(&identity.remote_tag)
    );
    let mut carol = Phone::connected("carol", 3);
    let (call, _) = carol.agent.create_call(line.now, "sip:bob@example.org", CallOptions::default()).unwrap();
    let payload = Payload { headers: vec![Header::new("Replaces", &replaces)], ..Payload::sdp(OFFER) };
    carol.agent.invite(line.now, call, payload).unwrap();
    line.bob.receive(line.now, carol.only_sent().as_bytes());
    let events = line.bob.take_events();
    let [agent::Event::IncomingCall { replaces, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(*replaces, Some(bob));
}

/// RFC 3891 §3: an early dialog may be replaced by whom it began.
#[test]
fn an_early_dialog_may_be_replaced_at_the_caller_only() {
    for (side, expected) in [(Side::Alice, "IncomingCall"), (Side::Bob, "481 INVITE")] {
        let mut line = Line::new();
        line.alice.call(line.now, "sip:bob@example.org");
        line.carry();
        let bob = incoming(&line.bob.take_events());
        line.bob.agent.ring(line.now, bob, 180, "", &Payload::default()).unwrap();
        line.carry();
        line.alice.told();
        let identity = line.bob.agent.dialog_identity(bob).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (callee, caller) = (text(&identity.local_tag), text(&identity.remote_tag));
        let (phone, own, other) = match side {
            Side::Alice => (&mut line.alice, caller, callee),
            Side::Bob => (&mut line.bob, callee, caller),
        };
        let value = format!("{};to-tag={own};from-tag={other}", text(&identity.call_id));
        let target = format!("sip:{}@example.org", if side == Side::Alice { "alice" } else { "bob" });
        let mut carol = Phone::connected("carol", 3);
        let (call, _) = carol.agent.create_call(line.now, &target, CallOptions::default()).unwrap();
        let payload = Payload { headers: vec![Header::new("Replaces", &value)], ..Payload::sdp(OFFER) };
        carol.agent.invite(line.now, call, payload).unwrap();
        phone.receive(line.now, carol.only_sent().as_bytes());
        let seen = [phone.told(), lines(&phone.take_sent())].concat();
        assert_eq!(seen.first().map(String::as_str), Some(expected), "{side:?}");
    }
}

#[test]
fn an_invite_that_replaces_nothing_we_have_is_refused() {
    let mut carol = Phone::connected("carol", 3);
    let mut bob = Phone::connected("bob", 2);
    let now = Instant::ZERO;
    let (call, _) = carol.agent.create_call(now, "sip:bob@example.org", CallOptions::default()).unwrap();
    let headers = vec![Header::new("Replaces", "nothing;to-tag=a;from-tag=b")];
    carol.agent.invite(now, call, Payload { headers, ..Payload::sdp(OFFER) }).unwrap();
    bob.receive(now, carol.only_sent().as_bytes());
    assert_eq!(lines(&bob.take_sent()), ["481 INVITE"]);
    assert!(bob.told().is_empty());
}

#[test]
fn the_session_is_refreshed_by_update_while_both_are_there_and_ends_when_one_is_gone() {
    let mut line = Line::new();
    line.established();
    line.wait(Duration::from_secs(50));
    let events = line.alice.take_events().into_iter().chain(line.bob.take_events()).collect::<Vec<_>>();
    let update = line.take_passed();
    assert!(update.iter().any(|passed| passed.ends_with(" UPDATE")), "{update:?}");
    assert_eq!(events.len(), 1, "only the refreshed side is told: {events:?}");
    line.loses = Box::new(|side, _| side == Side::Alice);
    line.wait(Duration::from_secs(200));
    let told = line.bob.told();
    assert!(told.iter().any(|event| event.starts_with("ended")), "{told:?}");
}

/// RFC 4028 §9.
#[test]
fn the_session_interval_that_is_left_to_us_is_no_shorter_than_the_way_allows() {
    let mut bob = Phone::connected("bob", 2);
    let invite = [
        "INVITE sip:bob@example.org SIP/2.0",
        "Via: SIP/2.0/WS far.example;branch=z9hG4bKa",
        "From: <sip:alice@example.org>;tag=a",
        "To: <sip:bob@example.org>",
        "Call-ID: a@far.example",
        "CSeq: 1 INVITE",
        "Contact: <sip:alice@far.example>",
        "Supported: timer",
        "Min-SE: 600",
        "",
        "",
    ];
    bob.receive(Instant::ZERO, invite.join("\r\n").as_bytes());
    let call = incoming(&bob.take_events());
    bob.take_sent();
    bob.agent.accept(Instant::ZERO, call, 0, &Payload::sdp(OFFER)).unwrap();
    let answer = bob.only_sent();
    assert_eq!(answer.header(HeaderName::SessionExpires), Some(&b"600;refresher=uas"[..]));
}

/// RFC 4028 §7.3: whoever stands on the way wants a longer interval, of the first INVITE and of each refresh.
#[test]
fn a_request_with_too_short_an_interval_goes_out_again_with_the_one_that_is_asked_for() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    let offer = || Payload::sdp(OFFER);
    let first = Phone::call;
    for (update, seconds) in [(None, "600"), (Some(false), "600"), (Some(true), "700")] {
        match update {
            None => drop(first(&mut line.alice, line.now, "sip:dora@example.org")),
            Some(update) => drop(line.alice.agent.reinvite(line.now, alice, update, offer()).unwrap()),
        }
        let brief = line.alice.only_sent();
        line.alice
            .answer(line.now, &brief, 422, |builder| builder.header(HeaderName::MinSe, seconds.as_bytes()));
        let again: Vec<Message> = line.alice.take_sent();
        let again: Vec<&Message> = again.iter().filter(|it| it.method() != Some(Method::Ack)).collect();
        let [again] = again.as_slice() else { panic!("{update:?}: {} requests", again.len()) };
        assert_eq!(again.method(), brief.method());
        assert_eq!(again.body(), brief.body());
        assert_eq!(again.cseq().unwrap().number, brief.cseq().unwrap().number + 1);
        assert!(again.header(HeaderName::SessionExpires).unwrap().starts_with(seconds.as_bytes()));
        assert_eq!(again.header(HeaderName::MinSe), Some(seconds.as_bytes()));
        assert!(line.alice.told().is_empty(), "the user need not know");
        line.alice
            .answer(line.now, again, 422, |builder| builder.header(HeaderName::MinSe, seconds.as_bytes()));
        let told = line.alice.told();
        assert!(told.iter().any(|event| event.contains("ailed") || event == "response 422"), "{told:?}");
        line.alice.take_sent();
    }
}

/// RFC 3261 §9.2: nobody waits for the answer any more, and whoever prepared it learns that.
#[test]
fn an_answer_to_a_reinvite_that_was_cancelled_is_refused() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    line.alice.agent.reinvite(line.now, alice, false, Payload::sdp(OFFER)).unwrap();
    let reinvite = line.alice.only_sent();
    line.bob.receive(line.now, reinvite.as_bytes());
    let waiting = transaction(&line.bob.take_events());
    let via = reinvite.header(HeaderName::Via).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let cancel = [
        format!("CANCEL {} SIP/2.0", text(reinvite.request_uri())),
        format!("Via: {}", text(via)),
        format!("From: {}", text(reinvite.header(HeaderName::From).unwrap())),
        format!("To: {}", text(reinvite.header(HeaderName::To).unwrap())),
        format!("Call-ID: {}", text(reinvite.call_id().unwrap())),
        format!("CSeq: {} CANCEL", reinvite.cseq().unwrap().number),
        "\r\n".into(),
    ];
    line.bob.receive(line.now, cancel.join("\r\n").as_bytes());
    assert_eq!(lines(&line.bob.take_sent()), ["100 INVITE", "200 CANCEL", "487 INVITE"]);
    let answered = line.bob.agent.respond(line.now, waiting, 200, "", &Payload::sdp(ANSWER));
    assert_eq!(answered, Err(agent::CommandError::Unknown));
}

/// RFC 4028 §10: the server refuses every refresh, since it does not find the peer any more.
#[test]
fn a_call_that_is_refreshed_in_vain_ends_when_the_session_is_over() {
    let mut line = Line::new();
    line.established();
    let start = line.now;
    line.bob.drain();
    let mut ended = None;
    while ended.is_none() && line.bob.deadline < Instant::NEVER {
        let at = line.bob.deadline;
        line.bob.agent.timeout(at);
        for request in line.bob.take_sent().iter().filter(|it| it.method() == Some(Method::Update)) {
            line.bob.answer(at, request, 430, |builder| builder);
        }
        // The user does not offer anew.
        ended = line.bob.told().iter().any(|event| event == "ended Local RequestTimeout").then_some(at);
    }
    assert_eq!(ended, Some(start + Duration::from_secs(99)), "110 % of 90 s");
}
