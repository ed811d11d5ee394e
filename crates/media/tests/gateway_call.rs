//! A browser and a plain phone are joined: who calls whom, what they hear, and what is left afterwards.

use crate::peers::{
    BROWSER, GATEWAY, Heard, PHONE, World, address, branch, call, phone_description, port_of, rtp,
};
use media::{DtlsState, Event, MediaCause, Side};
use std::time::Duration;

const PCMU: &str =
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n";

/// The browser calls the phone, which answers with PCMU. Returns the world, the browser and the gateway's port.
fn joined() -> (World, usize, u16) {
    let mut world = World::new();
    let (browser, port) = called(&mut world, "call", "branch", PHONE);
    (world, browser, port)
}

fn called(world: &mut World, name: &str, leg: &str, phone: &str) -> (usize, u16) {
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (call, branch) = (call(name), branch(leg));
    let toward_phone = world
        .gateway
        .offer(world.now, &call, &branch, Side::Browser, &offer)
        .expect("an offer for the phone");
    let port = port_of(&toward_phone);
    world.settle();
    let answer = phone_description(phone, "0 101", PCMU);
    let toward_browser = world
        .gateway
        .answer(world.now, &call, &branch, Side::Phone, &answer)
        .expect("an answer for the browser");
    world.gateway.confirm(world.now, &call, &branch);
    world.browsers[browser].accept(&toward_browser);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[browser].connected, "ICE and DTLS stand");
    (browser, port)
}

/// The phone sends this many packets of sound, one every 20 ms.
fn phone_talks(world: &mut World, from: &str, port: u16, first: u16, count: u16, ssrc: u32) {
    for index in 0..count {
        let sequence = first.wrapping_add(index);
        let timestamp = 160 * (u32::from(first) + u32::from(index));
        world.phone_sends(from, port, &rtp(0, sequence, timestamp, ssrc, &[0x55; 160]));
        world.pass(Duration::from_millis(20));
    }
}

fn report(world: &World) -> &media::CallReport {
    world
        .events
        .iter()
        .find_map(|event| match event {
            Event::Ended { report, .. } => Some(&**report),
            _ => None,
        })
        .expect("a report")
}

fn is_continuous(heard: &[Heard]) {
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "sequence numbers go on");
        assert_eq!(pair[1].ssrc, pair[0].ssrc, "one source");
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!((1..80_000).contains(&step), "timestamps go on: {step}");
    }
}

#[test]
fn the_phone_hears_the_browser_with_the_agreed_payload_type() {
    let (mut world, browser, port) = joined();
    assert_eq!(port % 2, 0);
    assert_eq!(world.open, [port, port + 1]);
    world.phone_heard(PHONE);
    for _ in 0..50 {
        world.browser_sends(browser, 0, 160, &[0x42; 160]);
        world.pass(Duration::from_millis(20));
    }
    let heard = world.phone_heard(PHONE);
    assert_eq!(heard.len(), 50);
    assert!(heard.iter().all(|packet| packet.payload_type == 0 && packet.payload == [0x42; 160]));
    assert!(heard[0].marker, "the beginning of a talkspurt");
    is_continuous(&heard);
    assert!(world.events.iter().any(|event| matches!(event, Event::MediaFlows { from: Side::Browser, .. })));
}

#[test]
fn the_browser_hears_the_phone_under_the_announced_source() {
    let (mut world, browser, port) = joined();
    phone_talks(&mut world, PHONE, port, 65_500, 100, 7);
    let heard = &world.browsers[browser].heard;
    assert_eq!(heard.len(), 100);
    assert!(heard.iter().all(|packet| packet.payload_type == 0 && packet.payload == [0x55; 160]));
    assert_ne!(heard[0].ssrc, 7, "the phone's own numbers stay on its side");
    is_continuous(heard);
    assert!(world.events.iter().any(|event| matches!(event, Event::MediaFlows { from: Side::Phone, .. })));
    assert!(world.astray.is_empty(), "{:?}", world.astray);
}

#[test]
fn a_phone_whose_source_changes_is_one_continuous_stream_for_the_browser() {
    let (mut world, browser, port) = joined();
    phone_talks(&mut world, PHONE, port, 100, 20, 7);
    phone_talks(&mut world, PHONE, port, 40_000, 20, 8);
    let heard = &world.browsers[browser].heard;
    // Another source is not believed before the first has been quiet for 100 ms: four packets.
    assert_eq!(heard.len(), 36);
    is_continuous(heard);
    assert!(heard[20].marker, "the change begins a talkspurt");
}

#[test]
fn a_phone_calls_a_browser() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = phone_description(PHONE, "0 101", PCMU);
    let (call, branch) = (call("call"), branch("branch"));
    let toward_browser = world
        .gateway
        .offer(world.now, &call, &branch, Side::Phone, &offer)
        .expect("an offer for the browser");
    let answer = world.browsers[browser].answer(&toward_browser);
    let toward_phone = world
        .gateway
        .answer(world.now, &call, &branch, Side::Browser, &answer)
        .expect("an answer for the phone");
    world.gateway.confirm(world.now, &call, &branch);
    let port = port_of(&toward_phone);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[browser].connected);
    phone_talks(&mut world, PHONE, port, 1, 10, 7);
    assert_eq!(world.browsers[browser].heard.len(), 10);
    world.phone_heard(PHONE);
    world.browser_sends(browser, 0, 160, &[1; 160]);
    assert_eq!(world.phone_heard(PHONE).len(), 1);
}

#[test]
fn keys_pressed_in_the_browser_arrive_as_events() {
    let (mut world, browser, _) = joined();
    world.browser_sends(browser, 0, 160, &[0x42; 160]);
    world.phone_heard(PHONE);
    world.browser_sends(browser, 126, 160, &[5, 0x0a, 0, 160]);
    let heard = world.phone_heard(PHONE);
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].payload_type, &heard[0].payload[..]), (101, &[5, 0x0a, 0, 160][..]));
}

#[test]
fn a_silent_browser_is_filled_with_silence_and_goes_on_without_a_jump() {
    let (mut world, browser, _) = joined();
    world.phone_heard(PHONE);
    world.browser_sends(browser, 0, 160, &[0x42; 160]);
    world.pass(Duration::from_secs(15));
    world.browser_sends(browser, 0, 160, &[0x42; 160]);
    let heard = world.phone_heard(PHONE);
    let silent: Vec<bool> = heard.iter().map(|packet| packet.payload == [0xff; 160]).collect();
    assert_eq!(silent, [false, true, true, true, false], "after one second, then every five");
    assert!(heard[4].marker);
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
    }
    let span = heard[4].timestamp.wrapping_sub(heard[0].timestamp);
    assert_eq!(span, 15 * 8000, "the time that passed");
}

#[test]
fn rtcp_is_ended_on_the_phones_leg() {
    let (mut world, browser, port) = joined();
    for _ in 0..6 {
        world.browser_sends(browser, 0, 160, &[0x42; 160]);
        phone_talks(&mut world, PHONE, port, 1, 50, 7);
    }
    let reports: Vec<_> = world.sent.iter().filter(|sent| sent.from == port + 1).collect();
    assert!(!reports.is_empty(), "one every five seconds");
    for report in reports {
        assert_eq!(report.to, address("203.0.113.5:7001"), "to the next port");
        assert_eq!(report.bytes[1], 200, "a sender report");
    }
}

#[test]
fn an_ended_call_says_what_happened_and_leaves_nothing() {
    let (mut world, browser, port) = joined();
    for index in 0..200 {
        world.browser_sends(browser, 0, 160, &[0x42; 160]);
        phone_talks(&mut world, PHONE, port, index, 1, 7);
    }
    world.gateway.end(world.now, &call("call"));
    world.settle();
    let report = report(&world);
    assert_eq!(report.cause, None);
    assert_eq!(report.codec, Some("PCMU"));
    assert_eq!(report.browser.pair, Some((address(GATEWAY), address(BROWSER))));
    assert_eq!(report.browser.dtls, DtlsState::Connected);
    assert_eq!(report.browser.received.traffic.packets, 200);
    assert_eq!(report.browser.sent.packets, 200);
    assert_eq!(report.phone.received.traffic.packets, 200);
    assert_eq!((report.phone.received.lost, report.browser.received.lost), (0, 0));
    assert!(world.gateway.is_idle(), "ports, names and addresses are returned");
    assert!(world.open.is_empty(), "{:?}", world.open);
    assert!(world.sent.iter().any(|sent| sent.bytes[1] == 201 && sent.bytes[9] == 203), "a goodbye");
}

#[test]
fn a_call_without_sound_names_the_side_that_was_silent() {
    let (mut world, browser, _) = joined();
    for _ in 0..200 {
        world.browser_sends(browser, 0, 160, &[0x42; 160]);
        world.pass(Duration::from_millis(20));
    }
    world.gateway.end(world.now, &call("call"));
    world.settle();
    assert_eq!(report(&world).cause, Some(MediaCause::NoneFromPhone));
}

#[test]
fn a_browser_that_never_comes_is_given_up_and_named() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (call, branch) = (call("call"), branch("branch"));
    world.gateway.offer(world.now, &call, &branch, Side::Browser, &offer).expect("an offer");
    let answer = phone_description(PHONE, "0 101", PCMU);
    world.gateway.answer(world.now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.pass(Duration::from_secs(60));
    assert!(world.events.is_empty(), "it may wait for the answer: {:?}", world.events);
    world.gateway.confirm(world.now, &call, &branch);
    world.pass(Duration::from_secs(31));
    let failed = world.events.iter().find_map(|event| match event {
        Event::Failed { cause, .. } => Some(*cause),
        _ => None,
    });
    assert_eq!(failed, Some(MediaCause::IceNothingArrived));
    assert_eq!(MediaCause::IceNothingArrived.code(), "ICE-UDP-BLOCKED");
}

#[test]
fn a_browser_that_vanishes_in_a_call_is_missed() {
    let (mut world, browser, _) = joined();
    world.browsers.remove(browser);
    world.pass(Duration::from_secs(40));
    let failed =
        world.events.iter().any(|event| matches!(event, Event::Failed { cause: MediaCause::IceLost, .. }));
    assert!(failed, "{:?}", world.events);
}

#[test]
fn a_browser_with_another_certificate_than_promised_is_refused_before_any_sound() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = String::from_utf8(world.browsers[browser].offer()).expect("text");
    let line =
        offer.lines().find(|line| line.starts_with("a=fingerprint:")).expect("a fingerprint").to_owned();
    let (head, tail) = line.split_at(line.len() - 2);
    let other = format!("{head}{}", if tail == "00" { "01" } else { "00" });
    let offer = offer.replace(&line, &other);
    let (call, branch) = (call("call"), branch("branch"));
    world.gateway.offer(world.now, &call, &branch, Side::Browser, offer.as_bytes()).expect("an offer");
    let answer = phone_description(PHONE, "0 101", PCMU);
    let answer = world.gateway.answer(world.now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(2));
    let failed = world
        .events
        .iter()
        .any(|event| matches!(event, Event::Failed { cause: MediaCause::DtlsFingerprint, .. }));
    assert!(failed, "{:?}", world.events);
    assert!(!world.events.iter().any(|event| matches!(event, Event::BrowserConnected { .. })));
    world.browser_sends(browser, 0, 160, &[1; 160]);
    world.pass(Duration::from_secs(2));
    assert!(
        world.phone_heard(PHONE).iter().all(|packet| packet.payload == [0xff; 160]),
        "silence of ours only"
    );
}
