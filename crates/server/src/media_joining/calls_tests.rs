use super::*;

const BROWSER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 AA\r\n";
const PHONE: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A request or response of one call between alice (tag a) and bob (tag b).
fn message(start: &str, branch: &str, from: &str, to: &str, sequence: &str, body: &str) -> Message {
    let tag = |tag: &str| if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:x@example.com>{}\r\nTo: <sip:y@example.com>{}\r\n\
         Call-ID: one\r\nCSeq: {sequence}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        tag(from),
        tag(to),
        body.len()
    );
    Message::parse(text.as_bytes()).unwrap()
}

fn invite(branch: &str, body: &str) -> Message {
    message("INVITE sip:bob@example.com SIP/2.0", branch, "a", "", "1 INVITE", body)
}

fn ok(branch: &str, body: &str) -> Message {
    message("SIP/2.0 200 OK", branch, "a", "b", "1 INVITE", body)
}

fn call() -> CallKey {
    CallKey::new(b"one\0a".to_vec())
}

fn offer(branch: &str, from: Side) -> Step {
    Step::Offer { call: call(), branch: key(branch), from, replaces: false }
}

fn key(branch: &str) -> BranchKey {
    BranchKey::new(branch.as_bytes())
}

fn won(branch: &str) -> Consequence {
    Consequence::BranchWon(call(), key(branch), b"b".to_vec())
}

/// Alice's browser has called bob's phone, which answered on branch z1.
fn answered() -> Calls {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
    calls.response(Instant::ZERO, &ok("z1", PHONE)).unwrap();
    calls.after_response(&ok("z1", PHONE));
    calls
}

#[test]
fn an_offer_to_its_own_kind_passes() {
    let mut calls = Calls::default();
    assert_eq!(calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Wss), None);
    assert_eq!(calls.request(Instant::ZERO, &invite("z1", PHONE), Transport::Tcp), None);
    assert!(calls.is_empty());
}

#[test]
fn each_branch_to_the_other_kind_is_an_offer_and_the_one_that_answers_wins() {
    let mut calls = Calls::default();
    for branch in ["z1", "z2"] {
        let step = calls.request(Instant::ZERO, &invite(branch, BROWSER), Transport::Udp);
        let expected =
            Step::Offer { call: call(), branch: key(branch), from: Side::Browser, replaces: false };
        assert_eq!(step, Some(expected.clone()));
        // Sent again, it means the same.
        assert_eq!(calls.request(Instant::ZERO, &invite(branch, BROWSER), Transport::Udp), Some(expected));
    }
    let step = calls.response(Instant::ZERO, &ok("z2", PHONE));
    assert_eq!(step, Some(Step::Answer { call: call(), branch: key("z2"), from: Side::Phone }));
    let expected = [Consequence::BranchOver(call(), key("z1")), won("z2")];
    assert_eq!(calls.after_response(&ok("z2", PHONE)), expected);
}

fn busy(branch: &str) -> Message {
    message("SIP/2.0 486 Busy Here", branch, "a", "b", "1 INVITE", "")
}

/// What follows from a response.
fn follows(calls: &mut Calls, now: Instant, response: &Message) -> Vec<Consequence> {
    calls.response(now, response);
    calls.after_response(response)
}

#[test]
fn the_branch_that_was_refused_last_stays_until_the_next_one_has_begun() {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
    assert_eq!(follows(&mut calls, Instant::ZERO, &busy("z1")), [], "there may be more to try");
    let next = invite("z2", BROWSER);
    assert_eq!(calls.request(Instant::ZERO, &next, Transport::Udp), Some(offer("z2", Side::Browser)));
    assert_eq!(calls.after_request(&next), Some(Consequence::BranchOver(call(), key("z1"))));
    assert_eq!(follows(&mut calls, Instant::ZERO, &ok("z2", PHONE)), [won("z2")]);
}

#[test]
fn a_call_that_every_branch_refused_is_forgotten_if_nobody_says_so() {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &invite("z1", PHONE), Transport::Ws).unwrap();
    follows(&mut calls, Instant::ZERO, &busy("z1"));
    assert_eq!(calls.stale(Instant::ZERO + BETWEEN_BRANCHES), []);
    let later = Instant::ZERO + BETWEEN_BRANCHES + Duration::from_secs(1);
    assert_eq!(calls.stale(later), [Consequence::CallOver(call())]);
    assert!(calls.is_empty());
}

#[test]
fn a_call_that_somebody_else_answers_is_over_with_his_ack_and_the_refusal_of_its_branch() {
    let ack = from_hop(&message("ACK sip:c@192.0.2.9 SIP/2.0", "z3", "a", "c", "1 ACK", ""), "WSS");
    for ack_comes_first in [true, false] {
        let mut calls = Calls::default();
        calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
        let mut consequences = Vec::new();
        if ack_comes_first {
            consequences.extend(calls.after_request(&ack));
        }
        let cancelled = message("SIP/2.0 487 Request Terminated", "z1", "a", "b", "1 INVITE", "");
        let over = follows(&mut calls, Instant::ZERO, &cancelled);
        consequences.extend(over);
        // The ACK to the refusal, which is ours.
        consequences.extend(calls.after_request(&message(
            "ACK sip:b@192.0.2.9 SIP/2.0",
            "z1",
            "a",
            "b",
            "1 ACK",
            "",
        )));
        assert_eq!(consequences.len(), usize::from(ack_comes_first), "{consequences:?}");
        if !ack_comes_first {
            consequences.extend(calls.after_request(&ack));
        }
        assert_eq!(consequences, [Consequence::CallOver(call())]);
        assert!(calls.is_empty());
    }
}

#[test]
fn an_offer_inside_the_call_is_told_by_its_sender() {
    let mut calls = answered();
    let reinvite = message("INVITE sip:alice@x.invalid SIP/2.0", "z9", "b", "a", "7 INVITE", PHONE);
    let step = calls.request(Instant::ZERO, &reinvite, Transport::Ws);
    assert_eq!(
        step,
        Some(Step::Offer { call: call(), branch: key("z1"), from: Side::Phone, replaces: false })
    );
    let answer = message("SIP/2.0 200 OK", "z9", "b", "a", "7 INVITE", BROWSER);
    let step = calls.response(Instant::ZERO, &answer);
    assert_eq!(step, Some(Step::Answer { call: call(), branch: key("z1"), from: Side::Browser }));
}

#[test]
fn a_late_offer_comes_back_and_its_answer_follows_in_the_ack() {
    let mut calls = answered();
    let reinvite = message("INVITE sip:alice@x.invalid SIP/2.0", "z9", "b", "a", "7 INVITE", "");
    assert_eq!(calls.request(Instant::ZERO, &reinvite, Transport::Ws), None);
    let offer = message("SIP/2.0 200 OK", "z9", "b", "a", "7 INVITE", BROWSER);
    assert_eq!(
        calls.response(Instant::ZERO, &offer),
        Some(Step::Offer { call: call(), branch: key("z1"), from: Side::Browser, replaces: false })
    );
    let ack = message("ACK sip:alice@x.invalid SIP/2.0", "z10", "b", "a", "7 ACK", PHONE);
    assert_eq!(
        calls.request(Instant::ZERO, &ack, Transport::Ws),
        Some(Step::Answer { call: call(), branch: key("z1"), from: Side::Phone })
    );
}

#[test]
fn a_refused_offer_is_withdrawn_and_the_call_goes_on() {
    let mut calls = answered();
    let reinvite = message("INVITE sip:bob@192.0.2.9 SIP/2.0", "z9", "a", "b", "2 INVITE", BROWSER);
    calls.request(Instant::ZERO, &reinvite, Transport::Udp).unwrap();
    let refused = message("SIP/2.0 488 Not Acceptable Here", "z9", "a", "b", "2 INVITE", "");
    assert_eq!(calls.response(Instant::ZERO, &refused), None);
    assert_eq!(calls.after_response(&refused), [Consequence::OfferRefused(call(), key("z1"))]);
    assert!(!calls.is_empty());
}

#[test]
fn a_call_from_before_our_restart_is_joined_anew_by_the_next_offer_in_it() {
    let mut calls = Calls::default();
    let reinvite = message("INVITE sip:bob@192.0.2.9 SIP/2.0", "z9", "a", "b", "2 INVITE", BROWSER);
    for _sent in 0..2 {
        assert_eq!(
            calls.request(Instant::ZERO, &reinvite, Transport::Udp),
            Some(offer("z9", Side::Browser)),
            "sent again, it means the same"
        );
    }
    let answer = message("SIP/2.0 200 OK", "z9", "a", "b", "2 INVITE", PHONE);
    let step = calls.response(Instant::ZERO, &answer);
    assert_eq!(step, Some(Step::Answer { call: call(), branch: key("z9"), from: Side::Phone }));
    calls.after_response(&answer);
    let bye = message("BYE sip:alice@x.invalid SIP/2.0", "z10", "b", "a", "7 BYE", "");
    assert_eq!(calls.after_request(&bye), Some(Consequence::CallOver(call())));
}

#[test]
fn the_answer_to_a_cancel_answers_no_invite_and_the_ack_of_a_refusal_offers_nothing() {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
    let cancelled = message("SIP/2.0 200 OK", "z1", "a", "b", "1 CANCEL", "");
    assert_eq!(calls.response(Instant::ZERO, &cancelled), None);
    assert!(calls.after_response(&cancelled).is_empty());
    let terminated = message("SIP/2.0 487 Request Terminated", "z1", "a", "b", "1 INVITE", "");
    assert_eq!(follows(&mut calls, Instant::ZERO, &terminated), []);
    assert_eq!(calls.stale(Instant::from_secs(61)), [Consequence::CallOver(call())]);

    let mut calls = answered();
    let reinvite = message("INVITE sip:bob@192.0.2.9 SIP/2.0", "z9", "a", "b", "2 INVITE", BROWSER);
    calls.request(Instant::ZERO, &reinvite, Transport::Udp).unwrap();
    calls.response(Instant::ZERO, &message("SIP/2.0 488 Not Here", "z9", "a", "b", "2 INVITE", ""));
    let ack = message("ACK sip:bob@192.0.2.9 SIP/2.0", "z9", "a", "b", "2 ACK", "");
    assert_eq!(calls.request(Instant::ZERO, &ack, Transport::Udp), None);
}

#[test]
fn only_those_who_are_in_the_call_can_end_it() {
    let mut calls = answered();
    let stranger = message("BYE sip:alice@x.invalid SIP/2.0", "z9", "c", "a", "7 BYE", "");
    assert_eq!(calls.after_request(&stranger), None);
    let bye = message("BYE sip:alice@x.invalid SIP/2.0", "z9", "b", "a", "7 BYE", "");
    assert_eq!(calls.after_request(&bye), Some(Consequence::CallOver(call())));
    assert!(calls.is_empty());
}

#[test]
fn what_rings_without_a_word_for_longer_than_any_timer_c_is_given_up() {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
    assert!(calls.stale(Instant::from_secs(3600)).is_empty(), "the longest that can be configured");
    assert_eq!(calls.stale(Instant::from_secs(3901)), [Consequence::CallOver(call())]);
}

#[test]
fn who_waits_in_a_queue_with_early_media_keeps_it_for_as_long_as_the_queue_tells_of_itself() {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
    let progress = message("SIP/2.0 183 Session Progress", "z1", "a", "b", "1 INVITE", PHONE);
    for minute in 1..120 {
        let now = Instant::from_secs(60 * minute);
        assert_eq!(follows(&mut calls, now, &progress), []);
        assert_eq!(calls.stale(now), [], "after {minute} minutes");
    }
    let answered = follows(&mut calls, Instant::from_secs(7200), &ok("z1", PHONE));
    assert_eq!(answered, [won("z1")]);
}

/// A request of the caller (to its page or phone) without a description, which came to us over this transport.
fn late_invite(branch: &str, before: &str) -> Message {
    let text = format!(
        "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\n\
         Via: SIP/2.0/{before} 192.0.2.7;branch=z0\r\nFrom: <sip:x@example.com>;tag=a\r\n\
         To: <sip:y@example.com>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes()).unwrap()
}

#[test]
fn an_invite_without_a_description_is_joined_by_the_offer_in_its_200_and_the_hop_of_its_caller() {
    for (before, offer, from, answer) in
        [("UDP", BROWSER, Side::Browser, PHONE), ("WSS", PHONE, Side::Phone, BROWSER)]
    {
        let mut calls = Calls::default();
        assert_eq!(calls.request(Instant::ZERO, &late_invite("z1", before), Transport::Udp), None);
        assert_eq!(
            calls.response(Instant::ZERO, &ok("z1", offer)),
            Some(Step::Offer { call: call(), branch: key("z1"), from, replaces: false })
        );
        assert_eq!(calls.after_response(&ok("z1", offer)), [won("z1")]);
        // The answer rides in an ACK that belongs to no branch.
        let ack = message("ACK sip:bob@192.0.2.9 SIP/2.0", "z9", "a", "b", "1 ACK", answer);
        assert_eq!(
            calls.request(Instant::ZERO, &ack, Transport::Udp),
            Some(Step::Answer { call: call(), branch: key("z1"), from: other(from) })
        );
    }
}

#[test]
fn an_offer_in_a_200_to_its_own_kind_passes_and_nothing_is_left_of_it() {
    for (before, offer) in [("UDP", PHONE), ("WS", BROWSER)] {
        let mut calls = Calls::default();
        calls.request(Instant::ZERO, &late_invite("z1", before), Transport::Udp);
        assert_eq!(calls.response(Instant::ZERO, &ok("z1", offer)), None);
        assert_eq!(calls.after_response(&ok("z1", offer)), [Consequence::CallOver(call())]);
        assert!(calls.is_empty());
    }
}

#[test]
fn a_200_without_a_description_wins_when_a_183_has_answered() {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
    let early = message("SIP/2.0 183 Session Progress", "z1", "a", "b", "1 INVITE", PHONE);
    calls.response(Instant::ZERO, &early).unwrap();
    assert_eq!(calls.after_response(&early), []);
    let ok = message("SIP/2.0 200 OK", "z1", "a", "b", "1 INVITE", "");
    assert_eq!(calls.response(Instant::ZERO, &ok), None);
    assert_eq!(calls.after_response(&ok), [won("z1")]);
}

#[test]
fn a_prack_belongs_to_the_branch_of_its_dialog() {
    let mut calls = Calls::default();
    for (branch, callee) in [("z1", "b"), ("z2", "c")] {
        calls.request(Instant::ZERO, &invite(branch, BROWSER), Transport::Udp).unwrap();
        let early = message("SIP/2.0 183 Session Progress", branch, "a", callee, "1 INVITE", PHONE);
        calls.response(Instant::ZERO, &early).unwrap();
    }
    for (branch, callee) in [("z1", "b"), ("z2", "c")] {
        let prack = message(
            "PRACK sip:bob@192.0.2.9 SIP/2.0",
            &format!("p{callee}"),
            "a",
            callee,
            "2 PRACK",
            BROWSER,
        );
        let step = calls.request(Instant::ZERO, &prack, Transport::Udp);
        let expected =
            Step::Offer { call: call(), branch: key(branch), from: Side::Browser, replaces: false };
        assert_eq!(step, Some(expected));
    }
}

#[test]
fn the_dialog_of_a_fork_behind_us_that_came_too_late_neither_changes_nor_ends_the_call() {
    let mut calls = answered();
    let second = message("SIP/2.0 200 OK", "z1", "a", "c", "1 INVITE", PHONE);
    assert_eq!(calls.response(Instant::ZERO, &second), None);
    let bye = message("BYE sip:bob@192.0.2.9 SIP/2.0", "z9", "a", "c", "2 BYE", "");
    assert_eq!(calls.after_request(&bye), None);
    assert!(!calls.is_empty());
}

#[test]
fn each_dialog_of_a_fork_behind_us_answers_the_first_offer_whatever_was_offered_in_another() {
    for (method, number) in [("UPDATE", "2 UPDATE"), ("PRACK", "2 PRACK")] {
        let mut calls = Calls::default();
        calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
        let early = |tag| message("SIP/2.0 183 Session Progress", "z1", "a", tag, "1 INVITE", PHONE);
        let answer = Some(Step::Answer { call: call(), branch: key("z1"), from: Side::Phone });
        assert_eq!(calls.response(Instant::ZERO, &early("b")), answer);
        let start = format!("{method} sip:bob@192.0.2.9 SIP/2.0");
        let later = message(&start, "z2", "a", "b", number, BROWSER);
        assert_eq!(calls.request(Instant::ZERO, &later, Transport::Udp), Some(offer("z1", Side::Browser)));
        assert_eq!(calls.response(Instant::ZERO, &early("c")), answer, "while the later offer is open");
        let settled = message("SIP/2.0 200 OK", "z2", "a", "b", number, PHONE);
        assert_eq!(calls.response(Instant::ZERO, &settled), answer);
        assert_eq!(calls.response(Instant::ZERO, &early("d")), answer);
        // The dialog of the later offer repeats its first answer, which has been overtaken.
        assert_eq!(calls.response(Instant::ZERO, &early("b")), Some(Step::Overtaken));
        let ok = message("SIP/2.0 200 OK", "z1", "a", "e", "1 INVITE", PHONE);
        assert_eq!(calls.response(Instant::ZERO, &ok), answer);
        let won = Consequence::BranchWon(call(), key("z1"), b"e".to_vec());
        assert_eq!(calls.after_response(&ok), [won]);
    }
}

#[test]
fn a_200_of_another_dialog_without_a_description_leaves_what_the_183_agreed() {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &invite("z1", BROWSER), Transport::Udp).unwrap();
    let early = message("SIP/2.0 183 Session Progress", "z1", "a", "b", "1 INVITE", PHONE);
    calls.response(Instant::ZERO, &early).unwrap();
    let ok = message("SIP/2.0 200 OK", "z1", "a", "c", "1 INVITE", "");
    assert_eq!(calls.response(Instant::ZERO, &ok), None);
    assert!(calls.after_response(&ok).contains(&Consequence::BranchWon(call(), key("z1"), Vec::new())));
}

/// A message that came to us from a hop of this transport.
fn from_hop(message: &Message, transport: &str) -> Message {
    let text = String::from_utf8(message.as_bytes().to_vec()).unwrap();
    let below = format!("\r\nVia: SIP/2.0/{transport} 192.0.2.7;branch=z9below\r\nFrom:");
    Message::parse(text.replacen("\r\nFrom:", &below, 1).as_bytes()).unwrap()
}

#[test]
fn a_call_that_passes_twice_is_joined_twice() {
    // From alice's page to a proxy behind us, and from there to bob's page.
    let again = || CallKey::new(b"one\0a\0".to_vec());
    let mut calls = Calls::default();
    let first = calls.request(Instant::ZERO, &from_hop(&invite("z1", BROWSER), "WSS"), Transport::Udp);
    assert_eq!(first, Some(offer("z1", Side::Browser)));
    let second = calls.request(Instant::ZERO, &from_hop(&invite("z2", PHONE), "UDP"), Transport::Wss);
    let Some(Step::Offer { call: joined, from, .. }) = second else { panic!("{second:?}") };
    assert_eq!((joined, from), (again(), Side::Phone));

    let step = calls.response(Instant::ZERO, &ok("z2", BROWSER));
    assert_eq!(step, Some(Step::Answer { call: again(), branch: key("z2"), from: Side::Browser }));
    calls.after_response(&ok("z2", BROWSER));
    let step = calls.response(Instant::ZERO, &ok("z1", PHONE));
    assert_eq!(step, Some(Step::Answer { call: call(), branch: key("z1"), from: Side::Phone }));
    calls.after_response(&ok("z1", PHONE));

    // Bob hangs up: the BYE ends the passage through which it goes, and then the other.
    let bye = message("BYE sip:alice@x.invalid SIP/2.0", "z3", "b", "a", "7 BYE", "");
    assert_eq!(calls.after_request(&from_hop(&bye, "WSS")), Some(Consequence::CallOver(again())));
    assert_eq!(calls.after_request(&from_hop(&bye, "UDP")), Some(Consequence::CallOver(call())));
    assert!(calls.is_empty());
}

#[test]
fn a_request_that_passes_again_on_its_way_to_a_phone_is_translated_once() {
    let mut calls = Calls::default();
    calls.request(Instant::ZERO, &from_hop(&invite("z1", BROWSER), "WSS"), Transport::Udp).unwrap();
    calls.response(Instant::ZERO, &ok("z1", PHONE)).unwrap();
    calls.after_response(&ok("z1", PHONE));
    let reinvite =
        |branch, body| message("INVITE sip:bob@192.0.2.9 SIP/2.0", branch, "a", "b", "2 INVITE", body);
    let step = calls.request(Instant::ZERO, &from_hop(&reinvite("z5", BROWSER), "WSS"), Transport::Udp);
    assert!(matches!(step, Some(Step::Offer { from: Side::Browser, .. })));
    let step = calls.request(Instant::ZERO, &from_hop(&reinvite("z6", PHONE), "UDP"), Transport::Udp);
    assert_eq!(step, None);
}

#[test]
fn between_two_phones_a_call_is_anchored_if_that_is_wanted_and_between_two_pages_only_if_always() {
    for (anchor, phones, pages) in
        [(Anchor::Never, false, false), (Anchor::Phones, true, false), (Anchor::Always, true, true)]
    {
        for (description, to, wanted, kind) in
            [(PHONE, Transport::Udp, phones, Side::Phone), (BROWSER, Transport::Wss, pages, Side::Browser)]
        {
            let mut calls = Calls::new(anchor);
            let step = calls.request(Instant::ZERO, &invite("z1", description), to);
            assert_eq!(step, wanted.then(|| offer("z1", kind)));
            assert_eq!(calls.anchored(&call(), &key("z1")), wanted.then_some(kind));
            let step = calls.response(Instant::ZERO, &ok("z1", description));
            let answer = Step::Answer { call: call(), branch: key("z1"), from: other(kind) };
            assert_eq!(step, wanted.then_some(answer));
        }
    }
}

#[test]
fn an_anchored_call_goes_on_and_ends_as_a_joined_one_does() {
    let mut calls = Calls::new(Anchor::Phones);
    calls.request(Instant::ZERO, &invite("z1", PHONE), Transport::Udp).unwrap();
    calls.response(Instant::ZERO, &ok("z1", PHONE)).unwrap();
    assert_eq!(calls.after_response(&ok("z1", PHONE)), [won("z1")]);
    let reinvite = message("INVITE sip:x@example.com SIP/2.0", "z2", "b", "a", "7 INVITE", PHONE);
    assert_eq!(calls.request(Instant::ZERO, &reinvite, Transport::Udp), Some(offer("z1", Side::Browser)));
    let refusal = message("SIP/2.0 488 No", "z2", "b", "a", "7 INVITE", "");
    assert_eq!(calls.response(Instant::ZERO, &refusal), None);
    assert_eq!(calls.after_response(&refusal), [Consequence::OfferRefused(call(), key("z1"))]);
    let bye = message("BYE sip:x@example.com SIP/2.0", "z3", "a", "b", "2 BYE", "");
    assert_eq!(calls.after_request(&bye), Some(Consequence::CallOver(call())));
    assert!(calls.is_empty());
}

#[test]
fn a_late_offer_of_the_callers_own_kind_is_anchored_if_that_is_wanted() {
    let late = |anchor| {
        let mut calls = Calls::new(anchor);
        let bare = "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z1\r\n\
                    Via: SIP/2.0/UDP 192.0.2.7;branch=x\r\nFrom: <sip:x@example.com>;tag=a\r\n\
                    To: <sip:y@example.com>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n\r\n";
        calls.request(Instant::ZERO, &Message::parse(bare.as_bytes()).unwrap(), Transport::Udp);
        calls.response(Instant::ZERO, &ok("z1", PHONE))
    };
    assert_eq!(late(Anchor::Never), None);
    assert_eq!(late(Anchor::Phones), Some(offer("z1", Side::Browser)));
}

/// The INVITE to bob's phone, sent back to us by a proxy beyond: our Via of the first time is below.
fn sent_back(body: &str) -> Message {
    let text = String::from_utf8(invite("z2", body).as_bytes().to_vec()).unwrap();
    let vias = "Via: SIP/2.0/UDP 192.0.2.5;branch=beyond\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z1\r\nFrom:";
    Message::parse(text.replacen("From:", vias, 1).as_bytes()).unwrap()
}

#[test]
fn a_call_that_a_proxy_beyond_us_sends_back_is_anchored_once() {
    let mut calls = Calls::new(Anchor::Phones);
    calls.request(Instant::ZERO, &invite("z1", PHONE), Transport::Udp).unwrap();
    assert_eq!(calls.request(Instant::ZERO, &sent_back(PHONE), Transport::Udp), None);
    assert_eq!(calls.response(Instant::ZERO, &ok("z2", PHONE)), None);
    let answer = Step::Answer { call: call(), branch: key("z1"), from: Side::Browser };
    assert_eq!(calls.response(Instant::ZERO, &ok("z1", PHONE)), Some(answer));
}

#[test]
fn if_it_then_goes_to_a_page_that_stretch_is_joined_by_itself() {
    let mut calls = Calls::new(Anchor::Phones);
    calls.request(Instant::ZERO, &invite("z1", PHONE), Transport::Udp).unwrap();
    let step = calls.request(Instant::ZERO, &sent_back(PHONE), Transport::Wss);
    let Some(Step::Offer { call: stretch, from: Side::Phone, .. }) = step else { panic!("{step:?}") };
    assert_ne!(stretch, call());
    calls.response(Instant::ZERO, &ok("z2", BROWSER)).unwrap();
    calls.after_response(&ok("z2", BROWSER));
    assert!(calls.response(Instant::ZERO, &ok("z1", PHONE)).is_some(), "the first stretch stands");
}
