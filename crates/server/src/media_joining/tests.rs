//! The ports for phones, where other programs have some of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use sip::{Hop, Message, Transport};

use super::test_support::{self, OF_PAGE, on_loop};
use super::{Anchor, MediaJoining, Onward};
use crate::configuration::Media;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server for this machine with these ports for phones.
fn joining(ports: RangeInclusive<u16>) -> std::rc::Rc<MediaJoining> {
    test_support::joining(&Media { ports, ..Media::default() })
}

/// The port that a phone is told when a browser's INVITE leaves for it, or `None` when it is refused.
fn port_told(joining: &MediaJoining, call: &str) -> Option<u16> {
    told(joining, call, OF_PAGE)
}

fn told(joining: &MediaJoining, call: &str, offer: &str) -> Option<u16> {
    let invite = format!(
        "INVITE sip:bob@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{call}\r\n\
         Via: SIP/2.0/WS x.invalid;branch=z9hG4bKpage;received=127.0.0.1\r\nFrom: <sip:a@example.com>;tag=a\r\n\
         To: <sip:b@example.com>\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{offer}",
        offer.len()
    );
    let hop = Hop::Address {
        transport: Transport::Udp,
        address: SocketAddr::from(([192, 0, 2, 9], 5060)),
        server_name: None,
    };
    let Onward::Instead(bytes) = joining.outgoing(&hop, invite.as_bytes()) else { return None };
    let sent = Message::parse(&bytes).expect("an INVITE");
    let body = std::str::from_utf8(sent.body()).expect("text").to_owned();
    body.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())
}

/// An even port and the seven after it, all free. Tests that run at a time look in different places.
fn eight_free_ports(from: u16) -> u16 {
    (from..from + 8000)
        .step_by(8)
        .find(|first| {
            let all: Vec<_> = (*first..*first + 8).map(|port| UdpSocket::bind((LOCALHOST, port))).collect();
            all.iter().all(Result::is_ok)
        })
        .expect("eight free ports")
}

#[test]
fn a_port_that_another_program_has_is_passed_over() {
    on_loop(async {
        let first = eight_free_ports(20_000);
        // Of the four pairs one is whole.
        let _others: Vec<UdpSocket> = [first, first + 3, first + 6]
            .map(|port| UdpSocket::bind((LOCALHOST, port)).expect("free"))
            .into();
        let joining = joining(first..=first + 7);
        assert_eq!(port_told(&joining, "one"), Some(first + 4));
        assert_eq!(port_told(&joining, "two"), None, "nothing is left, and that is said");
    });
}

#[test]
fn ports_that_were_passed_over_are_not_lost() {
    on_loop(async {
        let first = eight_free_ports(12_000);
        let joining = joining(first..=first + 7);
        let taken: Vec<UdpSocket> =
            (first..first + 8).filter_map(|port| UdpSocket::bind((LOCALHOST, port)).ok()).collect();
        assert_eq!(port_told(&joining, "one"), None);
        drop(taken);
        let told: Vec<_> = ["two", "three", "four", "five"].map(|call| port_told(&joining, call)).into();
        assert!(told.iter().all(Option::is_some), "{told:?}");
        assert_eq!(port_told(&joining, "six"), None, "there are four pairs");
    });
}

#[test]
fn an_anchored_call_passes_over_ports_of_others_too_and_an_unanchored_one_is_left_alone() {
    on_loop(async {
        const PHONE: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
                             m=audio 4000 RTP/AVP 0\r\n";
        let first = eight_free_ports(28_000);
        // Of the four pairs three are whole, and a call takes two.
        let _other = UdpSocket::bind((LOCALHOST, first)).expect("free");
        let media = |anchor| Media { ports: first..=first + 7, anchor, ..Media::default() };
        assert_eq!(
            told(&test_support::joining(&media(Anchor::Never)), "one", PHONE),
            None,
            "it leaves as it is"
        );
        let joining = test_support::joining(&media(Anchor::Phones));
        let port = told(&joining, "two", PHONE).expect("a port");
        assert!([first + 2, first + 4, first + 6].contains(&port));
        assert_eq!(told(&joining, "three", PHONE), None, "nothing is left, and that is said");
    });
}
