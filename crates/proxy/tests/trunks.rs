//! Groups of other servers and the routes that lead there: who gets where, and what happens when a server fails.

use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use proxy::trunk_settings::{
    Action, Domain, Group, Incoming, Numbers, Pattern, Route, Server, Source, Trunks,
};
use proxy::{Config, Event};
use sip::{Flow, HeaderName, Message, Transport};

const FIRST: &str = "203.0.113.1:5060";
const SECOND: &str = "203.0.113.2:5060";

fn pstn() -> Group {
    Group { servers: vec![server("203.0.113.1", 1), server("203.0.113.2", 2)], ..group("pstn") }
}

fn to_pstn() -> Action {
    Action::Group("pstn".to_owned())
}

/// A route for numbers that begin like this.
fn numbers(prefix: &str, action: Action) -> Route {
    Route { prefixes: vec![prefix.to_owned()], action, ..Route::default() }
}

fn german() -> Numbers {
    Numbers { country: "49".to_owned(), ..Numbers::default() }
}

/// A house with a group and routes, in which passwords are asked for.
fn with_routes(group: Group, routes: Vec<Route>) -> House {
    let trunks = Trunks { groups: vec![Arc::new(group)], routes, numbers: german() };
    let mut config = Config { trunks, ..config() };
    // How many calls one account may begin is told elsewhere.
    config.limits.calls_elsewhere = 0;
    house(config)
}

/// The same, and alice has signed in from a page.
fn with_alice(group: Group, routes: Vec<Route>) -> (House, Phone) {
    let mut house = with_routes(group, routes);
    let alice = page("alice", 1);
    house.register(&alice);
    (house, alice)
}

/// The other server, as one that answers.
fn at(address: &str) -> Phone {
    desk_phone("carrier", address)
}

fn invites(house: &mut House, address: &str) -> Vec<Message> {
    let mut messages = house.take(&at(address).flow);
    messages.retain(|message| method(message) == "INVITE");
    messages
}

fn request_uri(message: &Message) -> String {
    String::from_utf8_lossy(message.request_uri()).into_owned()
}

fn status(house: &mut House, flow: &Flow) -> u16 {
    house.one(flow).status().unwrap()
}

/// A call of somebody who is no user of ours.
fn foreign_call(from: &Phone, uri: &str, call_id: &str) -> String {
    from.invite(uri, call_id).replace("@example.com>;tag=from", "@elsewhere.example>;tag=from")
}

#[test]
fn a_users_number_goes_to_the_group_in_its_global_form() {
    for (called, expected) in [
        ("sip:+49301234@example.com", "sip:+49301234@203.0.113.1:5060;user=phone"),
        ("sip:030-1234@example.com", "sip:+49301234@203.0.113.1:5060;user=phone"),
        ("sip:0049301234@example.com;user=phone", "sip:+49301234@203.0.113.1:5060;user=phone"),
        ("tel:+49-30-1234", "sip:+49301234@203.0.113.1:5060;user=phone"),
    ] {
        let (mut house, alice) = with_alice(pstn(), vec![numbers("+", to_pstn())]);
        house.receive(&alice.flow, &alice.invite(called, "call"));
        let invite = invites(&mut house, FIRST).remove(0);
        assert_eq!(request_uri(&invite), expected, "{called}");
        let carrier = at(FIRST);
        house.receive(&carrier.flow, &carrier.respond(&invite, 200, ""));
        assert_eq!(status(&mut house, &alice.flow), 200);
    }
}

#[test]
fn what_no_route_matches_goes_where_it_went_without_routes() {
    let (mut house, alice) = with_alice(pstn(), vec![numbers("+", to_pstn())]);
    let bob = page("bob", 2);
    house.register(&bob);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "to-bob"));
    assert_eq!(method(&house.one(&bob.flow)), "INVITE");
    house.receive(&alice.flow, &alice.invite("sip:4711@example.com", "to-nobody"));
    assert_eq!(status(&mut house, &alice.flow), 404);
    // Numbers of other domains are theirs.
    house.any_host = true;
    house.receive(&alice.flow, &alice.invite("sip:+49301234@203.0.113.77", "elsewhere"));
    assert_eq!(invites(&mut house, "203.0.113.77:5060").len(), 1);
}

#[test]
fn numbers_are_changed_as_the_route_says() {
    let change = |prefix: &str, strip, prepend: &str| Route {
        strip,
        prepend: prepend.to_owned(),
        ..numbers(prefix, to_pstn())
    };
    for (route, called, expected) in [
        (change("+49", 3, "0"), "0301234", "sip:0301234@203.0.113.1:5060"),
        (change("+", 1, "00"), "+49301234", "sip:0049301234@203.0.113.1:5060"),
        // A digit for the outside line, and behind it a number as people dial it.
        (change("9", 1, ""), "90301234", "sip:+49301234@203.0.113.1:5060;user=phone"),
        (change("4", 0, "88"), "4711", "sip:884711@203.0.113.1:5060"),
        (change("*", 0, ""), "*21%23", "sip:*21%23@203.0.113.1:5060"),
    ] {
        let (mut house, alice) = with_alice(pstn(), vec![route]);
        house.receive(&alice.flow, &alice.invite(&format!("sip:{called}@example.com"), "call"));
        assert_eq!(request_uri(&invites(&mut house, FIRST)[0]), expected, "{called}");
    }
}

#[test]
fn the_group_may_be_called_by_a_domain_of_its_own() {
    let group = Group { domain: Some("provider.example".to_owned()), ..pstn() };
    let (mut house, alice) = with_alice(group, vec![Route { action: to_pstn(), ..Route::default() }]);
    house.receive(&alice.flow, &alice.invite("sip:support@example.com", "call"));
    assert_eq!(request_uri(&invites(&mut house, FIRST)[0]), "sip:support@provider.example");
}

#[test]
fn the_first_route_that_matches_counts() {
    let routes = vec![
        Route {
            action: Action::Reject(403, Some("no service numbers".to_owned())),
            ..numbers("+49900", to_pstn())
        },
        numbers("+", to_pstn()),
    ];
    let (mut house, alice) = with_alice(pstn(), routes);
    house.receive(&alice.flow, &alice.invite("sip:0900123@example.com", "dear"));
    let refusal = house.one(&alice.flow);
    assert_eq!(refusal.status(), Some(403));
    assert!(header(&refusal, HeaderName::Warning).contains("no service numbers"), "{}", text(&refusal));
    house.receive(&alice.flow, &alice.invite("sip:030123@example.com", "cheap"));
    assert_eq!(invites(&mut house, FIRST).len(), 1);
}

#[test]
fn users_come_before_the_group_where_their_route_does_and_only_if_there_are_such() {
    let routes = vec![Route::default(), Route { action: to_pstn(), ..Route::default() }];
    let (mut house, alice) = with_alice(pstn(), routes);
    // bob has an account, and is not there: his calls go to nobody else.
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "to-bob"));
    assert_eq!(status(&mut house, &alice.flow), 480);
    house.receive(&alice.flow, &alice.invite("sip:4711@example.com", "to-number"));
    assert_eq!(request_uri(&invites(&mut house, FIRST)[0]), "sip:4711@203.0.113.1:5060");
    // The other way round the group has everything.
    let routes = vec![Route { action: to_pstn(), ..Route::default() }, Route::default()];
    let (mut house, alice) = with_alice(pstn(), routes);
    house.receive(&alice.flow, &alice.invite("sip:alice@example.com", "to-herself"));
    assert_eq!(invites(&mut house, FIRST).len(), 1);
}

#[test]
fn a_number_that_no_users_route_knows_and_nothing_else_matches_is_nobodys() {
    let (mut house, alice) = with_alice(pstn(), vec![Route::default()]);
    house.receive(&alice.flow, &alice.invite("sip:dave@example.com", "to-dave"));
    assert_eq!(status(&mut house, &alice.flow), 404);
}

#[test]
fn a_number_may_stand_for_a_user() {
    let routes = vec![
        numbers("+4930555", Action::User("bob".to_owned())),
        Route { strip: 3, prepend: "1".to_owned(), ..numbers("777", Action::Users) },
    ];
    let (mut house, alice) = with_alice(pstn(), routes);
    let bob = page("bob", 2);
    house.register(&bob);
    house.receive(&alice.flow, &alice.invite("tel:+4930555", "by-number"));
    assert_eq!(request_uri(&house.one(&bob.flow)), bob.contact);
    house.users.insert("123".to_owned(), "x".to_owned());
    let desk = page("123", 3);
    house.register(&desk);
    house.receive(&alice.flow, &alice.invite("sip:77723@example.com", "by-digits"));
    assert_eq!(request_uri(&house.one(&desk.flow)), desk.contact);
}

#[test]
fn strangers_get_no_further_than_without_routes() {
    let everything = Route { domains: vec![Domain::Any], action: to_pstn(), ..Route::default() };
    let mut house = with_routes(pstn(), vec![everything]);
    let stranger = desk_phone("mallory", "198.51.100.66:5060");
    house.receive(&stranger.flow, &foreign_call(&stranger, "sip:+49301234@example.com", "abuse"));
    assert_eq!(status(&mut house, &stranger.flow), 407);
    // Nor does one who says that he is alice.
    house.receive(&stranger.flow, &page("alice", 1).invite("sip:+49301234@example.com", "lie"));
    assert_eq!(status(&mut house, &stranger.flow), 407);
    assert!(invites(&mut house, FIRST).is_empty());
}

#[test]
fn a_phone_that_has_not_signed_in_is_asked_for_its_password_and_then_is_a_user() {
    let route = Route { sources: vec![Source::Users], ..numbers("+", to_pstn()) };
    let refuse = Route { action: Action::Reject(403, None), ..Route::default() };
    let mut house = with_routes(pstn(), vec![route, refuse]);
    let phone = desk_phone("alice", "198.51.100.7:5060");
    let uri = "sip:+49301234@example.com";
    house.receive(&phone.flow, &phone.invite(uri, "call"));
    let challenge = house.one(&phone.flow);
    assert_eq!(challenge.status(), Some(407));
    let credentials = answer(&challenge, "INVITE", uri, "alice", "secret-a");
    let more = format!("Proxy-Authorization: {credentials}\r\n");
    house.receive(&phone.flow, &phone.request("INVITE", uri, &format!("<{uri}>"), "call", 2, &more));
    let invite = invites(&mut house, FIRST).remove(0);
    assert!(invite.header(HeaderName::ProxyAuthorization).is_none(), "what was for us stays here");
}

#[test]
fn a_source_that_a_route_names_may_go_without_a_password_and_nobody_else_may() {
    let route = |without_password| Route {
        sources: vec![Source::Addresses("198.51.100.0/24".parse_range())],
        without_password,
        ..numbers("+", to_pstn())
    };
    let fax = desk_phone("fax", "198.51.100.5:5060");
    let other = desk_phone("fax", "198.51.101.5:5060");
    let call = foreign_call(&fax, "sip:+49301234@example.com", "fax");
    let mut house = with_routes(pstn(), vec![route(true)]);
    house.receive(&fax.flow, &call);
    assert_eq!(invites(&mut house, FIRST).len(), 1);
    house.take(&fax.flow);
    house.receive(&other.flow, &call.replace("z9hG4bK", "z9hG4bKother"));
    assert_eq!(status(&mut house, &other.flow), 480, "nobody's number, for strangers");
    let mut house = with_routes(pstn(), vec![route(false)]);
    house.receive(&fax.flow, &call);
    assert_eq!(status(&mut house, &fax.flow), 407);
    // An HTTP server before us may stand for the whole world with its own address.
    let mut house = with_routes(pstn(), vec![route(true)]);
    let page = Phone { flow: flow(Transport::Ws, 9, "198.51.100.5:4000", 8080), ..page("x", 9) };
    house.receive(&page.flow, &foreign_call(&page, "sip:+49301234@example.com", "page"));
    assert_eq!(status(&mut house, &page.flow), 407);
}

#[test]
fn methods_headers_and_domains_tell_requests_apart() {
    let blue = Route {
        headers: vec![("x-tenant".to_owned(), Pattern::new("blue*"))],
        ..Route { action: to_pstn(), ..Route::default() }
    };
    let messages =
        Route { methods: vec!["MESSAGE".to_owned()], action: Action::Reject(405, None), ..Route::default() };
    let partner = Route {
        domains: vec![Domain::Named("partner.example".to_owned())],
        action: Action::Reject(410, None),
        ..Route::default()
    };
    let (mut house, alice) = with_alice(pstn(), vec![blue, messages, partner]);
    let with = |uri: &str, call_id: &str, method: &str, more: &str| {
        alice.request(method, uri, &format!("<{uri}>"), call_id, 1, more)
    };
    house.receive(&alice.flow, &with("sip:bob@example.com", "1", "INVITE", "X-Tenant: Blueberry\r\n"));
    assert_eq!(invites(&mut house, FIRST).len(), 1);
    for (request, expected) in [
        (with("sip:bob@example.com", "2", "INVITE", "X-Tenant: red\r\n"), 480),
        (with("sip:bob@example.com", "3", "MESSAGE", ""), 405),
        (with("sip:x@partner.example", "4", "INVITE", ""), 410),
        (with("sip:x@PARTNER.example", "5", "INVITE", ""), 410),
    ] {
        house.receive(&alice.flow, &request);
        assert_eq!(status(&mut house, &alice.flow), expected, "{request}");
    }
}

#[test]
fn a_dialog_and_a_registration_are_nobodys_routes() {
    let (mut house, alice) = with_alice(pstn(), vec![numbers("+", to_pstn())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "call"));
    let invite = invites(&mut house, FIRST).remove(0);
    let carrier = at(FIRST);
    let contact = "Contact: <sip:+49301234@203.0.113.9:5070>\r\n";
    let accepted = carrier.respond(&invite, 200, "");
    let accepted = accepted.replace(&format!("Contact: <{}>\r\n", carrier.contact), contact);
    house.receive(&carrier.flow, &accepted);
    let accepted = house.one(&alice.flow);
    let bye = alice.request(
        "BYE",
        "sip:+49301234@203.0.113.9:5070",
        &header(&accepted, HeaderName::To),
        "call",
        2,
        &routes(&accepted, true),
    );
    house.receive(&alice.flow, &bye);
    let bye = house.one(&at("203.0.113.9:5070").flow);
    assert_eq!(request_uri(&bye), "sip:+49301234@203.0.113.9:5070");
}

#[test]
fn a_server_that_refuses_is_passed_over_and_asked_last_from_then_on() {
    let (mut house, alice) = with_alice(pstn(), vec![numbers("+", to_pstn())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "1"));
    let invite = invites(&mut house, FIRST).remove(0);
    let carrier = at(FIRST);
    house.receive(&carrier.flow, &carrier.respond(&invite, 503, ""));
    let invite = invites(&mut house, SECOND).remove(0);
    assert_eq!(request_uri(&invite), "sip:+49301234@203.0.113.2:5060;user=phone");
    let other = at(SECOND);
    house.receive(&other.flow, &other.respond(&invite, 486, ""));
    assert_eq!(status(&mut house, &alice.flow), 486);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "2"));
    let invite = invites(&mut house, SECOND).remove(0);
    house.receive(&other.flow, &other.respond(&invite, 486, ""));
    // It is told once, and once more when it works again.
    house.wait(Duration::from_secs(61));
    house.take(&carrier.flow);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "3"));
    let invite = invites(&mut house, FIRST).remove(0);
    house.receive(&carrier.flow, &carrier.respond(&invite, 180, ""));
    assert_eq!(
        told(&house),
        [("sip:203.0.113.1:5060;transport=udp", false), ("sip:203.0.113.1:5060;transport=udp", true)]
    );
}

/// What was told of servers.
fn told(house: &House) -> Vec<(&str, bool)> {
    let server = |event: &'_ Event| match event {
        Event::Server { server, works, .. } => Some((server.clone(), *works)),
        _ => None,
    };
    let told: Vec<(String, bool)> = house.events.iter().filter_map(server).collect();
    told.into_iter().map(|(server, works)| (&*server.leak(), works)).collect()
}

#[test]
fn a_silent_server_is_passed_over_after_two_seconds() {
    let (mut house, alice) = with_alice(pstn(), vec![numbers("+", to_pstn())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "1"));
    house.wait(Duration::from_millis(1900));
    assert!(invites(&mut house, SECOND).is_empty());
    house.wait(Duration::from_millis(200));
    let invite = invites(&mut house, SECOND).remove(0);
    let other = at(SECOND);
    house.receive(&other.flow, &other.respond(&invite, 200, ""));
    assert!(house.take(&alice.flow).iter().any(|message| message.status() == Some(200)));
}

#[test]
fn a_server_that_cannot_be_connected_to_is_passed_over_at_once() {
    let tcp = |host: &str, priority| Server { transport: Some(Transport::Tcp), ..server(host, priority) };
    let group = Group { servers: vec![tcp("203.0.113.1", 1), tcp("203.0.113.2", 2)], ..pstn() };
    let (mut house, alice) = with_alice(group, vec![numbers("+", to_pstn())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "1"));
    let (hop, _) = house.sent.iter().find(|(_, message)| method(message) == "INVITE").cloned().unwrap();
    house.sent.clear();
    assert_eq!(hop.address(), FIRST.parse().unwrap());
    house.proxy.unreachable(house.now, &hop);
    house.drain();
    let (hop, _) = house.sent.iter().find(|(_, message)| method(message) == "INVITE").unwrap();
    assert_eq!(hop.address(), SECOND.parse().unwrap());
}

#[test]
fn a_callee_who_does_not_answer_is_not_looked_for_at_the_next_server() {
    let (mut house, alice) = with_alice(pstn(), vec![numbers("+", to_pstn())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "1"));
    let invite = invites(&mut house, FIRST).remove(0);
    let carrier = at(FIRST);
    house.receive(&carrier.flow, &carrier.respond(&invite, 408, ""));
    assert_eq!(status(&mut house, &alice.flow), 408);
    assert!(invites(&mut house, SECOND).is_empty());
}

#[test]
fn when_all_have_failed_the_caller_hears_it_once() {
    let (mut house, alice) = with_alice(pstn(), vec![numbers("+", to_pstn())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "1"));
    for address in [FIRST, SECOND] {
        let invite = invites(&mut house, address).remove(0);
        let carrier = at(address);
        house.receive(&carrier.flow, &carrier.respond(&invite, 503, ""));
    }
    assert_eq!(status(&mut house, &alice.flow), 500);
}

#[test]
fn calls_are_shared_by_weight() {
    let heavy = Server { weight: 3, ..server("203.0.113.1", 1) };
    let group = Group { servers: vec![heavy, server("203.0.113.2", 1)], ..pstn() };
    let (mut house, alice) = with_alice(group, vec![numbers("+", to_pstn())]);
    for call in 0..400 {
        house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", &format!("call-{call}")));
    }
    let (first, second) = (invites(&mut house, FIRST).len(), invites(&mut house, SECOND).len());
    assert_eq!(first + second, 400);
    assert!((260..340).contains(&first), "{first} and {second}");
}

#[test]
fn a_named_server_is_looked_up_and_known_again_when_it_calls() {
    let named = Server { host: "carrier.example".to_owned(), port: None, ..server("", 1) };
    let group =
        Group { servers: vec![named], incoming_to: Some("alice".to_owned()), trusted: true, ..pstn() };
    let (mut house, alice) = with_alice(group, vec![numbers("+", to_pstn())]);
    house.hosts.insert("carrier.example".to_owned(), vec![udp_hop(FIRST.parse().unwrap())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "out"));
    assert_eq!(request_uri(&invites(&mut house, FIRST)[0]), "sip:+49301234@carrier.example;user=phone");
    let carrier = at(FIRST);
    house.receive(&carrier.flow, &foreign_call(&carrier, "sip:line7@192.0.2.1", "in"));
    let messages = house.take(&alice.flow);
    assert!(messages.iter().any(|message| method(message) == "INVITE"));
}

#[test]
fn calls_of_a_group_reach_whom_the_routes_name_and_else_the_one_who_takes_them() {
    let group = Group { incoming_to: Some("alice".to_owned()), trusted: true, ..pstn() };
    let from_group = vec![Source::Group("pstn".to_owned())];
    let routes = vec![Route { sources: from_group, ..numbers("+4930555", Action::User("bob".to_owned())) }];
    let (mut house, alice) = with_alice(group, routes);
    let bob = page("bob", 2);
    house.register(&bob);
    let carrier = at(FIRST);
    house.receive(&carrier.flow, &foreign_call(&carrier, "sip:+4930555@192.0.2.1", "1"));
    assert_eq!(method(&house.one(&bob.flow)), "INVITE");
    house.receive(&carrier.flow, &foreign_call(&carrier, "sip:+4930999@192.0.2.1", "2"));
    assert_eq!(method(&house.one(&alice.flow)), "INVITE");
}

#[test]
fn what_a_group_may_reach_is_its_incoming() {
    let call = |incoming, trusted, uri: &str| {
        let (mut house, alice) = with_alice(Group { incoming, trusted, ..pstn() }, Vec::new());
        house.any_host = true;
        let carrier = at(FIRST);
        house.receive(&carrier.flow, &foreign_call(&carrier, uri, "in"));
        let reached = house.take(&alice.flow).len() + invites(&mut house, "203.0.113.77:5060").len();
        let status =
            house.take(&carrier.flow).iter().find_map(|it| it.status().filter(|status| *status > 100));
        (reached, status)
    };
    let (user, world) = ("sip:alice@example.com", "sip:x@203.0.113.77");
    assert_eq!(call(Incoming::Users, true, user), (1, None));
    assert_eq!(call(Incoming::Users, true, world), (0, Some(403)));
    assert_eq!(call(Incoming::Anywhere, true, world), (1, None));
    assert_eq!(call(Incoming::Nobody, false, user), (0, Some(403)));
    // One that is not trusted is a stranger like others.
    assert_eq!(call(Incoming::Users, false, user), (1, None));
    assert_eq!(call(Incoming::Users, false, world), (0, Some(407)));
}

#[test]
fn a_group_that_calls_numbers_nobody_has_is_not_taken_for_a_scanner() {
    let mut house = with_routes(pstn(), Vec::new());
    let carrier = at(FIRST);
    for call in 0..50 {
        house.receive(&carrier.flow, &foreign_call(&carrier, "sip:4711@example.com", &format!("{call}")));
        assert_eq!(status(&mut house, &carrier.flow), 480, "call {call}");
    }
    let other = at("198.51.100.66:5060");
    for call in 0..50 {
        house.receive(&other.flow, &foreign_call(&other, "sip:4711@example.com", &format!("other-{call}")));
    }
    assert_eq!(house.take(&other.flow).len(), 20);
}

#[test]
fn a_trusted_group_is_believed_who_calls_and_is_told_who_calls() {
    let group = Group { trusted: true, ..pstn() };
    let (mut house, alice) = with_alice(group, vec![numbers("+", to_pstn())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "out"));
    let invite = invites(&mut house, FIRST).remove(0);
    assert_eq!(header(&invite, HeaderName::PAssertedIdentity), "<sip:alice@example.com>");
    let carrier = at(FIRST);
    let asserted = "P-Asserted-Identity: <sip:+4930777@carrier.example>\r\n";
    let call = foreign_call(&carrier, "sip:alice@example.com", "in");
    house.receive(&carrier.flow, &call.replace("Content-Length", &format!("{asserted}Content-Length")));
    assert_eq!(
        header(&house.one(&alice.flow), HeaderName::PAssertedIdentity),
        "<sip:+4930777@carrier.example>"
    );
}

#[test]
fn who_shares_the_machine_of_a_server_is_not_taken_for_it() {
    let group = Group { trusted: true, incoming: Incoming::Anywhere, ..pstn() };
    let mut house = with_routes(group, Vec::new());
    let neighbour = at("203.0.113.1:6000");
    house.receive(&neighbour.flow, &foreign_call(&neighbour, "sip:x@203.0.113.77", "relay"));
    assert_eq!(status(&mut house, &neighbour.flow), 407);
}

#[test]
fn another_configuration_has_other_routes_and_the_calls_stay() {
    let (mut house, alice) = with_alice(pstn(), vec![numbers("+", to_pstn())]);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "before"));
    let invite = invites(&mut house, FIRST).remove(0);
    house.proxy.reconfigure(config());
    house.drain();
    let carrier = at(FIRST);
    house.receive(&carrier.flow, &carrier.respond(&invite, 503, ""));
    let invite = invites(&mut house, SECOND).remove(0);
    let other = at(SECOND);
    house.receive(&other.flow, &other.respond(&invite, 200, ""));
    assert_eq!(status(&mut house, &alice.flow), 200);
    house.receive(&alice.flow, &alice.invite("sip:+49301234@example.com", "after"));
    assert_eq!(status(&mut house, &alice.flow), 404);
}

trait ParseRange {
    fn parse_range(&self) -> sip::AddressRange;
}

impl ParseRange for str {
    fn parse_range(&self) -> sip::AddressRange {
        let (address, prefix) = self.split_once('/').unwrap();
        sip::AddressRange { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
    }
}
