//! STUN and TURN servers that pages are told, at the real binary.

mod harness;

use harness::{PASSWORD, Page, Phone, Server, answer, text};
use sip::digest::Side;
use sip::{HeaderName, Message};

const ICE: &str =
    "[ice]\nice_servers = [\"stun:stun.example.com\", \"turn:turn.example.com\"]\nturn_secret = \"secret\"\n";

/// What alice's page is told when she registers.
fn told(server: &Server, tab: &str) -> Vec<String> {
    let mut page = Page::open(server);
    page.send(register(tab, 1, "").as_bytes());
    let challenge = page.receive().unwrap().unwrap();
    assert_eq!(
        (challenge.status(), servers_in(&challenge)),
        (Some(401), Vec::new()),
        "who has not signed in yet"
    );
    let side = (Side::User, HeaderName::WwwAuthenticate);
    let credentials = answer(&challenge, side, "alice", PASSWORD, "REGISTER", "sip:example.com");
    page.send(register(tab, 2, &credentials).as_bytes());
    let granted = page.receive().unwrap().unwrap();
    assert_eq!(granted.status(), Some(200));
    servers_in(&granted)
}

fn register(tab: &str, number: u32, more: &str) -> String {
    format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/WS alice.invalid;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=a\r\nTo: <sip:alice@example.com>\r\nCall-ID: {tab}\r\n\
         CSeq: {number} REGISTER\r\nContact: <sip:alice@alice.invalid;transport=ws>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

fn servers_in(answer: &Message) -> Vec<String> {
    let fields = answer.fields().filter(|field| field.text == b"Ice-Server");
    fields.map(|field| text(field.value)).collect()
}

#[test]
fn a_page_learns_turn_servers_when_it_has_signed_in_and_a_phone_does_not() {
    let server = Server::start_beside(&[("secret", "north\n")], ICE);
    let servers = told(&server, "one");
    assert_eq!(servers[0], "<stun:stun.example.com>");
    assert!(servers[1].starts_with("<turn:turn.example.com>;username=\""), "{}", servers[1]);
    assert!(servers[1].contains(":alice@example.com\";credential=\""), "{}", servers[1]);

    let phone = Phone::new(&server, "bob");
    let answer = phone.authenticated("REGISTER", "sip:example.com", "", PASSWORD);
    assert_eq!((answer.status(), servers_in(&answer)), (Some(200), Vec::new()));
}

#[test]
fn sighup_changes_the_servers() {
    let server = Server::start_beside(&[("secret", "north\n")], ICE);
    assert_eq!(told(&server, "one").len(), 2);
    let file = server.folder.join("sipweb.toml");
    let configuration = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, configuration.replace(ICE, "[ice]\nice_servers = \"stun:other.example.com\"\n"))
        .unwrap();
    server.signal("HUP");
    server.logs("the configuration was read again");
    assert_eq!(told(&server, "another"), ["<stun:other.example.com>"]);
}
