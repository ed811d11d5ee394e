//! What an agent does with requests that nobody expects, and over other transports (RFC 3261 §8.2, §18; RFC 3581).

use crate::common::{ANSWER, Line, OFFER, Phone, config, lines, transaction};
use agent::{Agent, Config, Ending, Event, Listens, Payload, Via};
use core::time::Duration;
use sip::{HeaderName, Instant, Transport};

const T0: Instant = Instant::ZERO;

fn request(method: &str, uri: &str, more: &str) -> Vec<u8> {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS b.invalid;branch=z9hG4bK{method}{}\r\nMax-Forwards: 70\r\n\
         From: <sip:bob@example.org>;tag=b\r\nTo: <sip:alice@example.org>\r\nCall-ID: c{method}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:bob@b.invalid;transport=ws>\r\n{more}Content-Length: 0\r\n\r\n",
        more.len()
    )
    .into_bytes()
}

fn status_of(phone: &mut Phone, bytes: &[u8]) -> u16 {
    phone.receive(T0, bytes);
    phone.only_sent().status().unwrap()
}

#[test]
fn who_is_not_us_is_not_found() {
    let mut alice = Phone::connected("alice", 1);
    assert_eq!(status_of(&mut alice, &request("OPTIONS", "sip:carol@example.org", "")), 404);
    assert_eq!(status_of(&mut alice, &request("OPTIONS", "tel:+34600", "")), 416);
    let contact = String::from_utf8(alice.agent.names().contact_uri.to_vec()).unwrap();
    let more = "X: 1\r\n";
    assert_eq!(status_of(&mut alice, &request("OPTIONS", &contact, more)), 200);
}

#[test]
fn an_invite_with_several_replaces_and_another_request_with_one_are_refused_with_400() {
    let replaces = "Replaces: c1;to-tag=a;from-tag=b\r\n";
    let twice = [replaces, replaces].concat();
    let list = "Replaces: c1;to-tag=a;from-tag=b, c2;to-tag=a;from-tag=b\r\n";
    for (method, more) in [("INVITE", twice.as_str()), ("INVITE", list), ("MESSAGE", replaces)] {
        let mut alice = Phone::connected("alice", 1);
        assert_eq!(
            status_of(&mut alice, &request(method, "sip:alice@example.org", more)),
            400,
            "{method} {more}"
        );
    }
    let mut alice = Phone::connected("alice", 1);
    assert_eq!(status_of(&mut alice, &request("INVITE", "sip:alice@example.org", replaces)), 481);
}

#[test]
fn what_the_user_does_not_listen_to_is_answered_for_him() {
    let mut config = config("alice");
    config.settings.listens = Listens::default();
    let mut alice = Phone::new(config, 1);
    alice.agent.connected(T0, Via::new(Transport::Ws));
    let uri = "sip:alice@example.org";
    for (method, status) in [
        ("INVITE", 405),
        ("MESSAGE", 405),
        ("SUBSCRIBE", 405),
        ("REFER", 603),
        ("PUBLISH", 405),
        ("OPTIONS", 200),
        ("BYE", 481),
        ("INFO", 481),
        ("WHISTLE", 405),
    ] {
        let more = if method == "REFER" { "Refer-To: <sip:c@d>\r\n" } else { "Event: x\r\n" };
        assert_eq!(status_of(&mut alice, &request(method, uri, more)), status, "{method}");
    }
    assert!(alice.told().is_empty());
}

#[test]
fn an_unknown_extension_is_named() {
    let mut alice = Phone::connected("alice", 1);
    alice.receive(T0, &request("INVITE", "sip:alice@example.org", "Require: timer, 100rel\r\n"));
    let refusal = alice.only_sent();
    assert_eq!(refusal.status(), Some(420));
    assert_eq!(refusal.header(HeaderName::Unsupported), Some(&b"100rel"[..]));
}

#[test]
fn the_second_copy_of_a_request_is_refused() {
    let mut alice = Phone::connected("alice", 1);
    let first = request("MESSAGE", "sip:alice@example.org", "");
    alice.receive(T0, &first);
    let copy = String::from_utf8(first.clone()).unwrap().replace("z9hG4bKMESSAGE0", "z9hG4bKother");
    alice.receive(T0, copy.as_bytes());
    assert_eq!(alice.only_sent().status(), Some(482));
    alice.receive(T0, &first);
    assert!(alice.take_sent().is_empty(), "a retransmission is no copy");
}

#[test]
fn a_call_to_ourselves_is_a_loop() {
    let mut alice = Phone::connected("alice", 1);
    alice.call(T0, "sip:alice@example.org");
    let invite = alice.only_sent();
    let copy = invite.edit().prepend(HeaderName::Via, b"SIP/2.0/WS p;branch=z9hG4bKp").finish().unwrap();
    assert_eq!(status_of(&mut alice, &copy), 482);
}

#[test]
fn a_ping_is_answered_and_noise_is_not() {
    let mut alice = Agent::new(config("alice"), Box::new(sip::SeededEntropy::new(1))).unwrap();
    alice.connected(T0, Via::new(Transport::Ws));
    alice.receive(T0, b"\r\n\r\n");
    let agent::Output::Transmit { bytes, .. } = alice.poll() else { panic!("a ping gets a pong") };
    assert_eq!(bytes, b"\r\n");
    for noise in [&b"\r\n"[..], b"", b"hello", b"SIP/2.0 2", b"INVITE\r\n\r\n", &[0xff; 300]] {
        alice.receive(T0, noise);
        assert!(matches!(alice.poll(), agent::Output::Timeout(_)));
    }
}

#[test]
fn a_malformed_request_is_answered() {
    let mut alice = Phone::connected("alice", 1);
    let broken = String::from_utf8(request("MESSAGE", "sip:alice@example.org", "")).unwrap();
    let broken = broken.replace("CSeq: 1 MESSAGE", "CSeq: 1 INVITE");
    assert_eq!(status_of(&mut alice, broken.as_bytes()), 400);
}

#[test]
fn messages_are_shown_and_answered() {
    let mut line = Line::new();
    let payload = Payload { headers: Vec::new(), body: Some(agent::Body::new("text/plain", b"hola")) };
    let origin = agent::Origin::default();
    line.alice.agent.request(line.now, "MESSAGE", "sip:bob@example.org", &origin, &payload).unwrap();
    line.carry();
    let events = line.bob.take_events();
    let [Event::IncomingRequest { request, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(request.body(), b"hola");
    line.bob.agent.respond(line.now, transaction(&events), 200, "", &Payload::default()).unwrap();
    line.carry();
    assert_eq!(line.alice.told(), ["response 200"]);
}

#[test]
fn a_call_survives_the_loss_of_the_connection_and_the_owed_bye_is_sent_after_it() {
    let mut line = Line::new();
    let (alice, _) = line.established();
    line.alice.agent.disconnected(line.now);
    assert!(line.alice.told().is_empty(), "the call stands");
    line.alice.agent.connected(line.now, Via::new(Transport::Ws));
    let (number, _) = line.alice.agent.dialog_request(line.now, alice, "INFO", &Payload::default()).unwrap();
    line.alice.agent.disconnected(line.now);
    let events = line.alice.take_events();
    assert!(matches!(events.as_slice(), [Event::RequestFailed { number: failed, .. }] if *failed == number));
    line.alice.take_sent();
    line.alice.agent.end(line.now, alice, &Ending::default()).unwrap();
    assert_eq!(line.alice.told(), ["ended Local Terminated"]);
    line.wait(Duration::from_secs(40));
    assert!(line.take_passed().iter().all(|passed| !passed.starts_with("alice")), "nothing to send it over");
    line.alice.agent.connected(line.now, Via::new(Transport::Ws));
    assert_eq!(lines(&line.alice.take_sent()), ["BYE"], "the peer is told that the call is over");
}

#[test]
fn an_ack_that_the_old_connection_swallowed_goes_over_the_new_one() {
    let mut line = Line::new();
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = crate::common::incoming(&line.bob.take_events());
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.alice.take_sent();
    line.alice.agent.disconnected(line.now);
    line.alice.agent.connected(line.now, Via::new(Transport::Ws));
    assert_eq!(lines(&line.alice.take_sent()), ["ACK"]);
}

#[test]
fn an_invite_that_loses_its_connection_fails() {
    let mut alice = Phone::connected("alice", 1);
    alice.call(T0, "sip:bob@example.org");
    alice.agent.disconnected(T0);
    assert_eq!(alice.told(), ["failed System ConnectionError"]);
    let (call, _) =
        alice.agent.create_call(T0, "sip:bob@example.org", agent::CallOptions::default()).unwrap();
    alice.agent.invite(T0, call, Payload::sdp(OFFER)).unwrap();
    assert_eq!(alice.told(), ["failed System ConnectionError"], "and so does one without a connection");
}

#[test]
fn over_udp_requests_are_repeated_and_ask_for_rport() {
    let mut config = Config::new("sip:alice@example.org");
    config.via = Via::new(Transport::Udp);
    config.via_host = Some("192.0.2.1:5070".into());
    config.contact_uri = Some("sip:alice@192.0.2.1:5070".into());
    let mut alice = Phone::new(config, 1);
    alice.agent.connected(T0, Via::new(Transport::Udp));
    alice.agent.register(T0);
    alice.wait(Instant::from_millis(3600));
    let sent = alice.take_sent();
    assert_eq!(sent.len(), 4, "at once, and after 0.5, 1.5 and 3.5 s (RFC 3261 §17.1.2)");
    let via = String::from_utf8_lossy(sent[0].header(HeaderName::Via).unwrap()).into_owned();
    assert!(via.starts_with("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK") && via.ends_with(";rport"), "{via}");
}

#[test]
fn a_subscription_is_begun_by_its_notify_or_its_response() {
    for notify_first in [false, true] {
        let mut alice = Phone::connected("alice", 1);
        let (call, _) =
            alice.agent.create_subscription(T0, "sip:bob@example.org", agent::Origin::default()).unwrap();
        let event = Payload { headers: vec![agent::Header::new("Event", "presence")], body: None };
        alice.agent.dialog_request(T0, call, "SUBSCRIBE", &event).unwrap();
        let subscribe = alice.only_sent();
        let tag = String::from_utf8(subscribe.from().unwrap().tag().unwrap().to_vec()).unwrap();
        let call_id = String::from_utf8(subscribe.call_id().unwrap().to_vec()).unwrap();
        let notify = format!(
            "NOTIFY sip:alice@example.org SIP/2.0\r\nVia: SIP/2.0/WS b.invalid;branch=z9hG4bKn\r\nMax-Forwards: 70\r\n\
             From: <sip:bob@example.org>;tag=server\r\nTo: <sip:alice@example.org>;tag={tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 NOTIFY\r\nContact: <sip:bob@b.invalid>\r\nEvent: presence\r\n\
             Subscription-State: active\r\nContent-Length: 0\r\n\r\n"
        );
        let respond = |alice: &mut Phone| {
            alice.answer(T0, &subscribe, 200, |b| b.header(HeaderName::Contact, b"<sip:bob@b.invalid>"));
        };
        if notify_first {
            alice.receive(T0, notify.as_bytes());
            respond(&mut alice);
        } else {
            respond(&mut alice);
            alice.receive(T0, notify.as_bytes());
        }
        let events = alice.take_events();
        alice.agent.respond(T0, transaction(&events), 200, "", &Payload::default()).unwrap();
        assert_eq!(lines(&alice.take_sent()), ["200 NOTIFY"]);
        alice.agent.dialog_request(T0, call, "SUBSCRIBE", &event).unwrap();
        let refresh = alice.only_sent();
        assert_eq!(refresh.request_uri(), b"sip:bob@b.invalid");
        assert_eq!(refresh.to().unwrap().tag(), Some(&b"server"[..]));
        assert_eq!(refresh.cseq().unwrap().number, subscribe.cseq().unwrap().number + 1);
    }
}

#[test]
fn a_refer_outside_calls_waits_for_the_user_and_makes_a_dialog_to_tell_of_it() {
    let mut alice = Phone::connected("alice", 1);
    alice.receive(T0, &request("REFER", "sip:alice@example.org", "Refer-To: <sip:carol@example.org>\r\n"));
    assert!(alice.take_sent().is_empty(), "a user decides");
    let waiting = transaction(&alice.take_events());
    let call = alice.agent.accept_subscription(waiting).unwrap();
    alice.agent.respond(T0, waiting, 202, "", &Payload::default()).unwrap();
    let accepted = alice.only_sent();
    assert_eq!(accepted.status(), Some(202));
    assert!(accepted.header(HeaderName::Contact).is_some());
    let news = Payload { headers: vec![agent::Header::new("Event", "refer")], body: None };
    alice.agent.dialog_request(T0, call, "NOTIFY", &news).unwrap();
    let notify = alice.only_sent();
    assert_eq!(notify.request_uri(), b"sip:bob@b.invalid;transport=ws");
    assert_eq!(notify.to().unwrap().tag(), Some(&b"b"[..]));
    assert_eq!(notify.from().unwrap().tag(), accepted.to().unwrap().tag());
}

#[test]
fn a_refer_names_one_target_neither_none_nor_two() {
    let twice = "Refer-To: <sip:c@example.org>\r\nRefer-To: <sip:d@example.org>\r\n";
    for more in ["", twice] {
        let mut alice = Phone::connected("alice", 1);
        assert_eq!(status_of(&mut alice, &request("REFER", "sip:alice@example.org", more)), 400);
    }
}

#[test]
fn a_request_that_the_user_never_answers_is_forgotten() {
    let mut alice = Phone::connected("alice", 1);
    alice.receive(T0, &request("MESSAGE", "sip:alice@example.org", ""));
    let waiting = transaction(&alice.take_events());
    alice.wait(Instant::from_secs(32));
    let answered = alice.agent.respond(Instant::from_secs(33), waiting, 200, "", &Payload::default());
    assert_eq!(answered, Err(agent::CommandError::Unknown));
    assert!(alice.take_sent().is_empty(), "its sender has given up");
}

#[test]
fn an_invite_that_was_challenged_is_cancelled_by_its_last_form() {
    let mut alice = Phone::connected("alice", 1);
    let call = alice.call(T0, "sip:bob@example.org");
    let first = alice.only_sent();
    alice.answer(T0, &first, 407, |builder| {
        builder.header(HeaderName::ProxyAuthenticate, b"Digest realm=\"r\", nonce=\"n\"")
    });
    let sent = alice.take_sent();
    assert_eq!(lines(&sent), ["ACK", "INVITE"]);
    assert_eq!(alice.told(), ["Authenticated"]);
    alice.answer(T0, &sent[1], 180, |builder| builder);
    alice.agent.cancel(T0, call, &Ending::default()).unwrap();
    let cancel = alice.only_sent();
    assert_eq!(cancel.cseq().unwrap().number, sent[1].cseq().unwrap().number);
    assert_eq!(cancel.header(HeaderName::Via), sent[1].header(HeaderName::Via));
}
