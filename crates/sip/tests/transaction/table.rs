//! The table as a whole.

use std::time::Duration;

use sip::{Entropy, Hop, Message, Method, NextHop, Received, SeededEntropy, Timers, Transactions};

use crate::stage::{Stage, TCP, UDP, ack, invite, is_response, request, response};

#[test]
fn known_messages_are_told_without_touching_anything() {
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &invite());
    let cancel = request(Method::Cancel, "z9hG4bK-invite");
    let other = request(Method::Invite, "z9hG4bK-other");
    let final_ack = ack(&invite(), &response(&invite(), 486));
    for (message, known) in [(&invite(), true), (&cancel, true), (&final_ack, true), (&other, false)] {
        assert_eq!(stage.table.is_known(message), known);
    }
    assert_eq!(stage.table.len(), 1);
    stage.request(UDP, &other);
    assert!(stage.table.is_known(&response(&other, 200)));
    assert!(!stage.table.is_known(&response(&invite(), 200)));
    stage.respond(key, &response(&invite(), 200));
}

#[test]
fn a_key_of_an_ended_transaction_means_nothing() {
    let mut stage = Stage::new();
    let options = request(Method::Options, "z9hG4bK-1");
    let first = stage.accept(TCP, &options);
    stage.respond(first, &response(&options, 200));
    assert_eq!(stage.events(), ["200", "ended"]);
    // The place is taken again.
    let second = stage.accept(TCP, &request(Method::Options, "z9hG4bK-2"));
    assert_ne!(first, second);
    stage.respond(first, &response(&options, 500));
    stage.table.redirect_responses(first, UDP);
    assert_eq!(stage.table.hop_of(first), None);
    assert_eq!(stage.table.hop_of(second), Some(&TCP));
    assert!(stage.events().is_empty());
}

#[test]
fn what_is_no_response_is_not_sent() {
    let mut stage = Stage::new();
    let key = stage.accept(UDP, &invite());
    for broken in [
        &b""[..],
        b"SIP/2.0",
        b"SIP/2.0 ",
        b"SIP/2.0 2",
        b"SIP/2.0 2x0 OK",
        b"SIP/2.0 099 X",
        b"SIP/2.0 700 X",
    ] {
        stage.table.respond(stage.time(), key, broken.to_vec());
    }
    assert!(stage.events().is_empty());
}

#[test]
fn an_ack_given_as_a_request_is_sent_once_and_is_over() {
    let mut stage = Stage::new();
    stage.request(UDP, &request(Method::Ack, "z9hG4bK-ack"));
    stage.run_until(60_000);
    assert_eq!(stage.events(), ["ACK", "ended"]);
    assert!(stage.table.is_empty());
}

#[test]
fn a_forgotten_client_transaction_is_gone() {
    let mut stage = Stage::new();
    let key = stage.request(UDP, &invite());
    stage.receive(UDP, response(&invite(), 180));
    stage.table.forget(key);
    assert_eq!(stage.events(), ["INVITE", "ended"]);
    assert!(stage.table.is_empty());
    assert!(matches!(stage.receive(UDP, response(&invite(), 200)), Received::StrayResponse { .. }));
}

#[test]
fn a_branch_used_twice_belongs_to_the_later_request() {
    let mut stage = Stage::new();
    let options = request(Method::Options, "z9hG4bK-same");
    let first = stage.request(UDP, &options);
    stage.run_until(10_000);
    let second = stage.request(UDP, &options);
    assert_ne!(first, second);
    // The first is given up; the second keeps the name.
    stage.run_until(33_000);
    assert_eq!(stage.table.len(), 1);
    assert!(is_response(&stage.receive(UDP, response(&options, 200)), second));
    stage.run_until(60_000);
    assert!(stage.table.is_empty());
}

#[test]
fn ten_thousand_calls_leave_nothing_behind() {
    let mut stage = Stage::new();
    for number in 0..10_000 {
        let invite = request(Method::Invite, &format!("z9hG4bK-{number}"));
        let server = stage.accept(UDP, &invite);
        stage.request(UDP, &invite);
        if number % 2 == 0 {
            stage.respond(server, &response(&invite, 486));
            stage.receive(UDP, response(&invite, 486));
        } else {
            stage.respond(server, &response(&invite, 200));
            stage.receive(UDP, response(&invite, 200));
        }
    }
    assert_eq!(stage.table.len(), 20_000);
    stage.run_until(64_000);
    assert!(stage.table.is_empty());
    assert_eq!(stage.table.next_timeout(), None);
}

#[test]
fn no_bytes_make_the_table_panic_or_leak() {
    let mut entropy = SeededEntropy::new(9);
    let mut stage = Stage::new();
    let busy = response(&invite(), 486);
    let seeds = [
        invite(),
        request(Method::Cancel, "z9hG4bK-invite"),
        ack(&invite(), &busy),
        busy,
        response(&invite(), 180),
        request(Method::Message, "z9hG4bK-message"),
    ];
    for round in 0..30_000_u64 {
        if round % 500 == 0 {
            stage.request(UDP, &invite());
        }
        let mut bytes = seeds[(entropy.number() % seeds.len() as u64) as usize].as_bytes().to_vec();
        for _ in 0..entropy.number() % 4 {
            let place = (entropy.number() % bytes.len() as u64) as usize;
            match entropy.number() % 4 {
                0 => bytes[place] = entropy.number() as u8,
                1 => bytes.truncate(place.max(1)),
                2 => drop(bytes.drain(place..(place + 9).min(bytes.len()))),
                _ => bytes.insert(place, b";=,<>\r\n\" :"[(entropy.number() % 10) as usize]),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let Ok(message) = Message::parse(&bytes) else { continue };
        let now = stage.time();
        let received = stage.table.receive(now, &UDP, message);
        match received {
            Received::Request { key, request } if round % 3 != 0 => {
                stage.table.respond(now, key, response(&invite(), 486).as_bytes().to_vec());
                drop(request);
            }
            Received::Request { key, .. } => {
                stage.table.respond(now, key, b"SIP/2.0 200 OK\r\n\r\n".to_vec());
            }
            Received::Response { key, .. } if round % 3 == 0 => stage.table.cancel(now, key, None),
            _ => {}
        }
        while stage.table.poll().is_some() {}
        stage.now += 7;
        stage.table.timeout(stage.time());
    }
    for _ in 0..100 {
        stage.now += 40_000;
        stage.table.timeout(stage.time());
        while let Some(output) = stage.table.poll() {
            drop(output);
        }
    }
    // What may be left are INVITEs that ring: their patience is the user's.
    assert_eq!(stage.table.next_timeout(), None);
    assert!(stage.table.len() <= 60, "{} are left", stage.table.len());
}

#[test]
fn the_hops_of_the_server_serve_as_they_are() {
    fn table<H: NextHop>() -> Transactions<H> {
        Transactions::new(Timers::default(), &mut SeededEntropy::new(2))
    }
    assert!(table::<Hop>().is_empty());
    let _ = Message::parse(b"");
}

#[test]
fn finished_transactions_go_together_and_none_before_its_time() {
    let timers = Timers { ended_together: Duration::from_millis(64), ..Timers::default() };
    let mut stage = Stage::with(timers);
    for (at, branch) in [(10, "z9hG4bK-1"), (40, "z9hG4bK-2"), (65, "z9hG4bK-3")] {
        stage.run_until(at);
        let options = request(Method::Options, branch);
        let key = stage.accept(UDP, &options);
        stage.respond(key, &response(&options, 200));
    }
    stage.events();
    stage.run_until(60_000);
    // 32,010 and 32,040 ms are within one multiple of 64 ms, 32,065 is beyond.
    let ended = |at: u64| (at, "ended".to_owned());
    assert_eq!(stage.timeline(), [ended(32_064), ended(32_064), ended(32_128)]);
}

#[test]
fn whatever_has_still_to_be_sent_or_told_is_exact() {
    let timers = Timers { ended_together: Duration::from_millis(64), ..Timers::default() };
    let mut stage = Stage::with(timers);
    stage.run_until(10);
    stage.request(UDP, &request(Method::Options, "z9hG4bK-1"));
    stage.run_until(1_600);
    stage.events();
    stage.run_until(60_000);
    let told = stage.timeline();
    assert_eq!(told.first(), Some(&(3_510, "OPTIONS".to_owned())), "Timer E");
    assert!(told.contains(&(32_010, "timed out".to_owned())), "Timer F: {told:?}");
}
