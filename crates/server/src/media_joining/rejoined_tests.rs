//! A call from before our restart, which the next offer in it joins anew.

use std::net::SocketAddr;
use std::rc::Rc;

use sip::{ConnectionId, Flow, HeaderName, Hop, Message, Transport};

use super::dialogs::key;
use super::test_support::{OF_PAGE, OF_PHONE, joining, on_loop};
use super::{Inward, MediaJoining, Onward, Reason};
use crate::configuration::Media;

const BEYOND: &str = "<sip:proxy.example.net;lr>";
const NEAR: &str = "<sip:192.0.2.1:5060;lr>";
const TOKEN: &str = "<sip:token@192.0.2.1:8080;transport=ws;lr>";

fn message(start: &str, contact: &str, routes: &str, body: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK5\r\n\
         Via: SIP/2.0/WS x.invalid;branch=z9hG4bKpage;received=127.0.0.1\r\nFrom: <sip:alice@example.com>;tag=a\r\n\
         To: <sip:bob@example.com>;tag=b\r\nCall-ID: one\r\nCSeq: 5 INVITE\r\nMax-Forwards: 70\r\n\
         Contact: <{contact}>\r\n{routes}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Alice's page holds a call to bob's phone behind another proxy. What the phone says to that, if anything.
fn rejoined(answer: Option<&str>) -> Rc<MediaJoining> {
    let joining = joining(&Media::default());
    let phone: SocketAddr = "192.0.2.9:5060".parse().expect("an address");
    let hop = Hop::Address { transport: Transport::Udp, address: phone, server_name: None };
    let routes = format!("Route: {BEYOND}\r\nRecord-Route: {NEAR}\r\nRecord-Route: {TOKEN}\r\n");
    let start = "INVITE sip:bob@198.51.100.7 SIP/2.0";
    let invite = message(start, "sip:x@page.invalid;transport=ws", &routes, OF_PAGE);
    assert!(matches!(joining.outgoing(&hop, invite.as_bytes()), Onward::Instead(_)));
    if let Some(status) = answer {
        let flow =
            Flow { transport: Transport::Udp, connection: ConnectionId(0), local: phone, remote: phone };
        let body = if status.starts_with('2') { OF_PHONE } else { "" };
        let routes = format!("Record-Route: {NEAR}, {TOKEN}\r\n");
        let answer = message(&format!("SIP/2.0 {status}"), "sip:bob@198.51.100.8", &routes, body);
        let inward = joining.incoming(&flow, answer.as_bytes());
        assert!(body.is_empty() || matches!(inward, Inward::Instead(_)));
    }
    joining
}

fn hung_up(joining: &MediaJoining) -> Vec<(String, Vec<String>)> {
    joining.hang_up(&key(b"one", b"a", 0), &Reason::stopping());
    let byes = joining.take_requests();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let read = |bye: &Vec<u8>| {
        let bye = Message::parse(bye).expect("a BYE");
        (text(bye.request_uri()), bye.values(HeaderName::Route).map(text).collect())
    };
    byes.iter().map(read).collect()
}

#[test]
fn it_is_hung_up_by_us_along_the_routes_of_the_offer_that_joined_it() {
    on_loop(async {
        let owned = |routes: &[&str]| routes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let to_bob = ("sip:bob@198.51.100.8".to_owned(), owned(&[TOKEN, NEAR, BEYOND]));
        let to_alice = ("sip:x@page.invalid;transport=ws".to_owned(), owned(&[BEYOND, NEAR, TOKEN]));
        assert_eq!(hung_up(&rejoined(Some("200 OK"))), [to_bob, to_alice]);
    });
}

#[test]
fn before_the_answer_it_is_a_call_already() {
    on_loop(async {
        let byes = hung_up(&rejoined(None));
        assert_eq!(byes.iter().map(|(uri, _)| uri.as_str()).next(), Some("sip:bob@198.51.100.7"));
        assert_eq!(byes.len(), 2);
    });
}

#[test]
fn where_the_offer_is_refused_it_goes_on_without_us() {
    on_loop(async {
        let joining = rejoined(Some("488 Not Acceptable Here"));
        assert_eq!(hung_up(&joining), []);
        assert!(joining.is_idle());
    });
}
