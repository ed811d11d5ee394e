//! Messages for users who are signed in nowhere (RFC 3428), and how many wait (RFC 3842).

use std::time::Duration;

use crate::support::{House, Phone, config, desk_phone, header, house, method, page, text};
use proxy::Config;
use sip::{HeaderName, Message};

const BOB: &str = "sip:bob@example.com";

/// A message of a user to bob.
fn message(phone: &Phone, number: u32, words: &str) -> String {
    let more = "Content-Type: text/plain\r\n";
    let request = phone.request("MESSAGE", BOB, &format!("<{BOB}>"), &format!("im-{number}"), number, more);
    request.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{words}", words.len()))
}

/// Sends one; the status that its sender hears.
fn send(house: &mut House, phone: &Phone, number: u32, words: &str) -> u16 {
    house.receive(&phone.flow, &message(phone, number, words));
    house.one(&phone.flow).status().unwrap()
}

fn body(message: &Message) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

/// Registers, and gives what else the device got: the 200 comes first.
fn come(house: &mut House, phone: &Phone, cseq: u32) -> Vec<Message> {
    house.receive(&phone.flow, &phone.register(cseq, ""));
    let challenge = house.one(&phone.flow);
    let credentials = crate::support::answer(&challenge, "REGISTER", "sip:example.com", "bob", "secret-b");
    house.receive(&phone.flow, &phone.register(cseq + 1, &format!("Authorization: {credentials}\r\n")));
    let mut heard = house.take(&phone.flow);
    assert_eq!(heard.remove(0).status(), Some(200));
    heard
}

fn scene(config: Config) -> (House, Phone, Phone) {
    let mut house = house(config);
    let alice = page("alice", 1);
    house.register(&alice);
    (house, alice, page("bob", 2))
}

#[test]
fn what_was_written_to_a_user_who_was_away_is_delivered_in_order_when_he_comes_and_once() {
    let (mut house, alice, bob) = scene(config());
    assert_eq!(send(&mut house, &alice, 1, "are you there?"), 202);
    house.wait(Duration::from_secs(60));
    assert_eq!(send(&mut house, &alice, 2, "call me"), 202);
    let mut got = come(&mut house, &bob, 1);
    assert_eq!(got.len(), 1, "one after another");
    let first = got.remove(0);
    assert_eq!((method(&first).as_str(), body(&first).as_str()), ("MESSAGE", "are you there?"));
    assert_eq!(header(&first, HeaderName::From), "<sip:alice@example.com>;tag=from-alice");
    assert_eq!(header(&first, HeaderName::Date), "Tue, 14 Nov 2023 22:13:20 GMT", "when it was written");
    assert_eq!(first.request_uri(), bob.contact.as_bytes());
    house.receive(&bob.flow, &bob.respond(&first, 200, ""));
    let second = house.one(&bob.flow);
    assert_eq!(body(&second), "call me");
    house.receive(&bob.flow, &bob.respond(&second, 200, ""));
    house.nothing(&bob.flow);
    assert!(come(&mut house, &bob, 11).is_empty(), "each once");
    house.nothing(&alice.flow);
    assert!(house.stored.iter().all(|(name, record)| !name.starts_with(b"\0") || record.is_none()));
}

#[test]
fn a_message_that_was_accepted_survives_a_kill() {
    let (mut house, alice, bob) = scene(config());
    assert_eq!(send(&mut house, &alice, 1, "hello"), 202);
    house.restart(config());
    let got = come(&mut house, &bob, 1);
    assert_eq!(got.iter().map(body).collect::<Vec<_>>(), ["hello"]);
}

#[test]
fn a_message_is_accepted_only_when_the_store_has_it() {
    let (mut house, alice, bob) = scene(config());
    house.store_fails = true;
    assert_eq!(send(&mut house, &alice, 1, "hello"), 500);
    house.store_fails = false;
    assert!(come(&mut house, &bob, 1).is_empty());
}

#[test]
fn strangers_leave_nothing_and_hear_what_they_hear_of_nobody() {
    let mut house = house(config());
    let stranger = desk_phone("mallory", "198.51.100.9:5060");
    let mut answers = Vec::new();
    for (number, user) in (1..).zip(["bob", "eve"]) {
        let request = message(&stranger, number, "buy this")
            .replace("sip:bob@", &format!("sip:{user}@"))
            .replace("From: <sip:mallory@example.com>", "From: <sip:mallory@elsewhere.example>");
        house.receive(&stranger.flow, &request);
        let answer = house.one(&stranger.flow);
        answers.push((answer.status(), header(&answer, HeaderName::Warning)));
    }
    assert_eq!(answers[0].0, Some(480));
    assert_eq!(answers[0], answers[1]);
    assert!(house.stored.is_empty());
}

#[test]
fn a_message_to_a_user_who_does_not_exist_is_kept_by_nobody() {
    let (mut house, alice, _) = scene(config());
    house.receive(&alice.flow, &message(&alice, 1, "hello").replace("sip:bob@", "sip:eve@"));
    assert_eq!(house.one(&alice.flow).status(), Some(404));
}

#[test]
fn so_many_messages_are_kept_and_so_long() {
    let mut config = config();
    config.messages.per_user = 2;
    config.messages.keep = Duration::from_secs(3600);
    let (mut house, alice, bob) = scene(config);
    let statuses = [1, 2, 3].map(|number| send(&mut house, &alice, number, "hello"));
    assert_eq!(statuses, [202, 202, 480]);
    house.receive(&alice.flow, &alice.register(5, ""));
    house.take(&alice.flow);
    house.wait(Duration::from_secs(3 * 3600));
    assert!(come(&mut house, &bob, 1).is_empty(), "too late");
    assert!(house.stored.iter().all(|(name, record)| !name.starts_with(b"\0") || record.is_none()));
}

#[test]
fn one_sender_leaves_so_many_for_all_users_together_and_more_when_they_are_read() {
    let (mut house, alice, bob) = scene(config());
    let carol = page("carol", 3);
    house.register(&carol);
    let to_dave = |phone: &Phone, number| message(phone, number, "hello").replace("sip:bob@", "sip:dave@");
    house.users.insert("dave".to_owned(), "secret-d".to_owned());
    for number in 1..=19 {
        house.receive(&alice.flow, &to_dave(&alice, number));
        assert_eq!(house.one(&alice.flow).status(), Some(202), "{number}");
    }
    assert_eq!([20, 21].map(|number| send(&mut house, &alice, number, "hello")), [202, 480]);
    assert_eq!(send(&mut house, &carol, 1, "hello"), 202, "others have room of their own");
    house.restart(config());
    let alice = page("alice", 11);
    house.register(&alice);
    assert_eq!(send(&mut house, &alice, 22, "hello"), 480, "what waited before the restart counts");
    let got = come(&mut house, &bob, 1);
    house.receive(&bob.flow, &bob.respond(&got[0], 200, ""));
    let got = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&got, 200, ""));
    house.receive(&alice.flow, &to_dave(&alice, 23));
    assert_eq!(house.one(&alice.flow).status(), Some(202));
    house.receive(&alice.flow, &to_dave(&alice, 24));
    assert_eq!(house.one(&alice.flow).status(), Some(480));
}

#[test]
fn an_account_has_one_allowance_by_whatever_name_of_the_server_it_calls_itself() {
    let aliases = vec!["sip.example.com".to_owned()];
    let (mut house, alice, _) = scene(Config { aliases, ..config() });
    let names = ["example.com", "EXAMPLE.com.", "192.0.2.1", "sip.example.com", "example.com;a=b"];
    for number in 1..=21 {
        let name = names[number as usize % names.len()];
        let text = message(&alice, number, "hello")
            .replace("From: <sip:alice@example.com>", &format!("From: <sip:%61lice@{name}>"));
        house.receive(&alice.flow, &text);
        let expected = if number <= 20 { 202 } else { 480 };
        assert_eq!(house.one(&alice.flow).status(), Some(expected), "{number} {name}");
    }
    house.restart(Config { aliases: vec!["sip.example.com".to_owned()], ..config() });
    let alice = page("alice", 11);
    house.register(&alice);
    assert_eq!(send(&mut house, &alice, 22, "hello"), 480, "what waited before the restart counts");
}

#[test]
fn what_another_server_brings_in_the_name_of_a_user_is_not_taken_from_his_allowance() {
    let gateway = desk_phone("alice", "198.51.100.9:5060");
    let trusted_peers = vec![sip::AddressRange::single(gateway.flow.remote.ip())];
    let config = || Config { trusted_peers: trusted_peers.clone(), ..config() };
    let (mut house, alice, _) = scene(config());
    for number in 1..=20 {
        assert_eq!(send(&mut house, &gateway, number, "buy now"), 202);
    }
    assert_eq!(send(&mut house, &gateway, 21, "buy now"), 480);
    assert_eq!(send(&mut house, &alice, 22, "hello"), 202);
    house.restart(config());
    let alice = page("alice", 11);
    house.register(&alice);
    assert_eq!(send(&mut house, &alice, 23, "hello"), 202, "nor after a restart");
}

#[test]
fn where_nothing_is_kept_the_sender_hears_it() {
    let mut config = config();
    config.messages.keep = Duration::ZERO;
    let (mut house, alice, _) = scene(config);
    assert_eq!(send(&mut house, &alice, 1, "hello"), 480);
}

#[test]
fn a_device_that_does_not_take_a_message_is_offered_it_again_but_not_for_ever() {
    let (mut house, alice, bob) = scene(config());
    assert_eq!(send(&mut house, &alice, 1, "hello"), 202);
    for round in 0..10 {
        let got = come(&mut house, &bob, 10 * round + 1);
        assert_eq!(got.len(), 1, "round {round}");
        house.receive(&bob.flow, &bob.respond(&got[0], 500, ""));
    }
    assert!(come(&mut house, &bob, 200).is_empty());
}

#[test]
fn a_message_that_a_device_does_not_take_keeps_no_later_one_back() {
    let (mut house, alice, bob) = scene(config());
    for (number, words) in [(1, "<html>"), (2, "call me"), (3, "please")] {
        assert_eq!(send(&mut house, &alice, number, words), 202);
        house.wait(Duration::from_secs(1));
    }
    let first = come(&mut house, &bob, 1).remove(0);
    assert_eq!(body(&first), "<html>");
    house.receive(&bob.flow, &bob.respond(&first, 415, ""));
    for words in ["call me", "please"] {
        let next = house.one(&bob.flow);
        assert_eq!(body(&next), words);
        house.receive(&bob.flow, &bob.respond(&next, 200, ""));
    }
    house.nothing(&bob.flow);
    let again = come(&mut house, &bob, 11);
    assert_eq!(again.iter().map(body).collect::<Vec<_>>(), ["<html>"]);
}

#[test]
fn a_device_that_does_not_answer_is_offered_it_when_it_comes_again() {
    let (mut house, alice, bob) = scene(config());
    assert_eq!(send(&mut house, &alice, 1, "hello"), 202);
    assert_eq!(come(&mut house, &bob, 1).len(), 1);
    house.wait(Duration::from_secs(60));
    house.take(&bob.flow);
    assert_eq!(come(&mut house, &bob, 3).len(), 1);
    house.wait(Duration::from_secs(60));
    assert!(house.proxy.is_idle());
}

#[test]
fn a_message_waits_for_who_could_not_be_reached_however_often_that_was_tried() {
    let (mut house, alice, _) = scene(config());
    assert_eq!(send(&mut house, &alice, 1, "hello"), 202);
    for round in 0..12 {
        let bob = page("bob", 10 + u64::from(round));
        let got = come(&mut house, &bob, 10 * round + 1);
        assert_eq!(got.len(), 1, "round {round}");
        match round % 4 {
            0 => house.receive(&bob.flow, &bob.respond(&got[0], 480, "")),
            1 => house.receive(&bob.flow, &bob.respond(&got[0], 486, "")),
            2 => house.wait(Duration::from_secs(60)),
            _ => {}
        }
        house.close(&bob.flow);
        house.wait(Duration::from_secs(120));
    }
    assert_eq!(come(&mut house, &page("bob", 100), 1000).iter().map(body).collect::<Vec<_>>(), ["hello"]);
}

#[test]
fn a_message_of_a_clock_that_was_years_ahead_does_not_wait_for_years() {
    let (mut house, alice, bob) = scene(config());
    assert_eq!(send(&mut house, &alice, 1, "hello"), 202);
    house.now = sip::Instant::from_secs(house.now.as_secs() - 5 * 365 * 86_400);
    house.restart(config());
    house.wait(Duration::from_secs(31 * 86_400));
    assert!(come(&mut house, &bob, 1).is_empty());
    assert!(house.stored.iter().all(|(name, record)| !name.starts_with(b"\0") || record.is_none()));
}

#[test]
fn a_page_that_is_being_loaded_anew_misses_no_message() {
    let (mut house, alice, bob) = scene(config());
    house.register(&bob);
    house.close(&bob.flow);
    assert_eq!(send(&mut house, &alice, 1, "hello"), 202);
    let back = Phone { flow: page("bob", 7).flow, ..bob };
    assert_eq!(come(&mut house, &back, 11).iter().map(body).collect::<Vec<_>>(), ["hello"]);
}

#[test]
fn how_many_messages_wait_is_told_to_their_user_alone() {
    let mut config = config();
    config.messages.voicemail = Some("sip:100@example.com".to_owned());
    let (mut house, alice, bob) = scene(config);
    assert_eq!(send(&mut house, &alice, 1, "hello"), 202);
    let got = come(&mut house, &bob, 1).remove(0);
    let more = "Event: message-summary\r\n";
    house.receive(&bob.flow, &bob.request("SUBSCRIBE", BOB, &format!("<{BOB}>"), "mwi", 1, more));
    let notify = house.take(&bob.flow).remove(1);
    assert_eq!(header(&notify, HeaderName::ContentType), "application/simple-message-summary");
    assert_eq!(
        body(&notify),
        "Messages-Waiting: yes\r\nMessage-Account: sip:100@example.com\r\nPager-Message: 1/0\r\n"
    );
    house.receive(&bob.flow, &bob.respond(&notify, 200, ""));
    house.receive(&bob.flow, &bob.respond(&got, 200, ""));
    let notify = house.one(&bob.flow);
    assert!(body(&notify).starts_with("Messages-Waiting: no\r\n"), "{}", text(&notify));
    house.receive(&alice.flow, &alice.request("SUBSCRIBE", BOB, &format!("<{BOB}>"), "spy", 1, more));
    assert_eq!(house.one(&alice.flow).status(), Some(403));
}

#[test]
fn what_the_store_did_not_forget_is_forgotten_later() {
    let (mut house, alice, bob) = scene(config());
    assert_eq!(send(&mut house, &alice, 1, "hello"), 202);
    let got = come(&mut house, &bob, 1);
    house.store_fails = true;
    house.receive(&bob.flow, &bob.respond(&got[0], 200, ""));
    let kept = |house: &House| house.stored.iter().any(|(name, it)| name.starts_with(b"\0") && it.is_some());
    assert!(kept(&house));
    house.store_fails = false;
    house.wait(Duration::from_secs(11));
    assert!(!kept(&house));
}
