//! Routes that lead to users: what the server answers itself stays private, messages find whom a number stands for, and
//! numbers that are nobody's go on to the next route.

use std::sync::Arc;

use crate::support::*;
use proxy::config::Guests;
use proxy::trunk_settings::{Action, Group, Numbers, Route, Source, Trunks};
use proxy::{Config, Event};
use sip::{AddressRange, Message};

const BOB: &str = "sip:bob@example.com";
/// Stands for bob.
const NUMBER: &str = "sip:100@example.com";
const CARRIER: &str = "203.0.113.1:5060";

fn carrier_group() -> Group {
    group("pstn")
}

fn to_carrier() -> Route {
    Route { action: Action::Group("pstn".to_owned()), ..Route::default() }
}

/// Users by their names, and a number for bob.
fn to_users() -> Vec<Route> {
    let number = Route {
        prefixes: vec!["100".to_owned()],
        action: Action::User("bob".to_owned()),
        ..Route::default()
    };
    vec![number, Route::default()]
}

fn with_routes(group: Group, routes: Vec<Route>) -> Config {
    Config {
        trunks: Trunks { groups: vec![Arc::new(group)], routes, numbers: Numbers::default() },
        ..config()
    }
}

/// Alice has signed in, bob has not.
fn scene(routes: Vec<Route>) -> (House, Phone, Phone) {
    let mut house = house(with_routes(carrier_group(), routes));
    let alice = page("alice", 1);
    house.register(&alice);
    (house, alice, page("bob", 2))
}

/// A request about somebody; the status that its sender hears.
fn heard(house: &mut House, phone: &Phone, method: &str, uri: &str, more: &str) -> u16 {
    let call_id = format!("{method}-{}", more.len());
    house.receive(&phone.flow, &phone.request(method, uri, &format!("<{uri}>"), &call_id, 1, more));
    house.take(&phone.flow)[0].status().unwrap()
}

fn calls(messages: &[Message]) -> usize {
    messages.iter().filter(|message| method(message) == "INVITE").count()
}

/// A call of somebody who is no user of ours.
fn foreign_call(from: &Phone, user: &str, call_id: &str) -> String {
    from.invite(&format!("sip:{user}@example.com"), call_id)
        .replace("@example.com>;tag=from", "@elsewhere.example>;tag=from")
}

#[test]
fn nobody_publishes_for_another_or_learns_what_is_for_him_alone_by_a_route() {
    for uri in [BOB, NUMBER] {
        for is_there in [false, true] {
            let (mut house, alice, bob) = scene(to_users());
            if is_there {
                house.register(&bob);
            }
            let publish = "Event: presence\r\nExpires: 0\r\n";
            assert_eq!(heard(&mut house, &alice, "PUBLISH", uri, publish), 403, "{uri} {is_there}");
            for event in ["reg", "message-summary"] {
                let more = format!("Event: {event}\r\n");
                assert_eq!(
                    heard(&mut house, &alice, "SUBSCRIBE", uri, &more),
                    403,
                    "{event} {uri} {is_there}"
                );
            }
            house.nothing(&bob.flow);
        }
    }
}

#[test]
fn who_is_watched_by_a_number_is_the_user_whom_it_stands_for() {
    for is_there in [false, true] {
        let (mut house, alice, bob) = scene(to_users());
        if is_there {
            house.register(&bob);
        }
        let request = alice.request("SUBSCRIBE", NUMBER, &format!("<{NUMBER}>"), "w", 1, "Event: dialog\r\n");
        house.receive(&alice.flow, &request);
        let notify = house.take(&alice.flow).remove(1);
        let body = String::from_utf8_lossy(notify.body()).into_owned();
        assert!(body.contains("entity=\"sip:bob@example.com\""), "{body}");
        house.nothing(&bob.flow);
    }
}

#[test]
fn a_route_may_refuse_what_the_server_answers_itself() {
    let refuse =
        Route { methods: vec!["SUBSCRIBE".to_owned()], action: Action::Reject(403, None), ..to_carrier() };
    let (mut house, alice, _) = scene([vec![refuse], to_users()].concat());
    assert_eq!(heard(&mut house, &alice, "SUBSCRIBE", BOB, "Event: dialog\r\n"), 403);
}

#[test]
fn a_message_to_a_number_waits_for_the_user_whom_it_stands_for() {
    for was_there in [false, true] {
        let (mut house, alice, bob) = scene(to_users());
        if was_there {
            house.register(&bob);
            house.close(&bob.flow);
        }
        assert_eq!(heard(&mut house, &alice, "MESSAGE", NUMBER, ""), 202);
        let bob = page("bob", 9);
        house.receive(&bob.flow, &bob.register(1, ""));
        let challenge = house.one(&bob.flow);
        let credentials = answer(&challenge, "REGISTER", "sip:example.com", "bob", "secret-b");
        house.receive(&bob.flow, &bob.register(2, &format!("Authorization: {credentials}\r\n")));
        let got = house.take(&bob.flow);
        assert_eq!(got.iter().filter(|it| method(it) == "MESSAGE").count(), 1, "was there: {was_there}");
    }
}

#[test]
fn a_source_without_a_password_goes_on_behind_the_users_and_is_no_scanner() {
    let granted = Route {
        sources: vec![Source::Addresses(AddressRange { address: [198, 51, 100, 0].into(), prefix: 24 })],
        without_password: true,
        ..to_carrier()
    };
    let (mut house, ..) = scene(vec![Route::default(), granted]);
    let (fax, carrier) = (desk_phone("fax", "198.51.100.5:5060"), desk_phone("carrier", CARRIER));
    for number in 0..50 {
        house.receive(&fax.flow, &foreign_call(&fax, "4711", &format!("fax-{number}")));
        let got = house.take(&carrier.flow);
        assert_eq!(calls(&got), 1, "call {number}");
        house.receive(&carrier.flow, &carrier.respond(&got[0], 486, ""));
    }
    assert!(!house.events.iter().any(|event| matches!(event, Event::Banned { .. })));
}

#[test]
fn calls_of_a_provider_go_on_behind_the_users_to_whom_takes_them() {
    let group = Group { incoming_to: Some("alice".to_owned()), ..carrier_group() };
    let mut house = house(with_routes(group, vec![Route::default()]));
    let (alice, carrier) = (page("alice", 1), desk_phone("carrier", CARRIER));
    house.register(&alice);
    house.receive(&carrier.flow, &foreign_call(&carrier, "4711", "in"));
    assert_eq!(calls(&house.take(&alice.flow)), 1);
}

#[test]
fn a_stranger_does_not_learn_behind_the_users_which_there_are() {
    let reject = Route { action: Action::Reject(603, None), ..Route::default() };
    for next in [to_carrier(), reject] {
        let (mut house, ..) = scene(vec![Route::default(), next]);
        let eve = desk_phone("eve", "198.51.100.66:5060");
        let answers = ["bob", "zoe"].map(|user| {
            house.receive(&eve.flow, &foreign_call(&eve, user, user));
            let response = house.one(&eve.flow);
            let tag = String::from_utf8(response.to().unwrap().tag().unwrap().to_vec()).unwrap();
            text(&response).replace(&tag, "TAG").replace(user, "USER")
        });
        assert_eq!(answers[0], answers[1]);
        assert!(answers[0].starts_with("SIP/2.0 480 "), "{}", answers[0]);
    }
}

#[test]
fn a_guest_who_passes_a_route_is_counted_once() {
    let guests =
        Guests { users: vec!["guest".to_owned()], may_call: vec!["4711".to_owned()], calls_per_minute: 2 };
    let config = Config { guests, ..with_routes(carrier_group(), vec![Route::default(), to_carrier()]) };
    let mut house = house(config);
    house.users.insert("guest".to_owned(), "visitors".to_owned());
    let (visitor, carrier, uri) = (page("guest", 7), desk_phone("carrier", CARRIER), "sip:4711@example.com");
    let passed = [1, 2, 3].map(|call| {
        let call = format!("call-{call}");
        house.receive(&visitor.flow, &visitor.invite(uri, &call));
        let challenge = house.one(&visitor.flow);
        let credentials = answer(&challenge, "INVITE", uri, "guest", "visitors");
        let more = format!("Proxy-Authorization: {credentials}\r\n");
        house.receive(&visitor.flow, &visitor.request("INVITE", uri, &format!("<{uri}>"), &call, 2, &more));
        calls(&house.take(&carrier.flow))
    });
    assert_eq!(passed, [1, 1, 0]);
}
