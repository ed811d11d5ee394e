//! Who is not a party of a call gets nothing, changes nothing and is not heard.

use crate::peers::{BROWSER, PHONE, World, address, branch, call, phone_description, port_of, rtp};
use media::{Event, Gateway, MediaCause, Side, SocketId};
use sip::{Entropy, SeededEntropy};
use std::time::Duration;

const PCMU: &str = "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";
const STRANGER: &str = "198.18.0.66:666";

fn joined() -> (World, u16) {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let now = world.now;
    let offer =
        world.gateway.offer(now, &call("call"), &branch("branch"), Side::Browser, &offer).expect("an offer");
    world.settle();
    let answer = phone_description(PHONE, "0", PCMU);
    let answer =
        world.gateway.answer(now, &call("call"), &branch("branch"), Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(now, &call("call"), &branch("branch"));
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[browser].connected);
    (world, port_of(&offer))
}

fn again(world: &mut World, description: &[u8]) {
    let now = world.now;
    let (call, branch) = (call("call"), branch("within the dialog"));
    let offer = world.gateway.offer(now, &call, &branch, Side::Phone, description).expect("an offer");
    let answer = world.browsers[0].answer(&offer);
    world.gateway.answer(now, &call, &branch, Side::Browser, &answer).expect("an answer");
    world.settle();
}

#[test]
fn a_strangers_sound_is_not_heard_and_does_not_draw_the_browsers_sound() {
    let (mut world, port) = joined();
    world.phone_sends(STRANGER, port, &rtp(0, 1, 0, 666, b"stranger"));
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"phone"));
    world.phone_sends(STRANGER, port, &rtp(0, 2, 160, 7, b"stranger"));
    world.pass(Duration::from_millis(100));
    let heard: Vec<_> = world.browsers[0].heard.iter().map(|packet| packet.payload.clone()).collect();
    assert_eq!(heard, [b"phone".to_vec()]);
    world.browser_sends(0, 0, 160, b"browser");
    assert!(world.sent.iter().all(|sent| sent.to.ip() == address(PHONE).ip()));
}

#[test]
fn a_phone_may_send_from_another_port_than_it_signalled_and_then_gets_sound_there() {
    let (mut world, port) = joined();
    let real = "203.0.113.5:45678";
    world.phone_sends(real, port, &rtp(0, 1, 0, 7, b"phone"));
    world.phone_heard(PHONE);
    world.browser_sends(0, 0, 160, b"browser");
    assert_eq!(world.phone_heard(real).len(), 1);
    assert!(world.phone_heard(PHONE).is_empty());
}

#[test]
fn who_was_latched_first_stays_until_a_new_offer_and_then_moves_once() {
    let (mut world, port) = joined();
    world.phone_sends("203.0.113.5:45678", port, &rtp(0, 1, 0, 7, b"first"));
    world.phone_sends("203.0.113.5:50000", port, &rtp(0, 2, 160, 7, b"moved too early"));
    again(&mut world, &phone_description(PHONE, "0", PCMU));
    world.phone_sends("203.0.113.5:50000", port, &rtp(0, 3, 320, 7, b"moved"));
    world.phone_sends("203.0.113.5:60000", port, &rtp(0, 4, 480, 7, b"moved twice"));
    world.phone_sends("203.0.113.5:45678", port, &rtp(0, 5, 640, 7, b"moved back"));
    world.pass(Duration::from_millis(100));
    let heard: Vec<_> = world.browsers[0].heard.iter().map(|packet| packet.payload.clone()).collect();
    assert_eq!(heard, [b"first".to_vec(), b"moved".to_vec()]);
}

#[test]
fn a_phone_whose_nat_gives_it_another_port_in_the_call_is_heard_and_hears_there() {
    let (mut world, port) = joined();
    let (before, after) = ("203.0.113.5:45678", "203.0.113.5:50000");
    world.phone_sends(before, port, &rtp(0, 1, 0, 7, b"before"));
    world.pass(Duration::from_millis(200));
    world.phone_sends(after, port, &rtp(0, 11, 1600, 7, b"too soon"));
    world.pass(Duration::from_millis(400));
    world.phone_sends(after, port, &rtp(0, 31, 4800, 666, b"another source"));
    world.phone_sends("198.18.0.66:50000", port, &rtp(0, 31, 4800, 7, b"another address"));
    world.phone_sends(after, port, &rtp(0, 32, 4960, 7, b"after"));
    world.phone_sends(before, port, &rtp(0, 33, 5120, 7, b"the old place"));
    world.pass(Duration::from_millis(100));
    let heard: Vec<_> = world.browsers[0].heard.iter().map(|packet| packet.payload.clone()).collect();
    assert_eq!(heard, [b"before".to_vec(), b"after".to_vec()]);
    world.phone_heard(before);
    world.browser_sends(0, 0, 160, b"browser");
    assert_eq!(world.phone_heard(after).len(), 1);
    assert!(world.phone_heard(before).is_empty());
}

#[test]
fn reports_of_a_phone_whose_nat_gave_it_another_port_are_read_and_answered_there() {
    let (mut world, port) = joined();
    let report = |ssrc: u32| [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat();
    world.phone_sends("203.0.113.5:45678", port, &rtp(0, 1, 0, 7, b"phone"));
    world.phone_sends("203.0.113.5:45679", port + 1, &report(7));
    world.pass(Duration::from_secs(6));
    let after = "203.0.113.5:50001";
    world.phone_sends("203.0.113.5:50666", port + 1, &report(666));
    world.phone_sends(after, port + 1, &report(7));
    world.sent.clear();
    world.pass(Duration::from_secs(6));
    let reports: Vec<_> = world.sent.iter().filter(|sent| sent.from == port + 1).collect();
    assert!(!reports.is_empty() && reports.iter().all(|sent| sent.to == address(after)), "{reports:?}");
}

#[test]
fn a_phone_that_signals_another_address_is_followed_there() {
    let (mut world, port) = joined();
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"before"));
    let other = "203.0.113.99:9000";
    again(&mut world, &phone_description(other, "0", PCMU));
    world.phone_heard(PHONE);
    world.browser_sends(0, 0, 160, b"browser");
    assert_eq!(world.phone_heard(other).len(), 1, "before anything came from there");
    world.phone_sends(PHONE, port, &rtp(0, 2, 160, 7, b"the old place"));
    world.phone_sends(other, port, &rtp(0, 1, 0, 8, b"the new place"));
    world.pass(Duration::from_millis(100));
    let heard: Vec<_> = world.browsers[0].heard.iter().map(|packet| packet.payload.clone()).collect();
    assert_eq!(heard, [b"before".to_vec(), b"the new place".to_vec()]);
}

#[test]
fn a_phone_behind_nat_is_heard_from_where_its_signalling_comes() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let now = world.now;
    let (call, branch) = (call("call"), branch("branch"));
    let offer = world.gateway.offer(now, &call, &branch, Side::Browser, &offer).expect("an offer");
    let answer = phone_description("10.0.0.5:7000", "0", PCMU);
    let answer = world.gateway.answer(now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.gateway.expect_phone_at(&call, &branch, address(PHONE).ip());
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(2));
    let real = "203.0.113.5:33333";
    world.phone_sends(real, port_of(&offer), &rtp(0, 1, 0, 7, b"phone"));
    world.browser_sends(0, 0, 160, b"browser");
    assert_eq!(world.phone_heard(real).len(), 1);
}

#[test]
fn who_was_quicker_than_the_phone_from_its_address_loses_when_the_phone_is_heard() {
    let (mut world, port) = joined();
    world.phone_sends("203.0.113.5:6666", port, &rtp(9, 1, 0, 666, b"not agreed"));
    world.phone_heard(PHONE);
    world.browser_sends(0, 0, 160, b"browser");
    assert_eq!(world.phone_heard(PHONE).len(), 1, "a payload type that was not agreed teaches nothing");
    world.phone_sends("203.0.113.5:6666", port, &rtp(0, 2, 0, 666, b"quick"));
    world.pass(Duration::from_millis(20));
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"phone"));
    world.phone_sends("203.0.113.5:6666", port, &rtp(0, 3, 160, 666, b"too late"));
    world.phone_sends(PHONE, port, &rtp(0, 2, 160, 666, b"another source"));
    world.pass(Duration::from_millis(100));
    let heard: Vec<_> = world.browsers[0].heard.iter().map(|packet| packet.payload.clone()).collect();
    assert_eq!(heard, [b"quick".to_vec(), b"phone".to_vec()]);
    world.browser_sends(0, 0, 160, b"browser");
    assert_eq!(world.phone_heard(PHONE).len(), 1);
    assert!(world.phone_heard("203.0.113.5:6666").is_empty());
}

#[test]
fn only_strangers_is_a_cause_of_its_own() {
    let (mut world, port) = joined();
    for sequence in 0..200 {
        world.phone_sends(STRANGER, port, &rtp(0, sequence, 0, 666, b"stranger"));
        world.browser_sends(0, 0, 160, b"browser");
        world.pass(Duration::from_millis(20));
    }
    world.gateway.end(world.now, &call("call"));
    world.settle();
    let report = world.events.iter().find_map(|event| match event {
        Event::Ended { report, .. } => Some(report.clone()),
        _ => None,
    });
    let report = report.expect("a report");
    assert_eq!(report.cause, Some(MediaCause::PhoneElsewhere));
    assert_eq!(report.phone.dropped, 200);
}

#[test]
fn a_strangers_handshake_check_or_sound_at_the_browsers_port_gets_no_answer() {
    let (mut world, _) = joined();
    let mut check = vec![0x00, 0x01, 0x00, 0x10, 0x21, 0x12, 0xa4, 0x42];
    check.extend_from_slice(&[7; 12]);
    check.extend_from_slice(b"\x00\x06\x00\x0anobody:you\0\0");
    let hello = [&[22, 0xfe, 0xfd][..], &[0; 60]].concat();
    for bytes in [&check[..], &hello, &rtp(0, 1, 0, 1, &[0; 60]), &[200; 40], &[]] {
        world.gateway.receive(world.now, SocketId::Browser(0), address(STRANGER), bytes);
        world.gateway.receive(world.now, SocketId::Browser(7), address(STRANGER), bytes);
    }
    world.settle();
    assert!(world.astray.is_empty(), "{:?}", world.astray);
}

#[test]
fn a_check_with_the_right_name_and_a_false_password_changes_nothing() {
    let (mut world, port) = joined();
    // A true check of the browser, as it is on the wire, with one bit of its integrity turned.
    let mut checks = Vec::new();
    for _ in 0..1000 {
        world.now += Duration::from_millis(5);
        let at = world.at();
        let _ = world.browsers[0].rtc.handle_input(str0m::Input::Timeout(at));
        checks.extend(
            world.browsers[0].poll().into_iter().map(|(_, _, bytes)| bytes).filter(|bytes| bytes[0] == 0),
        );
        if !checks.is_empty() {
            break;
        }
    }
    let check = checks.pop().expect("a check");
    // The last eight octets are a checksum, which protects nothing.
    for bit in 0..(check.len() - 8) * 8 {
        let mut false_check = check.clone();
        false_check[bit / 8] ^= 1 << (bit % 8);
        world.gateway.receive(world.now, SocketId::Browser(0), address(STRANGER), &false_check);
    }
    world.settle();
    assert_eq!(world.astray.len(), 0, "no answer");
    world.gateway.receive(world.now, SocketId::Browser(0), address(BROWSER), &check);
    world.settle();
    world.gateway.receive(world.now, SocketId::Browser(0), address(STRANGER), &check);
    world.settle();
    assert_eq!(world.astray.len(), 0, "nor to one that was overheard");
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"phone"));
    world.pass(Duration::from_millis(50));
    assert_eq!(world.browsers[0].heard.len(), 1, "the call is unharmed");
}

#[test]
fn a_handshake_before_any_check_is_dropped() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let now = world.now;
    world.gateway.offer(now, &call("call"), &branch("branch"), Side::Browser, &offer).expect("an offer");
    let answer = phone_description(PHONE, "0", PCMU);
    world.gateway.answer(now, &call("call"), &branch("branch"), Side::Phone, &answer).expect("an answer");
    let hello = [&[22, 0xfe, 0xfd][..], &[0; 60]].concat();
    world.gateway.receive(now, SocketId::Browser(0), address(BROWSER), &hello);
    world.settle();
    assert!(world.astray.is_empty());
}

#[test]
fn nonsense_from_everybody_everywhere_harms_nobody() {
    let (mut world, port) = joined();
    let mut entropy = SeededEntropy::new(5);
    let mut bytes = [0; 200];
    for round in 0..20_000u64 {
        entropy.fill(&mut bytes);
        if round % 2 == 0 {
            bytes[0] = [0, 1, 20, 22, 23, 63, 128, 144, 191][(round / 2) as usize % 9];
        }
        let length = entropy.number() as usize % bytes.len();
        let (socket, from) = match entropy.number() % 4 {
            0 => (SocketId::Browser(0), BROWSER),
            1 => (SocketId::Browser(0), STRANGER),
            2 => (SocketId::Phone(port), PHONE),
            _ => (SocketId::Phone(port + 1), "203.0.113.5:7001"),
        };
        feed(&mut world.gateway, world.now, socket, from, &bytes[..length]);
        if round % 1000 == 0 {
            world.pass(Duration::from_millis(20));
        }
    }
    world.pass(Duration::from_secs(3));
    world.browsers[0].heard.clear();
    for sequence in 0..10 {
        world.phone_sends(PHONE, port, &rtp(0, sequence, 0, 77, b"still here"));
        world.pass(Duration::from_millis(20));
    }
    let heard = world.browsers[0].heard.iter().filter(|packet| packet.payload == b"still here").count();
    assert!(heard >= 9, "{heard} of 10");
    assert!(!world.events.iter().any(|event| matches!(event, Event::Failed { .. })), "{:?}", world.events);
}

fn feed(gateway: &mut Gateway, now: sip::Instant, socket: SocketId, from: &str, bytes: &[u8]) {
    gateway.receive(now, socket, address(from), bytes);
}
