//! Where messages begin and end on a stream.

use sip::{Framed, Framer, HeaderName, KeepAlive, frame, keep_alive};

const OPTIONS: &str = "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n";

fn with(headers: &str) -> Vec<u8> {
    [OPTIONS, headers, "\r\n"].concat().into_bytes()
}

fn broken(bytes: &[u8]) -> &'static str {
    match frame(bytes) {
        Framed::Broken(fault) => {
            assert_eq!(fault.status, Some(400));
            fault.reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_ends_where_its_length_says() {
    for header in ["Content-Length: 4\r\n", "l:4\r\n", "CONTENT-LENGTH  :\r\n  0004 \r\n", "L: 4\r\nl: 4\r\n"]
    {
        let mut bytes = with(header);
        let headers = bytes.len();
        assert_eq!(frame(&bytes), Framed::Incomplete, "{header}");
        bytes.extend_from_slice(b"bodyNEXT");
        assert_eq!(frame(&bytes), Framed::Message(headers + 4), "{header}");
    }
}

#[test]
fn a_message_may_come_octet_by_octet() {
    let mut bytes = with("Content-Length:\r\n 2\r\n");
    bytes.extend_from_slice(b"ab");
    let mut framer = Framer::default();
    for end in 0..bytes.len() {
        assert_eq!(framer.next(&bytes[..end]), Framed::Incomplete, "after {end}");
    }
    assert_eq!(framer.next(&bytes), Framed::Message(bytes.len()));
}

#[test]
fn a_stream_that_cannot_be_followed_is_broken() {
    assert_eq!(broken(&with("")), "a stream needs Content-Length");
    assert_eq!(broken(&with("Content-Length: -1\r\n")), "the length is no number");
    assert_eq!(broken(&with("Content-Length: 1 2\r\n")), "the length is no number");
    assert_eq!(broken(&with("Content-Length:\r\n")), "the length is no number");
    assert_eq!(broken(&with("Content-Length: 1\r\nl: 2\r\n")), "two lengths contradict each other");
    assert_eq!(broken(&with("Content-Length: 65537\r\n")), "the message is larger than 64 KiB");
    assert_eq!(broken(&with("Content-Length: 65500\r\n")), "the message is larger than 64 KiB");
    let huge = "Content-Length: 99999999999999999999999999\r\n";
    assert_eq!(broken(&with(huge)), "the length is no number");
    assert_eq!(broken(&with("X: a\nContent-Length: 0\r\n")), "a line does not end with CRLF");
    assert!(broken(b"GET / HTTP/1.1\r\n").contains("first line"));
    assert!(broken(b"\x16\x03\x01\x02\x00\x01\n").contains("line"));
}

#[test]
fn headers_without_an_end_are_cut_off_at_their_limit() {
    let mut bytes = OPTIONS.as_bytes().to_vec();
    bytes.extend_from_slice(b"X: ");
    let mut framer = Framer::default();
    assert_eq!(framer.next(&bytes), Framed::Incomplete);
    bytes.resize(sip::framing::HEADER_BLOCK_LIMIT, b'x');
    assert!(matches!(framer.next(&bytes), Framed::Broken(_)));
    bytes.extend_from_slice(b"\r\nl: 0\r\n\r\n");
    assert!(matches!(frame(&bytes), Framed::Broken(_)));
}

#[test]
fn keep_alives_in_every_variant() {
    assert_eq!(frame(b""), Framed::Incomplete);
    assert_eq!(frame(b"\r"), Framed::Incomplete);
    assert_eq!(frame(b"\r\n"), Framed::Pong(2));
    assert_eq!(frame(b"\n"), Framed::Pong(1));
    assert_eq!(frame(b"\rOPTIONS"), Framed::Pong(1));
    assert_eq!(frame(b"\r\n\r\n"), Framed::KeepAlive(4));
    assert_eq!(frame(b"\r\n\r\nOPTIONS"), Framed::KeepAlive(4));
    assert_eq!(frame(b"\r\nOPTIONS"), Framed::Pong(2));
    assert_eq!(keep_alive(b"\r\n\r\n"), Some(KeepAlive::Ping));
    assert_eq!(keep_alive(b"\r\n"), Some(KeepAlive::Pong));
    assert_eq!(keep_alive(b"\0\0\0\0"), Some(KeepAlive::Silent));
    assert_eq!(keep_alive(b""), Some(KeepAlive::Silent));
    assert_eq!(keep_alive(b"jaK"), Some(KeepAlive::Silent));
    assert_eq!(keep_alive(b"\r\nOPTIONS"), None);
}

#[test]
fn a_ping_in_two_pieces_is_a_ping() {
    let mut framer = Framer::default();
    assert_eq!(framer.next(b"\r\n"), Framed::Pong(2));
    assert_eq!(framer.next(b"\r"), Framed::Incomplete);
    assert_eq!(framer.next(b"\r\n"), Framed::KeepAlive(2));
    assert_eq!(framer.next(b"\r\n"), Framed::Pong(2));
    let mut bytes = with("Content-Length: 0\r\n");
    bytes.extend_from_slice(b"\r\n");
    let length = bytes.len() - 2;
    assert_eq!(framer.next(&bytes), Framed::Message(length));
    assert_eq!(framer.next(&bytes[length..]), Framed::Pong(2), "a message lies between the two line ends");
}

#[test]
fn the_fault_names_the_header() {
    let Framed::Broken(fault) = frame(&with("l: x\r\n")) else { panic!("not broken") };
    assert_eq!(fault.header, Some(HeaderName::ContentLength));
}
