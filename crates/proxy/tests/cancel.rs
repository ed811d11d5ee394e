//! CANCEL of what the proxy knows nothing of (RFC 3261 §16.10, §16.11).

use crate::support::*;
use sip::HeaderName;

#[test]
fn a_cancel_of_nothing_is_forwarded_statelessly_for_those_who_may_send_there() {
    let mut house = house(open_config());
    let (alice, carol) = (page("alice", 1), desk_phone("carol", "198.51.100.10:5060"));
    house.receive(&alice.flow, &alice.register(1, ""));
    house.take(&alice.flow);
    let cancel = carol.request("CANCEL", "sip:alice@example.com", "<sip:alice@example.com>", "c1", 1, "");
    house.receive(&carol.flow, &cancel);
    house.nothing(&carol.flow);
    let onward = house.one(&alice.flow);
    assert_eq!(method(&onward), "CANCEL");
    assert!(house.proxy.is_idle(), "no state is kept");

    house.receive(&carol.flow, &cancel);
    assert_eq!(text(&house.one(&alice.flow)), text(&onward), "a retransmission looks the same");

    house.receive(&alice.flow, &alice.respond(&onward, 481, ""));
    let answer = house.one(&carol.flow);
    assert_eq!(answer.status(), Some(481));
    assert_eq!(values(&answer, HeaderName::Via).len(), 1);
    assert!(house.proxy.is_idle());
}

#[test]
fn the_answer_to_a_stateless_cancel_goes_where_its_cancel_came_from_and_nowhere_else() {
    let mut house = house(open_config());
    let (alice, carol) = (page("alice", 1), desk_phone("carol", "198.51.100.10:5060"));
    house.receive(&carol.flow, &carol.register(1, ""));
    house.receive(&alice.flow, &alice.register(1, ""));
    house.sent.clear();
    let cancel = alice.request("CANCEL", "sip:carol@example.com", "<sip:carol@example.com>", "c1", 1, "");
    house.receive(&alice.flow, &cancel);
    let onward = house.one(&carol.flow);
    let answer = carol.respond(&onward, 481, "");
    for forged in [
        answer.replace("Call-ID: c1", "Call-ID: c2"),
        answer.replace("CSeq: 1 CANCEL", "CSeq: 1 INVITE"),
        answer.replace("CSeq: 1 CANCEL", "CSeq: 2 CANCEL"),
        answer.replace("z9hG4bKalice", "z9hG4bKbob"),
        answer.replacen("branch=z9hG4bK", "branch=z9hG4bKa", 1),
    ] {
        assert_ne!(forged, answer);
        house.receive(&carol.flow, &forged);
        assert!(house.sent.is_empty(), "{forged}");
    }
    house.receive(&carol.flow, &answer);
    assert_eq!(house.one(&alice.flow).status(), Some(481));
    house.close(&alice.flow);
    house.receive(&carol.flow, &answer);
    assert!(house.sent.is_empty(), "a closed connection takes no answer");
}

#[test]
fn a_cancel_of_nothing_from_who_may_not_send_there_is_answered() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    for uri in ["sip:someone@198.51.100.99", "sip:alice@example.com", "sip:example.com"] {
        let cancel = bob.request("CANCEL", uri, &format!("<{uri}>"), uri, 1, "");
        house.receive(&bob.flow, &cancel);
        assert_eq!(house.one(&bob.flow).status(), Some(481), "{uri}");
        assert!(house.sent.is_empty(), "{uri}");
    }
}
