//! Servers with several addresses: which one is asked, and when the next one is (RFC 3263 §4.3).

use std::time::Duration;

use crate::support::*;
use proxy::Config;
use sip::{HeaderName, Hop, Message, Transport};

const FIRST: &str = "203.0.113.1:5060";
const SECOND: &str = "203.0.113.2:5060";

/// alice, who calls somebody at a server with two addresses.
struct Scene {
    house: House,
    alice: Phone,
    call: u32,
}

impl Scene {
    fn new(transport: Transport) -> Self {
        let mut house = house(Config { ..open_config() });
        let hop = |text: &str| Hop::Address { transport, address: text.parse().unwrap(), server_name: None };
        house.hosts.insert("carrier.example".to_owned(), vec![hop(FIRST), hop(SECOND)]);
        let alice = page("alice", 1);
        house.receive(&alice.flow, &alice.register(1, ""));
        house.take(&alice.flow);
        Self { house, alice, call: 0 }
    }

    fn call(&mut self) -> String {
        self.call += 1;
        let call_id = format!("call-{}", self.call);
        self.house.receive(&self.alice.flow, &self.alice.invite("sip:+1555@carrier.example", &call_id));
        call_id
    }

    /// What came to one of the two, of this method.
    fn at(&mut self, address: &str, wanted: &str) -> Vec<Message> {
        let mut messages = self.house.take(&server(address).flow);
        messages.retain(|message| method(message) == wanted);
        messages
    }

    fn respond(&mut self, address: &str, invite: &Message, status: u16, more: &str) {
        let server = server(address);
        self.house.receive(&server.flow, &server.respond(invite, status, more));
    }

    fn statuses(&mut self) -> Vec<u16> {
        self.house.take(&self.alice.flow.clone()).iter().filter_map(Message::status).collect()
    }
}

fn server(address: &str) -> Phone {
    desk_phone("carrier", address)
}

#[test]
fn a_silent_server_is_passed_after_two_seconds_and_avoided_for_a_minute() {
    let mut scene = Scene::new(Transport::Udp);
    scene.call();
    assert_eq!(scene.at(FIRST, "INVITE").len(), 1);
    scene.house.wait(Duration::from_millis(1900));
    assert!(scene.at(SECOND, "INVITE").is_empty());
    scene.house.wait(Duration::from_millis(100));
    let invite = scene.at(SECOND, "INVITE").remove(0);
    scene.respond(SECOND, &invite, 200, "");
    assert_eq!(scene.statuses(), [100, 200]);
    // The next call does not wait.
    scene.call();
    assert_eq!(scene.at(SECOND, "INVITE").len(), 1);
    // After a minute the first one has its chance again.
    scene.house.wait(Duration::from_secs(60));
    scene.at(FIRST, "INVITE");
    scene.call();
    assert_eq!(scene.at(FIRST, "INVITE").len(), 1);
}

#[test]
fn a_server_that_says_it_works_is_waited_for() {
    let mut scene = Scene::new(Transport::Udp);
    scene.call();
    let invite = scene.at(FIRST, "INVITE").remove(0);
    scene.respond(FIRST, &invite, 100, "");
    scene.house.wait(Duration::from_secs(30));
    assert!(scene.at(SECOND, "INVITE").is_empty());
}

#[test]
fn a_server_that_wakes_up_too_late_is_cancelled_and_its_refusal_is_nobodys() {
    let mut scene = Scene::new(Transport::Udp);
    scene.call();
    let late = scene.at(FIRST, "INVITE").remove(0);
    scene.house.wait(Duration::from_secs(2));
    let invite = scene.at(SECOND, "INVITE").remove(0);
    scene.respond(FIRST, &late, 180, "");
    assert_eq!(scene.at(FIRST, "CANCEL").len(), 1);
    scene.respond(FIRST, &late, 487, "");
    scene.respond(SECOND, &invite, 486, "");
    assert_eq!(scene.statuses(), [100, 486]);
}

#[test]
fn a_server_that_wakes_up_with_an_answer_counts() {
    let mut scene = Scene::new(Transport::Udp);
    scene.call();
    let late = scene.at(FIRST, "INVITE").remove(0);
    scene.house.wait(Duration::from_secs(2));
    let invite = scene.at(SECOND, "INVITE").remove(0);
    scene.respond(SECOND, &invite, 180, "");
    scene.respond(FIRST, &late, 200, "");
    assert_eq!(scene.statuses(), [100, 180, 200]);
    assert_eq!(scene.at(SECOND, "CANCEL").len(), 1);
}

#[test]
fn a_server_that_is_overloaded_is_left_alone_as_long_as_it_says() {
    let mut scene = Scene::new(Transport::Udp);
    scene.call();
    let invite = scene.at(FIRST, "INVITE").remove(0);
    scene.respond(FIRST, &invite, 503, "Retry-After: 20 (maintenance)\r\n");
    let invite = scene.at(SECOND, "INVITE").remove(0);
    scene.respond(SECOND, &invite, 486, "");
    assert_eq!(scene.statuses(), [100, 486], "the caller hears nothing of it");
    scene.house.wait(Duration::from_secs(19));
    scene.call();
    let invite = scene.at(SECOND, "INVITE").remove(0);
    scene.respond(SECOND, &invite, 486, "");
    scene.house.wait(Duration::from_secs(1));
    scene.call();
    assert_eq!(scene.at(FIRST, "INVITE").len(), 1);
}

#[test]
fn a_server_that_refuses_connections_is_avoided() {
    let mut scene = Scene::new(Transport::Tcp);
    scene.call();
    let refused = |house: &mut House| {
        let hops: Vec<Hop> = std::mem::take(&mut house.sent).into_iter().map(|(hop, _)| hop).collect();
        let hop = hops.into_iter().find(|hop| hop.address() == FIRST.parse().unwrap());
        hop.inspect(|hop| house.proxy.unreachable(house.now, hop)).is_some()
    };
    assert!(refused(&mut scene.house));
    scene.house.wait(Duration::ZERO);
    let to =
        |scene: &Scene, address: &str| {
            scene.house.sent.iter().any(|(hop, message)| {
                hop.address() == address.parse().unwrap() && method(message) == "INVITE"
            })
        };
    assert!(to(&scene, SECOND));
    scene.house.sent.clear();
    scene.call();
    assert!(to(&scene, SECOND) && !to(&scene, FIRST));
}

#[test]
fn the_only_server_is_asked_though_it_failed() {
    let mut scene = Scene::new(Transport::Udp);
    scene.house.hosts.insert("carrier.example".to_owned(), vec![udp_hop(FIRST.parse().unwrap())]);
    for _ in 0..2 {
        scene.call();
        let invite = scene.at(FIRST, "INVITE").remove(0);
        scene.respond(FIRST, &invite, 503, "Retry-After: 600\r\n");
        assert_eq!(scene.statuses(), [100, 500], "a 503 of another server says nothing about us");
    }
}

#[test]
fn a_request_other_than_invite_is_not_sent_twice_and_the_next_one_goes_elsewhere() {
    let mut scene = Scene::new(Transport::Udp);
    let uri = "sip:+1555@carrier.example";
    let message = |scene: &Scene, number| {
        scene.alice.request("MESSAGE", uri, &format!("<{uri}>"), &format!("m{number}"), 1, "")
    };
    let text = message(&scene, 1);
    scene.house.receive(&scene.alice.flow.clone(), &text);
    scene.house.wait(Duration::from_secs(40));
    assert!(scene.at(SECOND, "MESSAGE").is_empty(), "the first server may have passed it on");
    let text = message(&scene, 2);
    scene.house.receive(&scene.alice.flow.clone(), &text);
    let sent = scene.at(SECOND, "MESSAGE");
    assert_eq!(sent[0].header(HeaderName::CallId), Some(&b"m2"[..]));
}
