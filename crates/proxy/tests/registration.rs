//! The registrar, as phones see it (RFC 3261 §10, RFC 5626 §6, RFC 5627, RFC 3327).

use std::time::Duration;

use crate::support::*;
use proxy::{AskId, Common, Event, Output, Proxy, Question, StoreError, Unregistration};
use sip::digest::{Challenge, Ha1};
use sip::{HeaderName, SeededEntropy};

#[test]
fn a_phone_registers_with_its_password() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    let challenge = house.one(&bob.flow);
    assert_eq!(challenge.status(), Some(401));
    let challenges: Vec<String> = challenge
        .headers(HeaderName::WwwAuthenticate)
        .map(|it| String::from_utf8_lossy(it).into_owned())
        .collect();
    assert!(challenges[0].contains("SHA-256") && challenges[1].contains("MD5"), "{challenges:?}");

    let response = house.register(&bob);
    let contact = header(&response, HeaderName::Contact);
    assert!(contact.starts_with("<sip:bob@198.51.100.7:5062>;expires=600"), "{contact}");
    assert!(response.header(HeaderName::Date).is_some());
    assert!(house.stored[&b"bob@example.com"[..]].is_some(), "stored before the 200");
    assert!(house.events.iter().any(|event| matches!(event, Event::Registered { refresh: false, .. })));
}

/// `b%6fb` in a URI is bob; a user whose name is those five letters is `b%256fb` there.
#[test]
fn an_escaped_name_makes_nobody_another() {
    let mut house = house(config());
    house.users.insert("b%6fb".to_owned(), "secret".to_owned());
    for (part, status) in [("b%256fb", 200), ("b%6fb", 403)] {
        let phone = desk_phone(part, "198.51.100.7:5062");
        house.receive(&phone.flow, &phone.register(1, ""));
        let challenge = house.one(&phone.flow);
        let credentials = answer(&challenge, "REGISTER", "sip:example.com", "b%6fb", "secret");
        house.receive(&phone.flow, &phone.register(2, &format!("Authorization: {credentials}\r\n")));
        assert_eq!(house.one(&phone.flow).status(), Some(status), "{part}");
    }
    assert_eq!(house.stored.keys().collect::<Vec<_>>(), [&b"b%6fb@example.com"[..]]);
}

#[test]
fn clients_that_read_one_challenge_get_one_that_they_know() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.register(1, "User-Agent: JsSIP 3.13.8\r\n"));
    let challenge = house.one(&alice.flow);
    let all = values(&challenge, HeaderName::WwwAuthenticate).join(",");
    assert!(all.contains("MD5") && !all.contains("SHA-256"), "{all}");
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_alike() {
    let mut house = house(config());
    let mut answers = Vec::new();
    for user in ["bob", "mallory"] {
        let phone = desk_phone(user, "198.51.100.7:5062");
        house.receive(&phone.flow, &phone.register(1, ""));
        let challenge = house.one(&phone.flow);
        let credentials = answer(&challenge, "REGISTER", "sip:example.com", user, "wrong");
        house.receive(&phone.flow, &phone.register(2, &format!("Authorization: {credentials}\r\n")));
        let refused = house.one(&phone.flow);
        assert_eq!(refused.status(), Some(401));
        assert!(!text(&refused).contains("stale=true"));
        answers.push(text(&refused).replace(user, "").len());
    }
    assert_eq!(answers[0], answers[1]);
    assert!(house.stored.is_empty());
    let refusals =
        house.events.iter().filter(|event| matches!(event, Event::RegistrationRefused { status: 401, .. }));
    assert_eq!(refusals.count(), 2);
}

#[test]
fn an_old_nonce_is_stale_and_a_used_count_is_too() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    let challenge = house.one(&bob.flow);
    let credentials = answer(&challenge, "REGISTER", "sip:example.com", "bob", "secret-b");
    house.receive(&bob.flow, &bob.register(2, &format!("Authorization: {credentials}\r\n")));
    assert_eq!(house.one(&bob.flow).status(), Some(200));
    house.receive(&bob.flow, &bob.register(3, &format!("Authorization: {credentials}\r\n")));
    let replayed = house.one(&bob.flow);
    assert_eq!(replayed.status(), Some(401));
    assert!(text(&replayed).contains("stale=true"));

    let nonce = replayed.header(HeaderName::WwwAuthenticate).unwrap().to_vec();
    house.wait(Duration::from_secs(301));
    let late = answer_one(&nonce, "REGISTER", "sip:example.com", "bob", "secret-b", "00000001");
    house.receive(&bob.flow, &bob.register(4, &format!("Authorization: {late}\r\n")));
    assert!(text(&house.one(&bob.flow)).contains("stale=true"));
    let wrong = answer_one(&nonce, "REGISTER", "sip:example.com", "bob", "wrong", "00000002");
    house.receive(&bob.flow, &bob.register(5, &format!("Authorization: {wrong}\r\n")));
    assert!(!text(&house.one(&bob.flow)).contains("stale=true"), "only the right password is merely late");
}

/// Datagrams overtake one another, come twice, or late.
#[test]
fn counts_that_come_out_of_order_twice_or_late_cost_a_fresh_nonce_at_the_most() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let mut cseq = 0;
    // Gives the status, and the challenge.
    let mut ask = |house: &mut House, challenge: Option<&[u8]>, count: u32| {
        cseq += 1;
        let credentials = challenge.map(|challenge| {
            let count = format!("{count:08x}");
            let value = answer_one(challenge, "OPTIONS", "sip:bob@example.com", "bob", "secret-b", &count);
            format!("Proxy-Authorization: {value}\r\n")
        });
        let more = credentials.unwrap_or_default();
        let to = "<sip:bob@example.com>";
        let request = bob.request("OPTIONS", "sip:bob@example.com", to, &format!("o{cseq}"), cseq, &more);
        house.receive(&bob.flow, &request);
        let response = house.one(&bob.flow);
        let challenge = response.header(HeaderName::ProxyAuthenticate).map(<[u8]>::to_vec);
        (response.status().unwrap(), challenge)
    };
    let (_, challenge) = ask(&mut house, None, 0);
    let mut challenge = challenge.unwrap();
    for count in [3, 1, 2, 66, 4, 5, 80, 17] {
        let (status, _) = ask(&mut house, Some(&challenge), count);
        assert_eq!(status, 480, "{count} of a nonce is good once, if it is among the last 64");
    }
    for count in [80, 3, 16, 80] {
        let (status, anew) = ask(&mut house, Some(&challenge), count);
        let anew = anew.unwrap();
        assert_eq!(status, 407, "{count}");
        assert!(String::from_utf8_lossy(&anew).contains("stale=true"), "{count}");
        assert_eq!(ask(&mut house, Some(&anew), 1).0, 480, "{count}: the fresh nonce counts");
        house.wait(Duration::from_secs(40));
        challenge = anew;
        assert_eq!(ask(&mut house, Some(&challenge), 80).0, 480);
        assert_eq!(ask(&mut house, Some(&challenge), 18).0, 480);
        assert_eq!(ask(&mut house, Some(&challenge), 17).0, 480);
    }
}

#[test]
fn credentials_without_a_quality_of_protection_are_good_once_whatever_they_count() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    let challenge = house.one(&bob.flow);
    let read = Challenge::parse(challenge.header(HeaderName::WwwAuthenticate).unwrap()).unwrap();
    let (algorithm, _) = read.algorithm.unwrap();
    let ha1 = Ha1::new(algorithm, b"bob", read.realm, b"secret-b");
    let ha2 = algorithm.hash(&[b"REGISTER:sip:example.com"]);
    // RFC 2069: H(H(A1) ":" nonce ":" H(A2)).
    let parts = [ha1.hex().as_bytes(), b":", read.nonce, b":", ha2.hex().as_bytes()].concat();
    let response = algorithm.hash(&[&parts]);
    let credentials = format!(
        "Digest username=\"bob\", realm=\"{}\", nonce=\"{}\", uri=\"sip:example.com\", response=\"{}\", algorithm={}",
        String::from_utf8_lossy(read.realm),
        String::from_utf8_lossy(read.nonce),
        String::from_utf8_lossy(response.hex().as_bytes()),
        algorithm.token(),
    );
    for (cseq, count, status) in
        [(2, "", 200), (3, "", 401), (4, ", nc=00000001", 401), (5, ", nc=00000009", 401)]
    {
        house.receive(&bob.flow, &bob.register(cseq, &format!("Authorization: {credentials}{count}\r\n")));
        let answer = house.one(&bob.flow);
        assert_eq!(answer.status(), Some(status), "{count}");
        assert_eq!(
            text(&answer).contains("stale=true"),
            status == 401,
            "who knows the password may try again"
        );
    }
}

#[test]
fn a_domain_with_the_dot_that_ends_it_is_the_same_domain() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let register = bob.register(1, "").replace("example.com", "Example.com.");
    house.receive(&bob.flow, &register);
    assert_eq!(house.one(&bob.flow).status(), Some(200));
    assert_eq!(house.stored.keys().next().unwrap(), b"bob@example.com");
    let alice = desk_phone("alice", "198.51.100.8:5062");
    let invite = alice.request("INVITE", "sip:bob@example.com.", "<sip:bob@example.com>", "one", 1, "");
    house.receive(&alice.flow, &invite);
    assert_eq!(house.one(&bob.flow).request_uri(), bob.contact.as_bytes());
}

#[test]
fn no_user_is_named_as_what_the_store_keeps_of_messages() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let name = "%00message%000123456789abcdef01234567bob";
    let register = bob.register(1, "").replace("<sip:bob@example.com>", &format!("<sip:{name}@example.com>"));
    house.receive(&bob.flow, &register);
    assert_eq!(house.one(&bob.flow).status(), Some(404));
    assert!(house.stored.is_empty());
}

#[test]
fn nobody_registers_for_another() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    let challenge = house.one(&bob.flow);
    let credentials = answer(&challenge, "REGISTER", "sip:example.com", "carol", "secret-c");
    house.receive(&bob.flow, &bob.register(2, &format!("Authorization: {credentials}\r\n")));
    assert_eq!(house.one(&bob.flow).status(), Some(403));
    assert!(house.stored.is_empty());
}

#[test]
fn bindings_are_fetched_refreshed_and_taken_back() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, "Expires: 300\r\n"));
    assert!(header(&house.one(&bob.flow), HeaderName::Contact).ends_with(";expires=300"));
    house.wait(Duration::from_secs(100));
    house.receive(&bob.flow, &bob.register_contact(2, ""));
    assert!(
        header(&house.one(&bob.flow), HeaderName::Contact).ends_with(";expires=200"),
        "a fetch changes nothing"
    );
    house.receive(&bob.flow, &bob.register(3, "Expires: 300\r\n"));
    assert!(header(&house.one(&bob.flow), HeaderName::Contact).ends_with(";expires=300"));
    house.receive(&bob.flow, &bob.register(4, "Expires: 0\r\n"));
    assert_eq!(house.one(&bob.flow).header(HeaderName::Contact), None);
    assert_eq!(house.stored[&b"bob@example.com"[..]], None);
    assert!(
        house.events.iter().any(|it| matches!(it, Event::Unregistered { why: Unregistration::Asked, .. }))
    );
}

#[test]
fn contact_parameters_and_several_contacts_are_kept() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let contacts = "Contact: \"B, ob\" <sip:b1@198.51.100.7>;q=0.7;expires=120;x=\"a;b\", <sip:b2@198.51.100.8>\r\n\
                    Contact: sip:b3@198.51.100.9;q=0.1\r\nExpires: 240\r\n";
    house.receive(&bob.flow, &bob.register_contact(1, contacts));
    let response = house.one(&bob.flow);
    assert_eq!(
        values(&response, HeaderName::Contact),
        [
            "<sip:b1@198.51.100.7>;q=0.7;x=\"a;b\";expires=120",
            "<sip:b2@198.51.100.8>;expires=240",
            "<sip:b3@198.51.100.9>;q=0.1;expires=240",
        ]
    );
    // §19.1.4: the same URI in another spelling refreshes, and does not add.
    house.receive(&bob.flow, &bob.register_contact(2, "Contact: <SIP:%621@198.51.100.7>;expires=600\r\n"));
    assert_eq!(values(&house.one(&bob.flow), HeaderName::Contact).len(), 3);
}

#[test]
fn a_star_takes_everything_back_and_only_with_expires_0() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    house.one(&bob.flow);
    for (cseq, wrong) in [
        (2, "Contact: *\r\n"),
        (3, "Contact: *\r\nExpires: 60\r\n"),
        (4, "Contact: *, <sip:b@198.51.100.7>\r\nExpires: 0\r\n"),
    ] {
        house.receive(&bob.flow, &bob.register_contact(cseq, wrong));
        assert_eq!(house.one(&bob.flow).status(), Some(400), "{wrong}");
    }
    house.receive(&bob.flow, &bob.register_contact(5, "Contact: *\r\nExpires: 0\r\n"));
    let response = house.one(&bob.flow);
    assert_eq!((response.status(), response.header(HeaderName::Contact)), (Some(200), None));
    assert_eq!(house.proxy.bindings(), 0);
}

#[test]
fn too_short_an_interval_gets_423_and_too_long_a_one_is_cut() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, "Expires: 20\r\n"));
    let brief = house.one(&bob.flow);
    assert_eq!((brief.status(), header(&brief, HeaderName::MinExpires).as_str()), (Some(423), "60"));
    house.receive(&bob.flow, &bob.register(2, "Expires: 99999999999\r\n"));
    assert!(header(&house.one(&bob.flow), HeaderName::Contact).ends_with(";expires=7200"));
}

#[test]
fn an_older_register_does_not_undo_a_newer_one() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(5, ""));
    house.one(&bob.flow);
    house.receive(&bob.flow, &bob.register(4, "Expires: 0\r\n"));
    assert_eq!(house.one(&bob.flow).status(), Some(500));
    assert_eq!(house.proxy.bindings(), 1);
    // A retransmission gets the same answer again, and changes nothing.
    house.receive(&bob.flow, &bob.register(5, ""));
    assert_eq!(house.one(&bob.flow).status(), Some(200));
}

#[test]
fn a_reloaded_page_replaces_its_own_binding() {
    let mut house = house(open_config());
    let mut before = page("alice", 1);
    before.parameters = ";reg-id=1;+sip.instance=\"<urn:uuid:0001>\"".to_owned();
    house.receive(&before.flow, &before.register(1, ""));
    let response = house.one(&before.flow);
    assert_eq!(header(&response, HeaderName::Require), "outbound");
    let contact = header(&response, HeaderName::Contact);
    assert!(contact.contains(";pub-gruu=\"sip:alice@example.com;gr=urn:uuid:0001\""), "{contact}");

    let mut after = page("alice", 2);
    after.parameters = before.parameters.clone();
    house.receive(&after.flow, &after.register(1, ""));
    let contacts = values(&house.one(&after.flow), HeaderName::Contact);
    assert_eq!(contacts.len(), 1);
    assert!(contacts[0].contains("alice2.invalid"));
}

#[test]
fn a_binding_dies_with_its_flow_after_a_grace() {
    let mut house = house(open_config());
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.register(1, ""));
    house.one(&alice.flow);
    house.close(&alice.flow);
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.invite("sip:alice@example.com", "c1"));
    assert_eq!(house.one(&bob.flow).status(), Some(480));
    house.wait(Duration::from_secs(29));
    assert_eq!(house.proxy.bindings(), 1);
    house.wait(Duration::from_secs(1));
    assert_eq!(house.proxy.bindings(), 0);
    assert!(
        house
            .events
            .iter()
            .any(|it| matches!(it, Event::Unregistered { why: Unregistration::FlowClosed, .. }))
    );
    assert_eq!(house.stored[&b"alice@example.com"[..]], None);
}

#[test]
fn a_binding_expires() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, "Expires: 60\r\n"));
    house.wait(Duration::from_secs(60));
    assert_eq!(house.proxy.bindings(), 0);
    assert!(
        house.events.iter().any(|it| matches!(it, Event::Unregistered { why: Unregistration::Expired, .. }))
    );
}

#[test]
fn what_cannot_be_stored_is_not_registered() {
    let mut house = house(open_config());
    house.store_fails = true;
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    let response = house.one(&bob.flow);
    assert_eq!(response.status(), Some(500));
    assert!(response.header(HeaderName::RetryAfter).is_some());
    assert_eq!(house.proxy.bindings(), 0);
}

/// What has run out is taken out of the store too, as soon as that works again.
#[test]
fn a_removal_that_cannot_be_stored_is_tried_again() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, "Expires: 60\r\n"));
    house.store_fails = true;
    house.wait(Duration::from_secs(60));
    assert_eq!(house.proxy.bindings(), 0);
    assert!(house.stored.values().all(Option::is_some), "the store has not heard of it");
    house.wait(Duration::from_secs(60));
    house.store_fails = false;
    house.wait(Duration::from_secs(10));
    assert!(house.stored.values().all(Option::is_none));
    assert!(house.proxy.is_idle());
    assert_eq!(house.next_timeout, sip::Instant::NEVER);
}

/// What a REGISTER asks the store, which takes its time to answer.
fn asks_the_store(house: &mut House, phone: &Phone, text: &str) -> AskId {
    house.proxy.receive(house.now, &phone.flow, text.as_bytes());
    loop {
        match house.proxy.poll() {
            Output::Ask { id, question: Question::Store { .. } } => return id,
            Output::Timeout(_) => panic!("the store is not asked"),
            _ => {}
        }
    }
}

/// A binding runs out while a REGISTER of the same user is with the store: the record that the REGISTER brings has the last
/// word on it, but only if it gets there.
#[test]
fn what_runs_out_while_the_store_is_at_work_is_taken_out_of_it_if_that_work_fails() {
    for more in ["Expires: 600\r\n", "Expires: 0\r\n"] {
        let mut house = house(open_config());
        let bob = desk_phone("bob", "198.51.100.7:5062");
        house.receive(&bob.flow, &bob.register(1, "Expires: 60\r\n"));
        house.take(&bob.flow);
        house.wait(Duration::from_secs(59));
        let asked = asks_the_store(&mut house, &bob, &bob.register(2, more));
        house.wait(Duration::from_secs(1));
        assert_eq!(house.proxy.bindings(), 0);
        house.proxy.stored(house.now, asked, Err(StoreError));
        house.drain();
        assert_eq!(house.one(&bob.flow).status(), Some(500));
        house.wait(Duration::from_secs(60));
        assert!(house.stored.values().all(Option::is_none), "nothing is left of it");
        assert!(house.proxy.is_idle());
    }
}

#[test]
fn a_kill_keeps_phones_and_waits_for_pages() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let alice = page("alice", 1);
    for phone in [&bob, &alice] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.one(&phone.flow);
    }
    house.restart(open_config());
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    assert_eq!(method(&house.one(&bob.flow)), "INVITE", "the phone is there at once");
    house.take(&carol.flow);
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com", "c2"));
    assert_eq!(house.one(&carol.flow).status(), Some(480), "the page is away");
    let back = page("alice", 3);
    house.receive(&back.flow, &back.register(1, ""));
    house.take(&back.flow);
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com", "c3"));
    assert_eq!(method(&house.one(&back.flow)), "INVITE");
    house.wait(Duration::from_secs(31));
    assert_eq!(house.proxy.bindings(), 2, "the binding of the connection that is gone has ended");
}

#[test]
fn a_binding_of_a_clock_that_was_years_ahead_does_not_last_for_years() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, ""));
    house.now = sip::Instant::from_secs(house.now.as_secs() - 5 * 365 * 86_400);
    house.restart(open_config());
    house.wait(Duration::from_secs(6 * 86_400));
    assert_eq!(house.proxy.bindings(), 1, "the longest expiry may have been longer before the restart");
    house.wait(Duration::from_secs(2 * 86_400));
    assert_eq!(house.proxy.bindings(), 0);
}

#[test]
fn a_clock_that_is_set_while_the_server_runs_changes_dates_and_what_is_stored_and_nothing_else() {
    let mut house = house(open_config());
    let common = Common::new(1, &mut SeededEntropy::new(1));
    house.proxy = Proxy::among(open_config(), SECRET, Box::new(SeededEntropy::new(2)), &common);
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register(1, "Expires: 3600\r\n"));
    assert_eq!(header(&house.one(&bob.flow), HeaderName::Date), "Tue, 14 Nov 2023 22:13:20 GMT");
    // It was three years late, as machines are that have no battery.
    let late = Duration::from_secs(3 * 365 * 86_400);
    common.set_calendar(i64::try_from(late.as_micros()).unwrap());
    house.wait(Duration::from_secs(60));
    assert_eq!(house.proxy.bindings(), 1);
    house.receive(&bob.flow, &bob.register(2, "Expires: 3600\r\n"));
    let answer = house.one(&bob.flow);
    assert_eq!(header(&answer, HeaderName::Date), "Fri, 13 Nov 2026 22:14:20 GMT");
    assert!(header(&answer, HeaderName::Contact).ends_with(";expires=3600"));
    // The next start reads a clock that is right.
    house.now += late;
    house.restart(open_config());
    house.wait(Duration::from_secs(3500));
    assert_eq!(house.proxy.bindings(), 1);
    house.wait(Duration::from_secs(200));
    assert_eq!(house.proxy.bindings(), 0);
}

#[test]
fn one_user_has_a_bounded_number_of_contacts() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    for number in 1..=20 {
        let contact = format!("Contact: <sip:b{number}@198.51.100.7>\r\n");
        house.receive(&bob.flow, &bob.register_contact(number, &contact));
        assert_eq!(house.one(&bob.flow).status(), Some(200));
    }
    house.receive(&bob.flow, &bob.register_contact(21, "Contact: <sip:b21@198.51.100.7>\r\n"));
    assert_eq!(house.one(&bob.flow).status(), Some(403));
}

#[test]
fn a_path_comes_from_trusted_servers_only() {
    let path = "Path: <sip:edge@203.0.113.50;lr>\r\n";
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let mut wary = house(open_config());
    wary.receive(&bob.flow, &bob.register(1, path));
    assert_eq!(wary.one(&bob.flow).status(), Some(403));

    let mut config = open_config();
    config.trusted_peers = vec![sip::AddressRange::single(bob.flow.remote.ip())];
    let mut trusting = house(config);
    trusting.receive(&bob.flow, &bob.register(1, path));
    let response = trusting.one(&bob.flow);
    assert_eq!(
        (response.status(), header(&response, HeaderName::Path).as_str()),
        (Some(200), &path[6..path.len() - 2])
    );
    // Requests for the contact go along the Path.
    let alice = desk_phone("alice", "198.51.100.8:5060");
    trusting.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c1"));
    let edge = flow(sip::Transport::Udp, 0, "203.0.113.50:5060", 5060);
    let invite = trusting.one(&edge);
    assert_eq!(values(&invite, HeaderName::Route), ["<sip:edge@203.0.113.50;lr>"]);
    assert_eq!(invite.request_uri(), b"sip:bob@198.51.100.7:5062");
}

#[test]
fn what_is_not_a_registration_is_said_so() {
    let mut house = house(open_config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    house.receive(&bob.flow, &bob.register_contact(1, "Contact: <mailto:bob@example.com>\r\n"));
    assert_eq!(house.one(&bob.flow).status(), Some(400));
    house.receive(&bob.flow, &bob.register(2, "Require: teleport\r\n"));
    let response = house.one(&bob.flow);
    assert_eq!(
        (response.status(), header(&response, HeaderName::Unsupported).as_str()),
        (Some(420), "teleport")
    );
    let elsewhere = bob.register(3, "").replace("To: <sip:bob@example.com>", "To: <sip:bob@example.org>");
    house.receive(&bob.flow, &elsewhere);
    assert_eq!(house.one(&bob.flow).status(), Some(404));
}

#[test]
fn who_goes_on_with_a_wrong_password_is_stopped() {
    let mut house = house(config());
    let bob = desk_phone("bob", "198.51.100.7:5062");
    let mut statuses = Vec::new();
    let try_with = |house: &mut House, password: &str, cseq: u32| {
        house.receive(&bob.flow, &bob.register(cseq, ""));
        let challenge = house.one(&bob.flow);
        let credentials = answer(&challenge, "REGISTER", "sip:example.com", "bob", password);
        house.receive(&bob.flow, &bob.register(cseq + 1, &format!("Authorization: {credentials}\r\n")));
        house.one(&bob.flow).status().unwrap()
    };
    for number in 0..20 {
        statuses.push(try_with(&mut house, "wrong", 2 * number + 1));
    }
    assert_eq!(statuses[..5], [401, 401, 401, 403, 403]);
    house.receive(&bob.flow, &bob.register(101, ""));
    house.nothing(&bob.flow);
    house.wait(Duration::from_secs(601));
    assert_eq!(try_with(&mut house, "secret-b", 201), 200);
}

#[test]
fn what_the_operator_wants_told_is_in_the_answer() {
    let mut config = open_config();
    config.registrar.service_route = vec!["<sip:192.0.2.1;lr>".to_owned()];
    config.registrar.flow_timer = Duration::from_secs(120);
    let mut house = house(config);
    let mut alice = page("alice", 1);
    alice.parameters = ";reg-id=1;+sip.instance=\"<urn:uuid:0001>\"".to_owned();
    house.receive(&alice.flow, &alice.register(1, ""));
    let response = house.one(&alice.flow);
    assert_eq!(header(&response, HeaderName::ServiceRoute), "<sip:192.0.2.1;lr>");
    assert_eq!(header(&response, HeaderName::FlowTimer), "120");
    assert_eq!(header(&response, HeaderName::Supported), "path, outbound, gruu");
    assert!(header(&response, HeaderName::Date).ends_with(" GMT"));
}
