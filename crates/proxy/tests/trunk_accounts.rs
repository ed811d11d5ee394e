//! The server as somebody else's client: it asks servers whether they work, registers at a provider, and answers when
//! a call is challenged there.

use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use proxy::trunk_settings::{Account, Action, Group, Route, Source, Trunks};
use proxy::{Config, Event};
use sip::{HeaderName, Message};

const FIRST: &str = "203.0.113.1:5060";
const SECOND: &str = "203.0.113.2:5060";
const CALLED: &str = "sip:+49301234@example.com";

/// A provider with one server.
fn provider() -> Group {
    Group { domain: Some("provider.example".to_owned()), ..group("provider") }
}

fn with_account() -> Group {
    Group { account: Some(Account { register: true, ..account("4930555") }), ..provider() }
}

/// Two servers that are asked every thirty seconds.
fn probed() -> Group {
    let servers = vec![server("203.0.113.1", 1), server("203.0.113.2", 2)];
    Group { servers, probe: Some(Duration::from_secs(30)), ..provider() }
}

fn configured(group: Group) -> Config {
    let route = Route {
        prefixes: vec!["+".to_owned()],
        sources: vec![Source::Users],
        action: Action::Group("provider".to_owned()),
        ..Route::default()
    };
    let trunks = Trunks { groups: vec![Arc::new(group)], routes: vec![route], ..Trunks::default() };
    Config { trunks, ..config() }
}

/// A house that has begun what it does by itself.
fn begun(group: Group) -> House {
    let mut house = house(configured(group));
    house.wait(Duration::ZERO);
    house
}

fn at(address: &str) -> Phone {
    desk_phone("carrier", address)
}

/// What came to a server, of this method; retransmissions left out.
fn asked(house: &mut House, address: &str, wanted: &str) -> Vec<Message> {
    let mut messages = house.take(&at(address).flow);
    messages.retain(|message| method(message) == wanted);
    messages.dedup_by(|one, other| one.as_bytes() == other.as_bytes());
    messages
}

fn reply(house: &mut House, address: &str, request: &Message, status: u16, more: &str) {
    let carrier = at(address);
    let response = carrier.respond(request, status, more);
    // Each answer has its own Contact, if any.
    let response = if more.contains("Contact:") {
        response.replace(&format!("Contact: <{}>\r\n", carrier.contact), "")
    } else {
        response
    };
    house.receive(&carrier.flow, &response);
}

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"provider\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n";

fn number_of(message: &Message) -> u32 {
    message.cseq().unwrap().number
}

/// Registers all the way: challenged, and granted.
fn registered(house: &mut House, seconds: u32) -> Message {
    let first = asked(house, FIRST, "REGISTER").remove(0);
    reply(house, FIRST, &first, 401, CHALLENGE);
    let second = asked(house, FIRST, "REGISTER").remove(0);
    let contact = header(&second, HeaderName::Contact);
    let uri = contact.split('>').next().unwrap();
    reply(house, FIRST, &second, 200, &format!("Contact: {uri}>;expires={seconds}\r\n"));
    second
}

fn told(house: &House) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Server { server, works, .. } => Some(format!("{server} {works}")),
        Event::TrunkRegistered { account, expires, .. } => Some(format!("{account} {expires}")),
        Event::TrunkNotRegistered { status, .. } => Some(format!("not registered: {status}")),
        _ => None,
    };
    house.events.iter().filter_map(line).collect()
}

/// alice calls; the INVITE that the server gets.
fn call(house: &mut House, alice: &Phone, call_id: &str, address: &str) -> Message {
    house.receive(&alice.flow, &alice.invite(CALLED, call_id));
    asked(house, address, "INVITE").remove(0)
}

#[test]
fn a_server_that_does_not_answer_is_set_aside_until_it_does() {
    let mut house = begun(probed());
    let options = asked(&mut house, FIRST, "OPTIONS").remove(0);
    assert_eq!(String::from_utf8_lossy(options.request_uri()), "sip:203.0.113.1:5060");
    let other = asked(&mut house, SECOND, "OPTIONS").remove(0);
    reply(&mut house, SECOND, &other, 404, "");
    house.wait(Duration::from_secs(5));
    assert_eq!(told(&house), ["sip:203.0.113.1:5060;transport=udp false"]);
    let alice = page("alice", 1);
    house.register(&alice);
    let invite = call(&mut house, &alice, "1", SECOND);
    reply(&mut house, SECOND, &invite, 486, "");
    // It is told once, however often it is asked in vain.
    for _ in 0..300 {
        house.wait(Duration::from_secs(1));
        for options in asked(&mut house, SECOND, "OPTIONS") {
            reply(&mut house, SECOND, &options, 200, "");
        }
    }
    assert_eq!(told(&house).len(), 1, "{:?}", told(&house));
    house.take(&at(FIRST).flow);
    let options = loop {
        house.wait(Duration::from_secs(1));
        if let Some(options) = asked(&mut house, FIRST, "OPTIONS").pop() {
            break options;
        }
    };
    reply(&mut house, FIRST, &options, 405, "");
    assert_eq!(told(&house)[1..], ["sip:203.0.113.1:5060;transport=udp true"]);
    call(&mut house, &alice, "2", FIRST);
}

#[test]
fn a_server_that_says_503_to_the_question_is_set_aside() {
    let mut house = begun(probed());
    let options = asked(&mut house, FIRST, "OPTIONS").remove(0);
    reply(&mut house, FIRST, &options, 503, "");
    assert_eq!(told(&house), ["sip:203.0.113.1:5060;transport=udp false"]);
}

#[test]
fn a_server_that_takes_no_calls_for_a_while_is_left_alone_though_it_answers_questions() {
    let mut house = begun(probed());
    let alice = page("alice", 1);
    house.register(&alice);
    for address in [FIRST, SECOND] {
        let options = asked(&mut house, address, "OPTIONS").remove(0);
        reply(&mut house, address, &options, 200, "");
    }
    let invite = call(&mut house, &alice, "1", FIRST);
    reply(&mut house, FIRST, &invite, 503, "Retry-After: 120\r\n");
    house.wait(Duration::from_secs(31));
    let options = asked(&mut house, FIRST, "OPTIONS").remove(0);
    reply(&mut house, FIRST, &options, 200, "");
    house.take(&at(SECOND).flow);
    call(&mut house, &alice, "2", SECOND);
}

#[test]
fn the_account_is_registered_with_digest_and_refreshed_in_time() {
    let mut house = begun(with_account());
    let first = asked(&mut house, FIRST, "REGISTER").remove(0);
    assert_eq!(String::from_utf8_lossy(first.request_uri()), "sip:provider.example");
    assert_eq!(header(&first, HeaderName::To), "<sip:4930555@provider.example>");
    assert!(first.header(HeaderName::Authorization).is_none());
    reply(&mut house, FIRST, &first, 401, CHALLENGE);
    let second = asked(&mut house, FIRST, "REGISTER").remove(0);
    let credentials = header(&second, HeaderName::Authorization);
    for part in ["username=\"4930555\"", "realm=\"provider\"", "uri=\"sip:provider.example\"", "nc=00000001"]
    {
        assert!(credentials.contains(part), "{part}: {credentials}");
    }
    assert_eq!(number_of(&second), number_of(&first) + 1);
    assert_eq!(header(&second, HeaderName::CallId), header(&first, HeaderName::CallId));
    let contact = header(&second, HeaderName::Contact);
    assert!(contact.contains("@192.0.2.1:5060;transport=udp>;expires=600"), "{contact}");
    reply(&mut house, FIRST, &second, 200, "Expires: 120\r\n");
    assert_eq!(told(&house), ["sip:4930555@provider.example 120"]);
    house.wait(Duration::from_secs(89));
    assert!(asked(&mut house, FIRST, "REGISTER").is_empty());
    house.wait(Duration::from_secs(2));
    // The nonce is good for another time, without another challenge.
    let refresh = asked(&mut house, FIRST, "REGISTER").remove(0);
    assert!(header(&refresh, HeaderName::Authorization).contains("nc=00000002"));
    reply(&mut house, FIRST, &refresh, 200, "Expires: 120\r\n");
    assert_eq!(told(&house).len(), 1, "a refresh is no news");
}

#[test]
fn a_provider_that_wants_longer_registrations_gets_them() {
    let mut house = begun(with_account());
    let first = asked(&mut house, FIRST, "REGISTER").remove(0);
    reply(&mut house, FIRST, &first, 423, "Min-Expires: 1800\r\n");
    let second = asked(&mut house, FIRST, "REGISTER").remove(0);
    assert_eq!(header(&second, HeaderName::Expires), "1800");
    // One that wants ever more is not obeyed for ever.
    let mut last = second;
    let mut requests = 2;
    loop {
        let more = 1800 + requests * 10;
        reply(&mut house, FIRST, &last, 423, &format!("Min-Expires: {more}\r\n"));
        match asked(&mut house, FIRST, "REGISTER").pop() {
            Some(next) => last = next,
            None => break,
        }
        requests += 1;
        assert!(requests < 20);
    }
    assert_eq!(told(&house), ["not registered: 423"]);
}

#[test]
fn a_wrong_password_is_tried_rarely_and_told_once() {
    let mut house = begun(with_account());
    let mut requests = 0;
    for _ in 0..7200 {
        for register in asked(&mut house, FIRST, "REGISTER") {
            requests += 1;
            reply(&mut house, FIRST, &register, 401, CHALLENGE);
        }
        house.wait(Duration::from_secs(1));
    }
    assert!((8..32).contains(&requests), "{requests} in two hours");
    assert_eq!(told(&house), ["not registered: 401"]);
}

#[test]
fn a_silent_provider_is_tried_at_its_next_server_at_once() {
    let servers = vec![server("203.0.113.1", 1), server("203.0.113.2", 2)];
    let mut house = begun(Group { servers, ..with_account() });
    house.wait(Duration::from_secs(33));
    let register = asked(&mut house, SECOND, "REGISTER").remove(0);
    reply(&mut house, SECOND, &register, 200, "Expires: 600\r\n");
    assert_eq!(told(&house), ["sip:4930555@provider.example 600"]);
}

#[test]
fn calls_by_our_contact_go_to_the_user_who_takes_them_or_by_the_number_in_to() {
    let group = Group { incoming_to: Some("alice".to_owned()), ..with_account() };
    let mut config = configured(group);
    config.trunks.routes.push(Route {
        prefixes: vec!["+49305551".to_owned()],
        sources: vec![Source::Group("provider".to_owned())],
        action: Action::User("bob".to_owned()),
        ..Route::default()
    });
    let mut house = house(config);
    house.wait(Duration::ZERO);
    let register = registered(&mut house, 600);
    let contact = header(&register, HeaderName::Contact);
    let contact = contact.trim_start_matches('<').split('>').next().unwrap().to_owned();
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.register(&alice);
    house.register(&bob);
    // From an address that nobody has written down: who knows the Contact has it from the provider.
    let carrier = at("198.51.100.99:5060");
    let incoming = |to: &str, call_id: &str| {
        let request =
            carrier.request("INVITE", &contact, &format!("<sip:{to}@provider.example>"), call_id, 1, "");
        request.replace("@example.com>;tag=from", "@elsewhere.example>;tag=from")
    };
    house.receive(&carrier.flow, &incoming("4930555", "1"));
    assert_eq!(method(&house.one(&alice.flow)), "INVITE");
    house.receive(&carrier.flow, &incoming("+49305551", "2"));
    assert_eq!(method(&house.one(&bob.flow)), "INVITE");
}

#[test]
fn a_challenged_call_is_answered_with_the_accounts_password_and_the_caller_hears_nothing_of_it() {
    for (status, challenge, name) in [
        (401, CHALLENGE.to_owned(), HeaderName::Authorization),
        (407, CHALLENGE.replace("WWW", "Proxy"), HeaderName::ProxyAuthorization),
    ] {
        let mut house = begun(with_account());
        let alice = page("alice", 1);
        house.register(&alice);
        let invite = call(&mut house, &alice, "1", FIRST);
        reply(&mut house, FIRST, &invite, status, &challenge);
        let mut messages = house.take(&at(FIRST).flow);
        messages.retain(|message| method(message) != "REGISTER");
        assert_eq!(messages.iter().map(method).collect::<Vec<_>>(), ["ACK", "INVITE"]);
        let again = messages.pop().unwrap();
        let credentials = header(&again, name);
        assert!(credentials.contains("username=\"4930555\""), "{credentials}");
        assert!(credentials.contains("uri=\"sip:+49301234@provider.example;user=phone\""), "{credentials}");
        assert_ne!(again.top_via().unwrap().branch(), invite.top_via().unwrap().branch());
        reply(&mut house, FIRST, &again, 180, "");
        reply(&mut house, FIRST, &again, 200, "");
        let statuses: Vec<u16> = house.take(&alice.flow).iter().filter_map(Message::status).collect();
        assert_eq!(statuses.into_iter().filter(|status| *status > 100).collect::<Vec<_>>(), [180, 200]);
    }
}

#[test]
fn a_password_that_the_provider_refuses_is_not_the_callers_trouble() {
    let mut house = begun(with_account());
    let alice = page("alice", 1);
    house.register(&alice);
    let invite = call(&mut house, &alice, "1", FIRST);
    reply(&mut house, FIRST, &invite, 407, &CHALLENGE.replace("WWW", "Proxy"));
    let again = asked(&mut house, FIRST, "INVITE").remove(0);
    reply(&mut house, FIRST, &again, 407, &CHALLENGE.replace("WWW", "Proxy"));
    let refusal = house.one(&alice.flow);
    assert_eq!(refusal.status(), Some(500));
    assert!(refusal.header(HeaderName::ProxyAuthenticate).is_none());
    assert!(header(&refusal, HeaderName::Warning).contains("password"), "{}", text(&refusal));
}

#[test]
fn a_stale_nonce_is_answered_anew_and_a_copy_is_sent_again_later() {
    let mut house = begun(with_account());
    let alice = page("alice", 1);
    house.register(&alice);
    let invite = call(&mut house, &alice, "1", FIRST);
    reply(&mut house, FIRST, &invite, 401, CHALLENGE);
    let again = asked(&mut house, FIRST, "INVITE").remove(0);
    let stale = CHALLENGE.replace("n1", "n2").replace("qop", "stale=true, qop");
    reply(&mut house, FIRST, &again, 401, &stale);
    let again = asked(&mut house, FIRST, "INVITE").remove(0);
    assert!(header(&again, HeaderName::Authorization).contains("nonce=\"n2\""));
    // RFC 3261 §8.2.2.2: it still holds the one before.
    reply(&mut house, FIRST, &again, 482, "");
    assert!(asked(&mut house, FIRST, "INVITE").is_empty());
    house.wait(Duration::from_secs(6));
    let again = asked(&mut house, FIRST, "INVITE").remove(0);
    assert!(again.header(HeaderName::Authorization).is_some());
    reply(&mut house, FIRST, &again, 200, "");
    assert!(house.take(&alice.flow).iter().any(|message| message.status() == Some(200)));
}

#[test]
fn a_caller_who_gives_up_meanwhile_is_not_called_for() {
    let mut house = begun(with_account());
    let alice = page("alice", 1);
    house.register(&alice);
    let invite = call(&mut house, &alice, "1", FIRST);
    let cancel = alice.request("CANCEL", CALLED, &format!("<{CALLED}>"), "1", 1, "");
    house.receive(&alice.flow, &cancel.replace("aliceCANCEL", "aliceINVITE"));
    reply(&mut house, FIRST, &invite, 401, CHALLENGE);
    assert!(asked(&mut house, FIRST, "INVITE").is_empty());
}

#[test]
fn a_challenge_within_the_dialog_is_answered_too() {
    let mut house = begun(with_account());
    let alice = page("alice", 1);
    house.register(&alice);
    let invite = call(&mut house, &alice, "1", FIRST);
    reply(&mut house, FIRST, &invite, 200, "");
    let accepted = house.one(&alice.flow);
    let to = header(&accepted, HeaderName::To);
    let bye = alice.request("BYE", "sip:carrier@203.0.113.1:5060", &to, "1", 2, &routes(&accepted, true));
    house.receive(&alice.flow, &bye);
    let bye = asked(&mut house, FIRST, "BYE").remove(0);
    reply(&mut house, FIRST, &bye, 407, &CHALLENGE.replace("WWW", "Proxy"));
    let again = asked(&mut house, FIRST, "BYE").remove(0);
    assert!(again.header(HeaderName::ProxyAuthorization).is_some());
    reply(&mut house, FIRST, &again, 200, "");
    assert_eq!(house.one(&alice.flow).status(), Some(200));
}

#[test]
fn who_names_the_provider_himself_does_not_call_in_our_name() {
    let mut house = begun(with_account());
    let alice = page("alice", 1);
    house.register(&alice);
    house.receive(&alice.flow, &alice.invite("sip:+49900@203.0.113.1", "dear"));
    let invite = asked(&mut house, FIRST, "INVITE").remove(0);
    reply(&mut house, FIRST, &invite, 407, &CHALLENGE.replace("WWW", "Proxy"));
    assert_eq!(house.one(&alice.flow).status(), Some(407));
    assert!(asked(&mut house, FIRST, "INVITE").is_empty());
}

/// A dialog with somebody else allows its Routes; it does not make the server say its password at a provider.
#[test]
fn the_routes_of_another_dialog_do_not_make_the_server_say_who_it_is() {
    let mut house = begun(with_account());
    let (alice, bob) = (page("alice", 1), desk_phone("bob", "198.51.100.7:5062"));
    house.register(&alice);
    house.register(&bob);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "own"));
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    let accepted = house.take(&alice.flow).pop().unwrap();
    let more = format!("{}Route: <sip:203.0.113.1:5060;lr>\r\n", routes(&accepted, true));
    let to = "<sip:4930555@provider.example>;tag=made-up";
    for (method, uri) in [
        ("REGISTER", "sip:provider.example"),
        ("INVITE", "sip:+1900@provider.example"),
        ("BYE", "sip:x@provider.example"),
    ] {
        house.receive(&alice.flow, &alice.request(method, uri, to, "own", 2, &more));
        // The server's own registration is not meant.
        let is_hers = |request: &Message| request.header(HeaderName::CallId) == Some(b"own");
        for request in asked(&mut house, FIRST, method).iter().filter(|request| is_hers(request)) {
            reply(&mut house, FIRST, request, 401, CHALLENGE);
        }
        let answered = asked(&mut house, FIRST, method);
        let said = |request: &Message| request.header(HeaderName::Authorization).is_some();
        assert!(!answered.iter().any(|request| is_hers(request) && said(request)), "{method}");
        house.take(&alice.flow);
    }
}

#[test]
fn the_next_server_of_a_provider_asks_anew_and_is_answered() {
    let servers = vec![server("203.0.113.1", 1), server("203.0.113.2", 2)];
    let mut house = begun(Group { servers, ..with_account() });
    let alice = page("alice", 1);
    house.register(&alice);
    let invite = call(&mut house, &alice, "1", FIRST);
    reply(&mut house, FIRST, &invite, 407, &CHALLENGE.replace("WWW", "Proxy"));
    let again = asked(&mut house, FIRST, "INVITE").remove(0);
    reply(&mut house, FIRST, &again, 503, "");
    let other = asked(&mut house, SECOND, "INVITE").remove(0);
    assert!(other.header(HeaderName::ProxyAuthorization).is_none(), "the first one's are not for it");
    reply(&mut house, SECOND, &other, 407, &CHALLENGE.replace("WWW", "Proxy").replace("n1", "n2"));
    let again = asked(&mut house, SECOND, "INVITE").remove(0);
    assert!(header(&again, HeaderName::ProxyAuthorization).contains("nonce=\"n2\""));
    reply(&mut house, SECOND, &again, 200, "");
    assert!(house.take(&alice.flow).iter().any(|message| message.status() == Some(200)));
}

#[test]
fn an_account_that_leaves_the_configuration_is_signed_off_and_one_that_stays_stays() {
    let mut house = begun(with_account());
    registered(&mut house, 600);
    house.proxy.reconfigure(configured(with_account()));
    house.drain();
    house.wait(Duration::from_secs(1));
    assert!(asked(&mut house, FIRST, "REGISTER").is_empty());
    house.proxy.reconfigure(config());
    house.drain();
    let farewell = asked(&mut house, FIRST, "REGISTER").remove(0);
    assert_eq!(header(&farewell, HeaderName::Expires), "0");
    reply(&mut house, FIRST, &farewell, 200, "");
    house.wait(Duration::from_secs(3600));
    assert!(asked(&mut house, FIRST, "REGISTER").is_empty());
    assert!(house.proxy.is_idle());
}

#[test]
fn of_several_loops_one_registers_and_one_asks() {
    let common = proxy::Common::new(4, &mut sip::SeededEntropy::new(9));
    let group = Group { account: with_account().account, ..probed() };
    let (mut registering, mut asking) = (Vec::new(), Vec::new());
    for place in 0..4 {
        let entropy = Box::new(sip::SeededEntropy::new(place as u64 + 1));
        let mut proxy =
            proxy::Proxy::among(configured(group.clone()), SECRET, entropy, &common).at_place(place);
        proxy.timeout(START);
        while let output = proxy.poll()
            && !matches!(output, proxy::Output::Timeout(_))
        {
            let proxy::Output::Transmit { bytes, .. } = output else { continue };
            assert_eq!(common.owner_of_message(&bytes), place, "its answer comes here");
            match method(&Message::parse(&bytes).unwrap()).as_str() {
                "REGISTER" => registering.push(place),
                _ => asking.push(place),
            }
        }
    }
    assert_eq!((registering.len(), asking), (1, vec![0, 0]));
}
