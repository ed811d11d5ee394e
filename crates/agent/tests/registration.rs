//! Registration: challenges, refreshes, failures, the loss of the connection (RFC 3261 §10, §22; RFC 5626; RFC 5627).

use crate::common::{Phone, config, line, lines};
use agent::{Cause, Event, Via};
use sip::digest::{Algorithm, Credentials, Ha1};
use sip::message::Message;
use sip::{Builder, HeaderName, Instant, Transport};

const T0: Instant = Instant::ZERO;

fn challenge(builder: Builder, name: HeaderName, realm: &str, algorithm: &str, more: &str) -> Builder {
    let value =
        format!("Digest realm=\"{realm}\", nonce=\"n-{realm}\", qop=\"auth\", algorithm={algorithm}{more}");
    builder.header(name, value.as_bytes())
}

/// Answers a REGISTER with 200 and the binding that it asked for.
fn grant(phone: &mut Phone, now: Instant, request: &Message, expires: u32, more: &str) {
    let contact = request.header(HeaderName::Contact).unwrap();
    let contact = String::from_utf8(contact.to_vec()).unwrap();
    let binding = contact.rsplit_once(";expires=").map_or(contact.as_str(), |(binding, _)| binding);
    let others = "<sip:alice@192.0.2.77>;expires=20";
    let value = format!("{others}, {binding};expires={expires}{more}");
    phone.answer(now, request, 200, |builder| builder.header(HeaderName::Contact, value.as_bytes()));
}

fn registered(seed: u64) -> (Phone, Message) {
    let mut phone = Phone::connected("alice", seed);
    phone.agent.register(T0);
    let request = phone.only_sent();
    grant(&mut phone, T0, &request, 600, "");
    assert_eq!(phone.told(), ["Registered"]);
    (phone, request)
}

#[test]
fn each_algorithm_is_answered() {
    for algorithm in Algorithm::PREFERRED {
        let mut phone = Phone::connected("alice", 7);
        phone.agent.register(T0);
        let first = phone.only_sent();
        phone.answer(T0, &first, 401, |builder| {
            challenge(builder, HeaderName::WwwAuthenticate, "r", algorithm.token(), "")
        });
        let second = phone.only_sent();
        let value = second.header(HeaderName::Authorization).expect("the challenge is answered");
        let credentials = Credentials::parse(value).unwrap();
        assert_eq!(credentials.algorithm, Some((algorithm, false)), "{}", algorithm.token());
        let secret = Ha1::new(algorithm, b"alice", b"r", b"secret");
        assert!(sip::digest::verify(&credentials, b"REGISTER", b"", &secret), "{}", algorithm.token());
        assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
        assert_eq!(second.call_id(), first.call_id());
    }
}

#[test]
fn of_several_challenges_the_strongest_is_answered() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.answer(T0, &first, 401, |builder| {
        let builder = challenge(builder, HeaderName::WwwAuthenticate, "r", "MD5", "");
        challenge(builder, HeaderName::WwwAuthenticate, "r", "SHA-256", "")
    });
    let second = phone.only_sent();
    assert_eq!(second.headers(HeaderName::Authorization).count(), 1);
    let value = String::from_utf8_lossy(second.header(HeaderName::Authorization).unwrap()).into_owned();
    assert!(value.contains("SHA-256"), "{value}");
}

#[test]
fn a_proxy_and_then_the_registrar_may_challenge() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.answer(T0, &first, 407, |builder| {
        challenge(builder, HeaderName::ProxyAuthenticate, "edge", "MD5", "")
    });
    let second = phone.only_sent();
    assert!(second.header(HeaderName::ProxyAuthorization).is_some());
    phone.answer(T0, &second, 401, |builder| {
        challenge(builder, HeaderName::WwwAuthenticate, "home", "MD5", "")
    });
    let third = phone.only_sent();
    assert!(third.header(HeaderName::ProxyAuthorization).is_some(), "the proxy wants its credentials again");
    assert!(third.header(HeaderName::Authorization).is_some());
    grant(&mut phone, T0, &third, 600, "");
    assert_eq!(phone.told(), ["Registered"]);
}

/// The values of a field, as text.
fn values(message: &Message, name: HeaderName) -> Vec<String> {
    message.headers(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
fn each_realm_that_challenges_at_once_is_answered_by_its_strongest_algorithm() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.answer(T0, &first, 401, |builder| {
        let builder = challenge(builder, HeaderName::WwwAuthenticate, "one", "MD5", "");
        let builder = challenge(builder, HeaderName::WwwAuthenticate, "two", "AKAv1-MD5", "");
        let builder = challenge(builder, HeaderName::WwwAuthenticate, "two", "MD5", "");
        let builder = challenge(builder, HeaderName::WwwAuthenticate, "one", "SHA-256", "");
        challenge(builder, HeaderName::ProxyAuthenticate, "edge", "SHA-512-256", "")
    });
    let second = phone.only_sent();
    let answers = values(&second, HeaderName::Authorization);
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(answers[0].contains("realm=\"one\"") && answers[0].contains("algorithm=SHA-256"), "{answers:?}");
    assert!(answers[1].contains("realm=\"two\"") && answers[1].contains("algorithm=MD5"), "{answers:?}");
    let answers = values(&second, HeaderName::ProxyAuthorization);
    assert!(matches!(answers.as_slice(), [one] if one.contains("algorithm=SHA-512-256")), "{answers:?}");
}

#[test]
fn a_chain_of_proxies_and_the_callee_may_each_challenge_an_invite() {
    let mut phone = Phone::connected("alice", 7);
    let call = phone.call(T0, "sip:bob@example.org");
    let steps = [(407, HeaderName::ProxyAuthenticate, "edge"), (407, HeaderName::ProxyAuthenticate, "core")];
    let mut invite = phone.only_sent();
    for (status, name, realm) in steps.into_iter().chain([(401, HeaderName::WwwAuthenticate, "callee")]) {
        phone.answer(T0, &invite, status, |builder| challenge(builder, name, realm, "SHA-256", ""));
        let mut sent = phone.take_sent();
        assert_eq!(lines(&sent), ["ACK", "INVITE"], "after the challenge of {realm}");
        invite = sent.pop().unwrap();
    }
    assert_eq!(invite.headers(HeaderName::ProxyAuthorization).count(), 2);
    assert_eq!(invite.headers(HeaderName::Authorization).count(), 1);
    phone.answer(T0, &invite, 200, |builder| {
        builder
            .header(HeaderName::Contact, b"<sip:bob@192.0.2.9>")
            .body(b"application/sdp", crate::common::ANSWER.as_bytes())
    });
    phone.agent.acknowledge(T0, call, agent::Payload::default()).unwrap();
    let ack = phone.only_sent();
    // RFC 3261 §22.3: the same credentials, though nobody may challenge an ACK.
    assert_eq!(ack.headers(HeaderName::ProxyAuthorization).count(), 2);
}

#[test]
fn an_ha1_answers_its_own_realm_only() {
    let mut config = config("alice");
    config.settings.password = None;
    config.settings.ha1 = Some("939e7578ed9e3c518a452acee763bce9".into());
    config.settings.realm = Some("home".into());
    let mut phone = Phone::new(config, 7);
    phone.agent.connected(T0, Via::new(Transport::Ws));
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.answer(T0, &first, 401, |builder| {
        let builder = challenge(builder, HeaderName::WwwAuthenticate, "elsewhere", "MD5", "");
        challenge(builder, HeaderName::WwwAuthenticate, "home", "MD5", "")
    });
    let second = phone.only_sent();
    let answers = values(&second, HeaderName::Authorization);
    assert!(matches!(answers.as_slice(), [one] if one.contains("realm=\"home\"")), "{answers:?}");
    phone.answer(T0, &second, 407, |builder| {
        challenge(builder, HeaderName::ProxyAuthenticate, "elsewhere", "MD5", "")
    });
    assert_eq!(phone.told(), ["registration failed AuthenticationError"]);
}

#[test]
fn a_stale_nonce_is_replaced_without_a_word() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    for _ in 0..2 {
        let request = phone.only_sent();
        phone.answer(T0, &request, 401, |builder| {
            challenge(builder, HeaderName::WwwAuthenticate, "r", "MD5", ", stale=true")
        });
    }
    let request = phone.only_sent();
    grant(&mut phone, T0, &request, 600, "");
    assert_eq!(phone.told(), ["Registered"]);
}

#[test]
fn a_wrong_password_fails_once_and_is_not_tried_again() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    for _ in 0..2 {
        let request = phone.only_sent();
        phone.answer(T0, &request, 401, |builder| {
            challenge(builder, HeaderName::WwwAuthenticate, "r", "MD5", "")
        });
    }
    let events = phone.take_events();
    assert!(
        matches!(
            events.as_slice(),
            [Event::RegistrationFailed { cause: Cause::AuthenticationError, retry_in: None, .. }]
        ),
        "{events:?}"
    );
    phone.wait(Instant::from_secs(7200));
    assert!(phone.take_sent().is_empty() && phone.told().is_empty());
}

#[test]
fn a_known_nonce_is_used_again_with_a_rising_count() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.answer(T0, &first, 401, |builder| challenge(builder, HeaderName::WwwAuthenticate, "r", "MD5", ""));
    let second = phone.only_sent();
    grant(&mut phone, T0, &second, 600, "");
    phone.wait(Instant::from_secs(590));
    let refresh = phone.take_sent().remove(0);
    let count = |message: &Message| {
        let value = message.header(HeaderName::Authorization).unwrap();
        String::from_utf8_lossy(value).split("nc=").nth(1).unwrap()[..8].to_owned()
    };
    assert_eq!((count(&second).as_str(), count(&refresh).as_str()), ("00000001", "00000002"));
}

#[test]
fn the_binding_is_found_among_others_by_its_instance_and_refreshed_in_time() {
    let (mut phone, first) = registered(7);
    phone.wait(Instant::from_secs(299));
    assert!(phone.take_sent().is_empty(), "no refresh before half of the time");
    let at = phone.deadline;
    assert!(at <= Instant::from_secs(568), "a refresh 32 s before the end at the latest");
    phone.wait(at);
    let refresh = phone.only_sent();
    assert_eq!(refresh.call_id(), first.call_id());
    assert_eq!(refresh.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    grant(&mut phone, at, &refresh, 600, "");
    let events = phone.take_events();
    assert!(matches!(events.as_slice(), [Event::Registered { first: false, .. }]), "{events:?}");
}

#[test]
fn the_registrars_shortest_time_is_taken() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.answer(T0, &first, 423, |builder| builder.header(HeaderName::MinExpires, b"1800"));
    let second = phone.only_sent();
    assert_eq!(second.header(HeaderName::Expires), Some(&b"1800"[..]));
    phone.answer(T0, &second, 423, |builder| builder.header(HeaderName::MinExpires, b"1800"));
    assert_eq!(phone.told(), ["registration failed SipFailureCode"], "a registrar that contradicts itself");
}

#[test]
fn who_signs_off_while_a_refresh_is_refused_is_signed_off() {
    for status in [423, 503] {
        let (mut phone, _) = registered(7);
        phone.agent.register(T0);
        let refresh = phone.only_sent();
        phone.agent.unregister(T0, false);
        phone.answer(T0, &refresh, status, |builder| builder.header(HeaderName::MinExpires, b"1800"));
        let removal = phone.only_sent();
        assert_eq!(removal.header(HeaderName::Expires), Some(&b"0"[..]));
        phone.answer(T0, &removal, 200, |builder| builder);
        assert_eq!(phone.told(), ["Unregistered"]);
    }
}

#[test]
fn who_signs_off_while_a_refresh_gets_no_answer_is_signed_off() {
    let (mut phone, _) = registered(7);
    phone.agent.register(T0);
    phone.only_sent();
    phone.agent.unregister(T0, false);
    phone.wait(Instant::from_secs(33));
    let removal = phone.only_sent();
    assert_eq!(removal.header(HeaderName::Expires), Some(&b"0"[..]));
    phone.answer(Instant::from_secs(33), &removal, 200, |builder| builder);
    assert_eq!(phone.told(), ["Unregistered"]);
}

#[test]
fn who_takes_back_a_first_registration_that_is_refused_as_too_short_is_told() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.agent.unregister(T0, false);
    phone.answer(T0, &first, 423, |builder| builder.header(HeaderName::MinExpires, b"1800"));
    assert!(phone.take_sent().is_empty());
    assert_eq!(phone.told(), ["registration failed SipFailureCode"]);
}

#[test]
fn a_busy_registrar_is_asked_again_when_it_said() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.answer(T0, &first, 503, |builder| builder.header(HeaderName::RetryAfter, b"17 (maintenance)"));
    let events = phone.take_events();
    assert!(
        matches!(events.as_slice(), [Event::RegistrationFailed { retry_in: Some(17), .. }]),
        "{events:?}"
    );
    phone.wait(Instant::from_millis(16_999));
    assert!(phone.take_sent().is_empty());
    phone.wait(Instant::from_secs(17));
    assert_eq!(lines(&phone.take_sent()), ["REGISTER"]);
}

#[test]
fn a_registrar_that_wants_to_be_asked_at_once_is_asked_as_others_are() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let first = phone.only_sent();
    phone.answer(T0, &first, 503, |builder| builder.header(HeaderName::RetryAfter, b"0"));
    let events = phone.take_events();
    let [Event::RegistrationFailed { retry_in: Some(seconds), .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!((30..=60).contains(seconds), "{seconds}");
}

#[test]
fn a_silent_registrar_is_asked_again_after_growing_times() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let mut waits = Vec::new();
    let mut now = T0;
    for _ in 0..4 {
        phone.take_sent();
        while phone.events.is_empty() {
            now = phone.deadline;
            phone.wait(now);
        }
        let events = phone.take_events();
        let [Event::RegistrationFailed { retry_in: Some(seconds), cause: Cause::RequestTimeout, .. }] =
            events.as_slice()
        else {
            panic!("{events:?}")
        };
        waits.push(*seconds);
        now += core::time::Duration::from_secs(u64::from(*seconds));
        phone.wait(now);
        assert_eq!(lines(&phone.take_sent()), ["REGISTER"]);
    }
    for (wait, base) in waits.iter().zip([60, 120, 240, 480]) {
        assert!((base / 2..=base).contains(wait), "RFC 5626 §4.5 asks for {base}/2 to {base}, not {wait}");
    }
}

#[test]
fn gruus_are_learnt_and_used_in_contact() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let request = phone.only_sent();
    let gruus =
        ";pub-gruu=\"sip:alice@example.org;gr=urn:uuid:1\";temp-gruu=\"sip:tgruu.7hs@example.org;gr\"";
    grant(&mut phone, T0, &request, 600, gruus);
    phone.call(T0, "sip:bob@example.org");
    let invite = phone.only_sent();
    assert_eq!(invite.header(HeaderName::Contact), Some(&b"<sip:alice@example.org;gr=urn:uuid:1>"[..]));
    let options = agent::CallOptions {
        origin: agent::Origin { anonymous: true, ..agent::Origin::default() },
        ..agent::CallOptions::default()
    };
    let (call, _) = phone.agent.create_call(T0, "sip:bob@example.org", options).unwrap();
    phone.agent.invite(T0, call, agent::Payload::sdp(crate::common::OFFER)).unwrap();
    let invite = phone.only_sent();
    assert_eq!(invite.header(HeaderName::Contact), Some(&b"<sip:tgruu.7hs@example.org;gr>"[..]));
    assert_eq!(invite.header(HeaderName::Privacy), Some(&b"id"[..]));
    assert_eq!(invite.header(HeaderName::PPreferredIdentity), Some(&b"<sip:alice@example.org>"[..]));
}

#[test]
fn one_binding_or_all_are_removed() {
    for all in [false, true] {
        let (mut phone, _) = registered(7);
        phone.agent.unregister(T0, all);
        let request = phone.only_sent();
        assert_eq!(request.header(HeaderName::Expires), Some(&b"0"[..]));
        let contact = String::from_utf8_lossy(request.header(HeaderName::Contact).unwrap()).into_owned();
        assert_eq!(contact == "*", all);
        assert_eq!(contact.ends_with(";expires=0"), !all);
        phone.answer(T0, &request, 200, |builder| builder);
        assert_eq!(phone.told(), ["Unregistered"]);
        phone.wait(Instant::from_secs(7200));
        assert!(phone.take_sent().is_empty());
    }
}

#[test]
fn after_a_reconnection_the_same_registration_goes_on() {
    let (mut phone, first) = registered(7);
    let lost = Instant::from_secs(10);
    phone.agent.disconnected(lost);
    assert_eq!(phone.told(), ["Unregistered"]);
    phone.wait(Instant::from_secs(1000));
    assert!(phone.take_sent().is_empty(), "without a connection there is nothing to send");
    phone.agent.connected(Instant::from_secs(1000), Via::new(Transport::Wss));
    let again = phone.only_sent();
    assert_eq!(again.call_id(), first.call_id());
    assert!(again.cseq().unwrap().number > first.cseq().unwrap().number);
    assert_eq!(again.header(HeaderName::Contact), first.header(HeaderName::Contact));
    assert!(again.header(HeaderName::Via).unwrap().starts_with(b"SIP/2.0/WSS "));
    grant(&mut phone, Instant::from_secs(1000), &again, 600, "");
    assert_eq!(phone.told(), ["Registered"]);
}

#[test]
fn who_was_refused_is_registered_over_the_next_connection() {
    let (mut phone, _) = registered(7);
    phone.agent.register(T0);
    let refresh = phone.only_sent();
    phone.answer(T0, &refresh, 403, |builder| builder);
    phone.wait(Instant::from_secs(7200));
    assert!(phone.take_sent().is_empty(), "not by itself");
    let back = Instant::from_secs(7201);
    phone.agent.disconnected(back);
    phone.agent.connected(back, Via::new(Transport::Ws));
    assert_eq!(line(&phone.only_sent()), "REGISTER");
}

#[test]
fn who_signed_off_while_he_was_refused_is_not_registered_over_the_next_connection() {
    let mut phone = Phone::connected("alice", 7);
    phone.agent.register(T0);
    let request = phone.only_sent();
    phone.answer(T0, &request, 403, |builder| builder);
    phone.agent.unregister(T0, false);
    phone.agent.disconnected(T0);
    phone.agent.connected(T0, Via::new(Transport::Ws));
    assert!(phone.take_sent().is_empty());
}

#[test]
fn the_user_may_refresh_by_himself() {
    let mut config = config("alice");
    config.settings.refreshes_registration = false;
    let mut phone = Phone::new(config, 7);
    phone.agent.connected(T0, Via::new(Transport::Ws));
    phone.agent.register(T0);
    let request = phone.only_sent();
    grant(&mut phone, T0, &request, 60, "");
    phone.wait(Instant::from_secs(55));
    assert_eq!(phone.told(), ["Registered", "RegistrationExpiring"]);
    assert!(phone.take_sent().is_empty());
    phone.wait(Instant::from_secs(60));
    assert_eq!(phone.told(), ["Unregistered"], "nobody refreshed");
}
