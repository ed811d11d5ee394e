//! Phones that register and call through the real server, and a server that is killed under them.

mod harness;

use harness::{PASSWORD, Page, Phone, Server, text};
use sip::{HeaderName, Message};

#[test]
fn two_phones_register_and_call_and_hang_up() {
    let server = Server::start();
    let (alice, bob) = (Phone::new(&server, "alice"), Phone::new(&server, "bob"));
    alice.register();
    bob.register();
    call(&alice, &bob);
    server.logs("bob@example.com registered from 127.0.0.1:");
    server.logs("sip:alice@example.com calls sip:bob@example.com");
    server.logs("answered by");
    server.logs(": ended");
}

/// alice calls bob, bob answers and hangs up.
fn call(alice: &Phone, bob: &Phone) {
    alice.send(&alice.request("INVITE", "sip:bob@example.com", 1, ""));
    let challenge = alice.receive();
    assert_eq!(challenge.status(), Some(407), "{}", text(challenge.as_bytes()));
    alice.acknowledge("sip:bob@example.com", &challenge);
    let side = (sip::digest::Side::Proxy, HeaderName::ProxyAuthenticate);
    let answer = harness::answer(&challenge, side, "alice", PASSWORD, "INVITE", "sip:bob@example.com");
    alice.send(&alice.request("INVITE", "sip:bob@example.com", 2, &answer));

    let invite = bob.receive();
    assert_eq!(invite.method().unwrap().as_bytes(), b"INVITE");
    assert!(invite.header(HeaderName::RecordRoute).is_some());
    bob.respond(&invite, 180, "");
    assert_eq!(alice.receive().status(), Some(180));
    bob.respond(&invite, 200, "");
    let ok = alice.receive();
    assert_eq!(ok.status(), Some(200));
    alice.send(&alice.within(&ok, "ACK", 2));
    let ack = bob.receive();
    assert_eq!(ack.method().unwrap().as_bytes(), b"ACK");

    alice.send(&alice.within(&ok, "BYE", 3));
    let bye = bob.receive();
    assert_eq!(bye.method().unwrap().as_bytes(), b"BYE");
    bob.respond(&bye, 200, "");
    assert_eq!(alice.receive().status(), Some(200));
}

#[test]
fn an_acknowledged_registration_survives_kill_9() {
    let mut server = Server::start();
    let bob = Phone::new(&server, "bob");
    bob.register();
    server.restart_after_kill();
    server.logs("1 users' registrations are back");

    let alice = Phone::new(&server, "alice");
    alice.register();
    call(&alice, &bob);
    // And once more, with two of them in the log.
    server.restart_after_kill();
    let other = Phone::new(&server, "alice");
    call(&other, &bob);
}

#[test]
fn a_page_registers_and_a_phone_calls_it() {
    let server = Server::start();
    let mut page = Page::open(&server);
    let phone = Phone::new(&server, "alice");
    let register = |number: u32, more: &str| {
        format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKp{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:bob@example.com>;tag=p\r\nTo: <sip:bob@example.com>\r\nCall-ID: page\r\nCSeq: {number} REGISTER\r\n\
             Contact: <sip:bob@x.invalid;transport=ws>\r\nExpires: 600\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    page.send(register(1, "").as_bytes());
    let challenge = message(&mut page);
    assert_eq!(challenge.status(), Some(401));
    let side = (sip::digest::Side::User, HeaderName::WwwAuthenticate);
    let answer = harness::answer(&challenge, side, "bob", PASSWORD, "REGISTER", "sip:example.com");
    page.send(register(2, &answer).as_bytes());
    assert_eq!(message(&mut page).status(), Some(200));

    phone.register();
    phone.send(&phone.request("INVITE", "sip:bob@example.com", 1, ""));
    let challenge = phone.receive();
    phone.acknowledge("sip:bob@example.com", &challenge);
    let side = (sip::digest::Side::Proxy, HeaderName::ProxyAuthenticate);
    let answer = harness::answer(&challenge, side, "alice", PASSWORD, "INVITE", "sip:bob@example.com");
    phone.send(&phone.request("INVITE", "sip:bob@example.com", 2, &answer));
    let invite = message(&mut page);
    assert_eq!(invite.method().unwrap().as_bytes(), b"INVITE");
    assert_eq!(invite.request_uri(), b"sip:bob@x.invalid;transport=ws");
}

fn message(page: &mut Page) -> Message {
    page.receive().expect("the server closed").expect("the server sent Close")
}

#[test]
fn which_pages_may_connect() {
    let server = Server::start_with("[web]\norigins = [\"https://shop.example.com\"]");
    let own = format!("http://{}", server.address("http"));
    for origin in [None, Some(own.as_str()), Some("http://localhost:3000"), Some("https://shop.example.com")]
    {
        assert!(Page::try_open(&server, origin).is_ok(), "{origin:?}");
    }
    for origin in ["https://evil.example", "null", "https://shop.example.com.evil.example"] {
        let refused = Page::try_open(&server, Some(origin)).err();
        assert_eq!(refused, Some(websocket::client::AnswerError::Refused(403)), "{origin}");
    }
    server.logs("pages of https://evil.example may not connect here");
}
