//! Another configuration while calls are up.

mod support;

use std::time::Duration;

use proxy::{Config, Registrar};
use sip::{HeaderName, Message};
use support::*;

#[test]
fn a_call_that_rings_goes_on_under_another_configuration() {
    let mut house = house(open_config());
    let bob = page("bob", 2);
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&bob.flow);
    house.take(&carol.flow);

    let registrar = Registrar { maximum_expiry: Duration::from_secs(120), ..Registrar::default() };
    let domains = vec!["example.org".to_owned(), "example.com".to_owned()];
    house.proxy.reconfigure(Config { registrar, domains, ..config() });
    house.drain();

    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    let answered = house.one(&carol.flow);
    assert_eq!(answered.status(), Some(200));
    let bye = carol.request(
        "BYE",
        &bob.contact,
        "<sip:bob@example.com>;tag=to-bob",
        "c1",
        2,
        &routes(&answered, true),
    );
    house.receive(&carol.flow, &bye);
    assert_eq!(method(&house.one(&bob.flow)), "BYE");

    // What comes from now on is judged by the new one: passwords, and the longest expiry.
    house.receive(&bob.flow, &bob.register(2, ""));
    let challenge = house.one(&bob.flow);
    assert_eq!(challenge.status(), Some(401));
    let credentials = answer(&challenge, "REGISTER", "sip:example.com", "bob", "secret-b");
    house.receive(&bob.flow, &bob.register(3, &format!("Authorization: {credentials}\r\n")));
    assert!(header(&house.one(&bob.flow), HeaderName::Contact).contains(";expires=120"));
}

#[test]
fn another_grace_holds_for_bindings_that_are_there() {
    let mut house = house(open_config());
    let bob = page("bob", 2);
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    let registrar = Registrar { flow_grace: Duration::from_secs(5), ..Registrar::default() };
    house.proxy.reconfigure(Config { registrar, ..open_config() });
    house.close(&bob.flow);
    house.wait(Duration::from_secs(4));
    assert_eq!(house.proxy.bindings(), 1);
    house.wait(Duration::from_secs(1));
    assert_eq!(house.proxy.bindings(), 0);
}

#[test]
fn an_edge_asks_anew_where_its_upstream_is() {
    let upstream = |host: &str| {
        let upstream = proxy::Upstream {
            host: host.to_owned(),
            port: None,
            transport: None,
            addresses: Vec::new(),
            keeps_path: true,
        };
        Config { role: proxy::Role::Edge { upstream }, ..config() }
    };
    let mut house = house(upstream("198.51.100.1"));
    house.proxy.reconfigure(upstream("198.51.100.2"));
    house.drain();
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.register(1, ""));
    let there = desk_phone("x", "198.51.100.2:5060");
    assert_eq!(house.take(&there.flow).iter().map(Message::is_request).collect::<Vec<_>>(), [true]);
}

#[test]
fn a_call_gets_its_100_also_where_it_came_at_once_before() {
    let mut house = house(open_config());
    let bob = page("bob", 2);
    house.receive(&bob.flow, &bob.register(1, ""));
    let carol = desk_phone("carol", "198.51.100.9:5060");
    for (span, call) in [(180, "later"), (0, "at once")] {
        house.proxy.reconfigure(Config { trying_after: Duration::from_millis(span), ..open_config() });
        house.receive(&carol.flow, &carol.invite("sip:bob@example.com", &call.replace(' ', "-")));
        house.wait(Duration::from_millis(200));
        let statuses: Vec<_> = house.take(&carol.flow).iter().map(Message::status).collect();
        assert_eq!(statuses, [Some(100)], "{call}");
    }
}
