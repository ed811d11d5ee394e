//! The end of a server, as its clients see it.

mod harness;

use std::io::Read;
use std::net::TcpStream;

use harness::{PATIENCE, Page, Server};

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
