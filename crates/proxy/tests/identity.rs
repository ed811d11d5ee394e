//! Who sends, as far as a connection tells, and what strangers may do.

use std::time::Duration;

use crate::support::*;

/// How a call from `phone` to bob is answered at once: 407, or 480 since bob is nowhere.
fn called(house: &mut House, phone: &Phone, call_id: &str) -> u16 {
    house.receive(&phone.flow, &phone.invite("sip:bob@example.com", call_id));
    house.one(&phone.flow).status().unwrap()
}

#[test]
fn a_connection_speaks_for_its_user_as_long_as_the_registration_lasts() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.register(&alice);
    assert_eq!(called(&mut house, &alice, "c1"), 480);
    house.wait(Duration::from_secs(601));
    assert_eq!(called(&mut house, &alice, "c2"), 407, "the registration has run out");
}

#[test]
fn who_has_signed_out_is_asked_again() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.register(&alice);
    house.receive(&alice.flow, &alice.register(3, "Expires: 0\r\n"));
    let challenge = house.one(&alice.flow);
    let credentials = answer(&challenge, "REGISTER", "sip:example.com", "alice", "secret-a");
    house
        .receive(&alice.flow, &alice.register(4, &format!("Expires: 0\r\nAuthorization: {credentials}\r\n")));
    assert_eq!(house.one(&alice.flow).status(), Some(200));
    assert_eq!(called(&mut house, &alice, "c1"), 407);
}

#[test]
fn a_removed_user_cannot_call_when_the_registration_has_run_out() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.register(&alice);
    house.users.remove("alice");
    house.wait(Duration::from_secs(601));
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    let challenge = house.one(&alice.flow);
    let credentials = answer(&challenge, "INVITE", "sip:bob@example.com", "alice", "secret-a");
    let more = format!("Proxy-Authorization: {credentials}\r\n");
    let again = alice.request("INVITE", "sip:bob@example.com", "<sip:bob@example.com>", "c1", 2, &more);
    house.receive(&alice.flow, &again);
    assert_eq!(house.one(&alice.flow).status(), Some(407));
}

#[test]
fn the_connection_of_another_proxy_speaks_for_none_of_its_users() {
    let mut house = house(config());
    let mut alice = tcp_phone("alice", 1, "198.51.100.30:40000", "198.51.100.30:5060");
    alice.via += ";branch=z9hG4bKedge, SIP/2.0/UDP 10.0.0.7";
    house.register(&alice);
    assert_eq!(called(&mut house, &alice, "c1"), 407, "anybody behind that proxy may have sent this");
}

#[test]
fn nobody_gets_the_answer_of_a_call_by_registering_the_contact_of_its_caller() {
    let mut house = house(open_config());
    let (alice, bob) = (page("alice", 1), desk_phone("bob", "198.51.100.7:5062"));
    for phone in [&alice, &bob] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.close(&alice.flow);
    let mut carol = page("carol", 2);
    carol.contact.clone_from(&alice.contact);
    house.receive(&carol.flow, &carol.register(1, ""));
    house.take(&carol.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    house.nothing(&carol.flow);
}

#[test]
fn strangers_may_call_and_send_messages_and_nothing_else() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.register(&alice);
    let eve = desk_phone("eve", "198.51.100.66:5060");
    let mut asked = |method: &str, to: &str| {
        let request =
            eve.request(method, "sip:alice@example.com", to, &format!("{method}{}", to.len()), 1, "");
        house.receive(&eve.flow, &request.replace("<sip:eve@example.com>", "<sip:eve@elsewhere.example>"));
        let forwarded = house.take(&alice.flow).len();
        (forwarded, house.take(&eve.flow).first().and_then(sip::Message::status))
    };
    for allowed in ["MESSAGE", "OPTIONS"] {
        assert_eq!(asked(allowed, "<sip:alice@example.com>"), (1, None), "{allowed}");
    }
    assert_eq!(asked("INVITE", "<sip:alice@example.com>"), (1, Some(100)));
    for method in ["REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "DANCE"] {
        assert_eq!(asked(method, "<sip:alice@example.com>"), (0, Some(403)), "{method}");
    }
    // Within a dialog its other end knows what belongs to it.
    assert_eq!(asked("REFER", "<sip:alice@example.com>;tag=x"), (1, None));
}
