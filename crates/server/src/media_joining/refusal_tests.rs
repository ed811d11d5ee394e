//! Descriptions that cannot be translated, or cross another, in a call between a page and a phone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use sip::{ConnectionId, Flow, HeaderName, Hop, Message, Method, Transport};

use super::test_support::{OF_PAGE, OF_PHONE, joining, on_loop};
use super::{Inward, MediaJoining, Onward};
use crate::configuration::Media;

const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5062);

/// The call of a phone (tag a) to a page (tag b).
struct Scene(Rc<MediaJoining>);

impl Scene {
    /// The phone leaves it to the page to offer.
    fn offered_late() -> Self {
        let scene = Self(joining(&Media::default()));
        assert!(matches!(scene.leaves("INVITE", "one", "a", "", "1 INVITE", ""), Onward::AsItIs));
        assert!(matches!(scene.answers("one", "1 INVITE", OF_PAGE), Inward::Instead(_)));
        scene
    }

    fn text(start: &str, branch: &str, tags: [&str; 2], cseq: &str, body: &str) -> String {
        let below = if tags[0] == "a" { "UDP 127.0.0.1:5062" } else { "WS page.invalid" };
        let tags = tags.map(|tag| if tag.is_empty() { String::new() } else { format!(";tag={tag}") });
        format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}\r\n\
             Via: SIP/2.0/{below};received=127.0.0.1;branch=z9hG4bKbelow\r\nFrom: <sip:x@example.com>{}\r\n\
             To: <sip:y@example.com>{}\r\nCall-ID: one\r\nCSeq: {cseq}\r\nContact: <sip:z@127.0.0.1>\r\n\
             Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            tags[0],
            tags[1],
            body.len()
        )
    }

    /// A request of `from` leaves for the other side.
    fn leaves(&self, method: &str, branch: &str, from: &str, to: &str, cseq: &str, body: &str) -> Onward {
        let transport = if from == "a" { Transport::Ws } else { Transport::Udp };
        let hop = Hop::Address { transport, address: ADDRESS, server_name: None };
        let start = format!("{method} sip:y@example.com SIP/2.0");
        self.0.outgoing(&hop, Self::text(&start, branch, [from, to], cseq, body).as_bytes())
    }

    /// The page answers a request of the phone with 200.
    fn answers(&self, branch: &str, cseq: &str, body: &str) -> Inward {
        let (transport, connection) = (Transport::Ws, ConnectionId(1));
        let flow = Flow { transport, connection, local: ADDRESS, remote: ADDRESS };
        self.0.incoming(&flow, Self::text("SIP/2.0 200 OK", branch, ["a", "b"], cseq, body).as_bytes())
    }
}

#[test]
fn an_ack_whose_answer_cannot_be_translated_goes_on_without_it_and_the_call_is_hung_up() {
    on_loop(async {
        let scene = Scene::offered_late();
        let other_codec = OF_PHONE.replace("RTP/AVP 0", "RTP/AVP 18");
        let Onward::Instead(ack) = scene.leaves("ACK", "two", "a", "b", "1 ACK", &other_codec) else {
            panic!("the page repeats its 200 until it has an ACK");
        };
        let ack = Message::parse(&ack).expect("an ACK");
        assert!(ack.method() == Some(Method::Ack) && ack.body().is_empty());
        let byes = scene.0.take_requests();
        assert_eq!(byes.len(), 2, "one to either side");
        for bye in &byes {
            let text = String::from_utf8_lossy(bye);
            assert!(text.starts_with("BYE ") && text.contains("SDP-NO-COMMON-CODEC"), "{text}");
        }
    });
}

#[test]
fn nobody_is_sent_the_ack_to_a_refusal_from_here() {
    on_loop(async {
        let scene = Scene::offered_late();
        scene.leaves("ACK", "two", "a", "b", "1 ACK", OF_PHONE);
        assert!(matches!(
            scene.leaves("INVITE", "three", "a", "b", "2 INVITE", OF_PHONE),
            Onward::Instead(_)
        ));
        let crossing = scene.leaves("INVITE", "four", "b", "a", "1 INVITE", OF_PAGE);
        assert!(matches!(crossing, Onward::Refused(_)));
        assert!(matches!(scene.leaves("ACK", "four", "b", "a", "1 ACK", ""), Onward::Nowhere));
    });
}

/// An INVITE that goes from a phone to a page.
fn invite(call: usize, body: &str) -> Vec<u8> {
    let text = Scene::text("INVITE sip:y@example.com SIP/2.0", "one", ["a", ""], "1 INVITE", body);
    text.replace("Call-ID: one", &format!("Call-ID: {call}")).into_bytes()
}

#[test]
fn beyond_the_calls_that_are_joined_at_a_time_one_is_refused_that_would_be_mute() {
    on_loop(async {
        let joining = joining(&Media::default());
        for call in 0..20_000 {
            let invite = Message::parse(&invite(call, OF_PHONE)).expect("an INVITE");
            let step = joining.calls.borrow_mut().request(sip::Instant::ZERO, &invite, Transport::Ws);
            assert!(step.is_some(), "{call}");
        }
        let hop = |transport| Hop::Address { transport, address: ADDRESS, server_name: None };
        for body in [OF_PHONE, ""] {
            let Onward::Refused(refusal) = joining.outgoing(&hop(Transport::Ws), &invite(20_000, body))
            else {
                panic!("nobody would be heard")
            };
            let refusal = Message::parse(&refusal).expect("a response");
            // A 503 would say that the page does not work, and its caller would not hear why.
            assert_eq!(refusal.status(), Some(500));
            let wait = refusal.header(HeaderName::RetryAfter).expect("a time to wait");
            assert!(
                std::str::from_utf8(wait).is_ok_and(|wait| wait.parse::<u32>().is_ok_and(|wait| wait > 0))
            );
            let warning = refusal.header(HeaderName::Warning).expect("a reason");
            assert!(String::from_utf8_lossy(warning).contains("MEDIA-TOO-MANY-CALLS"));
        }
        let alike = joining.outgoing(&hop(Transport::Udp), &invite(20_000, OF_PHONE));
        assert!(matches!(alike, Onward::AsItIs), "two phones need nobody between them");
    });
}
