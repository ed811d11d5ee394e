use super::*;

const ROUTES: &str = "Record-Route: <sip:192.0.2.1:5060;lr>, <sip:token@192.0.2.1:8080;transport=ws;lr>\r\n";

/// A message of the call between alice (tag a, a page) and bob (tag b, a phone).
fn message(start: &str, from: &str, to: &str, sequence: &str, contact: &str) -> Message {
    let address = |who: &str| match who {
        "" => "<sip:bob@example.com>".to_owned(),
        tag => format!("<sip:{}@example.com>;tag={tag}", if tag == "a" { "alice" } else { "bob" }),
    };
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: {}\r\nTo: {}\r\nCall-ID: one\r\n\
         CSeq: {sequence}\r\nContact: <{contact}>\r\n{ROUTES}Content-Length: 0\r\n\r\n",
        address(from),
        address(to)
    );
    Message::parse(text.as_bytes()).unwrap()
}

const PAGE: &str = "sip:x@page.invalid;transport=ws";
const PHONE: &str = "sip:bob@198.51.100.7:5060";

fn answered() -> (Dialogs, CallKey) {
    let mut dialogs = Dialogs::default();
    let call = key(b"one", b"a", 0);
    dialogs.begin(
        Instant::ZERO,
        &call,
        &message("INVITE sip:bob@example.com SIP/2.0", "a", "", "7 INVITE", PAGE),
    );
    dialogs.response(Instant::from_secs(2), &message("SIP/2.0 200 OK", "a", "b", "7 INVITE", PHONE));
    (dialogs, call)
}

fn byes(dialogs: &Dialogs, call: &CallKey) -> Vec<Message> {
    let reason = Reason { status: 480, text: "ICE-LOST: the \"browser\" is gone".to_owned() };
    let byes = dialogs.get(call).unwrap().byes(&reason);
    byes.iter().map(|bytes| Message::parse(bytes).unwrap()).collect()
}

fn start(bye: &Message) -> (String, u32, String, Vec<String>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(bye.request_uri()),
        bye.cseq().unwrap().number,
        text(tag(bye, HeaderName::From)),
        bye.values(HeaderName::Route).map(text).collect(),
    )
}

#[test]
fn each_side_gets_the_bye_that_the_other_would_send() {
    let (dialogs, call) = answered();
    let byes = byes(&dialogs, &call);
    let [near, far] =
        ["<sip:192.0.2.1:5060;lr>", "<sip:token@192.0.2.1:8080;transport=ws;lr>"].map(String::from);
    assert_eq!(start(&byes[0]), (PHONE.to_owned(), 8, "a".to_owned(), vec![far.clone(), near.clone()]));
    assert_eq!(start(&byes[1]), (PAGE.to_owned(), 1, "b".to_owned(), vec![near, far]));
    let reason = byes[0].header(HeaderName::Reason).unwrap();
    assert_eq!(reason, b"SIP;cause=480;text=\"ICE-LOST: the 'browser' is gone\"");
}

#[test]
fn requests_of_either_side_count_on_and_move_its_contact() {
    let (mut dialogs, call) = answered();
    dialogs.request(&message("INFO sip:x SIP/2.0", "a", "b", "9 INFO", "sip:elsewhere"));
    dialogs.request(&message("INVITE sip:x SIP/2.0", "b", "a", "40 INVITE", "sip:bob@198.51.100.8"));
    dialogs.response(
        Instant::from_secs(3),
        &message("SIP/2.0 200 OK", "b", "a", "40 INVITE", "sip:y@page.invalid"),
    );
    let byes = byes(&dialogs, &call);
    assert_eq!((byes[0].cseq().unwrap().number, byes[0].request_uri()), (10, &b"sip:bob@198.51.100.8"[..]));
    assert_eq!((byes[1].cseq().unwrap().number, byes[1].request_uri()), (41, &b"sip:y@page.invalid"[..]));
}

#[test]
fn the_callers_refusal_is_the_last_word_on_a_call_that_nobody_answered() {
    let mut dialogs = Dialogs::default();
    let call = key(b"one", b"a", 0);
    let invite = message("INVITE sip:bob@example.com SIP/2.0", "a", "", "7 INVITE", PAGE);
    dialogs.begin(Instant::ZERO, &call, &invite);
    let word = |start: &str, sequence: &str| message(start, "a", "x", sequence, PHONE);
    assert_eq!(dialogs.last_word(&word("SIP/2.0 180 Ringing", "7 INVITE")), None);
    assert_eq!(
        dialogs.last_word(&word("SIP/2.0 407 Proxy Authentication Required", "6 INVITE")),
        None,
        "an older one's"
    );
    assert_eq!(dialogs.last_word(&word("SIP/2.0 481 No", "8 PRACK")), None);
    assert_eq!(dialogs.last_word(&word("SIP/2.0 408 Request Timeout", "7 INVITE")), Some(call.clone()));
    assert_eq!(dialogs.get(&call).unwrap().status, Some(408));
    let (mut dialogs, _) = answered();
    assert_eq!(dialogs.last_word(&word("SIP/2.0 488 Not Acceptable Here", "7 INVITE")), None, "it stands");
}

#[test]
fn a_bye_that_is_refused_ends_its_call_unless_it_was_only_asked_who_sends_it() {
    for (refusal, from, to, over) in [
        ("SIP/2.0 430 Flow Failed", "b", "a", true),
        ("SIP/2.0 481 Call/Transaction Does Not Exist", "a", "b", true),
        ("SIP/2.0 407 Proxy Authentication Required", "a", "b", false),
        ("SIP/2.0 481 Call/Transaction Does Not Exist", "a", "x", false),
        ("SIP/2.0 430 Flow Failed", "x", "a", false),
    ] {
        let (mut dialogs, call) = answered();
        let word = dialogs.last_word(&message(refusal, from, to, "9 BYE", PHONE));
        assert_eq!(word, over.then(|| call.clone()), "{refusal} to {from}, who wrote to {to}");
        let ended_by = over.then_some(if from == "a" { "caller" } else { "callee" });
        assert_eq!(dialogs.get(&call).unwrap().ended_by, ended_by);
    }
}

#[test]
fn strangers_move_nothing() {
    let (mut dialogs, call) = answered();
    dialogs.request(&message("INVITE sip:x SIP/2.0", "c", "d", "40 INVITE", "sip:evil@198.51.100.9"));
    dialogs.response(
        Instant::from_secs(3),
        &message("SIP/2.0 200 OK", "a", "c", "7 INVITE", "sip:evil@198.51.100.9"),
    );
    assert_eq!(byes(&dialogs, &call)[0].request_uri(), PHONE.as_bytes());
}

#[test]
fn nobody_hangs_up_what_was_not_answered() {
    let mut dialogs = Dialogs::default();
    let call = key(b"one", b"a", 0);
    dialogs.begin(
        Instant::ZERO,
        &call,
        &message("INVITE sip:bob@example.com SIP/2.0", "a", "", "7 INVITE", PAGE),
    );
    dialogs.response(Instant::ZERO, &message("SIP/2.0 180 Ringing", "a", "b", "7 INVITE", PHONE));
    assert!(byes(&dialogs, &call).is_empty());
    assert!(dialogs.answered().is_empty());
}
