//! Another configuration while calls are up.

use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use proxy::trunk_settings::{Group, Incoming, Trunks};
use proxy::{AskId, Config, Output, Proxy, Question, Registrar};
use sip::{HeaderName, Instant, Message};

/// Which names a proxy asks for, unanswered yet.
fn asked(proxy: &mut Proxy, now: Instant) -> Vec<(AskId, String)> {
    let mut names = Vec::new();
    proxy.timeout(now);
    loop {
        match proxy.poll() {
            Output::Ask { id, question: Question::Resolve { host, .. } } => names.push((id, host)),
            Output::Timeout(_) => return names,
            _ => {}
        }
    }
}

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

/// An edge before the registrar of that name.
fn edge_before(host: &str) -> Config {
    let upstream = proxy::Upstream {
        host: host.to_owned(),
        port: None,
        transport: None,
        addresses: Vec::new(),
        keeps_path: true,
    };
    Config { role: proxy::Role::Edge { upstream }, ..config() }
}

#[test]
fn an_edge_asks_anew_where_its_upstream_is() {
    let mut house = house(edge_before("198.51.100.1"));
    house.proxy.reconfigure(edge_before("198.51.100.2"));
    house.drain();
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.register(1, ""));
    let there = desk_phone("x", "198.51.100.2:5060");
    assert_eq!(house.take(&there.flow).iter().map(Message::is_request).collect::<Vec<_>>(), [true]);
}

#[test]
fn a_server_that_was_taken_out_while_its_name_was_looked_up_is_believed_no_more() {
    let trusting = |hosts: &[&str], probe| {
        let servers = hosts.iter().map(|host| server(host, 1)).collect();
        let group = Group { servers, trusted: true, incoming: Incoming::Anywhere, probe, ..group("carrier") };
        Config { trunks: Trunks { groups: vec![Arc::new(group)], ..Trunks::default() }, ..config() }
    };
    for probe in [None, Some(Duration::from_secs(60))] {
        let mut house = house(config());
        house.proxy.reconfigure(trusting(&["old.example.net", "new.example.net"], probe));
        let names = asked(&mut house.proxy, house.now);
        house.proxy.reconfigure(trusting(&["new.example.net"], probe));
        asked(&mut house.proxy, house.now);
        for (id, host) in names {
            let address = if host == "old.example.net" { "203.0.113.1:5060" } else { "203.0.113.2:5060" };
            house.proxy.resolved(house.now, id, Ok(vec![udp_hop(address.parse().unwrap())]));
        }
        house.drain();
        let status = |house: &mut House, address| {
            let caller = desk_phone("x", address);
            house.take(&caller.flow);
            house.receive(&caller.flow, &caller.invite("sip:x@198.51.100.3", "c"));
            house.wait(Duration::from_millis(200));
            house.take(&caller.flow).iter().find_map(Message::status)
        };
        assert_eq!(status(&mut house, "203.0.113.2:5060"), Some(100), "the one that stays");
        assert_eq!(status(&mut house, "203.0.113.1:5060"), Some(407), "the one that is gone");
    }
}

#[test]
fn an_edge_forgets_the_upstream_before_also_when_its_name_is_slow_to_be_found() {
    let mut house = house(config());
    house.proxy = Proxy::new(edge_before("old.example.net"), SECRET, Box::new(sip::SeededEntropy::new(1)));
    let old = asked(&mut house.proxy, house.now);
    house.proxy.reconfigure(edge_before("new.example.net"));
    let new = asked(&mut house.proxy, house.now);
    for (names, address) in [(new, "198.51.100.2:5060"), (old, "198.51.100.1:5060")] {
        for (id, _) in names {
            house.proxy.resolved(house.now, id, Ok(vec![udp_hop(address.parse().unwrap())]));
        }
    }
    house.drain();
    let status = |house: &mut House, address| {
        let caller = desk_phone("x", address);
        house.receive(&caller.flow, &caller.invite("sip:alice@192.0.2.77", "c"));
        house.wait(Duration::from_millis(200));
        house.take(&caller.flow).iter().find_map(Message::status)
    };
    assert_eq!(
        status(&mut house, "198.51.100.2:5060"),
        Some(404),
        "it may call, though not whom nobody knows"
    );
    assert_eq!(status(&mut house, "198.51.100.1:5060"), Some(403), "it may not");
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
