//! RFC 3261 §17.2.2, Figure 8; RFC 4320.

use sip::{Message, Method, Timers};

use crate::stage::{Peer, Stage, TCP, UDP, is_absorbed, request, response};

fn options() -> Message {
    request(Method::Options, "z9hG4bK-options")
}

#[test]
fn trying_discards_repetitions_and_completed_answers_them_until_timer_j() {
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &options());
    assert!(is_absorbed(&stage.receive(UDP, options())));
    assert!(stage.events().is_empty());
    stage.respond(key, &response(&options(), 200));
    stage.run_until(1_000);
    assert!(is_absorbed(&stage.receive(UDP, options())));
    stage.respond(key, &response(&options(), 404));
    assert_eq!(stage.events(), ["200", "200"], "another final response is discarded");
    stage.run_until(31_999);
    assert!(is_absorbed(&stage.receive(UDP, options())));
    assert_eq!(stage.events(), ["200"]);
    stage.run_until(32_000);
    assert_eq!(stage.events(), ["ended"]);
}

#[test]
fn over_a_reliable_transport_timer_j_is_zero() {
    let mut stage = Stage::new();
    let key = stage.accept(TCP, &options());
    stage.respond(key, &response(&options(), 200));
    assert_eq!(stage.events(), ["200", "ended"]);
    assert!(stage.table.is_empty());
}

#[test]
fn proceeding_answers_repetitions_with_the_last_provisional_response() {
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &options());
    stage.run_until(4_000);
    stage.respond(key, &response(&options(), 100));
    assert!(is_absorbed(&stage.receive(UDP, options())));
    stage.respond(key, &response(&options(), 503));
    assert!(is_absorbed(&stage.receive(UDP, options())));
    assert_eq!(stage.events(), ["100", "100", "503", "503"]);
}

#[test]
fn a_100_does_not_go_over_an_unreliable_transport_before_the_clients_timer_e_is_t2() {
    // RFC 4320 §4.1.
    assert_eq!(Timers::default().until_e_is_t2().as_millis(), 3_500);
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &options());
    stage.run_until(3_499);
    stage.respond(key, &response(&options(), 100));
    assert!(stage.events().is_empty());
    stage.run_until(3_500);
    stage.respond(key, &response(&options(), 100));
    assert_eq!(stage.events(), ["100"]);

    let mut stage = Stage::new();
    let key = stage.accept(TCP, &options());
    stage.respond(key, &response(&options(), 100));
    stage.respond(key, &response(&options(), 183));
    assert_eq!(stage.events(), ["100"], "at any time over a reliable one; and never another 1xx");
}

#[test]
fn a_100_goes_by_itself_when_the_clients_timer_e_is_t2() {
    for peer in [UDP, TCP] {
        let mut stage = Stage::with(Timers::with_trying());
        stage.accept(peer, &options());
        stage.run_until(10_000);
        assert_eq!(stage.timeline(), [(3_500, "100".into())]);
    }
}

#[test]
fn nothing_is_sent_when_it_is_too_late_and_never_a_408() {
    // RFC 4320 §4.2.
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &options());
    stage.respond(key, &response(&options(), 408));
    assert!(is_absorbed(&stage.receive(UDP, options())));
    assert!(stage.events().is_empty());
    stage.run_until(32_000);
    assert_eq!(stage.events(), ["ended"]);

    for peer in [UDP, TCP] {
        let mut stage = Stage::new();
        let key = stage.accept(peer, &options());
        stage.run_until(32_000);
        assert_eq!(stage.events(), ["ended"], "a user that never answers leaks nothing");
        stage.respond(key, &response(&options(), 200));
        assert!(stage.events().is_empty());
    }
}

#[test]
fn a_request_repeated_over_another_connection_is_answered_there() {
    let mut stage = Stage::new();
    let key = stage.accept(Peer::Stream(1), &options());
    stage.receive(Peer::Stream(2), options());
    stage.respond(key, &response(&options(), 200));
    assert_eq!(stage.hops(), [Peer::Stream(2)]);
}
