//! The messages of RFC 4475 and RFC 5118, and those of real user agents, where the folder with them is at hand.
//!
//! The project's own tests do not need the folder; CI has it.

use std::fs;
use std::path::PathBuf;

use sip::entropy::{Entropy, SeededEntropy};
use sip::header::{Contact, Date};
use sip::{Builder, HeaderName, Message, Method};

mod json;

use json::Json;

/// The folder with the vectors, or `None` where it is not there. Under `CI` it must be there.
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no folder {}", folder.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have the folder with the vectors");
    None
}

/// What a message comes to at the door of a proxy or registrar.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Let in: the proxy's or the registrar's rules decide.
    In,
    /// Answered with this status.
    Answered(u16),
    /// Dropped without an answer.
    Dropped,
}

fn outcome(bytes: &[u8]) -> Outcome {
    let Ok(message) = Message::parse(bytes) else { return Outcome::Dropped };
    let Err(fault) = message.check() else { return Outcome::In };
    let Some(status) = fault.status else { return Outcome::Dropped };
    let response = Builder::response_to(&message, status, "").to_tag(b"torture").finish().expect("an answer");
    let response = Message::parse(&response).expect("the answer is a message");
    assert_eq!(response.status(), Some(status));
    assert_eq!(response.header(HeaderName::CallId).is_some(), message.header(HeaderName::CallId).is_some());
    Outcome::Answered(status)
}

/// Of the outcomes that the RFC's prose allows, the one that this parser has.
fn expected(file: &str, parse: &str, kind: &str) -> Outcome {
    match file {
        // Malformed only in what a proxy does not use (§3.1.2.12).
        "baddate.dat" => Outcome::In,
        "badvers.dat" => Outcome::Answered(505),
        // Repeated or missing headers that a message stands on (§3.3.1, §3.3.8, §3.3.9).
        "insuf.dat" | "multi01.dat" | "mcl01.dat" => Outcome::Answered(400),
        _ if parse != "reject" => Outcome::In,
        _ if kind == "response" => Outcome::Dropped,
        _ => Outcome::Answered(400),
    }
}

#[test]
fn rfc_4475_messages_come_to_the_outcomes_of_their_prose() {
    let Some(folder) = folder() else { return };
    let table = Json::parse(&fs::read_to_string(folder.join("rfc4475/expected.json")).unwrap());
    let (mut right, mut all) = (0, 0);
    for row in table.get("messages").items() {
        let (file, parse) = (row.get("file").text(), row.get("parse").text());
        let bytes = fs::read(folder.join("rfc4475").join(file)).unwrap();
        let found = outcome(&bytes);
        if parse == "unreferenced" {
            continue;
        }
        all += 1;
        let wanted = expected(file, parse, row.get("kind").text());
        if found == wanted {
            right += 1;
        } else {
            println!("{file}: {found:?}, wanted {wanted:?}");
        }
    }
    println!("RFC 4475: {right} of {all}");
    assert_eq!((right, all), (49, 49));
}

#[test]
fn rfc_5118_messages_come_to_the_outcomes_of_their_prose() {
    let Some(folder) = folder() else { return };
    let table = Json::parse(&fs::read_to_string(folder.join("rfc5118/expected.json")).unwrap());
    let (mut right, mut all) = (0, 0);
    for row in table.get("messages").items() {
        let bytes = fs::read(folder.join("rfc5118").join(row.get("wire").text())).unwrap();
        let message = Message::parse(&bytes).unwrap();
        // The lengths were counted with other line ends; framing is not what this RFC tests.
        let bytes = message.edit().body(b"application/sdp", message.body()).finish().unwrap();
        let found = outcome(&bytes);
        let wanted = if row.get("parse").text() == "ok" { Outcome::In } else { Outcome::Answered(400) };
        all += 1;
        if found == wanted {
            right += 1;
        } else {
            println!("{}: {found:?}, wanted {wanted:?}", row.get("file").text());
        }
    }
    println!("RFC 5118: {right} of {all}");
    assert_eq!((right, all), (12, 12));
}

/// One message of RFC 4475 by name.
fn torture(name: &str) -> Option<Vec<u8>> {
    folder().map(|folder| fs::read(folder.join("rfc4475").join(name)).unwrap())
}

#[test]
fn what_the_prose_of_rfc_4475_says_about_values_holds() {
    let Some(bytes) = torture("wsinv.dat") else { return };
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.values(HeaderName::Via).count(), 3);
    assert_eq!(message.to().unwrap().tag(), Some(&b"1918181833n"[..]));
    assert_eq!(message.max_forwards(), Ok(Some(68)));
    assert_eq!(message.header(HeaderName::Subject), Some(&b""[..]));

    let bytes = torture("esc02.dat").unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.method(), Some(Method::Other(b"RE%47IST%45R")));
    assert_eq!(message.values(HeaderName::Contact).count(), 2);

    let bytes = torture("dblreq.dat").unwrap();
    let first = Message::parse(&bytes).unwrap();
    let second = Message::parse(&bytes[first.as_bytes().len()..]).unwrap();
    assert_eq!((first.method(), second.method()), (Some(Method::Register), Some(Method::Invite)));

    let bytes = torture("cparam01.dat").unwrap();
    let message = Message::parse(&bytes).unwrap();
    let contact = message.contacts().next().unwrap().unwrap();
    assert!(contact.parameters().get("unknownparam").is_some());
    assert!(contact.uri().unwrap().unwrap().parameter("unknownparam").is_none());

    let bytes = torture("baddate.dat").unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert!(Date::parse(message.header(HeaderName::Date).unwrap()).is_err());

    let bytes = torture("badbranch.dat").unwrap();
    assert_eq!(Message::parse(&bytes).unwrap().top_via().unwrap().transaction_branch(), None);

    let bytes = torture("regescrt.dat").unwrap();
    let message = Message::parse(&bytes).unwrap();
    let Contact::Address(address) = message.contacts().next().unwrap().unwrap() else { panic!("a star") };
    assert!(!address.uri().unwrap().headers_bytes().is_empty());
}

/// Every SIP message in the manifest: path, class, bytes.
fn manifest(folder: &std::path::Path) -> Vec<(String, String, Vec<u8>)> {
    let manifest = fs::read_to_string(folder.join("MANIFEST.jsonl")).unwrap();
    let rows = manifest.lines().map(Json::parse);
    rows.filter(|row| row.get("file").text().starts_with("sip/"))
        .map(|row| {
            let file = row.get("file").text().to_owned();
            let bytes = fs::read(folder.join(&file)).unwrap();
            (file, row.get("cls").text().to_owned(), bytes)
        })
        .collect()
}

/// Messages that the manifest calls well formed, because their framing is, with a fault that RFC 4475 has answered
/// with 400: the start of the file's name, and the torture message with the same fault.
const TWINS: [(&str, &str); 8] = [
    ("sip/0302", "multi01.dat"),
    ("sip/0306", "badaspec.dat"),
    ("sip/0314", "escruri.dat"),
    ("sip/0323", "baddn.dat"),
    ("sip/0378", "mismatch01.dat"),
    ("sip/0398", "mismatch01.dat"),
    ("sip/0438", "mismatch01.dat"),
    ("sip/0440", "mismatch01.dat"),
];

#[test]
fn well_formed_messages_of_real_peers_are_accepted_and_pass_through_byte_exact() {
    let Some(folder) = folder() else { return };
    let (mut right, mut twins, mut all) = (0, 0, 0);
    for (file, class, bytes) in manifest(&folder) {
        if class != "wellformed" {
            continue;
        }
        all += 1;
        let message = Message::parse(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(message.edit().finish().as_deref(), Ok(message.as_bytes()), "{file}");
        assert!(bytes.ends_with(message.as_bytes()), "{file}: the message was cut");
        let again = Message::parse(message.as_bytes()).unwrap();
        assert!(again.fields().eq(message.fields()) && again.body() == message.body(), "{file}");
        if let Some((_, twin)) = TWINS.iter().find(|(name, _)| file.starts_with(name)) {
            let twin = fs::read(folder.join("rfc4475").join(twin)).unwrap();
            assert_eq!(outcome(&bytes), outcome(&twin), "{file}");
            twins += 1;
            continue;
        }
        match message.check() {
            Ok(()) => right += 1,
            Err(fault) => println!("{file}: {fault} at {}", fault.offset),
        }
    }
    println!(
        "well-formed messages: {all} parsed and passed byte exact; {right} let in, {twins} with a fault of RFC 4475"
    );
    assert_eq!(right + twins, all);
}

#[test]
fn suspect_and_mutated_messages_are_answered_or_dropped_or_let_in_without_harm() {
    let Some(folder) = folder() else { return };
    for (file, class, bytes) in manifest(&folder) {
        if class == "suspect" {
            assert_ne!(outcome(&bytes), Outcome::In, "{file} lacks something mandatory");
        } else if class != "wellformed" {
            outcome(&bytes);
        }
    }
}

/// Reads everything that can be read from `bytes`.
fn exercise(bytes: &[u8]) {
    let _ = (sip::frame(bytes), sip::keep_alive(bytes));
    let Ok(message) = Message::parse(bytes) else { return };
    let checked = message.check();
    let _ = (message.top_via(), message.from(), message.to(), message.call_id(), message.cseq());
    for contact in message.contacts().flatten() {
        let _ = (contact.q(), contact.expires());
    }
    let edited = message.edit().finish();
    if checked.is_ok() {
        assert_eq!(edited.as_deref(), Ok(message.as_bytes()));
        let _ = message
            .edit()
            .remove_first_value(HeaderName::Via)
            .prepend(HeaderName::Route, b"<sip:a>")
            .finish();
    }
    if message.is_request() {
        let response = Builder::response_to(&message, 400, "").to_tag(b"x").finish();
        assert!(
            response
                .is_ok_and(|response| Message::parse(&response).is_ok_and(|again| has_clean_lines(&again)))
        );
    }
}

/// Whether every line end of the headers is CRLF.
fn has_clean_lines(message: &Message) -> bool {
    !message.check().is_err_and(|fault| fault.reason.contains("CRLF"))
}

#[test]
fn nothing_in_the_folder_truncated_or_flipped_makes_the_parser_panic() {
    let Some(folder) = folder() else { return };
    let mut files = vec![];
    for part in ["sip", "rfc4475", "rfc5118", "rfc5118/wire", "sdp"] {
        files.extend(fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let mut entropy = SeededEntropy::new(4475);
    for path in files.into_iter().filter(|path| path.is_file()) {
        let bytes = fs::read(&path).unwrap();
        exercise(&bytes);
        let step = (bytes.len() / 48).max(1);
        for end in (0..bytes.len()).step_by(step) {
            exercise(&bytes[..end]);
        }
        let mut flipped = bytes.clone();
        for _ in 0..48.min(bytes.len()) {
            let at = (entropy.number() % bytes.len() as u64) as usize;
            flipped[at] ^= 1 << (entropy.number() % 8);
            exercise(&flipped);
            flipped[at] = bytes[at];
        }
    }
}
