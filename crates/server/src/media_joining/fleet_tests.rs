use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sip::{ConnectionId, Flow, Hop, Transport};
use tokio::net::UdpSocket;

use crate::configuration::{Media, MediaNode};
use crate::media_joining::test_support::{OF_PAGE, OF_PHONE, joining, on_loop};
use crate::media_joining::{Inward, MediaJoining, Onward};

const HOUR: Duration = Duration::from_secs(3600);

/// A node that takes everything, and the server that asks it.
struct Fleet {
    node: UdpSocket,
    joining: Rc<MediaJoining>,
    released: Rc<RefCell<usize>>,
    /// What the node says when it is asked about a call.
    knows: RefCell<String>,
}

impl Fleet {
    async fn start() -> Self {
        let node = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let port = node.local_addr().expect("bound").port();
        let media = Media {
            rtpengine: vec![MediaNode { host: "127.0.0.1".to_owned(), port, weight: 1 }],
            ..Media::default()
        };
        let joining = joining(&media);
        // What cannot be sent at once is sent again.
        tokio::task::spawn_local(Rc::clone(&joining).keep_time());
        let released = Rc::new(RefCell::new(0));
        let count = Rc::clone(&released);
        joining.release_to(Rc::new(move |_| *count.borrow_mut() += 1));
        Self { node, joining, released, knows: RefCell::default() }
    }

    /// The next question that is no ping, answered.
    async fn asked(&self) -> String {
        tokio::time::timeout(Duration::from_secs(20), self.next_question()).await.expect("a question")
    }

    async fn next_question(&self) -> String {
        loop {
            let mut datagram = [0; 4096];
            let (length, from) = self.node.recv_from(&mut datagram).await.expect("read");
            let question = String::from_utf8_lossy(&datagram[..length]).into_owned();
            let cookie = question.split(' ').next().expect("a cookie");
            let is_ping = question.contains("4:ping");
            let said = match () {
                () if is_ping => "d6:result4:ponge".to_owned(),
                () if question.contains("5:query") => self.knows.borrow().clone(),
                () => "d3:sdp5:v=0\r\n6:result2:oke".to_owned(),
            };
            if !said.is_empty() {
                self.node.send_to(format!("{cookie} {said}").as_bytes(), from).await.expect("sent");
            }
            if !is_ping {
                return question;
            }
        }
    }

    /// Until so many messages that waited have gone on.
    async fn released(&self, count: usize) {
        while *self.released.borrow() < count {
            tokio::task::yield_now().await;
        }
    }

    /// It is so many hours later.
    fn later(&self, hours: u32) {
        self.joining.sweep(self.joining.clock.now() + HOUR * hours);
    }

    /// Whether the call is still one of the node's: then it is asked for what is offered in it.
    async fn goes_on(&self) -> bool {
        self.leaves("INVITE", ";tag=b", 9, OF_PAGE);
        self.asked().await.contains("5:offer")
    }

    /// A request of the page leaves for the phone, over TLS.
    fn leaves(&self, method: &str, to: &str, number: u32, body: &str) {
        let request = format!("{method} sip:bob@192.0.2.9 SIP/2.0\r\n{}", text(method, to, number, body));
        let address = "192.0.2.9:5061".parse().expect("an address");
        let hop = Hop::Address { transport: Transport::Tls, address, server_name: None };
        assert!(matches!(self.joining.outgoing(&hop, request.as_bytes()), Onward::Nowhere), "it waits");
    }

    /// The phone responds.
    fn arrives(&self, status: &str, number: u32, body: &str) -> Inward {
        let response = format!("SIP/2.0 {status}\r\n{}", text("INVITE", ";tag=b", number, body));
        let (local, remote) = ("192.0.2.1:5061".parse(), "192.0.2.9:5061".parse());
        let flow = Flow {
            transport: Transport::Tls,
            connection: ConnectionId(1),
            local: local.expect("an address"),
            remote: remote.expect("an address"),
        };
        self.joining.incoming(&flow, response.as_bytes())
    }
}

fn text(method: &str, to: &str, number: u32, body: &str) -> String {
    format!(
        "Via: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK{number}\r\n\
         Via: SIP/2.0/WSS x.invalid;branch=z9hG4bKpage{number};received=127.0.0.1\r\nFrom: <sip:a@example.com>;tag=a\r\n\
         To: <sip:b@example.com>{to}\r\nCall-ID: one\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
         Contact: <sip:z@192.0.2.9>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A page has called a phone that has taken SRTP.
async fn called() -> Fleet {
    let fleet = Fleet::start().await;
    fleet.leaves("INVITE", "", 1, OF_PAGE);
    let offer = fleet.asked().await;
    assert!(offer.contains("8:RTP/SAVP"), "{offer}");
    fleet.released(1).await;
    let answer = OF_PHONE.replace("RTP/AVP", "RTP/SAVP");
    assert!(matches!(fleet.arrives("200 OK", 1, &answer), Inward::Later));
    assert!(fleet.asked().await.contains("6:answer"));
    fleet.released(2).await;
    fleet
}

#[test]
fn a_phone_that_has_taken_srtp_is_offered_srtp_in_its_dialog_too() {
    on_loop(async {
        let fleet = called().await;
        fleet.leaves("INVITE", ";tag=b", 2, OF_PAGE);
        let offer = fleet.asked().await;
        assert!(offer.contains("8:RTP/SAVP"), "{offer}");
    });
}

#[test]
fn what_was_agreed_is_told_to_the_node_again_when_a_later_offer_is_refused() {
    on_loop(async {
        let fleet = called().await;
        fleet.leaves("INVITE", ";tag=b", 2, &OF_PAGE.replace("s=-", "s=refused"));
        assert!(fleet.asked().await.contains("s=refused"));
        fleet.released(3).await;
        assert!(matches!(fleet.arrives("488 Not Acceptable Here", 2, ""), Inward::AsItIs));
        let (offer, answer) = (fleet.asked().await, fleet.asked().await);
        assert!(
            offer.contains("5:offer") && offer.contains("s=-") && offer.contains("6:to-tag1:b"),
            "{offer}"
        );
        assert!(answer.contains("6:answer") && answer.contains("m=audio 4000"), "{answer}");
    });
}

/// What a node says that has relayed so many packets of the page.
fn relayed(packets: u32) -> String {
    let stats = format!("d5:statsd7:packetsi{packets}eee");
    format!("d6:result2:ok4:tagsd1:ad6:mediasld7:streamsl{stats}eeeeee")
}

#[test]
fn a_call_that_nobody_ends_is_hung_up_when_no_packet_has_passed_for_an_hour() {
    on_loop(async {
        let fleet = called().await;
        fleet.later(0);
        for (hour, packets) in [(1, 100), (2, 200), (3, 200)] {
            fleet.knows.replace(relayed(packets));
            fleet.later(hour);
            let question = fleet.asked().await;
            assert!(question.contains("5:query") && question.contains("7:call-id3:one"), "{question}");
        }
        let question = fleet.asked().await;
        assert!(question.contains("6:delete"), "{question}");
        let byes = fleet.joining.take_requests();
        assert_eq!(byes.len(), 2, "one to either side");
        assert!(byes.iter().all(|bye| String::from_utf8_lossy(bye).contains("MEDIA-PARTIES-GONE")));
    });
}

#[test]
fn a_call_whose_packets_pass_goes_on_for_days() {
    on_loop(async {
        let fleet = called().await;
        fleet.later(0);
        for hour in 1..50 {
            fleet.knows.replace(relayed(100 * hour));
            fleet.later(hour);
            assert!(fleet.asked().await.contains("5:query"));
        }
        assert!(fleet.goes_on().await);
    });
}

#[test]
fn a_call_that_its_node_does_not_know_any_more_is_hung_up() {
    on_loop(async {
        let fleet = called().await;
        fleet.later(0);
        fleet.knows.replace("d12:error-reason15:Unknown call-id6:result5:errore".to_owned());
        fleet.later(1);
        assert!(fleet.asked().await.contains("5:query"));
        let question = fleet.asked().await;
        assert!(question.contains("6:delete"), "{question}");
        assert_eq!(fleet.joining.take_requests().len(), 2);
    });
}

#[test]
fn a_node_that_is_away_has_a_day_to_come_back() {
    on_loop(async {
        let fleet = called().await;
        fleet.later(0);
        for hour in 1..=24 {
            assert!(fleet.joining.take_requests().is_empty(), "after {hour} hours");
            let asked = fleet.joining.clock.now() + HOUR * hour;
            fleet.joining.sweep(asked);
            for seconds in 1..6 {
                fleet.joining.joiner.timeout(&fleet.joining, asked + Duration::from_secs(seconds));
            }
        }
        assert_eq!(fleet.joining.take_requests().len(), 2);
    });
}

#[test]
fn a_call_that_rings_is_left_to_its_caller() {
    on_loop(async {
        let fleet = Fleet::start().await;
        fleet.leaves("INVITE", "", 1, OF_PAGE);
        fleet.asked().await;
        fleet.released(1).await;
        fleet.later(0);
        fleet.later(1);
        assert!(matches!(fleet.arrives("200 OK", 1, OF_PHONE), Inward::Later));
        assert!(fleet.asked().await.contains("6:answer"));
    });
}
