//! A page and a phone talk; the server has something to say to one of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use media::{BranchKey, Event};
use sip::{ConnectionId, Flow, HeaderName, Hop, Transport};

use super::*;
use crate::configuration::Media;
use crate::media_joining::test_support::{OF_PAGE, OF_PHONE, joining, on_loop};
use crate::media_joining::{Inward, Onward, dialogs};

const TAKES_INFO: &str = "Allow: INVITE, ACK, BYE, INFO\r\n";
const TAKES_NONE: &str = "Allow: INVITE, ACK, BYE\r\n";

/// A call of alice's page (tag a) to bob's phone (tag b).
struct Scene {
    joining: Rc<MediaJoining>,
}

impl Scene {
    /// Alice's INVITE has the number 7.
    fn answered(page: &str, phone: &str) -> Self {
        Self::joined(&Media::default(), page, phone)
    }

    fn joined(media: &Media, page: &str, phone: &str) -> Self {
        let scene = Self { joining: joining(media) };
        let contact = "Contact: <sip:x@page.invalid;transport=ws>\r\n";
        scene.leaves("INVITE", "a", "", "7 INVITE", &format!("{contact}{page}"), OF_PAGE);
        let contact = "Contact: <sip:bob@127.0.0.1:5062>\r\n";
        scene.arrives(200, "a", "b", "7 INVITE", &format!("{contact}{phone}"), OF_PHONE);
        scene.leaves("ACK", "a", "b", "7 ACK", "", "");
        scene
    }

    fn text(start: &str, from: &str, to: &str, cseq: &str, more: &str, body: &str) -> String {
        let via = if from == "a" { "WS page.invalid" } else { "UDP 127.0.0.1:5062" };
        let tag = |tag: &str| if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{}\r\nVia: SIP/2.0/{via};branch=z9hG4bKb\r\n\
             From: <sip:x@example.com>{}\r\nTo: <sip:y@example.com>{}\r\nCall-ID: one\r\nCSeq: {cseq}\r\n\
             Max-Forwards: 70\r\n{more}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            cseq.replace(' ', "-").replace("ACK", "INVITE"),
            tag(from),
            tag(to),
            body.len()
        )
    }

    /// A request of a party leaves for the other. What the other sees.
    fn leaves(&self, method: &str, from: &str, to: &str, cseq: &str, more: &str, body: &str) -> Message {
        let text = Self::text(&format!("{method} sip:z SIP/2.0"), from, to, cseq, more, body);
        self.sends(from == "a", text.as_bytes())
    }

    fn sends(&self, to_phone: bool, bytes: &[u8]) -> Message {
        let transport = if to_phone { Transport::Udp } else { Transport::Ws };
        let hop = Hop::Address { transport, address: somewhere(), server_name: None };
        let sent = match self.joining.outgoing(&hop, bytes) {
            Onward::AsItIs => bytes.to_vec(),
            Onward::Instead(bytes) => bytes,
            Onward::Refused(_) | Onward::Nowhere => panic!("it goes on"),
        };
        let sent = self.joining.renumbered(&sent).unwrap_or(sent);
        Message::parse(&sent).expect("a request")
    }

    /// A response arrives. What the proxy sees of it.
    fn arrives(&self, status: u16, from: &str, to: &str, cseq: &str, more: &str, body: &str) -> Message {
        let text = Self::text(&format!("SIP/2.0 {status} So"), from, to, cseq, more, body).into_bytes();
        let text = self.joining.renumbered_back(&text).unwrap_or(text);
        let flow = Flow {
            transport: Transport::Udp,
            connection: ConnectionId(0),
            local: somewhere(),
            remote: somewhere(),
        };
        let seen = match self.joining.incoming(&flow, &text) {
            Inward::AsItIs => text,
            Inward::Instead(bytes) => bytes,
            Inward::Later => panic!("it waits for nobody"),
        };
        Message::parse(&seen).expect("a response")
    }

    /// The phone presses a key. What is said of it.
    fn presses(&self, key: u8) -> Vec<Message> {
        let (call, branch) = (dialogs::key(b"one", b"a", 0), BranchKey::new(b"any"));
        let digit = Digit::of(key).expect("a key");
        self.joining.happened(Event::Digit { call, branch, digit, duration: Duration::from_millis(120) });
        self.says()
    }

    fn says(&self) -> Vec<Message> {
        let requests = self.joining.take_requests();
        requests.iter().map(|request| Message::parse(request).expect("a request")).collect()
    }
}

fn somewhere() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5062)
}

fn cseq(message: &Message) -> String {
    String::from_utf8_lossy(message.header(HeaderName::CSeq).unwrap_or_default()).into_owned()
}

#[test]
fn a_key_of_the_phone_is_said_to_the_page_in_the_name_of_the_phone() {
    on_loop(async {
        let scene = Scene::answered(TAKES_INFO, "");
        let [info] = scene.presses(b'#').try_into().expect("one request");
        assert_eq!(cseq(&info), "1 INFO");
        assert_eq!(info.request_uri(), b"sip:x@page.invalid;transport=ws");
        assert_eq!(info.header(HeaderName::From), Some(&b"<sip:y@example.com>;tag=b"[..]));
        assert_eq!(info.header(HeaderName::To), Some(&b"<sip:x@example.com>;tag=a"[..]));
        assert_eq!(info.header(HeaderName::ContentType), Some(&b"application/dtmf-relay"[..]));
        assert_eq!(info.body(), b"Signal=#\r\nDuration=120\r\n");
    });
}

#[test]
fn what_the_phone_sends_afterwards_makes_room_for_it_and_so_does_its_last_word() {
    on_loop(async {
        let scene = Scene::answered(TAKES_INFO, "");
        scene.leaves("OPTIONS", "b", "a", "4 OPTIONS", "", "");
        let info = scene.presses(b'5').pop().expect("one request");
        assert_eq!(cseq(&info), "5 INFO");
        let leaving = "INFO sip:z SIP/2.0\r\nVia: SIP/2.0/WS 192.0.2.1;branch=z9hG4bKi\r\n\
            Via: SIP/2.0/TCP sipweb.invalid;branch=z9hG4bKo\r\nFrom: <sip:y@example.com>;tag=b\r\n\
            To: <sip:x@example.com>;tag=a\r\nCall-ID: one\r\nCSeq: 5 INFO\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(cseq(&scene.sends(false, leaving.as_bytes())), "5 INFO", "it is ours");
        assert_eq!(cseq(&scene.leaves("INFO", "b", "a", "5 INFO", "", "")), "6 INFO");
        assert_eq!(cseq(&scene.arrives(200, "b", "a", "6 INFO", "", "")), "5 INFO");
        assert_eq!(cseq(&scene.leaves("BYE", "b", "a", "6 BYE", "", "")), "7 BYE");
        assert!(scene.joining.is_idle(), "the call is over");
        assert_eq!(cseq(&scene.leaves("BYE", "b", "a", "6 BYE", "", "")), "7 BYE", "sent again");
        assert_eq!(cseq(&scene.arrives(200, "b", "a", "7 BYE", "", "")), "6 BYE");
    });
}

#[test]
fn a_bye_of_the_server_makes_room_too() {
    on_loop(async {
        let scene = Scene::answered(TAKES_INFO, "");
        scene.presses(b'5');
        scene.joining.hang_up_all(&crate::media_joining::Reason::stopping());
        let [toward_phone, toward_page] = scene.says().try_into().expect("two requests");
        let sent = |bye: &Message, to_phone| {
            let bytes = String::from_utf8_lossy(&bye.edit().finish().expect("a request")).into_owned();
            let via = "\r\nVia: SIP/2.0/TCP sipweb.invalid;branch=z9hG4bKo\r\n";
            cseq(&scene.sends(to_phone, bytes.replacen("\r\n", via, 1).as_bytes()))
        };
        assert_eq!(sent(&toward_phone, true), "8 BYE");
        assert_eq!(sent(&toward_page, false), "3 BYE", "after 1 INFO");
    });
}

#[test]
fn a_page_that_takes_no_info_is_told_nothing() {
    on_loop(async {
        assert!(Scene::answered(TAKES_NONE, "").presses(b'5').is_empty());
        assert!(Scene::answered("", "").presses(b'5').is_empty(), "nobody knows");
        for packages in ["foo", "", "trickle-ice, foo"] {
            let negotiates = format!("{TAKES_INFO}Recv-Info: {packages}\r\n");
            assert!(Scene::answered(&negotiates, "").presses(b'5').is_empty(), "it says what it takes");
        }
    });
}

#[test]
fn a_page_that_takes_late_candidates_is_told_keys_all_the_same() {
    on_loop(async {
        let trickles = format!("{TAKES_INFO}Recv-Info: trickle-ice\r\n");
        assert!(!Scene::answered(&trickles, "").presses(b'5').is_empty());
    });
}

#[test]
fn a_page_that_refuses_is_told_nothing_more() {
    on_loop(async {
        for (status, more) in
            [(415, false), (405, false), (501, false), (481, false), (200, true), (500, true)]
        {
            let scene = Scene::answered(TAKES_INFO, "");
            scene.presses(b'5');
            scene.arrives(status, "b", "a", "1 INFO", "", "");
            assert_eq!(!scene.presses(b'6').is_empty(), more, "{status}");
        }
    });
}

#[test]
fn a_page_that_never_answers_is_not_told_for_ever() {
    on_loop(async {
        let scene = Scene::answered(TAKES_INFO, "");
        let told: usize = (0..100).map(|_| scene.presses(b'5').len()).sum();
        assert_eq!(told, 16);
    });
}

#[test]
fn a_key_waits_until_an_invite_of_the_phone_is_acknowledged() {
    on_loop(async {
        let scene = Scene::answered(TAKES_INFO, "");
        scene.leaves("INVITE", "b", "a", "20 INVITE", "", "");
        assert!(scene.presses(b'5').is_empty());
        scene.arrives(200, "b", "a", "20 INVITE", "", "");
        assert!(scene.says().is_empty(), "its ACK is still to come");
        assert_eq!(cseq(&scene.leaves("ACK", "b", "a", "20 ACK", "", "")), "20 ACK");
        assert_eq!(scene.says().iter().map(cseq).collect::<Vec<_>>(), ["21 INFO"]);
        scene.leaves("INVITE", "b", "a", "21 INVITE", "", "");
        assert!(scene.presses(b'6').is_empty());
        scene.arrives(488, "b", "a", "22 INVITE", "", "");
        assert_eq!(scene.says().iter().map(cseq).collect::<Vec<_>>(), ["23 INFO"], "it was refused");
    });
}

#[test]
fn nobody_is_told_keys_where_that_is_switched_off() {
    on_loop(async {
        let media = Media { digits_to_pages: false, ..Media::default() };
        assert!(Scene::joined(&media, TAKES_INFO, "").presses(b'5').is_empty());
    });
}

#[test]
fn a_phone_without_feedback_is_asked_for_a_whole_picture_in_the_name_of_the_page() {
    on_loop(async {
        let scene = Scene::answered("", TAKES_INFO);
        let (call, branch) = (dialogs::key(b"one", b"a", 0), BranchKey::new(b"any"));
        scene.joining.happened(Event::PictureWanted { call, branch });
        let [info] = scene.says().try_into().expect("one request");
        assert_eq!((cseq(&info).as_str(), info.request_uri()), ("8 INFO", &b"sip:bob@127.0.0.1:5062"[..]));
        assert!(crate::media_joining::pictures::is_asked_for(&info));
        assert_eq!(cseq(&scene.leaves("BYE", "a", "b", "8 BYE", "", "")), "9 BYE");
    });
}

#[test]
fn a_key_is_said_as_libraries_of_pages_read_it() {
    let key = |span| Word::Key(Digit::of(b'#').unwrap(), Duration::from_millis(span)).content();
    assert_eq!(key(160), ("application/dtmf-relay", "Signal=#\r\nDuration=160\r\n".to_owned()));
    assert_eq!(key(60_000).1, "Signal=#\r\nDuration=6000\r\n");
}
