//! Accounts whose password stands in a public page.

use std::time::Duration;

use crate::support::*;
use proxy::Config;
use proxy::config::Guests;

fn with_guests() -> House {
    let guests =
        Guests { users: vec!["guest".to_owned()], may_call: vec!["bob".to_owned()], calls_per_minute: 3 };
    let mut house = house(Config { guests, ..config() });
    house.users.insert("guest".to_owned(), "visitors".to_owned());
    house.register(&page("bob", 1));
    house.register(&page("carol", 2));
    house
}

/// What a visitor hears who sends a request with the guests' password; `None`: it went through.
fn heard(house: &mut House, visitor: &Phone, method: &str, uri: &str, more: &str) -> Option<u16> {
    heard_as(house, visitor, method, uri, "", more)
}

/// The same, with a tag behind To.
fn heard_as(
    house: &mut House,
    visitor: &Phone,
    method: &str,
    uri: &str,
    tag: &str,
    more: &str,
) -> Option<u16> {
    static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let call = format!("call-{}", CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let to = format!("<{uri}>{tag}");
    house.receive(&visitor.flow, &visitor.request(method, uri, &to, &call, 1, more));
    let challenge = house.one(&visitor.flow);
    assert_eq!(challenge.status(), Some(407), "{method} {uri}");
    let credentials = answer(&challenge, method, uri, "guest", "visitors");
    let more = format!("{more}Proxy-Authorization: {credentials}\r\n");
    house.receive(&visitor.flow, &visitor.request(method, uri, &to, &call, 2, &more));
    house.take(&visitor.flow).iter().find_map(|answer| answer.status().filter(|status| *status >= 300))
}

#[test]
fn a_guest_calls_whom_the_configuration_names_and_nobody_else() {
    let mut house = with_guests();
    house.any_host = true;
    let visitor = page("guest", 7);
    assert_eq!(heard(&mut house, &visitor, "INVITE", "sip:bob@example.com", ""), None);
    assert_eq!(method(&house.one(&page("bob", 1).flow)), "INVITE");
    for uri in [
        "sip:carol@example.com",
        "sip:nobody@example.com",
        "sip:bob@elsewhere.example",
        "sip:+49301234@example.com",
    ] {
        assert_eq!(heard(&mut house, &visitor, "INVITE", uri, ""), Some(403), "{uri}");
    }
    house.nothing(&page("carol", 2).flow);
}

#[test]
fn a_guest_gains_nothing_by_a_route() {
    let mut house = with_guests();
    house.any_host = true;
    let route = "Route: <sip:elsewhere.example;lr>\r\n";
    let visitor = page("guest", 7);
    assert_eq!(heard(&mut house, &visitor, "INVITE", "sip:bob@example.com", route), Some(403));
    house.nothing(&page("bob", 1).flow);
}

/// A tag is quickly written, and shows nothing.
#[test]
fn a_guest_gains_nothing_by_a_made_up_tag() {
    let mut house = with_guests();
    house.any_host = true;
    let visitor = page("guest", 7);
    for (method, uri) in [
        ("INVITE", "sip:+1900@elsewhere.example"),
        ("INVITE", "sip:carol@example.com"),
        ("NOTIFY", "sip:bob@example.com"),
        ("REFER", "sip:bob@example.com"),
    ] {
        assert_eq!(
            heard_as(&mut house, &visitor, method, uri, ";tag=made-up", ""),
            Some(403),
            "{method} {uri}"
        );
    }
    let register = |cseq, more: &str| {
        visitor
            .register(cseq, more)
            .replace("To: <sip:guest@example.com>", "To: <sip:guest@example.com>;tag=made-up")
    };
    house.receive(&visitor.flow, &register(1, ""));
    let challenge = house.one(&visitor.flow);
    let credentials = answer(&challenge, "REGISTER", "sip:example.com", "guest", "visitors");
    house.receive(&visitor.flow, &register(2, &format!("Authorization: {credentials}\r\n")));
    assert_eq!(house.one(&visitor.flow).status(), Some(403));
    assert!(!house.stored.contains_key(&b"guest@example.com"[..]));
}

#[test]
fn a_guest_makes_no_phone_do_anything_but_ring() {
    let mut house = with_guests();
    let visitor = page("guest", 7);
    for method in ["REFER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "NOTIFY"] {
        let more = "Event: refer\r\n";
        assert_eq!(heard(&mut house, &visitor, method, "sip:bob@example.com", more), Some(403), "{method}");
    }
}

#[test]
fn a_guest_is_not_registered_so_that_no_visitor_gets_the_calls_of_another() {
    let mut house = with_guests();
    let visitor = page("guest", 7);
    house.receive(&visitor.flow, &visitor.register(1, ""));
    let challenge = house.one(&visitor.flow);
    let credentials = answer(&challenge, "REGISTER", "sip:example.com", "guest", "visitors");
    house.receive(&visitor.flow, &visitor.register(2, &format!("Authorization: {credentials}\r\n")));
    assert_eq!(house.one(&visitor.flow).status(), Some(403));
    assert!(!house.stored.contains_key(&b"guest@example.com"[..]));
}

#[test]
fn each_visitor_begins_so_many_calls_in_a_minute() {
    let mut house = with_guests();
    let (one, mut other) = (page("guest", 7), page("guest", 8));
    other.flow.remote = "198.51.100.20:4000".parse().unwrap();
    let bob = "sip:bob@example.com";
    let calls: Vec<_> = (0..4).map(|_| heard(&mut house, &one, "INVITE", bob, "")).collect();
    assert_eq!(calls, [None, None, None, Some(403)]);
    assert_eq!(heard(&mut house, &other, "INVITE", bob, ""), None, "from another address");
    house.wait(Duration::from_secs(20));
    house.take(&one.flow);
    assert_eq!(heard(&mut house, &one, "INVITE", bob, ""), None);
}

/// A call that was let through is a call like any other.
#[test]
fn a_guest_cancels_and_hangs_up() {
    let mut house = with_guests();
    let (visitor, bob) = (page("guest", 7), page("bob", 1));
    assert_eq!(heard(&mut house, &visitor, "INVITE", "sip:bob@example.com", ""), None);
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    let ok = house.take(&visitor.flow).pop().unwrap();
    assert_eq!(ok.status(), Some(200));
    let bye = visitor.request(
        "BYE",
        &bob.contact,
        &header(&ok, sip::HeaderName::To),
        &header(&ok, sip::HeaderName::CallId),
        3,
        &routes(&ok, true),
    );
    house.receive(&visitor.flow, &bye);
    assert_eq!(method(&house.one(&bob.flow)), "BYE");
}
