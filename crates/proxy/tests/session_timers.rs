//! Session timers on behalf of those who have none (RFC 4028 §8).

use std::time::Duration;

use crate::support::*;
use proxy::Config;
use proxy::config::SessionTimers;
use sip::{HeaderName, Message};

const BOB: &str = "<sip:bob@example.com>";

fn timed(interval: u64, minimum: u64) -> House {
    let session_timers =
        SessionTimers { interval: Duration::from_secs(interval), minimum: Duration::from_secs(minimum) };
    house(Config { session_timers, ..open_config() })
}

/// Alice calls Bob with these headers; gives what arrives at Bob.
fn arrives(house: &mut House, more: &str) -> Message {
    let (alice, bob) = people(house);
    house.receive(&alice.flow, &alice.request("INVITE", "sip:bob@example.com", BOB, "c1", 1, more));
    house.one(&bob.flow)
}

fn people(house: &mut House) -> (Phone, Phone) {
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.register(&alice);
    house.register(&bob);
    (alice, bob)
}

/// What a request or an answer says of sessions: Session-Expires and Min-SE.
fn said(message: &Message) -> (String, String) {
    (header(message, HeaderName::SessionExpires), header(message, HeaderName::MinSe))
}

fn pair(session: &str, minimum: &str) -> (String, String) {
    (session.to_owned(), minimum.to_owned())
}

#[test]
fn nothing_is_said_of_sessions_where_nothing_is_configured() {
    let more = "Supported: timer\r\nSession-Expires: 20;refresher=uac\r\nMin-SE: 10\r\n";
    assert_eq!(said(&arrives(&mut timed(0, 0), more)), pair("20;refresher=uac", "10"));
    assert_eq!(said(&arrives(&mut timed(0, 0), "")), pair("", ""));
}

#[test]
fn a_call_that_asks_for_no_interval_gets_one() {
    assert_eq!(said(&arrives(&mut timed(1800, 0), "")), pair("1800", ""));
    // §8.1: Min-SE is written for those only who have no timers of their own.
    assert_eq!(said(&arrives(&mut timed(1800, 120), "")), pair("1800", "120"));
    assert_eq!(said(&arrives(&mut timed(1800, 120), "Supported: timer\r\n")), pair("1800", ""));
    assert_eq!(
        said(&arrives(&mut timed(1800, 120), "Min-SE: 3600\r\n")),
        pair("3600", "3600"),
        "what it can bear"
    );
}

#[test]
fn a_longer_interval_is_cut_but_not_below_what_the_caller_can_bear() {
    let ask = |minimum: &str| format!("Supported: timer\r\nSession-Expires: 7200;refresher=uas\r\n{minimum}");
    assert_eq!(said(&arrives(&mut timed(1800, 0), &ask(""))), pair("1800;refresher=uas", ""));
    assert_eq!(
        said(&arrives(&mut timed(1800, 0), &ask("Min-SE: 2000\r\n"))),
        pair("2000;refresher=uas", "2000")
    );
}

#[test]
fn an_interval_that_is_too_short_is_refused_with_the_shortest() {
    let mut house = timed(0, 120);
    let (alice, bob) = people(&mut house);
    for method in ["INVITE", "UPDATE"] {
        let more = "Supported: timer\r\nSession-Expires: 119\r\n";
        house.receive(&alice.flow, &alice.request(method, "sip:bob@example.com", BOB, method, 1, more));
        let refused = house.one(&alice.flow);
        assert_eq!(refused.status(), Some(422), "{method}");
        assert_eq!(said(&refused), pair("", "120"));
    }
    house.nothing(&bob.flow);
    let more = "Supported: timer\r\nSession-Expires: 120\r\n";
    house.receive(&alice.flow, &alice.request("INVITE", "sip:bob@example.com", BOB, "c3", 1, more));
    assert_eq!(said(&house.one(&bob.flow)), pair("120", ""));
}

#[test]
fn an_interval_that_is_too_short_is_raised_where_the_caller_could_not_understand_a_refusal() {
    assert_eq!(said(&arrives(&mut timed(0, 120), "Session-Expires: 90\r\n")), pair("120", "120"));
    assert_eq!(
        said(&arrives(&mut timed(0, 120), "Session-Expires: 300\r\nMin-SE: 90\r\n")),
        pair("300", "120")
    );
}

/// Bob answers an INVITE of these headers with those; gives what Alice hears.
fn answered(house: &mut House, more: &str, answer: &str) -> Message {
    let invite = arrives(house, more);
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.take(&alice.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, answer));
    house.one(&alice.flow)
}

#[test]
fn a_caller_with_timers_refreshes_where_the_called_side_has_none() {
    let answer = answered(&mut timed(1800, 0), "Supported: timer\r\n", "");
    assert_eq!(header(&answer, HeaderName::SessionExpires), "1800;refresher=uac");
    assert!(answer.lists(HeaderName::Require, "timer"));
    // What it asked for itself counts as well.
    let answer = answered(&mut timed(1800, 0), "Supported: timer\r\nSession-Expires: 600\r\n", "");
    assert_eq!(header(&answer, HeaderName::SessionExpires), "600;refresher=uac");
}

#[test]
fn an_answer_with_a_timer_and_one_between_two_who_have_none_pass_as_they_are() {
    let own = "Session-Expires: 900;refresher=uas\r\n";
    let answer = answered(&mut timed(1800, 0), "", own);
    assert_eq!(header(&answer, HeaderName::SessionExpires), "900;refresher=uas");
    assert_eq!(answer.header(HeaderName::Require), None);
    let answer = answered(&mut timed(1800, 0), "", "");
    assert_eq!(answer.header(HeaderName::SessionExpires), None, "nobody would refresh");
}

#[test]
fn an_answer_that_is_repeated_names_the_same_refresher() {
    for over_udp in [true, false] {
        let mut house = timed(1800, 0);
        let (alice, bob) = if over_udp {
            (desk_phone("alice", "198.51.100.7:5060"), desk_phone("bob", "198.51.100.8:5060"))
        } else {
            (page("alice", 1), page("bob", 2))
        };
        house.register(&bob);
        let more = "Supported: timer\r\n";
        house.receive(&alice.flow, &alice.request("INVITE", "sip:bob@example.com", BOB, "c1", 1, more));
        let answer = bob.respond(&house.one(&bob.flow), 200, "");
        for _ in 0..2 {
            house.receive(&bob.flow, &answer);
            let heard = house.one(&alice.flow);
            assert_eq!(header(&heard, HeaderName::SessionExpires), "1800;refresher=uac");
        }
        house.wait(Duration::from_secs(40));
        assert!(house.proxy.is_idle());
    }
}
