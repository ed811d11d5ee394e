//! A page calls, and its call goes to one phone after the other: it is told of one end of ours all the way.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use sip::{ConnectionId, Flow, Hop, Message, Transport};

use super::test_support::{OF_PAGE, OF_PHONE, joining, on_loop};
use super::{Inward, MediaJoining, Onward};
use crate::configuration::Media;

const PHONE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5062);

/// Alice's page (tag a) calls.
struct Scene(Rc<MediaJoining>);

impl Scene {
    fn new() -> Self {
        Self(joining(&Media::default()))
    }

    /// A message of her call, with our Via on top or not.
    fn text(start: &str, branch: &str, callee: &str, body: &str) -> String {
        let ours = format!("Via: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\n");
        format!(
            "{start}\r\n{}Via: SIP/2.0/WS page.invalid;received=127.0.0.1;branch=z9hG4bKpage\r\n\
             From: <sip:a@example.com>;tag=a\r\nTo: <sip:b@example.com>{callee}\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n\
             Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            if branch.is_empty() { "" } else { &ours },
            body.len()
        )
    }

    /// Her INVITE leaves for a phone.
    fn calls(&self, branch: &str) {
        let invite = Self::text("INVITE sip:b@127.0.0.1 SIP/2.0", branch, "", OF_PAGE);
        let hop = Hop::Address { transport: Transport::Udp, address: PHONE, server_name: None };
        assert!(matches!(self.0.outgoing(&hop, invite.as_bytes()), Onward::Instead(_)));
    }

    /// A phone says this: the description that she gets.
    fn says(&self, start: &str, branch: &str, callee: &str, body: &str) -> Option<String> {
        let flow =
            Flow { transport: Transport::Udp, connection: ConnectionId(0), local: PHONE, remote: PHONE };
        match self.0.incoming(&flow, Self::text(start, branch, callee, body).as_bytes()) {
            Inward::Instead(bytes) => {
                let response = Message::parse(&bytes).expect("a response");
                Some(String::from_utf8_lossy(response.body()).into_owned())
            }
            _ => None,
        }
    }

    /// She is told that nobody answers.
    fn is_told(&self, start: &str, callee: &str) {
        let hop = Hop::Address { transport: Transport::Ws, address: PHONE, server_name: None };
        let refusal = Self::text(start, "", callee, "");
        assert!(matches!(self.0.outgoing(&hop, refusal.as_bytes()), Onward::AsItIs));
    }
}

/// What a description says of our end.
fn end(description: &str) -> Vec<&str> {
    let names = ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=ssrc:"];
    description.lines().filter(|line| names.iter().any(|name| line.starts_with(name))).collect()
}

#[test]
fn whoever_answers_after_a_refusal_with_early_media_answers_over_the_same_transport() {
    on_loop(async {
        let scene = Scene::new();
        scene.calls("z9hG4bKone");
        let early = scene.says("SIP/2.0 183 Session Progress", "z9hG4bKone", ";tag=b", OF_PHONE);
        scene.says("SIP/2.0 480 Temporarily Unavailable", "z9hG4bKone", ";tag=b", "");
        scene.calls("z9hG4bKtwo");
        let answer = scene.says("SIP/2.0 200 OK", "z9hG4bKtwo", ";tag=c", OF_PHONE);
        let (early, answer) = (early.expect("an announcement"), answer.expect("an answer"));
        assert_eq!(end(&early), end(&answer));
        assert_eq!(end(&early).len(), 4, "{early}");
    });
}

#[test]
fn a_call_is_over_when_its_caller_is_told_that_nobody_answers() {
    on_loop(async {
        let scene = Scene::new();
        scene.calls("z9hG4bKone");
        scene.says("SIP/2.0 486 Busy Here", "z9hG4bKone", ";tag=b", "");
        assert!(!scene.0.is_idle(), "there may be more to try");
        scene.is_told("SIP/2.0 486 Busy Here", ";tag=b");
        assert!(scene.0.is_idle());
    });
}
