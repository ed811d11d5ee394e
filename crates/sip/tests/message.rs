//! What a message is read as, and what is let in at the door.

use sip::{Builder, HeaderName, Host, Message, Method, ParseError};

/// A request that every test changes a little.
const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP host.example.com:5070;branch=z9hG4bK1;rport\r\n\
    From: \"Alice\" <sip:alice@example.com>;tag=a1\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: call@host.example.com\r\n\
    CSeq: 7 INVITE\r\n\
    Max-Forwards: 70\r\n\
    Content-Length: 4\r\n\
    \r\n\
    body";

const RINGING: &str = "SIP/2.0 180 Ringing\r\n\
    Via: SIP/2.0/UDP host.example.com:5070;branch=z9hG4bK1\r\n\
    From: <sip:alice@example.com>;tag=a1\r\n\
    To: <sip:bob@example.com>;tag=b1\r\n\
    Call-ID: call@host.example.com\r\n\
    CSeq: 7 INVITE\r\n\
    Content-Length: 0\r\n\
    \r\n";

fn parse(text: &str) -> Message {
    Message::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The status and the reason of the first fault.
fn fault(text: &str) -> (Option<u16>, &'static str) {
    let fault = parse(text).check().expect_err(text);
    (fault.status, fault.reason)
}

#[test]
fn a_request_is_read_part_by_part() {
    let message = parse(INVITE);
    assert_eq!(message.check(), Ok(()));
    assert!(message.is_request());
    assert_eq!(message.method(), Some(Method::Invite));
    assert_eq!((message.request_uri(), message.status()), (&b"sip:bob@example.com"[..], None));
    let via = message.top_via().unwrap();
    assert_eq!((via.host(), via.port()), (Host::Name(b"host.example.com"), Some(5070)));
    assert_eq!(message.from().unwrap().tag(), Some(&b"a1"[..]));
    assert_eq!(message.to().unwrap().tag(), None);
    assert_eq!(message.call_id(), Ok(&b"call@host.example.com"[..]));
    assert_eq!(message.cseq().map(|cseq| cseq.number), Ok(7));
    assert_eq!(message.max_forwards(), Ok(Some(70)));
    assert_eq!(message.body(), b"body");
    assert_eq!(message.as_bytes(), INVITE.as_bytes());
}

#[test]
fn a_response_is_read_part_by_part() {
    let message = parse(RINGING);
    assert_eq!(message.check(), Ok(()));
    assert_eq!((message.status(), message.reason_phrase()), (Some(180), &b"Ringing"[..]));
    assert_eq!((message.is_request(), message.method()), (false, None));
    let bare = parse(&RINGING.replace(" Ringing", ""));
    assert_eq!((bare.status(), bare.reason_phrase(), bare.check()), (Some(180), &b""[..], Ok(())));
}

#[test]
fn compact_folded_repeated_and_listed_headers_are_one_header() {
    let text = INVITE.replace(
        "Max-Forwards: 70\r\n",
        "Max-Forwards: 70\r\nv: SIP/2.0/TCP b;x=\"1,2\" ,\r\n  SIP/2.0/TLS c\r\nVIA  :SIP/2.0/WS d\r\n\
         k: a, ,b\r\nSupported:\r\nSubject:\r\n  one\r\n\ttwo  \r\n",
    );
    let message = parse(&text);
    assert_eq!(message.check(), Ok(()));
    let vias: Vec<_> = message.values(HeaderName::Via).skip(1).collect();
    assert_eq!(vias, [&b"SIP/2.0/TCP b;x=\"1,2\""[..], b"SIP/2.0/TLS c", b"SIP/2.0/WS d"]);
    assert_eq!(message.values(HeaderName::Supported).collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(message.headers(HeaderName::Supported).count(), 2);
    assert!(message.lists(HeaderName::Supported, "B") && !message.lists(HeaderName::Supported, "c"));
    assert_eq!(message.header(HeaderName::Subject), Some(&b"one\r\n\ttwo"[..]));
}

#[test]
fn headers_of_any_name_with_any_octets_are_found() {
    let mut bytes = INVITE.replace("Max-Forwards: 70\r\n", "x-Odd!: \u{1}@\u{7f}\r\n").into_bytes();
    let at = bytes.iter().position(|&byte| byte == 1).unwrap();
    bytes[at + 1] = 0xff;
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.check(), Ok(()));
    assert_eq!(message.named("X-ODD!"), Some(&b"\x01\xff\x7f"[..]));
    assert_eq!(message.named("max-forwards"), None);
    assert_eq!(message.named("i"), message.header(HeaderName::CallId));
    assert_eq!(message.edit().finish().unwrap(), bytes);
}

#[test]
fn line_ends_before_and_octets_behind_a_datagram_do_not_count() {
    let message = parse(&["\r\n\r\n", INVITE, "more than announced"].concat());
    assert_eq!((message.as_bytes(), message.check()), (INVITE.as_bytes(), Ok(())));
    let message = parse(&INVITE.replace("Content-Length: 4\r\n", ""));
    assert_eq!((message.body(), message.check()), (&b"body"[..], Ok(())));
}

#[test]
fn what_is_no_message_is_told_from_a_bad_one() {
    let error = |bytes: &[u8]| Message::parse(bytes).map(|_| ()).unwrap_err();
    assert_eq!(error(b""), ParseError::Empty);
    assert_eq!(error(b"\r\n\r\n"), ParseError::Empty);
    assert_eq!(error(b"GET / HTTP/1.1\r\n\r\n"), ParseError::StartLine);
    assert_eq!(error(b"INVITE sip:bob@example.com\r\n\r\n"), ParseError::StartLine);
    assert_eq!(error(b"INVITE  SIP/2.0\r\n\r\n"), ParseError::StartLine);
    assert_eq!(error(b" INVITE sip:a SIP/2.0\r\n\r\n"), ParseError::StartLine);
    assert_eq!(error(&[b'a'; 65_537]), ParseError::TooLarge);
}

#[test]
fn a_message_has_at_most_256_headers_and_70_vias() {
    let headers = |count: usize| INVITE.replace("Max-Forwards: 70\r\n", &"X: 1\r\n".repeat(count));
    let message = parse(&headers(250));
    assert_eq!((message.check(), message.fields().count()), (Ok(()), 256));
    assert_eq!(message.header(HeaderName::ContentLength), Some(&b"4"[..]), "the last of 256 is found");
    let over = Message::parse(headers(251).as_bytes()).map(|_| ());
    assert_eq!(over, Err(ParseError::TooManyHeaders));

    let vias = |count: usize| {
        INVITE.replace(
            "Max-Forwards",
            &["v: ", &"SIP/2.0/UDP h,".repeat(count), "SIP/2.0/UDP h\r\nMax-Forwards"].concat(),
        )
    };
    assert_eq!(parse(&vias(68)).check(), Ok(()));
    assert_eq!(fault(&vias(69)), (Some(483), "there are more than 70 values"));
}

#[test]
fn the_start_line_must_be_exact() {
    for (from, to, status) in [
        ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", 505),
        ("INVITE sip:", "INV@TE sip:", 400),
        ("INVITE sip:", "INVITE  sip:", 400),
        ("SIP/2.0\r\nVia", "SIP/2.0 \r\nVia", 400),
        (".com SIP", ".com  SIP", 400),
        ("bob@example.com SIP", "bob@example.com; lr SIP", 400),
        ("sip:bob@example.com SIP", "<sip:bob@example.com> SIP", 400),
        ("sip:bob@example.com SIP", "sip:bob@example.com?x=y SIP", 400),
        ("sip:bob@example.com SIP", "bob SIP", 400),
    ] {
        assert_eq!(fault(&INVITE.replacen(from, to, 1)).0, Some(status), "{to}");
    }
    assert_eq!(parse(&INVITE.replacen("SIP/2.0\r\n", "sip/2.0\r\n", 1)).check(), Ok(()));
}

#[test]
fn nobody_else_can_read_other_headers_out_of_a_message_that_is_let_in() {
    for (from, to) in [
        ("Max-Forwards: 70\r\n", "Max-Forwards: 70\n"),
        ("Max-Forwards: 70\r\n", "X: a\nRoute: <sip:evil>\r\n"),
        ("Max-Forwards: 70\r\n", "X: a\rRoute: <sip:evil>\r\n"),
        ("Max-Forwards: 70\r\n", "X: a\r\r\n"),
        ("Max-Forwards: 70\r\n", "No colon here\r\n"),
        ("Max-Forwards: 70\r\n", ": no name\r\n"),
        ("Max-Forwards: 70\r\n", "Max-Forwards\r\n : 70\r\n"),
        ("Max-Forwards: 70\r\n", "X: a\r\n \t\r\nRoute: <sip:p>\r\n"),
        ("Max-Forwards: 70\r\n", "Max Forwards: 70\r\n"),
        ("Max-Forwards: 70\r\n", "M\u{e4}x: 70\r\n"),
        ("SIP/2.0\r\nVia", "SIP/2.0\r\n Via"),
        ("\r\n\r\nbody", "\r\n"),
        ("\r\n\r\nbody", "\r\n\nbody"),
        ("\r\n\r\nbody", ""),
    ] {
        assert_eq!(fault(&INVITE.replacen(from, to, 1)).0, Some(400), "{to:?}");
    }
}

#[test]
fn mandatory_headers_must_be_there_once_and_well_formed() {
    for (from, to) in [
        ("Call-ID: call@host.example.com\r\n", ""),
        ("Call-ID: call@host.example.com", "Call-ID:"),
        ("Call-ID: call@", "Call-ID: ca ll@"),
        ("Max-Forwards", "i: other\r\nMax-Forwards"),
        ("Max-Forwards", "l: 4\r\nMax-Forwards"),
        ("Max-Forwards: 70", "Max-Forwards: -1"),
        ("CSeq: 7 INVITE", "CSeq: 7 BYE"),
        ("CSeq: 7 INVITE", "CSeq: 4294967296 INVITE"),
        ("tag=a1", "tag=a1;;"),
        ("tag=a1", "tag=a1;TAG=a2"),
        ("branch=z9hG4bK1", "branch=z9hG4bK1;branch=z9hG4bK2"),
        ("\"Alice\"", "\"Alice"),
        ("\"Alice\"", "Alice, Bob"),
        ("<sip:bob@example.com>\r\n", "< sip:bob@example.com >\r\n"),
        ("Via: SIP/2.0/UDP", "Via: , SIP/2.0/UDP"),
        ("5070;", "port;"),
        ("Max-Forwards", "Route: <sip:>\r\nMax-Forwards"),
        ("Content-Length: 4", "Content-Length: 5"),
        ("Content-Length: 4", "Content-Length: -4"),
        ("Content-Length: 4", "Content-Length: 4\r\n 0"),
    ] {
        assert_eq!(fault(&INVITE.replacen(from, to, 1)).0, Some(400), "{to:?}");
    }
}

#[test]
fn bad_responses_and_bad_acknowledgements_are_dropped() {
    for (from, to) in [
        ("180", "4294967476"),
        ("180", "080"),
        ("180", "700"),
        ("SIP/2.0 180", "SIP/3.0 180"),
        ("CSeq: 7", "CSeq: x"),
        ("To: <sip:bob@example.com>;tag=b1\r\n", ""),
    ] {
        let status = parse(&RINGING.replacen(from, to, 1)).check().map_err(|fault| fault.status);
        assert_eq!(status, Err(None), "{to:?}");
    }
    let ack = INVITE.replace("INVITE", "ACK").replace("Max-Forwards: 70", "Max-Forwards: x");
    assert_eq!(fault(&ack), (None, "the value is no number"));
}

#[test]
fn contacts_are_verified_where_they_are_used() {
    let contact = "Contact: sip:a@b?Route=x\r\nMax-Forwards";
    assert_eq!(parse(&INVITE.replacen("Max-Forwards", contact, 1)).check(), Ok(()));
    let register = INVITE.replace("INVITE", "REGISTER");
    assert_eq!(fault(&register.replacen("Max-Forwards", contact, 1)).0, Some(400));
    assert_eq!(parse(&register.replacen("Max-Forwards", "m: *\r\nMax-Forwards", 1)).check(), Ok(()));
}

#[test]
fn a_fault_says_where() {
    let text = INVITE.replacen("CSeq: 7 INVITE", "CSeq: 7 BYE", 1);
    let fault = parse(&text).check().unwrap_err();
    assert_eq!(fault.header, Some(HeaderName::CSeq));
    assert_eq!(text.get(fault.offset..fault.offset + 5), Some("7 BYE"));
    assert_eq!(fault.to_string(), "CSeq: the method is not that of the request");
}

#[test]
fn what_an_old_phone_leaves_out_is_let_in() {
    let text = INVITE
        .replace(";branch=z9hG4bK1;rport", "")
        .replace(";tag=a1", "")
        .replace("Max-Forwards: 70\r\n", "");
    let message = parse(&text);
    assert_eq!((message.check(), message.max_forwards()), (Ok(()), Ok(None)));
    assert_eq!(message.top_via().unwrap().transaction_branch(), None);
}

#[test]
fn a_request_that_lacks_everything_can_be_answered() {
    let bare = parse("OPTIONS sip:a SIP/2.0\r\nCSeq: 0009\r\n  OPTIONS\r\n\r\n");
    assert_eq!(bare.check().unwrap_err().status, Some(400));
    let response = Builder::response_to(&bare, 400, "").to_tag(b"t").finish().unwrap();
    assert_eq!(response, b"SIP/2.0 400 Bad Request\r\nCSeq: 0009\r\n  OPTIONS\r\nContent-Length: 0\r\n\r\n");
}
