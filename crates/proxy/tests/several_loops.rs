//! One server, several event loops: what one has done, the others must know.

use std::time::Duration;

use crate::support::{
    House, Phone, answer_one, config, desk_phone, header, method, open_config, page, udp_hop,
};
use proxy::{Common, Config, Event, Registrar};
use sip::{HeaderName, Message, SeededEntropy};

/// The event loops of one server.
struct Loops {
    common: Common,
    houses: Vec<House>,
}

fn loops(count: usize, config: &Config) -> Loops {
    let common = Common::new(count, &mut SeededEntropy::new(9));
    let houses = (0..count).map(|place| House::among(config.clone(), place, &common)).collect();
    Loops { common, houses }
}

impl Loops {
    /// The loop that a message belongs to.
    fn of(&mut self, text: &str) -> &mut House {
        let owner = self.common.owner_of_message(text.as_bytes());
        &mut self.houses[owner]
    }

    fn receive(&mut self, phone: &Phone, text: &str) {
        self.of(text).receive(&phone.flow, text);
    }

    fn register(&mut self, phone: &Phone) {
        let owner = self.common.owner_of_message(phone.register(1, "").as_bytes());
        self.houses[owner].register(phone);
        self.share(owner);
    }

    /// What one loop tells is heard by the others.
    fn share(&mut self, from: usize) {
        for news in std::mem::take(&mut self.houses[from].shared) {
            for (place, house) in self.houses.iter_mut().enumerate() {
                if place != from {
                    house.proxy.hear(house.now, &news);
                    house.drain();
                }
            }
        }
    }

    fn close(&mut self, phone: &Phone) {
        self.houses.iter_mut().for_each(|house| house.close(&phone.flow));
    }
}

/// A Call-ID that belongs to that loop.
fn call_of(loops: &Loops, place: usize) -> String {
    let belongs = |call_id: &String| {
        loops
            .common
            .owner_of_message(format!("OPTIONS sip:x SIP/2.0\r\nCall-ID: {call_id}\r\n\r\n").as_bytes())
            == place
    };
    (0..1000).map(|number| format!("call-{number}")).find(belongs).unwrap()
}

fn status(message: &Message) -> Option<u16> {
    message.status()
}

#[test]
fn a_user_who_registered_on_one_loop_is_called_from_every_loop() {
    let mut loops = loops(3, &open_config());
    let (alice, bob) = (desk_phone("alice", "198.51.100.7:5060"), page("bob", 4));
    loops.register(&bob);
    for place in 0..3 {
        let invite = alice.invite("sip:bob@example.com", &call_of(&loops, place));
        loops.receive(&alice, &invite);
        let received = loops.houses[place].one(&bob.flow);
        assert_eq!(received.request_uri(), bob.contact.as_bytes());
    }
}

#[test]
fn a_connection_that_registered_needs_no_password_on_any_loop() {
    let mut loops = loops(2, &config());
    let (alice, bob) = (page("alice", 3), page("bob", 4));
    loops.register(&alice);
    loops.register(&bob);
    for place in 0..2 {
        let invite = alice.invite("sip:bob@example.com", &call_of(&loops, place));
        loops.receive(&alice, &invite);
        assert!(loops.houses[place].one(&bob.flow).method().is_some());
    }
}

#[test]
fn a_closed_connection_is_closed_for_every_loop_and_ends_its_binding() {
    let mut loops = loops(2, &open_config());
    let (alice, bob) = (desk_phone("alice", "198.51.100.7:5060"), page("bob", 4));
    loops.register(&bob);
    loops.close(&bob);
    for place in 0..2 {
        let invite = alice.invite("sip:bob@example.com", &call_of(&loops, place));
        loops.receive(&alice, &invite);
        assert_eq!(status(&loops.houses[place].one(&alice.flow)), Some(480));
    }
    // The grace is over: only the loop that owns the record notices, and it is gone for all.
    loops.houses.iter_mut().for_each(|house| house.wait(Duration::from_secs(31)));
    assert!(loops.houses.iter().all(|house| house.proxy.bindings() == 0));
}

#[test]
fn a_page_that_comes_back_gets_the_responses_of_its_calls_on_other_loops() {
    let mut loops = loops(2, &open_config());
    let (alice, bob) = (page("alice", 3), desk_phone("bob", "198.51.100.7:5060"));
    loops.register(&alice);
    loops.register(&bob);
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    let invites: Vec<Message> = calls
        .iter()
        .enumerate()
        .map(|(place, call)| {
            loops.receive(&alice, &alice.invite("sip:bob@example.com", call));
            loops.houses[place].one(&bob.flow)
        })
        .collect();
    loops.close(&alice);
    let mut back = page("alice", 8);
    back.contact = alice.contact.clone();
    loops.register(&back);
    for (place, invite) in invites.iter().enumerate() {
        let answer = bob.respond(invite, 200, "");
        loops.receive(&bob, &answer);
        assert_eq!(status(&loops.houses[place].one(&back.flow)), Some(200));
    }
}

#[test]
fn a_page_that_calls_by_its_gruu_gets_the_responses_on_every_loop_when_it_comes_back() {
    let mut loops = loops(2, &open_config());
    let instance = ";reg-id=1;+sip.instance=\"<urn:uuid:0001>\"".to_owned();
    let alice = Phone { parameters: instance.clone(), ..page("alice", 3) };
    let bob = desk_phone("bob", "198.51.100.7:5060");
    loops.register(&alice);
    loops.register(&bob);
    let calling = Phone { contact: "sip:alice@example.com;gr=urn:uuid:0001".to_owned(), ..alice.clone() };
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    let invites: Vec<Message> = calls
        .iter()
        .enumerate()
        .map(|(place, call)| {
            loops.receive(&calling, &calling.invite("sip:bob@example.com", call));
            loops.houses[place].one(&bob.flow)
        })
        .collect();
    loops.close(&alice);
    let back = Phone { parameters: instance, ..page("alice", 8) };
    loops.register(&back);
    for (place, invite) in invites.iter().enumerate() {
        let answer = bob.respond(invite, 200, "");
        loops.receive(&bob, &answer);
        assert_eq!(status(&loops.houses[place].one(&back.flow)), Some(200));
    }
}

#[test]
fn requests_in_progress_are_counted_for_all_loops_together() {
    let mut config = open_config();
    config.limits.transactions_per_source = 2;
    let mut loops = loops(2, &config);
    let (alice, bob) = (desk_phone("alice", "198.51.100.7:5060"), page("bob", 4));
    loops.register(&bob);
    // Neither loop has forgotten the registration, which came from elsewhere.
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    for (place, call) in calls.iter().enumerate() {
        loops.receive(&alice, &alice.invite("sip:bob@example.com", call));
        loops.houses[place].one(&bob.flow);
        loops.houses[place].take(&alice.flow);
    }
    let third = alice.request("OPTIONS", "sip:bob@example.com", "<sip:bob@example.com>", &calls[0], 2, "");
    loops.receive(&alice, &third);
    assert_eq!(status(&loops.houses[0].one(&alice.flow)), Some(503));
}

#[test]
fn credentials_that_were_used_on_one_loop_are_used_on_all() {
    let mut loops = loops(2, &config());
    let alice = desk_phone("alice", "198.51.100.7:5060");
    let bob = page("bob", 4);
    loops.register(&bob);
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    loops.receive(&alice, &alice.invite("sip:bob@example.com", &calls[0]));
    let challenge = loops.houses[0].one(&alice.flow);
    let value = challenge.header(HeaderName::ProxyAuthenticate).unwrap();
    let credentials = answer_one(value, "INVITE", "sip:bob@example.com", "alice", "secret-a", "00000001");
    let more = format!("Proxy-Authorization: {credentials}\r\n");
    let invite = |call: &str, number| {
        alice.request("INVITE", "sip:bob@example.com", "<sip:bob@example.com>", call, number, &more)
    };
    loops.receive(&alice, &invite(&calls[0], 2));
    assert!(loops.houses[0].one(&bob.flow).method().is_some());
    loops.receive(&alice, &invite(&calls[1], 2));
    let refused = loops.houses[1].one(&alice.flow);
    assert_eq!(status(&refused), Some(407));
    assert!(header(&refused, HeaderName::ProxyAuthenticate).contains("stale=true"));
}

#[test]
fn wrong_passwords_are_counted_for_all_loops_together() {
    let mut loops = loops(2, &config());
    let alice = desk_phone("alice", "198.51.100.7:5060");
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    let mut statuses = Vec::new();
    for number in 0..6u32 {
        let place = number as usize % 2;
        loops.receive(
            &alice,
            &alice.request(
                "INVITE",
                "sip:bob@example.com",
                "<sip:bob@example.com>",
                &calls[place],
                2 * number + 1,
                "",
            ),
        );
        let challenge = loops.houses[place].one(&alice.flow);
        let value = challenge.header(HeaderName::ProxyAuthenticate).unwrap();
        let wrong = answer_one(value, "INVITE", "sip:bob@example.com", "alice", "guess", "00000001");
        let more = format!("Proxy-Authorization: {wrong}\r\n");
        loops.receive(
            &alice,
            &alice.request(
                "INVITE",
                "sip:bob@example.com",
                "<sip:bob@example.com>",
                &calls[place],
                2 * number + 2,
                &more,
            ),
        );
        statuses.push(status(&loops.houses[place].one(&alice.flow)).unwrap());
    }
    assert_eq!(statuses, [407, 407, 407, 403, 403, 403]);
}

/// A request of somebody in another domain.
fn from_elsewhere(phone: &Phone, call: &str, number: u32) -> String {
    let uri = format!("sip:nobody-{number}@example.com");
    let request = phone.request("OPTIONS", &uri, &format!("<{uri}>"), call, number, "");
    request.replace("From: <sip:eve@example.com>", "From: <sip:eve@elsewhere.example>")
}

#[test]
fn who_looks_for_users_on_two_loops_is_heard_by_neither() {
    let mut loops = loops(2, &config());
    let eve = desk_phone("eve", "198.51.100.66:5060");
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    let mut answers = [0, 0];
    for number in 0..50 {
        let place = number as usize % 2;
        loops.receive(&eve, &from_elsewhere(&eve, &calls[place], number));
        answers[place] += loops.houses[place].take(&eve.flow).len();
    }
    assert_eq!(answers, [10, 10], "twenty tries in all");
    let banned = |house: &House| house.events.iter().filter(|it| matches!(it, Event::Banned { .. })).count();
    assert_eq!(loops.houses.iter().map(banned).sum::<usize>(), 1, "told once");
}

#[test]
fn strangers_have_one_rate_for_all_loops_together() {
    let mut config = config();
    config.strangers.requests_per_second = 1;
    config.strangers.tries = 0;
    let mut loops = loops(2, &config);
    let eve = desk_phone("eve", "198.51.100.66:5060");
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    let mut answers = 0;
    for number in 0..30 {
        let place = number as usize % 2;
        loops.receive(&eve, &from_elsewhere(&eve, &calls[place], number));
        answers += loops.houses[place].take(&eve.flow).len();
    }
    assert_eq!(answers, 10, "ten at once, where one a second may come");
}

#[test]
fn a_server_that_failed_a_call_of_one_loop_is_asked_last_by_all() {
    let mut loops = loops(2, &open_config());
    let alice = page("alice", 3);
    let servers = ["203.0.113.1:5060", "203.0.113.2:5060"].map(|address| desk_phone("carrier", address));
    let hops = servers.each_ref().map(|server| udp_hop(server.flow.remote)).to_vec();
    for house in &mut loops.houses {
        house.hosts.insert("carrier.example".to_owned(), hops.clone());
    }
    loops.register(&alice);
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    loops.receive(&alice, &alice.invite("sip:+1555@carrier.example", &calls[0]));
    let invite = loops.houses[0].one(&servers[0].flow);
    loops.receive(&servers[0], &servers[0].respond(&invite, 503, "Retry-After: 20\r\n"));
    loops.receive(&alice, &alice.invite("sip:+1555@carrier.example", &calls[1]));
    loops.houses[1].nothing(&servers[0].flow);
    assert_eq!(method(&loops.houses[1].one(&servers[1].flow)), "INVITE");
}

#[test]
fn a_device_that_registers_joins_the_calls_that_ring_on_every_loop() {
    let mut loops = loops(2, &open_config());
    let (alice, bob) = (desk_phone("alice", "198.51.100.7:5060"), page("bob", 4));
    loops.register(&bob);
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    for (place, call) in calls.iter().enumerate() {
        loops.receive(&alice, &alice.invite("sip:bob@example.com", call));
        let invite = loops.houses[place].one(&bob.flow);
        loops.receive(&bob, &bob.respond(&invite, 180, ""));
    }
    let late = desk_phone("bob", "198.51.100.8:5060");
    let request = late.register(1, "");
    loops.receive(&late, &request);
    let owner = loops.common.owner_of_message(request.as_bytes());
    loops.share(owner);
    for house in &mut loops.houses {
        let rung: Vec<String> = house.take(&late.flow).iter().map(method).collect();
        assert_eq!(rung.iter().filter(|method| *method == "INVITE").count(), 1, "{rung:?}");
    }
}

#[test]
fn the_lamp_of_a_user_is_told_on_every_loop_whichever_has_the_call() {
    let mut loops = loops(3, &open_config());
    let (alice, bob, carol) = (page("alice", 3), page("bob", 4), page("carol", 5));
    [&alice, &bob, &carol].into_iter().for_each(|page| loops.register(page));
    let places = [0, 1, 2].map(|place| call_of(&loops, place));
    for (place, call_id) in places.iter().enumerate() {
        let (uri, more) = ("sip:bob@example.com", "Event: dialog\r\nExpires: 600\r\n");
        let request = alice.request("SUBSCRIBE", uri, &format!("<{uri}>"), call_id, 1, more);
        loops.receive(&alice, &request);
        let notify = loops.houses[place].take(&alice.flow).pop().unwrap();
        loops.receive(&alice, &alice.respond(&notify, 200, ""));
    }
    loops.receive(&carol, &carol.invite("sip:bob@example.com", &places[1]));
    loops.share(1);
    for house in &mut loops.houses {
        let notify = house.one(&alice.flow);
        assert!(
            String::from_utf8_lossy(notify.body()).contains("trying"),
            "{}",
            crate::support::text(&notify)
        );
    }
}

#[test]
fn a_watcher_who_does_not_come_back_is_forgotten_whichever_loop_hears_of_it_first() {
    let mut loops = loops(2, &open_config());
    let (alice, bob) = (page("alice", 3), page("bob", 4));
    loops.register(&alice);
    loops.register(&bob);
    let owner = loops.common.owner_of_message(alice.register(1, "").as_bytes());
    let other = 1 - owner;
    let (uri, more) = ("sip:bob@example.com", "Event: dialog\r\nExpires: 600\r\n");
    let call_id = call_of(&loops, other);
    loops.receive(&alice, &alice.request("SUBSCRIBE", uri, &format!("<{uri}>"), &call_id, 1, more));
    let notify = loops.houses[other].take(&alice.flow).pop().unwrap();
    loops.receive(&alice, &alice.respond(&notify, 200, ""));
    loops.houses[other].close(&alice.flow);
    loops.houses[owner].close(&alice.flow);
    loops.houses[other].wait(Duration::from_secs(31));
    assert_eq!(loops.houses[other].proxy.subscriptions(), 0);
}

#[test]
fn a_message_that_waited_is_delivered_once_whichever_loop_kept_it() {
    for place in 0..3 {
        let mut loops = loops(3, &open_config());
        let (alice, bob) = (page("alice", 3), page("bob", 4));
        loops.register(&alice);
        let call_id = call_of(&loops, place);
        let uri = "sip:bob@example.com";
        loops.receive(&alice, &alice.request("MESSAGE", uri, &format!("<{uri}>"), &call_id, 1, ""));
        assert_eq!(status(&loops.houses[place].one(&alice.flow)), Some(202));
        let mut delivered = 0;
        for cseq in 1..4 {
            let request = bob.register(cseq, "");
            loops.receive(&bob, &request);
            let owner = loops.common.owner_of_message(request.as_bytes());
            loops.share(owner);
            for message in loops.houses[owner].take(&bob.flow) {
                if method(&message) == "MESSAGE" {
                    delivered += 1;
                    loops.receive(&bob, &bob.respond(&message, 200, ""));
                }
            }
            loops.houses.iter_mut().for_each(|house| house.wait(Duration::from_secs(60)));
        }
        assert_eq!(delivered, 1, "kept by {place}");
    }
}

#[test]
fn another_configuration_holds_on_every_loop_and_for_the_bindings_of_each() {
    let mut loops = loops(2, &open_config());
    let pages = [page("alice", 3), page("bob", 4), page("carol", 5)];
    pages.iter().for_each(|page| loops.register(page));
    let registrar = Registrar { flow_grace: Duration::from_secs(5), ..Registrar::default() };
    for house in &mut loops.houses {
        house.proxy.reconfigure(Config { registrar: registrar.clone(), ..config() });
        house.drain();
    }
    assert!(loops.houses.iter().all(|house| house.proxy.bindings() == 3));
    pages.iter().for_each(|page| loops.close(page));
    loops.houses.iter_mut().for_each(|house| house.wait(Duration::from_secs(4)));
    assert_eq!(loops.houses[0].proxy.bindings(), 3);
    loops.houses.iter_mut().for_each(|house| house.wait(Duration::from_secs(1)));
    assert_eq!(loops.houses[0].proxy.bindings(), 0);
    let alice = desk_phone("alice", "198.51.100.7:5060");
    for place in 0..2 {
        loops.receive(&alice, &alice.invite("sip:bob@example.com", &call_of(&loops, place)));
        assert_eq!(status(&loops.houses[place].one(&alice.flow)), Some(407), "passwords are asked for now");
    }
}

#[test]
fn who_is_banned_is_heard_again_after_another_configuration() {
    let mut loops = loops(2, &config());
    let eve = desk_phone("eve", "198.51.100.66:5060");
    let calls = [call_of(&loops, 0), call_of(&loops, 1)];
    for number in 0..30 {
        loops.receive(&eve, &from_elsewhere(&eve, &calls[number as usize % 2], number));
    }
    for (place, call) in calls.iter().enumerate() {
        loops.houses[place].take(&eve.flow);
        loops.houses[place].proxy.reconfigure(config());
        loops.houses[place].drain();
        loops.receive(&eve, &from_elsewhere(&eve, call, 100));
        assert_eq!(status(&loops.houses[place].one(&eve.flow)), Some(480));
    }
}
