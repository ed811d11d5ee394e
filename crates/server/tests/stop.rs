//! The end of a server, as its clients see it.

mod harness;

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::time::Instant;

use harness::{PASSWORD, PATIENCE, Page, Phone, Server, text};
use sip::HeaderName;

#[test]
fn sigterm_tells_every_websocket_and_ends_well() {
    let mut server = Server::start();
    let mut pages = [Page::open(&server), Page::open(&server)];
    server.signal("TERM");
    for page in &mut pages {
        assert_eq!(page.receive().map(|received| received.err()), Some(Some(1001)));
    }
    drop(pages);
    assert_eq!(server.ended().code(), Some(0));
    let log = server.log();
    assert!(log.contains("stopping") && log.contains("stopped"), "{log}");
}

#[test]
fn ctrl_c_does_the_same_and_phones_on_streams_are_closed() {
    let mut server = Server::start();
    let mut phone = TcpStream::connect(server.address("tcp")).unwrap();
    phone.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server has taken the connection when it has answered on it.
    std::io::Write::write_all(&mut phone, b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    phone.read_exact(&mut pong).unwrap();
    server.signal("INT");
    let mut rest = Vec::new();
    let _ = phone.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_second_signal_does_not_wait_for_a_page_that_does_not_listen() {
    let mut server = Server::start();
    let _deaf = Page::open(&server);
    server.signal("TERM");
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn sighup_reads_the_certificate_again_and_keeps_the_old_one_if_the_new_one_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("a.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("a.key"), made.signing_key.serialize_pem()).unwrap();
    };
    certificate();
    let any = "\"127.0.0.1:0\"";
    let listen = format!("[listen]\nudp = {any}\nhttp = {any}\ntls = {any}");
    let configuration =
        format!("domain = \"example.com\"\n{listen}\n[tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n");
    fs::write(folder.path().join("sipweb.toml"), configuration).unwrap();
    let server = Server::start_in(folder.path());

    fs::write(folder.path().join("a.pem"), "nonsense").unwrap();
    server.signal("HUP");
    server.logs("the certificates stay as they were");
    server.serves();

    certificate();
    server.signal("HUP");
    server.logs("the certificate files were read again");
    server.serves();
}

#[test]
fn a_configuration_that_was_emptied_changes_nothing() {
    let server = Server::start();
    Phone::new(&server, "alice").register();
    fs::write(server.folder.join("sipweb.toml"), "").unwrap();
    server.signal("HUP");
    server.logs("stay as they were");
    // Its domain is still example.com.
    Phone::new(&server, "bob").register();
}

#[test]
fn sighup_reads_the_configuration_again_and_keeps_the_old_one_if_the_new_one_is_wrong() {
    let server = Server::start();
    let file = server.folder.join("sipweb.toml");
    let before = fs::read_to_string(&file).unwrap();
    Phone::new(&server, "alice").register();

    fs::write(&file, format!("{before}\n[registrar]\nminimum_expires = 5\n")).unwrap();
    server.signal("HUP");
    server.logs("5 needs its unit");
    server.logs("the configuration and the certificates stay as they were");

    fs::write(&file, format!("{before}\n[registrar]\nmaximum_expires = \"11m\"\n[media]\ngateway = false\n"))
        .unwrap();
    server.signal("HUP");
    server.logs("changes of media count from the next start on");
    server.logs("the configuration was read again");
    let phone = Phone::new(&server, "bob");
    let response = phone.authenticated("REGISTER", "sip:example.com", "Expires: 3600\r\n", PASSWORD);
    let contact = text(response.header(HeaderName::Contact).unwrap());
    assert!(contact.contains(";expires=660"), "{contact}");
    server.serves();
}

#[test]
fn a_change_that_waits_for_the_next_start_is_told_with_each_sighup_until_it_is_taken_back() {
    let server = Server::start();
    let file = server.folder.join("sipweb.toml");
    let before = fs::read_to_string(&file).unwrap();
    let changed = format!("{before}\n[media]\ngateway = false\n");
    for (number, (text, told)) in [(&changed, 1), (&changed, 2), (&before, 2)].into_iter().enumerate() {
        let counts = |sentence: &str| server.log().matches(sentence).count();
        fs::write(&file, text).unwrap();
        server.signal("HUP");
        let start = Instant::now();
        while counts("the configuration was read again") == number {
            assert!(start.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
        assert_eq!(counts("count from the next start on"), told, "{}", server.log());
    }
}

#[test]
fn a_request_in_progress_is_answered_before_the_end() {
    let mut server = Server::start();
    let (alice, bob) = (Phone::new(&server, "alice"), Phone::new(&server, "bob"));
    alice.register();
    bob.register();
    alice.send(&alice.request("MESSAGE", "sip:bob@example.com", 1, ""));
    let challenge = alice.receive();
    let side = (sip::digest::Side::Proxy, HeaderName::ProxyAuthenticate);
    let answer = harness::answer(&challenge, side, "alice", PASSWORD, "MESSAGE", "sip:bob@example.com");
    alice.send(&alice.request("MESSAGE", "sip:bob@example.com", 2, &answer));
    let message = bob.receive();
    server.signal("TERM");
    server.logs("stopping");
    bob.respond(&message, 200, "");
    assert_eq!(alice.receive().status(), Some(200));
    assert_eq!(server.ended().code(), Some(0));
}
