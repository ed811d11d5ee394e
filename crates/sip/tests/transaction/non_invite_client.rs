//! RFC 3261 §17.1.2, Figure 6.

use sip::{Instant, Message, Method, Received};

use crate::stage::{Stage, TCP, UDP, is_absorbed, is_response, request, response};

fn options() -> Message {
    request(Method::Options, "z9hG4bK-options")
}

fn sent_at(timeline: &[(u64, String)]) -> Vec<u64> {
    timeline.iter().filter(|(_, what)| what == "OPTIONS").map(|(at, _)| *at).collect()
}

#[test]
fn trying_repeats_the_request_at_intervals_up_to_t2_and_times_out_at_timer_f() {
    let mut stage = Stage::new();
    stage.request(UDP, &options());
    stage.run_until(60_000);
    let timeline = stage.timeline();
    // RFC 3261 §17.1.2.2: 500 ms, 1 s, 2 s, 4 s, 4 s, 4 s...
    assert_eq!(
        sent_at(&timeline),
        [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    assert_eq!(timeline[timeline.len() - 2..], [(32_000, "timed out".into()), (32_000, "ended".into())]);
}

#[test]
fn over_a_reliable_transport_nothing_is_repeated() {
    let mut stage = Stage::new();
    stage.request(TCP, &options());
    stage.run_until(60_000);
    assert_eq!(stage.events(), ["OPTIONS", "timed out", "ended"]);
}

#[test]
fn proceeding_repeats_the_request_every_t2_and_still_times_out() {
    let mut stage = Stage::new();
    let key = stage.request(UDP, &options());
    stage.run_until(600);
    assert!(is_response(&stage.receive(UDP, response(&options(), 100)), key));
    assert!(is_response(&stage.receive(UDP, response(&options(), 100)), key));
    stage.run_until(60_000);
    let timeline = stage.timeline();
    // Timer E, which was set in Trying, fires once more; from then on it is T2.
    assert_eq!(sent_at(&timeline), [0, 500, 1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500]);
    assert_eq!(timeline[timeline.len() - 2..], [(32_000, "timed out".into()), (32_000, "ended".into())]);
}

#[test]
fn the_first_final_response_is_passed_up_and_the_rest_absorbed_until_timer_k() {
    for (provisional, status) in [(false, 200), (true, 200), (false, 404), (true, 603)] {
        let mut stage = Stage::new();
        let key = stage.request(UDP, &options());
        if provisional {
            stage.receive(UDP, response(&options(), 100));
        }
        assert!(is_response(&stage.receive(UDP, response(&options(), status)), key));
        assert!(is_absorbed(&stage.receive(UDP, response(&options(), status))));
        assert!(is_absorbed(&stage.receive(UDP, response(&options(), 100))));
        assert_eq!(stage.table.next_timeout(), Some(Instant::from_secs(5)));
        stage.run_until(4_999);
        assert_eq!(stage.events(), ["OPTIONS"]);
        stage.run_until(5_000);
        assert_eq!(stage.events(), ["ended"]);
        assert!(matches!(stage.receive(UDP, response(&options(), status)), Received::StrayResponse { .. }));
    }
}

#[test]
fn over_a_reliable_transport_timer_k_is_zero() {
    let mut stage = Stage::new();
    let key = stage.request(TCP, &options());
    assert!(is_response(&stage.receive(TCP, response(&options(), 200)), key));
    assert_eq!(stage.events(), ["OPTIONS", "ended"]);
    assert!(stage.table.is_empty());
}

#[test]
fn a_transport_error_is_told_while_a_response_is_awaited_only() {
    for status in [None, Some(100)] {
        let mut stage = Stage::new();
        stage.request(UDP, &options());
        if let Some(status) = status {
            stage.receive(UDP, response(&options(), status));
        }
        stage.table.unreachable(stage.time(), &UDP);
        assert_eq!(stage.events(), ["OPTIONS", "unreachable", "ended"]);
    }
    let mut stage = Stage::new();
    stage.request(UDP, &options());
    stage.receive(UDP, response(&options(), 200));
    stage.table.unreachable(stage.time(), &UDP);
    assert_eq!(stage.events(), ["OPTIONS"]);
}

#[test]
fn a_clock_that_jumps_repeats_once_and_does_not_catch_up() {
    let mut stage = Stage::new();
    stage.request(UDP, &options());
    stage.events();
    // The machine slept for 20 s.
    stage.now = 20_000;
    stage.table.timeout(stage.time());
    assert_eq!(stage.events(), ["OPTIONS"]);
    // And for an hour: given up, and nothing sent any more.
    stage.now = 3_600_000;
    stage.table.timeout(stage.time());
    assert_eq!(stage.events(), ["timed out", "ended"]);
}
