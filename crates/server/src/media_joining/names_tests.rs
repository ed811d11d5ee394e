//! Phones that write a host name where their media is to go (RFC 8866 §5.7).

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use sip::{ConnectionId, Flow, HeaderName, Hop, Message, Transport};

use super::dialogs::key;
use super::test_support::{OF_PAGE, OF_PHONE, joining, on_loop};
use super::{Inward, Joiner, MediaJoining, Onward, Reason, Released};
use crate::configuration::Media;

/// A server, and what it let go on of what had to wait.
struct Scene {
    joining: Rc<MediaJoining>,
    released: Rc<RefCell<Vec<Released>>>,
}

fn text(start: &str, body: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bKbelow;received=127.0.0.1\r\nFrom: <sip:a@example.com>;tag=a\r\n\
         To: <sip:b@example.com>{}\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\nContact: <sip:z@127.0.0.1>\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        if start.starts_with("SIP") { ";tag=b" } else { "" },
        body.len()
    )
}

fn at(host: &str) -> String {
    OF_PHONE.replace("c=IN IP4 127.0.0.1", &format!("c=IN IP4 {host}"))
}

fn hop(transport: Transport) -> Hop {
    let address: SocketAddr = "127.0.0.1:5062".parse().expect("an address");
    Hop::Address { transport, address, server_name: None }
}

impl Scene {
    fn start() -> Self {
        let joining = joining(&Media::default());
        let released: Rc<RefCell<Vec<Released>>> = Rc::default();
        let kept = Rc::clone(&released);
        joining.release_to(Rc::new(move |message| kept.borrow_mut().push(message)));
        Self { joining, released }
    }

    fn leaves(&self, transport: Transport, body: &str) -> Onward {
        self.joining.outgoing(&hop(transport), text("INVITE sip:b@example.com SIP/2.0", body).as_bytes())
    }

    /// The phone answers the page.
    fn answered(&self, body: &str) -> Inward {
        let address: SocketAddr = "127.0.0.1:5062".parse().expect("an address");
        let flow =
            Flow { transport: Transport::Udp, connection: ConnectionId(0), local: address, remote: address };
        self.joining.incoming(&flow, text("SIP/2.0 200 OK", body).as_bytes())
    }

    /// The phone makes another offer in the dialog.
    fn offers_again(&self, body: &str) -> Onward {
        let invite = text("INVITE sip:a@example.com SIP/2.0", body)
            .replace("branch=z9hG4bK1", "branch=z9hG4bK2")
            .replace("From: <sip:a@example.com>;tag=a", "From: <sip:b@example.com>;tag=b")
            .replace("To: <sip:b@example.com>", "To: <sip:a@example.com>;tag=a");
        self.joining.outgoing(&hop(Transport::Ws), invite.as_bytes())
    }

    /// How many calls have media.
    fn calls(&self) -> usize {
        let Joiner::BuiltIn(gateway) = &self.joining.joiner else { panic!("the gateway of this process") };
        gateway.calls()
    }

    /// The next message that had to wait.
    async fn next(&self) -> Released {
        let next = async {
            loop {
                let next = self.released.borrow_mut().pop();
                match next {
                    Some(next) => return next,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), next).await.expect("it goes on")
    }
}

#[test]
fn an_offer_waits_until_the_name_in_it_is_found() {
    on_loop(async {
        let scene = Scene::start();
        assert!(matches!(scene.leaves(Transport::Ws, &at("localhost")), Onward::Nowhere), "it waits");
        let Released::Leaves { onward: Onward::Instead(invite), .. } = scene.next().await else {
            panic!("the page gets an offer")
        };
        let invite = Message::parse(&invite).expect("an INVITE");
        assert!(String::from_utf8_lossy(invite.body()).contains("UDP/TLS/RTP/SAVPF"));
    });
}

#[test]
fn an_answer_does_so_too() {
    on_loop(async {
        let scene = Scene::start();
        assert!(matches!(scene.leaves(Transport::Udp, OF_PAGE), Onward::Instead(_)));
        assert!(matches!(scene.answered(&at("localhost")), Inward::Later));
        let Released::Arrives { bytes, .. } = scene.next().await else { panic!("the page gets an answer") };
        let ok = Message::parse(&bytes).expect("a response");
        assert!(String::from_utf8_lossy(ok.body()).contains("UDP/TLS/RTP/SAVPF"));
    });
}

#[test]
fn an_offer_with_a_name_that_nobody_knows_is_refused_and_says_so() {
    on_loop(async {
        let scene = Scene::start();
        assert!(matches!(scene.leaves(Transport::Ws, &at("no..name")), Onward::Nowhere));
        let Released::Leaves { onward: Onward::Refused(refusal), .. } = scene.next().await else {
            panic!("it is refused")
        };
        let refusal = Message::parse(&refusal).expect("a response");
        assert_eq!(refusal.status(), Some(488));
        let warning = refusal.header(HeaderName::Warning).expect("a Warning");
        let warning = String::from_utf8_lossy(warning);
        assert!(warning.contains("SDP-UNKNOWN-HOST") && warning.contains("no..name"), "{warning}");
    });
}

#[test]
fn a_call_that_is_hung_up_while_a_name_is_looked_up_is_over() {
    on_loop(async {
        let scene = Scene::start();
        assert!(matches!(scene.leaves(Transport::Udp, OF_PAGE), Onward::Instead(_)));
        assert!(matches!(scene.answered(OF_PHONE), Inward::Instead(_)));
        assert!(matches!(scene.offers_again(&at("localhost")), Onward::Nowhere), "it waits");
        scene.joining.hang_up(&key(b"one", b"a", 0), &Reason::stopping());
        let Released::Leaves { onward: Onward::Refused(refusal), .. } = scene.next().await else {
            panic!("there is nobody to get the offer")
        };
        let refusal = Message::parse(&refusal).expect("a response");
        assert_eq!(refusal.status(), Some(481));
        assert_eq!(scene.calls(), 0, "its ports are free");
    });
}

#[test]
fn what_a_page_writes_there_is_of_no_matter() {
    on_loop(async {
        let scene = Scene::start();
        let named = OF_PAGE.replace("c=IN IP4 0.0.0.0", "c=IN IP4 page.invalid");
        assert!(matches!(scene.leaves(Transport::Udp, &named), Onward::Instead(_)));
    });
}
