//! What those who look for users and passwords find at the real binary.

mod harness;

use std::net::UdpSocket;
use std::time::Duration;

use harness::{Phone, Server, text};
use sip::Message;

/// Somebody who sends from an address of his own on loopback.
struct Stranger {
    socket: UdpSocket,
    server: std::net::SocketAddr,
}

impl Stranger {
    fn new(server: &Server, address: &str) -> Self {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        Self { socket, server: server.address("udp") }
    }

    /// The answer to a request to a user, if there is one.
    fn asks(&self, method: &str, user: &str) -> Option<Message> {
        let own = self.socket.local_addr().unwrap();
        let request = format!(
            "{method} sip:{user}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}{user};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:scanner@elsewhere.example>;tag=1\r\nTo: <sip:{user}@example.com>\r\n\
             Call-ID: {method}{user}\r\nCSeq: 1 {method}\r\nContact: <sip:scanner@{own}>\r\nContent-Length: 0\r\n\r\n"
        );
        self.socket.send_to(request.as_bytes(), self.server).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(Message::parse(&buffer[..length]).unwrap())
    }
}

#[test]
fn a_scanner_is_told_one_thing_and_after_twenty_tries_nothing() {
    let server = Server::start();
    let stranger = Stranger::new(&server, "127.0.0.2");
    let users: Vec<String> = ('a'..='s').map(|letter| format!("zz-{letter}")).collect();
    let mut names = vec!["alice"];
    names.extend(users.iter().map(String::as_str));
    let answers: Vec<String> = names
        .iter()
        .map(|user| {
            let answer = stranger.asks("OPTIONS", user).expect("an answer");
            let tag = text(answer.to().unwrap().tag().unwrap());
            text(answer.as_bytes()).replace(&tag, "TAG").replace(user, "USER")
        })
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{:#?}", &answers[..2]);
    assert!(stranger.asks("OPTIONS", "bob").is_none());
    assert!(stranger.asks("INVITE", "alice").is_none());
    server.logs("strangers at 127.0.0.2 are not heard for 600 s: they call users who are not there");
    // Others are, and users are.
    assert!(Stranger::new(&server, "127.0.0.3").asks("OPTIONS", "bob").is_some());
    Phone::new(&server, "alice").register();
}

#[test]
fn registrations_of_known_and_unknown_users_are_asked_for_a_password_alike() {
    let server = Server::start();
    let stranger = Stranger::new(&server, "127.0.0.2");
    let shape = |user: &str| {
        let answer = stranger.asks("REGISTER", user).expect("an answer");
        let names: Vec<String> = answer.fields().map(|field| field.name.as_str().to_owned()).collect();
        (answer.status(), names)
    };
    let known = shape("alice");
    assert_eq!(known.0, Some(401));
    for user in ["bob", "nobody", "1000"] {
        assert_eq!(shape(user), known);
    }
}
