//! Whatever comes in, on whichever port: an answer or a close, and the server serves on.

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};

use harness::{PATIENCE, Page, Server, text};
use websocket::Opcode;

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that the server says until it closes.
fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("not closed: {error}; said {}", text(&said)),
    }
    text(&said)
}

fn options(transport: &str, length: &str) -> String {
    format!(
        "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{transport}{length}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:x@example.org>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: {transport}{length}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[test]
fn noise_in_datagrams_is_dropped_and_a_broken_request_is_answered_400() {
    let server = Server::start();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let own = socket.local_addr().unwrap();
    let noise: [&[u8]; 6] = [b"", b"\0", b"\r\n\r\n", b"hello", &[0xff; 1400], b"SIP/2.0 200 OK\r\n\r\n"];
    for datagram in noise {
        socket.send_to(datagram, server.address("udp")).unwrap();
    }
    let broken =
        options("UDP", "0").replace("127.0.0.1:9", &own.to_string()).replace("CSeq: 1 OPTIONS\r\n", "");
    socket.send_to(broken.as_bytes(), server.address("udp")).unwrap();
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        let answer = text(&buffer[..length]);
        // The keep-alive has an answer of its own (RFC 5626 §3.5.1).
        if answer.trim().is_empty() {
            continue;
        }
        assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
        break;
    }
    server.serves();
}

#[test]
fn noise_in_a_stream_closes_it() {
    let server = Server::start();
    let mut stream = connect(server.address("tcp"));
    stream.write_all(b"this is no SIP at all\r\n\r\n\r\n").unwrap();
    until_closed(&mut stream);
    let mut stream = connect(server.address("tcp"));
    stream.write_all(options("TCP", "many").as_bytes()).unwrap();
    assert!(until_closed(&mut stream).starts_with("SIP/2.0 400 "));
    server.serves();
}

#[test]
fn a_message_that_announces_too_much_is_refused_before_it_is_read() {
    let server = Server::start();
    let mut stream = connect(server.address("tcp"));
    stream.write_all(options("TCP", "90000000").as_bytes()).unwrap();
    let said = until_closed(&mut stream);
    assert!(said.starts_with("SIP/2.0 513 ") || said.starts_with("SIP/2.0 400 "), "{said}");
    let mut stream = connect(server.address("tcp"));
    let endless = format!("OPTIONS sip:example.com SIP/2.0\r\nSubject: {}", "x".repeat(200_000));
    let _ = stream.write_all(endless.as_bytes());
    until_closed(&mut stream);
    server.serves();
}

#[test]
fn a_tls_port_closes_on_what_is_no_tls() {
    let server = Server::start();
    for key in ["tls", "https"] {
        let mut stream = connect(server.address(key));
        stream.write_all(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n").unwrap();
        until_closed(&mut stream);
    }
    server.serves();
}

#[test]
fn half_open_handshakes_are_closed_in_time() {
    let server = Server::start();
    let half = [
        ("tls", &b"\x16\x03\x01"[..]),
        ("https", b""),
        ("http", b"GET / HTTP/1.1\r\nHost: "),
        ("http", b"GET /sip HTTP/1.1\r\nUpgrade: websocket\r\n"),
    ];
    let mut streams: Vec<TcpStream> = half
        .iter()
        .map(|(key, bytes)| {
            let mut stream = connect(server.address(key));
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    server.serves();
    for stream in &mut streams {
        until_closed(stream);
    }
    server.serves();
}

#[test]
fn a_websocket_without_the_sip_protocol_is_refused() {
    let server = Server::start();
    let mut stream = connect(server.address("http"));
    let request = "GET /sip HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n";
    stream.write_all(format!("{request}Sec-WebSocket-Protocol: chat\r\n\r\n").as_bytes()).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert!(text(&head).starts_with("HTTP/1.1 4"), "{}", text(&head));
    server.serves();
}

#[test]
fn bad_messages_in_a_websocket_are_answered_or_close_it() {
    let server = Server::start();
    // Noise is dropped, or closes; what follows in a fresh connection is served.
    let mut page = Page::open(&server);
    page.send(b"this is no SIP at all");
    // Too much.
    let mut page = Page::open(&server);
    page.send_frame(Opcode::Binary, &vec![b'x'; 70_000]);
    match page.receive() {
        Some(Err(code)) => assert_eq!(code, 1009),
        Some(Ok(answer)) => assert_eq!(answer.status(), Some(513)),
        None => {}
    }
    // A request without CSeq.
    let mut page = Page::open(&server);
    page.send(options("WS", "0").replace("CSeq: 1 OPTIONS\r\n", "").as_bytes());
    assert_eq!(page.receive().unwrap().unwrap().status(), Some(400));
    // And the same connection goes on.
    page.send(options("WS", "0").as_bytes());
    assert!(page.receive().unwrap().unwrap().status().is_some());
    // Two messages in one (RFC 7118 §5): nobody knows what such a peer means next.
    let mut page = Page::open(&server);
    page.send(options("WS", "0").repeat(2).as_bytes());
    assert_eq!(page.receive().unwrap().unwrap().status(), Some(400));
    assert!(matches!(page.receive(), Some(Err(_)) | None), "the connection is closed");
    server.serves();
}

#[test]
fn a_flood_of_noise_does_not_become_a_flood_of_lines() {
    let server = Server::start();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..2000 {
        socket.send_to(format!("noise {number}\r\n\r\n").as_bytes(), server.address("udp")).unwrap();
    }
    server.serves();
    let lines = server.log().lines().count();
    assert!(lines < 200, "{lines} lines");
}
