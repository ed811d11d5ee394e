//! A machine that slept: its clock has gone on, and none of its timers has rung meanwhile.

use crate::common::{Line, Phone, line, lines};
use agent::Via;
use core::time::Duration;
use sip::{HeaderName, Instant, Transport};

const AN_HOUR: Duration = Duration::from_secs(3600);

/// A call of alice's, and the time at which she wakes up: what the other side does meanwhile is told by the test.
fn sleeping() -> (Phone, Instant) {
    let mut line = Line::new();
    line.established();
    (line.alice, line.now + AN_HOUR)
}

fn wake(alice: &mut Phone, now: Instant) {
    alice.agent.timeout(now);
    alice.drain();
}

#[test]
fn who_wakes_up_after_the_end_of_the_registration_registers_at_once() {
    let mut phone = Phone::connected("alice", 1);
    phone.agent.register(Instant::ZERO);
    let request = phone.only_sent();
    let contact = request.header(HeaderName::Contact).unwrap().to_vec();
    phone.answer(Instant::ZERO, &request, 200, |builder| builder.header(HeaderName::Contact, &contact));
    phone.take_sent();
    phone.agent.timeout(Instant::ZERO + AN_HOUR);
    assert_eq!(lines(&phone.take_sent()), ["REGISTER"]);
}

#[test]
fn a_call_whose_session_ended_meanwhile_goes_on_if_the_other_side_still_has_it() {
    let (mut alice, now) = sleeping();
    wake(&mut alice, now);
    let update = alice.only_sent();
    assert_eq!(line(&update), "UPDATE");
    alice
        .answer(now, &update, 200, |builder| builder.header(HeaderName::SessionExpires, b"90;refresher=uac"));
    // And from then on as ever.
    alice.wait(now + Duration::from_secs(44));
    assert_eq!((lines(&alice.take_sent()), alice.told()), (Vec::new(), Vec::new()));
    alice.wait(now + Duration::from_secs(46));
    assert_eq!(lines(&alice.take_sent()), ["UPDATE"]);
}

#[test]
fn a_call_that_the_other_side_has_given_up_meanwhile_ends_with_a_reason() {
    let (mut alice, now) = sleeping();
    wake(&mut alice, now);
    let update = alice.only_sent();
    alice.answer(now, &update, 481, |builder| builder);
    assert_eq!(alice.told(), ["ended Remote DialogError"]);
}

#[test]
fn who_wakes_up_without_a_connection_asks_as_soon_as_there_is_one() {
    let (mut alice, now) = sleeping();
    alice.agent.disconnected(now);
    wake(&mut alice, now);
    assert_eq!(lines(&alice.take_sent()), [""; 0]);
    alice.agent.connected(now, Via::new(Transport::Ws));
    alice.wait(now + Duration::from_secs(10));
    assert_eq!(lines(&alice.take_sent()).first().map(String::as_str), Some("UPDATE"));
    assert_eq!(alice.told(), [""; 0]);
}

#[test]
fn a_call_that_nobody_answers_for_any_more_ends_with_a_reason() {
    let (mut alice, now) = sleeping();
    wake(&mut alice, now);
    alice.wait(now + Duration::from_secs(60));
    assert_eq!(alice.told(), ["ended System RequestTimeout"]);
}
