//! Requests whose source address may be another's (RFC 3261 §26.3.2.4).

use std::time::Duration;

use crate::support::*;

#[test]
fn an_invite_from_nobody_known_is_refused_once_and_leaves_nothing_behind() {
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let elsewhere =
        |text: String| text.replace("<sip:bob@example.com>;tag", "<sip:bob@elsewhere.example>;tag");
    for (invite, status) in [
        (bob.invite("sip:alice@example.com", "c1"), 407),
        (bob.invite("sip:alice@198.51.100.99", "c2"), 407),
        (elsewhere(bob.invite("sip:nobody@example.com", "c3")), 480),
        (bob.invite("sip:alice@example.com", "c5").replace("Max-Forwards: 70", "Max-Forwards: 0"), 483),
        (elsewhere(bob.invite("sip:alice@example.com", "c4")), 480),
    ] {
        let mut house = house(config());
        house.receive(&bob.flow, &invite);
        let refused = house.one(&bob.flow);
        assert_eq!(refused.status(), Some(status), "{invite}");
        assert!(house.proxy.is_idle());
        house.wait(Duration::from_secs(40));
        house.nothing(&bob.flow);
        // Who really asked and has missed the answer asks again, and its ACK goes no further.
        house.receive(&bob.flow, &invite);
        let again = house.one(&bob.flow);
        assert_eq!(
            (again.status(), header(&again, sip::HeaderName::To)),
            (Some(status), header(&refused, sip::HeaderName::To))
        );
        let ack = invite
            .replace("INVITE sip:", "ACK sip:")
            .replace("CSeq: 1 INVITE", "CSeq: 1 ACK")
            .replace("\r\nCall-ID", &format!(";tag={}\r\nCall-ID", tag(&refused)));
        house.receive(&bob.flow, &ack);
        assert!(house.sent.is_empty() && house.proxy.is_idle());
    }
}

#[test]
fn on_a_connection_a_refusal_waits_for_its_ack() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    assert_eq!(house.one(&alice.flow).status(), Some(407));
    assert!(!house.proxy.is_idle());
}

fn tag(response: &sip::Message) -> String {
    String::from_utf8_lossy(response.to().unwrap().tag().unwrap()).into_owned()
}
