//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use sip::{Message, Method, Received};

use crate::stage::{Stage, UDP, ack, altered, invite, is_absorbed, is_response, request, response, tagged};

#[test]
fn a_response_must_have_our_branch_our_sent_by_and_our_method() {
    let mut stage = Stage::new();
    let key = stage.request(UDP, &invite());
    let stray = |stage: &mut Stage, message: Message| {
        matches!(stage.receive(UDP, message), Received::StrayResponse { .. })
    };
    let ok = response(&invite(), 180);
    assert!(stray(&mut stage, altered(&ok, "z9hG4bK-invite", "z9hG4bK-other")));
    assert!(stray(&mut stage, altered(&ok, "client.example", "elsewhere.example")));
    assert!(stray(&mut stage, altered(&ok, "7 INVITE", "7 CANCEL")));
    assert!(stray(&mut stage, altered(&ok, "SIP/2.0 180", "SIP/2.0 999")), "not a status");
    assert!(is_response(&stage.receive(UDP, altered(&ok, "client.example", "CLIENT.Example")), key));
    assert!(is_response(&stage.receive(UDP, altered(&ok, ";rport", ";rport=9;received=1.2.3.4")), key));
}

#[test]
fn a_request_must_have_the_branch_the_sent_by_and_the_method() {
    let mut stage = Stage::new();
    let options = request(Method::Options, "z9hG4bK-x");
    let key = stage.accept(UDP, &options);
    assert!(is_absorbed(&stage.receive(UDP, options.clone())));
    assert_ne!(stage.accept(UDP, &altered(&options, "z9hG4bK-x", "z9hG4bK-y")), key);
    assert_ne!(stage.accept(UDP, &altered(&options, "z9hG4bK-x", "z9hG4bK-X")), key);
    assert_ne!(stage.accept(UDP, &altered(&options, "client.example:5070;", "client.example:5071;")), key);
    assert_ne!(stage.accept(UDP, &request(Method::Info, "z9hG4bK-x")), key);
    assert!(is_absorbed(
        &stage.receive(UDP, altered(&options, "client.example:5070;", "Client.EXAMPLE:5070;"))
    ));
    // The branch says all; what a proxy upstream changed on a retransmission does not matter.
    assert!(is_absorbed(&stage.receive(UDP, altered(&options, "Max-Forwards: 70", "Max-Forwards: 69"))));
}

#[test]
fn our_own_request_coming_back_is_another_transaction() {
    let mut stage = Stage::new();
    stage.request(UDP, &invite());
    stage.accept(UDP, &invite());
    assert_eq!(stage.table.len(), 2);
}

/// What a client of RFC 2543 sends.
fn old(method: Method<'_>, branch: &str) -> Message {
    let message = request(method, "BRANCH");
    if branch.is_empty() {
        altered(&message, ";branch=BRANCH", "")
    } else {
        altered(&message, "BRANCH", branch)
    }
}

#[test]
fn without_the_magic_cookie_the_whole_of_rfc_2543_must_match() {
    for branch in ["", "1", "z9hG4b", "z9hG4bK"] {
        let mut stage = Stage::new();
        let options = old(Method::Options, branch);
        let key = stage.accept(UDP, &options);
        assert!(is_absorbed(&stage.receive(UDP, options.clone())), "{branch:?}");
        for (from, to) in [
            ("sip:bob@example.com SIP", "sip:carol@example.com SIP"),
            (";tag=a1", ";tag=a2"),
            ("Bob <sip:bob@example.com>", "Bob <sip:bob@example.com>;tag=b1"),
            ("call@client", "other@client"),
            ("CSeq: 7 ", "CSeq: 8 "),
            ("client.example:5070;", "client.example:5071;"),
        ] {
            assert_ne!(stage.accept(UDP, &altered(&options, from, to)), key, "{branch:?} {to}");
        }
        assert_ne!(stage.accept(UDP, &old(Method::Info, branch)), key);
    }
}

#[test]
fn an_old_ack_and_an_old_cancel_find_their_invite() {
    for branch in ["", "z9hG4bK"] {
        let mut stage = Stage::new();
        let invite = old(Method::Invite, branch);
        let key = stage.accept(UDP, &invite);
        assert!(is_absorbed(&stage.receive(UDP, invite.clone())));
        let cancel = old(Method::Cancel, branch);
        assert!(matches!(
            stage.receive(UDP, cancel),
            Received::Cancel { invite: Some(found), .. } if found == key
        ));
        let busy = response(&invite, 487);
        stage.respond(key, &busy);
        // RFC 3261 §17.2.3: the To tag tells the ACK for this response from that for another.
        assert!(matches!(
            stage.receive(UDP, ack(&invite, &tagged(&invite, 200, "another"))),
            Received::Ack { .. }
        ));
        assert!(is_absorbed(&stage.receive(UDP, ack(&invite, &busy))));
        stage.run_until(4_999);
        assert_eq!(stage.events(), ["487"], "Timer G has stopped");
    }
}

#[test]
fn two_calls_with_the_bare_cookie_are_two_calls() {
    let mut stage = Stage::new();
    let one = old(Method::Invite, "z9hG4bK");
    let other = altered(&one, "call@client", "other@client");
    assert_ne!(stage.accept(UDP, &one), stage.accept(UDP, &other));
}

#[test]
fn messages_that_lack_what_identifies_them_break_nothing() {
    let whole = String::from_utf8(request(Method::Options, "z9hG4bK-x").as_bytes().to_vec()).unwrap();
    let lines: Vec<&str> = whole.split_inclusive("\r\n").collect();
    let answer = String::from_utf8(response(&invite(), 200).as_bytes().to_vec()).unwrap();
    let answer_lines: Vec<&str> = answer.split_inclusive("\r\n").collect();
    let mut stage = Stage::new();
    for lines in [lines, answer_lines] {
        for left_out in 1..lines.len() - 1 {
            let text: String = lines
                .iter()
                .enumerate()
                .filter(|(place, _)| *place != left_out)
                .map(|(_, line)| *line)
                .collect();
            if let Ok(message) = Message::parse(text.as_bytes()) {
                stage.receive(UDP, message);
            }
        }
    }
    stage.run_until(600_000);
    assert!(stage.table.is_empty());
}
