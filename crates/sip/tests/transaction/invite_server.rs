//! RFC 3261 §17.2.1, RFC 6026 Figure 7.

use sip::{HeaderName, Instant, Message, Method, Received, Timers};

use crate::stage::{Peer, Stage, TCP, UDP, ack, invite, is_absorbed, request, response, tagged};

#[test]
fn proceeding_sends_provisional_responses_and_repeats_the_last_for_each_invite() {
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &invite());
    assert!(is_absorbed(&stage.receive(UDP, invite())));
    assert!(stage.events().is_empty(), "there is no response yet");
    stage.respond(key, &response(&invite(), 100));
    assert!(is_absorbed(&stage.receive(UDP, invite())));
    stage.respond(key, &response(&invite(), 180));
    stage.run_until(1_000);
    assert!(is_absorbed(&stage.receive(UDP, invite())));
    assert_eq!(stage.events(), ["100", "100", "180", "180"]);
    // Provisional responses are not repeated by time, and nothing hurries the user.
    stage.run_until(600_000);
    assert!(stage.events().is_empty());
    assert_eq!(stage.table.len(), 1);
}

#[test]
fn a_failure_is_repeated_by_timer_g_until_the_ack_and_confirmed_absorbs_for_timer_i() {
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &invite());
    let busy = response(&invite(), 486);
    stage.respond(key, &busy);
    stage.run_until(12_000);
    let times: Vec<u64> = stage.timeline().iter().map(|(at, _)| *at).collect();
    // RFC 3261 §17.2.1: T1, doubling up to T2.
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 11_500]);
    assert!(is_absorbed(&stage.receive(UDP, invite())));
    assert_eq!(stage.events(), ["486"], "an INVITE again gets the response again");
    assert!(is_absorbed(&stage.receive(UDP, ack(&invite(), &busy))));
    assert!(is_absorbed(&stage.receive(UDP, ack(&invite(), &busy))));
    assert!(is_absorbed(&stage.receive(UDP, invite())));
    assert_eq!(stage.table.next_timeout(), Some(Instant::from_secs(17)));
    stage.run_until(16_999);
    assert!(stage.events().is_empty());
    stage.run_until(17_000);
    assert_eq!(stage.events(), ["ended"]);
    assert!(stage.table.is_empty());
}

#[test]
fn timer_h_tells_that_no_ack_came() {
    for peer in [UDP, TCP] {
        let mut stage = Stage::new();
        let key = stage.accept(peer, &invite());
        stage.respond(key, &response(&invite(), 302));
        stage.run_until(31_999);
        let repeated = stage.events().len();
        assert_eq!(repeated, if peer == UDP { 11 } else { 1 }, "Timer G is for unreliable transports");
        stage.run_until(32_000);
        assert_eq!(stage.timeline(), [(32_000, "no ack".into()), (32_000, "ended".into())]);
    }
}

#[test]
fn over_a_reliable_transport_the_ack_ends_the_transaction() {
    let mut stage = Stage::new();
    let key = stage.accept(TCP, &invite());
    let busy = response(&invite(), 486);
    stage.respond(key, &busy);
    assert!(is_absorbed(&stage.receive(TCP, ack(&invite(), &busy))));
    assert_eq!(stage.events(), ["486", "ended"]);
}

#[test]
fn accepted_absorbs_invites_passes_2xx_and_acks_and_ends_with_timer_l() {
    for peer in [UDP, TCP] {
        let mut stage = Stage::new();
        let key = stage.accept(peer, &invite());
        stage.respond(key, &response(&invite(), 180));
        let ok = response(&invite(), 200);
        stage.respond(key, &ok);
        assert!(is_absorbed(&stage.receive(peer, invite())), "absorbed, and nothing sent");
        stage.run_until(500);
        stage.respond(key, &ok);
        stage.respond(key, &tagged(&invite(), 200, "other-branch"));
        stage.respond(key, &response(&invite(), 486));
        stage.respond(key, &response(&invite(), 180));
        assert_eq!(stage.events(), ["180", "200", "200", "200"]);
        assert!(matches!(stage.receive(peer, ack(&invite(), &ok)), Received::Ack { .. }));
        stage.run_until(31_999);
        assert!(stage.events().is_empty(), "the user repeats the 2xx");
        stage.run_until(32_000);
        assert_eq!(stage.events(), ["ended"]);
        stage.respond(key, &ok);
        assert!(stage.events().is_empty(), "too late");
    }
}

#[test]
fn after_a_final_response_others_are_discarded() {
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &invite());
    stage.respond(key, &response(&invite(), 486));
    stage.respond(key, &response(&invite(), 200));
    stage.respond(key, &response(&invite(), 180));
    stage.respond(key, &response(&invite(), 404));
    assert_eq!(stage.events(), ["486"]);
}

#[test]
fn a_transport_error_changes_nothing() {
    let mut stage = Stage::new();
    let key = stage.accept(TCP, &invite());
    stage.table.unreachable(stage.time(), &TCP);
    stage.respond(key, &response(&invite(), 486));
    stage.table.unreachable(stage.time(), &TCP);
    assert!(is_absorbed(&stage.receive(TCP, invite())), "RFC 6026 §7.1: still recognised");
    assert_eq!(stage.events(), ["486", "486"]);
}

#[test]
fn trying_is_sent_after_200_ms_if_the_user_is_silent() {
    let mut stage = Stage::with(Timers::with_trying());
    stage.accept(UDP, &invite());
    stage.run_until(10_000);
    assert_eq!(stage.timeline(), [(200, "100".into())]);
    let trying = Message::parse(stage.bytes.last().unwrap()).unwrap();
    assert_eq!(trying.to().unwrap().tag(), None);
    assert_eq!(trying.header(HeaderName::Via), invite().header(HeaderName::Via));
    assert!(is_absorbed(&stage.receive(UDP, invite())));
    assert_eq!(stage.events(), ["100"]);

    for status in [180, 200, 486] {
        let mut stage = Stage::with(Timers::with_trying());
        let key = stage.accept(TCP, &invite());
        stage.run_until(150);
        stage.respond(key, &response(&invite(), status));
        stage.run_until(10_000);
        assert_eq!(stage.events(), [status.to_string()]);
    }
}

#[test]
fn an_invite_repeated_over_another_connection_is_answered_there() {
    let mut stage = Stage::new();
    let key = stage.accept(Peer::Stream(1), &invite());
    stage.respond(key, &response(&invite(), 180));
    assert!(is_absorbed(&stage.receive(Peer::Stream(2), invite())));
    stage.respond(key, &response(&invite(), 486));
    assert_eq!(stage.hops(), [Peer::Stream(1), Peer::Stream(2), Peer::Stream(2)]);
}

#[test]
fn responses_go_where_the_user_sends_them_until_the_request_comes_another_way() {
    let mut stage = Stage::new();
    let key = stage.accept(Peer::Datagram(1), &invite());
    stage.table.redirect_responses(key, Peer::Datagram(9));
    stage.respond(key, &response(&invite(), 100));
    stage.receive(Peer::Datagram(1), invite());
    assert_eq!(stage.hops(), [Peer::Datagram(9), Peer::Datagram(9)]);
    stage.receive(Peer::Datagram(2), invite());
    stage.receive(Peer::Datagram(1), invite());
    assert_eq!(stage.hops(), [Peer::Datagram(2), Peer::Datagram(1)]);
    assert_eq!(stage.table.hop_of(key), Some(&Peer::Datagram(1)));
}

#[test]
fn an_ack_of_no_known_invite_is_the_users() {
    let mut stage = Stage::new();
    let alone = request(Method::Ack, "z9hG4bK-ack");
    assert!(matches!(stage.receive(UDP, alone), Received::Ack { .. }));
    assert!(stage.table.is_empty());
    // One that comes before any final response means nothing.
    let key = stage.accept(UDP, &invite());
    assert!(is_absorbed(&stage.receive(UDP, ack(&invite(), &response(&invite(), 200)))));
    stage.respond(key, &response(&invite(), 180));
    assert_eq!(stage.events(), ["180"]);
}
