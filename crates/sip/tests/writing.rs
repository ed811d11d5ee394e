//! Building and editing messages: what is written, and what cannot be.

use sip::entropy::{Entropy, SeededEntropy};
use sip::{BuildError, Builder, HeaderName, Message, Method};

const REQUEST: &str = "MESSAGE sip:bob@example.com SIP/2.0\r\n\
    v:  SIP/2.0/TCP a;branch=z9hG4bK1 ,\r\n SIP/2.0/UDP b\r\n\
    Via: SIP/2.0/UDP c\r\n\
    From: <sip:alice@example.com>;tag=a1\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: c1\r\n\
    CSeq: 1 MESSAGE\r\n\
    Route: <sip:p1;lr>\r\n\
    Route: <sip:p2;lr>, <sip:p3;lr>\r\n\
    Max-Forwards: 70\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 2\r\n\
    \r\n\
    hi";

fn request() -> Message {
    Message::parse(REQUEST.as_bytes()).unwrap()
}

fn text(bytes: Result<Vec<u8>, BuildError>) -> String {
    String::from_utf8(bytes.unwrap()).unwrap()
}

#[test]
fn an_edit_of_nothing_gives_the_same_octets() {
    assert_eq!(text(request().edit().finish()), REQUEST);
}

#[test]
fn a_proxy_changes_its_headers_and_leaves_the_rest() {
    let message = request();
    let mut edit = message.edit();
    edit.request_uri(b"sip:bob@192.0.2.9")
        .remove_first_value(HeaderName::Route)
        .remove_first_value(HeaderName::Route)
        .prepend(HeaderName::Via, b"SIP/2.0/UDP me;branch=z9hG4bK2")
        .prepend(HeaderName::RecordRoute, b"<sip:me;lr>")
        .replace(HeaderName::MaxForwards, b"69");
    let expected = REQUEST
        .replace("sip:bob@example.com SIP/2.0\r\n", "sip:bob@192.0.2.9 SIP/2.0\r\nRecord-Route: <sip:me;lr>\r\nVia: SIP/2.0/UDP me;branch=z9hG4bK2\r\n")
        .replace("Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>, ", "Route: ")
        .replace("70", "69");
    assert_eq!(text(edit.finish()), expected);
}

#[test]
fn a_response_loses_its_first_via_value_only() {
    let message = request();
    let once = text(message.edit().remove_first_value(HeaderName::Via).finish());
    assert_eq!(once, REQUEST.replace("SIP/2.0/TCP a;branch=z9hG4bK1 ,\r\n ", ""));
    let again = Message::parse(once.as_bytes()).unwrap();
    let twice = text(again.edit().remove_first_value(HeaderName::Via).finish());
    assert_eq!(twice, REQUEST.replace("v:  SIP/2.0/TCP a;branch=z9hG4bK1 ,\r\n SIP/2.0/UDP b\r\n", ""));
    let both =
        message.edit().remove_first_value(HeaderName::Via).remove_first_value(HeaderName::Via).finish();
    assert_eq!(text(both), twice);
}

#[test]
fn a_value_is_replaced_in_its_place() {
    let message = request();
    let edited =
        message.edit().replace_first_value(HeaderName::Via, b"SIP/2.0/TCP a;received=192.0.2.1").finish();
    assert_eq!(text(edited), REQUEST.replace("a;branch=z9hG4bK1 ,", "a;received=192.0.2.1 ,"));
    let edited = message
        .edit()
        .replace_first_value(HeaderName::Via, b"SIP/2.0/TCP x")
        .replace_first_value(HeaderName::Via, b"SIP/2.0/TCP y")
        .prepend(HeaderName::Via, b"SIP/2.0/TCP z")
        .finish();
    assert_eq!(
        text(edited),
        REQUEST.replace("v:  SIP/2.0/TCP a;branch=z9hG4bK1 ,", "Via: SIP/2.0/TCP z\r\nv:  SIP/2.0/TCP y ,")
    );
}

#[test]
fn fields_are_added_removed_and_made_one() {
    let message = request();
    let mut edit = message.edit();
    edit.replace(HeaderName::Route, b"<sip:p4;lr>")
        .append(HeaderName::Route, b"<sip:p5;lr>")
        .append(HeaderName::UserAgent, b"test")
        .append_named("X-Trace", b"1")
        .append_named("x-trace", b"2")
        .remove_named("X-TRACE")
        .append_named("X-Last", b"")
        .remove(HeaderName::Subject)
        .remove(HeaderName::MaxForwards);
    assert_eq!(edit.header(HeaderName::Route), Some(&b"<sip:p4;lr>"[..]));
    let expected = REQUEST
        .replace("<sip:p1;lr>\r\nRoute: <sip:p2;lr>, <sip:p3;lr>", "<sip:p4;lr>\r\nRoute: <sip:p5;lr>")
        .replace("Max-Forwards: 70\r\n", "")
        .replace("\r\n\r\n", "\r\nUser-Agent: test\r\nX-Last: \r\n\r\n");
    assert_eq!(text(edit.finish()), expected);
}

#[test]
fn a_body_brings_its_type_and_length() {
    let message = request();
    let edited = message.edit().body(b"application/sdp", b"v=0\r\n").finish();
    let expected =
        REQUEST.replace("text/plain", "application/sdp").replace("h: 2", "h: 5").replace("hi", "v=0\r\n");
    assert_eq!(text(edited), expected);
    let empty = text(message.edit().body(b"", b"").finish());
    assert_eq!(
        empty,
        REQUEST.replace("Content-Type: text/plain\r\n", "").replace("h: 2", "h: 0").replace("\r\nhi", "\r\n")
    );
    let without = REQUEST.replace("Content-Length: 2\r\n", "");
    let without = Message::parse(without.as_bytes()).unwrap();
    assert_eq!(text(without.edit().ensure_content_length().finish()), REQUEST);
}

#[test]
fn no_value_brings_a_line_of_its_own() {
    let message = request();
    for value in [&b"a\r\nX: b"[..], b"a\nX: b", b"a\rb", b"a\0b", b"a\r\n", b"a\r\n\r\nb", b"\r\n X\r\nY: 1"]
    {
        let error = Err(BuildError::LineBreak);
        assert_eq!(message.edit().append(HeaderName::Subject, value).finish(), error);
        assert_eq!(message.edit().replace_first_value(HeaderName::Via, value).finish(), error);
        assert_eq!(message.edit().body(value, b"").finish(), error);
        assert_eq!(Builder::response(200, "").header(HeaderName::Subject, value).finish(), error);
        assert_eq!(Builder::response(200, "").named("X", value).finish(), error);
        assert_eq!(Builder::response(200, "").body(value, b"").finish(), error);
        assert_eq!(Builder::response_to(&message, 200, "").to_tag(value).finish(), Err(BuildError::Tag));
        assert_eq!(message.edit().request_uri(value).finish(), Err(BuildError::StartLine));
        assert_eq!(Builder::request(Method::Info, value).finish(), Err(BuildError::StartLine));
        assert_eq!(Builder::request(Method::Other(value), b"sip:a").finish(), Err(BuildError::StartLine));
        let reason = String::from_utf8_lossy(value);
        assert_eq!(Builder::response(200, &reason).finish(), error);
        assert_eq!(Builder::response(200, "").named(&reason, b"").finish(), Err(BuildError::HeaderName));
        assert_eq!(message.edit().append_named(&reason, b"").finish(), Err(BuildError::HeaderName));
    }
}

#[test]
fn other_things_that_cannot_be_written_are_refused() {
    let message = request();
    let error = |builder: Builder| builder.finish().unwrap_err();
    assert_eq!(error(Builder::response(99, "")), BuildError::Status);
    assert_eq!(error(Builder::response(700, "")), BuildError::Status);
    assert_eq!(error(Builder::response(200, "").header(HeaderName::Other, b"")), BuildError::HeaderName);
    assert_eq!(error(Builder::response(200, "").named("l", b"7")), BuildError::ContentLength);
    assert_eq!(error(Builder::response(200, "").body(b"a/b", &[0; 65_536])), BuildError::TooLarge);
    assert_eq!(message.edit().body(b"a/b", &[0; 65_536]).finish(), Err(BuildError::TooLarge));
    assert_eq!(message.edit().remove(HeaderName::Other).finish(), Err(BuildError::HeaderName));
    let unfinished = Message::parse(b"OPTIONS sip:a SIP/2.0\r\nX: 1\r\n").unwrap();
    assert_eq!(unfinished.edit().finish(), Err(BuildError::Incomplete));
}

#[test]
fn a_response_repeats_what_names_the_transaction() {
    let message = request();
    let response = Builder::response_to(&message, 486, "")
        .to_tag(b"b1")
        .header(HeaderName::Server, b"test")
        .body(b"text/plain", b"busy")
        .finish();
    assert_eq!(
        text(response),
        "SIP/2.0 486 Busy Here\r\n\
         Via: SIP/2.0/TCP a;branch=z9hG4bK1 ,\r\n SIP/2.0/UDP b\r\n\
         Via: SIP/2.0/UDP c\r\n\
         From: <sip:alice@example.com>;tag=a1\r\n\
         To: <sip:bob@example.com>;tag=b1\r\n\
         Call-ID: c1\r\n\
         CSeq: 1 MESSAGE\r\n\
         Server: test\r\n\
         Content-Type: text/plain\r\n\
         Content-Length: 4\r\n\
         \r\n\
         busy"
    );
}

#[test]
fn a_to_tag_is_added_once_and_only_where_there_is_none() {
    let message = request();
    let twice = text(Builder::response_to(&message, 200, "").to_tag(b"x").to_tag(b"y").finish());
    assert!(twice.contains("To: <sip:bob@example.com>;tag=x\r\n"));
    let tagged = REQUEST.replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=b0");
    let message = Message::parse(tagged.as_bytes()).unwrap();
    let response = text(Builder::response_to(&message, 200, "").to_tag(b"x").finish());
    assert!(response.contains("To: <sip:bob@example.com>;tag=b0\r\n"));
}

#[test]
fn a_100_repeats_the_timestamp() {
    let stamped = REQUEST.replace("Max-Forwards", "Timestamp: 54\r\nMax-Forwards");
    let message = Message::parse(stamped.as_bytes()).unwrap();
    assert!(text(Builder::response_to(&message, 100, "").finish()).contains("\r\nTimestamp: 54\r\n"));
    assert!(!text(Builder::response_to(&message, 200, "").finish()).contains("Timestamp"));
}

#[test]
fn a_request_is_written_line_by_line() {
    let built = Builder::request(Method::Other(b"PING"), b"sip:a")
        .header(HeaderName::Subject, b"folded\r\n  value")
        .named("X-1", b"")
        .copy(&request(), HeaderName::Route)
        .finish();
    assert_eq!(
        text(built),
        "PING sip:a SIP/2.0\r\nSubject: folded value\r\nX-1: \r\nRoute: <sip:p1;lr>\r\n\
         Route: <sip:p2;lr>, <sip:p3;lr>\r\nContent-Length: 0\r\n\r\n"
    );
}

/// Whatever a peer sends, reading it does not panic, and what is let in passes through unchanged, keeps its
/// headers through a change, and is framed on a stream where it ends.
#[test]
fn mutated_messages_keep_the_rules() {
    const PIECES: [&[u8]; 16] = [
        b"\r\n",
        b"\r\n ",
        b"\n",
        b"\r",
        b"\0",
        b":",
        b";",
        b",",
        b"<",
        b">",
        b"\"",
        b"\\",
        b"%",
        b"l: 1\r\n",
        b" ",
        b"\xff",
    ];
    let mut entropy = SeededEntropy::new(3261);
    let mut let_in = 0;
    for round in 0..40_000 {
        let mut bytes = REQUEST.as_bytes().to_vec();
        for _ in 0..1 + entropy.number() % 3 {
            let at = (entropy.number() % bytes.len() as u64) as usize;
            let piece = PIECES[(entropy.number() % 16) as usize];
            let removed = (entropy.number() % 3) as usize;
            bytes.splice(at..(at + removed).min(bytes.len()), piece.iter().copied());
        }
        let framed = sip::frame(&bytes);
        let Ok(message) = Message::parse(&bytes) else { continue };
        if message.is_request() {
            let answer = Builder::response_to(&message, 400, "").to_tag(b"t").finish().unwrap();
            let answer = Message::parse(&answer).unwrap();
            assert_eq!(answer.headers(HeaderName::Via).count(), message.headers(HeaderName::Via).count());
        }
        if message.check().is_err() {
            continue;
        }
        let_in += 1;
        assert_eq!(message.edit().finish().as_deref(), Ok(message.as_bytes()), "round {round}");
        let edited = message.edit().prepend(HeaderName::Via, b"SIP/2.0/UDP me").finish().unwrap();
        let edited = Message::parse(&edited).unwrap();
        assert_eq!(edited.check(), Ok(()), "round {round}");
        let kept = edited.fields().filter(|field| field.value != b"SIP/2.0/UDP me");
        assert!(kept.eq(message.fields()), "round {round}");
        let back = edited.edit().remove_first_value(HeaderName::Via).finish();
        assert_eq!(back.as_deref(), Ok(message.as_bytes()), "round {round}");
        if let sip::Framed::Message(length) = framed {
            assert_eq!(
                length,
                message.as_bytes().len(),
                "round {round}: {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
    assert!(let_in > 1000, "{let_in}");
}
