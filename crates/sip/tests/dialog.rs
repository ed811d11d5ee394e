//! Dialogs (RFC 3261 §12) and the end-to-end way of a 2xx (§13).

use std::sync::Arc;

use sip::dialog::{
    Acknowledgement, Dialog, DialogError, DialogId, DialogState, Fork, Forks, OutOfOrder, Role,
    SuccessRetransmission, SuccessStep,
};
use sip::{Builder, Entropy, HeaderName, Instant, Message, Method, SeededEntropy, Timers};

const VIA: &[u8] = b"SIP/2.0/UDP us.example;branch=z9hG4bK-new";

fn invite() -> Message {
    parse(
        "INVITE sip:bob@example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP alice.example;branch=z9hG4bK-invite\r\n\
         Max-Forwards: 70\r\n\
         Record-Route: <sip:p3.example;lr>, <sip:p2.example;lr;x=1>\r\n\
         Record-Route: <sip:p1.example;lr>\r\n\
         From: \"Alice, A.\"\r\n <sip:alice@example.com>;tag=a1\r\n\
         To: Bob <sip:bob@example.com>\r\n\
         Call-ID: call@alice.example\r\n\
         CSeq: 41 INVITE\r\n\
         Contact: <sip:alice@alice.example:5070>\r\n\
         Content-Length: 0\r\n\r\n",
    )
}

fn parse(text: &str) -> Message {
    Message::parse(text.as_bytes()).unwrap()
}

fn text(message: &Message) -> String {
    String::from_utf8(message.as_bytes().to_vec()).unwrap()
}

/// A response of bob's with this tag and the lines `more`.
fn response(status: u16, tag: &str, more: &str) -> Message {
    let mut builder = Builder::response_to(&invite(), status, "");
    if !tag.is_empty() {
        builder = builder.to_tag(tag.as_bytes());
    }
    let bytes = builder.copy(&invite(), HeaderName::RecordRoute).finish().unwrap();
    let whole = String::from_utf8(bytes).unwrap();
    parse(&whole.replace("Content-Length", &[more, "Content-Length"].concat()))
}

fn contact(uri: &str) -> String {
    format!("Contact: <{uri}>\r\n")
}

fn ringing() -> Message {
    response(180, "b1", &contact("sip:bob@early.example"))
}

fn routes(message: &Message) -> Vec<String> {
    message.values(HeaderName::Route).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

fn caller() -> Dialog {
    let mut dialog = Dialog::of_caller(&invite(), &ringing()).unwrap();
    dialog.receive_response(&response(200, "b1", &contact("sip:bob@bob.example;transport=tcp")));
    dialog
}

fn callee() -> Dialog {
    let mut dialog = Dialog::of_callee(&invite(), b"b1").unwrap();
    dialog.confirm();
    dialog
}

fn built(builder: Builder) -> Message {
    let message = Message::parse(&builder.finish().unwrap()).unwrap();
    message.check().unwrap();
    message
}

#[test]
fn a_provisional_response_with_a_tag_begins_an_early_dialog_of_the_caller() {
    let dialog = Dialog::of_caller(&invite(), &ringing()).unwrap();
    assert_eq!((dialog.state(), dialog.role()), (DialogState::Early, Role::Caller));
    assert_eq!(*dialog.id(), DialogId::new(b"call@alice.example", b"a1", b"b1"));
    assert_eq!(dialog.remote_target(), b"sip:bob@early.example");
    assert_eq!((dialog.local_cseq(), dialog.remote_cseq()), (Some(41), None));
    // RFC 3261 §12.1.2: in reverse order, all parameters kept.
    let routes: Vec<&[u8]> = dialog.route_set().collect();
    assert_eq!(routes, [&b"<sip:p1.example;lr>"[..], b"<sip:p2.example;lr;x=1>", b"<sip:p3.example;lr>"]);
    assert!(!dialog.is_secure());
}

#[test]
fn responses_that_begin_no_dialog_say_so() {
    for (status, tag) in [(100, ""), (100, "b1"), (180, ""), (302, "b1"), (486, "b1")] {
        let error = Dialog::of_caller(&invite(), &response(status, tag, "")).unwrap_err();
        assert_eq!(error, DialogError::NoDialog, "{status} {tag}");
    }
}

#[test]
fn a_response_without_contact_is_forgiven_until_a_better_one_comes() {
    let mut dialog = Dialog::of_caller(&invite(), &response(180, "b1", "")).unwrap();
    assert_eq!(dialog.remote_target(), b"sip:bob@example.com");
    dialog.receive_response(&response(183, "b1", &contact("sip:bob@phone.example")));
    assert_eq!(dialog.remote_target(), b"sip:bob@phone.example");
}

#[test]
fn a_2xx_confirms_and_its_route_and_target_replace_the_early_ones() {
    let mut dialog = Dialog::of_caller(&invite(), &ringing()).unwrap();
    let other_route =
        text(&response(200, "b1", &contact("sip:bob@bob.example"))).replace("p2.example", "p9.example");
    dialog.receive_response(&parse(&other_route));
    assert_eq!(dialog.state(), DialogState::Confirmed);
    assert_eq!(dialog.remote_target(), b"sip:bob@bob.example");
    assert_eq!(dialog.route_set().nth(1), Some(&b"<sip:p9.example;lr;x=1>"[..]));
    // From then on the route set stands (RFC 3261 §12.2).
    dialog.receive_response(&parse(&other_route.replace("p9.example", "p8.example")));
    assert_eq!(dialog.route_set().nth(1), Some(&b"<sip:p9.example;lr;x=1>"[..]));
}

#[test]
fn a_2xx_alone_begins_a_confirmed_dialog_even_of_an_old_peer_without_a_tag() {
    let dialog = Dialog::of_caller(&invite(), &response(200, "b1", &contact("sip:b@b"))).unwrap();
    assert_eq!(dialog.state(), DialogState::Confirmed);
    let mut dialog = Dialog::of_caller(&invite(), &response(200, "", &contact("sip:b@b"))).unwrap();
    assert_eq!(dialog.id().remote_tag(), b"");
    let bye = built(dialog.request(Method::Bye, VIA));
    assert_eq!(bye.to().unwrap().tag(), None);
}

#[test]
fn the_callee_sees_the_mirror_image() {
    let mut dialog = Dialog::of_callee(&invite(), b"b1").unwrap();
    assert_eq!((dialog.state(), dialog.role()), (DialogState::Early, Role::Callee));
    assert_eq!(*dialog.id(), DialogId::new(b"call@alice.example", b"b1", b"a1"));
    assert_eq!(dialog.remote_target(), b"sip:alice@alice.example:5070");
    assert_eq!((dialog.local_cseq(), dialog.remote_cseq()), (None, Some(41)));
    // RFC 3261 §12.1.1: in order.
    assert_eq!(dialog.route_set().next(), Some(&b"<sip:p3.example;lr>"[..]));
    dialog.confirm();
    assert_eq!(dialog.state(), DialogState::Confirmed);
    let bye = built(dialog.request(Method::Bye, VIA));
    assert_eq!(bye.request_uri(), b"sip:alice@alice.example:5070");
    assert_eq!(routes(&bye), ["<sip:p3.example;lr>", "<sip:p2.example;lr;x=1>", "<sip:p1.example;lr>"]);
    assert_eq!(bye.from().unwrap().tag(), Some(&b"b1"[..]));
    assert_eq!(bye.header(HeaderName::From), Some(&b"Bob <sip:bob@example.com>;tag=b1"[..]));
    assert_eq!(bye.header(HeaderName::To), Some(&b"\"Alice, A.\" <sip:alice@example.com>;tag=a1"[..]));
}

#[test]
fn a_request_without_contact_or_with_broken_parts_begins_no_dialog() {
    let without = text(&invite()).replace("Contact: <sip:alice@alice.example:5070>\r\n", "");
    assert_eq!(Dialog::of_callee(&parse(&without), b"b1").unwrap_err(), DialogError::Contact);
    let star = text(&invite()).replace("Contact: <sip:alice@alice.example:5070>", "Contact: *");
    assert_eq!(Dialog::of_callee(&parse(&star), b"b1").unwrap_err(), DialogError::Contact);
    assert_eq!(Dialog::of_callee(&invite(), b"b 1\r\n").unwrap_err(), DialogError::Tag);
    let no_call_id = text(&invite()).replace("Call-ID: call@alice.example\r\n", "");
    assert!(matches!(Dialog::of_callee(&parse(&no_call_id), b"b1").unwrap_err(), DialogError::Header(_)));
}

#[test]
fn a_sips_request_makes_a_secure_dialog() {
    let secure = parse(&text(&invite()).replace("INVITE sip:bob", "INVITE sips:bob"));
    assert!(Dialog::of_callee(&secure, b"b1").unwrap().is_secure());
    assert!(Dialog::of_caller(&secure, &ringing()).unwrap().is_secure());
}

#[test]
fn requests_follow_one_another_by_one() {
    let mut dialog = caller();
    for (method, expected) in
        [(Method::Info, "42 INFO"), (Method::Invite, "43 INVITE"), (Method::Bye, "44 BYE")]
    {
        let request =
            built(dialog.request(method, VIA).header(HeaderName::Contact, b"<sip:alice@us.example>"));
        assert_eq!(request.header(HeaderName::CSeq), Some(expected.as_bytes()));
        assert_eq!(request.request_uri(), b"sip:bob@bob.example;transport=tcp");
        assert_eq!(request.header(HeaderName::CallId), Some(&b"call@alice.example"[..]));
        assert_eq!(request.from().unwrap().tag(), Some(&b"a1"[..]));
        assert_eq!(request.to().unwrap().tag(), Some(&b"b1"[..]));
        assert_eq!(request.header(HeaderName::Via), Some(VIA));
        assert_eq!(routes(&request).len(), 3);
    }
    assert_eq!(dialog.local_cseq(), Some(44));
    assert_eq!(dialog.next_cseq(), 45, "for a request that is sent again with credentials");
    let mut dialog = callee();
    assert_eq!(
        built(dialog.request(Method::Bye, VIA)).cseq().unwrap().number,
        1,
        "an empty one starts anywhere"
    );
}

#[test]
fn the_ack_of_a_2xx_has_the_number_of_its_invite() {
    let mut dialog = caller();
    built(dialog.request(Method::Info, VIA));
    let ack = built(dialog.ack(VIA, 41));
    assert_eq!(ack.header(HeaderName::CSeq), Some(&b"41 ACK"[..]));
    assert_eq!(ack.request_uri(), b"sip:bob@bob.example;transport=tcp");
    assert_eq!(routes(&ack).len(), 3);
    assert_eq!(dialog.local_cseq(), Some(42));
}

#[test]
fn the_peers_requests_must_not_go_back_in_number() {
    let mut dialog = callee();
    let numbered = |number: u32, method: &str| {
        let request = text(&invite()).replace("CSeq: 41 INVITE", &format!("CSeq: {number} {method}"));
        parse(&request.replace("INVITE sip:", &format!("{method} sip:")))
    };
    assert_eq!(dialog.receive_request(&numbered(40, "BYE")), Err(OutOfOrder));
    assert_eq!(dialog.receive_request(&numbered(42, "INFO")), Ok(()));
    assert_eq!(dialog.receive_request(&numbered(50, "INFO")), Ok(()), "a gap is no error");
    assert_eq!(
        dialog.receive_request(&numbered(50, "INFO")),
        Ok(()),
        "RFC 3261 §12.2.2 refuses lower ones only"
    );
    assert_eq!(dialog.receive_request(&numbered(49, "INFO")), Err(OutOfOrder));
    assert_eq!(dialog.remote_cseq(), Some(50));
    assert_eq!(dialog.receive_request(&numbered(41, "ACK")), Ok(()), "an ACK has its INVITE's number");
    assert_eq!(dialog.remote_cseq(), Some(50));
    // The caller has seen none yet: the first sets the number.
    let mut dialog = caller();
    assert_eq!(dialog.receive_request(&numbered(3, "INFO")), Ok(()));
    assert_eq!(dialog.receive_request(&numbered(2, "INFO")), Err(OutOfOrder));
}

#[test]
fn a_target_refresh_moves_the_peer() {
    let mut dialog = callee();
    let moved = parse(&text(&invite()).replace("alice@alice.example:5070", "alice@new.example"));
    dialog.refresh_target(&moved);
    assert_eq!(dialog.remote_target(), b"sip:alice@new.example");
    dialog.refresh_target(&response(200, "b1", ""));
    assert_eq!(dialog.remote_target(), b"sip:alice@new.example", "no Contact changes nothing");
}

#[test]
fn a_strict_router_gets_the_request_uri_and_the_target_comes_last() {
    // RFC 3261 §12.2.1.1's example.
    let routed = text(&invite())
        .replace("Record-Route: <sip:p3.example;lr>, <sip:p2.example;lr;x=1>\r\n", "")
        .replace("<sip:p1.example;lr>", "<sip:proxy1>,<sip:proxy2>,<sip:proxy3;lr>,<sip:proxy4>")
        .replace("sip:alice@alice.example:5070", "sip:user@remoteua");
    let mut dialog = Dialog::of_callee(&parse(&routed), b"b1").unwrap();
    let bye = built(dialog.request(Method::Bye, VIA));
    assert_eq!(bye.request_uri(), b"sip:proxy1");
    assert_eq!(routes(&bye), ["<sip:proxy2>", "<sip:proxy3;lr>", "<sip:proxy4>", "<sip:user@remoteua>"]);
    // What is not allowed in a Request-URI is left out.
    let odd = routed.replace("<sip:proxy1>", "<sip:a;b@proxy1;transport=udp;method=INVITE;x?Subject=y>");
    let mut dialog = Dialog::of_callee(&parse(&odd), b"b1").unwrap();
    assert_eq!(built(dialog.request(Method::Bye, VIA)).request_uri(), b"sip:a;b@proxy1;transport=udp;x");
}

#[test]
fn without_a_route_set_there_is_no_route() {
    let bare = text(&invite())
        .replace("Record-Route: <sip:p3.example;lr>, <sip:p2.example;lr;x=1>\r\n", "")
        .replace("Record-Route: <sip:p1.example;lr>\r\n", "");
    let mut dialog = Dialog::of_callee(&parse(&bare), b"b1").unwrap();
    let bye = built(dialog.request(Method::Bye, VIA));
    assert!(routes(&bye).is_empty());
    assert_eq!(bye.request_uri(), b"sip:alice@alice.example:5070");
}

#[test]
fn messages_name_their_dialog() {
    let mut bob = callee();
    let alice = caller();
    let bye = built(bob.request(Method::Bye, VIA));
    assert_eq!(DialogId::of_request(&bye).unwrap(), *alice.id());
    assert_eq!(DialogId::of_response(&ringing()).unwrap(), *alice.id());
    let answer = Message::parse(&Builder::response_to(&bye, 200, "").finish().unwrap()).unwrap();
    assert_eq!(DialogId::of_response(&answer).unwrap(), *bob.id());
}

#[test]
fn each_branch_of_a_fork_has_its_dialog() {
    let mut forks = Forks::new(Arc::new(invite()));
    assert!(matches!(forks.receive_response(&response(100, "", "")), Err(DialogError::NoDialog)));
    assert!(matches!(forks.receive_response(&ringing()), Ok(Fork::New(_))));
    assert!(matches!(forks.receive_response(&ringing()), Ok(Fork::Known(_))));
    let other = response(183, "b2", &contact("sip:bob@second.example"));
    assert!(
        matches!(forks.receive_response(&other), Ok(Fork::New(dialog)) if dialog.id().remote_tag() == b"b2")
    );
    let ok = response(200, "b2", &contact("sip:bob@second.example"));
    let Ok(Fork::Known(dialog)) = forks.receive_response(&ok) else { panic!("b2 was there") };
    assert_eq!(dialog.state(), DialogState::Confirmed);
    // Another one answers too: a dialog of its own, to be acknowledged and ended.
    let third = response(200, "b3", &contact("sip:bob@third.example"));
    assert!(matches!(forks.receive_response(&third), Ok(Fork::New(_))));
    forks.end_early();
    let left: Vec<&[u8]> = forks.dialogs().map(|dialog| dialog.id().remote_tag()).collect();
    assert_eq!(left, [b"b2", b"b3"]);
    assert!(forks.take(b"b2").is_some());
    assert!(forks.take(b"b2").is_none());
}

#[test]
fn a_flood_of_tags_is_bounded_and_a_2xx_finds_room() {
    let mut forks = Forks::new(Arc::new(invite()));
    let kept =
        (0..100).filter(|number| forks.receive_response(&response(180, &format!("t{number}"), "")).is_ok());
    assert_eq!(kept.count(), 60);
    assert!(matches!(forks.receive_response(&response(200, "winner", "")), Ok(Fork::New(_))));
    assert_eq!(forks.dialogs().count(), 60);
}

#[test]
fn no_bytes_make_a_dialog_panic_and_none_end_a_line_in_its_requests() {
    let mut entropy = SeededEntropy::new(23);
    let seeds = [invite(), ringing(), response(200, "b1", &contact("sip:b@b"))];
    for _ in 0..20_000 {
        let mut bytes = seeds[(entropy.number() % 3) as usize].as_bytes().to_vec();
        for _ in 0..1 + entropy.number() % 3 {
            let place = (entropy.number() % bytes.len() as u64) as usize;
            match entropy.number() % 3 {
                0 => bytes[place] = entropy.number() as u8,
                1 => drop(bytes.drain(place..(place + 7).min(bytes.len()))),
                _ => bytes.insert(place, b";=,<>\r\n\" ?"[(entropy.number() % 10) as usize]),
            }
        }
        let Ok(message) = Message::parse(&bytes) else { continue };
        let mut forks = Forks::new(Arc::new(invite()));
        let _ = forks.receive_response(&message);
        let dialogs = [Dialog::of_callee(&message, b"b1").ok(), forks.take(b"b1"), Some(caller())];
        for mut dialog in dialogs.into_iter().flatten() {
            let _ = dialog.receive_request(&message);
            dialog.refresh_target(&message);
            // A text that cannot be written is refused, never sent.
            if let Ok(written) = dialog.request(Method::Bye, VIA).finish() {
                let bye = Message::parse(&written).unwrap();
                let routes = dialog.route_set().count();
                assert_eq!(bye.fields().count(), 7 + routes, "{:?}", String::from_utf8_lossy(&written));
            }
        }
    }
}

#[test]
fn a_2xx_is_repeated_until_its_ack() {
    let timers = Timers::default();
    let bytes: Arc<[u8]> = Arc::from(&b"SIP/2.0 200 OK"[..]);
    let mut repeating = SuccessRetransmission::new(Instant::ZERO, &timers, Arc::clone(&bytes), 41);
    let mut times = Vec::new();
    let end = loop {
        let now = repeating.next_timeout();
        assert_eq!(repeating.timeout(now - core::time::Duration::from_millis(1), &timers), SuccessStep::Wait);
        match repeating.timeout(now, &timers) {
            SuccessStep::Transmit(sent) => {
                assert_eq!(sent, bytes);
                times.push(now.as_millis());
            }
            SuccessStep::Unacknowledged => break now,
            SuccessStep::Wait => panic!("nothing at the time it named"),
        }
    };
    // RFC 3261 §13.3.1.4: T1, doubling up to T2, for 64*T1.
    assert_eq!(times, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(end, Instant::from_secs(32));
    let dialog = caller();
    assert!(repeating.is_acknowledged_by(&built(dialog.ack(VIA, 41))));
    assert!(!repeating.is_acknowledged_by(&built(dialog.ack(VIA, 42))));
}

#[test]
fn a_2xx_that_comes_again_gets_its_ack_again() {
    let timers = Timers::default();
    let ok = response(200, "b1", &contact("sip:b@b"));
    let ack: Arc<[u8]> = Arc::from(&b"ACK"[..]);
    let kept = Acknowledgement::new(Instant::ZERO, &timers, Arc::clone(&ack), &ok).unwrap();
    assert_eq!(kept.again(Instant::from_secs(4), &ok), Some(ack));
    assert_eq!(kept.again(Instant::from_secs(4), &response(200, "b2", "")), None, "another branch's");
    assert_eq!(kept.again(Instant::from_secs(4), &ringing()), None);
    let other_number = parse(&text(&ok).replace("41 INVITE", "42 INVITE"));
    assert_eq!(kept.again(Instant::from_secs(4), &other_number), None, "a re-INVITE's");
    assert_eq!(kept.again(kept.end(), &ok), None);
    assert!(Acknowledgement::new(Instant::ZERO, &timers, Arc::from(&b""[..]), &ringing()).is_none());
}
