//! The edge role: in front of an existing registrar (RFC 5626 §5, RFC 3327).

use crate::support::*;
use proxy::{Config, Event, Role, Upstream};
use sip::{HeaderName, Message, Transport};

const REGISTRAR: &str = "192.0.2.200:5080";

fn registrar() -> Phone {
    let mut registrar = desk_phone("registrar", REGISTRAR);
    registrar.contact = format!("sip:{REGISTRAR}");
    registrar
}

fn edge() -> House {
    let upstream = Upstream {
        host: "registrar.example".to_owned(),
        port: Some(5080),
        transport: None,
        addresses: Vec::new(),
        keeps_path: true,
    };
    let mut house = house(Config { role: Role::Edge { upstream }, ..config() });
    house.hosts.insert("registrar.example".to_owned(), vec![udp_hop(REGISTRAR.parse().unwrap())]);
    house
}

/// The page registers through the edge; gives the Path that arrived at the registrar.
fn registered(house: &mut House, phone: &Phone) -> Vec<String> {
    house.receive(&phone.flow, &phone.register(1, ""));
    let registrar = registrar();
    let request = house.one(&registrar.flow);
    assert_eq!(method(&request), "REGISTER");
    assert_eq!(request.request_uri(), b"sip:example.com");
    assert!(request.lists(HeaderName::Supported, "path"));
    let challenge = "WWW-Authenticate: Digest realm=\"up\", nonce=\"n\", qop=\"auth\"\r\n";
    house.receive(&registrar.flow, &registrar.respond(&request, 401, challenge));
    let got = house.one(&phone.flow);
    assert_eq!(got.status(), Some(401), "the registrar's own challenge");
    house.receive(&phone.flow, &phone.register(2, "Authorization: Digest username=\"alice\"\r\n"));
    let request = house.one(&registrar.flow);
    assert!(request.header(HeaderName::Authorization).is_some());
    let path = values(&request, HeaderName::Path);
    let contact = format!("Contact: <{}>;expires=300\r\nPath: {}\r\n", phone.contact, path.join(", "));
    let ok = registrar.respond(&request, 200, &contact).replacen(
        &format!("Contact: <{}>\r\n", registrar.contact),
        "",
        1,
    );
    house.receive(&registrar.flow, &ok);
    assert_eq!(house.one(&phone.flow).status(), Some(200));
    path
}

#[test]
fn an_edge_tells_who_has_registered_through_it_once_the_registrar_has_said_yes() {
    let mut house = edge();
    let alice = page("alice", 1);
    registered(&mut house, &alice);
    let told: Vec<&Event> =
        house.events.iter().filter(|event| matches!(event, Event::Registered { .. })).collect();
    let [Event::Registered { aor, expires, source, .. }] = told[..] else { panic!("{told:?}") };
    assert_eq!((aor.as_slice(), *expires), (b"alice@example.com".as_slice(), 300));
    assert_eq!(*source, alice.flow.remote);
}

#[test]
fn a_register_arrives_with_a_path_of_both_sides() {
    let mut house = edge();
    let path = registered(&mut house, &page("alice", 1));
    assert_eq!(path.len(), 2, "{path:?}");
    assert_eq!(path[0], "<sip:192.0.2.1:5060;transport=udp;lr>", "the registrar's side first");
    assert!(path[1].contains("@192.0.2.1:8080;transport=ws;lr;ob>"), "{path:?}");
    let path = registered(&mut house, &desk_phone("bob", "198.51.100.7:5062"));
    assert_eq!(path.len(), 1, "one where the transport does not change: {path:?}");
}

#[test]
fn the_registrar_calls_the_page_along_the_path() {
    let mut house = edge();
    let alice = page("alice", 1);
    let path = registered(&mut house, &alice);
    let registrar = registrar();
    let route = format!("Route: {}\r\n", path.join(", "));
    let invite = registrar.request("INVITE", &alice.contact, "<sip:alice@example.com>", "c1", 1, &route);
    house.receive(&registrar.flow, &invite);
    let at_page = house.one(&alice.flow);
    assert_eq!(method(&at_page), "INVITE");
    assert_eq!(at_page.header(HeaderName::Route), None);
    assert_eq!(values(&at_page, HeaderName::RecordRoute).len(), 2);
    house.receive(&alice.flow, &alice.respond(&at_page, 200, ""));
    let answered = house.one(&registrar.flow);
    hang_up_both_ways(&mut house, &alice, &at_page, &answered);
}

/// BYE from the registrar's side, then from the page's.
fn hang_up_both_ways(house: &mut House, alice: &Phone, at_page: &Message, answered: &Message) {
    let registrar = registrar();
    let to = "<sip:alice@example.com>;tag=to-alice";
    house.receive(
        &registrar.flow,
        &registrar.request("BYE", &alice.contact, to, "c1", 2, &routes(answered, true)),
    );
    let bye = house.one(&alice.flow);
    assert_eq!(method(&bye), "BYE");
    house.receive(&alice.flow, &alice.respond(&bye, 200, ""));
    assert_eq!(house.one(&registrar.flow).status(), Some(200));
    let more = routes(at_page, false);
    house.receive(
        &alice.flow,
        &alice.request("BYE", &registrar.contact, "<sip:x@example.com>;tag=f", "c1", 3, &more),
    );
    let bye = house.one(&registrar.flow);
    assert_eq!((method(&bye).as_str(), bye.header(HeaderName::Route)), ("BYE", None));
}

#[test]
fn the_page_calls_through_the_registrar() {
    let mut house = edge();
    let alice = page("alice", 1);
    registered(&mut house, &alice);
    let registrar = registrar();
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    let invite = house.one(&registrar.flow);
    assert_eq!(invite.request_uri(), b"sip:bob@example.com");
    let routes = values(&invite, HeaderName::RecordRoute);
    assert!(routes[0].starts_with("<sip:192.0.2.1:5060;transport=udp;lr"), "{routes:?}");
    assert!(routes[1].contains("@192.0.2.1:8080;transport=ws;lr"), "{routes:?}");
    house.take(&alice.flow);

    // The registrar record-routes too, at its own address.
    let own = format!("Record-Route: <sip:{REGISTRAR};lr>\r\n");
    let ok =
        registrar.respond(&invite, 200, "").replacen("Record-Route: ", &format!("{own}Record-Route: "), 1);
    house.receive(&registrar.flow, &ok);
    let answered = house.one(&alice.flow);
    let more = crate::support::routes(&answered, true);
    let to = "<sip:bob@example.com>;tag=to-registrar";
    for (name, cseq) in [("ACK", 1), ("BYE", 2)] {
        house.receive(&alice.flow, &alice.request(name, "sip:bob@198.51.100.7", to, "c1", cseq, &more));
        let onward = house.one(&registrar.flow);
        assert_eq!(method(&onward), name);
        assert_eq!(values(&onward, HeaderName::Route), [format!("<sip:{REGISTRAR};lr>")]);
        assert_eq!(onward.request_uri(), b"sip:bob@198.51.100.7");
    }
}

#[test]
fn the_edge_serves_its_clients_and_its_upstream_only() {
    let mut house = edge();
    let alice = page("alice", 1);
    let path = registered(&mut house, &alice);
    let eve = desk_phone("eve", "198.51.100.66:5060");
    house.receive(&eve.flow, &eve.invite("sip:bob@example.com", "c1"));
    assert_eq!(house.one(&eve.flow).status(), Some(403), "not registered");
    let route = format!("Route: {}\r\n", path.join(", "));
    house.receive(&eve.flow, &eve.request("INVITE", &alice.contact, "<sip:a@example.com>", "c2", 1, &route));
    assert_eq!(house.one(&eve.flow).status(), Some(403), "a Path that was seen elsewhere opens nothing");
    house.nothing(&alice.flow);
}

#[test]
fn a_flow_that_is_gone_is_said_so_unless_the_client_is_back() {
    let mut house = edge();
    let alice = page("alice", 1);
    let path = registered(&mut house, &alice);
    let registrar = registrar();
    let route = format!("Route: {}\r\n", path.join(", "));
    let call = |number: u32| {
        registrar.request(
            "INVITE",
            &alice.contact,
            "<sip:alice@example.com>",
            &format!("c{number}"),
            1,
            &route,
        )
    };
    house.close(&alice.flow);
    house.receive(&registrar.flow, &call(1));
    assert_eq!(house.one(&registrar.flow).status(), Some(430));
    let back = Phone { flow: page("alice", 9).flow, call_id: "again".to_owned(), ..alice.clone() };
    registered(&mut house, &back);
    house.receive(&registrar.flow, &call(2));
    assert_eq!(method(&house.one(&back.flow)), "INVITE");
    house.take(&registrar.flow);
    // A forged token.
    let forged = route.replace("Route: <sip:192.0.2.1:5060;transport=udp;lr>, <sip:", "Route: <sip:x");
    house.receive(
        &registrar.flow,
        &registrar.request("INVITE", &alice.contact, "<sip:alice@example.com>", "c3", 1, &forged),
    );
    assert_eq!(house.one(&registrar.flow).status(), Some(403));
}

#[test]
fn a_phone_on_udp_keeps_its_path_over_a_restart_of_the_edge() {
    let mut house = edge();
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let path = registered(&mut house, &bob);
    let upstream = Upstream {
        host: "registrar.example".to_owned(),
        port: Some(5080),
        transport: None,
        addresses: Vec::new(),
        keeps_path: true,
    };
    house.restart(Config { role: Role::Edge { upstream }, ..config() });
    let registrar = registrar();
    let route = format!("Route: {}\r\n", path.join(", "));
    let invite = registrar.request("INVITE", &bob.contact, "<sip:bob@example.com>", "c1", 1, &route);
    house.receive(&registrar.flow, &invite);
    assert_eq!(method(&house.one(&bob.flow)), "INVITE");
}

#[test]
fn clients_beside_the_registrar_on_one_machine_are_clients() {
    let mut house = edge();
    house.hosts.insert("registrar.example".to_owned(), vec![udp_hop("127.0.0.1:5080".parse().unwrap())]);
    let bob = desk_phone("bob", "127.0.0.1:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    let here = flow(Transport::Udp, 0, "127.0.0.1:5080", 5060);
    assert_eq!(method(&house.one(&here)), "REGISTER");
    house.receive(&bob.flow, &bob.invite("sip:alice@example.com", "c1"));
    assert_eq!(house.one(&bob.flow).status(), Some(403));
}
