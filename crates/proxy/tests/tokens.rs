//! Users who show a token instead of a password (RFC 8898; RFC 7118 §7).

use std::time::Duration;

use crate::support::*;
use proxy::config::Tokens;
use proxy::{Config, TokenHolder};
use sip::{HeaderName, Message};

const MINUTE: Duration = Duration::from_secs(60);

fn with_tokens() -> Config {
    let mut config = config();
    config.authentication.tokens = Some(Tokens { authorization_server: None });
    config
}

/// A house where `alices` is a token of alice's for five minutes.
fn house_with_a_token() -> House {
    let mut house = house(with_tokens());
    house.tokens.insert("alices".to_owned(), holder("alice", 5 * MINUTE));
    house
}

fn holder(user: &str, left: Duration) -> TokenHolder {
    TokenHolder { user: user.to_owned(), until: START + left }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Whole header lines: a challenge has commas of its own.
fn challenges_in(response: &Message) -> Vec<String> {
    let lines = response.headers(HeaderName::WwwAuthenticate);
    lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

#[test]
fn a_page_registers_with_a_token_at_once_and_for_no_longer_than_it_lives() {
    let mut house = house_with_a_token();
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.register(1, &bearer("alices")));
    let response = house.one(&alice.flow);
    assert_eq!(response.status(), Some(200));
    let contact = header(&response, HeaderName::Contact);
    assert!(contact.ends_with("expires=300"), "ten minutes are usual, the token has five: {contact}");
}

#[test]
fn a_refresh_with_a_newer_token_lasts_as_long_as_that_one() {
    let mut house = house_with_a_token();
    house.tokens.insert("newer".to_owned(), holder("alice", 30 * MINUTE));
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.register(1, &bearer("alices")));
    house.one(&alice.flow);
    house.wait(4 * MINUTE);
    house.receive(&alice.flow, &alice.register(2, &bearer("newer")));
    let contact = header(&house.one(&alice.flow), HeaderName::Contact);
    assert!(contact.ends_with("expires=600"), "{contact}");
}

#[test]
fn a_page_that_registered_with_a_token_calls_without_one() {
    let mut house = house_with_a_token();
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.register(&bob);
    house.receive(&alice.flow, &alice.register(1, &bearer("alices")));
    house.one(&alice.flow);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "call-1"));
    assert_eq!(method(&house.one(&bob.flow)), "INVITE");
}

#[test]
fn a_call_may_bring_its_own_token_in_either_header() {
    for (number, name) in ["Authorization", "Proxy-Authorization"].into_iter().enumerate() {
        let mut house = house_with_a_token();
        let (alice, bob) = (page("alice", 1), page("bob", 2));
        house.register(&bob);
        let to = "<sip:bob@example.com>";
        let more = format!("{name}: bearer alices\r\n");
        let call = format!("call-{number}");
        house.receive(&alice.flow, &alice.request("INVITE", "sip:bob@example.com", to, &call, 1, &more));
        assert_eq!(method(&house.one(&bob.flow)), "INVITE", "{name}");
    }
}

#[test]
fn a_token_lets_nobody_speak_for_another() {
    let mut house = house_with_a_token();
    let bob = page("bob", 1);
    house.receive(&bob.flow, &bob.register(1, &bearer("alices")));
    assert_eq!(house.one(&bob.flow).status(), Some(403));
    assert!(house.stored.is_empty());
}

#[test]
fn a_token_that_counts_no_longer_is_challenged_like_none_and_says_so_where_tokens_are_offered() {
    let mut config = with_tokens();
    let server = "https://sso.example.com".to_owned();
    config.authentication.tokens = Some(Tokens { authorization_server: Some(server) });
    let mut house = house(config);
    house.tokens.insert("old".to_owned(), holder("alice", Duration::ZERO));
    let alice = page("alice", 1);
    let challenges = |house: &mut House, cseq, more: &str| {
        house.receive(&alice.flow, &alice.register(cseq, more));
        let refused = house.one(&alice.flow);
        assert_eq!(refused.status(), Some(401));
        challenges_in(&refused)
    };
    let offer = "Bearer realm=\"sipweb\", authz_server=\"https://sso.example.com\"";
    for (cseq, token) in [(1, "old"), (2, "nobodys")] {
        let challenges = challenges(&mut house, cseq, &bearer(token));
        assert!(challenges[0].starts_with("Digest "), "a password does as well: {challenges:?}");
        assert_eq!(*challenges.last().unwrap(), format!("{offer}, error=\"invalid_token\""), "{token}");
    }
    assert_eq!(*challenges(&mut house, 3, "").last().unwrap(), offer);
    let one = challenges(&mut house, 4, "User-Agent: JsSIP 3.13.8\r\n");
    assert!(one.len() == 1 && one[0].starts_with("Digest "), "{one:?}");
}

#[test]
fn who_tries_many_tokens_is_not_heard_any_more() {
    let mut house = house_with_a_token();
    let stranger = desk_phone("alice", "198.51.100.7:5062");
    let answered = (1..40)
        .filter(|cseq| {
            house.receive(&stranger.flow, &stranger.register(*cseq, &bearer("guessed")));
            !house.take(&stranger.flow).is_empty()
        })
        .count();
    assert!(answered <= 20, "{answered}");
}

/// A whole office wakes up with yesterday's tokens.
#[test]
fn tokens_that_have_ended_are_no_guesses() {
    let mut house = house_with_a_token();
    house.tokens.insert("old".to_owned(), holder("alice", Duration::ZERO));
    let alice = desk_phone("alice", "198.51.100.7:5062");
    for cseq in 1..60 {
        house.receive(&alice.flow, &alice.register(cseq, &bearer("old")));
        assert_eq!(house.one(&alice.flow).status(), Some(401));
    }
    house.receive(&alice.flow, &alice.register(60, &bearer("alices")));
    assert_eq!(house.one(&alice.flow).status(), Some(200));
}

#[test]
fn where_no_tokens_are_configured_one_is_as_no_credentials() {
    let mut house = house(config());
    house.tokens.insert("alices".to_owned(), holder("alice", MINUTE));
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.register(1, &bearer("alices")));
    let challenge = house.one(&alice.flow);
    assert_eq!(challenge.status(), Some(401));
    assert!(challenges_in(&challenge).iter().all(|it| it.starts_with("Digest ")));
}

#[test]
fn a_page_that_showed_a_token_with_its_websocket_needs_no_credentials() {
    let mut house = house(with_tokens());
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.register(&bob);
    house.proxy.signed_in(house.now, &alice.flow, holder("alice", 5 * MINUTE));
    // It may call before it registers, as a page does that only wants to call.
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "call-1"));
    assert_eq!(method(&house.one(&bob.flow)), "INVITE");
    house.receive(&alice.flow, &alice.register(1, ""));
    let response = house.take(&alice.flow).pop().unwrap();
    assert_eq!(response.status(), Some(200));
    assert!(header(&response, HeaderName::Contact).ends_with("expires=300"));
}

#[test]
fn a_token_of_a_websocket_ends_with_its_time_and_with_the_connection() {
    let mut house = house(with_tokens());
    let alice = page("alice", 1);
    house.proxy.signed_in(house.now, &alice.flow, holder("alice", MINUTE));
    house.wait(MINUTE);
    house.receive(&alice.flow, &alice.register(1, ""));
    assert_eq!(house.one(&alice.flow).status(), Some(401));

    house.proxy.signed_in(house.now, &alice.flow, holder("alice", 5 * MINUTE));
    house.close(&alice.flow);
    house.receive(&alice.flow, &alice.register(2, ""));
    assert_eq!(house.one(&alice.flow).status(), Some(401), "another connection with the same number");
}

#[test]
fn behind_the_token_of_a_websocket_another_user_gives_a_password() {
    let mut house = house(with_tokens());
    let bob = page("bob", 1);
    house.proxy.signed_in(house.now, &bob.flow, holder("alice", 5 * MINUTE));
    house.register(&bob);
    assert!(house.stored.contains_key(&b"bob@example.com"[..]));
}

#[test]
fn what_users_leave_for_one_who_is_on_no_list_waits_for_his_token() {
    let mut house = house_with_a_token();
    house.tokens.insert("doras".to_owned(), holder("dora", 5 * MINUTE));
    let (alice, dora) = (page("alice", 1), page("dora", 2));
    house.receive(&alice.flow, &alice.register(1, &bearer("alices")));
    house.one(&alice.flow);
    let heard = |house: &mut House, method: &str, more: &str| {
        let (uri, to) = ("sip:dora@example.com", "<sip:dora@example.com>");
        house.receive(&alice.flow, &alice.request(method, uri, to, method, 1, more));
        house.take(&alice.flow)[0].status().unwrap()
    };
    assert_eq!(heard(&mut house, "MESSAGE", ""), 202);
    assert_eq!(heard(&mut house, "SUBSCRIBE", "Event: dialog\r\n"), 200);
    assert_eq!(heard(&mut house, "OPTIONS", ""), 404, "nobody knows whether there is such a user");
    house.receive(&dora.flow, &dora.register(1, &bearer("doras")));
    assert_eq!(house.take(&dora.flow).iter().map(method).collect::<Vec<_>>(), ["", "MESSAGE"]);
}

#[test]
fn what_a_token_subscribes_and_publishes_ends_with_the_token() {
    let mut house = house_with_a_token();
    let alice = desk_phone("alice", "198.51.100.7:5060");
    house.receive(&alice.flow, &alice.register(1, &bearer("alices")));
    house.take(&alice.flow);
    for (method, event) in [("SUBSCRIBE", "dialog"), ("PUBLISH", "presence")] {
        let document = "<presence/>";
        let more = format!("Event: {event}\r\nExpires: 3000\r\n{}", bearer("alices"));
        let (uri, to) = ("sip:alice@example.com", "<sip:alice@example.com>");
        let request = alice.request(method, uri, to, method, 1, &more).replace(
            "Content-Length: 0\r\n\r\n",
            &format!(
                "Content-Type: application/pidf+xml\r\nContent-Length: {}\r\n\r\n{document}",
                document.len()
            ),
        );
        house.receive(&alice.flow, &request);
        let ok = house.take(&alice.flow).remove(0);
        assert_eq!((ok.status(), header(&ok, HeaderName::Expires).as_str()), (Some(200), "300"), "{method}");
    }
}
