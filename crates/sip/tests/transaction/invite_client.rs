//! RFC 3261 §17.1.1, RFC 6026 Figure 5.

use sip::{HeaderName, Instant, Message, Method, Received};

use crate::stage::{Stage, TCP, UDP, invite, is_absorbed, is_response, response, tagged};

#[test]
fn calling_repeats_the_invite_at_doubling_intervals_and_times_out_at_timer_b() {
    let mut stage = Stage::new();
    stage.request(UDP, &invite());
    stage.run_until(60_000);
    let times: Vec<u64> =
        stage.timeline().iter().filter(|(_, what)| what == "INVITE").map(|(at, _)| *at).collect();
    // RFC 3261 §17.1.1.2: seven requests in 64*T1.
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);

    let mut stage = Stage::new();
    stage.request(UDP, &invite());
    stage.run_until(31_999);
    stage.events();
    stage.run_until(32_000);
    assert_eq!(stage.timeline(), [(32_000, "timed out".into()), (32_000, "ended".into())]);
    assert!(stage.table.is_empty());
}

#[test]
fn over_a_reliable_transport_nothing_is_repeated_and_timer_b_runs_all_the_same() {
    let mut stage = Stage::new();
    stage.request(TCP, &invite());
    stage.run_until(60_000);
    assert_eq!(
        stage.timeline(),
        [(0, "INVITE".into()), (32_000, "timed out".into()), (32_000, "ended".into())]
    );
}

#[test]
fn a_provisional_response_stops_the_repetition_and_timer_b() {
    let mut stage = Stage::new();
    let key = stage.request(UDP, &invite());
    stage.run_until(700);
    assert!(is_response(&stage.receive(UDP, response(&invite(), 100)), key));
    assert_eq!(stage.table.next_timeout(), None, "no alarm rings for nothing");
    assert!(is_response(&stage.receive(UDP, response(&invite(), 180)), key));
    assert!(is_response(&stage.receive(UDP, response(&invite(), 180)), key), "each is passed up");
    stage.run_until(600_000);
    assert_eq!(stage.events(), ["INVITE", "INVITE"]);
    assert_eq!(stage.table.len(), 1, "how long it may ring is the user's decision");
    assert_eq!(stage.table.next_timeout(), None);
}

#[test]
fn a_failure_is_acknowledged_and_passed_up_once_from_calling_and_from_proceeding() {
    for ringing in [false, true] {
        let mut stage = Stage::new();
        let key = stage.request(UDP, &invite());
        if ringing {
            stage.receive(UDP, response(&invite(), 180));
        }
        assert!(is_response(&stage.receive(UDP, response(&invite(), 486)), key));
        stage.run_until(1_000);
        assert!(is_absorbed(&stage.receive(UDP, response(&invite(), 486))));
        assert!(is_absorbed(&stage.receive(UDP, response(&invite(), 180))));
        assert!(is_absorbed(&stage.receive(UDP, response(&invite(), 200))));
        // Timer D: at least 32 s after the first.
        assert_eq!(stage.table.next_timeout(), Some(Instant::from_secs(32)));
        stage.run_until(31_999);
        assert_eq!(stage.events(), ["INVITE", "ACK", "ACK"]);
        stage.run_until(32_000);
        assert_eq!(stage.timeline(), [(32_000, "ended".into())]);
        assert!(matches!(stage.receive(UDP, response(&invite(), 486)), Received::StrayResponse { .. }));
    }
}

#[test]
fn over_a_reliable_transport_a_failure_is_acknowledged_and_timer_d_is_zero() {
    let mut stage = Stage::new();
    let key = stage.request(TCP, &invite());
    assert!(is_response(&stage.receive(TCP, response(&invite(), 486)), key));
    assert_eq!(stage.events(), ["INVITE", "ACK", "ended"]);
    assert!(stage.table.is_empty());
}

#[test]
fn the_ack_is_made_as_the_rfc_says() {
    let mut stage = Stage::new();
    stage.request(UDP, &invite());
    stage.receive(UDP, response(&invite(), 486));
    let ack = Message::parse(stage.bytes.last().unwrap()).unwrap();
    let (sent, answer) = (invite(), response(&invite(), 486));
    assert_eq!(ack.method(), Some(Method::Ack));
    assert_eq!(ack.request_uri(), sent.request_uri());
    for name in [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::Route] {
        assert_eq!(ack.headers(name).collect::<Vec<_>>(), sent.headers(name).collect::<Vec<_>>(), "{name:?}");
    }
    assert_eq!(ack.header(HeaderName::To), answer.header(HeaderName::To), "with the tag of the response");
    assert_eq!(ack.header(HeaderName::CSeq), Some(&b"7 ACK"[..]));
    assert_eq!(ack.header(HeaderName::Contact), None);
}

#[test]
fn only_the_top_via_is_in_the_ack_and_folds_are_gone() {
    let text = "INVITE sip:bob@example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP proxy.example;branch=z9hG4bK-p,\r\n SIP/2.0/UDP client.example;branch=z9hG4bK-c\r\n\
        Via: SIP/2.0/UDP other.example;branch=z9hG4bK-o\r\n\
        Max-Forwards: 70\r\nFrom: Alice\r\n  <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>\r\n\
        Call-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:a@b>\r\nContent-Length: 0\r\n\r\n";
    let invite = Message::parse(text.as_bytes()).unwrap();
    let mut stage = Stage::new();
    stage.request(UDP, &invite);
    stage.receive(UDP, response(&invite, 404));
    let ack = Message::parse(stage.bytes.last().unwrap()).unwrap();
    assert_eq!(
        ack.values(HeaderName::Via).collect::<Vec<_>>(),
        [b"SIP/2.0/UDP proxy.example;branch=z9hG4bK-p"]
    );
    assert_eq!(ack.header(HeaderName::From), Some(&b"Alice <sip:alice@example.com>;tag=a1"[..]));
}

#[test]
fn every_2xx_is_passed_up_until_timer_m_and_none_is_acknowledged_here() {
    for ringing in [false, true] {
        let mut stage = Stage::new();
        let key = stage.request(UDP, &invite());
        if ringing {
            stage.receive(UDP, response(&invite(), 183));
        }
        assert!(is_response(&stage.receive(UDP, tagged(&invite(), 200, "one")), key));
        stage.run_until(500);
        assert!(is_response(&stage.receive(UDP, tagged(&invite(), 200, "one")), key), "repeated");
        assert!(is_response(&stage.receive(UDP, tagged(&invite(), 200, "two")), key), "of another branch");
        assert!(is_absorbed(&stage.receive(UDP, response(&invite(), 180))));
        assert!(is_absorbed(&stage.receive(UDP, response(&invite(), 486))));
        stage.run_until(31_999);
        assert_eq!(stage.events(), ["INVITE"]);
        stage.run_until(32_000);
        assert_eq!(stage.events(), ["ended"]);
        assert!(matches!(stage.receive(UDP, tagged(&invite(), 200, "one")), Received::StrayResponse { .. }));
    }
}

#[test]
fn timer_m_runs_over_reliable_transports_too() {
    let mut stage = Stage::new();
    stage.request(TCP, &invite());
    stage.receive(TCP, response(&invite(), 200));
    stage.run_until(31_999);
    assert_eq!(stage.table.len(), 1);
    stage.run_until(32_000);
    assert!(stage.table.is_empty());
}

#[test]
fn a_transport_error_ends_a_call_that_waits_and_no_other() {
    for status in [None, Some(180)] {
        let mut stage = Stage::new();
        stage.request(TCP, &invite());
        if let Some(status) = status {
            stage.receive(TCP, response(&invite(), status));
        }
        stage.table.unreachable(stage.time(), &UDP);
        assert_eq!(stage.events(), ["INVITE"], "another hop does not concern it");
        stage.table.unreachable(stage.time(), &TCP);
        assert_eq!(stage.events(), ["unreachable", "ended"]);
    }
    let mut stage = Stage::new();
    stage.request(UDP, &invite());
    stage.receive(UDP, response(&invite(), 486));
    stage.table.unreachable(stage.time(), &UDP);
    assert_eq!(stage.events(), ["INVITE", "ACK", "ended"], "the user has its final response");
    let mut stage = Stage::new();
    stage.request(TCP, &invite());
    stage.receive(TCP, response(&invite(), 200));
    stage.table.unreachable(stage.time(), &TCP);
    assert_eq!(stage.events(), ["INVITE"], "accepted stays for Timer M");
}
