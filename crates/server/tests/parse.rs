//! `sipweb parse`: messages explained, for people and for programs.

mod harness;

use std::fs;

use harness::{sipweb, text};

const GOOD: &str = "INVITE sip:bob@example.com;transport=tcp SIP/2.0\r\n\
    Via: SIP/2.0/TCP phone.example.com:5062;branch=z9hG4bK7;rport\r\n\
    Max-Forwards: 70\r\n\
    f: \"Alice \\\"A\\\"\" <sip:alice@example.com>;tag=88\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: 1@phone.example.com\r\n\
    CSeq: 314 INVITE\r\n\
    Contact: <sip:alice@192.0.2.9:5062>;q=0.7;expires=60, <sip:alice@[2001:db8::9]>\r\n\
    Proxy-Authorization: Digest username=\"alice\", realm=\"r\", nonce=\"n\", uri=\"sip:bob@example.com\", response=\"00\"\r\n\
    X-Shop: green\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 27\r\n\
    \r\n\
    v=0\r\nm=audio 9 RTP/AVP 0\r\n\r\n";

/// The same without From.
fn bad() -> String {
    GOOD.lines().filter(|line| !line.starts_with("f:")).map(|line| format!("{line}\r\n")).collect()
}

#[test]
fn a_good_message_is_explained_header_by_header() {
    let output = sipweb(&["parse", "-"], GOOD);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("standard input: acceptable\n"), "{said}");
    for expected in [
        "INVITE sip:bob@example.com;transport=tcp SIP/2.0\n        scheme=sip · user=bob · host=example.com · uri transport=tcp\n",
        "   2  Via: SIP/2.0/TCP phone.example.com:5062;branch=z9hG4bK7;rport\n        transport=TCP · host=phone.example.com · port=5062 · branch=z9hG4bK7 · rport=(set)\n",
        "   4  From (written f): \"Alice",
        "display name=Alice \"A\" · scheme=sip · user=alice · host=example.com · tag=88\n",
        "        scheme=sip · user=alice · host=192.0.2.9 · port=5062 · q=0.7 · expires=60\n        scheme=sip · user=alice · host=[2001:db8::9]\n",
        "scheme=Digest · username=alice · realm=r",
        "  10  X-Shop: green\n",
        "body: 27 octets, application/sdp\n",
        "media: kind, port, profile, formats\n",
    ] {
        assert!(said.contains(expected), "missing: {expected}\nin: {said}");
    }
}

#[test]
fn what_is_wrong_is_told_with_place_rule_and_the_answer_a_server_gives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.sip");
    fs::write(&file, bad()).unwrap();
    let output = sipweb(&["parse", &file.display().to_string()], "");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("bad.sip: NOT acceptable\n"), "{said}");
    let wrong = said.lines().find(|line| line.contains(": wrong: ")).unwrap();
    assert!(
        wrong.contains("From: ") && wrong.contains("RFC 3261 §20.20") && wrong.contains("answered 400"),
        "{wrong}"
    );
}

#[test]
fn programs_get_one_object_a_line_for_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let names =
        ["good.sip", "bad.sip", "noise.sip"].map(|name| folder.path().join(name).display().to_string());
    for (name, content) in names.iter().zip([GOOD.to_owned(), bad(), "hello\r\n\r\n".to_owned()]) {
        fs::write(name, content).unwrap();
    }
    let output = sipweb(&["parse", "--json", &names[0], &names[1], &names[2]], "");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    let objects: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[0]["acceptable"], true);
    assert_eq!(objects[0]["start"]["method"], "INVITE");
    assert_eq!(objects[0]["headers"][2]["name"], "From");
    assert_eq!(objects[0]["headers"][2]["written"], "f");
    assert_eq!(objects[0]["headers"][2]["values"][0]["tag"], "88");
    assert_eq!(objects[0]["headers"][2]["line"], 4);
    assert_eq!(objects[0]["body"]["description"][0]["text"], "v=0");
    assert_eq!(objects[1]["faults"][0]["header"], "From");
    assert_eq!(objects[1]["faults"][0]["status"], 400);
    assert_eq!(objects[2]["faults"][0]["rule"], "RFC 3261 §7.1, §7.2");
}

#[test]
fn a_missing_file_fails_and_the_others_are_explained() {
    let output = sipweb(&["parse", "/nowhere/at/all", "-"], GOOD);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read /nowhere/at/all"));
    assert!(
        text(&output.stdout).starts_with("\nstandard input: acceptable")
            || text(&output.stdout).contains("acceptable")
    );
}

#[test]
fn control_characters_of_a_message_do_not_reach_the_terminal() {
    let message = GOOD.replace("X-Shop: green", "X-Shop: \u{1b}[2Jgreen\u{202e}");
    let output = sipweb(&["parse", "-"], &message);
    let said = text(&output.stdout);
    assert!(!said.contains('\u{1b}') && !said.contains('\u{202e}'), "{said}");
    assert!(said.contains("\\x1b[2Jgreen\\u{202e}"), "{said}");
}

#[test]
fn a_missing_file_is_no_crash_where_not_even_that_can_be_said() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sipweb"));
    let status = command.args(["parse", "missing.sip"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
}
