//! A server of several event loops: whoever is on another loop than the one who calls is found, called, and told when
//! the server ends. The system decides which loop gets a connection or the datagrams of a phone, and the Call-ID which
//! one handles a call, so there are always so many that every pair of loops has its turn.

mod harness;

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use harness::{PASSWORD, Page, Phone, Server, answer, text};
use sip::digest::Side;
use sip::{HeaderName, Message};

/// Ports and calls, so that it is not to be expected that one of three loops has none of them.
const MANY: usize = 12;

/// A page of a user who has signed in.
struct Subscriber {
    page: Page,
    user: &'static str,
    number: usize,
}

impl Subscriber {
    fn sign_in(server: &Server, user: &'static str, number: usize) -> Self {
        let mut own = Self { page: Page::open(server), user, number };
        own.page.send(own.request("REGISTER", "sip:example.com", 1, "Expires: 600\r\n", "").as_bytes());
        let challenge = own.receive();
        let side = (Side::User, HeaderName::WwwAuthenticate);
        let credentials = answer(&challenge, side, user, PASSWORD, "REGISTER", "sip:example.com");
        let more = format!("Expires: 600\r\n{credentials}");
        own.page.send(own.request("REGISTER", "sip:example.com", 2, &more, "").as_bytes());
        assert_eq!(own.receive().status(), Some(200));
        own
    }

    fn contact(&self) -> String {
        format!(
            "<sip:{}@page{}.invalid;transport=ws>;+sip.instance=\"<urn:uuid:{}>\"",
            self.user, self.number, self.number
        )
    }

    fn request(&self, method: &str, uri: &str, number: u32, more: &str, body: &str) -> String {
        let Self { user, number: page, .. } = self;
        let to = if method == "REGISTER" { format!("sip:{user}@example.com") } else { uri.to_owned() };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS page{page}.invalid;branch=z9hG4bK{method}{page}{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@example.com>;tag=p{page}\r\nTo: <{to}>\r\nCall-ID: {page}-{method}-{user}\r\n\
             CSeq: {number} {method}\r\nContact: {}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            self.contact(),
            body.len()
        )
    }

    fn receive(&mut self) -> Message {
        self.page.receive().expect("the server closed").expect("the server sent Close")
    }

    fn respond(&mut self, request: &Message, status: u16) {
        let mut response = format!("SIP/2.0 {status} {}\r\n", sip::reason_phrase(status));
        for name in
            [HeaderName::Via, HeaderName::RecordRoute, HeaderName::From, HeaderName::CallId, HeaderName::CSeq]
        {
            for value in request.headers(name) {
                response.push_str(&format!("{}: {}\r\n", name.as_str(), text(value)));
            }
        }
        let to = text(request.header(HeaderName::To).unwrap());
        let tag = if to.contains("tag=") { String::new() } else { format!(";tag=to{}", self.number) };
        response
            .push_str(&format!("To: {to}{tag}\r\nContact: {}\r\nContent-Length: 0\r\n\r\n", self.contact()));
        self.page.send(response.as_bytes());
    }
}

fn method(message: &Message) -> String {
    text(message.method().expect("a request").as_bytes())
}

/// Calls with a password, to the INVITE that carries it.
fn invite(phone: &Phone, number: u32) {
    let uri = "sip:bob@example.com";
    phone.send(&phone.request("INVITE", uri, number, ""));
    let challenge = phone.receive();
    assert_eq!(challenge.status(), Some(407), "{}", text(challenge.as_bytes()));
    let side = (Side::Proxy, HeaderName::ProxyAuthenticate);
    let credentials = answer(&challenge, side, &phone.user, PASSWORD, "INVITE", uri);
    phone.send(&phone.request("INVITE", uri, number + 1, &credentials));
}

#[test]
fn phones_and_a_phone_call_each_other_whatever_loops_they_are_on() {
    let server = Server::start_with_loops(3, "");
    let bob = Phone::new(&server, "bob");
    bob.register();
    for _ in 0..MANY {
        // A port of its own, and with it perhaps another loop; a Call-ID of its own, and perhaps a third one.
        let alice = Phone::new(&server, "alice");
        invite(&alice, 1);
        let request = bob.receive();
        assert_eq!(method(&request), "INVITE");
        // Back to back: the order is kept.
        bob.respond(&request, 180, "");
        bob.respond(&request, 200, "");
        assert_eq!(alice.receive().status(), Some(180));
        let ok = alice.receive();
        assert_eq!(ok.status(), Some(200));
        alice.send(&alice.within(&ok, "ACK", 2));
        alice.send(&alice.within(&ok, "BYE", 3));
        assert_eq!(method(&bob.receive()), "ACK");
        let bye = bob.receive();
        assert_eq!(method(&bye), "BYE");
        bob.respond(&bye, 200, "");
        assert_eq!(alice.receive().status(), Some(200));
    }
}

#[test]
fn pages_and_phones_call_each_other_whatever_loops_they_are_on() {
    let server = Server::start_with_loops(3, "");
    let mut bob = Subscriber::sign_in(&server, "bob", 100);
    for _ in 0..MANY {
        let alice = Phone::new(&server, "alice");
        invite(&alice, 1);
        let request = bob.receive();
        assert_eq!(method(&request), "INVITE");
        bob.respond(&request, 180);
        bob.respond(&request, 200);
        assert_eq!(alice.receive().status(), Some(180));
        let ok = alice.receive();
        assert_eq!(ok.status(), Some(200));
        alice.send(&alice.within(&ok, "ACK", 2));
        alice.send(&alice.within(&ok, "BYE", 3));
        assert_eq!(method(&bob.receive()), "ACK");
        let bye = bob.receive();
        assert_eq!(method(&bye), "BYE");
        bob.respond(&bye, 200);
        assert_eq!(alice.receive().status(), Some(200));
    }
}

#[test]
fn a_page_is_asked_for_its_password_once_whatever_loop_its_calls_are_on() {
    let server = Server::start_with_loops(3, "");
    let mut bob = Subscriber::sign_in(&server, "bob", 100);
    let mut pages: Vec<Subscriber> =
        (0..MANY).map(|number| Subscriber::sign_in(&server, "alice", number)).collect();
    for alice in &mut pages {
        alice.page.send(alice.request("INVITE", "sip:bob@example.com", 1, "", "").as_bytes());
        let request = bob.receive();
        assert_eq!(method(&request), "INVITE");
        bob.respond(&request, 486);
        assert_eq!(alice.receive().status(), Some(486));
        assert_eq!(method(&bob.receive()), "ACK");
    }
}

#[test]
fn a_page_and_a_phone_hear_of_each_others_media_whatever_loops_they_are_on() {
    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n\
         c=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 \
         00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
         a=setup:actpass\r\na=rtcp-mux\r\na=sendrecv\r\na=rtpmap:0 PCMU/8000\r\n";
    let server = Server::start_with_loops(3, "");
    let bob = Phone::new(&server, "bob");
    bob.register();
    for number in 0..MANY {
        let mut alice = Subscriber::sign_in(&server, "alice", number);
        let more = "Content-Type: application/sdp\r\n";
        alice.page.send(alice.request("INVITE", "sip:bob@example.com", 1, more, OFFER).as_bytes());
        let request = bob.receive();
        let offer = text(request.body());
        assert!(offer.contains("RTP/AVP 0") && !offer.contains("fingerprint"), "{offer}");
        bob.respond(&request, 486, "");
        assert_eq!(alice.receive().status(), Some(486));
        assert_eq!(method(&bob.receive()), "ACK");
    }
}

#[test]
fn registrations_are_back_after_a_kill_also_with_another_number_of_loops() {
    let mut server = Server::start_with_loops(3, "");
    let bob = Phone::new(&server, "bob");
    bob.register();
    Phone::new(&server, "alice").register();
    let file = server.folder.join("sipweb.toml");
    let configuration = fs::read_to_string(&file).unwrap();
    fs::write(&file, configuration.replace("loops = 3", "loops = 2")).unwrap();
    server.restart_after_kill();
    server.logs("2 users' registrations are back");
    for _ in 0..MANY {
        let alice = Phone::new(&server, "alice");
        invite(&alice, 1);
        let request = bob.receive();
        bob.respond(&request, 486, "");
        assert_eq!(alice.receive().status(), Some(486));
        assert_eq!(method(&bob.receive()), "ACK");
    }
}

#[test]
fn a_page_that_is_gone_is_gone_for_every_loop() {
    let server = Server::start_with_loops(3, "");
    for number in 0..MANY {
        drop(Subscriber::sign_in(&server, "bob", number));
    }
    // The connection of the last one may be closed a moment later than the phone calls: then 480 comes all the same,
    // since nothing is delivered there.
    for _ in 0..MANY {
        let alice = Phone::new(&server, "alice");
        invite(&alice, 1);
        assert_eq!(alice.receive().status(), Some(480));
    }
}

#[test]
fn the_pages_of_all_loops_are_told_that_the_server_stops() {
    let mut server = Server::start_with_loops(3, "");
    let mut pages: Vec<Page> = (0..MANY).map(|_| Page::open(&server)).collect();
    server.signal("TERM");
    for page in &mut pages {
        assert_eq!(page.receive().map(|received| received.err()), Some(Some(1001)));
    }
    drop(pages);
    assert_eq!(server.ended().code(), Some(0));
    assert!(server.log().contains("stopped"), "{}", server.log());
}

#[test]
fn sighup_reaches_every_loop() {
    let server = Server::start_with_loops(3, "[authentication]\nrealm = \"before\"");
    let realm = |phone: &Phone, number| {
        phone.send(&phone.request("INVITE", "sip:bob@example.com", number, ""));
        let challenge = phone.receive();
        assert_eq!(challenge.status(), Some(407));
        text(challenge.header(HeaderName::ProxyAuthenticate).unwrap())
    };
    // A Call-ID each, and so some for each loop.
    let phones: Vec<Phone> = (0..MANY).map(|_| Phone::new(&server, "alice")).collect();
    assert!(phones.iter().all(|phone| realm(phone, 1).contains("realm=\"before\"")));
    let file = server.folder.join("sipweb.toml");
    let configuration = fs::read_to_string(&file).unwrap();
    let changed = configuration.replace("\"before\"", "\"after\"").replace("loops = 3", "loops = 2");
    fs::write(&file, changed).unwrap();
    server.signal("HUP");
    server.logs("changes of loops count from the next start on");
    server.logs("the configuration was read again");
    // One loop logs it, and the others have their letter then, if perhaps not opened.
    for phone in &phones {
        let mut numbers = 2..1000;
        assert!(numbers.any(|number| realm(phone, number).contains("realm=\"after\"")));
    }
}

#[test]
fn a_stranger_is_counted_whatever_loops_his_tries_are_on() {
    let server = Server::start_with_loops(3, "");
    let socket = UdpSocket::bind(("127.0.0.2", 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let own = socket.local_addr().unwrap();
    let mut tries = (0..30).map(|number| {
        let request = format!(
            "OPTIONS sip:zz-{number}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:scanner@elsewhere.example>;tag=1\r\nTo: <sip:zz-{number}@example.com>\r\n\
             Call-ID: {number}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:scanner@{own}>\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(request.as_bytes(), server.address("udp")).unwrap();
        socket.recv(&mut [0; 4096]).is_ok()
    });
    assert_eq!(tries.position(|answered| !answered), Some(20));
    server.logs("strangers at 127.0.0.2 are not heard for 600 s: they call users who are not there");
    assert!(!tries.any(|answered| answered), "no loop answers");
}

#[test]
fn a_port_of_a_server_with_several_loops_is_not_shared_with_a_second_server() {
    let server = Server::start_with_loops(2, "");
    let folder = tempfile::tempdir().unwrap();
    for key in ["udp", "tcp", "http"] {
        let configuration =
            format!("data = \"data\"\nloops = 2\n[listen]\n{key} = \"{}\"\n", server.address(key));
        fs::write(folder.path().join("sipweb.toml"), configuration).unwrap();
        let file = folder.path().join("sipweb.toml").display().to_string();
        let output = harness::sipweb(&["serve", "--config", &file], "");
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("is in use by"), "{}", text(&output.stderr));
    }
    server.serves();
}
