//! CANCEL on both sides (RFC 3261 §9).

use sip::{HeaderName, Message, Method, Received};

use crate::stage::{Stage, TCP, UDP, altered, invite, is_absorbed, is_response, request, response};

#[test]
fn a_cancel_is_held_until_a_provisional_response() {
    let mut stage = Stage::new();
    let key = stage.request(UDP, &invite());
    stage.cancel(key, None);
    stage.run_until(400);
    assert_eq!(stage.events(), ["INVITE"]);
    assert!(is_response(&stage.receive(UDP, response(&invite(), 100)), key));
    assert_eq!(stage.events(), ["CANCEL"]);
    stage.cancel(key, None);
    stage.receive(UDP, response(&invite(), 180));
    assert!(stage.events().is_empty(), "one CANCEL is enough");
}

#[test]
fn a_ringing_call_is_cancelled_at_once_and_the_cancel_looks_after_itself() {
    let mut stage = Stage::new();
    let key = stage.request(UDP, &invite());
    stage.receive(UDP, response(&invite(), 180));
    stage.cancel(key, Some(b"SIP;cause=200;text=\"Call completed elsewhere\""));
    assert_eq!(stage.events(), ["INVITE", "CANCEL"]);
    let cancel = Message::parse(stage.bytes.last().unwrap()).unwrap();
    assert_eq!(cancel.request_uri(), invite().request_uri());
    for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::Route] {
        assert_eq!(
            cancel.headers(name).collect::<Vec<_>>(),
            invite().headers(name).collect::<Vec<_>>(),
            "{name:?}"
        );
    }
    assert_eq!(cancel.header(HeaderName::CSeq), Some(&b"7 CANCEL"[..]));
    assert_eq!(
        cancel.header(HeaderName::Reason),
        Some(&b"SIP;cause=200;text=\"Call completed elsewhere\""[..])
    );
    // Lost, repeated, answered: the user hears nothing of it.
    stage.run_until(500);
    assert_eq!(stage.events(), ["CANCEL"]);
    assert!(is_absorbed(&stage.receive(UDP, response(&cancel, 200))));
    assert!(is_response(&stage.receive(UDP, response(&invite(), 487)), key));
    stage.run_until(60_000);
    assert_eq!(stage.events(), ["ACK", "ended"]);
    assert!(stage.table.is_empty());
}

#[test]
fn a_cancelled_call_without_a_final_response_is_given_up_after_64_t1() {
    // RFC 3261 §9.1: RFC 2543 peers send no 487.
    for peer in [UDP, TCP] {
        let mut stage = Stage::new();
        let key = stage.request(peer, &invite());
        stage.receive(peer, response(&invite(), 180));
        stage.run_until(1_000);
        stage.cancel(key, None);
        stage.run_until(32_999);
        assert!(!stage.events().contains(&"timed out".to_owned()));
        stage.run_until(33_000);
        assert_eq!(stage.events(), ["timed out", "ended"]);
        assert!(stage.table.is_empty(), "and the CANCEL's own time is over silently");
    }
}

#[test]
fn a_cancel_that_comes_too_late_is_not_sent() {
    for status in [200, 486] {
        let mut stage = Stage::new();
        let key = stage.request(UDP, &invite());
        stage.receive(UDP, response(&invite(), status));
        stage.events();
        stage.cancel(key, None);
        assert!(stage.events().is_empty());
    }
    // Answered while the CANCEL is under way: nothing rings but Timer M.
    let mut stage = Stage::new();
    let key = stage.request(TCP, &invite());
    stage.receive(TCP, response(&invite(), 180));
    stage.cancel(key, None);
    stage.run_until(1_000);
    assert!(is_response(&stage.receive(TCP, response(&invite(), 200)), key));
    stage.run_until(60_000);
    assert_eq!(stage.timeline().last(), Some(&(33_000, "ended".into())));
    // Held, and then the final response comes first.
    let mut stage = Stage::new();
    let key = stage.request(UDP, &invite());
    stage.cancel(key, None);
    stage.receive(UDP, response(&invite(), 200));
    assert_eq!(stage.events(), ["INVITE"]);
    // Held, and no response ever comes.
    let mut stage = Stage::new();
    let key = stage.request(TCP, &invite());
    stage.cancel(key, None);
    stage.run_until(60_000);
    assert_eq!(stage.events(), ["INVITE", "timed out", "ended"]);
    stage.cancel(key, None);
    assert!(stage.events().is_empty());
}

#[test]
fn a_request_other_than_invite_is_not_cancelled() {
    let mut stage = Stage::new();
    let options = request(Method::Options, "z9hG4bK-o");
    let key = stage.request(UDP, &options);
    stage.receive(UDP, response(&options, 100));
    stage.cancel(key, None);
    assert_eq!(stage.events(), ["OPTIONS"]);
}

#[test]
fn a_reason_that_would_end_the_line_is_left_out() {
    let mut stage = Stage::new();
    let key = stage.request(UDP, &invite());
    stage.receive(UDP, response(&invite(), 180));
    stage.cancel(key, Some(b"SIP;cause=200\r\nX-Evil: yes"));
    let cancel = Message::parse(stage.bytes.last().unwrap()).unwrap();
    assert_eq!(cancel.header(HeaderName::Reason), None);
    assert_eq!(cancel.named("X-Evil"), None);
}

fn cancel_of(invite: &Message) -> Message {
    let cancel = request(Method::Cancel, "z9hG4bK-invite");
    assert_eq!(cancel.header(HeaderName::CallId), invite.header(HeaderName::CallId));
    cancel
}

#[test]
fn a_cancel_from_the_network_finds_its_invite() {
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &invite());
    let cancel = cancel_of(&invite());
    let Received::Cancel { key: own, invite: Some(found), .. } = stage.receive(UDP, cancel.clone()) else {
        panic!("the CANCEL did not find its INVITE");
    };
    assert_eq!(found, key);
    stage.respond(own, &response(&cancel, 200));
    stage.respond(key, &response(&invite(), 487));
    assert!(is_absorbed(&stage.receive(UDP, cancel)));
    assert_eq!(stage.events(), ["200", "487", "200"], "a CANCEL again gets its 200 again");
}

#[test]
fn a_cancel_of_nothing_is_told_as_such() {
    let mut stage = Stage::new();
    let cancel = cancel_of(&invite());
    assert!(matches!(stage.receive(UDP, cancel), Received::Cancel { invite: None, .. }));
    // Another branch, another sender: another INVITE.
    let mut stage = Stage::new();
    stage.accept(UDP, &invite());
    for other in [
        altered(&cancel_of(&invite()), "z9hG4bK-invite", "z9hG4bK-other"),
        altered(&cancel_of(&invite()), "client.example:5070;branch", "client.example:5071;branch"),
    ] {
        assert!(matches!(stage.receive(UDP, other), Received::Cancel { invite: None, .. }));
    }
}
